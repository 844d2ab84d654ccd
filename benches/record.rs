//! What a recorder costs those who emit, and how fast recordings are written and played.
//!
//! Each round emits the same events on a bus that nobody listens to, on one with a subscription that a thread
//! takes from, and on one with a recorder; the queues have room for all of them. Compare within a run: figures are medians
//! over rounds, ratios medians of the rounds' ratios.
//!
//! ```text
//! cargo bench --features json --bench record
//! ```
#![allow(
    clippy::print_stdout,
    reason = "a benchmark talks to the person who runs it"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first surprise"
)]

use std::fs::File;
use std::thread;
use std::time::{Duration, Instant};

use chanbus::{Bus, Drain, Player, Recorder, Speed};
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Found {
    path: String,
    bytes: u64,
}

fn payloads(count: usize) -> Vec<Found> {
    let found = |n| Found {
        path: format!("/home/ada/pictures/2024/{n}.jpeg"),
        bytes: n as u64 * 977,
    };
    (0..count).map(found).collect()
}

/// How long the emits took, of each event.
fn emit(bus: &Bus<Found>, events: usize) -> f64 {
    let payloads = payloads(events);
    let publisher = bus.publisher("scan.file").unwrap();
    let began = Instant::now();
    for payload in payloads {
        publisher.emit(payload).unwrap();
    }
    began.elapsed().as_nanos() as f64 / events as f64
}

fn bus(events: usize) -> Bus<Found> {
    Bus::builder().capacity(events).build().unwrap()
}

fn nobody(events: usize) -> f64 {
    emit(&bus(events), events)
}

fn subscription(events: usize) -> f64 {
    let bus = bus(events);
    let sub = bus.subscribe("**").unwrap();
    let taker = thread::spawn(move || sub.iter().count());
    let each = emit(&bus, events);
    drop(bus);
    assert_eq!(taker.join().unwrap(), events);
    each
}

/// Beside the emits, how long it took to write them all, of each event.
fn recorder(events: usize) -> (f64, f64) {
    let bus = bus(events);
    let file = File::create(path()).unwrap();
    let recorder = Recorder::builder(&bus).capacity(events).to(file).unwrap();
    let began = Instant::now();
    let each = emit(&bus, events);
    let recorded = recorder.stop(Drain::All).unwrap();
    let written = began.elapsed().as_nanos() as f64 / events as f64;
    assert_eq!(recorded.written, events as u64);
    (each, written)
}

fn player(events: usize) -> f64 {
    let bus: Bus<Found> = Bus::new();
    let mut player = Player::open(path()).unwrap().speed(Speed::Fast);
    let began = Instant::now();
    assert_eq!(player.play(&bus).unwrap().emitted, events as u64);
    began.elapsed().as_nanos() as f64 / events as f64
}

fn path() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("chanbus-bench-{}.ndjson", std::process::id()))
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn main() {
    let quick = std::env::args().any(|argument| argument == "--test");
    // Short rounds: most of them fit between two turns of the scheduler, also where others are at work.
    let (rounds, events) = if quick { (1, 500) } else { (401, 2_000) };
    let mut all: [Vec<f64>; 5] = Default::default();
    for _ in 0..rounds {
        let (emits, written) = recorder(events);
        let round = [
            nobody(events),
            subscription(events),
            emits,
            written,
            player(events),
        ];
        for (figures, figure) in all.iter_mut().zip(round) {
            figures.push(figure);
        }
        // So that a machine with few cores is quiet again.
        thread::sleep(Duration::from_millis(if quick { 0 } else { 5 }));
    }
    std::fs::remove_file(path()).unwrap();
    let [nobody, subscription, recorder, written, played] = &all;
    let ratio =
        |of: &[f64], to: &[f64]| median(of.iter().zip(to).map(|(of, to)| of / to).collect());
    println!("{rounds} rounds of {events} events");
    println!(
        "emit, nobody listens      {:>8.1} ns",
        median(nobody.clone())
    );
    println!(
        "emit, one subscription    {:>8.1} ns",
        median(subscription.clone())
    );
    println!(
        "emit, a recorder to a file{:>8.1} ns",
        median(recorder.clone())
    );
    println!(
        "  to nobody               {:>8.2} times",
        ratio(recorder, nobody)
    );
    println!(
        "  to one subscription     {:>8.2} times",
        ratio(recorder, subscription)
    );
    println!(
        "record, all of it         {:>8.1} ns an event",
        median(written.clone())
    );
    println!(
        "play, as fast as possible {:>8.1} ns an event",
        median(played.clone())
    );
}
