//! Overflow goes on, and gaps are told: their sums always exact, their places exact when quiet (P7).
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::VecDeque;
use std::thread;
use std::time::Duration;

use chanbus::{Beat, Bus, Overflow, Subscription};
use common::{Dice, POLICIES, guarded};

/// What a heartbeat says, in a form to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Event(u64),
    Missed(u64),
    Nothing,
}

fn next(sub: &Subscription<u64>) -> Told {
    match sub.heartbeats(Duration::ZERO).next() {
        Some(Beat::Event(event)) => Told::Event(*event.payload()),
        Some(Beat::Missed(count)) => Told::Missed(count),
        Some(Beat::Keepalive) | None => Told::Nothing,
    }
}

#[test]
fn p7_the_gap_comes_where_it_is_and_once() {
    let expected = [
        (
            Overflow::DropNewest,
            vec![
                Told::Event(0),
                Told::Event(1),
                Told::Event(2),
                Told::Event(3),
                Told::Missed(6),
            ],
        ),
        (
            Overflow::DropOldest,
            vec![
                Told::Missed(6),
                Told::Event(6),
                Told::Event(7),
                Told::Event(8),
                Told::Event(9),
            ],
        ),
    ];
    for (policy, expected) in expected {
        let bus = Bus::<u64>::builder()
            .capacity(4)
            .overflow(policy)
            .build()
            .unwrap();
        let sub = bus.subscribe("a").unwrap();
        bus.publisher("a").unwrap().emit_batch(0..10).unwrap();
        let told: Vec<Told> = (0..5).map(|_| next(&sub)).collect();
        assert_eq!(told, expected);
        assert_eq!(
            (next(&sub), sub.missed(), sub.dropped()),
            (Told::Nothing, 0, 6)
        );
        // It goes on as if nothing had been.
        bus.emit("a", 10).unwrap();
        assert_eq!((next(&sub), next(&sub)), (Told::Event(10), Told::Nothing));
    }
}

/// What a queue should tell, kept as one plain list of events and gaps.
struct Model {
    policy: Overflow,
    capacity: usize,
    /// Topic and number of an event, or the size of a gap.
    line: VecDeque<Result<(u64, u64), u64>>,
}

impl Model {
    fn waiting(&self) -> usize {
        self.line.iter().filter(|place| place.is_ok()).count()
    }

    fn emit(&mut self, topic: u64, number: u64) {
        let same =
            |place: &&mut Result<(u64, u64), u64>| matches!(place, Ok((t, _)) if *t == topic);
        if self.policy == Overflow::Latest
            && let Some(place) = self.line.iter_mut().find(same)
        {
            *place = Ok((topic, number));
        } else if self.waiting() < self.capacity {
            self.line.push_back(Ok((topic, number)));
        } else if self.policy == Overflow::DropOldest {
            let oldest = self.line.iter().position(Result::is_ok).unwrap();
            self.line[oldest] = Err(1);
            self.line.push_back(Ok((topic, number)));
        } else {
            self.line.push_back(Err(1));
        }
    }

    /// The gaps at the front, as one.
    fn due(&mut self) -> u64 {
        let mut due = 0;
        while let Some(Err(count)) = self.line.front() {
            due += count;
            self.line.pop_front();
        }
        due
    }

    fn next(&mut self) -> Told {
        match self.due() {
            0 => match self.line.pop_front() {
                Some(Ok((_, number))) => Told::Event(number),
                _ => Told::Nothing,
            },
            due => Told::Missed(due),
        }
    }

    /// Takes an event past the gap before it, which stays due.
    fn take(&mut self) -> Option<u64> {
        let due = self.due();
        let taken = self.line.pop_front().and_then(Result::ok);
        if due > 0 {
            self.line.push_front(Err(due));
        }
        taken.map(|(_, number)| number)
    }

    fn missed(&mut self) -> u64 {
        let missed = self.line.iter().filter_map(|place| place.err()).sum();
        self.line.retain(Result::is_ok);
        missed
    }
}

#[test]
fn p7_places_are_exact_when_quiet_whatever_is_done() {
    for policy in POLICIES {
        for seed in 0..60 {
            let mut dice = Dice::new(seed);
            let capacity = 1 + dice.below(6) as usize;
            let bus = Bus::<u64>::builder()
                .capacity(capacity)
                .overflow(policy)
                .build()
                .unwrap();
            let sub = bus.subscribe("t.*").unwrap();
            let mut model = Model {
                policy,
                capacity,
                line: VecDeque::new(),
            };
            let (mut told, mut lost) = (0, 0);
            for number in 0..300 {
                match dice.below(10) {
                    0..5 => {
                        let topic = dice.below(8);
                        let emitted = bus.emit(format!("t.{topic}"), number).unwrap();
                        if policy != Overflow::Latest {
                            lost += emitted.evicted as u64;
                        }
                        lost += emitted.dropped as u64;
                        model.emit(topic, number);
                    }
                    5..8 => {
                        let (found, expected) = (next(&sub), model.next());
                        assert_eq!(found, expected, "{policy:?} {capacity} {seed} {number}");
                        if let Told::Missed(count) = found {
                            told += count;
                        }
                    }
                    8 => {
                        let found = sub.try_recv().ok().map(|event| *event.payload());
                        assert_eq!(found, model.take(), "{policy:?} {capacity} {seed} {number}");
                    }
                    _ if dice.below(4) == 0 => {
                        let missed = sub.missed();
                        assert_eq!(
                            missed,
                            model.missed(),
                            "{policy:?} {capacity} {seed} {number}"
                        );
                        told += missed;
                    }
                    _ => assert_eq!(sub.len(), model.waiting()),
                }
            }
            told += sub.missed();
            assert_eq!(
                (told, sub.dropped()),
                (lost, lost),
                "{policy:?} {capacity} {seed}"
            );
        }
    }
}

#[test]
fn p7_overflow_never_ends_an_iteration() {
    for policy in POLICIES {
        let bus = Bus::<u64>::builder()
            .capacity(1)
            .overflow(policy)
            .build()
            .unwrap();
        let sub = bus.subscribe("a").unwrap();
        let mut iter = sub.iter();
        let mut beats = sub.heartbeats(Duration::ZERO);
        for round in 0..10 {
            bus.publisher("a").unwrap().emit_batch(0..3).unwrap();
            if round % 2 == 0 {
                assert!(iter.next().is_some(), "{policy:?}");
            } else {
                let event = beats
                    .by_ref()
                    .take(3)
                    .any(|beat| matches!(beat, Beat::Event(_)));
                assert!(event, "{policy:?}");
            }
        }
    }
}

#[test]
fn p7_sums_are_exact_while_publishers_and_sharers_race() {
    for policy in POLICIES {
        guarded(move || {
            let bus = Bus::<u64>::builder()
                .capacity(3)
                .overflow(policy)
                .build()
                .unwrap();
            let sub = bus.subscribe("t.*").unwrap();
            // More topics than it holds, before anybody reads.
            for number in 0..5 {
                bus.emit(format!("t.{number}"), number).unwrap();
            }
            assert_eq!(sub.dropped(), 2);
            let sharers = [(); 3].map(|()| {
                let share = sub.share();
                thread::spawn(move || {
                    let (mut events, mut missed) = (0, 0);
                    for beat in share.heartbeats(common::HANG) {
                        match beat {
                            Beat::Event(_) => events += 1,
                            Beat::Missed(count) => missed += count,
                            Beat::Keepalive => panic!("idle for so long"),
                        }
                    }
                    (events, missed)
                })
            });
            let emitters: Vec<_> = (0..4)
                .map(|n| {
                    let publishers = [n, n + 1].map(|n| bus.publisher(format!("t.{n}")).unwrap());
                    thread::spawn(move || {
                        for number in 0..3_000 {
                            publishers[number as usize % 2].emit(number).unwrap();
                        }
                    })
                })
                .collect();
            let mut asked = 0;
            while !emitters.iter().all(thread::JoinHandle::is_finished) {
                asked += sub.missed();
                thread::yield_now();
            }
            emitters
                .into_iter()
                .for_each(|emitter| emitter.join().unwrap());
            bus.close();
            let (mut events, mut missed) = (0, asked);
            for sharer in sharers {
                let told = sharer.join().unwrap();
                events += told.0;
                missed += told.1;
            }
            missed += sub.missed();
            assert_eq!(
                (events, missed),
                (sub.received(), sub.dropped()),
                "{policy:?}"
            );
            assert_eq!(sub.matched(), 12_005);
        });
    }
}

#[test]
fn p7_what_is_missing_at_the_end_is_told_before_the_end() {
    for policy in POLICIES {
        let bus = Bus::<u64>::builder()
            .capacity(2)
            .overflow(policy)
            .build()
            .unwrap();
        let sub = bus.subscribe("**").unwrap();
        for number in 0..5 {
            bus.emit(format!("t.{number}"), number).unwrap();
        }
        bus.close();
        let mut missed = 0;
        let mut beats = sub.heartbeats(Duration::ZERO);
        for beat in beats.by_ref() {
            match beat {
                Beat::Missed(count) => missed += count,
                Beat::Event(_) => {}
                Beat::Keepalive => panic!("a closed subscription keeps nobody alive"),
            }
        }
        assert_eq!((missed, sub.missed()), (3, 0), "{policy:?}");
        assert!(beats.next().is_none());
    }
}

#[test]
fn p7_replayed_events_come_before_all_gaps() {
    let order = |overflow| {
        let bus = Bus::<u64>::builder().capacity(1).history(3);
        let bus = bus.overflow(overflow).build().unwrap();
        bus.publisher("a").unwrap().emit_batch(0..3).unwrap();
        let sub = bus.subscription("a").replay(3).subscribe().unwrap();
        bus.publisher("a").unwrap().emit_batch(3..6).unwrap();
        let told: Vec<Told> = (0..6).map(|_| next(&sub)).collect();
        assert_eq!(told[..3], [0, 1, 2].map(Told::Event));
        told[3..].to_vec()
    };
    let gap = Told::Missed(2);
    assert_eq!(
        order(Overflow::DropNewest),
        [Told::Event(3), gap, Told::Nothing]
    );
    assert_eq!(
        order(Overflow::DropOldest),
        [gap, Told::Event(5), Told::Nothing]
    );
}
