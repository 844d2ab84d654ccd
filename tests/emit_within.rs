//! Emits that wait for room: whom they wait for, and whom they do not.
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::thread;
use std::time::{Duration, Instant};

use chanbus::{Bus, Overflow};

/// Longer than any test should take.
const LONG: Duration = Duration::from_secs(60);

#[test]
fn who_has_room_does_not_wait_for_who_has_none() {
    let bus = Bus::new();
    let full = bus.subscription("n").capacity(1).subscribe().unwrap();
    let roomy = bus.subscription("n").capacity(8).subscribe().unwrap();
    bus.emit("n", 1).unwrap();

    let publisher = bus.publisher("n").unwrap();
    let emitter = thread::spawn(move || publisher.emit_within(2, LONG).unwrap());
    assert_eq!(*roomy.recv().unwrap().payload(), 1);
    // The emit is still waiting for `full`: nobody has taken from it.
    assert_eq!(*roomy.recv_timeout(LONG / 2).unwrap().payload(), 2);
    assert!(!emitter.is_finished());

    assert_eq!(*full.recv().unwrap().payload(), 1);
    assert_eq!(*full.recv_timeout(LONG).unwrap().payload(), 2);
    let emitted = emitter.join().unwrap();
    assert_eq!((emitted.matched, emitted.delivered), (2, 2));
}

#[test]
fn a_publisher_waits_for_room_and_loses_nothing() {
    let bus = Bus::new();
    let rows = bus.subscription("row").capacity(2).subscribe().unwrap();
    let row = bus.publisher("row").unwrap();
    let reader = thread::spawn(move || {
        let rows = rows.iter().map(|event| *event.payload());
        rows.collect::<Vec<u32>>()
    });
    for number in 0..1_000 {
        assert!(row.emit_within(number, LONG).unwrap().is_complete());
    }
    drop(bus);
    assert_eq!(reader.join().unwrap(), (0..1_000).collect::<Vec<_>>());
}

#[test]
fn a_publisher_that_waited_in_vain_counts_a_drop() {
    let bus = Bus::new();
    let sub = bus.subscription("n").capacity(1).subscribe().unwrap();
    let publisher = bus.publisher("n").unwrap();
    publisher.emit(1).unwrap();
    let emitted = publisher.emit_within(2, Duration::from_millis(5)).unwrap();
    assert_eq!((emitted.matched, emitted.dropped), (1, 1));
    assert_eq!((sub.received(), sub.dropped()), (1, 1));
}

#[test]
fn queues_that_make_room_are_not_waited_for() {
    let bus = Bus::new();
    let oldest = bus
        .subscription("n")
        .capacity(1)
        .overflow(Overflow::DropOldest);
    let oldest = oldest.subscribe().unwrap();
    let latest = bus.subscription("n").capacity(1).overflow(Overflow::Latest);
    let latest = latest.subscribe().unwrap();
    let publisher = bus.publisher("n").unwrap();
    let begun = Instant::now();
    for number in 0..100 {
        assert!(publisher.emit_within(number, LONG).unwrap().is_complete());
    }
    assert!(begun.elapsed() < LONG);
    assert_eq!((oldest.dropped(), latest.conflated()), (99, 99));
}

#[cfg(target_os = "linux")]
#[test]
fn a_subscription_that_goes_ends_the_wait_for_it() {
    let bus = Bus::new();
    let full = bus.subscription("n").capacity(1).subscribe().unwrap();
    bus.emit("n", 1).unwrap();
    let publisher = bus.publisher("n").unwrap();
    let emitter = common::spawn_asleep(move || publisher.emit_within(2, LONG * 60).unwrap());
    drop(full);
    assert_eq!(emitter.join().unwrap().matched, 0);
}

#[test]
fn a_refused_emit_is_not_counted_whether_or_not_there_is_a_history() {
    for history in [0, 4] {
        let bus = Bus::builder().history(history).build().unwrap();
        let publisher = bus.publisher("n").unwrap();
        publisher.emit(1).unwrap();
        bus.close();
        assert_eq!(publisher.emit(2).unwrap_err().into_payload(), 2);
        assert_eq!(bus.stats().emitted, 1, "history of {history}");
    }
}

#[test]
fn p5_nothing_is_pushed_out_where_there_is_room() {
    for policy in common::POLICIES {
        let bus = Bus::builder().overflow(policy).capacity(2).build().unwrap();
        let sub = bus.subscribe("**").unwrap();
        for (topic, number) in [("a", 1), ("b", 2)] {
            let emitted = bus.emit_within(topic, number, Duration::ZERO).unwrap();
            assert_eq!((emitted.delivered, emitted.evicted), (1, 0), "{policy:?}");
        }
        assert_eq!((sub.len(), sub.dropped()), (2, 0), "{policy:?}");
    }
}
