//! Calling handlers, directly and through a bus.

use crate::report::{Aim, Outcome};
use crate::rounds::{Contender, Run, nanos_each};
use crate::rows::{NANOS, Spec};
use crate::support::callbacks::{
    ArcCalls, BURST, EventLoop, RsEvents, Sent, Signals, TOPIC, Work, a_little, emit, emitter,
    emitter_with_context, nothing, one_among,
};

pub(super) fn rows() -> Vec<Spec> {
    let mut rows = Vec::new();
    let kinds: [(&str, Work, Option<usize>); 2] =
        [("working", a_little, Some(8)), ("empty", nothing, None)];
    for (kind, work, aimed) in kinds {
        for handlers in [1, 8, 64] {
            rows.push(Spec::new(
                format!("handlers: emit to {handlers} {kind}"),
                "An inline emit, beside lists of closures: called with an event, and with an `Arc` of the \
                 payload. Working handlers compute for some 30 ns, empty ones do nothing.",
                NANOS,
                move |run| direct(run, handlers, work, aimed == Some(handlers)),
            ));
        }
    }
    rows.push(Spec::new(
        "handlers: one among many, a cached topic",
        "An inline emit to one empty handler, by the number of those that are registered.",
        NANOS,
        |run| among(run, cached, Some((1.2, 1.05))),
    ));
    rows.push(Spec::new(
        "handlers: one among many, topics never seen before",
        "The same, each emit on another topic.",
        NANOS,
        |run| among(run, fresh, None),
    ));
    for handlers in [1, 8] {
        rows.push(Spec::new(
            format!("handlers: a dispatcher to {handlers}"),
            "Bursts of 256 events through a bus to working handlers, from the first emit until all are \
             handled, for an event; beside a thread that takes them and calls closures.",
            NANOS,
            move |run| dispatched(run, handlers),
        ));
    }
    rows
}

fn direct(run: &Run, handlers: usize, work: Work, aimed: bool) -> Outcome {
    let emits = run.effort.pick(16, 64 * 1_024, 128 * 1_024) / handlers.max(4);
    let contender = |name: &str, mut act: Box<dyn FnMut()>| {
        Contender::new(name, move || nanos_each(emits, &mut act))
    };
    let plain = emitter(handlers, work);
    let with_context = emitter_with_context(handlers, work);
    let event_loop = EventLoop::new(handlers, work);
    let arc_loop = ArcCalls::new(handlers, work);
    let signals = Signals::new(handlers, work);
    let mut rs_events = RsEvents::new(handlers, work);
    let contenders = vec![
        contender("Emitter", Box::new(move || emit(&plain, TOPIC, handlers))),
        contender(
            "Emitter, with context",
            Box::new(move || emit(&with_context, TOPIC, handlers)),
        ),
        contender("event loop", Box::new(move || event_loop.emit())),
        contender("Arc loop", Box::new(move || arc_loop.emit())),
        contender("signals2", Box::new(move || signals.emit())),
        contender("rs_events", Box::new(move || rs_events.emit())),
    ];
    let plain = Aim::ratio("Emitter", "event loop");
    Outcome {
        series: run.rounds(contenders),
        aims: vec![
            if aimed {
                plain.at_most(1.5, 1.2)
            } else {
                plain
            },
            Aim::ratio("Emitter, with context", "event loop"),
            Aim::ratio("Emitter", "Arc loop"),
            Aim::ratio("Emitter", "signals2"),
            Aim::ratio("Emitter", "rs_events"),
        ],
    }
}

type Kind = fn(&Run, &'static str, usize) -> Contender<'static>;

fn among(run: &Run, kind: Kind, aim: Option<(f64, f64)>) -> Outcome {
    let contenders = vec![
        kind(run, "10 handlers", 10),
        kind(run, "1,000 handlers", 1_000),
        kind(run, "100,000 handlers", run.effort.many()),
    ];
    let flat = Aim::ratio("100,000 handlers", "10 handlers");
    Outcome {
        series: run.rounds(contenders),
        aims: vec![
            match aim {
                Some((must, beyond)) => flat.at_most(must, beyond),
                None => flat,
            },
            Aim::ratio("1,000 handlers", "10 handlers"),
        ],
    }
}

fn cached(run: &Run, name: &'static str, handlers: usize) -> Contender<'static> {
    let emits = run.effort.pick(16, 8 * 1_024, 16 * 1_024);
    let emitter = one_among(handlers);
    Contender::new(name, move || {
        nanos_each(emits, || emit(&emitter, "feed.7.tick", 1))
    })
}

fn fresh(run: &Run, name: &'static str, handlers: usize) -> Contender<'static> {
    let emits = run.effort.pick(16, 4_096, 4_096);
    let emitter = one_among(handlers);
    let mut next = 1_000_000;
    Contender::new(name, move || {
        let feeds = next..next + emits;
        next += emits;
        let topics: Vec<String> = feeds.map(|feed| format!("feed.{feed}.tick")).collect();
        let mut topics = topics.iter();
        nanos_each(emits, || {
            topics
                .next()
                .into_iter()
                .for_each(|topic| emit(&emitter, topic, 1));
        })
    })
}

fn dispatched(run: &Run, handlers: usize) -> Outcome {
    let bursts = run.effort.pick(1, 20, 40);
    let contender = |name: &str, sent: Sent| {
        Contender::new(name, move || {
            nanos_each(bursts, || sent.burst(BURST)) / BURST as f64
        })
    };
    Outcome {
        series: run.rounds(vec![
            contender("Dispatcher", Sent::dispatched(handlers, a_little)),
            contender("thread by hand", Sent::by_hand(handlers, a_little)),
        ]),
        aims: vec![Aim::ratio("Dispatcher", "thread by hand")],
    }
}
