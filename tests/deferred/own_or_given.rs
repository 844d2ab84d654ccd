//! D6: `with_orchestrator`, with an owner and without, by every way out.

use std::panic::{AssertUnwindSafe, catch_unwind};

use chanbus::{
    ApplyErrorOf, BasicBus, BoxError, Commit, DeferredBus, Effect, Error, Finish, MultiBus,
    Orchestrator, Publish, with_orchestrator,
};

use crate::common::Census;
use crate::{Done, Log};

/// How the work ends.
#[derive(Clone, Copy, PartialEq, Debug)]
enum End {
    Ok,
    Err,
    Panic,
}

const ENDS: [End; 3] = [End::Ok, End::Err, End::Panic];

/// Publishes two effects, and in between runs what was published so far, if it is to.
fn work(
    log: &Log,
    runs: bool,
    end: End,
    buses: &Orchestrator,
    finish: &Finish<'_>,
) -> Result<usize, BoxError> {
    let effects = buses.wrap(BasicBus::new());
    effects.publish(log.effect("first"))?;
    let applied = if runs { finish.run()?.len() } else { 0 };
    effects.publish(log.effect("second"))?;
    match end {
        End::Ok => Ok(applied),
        End::Err => Err("given up".into()),
        End::Panic => panic!("in the work"),
    }
}

/// By whichever way it ended.
fn ended(act: impl FnOnce() -> Result<usize, BoxError>) -> (End, usize) {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(Ok(applied)) => (End::Ok, applied),
        Ok(Err(error)) => {
            assert_eq!(error.to_string(), "given up");
            (End::Err, 0)
        }
        Err(thrown) => {
            assert_eq!(thrown.downcast_ref::<&str>(), Some(&"in the work"));
            (End::Panic, 0)
        }
    }
}

#[test]
fn d6_given_none_it_applies_what_is_left_and_discards_on_an_error() {
    for end in ENDS {
        for runs in [false, true] {
            let log = Log::default();
            let (how, applied) = ended(|| {
                with_orchestrator(None, Commit::Real, |buses, finish| {
                    assert!(finish.is_mine());
                    work(&log, runs, end, buses, finish)
                })
            });
            assert_eq!((how, applied), (end, usize::from(runs && end == End::Ok)));
            let expected: &[&str] = match (end, runs) {
                (End::Ok, _) => &["first", "second"],
                (_, true) => &["first"],
                (_, false) => &[],
            };
            assert_eq!(log.take(), expected, "{end:?}, {runs}");
        }
    }
}

#[test]
fn d6_given_one_its_owner_applies_or_nobody_does() {
    for end in ENDS {
        for runs in [false, true] {
            let (multi, log) = (MultiBus::new(), Log::default());
            let callers = multi.wrap(log.numbers("caller "));
            callers.publish(1).unwrap();
            // What it is given as `commit` is not its to say.
            for commit in [Commit::Real, Commit::DryRun] {
                let (how, applied) = ended(|| {
                    with_orchestrator(Some(&multi.orchestrator()), commit, |buses, finish| {
                        assert!(!finish.is_mine());
                        work(&log, runs, end, buses, finish)
                    })
                });
                assert_eq!((how, applied), (end, 0));
            }
            callers.publish(2).unwrap();
            assert_eq!(
                log.take(),
                [""; 0],
                "{end:?}, {runs}: it is not the callee who applies"
            );

            assert_eq!(
                multi.apply(Commit::Real).unwrap().events_of(&callers),
                [&1, &2]
            );
            let expected: &[&str] = match end {
                End::Ok => &["caller 1", "caller 2", "first", "second", "first", "second"],
                _ => &["caller 1", "caller 2"],
            };
            assert_eq!(log.take(), expected, "{end:?}, {runs}");
            assert!(multi.apply(Commit::Real).unwrap().is_empty());
        }
    }
}

/// Three floors, of which the innermost ends in each way; the ones above pass on what it says, or not.
#[test]
fn d6_it_nests_three_deep() {
    for end in ENDS {
        for owned in [false, true] {
            for forgives in [false, true] {
                three_floors(end, owned, forgives);
            }
        }
    }
}

fn three_floors(end: End, owned: bool, forgives: bool) {
    let (multi, log) = (MultiBus::new(), Log::default());
    let owner = owned.then(|| multi.orchestrator());
    let (how, _) = ended(|| {
        with_orchestrator(owner.as_ref(), Commit::Real, |one, finish| {
            assert_eq!(finish.is_mine(), !owned);
            one.wrap(log.numbers("1 ")).publish(1)?;
            let inner = ended(|| {
                with_orchestrator(Some(one), Commit::DryRun, |two, finish| {
                    two.wrap(log.numbers("2 ")).publish(2)?;
                    assert!(finish.run()?.is_empty());
                    with_orchestrator(Some(two), Commit::Real, |three, finish| {
                        work(&log, true, end, three, finish)
                    })
                })
            });
            one.wrap(log.numbers("1 ")).publish(3)?;
            match inner {
                (End::Err, _) if !forgives => Err("given up".into()),
                (End::Panic, _) if !forgives => panic!("in the work"),
                (_, applied) => Ok(applied),
            }
        })
    });
    let expected: &[&str] = match end {
        End::Ok => &["1 1", "2 2", "first", "second", "1 3"],
        _ if forgives => &["1 1", "1 3"],
        _ => &[],
    };
    assert_eq!(how == End::Ok, !expected.is_empty());
    if owned {
        assert_eq!(log.take(), [""; 0]);
        assert_eq!(multi.apply(Commit::Real).unwrap().len(), expected.len());
    }
    assert_eq!(log.take(), expected, "{end:?}, {owned}, {forgives}");
}

#[test]
fn d6_the_commit_reaches_the_effects() -> Done {
    let log = Log::default();
    for (commit, expected) in [
        (Commit::default(), ["first?", "second?"]),
        (Commit::Real, ["first", "second"]),
    ] {
        let applied = with_orchestrator(None, commit, |buses, finish| {
            work(&log, true, End::Ok, buses, finish)
        });
        assert_eq!(
            (applied.unwrap(), log.take()),
            (1, expected.map(String::from).to_vec())
        );
    }
    Ok(())
}

#[test]
fn d6_finish_applies_at_that_moment_as_often_as_it_is_run() -> Done {
    let log = Log::default();
    with_orchestrator(None, Commit::Real, |buses, finish| {
        assert!(finish.run()?.is_empty());
        let (a, b) = (buses.wrap(log.numbers("a")), buses.wrap(log.numbers("b")));
        for n in 0..3 {
            b.publish(n)?;
            a.publish(n)?;
            let applied = finish.run()?;
            assert_eq!(
                (applied.events_of(&a), applied.events_of(&b)),
                (vec![&n], vec![&n])
            );
            assert_eq!(log.take(), [format!("a{n}"), format!("b{n}")]);
            assert!(finish.run()?.is_empty(), "each once");
        }
        a.publish(3)?;
        assert!(format!("{finish:?}").contains("is_mine: true"));
        Ok::<_, Error>(())
    })?;
    assert_eq!(log.take(), ["a3"]);
    Ok(())
}

/// An effect that fails at the end is the error of the call, with what remains in it.
#[test]
fn d6_an_apply_that_fails_is_the_error() {
    let log = Log::default();
    let bad: [fn(&Log, &str) -> chanbus::Effect; 2] = [Log::failing, Log::panicking];
    for bad in bad {
        for runs in [false, true] {
            let result = with_orchestrator(None, Commit::Real, |buses, finish| {
                let effects = buses.wrap(BasicBus::new());
                effects.publish(log.effect("a")).unwrap();
                effects.publish(bad(&log, "b")).unwrap();
                effects.publish(log.effect("c")).unwrap();
                if runs {
                    finish.run()?;
                    unreachable!("it fails");
                }
                Ok::<_, chanbus::ApplyErrorOf<MultiBus>>(())
            });
            let error = result.unwrap_err();
            assert_eq!(
                (error.applied.len(), error.failed.label.as_deref()),
                (1, Some("b"))
            );
            let left = error.remaining[0]
                .downcast_ref::<chanbus::Effect>()
                .unwrap();
            assert_eq!((left.label(), error.remaining.len()), ("c", 1));
            assert_eq!(log.take(), ["a", "b"], "not once more at the end");
        }
    }
}

/// A work that goes on after a failed apply applies what it published since, at its end.
#[test]
fn d6_a_failed_finish_may_be_forgiven() -> Done {
    let log = Log::default();
    with_orchestrator(None, Commit::Real, |buses, finish| {
        let numbers = buses.wrap(log.numbers("n"));
        numbers.publish_all([1, -2, 3])?;
        let remaining = finish.run().unwrap_err().remaining;
        for event in remaining {
            numbers.publish(event.downcast().unwrap())?;
        }
        Ok::<_, Error>(())
    })?;
    assert_eq!(log.take(), ["n1", "n3"]);
    Ok(())
}

/// Also on a bus that the caller keeps a clone of, where that is published by this call.
#[test]
fn d6_what_is_discarded_is_discarded_everywhere() {
    let (multi, log) = (MultiBus::new(), Log::default());
    let owner = multi.orchestrator();
    for given in [None, Some(&owner)] {
        let (kept, census) = (log.numbers("kept "), Census::new());
        let effects = BasicBus::new();
        let result = with_orchestrator(given, Commit::Real, |buses, _| {
            let (numbers, effects) = (buses.wrap(kept.clone()), buses.wrap(effects.clone()));
            numbers.publish(1)?;
            numbers.as_deferred().apply(Commit::Real)?;
            numbers.publish(2)?;
            let counted = census.born();
            effects.publish(chanbus::Effect::new("", move |_| {
                let _ = &counted;
                Ok(())
            }))?;
            Err::<(), BoxError>("given up".into())
        });
        assert_eq!(result.unwrap_err().to_string(), "given up");
        assert_eq!((kept.len(), effects.len(), census.alive()), (0, 0, 0));
        assert!(multi.apply(Commit::Real).unwrap().is_empty());
    }
    assert_eq!(log.take(), [""; 0]);
}

/// What others publish is not this call's to discard.
#[test]
fn d6_what_the_caller_published_stays() -> Done {
    let (multi, log) = (MultiBus::new(), Log::default());
    let (own, owner) = (multi.wrap(log.numbers("own ")), multi.orchestrator());
    own.publish(1)?;
    let result = with_orchestrator(Some(&owner), Commit::Real, |buses, _| {
        buses.wrap(log.numbers("call ")).publish(1)?;
        own.publish(2)?;
        owner.wrap(log.numbers("beside ")).publish(3)?;
        Err::<(), Error>(Error::Closed)
    });
    assert!(matches!(result, Err(Error::Closed)));
    multi.apply(Commit::Real)?;
    assert_eq!(log.take(), ["own 1", "own 2", "beside 3"]);
    Ok(())
}

/// Also to clones of the very bus that a call has wrapped.
#[test]
fn d6_what_others_publish_to_the_same_bus_stays() -> Done {
    let (multi, log) = (MultiBus::new(), Log::default());
    let (shared, owner) = (log.numbers("shared "), multi.orchestrator());
    let own = multi.wrap(shared.clone());
    own.publish(1)?;
    for (given, fails) in [(None, true), (Some(&owner), true), (Some(&owner), false)] {
        let result = with_orchestrator(given, Commit::Real, |buses, _| {
            buses.wrap(shared.clone()).publish(2)?;
            own.publish(3)?;
            if fails { Err(Error::Closed) } else { Ok(()) }
        });
        assert_eq!(result.is_err(), fails);
        assert_eq!(log.take(), [""; 0]);
    }
    let applied = multi.apply(Commit::Real)?;
    assert_eq!(applied.events_of(&own), [&1, &3, &3, &3]);
    assert_eq!(
        log.take(),
        ["shared 1", "shared 3", "shared 3", "shared 3", "shared 2"]
    );
    Ok(())
}

/// Without a `finish`, as a part of something larger, nothing runs in the middle even where others apply.
#[test]
fn d6_a_call_is_handed_over_as_one() -> Done {
    let (multi, log) = (MultiBus::new(), Log::default());
    with_orchestrator(Some(&multi.orchestrator()), Commit::Real, |buses, _| {
        let numbers = buses.wrap(log.numbers("n"));
        numbers.publish(1)?;
        assert!(
            multi.apply(Commit::Real)?.is_empty(),
            "it may still give up"
        );
        numbers.publish(2)?;
        Ok::<_, Error>(())
    })?;
    assert_eq!(multi.apply(Commit::Real)?.len(), 2);
    assert_eq!(log.take(), ["n1", "n2"]);
    Ok(())
}

/// What effects publish during the last apply has no other to wait for.
#[test]
fn d6_what_effects_publish_at_the_end_runs_too() -> Done {
    let log = Log::default();
    with_orchestrator(None, Commit::Real, |buses, _| {
        let effects = buses.wrap(BasicBus::new());
        let (again, first, second) = (effects.clone(), log.clone(), log.clone());
        effects.publish(Effect::new("first", move |_| {
            first.write("first");
            let line = second.clone();
            again.publish(Effect::new("second", move |_| {
                line.write("second");
                Ok(())
            }))?;
            Ok(())
        }))?;
        Ok::<_, chanbus::Error>(())
    })?;
    assert_eq!(log.take(), ["first", "second"]);
    Ok(())
}

/// Nothing is lost where the owner goes while the work is done.
#[test]
fn d6_an_owner_that_goes_meanwhile_hands_all_back() {
    let log = Log::default();
    let multi = MultiBus::new();
    let given = multi.orchestrator();
    let mut owner = Some(multi);
    let error = with_orchestrator(Some(&given), Commit::Real, |buses, _| {
        let effects = buses.wrap(BasicBus::new());
        effects.publish(log.effect("a")).unwrap();
        effects.publish(log.effect("b")).unwrap();
        owner = None;
        Ok::<_, ApplyErrorOf<MultiBus>>(())
    })
    .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("`a`, number 1 of 2, failed: its owner has gone")
    );
    let back: Vec<_> = error.into_unapplied();
    let labels = back
        .iter()
        .map(|event| event.downcast_ref::<Effect>().unwrap().label());
    assert_eq!(labels.collect::<Vec<_>>(), ["a", "b"]);
    assert!(log.take().is_empty());
}
