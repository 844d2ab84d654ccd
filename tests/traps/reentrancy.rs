//! Code of the user's that calls the bus, and errors in it.

use std::sync::{Arc, Mutex};
use std::thread;

use chanbus::{Bus, Overflow, PanicPlace, Subscription, TapGuard};

use super::watch::watched;
use super::*;

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
