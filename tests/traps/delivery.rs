//! Delivery and lag.

use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use chanbus::{Beat, BuildError, Bus, Overflow, SubscribeError};
use crossbeam_channel::Select;

use super::watch::watched;
use super::*;

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
