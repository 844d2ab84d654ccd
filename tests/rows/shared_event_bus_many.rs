//! shared.event_bus: the rows about many buses, calls that have an owner or none, and side effects.

use chanbus::{
    AsDeferred, BasicBus, BoxError, Collected, Commit, DeferredBus, Effect, MultiBus, Orchestrator,
    Publish, PublishError, SideEffect, SideEffectsBus, Wrapped, with_orchestrator,
};

use super::shared_event_bus::{MyEventBus, line, my_event_bus};
use super::{Done, Log};

#[test]
fn e21_an_orchestrator_registers_buses() -> Done {
    let (multi, log) = (MultiBus::new(), Log::default());
    let orchestrator: Orchestrator = multi.orchestrator();
    orchestrator.wrap(my_event_bus(&log)).publish("a")?;
    orchestrator
        .clone()
        .wrap(BasicBus::new())
        .publish(line(&log, "b"))?;
    assert_eq!(log.take(), [""; 0]);
    assert_eq!(multi.apply(Commit::Real)?.len(), 2);
    assert_eq!(log.take(), ["a", "b"]);
    Ok(())
}

#[test]
fn e22_wrap_returns_a_bus_whose_apply_collects() -> Done {
    let (multi, log) = (MultiBus::new(), Log::default());
    let wrapped: Wrapped<MyEventBus> = multi.wrap(my_event_bus(&log));
    wrapped.publish("a")?;
    let view: AsDeferred<MyEventBus> = wrapped.as_deferred();
    assert_eq!(view.apply(Commit::Real)?, 1);
    assert_eq!(log.take(), [""; 0]);
    multi.apply(Commit::Real)?;
    assert_eq!(log.take(), ["a"]);
    Ok(())
}

/// The documented `foobar`.
#[test]
fn e23_a_callee_registers_its_own_bus_and_the_caller_handles_the_rest() -> Done {
    fn foobar(orchestrator: &Orchestrator, log: &Log) -> Result<(), PublishError<&'static str>> {
        // Create and register your own event bus..
        let my_event_bus = orchestrator.wrap(my_event_bus(log));
        // Publish stuff to it..
        my_event_bus.publish("stuff")
        // And whoever called you will handle the rest!
    }
    let (multi, log) = (MultiBus::new(), Log::default());
    foobar(&multi.orchestrator(), &log)?;
    foobar(&multi.orchestrator(), &log)?;
    assert_eq!(log.take(), [""; 0]);
    multi.apply(Commit::Real)?;
    assert_eq!(log.take(), ["stuff", "stuff"]);
    Ok(())
}

/// "Potentially dangerous, you don't want the handler to call `.apply()`": it could not. That this does not compile is
/// asked by the doc tests of `Orchestrator` and `Wrapped`.
#[test]
fn e24_a_handler_is_given_what_can_only_wrap() -> Done {
    fn some_handler(event_bus: Orchestrator, log: &Log) -> Done {
        let mine = event_bus.wrap(my_event_bus(log));
        mine.publish("a")?;
        // The most that it can try, and it applies nothing.
        assert_eq!(mine.as_deferred().apply(Commit::Real)?, 1);
        drop(event_bus);
        Ok(())
    }
    let (multi, log) = (MultiBus::new(), Log::default());
    multi.wrap(my_event_bus(&log)).publish("of the caller")?;
    some_handler(multi.orchestrator(), &log)?;
    assert_eq!(log.take(), [""; 0]);
    multi.apply(Commit::Real)?;
    assert_eq!(log.take(), ["of the caller", "a"]);
    Ok(())
}

#[test]
fn e25_an_orchestrator_is_passed_as_an_argument() -> Done {
    /// A part of an application that keeps one, for later and for other threads.
    struct Service(Orchestrator, Log);

    impl Service {
        fn work(&self) -> Done {
            Ok(self.0.wrap(my_event_bus(&self.1)).publish("work")?)
        }
    }

    let (multi, log) = (MultiBus::new(), Log::default());
    let service = Service(multi.orchestrator(), log.clone());
    let worked = std::thread::spawn(move || service.work().map(|()| service.0.is_orphan()));
    assert!(!worked.join().expect("no panic")?);
    multi.apply(Commit::Real)?;
    assert_eq!(log.take(), ["work"]);
    Ok(())
}

#[test]
fn e26_many_buses_are_a_bus_among_others() -> Done {
    let (outer, inner, log) = (MultiBus::new(), MultiBus::new(), Log::default());
    let inside = outer.wrap(inner.clone());
    inner
        .orchestrator()
        .wrap(my_event_bus(&log))
        .publish("deep")?;
    outer.wrap(my_event_bus(&log)).publish("outer")?;
    let applied = outer.apply(Commit::Real)?;
    assert_eq!(applied.events_of(&inside).len(), 1);
    assert_eq!(log.take(), ["deep", "outer"]);
    assert!(
        inner.apply(Commit::Real)?.is_empty(),
        "each event runs once"
    );
    Ok(())
}

/// What `publish` takes are events that came from there; a bus is registered by `wrap`.
#[test]
fn e27_a_bus_is_registered_by_wrap_alone() -> Done {
    let (multi, log) = (MultiBus::new(), Log::default());
    let wrapped = multi.wrap(my_event_bus(&log));
    wrapped.publish("a")?;
    for event in multi.apply(Commit::DryRun)? {
        multi.publish(event)?;
    }
    assert_eq!(multi.apply(Commit::Real)?.events_of(&wrapped), [&"a"]);
    assert_eq!(log.take(), ["would send a", "a"]);
    Ok(())
}

#[test]
fn e28_many_buses_are_collected_and_published_to_again() -> Done {
    let (multi, log) = (MultiBus::new(), Log::default());
    let (first, second) = (
        multi.wrap(my_event_bus(&log)),
        multi.wrap(my_event_bus(&log)),
    );
    second.publish("b")?;
    first.publish("a")?;
    let collected = multi.collect();
    assert!(multi.apply(Commit::Real)?.is_empty());
    multi.publish_all(collected.into_iter().map(Collected::into_event))?;
    let applied = multi.apply(Commit::Real)?;
    assert_eq!(
        (applied.events_of(&first), applied.events_of(&second)),
        (vec![&"a"], vec![&"b"])
    );
    assert_eq!(log.take(), ["a", "b"]);
    Ok(())
}

/// `apply_and_get_applied_events`: by bus, with the types of each.
#[test]
fn e29_what_was_applied_is_told_for_each_bus() -> Done {
    let (multi, log) = (MultiBus::new(), Log::default());
    let (texts, effects) = (multi.wrap(my_event_bus(&log)), multi.wrap(BasicBus::new()));
    effects.publish(line(&log, "effect"))?;
    texts.publish_all(["a", "b"])?;
    let applied = multi.apply(Commit::Real)?;
    assert_eq!(applied.events_of(&texts), [&"a", &"b"]);
    assert_eq!(applied.events_of(&effects)[0].label(), "effect");
    let all: Vec<bool> = applied.iter().map(|event| event.is::<Effect>()).collect();
    assert_eq!(all, [false, false, true]);
    Ok(())
}

#[test]
fn e30_buses_run_in_the_order_of_wrapping_and_events_in_that_of_publishing() -> Done {
    let (multi, log) = (MultiBus::new(), Log::default());
    let buses = [(); 3].map(|()| multi.wrap(my_event_bus(&log)));
    buses[2].publish("last")?;
    buses[0].publish("first")?;
    buses[1].publish_all(["second", "third"])?;
    buses[0].publish("first as well")?;
    multi.apply(Commit::Real)?;
    assert_eq!(
        log.take(),
        ["first", "first as well", "second", "third", "last"]
    );
    Ok(())
}

/// "If you have an orchestrator, use it and don't apply side-effects immediately."
#[test]
fn e31_given_an_orchestrator_the_caller_applies() -> Done {
    let (multi, log) = (MultiBus::new(), Log::default());
    with_orchestrator(
        Some(&multi.orchestrator()),
        Commit::Real,
        |event_bus, finish| {
            event_bus.wrap(my_event_bus(&log)).publish("a")?;
            assert!(finish.run()?.is_empty());
            Ok::<_, chanbus::Error>(())
        },
    )?;
    assert_eq!(log.take(), [""; 0]);
    multi.apply(Commit::Real)?;
    assert_eq!(log.take(), ["a"]);
    Ok(())
}

/// "If you don't have an orchestrator, create a `MultiEventBus`, use it and apply side-effects immediately."
#[test]
fn e32_given_none_it_applies() -> Done {
    let log = Log::default();
    with_orchestrator(None, Commit::Real, |event_bus, _| {
        event_bus.wrap(my_event_bus(&log)).publish("a")?;
        assert_eq!(log.take(), [""; 0]);
        Ok::<_, chanbus::Error>(())
    })?;
    assert_eq!(log.take(), ["a"]);
    Ok(())
}

/// `commit_and_execute_side_effects()`; what comes after it is applied at the end, which the reference does not do.
#[test]
fn e33_the_moment_can_be_chosen_and_more_may_follow() -> Done {
    let log = Log::default();
    let applied = with_orchestrator(None, Commit::Real, |event_bus, commit_and_execute| {
        let mine = event_bus.wrap(my_event_bus(&log));
        mine.publish("a")?;
        let applied = commit_and_execute.run()?;
        assert_eq!(
            (applied.events_of(&mine), log.take()),
            (vec![&"a"], vec!["a".into()])
        );
        mine.publish("b")?;
        Ok::<_, chanbus::Error>(applied.len())
    })?;
    assert_eq!((applied, log.take()), (1, vec!["b".into()]));
    Ok(())
}

#[test]
fn e34_the_commit_of_the_call_reaches_the_effects() -> Done {
    let log = Log::default();
    for (commit, expected) in [(Commit::Real, "a"), (Commit::DryRun, "would send a")] {
        with_orchestrator(None, commit, |event_bus, finish| {
            event_bus.wrap(my_event_bus(&log)).publish("a")?;
            finish.run()?;
            Ok::<_, chanbus::Error>(())
        })?;
        assert_eq!(log.take(), [expected]);
    }
    Ok(())
}

#[test]
fn e35_an_error_inside_discards() -> Done {
    let (multi, log) = (MultiBus::new(), Log::default());
    let owner = multi.orchestrator();
    multi.wrap(my_event_bus(&log)).publish("of the caller")?;
    for given in [None, Some(&owner)] {
        let result = with_orchestrator(given, Commit::Real, |event_bus, _| {
            event_bus.wrap(my_event_bus(&log)).publish("a")?;
            Err::<(), BoxError>("no".into())
        });
        assert!(result.is_err());
    }
    assert_eq!(log.take(), [""; 0]);
    multi.apply(Commit::Real)?;
    assert_eq!(log.take(), ["of the caller"]);
    Ok(())
}

/// The documented `my_complicated_process`, by itself, in a dry run, and as a part of others.
#[test]
fn e36_a_complicated_process_works_by_itself_and_as_a_part() -> Done {
    fn my_complicated_process(
        log: &Log,
        orchestrator: Option<&Orchestrator>,
        commit: Commit,
    ) -> Result<(), BoxError> {
        with_orchestrator(orchestrator, commit, |event_bus, commit_and_execute| {
            let orders = event_bus.wrap(my_event_bus(log));
            let mails = event_bus.wrap(BasicBus::new());
            mails.publish(line(log, "mail"))?;
            orders.publish("order")?;
            commit_and_execute.run()?;
            Ok(())
        })
    }
    let log = Log::default();
    let done = |result: Result<(), BoxError>| assert!(result.is_ok());
    done(my_complicated_process(&log, None, Commit::default()));
    assert_eq!(log.take(), ["would send order"]);
    done(my_complicated_process(&log, None, Commit::Real));
    assert_eq!(log.take(), ["order", "mail"]);

    let multi = MultiBus::new();
    for _ in 0..2 {
        done(my_complicated_process(
            &log,
            Some(&multi.orchestrator()),
            Commit::default(),
        ));
    }
    assert_eq!(log.take(), [""; 0]);
    assert_eq!(multi.apply(Commit::Real)?.len(), 4);
    assert_eq!(log.take(), ["order", "mail", "order", "mail"]);
    Ok(())
}

#[test]
fn e37_side_effects_are_given_a_context() -> Done {
    let bus = SideEffectsBus::new(Vec::new());
    bus.publish(SideEffect::new(
        "call",
        |calls: &mut Vec<Commit>, commit| {
            calls.push(commit);
            Ok(())
        },
    ))?;
    let applied = bus.apply(Commit::Real)?;
    assert_eq!(applied[0].label(), "call");
    assert_eq!(*bus.context()?, [Commit::Real]);
    Ok(())
}

/// "The SharedSideEffectsEventBus will maintain a single SharedSideEffectContext for the whole event bus."
#[test]
fn e38_the_context_is_one_for_the_whole_bus() -> Done {
    let count = || {
        SideEffect::new("count", |count: &mut u32, _| {
            *count += 1;
            Ok(())
        })
    };
    let bus = SideEffectsBus::new(0);
    for applied in 1..=3 {
        bus.publish_all([count(), count()])?;
        bus.apply(Commit::Real)?;
        assert_eq!(*bus.context()?, 2 * applied);
    }
    assert_eq!(bus.reset_context(0)?, 6);
    bus.publish(count())?;
    bus.apply(Commit::Real)?;
    assert_eq!(bus.into_context().ok(), Some(1));
    Ok(())
}

/// publish, publish, .. apply: what the diagram shows.
#[test]
fn e39_events_are_collected_over_a_time_and_acted_on_at_once() -> Done {
    let log = Log::default();
    let bus = my_event_bus(&log);
    for round in 0..2 {
        for event in ["a", "b", "c"] {
            bus.publish(event)?;
            assert_eq!(log.take(), [""; 0], "round {round}");
        }
        assert_eq!(bus.apply(Commit::Real)?.len(), 3);
        assert_eq!(log.take(), ["a", "b", "c"]);
    }
    Ok(())
}
