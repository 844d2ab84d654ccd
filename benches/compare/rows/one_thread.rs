//! An emit and the takes that answer it, on one thread.

use std::hint::black_box;

use super::{NANOS, Spec};
use crate::contenders::{
    AsyncBroadcast, AsyncChannel, ByArc, ByValue, Crossbeam, Emit, Flume, JonhooBus, Kanal, Open,
    OwnPublisher, OwnTopic, Receive, TokioBroadcast, TokioMpsc,
};
use crate::report::{Aim, Outcome};
use crate::rounds::{Contender, Run, nanos_each};
use crate::support::PAYLOAD;

/// Begins the names of these rows; the picture of them is made from all that do.
pub(crate) const PREFIX: &str = "one thread: ";

pub(super) fn rows() -> Vec<Spec> {
    let row = |subscribers: usize, aims: fn() -> Vec<Aim>| {
        let plural = if subscribers == 1 { "" } else { "s" };
        Spec::new(
            format!("{PREFIX}{subscribers} subscriber{plural}"),
            "One event is emitted and each subscriber takes it, then the next; ns for an event with all of its takes.",
            NANOS,
            move |run| measure(run, subscribers, aims()),
        )
    };
    vec![
        row(1, || {
            vec![
                Aim::ratio("Publisher", "raw value").at_most(1.7, 1.1),
                Aim::ratio("emit(&str)", "raw value").at_most(2.4, 1.6),
                Aim::ratio("Publisher", "Arc loop"),
            ]
        }),
        row(8, || vec![Aim::ratio("Publisher", "Arc loop")]),
        row(64, || {
            vec![Aim::ratio("Publisher", "Arc loop").at_most(0.85, 0.75)]
        }),
        row(512, || {
            vec![Aim::ratio("Publisher", "Arc loop").at_most(1.25, 1.0)]
        }),
    ]
}

fn measure(run: &Run, subscribers: usize, aims: Vec<Aim>) -> Outcome {
    let events = run.effort.pick(10, 10_000, 20_000) / subscribers + 20;
    let mut contenders = vec![
        in_step::<OwnPublisher>(subscribers, events),
        in_step::<OwnTopic>(subscribers, events),
        in_step::<ByArc<Crossbeam>>(subscribers, events),
    ];
    if subscribers == 1 {
        contenders.extend([
            in_step::<ByValue<Crossbeam>>(subscribers, events),
            in_step::<ByValue<Flume>>(subscribers, events),
            in_step::<ByValue<Kanal>>(subscribers, events),
            in_step::<ByValue<TokioMpsc>>(subscribers, events),
            in_step::<ByValue<AsyncChannel>>(subscribers, events),
        ]);
    } else {
        contenders.extend([
            in_step::<ByArc<Flume>>(subscribers, events),
            in_step::<ByArc<Kanal>>(subscribers, events),
            in_step::<ByArc<TokioMpsc>>(subscribers, events),
            in_step::<ByArc<AsyncChannel>>(subscribers, events),
        ]);
    }
    contenders.extend([
        in_step::<TokioBroadcast>(subscribers, events),
        in_step::<AsyncBroadcast>(subscribers, events),
        in_step::<JonhooBus>(subscribers, events),
    ]);
    Outcome {
        series: run.rounds(contenders),
        aims,
    }
}

fn in_step<O: Open>(subscribers: usize, events: usize) -> Contender<'static> {
    let (mut emitter, mut ends) = O::open(subscribers);
    Contender::new(O::NAME, move || {
        nanos_each(events, || {
            emitter.emit(*black_box(&PAYLOAD));
            for end in &mut ends {
                assert!(end.take());
            }
        })
    })
}
