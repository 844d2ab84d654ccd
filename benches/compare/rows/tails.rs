//! The slowest emits, while subscriptions come and go without pause.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt::Write;
use std::hint::black_box;
use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chanbus::{Bus, BusBuilder, Subscription};
use crossbeam_channel::{Sender, bounded};

use super::{NANOS, Spec};
use crate::report::{Aim, Outcome};
use crate::rounds::{Contender, Effort, Run};
use crate::stats;
use crate::support::{self, CAPACITY, PAYLOAD, Payload, must};
use crate::threads::side_by_side;

const MEASURES: [&str; 3] = ["p50", "p99.99", "worst"];

pub(super) fn rows() -> Vec<Spec> {
    vec![
        Spec::new(
            "tails under churn",
            "1 million emits to one subscriber (10 million with `--full`), each timed by itself, while the \
             other core subscribes and drops without pause. The by-hand list is a map of senders under an \
             `RwLock`, and *clock alone* emits nothing: what it shows, the machine did.",
            NANOS,
            measure,
        ),
        Spec::new(
            "tails of topics never seen again",
            "As many `emit(&str)` to one subscriber, each timed by itself and each on a topic of its own, \
             through the cache of routes, which fills and is renewed meanwhile, and without one.",
            NANOS,
            of_new_topics,
        ),
    ]
}

fn emits(run: &Run) -> usize {
    match run.effort {
        Effort::Smoke => 1_000,
        Effort::Quick | Effort::Normal => 1_000_000,
        Effort::Full => 10_000_000,
    }
}

fn measure(run: &Run) -> Outcome {
    let emits = emits(run);
    let many = run.effort.many();
    let contenders = vec![
        on_the_bus("Publisher, 10 subscriptions", 10, emits),
        on_the_bus("Publisher, 100,000 subscriptions", many, emits),
        by_hand("by-hand list, 10 subscriptions", 10, emits),
        by_hand("by-hand list, 100,000 subscriptions", many, emits),
        Contender::several("clock alone", move || timed(emits, || (), || (), || ())),
    ];
    Outcome {
        // The figure is itself one of a million.
        series: run.rounds_of(1, &MEASURES, contenders),
        aims: MEASURES
            .iter()
            .map(|measure| {
                Aim::ratio(
                    format!("Publisher, 100,000 subscriptions, {measure}"),
                    format!("Publisher, 10 subscriptions, {measure}"),
                )
            })
            .collect(),
    }
}

fn of_new_topics(run: &Run) -> Outcome {
    let emits = emits(run);
    let contenders = vec![
        on_new_topics("cached", Bus::builder(), emits),
        on_new_topics("not cached", Bus::builder().route_cache(0), emits),
        Contender::several("clock alone", move || timed(emits, || (), || (), idle)),
    ];
    Outcome {
        series: run.rounds_of(1, &MEASURES, contenders),
        aims: MEASURES
            .iter()
            .map(|measure| {
                Aim::ratio(
                    format!("cached, {measure}"),
                    format!("not cached, {measure}"),
                )
            })
            .collect(),
    }
}

fn on_new_topics(
    name: &'static str,
    builder: BusBuilder<Payload>,
    emits: usize,
) -> Contender<'static> {
    let bus = must(builder.build());
    let wanted = must(bus.subscribe("feed.*.tick"));
    let (next, topic) = (
        Cell::new(0_u64),
        RefCell::new(String::from("feed.first.tick")),
    );
    Contender::several(name, move || {
        timed(
            emits,
            || {
                must(bus.emit(black_box(&*topic.borrow()), *black_box(&PAYLOAD)));
            },
            || {
                drop(must(wanted.try_recv()));
                let number = next.replace(next.get() + 1);
                let mut topic = topic.borrow_mut();
                topic.clear();
                must(write!(topic, "feed.{number}.tick"));
            },
            idle,
        )
    })
}

/// What the other core does where it is to do nothing.
fn idle() {
    thread::sleep(Duration::from_millis(1));
}

/// Times each `emit` by itself, `after` off the clock, and has the other core `churn` meanwhile.
fn timed(emits: usize, emit: impl Fn(), after: impl Fn(), churn: impl Fn() + Sync) -> Vec<f64> {
    let done = AtomicBool::new(false);
    let (mut times, ()) = side_by_side(
        || {
            let mut times = vec![0.0; emits];
            for time in &mut times {
                let start = Instant::now();
                emit();
                *time = start.elapsed().as_nanos() as f64;
                after();
            }
            done.store(true, Ordering::Relaxed);
            times
        },
        || {
            while !done.load(Ordering::Relaxed) {
                churn();
            }
        },
    );
    times.sort_by(f64::total_cmp);
    vec![
        stats::at(&times, 0.5),
        stats::at(&times, 0.9999),
        stats::at(&times, 1.0),
    ]
}

fn on_the_bus(name: &'static str, subscriptions: usize, emits: usize) -> Contender<'static> {
    let bus = support::bus(subscriptions + 2, 1);
    let wanted = must(
        bus.subscription("scan.progress")
            .capacity(CAPACITY)
            .subscribe(),
    );
    let publisher = must(bus.publisher("scan.progress"));
    let others: Vec<Subscription<Payload>> = (0..subscriptions)
        .map(|number| must(bus.subscribe(format!("user.{number}.*"))))
        .collect();
    Contender::several(name, move || {
        let _others = &others;
        timed(
            emits,
            || {
                must(publisher.emit(*black_box(&PAYLOAD)));
            },
            || drop(must(wanted.try_recv())),
            || drop(must(bus.subscribe("user.seven.*"))),
        )
    })
}

/// Topics to senders, as one would write it; emits hold the lock to read.
fn by_hand(name: &'static str, subscriptions: usize, emits: usize) -> Contender<'static> {
    let (sender, receiver) = bounded(CAPACITY);
    let mut senders: HashMap<String, Vec<Sender<Payload>>> = (0..subscriptions)
        .map(|number| (format!("user.{number}"), vec![bounded(1).0]))
        .collect();
    senders.insert("scan.progress".into(), vec![sender]);
    let senders = RwLock::new(senders);
    Contender::several(name, move || {
        timed(
            emits,
            || {
                for sender in &must(senders.read())["scan.progress"] {
                    must(sender.try_send(*black_box(&PAYLOAD)));
                }
            },
            || {
                must(receiver.try_recv());
            },
            || {
                let (sender, receiver) = bounded(1);
                must(senders.write()).insert("user.seven".into(), vec![sender]);
                must(senders.write()).remove("user.seven");
                drop(receiver);
            },
        )
    })
}
