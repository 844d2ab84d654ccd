//! Panics of the user's code, wherever it is called, lose nothing and end no process.

use std::sync::Arc;

use chanbus::{
    BasicBus, BoxError, Commit, Deferred, DeferredBus, DelayedBus, Effect, MultiBus, Publish,
    SideEffect, SideEffectsBus, with_orchestrator,
};

use crate::common::Census;
use crate::kit::{Bomb, ByHand, Told, labels, nothing, numbers, panic_of};

#[test]
fn d1_a_label_that_panics_makes_no_event_fail() {
    let bus = Deferred::by(Told {
        label: Some(|_| panic!("no label")),
        ..Told::default()
    });
    bus.publish_all([1, 2]).unwrap();
    assert_eq!(bus.apply(Commit::Real).unwrap(), [1, 2]);

    let multi = MultiBus::new();
    let handle = multi.wrap(bus);
    handle.publish_all([1, 2]).unwrap();
    let applied = multi.apply(Commit::Real).unwrap();
    assert_eq!(applied.events_of(&handle), [&1, &2]);
}

#[test]
fn d3_an_event_that_cannot_be_collected_fails_by_its_name() {
    let bus = Deferred::by(Told {
        label: Some(|number| Some(format!("number {number}").into())),
        collect: Some(Box::new(|_| panic!("cannot collect"))),
        ..Told::default()
    });
    bus.publish(7).unwrap();
    let delayed = DelayedBus::new(bus);
    let error = delayed.apply_without_delay(Commit::Real).unwrap_err();
    assert_eq!(
        error.to_string(),
        "effect `number 7`, number 1 of 1, failed: it panicked: cannot collect"
    );
}

#[test]
fn d1_an_event_comes_out_of_what_was_collected_whatever_its_captures_do() {
    let bus = Deferred::by(Told {
        collect: Some(Box::new(|_| {
            let bomb = Bomb("captured");
            Box::new(move |_, _| {
                let _ = &bomb;
                Ok(())
            })
        })),
        ..Told::default()
    });
    bus.publish(7).unwrap();
    assert_eq!(bus.collect().remove(0).into_event(), 7);
}

#[test]
fn d5_a_bus_that_panics_as_it_is_collected_takes_nothing_along() {
    let multi = MultiBus::new();
    let before = multi.wrap(BasicBus::new());
    let broken = multi.wrap(ByHand::new(|| panic!("broken")));
    let after = multi.wrap(BasicBus::new());
    before.publish_all([nothing("1"), nothing("2")]).unwrap();
    // Collected already, by a view.
    before.as_deferred().apply(Commit::Real).unwrap();
    before.publish(nothing("3")).unwrap();
    broken.publish(nothing("4")).unwrap();
    after.publish(nothing("5")).unwrap();

    assert_eq!(panic_of(|| multi.apply(Commit::Real)), "broken");
    before.publish(nothing("since")).unwrap();
    let applied = multi.apply(Commit::Real).unwrap();
    let effects: Vec<_> = applied
        .iter()
        .map(|event| event.downcast_ref::<Effect>().unwrap().label())
        .collect();
    assert_eq!(effects, ["1", "2", "3", "since", "4", "5"]);
}

#[test]
fn d5_what_was_fixed_as_it_was_collected_stays_so_where_another_bus_panics() {
    let multi = MultiBus::new();
    let calls = Census::new();
    let counted = calls.clone();
    let numbers = multi.wrap(Deferred::by(Told {
        collect: Some(Box::new(move |_| {
            std::mem::forget(counted.born());
            Box::new(|_, _| Ok(()))
        })),
        ..Told::default()
    }));
    let _broken = multi.wrap(ByHand::new(|| panic!("broken")));
    numbers.publish(1).unwrap();
    numbers.as_deferred().apply(Commit::Real).unwrap();
    assert_eq!(panic_of(|| multi.apply(Commit::Real)), "broken");
    assert_eq!(multi.apply(Commit::Real).unwrap().len(), 1);
    assert_eq!(calls.alive(), 1, "collected once");
}

#[test]
fn d5_what_others_publish_while_a_bus_panics_comes_after_what_was_there() {
    let multi = MultiBus::new();
    let before = multi.wrap(BasicBus::new());
    let meanwhile = before.clone();
    let _broken = multi.wrap(ByHand::new(move || {
        meanwhile.publish(nothing("2")).unwrap();
        // Collected, too, as what was there.
        meanwhile.as_deferred().apply(Commit::Real).unwrap();
        panic!("broken");
    }));
    before.publish(nothing("1")).unwrap();
    assert_eq!(panic_of(|| multi.apply(Commit::Real)), "broken");
    let applied = multi.apply(Commit::Real).unwrap();
    let effects = applied.events_of(&before);
    assert_eq!((effects[0].label(), effects[1].label()), ("1", "2"));
}

#[test]
fn d5_captures_that_panic_while_a_bus_panics_lose_no_event() {
    let multi = MultiBus::new();
    let numbers = multi.wrap(Deferred::by(Told {
        collect: Some(Box::new(|number| {
            let bomb = (*number == 1).then(|| Bomb("captured"));
            Box::new(move |_, _| {
                let _ = &bomb;
                Ok(())
            })
        })),
        ..Told::default()
    }));
    let _broken = multi.wrap(ByHand::new(|| panic!("broken")));
    numbers.publish_all([1, 2, 3]).unwrap();
    assert_eq!(panic_of(|| multi.apply(Commit::Real)), "broken");
    // The captures of the first go as it has run: it has acted, and must not run again.
    let applied = multi.apply(Commit::Real).unwrap();
    assert_eq!(applied.events_of(&numbers), [&1, &2, &3]);
}

#[test]
fn d5_a_multi_bus_that_ends_discards_what_its_handles_published() {
    let multi = MultiBus::new();
    let (first, last) = (BasicBus::new(), BasicBus::new());
    let (in_first, in_last) = (multi.wrap(first.clone()), multi.wrap(last.clone()));
    let captured = Arc::new(());
    for handle in [&in_first, &in_last] {
        let held = Arc::clone(&captured);
        let holds = Effect::new("holds", move |_| {
            let _ = &held;
            Ok(())
        });
        handle.publish(holds).unwrap();
    }
    in_last.as_deferred().apply(Commit::Real).unwrap();
    // What is on the buses themselves is theirs.
    first.publish(nothing("direct")).unwrap();
    drop(multi);
    assert_eq!(Arc::strong_count(&captured), 1);
    assert_eq!((first.len(), last.len()), (1, 0));
}

#[test]
fn d5_two_buses_whose_appliers_panic_as_they_go_end_no_process() {
    let multi = MultiBus::new();
    for text in ["first", "second"] {
        let captured = Some(Bomb(text));
        let told = Told {
            captured,
            ..Told::default()
        };
        drop(multi.wrap(Deferred::by(told)));
    }
    multi.wrap(numbers()).publish(1).unwrap();
    assert_eq!(panic_of(|| drop(multi)), "first");
}

#[test]
fn d5_an_applier_that_panics_as_it_goes_does_so_to_nobody_else() {
    let multi = MultiBus::new();
    let captured = Some(Bomb("of another"));
    drop(multi.wrap(Deferred::by(Told {
        captured,
        ..Told::default()
    })));
    assert_eq!(multi.apply(Commit::Real).unwrap().len(), 0);

    let captured = Some(Bomb("of another"));
    drop(multi.wrap(Deferred::by(Told {
        captured,
        ..Told::default()
    })));
    let kept: Vec<_> = (0..100).map(|_| multi.wrap(numbers())).collect();
    assert_eq!(kept.len(), 100);
}

#[test]
fn d5_events_and_captures_that_both_panic_as_they_go_end_no_process() {
    struct Both;
    impl chanbus::ApplyEvent for Both {
        type Event = Bomb;
        type Error = BoxError;
        fn apply_event(&self, _: &Bomb, _: Commit) -> Result<(), BoxError> {
            Ok(())
        }
        fn collect_event(self: Arc<Self>, _: &Bomb) -> chanbus::Later<Bomb, BoxError> {
            let captured = Bomb("captured");
            Box::new(move |_, _| {
                let _ = &captured;
                Ok(())
            })
        }
    }
    let multi = MultiBus::new();
    let handle = multi.wrap(Deferred::by(Both));
    handle.publish_all([Bomb("first"), Bomb("second")]).unwrap();
    assert_eq!(panic_of(|| multi.discard()), "first");
    handle.publish_all([Bomb("third"), Bomb("fourth")]).unwrap();
    assert_eq!(panic_of(|| drop(multi)), "third");

    let delayed = DelayedBus::new(Deferred::by(Both));
    delayed.publish_all([Bomb("fifth"), Bomb("sixth")]).unwrap();
    delayed.as_deferred().apply(Commit::Real).unwrap();
    assert_eq!(panic_of(|| drop(delayed)), "fifth");
}

#[test]
fn d6_events_that_panic_as_they_go_at_the_end_of_a_call_end_no_process() {
    let said = panic_of(|| {
        with_orchestrator(None, Commit::Real, |buses, _| {
            let events = buses.wrap(Deferred::from_fn(|_: &Bomb, _| Ok(())));
            events.publish_all([Bomb("first"), Bomb("second")])?;
            Ok::<_, BoxError>(())
        })
    });
    assert_eq!(said, "first");
}

#[test]
fn d1_events_that_panic_as_they_go_end_no_process_while_their_thread_panics() {
    let said = panic_of(|| {
        let bus = Deferred::from_fn(|_: &Bomb, _| Ok(()));
        bus.publish_all([Bomb("first"), Bomb("second")]).unwrap();
        let multi = MultiBus::new();
        let handle = multi.wrap(bus);
        let inside = multi.wrap(MultiBus::new());
        handle.publish(Bomb("third")).unwrap();
        let delayed = DelayedBus::new(Deferred::from_fn(|_: &Bomb, _| Ok(())));
        delayed
            .publish_all([Bomb("fourth"), Bomb("fifth")])
            .unwrap();
        delayed.as_deferred().apply(Commit::Real).unwrap();
        delayed
            .publish_all([Bomb("sixth"), Bomb("seventh")])
            .unwrap();
        let _keep = (inside, multi, delayed);
        panic!("the thread")
    });
    assert_eq!(said, "the thread");
}

#[test]
fn d7_a_context_that_cannot_be_taken_out_leaves_the_bus_whole() {
    let bus = SideEffectsBus::new(0);
    let count = |label: &str| {
        SideEffect::new(label, |count: &mut u32, _| {
            *count += 1;
            Ok(())
        })
    };
    bus.publish(count("collected")).unwrap();
    let collected = bus.collect();
    bus.publish(count("waits")).unwrap();
    let bus = bus.into_context().unwrap_err();
    assert_eq!(bus.len(), 1, "what waits still does");
    bus.apply(Commit::Real).unwrap();
    drop(collected);
    assert_eq!(bus.into_context().unwrap(), 1);
}

#[test]
fn d7_an_effect_that_panics_leaves_the_context_to_the_next() {
    let bus = SideEffectsBus::new(Vec::new());
    bus.publish(SideEffect::new("boom", |list: &mut Vec<u32>, _| {
        list.push(1);
        panic!("boom")
    }))
    .unwrap();
    assert!(bus.apply(Commit::Real).unwrap_err().failed.error.is_panic());
    assert_eq!(bus.into_context().unwrap(), [1]);
}

#[test]
fn d1_an_iterator_that_panics_publishes_nothing() {
    let bus = BasicBus::new();
    let multi = MultiBus::new();
    let handle = multi.wrap(bus.clone());
    let broken = || {
        (0..3).map(|n| {
            if n < 2 {
                nothing("early")
            } else {
                panic!("broken")
            }
        })
    };
    assert_eq!(panic_of(|| bus.publish_all(broken())), "broken");
    assert_eq!(panic_of(|| handle.publish_all(broken())), "broken");
    assert!(bus.is_empty());
}

#[test]
fn d3_a_panic_with_a_value_that_panics_as_it_goes_is_the_failure_of_its_event() {
    let bus = BasicBus::new();
    bus.publish(Effect::new("bomb", |_| {
        std::panic::panic_any(Bomb("payload"))
    }))
    .unwrap();
    bus.publish(nothing("after")).unwrap();
    let error = bus.apply(Commit::Real).unwrap_err();
    assert_eq!(
        error.to_string(),
        "effect `bomb`, number 1 of 2, failed: it panicked: a value that is no text"
    );
    assert_eq!(labels(&error.remaining), ["after"]);
}

#[test]
fn d4_events_and_an_applier_that_all_panic_as_they_go_end_no_process() {
    let applier = Bomb("applier");
    let delayed = DelayedBus::new(Deferred::from_fn(move |_: &Bomb, _| {
        let _ = &applier;
        Ok(())
    }));
    delayed
        .publish_all([Bomb("first"), Bomb("second")])
        .unwrap();
    panic_of(|| drop(delayed));
}
