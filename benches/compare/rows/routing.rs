//! Finding who gets an event, as subscriptions and topics grow in number.
//!
//! The number of matches is four throughout, so all that may grow is the finding.

use std::hint::black_box;

use chanbus::{Bus, BusBuilder, Subscription};

use super::{NANOS, Spec};
use crate::report::{Aim, Outcome};
use crate::rounds::{Contender, Run};
use crate::support::{CAPACITY, PAYLOAD, Payload, must, timed_in_chunks};

/// What is emitted on matches these, whichever feed it is.
const WANTED: [&str; 4] = ["feed.**", "feed.*.tick", "**", "**.tick"];

pub(super) fn rows() -> Vec<Spec> {
    vec![
        Spec::new(
            "routing: a cached topic",
            "`emit(&str)` on one topic with 4 matches, by the number of subscriptions on the bus. \
             Queues are emptied off the clock.",
            NANOS,
            |run| by_subscriptions(run, cached, (1.2, 1.05)),
        ),
        Spec::new(
            "routing: topics never seen before",
            "The same, each emit on another topic. Such a stream fills the cache of routes (16,384) again and \
             again, so some of the emits add to it and the others only search.",
            NANOS,
            |run| by_subscriptions(run, fresh, (1.8, 1.4)),
        ),
        Spec::new(
            "routing: topics in rotation",
            "The same at 100,000 subscriptions, on 64 topics in turn and on 16,000.",
            NANOS,
            rotation,
        ),
        Spec::new(
            "routing: a stream of topics never seen again",
            "`emit(&str)` at 1,000 subscriptions, each on another topic, through the cache of routes over \
             whole cycles of filling and renewing it, and with no cache.",
            NANOS,
            stream,
        ),
    ]
}

struct Scene {
    bus: Bus<Payload>,
    wanted: Vec<Subscription<Payload>>,
    /// Subscriptions that match none of the topics that are emitted on.
    _others: Vec<Subscription<Payload>>,
}

impl Scene {
    fn new(subscriptions: usize) -> Self {
        Scene::on(Bus::builder(), subscriptions)
    }

    fn on(builder: BusBuilder<Payload>, subscriptions: usize) -> Self {
        // One slot for those that get nothing: their memory is the matter of other rows.
        let builder = builder.capacity(1).max_subscribers(subscriptions);
        let bus = must(builder.build());
        let wanted = WANTED
            .iter()
            .map(|pattern| must(bus.subscription(*pattern).capacity(CAPACITY).subscribe()))
            .collect();
        let others = (WANTED.len()..subscriptions)
            .map(|number| {
                // Exact, with a wildcard behind, and with one in front: each is found differently.
                must(bus.subscribe(match number % 4 {
                    0 => format!("user.{number}.name"),
                    1 => format!("user.{number}.*"),
                    2 => format!("user.{number}.**"),
                    _ => format!("*.{number}.name"),
                }))
            })
            .collect();
        Scene {
            bus,
            wanted,
            _others: others,
        }
    }

    /// Nanoseconds for each emit, on these topics in order.
    fn emit_all<'a>(&self, topics: impl ExactSizeIterator<Item = &'a str>) -> f64 {
        let count = topics.len();
        let mut topics = topics;
        let time = timed_in_chunks(
            count as u64,
            CAPACITY as u64,
            |_| {
                if let Some(topic) = topics.next() {
                    must(self.bus.emit(black_box(topic), *black_box(&PAYLOAD)));
                }
            },
            || {
                for subscription in &self.wanted {
                    subscription.try_iter().for_each(drop);
                }
            },
        );
        time.as_nanos() as f64 / count as f64
    }
}

fn names(feeds: std::ops::Range<usize>) -> Vec<String> {
    feeds.map(|feed| format!("feed.{feed}.tick")).collect()
}

type Kind = fn(&Run, &'static str, Scene) -> Contender<'static>;

fn by_subscriptions(run: &Run, kind: Kind, (must, beyond): (f64, f64)) -> Outcome {
    let contenders = vec![
        kind(run, "10 subscriptions", Scene::new(10)),
        kind(run, "1,000 subscriptions", Scene::new(1_000)),
        kind(run, "100,000 subscriptions", Scene::new(run.effort.many())),
    ];
    Outcome {
        series: run.rounds(contenders),
        aims: vec![
            Aim::ratio("100,000 subscriptions", "10 subscriptions").at_most(must, beyond),
            Aim::ratio("1,000 subscriptions", "10 subscriptions"),
        ],
    }
}

fn cached(run: &Run, name: &'static str, scene: Scene) -> Contender<'static> {
    let emits = run.effort.pick(256, 4_096, 8_192);
    let topics = vec!["feed.7.tick"; emits];
    Contender::new(name, move || scene.emit_all(topics.iter().copied()))
}

fn fresh(run: &Run, name: &'static str, scene: Scene) -> Contender<'static> {
    let emits = run.effort.pick(256, 4_096, 4_096);
    let mut next = 1_000_000;
    Contender::new(name, move || {
        let topics = names(next..next + emits);
        next += emits;
        scene.emit_all(topics.iter().map(String::as_str))
    })
}

fn rotation(run: &Run) -> Outcome {
    let scene = Scene::new(run.effort.many());
    let many = names(0..run.effort.pick(256, 16_000, 16_000));
    let few: Vec<&str> = many.iter().take(64).map(String::as_str).collect();
    let few = few.repeat(many.len() / few.len());
    let contenders = vec![
        Contender::new("64 topics", || scene.emit_all(few.iter().copied())),
        Contender::new("16,000 topics", || {
            scene.emit_all(many.iter().map(String::as_str))
        }),
    ];
    Outcome {
        series: run.rounds(contenders),
        aims: vec![Aim::ratio("16,000 topics", "64 topics").at_most(3.0, 1.5)],
    }
}

fn stream(run: &Run) -> Outcome {
    // A cycle of the cache is as many topics that it takes in as it holds, and as many that it does not.
    let emits = run.effort.pick(256, 2 * 16_384, 2 * 16_384);
    let stream = |name, builder| {
        let scene = Scene::on(builder, run.effort.pick(10, 1_000, 1_000));
        let mut next = 1_000_000;
        Contender::new(name, move || {
            let topics = names(next..next + emits);
            next += emits;
            scene.emit_all(topics.iter().map(String::as_str))
        })
    };
    let contenders = vec![
        stream("cached", Bus::builder()),
        stream("not cached", Bus::builder().route_cache(0)),
    ];
    Outcome {
        series: run.rounds(contenders),
        aims: vec![Aim::ratio("cached", "not cached").at_most(2.0, 2.0)],
    }
}
