//! What a bus tells `tracing` of itself, and what those who listen may do.
//!
//! A binary of its own: who listens to `tracing` is the process's. Each test sees what its own thread tells.
#![cfg(feature = "tracing")]
// Test code, also in helpers outside of tests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, Once};
use std::thread;
use std::time::Duration;

use chanbus::{Bus, Clock, Emitter, Handlers, ManualClock, Overflow, PanicPlace, SubscribeError};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Level, Metadata, Subscriber};

/// One event of `tracing`.
#[derive(Debug, Clone, Default, PartialEq)]
struct Told {
    level: String,
    message: String,
    fields: BTreeMap<String, String>,
}

impl Told {
    fn of(event: &tracing::Event<'_>) -> Self {
        let mut told = Told {
            level: event.metadata().level().to_string(),
            ..Told::default()
        };
        event.record(&mut told);
        told
    }

    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// The message, and these fields.
    fn line(&self, fields: &[&str]) -> String {
        let values: Vec<&str> = fields.iter().map(|name| self.field(name)).collect();
        format!("{} {}: {}", self.level, self.message, values.join(" "))
    }
}

impl Visit for Told {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields
            .insert(field.name().to_owned(), value.to_owned());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let text = format!("{value:?}");
        match field.name() {
            "message" => self.message = text,
            name => {
                self.fields.insert(name.to_owned(), text);
            }
        }
    }
}

type Act = Box<dyn Fn(&Told)>;

thread_local! {
    static SEEN: RefCell<Vec<Told>> = const { RefCell::new(Vec::new()) };
    /// What the one who listens does on this thread, beside listening.
    static ACT: RefCell<Option<Act>> = const { RefCell::new(None) };
}

/// Listens for the whole process, as a global default: without the guard against its own events that
/// `tracing` has around scoped ones.
struct Capture;

impl Subscriber for Capture {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("chanbus::")
    }

    fn event(&self, event: &tracing::Event<'_>) {
        let told = Told::of(event);
        SEEN.with_borrow_mut(|seen| seen.push(told.clone()));
        ACT.with_borrow(|act| {
            if let Some(act) = act {
                act(&told);
            }
        });
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Begins to listen; what was told so far is forgotten.
fn listen() {
    static LISTEN: Once = Once::new();
    LISTEN.call_once(|| tracing::subscriber::set_global_default(Capture).unwrap());
    SEEN.with_borrow_mut(Vec::clear);
}

/// Listens, and does that as well.
fn listen_and(act: impl Fn(&Told) + 'static) {
    listen();
    ACT.set(Some(Box::new(act)));
}

fn told() -> Vec<Told> {
    SEEN.take()
}

/// Of what was told, what has this message.
fn told_as(message: &str) -> Vec<Told> {
    told()
        .into_iter()
        .filter(|told| told.message == message)
        .collect()
}

#[test]
fn each_emit_is_told_with_its_topic_and_what_became_of_it() {
    listen();
    let bus = Bus::builder().name("ui").build().unwrap();
    let _narrow = bus.subscription("n.*").capacity(1).subscribe().unwrap();
    let _even = bus
        .subscription("n.a")
        .filter(|event| event.payload() % 2 == 0)
        .subscribe()
        .unwrap();
    let _oldest = bus
        .subscription("n.b")
        .capacity(1)
        .overflow(Overflow::DropOldest)
        .subscribe()
        .unwrap();
    told();

    bus.emit("n.a", 2).unwrap();
    bus.emit("n.a", 3).unwrap();
    bus.emit("n.b", 3).unwrap();
    bus.emit("n.b", 3).unwrap();
    bus.emit("nobody", 3).unwrap();
    let sums = [
        "bus",
        "topic",
        "events",
        "matched",
        "delivered",
        "dropped",
        "filtered",
        "evicted",
    ];
    let lines: Vec<String> = told_as("emitted")
        .iter()
        .map(|told| told.line(&sums))
        .collect();
    assert_eq!(
        lines,
        [
            "TRACE emitted: ui n.a 1 2 2 0 0 0",
            "TRACE emitted: ui n.a 1 2 0 1 1 0",
            "TRACE emitted: ui n.b 1 2 1 1 0 0",
            "TRACE emitted: ui n.b 1 2 1 1 0 1",
            "TRACE emitted: ui nobody 1 0 0 0 0 0",
        ]
    );

    bus.emit("n..a", 1).unwrap_err();
    bus.close();
    bus.emit("n.a", 1).unwrap_err();
    let refused: Vec<_> = told_as("an emit was refused")
        .iter()
        .map(|told| told.line(&["bus", "topic", "outcome"]))
        .collect();
    assert_eq!(
        refused,
        [
            "TRACE an emit was refused: ui n..a bad topic",
            "TRACE an emit was refused: ui n.a closed",
        ]
    );
}

#[test]
fn every_way_to_emit_is_told_once() {
    listen();
    let bus = Bus::builder().name("ways").build().unwrap();
    let _sub = bus.subscribe_all().unwrap();
    let publisher = bus.publisher("p").unwrap();
    let event = chanbus::Event::new("e", 1).unwrap();
    let wait = Duration::from_secs(1);
    let mut batch = bus.start_batch();
    for topic in ["a", "b", "a", "c", "d", "e"] {
        batch.emit(topic, 1).unwrap();
    }
    told();

    bus.emit("a", 1).unwrap();
    bus.emit_within("b", 1, wait).unwrap();
    bus.event("c", 1).source("x").emit().unwrap();
    bus.emit_event(event.clone()).unwrap();
    bus.emit_event_within(event, wait).unwrap();
    bus.broadcast("f", 1).unwrap();
    publisher.emit(1).unwrap();
    publisher.emit_within(1, wait).unwrap();
    publisher.event(1).metadata("k", 1).emit().unwrap();
    publisher.emit_batch([1, 2]).unwrap();
    batch.commit().unwrap();
    let ways: Vec<String> = told_as("emitted")
        .iter()
        .map(|told| told.line(&["topic", "events", "delivered"]))
        .collect();
    assert_eq!(
        ways,
        [
            "a 1 1",
            "b 1 1",
            "c 1 1",
            "e 1 1",
            "e 1 1",
            "f 1 1",
            "p 1 1",
            "p 1 1",
            "p 1 1",
            "p 2 2",
            "a, b, c, d, ... 6 6",
        ]
        .map(|line| format!("TRACE emitted: {line}"))
    );
    let emitted = bus.stats().emitted;
    assert_eq!(emitted, 9 + 2 + 6);
}

#[test]
fn a_kept_event_is_told_once_too() {
    listen();
    let bus = Bus::builder().history(4).build().unwrap();
    let publisher = bus.publisher("p").unwrap();
    told();
    bus.emit("a", 1).unwrap();
    publisher.emit(1).unwrap();
    publisher.emit_batch([1, 2]).unwrap();
    assert_eq!(told_as("emitted").len(), 3);
}

#[test]
fn what_other_buses_pass_on_is_told_where_it_comes_to() {
    listen();
    let (near, far) = (
        Bus::builder().name("near").build().unwrap(),
        Bus::builder().name("far").build().unwrap(),
    );
    let _pipe = near.pipe_to(&far, "**").unwrap();
    told();
    near.emit("a", 1).unwrap();
    near.publisher("a").unwrap().emit_batch([1, 2]).unwrap();
    let lines: Vec<String> = told_as("emitted")
        .iter()
        .map(|told| told.line(&["bus", "events"]))
        .collect();
    // The far one first, as an event is told when its emit is over.
    assert_eq!(
        lines,
        ["far 1", "near 1", "far 2", "near 2"].map(|line| format!("TRACE emitted: {line}"))
    );
}

#[test]
fn drops_are_told_by_name_and_a_warning_comes_when_they_begin() {
    listen();
    let time = ManualClock::new();
    let bus = Bus::builder()
        .name("ui")
        .clock(Clock::manual(&time))
        .build()
        .unwrap();
    let slow = bus
        .subscription("n")
        .name("slow")
        .capacity(1)
        .subscribe()
        .unwrap();
    let _quick = bus.subscription("n").name("quick").subscribe().unwrap();
    let fields = ["bus", "subscription", "topic", "count", "dropped"];
    let lines = || -> Vec<String> {
        let told = told().into_iter();
        told.filter(|told| told.level != "TRACE" && told.message.contains("drop"))
            .map(|told| told.line(&fields))
            .collect()
    };
    lines();

    bus.emit("n", 1).unwrap();
    assert_eq!(lines(), [""; 0]);
    bus.emit("n", 2).unwrap();
    assert_eq!(
        lines(),
        [
            "WARN a subscription begins to drop events: ui slow n  1",
            "DEBUG a subscription dropped events: ui slow n 1 1",
        ]
    );
    // A take in between does not end it: that would flood.
    slow.recv().unwrap();
    bus.publisher("n").unwrap().emit_batch([3, 4, 5]).unwrap();
    assert_eq!(
        lines(),
        ["DEBUG a subscription dropped events: ui slow n 2 3"]
    );
    // Nor does a while that is just too short, after each of which it begins anew.
    for sum in 4..7 {
        time.advance(Duration::from_secs(10) - Duration::from_nanos(1));
        bus.emit("n", 6).unwrap();
        assert_eq!(
            lines(),
            [format!(
                "DEBUG a subscription dropped events: ui slow n 1 {sum}"
            )]
        );
    }
    time.advance(Duration::from_secs(10));
    bus.emit("n", 6).unwrap();
    assert_eq!(
        lines(),
        [
            "WARN a subscription begins to drop events: ui slow n  7",
            "DEBUG a subscription dropped events: ui slow n 1 7",
        ]
    );
}

#[test]
fn what_is_replaced_under_latest_is_no_drop_and_what_is_pushed_out_is() {
    listen();
    let bus = Bus::new();
    let _latest = bus
        .subscription("n")
        .overflow(Overflow::Latest)
        .subscribe()
        .unwrap();
    let _oldest = bus
        .subscription("n")
        .name("oldest")
        .overflow(Overflow::DropOldest)
        .capacity(1)
        .subscribe()
        .unwrap();
    told();
    bus.publisher("n").unwrap().emit_batch(0..3).unwrap();
    let drops = told_as("a subscription dropped events");
    assert_eq!(drops.len(), 1);
    assert_eq!(
        drops[0].line(&["subscription", "count"]),
        "DEBUG a subscription dropped events: oldest 2"
    );
}

#[test]
fn a_batch_that_is_kept_together_tells_its_drops() {
    listen();
    let bus = Bus::new();
    let _sub = bus
        .subscription("n")
        .name("rows")
        .capacity(2)
        .keep_batches()
        .subscribe()
        .unwrap();
    told();
    bus.publisher("n").unwrap().emit_batch(0..5).unwrap();
    let drops = told_as("a subscription dropped events");
    assert_eq!(
        drops
            .iter()
            .map(|told| told.field("count"))
            .collect::<Vec<_>>(),
        ["3"]
    );
}

#[test]
fn an_emit_that_waited_in_vain_tells_who_had_no_room() {
    listen();
    let bus = Bus::new();
    let _sub = bus
        .subscription("n")
        .name("full")
        .capacity(1)
        .subscribe()
        .unwrap();
    bus.emit("n", 1).unwrap();
    told();
    bus.emit_within("n", 2, Duration::from_millis(1)).unwrap();
    assert_eq!(
        told_as("a subscription dropped events")[0].field("subscription"),
        "full"
    );
}

#[test]
fn who_falls_behind_is_told_with_name_and_place_and_so_that_it_is_back() {
    listen();
    let bus: Bus<u32> = Bus::builder().name("shop").build().unwrap();
    let sub = bus.subscription("n").name("mailer").capacity(4);
    let sub = sub.high_water(2).low_water(0).subscribe().unwrap();
    for n in 0..3 {
        bus.emit("n", n).unwrap();
    }
    let behind = told_as("a subscription falls behind");
    assert_eq!(behind.len(), 1);
    let fields = ["bus", "subscription", "depth", "high"];
    let line = "WARN a subscription falls behind: shop mailer 2 2";
    assert_eq!(behind[0].line(&fields), line);
    let place = behind[0].field("place");
    assert_eq!(place, sub.location().to_string());
    sub.try_iter().count();
    let back = told_as("a subscription is back");
    assert_eq!(back.len(), 1);
    let line = "INFO a subscription is back: mailer 0 0";
    assert_eq!(back[0].line(&["subscription", "depth", "low"]), line);
}

#[test]
fn every_drop_is_told_once_by_whichever_thread() {
    const EACH: u64 = 500;
    listen();
    let bus = Bus::builder().capacity(1).build().unwrap();
    let sub = bus.subscription("n").name("slow").subscribe().unwrap();
    let all: Arc<Mutex<Vec<Told>>> = Arc::default();
    thread::scope(|scope| {
        for _ in 0..4 {
            let (bus, all) = (bus.clone(), Arc::clone(&all));
            scope.spawn(move || {
                for n in 0..EACH {
                    bus.emit("n", n).unwrap();
                }
                all.lock().unwrap().extend(told());
            });
        }
    });
    let all = all.lock().unwrap();
    let count = |told: &Told| told.field("count").parse::<u64>().unwrap_or(0);
    assert_eq!(sub.dropped(), 4 * EACH - 1);
    assert_eq!(all.iter().map(count).sum::<u64>(), sub.dropped());
    let warned = all.iter().filter(|told| told.level == "WARN").count();
    assert_eq!(warned, 1);
}

#[test]
fn those_who_come_and_go_are_told() {
    listen();
    let bus = Bus::<u32>::builder()
        .name("ui")
        .max_subscribers(2)
        .build()
        .unwrap();
    let panel = bus
        .subscription(["a.*", "b"])
        .name("panel")
        .capacity(3)
        .subscribe()
        .unwrap();
    let other = bus.subscribe("c").unwrap();
    let refused = bus.subscription("d").name("late").subscribe();
    assert!(matches!(refused, Err(SubscribeError::LimitReached { .. })));
    bus.publisher("b").unwrap().emit_batch(0..5).unwrap();
    panel.close();
    assert!(!panel.close());
    drop(panel);
    bus.reset();
    bus.close();
    assert!(!bus.close());
    drop(other);
    let fields = [
        "bus",
        "subscription",
        "patterns",
        "capacity",
        "depth",
        "received",
        "dropped",
        "subscribers",
    ];
    let debugs = told().into_iter().filter(|told| told.level == "DEBUG");
    let lines: Vec<String> = debugs
        .map(|told| {
            told.line(&fields)
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect();
    assert_eq!(
        lines,
        [
            "DEBUG subscribed: ui panel [Pattern(\"a.*\"), Pattern(\"b\")] 3",
            "DEBUG subscribed: ui [Pattern(\"c\")] 200",
            "DEBUG a subscription was refused: ui late",
            "DEBUG a subscription dropped events: ui panel 2",
            "DEBUG a subscription was closed: ui panel 3",
            "DEBUG unsubscribed: ui panel 3 2",
            "DEBUG the bus was reset: ui 1",
            "DEBUG the bus was closed: ui 0",
            "DEBUG unsubscribed: ui 0 0",
        ]
    );
}

#[test]
fn who_listens_may_emit_on_the_same_bus_and_hears_nothing_of_that() {
    let bus: Bus<u32> = Bus::builder().capacity(8).build().unwrap();
    let sub = bus.subscribe_all().unwrap();
    let (again, inner) = (bus.clone(), Arc::new(Mutex::new(0)));
    let count = Arc::clone(&inner);
    listen_and(move |_| {
        again.emit("log", 0).unwrap();
        *count.lock().unwrap() += 1;
    });
    for n in 1..=3 {
        bus.emit("n", n).unwrap();
    }
    assert_eq!(*inner.lock().unwrap(), 3);
    assert_eq!(told().len(), 3);
    // Each after what it was told of.
    let topics: Vec<String> = sub
        .try_iter()
        .map(|event| event.topic().to_string())
        .collect();
    assert_eq!(topics, ["n", "log", "n", "log", "n", "log"]);
    ACT.set(None);
}

#[test]
fn who_listens_to_drops_may_make_more_of_them() {
    let bus: Bus<u32> = Bus::new();
    let sub = bus
        .subscription("**")
        .name("slow")
        .capacity(1)
        .subscribe()
        .unwrap();
    let again = bus.clone();
    listen_and(move |_| {
        again.emit("log", 0).unwrap();
    });
    for n in 1..=3 {
        bus.emit("n", n).unwrap();
    }
    // What was dropped while nobody was told comes with the next that is told; only the last one's are not.
    let counts: u64 = told_as("a subscription dropped events")
        .iter()
        .map(|t| t.field("count").parse::<u64>().unwrap())
        .sum();
    assert_eq!(sub.received() + sub.dropped(), bus.stats().emitted);
    assert!(
        counts <= sub.dropped() && counts >= sub.dropped() - 3,
        "{counts}"
    );
    ACT.set(None);
}

#[test]
fn who_listens_may_do_anything_on_the_bus() {
    let bus: Bus<u32> = Bus::builder().name("busy").build().unwrap();
    let here = bus.clone();
    listen_and(move |_| {
        let _ = here.stats();
        if let Ok(sub) = here.subscribe("other") {
            sub.close();
        }
        drop(here.publisher("x"));
        here.reset();
    });
    let sub = bus.subscription("n").capacity(1).subscribe().unwrap();
    bus.emit("n", 1).unwrap();
    drop(sub);
    bus.close();
    let messages: Vec<String> = told().into_iter().map(|told| told.message).collect();
    assert_eq!(
        messages,
        [
            "subscribed",
            "emitted",
            "unsubscribed",
            "the bus was closed"
        ]
    );
    ACT.set(None);
}

#[test]
fn a_panic_of_who_listens_is_reported_and_changes_nothing() {
    let caught = Arc::new(Mutex::new(Vec::new()));
    let report = Arc::clone(&caught);
    let bus = Bus::<u32>::builder()
        .on_panic(move |panic| {
            let name = panic.subscription().map(str::to_owned);
            report
                .lock()
                .unwrap()
                .push((panic.place(), panic.message().to_owned(), name));
        })
        .build()
        .unwrap();
    listen_and(|_| panic!("the disk of the log is full"));
    let sub = bus
        .subscription("n")
        .name("slow")
        .capacity(1)
        .subscribe()
        .unwrap();
    let other = bus.subscribe("n").unwrap();
    assert_eq!(bus.emit("n", 1).unwrap().delivered, 2);
    let emitted = bus.publisher("n").unwrap().emit(2).unwrap();
    assert_eq!((emitted.delivered, emitted.dropped), (1, 1));
    assert_eq!(bus.emit("n..", 7).unwrap_err().into_payload(), 7);
    drop(sub);
    bus.close();
    assert_eq!(other.try_iter().count(), 2);
    ACT.set(None);

    let caught = caught.lock().unwrap();
    assert!(caught.iter().all(|(place, said, _)| {
        *place == PanicPlace::Tracing && said == "the disk of the log is full"
    }));
    // Two came, two emits, a drop, a refusal, one went, and the end.
    assert_eq!(caught.len(), 8, "{caught:?}");
    assert_eq!(caught[3].2.as_deref(), Some("slow"));
    // It is told again, once it does not panic.
    told();
    let bus: Bus<u32> = Bus::new();
    bus.emit("a", 1).unwrap();
    assert_eq!(told_as("emitted").len(), 1);
}

#[test]
fn a_panic_of_who_listens_is_reported_with_whose_news_it_was() {
    let caught = Arc::new(Mutex::new(Vec::new()));
    let report = Arc::clone(&caught);
    let bus = Bus::<u32>::builder()
        .max_subscribers(1)
        .on_panic(move |panic| {
            let whose = (
                panic.subscription().map(str::to_owned),
                panic.subscription_id().is_some(),
                panic.location().map(|location| location.line()),
            );
            report.lock().unwrap().push(whose);
        })
        .build()
        .unwrap();
    let sub = bus.subscription("n").name("mailer").capacity(4);
    let sub = sub.high_water(1).low_water(0).subscribe().unwrap();
    listen_and(|told| {
        if told.message.starts_with("a subscription") {
            panic!("the disk of the log is full");
        }
    });
    bus.emit("n", 1).unwrap();
    let refused = line!() + 1;
    let late = bus.subscription("n").name("late").subscribe();
    ACT.set(None);
    assert!(late.is_err());
    let expected = [
        (Some("mailer".to_owned()), true, Some(sub.location().line())),
        (Some("late".to_owned()), false, Some(refused)),
    ];
    assert_eq!(*caught.lock().unwrap(), expected);
}
#[test]
fn a_panic_of_who_listens_to_handlers_stays_there_too() {
    let handlers = Handlers::<u32>::new();
    let calls = Arc::new(Mutex::new(0));
    let count = Arc::clone(&calls);
    listen_and(|_| panic!("no log today"));
    let guard = handlers.on("a").call(move |_| *count.lock().unwrap() += 1);
    guard.unwrap();
    handlers.on("a").handle(|_, _| Err("no".into())).unwrap();
    let report = Emitter::inline(&handlers).emit("a", 1).unwrap();
    ACT.set(None);
    assert_eq!((report.called, report.failed), (2, 1));
    assert_eq!(*calls.lock().unwrap(), 1);
    assert!(!told().is_empty());
}

#[test]
fn hostile_names_are_values_of_fields_and_long_texts_are_cut() {
    listen();
    let name = "a\nWARN forged: \u{1b}[31m\"";
    let bus: Bus<u32> = Bus::builder().name(name).build().unwrap();
    let _sub = bus.subscription("a").name(name).subscribe().unwrap();
    let long = "é".repeat(100_000) + "*";
    bus.emit(&long, 1).unwrap_err();
    let told = told();
    assert_eq!(
        (told[0].message.as_str(), told[0].field("subscription")),
        ("subscribed", name)
    );
    let refused = told.last().unwrap();
    assert_eq!(refused.field("topic").chars().count(), 256);
    assert!(
        refused.field("error").len() < 1_000,
        "{}",
        refused.field("error").len()
    );
}

/// What is told comes after the pushes, and what happens in it is part of no count of the emit.
#[test]
fn an_event_is_in_every_queue_when_its_emit_is_told() {
    let bus: Bus<u32> = Bus::new();
    let (one, two) = (bus.subscribe("n").unwrap(), bus.subscribe("n").unwrap());
    let lens: Arc<Mutex<Vec<_>>> = Arc::default();
    let (see_one, see_two, note) = (one.share(), two.share(), Arc::clone(&lens));
    listen_and(move |_| note.lock().unwrap().push((see_one.len(), see_two.len())));
    bus.emit("n", 1).unwrap();
    bus.publisher("n").unwrap().emit_batch([2, 3]).unwrap();
    assert_eq!(*lens.lock().unwrap(), [(1, 1), (3, 3)]);
    ACT.set(None);
}

/// Which bus, which subscription, made where.
const WHO: [&str; 5] = ["bus", "bus_id", "subscription", "id", "place"];

#[test]
fn who_drops_is_found_by_place_and_number_without_any_name() {
    listen();
    let (one, two) = (Bus::<u32>::new(), Bus::<u32>::new());
    let mut expected = Vec::new();
    for bus in [&one, &two] {
        let sub = bus.subscription("n").capacity(1).subscribe().unwrap();
        let who = format!("{} {} {}", bus.view().id(), sub.id(), sub.location());
        let line = |message| format!("{message}:  {}", who.replacen(' ', "  ", 1));
        bus.publisher("n").unwrap().emit_batch([1, 2]).unwrap();
        sub.close();
        drop(sub);
        expected.extend([
            line("DEBUG subscribed"),
            line("WARN a subscription begins to drop events"),
            line("DEBUG a subscription dropped events"),
            line("DEBUG a subscription was closed"),
            line("DEBUG unsubscribed"),
        ]);
    }
    let told = told();
    let (emits, others): (Vec<&Told>, Vec<&Told>) =
        told.iter().partition(|told| told.level == "TRACE");
    let lines: Vec<String> = others.iter().map(|told| told.line(&WHO)).collect();
    assert_eq!(lines, expected);
    assert_ne!(one.view().id(), two.view().id());
    let emits: Vec<&str> = emits.iter().map(|told| told.field("bus_id")).collect();
    assert_eq!(
        emits,
        [one.view().id().to_string(), two.view().id().to_string()]
    );
}

#[test]
fn a_refused_subscription_is_told_with_the_place_that_asked() {
    listen();
    let bus = Bus::<u32>::new();
    bus.close();
    let line = line!() + 1;
    bus.subscribe("n").unwrap_err();
    let refused = told_as("a subscription was refused");
    let place = refused[0].field("place");
    assert!(
        place.starts_with(&format!("{}:{line}:", file!())),
        "{place}"
    );
    assert_eq!(refused[0].field("bus_id"), bus.view().id().to_string());
}

#[test]
fn panics_are_told_with_whose_they_are_and_a_warning_comes_when_they_begin() {
    listen();
    let time = ManualClock::new();
    let bus = Bus::<u32>::builder().name("ui");
    let bus = bus.clock(Clock::manual(&time)).build().unwrap();
    let sub = bus.subscription("n").name("even");
    let sub = sub.filter(|event| panic!("{} is odd", event.payload()));
    let sub = sub.subscribe().unwrap();
    let tap = bus.tap("n", |_| panic!("no tap today")).unwrap();
    let tap_place = bus.view().taps()[0].location;
    let lines = || -> Vec<String> {
        let fields = [
            "subscription",
            "id",
            "tap",
            "topic",
            "what",
            "panic",
            "panics",
        ];
        let told = told()
            .into_iter()
            .filter(|told| !told.field("panic").is_empty());
        told.map(|told| {
            assert_eq!(told.field("bus"), "ui");
            assert_eq!(told.field("bus_id"), bus.view().id().to_string());
            let place = match told.field("tap") {
                "" => sub.location(),
                _ => tap_place,
            };
            assert_eq!(told.field("place"), place.to_string());
            told.line(&fields)
        })
        .collect()
    };
    let (begins, again) = (
        "WARN code of the program begins to panic: ",
        "DEBUG code of the program panicked: ",
    );
    bus.emit("n", 1).unwrap();
    // The filter's before the tap's, as they were called.
    let (filter, tapped) = (
        "even 0  n a filter 1 is odd 1",
        "  1 n a tap no tap today 1",
    );
    let expected = [filter, tapped].map(|line| [begins, again].map(|said| format!("{said}{line}")));
    assert_eq!(lines(), expected.concat());
    drop(tap);
    // While it goes on it is no news.
    for (n, panics) in [(3, 2), (5, 3)] {
        time.advance(Duration::from_secs(10) - Duration::from_nanos(1));
        bus.emit("n", n).unwrap();
        let line = format!("{again}even 0  n a filter {n} is odd {panics}");
        assert_eq!(lines(), [line]);
    }
    time.advance(Duration::from_secs(10));
    bus.emit("n", 7).unwrap();
    let line = "even 0  n a filter 7 is odd 4";
    assert_eq!(
        lines(),
        [format!("{begins}{line}"), format!("{again}{line}")]
    );
    assert_eq!(sub.filter_panics(), 4);
}

#[test]
fn a_panic_in_a_derivation_is_told_with_the_place_of_the_derived_bus() {
    listen();
    let bus = Bus::<u32>::new();
    let derived = bus.filtered(|_| panic!("no twos"));
    let _sub = derived.subscribe_all().unwrap();
    told();
    bus.emit("n", 2).unwrap();
    let panicked = told_as("code of the program panicked");
    assert_eq!(panicked.len(), 1);
    assert_eq!(
        panicked[0].line(&["bus_id", "what", "place", "panic"]),
        format!(
            "DEBUG code of the program panicked: {} a predicate or a mapping {} no twos",
            bus.view().id(),
            derived.view().location()
        )
    );
}

#[test]
fn a_panic_of_what_is_nobodys_is_told_all_the_same() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in a destructor");
        }
    }
    listen();
    let bus = Bus::<Bomb>::new();
    bus.emit("n", Bomb).unwrap();
    let panicked = told_as("code of the program panicked");
    assert_eq!(panicked.len(), 1);
    assert_eq!(
        panicked[0].line(&["bus_id", "what", "place", "panic"]),
        "DEBUG code of the program panicked:  a destructor  in a destructor"
    );
}

/// A panic of who listens, as it hears of a panic, is told to the hook alone.
#[test]
fn who_listens_to_panics_may_panic_too() {
    let caught = Arc::new(Mutex::new(Vec::new()));
    let report = Arc::clone(&caught);
    let bus = Bus::<u32>::builder()
        .on_panic(move |panic| report.lock().unwrap().push(panic.to_string()))
        .build()
        .unwrap();
    let sub = bus.subscription("n").filter(|_| panic!("no filter today"));
    let sub = sub.subscribe().unwrap();
    listen_and(|told| {
        if !told.field("panic").is_empty() {
            panic!("no log today");
        }
    });
    assert_eq!(bus.emit("n", 1).unwrap().filtered, 1);
    ACT.set(None);
    assert_eq!(told_as("code of the program begins to panic").len(), 1);
    let of = format!("of subscription 0, made at {}, panicked", sub.location());
    assert_eq!(
        *caught.lock().unwrap(),
        [
            format!("what listens to tracing {of} at topic `n`: no log today"),
            format!("a filter {of} at topic `n`: no filter today"),
        ]
    );
}

/// The level's numbers run the other way round: what is graver is less.
#[test]
fn only_the_beginning_of_drops_is_graver_than_debugging() {
    listen();
    let seen = Cell::new(0);
    let bus: Bus<u32> = Bus::builder().capacity(1).build().unwrap();
    let sub = bus.subscribe("n").unwrap();
    for n in 0..100 {
        bus.emit("n", n).unwrap();
    }
    drop(sub);
    bus.close();
    for told in told() {
        let level: Level = told.level.parse().unwrap();
        seen.set(seen.get() + u32::from(level < Level::DEBUG));
    }
    assert_eq!(seen.get(), 1);
}
