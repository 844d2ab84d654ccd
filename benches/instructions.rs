//! Operations whose instructions are counted: `.ci/instructions` runs them under callgrind and holds
//! the counts against `results/instructions.json`.
//!
//! Counts repeat where times do not: one thread, nothing that depends on how fast anything is. What
//! they leave out is what instructions cost (a cache miss, an atomic one, a system call such as
//! valgrind makes of reading the clock); for that there are the other benchmarks.
//!
//! `--scenarios` lists the scenarios, `--scenario NAME` runs one and prints how many operations it
//! measured. Anything else, such as cargo's and criterion's options, runs each scenario once.

// A program with an output, not a library.
#![allow(clippy::print_stdout)]

mod support;

use std::hint::black_box;

use chanbus::{
    Bus, EmitError, Emitted, Emitter, Event, Flow, Inline, Publisher, Report, Subscription, Topic,
};

use support::scene::Scene;
use support::{CAPACITY, PAYLOAD, Payload, bus, must};

const TOPIC: &str = "scan.progress";

/// Operations before the first that is measured: caches are filled by then, and free memory is as it
/// will be from then on.
const WARM_UP: usize = 100;

/// Operations that are measured: enough for what happens in every hundredth to have its share.
const ROUNDS: usize = 1_000;

/// A name, and what runs so many operations: emits (each to all its subscribers), takes, drops or
/// batches.
type Scenario = (&'static str, fn(usize));

const SCENARIOS: [Scenario; 23] = [
    ("publisher-to-1", |n| by_publisher(n, &Room::new(1))),
    ("publisher-to-8", |n| by_publisher(n, &Room::new(8))),
    ("publisher-to-64", |n| by_publisher(n, &Room::new(64))),
    ("publisher-to-none", |n| by_publisher(n, &Room::unwanted())),
    ("topic-to-1", |n| by_topic(n, &Room::new(1))),
    ("topic-to-8", |n| by_topic(n, &Room::new(8))),
    ("topic-to-64", |n| by_topic(n, &Room::new(64))),
    ("topic-to-none", |n| by_topic(n, &Room::unwanted())),
    // To be read beside publisher-to-8: a filter costs those who have one, and nobody else.
    ("publisher-to-8-filter-elsewhere", |n| {
        by_publisher(n, &Room::new(8).with_filter("other.topic"));
    }),
    ("publisher-to-8-one-filtered", |n| {
        by_publisher(n, &Room::new(7).with_filter(TOPIC));
    }),
    ("batch-of-32-to-8", batch),
    ("take", take),
    ("take-from-empty", take_from_empty),
    ("drop-last-handle", drop_last_handle),
    ("cached-topic-to-4-of-100000", cached_topic),
    ("new-topic-to-4-of-1000", |n| new_topics(n, 1_000)),
    ("new-topic-to-4-of-100000", |n| new_topics(n, 100_000)),
    ("emitter-to-1", |n| by_emitter(n, 1, &plain(1))),
    ("emitter-to-8", |n| by_emitter(n, 8, &plain(8))),
    ("emitter-to-1-with-context", |n| {
        by_emitter(n, 1, &with_context(1));
    }),
    ("emitter-to-8-with-context", |n| {
        by_emitter(n, 8, &with_context(8));
    }),
    ("emitter-to-1-of-100000", |n| {
        by_emitter(n, 1, &one_of_many())
    }),
    // What an emit is to be read beside: an event, and eight closures called.
    ("closures-8", closures),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--scenarios", ..] => {
            for (name, _) in SCENARIOS {
                println!("{name}");
            }
        }
        ["--scenario", wanted, ..] => {
            let found = SCENARIOS.into_iter().find(|(name, _)| *name == wanted);
            let Some((_, run)) = found else {
                panic!("no scenario is called {wanted}");
            };
            run(ROUNDS);
            println!("{ROUNDS}");
        }
        _ => {
            for (name, run) in SCENARIOS {
                run(1);
                println!("{name}: ran once");
            }
        }
    }
}

/// What callgrind counts is what runs inside of this, and it finds it by name.
///
/// By `dyn`, as the operation is then compiled as one function, however often it is mentioned.
#[inline(never)]
fn measured<I, R>(operation: &mut dyn FnMut(I) -> R, input: I) -> R {
    operation(input)
}

/// Prepares, runs and checks the operation so many times; only the operation itself is measured, so
/// it hands out what is to be dropped elsewhere.
fn repeat<I, R>(
    rounds: usize,
    mut prepare: impl FnMut() -> I,
    mut operation: impl FnMut(I) -> R,
    mut check: impl FnMut(R),
) {
    for _ in 0..WARM_UP {
        check(black_box(operation(prepare())));
    }
    for _ in 0..rounds {
        check(black_box(measured(&mut operation, prepare())));
    }
}

/// A count is of what its name says only if everybody got the event.
fn delivered(to: usize) -> impl Fn(Result<Emitted, EmitError<Payload>>) {
    move |emitted| assert_eq!(must(emitted).delivered, to)
}

/// A bus, and subscriptions to [`TOPIC`].
struct Room {
    bus: Bus<Payload>,
    subscriptions: Vec<Subscription<Payload>>,
    /// How many of them want it.
    wanting: usize,
}

impl Room {
    fn new(subscribers: usize) -> Self {
        // Room for one more: see `with_filter`.
        let bus = bus(subscribers + 1, CAPACITY);
        let subscribe = |_| must(bus.subscribe(TOPIC));
        Room {
            subscriptions: (0..subscribers).map(subscribe).collect(),
            bus,
            wanting: subscribers,
        }
    }

    /// Eight subscriptions, and none to the topic.
    fn unwanted() -> Self {
        let bus = bus(8, CAPACITY);
        let subscribe = |_| must(bus.subscribe("other.*"));
        Room {
            subscriptions: (0..8).map(subscribe).collect(),
            bus,
            wanting: 0,
        }
    }

    /// One more subscription, to `topic` and with a filter that lets everything pass.
    fn with_filter(mut self, topic: &str) -> Self {
        let filtered = self.bus.subscription(topic);
        let filtered = filtered.filter(|event| event.payload()[0] == PAYLOAD[0]);
        self.subscriptions.push(must(filtered.subscribe()));
        self.wanting += usize::from(topic == TOPIC);
        self
    }

    fn publisher(&self) -> Publisher<Payload> {
        must(self.bus.publisher(TOPIC))
    }

    fn drain(&self) {
        for subscription in &self.subscriptions {
            subscription.try_iter().for_each(drop);
        }
    }
}

fn by_publisher(rounds: usize, room: &Room) {
    let publisher = room.publisher();
    repeat(
        rounds,
        || room.drain(),
        |()| publisher.emit(black_box(PAYLOAD)),
        delivered(room.wanting),
    );
}

fn by_topic(rounds: usize, room: &Room) {
    repeat(
        rounds,
        || room.drain(),
        |()| room.bus.emit(black_box(TOPIC), black_box(PAYLOAD)),
        delivered(room.wanting),
    );
}

fn batch(rounds: usize) {
    let room = Room::new(8);
    let publisher = room.publisher();
    repeat(
        rounds,
        || room.drain(),
        |()| publisher.emit_batch(black_box([PAYLOAD; 32])),
        |emitted| assert_eq!(must(emitted).delivered, 32 * 8),
    );
}

fn take(rounds: usize) {
    let room = Room::new(1);
    let (publisher, subscription) = (room.publisher(), &room.subscriptions[0]);
    repeat(
        rounds,
        || delivered(1)(publisher.emit(PAYLOAD)),
        |()| subscription.try_recv(),
        |taken| drop(must(taken)),
    );
}

fn take_from_empty(rounds: usize) {
    let room = Room::new(1);
    let subscription = &room.subscriptions[0];
    repeat(
        rounds,
        || (),
        |()| subscription.try_recv(),
        |taken| assert!(taken.is_err()),
    );
}

fn drop_last_handle(rounds: usize) {
    let room = Room::new(1);
    let (publisher, subscription) = (room.publisher(), &room.subscriptions[0]);
    repeat(
        rounds,
        || {
            must(publisher.emit(PAYLOAD));
            must(subscription.try_recv())
        },
        |event| {
            black_box(event);
        },
        drop,
    );
}

/// Emits that find their route in the cache, whatever the number of subscriptions.
fn cached_topic(rounds: usize) {
    let scene = Scene::new(100_000);
    repeat(
        rounds,
        || scene.drain(),
        |()| scene.bus.emit(black_box("feed.7.tick"), black_box(PAYLOAD)),
        delivered(4),
    );
}

/// Emits that search the subscriptions, and keep the route.
///
/// Where a search leads depends on the tables' seeds, which differ from run to run. Over so many topics
/// that evens out, though not exactly as elsewhere.
fn new_topics(rounds: usize, subscriptions: usize) {
    let scene = Scene::new(subscriptions);
    let mut feed = 1_000_000;
    repeat(
        rounds,
        || {
            scene.drain();
            feed += 1;
            format!("feed.{feed}.tick")
        },
        // The name goes out again, to be freed outside.
        |name| {
            let emitted = scene.bus.emit(black_box(&name), black_box(PAYLOAD));
            (emitted, name)
        },
        |(emitted, _)| delivered(4)(emitted),
    );
}

/// Handlers that take the event and nothing else.
fn plain(handlers: usize) -> Emitter<Payload> {
    let emitter = Emitter::with_executor(Inline);
    for _ in 0..handlers {
        must(emitter.handlers().on(TOPIC).call(|event| {
            black_box(event);
        }));
    }
    emitter
}

/// Handlers that can fail, stop the event, and emit.
fn with_context(handlers: usize) -> Emitter<Payload> {
    let emitter = Emitter::with_executor(Inline);
    for _ in 0..handlers {
        must(emitter.handlers().on(TOPIC).handle(|event, context| {
            black_box((event, context));
            Ok(Flow::Continue)
        }));
    }
    emitter
}

/// One plain handler among 100,000 that want other topics.
fn one_of_many() -> Emitter<Payload> {
    let emitter = plain(1);
    let handlers = emitter.handlers();
    for number in 1..100_000 {
        must(handlers.on(format!("user.{number}.name")).call(|_| {}));
    }
    emitter
}

fn by_emitter(rounds: usize, handlers: usize, emitter: &Emitter<Payload>) {
    repeat(
        rounds,
        || (),
        |()| emitter.emit(black_box(TOPIC), black_box(PAYLOAD)),
        |report: Result<Report<Payload>, _>| assert_eq!(must(report).called, handlers),
    );
}

/// An event made by hand, and a list of closures: the least that somebody without handlers would write.
fn closures(rounds: usize) {
    type Closure = Box<dyn Fn(&Event<Payload>) + Send + Sync>;
    let closure = |_| {
        Box::new(|event: &Event<Payload>| {
            black_box(event);
        }) as Closure
    };
    let closures: Vec<Closure> = (0..8).map(closure).collect();
    let topic = must(Topic::new(TOPIC));
    repeat(
        rounds,
        || (),
        |()| {
            let event = must(Event::new(black_box(&topic).clone(), black_box(PAYLOAD)));
            for closure in black_box(&closures) {
                closure(&event);
            }
        },
        |()| (),
    );
}
