//! D4: effects, and buses that cannot be applied by those who publish to them.

use chanbus::{
    BasicBus, Commit, DeferredBus, DelayedBus, Effect, MultiBus, Publish, SideEffect,
    SideEffectsBus,
};

use crate::{Done, Log, labels};

/// It may change what it has captured, and keeps that from run to run.
#[test]
fn d4_an_effect_is_a_closure_with_a_label() -> Done {
    let (log, mut runs) = (Log::default(), 0);
    let line = log.clone();
    let effect = Effect::new(String::from("count"), move |_| {
        runs += 1;
        line.write(format!("{runs}"));
        Ok(())
    });
    assert_eq!(effect.label(), "count");
    assert!(format!("{effect:?}").contains("count"));
    effect.run(Commit::Real).unwrap();

    let bus = BasicBus::new();
    bus.publish(effect)?;
    let applied = bus.apply(Commit::DryRun)?;
    bus.publish_all(applied)?;
    assert_eq!(labels(&bus.apply(Commit::Real)?), ["count"]);
    assert_eq!(log.take(), ["1", "2", "3"]);
    Ok(())
}

#[test]
fn d4_a_delayed_bus_runs_what_was_collected_and_then_what_was_published_since() -> Done {
    let log = Log::default();
    let delayed = DelayedBus::new(BasicBus::new());
    delayed.publish(log.effect("a"))?;
    assert_eq!(delayed.as_deferred().apply(Commit::Real)?, 1);
    delayed.publish_all([log.effect("b"), log.effect("c")])?;
    assert_eq!(delayed.as_deferred().apply(Commit::DryRun)?, 2);
    delayed.as_deferred().publish(log.effect("d"))?;
    assert_eq!(log.take(), [""; 0], "nothing has acted");

    let applied = delayed.apply_without_delay(Commit::Real)?;
    assert_eq!(labels(&applied), ["a", "b", "c", "d"]);
    assert_eq!(
        log.take(),
        ["a", "b", "c", "d"],
        "as it said, not as the views did"
    );
    assert!(
        delayed.apply_without_delay(Commit::Real)?.is_empty(),
        "once"
    );
    Ok(())
}

#[test]
fn d4_a_view_gives_nothing_away() -> Done {
    let log = Log::default();
    let delayed = DelayedBus::new(log.numbers("n"));
    let view = delayed.as_deferred();
    view.publish(1)?;
    assert!(view.collect().is_empty());
    view.publish_all([2, 3])?;
    // Neither does a view that is taken for a bus by somebody who coordinates.
    let multi = MultiBus::new();
    let wrapped = multi.wrap(view.clone());
    wrapped.publish(4)?;
    assert!(multi.apply(Commit::Real)?.is_empty());
    assert_eq!(multi.discard(), 0);
    assert_eq!(
        DelayedBus::new(view).apply_without_delay(Commit::Real)?,
        [0; 0]
    );
    assert_eq!(log.take(), [""; 0]);
    assert_eq!(delayed.apply_without_delay(Commit::Real)?, [1, 2, 3, 4]);
    assert_eq!(log.take(), ["n1", "n2", "n3", "n4"]);
    Ok(())
}

#[test]
fn d4_a_delayed_bus_wraps_any() -> Done {
    fn twice<B: DeferredBus>(bus: B, event: impl Fn() -> B::Event) -> usize {
        let delayed = DelayedBus::new(bus);
        delayed.publish(event()).unwrap();
        delayed
            .as_deferred()
            .apply(Commit::Real)
            .unwrap_or_default();
        delayed.publish(event()).unwrap();
        delayed
            .apply_without_delay(Commit::Real)
            .map_or(0, |applied| applied.len())
    }
    let log = Log::default();
    assert_eq!(twice(BasicBus::new(), || log.effect("e")), 2);
    assert_eq!(twice(log.numbers("n"), || 1), 2);
    let side_effects = SideEffectsBus::new(0);
    let effect = || {
        SideEffect::new("s", |count: &mut u32, _| {
            *count += 1;
            Ok(())
        })
    };
    assert_eq!(twice(side_effects.clone(), effect), 2);
    assert_eq!(
        (log.take(), *side_effects.context()?),
        (vec!["e".into(), "e".into(), "n1".into(), "n1".into()], 2)
    );

    // One of many.
    let multi = MultiBus::new();
    let numbers = multi.wrap(log.numbers("m"));
    let delayed = DelayedBus::new(multi.clone());
    numbers.publish(1)?;
    assert_eq!(delayed.as_deferred().apply(Commit::Real)?, 1);
    assert!(
        multi.apply(Commit::Real)?.is_empty(),
        "it has been collected"
    );
    numbers.publish(2)?;
    assert_eq!(delayed.apply_without_delay(Commit::Real)?.len(), 2);
    assert_eq!(log.take(), ["m1", "m2"]);
    Ok(())
}

/// What remains of what was collected is published again like any other.
#[test]
fn d4_an_error_hands_back_what_was_collected_and_what_came_since() -> Done {
    let log = Log::default();
    let delayed = DelayedBus::new(log.numbers("n"));
    delayed.publish_all([1, -2, 3])?;
    delayed.as_deferred().apply(Commit::Real)?;
    delayed.publish(4)?;
    let error = delayed.apply_without_delay(Commit::Real).unwrap_err();
    assert_eq!((error.applied, error.failed.event), (vec![1], -2));
    delayed.publish_all(error.remaining)?;
    assert_eq!(delayed.apply_without_delay(Commit::Real)?, [3, 4]);
    assert_eq!(log.take(), ["n1", "n3", "n4"]);
    Ok(())
}

/// A clone is the same bus, and who has the one that was wrapped has what was not collected.
#[test]
fn d4_a_delayed_bus_is_a_handle() -> Done {
    let log = Log::default();
    let numbers = log.numbers("n");
    let delayed = DelayedBus::new(numbers.clone());
    let other = delayed.clone();
    other.publish(1)?;
    other.as_deferred().apply(Commit::Real)?;
    numbers.publish(2)?;
    assert_eq!(numbers.apply(Commit::Real)?, [2]);
    delayed.publish(3)?;
    assert_eq!(delayed.apply_without_delay(Commit::Real)?, [1, 3]);
    assert_eq!(log.take(), ["n2", "n1", "n3"]);
    assert!(format!("{delayed:?} {:?}", delayed.as_deferred()).contains("collected: 0"));
    Ok(())
}

/// And says so to who still publishes by a view.
#[test]
fn d4_dropping_a_delayed_bus_discards_what_was_collected() -> Done {
    let (log, census) = (Log::default(), crate::common::Census::new());
    let delayed = DelayedBus::new(BasicBus::new());
    let (line, counted) = (log.clone(), census.born());
    delayed.publish(Effect::new("a", move |_| {
        let _ = &counted;
        line.write("a");
        Ok(())
    }))?;
    let view = delayed.as_deferred();
    let other = delayed.clone();
    drop(delayed);
    assert_eq!((view.apply(Commit::Real)?, census.alive()), (1, 1));
    drop(other);
    assert_eq!((census.alive(), view.apply(Commit::Real)?), (0, 0));
    let back = view.publish(log.effect("b")).unwrap_err();
    assert_eq!(back.into_inner().label(), "b");
    assert!(log.take().is_empty());
    Ok(())
}
