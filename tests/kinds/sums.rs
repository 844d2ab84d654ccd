//! Nothing vanishes silently (P5), and overflow goes on (P7).

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use chanbus::{Emitted, Overflow};

use crate::common::{Dice, POLICIES};
use crate::kind::{Counts, Ends, Kind, Options, Settings, Topics, load, numbers, taken};

/// Emits numbers one by one, and adds up what was said of it.
fn emit_counted(ends: &Ends, numbers: impl IntoIterator<Item = u64>) -> Emitted {
    let mut sum = Emitted::default();
    for number in numbers {
        let topic = number as usize % ends.from.topics();
        match ends.from.emit(topic, load(number)) {
            Ok(emitted) => sum += emitted,
            Err(_) => panic!("it is closed"),
        }
    }
    assert_eq!(sum.matched, sum.delivered + sum.dropped + sum.filtered);
    sum
}

/// Where an emit speaks of the subscription, what it said is what the subscription counted.
fn is_told(ends: &Ends, emitted: Emitted, counts: Counts) {
    assert!(counts.add_up(), "{counts:?}");
    if ends.from.is_direct() {
        assert_eq!(emitted.matched as u64, counts.matched);
        assert_eq!(emitted.filtered as u64, counts.filtered);
        let lost = counts.dropped + counts.conflated;
        assert_eq!((emitted.dropped + emitted.evicted) as u64, lost);
        let kept = emitted.delivered - emitted.evicted;
        assert_eq!(kept as u64, counts.received);
    } else {
        // Nobody is subscribed where it was emitted.
        assert_eq!(emitted, Emitted::default());
    }
}

pub(crate) fn p5_a_full_queue_refuses_newer_events(kind: Kind) {
    let ends = kind(&Settings::of(5, Overflow::DropNewest));
    let sub = ends.subscribe();
    let emitted = emit_counted(&ends, 0..12);
    let counts = Counts {
        matched: 12,
        received: 5,
        dropped: 7,
        ..Counts::default()
    };
    assert_eq!(sub.counts(), counts);
    is_told(&ends, emitted, counts);
    assert_eq!(numbers(&*sub), [0, 1, 2, 3, 4]);
    // Taken or not makes no difference.
    assert_eq!(sub.counts(), counts);
}

pub(crate) fn p5_a_full_queue_pushes_older_events_out(kind: Kind) {
    let ends = kind(&Settings::of(5, Overflow::DropOldest));
    let sub = ends.subscribe();
    let emitted = emit_counted(&ends, 0..12);
    let counts = Counts {
        matched: 12,
        received: 5,
        dropped: 7,
        ..Counts::default()
    };
    assert_eq!(sub.counts(), counts);
    is_told(&ends, emitted, counts);
    assert_eq!(numbers(&*sub), [7, 8, 9, 10, 11]);
}

pub(crate) fn p5_latest_replaces_and_refuses(kind: Kind) {
    let settings = Settings::of(2, Overflow::Latest);
    let ends = kind(&settings);
    let sub = ends.subscribe();
    let emitted = emit_counted(&ends, 0..12);
    let topics = ends.from.topics() as u64;
    // Two topics have room; the first of each is in, and replaced by the later ones.
    let kept = topics.min(2);
    let counts = Counts {
        matched: 12,
        received: kept,
        conflated: kept * (12 / topics - 1),
        dropped: (topics - kept) * (12 / topics),
        ..Counts::default()
    };
    assert_eq!(sub.counts(), counts);
    is_told(&ends, emitted, counts);
    let last: Vec<u64> = (0..kept).map(|topic| 12 - topics + topic).collect();
    assert_eq!(numbers(&*sub), last);
}

pub(crate) fn p5_filters_count_for_their_own_subscription(kind: Kind) {
    let ends = kind(&Settings::default());
    let all = ends.subscribe();
    let odd = ends.with(Options::filtered(|load| load.number % 2 == 1));
    let none = ends.with(Options::filtered(|_| false));
    ends.emit_all(0..10);
    ends.emit_batch(10..20);
    assert_eq!((all.counts().received, all.counts().filtered), (20, 0));
    assert_eq!((odd.counts().received, odd.counts().filtered), (10, 10));
    assert_eq!((none.counts().received, none.counts().filtered), (0, 20));
    for sub in [&all, &odd, &none] {
        assert!(sub.counts().add_up());
        assert_eq!(sub.counts().matched, 20);
    }
    let seen: Vec<u64> = (0..20).filter(|n| n % 2 == 1).collect();
    assert_eq!(numbers(&*odd), seen);
}

pub(crate) fn p5_a_batch_counts_as_its_events_would_alone(kind: Kind) {
    for policy in POLICIES {
        let settings = Settings::of(5, policy);
        let (alone, together) = (kind(&settings), kind(&settings));
        let options = || Options::filtered(|load| load.number % 7 != 3);
        let (one, other) = (alone.with(options()), together.with(options()));
        for round in 0..3 {
            let begin = round * 11;
            let emitted = emit_counted(&alone, begin..begin + 11);
            let batch = together.emit_batch(begin..begin + 11);
            assert_eq!(emitted, batch, "{policy:?}");
            assert_eq!(one.counts(), other.counts(), "{policy:?}");
            assert!(one.counts().add_up());
            let (left, right) = (one.try_recv().ok(), other.try_recv().ok());
            let left = left.map(|seen| (seen.topic, seen.load.number));
            let right = right.map(|seen| (seen.topic, seen.load.number));
            assert_eq!(left, right);
        }
        assert_eq!(numbers(&*one), numbers(&*other), "{policy:?}");
        assert_eq!(one.counts().matched, 33);
    }
}

pub(crate) fn p5_sums_hold_while_all_threads_go_on(kind: Kind) {
    for policy in POLICIES {
        let ends = kind(&Settings::of(3, policy));
        let slow = ends.with(Options::filtered(|load| load.number % 5 != 0));
        let shared = ends.subscribe();
        let still = ends.with(Options {
            capacity: Some(1),
            overflow: Some(policy),
            ..Options::default()
        });
        let took = AtomicU64::new(0);
        let emits = AtomicU64::new(0);
        thread::scope(|scope| {
            for sub in [shared.share(), shared.share()] {
                let took = &took;
                scope.spawn(move || {
                    while sub.recv().is_some() {
                        took.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            let threads: Vec<_> = (0..3)
                .map(|seed| {
                    let (ends, emits) = (&ends, &emits);
                    scope.spawn(move || {
                        let mut dice = Dice::new(seed);
                        for round in 0..60 {
                            dice.dawdle();
                            let count = 1 + dice.below(4);
                            if count > 2 {
                                ends.emit_batch(round..round + count);
                            } else {
                                ends.emit_all(round..round + count);
                            }
                            emits.fetch_add(count, Ordering::SeqCst);
                        }
                    })
                })
                .collect();
            // Some come and go meanwhile.
            for _ in 0..20 {
                let passing = ends.with(Options::of(Topics::One(0)));
                let seen = taken(&*passing).len() as u64;
                assert!(passing.close());
                let seen = seen + taken(&*passing).len() as u64;
                assert_eq!(seen, passing.counts().received);
                assert!(passing.counts().add_up());
            }
            for thread in threads {
                thread.join().unwrap();
            }
            ends.from.close();
        });
        let emits = emits.into_inner();
        for sub in [&slow, &shared, &still] {
            let counts = sub.counts();
            assert_eq!(counts.matched, emits, "{policy:?}");
            assert!(counts.add_up(), "{policy:?}: {counts:?}");
        }
        assert_eq!(shared.counts().received, took.into_inner());
        assert_eq!(slow.counts().received, taken(&*slow).len() as u64);
        assert_eq!(still.counts().received, 1);
        assert!(slow.counts().filtered > 0);
    }
}

pub(crate) fn p5_the_bus_counts_what_its_subscriptions_did(kind: Kind) {
    let ends = kind(&Settings::of(3, Overflow::DropOldest));
    let sub = ends.subscribe();
    let odd = ends.with(Options::filtered(|load| load.number % 2 == 1));
    let gone = ends.subscribe();
    ends.emit_all(0..8);
    drop(gone);
    ends.emit_batch(8..16);
    let stats = ends.to.stats();
    // The one that left is counted with what it had, as lost or not.
    assert_eq!(stats.filtered, odd.counts().filtered);
    assert_eq!(stats.matched(), 16 + 16 + 8);
    assert_eq!(stats.received + stats.dropped, 16 + 8 + 8);
    assert_eq!(stats.depth, sub.len() + odd.len());
    assert_eq!(stats.subscriptions.len(), 2);
    assert_eq!(stats.emitted, 16);
    // What a derivation leaves out is counted there, and nowhere else.
    assert_eq!(stats.left_out, ends.from.noise());
    assert_eq!((stats.repeated, stats.refused), (0, 0));
    assert_eq!(stats.filter_panics, 0);
}

pub(crate) fn p7_overflow_goes_on_and_tells_how_many(kind: Kind) {
    for policy in [Overflow::DropNewest, Overflow::DropOldest] {
        let ends = kind(&Settings::of(4, policy));
        let sub = ends.subscribe();
        let (mut seen, mut missed) = (0, 0);
        for round in 1..=3 {
            ends.emit_all(0..round * 4);
            missed += sub.missed();
            assert_eq!(sub.missed(), 0, "it was told");
            seen += taken(&*sub).len() as u64;
            assert_eq!(seen, round * 4);
        }
        assert_eq!(missed, 12);
        assert_eq!(missed, sub.counts().dropped);
        ends.from.close();
        assert!(sub.recv().is_none());
    }
}
