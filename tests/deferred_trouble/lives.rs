//! Handles that go in every order, also on other threads, and what lives on then.

use std::cell::RefCell;
use std::sync::Arc;
use std::thread;

use chanbus::{
    BasicBus, BoxError, Collected, Commit, Deferred, DeferredBus, DelayedBus, MultiBus, Publish,
    with_orchestrator,
};

use crate::common::{Census, guarded};
use crate::kit::{ByHand, labels, nothing, numbers};

thread_local! {
    static LAST: RefCell<Option<MultiBus>> = const { RefCell::new(None) };
}

#[test]
fn d5_a_multi_bus_that_goes_with_its_thread_discards_what_was_not_applied() {
    let bus = BasicBus::new();
    let outside = bus.clone();
    thread::spawn(move || {
        LAST.with(|_| {});
        let multi = MultiBus::new();
        let _handle = multi.wrap(bus);
        multi.apply(Commit::Real).unwrap();
        LAST.set(Some(multi));
    })
    .join()
    .unwrap();
    assert_eq!(outside.len(), 0);
    let again = outside.clone();
    thread::spawn(move || {
        LAST.with(|_| {});
        let multi = MultiBus::new();
        let handle = multi.wrap(again);
        multi.apply(Commit::Real).unwrap();
        handle.publish(nothing("never")).unwrap();
        LAST.set(Some(multi));
    })
    .join()
    .unwrap();
    assert_eq!(outside.len(), 0, "discarded");
}

#[test]
fn d5_a_view_of_a_multi_bus_that_has_gone_takes_nothing_off_the_bus() {
    let bus = BasicBus::new();
    let multi = MultiBus::new();
    let view = multi.wrap(bus.clone()).as_deferred();
    drop(multi);
    bus.publish(nothing("the owner's own")).unwrap();
    assert_eq!(view.apply(Commit::Real).unwrap(), 0);
    assert!(view.collect().is_empty());
    assert_eq!(
        labels(&bus.apply(Commit::Real).unwrap()),
        ["the owner's own"]
    );
}

#[test]
fn d5_those_who_publish_are_told_also_where_their_own_iterator_ends_the_owner() {
    for by_view in [false, true] {
        let mut multi = Some(MultiBus::new());
        let handle = multi.as_ref().unwrap().wrap(numbers());
        let events = [1, 2]
            .map(|number| number)
            .into_iter()
            .inspect(|_| multi = None);
        let said = match by_view {
            true => handle.as_deferred().publish_all(events),
            false => handle.publish_all(events),
        };
        assert_eq!(said.unwrap_err().into_inner(), [1, 2]);
    }
}

/// How many parts it has; they are looked through when it is applied.
fn parts(multi: &MultiBus) -> usize {
    multi.apply(Commit::Real).unwrap();
    let text = format!("{multi:?}");
    let number: String = text.chars().filter(char::is_ascii_digit).collect();
    number.parse().unwrap()
}

#[test]
fn d5_a_multi_bus_forgets_buses_that_came_for_one_request() {
    let multi = MultiBus::new();
    let other = DelayedBus::new(numbers());
    let alive = Census::new();
    for _ in 0..100 {
        let counted = alive.born();
        let bus = Deferred::from_fn(move |_: &u32, _| {
            let _ = &counted;
            Ok(())
        });
        let handle = multi.wrap(bus);
        handle.publish(1).unwrap();
        handle.as_deferred().apply(Commit::Real).unwrap();
        let inner = MultiBus::new();
        let nested = multi.wrap(inner.clone());
        let deep = inner.orchestrator().wrap(numbers());
        deep.publish(1).unwrap();
        with_orchestrator(Some(&multi.orchestrator()), Commit::Real, |buses, _| {
            buses.wrap(numbers()).publish(1)?;
            Ok::<_, BoxError>(())
        })
        .unwrap();
        multi.wrap(Box::new(numbers())).publish(1).unwrap();
        multi
            .wrap(std::sync::Arc::new(numbers()))
            .publish(1)
            .unwrap();
        drop(multi.wrap(other.as_deferred()));
        drop((handle, nested, deep, inner));
        assert_eq!(multi.apply(Commit::Real).unwrap().len(), 5);
    }
    assert_eq!(parts(&multi), 0);
    assert_eq!(alive.alive(), 0);
}

#[test]
fn d5_a_multi_bus_that_is_never_applied_forgets_them_too() {
    let multi = MultiBus::new();
    let alive = Census::new();
    for _ in 0..1_000 {
        let counted = alive.born();
        drop(multi.wrap(Deferred::from_fn(move |_: &u32, _| {
            let _ = &counted;
            Ok(())
        })));
        assert!(alive.alive() < 20);
    }
}

#[test]
fn d1_what_was_collected_runs_on_another_thread_when_all_handles_have_gone() {
    let ran = Census::new();
    let counted = ran.clone();
    let multi = MultiBus::new();
    let handle = multi.wrap(Deferred::from_fn(move |_: &u32, _| {
        std::mem::forget(counted.born());
        Ok(())
    }));
    handle.publish_all([1, 2]).unwrap();
    let collected = multi.collect();
    drop((multi, handle));
    thread::spawn(move || Collected::run_all(collected, Commit::Real).unwrap().len())
        .join()
        .unwrap();
    assert_eq!(ran.alive(), 2);
}

#[test]
fn d5_two_hundred_buses_in_each_other_apply_and_end() {
    guarded(|| {
        let outer = MultiBus::new();
        let mut inner = outer.clone();
        for _ in 0..200 {
            let next = MultiBus::new();
            drop(inner.wrap(next.clone()));
            inner = next;
        }
        let handle = inner.wrap(numbers());
        handle.publish_all([1, 2]).unwrap();
        let applied = outer.apply(Commit::DryRun).unwrap();
        assert_eq!(applied.events_of(&handle), [&1, &2]);
        assert_eq!(applied.iter().next().unwrap().downcast_ref(), Some(&1_u32));
        outer.publish_all(applied).unwrap();
        assert_eq!(outer.apply(Commit::Real).unwrap().len(), 2);
        handle.publish(3).unwrap();
        drop(inner);
        drop(outer);
        assert!(handle.publish(4).is_err());
    });
}

#[test]
fn d5_buses_in_a_circle_apply_each_event_once() {
    guarded(|| {
        let (one, two) = (MultiBus::new(), MultiBus::new());
        let (a, b) = (one.wrap(numbers()), two.wrap(numbers()));
        drop(one.wrap(two.clone()));
        drop(two.wrap(one.clone()));
        drop(one.wrap(one.clone()));
        a.publish(1).unwrap();
        b.publish(2).unwrap();
        let applied = one.apply(Commit::DryRun).unwrap();
        assert_eq!(
            (applied.events_of(&a), applied.events_of(&b)),
            (vec![&1], vec![&2])
        );
        one.publish_all(applied).unwrap();
        assert_eq!(two.discard(), 2);
        assert!(one.apply(Commit::Real).unwrap().is_empty());
    });
}

#[test]
fn d5_events_are_published_again_only_where_they_came_from() {
    let (one, two) = (MultiBus::new(), MultiBus::new());
    one.wrap(numbers()).publish(1).unwrap();
    let applied = one.apply(Commit::DryRun).unwrap();
    let back = two.publish_all(applied).unwrap_err().into_inner();
    assert_eq!(back.len(), 1);
    // Nobody has a handle any more, and still it finds its way home.
    one.publish_all(back).unwrap();
    let applied = one.apply(Commit::DryRun).unwrap();
    assert_eq!(applied.len(), 1);
    drop(one);
    let back = two.publish_all(applied).unwrap_err().into_inner();
    assert_eq!(back[0].downcast_ref(), Some(&1_u32));
}

/// A bus that cannot be had apart cannot tell either, and lets go of all.
#[test]
fn d6_a_call_that_fails_leaves_nothing_on_a_bus_by_hand() {
    let by_hand = Arc::new(ByHand::new(|| ()));
    let result = with_orchestrator(None, Commit::Real, |buses, _| {
        buses.wrap(Arc::clone(&by_hand)).publish(nothing("1"))?;
        assert_eq!(by_hand.inner.len(), 1);
        Err::<(), BoxError>("no".into())
    });
    assert!(result.is_err());
    assert!(by_hand.inner.is_empty());
}

/// An owner that goes lets go of what is its own: a `MultiBus` in it goes on, if somebody has it.
#[test]
fn d5_a_multi_bus_inside_outlives_the_outer_one() {
    let (outer, inner) = (MultiBus::new(), MultiBus::new());
    let inside = outer.wrap(inner.clone());
    let effects = inner.wrap(BasicBus::new());
    effects.publish(nothing("1")).unwrap();
    drop(outer);
    assert_eq!(inside.as_deferred().apply(Commit::Real).unwrap(), 0);
    assert_eq!(
        inner.apply(Commit::Real).unwrap().events_of(&effects).len(),
        1
    );
}

/// A view collects for its owner what was published for it, and not what others have on the bus.
#[test]
fn d4_a_view_takes_nothing_of_others_along() {
    let bus = BasicBus::new();
    let delayed = DelayedBus::new(bus.clone());
    bus.publish(nothing("theirs")).unwrap();
    delayed.publish(nothing("ours")).unwrap();
    assert_eq!(delayed.as_deferred().apply(Commit::Real).unwrap(), 1);
    drop(delayed);
    assert_eq!(labels(&bus.apply(Commit::Real).unwrap()), ["theirs"]);
}

/// What is published at once comes at once, also by handles that wrap a bus.
#[test]
fn d1_lists_of_several_threads_do_not_mix() {
    const EACH: u32 = 50;
    const ROUNDS: u32 = 1000;
    guarded(|| {
        let multi = MultiBus::new();
        let (wrapped, delayed) = (multi.wrap(numbers()), DelayedBus::new(numbers()));
        let begin = std::sync::Barrier::new(2);
        std::thread::scope(|threads| {
            for thread in 0..2 {
                let (wrapped, delayed, begin) = (&wrapped, &delayed, &begin);
                threads.spawn(move || {
                    begin.wait();
                    for round in 0..ROUNDS {
                        let first = (thread * ROUNDS + round) * EACH;
                        wrapped.publish_all(first..first + EACH).unwrap();
                        delayed.publish_all(first..first + EACH).unwrap();
                    }
                });
            }
        });
        let whole = |list: &[u32]| list.iter().zip(list[0]..).all(|(is, should)| *is == should);
        let all = delayed.apply_without_delay(Commit::Real).unwrap();
        assert_eq!(all.len() as u32, 2 * ROUNDS * EACH);
        assert!(all.chunks(EACH as usize).all(whole));
        let applied = multi.apply(Commit::Real).unwrap();
        let all: Vec<u32> = applied.events_of(&wrapped).into_iter().copied().collect();
        assert_eq!(all.len() as u32, 2 * ROUNDS * EACH);
        assert!(all.chunks(EACH as usize).all(whole));
    });
}
