//! From bus to bus, beside channels by hand; and batches, beside single emits.

use std::hint::black_box;

use chanbus::{Bus, Publisher, Subscription};
use crossbeam_channel::{Receiver, Sender, bounded};

use crate::report::{Aim, Outcome};
use crate::rounds::{Contender, Run, nanos_each};
use crate::rows::{NANOS, Spec};
use crate::support::{CAPACITY, PAYLOAD, Payload, bus, must};

/// Events in a batch.
const BATCH: usize = 32;

pub(super) fn rows() -> Vec<Spec> {
    let mut rows: Vec<Spec> = [1, 4]
        .map(|steps| {
            Spec::new(
                format!("derived: {steps} step{}", if steps == 1 { "" } else { "s" }),
                "One event is emitted, and taken behind so many derived buses, each with a predicate or a mapping. By \
                 hand: a channel, and a closure on the same thread that takes from it and sends into the next.",
                NANOS,
                move |run| steps_of(run, steps),
            )
        })
        .into();
    for subscribers in [1, 8] {
        let plural = if subscribers == 1 { "" } else { "s" };
        rows.push(Spec::new(
            format!("batches: {subscribers} subscriber{plural}"),
            "Events are emitted by 32, and then taken; ns for an event with all of its takes.",
            NANOS,
            move |run| batches(run, subscribers),
        ));
    }
    rows
}

fn steps_of(run: &Run, steps: usize) -> Outcome {
    let events = run.effort.pick(20, 20_000, 40_000);
    let contender = |name: &str, mut act: Box<dyn FnMut()>| {
        Contender::new(name, move || nanos_each(events, &mut act))
    };
    let none = Chain::new(0, |bus| bus.clone());
    let filtered = Chain::new(steps, |bus| bus.filtered(|event| event.payload()[0] == 1));
    let mapped = Chain::new(steps, |bus| {
        bus.mapped(|event| event.map_payload(|payload| *payload))
    });
    let by_hand = ByHand::new(steps);
    Outcome {
        series: run.rounds(vec![
            contender("no step", Box::new(move || none.pass())),
            contender("filtered", Box::new(move || filtered.pass())),
            contender("mapped", Box::new(move || mapped.pass())),
            contender("channels by hand", Box::new(move || by_hand.pass())),
        ]),
        aims: vec![
            Aim::ratio("filtered", "channels by hand"),
            Aim::ratio("mapped", "channels by hand"),
            Aim::ratio("filtered", "no step"),
        ],
    }
}

/// A bus, and a subscription behind so many others.
struct Chain {
    first: Publisher<Payload>,
    _bus: Bus<Payload>,
    last: Subscription<Payload>,
}

impl Chain {
    fn new(steps: usize, step: impl Fn(&Bus<Payload>) -> Bus<Payload>) -> Self {
        let bus = bus(1, CAPACITY);
        let mut end = bus.clone();
        for _ in 0..steps {
            end = step(&end);
        }
        Chain {
            first: must(bus.publisher("scan.progress")),
            last: must(end.subscribe("scan.*")),
            _bus: bus,
        }
    }

    fn pass(&self) {
        must(self.first.emit(*black_box(&PAYLOAD)));
        must(self.last.try_recv());
    }
}

/// The same by channels: every step takes, looks, and sends on.
struct ByHand {
    channels: Vec<(Sender<Payload>, Receiver<Payload>)>,
}

impl ByHand {
    fn new(steps: usize) -> Self {
        ByHand {
            channels: (0..=steps).map(|_| bounded(CAPACITY)).collect(),
        }
    }

    fn pass(&self) {
        must(self.channels[0].0.try_send(*black_box(&PAYLOAD)));
        for step in self.channels.windows(2) {
            let payload = must(step[0].1.try_recv());
            if black_box(&payload)[0] == 1 {
                must(step[1].0.try_send(payload));
            }
        }
        must(self.channels[self.channels.len() - 1].1.try_recv());
    }
}

fn batches(run: &Run, subscribers: usize) -> Outcome {
    let rounds = run.effort.pick(5, 20_000, 40_000) / BATCH / subscribers + 1;
    let contender = |name: &str, mut act: Box<dyn FnMut()>| {
        Contender::new(name, move || nanos_each(rounds, &mut act) / BATCH as f64)
    };
    let room = || {
        let bus = bus(subscribers, CAPACITY);
        let subs: Vec<_> = (0..subscribers)
            .map(|_| must(bus.subscribe("row.*")))
            .collect();
        (bus, subs)
    };
    let take_all = |subs: &[Subscription<Payload>], buffer: &mut Vec<_>| {
        for sub in subs {
            while sub.try_recv_batch(buffer, BATCH).is_ok() {
                buffer.clear();
            }
        }
    };
    let (single, single_subs) = room();
    let (topics, topics_subs) = room();
    let (whole, _) = room();
    let whole_subs: Vec<_> = (0..subscribers)
        .map(|_| must(whole.subscription("row.*").keep_batches().subscribe()))
        .collect();
    let (bound, bound_subs) = room();
    let publisher = must(bound.publisher("row.added"));
    let (one_by_one, one_by_one_subs) = room();
    let one = must(one_by_one.publisher("row.added"));
    let batch = |bus: &Bus<Payload>| {
        let mut batch = bus.start_batch();
        for _ in 0..BATCH {
            must(batch.emit("row.added", *black_box(&PAYLOAD)));
        }
        must(batch.commit());
    };
    let [mut buffer, mut second, mut third, mut fourth, mut fifth] = [(); 5].map(|()| Vec::new());
    Outcome {
        series: run.rounds(vec![
            contender(
                "emit(&str), one by one",
                Box::new(move || {
                    for _ in 0..BATCH {
                        must(single.emit("row.added", *black_box(&PAYLOAD)));
                    }
                    take_all(&single_subs, &mut buffer);
                }),
            ),
            contender(
                "Bus::batch",
                Box::new(move || {
                    batch(&topics);
                    take_all(&topics_subs, &mut second);
                }),
            ),
            contender(
                "Bus::batch, kept together",
                Box::new(move || {
                    batch(&whole);
                    take_all(&whole_subs, &mut third);
                }),
            ),
            contender(
                "Publisher, one by one",
                Box::new(move || {
                    for _ in 0..BATCH {
                        must(one.emit(*black_box(&PAYLOAD)));
                    }
                    take_all(&one_by_one_subs, &mut fourth);
                }),
            ),
            contender(
                "emit_batch",
                Box::new(move || {
                    must(publisher.emit_batch((0..BATCH).map(|_| *black_box(&PAYLOAD))));
                    take_all(&bound_subs, &mut fifth);
                }),
            ),
        ]),
        aims: vec![
            Aim::ratio("Bus::batch", "emit(&str), one by one"),
            Aim::ratio("Bus::batch, kept together", "emit(&str), one by one"),
            Aim::ratio("emit_batch", "Publisher, one by one"),
        ],
    }
}
