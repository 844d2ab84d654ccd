//! Trap 39: what nobody will apply comes back to those who publish it.

use chanbus::{
    BasicBus, BoxError, Commit, DeferredBus, Effect, Error, MultiBus, Publish, with_orchestrator,
};

use crate::{Done, Log};

#[test]
fn t39_handles_say_so_when_the_owner_has_gone() -> Done {
    let (multi, log) = (MultiBus::new(), Log::default());
    let before = multi.wrap(log.numbers("n"));
    let (other, view, orchestrator) = (before.clone(), before.as_deferred(), multi.orchestrator());
    before.publish(1)?;
    assert!(!orchestrator.is_orphan());
    drop(multi.clone());
    other.publish(2)?;
    drop(multi);

    assert!(orchestrator.is_orphan());
    assert_eq!(before.publish(3).unwrap_err().into_inner(), 3);
    assert_eq!(other.publish_all([4, 5]).unwrap_err().into_inner(), [4, 5]);
    assert_eq!(view.publish(6).unwrap_err().into_inner(), 6);
    assert_eq!(view.publish_all([7, 8]).unwrap_err().into_inner(), [7, 8]);
    let after = orchestrator.wrap(log.numbers("m"));
    assert_eq!(after.publish(9).unwrap_err().into_inner(), 9);
    assert_eq!(after.as_deferred().publish(9).unwrap_err().into_inner(), 9);
    assert_eq!(view.apply(Commit::Real)?, 0);
    assert_eq!(log.take(), [""; 0]);

    let said = Error::from(after.publish(9).unwrap_err());
    assert!(matches!(said, Error::Publish));
    assert!(
        said.to_string().contains("the `MultiBus` has gone"),
        "{said}"
    );
    assert!(format!("{orchestrator:?} {after:?}").contains("is_orphan: true"));
    Ok(())
}

/// A view with nobody behind it leaves alone what others publish by handles of their own.
#[test]
fn t39_a_view_without_an_owner_takes_nothing() -> Done {
    let (multi, log) = (MultiBus::new(), Log::default());
    let numbers = log.numbers("n");
    let view = multi.wrap(numbers.clone()).as_deferred();
    drop(multi);
    numbers.publish(1)?;
    assert_eq!(view.apply(Commit::Real)?, 0);
    assert!(view.collect().is_empty());
    assert_eq!(numbers.apply(Commit::Real)?, [1]);
    assert_eq!(log.take(), ["n1"]);
    Ok(())
}

/// What its owner has dropped in between cannot be published again, and comes back.
#[test]
fn t39_what_remains_comes_back_when_its_bus_has_gone() -> Done {
    let log = Log::default();
    let (outer, inner) = (MultiBus::new(), MultiBus::new());
    drop(outer.wrap(inner.clone()));
    let numbers = inner.wrap(log.numbers("n"));
    numbers.publish_all([-1, 2])?;
    let error = outer.apply(Commit::Real).unwrap_err();
    let remaining = error.remaining.into_iter().next().unwrap();
    let other = MultiBus::new();
    let back = other.publish(remaining).unwrap_err().into_inner();
    drop(outer);
    drop((numbers, inner));
    let back = other.publish(back).unwrap_err().into_inner();
    assert_eq!(back.downcast_ref(), Some(&2));
    Ok(())
}

#[test]
fn t39_a_call_with_an_owner_that_has_gone_says_so() {
    let orphan = MultiBus::new().orchestrator();
    let (log, mut told) = (Log::default(), false);
    let result = with_orchestrator(Some(&orphan), Commit::Real, |buses, finish| {
        assert!(buses.is_orphan() && !finish.is_mine());
        let effects = buses.wrap(BasicBus::new());
        told = effects.publish(log.effect("a")).is_err();
        assert!(finish.run()?.is_empty());
        effects.publish(log.effect("b"))?;
        Ok::<_, BoxError>(())
    });
    assert!(
        told && result
            .unwrap_err()
            .to_string()
            .contains("nobody will apply")
    );
    assert_eq!(log.take(), [""; 0]);
}

/// What was wrapped in a call that has ended is nobody's.
#[test]
fn t39_a_handle_of_a_call_that_has_ended_says_so() -> Done {
    let log = Log::default();
    let (effects, orchestrator) = with_orchestrator(None, Commit::Real, |buses, _| {
        Ok::<_, Error>((buses.wrap(BasicBus::new()), buses.clone()))
    })?;
    assert!(orchestrator.is_orphan());
    let effect: Effect = effects
        .publish(log.effect("late"))
        .unwrap_err()
        .into_inner();
    assert_eq!(effect.label(), "late");
    Ok(())
}

/// Where there is an owner, handles go on after the call.
#[test]
fn t39_a_handle_of_a_call_inside_of_another_publishes_to_its_owner() -> Done {
    let (multi, log) = (MultiBus::new(), Log::default());
    let owner = multi.orchestrator();
    let (effects, orchestrator) = with_orchestrator(Some(&owner), Commit::DryRun, |buses, _| {
        Ok::<_, Error>((buses.wrap(BasicBus::new()), buses.clone()))
    })?;
    effects.publish(log.effect("a"))?;
    orchestrator.wrap(log.numbers("n")).publish(1)?;
    assert_eq!(multi.apply(Commit::Real)?.len(), 2);
    effects.publish(log.effect("b"))?;
    assert_eq!(multi.apply(Commit::Real)?.len(), 1);
    assert_eq!(log.take(), ["a", "n1", "b"]);
    drop(multi);
    assert!(effects.publish(log.effect("c")).is_err());
    Ok(())
}
