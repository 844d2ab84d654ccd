//! Dropping the last handle frees queue, payloads and captures there and then (P9).
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::{Arc, Mutex};
use std::thread;

use chanbus::{Bus, Overflow, Subscription, TapGuard};
use common::{Census, Counted, Gate, POLICIES, guarded};

/// A filter or a predicate that owns something counted.
fn owning<T>(counted: Counted) -> impl Fn(&chanbus::Event<T>) -> bool + Send + Sync {
    move |_| std::ptr::from_ref(&counted).is_aligned()
}

#[test]
fn p9_a_dropped_subscription_frees_payloads_and_captures_with_no_later_emit() {
    for policy in POLICIES {
        let (payloads, captures) = (Census::new(), Census::new());
        let bus = Bus::<Counted>::builder()
            .overflow(policy)
            .history(0)
            .build()
            .unwrap();
        let sub = bus
            .subscription("**")
            .capacity(5)
            .filter(owning(captures.born()));
        let sub = sub.subscribe().unwrap();
        // An idle publisher that holds the route, and one that never emitted.
        let publisher = bus.publisher("a.0").unwrap();
        let _unused = bus.publisher("a.1").unwrap();
        for n in 0..8 {
            bus.emit(format!("a.{n}"), payloads.born()).unwrap();
            publisher.emit(payloads.born()).unwrap();
        }
        assert_eq!((sub.len(), payloads.alive(), captures.alive()), (5, 5, 1));
        // Not the last handle yet.
        let share = sub.share();
        drop(sub);
        assert_eq!(
            (bus.subscriber_count(), payloads.alive(), captures.alive()),
            (1, 5, 1)
        );
        drop(share);
        assert_eq!(
            (bus.subscriber_count(), payloads.alive(), captures.alive()),
            (0, 0, 0)
        );
        assert_eq!(publisher.emit(payloads.born()).unwrap().matched, 0);
        assert_eq!(payloads.alive(), 0);
    }
}

#[test]
fn p9_a_closed_subscription_keeps_what_is_queued_until_its_handle_goes() {
    let (payloads, captures) = (Census::new(), Census::new());
    let bus = Bus::<Counted>::new();
    let sub = bus
        .subscription("a")
        .filter(owning(captures.born()))
        .subscribe()
        .unwrap();
    let publisher = bus.publisher("a").unwrap();
    publisher
        .emit_batch([(); 3].map(|()| payloads.born()))
        .unwrap();
    let closer = sub.closer();
    sub.close();
    assert_eq!((sub.len(), payloads.alive()), (3, 3));
    drop(sub);
    assert_eq!((payloads.alive(), captures.alive()), (0, 0));
    assert!(closer.is_closed() && !closer.close());
    drop(publisher);
}

#[test]
fn p9_replayed_events_go_with_their_subscription() {
    let payloads = Census::new();
    let bus = Bus::<Counted>::builder().history(10).build().unwrap();
    for _ in 0..5 {
        bus.emit("a", payloads.born()).unwrap();
    }
    let sub = bus.subscription("a").replay(5).subscribe().unwrap();
    bus.reset();
    assert_eq!((sub.len(), payloads.alive()), (5, 5));
    drop(sub);
    assert_eq!(payloads.alive(), 0);
}

#[test]
fn p9_a_subscription_that_goes_inside_its_own_filter_frees_the_captures_when_the_emit_leaves() {
    guarded(|| {
        let (payloads, captures) = (Census::new(), Census::new());
        let bus = Bus::<Counted>::new();
        let slot = Arc::new(Mutex::new(None::<Subscription<Counted>>));
        let (own, capture, seen) = (Arc::clone(&slot), captures.born(), captures.clone());
        let filter = move |_: &_| {
            drop(own.lock().unwrap().take());
            // It is in use, so it is not gone.
            std::ptr::from_ref(&capture).is_aligned() && seen.alive() == 1
        };
        let sub = bus.subscription("a").filter(filter).subscribe().unwrap();
        *slot.lock().unwrap() = Some(sub);
        let publisher = bus.publisher("a").unwrap();
        let emitted = publisher.emit(payloads.born()).unwrap();
        assert_eq!(
            (emitted.matched, payloads.alive(), captures.alive()),
            (0, 0, 0)
        );
        drop(publisher);
    });
}

#[test]
fn p9_a_subscription_that_goes_during_an_emit_of_another_thread_frees_all_when_that_leaves() {
    for policy in POLICIES {
        guarded(move || {
            let (payloads, captures, gate) = (Census::new(), Census::new(), Gate::new());
            let bus = Bus::<Counted>::builder().overflow(policy).build().unwrap();
            let (held, capture) = (gate.clone(), captures.born());
            let filter = move |_: &_| {
                held.pass();
                std::ptr::from_ref(&capture).is_aligned()
            };
            // The emit is inside the first one's filter; the second is further on in its route.
            let first = bus.subscription("a").filter(filter).subscribe().unwrap();
            let second = bus
                .subscription("a")
                .filter(owning(captures.born()))
                .subscribe()
                .unwrap();
            let other = bus.publisher("b").unwrap();
            second.set_patterns(["a", "b"]).unwrap();
            other.emit(payloads.born()).unwrap();
            let (publisher, payload) = (bus.publisher("a").unwrap(), payloads.born());
            let emit = thread::spawn(move || {
                let emitted = publisher.emit(payload).unwrap();
                (publisher, emitted)
            });
            gate.wait_held();
            assert_eq!((payloads.alive(), captures.alive()), (2, 2));
            drop(second);
            assert_eq!(
                (payloads.alive(), captures.alive()),
                (1, 1),
                "{policy:?}: at once"
            );
            drop(first);
            assert_eq!(captures.alive(), 1, "{policy:?}: the emit is inside of it");
            gate.open();
            let (_idle, emitted) = emit.join().unwrap();
            assert_eq!(
                (emitted.matched, payloads.alive(), captures.alive()),
                (0, 0, 0)
            );
        });
    }
}

#[test]
fn p9_a_dropped_tap_frees_its_captures_at_once_or_when_the_emit_leaves() {
    guarded(|| {
        let captures = Census::new();
        let bus = Bus::<u64>::new();
        let publisher = bus.publisher("a").unwrap();
        let slot = Arc::new(Mutex::new(None::<TapGuard<u64>>));
        let tap = |counted: Counted| {
            let own = Arc::clone(&slot);
            let tap = move |_: &_| {
                assert!(std::ptr::from_ref(&counted).is_aligned());
                drop(own.lock().unwrap().take());
            };
            bus.tap("a", tap).unwrap()
        };
        let guard = tap(captures.born());
        publisher.emit(1).unwrap();
        drop(guard);
        assert_eq!(captures.alive(), 0);
        let guard = tap(captures.born());
        *slot.lock().unwrap() = Some(guard);
        publisher.emit(2).unwrap();
        assert_eq!((captures.alive(), bus.stats().taps), (0, 0));

        // Of two taps of one route, the first goes while another thread is inside of the second.
        let gate = Gate::new();
        let held = gate.clone();
        let first = tap(captures.born());
        let second = bus.tap("a", move |_| held.pass()).unwrap();
        let emit = thread::spawn(move || publisher.emit(3).map(|_| publisher));
        gate.wait_held();
        drop(first);
        assert_eq!(captures.alive(), 0);
        gate.open();
        let _idle = emit.join().unwrap().unwrap();
        drop(second);
    });
}

#[test]
fn p9_a_closed_bus_lets_go_of_taps_and_history_whoever_holds_what() {
    let (payloads, captures) = (Census::new(), Census::new());
    let bus = Bus::<Counted>::builder().history(10).build().unwrap();
    let counted = captures.born();
    let guard = bus
        .tap("a", move |_| {
            assert!(std::ptr::from_ref(&counted).is_aligned())
        })
        .unwrap();
    let publisher = bus.publisher("a").unwrap();
    for _ in 0..5 {
        publisher.emit(payloads.born()).unwrap();
    }
    assert_eq!((payloads.alive(), captures.alive()), (5, 1));
    bus.close();
    assert_eq!((payloads.alive(), captures.alive()), (0, 0));
    drop((guard, publisher));
}

#[test]
fn p9_a_batch_that_a_close_cuts_short_leaves_nothing_in_the_history() {
    let payloads = Census::new();
    let bus = Bus::<Counted>::builder().history(10).build().unwrap();
    let publisher = bus.publisher("a").unwrap();
    let weak = bus.downgrade();
    let guard = bus.tap("a", move |_| {
        if let Some(bus) = weak.upgrade() {
            bus.close();
        }
    });
    // The first event's tap closes the bus under the others.
    publisher
        .emit_batch([(); 3].map(|()| payloads.born()))
        .unwrap();
    assert_eq!((payloads.alive(), bus.stats().history), (0, 0));
    drop((guard, publisher));
}

#[test]
fn p9_nothing_is_left_when_the_bus_and_its_handles_are_gone() {
    for policy in POLICIES {
        let (payloads, captures) = (Census::new(), Census::new());
        let hook = captures.born();
        let bus = Bus::<Counted>::builder()
            .overflow(policy)
            .history(3)
            .capacity(4);
        let bus = bus.on_panic(move |_| assert!(std::ptr::from_ref(&hook).is_aligned()));
        let bus = bus.build().unwrap();
        let sub = bus
            .subscription("**")
            .filter(owning(captures.born()))
            .replay(9);
        let sub = sub.subscribe().unwrap();
        let counted = captures.born();
        let tap = bus.tap("**", move |_| {
            assert!(std::ptr::from_ref(&counted).is_aligned())
        });
        let publisher = bus.publisher("a").unwrap();
        for n in 0..6 {
            publisher.emit(payloads.born()).unwrap();
            bus.emit(format!("b.{n}"), payloads.born()).unwrap();
        }
        let mut batch = bus.start_batch();
        batch.emit("a", payloads.born()).unwrap();
        drop(bus);
        // What waits can still be read; then all of it goes, whatever the order of the handles.
        assert!(sub.len() == 4 && sub.is_closed());
        drop(tap);
        drop(sub.try_recv());
        drop(sub);
        assert_eq!(payloads.alive(), 1, "{policy:?}: the batch");
        drop(batch.commit().unwrap_err());
        assert_eq!(
            (payloads.alive(), captures.alive()),
            (0, 1),
            "{policy:?}: the hook"
        );
        drop(publisher);
        assert_eq!(captures.alive(), 0, "{policy:?}");
    }
}

#[test]
fn p9_a_racing_drop_leaves_no_payload_behind() {
    // The last handle goes while publishers push, and they idle with their route afterwards.
    guarded(|| {
        let payloads = Census::new();
        for round in 0..600 {
            let bus = Bus::<Counted>::builder()
                .overflow(POLICIES[round % 3])
                .capacity(2);
            let bus = bus.build().unwrap();
            let sub = bus.subscribe("**").unwrap();
            let emitters: Vec<_> = (0..2)
                .map(|n| {
                    let publisher = bus.publisher(format!("a.{n}")).unwrap();
                    let payloads = payloads.clone();
                    thread::spawn(move || {
                        while publisher.emit(payloads.born()).unwrap().matched > 0 {}
                        publisher
                    })
                })
                .collect();
            for _ in 0..round % 7 {
                let _ = sub.try_recv();
            }
            drop(sub);
            let idle: Vec<_> = emitters.into_iter().map(|it| it.join().unwrap()).collect();
            assert_eq!(payloads.alive(), 0, "round {round}");
            let stats = bus.stats();
            assert_eq!(stats.emitted, stats.matched() + 2, "round {round}: {stats}");
            drop(idle);
        }
    });
}

#[test]
fn p9_a_publisher_and_a_subscription_do_not_keep_the_bus_open() {
    let bus = Bus::<u64>::builder()
        .overflow(Overflow::Latest)
        .build()
        .unwrap();
    let (sub, publisher, weak) = (
        bus.subscribe("a").unwrap(),
        bus.publisher("a").unwrap(),
        bus.downgrade(),
    );
    let other = bus.clone();
    drop(bus);
    assert!(!sub.is_closed() && publisher.emit(1).is_ok());
    drop(other);
    assert!(sub.is_closed() && weak.upgrade().is_none());
    assert!(publisher.emit(2).unwrap_err().is_closed());
    assert_eq!(sub.iter().count(), 1);
}

#[test]
fn p9_a_closer_that_looks_just_then_does_not_put_the_freeing_off() {
    let (hand, handed) = std::sync::mpsc::sync_channel::<chanbus::Closer<Arc<()>>>(0);
    let looker = std::thread::spawn(move || {
        for closer in handed {
            while !closer.is_closed() {
                assert!(format!("{closer:?}").starts_with("Closer"));
            }
        }
    });
    for round in 0..5_000 {
        let bus: Bus<Arc<()>> = Bus::new();
        let sub = bus.subscribe("a").unwrap();
        let payload = Arc::new(());
        bus.emit("a", Arc::clone(&payload)).unwrap();
        hand.send(sub.closer()).unwrap();
        drop(sub);
        assert_eq!(Arc::strong_count(&payload), 1, "round {round}");
    }
    drop(hand);
    looker.join().unwrap();
}
