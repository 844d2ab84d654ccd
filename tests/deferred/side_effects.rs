//! D7: one context for all side effects of a bus.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use chanbus::{
    BoxError, Collected, Commit, DeferredBus, DelayedBus, MultiBus, Publish, SideEffect,
    SideEffectsBus,
};

use crate::Done;
use crate::common::{Census, guarded};

type Sums = Vec<u32>;

/// Adds what it is to the context, unless this is a dry run.
fn add(n: u32) -> SideEffect<Sums> {
    SideEffect::new(format!("add {n}"), move |sums: &mut Sums, commit| {
        if commit.is_real() {
            sums.push(n);
        }
        Ok(())
    })
}

#[test]
fn d7_every_effect_is_given_the_one_context() -> Done {
    let bus = SideEffectsBus::new(Sums::new());
    bus.publish_all([add(1), add(2)])?;
    assert!(bus.context()?.is_empty());
    let applied = bus.apply(Commit::default())?;
    assert!(bus.context()?.is_empty(), "nothing by default");
    bus.publish_all(applied)?;
    let applied = bus.apply(Commit::Real)?;
    assert_eq!(applied[1].label(), "add 2");
    assert_eq!(*bus.context()?, [1, 2]);
    Ok(())
}

#[test]
fn d7_the_context_lives_as_long_as_the_bus() -> Done {
    let census = Census::new();
    let bus = SideEffectsBus::new((census.born(), Sums::new()));
    for n in 0..3 {
        bus.publish(SideEffect::new("", move |(_, sums): &mut (_, Sums), _| {
            sums.push(n);
            Ok(())
        }))?;
        bus.apply(Commit::Real)?;
    }
    assert_eq!((&bus.context()?.1, census.alive()), (&vec![0, 1, 2], 1));
    let context = bus
        .into_context()
        .map_err(|_| "there is one handle")
        .unwrap();
    assert_eq!((context.1.len(), census.alive()), (3, 1));
    drop(context);
    assert_eq!(census.alive(), 0);
    Ok(())
}

#[test]
fn d7_the_context_stays_after_a_failure_and_a_panic() -> Done {
    let bus = SideEffectsBus::new(Sums::new());
    let fails = |panics: bool| {
        SideEffect::new("x", move |sums: &mut Sums, _| {
            sums.push(9);
            assert!(!panics, "it panics");
            Err("it fails".into())
        })
    };
    bus.publish_all([add(1), fails(false), add(2)])?;
    let error = bus.apply(Commit::Real).unwrap_err();
    assert_eq!(
        error.to_string(),
        "effect `x`, number 2 of 3, failed: it fails"
    );
    assert_eq!(*bus.context()?, [1, 9]);
    bus.publish(fails(true))?;
    bus.publish_all(error.remaining)?;
    let error = bus.apply(Commit::Real).unwrap_err();
    assert!(error.failed.error.is_panic());
    assert_eq!(*bus.context()?, [1, 9, 9], "as it was left");
    bus.publish_all(error.remaining)?;
    bus.apply(Commit::Real)?;
    assert_eq!(*bus.context()?, [1, 9, 9, 2]);

    // A guard in a panic lets go as well.
    let result = catch_unwind(AssertUnwindSafe(|| {
        let mut sums = bus.context().unwrap();
        sums.clear();
        panic!("with the guard");
    }));
    assert!(result.is_err() && bus.context()?.is_empty());
    Ok(())
}

#[test]
fn d7_another_context_for_each_apply() -> Done {
    let bus = SideEffectsBus::new(Sums::new());
    for n in 0..3 {
        bus.publish(add(n))?;
        bus.apply(Commit::Real)?;
        assert_eq!(bus.reset_context(Sums::new())?, [n]);
    }
    assert!(bus.context()?.is_empty());
    let held = bus.context()?;
    assert!(bus.reset_context(vec![7]).is_err());
    assert!(held.is_empty());
    Ok(())
}

#[test]
fn d7_the_context_comes_out_when_this_is_the_last_handle() -> Done {
    let bus = SideEffectsBus::new(Sums::new());
    let other = bus.clone();
    bus.publish(add(1))?;
    let bus = bus.into_context().unwrap_err();
    assert_eq!(bus.len(), 1, "it comes back as it was");
    drop(other);

    // What is collected is given it, too.
    let collected = bus.collect();
    bus.publish(add(2))?;
    let bus = bus.into_context().unwrap_err();
    assert_eq!(bus.len(), 1, "and nothing is lost");
    Collected::run_all(collected, Commit::Real)?;
    bus.apply(Commit::Real)?;
    assert_eq!(*bus.context()?, [1, 2]);

    let census = Census::new();
    let counted = census.born();
    bus.publish(SideEffect::new("never", move |_, _| {
        let _ = &counted;
        Ok(())
    }))?;
    assert_eq!(bus.into_context().unwrap(), [1, 2]);
    assert_eq!(census.alive(), 0);
    Ok(())
}

/// It would wait for itself, and is told.
#[test]
fn d7_an_effect_that_asks_for_the_context_again_is_told() -> Done {
    guarded(|| {
        let bus = SideEffectsBus::new(Sums::new());
        let inside = bus.clone();
        bus.publish(add(1))?;
        bus.publish(SideEffect::new("asks", move |sums: &mut Sums, _| {
            assert!(inside.context().is_err());
            assert!(inside.reset_context(Sums::new()).is_err());
            inside.publish(add(2))?;
            // Effects inside of effects are given nothing, and come back.
            let error = inside.apply(Commit::Real).unwrap_err();
            assert!(
                error.to_string().contains("this thread holds the context"),
                "{error}"
            );
            inside.publish_all(error.into_unapplied())?;
            sums.push(7);
            Ok(())
        }))?;
        bus.apply(Commit::Real)?;
        assert_eq!(*bus.context()?, [1, 7]);
        bus.apply(Commit::Real)?;
        assert_eq!(*bus.context()?, [1, 7, 2]);

        let held = bus.context()?;
        bus.publish(add(3))?;
        let error = bus.apply(Commit::Real).unwrap_err();
        drop(held);
        bus.publish_all(error.into_unapplied())?;
        bus.apply(Commit::Real)?;
        assert_eq!(bus.context()?.last(), Some(&3));
        Ok(())
    })
}

/// Another bus's context is another matter.
#[test]
fn d7_buses_have_contexts_of_their_own() -> Done {
    let (one, two) = (SideEffectsBus::new(1), SideEffectsBus::new(2));
    let other = two.clone();
    one.publish(SideEffect::new("swap", move |number: &mut i32, _| {
        std::mem::swap(number, &mut *other.context()?);
        Ok(())
    }))?;
    one.apply(Commit::Real)?;
    assert_eq!((*one.context()?, *two.context()?), (2, 1));
    Ok(())
}

/// Effects of two applies have it one at a time, and none is lost.
#[test]
fn d7_threads_share_the_context_one_at_a_time() {
    let sum = guarded(|| {
        // Not `Sync`: that only one has it is all that it takes.
        let bus = SideEffectsBus::new(Cell::new(0));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let bus = bus.clone();
                thread::spawn(move || {
                    for _ in 0..500 {
                        let add = |sum: &mut Cell<u32>, _: Commit| -> Result<(), BoxError> {
                            let before = sum.get();
                            thread::yield_now();
                            sum.set(before + 1);
                            Ok(())
                        };
                        bus.publish(SideEffect::new("", add)).unwrap();
                        bus.apply(Commit::Real).unwrap();
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(bus.is_empty());
        bus.into_context().unwrap().get()
    });
    assert_eq!(sum, 2_000);
}

/// Who finds it held by another thread waits, and has it then.
#[test]
fn d7_an_apply_waits_for_who_holds_the_context() {
    guarded(|| {
        let bus = Arc::new(SideEffectsBus::new(Sums::new()));
        let mut held = bus.context().unwrap();
        let (tell, told) = channel();
        let other = Arc::clone(&bus);
        let thread = thread::spawn(move || {
            other.publish(add(2)).unwrap();
            tell.send(()).unwrap();
            other.apply(Commit::Real).unwrap().len()
        });
        told.recv().unwrap();
        // Whether it is waiting already or is about to: it comes after this.
        held.push(1);
        drop(held);
        assert_eq!(thread.join().unwrap(), 1);
        assert_eq!(*bus.context().unwrap(), [1, 2]);
    });
}

#[test]
fn d7_the_context_is_the_same_behind_other_buses() -> Done {
    let bus = SideEffectsBus::new(Sums::new());
    let (multi, delayed) = (MultiBus::new(), DelayedBus::new(bus.clone()));
    let wrapped = multi.wrap(bus.clone());
    wrapped.publish(add(1))?;
    assert_eq!(
        multi.apply(Commit::Real)?.events_of(&wrapped)[0].label(),
        "add 1"
    );
    delayed.publish(add(2))?;
    delayed.apply_without_delay(Commit::Real)?;
    bus.publish(add(3))?;
    bus.apply(Commit::Real)?;
    assert_eq!(*bus.context()?, [1, 2, 3]);
    assert!(format!("{:?} {:?}", bus.context()?, bus).contains("[1, 2, 3]"));
    Ok(())
}

/// The context comes out, whatever the effects do as they go.
#[test]
fn d7_the_context_comes_out_where_destructors_panic() {
    struct Goes;
    impl Drop for Goes {
        fn drop(&mut self) {
            panic!("goes");
        }
    }
    let bus = SideEffectsBus::new(7);
    let goes = Goes;
    bus.publish(SideEffect::new("never", move |_, _| {
        let _ = &goes;
        Ok(())
    }))
    .unwrap();
    assert_eq!(bus.into_context().unwrap(), 7);
}
