//! What comes, in which order, how many times (P2 to P4).

use std::sync::Arc;
use std::thread;

use chanbus::Overflow;

use crate::common::{Dice, POLICIES};
use crate::kind::{Kind, Options, Parcel, Settings, Topics, load, numbers, taken};

pub(crate) fn p2_an_emit_sees_who_is_there_and_no_one_else(kind: Kind) {
    let ends = kind(&Settings::default());
    ends.emit_all(0..3);
    let first = ends.subscribe();
    ends.emit_all(3..6);
    let second = ends.subscribe();
    drop(ends.subscribe());
    ends.emit_batch(6..9);
    assert_eq!(numbers(&*first), [3, 4, 5, 6, 7, 8]);
    assert_eq!(numbers(&*second), [6, 7, 8]);
    let one = ends.with(Options::of(Topics::One(0)));
    ends.emit_all(0..8);
    let expected: Vec<u64> = (0..8)
        .filter(|n| n % ends.from.topics() as u64 == 0)
        .collect();
    assert_eq!(numbers(&*one), expected);
    assert_eq!(ends.to.stats().subscribers, 3);
}

pub(crate) fn p3_the_order_of_emits_holds_for_single_events_and_batches(kind: Kind) {
    let ends = kind(&Settings::default());
    let (sub, other) = (ends.subscribe(), ends.subscribe());
    ends.emit_all(0..10);
    ends.emit_batch(10..30);
    ends.emit_all(30..33);
    ends.emit_batch([33]);
    ends.emit_batch([]);
    ends.emit_batch(34..36);
    let seen = taken(&*sub);
    let topics = ends.from.topics();
    for (n, seen) in seen.iter().enumerate() {
        assert_eq!((seen.load.number, seen.topic), (n as u64, n % topics));
    }
    assert_eq!(seen.len(), 36);
    // Everybody has the very same.
    let there = taken(&*other);
    assert_eq!(there.len(), 36);
    let pairs = seen.iter().zip(&there);
    assert!(
        pairs
            .into_iter()
            .all(|(a, b)| Arc::ptr_eq(&a.load, &b.load))
    );
}

pub(crate) fn p3_the_order_of_each_thread_holds(kind: Kind) {
    const THREADS: usize = 3;
    const EACH: u64 = 120;
    for policy in POLICIES {
        // Nothing is lost with the first; with the others the order of what is left holds.
        let capacity = match policy {
            Overflow::DropNewest => THREADS * EACH as usize,
            _ => 8,
        };
        let ends = kind(&Settings::of(capacity, policy));
        let sub = ends.subscribe();
        let reader = thread::spawn(move || {
            let topics = 4;
            let mut next = vec![0; THREADS * topics];
            let mut seen = 0;
            while let Some(one) = sub.recv() {
                // Under `Latest` the order holds in each topic, else in all.
                let topic = if policy == Overflow::Latest {
                    one.topic
                } else {
                    0
                };
                let next = &mut next[one.load.by * topics + topic];
                assert!(one.load.number >= *next, "{policy:?}: not in order");
                *next = one.load.number + 1;
                seen += 1;
            }
            (seen, sub)
        });
        thread::scope(|scope| {
            for by in 0..THREADS {
                let from = &ends.from;
                scope.spawn(move || {
                    let mut dice = Dice::new(by as u64);
                    let load = |number| {
                        let topic = number as usize % from.topics();
                        let bare = Parcel::bare(number);
                        (topic, Arc::new(Parcel { by, ..bare }))
                    };
                    let mut number = 0;
                    while number < EACH {
                        if dice.below(4) == 0 {
                            let end = (number + 5).min(EACH);
                            assert!(from.emit_batch((number..end).map(load).collect()).is_ok());
                            number = end;
                        } else {
                            let (topic, load) = load(number);
                            assert!(from.emit(topic, load).is_ok());
                            number += 1;
                        }
                    }
                });
            }
        });
        ends.from.close();
        let (seen, sub) = reader.join().unwrap();
        let counts = sub.counts();
        assert_eq!(counts.matched, THREADS as u64 * EACH);
        assert!(counts.add_up() && counts.received == seen, "{counts:?}");
        if policy == Overflow::DropNewest {
            assert_eq!(seen, counts.matched);
        }
    }
}

pub(crate) fn p3_latest_keeps_the_first_place(kind: Kind) {
    let ends = kind(&Settings::of(4, Overflow::Latest));
    let sub = ends.subscribe();
    let last = ends.from.topics() - 1;
    for (topic, number) in [(last, 1), (0, 2), (last, 3), (last, 4)] {
        assert!(ends.from.emit(topic, load(number)).is_ok());
    }
    if last == 0 {
        assert_eq!(numbers(&*sub), [4]);
    } else {
        assert_eq!(numbers(&*sub), [4, 2]);
    }
    // One that was taken has its place anew.
    assert!(ends.from.emit(last, load(5)).is_ok());
    assert_eq!(numbers(&*sub), [5]);
}

pub(crate) fn p4_an_event_comes_once_however_many_patterns_match(kind: Kind) {
    let ends = kind(&Settings::default());
    let sub = ends.with(Options::of(Topics::Overlapping));
    ends.emit_all(0..8);
    ends.emit_batch(8..16);
    assert_eq!(sub.counts().matched, 16);
    assert_eq!(numbers(&*sub), (0..16).collect::<Vec<_>>());
}

pub(crate) fn p4_sharers_get_each_event_once(kind: Kind) {
    let ends = kind(&Settings::of(300, Overflow::DropNewest));
    let sub = ends.subscribe();
    let sharers: Vec<_> = (0..3)
        .map(|nth| {
            let sub = sub.share();
            thread::spawn(move || {
                let mut seen = Vec::new();
                if nth == 0 {
                    while let Some(batch) = sub.recv_batch(7) {
                        assert!((1..=7).contains(&batch.len()));
                        seen.extend(batch.iter().map(|one| one.load.number));
                    }
                } else {
                    while let Some(one) = sub.recv() {
                        seen.push(one.load.number);
                    }
                }
                assert!(seen.is_sorted());
                seen
            })
        })
        .collect();
    for n in 0..30 {
        ends.emit_all(10 * n..10 * n + 5);
        ends.emit_batch(10 * n + 5..10 * n + 10);
    }
    ends.from.close();
    let mut all: Vec<u64> = sharers
        .into_iter()
        .flat_map(|sharer| sharer.join().unwrap())
        .collect();
    all.sort_unstable();
    assert_eq!(all, (0..300).collect::<Vec<_>>());
    assert_eq!(sub.counts().received, 300);
}
