//! One subscription that comes and goes, among as many as there are.

use std::hint::black_box;

use chanbus::Subscription;
use crossbeam_channel::bounded;

use super::{NANOS, Spec};
use crate::report::{Aim, Outcome};
use crate::rounds::{Contender, Run, nanos_each};
use crate::support::{self, Payload, must};

/// Slots of each queue. One, as making larger ones is time spent in the allocator by all alike.
const SLOTS: usize = 1;

pub(super) fn rows() -> Vec<Spec> {
    vec![Spec::new(
        "subscribe and drop",
        "One subscription is made and dropped, by the number of those that stay; beside it a raw queue, \
         made and dropped. Queues have one slot.",
        NANOS,
        measure,
    )]
}

fn measure(run: &Run) -> Outcome {
    let times = run.effort.pick(10, 300, 1_000);
    let contenders = vec![
        among(10, times, "10 subscriptions"),
        among(1_000, times, "1,000 subscriptions"),
        among(run.effort.many(), times, "100,000 subscriptions"),
        Contender::new("raw queue", move || {
            nanos_each(times, || drop(bounded::<Payload>(black_box(SLOTS))))
        }),
    ];
    Outcome {
        series: run.rounds(contenders),
        aims: vec![
            Aim::ratio("100,000 subscriptions", "10 subscriptions").at_most(5.0, 3.0),
            Aim::ratio("10 subscriptions", "raw queue"),
        ],
    }
}

fn among(subscriptions: usize, times: usize, name: &str) -> Contender<'static> {
    let bus = support::bus(subscriptions + 1, SLOTS);
    let stay: Vec<Subscription<Payload>> = (0..subscriptions)
        .map(|number| must(bus.subscribe(format!("user.{number}.*"))))
        .collect();
    Contender::new(name, move || {
        let _stay = &stay;
        nanos_each(times, || {
            drop(must(bus.subscribe(black_box("user.seven.*"))))
        })
    })
}
