//! The parts of the example `monitor` that know no terminal: what it makes of numbers, keys and sizes.
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../examples/monitor/figures.rs"]
mod figures;
#[path = "../../examples/monitor/keys.rs"]
mod keys;
#[path = "../../examples/monitor/latency.rs"]
mod latency;
#[path = "../../examples/monitor/lines.rs"]
mod lines;
#[path = "../../examples/monitor/numbers.rs"]
mod numbers;
#[path = "../../examples/monitor/plain.rs"]
mod plain;
#[path = "../../examples/monitor/screen.rs"]
mod screen;
// Tests say themselves whether there are colours.
#[allow(dead_code)]
#[path = "../../examples/monitor/view/mod.rs"]
mod view;

mod drawing;
mod pressing;
mod sampling;

use std::time::Duration;

use chanbus::{Backlog, Bus, Subscription};

use crate::latency::Spread;
use crate::numbers::{Numbers, Sample};

/// A bus, its subscriptions, and what was seen of them so far.
pub(crate) struct Shop {
    pub(crate) bus: Bus<u32>,
    /// Room for four, and a mark at two.
    pub(crate) mailer: Subscription<u32>,
    pub(crate) audit: Subscription<u32>,
    news: Subscription<Backlog>,
    pub(crate) numbers: Numbers,
}

impl Shop {
    pub(crate) fn open() -> Self {
        let bus: Bus<u32> = Bus::builder().name("shop").build().unwrap();
        let mailer = bus.subscription(["order.*", "mail.sent"]).name("mailer");
        let mailer = mailer.capacity(4).high_water(2).low_water(0);
        Shop {
            mailer: mailer.subscribe().unwrap(),
            audit: bus.subscription("**").name("audit").subscribe().unwrap(),
            news: bus.backlogs().subscribe("**").unwrap(),
            bus,
            numbers: Numbers::default(),
        }
    }

    pub(crate) fn emit(&self, topic: &str, events: u32) {
        for number in 0..events {
            self.bus.emit(topic, number).unwrap();
        }
    }

    /// Looks at it, at so many milliseconds of a clock of the test's own.
    pub(crate) fn look(&mut self, millis: u64, latencies: &[(&'static str, u64)]) {
        let mut topology = self.bus.topology();
        topology.at = Duration::from_millis(millis);
        let spread = |millis: u64| Spread {
            count: u64::from(millis > 0),
            p50: Duration::from_millis(millis),
            p99: Duration::from_millis(millis),
            max: Duration::from_millis(millis),
        };
        let latencies = latencies
            .iter()
            .map(|(name, millis)| (*name, spread(*millis)));
        let news = self.news.try_iter().map(|told| told.payload().clone());
        self.numbers.add(Sample {
            topology,
            latencies: latencies.collect(),
            news: news.collect(),
        });
    }
}
