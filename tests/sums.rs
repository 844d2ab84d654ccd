//! Nothing vanishes silently: the counters add up, per emit, per subscription and per bus (P5).
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::ops::AddAssign;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use chanbus::{Beat, Bus, BusStats, Emitted, Overflow, Publisher, Subscription};
use common::{Dice, POLICIES, guarded};

/// What emits said that they did.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Tally {
    emits: u64,
    refused: u64,
    matched: u64,
    delivered: u64,
    dropped: u64,
    filtered: u64,
    evicted: u64,
}

impl Tally {
    /// Notes what one call did that emitted `count` events.
    fn note(&mut self, count: u64, emitted: Emitted) {
        let sum = emitted.delivered + emitted.dropped + emitted.filtered;
        assert_eq!(emitted.matched, sum, "{emitted:?}");
        self.emits += count;
        self.matched += emitted.matched as u64;
        self.delivered += emitted.delivered as u64;
        self.dropped += emitted.dropped as u64;
        self.filtered += emitted.filtered as u64;
        self.evicted += emitted.evicted as u64;
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.emits += other.emits;
        self.refused += other.refused;
        self.matched += other.matched;
        self.delivered += other.delivered;
        self.dropped += other.dropped;
        self.filtered += other.filtered;
        self.evicted += other.evicted;
    }
}

type Numbered = u64;

/// Emits in every way there is, until `emits` are done or the bus refuses.
fn publish(
    bus: &chanbus::WeakBus<Numbered>,
    publishers: &[Publisher<Numbered>],
    emits: u64,
    seed: u64,
) -> Tally {
    let mut tally = Tally::default();
    let mut dice = Dice::new(seed);
    while tally.emits < emits {
        let publisher = &publishers[dice.below(publishers.len() as u64) as usize];
        let number = tally.emits;
        // Each way hands back how many events it emitted, and how many it was refused.
        let (count, emitted) = match (dice.below(8), bus.upgrade()) {
            (0, Some(bus)) => (1, bus.emit(publisher.topic(), number).map_err(|_| 1)),
            (1, Some(bus)) => {
                let draft = bus.event(publisher.topic(), number).source("test");
                (1, draft.emit().map_err(|_| 1))
            }
            (2, Some(bus)) => (
                1,
                bus.emit_within(publisher.topic(), number, Duration::ZERO)
                    .map_err(|_| 1),
            ),
            (3, Some(bus)) => (1, bus.broadcast(publisher.topic(), number).map_err(|_| 1)),
            (4, Some(bus)) => {
                let mut batch = bus.start_batch();
                batch.emit(publisher.topic(), number).unwrap();
                batch.emit("t.0", number).unwrap();
                (
                    2,
                    batch
                        .commit()
                        .map_err(|error| error.into_payload().len() as u64),
                )
            }
            (5, _) => {
                let emitted = publisher.emit_batch([number, number + 1, number + 2]);
                (
                    3,
                    emitted.map_err(|error| error.into_payload().len() as u64),
                )
            }
            _ => (1, publisher.emit(number).map_err(|_| 1)),
        };
        match emitted {
            Ok(emitted) => tally.note(count, emitted),
            Err(refused) => {
                assert_eq!(refused, count, "a refused emit emits nothing");
                tally.refused += refused;
                return tally;
            }
        }
    }
    tally
}

/// Reads a subscription to its end in one of several ways; how many events it took.
fn consume(sub: &Subscription<Numbered>, way: usize) -> u64 {
    match way % 4 {
        0 => sub.iter().inspect(|_| thread::yield_now()).count() as u64,
        1 => {
            let (mut buffer, mut taken) = (Vec::new(), 0);
            while let Ok(count) = sub.recv_batch(&mut buffer, 3) {
                taken += count as u64;
                assert_eq!(buffer.drain(..).count(), count);
            }
            taken
        }
        2 => {
            let events = |beat| matches!(beat, Beat::Event(_));
            sub.heartbeats(common::HANG)
                .filter(|beat| events(beat.clone()))
                .count() as u64
        }
        _ => {
            let mut taken = 0;
            loop {
                match sub.try_recv() {
                    Ok(_) => taken += 1,
                    Err(error) if error.is_closed() => return taken,
                    Err(_) => thread::yield_now(),
                }
            }
        }
    }
}

/// Subscribes, reads a little and leaves in various ways, until told to stop. How many times.
fn churn(bus: Bus<Numbered>, stop: Arc<AtomicBool>, seed: u64) -> JoinHandle<u64> {
    thread::spawn(move || {
        let mut dice = Dice::new(seed);
        let mut rounds = 0;
        while !stop.load(Ordering::SeqCst) {
            let sub = bus.subscription("t.*").capacity(1 + dice.below(3) as usize);
            let sub = sub.filter(|event| event.payload() % 2 == 0).subscribe();
            let Ok(sub) = sub else { break };
            for _ in 0..dice.below(4) {
                let _ = sub.try_recv();
                dice.dawdle();
            }
            match dice.below(4) {
                0 => drop(sub.share()),
                1 => assert!(sub.close() || bus.is_closed()),
                2 => {
                    sub.close();
                    assert!(sub.iter().count() <= sub.capacity());
                }
                _ => {}
            }
            rounds += 1;
        }
        rounds
    })
}

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The publishers finish.
    Quiet,
    /// The bus is closed under the publishers, who then learn that they are late.
    Closed,
}

/// Eight publishers, eight subscriptions and two threads that come and go; then all is added up.
fn add_up(policy: Overflow, ending: Ending) {
    const EMITS: u64 = 1_500;
    let bus = Bus::<Numbered>::builder()
        .overflow(policy)
        .capacity(2)
        .build()
        .unwrap();
    let patterns = ["t.*", "**", "t.0", "t.1", "t.?", "*.2", "t.*", "t.3"];
    let mut steady = Vec::new();
    let mut consumers = Vec::new();
    for (place, pattern) in patterns.into_iter().enumerate() {
        let sub = bus.subscription(pattern).capacity(1 + place % 4);
        let sub = if place % 2 == 0 {
            sub.filter(|event| event.payload() % 3 != 0).subscribe()
        } else {
            sub.subscribe()
        };
        let sub = sub.unwrap();
        // The last but one has two readers; the last is never read before the end.
        for _ in 0..[1, 1, 1, 1, 1, 1, 2, 0][place] {
            let share = sub.share();
            consumers.push((place, thread::spawn(move || consume(&share, place))));
        }
        steady.push(sub);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let churners = [1, 2].map(|seed| churn(bus.clone(), Arc::clone(&stop), seed));
    let (start, finished) = (Arc::new(Barrier::new(9)), Arc::new(AtomicU64::new(0)));
    let publishers: Vec<_> = (0..8)
        .map(|seed| {
            let (bus_handle, start) = (bus.downgrade(), Arc::clone(&start));
            let publishers =
                [seed, seed + 1].map(|n| bus.publisher(format!("t.{}", n % 5)).unwrap());
            let finished = Arc::clone(&finished);
            thread::spawn(move || {
                start.wait();
                let mut tally = Tally::default();
                for part in 0.. {
                    tally += publish(&bus_handle, &publishers, EMITS / 5, seed * 10 + part);
                    finished.fetch_add(1, Ordering::SeqCst);
                    let done = match ending {
                        Ending::Quiet => part == 4,
                        Ending::Closed => tally.refused > 0,
                    };
                    if done {
                        break;
                    }
                }
                // They idle with their routes until all is added up.
                (tally, publishers)
            })
        })
        .collect();
    start.wait();
    if ending == Ending::Closed {
        while finished.load(Ordering::SeqCst) < 16 {
            thread::yield_now();
        }
        bus.close();
    }
    let mut tally = Tally::default();
    let mut idle = Vec::new();
    for publisher in publishers {
        let (one, publishers) = publisher.join().unwrap();
        tally += one;
        idle.push(publishers);
    }
    stop.store(true, Ordering::SeqCst);
    let churned: u64 = churners
        .map(|churner| churner.join().unwrap())
        .into_iter()
        .sum();
    assert!(churned > 10, "{churned}");
    if ending == Ending::Quiet {
        steady.iter().for_each(|sub| assert!(sub.close()));
    }
    assert_eq!(tally.refused > 0, ending == Ending::Closed);

    // Per subscription: received is what was taken; the one that nobody reads overflowed.
    let mut taken = [0; 8];
    for (place, consumer) in consumers {
        taken[place] += consumer.join().unwrap();
    }
    for (place, sub) in steady.iter().enumerate() {
        let left = sub.iter().count() as u64;
        assert_eq!(taken[place] + left, sub.received(), "{policy:?} {place}");
        assert_eq!(left > 0, place == 7, "{policy:?} {place}");
        assert!(sub.is_empty() && sub.received() > 0);
        assert_eq!(sub.filtered() > 0, place % 2 == 0);
    }
    let lazy = &steady[7];
    assert!(lazy.dropped() + lazy.conflated() > 0);

    // Per bus, half of them gone and half of them held: what emits said is what subscriptions count.
    let totals = |stats: &BusStats| {
        let expected = (
            tally.emits,
            tally.matched,
            tally.filtered,
            tally.delivered - tally.evicted,
        );
        let found = (
            stats.emitted,
            stats.matched(),
            stats.filtered,
            stats.received,
        );
        assert_eq!(found, expected, "{policy:?} {ending:?}: {stats}, {tally:?}");
        let (dropped, conflated) = match policy {
            Overflow::Latest => (tally.dropped, tally.evicted),
            _ => (tally.dropped + tally.evicted, 0),
        };
        assert_eq!(
            (stats.dropped, stats.conflated),
            (dropped, conflated),
            "{policy:?} {ending:?}"
        );
        assert!(stats.received > 0 && stats.dropped > 0 && stats.filtered > 0);
        assert_eq!(stats.conflated > 0, policy == Overflow::Latest);
        assert_eq!(tally.evicted > 0, policy != Overflow::DropNewest);
    };
    totals(&bus.stats());
    steady.truncate(4);
    totals(&bus.stats());
    steady.clear();
    totals(&bus.stats());
    drop(idle);
    totals(&bus.stats());
    assert_eq!(bus.stats().publishers, 0);
    bus.reset();
    let stats = bus.stats();
    assert_eq!((stats.emitted, stats.matched()), (0, 0));
}

#[test]
fn p5_sums_hold_under_eight_publishers_and_churn_under_drop_newest() {
    guarded(|| add_up(Overflow::DropNewest, Ending::Quiet));
}

#[test]
fn p5_sums_hold_under_eight_publishers_and_churn_under_drop_oldest() {
    guarded(|| add_up(Overflow::DropOldest, Ending::Quiet));
}

#[test]
fn p5_sums_hold_under_eight_publishers_and_churn_under_latest() {
    guarded(|| add_up(Overflow::Latest, Ending::Quiet));
}

#[test]
fn p5_sums_hold_when_the_bus_closes_under_its_publishers() {
    for policy in POLICIES {
        guarded(move || add_up(policy, Ending::Closed));
    }
}

/// One subscription, so that what emits say is what it counts, term by term.
fn one_subscription(policy: Overflow, round: u64, subscribed: bool) -> Tally {
    let bus = Bus::<Numbered>::builder()
        .overflow(policy)
        .capacity(1 + round as usize % 3);
    let bus = bus.build().unwrap();
    let sub = bus
        .subscription("t.*")
        .filter(|event| event.payload() % 5 != 0);
    let sub = sub.subscribe().unwrap();
    let finished = Arc::new(AtomicU64::new(0));
    let publishers: Vec<_> = (0..3)
        .map(|seed| {
            let publishers = [0, 1, 2].map(|n| bus.publisher(format!("t.{n}")).unwrap());
            let (weak, finished) = (bus.downgrade(), Arc::clone(&finished));
            thread::spawn(move || {
                let mut tally = Tally::default();
                for part in 0..20 {
                    tally += publish(&weak, &publishers, 10, round * 100 + seed * 20 + part);
                    finished.fetch_add(1, Ordering::SeqCst);
                }
                (tally, publishers)
            })
        })
        .collect();
    let reader = sub.share();
    let consumer = thread::spawn(move || consume(&reader, round as usize));
    while finished.load(Ordering::SeqCst) < round % 40 {
        thread::yield_now();
    }
    // It, or its whole bus, is closed under the publishers.
    let closed = if subscribed { sub.close() } else { bus.close() };
    assert!(closed);
    let mut tally = Tally::default();
    for publisher in publishers {
        tally += publisher.join().unwrap().0;
    }
    let taken = consumer.join().unwrap();
    let found = (sub.matched(), sub.received(), sub.filtered());
    let expected = (
        tally.matched,
        tally.delivered - tally.evicted,
        tally.filtered,
    );
    assert_eq!(found, expected, "{policy:?} {round} {tally:?} {sub:?}");
    assert_eq!(
        (sub.received(), sub.len()),
        (taken, 0),
        "{policy:?} {round}"
    );
    assert_eq!(
        sub.dropped() + sub.conflated(),
        tally.dropped + tally.evicted
    );
    assert_eq!(bus.stats().emitted, tally.emits);
    tally
}

#[test]
fn p5_each_term_of_a_subscription_is_what_its_emits_said_while_it_closes() {
    for policy in POLICIES {
        guarded(move || {
            let mut tally = Tally::default();
            for round in 0..150 {
                tally += one_subscription(policy, round, round % 2 == 0);
            }
            assert!(tally.delivered > 0 && tally.filtered > 0 && tally.refused > 0);
            assert!(tally.dropped + tally.evicted > 0, "{policy:?}: {tally:?}");
        });
    }
}

#[test]
fn p5_events_that_nobody_matches_count_as_emitted_and_refused_ones_do_not() {
    for history in [0, 4] {
        let bus = Bus::<u64>::builder().history(history).build().unwrap();
        let publisher = bus.publisher("a").unwrap();
        let all_ways = || {
            let (mut batch, late) = (bus.start_batch(), bus.start_batch());
            batch.emit("a", 1).unwrap();
            let ways = [
                publisher.emit(1).is_ok(),
                publisher.emit_batch([1, 2, 3]).is_ok(),
                publisher.event(1).source("s").emit().is_ok(),
                bus.emit("a", 1).is_ok(),
                bus.emit_event(chanbus::Event::new("a", 1).unwrap()).is_ok(),
                bus.event("a", 1).metadata("n", 1).emit().is_ok(),
                bus.emit_within("a", 1, Duration::ZERO).is_ok(),
                bus.broadcast("a", 1).is_ok(),
                batch.commit().is_ok(),
            ];
            drop(late);
            ways
        };
        assert_eq!((all_ways(), bus.stats().emitted), ([true; 9], 11));
        assert!(bus.emit("no topic", 1).is_err());
        bus.close();
        assert_eq!(
            (all_ways(), bus.stats().emitted),
            ([false; 9], 11),
            "history {history}"
        );
    }
}

#[test]
fn p5_taps_are_not_counted_and_replays_are_not_received() {
    let bus = Bus::<u64>::builder().history(10).build().unwrap();
    let tap = bus.tap("**", |_| {}).unwrap();
    assert_eq!(bus.emit("a", 1).unwrap(), Emitted::default());
    bus.emit("a", 2).unwrap();
    let sub = bus
        .subscription("a")
        .replay(10)
        .filter(|event| *event.payload() > 1)
        .subscribe();
    let sub = sub.unwrap();
    assert_eq!(
        (sub.len(), sub.received(), sub.filtered(), sub.matched()),
        (1, 0, 0, 0)
    );
    bus.emit("a", 3).unwrap();
    assert_eq!(
        (
            sub.iter().take(2).count(),
            sub.received(),
            bus.stats().received
        ),
        (2, 1, 1)
    );
    drop(tap);
}

#[test]
fn p5_a_reset_begins_anew_and_old_subscriptions_count_no_more() {
    let bus = Bus::<u64>::builder().capacity(1).build().unwrap();
    let (old, leaving) = (bus.subscribe("a").unwrap(), bus.subscribe("a").unwrap());
    let publisher = bus.publisher("a").unwrap();
    publisher.emit_batch(0..5).unwrap();
    leaving.close();
    bus.reset();
    assert_eq!((bus.stats().emitted, bus.stats().matched()), (0, 0));
    drop((old, leaving));
    let new = bus.subscribe("a").unwrap();
    publisher.emit_batch(0..3).unwrap();
    bus.emit("b", 0).unwrap();
    let stats = bus.stats();
    assert_eq!((stats.emitted, stats.received, stats.dropped), (4, 1, 2));
    drop((new, publisher));
    let stats = bus.stats();
    assert_eq!((stats.emitted, stats.received, stats.dropped), (4, 1, 2));
}
