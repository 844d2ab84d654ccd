//! Two threads that publish on one topic at once.

use std::hint::black_box;
use std::time::{Duration, Instant};

use crate::contenders::{
    AsyncBroadcast, AsyncChannel, ByArc, ByValue, Crossbeam, Emit, Flume, Kanal, Open,
    OwnPublisher, OwnTopic, Receive, TokioBroadcast, TokioMpsc, drain,
};
use crate::report::{Aim, Outcome};
use crate::rounds::{Contender, Run};
use crate::rows::{NANOS, Spec};
use crate::support::{CAPACITY, PAYLOAD};
use crate::threads::{Gate, side_by_side};

/// Each of two publishers fills half of the queues.
const SHARE: usize = CAPACITY / 2;
const BATCH: usize = 32;

pub(super) fn rows() -> Vec<Spec> {
    let behind = "Two threads emit 128 events each at the same time, into queues of 256; \
        then the first takes them all, off the clock. ns from the start until both are done, \
        for an event of one thread.";
    let heels = "Two threads do the same at once: emit an event, then take one from each subscriber \
        (they share the receiving ends). ns for an event of one thread with its takes.";
    let batches =
        "As the burst, in batches of 32 (`emit_batch`); those without batches emit one by one.";
    vec![
        Spec::new(
            "two publishers: 1 subscriber, a burst behind",
            behind,
            NANOS,
            |run| {
                let aim = Aim::ratio("Publisher", "Arc loop").at_most(0.60, 0.25);
                bursts(run, 1, single, vec![aim])
            },
        ),
        Spec::new(
            "two publishers: 1 subscriber, on the heels",
            heels,
            NANOS,
            |run| {
                on_the_heels(
                    run,
                    1,
                    vec![Aim::ratio("Publisher", "Arc loop").at_most(0.60, 0.25)],
                )
            },
        ),
        Spec::new(
            "two publishers: 8 subscribers, a burst behind",
            behind,
            NANOS,
            |run| {
                let aim = Aim::ratio("Publisher", "Arc loop").at_most(0.95, 0.75);
                bursts(run, 8, single, vec![aim])
            },
        ),
        Spec::new(
            "two publishers: 8 subscribers, on the heels",
            heels,
            NANOS,
            |run| {
                on_the_heels(
                    run,
                    8,
                    vec![Aim::ratio("Publisher", "Arc loop").at_most(0.95, 0.75)],
                )
            },
        ),
        Spec::new(
            "two publishers: 8 subscribers, batches of 32",
            batches,
            NANOS,
            |run| {
                let aims = vec![
                    Aim::ratio("Publisher", "tokio broadcast").at_most(0.7, 0.45),
                    Aim::ratio("Publisher", "Arc loop"),
                ];
                bursts(run, 8, |emitter| emitter.emit_batch(BATCH), aims)
            },
        ),
    ]
}

fn single(emitter: &mut dyn Burst) {
    emitter.emit_singly(BATCH);
}

/// What either row asks of an emitter; called once for 32 events, so that dispatch is not measured.
trait Burst {
    fn emit_singly(&mut self, events: usize);
    fn emit_batch(&mut self, events: usize);
}

impl<E: Emit> Burst for E {
    fn emit_singly(&mut self, events: usize) {
        for _ in 0..events {
            self.emit(*black_box(&PAYLOAD));
        }
    }

    fn emit_batch(&mut self, events: usize) {
        Emit::emit_batch(self, events);
    }
}

/// Emits 32 events.
type Emission = fn(&mut dyn Burst);

fn bursts(run: &Run, subscribers: usize, emission: Emission, aims: Vec<Aim>) -> Outcome {
    let chunks = run.effort.pick(2, 40, 64);
    let mut contenders = vec![
        burst::<OwnPublisher>(subscribers, emission, chunks),
        burst::<OwnTopic>(subscribers, emission, chunks),
        burst::<ByArc<Crossbeam>>(subscribers, emission, chunks),
    ];
    if subscribers == 1 {
        contenders.extend([
            burst::<ByValue<Crossbeam>>(subscribers, emission, chunks),
            burst::<ByValue<Flume>>(subscribers, emission, chunks),
            burst::<ByValue<Kanal>>(subscribers, emission, chunks),
            burst::<ByValue<TokioMpsc>>(subscribers, emission, chunks),
            burst::<ByValue<AsyncChannel>>(subscribers, emission, chunks),
        ]);
    } else {
        contenders.extend([
            burst::<ByArc<Flume>>(subscribers, emission, chunks),
            burst::<ByArc<Kanal>>(subscribers, emission, chunks),
            burst::<ByArc<TokioMpsc>>(subscribers, emission, chunks),
            burst::<ByArc<AsyncChannel>>(subscribers, emission, chunks),
        ]);
    }
    contenders.extend([
        burst::<TokioBroadcast>(subscribers, emission, chunks),
        burst::<AsyncBroadcast>(subscribers, emission, chunks),
    ]);
    Outcome {
        series: run.rounds(contenders),
        aims,
    }
}

fn burst<O: Open>(subscribers: usize, emission: Emission, chunks: usize) -> Contender<'static>
where
    O::Emitter: Clone,
{
    let (mut first, mut ends) = O::open(subscribers);
    let mut second = first.clone();
    Contender::new(O::NAME, move || {
        let gate = Gate::new();
        let mut sum = Duration::ZERO;
        side_by_side(
            || {
                for _ in 0..chunks {
                    gate.meet();
                    let start = Instant::now();
                    (0..SHARE / BATCH).for_each(|_| emission(&mut first));
                    gate.meet();
                    sum += start.elapsed();
                    assert_eq!(drain(&mut ends), 2 * SHARE * subscribers);
                }
            },
            || {
                for _ in 0..chunks {
                    gate.meet();
                    (0..SHARE / BATCH).for_each(|_| emission(&mut second));
                    gate.meet();
                }
            },
        );
        sum.as_nanos() as f64 / (chunks * SHARE) as f64
    })
}

/// Those whose receiving ends can be shared.
fn on_the_heels(run: &Run, subscribers: usize, aims: Vec<Aim>) -> Outcome {
    let events = run.effort.pick(100, 10_000, 20_000) / (subscribers + 1);
    let mut contenders = vec![
        heels::<OwnPublisher>(subscribers, events),
        heels::<OwnTopic>(subscribers, events),
        heels::<ByArc<Crossbeam>>(subscribers, events),
    ];
    if subscribers == 1 {
        contenders.extend([
            heels::<ByValue<Crossbeam>>(subscribers, events),
            heels::<ByValue<Flume>>(subscribers, events),
            heels::<ByValue<Kanal>>(subscribers, events),
            heels::<ByValue<AsyncChannel>>(subscribers, events),
        ]);
    } else {
        contenders.extend([
            heels::<ByArc<Flume>>(subscribers, events),
            heels::<ByArc<Kanal>>(subscribers, events),
            heels::<ByArc<AsyncChannel>>(subscribers, events),
        ]);
    }
    Outcome {
        series: run.rounds(contenders),
        aims,
    }
}

fn heels<O: Open>(subscribers: usize, events: usize) -> Contender<'static>
where
    O::Emitter: Clone,
    O::End: Clone,
{
    let (mut first, mut ends) = O::open(subscribers);
    let mut second = first.clone();
    let mut twins = ends.clone();
    Contender::new(O::NAME, move || {
        let gate = Gate::new();
        let (time, ()) = side_by_side(
            || {
                gate.meet();
                let start = Instant::now();
                emit_and_take(&mut first, &mut ends, events);
                gate.meet();
                start.elapsed()
            },
            || {
                gate.meet();
                emit_and_take(&mut second, &mut twins, events);
                gate.meet();
            },
        );
        drain(&mut ends);
        time.as_nanos() as f64 / events as f64
    })
}

fn emit_and_take(emitter: &mut impl Emit, ends: &mut [impl Receive], events: usize) {
    for _ in 0..events {
        emitter.emit(*black_box(&PAYLOAD));
        for end in &mut *ends {
            // It may find nothing, if the other thread was faster.
            black_box(end.take());
        }
    }
}
