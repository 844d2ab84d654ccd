//! How long it takes to wake a thread that sleeps in a receive.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{NANOS, Spec};
use crate::contenders::{
    AsyncChannel, ByValue, Crossbeam, Emit, Flume, Kanal, Open, OwnPublisher, Receive,
    TokioBroadcast, TokioMpsc,
};
use crate::report::{Aim, Outcome};
use crate::rounds::{Contender, Run};
use crate::stats;
use crate::threads::{side_by_side, spin_until};

/// Receivers spin for some microseconds before they sleep; by then all of them do.
const UNTIL_PARKED: Duration = Duration::from_micros(200);

pub(super) fn rows() -> Vec<Spec> {
    vec![Spec::new(
        "wake-up of a parked receiver",
        "A thread blocks in `recv` for 200 µs, then one event is emitted on the other core; ns from before \
         the emit until the receiver has it.",
        NANOS,
        measure,
    )]
}

fn measure(run: &Run) -> Outcome {
    let samples = run.effort.pick(5, 100, 200);
    let contenders = vec![
        woken::<OwnPublisher>(samples),
        woken::<ByValue<Crossbeam>>(samples),
        woken::<ByValue<Flume>>(samples),
        woken::<ByValue<Kanal>>(samples),
        woken::<ByValue<TokioMpsc>>(samples),
        woken::<ByValue<AsyncChannel>>(samples),
        woken::<TokioBroadcast>(samples),
    ];
    Outcome {
        series: run.rounds_of(run.effort.pick(1, 5, 31), &["p50", "p99"], contenders),
        aims: vec![
            Aim::ratio("Publisher, p50", "raw value, p50").at_most(1.15, 1.0),
            Aim::ratio("Publisher, p99", "raw value, p99"),
        ],
    }
}

fn woken<O: Open>(samples: usize) -> Contender<'static> {
    let (mut emitter, mut ends) = O::open(1);
    Contender::several(O::NAME, move || {
        let began = Instant::now();
        let received = AtomicUsize::new(0);
        let ((), mut latencies) = side_by_side(
            || {
                for sample in 0..samples {
                    spin_until(|| received.load(Ordering::Acquire) == sample);
                    let asleep = Instant::now() + UNTIL_PARKED;
                    spin_until(|| Instant::now() >= asleep);
                    emitter.emit([began.elapsed().as_nanos() as u64, 2, 3, 4]);
                }
            },
            || {
                let mut latencies = Vec::with_capacity(samples);
                for sample in 0..samples {
                    if let Some(sent) = ends[0].wait() {
                        latencies.push((began.elapsed().as_nanos() as u64 - sent) as f64);
                    }
                    received.store(sample + 1, Ordering::Release);
                }
                latencies
            },
        );
        latencies.sort_by(f64::total_cmp);
        vec![stats::at(&latencies, 0.5), stats::at(&latencies, 0.99)]
    })
}
