//! Panics in the user's code stay where they are, are counted and reported, and poison nothing (P11).
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use chanbus::{Bus, CaughtPanic, Overflow, PanicPlace};
use common::places::{Act, PLACES, Stage, use_all_of};
use common::{Hooked, OnDrop, POLICIES, guarded, hooked};

/// A value to throw whose own destructor panics too.
struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        panic!("the thrown value's destructor");
    }
}

/// Panics in every place by `throw`, and sees that it stays there.
fn panic_in_every_place(throw: fn()) {
    let act: Act = Arc::new(move |_| throw());
    for place in &PLACES {
        let act = Arc::clone(&act);
        place.announce();
        guarded(move || {
            let stage = Stage::new(place, &act);
            let outcome = catch_unwind(AssertUnwindSafe(|| (place.run)(&stage)));
            // What was thrown is not dropped: its destructor may panic.
            let outcome = outcome.map_err(std::mem::forget);
            assert!(stage.is_done(), "{}", place.name);
            let reports = stage.reports.lock().unwrap().clone();
            match place.caught {
                Some(caught) => {
                    assert!(outcome.is_ok(), "{}: the panic came out", place.name);
                    assert_eq!(reports, [caught], "{}", place.name);
                }
                None => {
                    assert!(outcome.is_err(), "it is the caller's own panic");
                    assert!(reports.is_empty());
                }
            }
            use_all_of(&stage.bus.downgrade());
            assert_eq!(stage.bus.subscriber_count(), 0, "{}", place.name);
        });
    }
}

#[test]
fn p11_a_panic_anywhere_stays_there_and_the_bus_works_on() {
    panic_in_every_place(|| panic!("in the user's code"));
}

#[test]
fn p11_a_thrown_value_whose_destructor_panics_too_stays_there() {
    panic_in_every_place(|| panic_any(Grenade));
}

#[test]
fn p11_a_panicking_filter_rejects_for_its_subscription_alone() {
    for policy in POLICIES {
        let reports = Arc::new(Mutex::new(Vec::new()));
        let reported = Arc::clone(&reports);
        let bus =
            Bus::<u64>::builder()
                .overflow(policy)
                .on_panic(move |panic: &CaughtPanic<'_>| {
                    let topic = panic.topic().map(ToString::to_string);
                    let name = panic.subscription().map(ToOwned::to_owned);
                    reported.lock().unwrap().push((
                        panic.place(),
                        topic,
                        name,
                        panic.message().to_owned(),
                    ));
                });
        let bus = bus.build().unwrap();
        let before = bus.subscribe("a").unwrap();
        let wrong = bus.subscription("a").name("wrong").filter(|event| {
            assert!(event.payload() % 2 == 0, "{} is odd", event.payload());
            true
        });
        let wrong = wrong.subscribe().unwrap();
        let after = bus.subscribe("a").unwrap();
        let emitted = bus.emit("a", 7).unwrap();
        assert_eq!(
            (emitted.matched, emitted.delivered, emitted.filtered),
            (3, 2, 1)
        );
        assert_eq!(bus.emit("a", 8).unwrap().delivered, 3);
        assert_eq!(
            (wrong.filtered(), wrong.filter_panics(), wrong.received()),
            (1, 1, 1)
        );
        assert_eq!(*wrong.try_recv().unwrap().payload(), 8);
        assert!(before.received() + before.conflated() == 2 && after.matched() == 2);
        assert_eq!(bus.stats().filter_panics, 1);
        let expected = (
            PanicPlace::Filter,
            Some("a".to_owned()),
            Some("wrong".to_owned()),
            "7 is odd".to_owned(),
        );
        assert_eq!(*reports.lock().unwrap(), [expected]);
    }
}

#[test]
fn p11_a_panicking_tap_leaves_the_other_taps_and_the_queues_served() {
    let bus = Bus::<u64>::new();
    let sub = bus.subscribe("a").unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let count = || {
        let calls = Arc::clone(&calls);
        move |_: &_| {
            calls.fetch_add(1, Ordering::SeqCst);
        }
    };
    let taps = [
        bus.tap("a", count()).unwrap(),
        bus.tap("a", |_| panic!("in a tap")).unwrap(),
        bus.tap("a", count()).unwrap(),
    ];
    for _ in 0..3 {
        assert_eq!(bus.emit("a", 1).unwrap().delivered, 1);
    }
    assert_eq!((calls.load(Ordering::SeqCst), sub.len()), (6, 3));
    drop(taps);
}

#[test]
fn p11_every_destructor_runs_though_each_of_them_panics() {
    let died = Arc::new(AtomicUsize::new(0));
    let reports = Arc::new(AtomicUsize::new(0));
    let reported = Arc::clone(&reports);
    let bus = Bus::<Hooked>::builder()
        .capacity(1)
        .max_subscribers(100)
        .on_panic(move |panic| {
            assert_eq!(panic.place(), PanicPlace::Destructor);
            reported.fetch_add(1, Ordering::SeqCst);
        });
    let bus = bus.overflow(Overflow::DropOldest).build().unwrap();
    let payload = || {
        let died = Arc::clone(&died);
        hooked(move || {
            died.fetch_add(1, Ordering::SeqCst);
            panic!("in a destructor");
        })
    };
    let subs: Vec<_> = (0..10)
        .map(|n| bus.subscribe([format!("q.{n}"), "all".into()]))
        .collect();
    for n in 0..10 {
        bus.emit(format!("q.{n}"), payload()).unwrap();
    }
    // Ten different events are pushed out at once.
    let emitted = bus.emit("all", payload()).unwrap();
    assert_eq!((emitted.delivered, emitted.evicted), (10, 10));
    assert_eq!(
        (died.load(Ordering::SeqCst), reports.load(Ordering::SeqCst)),
        (10, 10)
    );
    // One queued event, which the last queue lets go of.
    drop(subs);
    assert_eq!(
        (died.load(Ordering::SeqCst), reports.load(Ordering::SeqCst)),
        (11, 11)
    );
    assert_eq!((bus.subscriber_count(), bus.stats().dropped), (0, 10));
}

#[test]
fn p11_payload_and_extensions_of_one_event_may_all_panic() {
    /// An extension of its own type for each number.
    struct Bomb<const N: usize>;

    impl<const N: usize> Drop for Bomb<N> {
        fn drop(&mut self) {
            panic!("in an extension's destructor");
        }
    }

    let payload = || hooked(|| panic!("in a payload's destructor"));
    let emit = |bus: &Bus<Hooked>| {
        let draft = bus.event("a", payload());
        let draft = draft.extension(Bomb::<0>).extension(Bomb::<1>);
        draft.emit().map(drop).map_err(|error| {
            // It came back, so it is no more of the bus's concern.
            std::mem::forget(error.into_payload());
        })
    };
    type End = fn(&Bus<Hooked>);
    let ends: [(usize, End); 4] = [
        // Nobody listens.
        (0, |_| {}),
        // Pushed out of a queue, or left there.
        (0, |bus| std::mem::forget(bus.subscribe("a").unwrap())),
        // Pushed out of the history, or there at the close.
        (1, |_| {}),
        (1, |bus| std::mem::forget(bus.subscribe("a").unwrap())),
    ];
    for (history, prepare) in ends {
        let reports = Arc::new(AtomicUsize::new(0));
        let reported = Arc::clone(&reports);
        let bus = Bus::<Hooked>::builder().capacity(1).history(history);
        let bus = bus.overflow(Overflow::DropOldest).on_panic(move |panic| {
            assert_eq!(panic.place(), PanicPlace::Destructor);
            reported.fetch_add(1, Ordering::SeqCst);
        });
        let bus = bus.build().unwrap();
        prepare(&bus);
        for _ in 0..3 {
            emit(&bus).unwrap();
        }
        let sub = bus.subscribe("a").unwrap();
        emit(&bus).unwrap();
        bus.close();
        drop(sub);
        // The last one is still in a queue that was forgotten.
        let dead = 4 - bus.stats().depth;
        assert_eq!(reports.load(Ordering::SeqCst), 3 * dead);
        // An emit that is refused hands the payload back, whatever went with it.
        emit(&bus).unwrap_err();
        assert_eq!(reports.load(Ordering::SeqCst), 3 * dead + 2);
        let mut batch = bus.start_batch();
        let draft = batch.event("no..topic", payload()).extension(Bomb::<0>);
        std::mem::forget(draft.emit().unwrap_err().into_payload());
    }
}

#[test]
fn p11_a_queue_of_panicking_destructors_is_emptied_to_the_last() {
    for policy in POLICIES {
        let bus = Bus::<Hooked>::builder().overflow(policy).build().unwrap();
        let died = Arc::new(AtomicUsize::new(0));
        let sub = bus.subscribe("**").unwrap();
        for n in 0..50 {
            let died = Arc::clone(&died);
            let payload = hooked(move || {
                died.fetch_add(1, Ordering::SeqCst);
                panic!("in a destructor");
            });
            bus.emit(format!("topic.{n}"), payload).unwrap();
        }
        drop(sub);
        assert_eq!(died.load(Ordering::SeqCst), 50, "{policy:?}");
    }
}

#[test]
fn p11_a_hook_that_panics_is_ignored() {
    let calls = Arc::new(AtomicUsize::new(0));
    let called = Arc::clone(&calls);
    let bus = Bus::<u64>::builder().on_panic(move |_| {
        called.fetch_add(1, Ordering::SeqCst);
        panic_any(Grenade);
    });
    let bus = bus.build().unwrap();
    let wrong = bus
        .subscription("a")
        .filter(|_| panic!("in a filter"))
        .subscribe()
        .unwrap();
    let right = bus.subscribe("a").unwrap();
    for _ in 0..3 {
        let emitted = bus.emit("a", 1).unwrap();
        assert_eq!((emitted.filtered, emitted.delivered), (1, 1));
    }
    assert_eq!(
        (
            calls.load(Ordering::SeqCst),
            wrong.filter_panics(),
            right.len()
        ),
        (3, 3, 3)
    );
}

#[test]
fn p11_what_the_hook_captured_may_panic_when_the_last_handle_goes() {
    type Last = fn(Bus<u64>);
    let lasts: [Last; 4] = [
        drop,
        |bus| {
            let handle = bus.subscribe("a").unwrap();
            drop(bus);
            drop(handle);
        },
        |bus| {
            let handle = bus.publisher("a").unwrap();
            drop(bus);
            drop(handle);
        },
        |bus| {
            let handle = bus.tap("a", |_| {}).unwrap();
            drop(bus);
            drop(handle);
        },
    ];
    for last in lasts {
        let died = Arc::new(AtomicUsize::new(0));
        let dies = Arc::clone(&died);
        let capture = OnDrop(move || {
            dies.fetch_add(1, Ordering::SeqCst);
            panic!("in a destructor");
        });
        let bus = Bus::<u64>::builder().on_panic(move |_| {
            let _ = &capture;
        });
        last(bus.build().unwrap());
        assert_eq!(died.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn p11_a_batch_whose_closure_or_iterator_panics_emits_nothing() {
    let bus = Bus::<u64>::new();
    let sub = bus.subscribe_all().unwrap();
    let closure = catch_unwind(AssertUnwindSafe(|| {
        bus.batch::<(), ()>(|batch| {
            batch.emit("a", 1).unwrap();
            panic!("in the closure");
        })
    }));
    let publisher = bus.publisher("a").unwrap();
    let iterator = catch_unwind(AssertUnwindSafe(|| {
        publisher.emit_batch((0..10).inspect(|n| assert!(*n < 5, "in the iterator")))
    }));
    assert!(closure.is_err() && iterator.is_err() && sub.is_empty());
    publisher.emit_batch(0..3).unwrap();
    assert_eq!((sub.len(), bus.stats().emitted), (3, 3));
}

#[test]
fn p11_what_a_filter_captured_may_panic_when_the_emit_inside_it_leaves() {
    // The same from another thread: the subscription goes while an emit is inside its filter.
    guarded(|| {
        let gate = common::Gate::new();
        let reports = Arc::new(AtomicUsize::new(0));
        let reported = Arc::clone(&reports);
        let bus = Bus::<u64>::builder().on_panic(move |panic| {
            assert_eq!(panic.place(), PanicPlace::Destructor);
            reported.fetch_add(1, Ordering::SeqCst);
        });
        let bus = bus.build().unwrap();
        let other = bus.subscribe("a").unwrap();
        let (held, capture) = (gate.clone(), OnDrop(|| panic!("a capture's destructor")));
        let filter = move |_: &_| {
            held.pass();
            std::ptr::from_ref(&capture).is_aligned()
        };
        let sub = bus.subscription("a").filter(filter).subscribe().unwrap();
        let emitter = bus.clone();
        let emit = std::thread::spawn(move || emitter.emit("a", 1).unwrap());
        gate.wait_held();
        drop(sub);
        gate.open();
        let emitted = emit.join().expect("the publisher is not touched by it");
        assert_eq!((emitted.matched, emitted.delivered), (1, 1));
        assert_eq!((reports.load(Ordering::SeqCst), other.len()), (1, 1));
    });
}

#[test]
fn p11_a_filter_that_panics_as_it_goes_is_counted_though_its_captures_panic_too() {
    let reports = Arc::new(Mutex::new(Vec::new()));
    let reported = Arc::clone(&reports);
    let bus = Bus::<u64>::builder()
        .on_panic(move |panic: &CaughtPanic<'_>| reported.lock().unwrap().push(panic.place()))
        .build()
        .unwrap();
    // The filter ends its own subscription, so what it captured is dropped on leaving it.
    let own: Arc<Mutex<Option<chanbus::Subscription<u64>>>> = Arc::default();
    let inside = Arc::clone(&own);
    let capture = OnDrop(|| panic!("the capture's destructor"));
    let sub = bus.subscription("a").filter(move |_| {
        let _ = &capture;
        let sub = inside.lock().unwrap().take();
        drop(sub);
        panic!("the filter");
    });
    *own.lock().unwrap() = Some(sub.subscribe().unwrap());
    let emitted = bus.emit("a", 1).unwrap();
    assert_eq!((emitted.matched, emitted.filtered), (1, 1));
    let stats = bus.stats();
    assert_eq!((stats.filtered, stats.filter_panics), (1, 1));
    let expected = [PanicPlace::Filter, PanicPlace::Destructor];
    assert_eq!(*reports.lock().unwrap(), expected);
}

#[test]
fn p11_a_publisher_that_knows_that_nobody_listens_drops_behind_the_shield_too() {
    let reports = Arc::new(AtomicUsize::new(0));
    let reported = Arc::clone(&reports);
    let bus = Bus::<Hooked>::builder().on_panic(move |_| {
        reported.fetch_add(1, Ordering::SeqCst);
    });
    let bus = bus.build().unwrap();
    let publisher = bus.publisher("a").unwrap();
    for _ in 0..3 {
        let emitted = publisher.emit(hooked(|| panic!("in a payload's destructor")));
        assert_eq!(emitted.unwrap().matched, 0);
    }
    assert_eq!(reports.load(Ordering::SeqCst), 3);
}
