//! Closing needs no free slot, loses nothing queued, and ends every sharer for ever (P8); what stops
//! waiting at any point loses no event and strands nobody (P14).
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::iter::FusedIterator;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use chanbus::{
    Beat, Bus, EmitError, Overflow, Publisher, RecvTimeoutError, SubscribeError, Subscription,
    TryRecvError, WakeUps,
};
use common::{Dice, HANG, POLICIES, guarded, soaked, spawn_asleep};
use crossbeam_channel::Select;

/// Reads to the end in one of nine ways; how many events it took.
fn read(sub: &Subscription<u64>, way: u64) -> u64 {
    let mut taken = 0;
    match way {
        0 => {
            while sub.recv().is_ok() {
                taken += 1;
            }
        }
        1 => taken = sub.iter().count() as u64,
        2 => {
            let mut buffer = Vec::new();
            while let Ok(count) = sub.recv_batch(&mut buffer, 2) {
                taken += count as u64;
            }
        }
        3 => {
            for beat in sub.heartbeats(HANG) {
                taken += u64::from(matches!(beat, Beat::Event(_)));
            }
        }
        4 => {
            for beat in sub.heartbeats(Duration::ZERO) {
                taken += u64::from(matches!(beat, Beat::Event(_)));
            }
        }
        5 => loop {
            let mut select = Select::new();
            sub.register(&mut select);
            select.ready();
            match sub.try_recv() {
                Ok(_) => taken += 1,
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Closed) => break,
            }
        },
        6 => loop {
            match sub.try_recv() {
                Ok(_) => taken += 1,
                Err(TryRecvError::Empty) => thread::yield_now(),
                Err(TryRecvError::Closed) => break,
            }
        },
        7 => loop {
            match sub.recv_timeout(Duration::from_micros(20)) {
                Ok(_) => taken += 1,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Closed) => break,
            }
        },
        _ => {
            while sub.recv_deadline(Instant::now() + HANG).is_ok() {
                taken += 1;
            }
        }
    }
    taken
}

/// At its end a handle stays there, whatever it is asked.
fn assert_ended(sub: &Subscription<u64>) {
    for _ in 0..2 {
        assert!(sub.recv().is_err() && sub.iter().next().is_none());
        assert_eq!(sub.try_recv().unwrap_err(), TryRecvError::Closed);
        assert!(
            sub.recv_timeout(Duration::ZERO)
                .is_err_and(|error| error.is_closed())
        );
        assert!(sub.recv_batch(&mut Vec::new(), 9).is_err());
        let mut select = Select::new();
        let ours = sub.register(&mut select);
        assert_eq!(select.try_ready(), Ok(ours));
        let beats = sub.heartbeats(HANG).take(2);
        assert!(
            beats
                .into_iter()
                .all(|beat| matches!(beat, Beat::Missed(_)))
        );
    }
    assert!(sub.is_closed());
}

/// What a publisher's emits said until the bus refused or its numbers ran out.
#[derive(Default)]
struct Said {
    matched: u64,
    kept: i64,
    lost: i64,
}

fn emit_all(publisher: &Publisher<u64>, numbers: u64) -> Said {
    let mut said = Said::default();
    for number in 0..numbers {
        match publisher.emit(number) {
            Ok(emitted) => {
                said.matched += emitted.matched as u64;
                said.kept += emitted.delivered as i64 - emitted.evicted as i64;
                said.lost += (emitted.dropped + emitted.evicted) as i64;
            }
            Err(error) => {
                assert!(matches!(error, EmitError::Closed(back) if back == number));
                break;
            }
        }
    }
    said
}

/// Three sharers, two publishers, an idle publisher with a route, and one of four ways to close.
fn close_among_sharers(policy: Overflow, capacity: usize, dice: &mut Dice) {
    let bus = Bus::<u64>::builder()
        .overflow(policy)
        .capacity(capacity)
        .build()
        .unwrap();
    let sub = bus.subscribe("t.*").unwrap();
    let idle = bus.publisher("t.0").unwrap();
    let first = idle.emit(0).unwrap();
    assert_eq!((first.matched, first.delivered), (1, 1));
    let readers = [(); 3].map(|()| {
        let (share, way) = (sub.share(), dice.below(9));
        thread::spawn(move || {
            let taken = read(&share, way);
            assert_ended(&share);
            taken
        })
    });
    let emitters = [0, 1].map(|n| {
        let publisher = bus.publisher(format!("t.{n}")).unwrap();
        let numbers = dice.below(12);
        thread::spawn(move || {
            let said = emit_all(&publisher, numbers);
            (said, publisher)
        })
    });
    if dice.below(2) == 0 {
        thread::yield_now();
    }
    dice.dawdle();
    let closer = sub.closer();
    let mut open = None;
    match dice.below(4) {
        0 => drop(bus),
        1 => assert!(bus.close()),
        2 => {
            assert!(sub.close());
            open = Some(bus);
        }
        _ => {
            assert!(closer.close());
            open = Some(bus);
        }
    }
    let mut said = Said {
        matched: 1,
        kept: 1,
        lost: 0,
    };
    let mut publishers = Vec::new();
    for emitter in emitters {
        let (one, publisher) = emitter.join().unwrap();
        said.matched += one.matched;
        said.kept += one.kept;
        said.lost += one.lost;
        publishers.push(publisher);
    }
    let taken: u64 = readers
        .map(|reader| reader.join().unwrap())
        .into_iter()
        .sum();
    // The readers took all there was; this handle finds the end only.
    assert_eq!(sub.len(), 0);
    assert_ended(&sub);
    assert_eq!(
        (taken, said.matched),
        (sub.received(), sub.matched()),
        "{policy:?} {capacity}"
    );
    assert_eq!(
        (said.kept, said.lost as u64),
        (taken as i64, sub.dropped() + sub.conflated())
    );
    // Late ones get their payload back, or match nobody.
    publishers.push(idle);
    for publisher in &publishers {
        match (&open, publisher.emit(7)) {
            (Some(_), emitted) => assert_eq!(emitted.unwrap().matched, 0),
            (None, emitted) => assert_eq!(emitted.unwrap_err().into_payload(), 7),
        }
    }
    assert_eq!(sub.matched(), said.matched);
}

#[test]
fn p8_every_sharer_ends_and_sums_are_exact_whoever_closes_under_publishers() {
    for policy in POLICIES {
        guarded(move || {
            let mut dice = Dice::new(8);
            for round in 0..450 {
                close_among_sharers(policy, 1 + round % 3, &mut dice);
            }
        });
    }
}

/// Publishers run without pause until the close, so that some are in the middle of a push then.
fn close_under_full_load(policy: Overflow, dice: &mut Dice) {
    let bus = Bus::<u64>::builder()
        .overflow(policy)
        .capacity(1)
        .build()
        .unwrap();
    let sub = bus.subscribe("a").unwrap();
    let readers = [(); 3].map(|()| {
        let share = sub.share();
        thread::spawn(move || share.iter().count() as u64)
    });
    let emitters = [(); 3].map(|()| {
        let publisher = bus.publisher("a").unwrap();
        thread::spawn(move || {
            let mut matched = 0;
            while let Ok(emitted) = publisher.emit(0)
                && emitted.matched > 0
            {
                matched += 1;
            }
            matched
        })
    });
    if dice.below(2) == 0 {
        thread::yield_now();
    }
    dice.dawdle();
    sub.close();
    let ours = u64::from(sub.try_recv().is_ok());
    let matched: u64 = emitters
        .map(|emitter| emitter.join().unwrap())
        .into_iter()
        .sum();
    let taken: u64 = readers
        .map(|reader| reader.join().unwrap())
        .into_iter()
        .sum();
    let found = (sub.received(), sub.matched(), sub.len());
    assert_eq!(found, (ours + taken, matched, 0), "{policy:?}");
}

#[test]
fn p8_sharers_end_though_publishers_push_at_the_moment_of_the_close() {
    for policy in POLICIES {
        let mut dice = Dice::new(88);
        for _ in 0..soaked(30) {
            let seed = dice.below(u64::MAX);
            guarded(move || {
                let mut dice = Dice::new(seed);
                (0..5).for_each(|_| close_under_full_load(policy, &mut dice));
            });
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn p8_a_close_wakes_every_kind_of_sleeper() {
    use common::spawn_asleep;

    for policy in POLICIES {
        for way in [0, 1, 2, 3, 5, 8] {
            for capacity in [1, 3] {
                guarded(move || {
                    let bus = Bus::<u64>::builder().overflow(policy).capacity(capacity);
                    let bus = bus.build().unwrap();
                    let sub = bus.subscribe("a").unwrap();
                    let sleepers = [(); 3].map(|()| {
                        let share = sub.share();
                        spawn_asleep(move || read(&share, way))
                    });
                    bus.close();
                    assert_eq!(sleepers.map(|sleeper| sleeper.join().unwrap()), [0; 3]);
                    assert_ended(&sub);
                });
            }
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn p8_the_end_reaches_the_sleepers_though_the_queue_is_full_and_its_taker_stops() {
    use common::spawn_asleep;

    for policy in POLICIES {
        guarded(move || {
            for round in 0..400 {
                let bus = Bus::<u64>::builder()
                    .overflow(policy)
                    .capacity(1)
                    .build()
                    .unwrap();
                let sub = bus.subscribe("a").unwrap();
                let sleepers = [(); 2].map(|()| {
                    let share = sub.share();
                    spawn_asleep(move || share.iter().count())
                });
                bus.emit("a", round).unwrap();
                // No slot is free for a sign of the end, unless a sleeper was fast.
                bus.close();
                // Whoever takes the one event passes the end on; this one never looks again.
                let ours = usize::from(sub.try_recv().is_ok());
                let theirs = sleepers.map(|sleeper| sleeper.join().unwrap());
                assert_eq!(ours + theirs[0] + theirs[1], 1);
            }
        });
    }
}

#[cfg(target_os = "linux")]
#[test]
fn p8_one_who_sees_the_end_without_sleeping_passes_it_on() {
    use common::spawn_asleep;

    for policy in POLICIES {
        guarded(move || {
            for _ in 0..200 {
                let bus = Bus::<u64>::builder()
                    .overflow(policy)
                    .capacity(1)
                    .build()
                    .unwrap();
                let sub = bus.subscribe("a").unwrap();
                let sleepers = [(); 2].map(|()| {
                    let share = sub.share();
                    spawn_asleep(move || share.recv().is_err())
                });
                bus.close();
                // It may take the very sign that was to wake a sleeper.
                assert_eq!(sub.try_recv().unwrap_err(), TryRecvError::Closed);
                assert_eq!(sleepers.map(|sleeper| sleeper.join().unwrap()), [true; 2]);
            }
        });
    }
}

#[test]
fn p8_iterators_that_sleep_stay_at_their_end() {
    fn ends_for_good<I>(mut beats: impl FusedIterator<Item = I>) {
        assert!(beats.by_ref().count() > 0 && beats.next().is_none());
    }
    for policy in POLICIES {
        let bus = Bus::<u64>::builder().overflow(policy).build().unwrap();
        let subs = [(); 3].map(|()| bus.subscribe("a").unwrap());
        bus.emit("a", 1).unwrap();
        drop(bus);
        let [iter, beats, owned] = subs;
        ends_for_good(iter.iter());
        ends_for_good(beats.heartbeats(HANG));
        ends_for_good(owned.into_iter());
    }
}

#[test]
fn p8_a_full_queue_closes_and_yields_all_that_is_left() {
    for policy in POLICIES {
        for capacity in [1, 2, 3, 200] {
            let bus = Bus::<usize>::builder()
                .overflow(policy)
                .capacity(capacity)
                .build()
                .unwrap();
            let sub = bus.subscribe("**").unwrap();
            for n in 0..capacity {
                bus.emit(format!("t.{n}"), n).unwrap();
            }
            assert!(bus.close() && !bus.close() && !sub.close());
            assert_eq!(
                (sub.len(), sub.dropped(), sub.is_closed()),
                (capacity, 0, true)
            );
            let left: Vec<usize> = sub.iter().map(|event| *event.payload()).collect();
            assert!(left.into_iter().eq(0..capacity), "{policy:?} {capacity}");
            assert_eq!(sub.len(), 0);
            assert!(sub.iter().next().is_none() && sub.share().recv().is_err());
        }
    }
}

#[test]
fn p8_a_closed_bus_refuses_and_hands_back() {
    let bus = Bus::<String>::new();
    let (sub, publisher) = (bus.subscribe("a").unwrap(), bus.publisher("a").unwrap());
    let mut batch = bus.start_batch();
    batch.emit("a", "c".to_owned()).unwrap();
    bus.close();
    let text = |n: u32| n.to_string();
    assert_eq!(bus.emit("a", text(1)).unwrap_err().into_payload(), "1");
    assert_eq!(bus.broadcast("a", text(2)).unwrap_err().into_payload(), "2");
    assert_eq!(
        bus.event("a", text(3))
            .source("s")
            .emit()
            .unwrap_err()
            .into_payload(),
        "3"
    );
    assert_eq!(
        bus.emit_within("a", text(4), HANG)
            .unwrap_err()
            .into_payload(),
        "4"
    );
    assert_eq!(publisher.emit(text(5)).unwrap_err().into_payload(), "5");
    let back = publisher.emit_batch((6..9).map(text)).unwrap_err();
    assert!(back.is_closed() && back.into_payload() == ["6", "7", "8"]);
    assert_eq!(batch.commit().unwrap_err().into_payload()[0].payload(), "c");
    assert_eq!(bus.subscribe("a").unwrap_err(), SubscribeError::Closed);
    assert_eq!(bus.tap("a", |_| {}).unwrap_err(), SubscribeError::Closed);
    assert_eq!(sub.set_patterns("b").unwrap_err(), SubscribeError::Ended);
    assert!(bus.wait_for("a", HANG, |_| true).is_err());
    assert_eq!(bus.stats().emitted, 0);
    // A publisher may still be made, and is told the same.
    assert!(
        bus.publisher("b")
            .unwrap()
            .emit(text(0))
            .unwrap_err()
            .is_closed()
    );
}

#[test]
fn p8_a_close_ends_an_emit_that_waits_for_room() {
    for policy in [Overflow::DropNewest, Overflow::Latest] {
        for by_bus in [false, true] {
            guarded(move || {
                let bus = Bus::<u64>::builder()
                    .overflow(policy)
                    .capacity(1)
                    .build()
                    .unwrap();
                let sub = bus.subscribe("*").unwrap();
                bus.emit("full", 0).unwrap();
                let (emitter, (tell, told)) = (bus.clone(), channel());
                let thread = thread::spawn(move || {
                    tell.send(()).unwrap();
                    match emitter.emit_within("a", 1, 2 * HANG) {
                        Ok(emitted) => emitted.matched,
                        // It had not begun when the bus closed.
                        Err(error) if by_bus && error.is_closed() => 0,
                        Err(error) => panic!("{error}"),
                    }
                });
                told.recv().unwrap();
                for _ in 0..100 {
                    thread::yield_now();
                }
                assert!(if by_bus { bus.close() } else { sub.close() });
                let matched = thread.join().unwrap();
                // It matched, if it began to wait before; then the end of the wait is no match.
                assert_eq!((matched, sub.iter().count()), (0, 1));
            });
        }
    }
}

#[test]
fn p8_closed_while_replayed_events_wait_yields_them_first() {
    let bus = Bus::<u64>::builder()
        .history(5)
        .capacity(1)
        .build()
        .unwrap();
    bus.publisher("a").unwrap().emit_batch(0..5).unwrap();
    let sub = bus.subscription("a").replay(5).subscribe().unwrap();
    bus.emit("a", 5).unwrap();
    let share = sub.share();
    bus.close();
    let mut read = vec![*share.recv().unwrap().payload()];
    read.extend(sub.iter().map(|event| *event.payload()));
    assert_eq!(read, [0, 1, 2, 3, 4, 5]);
    assert!(share.recv().is_err());
}

/// A thread that waits for events in its own impatient way and reports each.
fn impatient(
    sub: Subscription<u64>,
    way: usize,
    report: std::sync::mpsc::Sender<u64>,
) -> JoinHandle<()> {
    thread::spawn(move || {
        let short = Duration::from_micros(30);
        loop {
            let found = match way {
                0 => sub.recv_timeout(short).ok(),
                1 => sub.recv_deadline(Instant::now() + short).ok(),
                // Made anew each time, and dropped after one beat.
                2 => sub.heartbeats(short).next().and_then(Beat::into_event),
                3 => {
                    let mut select = Select::new();
                    sub.register(&mut select);
                    let _ = select.ready_timeout(short);
                    drop(select);
                    sub.try_recv().ok()
                }
                _ => sub.iter().next(),
            };
            match found {
                Some(event) => report.send(*event.payload()).unwrap(),
                None if sub.is_closed() && sub.is_empty() => return,
                None => {}
            }
        }
    })
}

#[test]
fn p14_waits_that_give_up_lose_nothing_and_strand_nobody() {
    for policy in POLICIES {
        guarded(move || {
            let bus = Bus::<u64>::builder()
                .overflow(policy)
                .capacity(2)
                .build()
                .unwrap();
            let sub = bus.subscribe("a").unwrap();
            let (report, reports) = channel();
            let waiters: Vec<_> = (0..6)
                .map(|way| impatient(sub.share(), way, report.clone()))
                .collect();
            for number in 0..1_500 {
                // One event at a time: were it lost, or its wake-up, nobody would report it.
                assert_eq!(bus.emit("a", number).unwrap().delivered, 1);
                assert_eq!(reports.recv_timeout(HANG), Ok(number), "{policy:?}");
            }
            bus.close();
            waiters
                .into_iter()
                .for_each(|waiter| waiter.join().unwrap());
            drop(report);
            assert_eq!(
                (reports.iter().count(), sub.received(), sub.dropped()),
                (0, 1_500, 0)
            );
        });
    }
}

#[test]
fn p14_iterators_dropped_at_any_point_hold_nothing_back() {
    for policy in POLICIES {
        let bus = Bus::<u64>::builder().overflow(policy).build().unwrap();
        let sub = bus.subscribe("**").unwrap();
        for number in 0..60 {
            bus.emit(format!("t.{number}"), number).unwrap();
        }
        let mut seen = Vec::new();
        let mut dice = Dice::new(14);
        while !sub.is_empty() {
            let some = dice.below(3) as usize;
            let event = |event: chanbus::Event<u64>| *event.payload();
            match dice.below(4) {
                0 => seen.extend(sub.iter().take(some.min(sub.len())).map(event)),
                1 => seen.extend(sub.try_iter().take(some).map(event)),
                2 => seen.extend(
                    sub.heartbeats(Duration::ZERO)
                        .take(some)
                        .filter_map(Beat::into_event)
                        .map(event),
                ),
                _ => {
                    let mut buffer = Vec::new();
                    assert!(sub.recv_batch(&mut buffer, some).unwrap() <= some);
                    seen.extend(buffer.into_iter().map(event));
                }
            }
            // Begun and dropped without a step.
            let _unused = (sub.iter(), sub.heartbeats(HANG), sub.try_iter());
        }
        assert!(seen.into_iter().eq(0..60), "{policy:?}");
    }
}

#[test]
fn p14_a_sleeper_is_woken_though_another_was_asked_first_and_left() {
    guarded(|| {
        let bus = Bus::<u64>::builder().capacity(4).build().unwrap();
        let sub = bus.subscribe("a").unwrap();
        let (stop, taken) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        // It registers and leaves without end, taking nothing.
        let (leaver, stopped) = (sub.share(), Arc::clone(&stop));
        let leaver = thread::spawn(move || {
            while !stopped.load(Ordering::SeqCst) {
                let mut select = Select::new();
                leaver.register(&mut select);
                let _ = select.ready_timeout(Duration::from_micros(5));
            }
        });
        let (sleeper, count) = (sub.share(), Arc::clone(&taken));
        let sleeper = thread::spawn(move || {
            for _ in &sleeper {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        for number in 1..=2_000 {
            bus.emit("a", number).unwrap();
            while taken.load(Ordering::SeqCst) < number {
                thread::yield_now();
            }
        }
        stop.store(true, Ordering::SeqCst);
        bus.close();
        leaver.join().unwrap();
        sleeper.join().unwrap();
    });
}

#[test]
fn p8_a_close_ends_all_threads_that_use_one_handle_by_reference() {
    for (policy, wake_ups) in POLICIES
        .into_iter()
        .flat_map(|policy| [(policy, WakeUps::Direct), (policy, WakeUps::Handed)])
    {
        for events in [0, 3] {
            let bus = Bus::<u64>::builder().wake_ups(wake_ups).build().unwrap();
            let sub = bus.subscription("a").overflow(policy).subscribe().unwrap();
            let sub = Arc::new(sub);
            let threads = [(); 6].map(|()| {
                let sub = Arc::clone(&sub);
                spawn_asleep(move || sub.iter().count())
            });
            let publisher = bus.publisher("a").unwrap();
            publisher.emit_batch(0..events).unwrap();
            bus.close();
            let taken: usize = guarded(move || threads.map(|thread| thread.join().unwrap()))
                .into_iter()
                .sum();
            assert!(taken as u64 <= events && (events == 0 || taken > 0));
            assert!(sub.recv().is_err());
        }
    }
}

#[test]
fn p8_a_closer_says_whether_its_subscription_is_open() {
    let bus = Bus::<u64>::new();
    let sub = bus.subscribe("a").unwrap();
    let closer = sub.closer();
    assert!(!closer.is_closed());
    sub.close();
    assert!(closer.is_closed());
}
