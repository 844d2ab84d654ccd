//! What operations cost, by counting allocations: emits (P1), changes of the list, memory (P13).
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use chanbus::{Bus, EmitError, Overflow, Publisher};
use common::counting::{Counting, allocated, allocations, live};
use common::{Dice, POLICIES};

#[global_allocator]
static COUNTING: Counting = Counting;

const ROUNDS: u64 = 1_000;

/// Allocations of `ROUNDS` emits, by a publisher and by the bus, after one emit of each.
fn both_ways(bus: &Bus<u64>, publisher: &Publisher<u64>, after: &mut dyn FnMut()) -> (u64, u64) {
    let topic = publisher.topic().as_str();
    publisher.emit(0).unwrap();
    after();
    bus.emit(topic, 0).unwrap();
    after();
    let (mut by_publisher, mut by_bus) = (0, 0);
    for n in 0..ROUNDS {
        by_publisher += allocations(|| publisher.emit(n).unwrap());
        after();
        by_bus += allocations(|| bus.emit(topic, n).unwrap());
        after();
    }
    (by_publisher, by_bus)
}

#[test]
fn p1_a_matched_emit_allocates_its_event_at_most() {
    for subscriptions in [1, 2, 64] {
        let bus = Bus::<u64>::builder().capacity(4).build().unwrap();
        let subs: Vec<_> = (0..subscriptions)
            .map(|n| {
                let patterns = [["a.b", "**"], ["a.*", "a.b"], ["**", "x"]];
                bus.subscribe(patterns[n % 3]).unwrap()
            })
            .collect();
        let publisher = bus.publisher("a.b").unwrap();
        let counted = both_ways(&bus, &publisher, &mut || {
            assert!(subs.iter().all(|sub| sub.try_recv().is_ok()));
        });
        // A publisher's blocks come back to it; the bus makes a new one for every event.
        assert_eq!(counted, (0, ROUNDS), "{subscriptions} subscriptions");
    }
}

#[test]
fn p1_filters_and_taps_add_no_allocation() {
    let bus = Bus::<u64>::new();
    let odd = bus
        .subscription("a")
        .filter(|event| event.payload() % 2 == 1);
    let odd = odd.subscribe().unwrap();
    let all = bus.subscribe("a").unwrap();
    let tap = bus.tap("a", |_| {}).unwrap();
    let publisher = bus.publisher("a").unwrap();
    // Each queue is made for its first event.
    publisher.emit(1).unwrap();
    assert!(odd.try_recv().is_ok() && all.try_recv().is_ok());
    let counted = both_ways(&bus, &publisher, &mut || {
        let _ = odd.try_recv();
        assert!(all.try_recv().is_ok());
    });
    assert_eq!(counted, (0, ROUNDS));
    assert!(odd.filtered() > 0 && odd.received() > 0);
    drop(tap);
}

#[test]
fn p1_an_unmatched_emit_allocates_nothing() {
    let bus = Bus::<u64>::new();
    let _elsewhere = bus.subscribe("b.**").unwrap();
    let publisher = bus.publisher("a").unwrap();
    assert_eq!(both_ways(&bus, &publisher, &mut || {}), (0, 0));
}

#[test]
fn p1_an_emit_on_a_closed_bus_allocates_nothing() {
    let bus = Bus::<u64>::new();
    let sub = bus.subscribe("a").unwrap();
    let publisher = bus.publisher("a").unwrap();
    publisher.emit(0).unwrap();
    bus.close();
    for n in 0..ROUNDS {
        let by_publisher = allocations(|| {
            assert!(matches!(publisher.emit(n), Err(EmitError::Closed(back)) if back == n));
        });
        let by_bus = allocations(|| {
            assert!(matches!(bus.emit("a", n), Err(EmitError::Closed(back)) if back == n));
        });
        assert_eq!((by_publisher, by_bus), (0, 0));
    }
    assert_eq!(sub.iter().count(), 1);
}

#[test]
fn p1_a_refusal_an_eviction_and_a_replacement_cost_no_allocation_more() {
    for policy in POLICIES {
        let bus = Bus::<u64>::builder()
            .capacity(3)
            .overflow(policy)
            .build()
            .unwrap();
        let sub = bus.subscribe("a").unwrap();
        let publisher = bus.publisher("a").unwrap();
        // The first loss of a subscription makes room for a note of its place.
        publisher.emit_batch(0..4).unwrap();
        let counted = both_ways(&bus, &publisher, &mut || {});
        assert_eq!(counted, (0, ROUNDS), "{policy:?}");
        assert!(sub.dropped() + sub.conflated() >= 2 * ROUNDS);
    }
}

#[test]
fn p1_a_queue_that_wavers_between_full_and_not_costs_next_to_no_allocation_more() {
    // A loss in a new place is noted in a log, which is made for the first and grows by doubling up to
    // the capacity: that is all there is, however long it goes on, beside the event in hand, which is the first beyond the
    // queue's, and the publisher's list of blocks, which grows for it.
    let bus = Bus::<u64>::builder().capacity(64).build().unwrap();
    let sub = bus.subscribe("a").unwrap();
    let publisher = bus.publisher("a").unwrap();
    publisher.emit_batch(0..64).unwrap();
    let mut extra = 0;
    for n in 0..ROUNDS {
        extra += allocations(|| publisher.emit(n).unwrap());
        assert!(sub.try_recv().is_ok());
        extra += allocations(|| publisher.emit(n).unwrap());
    }
    assert_eq!(sub.dropped(), ROUNDS);
    assert!(extra <= 9, "{extra} allocations");
}

#[test]
fn p1_many_queues_that_evict_in_step_cost_no_allocation_more() {
    let bus = Bus::<u64>::builder();
    let bus = bus
        .capacity(2)
        .overflow(Overflow::DropOldest)
        .build()
        .unwrap();
    let subs: Vec<_> = (0..64).map(|_| bus.subscribe("a").unwrap()).collect();
    let publisher = bus.publisher("a").unwrap();
    publisher.emit_batch(0..4).unwrap();
    let counted = both_ways(&bus, &publisher, &mut || {});
    assert_eq!(counted, (0, ROUNDS));
    assert!(subs.iter().all(|sub| sub.dropped() > 2 * ROUNDS));
}

#[test]
fn p1_up_to_four_queues_that_evict_out_of_step_cost_no_allocation_more() {
    let bus = Bus::<u64>::builder();
    let bus = bus
        .capacity(1)
        .overflow(Overflow::DropOldest)
        .build()
        .unwrap();
    let names = ["q.0", "q.1", "q.2", "q.3"];
    let subs = names.map(|name| bus.subscribe([name, "all"]).unwrap());
    let all = bus.publisher("all").unwrap();
    let single = names.map(|name| bus.publisher(name).unwrap());
    let mut spent = 0;
    for n in 0..ROUNDS {
        for publisher in &single {
            publisher.emit(n).unwrap();
        }
        let before = spent;
        spent += allocations(|| assert_eq!(all.emit(n).unwrap().evicted, 4));
        // The first rounds resolve routes and note the first loss.
        if n < 2 {
            spent = before;
        }
    }
    assert_eq!(spent, 0);
    assert!(subs.iter().all(|sub| sub.len() == 1));
}

#[test]
fn p1_more_queues_that_evict_out_of_step_cost_one_block_more_between_them() {
    // More different events than an emit keeps on its stack until it may drop them.
    let bus = Bus::<u64>::builder();
    let bus = bus
        .capacity(1)
        .overflow(Overflow::DropOldest)
        .build()
        .unwrap();
    let names: Vec<String> = (0..16).map(|n| format!("q.{n}")).collect();
    let subscribe = |name: &String| bus.subscribe([name.as_str(), "all"]).unwrap();
    let _subs: Vec<_> = names.iter().map(subscribe).collect();
    let all = bus.publisher("all").unwrap();
    for n in 0..10 {
        for name in &names {
            bus.emit(name, n).unwrap();
        }
        let spent = allocations(|| assert_eq!(all.emit(n).unwrap().evicted, 16));
        // The first rounds resolve routes and note the first loss.
        assert!(n < 2 || spent <= 3, "{spent} allocations");
    }
}

#[test]
fn p1_extras_cost_as_many_allocations_as_they_are() {
    let bus = Bus::<u64>::new();
    let sub = bus.subscribe("a").unwrap();
    let publisher = bus.publisher("a").unwrap().with_source("import");
    publisher.emit(0).unwrap();
    // The event, whose first block is still in the queue, and one block for all that is extra.
    assert_eq!(allocations(|| publisher.emit(1).unwrap()), 2);
    assert_eq!(sub.len(), 2);
    // With a block that came back, the extras alone.
    assert!(sub.try_recv().is_ok());
    assert_eq!(allocations(|| publisher.emit(2).unwrap()), 1);
}

#[test]
fn p1_a_publisher_allocates_for_events_beyond_those_it_keeps_blocks_for() {
    let bus = Bus::<u64>::builder().capacity(2_000).build().unwrap();
    let sub = bus.subscribe("a").unwrap();
    let publisher = bus.publisher("a").unwrap();
    let emit_all = || {
        (0..ROUNDS)
            .map(|n| allocations(|| publisher.emit(n).unwrap()))
            .sum()
    };
    publisher.emit_batch(0..2_000).unwrap();
    while sub.try_recv().is_ok() {}
    // At most one allocation each: the first 256 use blocks that came back, the others new ones.
    for _ in 0..3 {
        let spent: u64 = emit_all();
        assert_eq!(spent, ROUNDS - 256);
        while sub.try_recv().is_ok() {}
    }
    // What it keeps goes with it.
    let before = live();
    drop(publisher);
    assert!(before - live() > 256 * 32, "{} bytes", before - live());
}

#[test]
fn p1_a_task_that_waits_for_each_event_costs_no_allocation() {
    let bus = Bus::<u64>::new();
    let sub = bus.subscribe("a").unwrap();
    let publisher = bus.publisher("a").unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let mut round = |n| {
        // Two, so that there is a list.
        let (mut first, mut second) = (pin!(sub.recv_async()), pin!(sub.recv_async()));
        assert!(first.as_mut().poll(&mut context).is_pending());
        assert!(second.as_mut().poll(&mut context).is_pending());
        publisher.emit(n).unwrap();
        assert!(first.as_mut().poll(&mut context).is_ready());
    };
    round(0);
    assert_eq!(allocations(|| (0..ROUNDS).for_each(&mut round)), 0);
    assert_eq!(sub.received(), 1 + ROUNDS);
}

#[cfg(feature = "stream")]
#[test]
fn p1_a_stream_that_waits_for_each_event_costs_no_allocation() {
    use futures_core::Stream;

    let bus = Bus::<u64>::new();
    let sub = bus.subscribe("a").unwrap();
    let publisher = bus.publisher("a").unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let mut plain = pin!(sub.stream());
    let idle = std::future::pending::<()>;
    let mut beats = pin!(sub.stream().with_gaps().keepalive(idle));
    let mut round = |n| {
        assert!(plain.as_mut().poll_next(&mut context).is_pending());
        assert!(beats.as_mut().poll_next(&mut context).is_pending());
        publisher.emit(n).unwrap();
        publisher.emit(n).unwrap();
        assert!(beats.as_mut().poll_next(&mut context).is_ready());
        assert!(plain.as_mut().poll_next(&mut context).is_ready());
    };
    round(0);
    assert_eq!(allocations(|| (0..ROUNDS).for_each(&mut round)), 0);
}

#[test]
fn p1_a_change_of_the_list_copies_a_handful_however_long_it_is() {
    /// Bytes allocated to subscribe and to drop, on a bus of so many subscriptions.
    fn bytes_per_change(subscriptions: usize) -> u64 {
        let bus = Bus::<u64>::builder();
        let bus = bus
            .capacity(1)
            .max_subscribers(subscriptions + 1)
            .build()
            .unwrap();
        let _subs: Vec<_> = (0..subscriptions)
            .map(|n| bus.subscribe(format!("user.{n}.*")).unwrap())
            .collect();
        let changes: u64 = 50;
        let spent = |n| allocated(|| drop(bus.subscribe(format!("user.{n}x.*")).unwrap())).1;
        (0..changes).map(spent).sum::<u64>() / changes
    }

    let few = bytes_per_change(10);
    let more = bytes_per_change(1_000);
    let many = bytes_per_change(100_000);
    assert!(more < 4 * few, "{few}, {more}, {many} bytes");
    assert!(many < 6 * few, "{few}, {more}, {many} bytes");
    assert!(many < 16 * 1024, "{few}, {more}, {many} bytes");
}

/// Emits on topics `from..to`, each of them once.
fn emit_on_distinct_topics(bus: &Bus<u64>, from: u64, to: u64) {
    for n in from..to {
        bus.emit(format!("topic.{n:09}"), n).unwrap();
    }
}

#[test]
fn p13_memory_does_not_grow_with_the_topics_ever_emitted() {
    /// In an optimised build the full numbers; else fewer, to keep the test short.
    const FIRST: u64 = if cfg!(debug_assertions) {
        20_000
    } else {
        1_000_000
    };
    let bus = Bus::<u64>::builder()
        .capacity(8)
        .route_cache(1_000)
        .history(50);
    let bus = bus.build().unwrap();
    let full = bus.subscribe("topic.*").unwrap();
    let latest = bus
        .subscription("**")
        .overflow(Overflow::Latest)
        .subscribe()
        .unwrap();
    let nobody = bus.subscribe("elsewhere").unwrap();
    // The cache renews itself each time as many topics missed it as it holds: equal phases.
    emit_on_distinct_topics(&bus, 0, FIRST);
    while latest.try_recv().is_ok() {}
    let after_first = live();
    emit_on_distinct_topics(&bus, FIRST, 10 * FIRST);
    while latest.try_recv().is_ok() {}
    let after_all = live();
    assert_eq!(
        after_first, after_all,
        "bytes after {FIRST} and ten times as many topics"
    );
    assert_eq!(bus.stats().emitted, 10 * FIRST);
    assert_eq!((full.len(), nobody.len(), bus.stats().history), (8, 0, 50));
}

#[test]
fn p13_memory_stays_flat_under_topics_never_seen_again() {
    /// In an optimised build the full number; else fewer, to keep the test short.
    const TOPICS: u64 = if cfg!(debug_assertions) {
        200_000
    } else {
        10_000_000
    };
    const CACHE: u64 = 1_000;
    // The cache is taken in, passed by and freed over some thousands of topics: all phases are in each.
    const STAGE: u64 = TOPICS / 20;
    let bus = Bus::<u64>::builder().route_cache(CACHE as usize);
    let bus = bus.build().unwrap();
    let sub = bus.subscribe("topic.*").unwrap();
    let most_in = |stage: u64| {
        let mut most = 0;
        for n in stage * STAGE..(stage + 1) * STAGE {
            bus.emit(format!("topic.{n:09}"), n).unwrap();
            assert!(sub.try_recv().is_ok());
            most = most.max(live());
        }
        most
    };
    let first = most_in(0);
    for stage in 1..20 {
        let most = most_in(stage);
        assert!(most <= first, "{first} bytes, in stage {stage} {most}");
    }
}

#[test]
fn p13_the_route_cache_is_bounded_and_goes_with_the_bus() {
    // A thread's first look at a list makes something that stays with the thread: not counted.
    Bus::new().emit("topic", 0).unwrap();
    let before = live();
    let bus = Bus::<u64>::builder().route_cache(100).build().unwrap();
    let sub = bus.subscribe("**").unwrap();
    let mut most = 0;
    for n in 0..20_000 {
        bus.emit(format!("topic.{n:09}"), n).unwrap();
        let _ = sub.try_recv();
        most = most.max(live() - before);
    }
    // 200 queue slots and a hundred cached routes, some hundred bytes each.
    assert!(most < 100_000, "{most} bytes");
    drop((bus, sub));
    assert_eq!(live(), before, "bytes left behind");
}

#[test]
fn p13_topics_that_never_return_do_not_keep_those_that_do_out_of_the_route_cache() {
    let bus = Bus::<u64>::builder().route_cache(100).build().unwrap();
    let sub = bus.subscribe("**").unwrap();
    emit_on_distinct_topics(&bus, 0, 1_000);
    let mut costs = Vec::new();
    for n in 0..500 {
        while sub.try_recv().is_ok() {}
        costs.push(allocations(|| bus.emit("hot", n).unwrap()));
        bus.emit("warm", n).unwrap();
    }
    // Looked up at first, then remembered: the event is all that is allocated.
    assert!(
        costs[0] > 1 && costs[400..].iter().all(|cost| *cost == 1),
        "{costs:?}"
    );
}

#[test]
fn p13_subscriptions_publishers_and_taps_that_come_and_go_leave_nothing() {
    let bus = Bus::<u64>::builder().capacity(2).build().unwrap();
    // An idle publisher with a route of long ago, and one that emits.
    let idle = bus.publisher("a.idle").unwrap();
    idle.emit(0).unwrap();
    let busy = bus.publisher("a.busy").unwrap();
    let mut dice = Dice::new(13);
    let mut churn = |rounds: u64| {
        for n in 0..rounds {
            let sub = bus
                .subscription(["a.*", "b.**"])
                .overflow(POLICIES[n as usize % 3]);
            let sub = sub
                .filter(|event| event.payload() % 3 != 0)
                .subscribe()
                .unwrap();
            let tap = bus.tap("a.*", |_| {}).unwrap();
            let publisher = bus.publisher("b.c").unwrap();
            for n in 0..dice.below(5) {
                busy.emit(n).unwrap();
                publisher.emit(n).unwrap();
            }
            if dice.below(2) == 0 {
                sub.close();
            }
            drop((sub, publisher, tap));
        }
        // A change drops what the last one left in the ledger and in the routes.
        drop(bus.subscribe("a.*").unwrap());
        busy.emit(0).unwrap();
    };
    let rounds = if cfg!(debug_assertions) {
        10_000
    } else {
        100_000
    };
    churn(100);
    let after_few = live();
    churn(rounds);
    let after_many = live();
    // What counts losses may wait for the next change: one or two, not one each.
    assert!(
        (after_many - after_few).abs() < 2_048,
        "{after_few}, then {after_many} bytes"
    );
    drop(idle);
}

#[test]
fn p13_emits_that_wait_for_room_leave_nothing() {
    for history in [0, 10] {
        let bus = Bus::<u64>::builder().history(history).build().unwrap();
        let sub = bus.subscribe("a").unwrap();
        let publisher = bus.publisher("a").unwrap();
        let emit = |rounds: u64| {
            for n in 0..rounds {
                bus.emit_within("a", n, Duration::from_secs(60)).unwrap();
                publisher.emit_within(n, Duration::from_secs(60)).unwrap();
                assert_eq!(sub.try_iter().count(), 2);
            }
        };
        emit(300);
        let after_few = live();
        emit(10_000);
        assert_eq!(live(), after_few, "history {history}");
    }
}

#[test]
fn p13_tasks_that_come_and_go_leave_nothing() {
    let bus = Bus::<u64>::new();
    let sub = bus.subscribe("a").unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let mut churn = |rounds: u64| {
        for n in 0..rounds {
            let other = bus.subscribe("a").unwrap();
            let mut waiting: Vec<_> = (0..n % 5).map(|_| Box::pin(sub.recv_async())).collect();
            waiting.extend((0..n % 3).map(|_| Box::pin(other.recv_async())));
            for future in &mut waiting {
                assert!(future.as_mut().poll(&mut context).is_pending());
            }
            if n % 2 == 0 {
                bus.emit("a", n).unwrap();
            }
            let mut wanted = Box::pin(bus.wait_for_async("b", |_| true));
            assert!(wanted.as_mut().poll(&mut context).is_pending());
            drop((waiting, wanted));
            let _ = sub.try_recv();
        }
        // A change drops what the last one left.
        drop(bus.subscribe("a").unwrap());
    };
    churn(100);
    let after_few = live();
    churn(5_000);
    let grown = live() - after_few;
    assert!(grown.abs() < 2_048, "{grown} bytes");
}

#[test]
fn p13_the_log_of_gaps_is_bounded_by_the_capacity() {
    let bus = Bus::<u64>::builder().capacity(16).build().unwrap();
    let sub = bus.subscribe("a").unwrap();
    let publisher = bus.publisher("a").unwrap();
    publisher.emit_batch(0..17).unwrap();
    let before = live();
    for n in 0..50_000 {
        // A gap in a new place every round, and nobody asks for it.
        assert!(sub.try_recv().is_ok());
        publisher.emit(n).unwrap();
        publisher.emit(n).unwrap();
    }
    let grown = live() - before;
    assert!(grown <= 17 * 2 * 16, "{grown} bytes");
    assert_eq!(sub.missed(), 50_001);
}
