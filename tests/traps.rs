//! Traps that other buses and channels fell into, as scenarios: when this, then that.
//!
//! Each test is named after the trap's number in the project's list and cites where it happened. Not
//! here, because they are about what the core does not have:
//!
//! - asynchronous receiving: 4 (close, then an async loop), 16 (a future dropped between wake and
//!   poll), 17 (wakers that call back or panic);
//! - handlers and their dispatcher: 21 (removal while it runs), 25 and 26 (failing handlers and error
//!   handlers), 28 (`once`), 29 (failing async handlers), 40 (stopping in time), and what 20 and 35
//!   ask of handlers, which here is asked of taps;
//! - deferred buses: 37 and 38 (effects that publish, an outbox that is dropped).
//!
//! The patterns themselves (43, 45, 46, 47) have their tests beside the matcher; here they are asked
//! of a bus.

// Clippy lets tests do so, not the helpers beside them.
#![allow(clippy::unwrap_used)]

#[path = "rows/watch.rs"]
mod watch;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use chanbus::{
    Beat, BuildError, Bus, EmitError, Overflow, PanicPlace, RecvTimeoutError, SubscribeError,
    Subscription, Syntax, TapGuard, TextErrorKind, TryRecvError,
};
use crossbeam_channel::Select;
use watch::watched;

type Done = Result<(), chanbus::Error>;

const ALL_POLICIES: [Overflow; 3] = [Overflow::DropNewest, Overflow::DropOldest, Overflow::Latest];

/// Longer than any test lasts.
const LONG: Duration = Duration::from_secs(3_600);

fn payloads<T: Copy + Send + Sync + 'static>(sub: &Subscription<T>) -> Vec<T> {
    sub.try_iter().map(|event| *event.payload()).collect()
}

fn topics<T: Send + Sync + 'static>(sub: &Subscription<T>) -> Vec<String> {
    sub.try_iter()
        .map(|event| event.topic().to_string())
        .collect()
}

/// Events as numbers, gaps as how many are missing; `count` beats of them.
fn beats(sub: &Subscription<i64>, count: usize) -> Vec<Result<i64, u64>> {
    sub.heartbeats(LONG)
        .take(count)
        .map(|beat| match beat {
            Beat::Event(event) => Ok(*event.payload()),
            Beat::Missed(count) => Err(count),
            Beat::Keepalive => unreachable!("nobody waits for an hour"),
        })
        .collect()
}

// ---- delivery and lag ----

/// Capacity 4, 10 events, then a read: the gap is told exactly once, in its place, and the
/// subscription goes on (tokio#4057, async-broadcast#55).
#[test]
fn trap01_a_gap_is_told_once_and_the_subscription_goes_on() -> Done {
    watched(|| {
        let bus = Bus::new();
        let newest_lost = bus.subscription("n").capacity(4).subscribe()?;
        let oldest_lost = bus
            .subscription("n")
            .capacity(4)
            .overflow(Overflow::DropOldest)
            .subscribe()?;
        for n in 0..10 {
            bus.emit("n", n)?;
        }
        let expected = [Ok(0), Ok(1), Ok(2), Ok(3), Err(6)];
        assert_eq!(beats(&newest_lost, 5), expected);
        let expected = [Err(6), Ok(6), Ok(7), Ok(8), Ok(9)];
        assert_eq!(beats(&oldest_lost, 5), expected);

        bus.emit("n", 10)?;
        for sub in [newest_lost, oldest_lost] {
            assert_eq!((sub.dropped(), sub.missed()), (6, 0));
            assert_eq!(beats(&sub, 1), [Ok(10)]);
        }
        Ok(())
    })
}

/// A `for` loop across an overflow does not end (tokio#4057, chatmail/core#5605).
#[test]
fn trap02_an_overflow_does_not_end_the_loop() -> Done {
    for overflow in ALL_POLICIES {
        watched(move || {
            let bus = Bus::new();
            let sub = bus
                .subscription("n.*")
                .capacity(2)
                .overflow(overflow)
                .subscribe()?;
            let (reached, in_loop) = channel();
            let overflown = Arc::new(Barrier::new(2));
            let go_on = Arc::clone(&overflown);
            let reader = thread::spawn(move || {
                let mut seen = 0;
                for event in &sub {
                    match *event.payload() {
                        0 => {
                            reached.send(()).unwrap();
                            go_on.wait();
                        }
                        -1 => return (seen, sub),
                        _ => seen += 1,
                    }
                }
                panic!("the loop ended");
            });
            bus.emit("n.first", 0)?;
            in_loop.recv().unwrap();
            for n in 1..100 {
                bus.emit(format!("n.t{n}"), n)?;
            }
            overflown.wait();
            while bus.emit("n.last", -1)?.dropped > 0 {
                thread::yield_now();
            }
            let (seen, sub) = reader.join().unwrap();
            assert!(sub.dropped() >= 97, "{overflow:?}");
            assert!(seen >= 1, "{overflow:?}");
            Ok::<_, chanbus::Error>(())
        })?;
    }
    Ok(())
}

/// Full queue, then close: all that is queued comes, then the end; closing adds no gap
/// (tokio#2425, codechu-events).
#[test]
fn trap03_closing_a_full_queue_loses_nothing() -> Done {
    watched(|| {
        for overflow in ALL_POLICIES {
            let bus = Bus::new();
            let sub = bus
                .subscription("n.*")
                .capacity(3)
                .overflow(overflow)
                .subscribe()?;
            for n in 0..3 {
                bus.emit(format!("n.t{n}"), n)?;
            }
            bus.close();
            assert_eq!(beats(&sub, 99), [Ok(0), Ok(1), Ok(2)], "{overflow:?}");
            assert_eq!((sub.dropped(), sub.missed(), sub.conflated()), (0, 0, 0));
        }
        Ok(())
    })
}

/// Topics and payloads that look like somebody's sentinel are data, and close nothing (codechu-events).
#[test]
fn trap05_no_topic_or_payload_is_a_sentinel() -> Done {
    watched(|| {
        let bus: Bus<Option<()>> = Bus::new();
        let (plain, beating) = (bus.subscribe_all()?, bus.subscribe_all()?);
        let names = [
            "_closed",
            "_keepalive",
            "_missed",
            "__sentinel__",
            "None",
            "close",
        ];
        for name in names {
            assert_eq!(bus.emit(name, None)?.delivered, 2);
        }
        assert_eq!(topics(&plain), names);
        for name in names {
            let beat = beating.heartbeats(LONG).next().and_then(Beat::into_event);
            assert_eq!(beat.unwrap().topic(), name);
        }
        assert!(!plain.is_closed() && !beating.is_closed());
        Ok(())
    })
}

/// Capacity 0 is an error, never a silent hang; 3 is exactly 3 (bus#7, tokio#6015).
#[test]
fn trap06_capacity_is_exact_and_zero_is_refused() -> Done {
    let zero = Bus::<i32>::builder().capacity(0).build();
    assert_eq!(zero.unwrap_err(), BuildError::ZeroCapacity);
    let bus = Bus::new();
    let zero = bus.subscription("n.*").capacity(0).subscribe();
    assert_eq!(zero.unwrap_err(), SubscribeError::ZeroCapacity);

    for overflow in ALL_POLICIES {
        for capacity in [1, 2, 3, 5, 7] {
            let sub = bus
                .subscription("n.*")
                .capacity(capacity)
                .overflow(overflow)
                .subscribe()?;
            for n in 0..20 {
                bus.emit(format!("n.t{n}"), n)?;
            }
            assert_eq!((sub.capacity(), sub.len()), (capacity, capacity));
        }
    }
    Ok(())
}

/// Subscribing to a closed bus is an error at once, and a sharer of a closed subscription ends at
/// once (tokio#4814).
#[test]
fn trap07_nobody_joins_what_is_closed() -> Done {
    watched(|| {
        let bus: Bus<i32> = Bus::new();
        let sub = bus.subscribe("n")?;
        bus.close();
        assert_eq!(bus.subscribe("n").unwrap_err(), SubscribeError::Closed);
        assert_eq!(bus.tap("n", |_| {}).unwrap_err(), SubscribeError::Closed);
        assert!(!bus.wait_for("n", LONG, |_| true).unwrap_err().is_timeout());

        let sharer = sub.share();
        assert!(sharer.recv().is_err());
        assert_eq!(sharer.iter().count(), 0);
        assert_eq!(sub.share().into_iter().count(), 0);
        Ok(())
    })
}

/// A history larger than the queue: what is replayed is contiguous and the newest, with no hole
/// before the live events (iceoryx#1192).
#[test]
fn trap08_a_replay_larger_than_the_queue_has_no_hole() -> Done {
    let bus = Bus::builder().history(50).capacity(5).build()?;
    for n in 0..80 {
        bus.emit("n", n)?;
    }
    let all = bus.subscription("n").replay(1_000).subscribe()?;
    let some = bus.subscription("n").replay(20).subscribe()?;
    for n in 80..85 {
        bus.emit("n", n)?;
    }
    assert!(payloads(&all).into_iter().eq(30..85));
    assert!(payloads(&some).into_iter().eq(60..85));
    Ok(())
}

/// What was queued before anybody waits is had at once, however one waits (iceoryx#1855).
#[test]
fn trap09_a_late_waiter_finds_what_is_there() -> Done {
    watched(|| {
        let bus = Bus::new();
        let sub = bus.subscribe("n")?;
        for n in 0..5 {
            bus.emit("n", n)?;
        }
        let (_sender, other) = crossbeam_channel::unbounded::<()>();
        let mut select = Select::new();
        select.recv(&other);
        let ours = sub.register(&mut select);
        assert_eq!(select.ready(), ours);
        assert_eq!(*sub.try_recv()?.payload(), 0);
        assert_eq!(*sub.recv()?.payload(), 1);
        // Also when no time is left.
        assert_eq!(*sub.recv_timeout(Duration::ZERO)?.payload(), 2);
        assert_eq!(*sub.recv_deadline(Instant::now())?.payload(), 3);
        let beat = sub.heartbeats(Duration::ZERO).next();
        assert!(matches!(beat, Some(Beat::Event(event)) if *event.payload() == 4));
        Ok(())
    })
}

/// Two overlapping patterns of one subscription: once; two subscriptions: once each (nats.c#152).
#[test]
fn trap10_overlapping_patterns_deliver_once() -> Done {
    let bus = Bus::new();
    let both = bus.subscribe(["a.*", "a.**", "**", "a.b"])?;
    let (one, other) = (bus.subscribe("a.*")?, bus.subscribe("a.**")?);
    assert_eq!(bus.emit("a.b", 1)?.delivered, 3);
    bus.publisher("a.b")?.emit(2)?;
    bus.broadcast("a.b", 3)?;
    for sub in [both, one, other] {
        assert_eq!(payloads(&sub), [1, 2, 3]);
    }
    Ok(())
}

/// One subscriber never reads: the others get everything in order, and what it holds is bounded by
/// its own capacity (watermill#247, tailscale#18020).
#[test]
fn trap11_one_that_never_reads_costs_its_own_capacity() -> Done {
    watched(|| {
        let bus = Bus::new();
        let asleep = bus.subscription("n").capacity(7).subscribe()?;
        let awake = bus.subscribe("n")?;
        let alive = Arc::new(());
        for n in 0..5_000 {
            bus.emit("n", (n, Arc::clone(&alive)))?;
            assert_eq!(awake.recv()?.payload().0, n);
        }
        assert_eq!((asleep.len(), awake.dropped()), (7, 0));
        assert_eq!(Arc::strong_count(&alive), 1 + 7);
        Ok(())
    })
}

/// Sums over all subscriptions add up after 8 publishers were joined.
#[test]
fn trap12_the_sums_add_up() -> Done {
    watched(|| {
        let bus = Bus::builder().max_subscribers(1_000).build()?;
        let mut subs = Vec::new();
        for overflow in ALL_POLICIES {
            for capacity in [1, 10, 10_000] {
                let sub = bus
                    .subscription("n.*")
                    .capacity(capacity)
                    .overflow(overflow)
                    .filter(|event| event.payload() % 5 != 0)
                    .subscribe()?;
                subs.push(sub);
            }
        }
        let publishers: Vec<_> = (0..8)
            .map(|thread| {
                let bus = bus.clone();
                thread::spawn(move || {
                    (0..500_u64)
                        .map(|n| bus.emit(format!("n.t{}", (thread + n) % 13), n).unwrap())
                        .sum::<chanbus::Emitted>()
                })
            })
            .collect();
        // Some consume meanwhile.
        let readers: Vec<_> = subs
            .iter()
            .step_by(2)
            .map(|sub| {
                let sub = sub.share();
                thread::spawn(move || sub.iter().count())
            })
            .collect();
        let emitted: chanbus::Emitted = publishers
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .sum();
        bus.close();
        for reader in readers {
            reader.join().unwrap();
        }

        assert_eq!(
            emitted.matched,
            emitted.delivered + emitted.dropped + emitted.filtered
        );
        assert_eq!(emitted.matched, subs.len() * 8 * 500);
        for sub in &subs {
            let sum = sub.received() + sub.dropped() + sub.filtered() + sub.conflated();
            assert_eq!((sum, sub.filtered()), (8 * 500, 8 * 100));
        }
        let stats = bus.stats();
        assert_eq!(stats.matched(), emitted.matched as u64);
        assert_eq!(stats.emitted, 8 * 500);
        Ok(())
    })
}

// ---- wake-ups and CPU ----

/// The CPU time of the calling thread, in ticks of 10 ms.
#[cfg(target_os = "linux")]
fn cpu_ticks() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    // After the name in brackets: the state, then numbers; user and system time are the 14th and
    // 15th fields of the line.
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = fields.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// 20 receivers blocked on an idle bus use no CPU (bus#5, bus#23, async-channel#13, disruptor#219).
#[cfg(target_os = "linux")]
#[test]
fn trap13_idle_receivers_use_no_cpu() -> Done {
    watched(|| {
        let bus: Bus<i32> = Bus::new();
        let receivers: Vec<_> = (0..20)
            .map(|place| {
                let sub = bus.subscribe("n")?;
                Ok(thread::spawn(move || {
                    let before = cpu_ticks();
                    match place % 3 {
                        0 => assert!(sub.recv().is_err()),
                        1 => assert_eq!(sub.iter().count(), 0),
                        _ => assert_eq!(sub.heartbeats(LONG).count(), 0),
                    }
                    cpu_ticks() - before
                }))
            })
            .collect::<Result<_, chanbus::Error>>()?;
        // What is measured, not what orders anything: a spinning receiver would use all of it.
        thread::sleep(Duration::from_secs(1));
        bus.close();
        let ticks: u64 = receivers.into_iter().map(|it| it.join().unwrap()).sum();
        assert!(ticks < 5, "{ticks} ticks of 10 ms");
        Ok(())
    })
}

/// Emits race with receivers that go to sleep: nobody sleeps on a queue that is not empty
/// (event-listener#138).
#[test]
fn trap14_no_wake_up_is_lost() -> Done {
    watched(|| {
        const ROUNDS: u32 = 20_000;
        let bus = Bus::new();
        let (pings, pongs) = (bus.subscribe("ping")?, bus.subscribe("pong")?);
        let answering = bus.clone();
        let other = thread::spawn(move || {
            let pong = answering.publisher("pong").unwrap();
            for n in 0..ROUNDS {
                let event = pings.recv().unwrap();
                assert_eq!(*event.payload(), n);
                pong.emit(n).unwrap();
            }
        });
        let ping = bus.publisher("ping")?;
        for n in 0..ROUNDS {
            ping.emit(n)?;
            assert_eq!(*pongs.recv()?.payload(), n);
        }
        other.join().unwrap();
        Ok(())
    })
}

/// Two pushes, two waiters on one subscription: both wake (async-std#452).
#[test]
fn trap15_two_events_wake_two_sharers() -> Done {
    watched(|| {
        const ROUNDS: usize = 2_000;
        let bus = Bus::new();
        let sub = bus.subscribe("job")?;
        let turn = Arc::new(Barrier::new(3));
        let workers: Vec<_> = (0..2)
            .map(|_| {
                let (jobs, turn) = (sub.share(), Arc::clone(&turn));
                thread::spawn(move || {
                    for _ in 0..ROUNDS {
                        turn.wait();
                        // One each: neither can take the other's.
                        jobs.recv().unwrap();
                        turn.wait();
                    }
                })
            })
            .collect();
        for n in 0..ROUNDS {
            turn.wait();
            bus.emit("job", n)?;
            bus.emit("job", n)?;
            turn.wait();
        }
        for worker in workers {
            worker.join().unwrap();
        }
        Ok(())
    })
}

/// The sender pushes and drops the last handle: first the event, then the end (flume#121).
#[test]
fn trap18_the_last_event_comes_before_the_end() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe("n")?;
    bus.emit("n", 1)?;
    drop(bus);
    assert_eq!(*sub.try_recv()?.payload(), 1);
    assert_eq!(sub.try_recv().unwrap_err(), TryRecvError::Closed);
    Ok(())
}

// ---- re-entrancy ----

/// A consumer, a filter and a tap emit into their own full queue: it returns, counted as dropped
/// (EventBus(Go)#35, #52, tailscale#18012, zenoh#2744).
#[test]
fn trap19_emitting_into_ones_own_full_queue_returns() -> Done {
    watched(|| {
        // A consumer, on its own topic.
        let bus = Bus::new();
        let sub = bus.subscription("n").capacity(1).subscribe()?;
        bus.emit("n", 0)?;
        let event = sub.recv()?;
        assert_eq!(bus.emit("n", event.payload() + 1)?.delivered, 1);
        assert_eq!(bus.emit("n", event.payload() + 2)?.dropped, 1);

        // A filter and a tap, from inside the emit.
        let bus: Bus<&str> = Bus::new();
        let inner = Arc::new(Mutex::new(Vec::new()));
        let answer = |place| {
            let (bus, inner) = (bus.downgrade(), Arc::clone(&inner));
            move |topic: &str| {
                if topic == "outer" {
                    let emitted = bus.upgrade().unwrap().emit("inner", place).unwrap();
                    inner.lock().unwrap().push((place, emitted.dropped));
                }
            }
        };
        let from_filter = answer("filter");
        let sub = bus
            .subscription("*")
            .capacity(1)
            .filter(move |event| {
                from_filter(event.topic());
                true
            })
            .subscribe()?;
        let from_tap = answer("tap");
        let _tap = bus.tap("*", move |event| from_tap(event.topic()))?;
        bus.emit("fill", "")?;
        assert_eq!(bus.emit("outer", "")?.dropped, 1);
        assert_eq!(*inner.lock().unwrap(), [("filter", 1), ("tap", 1)]);
        assert_eq!(sub.dropped(), 3);
        Ok(())
    })
}

/// A tap's guard, where the tap itself or another can reach it.
type Held = Arc<Mutex<Option<TapGuard<u32>>>>;

fn let_go(held: &Held) {
    let guard = held.lock().unwrap().take();
    drop(guard);
}

/// A tap adds another, removes a sibling and removes itself in mid-emit: an added one is not called
/// in this round, a removed one that was not reached is not called, siblings are not skipped, and no
/// removal is undone (krasimir#11, wails#5578).
#[test]
fn trap20_taps_come_and_go_in_mid_emit() -> Done {
    watched(|| {
        let bus: Bus<u32> = Bus::new();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let log = |name: &'static str| {
            let calls = Arc::clone(&calls);
            move |n: u32| calls.lock().unwrap().push((n, name))
        };
        let (once, victim, added) = (Held::default(), Held::default(), Held::default());

        let (called, me, other) = (log("once"), Arc::clone(&once), Arc::clone(&victim));
        let (weak, late, called_late) = (bus.downgrade(), Arc::clone(&added), log("added"));
        let called_late = Arc::new(called_late);
        let guard = bus.tap("n", move |event| {
            called(*event.payload());
            let called_late = Arc::clone(&called_late);
            let tap = weak
                .upgrade()
                .unwrap()
                .tap("n", move |event| called_late(*event.payload()));
            *late.lock().unwrap() = Some(tap.unwrap());
            let_go(&other);
            let_go(&me);
        })?;
        *once.lock().unwrap() = Some(guard);
        let called = log("victim");
        let guard = bus.tap("n", move |event| called(*event.payload()))?;
        *victim.lock().unwrap() = Some(guard);
        let called = log("sibling");
        let _sibling = bus.tap("n", move |event| called(*event.payload()))?;

        for n in 1..=3 {
            bus.emit("n", n)?;
        }
        assert_eq!(
            *calls.lock().unwrap(),
            [
                (1, "once"),
                (1, "sibling"),
                (2, "sibling"),
                (2, "added"),
                (3, "sibling"),
                (3, "added"),
            ]
        );
        assert_eq!(bus.stats().taps, 2);
        Ok(())
    })
}

/// The same of subscriptions: one that ends during an emit counts as not matched, its siblings get
/// the event, and one that is added meanwhile begins with the next.
#[test]
fn trap20_subscriptions_come_and_go_in_mid_emit() -> Done {
    watched(|| {
        let bus: Bus<u32> = Bus::new();
        let leaving = Arc::new(Mutex::new(None::<Subscription<u32>>));
        let coming = Arc::new(Mutex::new(None::<Subscription<u32>>));
        let (gone, come, weak) = (Arc::clone(&leaving), Arc::clone(&coming), bus.downgrade());
        let first = bus
            .subscription("n")
            .filter(move |_| {
                gone.lock().unwrap().take();
                let mut come = come.lock().unwrap();
                if come.is_none() {
                    *come = weak.upgrade().and_then(|bus| bus.subscribe("n").ok());
                }
                true
            })
            .subscribe()?;
        *leaving.lock().unwrap() = Some(bus.subscribe("n")?);
        let last = bus.subscribe("n")?;

        let emitted = bus.emit("n", 1)?;
        assert_eq!((emitted.matched, emitted.delivered), (2, 2));
        assert_eq!(bus.emit("n", 2)?.matched, 3);
        assert_eq!(payloads(&first), [1, 2]);
        assert_eq!(payloads(&last), [1, 2]);
        let added = coming.lock().unwrap().take().unwrap();
        assert_eq!(payloads(&added), [2]);
        Ok(())
    })
}

/// A answers B answers A: it stops at the limit with one error that names the chain, and the bus
/// lives (personium-core#123).
#[test]
fn trap22_a_circle_ends_with_one_error_that_names_it() -> Done {
    watched(|| {
        let bus = Bus::builder().max_chain(5).build()?;
        let errors = Arc::new(Mutex::new(Vec::new()));
        let answer = |with: &'static str| {
            let (bus, errors) = (bus.downgrade(), Arc::clone(&errors));
            move |_: &chanbus::Event<u32>| {
                if let Err(error) = bus.upgrade().unwrap().emit(with, 7) {
                    errors.lock().unwrap().push(error);
                }
            }
        };
        let taps = (bus.tap("a", answer("b"))?, bus.tap("b", answer("a"))?);
        bus.emit("a", 7)?;

        let errors = std::mem::take(&mut *errors.lock().unwrap());
        assert_eq!(errors.len(), 1);
        assert!(errors[0].is_chain_too_deep());
        assert!(errors[0].to_string().contains("a > b > a > b > a > b"));
        assert_eq!(*errors[0].payload(), 7);
        // The first event and five that others led to.
        assert_eq!(bus.stats().emitted, 6);

        drop(taps);
        let sub = bus.subscribe("a")?;
        bus.emit("a", 8)?;
        assert!(sub.recv()?.cause().is_none());
        Ok(())
    })
}

/// The order of nested emits is documented, and the same for everybody: a consumer's come after
/// what is queued (breadth first), a tap's after the event it was called with, a filter's before
/// (guava#1740).
#[test]
fn trap23_nested_emits_have_one_order() -> Done {
    watched(|| {
        // From a consumer's loop.
        let bus = Bus::new();
        let (sub, observer) = (bus.subscribe_all()?, bus.subscribe_all()?);
        bus.emit("a", ())?;
        while let Ok(event) = sub.try_recv() {
            match event.topic().as_str() {
                "a" => {
                    bus.emit("b", ())?;
                    bus.emit("c", ())?;
                }
                "b" => drop(bus.emit("d", ())?),
                _ => {}
            }
        }
        assert_eq!(topics(&observer), ["a", "b", "c", "d"]);

        // From inside the emit, seen by a subscription before and one after.
        let bus = Bus::new();
        let before = bus.subscribe_all()?;
        let weak = bus.downgrade();
        let filter = bus
            .subscription("outer")
            .filter(move |_| weak.upgrade().unwrap().emit("filter", ()).is_ok())
            .subscribe()?;
        let weak = bus.downgrade();
        let _tap = bus.tap("outer", move |_| {
            weak.upgrade().unwrap().emit("tap", ()).unwrap();
        })?;
        let after = bus.subscribe_all()?;
        bus.emit("outer", ())?;
        assert_eq!(topics(&before), ["filter", "outer", "tap"]);
        assert_eq!(topics(&after), ["filter", "outer", "tap"]);
        assert_eq!(topics(&filter), ["outer"]);
        Ok(())
    })
}

/// An application's lock is held while emitting, and the consumer takes the same one
/// (tailscale#17973, greenrobot#700).
#[test]
fn trap24_a_lock_held_while_emitting_may_be_taken_by_the_consumer() -> Done {
    watched(|| {
        let bus = Bus::new();
        let sub = bus.subscription("n").capacity(2).subscribe()?;
        let state = Arc::new(Mutex::new(0));
        let consumer = {
            let state = Arc::clone(&state);
            thread::spawn(move || {
                for event in &sub {
                    *state.lock().unwrap() += *event.payload();
                }
                sub
            })
        };
        let held = state.lock().unwrap();
        for _ in 0..1_000 {
            bus.emit("n", 1)?;
        }
        drop(held);
        drop(bus);
        let sub = consumer.join().unwrap();
        assert_eq!(*state.lock().unwrap(), sub.received());
        assert_eq!(sub.matched(), 1_000);
        Ok(())
    })
}

// ---- errors ----

/// A payload whose destructor panics on a publisher's thread: reported, the others are served
/// (tokio's test `panic_in_clone`).
#[test]
fn trap27_a_payload_that_panics_when_dropped_harms_nobody() -> Done {
    struct Grenade {
        armed: bool,
    }
    impl Drop for Grenade {
        fn drop(&mut self) {
            assert!(!self.armed, "on purpose");
        }
    }
    watched(|| {
        let reports = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&reports);
        let bus = Bus::builder()
            .on_panic(move |panic| seen.lock().unwrap().push(panic.place()))
            .build()?;
        // Dropped by the emit itself, as nobody listens.
        bus.emit("n", Grenade { armed: true })?;
        // Dropped by a later emit, that pushes it out.
        let newest = bus
            .subscription("n")
            .capacity(1)
            .overflow(Overflow::DropOldest)
            .subscribe()?;
        bus.emit("n", Grenade { armed: true })?;
        let others = (bus.subscribe("n")?, bus.subscribe("n")?);
        let emitted = bus.emit("n", Grenade { armed: false })?;

        assert_eq!((emitted.delivered, emitted.evicted), (3, 1));
        assert_eq!(*reports.lock().unwrap(), [PanicPlace::Destructor; 2]);
        assert_eq!((newest.len(), others.0.len(), others.1.len()), (1, 1, 1));
        // Nothing is poisoned.
        assert_eq!(bus.emit("n", Grenade { armed: false })?.delivered, 3);
        assert_eq!(newest.dropped(), 2);
        // Dropping a subscription with one inside is the same.
        bus.emit("n", Grenade { armed: true })?;
        drop((newest, others));
        assert_eq!(reports.lock().unwrap().len(), 3);
        Ok(())
    })
}

// ---- snapshot ----

/// 8 threads subscribe and drop 10,000 times: no change is lost, the last snapshot is empty
/// (rustybgp#554).
#[test]
fn trap30_no_change_of_the_list_is_lost() -> Done {
    watched(|| {
        let bus: Bus<u32> = Bus::new();
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let bus = bus.clone();
                thread::spawn(move || {
                    for round in 0..10_000 {
                        let sub = bus.subscribe("n").unwrap();
                        // Its own subscription is there, whatever the others do.
                        if round % 1_000 == thread {
                            assert!(bus.emit("n", 1).unwrap().delivered >= 1);
                            assert!(!sub.is_empty());
                        }
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(bus.subscriber_count(), 0);
        assert_eq!(bus.emit("n", 1)?.matched, 0);
        assert!(bus.stats().subscriptions.is_empty());
        Ok(())
    })
}

/// After an unsubscribe, and no emit since, its payloads and captures are freed, whoever idles on
/// an old route (Forge EventBus#39, neoforged/Bus#34).
#[test]
fn trap31_unsubscribing_frees_at_once() -> Done {
    let bus: Bus<Arc<()>> = Bus::new();
    let captured = Arc::new(());
    let inside = Arc::clone(&captured);
    let sub = bus
        .subscription("n")
        .filter(move |_| Arc::strong_count(&inside) > 0)
        .subscribe()?;
    let payload = Arc::new(());
    // Routes to it are cached: in the bus, and in a publisher that stays idle from now on.
    let idle = bus.publisher("n")?;
    idle.emit(Arc::clone(&payload))?;
    bus.emit("n", Arc::clone(&payload))?;
    let (capture, queued): (Weak<()>, Weak<()>) =
        (Arc::downgrade(&captured), Arc::downgrade(&payload));
    drop((captured, payload));
    assert!(capture.upgrade().is_some() && queued.upgrade().is_some());

    sub.unsubscribe();
    assert!(capture.upgrade().is_none());
    assert!(queued.upgrade().is_none());
    drop(idle);
    Ok(())
}

/// An emit is inside a slow filter while the list changes 10,000 times: what came and went
/// meanwhile is freed, though the emit holds an old snapshot (arc-swap#198, #200, #210).
#[test]
fn trap32_a_slow_filter_does_not_pile_up_old_subscriptions() -> Done {
    watched(|| {
        let bus: Bus<u32> = Bus::new();
        let (entered, inside) = channel();
        let (leave, left) = channel::<()>();
        let left = Mutex::new(left);
        let slow = bus
            .subscription("slow")
            .filter(move |_| {
                entered.send(()).unwrap();
                left.lock().unwrap().recv().is_ok()
            })
            .subscribe()?;
        let emitting = bus.clone();
        let publisher = thread::spawn(move || emitting.emit("slow", 1).unwrap());
        inside.recv().unwrap();

        let token = Arc::new(());
        for _ in 0..10_000 {
            let captured = Arc::clone(&token);
            let sub = bus
                .subscription("other")
                .filter(move |_| Arc::strong_count(&captured) > 0)
                .subscribe()?;
            drop(sub);
        }
        assert_eq!(Arc::strong_count(&token), 1);
        leave.send(()).unwrap();
        assert_eq!(publisher.join().unwrap().delivered, 1);
        assert_eq!(payloads(&slow), [1]);
        Ok(())
    })
}

/// Runs a closure when it is dropped.
struct OnDrop(Box<dyn Fn() + Send + Sync>);

impl Drop for OnDrop {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// The last handle of a subscription goes on a publisher's thread, inside an emit, and what it drops
/// calls the bus.
#[test]
fn trap33_a_subscription_that_ends_inside_an_emit_may_call_the_bus() -> Done {
    watched(|| {
        let bus: Bus<Option<OnDrop>> = Bus::new();
        let observer = bus.subscribe("said.*")?;
        let say = |topic: &'static str| {
            let weak = bus.downgrade();
            OnDrop(Box::new(move || {
                let bus = weak.upgrade().unwrap();
                bus.emit(topic, None).unwrap();
                drop(bus.subscribe("said.*").unwrap());
            }))
        };
        let own = Arc::new(Mutex::new(None::<Subscription<_>>));
        let (inside, captured) = (Arc::clone(&own), say("said.capture"));
        let sub = bus
            .subscription("n")
            .filter(move |event| {
                let _kept_alive = &captured;
                if event.payload().is_none() {
                    let last = inside.lock().unwrap().take();
                    drop(last);
                }
                true
            })
            .subscribe()?;
        *own.lock().unwrap() = Some(sub);

        bus.emit("n", Some(say("said.payload")))?;
        assert_eq!(observer.len(), 0);
        // This one's filter drops the subscription: the queued payload goes there and then, the
        // filter's own capture when the emit leaves it.
        assert_eq!(bus.emit("n", None)?.matched, 0);
        assert_eq!(topics(&observer), ["said.payload", "said.capture"]);
        assert_eq!(bus.subscriber_count(), 1);
        Ok(())
    })
}

// ---- order ----

/// One publisher: each subscriber sees its numbers rise. Several: each one's numbers rise
/// (watermill#560, #692).
#[test]
fn trap34_each_publishers_order_is_kept() -> Done {
    watched(|| {
        let bus = Bus::builder().capacity(10_000).build()?;
        let subs = [bus.subscribe("n")?, bus.subscribe("**")?];
        let threads: Vec<_> = (0..4)
            .map(|thread| {
                let bus = bus.clone();
                thread::spawn(move || {
                    let publisher = bus.publisher("n").unwrap();
                    for n in 0..1_000 {
                        // Both ways of emitting are one order.
                        match n % 2 {
                            0 => publisher.emit((thread, n)).unwrap(),
                            _ => bus.emit("n", (thread, n)).unwrap(),
                        };
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        for sub in &subs {
            let mut next = [0; 4];
            for (thread, n) in payloads(sub) {
                assert_eq!(n, next[thread]);
                next[thread] += 1;
            }
            assert_eq!(next, [1_000; 4]);
        }
        Ok(())
    })
}

/// Replayed, then live, while others emit: no inversion, no duplicate, no gap.
#[test]
fn trap34_a_replay_joins_the_live_events_without_a_seam() -> Done {
    watched(|| {
        const LAST: u32 = 20_000;
        let bus = Bus::builder()
            .history(100)
            .capacity(LAST as usize)
            .max_subscribers(1_000)
            .build()?;
        let emitting = bus.clone();
        let publisher = thread::spawn(move || {
            for n in 1..=LAST {
                emitting.emit("n", n).unwrap();
            }
        });
        let mut subs = Vec::new();
        while !publisher.is_finished() && subs.len() < 200 {
            subs.push(bus.subscription("n").replay(50).subscribe()?);
        }
        publisher.join().unwrap();
        subs.push(bus.subscription("n").replay(50).subscribe()?);
        for sub in &subs {
            let seen = payloads(sub);
            // One that came before the first event sees all of them.
            let first = seen.first().copied().unwrap_or(0);
            assert!(seen.into_iter().eq(first..=LAST));
        }
        Ok(())
    })
}

/// Equals are called in the order in which they were registered, also after one of them left
/// (guava#1862, runelite#13395).
#[test]
fn trap35_taps_are_called_in_order_of_registration() -> Done {
    let bus = Bus::new();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let mut guards = BTreeMap::new();
    for place in 0..40 {
        let calls = Arc::clone(&calls);
        // Patterns of different kinds, which are found in different ways.
        let pattern = ["a.b", "a.*", "**", "?.b"][place % 4];
        let tap = bus.tap(pattern, move |_| calls.lock().unwrap().push(place))?;
        guards.insert(place, tap);
    }
    bus.emit("a.b", ())?;
    assert!(
        std::mem::take(&mut *calls.lock().unwrap())
            .into_iter()
            .eq(0..40)
    );
    guards.retain(|place, _| place % 3 != 1);
    bus.emit("a.b", ())?;
    assert!(calls.lock().unwrap().iter().eq(guards.keys()));
    Ok(())
}

// ---- transactions, and what an emit says ----

/// An emit beside an open batch is an emit; one that reaches nobody is counted, and one on a closed
/// bus is an error with its payload: none is silently discarded (spring#23276).
#[test]
fn trap39_an_emit_outside_of_a_batch_is_never_discarded() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe("n")?;
    let mut batch = bus.start_batch();
    batch.emit("n", 1)?;
    assert_eq!(bus.emit("n", 2)?.delivered, 1);
    assert_eq!(payloads(&sub), [2]);
    drop(batch);
    assert!(sub.is_empty());
    assert_eq!(bus.emit("nobody", 3)?.matched, 0);
    assert_eq!(bus.stats().emitted, 2);

    let batch = {
        let mut batch = bus.start_batch();
        batch.emit("n", 4)?;
        batch
    };
    bus.close();
    assert!(matches!(bus.emit("n", 5), Err(EmitError::Closed(5))));
    let back = batch.commit().unwrap_err().into_payload();
    assert_eq!(back.len(), 1);
    Ok(())
}

/// When every subscriber dropped the event, the result does not say that it was delivered
/// (reactor#2340, #3715).
#[test]
fn trap42_what_everybody_dropped_was_not_delivered() -> Done {
    let bus = Bus::builder().capacity(1).build()?;
    let _full = (bus.subscribe("n")?, bus.subscribe("*")?);
    bus.emit("n", 0)?;
    let publisher = bus.publisher("n")?;
    for emitted in [
        bus.emit("n", 1)?,
        bus.event("n", 1).source("test").emit()?,
        bus.emit_within("n", 1, Duration::from_millis(1))?,
        bus.broadcast("n", 1)?,
        publisher.emit(1)?,
        publisher.emit_batch([1])?,
    ] {
        assert_eq!((emitted.matched, emitted.delivered), (2, 0));
        assert_eq!((emitted.dropped, emitted.filtered), (2, 0));
        assert!(!emitted.is_complete());
    }
    Ok(())
}

// ---- patterns, asked of a bus ----

/// Two stars anywhere; one star needs its segment; spellings of the same are the same (EE2 6.4.9).
#[test]
fn trap43_double_stars_match_anywhere() -> Done {
    let bus = Bus::new();
    for (pattern, topic, expected) in [
        ("**.a", "a.b.a", 1),
        ("**.a", "a", 1),
        ("**.a", "a.b", 0),
        ("a.*.**", "a", 0),
        ("a.*.**", "a.b", 1),
        ("a.**.b", "a.b", 1),
        ("**.**", "a", 1),
        ("**.**", "a.b.c", 1),
    ] {
        let sub = bus.subscribe(pattern)?;
        assert_eq!(
            bus.emit(topic, ())?.delivered,
            expected,
            "{pattern} {topic}"
        );
        assert_eq!(sub.len(), expected, "{pattern} {topic}");
    }
    Ok(())
}

/// An exact pattern and wildcards on one topic: all of them fire, whichever came first, before and
/// after the route is known (EE2#278).
#[test]
fn trap44_exact_and_wildcard_both_fire() -> Done {
    let patterns = ["a.b", "a.*", "*.b", "a.**", "**", "?.b", "a.b*"];
    for turn in 0..patterns.len() {
        let bus = Bus::new();
        let publisher = bus.publisher("a.b")?;
        let mut subs = Vec::new();
        for place in 0..patterns.len() {
            let pattern = patterns[(turn + place) % patterns.len()];
            subs.push(bus.subscribe(pattern)?);
            assert_eq!(bus.emit("a.b", 0)?.delivered, subs.len());
            assert_eq!(publisher.emit(1)?.delivered, subs.len());
        }
        let flat = Bus::builder().syntax(Syntax::Flat).build()?;
        let _both = (flat.subscribe("a.b")?, flat.subscribe("a*b")?);
        assert_eq!(flat.emit("a.b", 0)?.delivered, 2);
    }
    Ok(())
}

/// A pattern of many stars against a topic that almost matches: no emit takes exponential time
/// (bpo-40480).
#[test]
fn trap45_a_hostile_pattern_does_not_stall_an_emit() -> Done {
    watched(|| {
        for syntax in [Syntax::Segmented, Syntax::Flat] {
            let bus = Bus::builder().syntax(syntax).build()?;
            let hostile = bus.subscribe(format!("{}b", "*a".repeat(500)))?;
            let segments = bus.subscribe(format!("{}b", "*a.".repeat(200)))?;
            let long = "a".repeat(1_000);
            assert_eq!(bus.emit(&long, ())?.matched, 0);
            assert_eq!(bus.emit(format!("{}c", "a.".repeat(400)), ())?.matched, 0);
            assert_eq!(bus.emit(format!("{long}b"), ())?.matched, 1);
            assert_eq!((hostile.len(), segments.len()), (1, 0));
        }
        Ok(())
    })
}

/// `?` is one character, not one byte (globset's run of a multi-byte one).
#[test]
fn trap46_a_question_mark_is_one_character() -> Done {
    for syntax in [Syntax::Segmented, Syntax::Flat] {
        let bus = Bus::builder().syntax(syntax).build()?;
        let sub = bus.subscribe("caf?")?;
        for topic in ["café", "cafe", "caf🎉", "cafe\u{301}", "caf", "caféé"] {
            bus.emit(topic, ())?;
        }
        assert_eq!(topics(&sub), ["café", "cafe", "caf🎉"]);
    }
    Ok(())
}

/// Empty segments have one answer for topics and patterns, on every way in.
#[test]
fn trap47_empty_segments_are_refused_everywhere() -> Done {
    for text in ["", ".", "a..b", ".a", "a."] {
        let expected = match text {
            "" => TextErrorKind::Empty,
            _ => TextErrorKind::EmptySegment,
        };
        let bus = Bus::new();
        let emits = [
            bus.emit(text, 1),
            bus.event(text, 1).source("test").emit(),
            bus.broadcast(text, 1),
            bus.emit_within(text, 1, Duration::ZERO),
        ];
        for emit in emits {
            match emit {
                Err(EmitError::BadTopic { error, payload: 1 }) => {
                    assert_eq!(error.kind(), expected);
                }
                other => panic!("{text:?}: {other:?}"),
            }
        }
        assert_eq!(bus.publisher(text).unwrap_err().kind(), expected);
        for syntax in [Syntax::Segmented, Syntax::Flat] {
            let bus = Bus::<i32>::builder().syntax(syntax).build()?;
            match bus.subscribe(["a", text]) {
                Err(SubscribeError::BadPattern(error)) => assert_eq!(error.kind(), expected),
                other => panic!("{text:?}: {other:?}"),
            }
        }
        assert_eq!(bus.stats().emitted, 0);
    }
    Ok(())
}

// ---- time ----

/// The interval of heartbeats, and a timeout, begin anew with each event: more time than that goes
/// by in all, and nothing runs out while something comes (codechu-events).
#[test]
fn trap48_an_idle_interval_begins_anew_with_each_event() -> Done {
    watched(|| {
        let bus = Bus::new();
        let sub = bus.subscribe("n")?;
        let idle = Duration::from_millis(30);
        let begin = Instant::now();
        let mut beats = sub.heartbeats(idle);
        let mut n = 0;
        while begin.elapsed() < 4 * idle {
            // Always there before it is asked for, so no pause of this thread can run it out.
            bus.emit("n", n)?;
            assert!(matches!(beats.next(), Some(Beat::Event(_))));
            bus.emit("n", n)?;
            assert!(sub.recv_timeout(idle).is_ok());
            thread::sleep(idle / 10);
            n += 1;
        }
        // And a whole interval once nothing comes.
        for _ in 0..2 {
            let begin = Instant::now();
            assert!(matches!(beats.next(), Some(Beat::Keepalive)));
            assert!(begin.elapsed() >= idle);
        }
        Ok(())
    })
}

/// A deadline is for all receives together: it comes though events keep coming.
#[test]
fn trap48_a_deadline_is_for_all_receives_together() -> Done {
    watched(|| {
        let bus = Bus::new();
        let sub = bus.subscribe("n")?;
        let stop = Arc::new(AtomicUsize::new(0));
        let (emitting, stopped) = (bus.clone(), Arc::clone(&stop));
        let publisher = thread::spawn(move || {
            while stopped.load(Ordering::Relaxed) == 0 {
                emitting.emit("n", ()).unwrap();
                thread::sleep(Duration::from_millis(5));
            }
        });
        let total = Duration::from_millis(60);
        let begin = Instant::now();
        let end = loop {
            match sub.recv_deadline(begin + total) {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(end, RecvTimeoutError::Timeout);
        assert!(begin.elapsed() >= total);
        // They were still coming.
        assert!(sub.recv().is_ok());
        stop.store(1, Ordering::Relaxed);
        publisher.join().unwrap();
        Ok(())
    })
}
