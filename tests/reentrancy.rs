//! Filters, taps, hooks and destructors may call anything on the bus, from any thread (P10).
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use chanbus::{Bus, Cause, EmitError, Event, Overflow, Topic, WeakBus};
use common::places::{Act, PLACES, Stage, use_all_of};
use common::{Hooked, guarded, hooked};

/// Does `act` in every place, and sees that the bus is as good afterwards.
fn in_every_place(act: impl Fn(&WeakBus<Hooked>) + Send + Sync + 'static) {
    let act: Act = Arc::new(act);
    for place in &PLACES {
        let act = Arc::clone(&act);
        place.announce();
        guarded(move || {
            let stage = Stage::new(place, &act);
            (place.run)(&stage);
            assert!(stage.is_done(), "{}: the act was not done", place.name);
            use_all_of(&stage.bus.downgrade());
            assert!(stage.bus.subscriber_count() == 0);
        });
    }
}

/// Runs `act` on another thread and waits for it there.
fn elsewhere(act: fn(&WeakBus<Hooked>)) -> impl Fn(&WeakBus<Hooked>) + Send + Sync {
    move |bus| {
        let bus = bus.clone();
        thread::spawn(move || act(&bus)).join().unwrap();
    }
}

fn reset(bus: &WeakBus<Hooked>) {
    if let Some(bus) = bus.upgrade() {
        bus.reset();
        let _ = bus.emit("other.a", None);
    }
}

#[test]
fn p10_everything_may_be_called_on_the_same_thread() {
    in_every_place(use_all_of);
}

#[test]
fn p10_everything_may_be_called_on_a_thread_that_is_waited_for() {
    in_every_place(elsewhere(use_all_of));
}

#[test]
fn p10_the_bus_may_be_reset_from_inside() {
    in_every_place(reset);
    in_every_place(elsewhere(reset));
}

/// Closes the bus in every place; what the place does afterwards may be refused.
fn close_in_every_place(close: impl Fn(&WeakBus<Hooked>) + Send + Sync + 'static) {
    let close: Act = Arc::new(close);
    for place in &PLACES {
        let close = Arc::clone(&close);
        place.announce();
        guarded(move || {
            let stage = Stage::new(place, &close);
            let bus = stage.bus.clone();
            let run = thread::spawn(move || {
                (place.run)(&stage);
            });
            let _ = run.join();
            assert!(bus.is_closed(), "{}", place.name);
            use_all_of(&bus.downgrade());
        });
    }
}

#[test]
fn p10_the_bus_may_be_closed_from_inside() {
    fn close(bus: &WeakBus<Hooked>) {
        if let Some(bus) = bus.upgrade() {
            bus.close();
        }
    }
    close_in_every_place(close);
    close_in_every_place(elsewhere(close));
}

#[test]
fn p10_the_last_handle_of_the_bus_may_go_inside() {
    guarded(|| {
        let bus = Bus::<u64>::new();
        let slot = Arc::new(Mutex::new(None));
        let own: Arc<Mutex<Option<Bus<u64>>>> = Arc::clone(&slot);
        let filter = move |_: &_| own.lock().unwrap().take().is_some();
        let sub = bus.subscription("a").filter(filter).subscribe().unwrap();
        let publisher = bus.publisher("a").unwrap();
        *slot.lock().unwrap() = Some(bus);
        // It ended during the emit, so it did not match.
        assert_eq!(publisher.emit(1).unwrap().matched, 0);
        assert!(publisher.emit(2).unwrap_err().is_closed());
        assert_eq!(sub.iter().count(), 0);
    });
}

/// How deep a circle of emits goes, and that it ends with the error that names it.
#[derive(Default)]
struct Circle {
    emits: AtomicU64,
    ends: AtomicU64,
}

impl Circle {
    fn emit(&self, bus: &WeakBus<u64>, topic: &str) {
        let Some(bus) = bus.upgrade() else { return };
        self.emits.fetch_add(1, Ordering::SeqCst);
        match bus.emit(topic, 0) {
            Ok(_) => {}
            Err(EmitError::ChainTooDeep {
                cause,
                limit,
                payload: 0,
            }) => {
                assert_eq!((limit, cause.depth()), (5, 6));
                let chain = cause.to_string();
                assert!(
                    chain.starts_with("a > ") && chain.contains("b > a"),
                    "{chain}"
                );
                self.ends.fetch_add(1, Ordering::SeqCst);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn p10_a_circle_of_emits_in_filters_ends() {
    guarded(|| {
        let bus = Bus::<u64>::builder().max_chain(5).build().unwrap();
        let circle = Arc::new(Circle::default());
        let answer = |topic: &'static str| {
            let (bus, circle) = (bus.downgrade(), Arc::clone(&circle));
            move |_: &_| {
                circle.emit(&bus, topic);
                true
            }
        };
        let a = bus
            .subscription("a")
            .filter(answer("b"))
            .subscribe()
            .unwrap();
        let b = bus
            .subscription("b")
            .filter(answer("a"))
            .subscribe()
            .unwrap();
        bus.emit("a", 0).unwrap();
        assert_eq!((a.len(), b.len()), (3, 3));
        assert_eq!(circle.emits.load(Ordering::SeqCst), 6);
        assert_eq!(circle.ends.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn p10_a_circle_of_emits_in_taps_ends() {
    guarded(|| {
        let bus = Bus::<u64>::builder().max_chain(5).build().unwrap();
        let circle = Arc::new(Circle::default());
        let answer = |topic: &'static str| {
            let (bus, circle) = (bus.downgrade(), Arc::clone(&circle));
            move |_: &_| circle.emit(&bus, topic)
        };
        let taps = [bus.tap("a", answer("b")), bus.tap("b", answer("a"))];
        let all = bus.subscribe_all().unwrap();
        bus.emit("a", 0).unwrap();
        assert_eq!(all.len(), 6);
        assert_eq!(circle.ends.load(Ordering::SeqCst), 1);
        drop(taps);
    });
}

#[test]
fn p10_a_circle_of_emits_ends_at_the_end_of_a_thread_too() {
    thread_local! {
        static AT_END: RefCell<Hooked> = const { RefCell::new(None) };
    }
    guarded(|| {
        let bus = Bus::<u64>::builder().max_chain(5).build().unwrap();
        let circle = Arc::new(Circle::default());
        let answer = |topic: &'static str| {
            let (bus, circle) = (bus.downgrade(), Arc::clone(&circle));
            move |_: &_| circle.emit(&bus, topic)
        };
        let taps = [bus.tap("a", answer("b")), bus.tap("b", answer("a"))];
        let emitter = bus.clone();
        let thread = thread::spawn(move || {
            // Made first, so destroyed last: after all that the bus keeps by thread.
            let last = emitter.clone();
            let act = move || {
                last.emit("a", 0).unwrap();
            };
            AT_END.set(hooked(act));
            emitter.emit("a", 0).unwrap();
        });
        thread.join().unwrap();
        assert_eq!(circle.ends.load(Ordering::SeqCst), 2);
        drop(taps);
    });
}

#[test]
fn a_destructor_knows_the_event_that_pushed_its_own_out_and_what_caused_that() {
    let bus = Bus::<Hooked>::builder()
        .capacity(1)
        .overflow(Overflow::DropOldest);
    let bus = bus.build().unwrap();
    let _sub = bus.subscribe("a").unwrap();
    let seen = Arc::new(Mutex::new(None));
    let payload = {
        let seen = Arc::clone(&seen);
        hooked(move || *seen.lock().unwrap() = Cause::current())
    };
    bus.emit("a", payload).unwrap();
    let topics = ["first", "second"].map(|topic| Topic::new(topic).unwrap());
    // Set by hand, and not by the scope that the emit is in, which a destructor would see anyway.
    let event = Event::draft("a", hooked(|| {})).cause(Cause::of_topics(topics).unwrap());
    bus.emit_event(event.build().unwrap()).unwrap();
    assert_eq!(
        seen.lock().unwrap().as_ref().unwrap().to_string(),
        "first > second > a"
    );
}

#[test]
fn p10_a_circle_of_emits_in_destructors_of_evicted_events_ends() {
    /// A payload whose destructor emits another of its kind, until that is refused.
    fn payload(bus: WeakBus<Hooked>, refused: Arc<AtomicU64>) -> Hooked {
        hooked(move || {
            let Some(open) = bus.upgrade() else { return };
            let next = payload(bus.clone(), Arc::clone(&refused));
            if let Err(error) = open.emit("a", next) {
                assert!(error.is_chain_too_deep());
                refused.fetch_add(1, Ordering::SeqCst);
                // Its destructor would only try again.
                std::mem::forget(error.into_payload());
            }
        })
    }
    guarded(|| {
        let bus = Bus::<Hooked>::builder()
            .capacity(1)
            .overflow(Overflow::DropOldest);
        let bus = bus.max_chain(5).build().unwrap();
        let sub = bus.subscribe("a").unwrap();
        let refused = Arc::new(AtomicU64::new(0));
        for _ in 0..2 {
            let payload = payload(bus.downgrade(), Arc::clone(&refused));
            bus.emit("a", payload).unwrap();
        }
        // Each that was pushed out led to one more, which is pushed out in turn: one or two at each
        // depth, as an emit does or does not hold a handle of its own event when that is pushed out.
        std::mem::forget(sub.try_recv().unwrap());
        assert_eq!(refused.load(Ordering::SeqCst), 1);
        assert!((6..=12).contains(&sub.dropped()), "{}", sub.dropped());
    });
}

#[test]
fn p10_a_circle_of_emits_in_destructors_of_unseen_and_of_past_events_ends() {
    /// Does one of the ways to emit, and comes again in the destructor.
    fn circle(bus: WeakBus<Hooked>, way: usize, refused: Arc<AtomicU64>) -> Hooked {
        hooked(move || {
            let Some(open) = bus.upgrade() else { return };
            let next = circle(bus.clone(), way, Arc::clone(&refused));
            let too_deep = match way {
                0 => open.emit("a", next).map_err(EmitError::into_payload),
                1 => open.broadcast("a", next).map_err(EmitError::into_payload),
                2 => open
                    .event("a", next)
                    .source("s")
                    .emit()
                    .map_err(EmitError::into_payload),
                3 => open
                    .publisher("a")
                    .unwrap()
                    .emit(next)
                    .map_err(EmitError::into_payload),
                _ => open
                    .publisher("a")
                    .unwrap()
                    .emit_batch([next])
                    .map_err(|error| error.into_payload().pop().unwrap()),
            };
            if let Err(payload) = too_deep {
                refused.fetch_add(1, Ordering::SeqCst);
                // Its destructor would only try again.
                std::mem::forget(payload);
            }
        })
    }
    for history in [0, 1] {
        for way in 0..5 {
            guarded(move || {
                let bus = Bus::<Hooked>::builder().max_chain(5).history(history);
                let bus = bus.build().unwrap();
                let refused = Arc::new(AtomicU64::new(0));
                for _ in 0..2 {
                    let payload = circle(bus.downgrade(), way, Arc::clone(&refused));
                    bus.emit("a", payload).unwrap();
                }
                let refused = refused.load(Ordering::SeqCst);
                assert!(refused > 0, "history {history}, way {way}");
                // The last one stays in the history, and its circle is not for here.
                std::mem::forget(bus);
            });
        }
    }
}

#[test]
fn p13_a_dialogue_that_names_its_causes_ends_whichever_way_it_does() {
    type Answer = fn(&Bus<u64>, &Event<u64>) -> Result<(), bool>;
    let answers: [Answer; 5] = [
        |bus, event| {
            let draft = bus.event("a", 0).cause(Cause::of(event));
            draft
                .emit()
                .map(drop)
                .map_err(|error| error.is_chain_too_deep())
        },
        |bus, event| {
            let ours = bus.publisher("a").unwrap();
            let draft = ours.event(0).cause(Cause::of(event));
            draft
                .emit()
                .map(drop)
                .map_err(|error| error.is_chain_too_deep())
        },
        |bus, event| {
            let mut batch = bus.start_batch();
            let draft = batch.event("a", 0).cause(Cause::of(event));
            draft.emit().map_err(|error| error.is_chain_too_deep())?;
            batch
                .commit()
                .map(drop)
                .map_err(|error| error.is_chain_too_deep())
        },
        |bus, event| {
            let event = Cause::scope(event, || Event::new("a", 0)).unwrap();
            bus.emit_event(event)
                .map(drop)
                .map_err(|error| error.is_chain_too_deep())
        },
        |bus, event| {
            let mut batch = bus.start_batch();
            batch.push(
                Event::draft("a", 0)
                    .cause(Cause::of(event))
                    .build()
                    .unwrap(),
            );
            batch
                .commit()
                .map(drop)
                .map_err(|error| error.is_chain_too_deep())
        },
    ];
    for answer in answers {
        let bus = Bus::<u64>::builder().max_chain(5).build().unwrap();
        let sub = bus.subscribe("a").unwrap();
        bus.emit("a", 0).unwrap();
        let answered = (0..100).map_while(|_| match answer(&bus, &sub.try_recv().unwrap()) {
            Ok(()) => Some(()),
            Err(too_deep) => {
                assert!(too_deep);
                None
            }
        });
        assert_eq!(answered.count(), 5);
    }
}

#[test]
fn p10_a_filter_may_subscribe_and_unsubscribe_others_of_the_same_emit() {
    guarded(|| {
        let bus = Bus::<u64>::new();
        let victim = Arc::new(Mutex::new(None));
        let newcomer = Arc::new(Mutex::new(None));
        let (weak, out, new) = (bus.downgrade(), Arc::clone(&victim), Arc::clone(&newcomer));
        let filter = move |_: &_| {
            drop(out.lock().unwrap().take());
            if let Some(bus) = weak.upgrade() {
                *new.lock().unwrap() = Some(bus.subscribe("a").unwrap());
            }
            true
        };
        let first = bus.subscription("a").filter(filter).subscribe().unwrap();
        *victim.lock().unwrap() = Some(bus.subscribe("a").unwrap());
        let last = bus.subscribe("a").unwrap();
        // The one that left is not counted, the one that came is not in it yet, nobody is skipped.
        let emitted = bus.emit("a", 1).unwrap();
        assert_eq!((emitted.matched, emitted.delivered), (2, 2));
        assert_eq!((first.len(), last.len()), (1, 1));
        let newcomer = newcomer.lock().unwrap().take().unwrap();
        assert!(newcomer.is_empty());
    });
}

#[test]
fn p3_an_emit_from_a_filter_comes_before_and_one_from_a_tap_after_in_every_queue() {
    guarded(|| {
        let bus = Bus::<&str>::new();
        let first = bus.subscribe("**").unwrap();
        let weak = bus.downgrade();
        let filter = move |event: &chanbus::Event<&str>| {
            if event.topic() == "a" {
                weak.upgrade().unwrap().emit("b", "by the filter").unwrap();
            }
            true
        };
        let middle = bus.subscription("**").filter(filter).subscribe().unwrap();
        let weak = bus.downgrade();
        let tap = bus.tap("a", move |_| {
            weak.upgrade().unwrap().emit("c", "by the tap").unwrap();
        });
        let last = bus.subscribe("**").unwrap();
        bus.emit("a", "outer").unwrap();
        for sub in [first, middle, last] {
            let order: Vec<&str> = sub.try_iter().map(|event| *event.payload()).collect();
            assert_eq!(order, ["by the filter", "outer", "by the tap"]);
        }
        drop(tap);
    });
}

/// Emits another of its kind when it is dropped, for as long as it is let.
struct Undying {
    bus: chanbus::WeakBus<Undying>,
    refused: Arc<AtomicUsize>,
    drops: Arc<AtomicUsize>,
}

impl Drop for Undying {
    fn drop(&mut self) {
        // Far beyond the limit of a chain, and far from the end of the stack.
        if self.drops.fetch_add(1, Ordering::Relaxed) > 200 {
            return;
        }
        let Some(bus) = self.bus.upgrade() else {
            return;
        };
        let next = Undying {
            bus: self.bus.clone(),
            refused: Arc::clone(&self.refused),
            drops: Arc::clone(&self.drops),
        };
        if let Err(error) = bus.emit("a", next) {
            assert!(error.is_chain_too_deep());
            self.refused.fetch_add(1, Ordering::Relaxed);
            std::mem::forget(error);
        }
    }
}

#[test]
fn p10_destructors_that_emit_for_ever_end_whoever_runs_them() {
    type Emit = fn(&Bus<Undying>, Undying);
    let emits: [(&str, Emit); 5] = [
        ("bus", |bus, it| drop(bus.emit("a", it))),
        ("publisher", |bus, it| {
            drop(bus.publisher("a").unwrap().emit(it));
        }),
        ("emit_batch", |bus, it| {
            drop(bus.publisher("a").unwrap().emit_batch([it]));
        }),
        ("event", |bus, it| {
            drop(bus.event("a", it).source("s").emit())
        }),
        ("broadcast", |bus, it| drop(bus.broadcast("a", it))),
    ];
    for (way, emit) in emits {
        for history in [0, 1] {
            for (patterns, full) in [("nobody.emits.this", false), ("a", true)] {
                let case = format!("{way}, history {history}, {patterns}");
                let bus = Bus::builder().history(history).capacity(1).build().unwrap();
                let sub = bus.subscription(patterns);
                let sub = sub.filter(move |_| !full).subscribe().unwrap();
                let (refused, drops) = (Arc::default(), Arc::default());
                let make = || Undying {
                    bus: bus.downgrade(),
                    refused: Arc::clone(&refused),
                    drops: Arc::clone(&drops),
                };
                emit(&bus, make());
                emit(&bus, make());
                // With a history the last one stays in it, and every other is let go of by the next.
                assert!(drops.load(Ordering::Relaxed) < 100, "{case}");
                if way != "broadcast" || full {
                    assert!(refused.load(Ordering::Relaxed) > 0, "{case}");
                }
                drops.store(1_000, Ordering::Relaxed);
                drop((sub, bus));
            }
        }
    }
}

#[test]
fn p10_a_cause_that_was_given_counts_for_the_limit_as_the_current_one_does() {
    use chanbus::{Cause, Event};

    let bus = Bus::builder().max_chain(3).build().unwrap();
    let sub = bus.subscribe("a").unwrap();
    bus.emit("a", 0).unwrap();
    for depth in 1..=3 {
        let cause = Cause::of(&sub.recv().unwrap());
        assert_eq!(cause.depth(), depth);
        bus.event("a", depth).cause(cause).emit().unwrap();
    }
    let cause = Cause::of(&sub.recv().unwrap());
    let refused = bus.event("a", 4).cause(cause.clone()).emit();
    assert!(refused.unwrap_err().is_chain_too_deep());

    let event = Event::draft("a", 4).cause(cause.clone()).build().unwrap();
    let refused = bus.emit_event(event.clone());
    assert!(refused.unwrap_err().is_chain_too_deep());
    let mut batch = bus.start_batch();
    let refused = batch.event("a", 4).cause(cause).emit();
    assert!(refused.unwrap_err().is_chain_too_deep());
    batch.push(event);
    assert!(batch.commit().unwrap_err().is_chain_too_deep());
    assert!(sub.is_empty());
}

/// As it is: its own cause stays, and would never be too deep.
#[test]
fn p10_a_tap_that_passes_its_event_on_as_it_is_comes_to_the_limit() {
    let bus = Bus::<u32>::new();
    let weak = bus.downgrade();
    let refused = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&refused);
    let _tap = bus.tap("a", move |event| {
        let again = weak.upgrade().map(|bus| bus.emit_event(event.clone()));
        if again.is_some_and(|again| again.is_err_and(|error| error.is_chain_too_deep())) {
            told.fetch_add(1, Ordering::SeqCst);
        }
    });
    bus.emit("a", 1).unwrap();
    assert_eq!(refused.load(Ordering::SeqCst), 1);
    assert_eq!(bus.stats().emitted, 1 + chanbus::DEFAULT_MAX_CHAIN as u64);
}

#[test]
fn what_goes_with_an_event_that_nobody_wants_knows_it_as_its_cause() {
    let bus = Bus::<u32>::new();
    let seen = Arc::new(Mutex::new(None));
    let extension = {
        let seen = Arc::clone(&seen);
        hooked(move || *seen.lock().unwrap() = Cause::current())
    };
    // The payload has no destructor, what goes with it has.
    bus.event("a", 1).extension(extension).emit().unwrap();
    assert_eq!(seen.lock().unwrap().as_ref().unwrap().to_string(), "a");
}

#[test]
fn every_event_of_a_publisher_has_its_source_and_its_cause() {
    let bus = Bus::new();
    let sub = bus.subscribe("a").unwrap();
    let plain = bus.publisher("a").unwrap();
    let sourced = bus.publisher("a").unwrap().with_source("import");
    // What it emits first finds the way, which the others go.
    for (publisher, source) in [
        (&plain, None),
        (&sourced, Some("import")),
        (&sourced.clone(), Some("import")),
    ] {
        for caused in [None, Some("why"), Some("why"), None, None] {
            let topics = caused.map(|topic| Topic::new(topic).unwrap());
            match Cause::of_topics(topics) {
                Some(cause) => cause.enter(|| publisher.emit(1)).unwrap(),
                None => publisher.emit(1).unwrap(),
            };
            let event = sub.try_recv().unwrap();
            assert_eq!(event.source(), source);
            assert_eq!(event.cause().map(Cause::to_string).as_deref(), caused);
        }
    }
}
