//! Queues and buses hold exactly what was asked for (P6), each event once (P4), and nothing that is
//! not an event (P12).
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use chanbus::{
    Beat, BuildError, Bus, DEFAULT_CAPACITY, DEFAULT_HEARTBEAT, DEFAULT_MAX_SUBSCRIBERS,
    MAX_CAPACITY, Overflow, SubscribeError,
};
use common::{POLICIES, guarded};

#[test]
fn p6_a_queue_holds_exactly_its_capacity() {
    for policy in POLICIES {
        for capacity in [1, 2, 3, 4, 5, 200, 1_000] {
            let bus = Bus::<usize>::builder()
                .capacity(capacity)
                .overflow(policy)
                .build()
                .unwrap();
            let sub = bus.subscribe("t.*").unwrap();
            let own = bus
                .subscription("t.*")
                .capacity(capacity + 1)
                .subscribe()
                .unwrap();
            for n in 0..capacity {
                let emitted = bus.emit(format!("t.{n}"), n).unwrap();
                assert_eq!(
                    (emitted.delivered, emitted.evicted),
                    (2, 0),
                    "{policy:?} {capacity}"
                );
            }
            let over = bus.emit("t.over", capacity).unwrap();
            let lost = over.dropped + over.evicted;
            assert_eq!((lost, sub.len(), own.len()), (1, capacity, capacity + 1));
            assert_eq!((sub.capacity(), own.capacity()), (capacity, capacity + 1));
            assert_eq!(sub.dropped(), 1);
            // One taken makes room for one.
            assert!(sub.try_recv().is_ok());
            bus.emit("t.room", 0).unwrap();
            assert_eq!(sub.len(), capacity);
            assert_eq!(sub.dropped(), 1);
        }
    }
}

#[test]
fn p6_under_latest_capacity_counts_distinct_topics_that_wait() {
    let bus = Bus::<u64>::builder()
        .capacity(2)
        .overflow(Overflow::Latest)
        .build()
        .unwrap();
    let sub = bus.subscribe("**").unwrap();
    for n in 0..10 {
        bus.emit("a", n).unwrap();
        bus.emit("b", n).unwrap();
        // A new topic in a full queue is refused.
        assert_eq!(bus.emit("c", n).unwrap().dropped, 1);
    }
    assert_eq!(
        (sub.len(), sub.conflated(), sub.dropped(), sub.received()),
        (2, 18, 10, 2)
    );
    assert_eq!(sub.try_recv().unwrap().topic(), "a");
    assert_eq!(bus.emit("c", 10).unwrap().delivered, 1);
    assert_eq!(bus.emit("a", 10).unwrap().dropped, 1);
    let rest: Vec<_> = sub
        .try_iter()
        .map(|event| (event.topic().to_string(), *event.payload()))
        .collect();
    assert_eq!(rest, [("b".to_owned(), 9), ("c".to_owned(), 10)]);
}

#[test]
fn p6_no_capacity_and_too_much_are_errors() {
    let zero = Bus::<u64>::builder().capacity(0).build().unwrap_err();
    assert_eq!(zero, BuildError::ZeroCapacity);
    let huge = Bus::<u64>::builder()
        .capacity(MAX_CAPACITY + 1)
        .build()
        .unwrap_err();
    assert_eq!(
        huge,
        BuildError::CapacityTooLarge {
            capacity: MAX_CAPACITY + 1
        }
    );
    assert!(Bus::<u64>::builder().capacity(MAX_CAPACITY).build().is_ok());
    let bus = Bus::<u64>::new();
    let zero = bus.subscription("a").capacity(0).subscribe().unwrap_err();
    assert_eq!(zero, SubscribeError::ZeroCapacity);
    let huge = bus
        .subscription("a")
        .capacity(usize::MAX)
        .subscribe()
        .unwrap_err();
    assert_eq!(
        huge,
        SubscribeError::CapacityTooLarge {
            capacity: usize::MAX
        }
    );
    assert_eq!(bus.subscriber_count(), 0);
}

#[test]
fn p6_the_defaults_are_what_is_promised() {
    assert_eq!((DEFAULT_CAPACITY, DEFAULT_MAX_SUBSCRIBERS), (200, 64));
    assert_eq!(DEFAULT_HEARTBEAT, Duration::from_secs(5));
    let bus = Bus::<u64>::new();
    assert_eq!(bus.stats().max_subscribers, 64);
    let sub = bus.subscribe("a").unwrap();
    assert_eq!(
        (sub.capacity(), sub.overflow()),
        (200, Overflow::DropNewest)
    );
}

#[test]
fn p6_one_subscription_more_than_the_limit_is_refused_and_slots_come_free() {
    let bus = Bus::<u64>::new();
    let mut subs: Vec<_> = (0..64).map(|_| bus.subscribe("a").unwrap()).collect();
    let refused = || bus.subscribe("a").unwrap_err();
    assert_eq!(refused(), SubscribeError::LimitReached { limit: 64 });
    assert!(
        refused()
            .to_string()
            .contains("BusBuilder::max_subscribers")
    );

    // Neither shares nor taps take a slot, nor does a share keep one that was closed.
    let share = subs[0].share();
    let taps = [(); 100].map(|()| bus.tap("a", |_| {}).unwrap());
    assert_eq!((bus.subscriber_count(), bus.stats().taps), (64, 100));
    drop(subs.swap_remove(0));
    assert_eq!(refused(), SubscribeError::LimitReached { limit: 64 });
    share.close();
    subs.push(bus.subscribe("a").unwrap());
    assert!(refused().is_limit_reached());

    // A dropped one and a closer free theirs.
    subs.pop();
    subs.push(bus.subscribe("a").unwrap());
    assert!(refused().is_limit_reached());
    assert!(subs[3].closer().close());
    subs.push(bus.subscribe("a").unwrap());
    assert!(refused().is_limit_reached());
    // One that was closed frees its slot once.
    drop(subs.remove(3));
    assert!(refused().is_limit_reached());
    bus.reset();
    assert!(bus.subscribe("a").is_ok());
    drop(taps);

    let none = Bus::<u64>::builder().max_subscribers(0).build().unwrap();
    assert_eq!(
        none.subscribe("a").unwrap_err(),
        SubscribeError::LimitReached { limit: 0 }
    );
}

#[test]
fn p6_waiting_for_an_event_takes_a_slot_while_it_lasts() {
    let bus = Bus::<u64>::builder().max_subscribers(1).build().unwrap();
    let sub = bus.subscribe("a").unwrap();
    let refused = bus.wait_for("a", Duration::ZERO, |_| true).unwrap_err();
    assert!(matches!(
        refused,
        chanbus::WaitError::Subscribe(SubscribeError::LimitReached { limit: 1 })
    ));
    drop(sub);
    let waiter = bus.clone();
    let thread = thread::spawn(move || waiter.wait_for("a", common::HANG, |_| true).unwrap());
    guarded(move || {
        while bus.subscriber_count() == 0 {
            thread::yield_now();
        }
        assert!(bus.subscribe("a").unwrap_err().is_limit_reached());
        bus.emit("a", 7).unwrap();
        assert_eq!(*thread.join().unwrap().payload(), 7);
        assert!(bus.subscribe("a").is_ok());
    });
}

#[test]
fn p6_the_limit_holds_against_racing_subscribers() {
    guarded(|| {
        let bus = Bus::<u64>::builder().max_subscribers(5).build().unwrap();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let bus = bus.clone();
                thread::spawn(move || {
                    let mut taken = 0;
                    for _ in 0..500 {
                        let subs: Vec<_> = (0..3).filter_map(|_| bus.subscribe("a").ok()).collect();
                        assert!(bus.subscriber_count() <= 5);
                        taken += subs.len();
                    }
                    taken
                })
            })
            .collect();
        let taken: usize = threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum();
        assert!(taken >= 500 && bus.subscriber_count() == 0);
        let subs = [(); 5].map(|()| bus.subscribe("a").unwrap());
        assert!(bus.subscribe("a").is_err());
        drop(subs);
    });
}

#[test]
fn p4_an_event_comes_once_however_many_patterns_match() {
    for policy in POLICIES {
        let bus = Bus::<u64>::builder().overflow(policy).build().unwrap();
        let many = bus
            .subscribe(["a.*", "a.**", "**", "a.b", "*.b", "?.b"])
            .unwrap();
        let same = bus.subscribe(["a.b", "a.b"]).unwrap();
        let calls = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
        let called = std::sync::Arc::clone(&calls);
        let tap = bus.tap(["a.*", "**"], move |_| {
            called.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        });
        for emitted in [
            bus.emit("a.b", 1),
            bus.publisher("a.b").unwrap().emit(2),
            bus.broadcast("a.b", 3),
        ] {
            let emitted = emitted.unwrap();
            assert_eq!((emitted.matched, emitted.delivered), (2, 2));
        }
        assert_eq!((many.matched(), same.matched()), (3, 3));
        assert_eq!(calls.load(std::sync::atomic::Ordering::SeqCst), 3);
        many.set_patterns(["a.b", "**", "a.b"]).unwrap();
        assert_eq!(bus.emit("a.b", 4).unwrap().matched, 2);
        drop(tap);
    }
}

#[test]
fn p4_of_sharers_each_event_goes_to_one() {
    for policy in [Overflow::DropNewest, Overflow::DropOldest] {
        guarded(move || {
            let bus = Bus::<u64>::builder()
                .capacity(5_000)
                .overflow(policy)
                .build()
                .unwrap();
            let sub = bus.subscribe("a").unwrap();
            let workers = [(); 4].map(|()| {
                let share = sub.share();
                thread::spawn(move || {
                    share
                        .iter()
                        .map(|event| *event.payload())
                        .collect::<Vec<_>>()
                })
            });
            let publisher = bus.publisher("a").unwrap();
            for n in 0..4_000 {
                publisher.emit(n).unwrap();
            }
            drop((sub, bus));
            let took = workers.map(|worker| worker.join().unwrap());
            let all: BTreeSet<u64> = took.iter().flatten().copied().collect();
            assert_eq!(took.iter().map(Vec::len).sum::<usize>(), 4_000);
            assert!(all.into_iter().eq(0..4_000));
            // Each of them sees what it takes in order.
            assert!(took.iter().all(|took| took.is_sorted()));
        });
    }
}

#[test]
fn p12_no_topic_and_no_payload_is_taken_for_a_sign_of_the_bus() {
    let names = [
        "_closed",
        "_end",
        "end",
        "eof",
        "closed",
        "__close__",
        "_keepalive",
        "keepalive",
        "heartbeat",
        "_missed",
        "missed",
        "lagged",
        "_bus.closed",
        "$",
        "#",
        "-",
        "None",
    ];
    for policy in POLICIES {
        let bus = Bus::<Option<()>>::builder()
            .overflow(policy)
            .build()
            .unwrap();
        let sub = bus.subscribe_all().unwrap();
        for name in names {
            assert_eq!(bus.emit(name, None).unwrap().delivered, 1, "{name}");
        }
        for name in names {
            let event = sub.try_recv().unwrap();
            assert_eq!((event.topic().as_str(), sub.is_closed()), (name, false));
        }
        for name in names {
            bus.emit(name, None).unwrap();
        }
        bus.close();
        let beats = sub.heartbeats(Duration::ZERO).map(|beat| match beat {
            Beat::Event(event) => event.topic().to_string(),
            other => panic!("{other:?}"),
        });
        assert!(beats.eq(names));
    }
}

#[test]
fn p12_keepalives_gaps_and_the_end_are_not_events() {
    let bus = Bus::<u64>::builder().capacity(1).build().unwrap();
    let sub = bus.subscribe_all().unwrap();
    bus.emit("a", 1).unwrap();
    bus.emit("a", 2).unwrap();
    let mut beats = sub.heartbeats(Duration::ZERO);
    assert!(matches!(beats.next(), Some(Beat::Event(event)) if *event.payload() == 1));
    assert!(matches!(beats.next(), Some(Beat::Missed(1))));
    assert!(matches!(beats.next(), Some(Beat::Keepalive)));
    bus.close();
    assert!(beats.next().is_none() && beats.next().is_none());
    assert_eq!((sub.received(), sub.dropped(), sub.len()), (1, 1, 0));
}
