//! An emit that no pattern matches, as most are in a program whose log nobody reads.

use std::hint::black_box;

use chanbus::Subscription;
use crossbeam_channel::bounded;

use super::{NANOS, Spec};
use crate::report::{Aim, Outcome};
use crate::rounds::{Contender, Run, nanos_each};
use crate::support::{self, CAPACITY, PAYLOAD, Payload, must, timed_in_chunks};

const TOPIC: &str = "scan.progress";
const OTHERS: usize = 64;

pub(super) fn rows() -> Vec<Spec> {
    vec![Spec::new(
        "nobody listens",
        "An emit on a bus of 64 subscriptions that all want other topics, beside one push into a queue \
         (emptied off the clock).",
        NANOS,
        measure,
    )]
}

fn measure(run: &Run) -> Outcome {
    let emits = run.effort.pick(256, 16 * 1_024, 32 * 1_024);
    let bus = support::bus(OTHERS, CAPACITY);
    let _others: Vec<Subscription<Payload>> = (0..OTHERS)
        .map(|_| must(bus.subscribe("other.*")))
        .collect();
    let publisher = must(bus.publisher(TOPIC));
    let (sender, receiver) = bounded(CAPACITY);
    let contenders = vec![
        Contender::new("Publisher", || {
            nanos_each(emits, || {
                must(publisher.emit(*black_box(&PAYLOAD)));
            })
        }),
        Contender::new("emit(&str)", || {
            nanos_each(emits, || {
                must(bus.emit(black_box(TOPIC), *black_box(&PAYLOAD)));
            })
        }),
        Contender::new("raw push", || {
            let time = timed_in_chunks(
                emits as u64,
                CAPACITY as u64,
                |_| must(sender.try_send(*black_box(&PAYLOAD))),
                || receiver.try_iter().for_each(drop),
            );
            time.as_nanos() as f64 / emits as f64
        }),
    ];
    Outcome {
        series: run.rounds(contenders),
        aims: vec![
            Aim::ratio("Publisher", "raw push").at_most(0.3, 0.1),
            Aim::ratio("emit(&str)", "raw push").at_most(2.0, 1.3),
        ],
    }
}
