//! D2 and trap 37: what effects publish, apply, collect and wrap while they run.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, Weak};
use std::thread;

use chanbus::{
    BasicBus, Collected, Commit, DeferredBus, DelayedBus, Effect, MultiBus, Publish, SideEffect,
    SideEffectsBus,
};

use crate::common::{guarded, hooked};
use crate::{Done, Log, labels};

/// An effect that writes its label and then acts.
fn acting(log: &Log, label: &str, mut act: impl FnMut() + Send + 'static) -> Effect {
    let (log, line) = (log.clone(), label.to_owned());
    Effect::new(label, move |_| {
        log.write(line.as_str());
        act();
        Ok(())
    })
}

#[test]
fn d2_what_an_effect_publishes_belongs_to_the_next_apply() -> Done {
    let (bus, log) = (BasicBus::new(), Log::default());
    let (inside, lines) = (bus.clone(), log.clone());
    bus.publish(acting(&log, "a", move || {
        inside.publish(lines.effect("a1")).unwrap();
        inside.publish_all([lines.effect("a2")]).unwrap();
    }))?;
    bus.publish(log.effect("b"))?;
    assert_eq!(labels(&bus.apply(Commit::Real)?), ["a", "b"]);
    assert_eq!((log.take(), bus.len()), (vec!["a".into(), "b".into()], 2));
    assert_eq!(labels(&bus.apply(Commit::Real)?), ["a1", "a2"]);
    assert_eq!(log.take(), ["a1", "a2"]);
    Ok(())
}

/// Effects that publish themselves again run once for each apply, and never without end.
#[test]
fn d2_an_effect_that_publishes_for_ever_runs_once_an_apply() -> Done {
    fn again(bus: &BasicBus, log: &Log, n: u32) -> Effect {
        let (inside, lines) = (bus.clone(), log.clone());
        acting(log, &n.to_string(), move || {
            inside.publish(again(&inside, &lines, n + 1)).unwrap();
        })
    }
    let (bus, log) = (BasicBus::new(), Log::default());
    bus.publish(again(&bus, &log, 0))?;
    for n in 0..3 {
        assert_eq!(bus.apply(Commit::Real)?.len(), 1);
        assert_eq!((log.take(), bus.len()), (vec![n.to_string()], 1));
    }
    // It holds its own bus: the circle is the test's to break.
    drop(bus.collect());
    Ok(())
}

#[test]
fn d2_what_is_published_inside_stays_when_the_apply_fails() -> Done {
    for bad in [Log::failing, Log::panicking] {
        let (bus, log) = (BasicBus::new(), Log::default());
        let (inside, lines) = (bus.clone(), log.clone());
        bus.publish(acting(&log, "a", move || {
            inside.publish(lines.effect("a1")).unwrap();
        }))?;
        bus.publish_all([bad(&log, "b"), log.effect("c")])?;
        let error = bus.apply(Commit::Real).unwrap_err();
        assert_eq!(labels(&error.remaining), ["c"]);
        bus.publish_all(error.remaining)?;
        assert_eq!(labels(&bus.apply(Commit::Real)?), ["a1", "c"]);
        assert_eq!(log.take(), ["a", "b", "a1", "c"]);
    }
    Ok(())
}

/// Earlier parts, later ones, its own, deeper ones, and those that it wraps itself.
#[test]
fn d2_an_effect_may_publish_to_any_part_of_its_tree() -> Done {
    let (multi, nested, log) = (MultiBus::new(), MultiBus::new(), Log::default());
    let before = multi.wrap(log.numbers("before "));
    let own = multi.wrap(BasicBus::new());
    let after = multi.wrap(log.numbers("after "));
    drop(multi.wrap(nested.clone()));
    let deep = nested.wrap(log.numbers("deep "));
    let orchestrator = multi.orchestrator();
    let inside = (
        before.clone(),
        own.clone(),
        after.clone(),
        deep.clone(),
        log.clone(),
    );
    own.publish(acting(&log, "effect", move || {
        let (before, own, after, deep, log) = &inside;
        after.publish(1).unwrap();
        own.publish(log.effect("again")).unwrap();
        before.publish(1).unwrap();
        deep.publish(1).unwrap();
        orchestrator.wrap(log.numbers("new ")).publish(1).unwrap();
    }))?;
    after.publish(0)?;

    let applied = multi.apply(Commit::Real)?;
    assert_eq!(
        (applied.len(), log.take()),
        (2, vec!["effect".into(), "after 0".into()])
    );
    let applied = multi.apply(Commit::Real)?;
    assert_eq!(applied.len(), 5);
    assert_eq!(applied.events_of(&after), [&1]);
    assert_eq!(
        log.take(),
        ["before 1", "again", "after 1", "deep 1", "new 1"]
    );
    assert!(multi.apply(Commit::Real)?.is_empty());
    Ok(())
}

/// The other thread publishes, and is waited for, in the middle of an apply.
#[test]
fn d2_another_thread_may_publish_during_an_apply() {
    guarded(|| {
        let (multi, log) = (MultiBus::new(), Log::default());
        let (first, second) = (multi.wrap(BasicBus::new()), multi.wrap(log.numbers("n")));
        let (own, other, lines) = (first.clone(), second.clone(), log.clone());
        let effect = acting(&log, "effect", move || {
            let (own, other, lines) = (own.clone(), other.clone(), lines.clone());
            let thread = thread::spawn(move || {
                other.publish(1).unwrap();
                own.publish(lines.effect("of another thread")).unwrap();
            });
            thread.join().unwrap();
        });
        first.publish(effect).unwrap();
        second.publish(0).unwrap();
        assert_eq!(multi.apply(Commit::Real).unwrap().len(), 2);
        assert_eq!(log.take(), ["effect", "n0"]);
        assert_eq!(multi.apply(Commit::Real).unwrap().len(), 2);
        assert_eq!(log.take(), ["of another thread", "n1"]);
    });
}

/// An apply inside of an apply has what was published since the outer one took its list.
#[test]
fn d2_an_effect_may_apply_its_own_bus() -> Done {
    let (bus, log) = (BasicBus::new(), Log::default());
    let (inside, lines) = (bus.clone(), log.clone());
    bus.publish(acting(&log, "a", move || {
        assert!(inside.apply(Commit::Real).unwrap().is_empty());
        inside.publish(lines.effect("a1")).unwrap();
        assert_eq!(labels(&inside.apply(Commit::Real).unwrap()), ["a1"]);
        inside.publish(lines.effect("a2")).unwrap();
        let a2 = inside.collect();
        inside.publish(lines.effect("a3")).unwrap();
        Collected::run_all(a2, Commit::Real).unwrap();
    }))?;
    bus.publish(log.effect("b"))?;
    assert_eq!(labels(&bus.apply(Commit::Real)?), ["a", "b"]);
    assert_eq!(log.take(), ["a", "a1", "a2", "b"]);
    assert_eq!(labels(&bus.apply(Commit::Real)?), ["a3"]);
    Ok(())
}

#[test]
fn d2_an_effect_may_apply_and_discard_the_tree_that_it_is_in() {
    guarded(|| {
        let (multi, log) = (MultiBus::new(), Log::default());
        let (effects, numbers) = (multi.wrap(BasicBus::new()), multi.wrap(log.numbers("n")));
        let (inside, other) = (multi.clone(), numbers.clone());
        let effect = acting(&log, "effect", move || {
            assert!(
                inside.apply(Commit::Real).unwrap().is_empty(),
                "the outer has it all"
            );
            other.publish(1).unwrap();
            assert_eq!(inside.apply(Commit::Real).unwrap().events_of(&other), [&1]);
            other.publish(2).unwrap();
            assert_eq!(inside.discard(), 1);
            drop(inside.wrap(inside.clone()));
            other.publish(3).unwrap();
        });
        effects.publish(effect).unwrap();
        numbers.publish(0).unwrap();
        let applied = multi.apply(Commit::Real).unwrap();
        assert_eq!((applied.len(), applied.events_of(&numbers)), (2, vec![&0]));
        assert_eq!(log.take(), ["effect", "n1", "n0"]);
        assert_eq!(multi.apply(Commit::Real).unwrap().events_of(&numbers), [&3]);
    });
}

/// The views collect, and the owner of the delayed bus runs it next time.
#[test]
fn d2_an_effect_may_use_the_delayed_bus_that_it_is_on() -> Done {
    let log = Log::default();
    let delayed = DelayedBus::new(BasicBus::new());
    let (inside, lines) = (delayed.clone(), log.clone());
    delayed.publish(acting(&log, "a", move || {
        inside.publish(lines.effect("a1")).unwrap();
        assert_eq!(inside.as_deferred().apply(Commit::Real).unwrap(), 1);
        inside.publish(lines.effect("a2")).unwrap();
    }))?;
    delayed.publish(log.effect("b"))?;
    assert_eq!(
        labels(&delayed.apply_without_delay(Commit::Real)?),
        ["a", "b"]
    );
    assert_eq!(
        labels(&delayed.apply_without_delay(Commit::Real)?),
        ["a1", "a2"]
    );
    assert_eq!(log.take(), ["a", "b", "a1", "a2"]);
    Ok(())
}

#[test]
fn d2_destructors_of_events_may_call_anything() {
    guarded(|| {
        let (multi, log) = (MultiBus::new(), Log::default());
        let bus = chanbus::Deferred::from_fn(|_: &crate::common::Hooked, _| Ok(()));
        let hooks = multi.wrap(bus.clone());
        let numbers = multi.wrap(log.numbers("n"));
        let use_all = {
            let (multi, bus, numbers) = (multi.clone(), bus.clone(), numbers.clone());
            move || {
                numbers.publish(1).unwrap();
                bus.publish(None).unwrap();
                assert!(multi.apply(Commit::Real).unwrap().len() >= 2);
                numbers.publish(2).unwrap();
                bus.publish(None).unwrap();
                assert!(multi.discard() >= 2);
                assert!(bus.apply(Commit::Real).unwrap().is_empty());
                assert!(multi.wrap(bus.clone()).publish(None).is_ok());
            }
        };
        // Dropped with what was applied, with what was collected, and by a discard.
        hooks.publish(hooked(use_all.clone())).unwrap();
        drop(multi.apply(Commit::Real).unwrap());
        assert_eq!(log.take(), ["n1"]);
        hooks.publish(hooked(use_all.clone())).unwrap();
        drop(multi.collect());
        assert_eq!(log.take(), ["n1"]);
        hooks.publish(hooked(use_all)).unwrap();
        assert!(multi.discard() >= 1);
        assert_eq!(log.take(), ["n1"]);
        drop(bus.collect());
    });
}

/// Two threads inside of applies of one bus wait for each other: no lock is held.
#[test]
fn d2_two_threads_apply_side_by_side() {
    guarded(|| {
        let (bus, log) = (BasicBus::new(), Log::default());
        let (tell_first, first_told) = channel();
        let (tell_second, second_told) = channel();
        bus.publish(acting(&log, "first", move || {
            tell_first.send(()).unwrap();
            second_told.recv().unwrap();
        }))
        .unwrap();
        let other = bus.clone();
        let thread = thread::spawn(move || labels(&other.apply(Commit::Real).unwrap()).len());
        first_told.recv().unwrap();
        bus.publish(acting(&log, "second", move || {
            tell_second.send(()).unwrap()
        }))
        .unwrap();
        assert_eq!(labels(&bus.apply(Commit::Real).unwrap()), ["second"]);
        assert_eq!(thread.join().unwrap(), 1);
        assert_eq!(log.take(), ["first", "second"]);
    });
}

/// It is running, and would have to be itself twice.
#[test]
fn d2_an_effect_inside_of_itself_is_an_error() {
    let slot: Arc<Mutex<Option<Weak<Effect>>>> = Default::default();
    let own = slot.clone();
    let effect = Arc::new(Effect::new("self", move |commit| {
        let me = own.lock().unwrap().as_ref().and_then(Weak::upgrade);
        me.map_or(Ok(()), |me| me.run(commit))
    }));
    *slot.lock().unwrap() = Some(Arc::downgrade(&effect));
    let error = effect.run(Commit::Real).unwrap_err();
    assert!(
        error.to_string().contains("running at this moment"),
        "{error}"
    );
    *slot.lock().unwrap() = None;
    effect.run(Commit::Real).unwrap();
}

/// The owner drops the whole in the middle: what was taken runs to its end, and who publishes then is told.
#[test]
fn d2_an_apply_goes_on_when_an_effect_drops_the_owner() {
    let (log, owner) = (Log::default(), Arc::new(Mutex::new(None)));
    let multi = MultiBus::new();
    let (effects, numbers) = (multi.wrap(BasicBus::new()), multi.wrap(log.numbers("n")));
    let (inside, slot) = (numbers.clone(), Arc::clone(&owner));
    effects
        .publish(acting(&log, "effect", move || {
            inside.publish(1).unwrap();
            drop(slot.lock().unwrap().take());
            assert_eq!(inside.publish(2).unwrap_err().into_inner(), 2);
        }))
        .unwrap();
    numbers.publish(0).unwrap();
    let items = multi.collect();
    *owner.lock().unwrap() = Some(multi);
    assert_eq!(Collected::run_all(items, Commit::Real).unwrap().len(), 2);
    assert_eq!(log.take(), ["effect", "n0"]);
}

#[test]
fn d2_side_effects_may_publish_to_their_bus() -> Done {
    let bus = SideEffectsBus::new(Vec::new());
    let inside = bus.clone();
    bus.publish(SideEffect::new("a", move |seen: &mut Vec<&str>, _| {
        seen.push("a");
        inside.publish(SideEffect::new("a1", |seen: &mut Vec<&str>, _| {
            seen.push("a1");
            Ok(())
        }))?;
        Ok(())
    }))?;
    assert_eq!(bus.apply(Commit::Real)?.len(), 1);
    assert_eq!(*bus.context()?, ["a"]);
    assert_eq!(bus.apply(Commit::Real)?.len(), 1);
    assert_eq!(*bus.context()?, ["a", "a1"]);
    Ok(())
}
