//! What an emit sees (P2), and the order in which it is seen (P3).
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier};
use std::thread;

use chanbus::{Bus, Event, Overflow};
use common::{Dice, POLICIES, guarded, soaked};

/// The publisher's number, and a number that grows with each of its emits.
type Stamp = (usize, u64);

/// Fails unless what each publisher emitted comes in its order; by topic where `by_topic`.
#[derive(Default)]
struct InOrder {
    last: HashMap<(usize, Option<String>), u64>,
    seen: u64,
}

impl InOrder {
    fn see(&mut self, event: &Event<Stamp>, by_topic: bool) {
        let (publisher, number) = *event.payload();
        let topic = by_topic.then(|| event.topic().to_string());
        if let Some(before) = self.last.insert((publisher, topic), number) {
            assert!(
                before < number,
                "{number} of {publisher} came after {before}"
            );
        }
        self.seen += 1;
    }
}

/// A thread that emits once, by a publisher and by the bus, each time that it is told to, and says
/// how many matched.
fn emitter(bus: &Bus<Stamp>) -> (Sender<()>, Receiver<[usize; 2]>) {
    let (tell, told) = channel();
    let (answer, answers) = channel();
    let (bus, publisher) = (bus.downgrade(), bus.publisher("a").unwrap());
    thread::spawn(move || {
        while told.recv().is_ok() {
            let Some(bus) = bus.upgrade() else { return };
            let emitted = [publisher.emit((0, 0)), bus.emit("a", (0, 0))];
            let matched = emitted.map(|emitted| emitted.unwrap().matched);
            if answer.send(matched).is_err() {
                return;
            }
        }
    });
    (tell, answers)
}

#[test]
fn p2_a_change_that_returned_is_seen_by_every_emit_that_begins_after_it() {
    guarded(|| {
        let bus = Bus::<Stamp>::new();
        let (tell, answers) = emitter(&bus);
        let emit = || {
            tell.send(()).unwrap();
            answers.recv().unwrap()
        };
        for round in 0..soaked(2_000) {
            assert_eq!(emit(), [0, 0], "round {round}: nobody");
            let sub = bus.subscribe("a").unwrap();
            assert_eq!(emit(), [1, 1], "round {round}: subscribed");
            sub.set_patterns("b").unwrap();
            assert_eq!(emit(), [0, 0], "round {round}: other patterns");
            sub.set_patterns(["b", "*"]).unwrap();
            assert_eq!(emit(), [1, 1], "round {round}: the patterns again");
            if round % 2 == 0 {
                sub.close();
                assert_eq!(emit(), [0, 0], "round {round}: closed");
            }
            drop(sub);
        }
        let sub = bus.subscribe("a").unwrap();
        emit();
        bus.reset();
        assert_eq!((emit(), sub.len()), ([0, 0], 2));
    });
}

#[test]
fn p2_a_subscription_misses_nothing_from_its_return_on_and_gets_nothing_after_its_drop() {
    guarded(|| {
        let bus = Bus::<Stamp>::builder().capacity(3_000).build().unwrap();
        let (begun, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let stop = Arc::new(AtomicBool::new(false));
        // How far the emitter may go, so that no queue overflows however late we come.
        let allowed = Arc::new(AtomicU64::new(0));
        let emitter = {
            let (begun, ended, stop) = (begun.clone(), ended.clone(), stop.clone());
            let allowed = Arc::clone(&allowed);
            let (bus, publisher) = (bus.clone(), bus.publisher("a").unwrap());
            thread::spawn(move || {
                for number in 1.. {
                    while number > allowed.load(Ordering::SeqCst) && !stop.load(Ordering::SeqCst) {
                        thread::yield_now();
                    }
                    begun.store(number, Ordering::SeqCst);
                    if number % 2 == 0 {
                        publisher.emit((0, number)).unwrap();
                    } else {
                        bus.emit("a", (0, number)).unwrap();
                    }
                    ended.store(number, Ordering::SeqCst);
                    if stop.load(Ordering::SeqCst) {
                        return number;
                    }
                }
                unreachable!("it is told to stop before it has run out of numbers")
            })
        };
        let mut dice = Dice::new(2);
        let allow = || allowed.store(ended.load(Ordering::SeqCst) + 1_000, Ordering::SeqCst);
        for _ in 0..500 {
            allow();
            let before = ended.load(Ordering::SeqCst);
            let outer = bus.subscription("a").capacity(3_000).subscribe().unwrap();
            let at_outer = begun.load(Ordering::SeqCst);
            let inner = bus.subscription("*").capacity(3_000).subscribe().unwrap();
            let at_inner = begun.load(Ordering::SeqCst);
            allow();
            let first = inner.recv().unwrap().payload().1;
            // What had ended before it subscribed is not in it; what began after it returned is.
            assert!(
                before < first && first <= at_inner + 1,
                "{before} {first} {at_inner}"
            );
            dice.dawdle();
            let until = ended.load(Ordering::SeqCst);
            inner.close();
            let closed_at = begun.load(Ordering::SeqCst);
            outer.close();
            let number = |event: Event<Stamp>| event.payload().1;
            let inner: Vec<u64> = inner.iter().map(number).collect();
            let outer: Vec<u64> = outer.iter().map(number).collect();
            // No hole in between, and the last that ended before the close is there.
            assert!(
                inner
                    .iter()
                    .copied()
                    .eq(first + 1..=first + inner.len() as u64)
            );
            let last = first + inner.len() as u64;
            assert!(
                until <= last && last <= closed_at,
                "{until} {last} {closed_at}"
            );
            // The one that came first and left last has all that the other has.
            assert!(
                outer[0] <= at_outer + 1 && outer[0] <= first && *outer.last().unwrap() >= last
            );
            assert!(outer.windows(2).all(|pair| pair[0] + 1 == pair[1]));
        }
        stop.store(true, Ordering::SeqCst);
        let emitted = emitter.join().unwrap();
        assert_eq!(bus.stats().emitted, emitted);
    });
}

#[test]
fn p2_changed_patterns_are_seen_whole() {
    guarded(|| {
        let bus = Bus::<Stamp>::builder().capacity(1).build().unwrap();
        let sub = bus.subscribe(["a.*", "b"]).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let emitter = {
            let (bus, stop) = (bus.clone(), Arc::clone(&stop));
            thread::spawn(move || {
                let publisher = bus.publisher("a.x").unwrap();
                while !stop.load(Ordering::SeqCst) {
                    assert_eq!(publisher.emit((0, 0)).unwrap().matched, 1);
                    assert_eq!(bus.emit("a.x", (0, 0)).unwrap().matched, 1);
                }
            })
        };
        for _ in 0..2_000 {
            sub.set_patterns(["a.x", "c.**"]).unwrap();
            sub.set_patterns(["d", "**.x"]).unwrap();
        }
        stop.store(true, Ordering::SeqCst);
        emitter.join().unwrap();
    });
}

/// Eight publishers emit, four consumers read or lag, and each sees each publisher in order.
fn order_under_eight_publishers(policy: Overflow) {
    const EMITS: u64 = 2_000;
    let bus = Bus::<Stamp>::builder().overflow(policy).build().unwrap();
    let by_topic = policy == Overflow::Latest;
    let start = Arc::new(Barrier::new(8));
    let consumers: Vec<_> = [1, 2, 50, 20_000]
        .into_iter()
        .map(|capacity| {
            let sub = bus
                .subscription("t.*")
                .capacity(capacity)
                .subscribe()
                .unwrap();
            thread::spawn(move || {
                let mut order = InOrder::default();
                for event in &sub {
                    order.see(&event, by_topic);
                    if capacity == 2 {
                        thread::yield_now();
                    }
                }
                assert_eq!(order.seen, sub.received());
                (order.seen, sub.dropped() + sub.conflated())
            })
        })
        .collect();
    let publishers: Vec<_> = (0..8)
        .map(|number| {
            let (bus, start) = (bus.clone(), Arc::clone(&start));
            thread::spawn(move || {
                let mut dice = Dice::new(number as u64);
                let publishers = [0, 1, 2].map(|n| bus.publisher(format!("t.{n}")).unwrap());
                start.wait();
                let mut next = 0;
                while next < EMITS {
                    let stamp = (number, next);
                    let at = dice.below(3) as usize;
                    next += 1;
                    match dice.below(4) {
                        0 => drop(bus.emit(format!("t.{at}"), stamp).unwrap()),
                        1 => {
                            publishers[at].emit_batch([stamp, (number, next)]).unwrap();
                            next += 1;
                        }
                        _ => drop(publishers[at].emit(stamp).unwrap()),
                    }
                }
            })
        })
        .collect();
    publishers
        .into_iter()
        .for_each(|publisher| publisher.join().unwrap());
    drop(bus);
    let results: Vec<(u64, u64)> = consumers.into_iter().map(|it| it.join().unwrap()).collect();
    assert!(
        results[0].1 > 0,
        "the smallest queue overflowed: {results:?}"
    );
    let all = results[3];
    assert!(
        all.0 + all.1 >= 8 * EMITS && (by_topic || all.1 == 0),
        "{results:?}"
    );
}

#[test]
fn p3_each_publishers_order_holds_among_eight_under_drop_newest() {
    guarded(|| order_under_eight_publishers(Overflow::DropNewest));
}

#[test]
fn p3_each_publishers_order_holds_among_eight_under_drop_oldest() {
    guarded(|| order_under_eight_publishers(Overflow::DropOldest));
}

#[test]
fn p3_each_publishers_order_holds_by_topic_among_eight_under_latest() {
    guarded(|| order_under_eight_publishers(Overflow::Latest));
}

#[test]
fn p3_a_conflated_event_keeps_its_first_place() {
    let bus = Bus::<Stamp>::builder()
        .overflow(Overflow::Latest)
        .capacity(3)
        .build()
        .unwrap();
    let sub = bus.subscribe("**").unwrap();
    let emit = |topic: &str, number| bus.emit(topic, (0, number)).unwrap();
    emit("a", 1);
    emit("b", 2);
    assert_eq!(emit("a", 3).evicted, 1);
    emit("c", 4);
    emit("b", 5);
    let take = || {
        sub.try_recv()
            .map(|event| (event.topic().to_string(), event.payload().1))
            .unwrap()
    };
    assert_eq!(take(), ("a".to_owned(), 3));
    // Once taken, its topic queues at the end again.
    emit("a", 6);
    emit("c", 7);
    assert_eq!(
        [take(), take(), take()],
        [("b".into(), 5), ("c".into(), 7), ("a".into(), 6)]
    );
    assert!(sub.is_empty());
}

#[test]
fn p3_what_is_replayed_and_what_is_live_join_without_gap_duplicate_or_inversion() {
    guarded(|| {
        /// How far each publisher goes at a time.
        const STEP: u64 = 40;
        let bus = Bus::<Stamp>::builder()
            .history(60)
            .capacity(7 * STEP as usize)
            .build()
            .unwrap();
        let allowed = Arc::new(AtomicU64::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let publishers: Vec<_> = (0..3)
            .map(|number| {
                let (bus, allowed, stop) = (bus.clone(), Arc::clone(&allowed), Arc::clone(&stop));
                thread::spawn(move || {
                    let publisher = bus.publisher("a.b").unwrap();
                    for next in (0..).step_by(4) {
                        while next >= allowed.load(Ordering::SeqCst) {
                            if stop.load(Ordering::SeqCst) {
                                return;
                            }
                            thread::yield_now();
                        }
                        publisher.emit((number, next)).unwrap();
                        bus.emit("a.c", (number, next + 1)).unwrap();
                        publisher
                            .emit_batch([(number, next + 2), (number, next + 3)])
                            .unwrap();
                    }
                })
            })
            .collect();
        let mut replayed = 0;
        for round in 0..soaked(2_000) {
            // They run while it subscribes, and go on when it has.
            allowed.fetch_add(STEP, Ordering::SeqCst);
            let sub = bus.subscription("a.*").replay(50).subscribe().unwrap();
            let end = allowed.fetch_add(STEP, Ordering::SeqCst) + STEP - 1;
            let mut last = HashMap::<usize, u64>::new();
            let mut seen = 0;
            while last.values().filter(|number| **number == end).count() < 3 {
                let (publisher, number) = *sub.recv().unwrap().payload();
                if let Some(before) = last.insert(publisher, number) {
                    assert_eq!(before + 1, number, "round {round}, after {seen} events");
                }
                seen += 1;
            }
            assert_eq!((sub.dropped(), sub.len()), (0, 0));
            // What was replayed does not count as received.
            replayed += seen - sub.received();
        }
        stop.store(true, Ordering::SeqCst);
        publishers
            .into_iter()
            .for_each(|publisher| publisher.join().unwrap());
        assert!(
            replayed >= (soaked(2_000) - 1) * 50,
            "{replayed} replayed events"
        );
    });
}

#[test]
fn p3_every_policy_keeps_a_quiet_order() {
    for policy in POLICIES {
        let bus = Bus::<Stamp>::builder()
            .overflow(policy)
            .capacity(10)
            .build()
            .unwrap();
        let sub = bus.subscribe("**").unwrap();
        for number in 0..10 {
            bus.emit(format!("t.{number}"), (0, number)).unwrap();
        }
        let read: Vec<u64> = sub.try_iter().map(|event| event.payload().1).collect();
        assert!(read.into_iter().eq(0..10), "{policy:?}");
    }
}
