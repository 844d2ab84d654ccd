//! The snapshot of subscriptions, and order.

use std::collections::BTreeMap;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, Weak};
use std::thread;

use chanbus::{Bus, Subscription};

use super::watch::watched;
use super::*;

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
