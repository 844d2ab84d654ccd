//! Outboxes inside of what a bus calls, and buses called inside of what an outbox calls (P10).

use std::sync::{Arc, Mutex};

use chanbus::{Bus, Dispatcher, Drain, Emitter, Flow, Handlers, WeakBus};

use crate::common::{guarded, hooked};
use crate::{Done, payloads, payloads_of};

/// Commits two events to a bus.
fn commit_two(bus: &WeakBus<u32>, topic: &str, base: u32) -> chanbus::Committed {
    let bus = bus.upgrade().unwrap();
    let mut outbox = bus.outbox();
    outbox.emit(topic, base + 1).unwrap();
    let mut part = outbox.savepoint();
    part.emit(topic, base + 2).unwrap();
    part.commit();
    outbox.commit().unwrap()
}

#[test]
fn d8_filters_and_taps_may_commit_outboxes_of_the_same_bus() -> Done {
    guarded(|| {
        let bus: Bus<u32> = Bus::new();
        let sub = bus.subscribe("**").unwrap();
        let (in_filter, in_tap) = (bus.downgrade(), bus.downgrade());
        let _filtered = bus
            .subscription("a")
            .filter(move |event| commit_two(&in_filter, "b", event.payload() * 10).is_complete())
            .subscribe()
            .unwrap();
        let _tap = bus
            .tap("a", move |event| {
                assert!(commit_two(&in_tap, "c", event.payload() * 10).is_complete());
            })
            .unwrap();
        let mut outbox = bus.outbox();
        outbox.emit("a", 1).unwrap();
        outbox.emit("a", 2).unwrap();
        let committed = outbox.commit().unwrap();
        assert_eq!((committed.events, committed.emitted.delivered), (2, 4));
        let events: Vec<_> = sub.try_iter().collect();
        // Filters come before the whole, taps after it; each part stays together and in order.
        assert_eq!(payloads_of(&events), [11, 12, 21, 22, 1, 2, 11, 12, 21, 22]);
        for event in &events {
            let cause = event.cause().map(|cause| cause.topic().to_string());
            let inner = event.topic() != "a";
            assert_eq!(cause.as_deref(), inner.then_some("a"));
        }
    });
    Ok(())
}

#[test]
fn d8_handlers_may_commit_outboxes() -> Done {
    let bus: Bus<u32> = Bus::new();
    let sub = bus.subscribe("b")?;
    let handlers = Handlers::new();
    let weak = bus.downgrade();
    handlers.on("a").handle(move |event, _| {
        assert!(commit_two(&weak, "b", *event.payload()).is_complete());
        Ok(Flow::Continue)
    })?;
    assert!(Emitter::inline(&handlers).emit("a", 10)?.is_ok());
    let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
    dispatcher.start()?;
    bus.emit("a", 20)?;
    dispatcher.stop(Drain::Within(crate::common::HANG))?;
    let events: Vec<_> = sub.try_iter().collect();
    assert_eq!(payloads_of(&events), [11, 12, 21, 22]);
    for event in events {
        assert_eq!(event.cause().unwrap().topic(), "a");
    }
    Ok(())
}

#[test]
fn d8_a_circle_of_commits_ends() -> Done {
    guarded(|| {
        let bus: Bus<u32> = Bus::builder().max_chain(5).build().unwrap();
        let refused = Arc::new(Mutex::new(Vec::new()));
        let (weak, tells) = (bus.downgrade(), Arc::clone(&refused));
        let _tap = bus
            .tap("a", move |event| {
                let bus = weak.upgrade().unwrap();
                let mut outbox = bus.outbox();
                // Collected outside of the chain, so that the commit is what meets its limit.
                outbox.push(
                    chanbus::Event::draft("a", event.payload() + 1)
                        .build()
                        .unwrap(),
                );
                if let Err(error) = outbox.commit() {
                    assert!(error.is_chain_too_deep());
                    tells.lock().unwrap().extend(payloads_of(error.events()));
                }
            })
            .unwrap();
        let sub = bus.subscribe("a").unwrap();
        bus.emit("a", 0).unwrap();
        assert_eq!(payloads(&sub), [0, 1, 2, 3, 4, 5]);
        assert_eq!(*refused.lock().unwrap(), [6]);
    });
    Ok(())
}

#[test]
fn d8_hooks_may_do_anything_on_the_bus() -> Done {
    guarded(|| {
        let bus: Bus<u32> = Bus::new();
        let sub = bus.subscribe("**").unwrap();
        let mut outbox = bus.outbox();
        outbox.emit("a", 1).unwrap();
        let [before, after, undo] = [bus.downgrade(), bus.downgrade(), bus.downgrade()];
        outbox.before_commit("before", move |_| {
            assert!(commit_two(&before, "b", 10).is_complete());
            Ok(())
        });
        outbox.after_commit("after", move |_| {
            assert!(commit_two(&after, "c", 20).is_complete());
            Ok(())
        });
        assert!(outbox.commit().unwrap().is_complete());
        assert_eq!(payloads(&sub), [11, 12, 1, 21, 22]);
        let mut outbox = bus.outbox();
        outbox.after_rollback("undo", move || {
            assert!(commit_two(&undo, "d", 30).is_complete());
            Ok(())
        });
        drop(outbox);
        assert_eq!(payloads(&sub), [31, 32]);
    });
    Ok(())
}

#[test]
fn d8_a_tap_that_closes_the_bus_amid_a_commit_keeps_nothing_from_the_others() -> Done {
    let bus: Bus<u32> = Bus::new();
    let sub = bus.subscribe("**")?;
    let closes = bus.downgrade();
    let _tap = bus.tap("a", move |_| {
        closes.upgrade().unwrap().close();
    })?;
    let mut outbox = bus.outbox();
    outbox.emit("a", 1)?;
    outbox.emit("b", 2)?;
    assert_eq!(outbox.commit()?.emitted.delivered, 2);
    assert!(bus.is_closed());
    assert_eq!(
        sub.iter().map(|event| *event.payload()).collect::<Vec<_>>(),
        [1, 2]
    );
    Ok(())
}

#[test]
fn d8_destructors_of_what_is_discarded_may_commit() -> Done {
    guarded(|| {
        let bus: Bus<u32> = Bus::new();
        let sub = bus.subscribe("**").unwrap();
        let payloads_go: Bus<crate::common::Hooked> = Bus::new();
        let mut outbox = payloads_go.outbox();
        for base in [10, 20] {
            let weak = bus.downgrade();
            let goes = hooked(move || {
                assert!(commit_two(&weak, "gone", base).is_complete());
            });
            outbox.emit("a", goes).unwrap();
        }
        let mut part = outbox.savepoint();
        let weak = bus.downgrade();
        let goes = hooked(move || {
            assert!(commit_two(&weak, "gone", 0).is_complete());
        });
        part.emit("a", goes).unwrap();
        drop(part);
        assert_eq!(payloads(&sub), [1, 2]);
        assert_eq!(outbox.rollback().discarded, 2);
        assert_eq!(payloads(&sub), [11, 12, 21, 22]);
    });
    Ok(())
}
