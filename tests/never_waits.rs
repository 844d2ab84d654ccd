//! An emit never waits (P1): not for a consumer, and not for user code that others are inside of.
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Instant;

use chanbus::{Bus, Overflow};
use common::places::{Act, PLACES, Stage, use_all_of};
use common::{Gate, POLICIES, guarded};

#[test]
fn p1_code_of_the_users_that_is_stuck_stops_nobody_else() {
    for place in &PLACES {
        let gate = Gate::new();
        let held = gate.clone();
        let act: Act = Arc::new(move |_| held.pass());
        let stage = Arc::new(Stage::new(place, &act));
        let there = Arc::clone(&stage);
        let stuck = thread::spawn(move || (place.run)(&there));
        gate.wait_held();
        // The first is stuck in there; all others pass.
        let weak = stage.bus.downgrade();
        place.announce();
        guarded(move || use_all_of(&weak));
        assert!(!stuck.is_finished(), "{}", place.name);
        gate.open();
        stuck.join().unwrap();
    }
}

#[test]
fn p1_a_reset_and_a_close_wait_for_no_code_of_the_users() {
    for place in &PLACES {
        let gate = Gate::new();
        let held = gate.clone();
        let act: Act = Arc::new(move |_| held.pass());
        let stage = Arc::new(Stage::new(place, &act));
        let there = Arc::clone(&stage);
        // The place may find the bus closed when it goes on, and say so.
        let stuck = thread::spawn(move || (place.run)(&there));
        gate.wait_held();
        let bus = stage.bus.clone();
        place.announce();
        guarded(move || {
            bus.reset();
            bus.close();
            assert!(bus.is_closed() && bus.subscriber_count() == 0);
        });
        gate.open();
        let _ = stuck.join();
    }
}

#[test]
fn p1_a_consumer_that_never_reads_slows_nobody() {
    for policy in POLICIES {
        let bus = Bus::<u64>::builder()
            .capacity(2)
            .overflow(policy)
            .build()
            .unwrap();
        let lazy = bus.subscribe("**").unwrap();
        let eager = bus
            .subscription("**")
            .capacity(1_000)
            .overflow(Overflow::DropNewest);
        let eager = eager.subscribe().unwrap();
        let publisher = bus.publisher("a").unwrap();
        guarded(move || {
            for n in 0..500 {
                assert!(publisher.emit(n).unwrap().delivered >= 1);
                assert!(bus.emit("b", n).unwrap().delivered >= 1);
            }
            let read: Vec<u64> = eager.try_iter().map(|event| *event.payload()).collect();
            assert!(read.into_iter().eq((0..500).flat_map(|n| [n, n])));
            assert_eq!((eager.dropped(), lazy.len()), (0, 2));
        });
    }
}

#[test]
fn p1_emits_go_on_while_the_list_changes_without_end() {
    guarded(|| {
        let bus = Bus::<u64>::builder()
            .capacity(1)
            .max_subscribers(10_000)
            .build()
            .unwrap();
        let start = Arc::new(Barrier::new(3));
        let emitters: Vec<_> = (0..2)
            .map(|_| {
                let (bus, start) = (bus.clone(), Arc::clone(&start));
                thread::spawn(move || {
                    let publisher = bus.publisher("a.b").unwrap();
                    start.wait();
                    for n in 0..20_000 {
                        publisher.emit(n).unwrap();
                        bus.emit("a.c", n).unwrap();
                    }
                })
            })
            .collect();
        start.wait();
        // Changes until the emitters are done, so that all of their emits had changes beside them.
        while !emitters.iter().all(|emitter| emitter.is_finished()) {
            let subs = [(); 3].map(|()| bus.subscribe("a.*").unwrap());
            subs[0].set_patterns("a.b").unwrap();
        }
        emitters
            .into_iter()
            .for_each(|emitter| emitter.join().unwrap());
        assert_eq!((bus.stats().emitted, bus.subscriber_count()), (80_000, 0));
    });
}

/// Queues of many, full of events of their own, so that each emit pushes a different one out of each.
#[test]
fn p1_what_an_emit_pushes_out_costs_no_more_where_it_is_much() {
    /// Nanoseconds for each push, by single emits or by a batch.
    fn cost(subscriptions: usize, in_one: bool) -> f64 {
        const EVENTS: u64 = 64;
        let bus = Bus::<Box<u64>>::builder().max_subscribers(subscriptions);
        let bus = bus.build().unwrap();
        let subs: Vec<_> = (0..subscriptions)
            .map(|n| {
                let patterns = [format!("user.{n}"), "all".to_owned()];
                bus.subscription(patterns)
                    .capacity(EVENTS as usize)
                    .overflow(Overflow::DropOldest)
                    .subscribe()
                    .unwrap()
            })
            .collect();
        for n in 0..subscriptions {
            let own = bus.publisher(format!("user.{n}")).unwrap();
            own.emit_batch((0..EVENTS).map(Box::new)).unwrap();
        }
        let all = bus.publisher("all").unwrap();
        let began = Instant::now();
        if in_one {
            all.emit_batch((0..EVENTS).map(Box::new)).unwrap();
        } else {
            (0..EVENTS).for_each(|n| assert!(all.emit(Box::new(n)).is_ok()));
        }
        let spent = began.elapsed();
        assert!(subs.iter().all(|sub| sub.dropped() == EVENTS));
        spent.as_nanos() as f64 / (subscriptions as u64 * EVENTS) as f64
    }
    // The best of some: the machine may be busy with others.
    let best = |subscriptions, in_one| {
        let costs = (0..5).map(|_| cost(subscriptions, in_one));
        costs.fold(f64::INFINITY, f64::min)
    };
    for in_one in [false, true] {
        let (few, many) = (best(16, in_one), best(512, in_one));
        assert!(
            many < 5.0 * few,
            "{many} against {few} ns, in one: {in_one}"
        );
    }
}
