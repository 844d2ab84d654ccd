//! D5: many buses, applied as one.

use chanbus::{
    BasicBus, Commit, Deferred, DeferredBus, Effect, MultiBus, Orchestrator, Publish, SideEffect,
    SideEffectsBus,
};

use crate::{Done, Log, labels};

#[test]
fn d5_buses_run_in_the_order_of_wrapping_and_events_in_that_of_publishing() -> Done {
    let (multi, log) = (MultiBus::new(), Log::default());
    let first = multi.wrap(log.numbers("first "));
    let second = multi.wrap(BasicBus::new());
    let third = multi.wrap(log.numbers("third "));
    third.publish(1)?;
    second.publish(log.effect("second 1"))?;
    first.publish(1)?;
    second.publish(log.effect("second 2"))?;
    first.publish_all([2, 3])?;
    assert_eq!(log.take(), [""; 0]);

    let applied = multi.apply(Commit::Real)?;
    let expected = [
        "first 1", "first 2", "first 3", "second 1", "second 2", "third 1",
    ];
    assert_eq!(log.take(), expected);
    assert_eq!(applied.events_of(&first), [&1, &2, &3]);
    assert_eq!(labels(applied.events_of(&second)), ["second 1", "second 2"]);
    assert_eq!(applied.events_of(&third), [&1]);
    assert!(multi.apply(Commit::Real)?.is_empty());
    Ok(())
}

/// All of it in order, whatever the types.
#[test]
fn d5_what_was_applied_can_be_told_without_the_handles() -> Done {
    let (multi, log) = (MultiBus::new(), Log::default());
    let numbers = multi.wrap(log.numbers("n"));
    multi.wrap(BasicBus::new()).publish(log.effect("e"))?;
    numbers.publish_all([1, 2])?;
    let applied = multi.apply(Commit::DryRun)?;
    assert_eq!((applied.len(), applied.is_empty()), (3, false));
    let told: Vec<String> = applied
        .iter()
        .map(|event| match event.downcast_ref::<i32>() {
            Some(number) => number.to_string(),
            None => event.downcast_ref::<Effect>().unwrap().label().to_owned(),
        })
        .collect();
    assert_eq!(told, ["1", "2", "e"]);
    assert_eq!(
        (&applied)
            .into_iter()
            .filter(|event| event.is::<Effect>())
            .count(),
        1
    );

    let mut events = applied.into_iter();
    let event = events.next().unwrap();
    assert!(event.bus_type().contains("FromFn"));
    let event = event.downcast::<String>().unwrap_err();
    assert_eq!(event.downcast::<i32>().unwrap(), 1);
    Ok(())
}

#[test]
fn d5_registered_buses_survive_an_apply() -> Done {
    let (multi, log) = (MultiBus::new(), Log::default());
    let (first, second) = (multi.wrap(log.numbers("a")), multi.wrap(log.numbers("b")));
    for n in 0..3 {
        second.publish(n)?;
        first.publish(n)?;
        assert_eq!(multi.apply(Commit::Real)?.len(), 2);
        assert_eq!(log.take(), [format!("a{n}"), format!("b{n}")]);
    }
    // A clone of the handle keeps it as well as the handle, and no handle is needed for what waits.
    let other = first.clone();
    drop(first);
    multi.apply(Commit::Real)?;
    other.publish(3)?;
    drop((other, second));
    assert_eq!(multi.apply(Commit::Real)?.len(), 1);
    assert_eq!(log.take(), ["a3"]);
    Ok(())
}

#[test]
fn d5_a_handle_passes_for_a_bus_whose_apply_collects() -> Done {
    fn insists(bus: &impl DeferredBus<Event = i32>, number: i32) {
        bus.publish(number).unwrap();
        assert!(bus.apply(Commit::Real).is_ok());
        assert!(bus.collect().is_empty());
    }
    let (multi, log) = (MultiBus::new(), Log::default());
    let (first, second) = (multi.wrap(log.numbers("a")), multi.wrap(log.numbers("b")));
    insists(&second.as_deferred(), 1);
    insists(&first.as_deferred(), 2);
    second.publish(3)?;
    insists(&first.as_deferred(), 4);
    assert_eq!(log.take(), [""; 0]);
    let applied = multi.apply(Commit::Real)?;
    assert_eq!(log.take(), ["a2", "a4", "b1", "b3"]);
    assert_eq!(applied.events_of(&first), [&2, &4]);
    assert_eq!(applied.events_of(&second), [&1, &3]);
    Ok(())
}

#[test]
fn d5_an_orchestrator_is_a_handle_that_wraps() -> Done {
    fn callee(orchestrator: Orchestrator, log: &Log, name: &'static str) -> Done {
        let numbers = orchestrator.wrap(log.numbers(name));
        Ok(numbers.publish(1)?)
    }
    let (multi, log) = (MultiBus::new(), Log::default());
    let orchestrator = multi.orchestrator();
    callee(orchestrator.clone(), &log, "a")?;
    let (other, lines) = (orchestrator.clone(), log.clone());
    std::thread::spawn(move || callee(other, &lines, "b"))
        .join()
        .unwrap()?;
    callee(orchestrator, &log, "c")?;
    assert_eq!(multi.apply(Commit::Real)?.len(), 3);
    assert_eq!(log.take(), ["a1", "b1", "c1"]);
    Ok(())
}

/// Such as the same bus twice, and buses that are applied by others, too.
#[test]
fn d5_each_event_runs_once_whatever_it_is_wrapped_in() -> Done {
    let log = Log::default();
    let numbers = log.numbers("n");
    let (one, other) = (MultiBus::new(), MultiBus::new());
    let first = one.wrap(numbers.clone());
    let again = one.wrap(numbers.clone());
    let elsewhere = other.wrap(numbers.clone());
    elsewhere.publish(1)?;
    again.publish(2)?;
    numbers.publish(3)?;
    let applied = one.apply(Commit::Real)?;
    assert_eq!(applied.events_of(&first), [&3], "it is asked first");
    assert_eq!(applied.events_of(&again), [&2], "each has its own");
    first.publish(4)?;
    assert_eq!(other.apply(Commit::Real)?.events_of(&elsewhere), [&1]);
    assert!(numbers.apply(Commit::Real)?.is_empty());
    assert_eq!(one.apply(Commit::Real)?.events_of(&first), [&4]);
    assert_eq!(log.take(), ["n3", "n2", "n1", "n4"]);
    Ok(())
}

#[test]
fn d5_collect_gives_all_of_it_to_run_later() -> Done {
    let (multi, log) = (MultiBus::new(), Log::default());
    let (first, second) = (multi.wrap(log.numbers("a")), multi.wrap(BasicBus::new()));
    second.publish(log.effect("e"))?;
    first.publish_all([1, 2])?;
    let mut collected = multi.collect();
    assert!(multi.apply(Commit::Real)?.is_empty());
    assert_eq!(collected[2].label(), Some("e"));
    collected[2].run(Commit::Real).unwrap();
    collected[0].run(Commit::Real).unwrap();
    assert_eq!(log.take(), ["e", "a1"]);

    // What did not run goes back where it came from.
    multi.publish(collected.remove(1).into_event()).unwrap();
    assert_eq!(multi.apply(Commit::Real)?.events_of(&first), [&2]);
    Ok(())
}

#[test]
fn d5_an_event_can_be_published_only_where_it_came_from() -> Done {
    let (one, other, log) = (MultiBus::new(), MultiBus::new(), Log::default());
    let numbers = one.wrap(log.numbers("n"));
    let _same_type = other.wrap(log.numbers("m"));
    numbers.publish_all([1, 2])?;
    let mut events = one.apply(Commit::DryRun)?.into_iter();
    let event = other
        .publish(events.next().unwrap())
        .unwrap_err()
        .into_inner();
    one.publish(event).unwrap();
    assert_eq!(one.apply(Commit::Real)?.events_of(&numbers), [&1]);
    assert!(other.apply(Commit::Real)?.is_empty());
    assert_eq!(log.take(), ["n1"]);

    // Those of several that nobody takes come back, and not the others.
    let mine = events.next().unwrap();
    numbers.publish(3)?;
    let alien = other.wrap(log.numbers("alien "));
    alien.publish(4)?;
    let alien = other.apply(Commit::DryRun)?.into_iter().next().unwrap();
    let later = one.apply(Commit::DryRun)?.into_iter().next().unwrap();
    let back = one
        .publish_all([mine, alien, later])
        .unwrap_err()
        .into_inner();
    let back: Vec<&i32> = back
        .iter()
        .filter_map(|event| event.downcast_ref())
        .collect();
    assert_eq!(back, [&4, &3]);
    assert_eq!(one.apply(Commit::Real)?.events_of(&numbers), [&2]);
    Ok(())
}

#[test]
fn d5_buses_of_all_kinds_go_together() -> Done {
    let (multi, log) = (MultiBus::new(), Log::default());
    let side_effects = SideEffectsBus::new(vec![0]);
    let (effects, counts) = (
        multi.wrap(BasicBus::new()),
        multi.wrap(side_effects.clone()),
    );
    let texts = multi.wrap(Deferred::from_fn(|_: &String, _| Ok(())));
    effects.publish(log.effect("e"))?;
    counts.publish(SideEffect::new("s", |all: &mut Vec<i32>, _| {
        all.push(1);
        Ok(())
    }))?;
    texts.publish("t".to_owned())?;
    let applied = multi.apply(Commit::Real)?;
    assert_eq!(applied.events_of(&counts)[0].label(), "s");
    assert_eq!(applied.events_of(&texts), [&"t"]);
    assert_eq!(
        (log.take(), side_effects.context()?.len()),
        (vec!["e".into()], 2)
    );
    Ok(())
}

#[test]
fn d5_discard_drops_all_also_of_buses_that_others_have() -> Done {
    let (multi, inner, log) = (MultiBus::new(), MultiBus::new(), Log::default());
    let kept = log.numbers("kept ");
    let numbers = multi.wrap(kept.clone());
    drop(multi.wrap(inner.clone()));
    let deep = inner.wrap(BasicBus::new());
    numbers.publish(1)?;
    kept.publish(2)?;
    numbers.as_deferred().apply(Commit::Real)?;
    deep.publish_all([log.effect("a"), log.effect("b")])?;
    assert_eq!(multi.discard(), 4);
    assert!(kept.is_empty());
    assert_eq!((multi.discard(), inner.discard()), (0, 0));
    assert!(multi.apply(Commit::Real)?.is_empty() && inner.apply(Commit::Real)?.is_empty());

    // It is not the end.
    numbers.publish(3)?;
    deep.publish(log.effect("c"))?;
    assert_eq!(multi.apply(Commit::Real)?.len(), 2);
    assert_eq!(log.take(), ["kept 3", "c"]);
    Ok(())
}

#[test]
fn d5_what_is_not_applied_goes_with_the_last_handle() -> Done {
    let (multi, log) = (MultiBus::new(), Log::default());
    let census = crate::common::Census::new();
    let effects = BasicBus::new();
    let wrapped = multi.wrap(effects.clone());
    let counted = census.born();
    let effect = Effect::new("a", move |_| {
        let _ = &counted;
        Ok(())
    });
    wrapped.publish(effect)?;
    let other = multi.clone();
    drop(multi);
    assert_eq!((census.alive(), effects.len()), (1, 0));
    drop(other);
    assert_eq!(
        (census.alive(), effects.len()),
        (0, 0),
        "others have the bus, and not the event"
    );
    // It is a bus as before, for those who have it.
    effects.publish(log.effect("b"))?;
    effects.apply(Commit::Real)?;
    assert_eq!(log.take(), ["b"]);
    Ok(())
}
