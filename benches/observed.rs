//! What it costs to be looked at: an emit with its take, while nobody listens to `tracing`, while somebody does, and
//! while the numbers are reported to the `metrics` facade.
//!
//! `cargo bench --features tracing,metrics --bench observed` compares all of that in one run: in each round every
//! contender has its turn, and ratios are taken within a round. What the features cost by being there can only be
//! seen beside a build without them: `.ci/overhead` makes both, and asks each in turn with `--nanos`.

// A program with an output, not a library.
#![allow(clippy::print_stdout)]

mod support;

use std::hint::black_box;
use std::time::Instant;

use chanbus::{Bus, Publisher, Subscription};

use support::{PAYLOAD, Payload, bus, must};

const TOPIC: &str = "scan.progress";
/// Emits of one measurement.
const EMITS: u32 = 20_000;

/// A bus, who emits, and who takes.
struct Room {
    bus: Bus<Payload>,
    publisher: Publisher<Payload>,
    subscriptions: Vec<Subscription<Payload>>,
}

impl Room {
    fn new(capacity: usize) -> Self {
        let bus = bus(8, capacity);
        let subscription = must(bus.subscribe(TOPIC));
        Room::of(bus, subscription)
    }

    fn of(bus: Bus<Payload>, subscription: Subscription<Payload>) -> Self {
        Room {
            publisher: must(bus.publisher(TOPIC)),
            subscriptions: vec![subscription],
            bus,
        }
    }

    /// The same, and its subscription says when it falls behind.
    #[cfg(all(feature = "tracing", feature = "metrics"))]
    fn marked(&self) -> Self {
        let capacity = self.subscriptions[0].capacity();
        let bus = bus(8, capacity);
        let subscription = bus.subscription(TOPIC).high_water(capacity);
        let subscription = must(subscription.subscribe());
        Room::of(bus, subscription)
    }

    /// The same, and its bus remembers topics.
    #[cfg(all(feature = "tracing", feature = "metrics"))]
    fn observed(&self) -> Self {
        let builder = Bus::builder().capacity(self.subscriptions[0].capacity());
        let bus = must(builder.observe_topics(1_000).build());
        let subscription = must(bus.subscribe(TOPIC));
        Room::of(bus, subscription)
    }

    fn by_publisher(&self) {
        black_box(must(self.publisher.emit(black_box(PAYLOAD))));
        self.take();
    }

    fn by_topic(&self) {
        black_box(must(self.bus.emit(black_box(TOPIC), black_box(PAYLOAD))));
        self.take();
    }

    /// Nobody takes: each emit after the first is dropped.
    fn dropped(&self) {
        black_box(must(self.publisher.emit(black_box(PAYLOAD))));
    }

    fn take(&self) {
        for subscription in &self.subscriptions {
            black_box(must(subscription.try_recv()));
        }
    }
}

type Way = (&'static str, fn() -> Room, fn(&Room));

const WAYS: [Way; 3] = [
    ("publisher", || Room::new(256), Room::by_publisher),
    ("topic", || Room::new(256), Room::by_topic),
    ("dropped", || Room::new(1), Room::dropped),
];

/// Nanoseconds of one.
fn nanos(emits: u32, act: impl Fn()) -> f64 {
    let begin = Instant::now();
    (0..emits).for_each(|_| act());
    begin.elapsed().as_nanos() as f64 / f64::from(emits)
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().is_some_and(|it| it == "--nanos") {
        // The median of some, in the order of the ways.
        for (name, make, act) in WAYS {
            let room = make();
            let mut all: Vec<f64> = (0..15).map(|_| nanos(EMITS, || act(&room))).collect();
            all.sort_by(f64::total_cmp);
            println!("{name} {:.2}", all[7]);
        }
        return;
    }
    let quick = arguments.iter().any(|it| it == "--test");
    #[cfg(all(feature = "tracing", feature = "metrics"))]
    looked_at::compare(quick);
    #[cfg(not(all(feature = "tracing", feature = "metrics")))]
    println!(
        "without the features tracing and metrics there is nothing to compare (quick: {quick})"
    );
}

#[cfg(all(feature = "tracing", feature = "metrics"))]
mod looked_at {
    use std::sync::Arc;
    use std::time::Duration;

    use chanbus::{Bus, BusMetrics};
    use metrics_exporter_prometheus::PrometheusBuilder;
    use tracing::level_filters::LevelFilter;
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;

    /// Listens down to a level, and does nothing with what it hears.
    struct Deaf(LevelFilter, bool);

    impl Subscriber for Deaf {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            self.1 && *metadata.level() <= self.0
        }
        fn max_level_hint(&self) -> Option<LevelFilter> {
            Some(self.0)
        }
        fn event(&self, event: &Event<'_>) {
            black_box(event.metadata().level());
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    /// Who looks, while `act` runs.
    #[derive(Clone, Copy)]
    enum Who {
        Nobody,
        /// To everything, or to nothing of ours.
        Listener(LevelFilter, bool),
        Reporter(Duration),
        /// A high-water mark.
        Mark,
        /// A bus that remembers topics.
        Topics,
    }

    const CONTENDERS: [(&str, Who); 9] = [
        ("nobody", Who::Nobody),
        ("nobody, again", Who::Nobody),
        ("a listener, INFO", Who::Listener(LevelFilter::INFO, true)),
        ("a listener, TRACE", Who::Listener(LevelFilter::TRACE, true)),
        ("to others, TRACE", Who::Listener(LevelFilter::TRACE, false)),
        (
            "a reporter, each 1 s",
            Who::Reporter(Duration::from_secs(1)),
        ),
        (
            "a reporter, each 10 ms",
            Who::Reporter(Duration::from_millis(10)),
        ),
        ("a high-water mark", Who::Mark),
        ("1,000 observed topics", Who::Topics),
    ];

    fn measured(who: Who, emits: u32, room: &Room, act: fn(&Room)) -> f64 {
        // In short stretches, of which the lower quartile counts: where other work shares the cores, long
        // ones say how often that had its turn.
        let measure_in = |room: &Room| {
            let mut all: Vec<f64> = (0..20).map(|_| nanos(emits / 20, || act(room))).collect();
            all.sort_by(f64::total_cmp);
            all[5]
        };
        let measure = || measure_in(room);
        match who {
            Who::Nobody => measure(),
            Who::Mark => measure_in(&room.marked()),
            Who::Topics => measure_in(&room.observed()),
            Who::Listener(level, ours) => {
                let taken = tracing::subscriber::with_default(Deaf(level, ours), measure);
                // The level of those who have gone is kept until somebody asks.
                tracing::callsite::rebuild_interest_cache();
                taken
            }
            Who::Reporter(interval) => {
                let recorder = Arc::new(PrometheusBuilder::new().build_recorder());
                let builder = BusMetrics::builder().bus(&room.bus).recorder(recorder);
                let metrics = must(builder.every(interval));
                let taken = measure();
                drop(metrics);
                taken
            }
        }
    }

    pub(super) fn compare(quick: bool) {
        // Else everything counts as listened to, once a listener has gone.
        let off = Deaf(LevelFilter::OFF, false);
        must(tracing::subscriber::set_global_default(off));
        let (rounds, emits) = if quick { (1, 100) } else { (31, EMITS) };
        println!(
            "{:12}{:26}{:>10}{:>10}  quartiles",
            "an emit", "looked at by", "ns", "ratio"
        );
        for (way, make, act) in WAYS {
            let room = make();
            let mut taken = vec![Vec::new(); CONTENDERS.len()];
            for round in 0..rounds {
                for turn in 0..CONTENDERS.len() {
                    // Each round begins with another of them.
                    let at = (round + turn) % CONTENDERS.len();
                    taken[at].push(measured(CONTENDERS[at].1, emits, &room, act));
                }
            }
            for ((name, _), nanos) in CONTENDERS.iter().zip(&taken) {
                let mut ratios: Vec<f64> =
                    nanos.iter().zip(&taken[0]).map(|(a, b)| a / b).collect();
                ratios.sort_by(f64::total_cmp);
                let mut nanos = nanos.clone();
                nanos.sort_by(f64::total_cmp);
                let at = |part: usize| ratios[(rounds - 1) * part / 4];
                println!(
                    "{way:12}{name:26}{:>10.1}{:>10.3}  {:.3} to {:.3}",
                    nanos[rounds / 2],
                    at(2),
                    at(1),
                    at(3)
                );
            }
        }
        updates(quick);
        looks(quick);
    }

    /// What it takes to look at a bus with so many subscriptions and topics, each of which one hears.
    fn looks(quick: bool) {
        for subscriptions in [10, 1_000] {
            let bus: Bus<Payload> = must(
                Bus::builder()
                    .max_subscribers(subscriptions)
                    .observe_topics(subscriptions)
                    .build(),
            );
            let topic = |n| format!("scan.file.n{n}");
            let subs: Vec<_> = (0..subscriptions)
                .map(|n| must(bus.subscribe(topic(n))))
                .collect();
            for n in 0..subscriptions {
                must(bus.emit(topic(n), PAYLOAD));
            }
            let looks = if quick { 1 } else { 100 };
            let whole = nanos(looks, || drop(black_box(bus.topology()))) / 1_000.0;
            let topology = bus.topology();
            let lint = nanos(looks, || drop(black_box(topology.lint()))) / 1_000.0;
            println!(
                "{subscriptions} subscriptions: a topology {whole:.0} us, its lint {lint:.0} us"
            );
            drop(subs);
        }
    }

    /// What one update takes, which emits do not wait for.
    fn updates(quick: bool) {
        for subscriptions in [10, 100, 1_000] {
            let bus: Bus<Payload> = must(Bus::builder().max_subscribers(subscriptions).build());
            let subscribe = |n| bus.subscription(TOPIC).name(format!("s{n}")).subscribe();
            let subs: Vec<_> = (0..subscriptions).map(|n| must(subscribe(n))).collect();
            let recorder = Arc::new(PrometheusBuilder::new().build_recorder());
            let metrics = BusMetrics::builder()
                .bus(&bus)
                .max_names(1_000)
                .recorder(recorder)
                .build();
            metrics.update();
            let nanos = nanos(if quick { 1 } else { 100 }, || metrics.update());
            println!(
                "one update with {subscriptions} named subscriptions: {:.0} us",
                nanos / 1_000.0
            );
            drop(subs);
        }
    }
}
