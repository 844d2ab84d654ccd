//! Wake-ups that a thread of the bus's own makes (`WakeUps::Handed`): the promises hold as ever.
#![cfg(target_os = "linux")]
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use chanbus::{Beat, Bus, Overflow, RecvTimeoutError, Subscription, WakeUps};
use common::{POLICIES, spawn_asleep, wait_asleep};

/// Long enough that only a lost wake-up takes it.
const FAR: Duration = Duration::from_secs(60);

fn handed() -> Bus<u64> {
    Bus::builder()
        .wake_ups(WakeUps::Handed)
        .max_subscribers(1_000)
        .build()
        .unwrap()
}

#[test]
fn p1_every_sleeper_is_woken_by_one_emit() {
    for policy in POLICIES {
        let bus = handed();
        let threads: Vec<_> = (0..20)
            .map(|_| {
                let sub = bus.subscription("a").overflow(policy).subscribe().unwrap();
                spawn_asleep(move || *sub.recv_timeout(FAR).unwrap().payload())
            })
            .collect();
        bus.emit("a", 7).unwrap();
        assert!(
            threads
                .into_iter()
                .all(|thread| thread.join().unwrap() == 7)
        );
    }
}

#[test]
fn p1_as_many_sharers_wake_as_there_are_events() {
    let bus = handed();
    let sub = bus.subscribe("a").unwrap();
    let threads = [(); 5].map(|()| {
        let sharer = sub.share();
        // It keeps to one event, so each needs a wake-up of its own.
        spawn_asleep(move || sharer.recv_timeout(FAR).map(|event| *event.payload()))
    });
    bus.publisher("a").unwrap().emit_batch(0..5).unwrap();
    let mut got: Vec<u64> = threads
        .map(|thread| thread.join().unwrap().unwrap())
        .to_vec();
    got.sort_unstable();
    assert_eq!(got, [0, 1, 2, 3, 4]);
}

#[test]
fn p14_who_is_woken_for_a_gap_wakes_another_for_the_event() {
    let bus = handed();
    let sub = bus
        .subscription("a")
        .capacity(1)
        .overflow(Overflow::DropOldest)
        .subscribe()
        .unwrap();
    let (told, taking) = (sub.share(), sub.share());
    let told = spawn_asleep(move || told.heartbeats(FAR).next());
    let taking = spawn_asleep(move || taking.recv_timeout(FAR).map(|event| *event.payload()));
    // The second pushes the first out.
    bus.publisher("a").unwrap().emit_batch([1, 2]).unwrap();
    // The one who counts gaps may be late, and find the event itself.
    let beat = told.join().unwrap().unwrap();
    if !matches!(beat, Beat::Missed(1)) {
        bus.emit("a", 2).unwrap();
    }
    assert_eq!(taking.join().unwrap().unwrap(), 2);
}

#[test]
fn p8_a_close_wakes_every_sharer() {
    for sleepers in [1, 2, 5] {
        let bus = handed();
        let sub = bus.subscribe("a").unwrap();
        let threads: Vec<_> = (0..sleepers)
            .map(|_| {
                let sharer = sub.share();
                spawn_asleep(move || sharer.recv_timeout(FAR))
            })
            .collect();
        bus.close();
        for thread in threads {
            assert!(matches!(
                thread.join().unwrap(),
                Err(RecvTimeoutError::Closed)
            ));
        }
    }
}

#[test]
fn p12_heartbeats_beat_and_wake() {
    let bus = handed();
    let sub = bus.subscribe("a").unwrap();
    assert!(matches!(
        sub.heartbeats(Duration::from_millis(1)).next(),
        Some(Beat::Keepalive)
    ));
    let thread = spawn_asleep(move || matches!(sub.heartbeats(FAR).next(), Some(Beat::Event(_))));
    bus.emit("a", 1).unwrap();
    assert!(thread.join().unwrap());
}

#[test]
fn p15_a_wait_ends_at_its_deadline_and_leaves_nothing_behind() {
    let bus = handed();
    let sub = bus.subscribe("a").unwrap();
    let short = Duration::from_millis(2);
    for n in 0..3 {
        assert!(sub.recv_timeout(short).unwrap_err().is_timeout());
        bus.emit("a", n).unwrap();
        let began = Instant::now();
        assert_eq!(*sub.recv_timeout(FAR).unwrap().payload(), n);
        assert!(began.elapsed() < FAR / 2);
    }
    // The ring of an event that was taken without sleep, if there was one, wakes once in vain.
    bus.emit("a", 9).unwrap();
    assert!(sub.try_recv().is_ok());
    assert!(sub.recv_timeout(short).unwrap_err().is_timeout());
}

/// Publishers, sharers and a close in the middle, with hardly any room: nobody is left asleep, and
/// nothing is lost uncounted.
#[test]
fn p5_p8_tiny_queues_and_a_close_under_load() {
    const PUBLISHERS: u64 = 2;
    let rounds = common::soaked(40);
    for round in 0..rounds {
        for policy in POLICIES {
            let bus = handed();
            let subscribe = |capacity| {
                let sub = bus.subscription("**").capacity(capacity).overflow(policy);
                sub.subscribe().unwrap()
            };
            let subs = [subscribe(1), subscribe(2), subscribe(3)];
            let barrier = Barrier::new(PUBLISHERS as usize + 1);
            let taken = thread::scope(|scope| {
                let readers: Vec<_> = subs
                    .iter()
                    .flat_map(|sub| [sub.share(), sub.share()])
                    .map(|sharer: Subscription<u64>| scope.spawn(move || sharer.iter().count()))
                    .collect();
                for number in 0..PUBLISHERS {
                    let (bus, barrier) = (&bus, &barrier);
                    scope.spawn(move || {
                        let publisher = bus.publisher(format!("a.{number}")).unwrap();
                        barrier.wait();
                        for n in 0..200 {
                            if publisher.emit(n).is_err() {
                                break;
                            }
                        }
                    });
                }
                barrier.wait();
                if round % 2 == 0 {
                    thread::yield_now();
                    bus.close();
                } else {
                    while bus.stats().emitted < PUBLISHERS * 200 {
                        thread::yield_now();
                    }
                    bus.close();
                }
                let taken = readers.into_iter().map(|reader| reader.join().unwrap());
                taken.sum::<usize>()
            });
            // Now that the publishers are joined: one that came late takes its event back.
            let received: u64 = subs.iter().map(Subscription::received).sum();
            assert_eq!(taken as u64, received, "{policy:?}");
            for sub in &subs {
                let lost = sub.dropped() + sub.conflated() + sub.filtered();
                assert_eq!(sub.matched(), sub.received() + lost);
                assert!(sub.is_empty());
            }
        }
    }
}

#[test]
fn the_thread_that_wakes_goes_with_the_last_handle() {
    let alive = || {
        let tasks = std::fs::read_dir("/proc/self/task");
        tasks.map_or(0, |tasks| {
            let names = tasks
                .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
            // The system keeps 15 bytes of a name.
            names
                .filter(|name| name.starts_with("chanbus-wake-go"))
                .count()
        })
    };
    let bus = Bus::<u64>::builder()
        .name("going")
        .wake_ups(WakeUps::Handed)
        .build()
        .unwrap();
    let publisher = bus.publisher("a").unwrap();
    drop(bus);
    assert!(publisher.emit(1).is_err());
    drop(publisher);
    let began = Instant::now();
    while alive() > 0 {
        assert!(began.elapsed() < FAR, "it is still there");
        thread::yield_now();
    }
}

#[test]
fn a_derived_bus_has_its_sleepers_woken_by_the_same_thread() {
    // Its number, and its own file about it.
    let find = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let mut paths = tasks.map(|task| task.unwrap().path());
        let name = |path: &PathBuf| std::fs::read_to_string(path.join("comm"));
        paths.find(|path| name(path).is_ok_and(|name| name.starts_with("chanbus-wake-fe")))
    };
    // A thread begins without its name.
    let bus = Bus::<u64>::builder()
        .name("feeding")
        .wake_ups(WakeUps::Handed)
        .build()
        .unwrap();
    let task = loop {
        match find() {
            Some(task) => break task,
            None => thread::yield_now(),
        }
    };
    let number = task.file_name().unwrap().to_str().unwrap();
    let number: i32 = number.parse().unwrap();
    let went_to_sleep = || {
        wait_asleep(number);
        let status = std::fs::read_to_string(task.join("status")).unwrap();
        let line = |line: &str| {
            Some(
                line.strip_prefix("voluntary_ctxt_switches:")?
                    .trim()
                    .parse(),
            )
        };
        status.lines().find_map(line).unwrap().unwrap()
    };
    let before: u64 = went_to_sleep();
    let sub = bus.filtered(|_| true).subscribe("a").unwrap();
    let reader = spawn_asleep(move || *sub.recv_timeout(FAR).unwrap().payload());
    bus.emit("a", 7).unwrap();
    assert_eq!(reader.join().unwrap(), 7);
    // It is seen asleep a moment before that is counted.
    assert!((0..1_000).any(|_| went_to_sleep() > before));
}
