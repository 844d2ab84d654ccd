//! Receivers that are tasks: how soon they are woken, and how fast they take.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_lite::future::block_on;

#[cfg(feature = "stream")]
use crate::contenders::OwnStream;
use crate::contenders::{
    AsyncBroadcast, AsyncChannel, Await, ByValue, Emit, Flume, OpenTask, OwnFuture, TokioBroadcast,
    TokioMpsc,
};
use crate::report::{Aim, Outcome};
use crate::rounds::Contender;
use crate::rows::{NANOS, Spec};
use crate::stats;
use crate::support::PAYLOAD;
use crate::threads::{side_by_side, spin_until};

/// As with threads that sleep; the executor's thread is asleep by then.
const UNTIL_ASLEEP: Duration = Duration::from_micros(200);

/// Half of what each has room for.
const BURST: usize = 128;

/// The bus as it is aimed with: its streams want a feature.
const OWN: &str = if cfg!(feature = "stream") {
    "Publisher, stream"
} else {
    "Publisher, recv_async"
};

pub(super) fn rows() -> Vec<Spec> {
    vec![
        Spec::new(
            "wake-up of a task",
            "A task waits for 200 µs on a thread that runs nothing else (`block_on`), then one event is \
             emitted on the other core; ns from before the emit until the task has it.",
            NANOS,
            |run| {
                let samples = run.effort.pick(5, 100, 400);
                let measures = ["p50", "p99", "p99.9"];
                let of = |who: &str, what: &str| format!("{who}, {what}");
                let mut aims: Vec<_> = measures
                    .iter()
                    .map(|what| Aim::ratio(of(OWN, what), of("tokio mpsc", what)))
                    .collect();
                aims[0] = Aim::ratio(of(OWN, "p50"), of("tokio mpsc", "p50")).at_most(1.15, 1.0);
                Outcome {
                    series: run.rounds_of(
                        run.effort.pick(1, 5, 31),
                        &measures,
                        vec![
                            #[cfg(feature = "stream")]
                            woken::<OwnStream>(samples),
                            woken::<OwnFuture>(samples),
                            woken::<ByValue<TokioMpsc>>(samples),
                            woken::<ByValue<Flume>>(samples),
                            woken::<ByValue<AsyncChannel>>(samples),
                            woken::<TokioBroadcast>(samples),
                            woken::<AsyncBroadcast>(samples),
                        ],
                    ),
                    aims,
                }
            },
        ),
        Spec::new(
            "a burst for a task",
            "A publisher emits 128 events as fast as it can, while a task on the other core takes them, which \
             was asleep before; ns from the first emit until the task has the last, for an event.",
            NANOS,
            |run| {
                let bursts = run.effort.pick(2, 40, 200);
                Outcome {
                    series: run.rounds_of(
                        run.effort.pick(1, 5, 31),
                        &[""],
                        vec![
                            #[cfg(feature = "stream")]
                            burst::<OwnStream>(bursts),
                            burst::<OwnFuture>(bursts),
                            burst::<ByValue<TokioMpsc>>(bursts),
                            burst::<ByValue<Flume>>(bursts),
                            burst::<ByValue<AsyncChannel>>(bursts),
                            burst::<TokioBroadcast>(bursts),
                            burst::<AsyncBroadcast>(bursts),
                        ],
                    ),
                    aims: ["tokio mpsc", "tokio broadcast", "async-channel"]
                        .map(|peer| Aim::ratio(OWN, peer))
                        .into(),
                }
            },
        ),
    ]
}

fn woken<O: OpenTask>(samples: usize) -> Contender<'static> {
    let (mut emitter, mut task) = O::open();
    Contender::several(O::NAME, move || {
        let began = Instant::now();
        let received = AtomicUsize::new(0);
        let ((), mut latencies) = side_by_side(
            || {
                for sample in 0..samples {
                    spin_until(|| received.load(Ordering::Acquire) == sample);
                    let asleep = Instant::now() + UNTIL_ASLEEP;
                    spin_until(|| Instant::now() >= asleep);
                    emitter.emit([began.elapsed().as_nanos() as u64, 2, 3, 4]);
                }
            },
            || {
                block_on(async {
                    let mut latencies = Vec::with_capacity(samples);
                    for sample in 0..samples {
                        if let Some(sent) = task.next().await {
                            latencies.push((began.elapsed().as_nanos() as u64 - sent) as f64);
                        }
                        received.store(sample + 1, Ordering::Release);
                    }
                    latencies
                })
            },
        );
        latencies.sort_by(f64::total_cmp);
        [0.5, 0.99, 0.999]
            .map(|share| stats::at(&latencies, share))
            .into()
    })
}

fn burst<O: OpenTask>(bursts: usize) -> Contender<'static> {
    let (mut emitter, mut task) = O::open();
    Contender::new(O::NAME, move || {
        let received = AtomicUsize::new(0);
        let (spent, ()) = side_by_side(
            || {
                let mut spent = Duration::ZERO;
                for burst in 0..bursts {
                    let asleep = Instant::now() + UNTIL_ASLEEP;
                    spin_until(|| Instant::now() >= asleep);
                    let began = Instant::now();
                    for _ in 0..BURST {
                        emitter.emit(*std::hint::black_box(&PAYLOAD));
                    }
                    spin_until(|| received.load(Ordering::Acquire) == (burst + 1) * BURST);
                    spent += began.elapsed();
                }
                spent
            },
            || {
                block_on(async {
                    for count in 1..=bursts * BURST {
                        task.next().await;
                        if count % BURST == 0 {
                            received.store(count, Ordering::Release);
                        }
                    }
                });
            },
        );
        spent.as_nanos() as f64 / (bursts * BURST) as f64
    })
}
