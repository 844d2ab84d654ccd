//! Effects, and events that are dropped, which use the buses while these apply or let go of them.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use chanbus::{
    BasicBus, BoxError, Commit, Deferred, DeferredBus, Effect, MultiBus, Publish, SideEffect,
    SideEffectsBus, with_orchestrator,
};
use parking_lot::Mutex;

use crate::common::{guarded, hooked};
use crate::kit::{ByHand, Told, nothing, numbers};

#[test]
fn d2_effects_may_do_anything_with_the_bus_that_runs_them() {
    guarded(|| {
        let multi = MultiBus::new();
        let effects = multi.wrap(BasicBus::new());
        let (owner, handle) = (multi.clone(), effects.clone());
        effects
            .publish(Effect::new("busy", move |commit| {
                handle.publish(nothing("published"))?;
                handle.as_deferred().apply(commit)?;
                owner.wrap(BasicBus::new()).publish(nothing("wrapped"))?;
                assert_eq!(owner.apply(commit)?.len(), 2);
                handle.publish(nothing("discarded"))?;
                assert_eq!(owner.discard(), 1);
                handle.publish(nothing("left"))?;
                with_orchestrator(Some(&owner.orchestrator()), commit, |buses, _| {
                    buses
                        .wrap(BasicBus::new())
                        .publish(nothing("of a call"))
                        .map_err(BoxError::from)
                })?;
                // Another thread does the same, and is waited for.
                let (owner, handle) = (owner.clone(), handle.clone());
                let other = thread::spawn(move || {
                    handle.publish(nothing("of another thread")).unwrap();
                    owner.apply(commit).unwrap().len()
                });
                assert_eq!(other.join().unwrap(), 3);
                Ok(())
            }))
            .unwrap();
        assert_eq!(multi.apply(Commit::Real).unwrap().len(), 1);
        assert!(multi.apply(Commit::Real).unwrap().is_empty());
    });
}

#[test]
fn d2_an_effect_may_let_go_of_the_owner_that_runs_it() {
    guarded(|| {
        let multi = MultiBus::new();
        let effects = multi.wrap(BasicBus::new());
        let last = Arc::new(Mutex::new(None));
        let (its, handle) = (Arc::clone(&last), effects.clone());
        effects
            .publish(Effect::new("the end", move |_| {
                drop(its.lock().take());
                Err(handle.publish(nothing("too late")).unwrap_err().into())
            }))
            .unwrap();
        effects.publish(nothing("remains")).unwrap();
        let collected = multi.collect();
        *last.lock() = Some(multi);
        let error = chanbus::Collected::run_all(collected, Commit::Real).unwrap_err();
        assert_eq!(error.remaining.len(), 1);
        assert!(error.to_string().contains("`the end`, number 1 of 2"));
    });
}

#[test]
fn d5_events_may_publish_and_wrap_as_they_are_discarded() {
    guarded(|| {
        let multi = MultiBus::new();
        let handle = multi.wrap(Deferred::from_fn(|_: &crate::common::Hooked, _| Ok(())));
        let (publish, owner) = (handle.clone(), multi.orchestrator());
        let hook = hooked(move || {
            let said = publish.publish(None);
            let wrapped = owner.wrap(numbers());
            assert_eq!(said.is_err(), wrapped.publish(1).is_err());
        });
        handle.publish(hook).unwrap();
        assert_eq!(multi.discard(), 1);
        assert_eq!(multi.discard(), 2);
        let (publish, owner) = (handle.clone(), multi.orchestrator());
        let (tell, told) = channel();
        handle
            .publish(hooked(move || {
                let said = publish.publish(None).is_err() && owner.is_orphan();
                let _ = tell.send(said);
            }))
            .unwrap();
        drop(multi);
        assert!(told.try_recv().unwrap());
    });
}

#[test]
fn d5_code_that_collects_may_publish_and_wrap() {
    guarded(|| {
        let multi = MultiBus::new();
        let orchestrator = multi.orchestrator();
        let first = multi.wrap(Deferred::by(Told {
            collect: Some(Box::new(move |_| {
                orchestrator.wrap(numbers()).publish(2).unwrap();
                Box::new(|_, _| Ok(()))
            })),
            ..Told::default()
        }));
        let owner = multi.clone();
        let _by_hand = multi.wrap(ByHand::new(move || {
            drop(owner.wrap(numbers()));
            // It is asked, and has nothing to say twice.
            assert!(owner.apply(Commit::Real).unwrap().is_empty());
        }));
        first.publish(1).unwrap();
        assert_eq!(multi.apply(Commit::Real).unwrap().len(), 1);
        assert_eq!(multi.apply(Commit::Real).unwrap().len(), 1);
    });
}

#[test]
fn d7_an_effect_that_asks_for_the_context_that_it_has_is_told() {
    guarded(|| {
        let bus = SideEffectsBus::new(0);
        let multi = MultiBus::new();
        let handle = multi.wrap(bus.clone());
        let inner = bus.clone();
        handle
            .publish(SideEffect::new("outer", move |count: &mut u32, commit| {
                *count += 1;
                inner.publish(SideEffect::new("inner", |count: &mut u32, _| {
                    *count += 10;
                    Ok(())
                }))?;
                let error = inner.apply(commit).unwrap_err();
                assert!(error.to_string().contains("`inner`"), "{error}");
                inner.publish_all(error.into_unapplied())?;
                Ok(())
            }))
            .unwrap();
        multi.apply(Commit::Real).unwrap();
        multi.apply(Commit::Real).unwrap();
        assert_eq!(*bus.context().unwrap(), 11);
    });
}

#[test]
fn d5_a_view_that_collects_as_the_owner_goes_collects_nothing() {
    guarded(|| {
        let owner = Arc::new(Mutex::new(Some(MultiBus::new())));
        let last = Arc::clone(&owner);
        let bus = Deferred::by(Told {
            collect: Some(Box::new(move |_| {
                let multi = last.lock().take();
                drop(multi);
                Box::new(|_, _| Ok(()))
            })),
            ..Told::default()
        });
        let handle = owner.lock().as_ref().unwrap().wrap(bus);
        handle.publish(1).unwrap();
        assert_eq!(handle.as_deferred().apply(Commit::Real).unwrap(), 0);
        assert_eq!(handle.publish(2).unwrap_err().into_inner(), 2);
    });
}
