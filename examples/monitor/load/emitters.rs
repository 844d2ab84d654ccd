//! Who emits: a few threads, each with its topics and its pace, in bursts.

use std::error::Error;
use std::io;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use chanbus::{Bus, Publisher, TopicError};

use super::Item;

/// So many events on each topic in turn, then a pause; each `every`th time a burst of so many.
struct Pace {
    name: &'static str,
    topics: &'static [&'static str],
    events: u64,
    pause: Duration,
    every: u64,
    burst: u64,
}

const PACES: [Pace; 4] = [
    Pace {
        name: "web",
        topics: &["web.click", "web.search", "web.beacon"],
        events: 12,
        pause: Duration::from_millis(10),
        every: 70,
        burst: 120,
    },
    Pace {
        name: "orders",
        topics: &[
            "order.placed",
            "order.paid",
            "order.shipped",
            "order.returned",
            "mail.sent",
        ],
        events: 1,
        pause: Duration::from_millis(25),
        every: 160,
        burst: 60,
    },
    Pace {
        name: "prices",
        topics: &["price.eur", "price.usd", "price.gbp"],
        events: 5,
        pause: Duration::from_millis(5),
        every: 1_000,
        burst: 50,
    },
    Pace {
        name: "stock",
        topics: &["stock.low", "stock.moved", "audit.login"],
        events: 20,
        pause: Duration::from_millis(100),
        every: 20,
        burst: 200,
    },
];

/// They end with the bus.
pub(super) fn start(bus: &Bus<Item>) -> Result<Vec<JoinHandle<()>>, Box<dyn Error>> {
    let mut threads = Vec::new();
    for pace in PACES {
        let publishers = pace.topics.iter().map(|topic| bus.publisher(topic));
        let publishers = publishers.collect::<Result<Vec<_>, TopicError>>()?;
        threads.push(spawn(pace, publishers)?);
    }
    Ok(threads)
}

fn spawn(pace: Pace, publishers: Vec<Publisher<Item>>) -> io::Result<JoinHandle<()>> {
    let name = format!("emit-{}", pace.name);
    thread::Builder::new().name(name).spawn(move || {
        let mut number = 0;
        for turn in 1.. {
            let events = match turn % pace.every {
                0 => pace.burst,
                _ => pace.events,
            };
            for _ in 0..events {
                for publisher in &publishers {
                    number += 1;
                    let at = Instant::now();
                    // The bus is closed: the load stops.
                    let Ok(_) = publisher.emit(Item { number, at }) else {
                        return;
                    };
                }
            }
            thread::sleep(pace.pause);
        }
    })
}
