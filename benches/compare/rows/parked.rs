//! An emit to many threads that all sleep.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::{NANOS, Spec};
use crate::contenders::{
    ByArc, Crossbeam, Emit, Flume, Kanal, Open, OwnHanded, OwnPublisher, Receive, TokioBroadcast,
    TokioMpsc,
};
use crate::report::{Aim, Outcome};
use crate::rounds::{Contender, Run};
use crate::stats;
use crate::support::PAYLOAD;

const SLEEPERS: usize = 64;

/// After an event, until all sleep again. Long, as some channels have each thread yield hundreds of
/// times first.
const UNTIL_PARKED: Duration = Duration::from_millis(20);

pub(super) fn rows() -> Vec<Spec> {
    vec![Spec::new(
        "64 parked receivers",
        "An event for 64 threads that sleep in `recv`: ns until the emit returns, and until the last of them \
         has it. Threads are not pinned here.",
        NANOS,
        measure,
    )]
}

fn measure(run: &Run) -> Outcome {
    let samples = run.effort.pick(2, 4, 8);
    let contenders = vec![
        herd::<OwnPublisher>(samples),
        herd::<OwnHanded>(samples),
        herd::<ByArc<Crossbeam>>(samples),
        herd::<ByArc<Flume>>(samples),
        herd::<ByArc<Kanal>>(samples),
        herd::<ByArc<TokioMpsc>>(samples),
        herd::<TokioBroadcast>(samples),
    ];
    Outcome {
        series: run.rounds_of(
            run.effort.pick(1, 7, 31),
            &["emit", "all have it"],
            contenders,
        ),
        aims: vec![
            Aim::ratio("Publisher, emit", "Arc loop, emit").at_most(1.05, 0.5),
            Aim::ratio("Publisher, handed, emit", "Arc loop, emit").at_most(1.05, 0.5),
            Aim::ratio("Publisher, all have it", "Arc loop, all have it"),
            Aim::ratio("Publisher, handed, all have it", "Arc loop, all have it"),
        ],
    }
}

/// Threads that receive, and how far they are.
struct Herd {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    began: Instant,
    /// How many have the event.
    have: AtomicUsize,
    /// When the last of them had it, in nanoseconds since the beginning.
    last: AtomicU64,
}

impl Herd {
    fn new(ends: Vec<impl Receive>) -> Self {
        let emitting = thread::current();
        let shared = Arc::new(Shared {
            began: Instant::now(),
            have: AtomicUsize::new(0),
            last: AtomicU64::new(0),
        });
        let threads = ends.into_iter().map(|mut end| {
            let (shared, emitting) = (Arc::clone(&shared), emitting.clone());
            thread::spawn(move || {
                while end.wait().is_some() {
                    let now = shared.began.elapsed().as_nanos() as u64;
                    shared.last.fetch_max(now, Ordering::Relaxed);
                    // What was written above is seen by whoever sees the full count.
                    if shared.have.fetch_add(1, Ordering::AcqRel) + 1 == SLEEPERS {
                        emitting.unpark();
                    }
                }
            })
        });
        Herd {
            threads: threads.collect(),
            shared,
        }
    }

    /// Nanoseconds until the emit returned, and until all had it.
    fn sample(&self, emit: impl FnOnce()) -> (f64, f64) {
        thread::sleep(UNTIL_PARKED);
        let shared = &self.shared;
        shared.have.store(0, Ordering::Relaxed);
        shared.last.store(0, Ordering::Relaxed);
        let before = shared.began.elapsed().as_nanos() as u64;
        emit();
        let returned = shared.began.elapsed().as_nanos() as u64;
        while shared.have.load(Ordering::Acquire) < SLEEPERS {
            thread::park();
        }
        let last = shared.last.load(Ordering::Relaxed);
        (
            (returned - before) as f64,
            last.saturating_sub(before) as f64,
        )
    }
}

/// The threads end once the emitter is gone.
struct Contest<E> {
    emitter: Option<E>,
    herd: Herd,
}

impl<E> Drop for Contest<E> {
    fn drop(&mut self) {
        self.emitter = None;
        for thread in self.herd.threads.drain(..) {
            // A receiver that panicked has left its sample unfinished, which would have been seen.
            let _ = thread.join();
        }
    }
}

fn herd<O: Open>(samples: usize) -> Contender<'static> {
    let (emitter, ends) = O::open(SLEEPERS);
    let mut contest = Contest {
        emitter: Some(emitter),
        herd: Herd::new(ends),
    };
    Contender::several(O::NAME, move || {
        let Contest { emitter, herd } = &mut contest;
        let (mut emits, mut reaches) = (Vec::new(), Vec::new());
        for _ in 0..samples {
            let (emit, reach) = herd.sample(|| {
                if let Some(emitter) = emitter {
                    emitter.emit(*black_box(&PAYLOAD));
                }
            });
            emits.push(emit);
            reaches.push(reach);
        }
        emits.sort_by(f64::total_cmp);
        reaches.sort_by(f64::total_cmp);
        vec![stats::at(&emits, 0.5), stats::at(&reaches, 0.5)]
    })
}
