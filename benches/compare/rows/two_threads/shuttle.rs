//! One thread that publishes, one that takes for all subscribers.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::contenders::{
    AsyncBroadcast, AsyncChannel, ByArc, ByValue, Crossbeam, Emit, Flume, JonhooBus, Kanal, Open,
    OwnPublisher, OwnTopic, Receive, TokioBroadcast, TokioMpsc, drain,
};
use crate::report::{Aim, Outcome};
use crate::rounds::{Contender, Run};
use crate::rows::{NANOS, Spec};
use crate::support::{CAPACITY, PAYLOAD};
use crate::threads::{Gate, side_by_side, spin_until};

/// How far the publisher may be ahead, on the heels.
const AHEAD: usize = 16;

pub(super) fn rows() -> Vec<Spec> {
    let behind = "One thread emits 256 events, on the clock; then the other takes them all, off it. \
        ns for an emit.";
    let heels = "One thread emits and is at most 16 events ahead of the other, which takes for all \
        subscribers. ns for an event until it is taken by all.";
    let row = |subscribers: usize, regime: &str, what, events: Events| {
        let plural = if subscribers == 1 { "" } else { "s" };
        let name = format!("publisher and consumer: {subscribers} subscriber{plural}, {regime}");
        Spec::new(name, what, NANOS, move |run| {
            measure(run, subscribers, events)
        })
    };
    vec![
        row(1, "a burst behind", behind, Events::Burst),
        row(1, "on the heels", heels, Events::Heels),
        row(8, "a burst behind", behind, Events::Burst),
        row(8, "on the heels", heels, Events::Heels),
    ]
}

/// The regime.
#[derive(Clone, Copy)]
enum Events {
    Burst,
    Heels,
}

fn measure(run: &Run, subscribers: usize, events: Events) -> Outcome {
    let chunks = run.effort.pick(2, 20, 32);
    let mut contenders = vec![
        contender::<OwnPublisher>(subscribers, events, chunks),
        contender::<OwnTopic>(subscribers, events, chunks),
        contender::<ByArc<Crossbeam>>(subscribers, events, chunks),
    ];
    if subscribers == 1 {
        contenders.extend([
            contender::<ByValue<Crossbeam>>(subscribers, events, chunks),
            contender::<ByValue<Flume>>(subscribers, events, chunks),
            contender::<ByValue<Kanal>>(subscribers, events, chunks),
            contender::<ByValue<TokioMpsc>>(subscribers, events, chunks),
            contender::<ByValue<AsyncChannel>>(subscribers, events, chunks),
        ]);
    } else {
        contenders.extend([
            contender::<ByArc<Flume>>(subscribers, events, chunks),
            contender::<ByArc<Kanal>>(subscribers, events, chunks),
            contender::<ByArc<TokioMpsc>>(subscribers, events, chunks),
            contender::<ByArc<AsyncChannel>>(subscribers, events, chunks),
        ]);
    }
    contenders.extend([
        contender::<TokioBroadcast>(subscribers, events, chunks),
        contender::<AsyncBroadcast>(subscribers, events, chunks),
        contender::<JonhooBus>(subscribers, events, chunks),
    ]);
    Outcome {
        series: run.rounds(contenders),
        aims: vec![Aim::ratio("Publisher", "Arc loop")],
    }
}

fn contender<O: Open>(subscribers: usize, events: Events, chunks: usize) -> Contender<'static> {
    let (mut emitter, mut ends) = O::open(subscribers);
    Contender::new(O::NAME, move || match events {
        Events::Burst => burst(&mut emitter, &mut ends, chunks),
        Events::Heels => heels(&mut emitter, &mut ends, chunks * CAPACITY),
    })
}

fn burst(emitter: &mut impl Emit, ends: &mut [impl Receive], chunks: usize) -> f64 {
    let gate = Gate::new();
    let mut sum = Duration::ZERO;
    side_by_side(
        || {
            for _ in 0..chunks {
                let start = Instant::now();
                for _ in 0..CAPACITY {
                    emitter.emit(*black_box(&PAYLOAD));
                }
                sum += start.elapsed();
                // All is there; all is taken.
                gate.meet();
                gate.meet();
            }
        },
        || {
            for _ in 0..chunks {
                gate.meet();
                assert_eq!(drain(ends), CAPACITY * ends.len());
                gate.meet();
            }
        },
    );
    sum.as_nanos() as f64 / (chunks * CAPACITY) as f64
}

fn heels(emitter: &mut impl Emit, ends: &mut [impl Receive], events: usize) -> f64 {
    let gate = Gate::new();
    let subscribers = ends.len();
    // By all subscribers together.
    let taken = AtomicUsize::new(0);
    let (time, ()) = side_by_side(
        || {
            gate.meet();
            let start = Instant::now();
            for emitted in 0..events {
                spin_until(|| {
                    taken.load(Ordering::Acquire) + AHEAD * subscribers > emitted * subscribers
                });
                emitter.emit(*black_box(&PAYLOAD));
            }
            spin_until(|| taken.load(Ordering::Acquire) == events * subscribers);
            start.elapsed()
        },
        || {
            gate.meet();
            let mut count = 0;
            spin_until(|| {
                let now = ends
                    .iter_mut()
                    .map(|end| usize::from(end.take()))
                    .sum::<usize>();
                if now > 0 {
                    count += now;
                    taken.store(count, Ordering::Release);
                }
                count == events * subscribers
            });
        },
    );
    time.as_nanos() as f64 / events as f64
}
