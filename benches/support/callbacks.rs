//! Handlers, and other ways to call a list of closures.
//!
//! Two lists written by hand are the yardsticks: the **event loop** makes an [`Event`] of a topic that
//! it has at hand and calls closures with it, as an emitter does; the **Arc loop** has no event, only an
//! `Arc` of the payload. Neither looks a topic up, counts, or catches anything.
//!
//! Beside them stand two published crates. `signals2` (no dependencies; last release 2023) has neither
//! topics nor events: one signal, whose arguments are cloned for each slot; it catches no panics. `rs_events`
//! finds closures by an exact topic, in a map of locks that it holds while they run. The best-known of
//! its kind, `event-emitter-rs`, is not here: it encodes every payload and starts a thread for every call.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, Thread};

use chanbus::{
    Bus, Dispatcher, Drain, Emitter, Event, Flow, Handlers, Inline, Subscription, Topic,
};
use rs_events::EventHandler as _;
use signals2::{Connect1 as _, Emit1 as _, Signal};

use super::{CAPACITY, PAYLOAD, Payload, must};

pub(crate) const TOPIC: &str = "scan.progress";

/// What a handler does with a payload.
pub(crate) type Work = fn(&Payload);

/// Nothing: for what calling costs.
pub(crate) fn nothing(payload: &Payload) {
    black_box(payload);
}

/// A chain of multiplications, some 30 ns: less than most handlers do. It goes on from where the last
/// handler ended, as a processor would otherwise work on several at once.
pub(crate) fn a_little(payload: &Payload) {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let mix = |sum: u64, _| (sum ^ (sum >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let begin = payload[0] ^ LAST.load(Ordering::Relaxed);
    LAST.store((0..20).fold(begin, mix), Ordering::Relaxed);
}

/// An emitter whose handlers take the event only.
pub(crate) fn emitter(handlers: usize, work: Work) -> Emitter<Payload> {
    let emitter = Emitter::with_executor(Inline);
    add(&emitter.handlers(), handlers, work);
    emitter
}

fn add(to: &Handlers<Payload>, handlers: usize, work: Work) {
    for _ in 0..handlers {
        must(to.on(TOPIC).call(move |event| work(event.payload())));
    }
}

/// An emitter whose handlers take a context, and say what is to become of the event.
pub(crate) fn emitter_with_context(handlers: usize, work: Work) -> Emitter<Payload> {
    let emitter = Emitter::with_executor(Inline);
    for _ in 0..handlers {
        must(emitter.handlers().on(TOPIC).handle(move |event, context| {
            black_box(context);
            work(event.payload());
            Ok(Flow::Continue)
        }));
    }
    emitter
}

/// One handler that gets what is emitted on any `feed.NUMBER.tick`, among so many.
pub(crate) fn one_among(handlers: usize) -> Emitter<Payload> {
    let emitter = Emitter::with_executor(Inline);
    let registry = emitter.handlers();
    must(
        registry
            .on("feed.*.tick")
            .call(|event| nothing(event.payload())),
    );
    for number in 1..handlers {
        let pattern = match number % 4 {
            0 => format!("user.{number}.name"),
            1 => format!("user.{number}.*"),
            2 => format!("user.{number}.**"),
            _ => format!("*.{number}.name"),
        };
        must(registry.on(pattern).call(|_| {}));
    }
    emitter
}

/// Emits, and looks that so many were called.
pub(crate) fn emit(emitter: &Emitter<Payload>, topic: &str, called: usize) {
    let report = must(emitter.emit(black_box(topic), *black_box(&PAYLOAD)));
    assert_eq!(report.called, called);
}

type Closure<E> = Box<dyn Fn(&E) + Send + Sync>;

/// The event loop.
pub(crate) struct EventLoop {
    topic: Topic,
    closures: Vec<Closure<Event<Payload>>>,
}

impl EventLoop {
    pub(crate) fn new(closures: usize, work: Work) -> Self {
        let closure = |_| Box::new(move |event: &Event<Payload>| work(event.payload())) as _;
        EventLoop {
            topic: must(Topic::new(TOPIC)),
            closures: (0..closures).map(closure).collect(),
        }
    }

    pub(crate) fn emit(&self) {
        let topic = black_box(&self.topic).clone();
        self.call(&must(Event::new(topic, *black_box(&PAYLOAD))));
    }

    pub(crate) fn call(&self, event: &Event<Payload>) {
        for closure in black_box(&self.closures) {
            closure(event);
        }
    }
}

/// The Arc loop.
pub(crate) struct ArcCalls(Vec<Closure<Arc<Payload>>>);

impl ArcCalls {
    pub(crate) fn new(closures: usize, work: Work) -> Self {
        let closure = |_| Box::new(move |payload: &Arc<Payload>| work(payload)) as _;
        ArcCalls((0..closures).map(closure).collect())
    }

    pub(crate) fn emit(&self) {
        let payload = Arc::new(*black_box(&PAYLOAD));
        for closure in black_box(&self.0) {
            closure(&payload);
        }
    }
}

/// `signals2`.
pub(crate) struct Signals(Signal<(Arc<Payload>,)>);

impl Signals {
    pub(crate) fn new(slots: usize, work: Work) -> Self {
        let signal = Signal::new();
        for _ in 0..slots {
            signal.connect(move |payload: Arc<Payload>| work(&payload));
        }
        Signals(signal)
    }

    pub(crate) fn emit(&self) {
        self.0.emit(Arc::new(*black_box(&PAYLOAD)));
    }
}

/// `rs_events`.
pub(crate) struct RsEvents(rs_events::EventEmitter<Payload>);

impl RsEvents {
    pub(crate) fn new(listeners: usize, work: Work) -> Self {
        let mut emitter = rs_events::EventEmitter::new(listeners);
        for _ in 0..listeners {
            must(emitter.add(TOPIC, None, Arc::new(move |payload| work(payload))));
        }
        RsEvents(emitter)
    }

    pub(crate) fn emit(&mut self) {
        must(
            self.0
                .emit(black_box(TOPIC), Arc::new(*black_box(&PAYLOAD))),
        );
    }
}

/// Events that are sent to another thread and handled there.
pub(crate) struct Sent {
    bus: Bus<Payload>,
    left: Arc<Countdown>,
    /// Ends the other thread.
    end: Box<dyn FnMut()>,
}

/// A queue's worth of events at most, so that none is dropped.
pub(crate) const BURST: usize = CAPACITY;

impl Sent {
    /// To a dispatcher.
    pub(crate) fn dispatched(handlers: usize, work: Work) -> Self {
        let bus = super::bus(1, CAPACITY);
        let left = Arc::new(Countdown::new());
        let registry = Handlers::new();
        add(&registry, handlers - 1, work);
        let last = Arc::clone(&left);
        must(registry.on(TOPIC).call(move |event| {
            work(event.payload());
            last.one();
        }));
        let builder = Dispatcher::builder(&bus, &registry).capacity(CAPACITY);
        let dispatcher = must(builder.build());
        must(dispatcher.start());
        let end = Box::new(move || drop(dispatcher.stop(Drain::All)));
        Sent { bus, left, end }
    }

    /// To a thread that takes them from a subscription, and calls closures.
    pub(crate) fn by_hand(closures: usize, work: Work) -> Self {
        let bus = super::bus(1, CAPACITY);
        let subscription: Subscription<Payload> = must(bus.subscribe(TOPIC));
        let closer = subscription.closer();
        let left = Arc::new(Countdown::new());
        let (calls, last) = (EventLoop::new(closures, work), Arc::clone(&left));
        let mut thread = Some(thread::spawn(move || {
            for event in &subscription {
                calls.call(&event);
                last.one();
            }
        }));
        let end = Box::new(move || {
            closer.close();
            thread
                .take()
                .into_iter()
                .for_each(|thread| must(thread.join()));
        });
        Sent { bus, left, end }
    }

    /// So many events, at most [`BURST`], from the first emit until all are handled.
    pub(crate) fn burst(&self, events: usize) {
        self.left.begin(events);
        for _ in 0..events {
            must(self.bus.emit(black_box(TOPIC), *black_box(&PAYLOAD)));
        }
        self.left.wait();
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        (self.end)();
    }
}

/// Calls the thread that made it when all are done.
struct Countdown {
    left: AtomicUsize,
    waiting: Thread,
}

impl Countdown {
    fn new() -> Self {
        Countdown {
            left: AtomicUsize::new(0),
            waiting: thread::current(),
        }
    }

    fn begin(&self, count: usize) {
        self.left.store(count, Ordering::Release);
    }

    fn one(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.waiting.unpark();
        }
    }

    fn wait(&self) {
        while self.left.load(Ordering::Acquire) > 0 {
            thread::park();
        }
    }
}
