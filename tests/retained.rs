//! State, then changes: the latest event of each topic, for those who come later.
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;
#[path = "retained/model.rs"]
mod model;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use chanbus::{
    Bus, BusBuilder, Event, Overflow, PanicPlace, Pattern, Retained, Retention, SubscribeError,
    Subscription, Syntax,
};
use common::{Census, Counted, Hooked, guarded, hooked, soaked};
use crossbeam_channel::Select;

/// Topics and numbers, in order.
fn state(retained: &Retained<u32>) -> Vec<(String, u32)> {
    let latest = retained.latest();
    latest.iter().map(parts).collect()
}

fn parts(event: &Event<u32>) -> (String, u32) {
    (event.topic().to_string(), *event.payload())
}

fn drained(sub: &Subscription<u32>) -> Vec<u32> {
    sub.try_iter().map(|event| *event.payload()).collect()
}

fn late(bus: &Bus<u32>, patterns: &str) -> Subscription<u32> {
    let sub = bus.subscription(patterns).with_retained();
    sub.subscribe().unwrap()
}

/// A way to emit, and its name.
type Way = (&'static str, fn(&Bus<u32>, u32));

/// Every way to emit one event of the topic `a.b`.
fn ways() -> Vec<Way> {
    vec![
        ("emit", |bus, n| {
            bus.emit("a.b", n).unwrap();
        }),
        ("event", |bus, n| {
            let draft = bus.event("a.b", n).source("x").metadata("k", 1);
            draft.emit().unwrap();
        }),
        ("emit_event", |bus, n| {
            bus.emit_event(Event::new("a.b", n).unwrap()).unwrap();
        }),
        ("emit_within", |bus, n| {
            bus.emit_within("a.b", n, Duration::ZERO).unwrap();
        }),
        ("broadcast", |bus, n| {
            bus.broadcast("a.b", n).unwrap();
        }),
        ("publisher", |bus, n| {
            bus.publisher("a.b").unwrap().emit(n).unwrap();
        }),
        ("publisher with a source", |bus, n| {
            let publisher = bus.publisher("a.b").unwrap().with_source("x");
            publisher.emit(n).unwrap();
        }),
        ("publisher, within", |bus, n| {
            let publisher = bus.publisher("a.b").unwrap();
            publisher.emit_within(n, Duration::ZERO).unwrap();
        }),
        ("publisher, event", |bus, n| {
            let publisher = bus.publisher("a.b").unwrap();
            publisher.event(n).metadata("k", 1).emit().unwrap();
        }),
        ("emit_batch", |bus, n| {
            let publisher = bus.publisher("a.b").unwrap();
            publisher.emit_batch([0, n]).unwrap();
        }),
        ("batch", |bus, n| {
            let mut batch = bus.start_batch();
            batch.emit("a.b", 0).unwrap();
            batch.emit("a.x", 0).unwrap();
            batch.emit("a.b", n).unwrap();
            batch.commit().unwrap();
        }),
        ("with a cause", |bus, n| {
            let event = Event::new("cause", ()).unwrap();
            chanbus::Cause::scope(&event, || bus.emit("a.b", n)).unwrap();
        }),
    ]
}

#[test]
fn retained_every_way_to_emit_is_kept_whoever_listens() {
    let builders: [fn() -> BusBuilder<u32>; 2] = [Bus::builder, || Bus::builder().history(3)];
    for builder in builders {
        for (name, emit) in ways() {
            // Nobody, a plain subscription, a filter, a tap.
            for listens in 0..4 {
                let bus = builder().build().unwrap();
                let sub = (listens == 1).then(|| bus.subscribe("a.b").unwrap());
                let filtered = (listens == 2)
                    .then(|| bus.subscription("a.b").filter(|_| false).subscribe())
                    .transpose()
                    .unwrap();
                let tap = (listens == 3).then(|| bus.tap("a.b", |_| {}).unwrap());
                // The route is known before there is a store.
                emit(&bus, 1);
                let retained = bus.retained("a.b").unwrap();
                assert!(retained.is_empty(), "{name}");
                emit(&bus, 2);
                assert_eq!(state(&retained), [("a.b".into(), 2)], "{name}, {listens}");
                assert_eq!(drained(&late(&bus, "**")), [2], "{name}, {listens}");
                assert_eq!(bus.stats().retained, 1);
                if let Some(sub) = sub {
                    assert_eq!(drained(&sub).last(), Some(&2), "{name}");
                }
                drop((filtered, tap));
                // And afterwards there is none.
                drop(retained);
                emit(&bus, 3);
                assert_eq!(bus.stats().retained, 0);
                assert!(late(&bus, "**").is_empty(), "{name}");
            }
        }
    }
}

#[test]
fn retained_publishers_that_were_there_before_see_it_and_see_it_go() {
    let census = Census::new();
    let bus = Bus::new();
    let publisher = bus.publisher("a").unwrap();
    let silent: Bus<u32> = Bus::new();
    let number = silent.publisher("a").unwrap();
    for _ in 0..3 {
        publisher.emit(census.born()).unwrap();
        // Remembers that nobody listens.
        number.emit(1).unwrap();
    }
    for round in 0..3 {
        let retained = bus.retained("a").unwrap();
        let numbers = silent.retained("a").unwrap();
        publisher.emit(census.born()).unwrap();
        publisher.emit(census.born()).unwrap();
        number.emit(round).unwrap();
        assert_eq!((retained.len(), census.alive()), (1, 1));
        assert_eq!(*numbers.get("a").unwrap().payload(), round);
        drop(retained);
        assert_eq!(census.alive(), 0);
        publisher.emit(census.born()).unwrap();
        assert_eq!(census.alive(), 0);
    }
    assert_eq!(bus.stats().emitted, 12);
    assert_eq!(silent.stats().emitted, 6);
}

#[test]
fn retained_keeps_what_its_patterns_match() {
    let bus = Bus::new();
    let some = bus.retained(["a.*", "*.b", "c.**"]).unwrap();
    let flat = bus.retained([Pattern::flat("a*").unwrap()]).unwrap();
    for (number, topic) in ["a.b", "x.b", "a.b.c", "c", "c.d.e", "b"]
        .iter()
        .enumerate()
    {
        bus.emit(topic, number as u32).unwrap();
    }
    let topics = |it: &Retained<u32>| state(it).into_iter().map(|it| it.0).collect::<Vec<_>>();
    assert_eq!(topics(&some), ["a.b", "x.b", "c", "c.d.e"]);
    assert_eq!(topics(&flat), ["a.b", "a.b.c"]);
    assert_eq!(bus.stats().retained, 6);
    assert_eq!(
        some.patterns(),
        ["a.*", "*.b", "c.**"].map(|text| Pattern::new(text).unwrap())
    );
    assert_eq!(flat.patterns()[0].syntax(), Syntax::Flat);
    assert!(some.get("b").is_none() && some.get("no topic").is_none());
    // It takes no slot, and is no subscription.
    assert_eq!(bus.subscriber_count(), 0);
}

#[test]
fn retained_refuses_new_topics_or_forgets_old_ones_when_full() {
    let bus = Bus::new();
    let first = bus.retention("*").capacity(2).retain().unwrap();
    let recent = bus
        .retention("*")
        .capacity(2)
        .when_full(Retention::ForgetOldest)
        .retain()
        .unwrap();
    for (number, topic) in ["a", "b", "a", "c", "c", "b"].iter().enumerate() {
        bus.emit(topic, number as u32).unwrap();
    }
    // "b" changed longest ago when "c" came, and "a" when "b" came again.
    assert_eq!(state(&first), [("a".into(), 2), ("b".into(), 5)]);
    assert_eq!((first.refused(), first.forgotten()), (2, 0));
    assert_eq!(state(&recent), [("c".into(), 4), ("b".into(), 5)]);
    assert_eq!((recent.refused(), recent.forgotten()), (0, 2));
    // Over all stores, each topic once, in the order of the emits.
    assert_eq!(drained(&late(&bus, "*")), [2, 4, 5]);
    // A topic that was forgotten makes room.
    assert_eq!(*first.forget("a").unwrap().payload(), 2);
    assert!(first.forget("a").is_none());
    bus.emit("c", 6).unwrap();
    assert_eq!(state(&first), [("b".into(), 5), ("c".into(), 6)]);
    assert_eq!((first.refused(), first.capacity()), (2, 2));
    bus.reset();
    assert_eq!((first.refused(), recent.forgotten()), (0, 0));
}

#[test]
fn retained_with_room_for_one_topic() {
    for when_full in [Retention::RefuseNew, Retention::ForgetOldest] {
        let bus = Bus::new();
        let one = bus.retention("**").capacity(1).when_full(when_full);
        let one = one.retain().unwrap();
        let mut batch = bus.start_batch();
        for (topic, number) in [("a", 1), ("a", 2), ("b", 3), ("b", 4), ("a", 5)] {
            batch.emit(topic, number).unwrap();
        }
        batch.commit().unwrap();
        assert_eq!(state(&one), [("a".into(), 5)]);
        let counts = (one.refused(), one.forgotten());
        match when_full {
            Retention::RefuseNew => assert_eq!(counts, (2, 0)),
            _ => assert_eq!(counts, (0, 2)),
        }
    }
}

#[test]
fn retained_errors_say_what_to_do() {
    let bus: Bus<u32> = Bus::new();
    let zero = bus.retention("a").capacity(0).retain().unwrap_err();
    assert_eq!(zero, SubscribeError::ZeroRetained);
    assert!(zero.is_bad_capacity());
    assert!(zero.to_string().contains("`RetainedBuilder::capacity`"));
    assert!(bus.retained("a..b").unwrap_err().is_bad_patterns());
    assert!(bus.retained([""; 0]).unwrap_err().is_bad_patterns());
    bus.close();
    assert!(bus.retained("a").unwrap_err().is_closed());
    assert_eq!(bus.stats().retained, 0);
}

#[test]
fn retained_comes_first_under_every_policy_and_outside_of_the_capacity() {
    for overflow in common::POLICIES {
        let bus = Bus::new();
        let _retained = bus.retained("*").unwrap();
        for number in 0..5 {
            bus.emit(format!("t{number}"), number).unwrap();
        }
        let sub = bus.subscription("*").with_retained().overflow(overflow);
        let sub = sub.capacity(2).subscribe().unwrap();
        for number in 10..13 {
            bus.emit("t0", number).unwrap();
        }
        let live: &[u32] = match overflow {
            Overflow::DropOldest => &[11, 12],
            Overflow::Latest => &[12],
            _ => &[10, 11],
        };
        assert_eq!(sub.len(), 5 + live.len());
        let (mine, theirs) = (sub.share(), sub.share());
        let mut seen = Vec::new();
        while let Ok(event) = mine.try_recv().or_else(|_| theirs.try_recv()) {
            seen.push(*event.payload());
        }
        assert_eq!(seen, [&[0, 1, 2, 3, 4], live].concat(), "{overflow:?}");
        assert_eq!((sub.received(), sub.matched()), (live.len() as u64, 3));
        // Other patterns bring nothing of the past.
        sub.set_patterns("**").unwrap();
        assert!(sub.is_empty());
    }
}

#[test]
fn retained_and_a_replay_join_without_a_duplicate() {
    let bus = Bus::builder().history(4).build().unwrap();
    let _retained = bus.retained(["a", "b"]).unwrap();
    let _again = bus.retained("**").unwrap();
    for (number, topic) in ["b", "a", "c", "a", "c", "a"].iter().enumerate() {
        bus.emit(topic, number as u32).unwrap();
    }
    let joined = |patterns: &[&str], replay| {
        let sub = bus.subscription(patterns).with_retained().replay(replay);
        drained(&sub.subscribe().unwrap())
    };
    // The history has 2 to 5; the state is b 0, c 4, a 5.
    assert_eq!(joined(&["**"], 0), [0, 4, 5]);
    assert_eq!(joined(&["**"], 1), [0, 4, 5]);
    assert_eq!(joined(&["**"], 3), [0, 3, 4, 5]);
    assert_eq!(joined(&["**"], 9), [0, 2, 3, 4, 5]);
    assert_eq!(joined(&["a"], 2), [3, 5]);
    assert_eq!(joined(&["b", "c"], 1), [0, 4]);
    // The same event emitted twice is two emits.
    let event = Event::new("a", 7).unwrap();
    bus.emit_event(event.clone()).unwrap();
    bus.emit_event(event).unwrap();
    assert_eq!(joined(&["a"], 2), [7, 7]);
    assert_eq!(joined(&["a"], 0), [7]);
}

#[test]
fn retained_passes_the_filter_and_its_panics() {
    let reported = Arc::new(Mutex::new(Vec::new()));
    let report = Arc::clone(&reported);
    let bus: Bus<u32> = Bus::builder()
        .on_panic(move |panic| {
            let said = (panic.place(), panic.message().to_owned());
            report.lock().unwrap().push(said);
        })
        .build()
        .unwrap();
    let _retained = bus.retained("*").unwrap();
    for number in 0..6 {
        bus.emit(format!("t{number}"), number).unwrap();
    }
    let sub = bus.subscription("*").with_retained().filter(|event| {
        assert!(*event.payload() != 3, "not three");
        event.payload() % 2 == 1
    });
    let sub = sub.subscribe().unwrap();
    assert_eq!(drained(&sub), [1, 5]);
    assert_eq!((sub.filtered(), sub.filter_panics()), (0, 1));
    let said = [(PanicPlace::Filter, "not three".to_owned())];
    assert_eq!(*reported.lock().unwrap(), said);
    // One that is asked about what is retained may emit, retain, and subscribe.
    guarded(move || {
        let weak = bus.downgrade();
        let sub = bus.subscription("t1").with_retained().filter(move |event| {
            let bus = weak.upgrade().unwrap();
            let retained = bus.retained("inner").unwrap();
            bus.emit("inner", event.payload() + 10).unwrap();
            *late(&bus, "inner").recv().unwrap().payload() == 11 && retained.len() == 1
        });
        let sub = sub.subscribe().unwrap();
        assert_eq!(drained(&sub), [1]);
    });
}

#[test]
fn retained_is_dropped_there_and_then_whichever_way_it_ends() {
    /// How the holding ends.
    type End = fn(Bus<Counted>, Retained<Counted>) -> Option<Retained<Counted>>;
    let ends: [(&str, End); 7] = [
        ("guard, bus", |bus, retained| {
            drop(retained);
            assert_eq!(bus.stats().retained, 0);
            None
        }),
        ("bus, guard", |bus, retained| {
            drop(bus);
            Some(retained)
        }),
        ("close, guard", |bus, retained| {
            bus.close();
            assert_eq!(bus.stats().retained, 0);
            Some(retained)
        }),
        ("close, bus, guard", |bus, retained| {
            bus.close();
            bus.reset();
            drop(bus);
            Some(retained)
        }),
        ("reset", |bus, retained| {
            bus.reset();
            assert_eq!(bus.stats().retained, 0);
            Some(retained)
        }),
        ("clear", |_, retained| {
            retained.clear();
            Some(retained)
        }),
        ("forget", |_, retained| {
            for number in 0..4 {
                drop(retained.forget(format!("t{number}")).unwrap());
            }
            Some(retained)
        }),
    ];
    for history in [0, 2] {
        for (name, end) in ends {
            let census = Census::new();
            let bus = Bus::builder().history(history).build().unwrap();
            let retained = bus.retained("**").unwrap();
            let publisher = bus.publisher("t0").unwrap();
            for number in 0..8 {
                let topic = format!("t{}", number % 4);
                bus.emit(topic, census.born()).unwrap();
            }
            publisher.emit(census.born()).unwrap();
            assert_eq!((retained.len(), census.alive()), (4, 4), "{name}");
            let held = bus.clone();
            let retained = end(bus, retained);
            if name != "bus, guard" && !name.starts_with("close") && name != "reset" {
                // The history goes with the bus.
                held.reset();
            }
            drop(held);
            assert_eq!(census.alive(), 0, "{name}, history {history}");
            // A guard does not keep the bus open.
            assert!(publisher.emit(census.born()).is_err(), "{name}");
            if let Some(retained) = retained {
                assert!(retained.is_empty() && retained.latest().is_empty());
                assert!(retained.get("t0").is_none() && retained.forget("t0").is_none());
                retained.clear();
                let shown = format!("{retained:?}");
                assert!(shown.contains("len: Some(0)"), "{shown}");
            }
            assert_eq!(census.alive(), 0, "{name}, history {history}");
        }
    }
}

#[test]
fn retained_goes_on_after_a_reset_and_after_clear() {
    let bus = Bus::new();
    let retained = bus.retained("*").unwrap();
    let publisher = bus.publisher("a").unwrap();
    publisher.emit(1).unwrap();
    bus.reset();
    publisher.emit(2).unwrap();
    assert_eq!(state(&retained), [("a".into(), 2)]);
    retained.clear();
    assert!(late(&bus, "*").is_empty());
    bus.emit("b", 3).unwrap();
    publisher.emit(4).unwrap();
    assert_eq!(drained(&late(&bus, "*")), [3, 4]);
}

/// What ends an event that is retained.
type Replace = (&'static str, fn(&Bus<Hooked>, Retained<Hooked>));

fn replacements() -> [Replace; 7] {
    [
        ("emit", |bus, _retained| {
            bus.emit("a", None).unwrap();
        }),
        ("publisher", |bus, _retained| {
            bus.publisher("a").unwrap().emit(None).unwrap();
        }),
        ("emit_batch", |bus, _retained| {
            bus.publisher("a").unwrap().emit_batch([None]).unwrap();
        }),
        ("broadcast", |bus, _retained| {
            bus.broadcast("a", None).unwrap();
        }),
        ("drop", |_, retained| drop(retained)),
        ("clear", |_, retained| retained.clear()),
        ("reset", |bus, _retained| bus.reset()),
    ]
}

#[test]
fn p10_what_is_replaced_may_use_the_bus_and_comes_after_what_replaced_it() {
    for (name, replace) in replacements() {
        guarded(move || {
            let bus: Bus<Hooked> = Bus::new();
            let retained = bus.retained("*").unwrap();
            let live = bus.subscribe("*").unwrap();
            let seen = Arc::new(Mutex::new(None));
            let (weak, tell) = (bus.downgrade(), Arc::clone(&seen));
            let last = hooked(move || {
                let bus = weak.upgrade().unwrap();
                let other = bus.retained("*").unwrap();
                bus.emit("after", None).unwrap();
                let late = bus.subscription("*").with_retained();
                let late = late.subscribe().unwrap();
                let topics = late.try_iter().map(|it| it.topic().to_string());
                *tell.lock().unwrap() = Some((topics.collect::<Vec<_>>(), other.len()));
            });
            bus.emit("a", last).unwrap();
            // From here on the store alone has it.
            drop(live.recv().unwrap());
            replace(&bus, retained);
            let (topics, others) = seen.lock().unwrap().take().unwrap();
            assert_eq!(others, 1, "{name}");
            let state: &[&str] = match name {
                "drop" | "clear" | "reset" => &["after"],
                _ => &["a", "after"],
            };
            assert_eq!(topics, state, "{name}");
            let order: Vec<_> = live.try_iter().map(|it| it.topic().to_string()).collect();
            let live: &[&str] = if name == "reset" { &[] } else { state };
            assert_eq!(order, live, "{name}");
        });
    }
}

#[test]
fn p11_destructors_of_what_is_retained_may_panic() {
    for (name, replace) in replacements() {
        let panics = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&panics);
        let bus: Bus<Hooked> = Bus::builder()
            .on_panic(move |panic| {
                assert_eq!(panic.place(), PanicPlace::Destructor);
                count.fetch_add(1, Ordering::SeqCst);
            })
            .build()
            .unwrap();
        let retained = bus.retained("*").unwrap();
        bus.emit("a", hooked(|| panic!("on the way out"))).unwrap();
        replace(&bus, retained);
        assert_eq!(panics.load(Ordering::SeqCst), 1, "{name}");
        // Nothing is poisoned.
        let retained = bus.retained("*").unwrap();
        bus.emit("a", None).unwrap();
        assert_eq!(retained.len(), 1, "{name}");
    }
}

#[test]
fn retained_when_full_drops_what_it_forgot_outside_of_its_lock() {
    guarded(|| {
        let bus: Bus<Hooked> = Bus::new();
        let retained = bus.retention("*").capacity(1);
        let retained = retained.when_full(Retention::ForgetOldest);
        let retained = Arc::new(retained.retain().unwrap());
        let (mine, seen) = (Arc::downgrade(&retained), Arc::new(AtomicU64::new(0)));
        let tell = Arc::clone(&seen);
        let last = hooked(move || {
            let retained = mine.upgrade().unwrap();
            assert_eq!(retained.latest()[0].topic(), "b");
            tell.fetch_add(retained.forgotten(), Ordering::SeqCst);
        });
        bus.emit("a", last).unwrap();
        bus.emit("b", None).unwrap();
        assert_eq!(seen.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn p2_an_emit_that_begins_after_retained_returned_is_kept() {
    guarded(|| {
        let bus = Bus::<u64>::new();
        let (began, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let stop = Arc::new(AtomicBool::new(false));
        let emitter = {
            let (bus, stop) = (bus.clone(), Arc::clone(&stop));
            let (began, ended) = (Arc::clone(&began), Arc::clone(&ended));
            thread::spawn(move || {
                let publisher = bus.publisher("n").unwrap();
                for number in 1.. {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    began.store(number, Ordering::SeqCst);
                    match number % 3 {
                        0 => bus.emit("n", number).unwrap(),
                        1 => publisher.emit(number).unwrap(),
                        _ => publisher.emit_batch([number]).unwrap(),
                    };
                    ended.store(number, Ordering::SeqCst);
                }
            })
        };
        for round in 0..soaked(1_000) {
            let retained = bus.retained("n").unwrap();
            // That one may have begun before.
            let before = began.load(Ordering::SeqCst);
            let mut after = before;
            while after <= before {
                thread::yield_now();
                after = ended.load(Ordering::SeqCst);
            }
            let kept = *retained.get("n").expect("kept").payload();
            assert!(kept >= after, "round {round}: {kept} kept after {after}");
        }
        stop.store(true, Ordering::SeqCst);
        emitter.join().unwrap();
    });
}

/// Each topic has one emitter, which counts; so for whoever joins, the first value that it sees of a topic is
/// followed by all others.
#[test]
fn p3_state_and_changes_join_without_gap_duplicate_or_inversion() {
    for history in [0, 30] {
        guarded(move || {
            const TOPICS: u64 = 6;
            const STEP: u64 = 24;
            let bus = Bus::<u64>::builder()
                .history(history)
                .capacity((4 * STEP * TOPICS) as usize)
                .build()
                .unwrap();
            let _retained = bus.retained("state.*").unwrap();
            let _also = bus.retained(["state.0", "state.1"]).unwrap();
            let allowed = Arc::new(AtomicU64::new(0));
            let stop = Arc::new(AtomicBool::new(false));
            let emitters: Vec<_> = (0..3)
                .map(|number| {
                    let bus = bus.clone();
                    let (allowed, stop) = (Arc::clone(&allowed), Arc::clone(&stop));
                    thread::spawn(move || {
                        // Two topics each, so that batches have both.
                        let topics = [number, number + 3].map(|it| format!("state.{it}"));
                        let publishers = topics.each_ref().map(|it| bus.publisher(it).unwrap());
                        for next in (0..).step_by(4) {
                            while next >= allowed.load(Ordering::SeqCst) {
                                if stop.load(Ordering::SeqCst) {
                                    return;
                                }
                                thread::yield_now();
                            }
                            for (topic, publisher) in topics.iter().zip(&publishers) {
                                publisher.emit(next).unwrap();
                                bus.emit(topic, next + 1).unwrap();
                            }
                            let mut batch = bus.start_batch();
                            for topic in &topics {
                                batch.emit(topic, next + 2).unwrap();
                            }
                            batch.commit().unwrap();
                            for publisher in &publishers {
                                publisher.emit_batch([next + 3]).unwrap();
                            }
                        }
                    })
                })
                .collect();
            let together = Arc::new(Barrier::new(2));
            let joiners: Vec<_> = (0..2)
                .map(|joiner| {
                    let (bus, allowed) = (bus.clone(), Arc::clone(&allowed));
                    let together = Arc::clone(&together);
                    thread::spawn(move || {
                        let mut begun_with = 0;
                        for round in 0..soaked(500) {
                            // So that neither allows for more than the other's queue holds.
                            together.wait();
                            allowed.fetch_add(STEP / 2, Ordering::SeqCst);
                            let sub = bus.subscription("state.*").with_retained();
                            let sub = sub.replay(if joiner == 0 { 0 } else { 10 });
                            let sub = sub.subscribe().unwrap();
                            let end = allowed.fetch_add(STEP / 2, Ordering::SeqCst) + STEP / 2 - 1;
                            let mut last = HashMap::new();
                            let mut seen = 0;
                            while last.values().filter(|at| **at >= end).count() < TOPICS as usize {
                                let event = sub.recv().unwrap();
                                let (topic, now) = (event.topic().clone(), *event.payload());
                                if let Some(before) = last.insert(topic, now) {
                                    assert_eq!(before + 1, now, "round {round}, event {seen}");
                                }
                                seen += 1;
                            }
                            assert_eq!(sub.dropped(), 0);
                            // The emitters may still be at it: until no event comes in between the looks.
                            begun_with += loop {
                                let received = sub.received();
                                let came = seen + sub.len() as u64;
                                if sub.received() == received {
                                    break came - received;
                                }
                            };
                        }
                        begun_with
                    })
                })
                .collect();
            for joiner in joiners {
                // But for the first rounds every subscription began with every topic.
                let begun_with = joiner.join().unwrap();
                assert!(begun_with >= (soaked(500) - 5) * TOPICS, "{begun_with}");
            }
            stop.store(true, Ordering::SeqCst);
            for emitter in emitters {
                emitter.join().unwrap();
            }
        });
    }
}

#[test]
fn retained_ends_while_others_emit_and_subscribe() {
    guarded(|| {
        let census = Census::new();
        for round in 0..soaked(300) {
            let bus = Bus::<Counted>::new();
            let start = Arc::new(Barrier::new(4));
            let retained = bus.retained("*").unwrap();
            let threads: Vec<_> = (0..3)
                .map(|part| {
                    let (bus, start) = (bus.downgrade(), Arc::clone(&start));
                    let census = census.clone();
                    let strong = bus.upgrade().unwrap();
                    thread::spawn(move || {
                        let publisher = strong.publisher("a").unwrap();
                        start.wait();
                        for _ in 0..20 {
                            match part {
                                // Closed or not: what comes back is dropped.
                                0 => drop(publisher.emit(census.born())),
                                1 => drop(strong.emit("b", census.born())),
                                _ => drop(strong.subscription("*").with_retained().subscribe()),
                            }
                        }
                    })
                })
                .collect();
            start.wait();
            match round % 3 {
                0 => drop(retained),
                1 => {
                    bus.close();
                }
                _ => bus.reset(),
            }
            for thread in threads {
                thread.join().unwrap();
            }
            drop(bus);
            assert_eq!(census.alive(), 0, "round {round}");
        }
    });
}

#[test]
fn p3_what_is_older_than_what_was_asked_for_comes_only_if_it_is_the_latest() {
    let bus = Bus::builder().history(3).build().unwrap();
    let _state = bus.retained("b").unwrap();
    for (number, topic) in ["a", "b", "a"].iter().enumerate() {
        bus.emit(topic, number as u32).unwrap();
    }
    let replayed = |count| {
        let sub = bus.subscription("*").replay(count).with_retained();
        drained(&sub.subscribe().unwrap())
    };
    assert_eq!(replayed(1), [1, 2]);
    assert_eq!(replayed(2), [1, 2]);
    assert_eq!(replayed(3), [0, 1, 2]);
}

#[test]
fn retained_tells_what_it_does_when_it_is_full_and_whether_it_holds_any() {
    for when_full in [Retention::RefuseNew, Retention::ForgetOldest] {
        let bus: Bus<u32> = Bus::new();
        let retained = bus.retention("a").when_full(when_full).retain().unwrap();
        assert_eq!(retained.when_full(), when_full);
        assert!(retained.is_empty());
        bus.emit("a", 1).unwrap();
        assert!(!retained.is_empty());
    }
}

#[test]
fn a_select_is_ready_for_what_was_replayed() {
    let bus = Bus::new();
    let _state = bus.retained("a").unwrap();
    bus.emit("a", 1).unwrap();
    let sub = late(&bus, "a");
    let is_ready = || {
        let mut select = Select::new();
        sub.register(&mut select);
        select.try_ready().is_ok()
    };
    assert!(is_ready());
    assert_eq!(drained(&sub), [1]);
    assert!(!is_ready());
}
