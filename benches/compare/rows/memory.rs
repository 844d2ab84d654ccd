//! Bytes, exact: as the allocator was asked for, without what it adds itself.

use std::sync::Arc;

use chanbus::Subscription;
use crossbeam_channel::bounded;

use super::{BYTES, Spec};
use crate::heap::growth;
use crate::report::{Aim, Outcome};
use crate::rounds::{Contender, Run};
use crate::support::{self, CAPACITY, PAYLOAD, Payload, must};

/// What a subscription has unless told otherwise.
const SLOTS: usize = 200;

pub(super) fn rows() -> Vec<Spec> {
    vec![
        Spec::new(
            "bytes: an idle subscriber",
            "What a bus with its subscriptions of capacity 200 takes, divided by their number; beside it a \
             crossbeam queue of 200 `Arc`s. One pattern for all, or one for each.",
            BYTES,
            idle,
        ),
        Spec::new(
            "bytes: 100,000 idle subscribers in total",
            "The same, not divided.",
            BYTES,
            total,
        ),
        Spec::new(
            "bytes: an event in flight",
            "By how much the heap grows for an event in one queue, above its 32 bytes of payload. The slots \
             of the queue belong to the subscriber.",
            BYTES,
            in_flight,
        ),
    ]
}

/// With its keepers still alive when the bytes are counted.
fn bus_bytes(subscribers: usize, pattern: impl Fn(usize) -> String) -> f64 {
    growth(|| {
        let bus = support::bus(subscribers, SLOTS);
        let all: Vec<Subscription<Payload>> = (0..subscribers)
            .map(|number| must(bus.subscribe(pattern(number))))
            .collect();
        (bus, all)
    })
    .0
}

fn queue_bytes(subscribers: usize) -> f64 {
    growth(|| {
        (0..subscribers)
            .map(|_| bounded::<Arc<Payload>>(SLOTS))
            .collect::<Vec<_>>()
    })
    .0
}

fn one_pattern(_: usize) -> String {
    String::from("scan.progress")
}

fn pattern_each(number: usize) -> String {
    format!("user.{number}.*")
}

fn idle(run: &Run) -> Outcome {
    let many = run.effort.pick(1_000, 10_000, 10_000);
    let each = |subscribers: usize, bytes: f64| bytes / subscribers as f64;
    let contenders = vec![
        Contender::new("one pattern, 1,000", || {
            each(1_000, bus_bytes(1_000, one_pattern))
        }),
        Contender::new("patterns of their own, 1,000", || {
            each(1_000, bus_bytes(1_000, pattern_each))
        }),
        Contender::new("patterns of their own, 10,000", || {
            each(many, bus_bytes(many, pattern_each))
        }),
        Contender::new("raw queue, 1,000", || each(1_000, queue_bytes(1_000))),
    ];
    Outcome {
        series: run.rounds_of(1, &[""], contenders),
        aims: vec![
            Aim::figure("one pattern, 1,000").at_most(4_400.0, 600.0),
            Aim::figure("patterns of their own, 1,000").at_most(4_400.0, 600.0),
            Aim::ratio("one pattern, 1,000", "raw queue, 1,000"),
        ],
    }
}

fn total(run: &Run) -> Outcome {
    let many = run.effort.many();
    let contenders = vec![
        Contender::new("one pattern", || bus_bytes(many, one_pattern)),
        Contender::new("patterns of their own", || bus_bytes(many, pattern_each)),
        Contender::new("raw queues", || queue_bytes(many)),
    ];
    Outcome {
        series: run.rounds_of(1, &[""], contenders),
        aims: vec![Aim::ratio("patterns of their own", "raw queues")],
    }
}

fn in_flight(run: &Run) -> Outcome {
    let payload = size_of::<Payload>() as f64;
    let above = move |bytes: f64| bytes / CAPACITY as f64 - payload;
    let contenders = vec![
        Contender::new("Publisher", || {
            let bus = support::bus(1, CAPACITY);
            let subscription = must(bus.subscribe("scan.progress"));
            let publisher = must(bus.publisher("scan.progress"));
            // What is made once, with the first event, is no part of an event.
            must(publisher.emit(PAYLOAD));
            must(subscription.try_recv());
            let fill = || {
                for _ in 0..CAPACITY {
                    must(publisher.emit(PAYLOAD));
                }
            };
            above(growth(fill).0)
        }),
        Contender::new("Arc loop", || {
            let (sender, _receiver) = bounded(CAPACITY);
            let fill = || {
                for _ in 0..CAPACITY {
                    must(sender.try_send(Arc::new(PAYLOAD)));
                }
            };
            above(growth(fill).0)
        }),
    ];
    Outcome {
        series: run.rounds_of(1, &[""], contenders),
        aims: vec![Aim::figure("Publisher").at_most(64.0, 40.0)],
    }
}
