//! D5: buses within buses, three deep, in circles, and all at once.

use chanbus::{Applied, BasicBus, Commit, DeferredBus, DelayedBus, Effect, MultiBus, Publish};

use crate::common::guarded;
use crate::{Done, Log};

#[test]
fn d5_they_nest_three_deep_and_each_event_runs_once() -> Done {
    let log = Log::default();
    let [one, two, three] = [(); 3].map(|()| MultiBus::new());
    let first = one.wrap(log.numbers("1a "));
    let in_one = one.wrap(two.clone());
    let second = two.wrap(log.numbers("2a "));
    let in_two = two.wrap(three.clone());
    let third = three.wrap(log.numbers("3 "));
    let second_after = two.wrap(log.numbers("2b "));
    let first_after = one.wrap(log.numbers("1b "));
    for numbers in [&first_after, &second_after, &third, &second, &first] {
        numbers.publish_all([1, 2])?;
    }

    let applied = one.apply(Commit::Real)?;
    let expected = [
        "1a 1", "1a 2", "2a 1", "2a 2", "3 1", "3 2", "2b 1", "2b 2", "1b 1", "1b 2",
    ];
    assert_eq!(log.take(), expected);
    assert_eq!(applied.len(), 10);
    for numbers in [&first, &second, &third, &second_after, &first_after] {
        assert_eq!(applied.events_of(numbers), [&1, &2]);
    }
    // Those of a bus that is one of many are all events inside of it.
    assert_eq!(applied.events_of(&in_one).len(), 6);
    let deep = applied.events_of(&in_two);
    assert_eq!(
        deep.iter()
            .filter_map(|event| event.downcast_ref::<i32>())
            .sum::<i32>(),
        3
    );
    for multi in [&one, &two, &three] {
        assert!(multi.apply(Commit::Real)?.is_empty());
    }
    assert_eq!(log.take(), [""; 0]);
    Ok(())
}

/// Who owns a part of the tree may apply that part.
#[test]
fn d5_the_inner_ones_can_be_applied_by_themselves() -> Done {
    let log = Log::default();
    let (outer, inner) = (MultiBus::new(), MultiBus::new());
    let own = outer.wrap(log.numbers("outer "));
    drop(outer.wrap(inner.clone()));
    let deep = inner.wrap(log.numbers("inner "));
    own.publish(1)?;
    deep.publish(2)?;
    assert_eq!(inner.apply(Commit::Real)?.events_of(&deep), [&2]);
    deep.publish(3)?;
    let applied = outer.apply(Commit::Real)?;
    assert_eq!(
        (applied.events_of(&own), applied.events_of(&deep)),
        (vec![&1], vec![&3])
    );
    assert_eq!(log.take(), ["inner 2", "outer 1", "inner 3"]);
    Ok(())
}

#[test]
fn d5_delayed_buses_nest_as_well() -> Done {
    let log = Log::default();
    let [one, two] = [(); 2].map(|()| MultiBus::new());
    let numbers = two.wrap(log.numbers("n"));
    let inside = one.wrap(two.clone());
    // Collected on three floors.
    numbers.publish(1)?;
    assert_eq!(numbers.as_deferred().apply(Commit::Real)?, 1);
    assert_eq!(inside.as_deferred().apply(Commit::Real)?, 1);
    numbers.publish(2)?;
    let delayed = DelayedBus::new(one.clone());
    assert_eq!(delayed.as_deferred().apply(Commit::Real)?, 2);
    numbers.publish(3)?;
    assert_eq!(log.take(), [""; 0]);
    let applied = delayed.apply_without_delay(Commit::Real)?;
    let numbers: Vec<_> = applied
        .iter()
        .filter_map(|event| event.downcast_ref::<i32>())
        .collect();
    assert_eq!(numbers, [&1, &2, &3]);
    assert_eq!(log.take(), ["n1", "n2", "n3"]);
    Ok(())
}

#[test]
fn d5_a_bus_wrapped_in_itself_runs_nothing_twice() {
    guarded(|| {
        let (multi, log) = (MultiBus::new(), Log::default());
        let before = multi.wrap(log.numbers("before "));
        let inside = multi.wrap(multi.clone());
        let after = multi.wrap(log.numbers("after "));
        for round in 0..2 {
            after.publish(round).unwrap();
            before.publish(round).unwrap();
            assert!(inside.as_deferred().apply(Commit::Real).is_ok());
            let applied = multi.apply(Commit::Real).unwrap();
            assert_eq!(applied.len(), 2);
            assert_eq!(applied.events_of(&before), [&round]);
            assert_eq!(applied.events_of(&after), [&round]);
            let mut lines = log.take();
            lines.sort();
            assert_eq!(lines, [format!("after {round}"), format!("before {round}")]);
        }
        before.publish(9).unwrap();
        assert_eq!((multi.discard(), multi.discard()), (1, 0));
        assert!(format!("{multi:?}").contains("MultiBus"));
    });
}

#[test]
fn d5_buses_wrapped_in_one_another_run_nothing_twice() {
    guarded(|| {
        let log = Log::default();
        let buses = [(); 3].map(|()| MultiBus::new());
        for (n, bus) in buses.iter().enumerate() {
            drop(bus.wrap(buses[(n + 1) % 3].clone()));
        }
        let parts =
            [("a", 0), ("b", 1), ("c", 2)].map(|(name, n)| buses[n].wrap(log.numbers(name)));
        for bus in &buses {
            for part in &parts {
                part.publish_all([1, 2]).unwrap();
            }
            let applied = bus.apply(Commit::Real).unwrap();
            assert_eq!(applied.len(), 6);
            for part in &parts {
                assert_eq!(applied.events_of(part), [&1, &2]);
            }
            let mut lines = log.take();
            lines.sort();
            assert_eq!(lines, ["a1", "a2", "b1", "b2", "c1", "c2"]);
        }
    });
}

/// Two threads that ask the same circle from two of its ends wait for nobody, and have all of it once.
#[test]
fn d5_a_circle_can_be_applied_by_two_threads() {
    guarded(|| {
        let log = Log::default();
        let (one, two) = (MultiBus::new(), MultiBus::new());
        drop(one.wrap(two.clone()));
        drop(two.wrap(one.clone()));
        let (a, b) = (one.wrap(log.numbers("a")), two.wrap(log.numbers("b")));
        let start = std::sync::Barrier::new(2);
        let apply = |multi: &MultiBus, numbers: &chanbus::Wrapped<_>| {
            start.wait();
            let mut count = 0;
            for n in 0..200 {
                numbers.publish(n).unwrap();
                count += multi.apply(Commit::Real).as_ref().map_or(0, Applied::len);
            }
            count
        };
        let count = std::thread::scope(|scope| {
            let other = scope.spawn(|| apply(&two, &b));
            apply(&one, &a) + other.join().unwrap()
        });
        let rest = one.apply(Commit::Real).unwrap().len();
        assert_eq!(count + rest, 400);
        let mut lines = log.take();
        assert_eq!(lines.len(), 400);
        lines.sort();
        lines.dedup();
        assert_eq!(lines.len(), 400, "each once");
    });
}

/// An effect is of the bus that it was published to, however deep the tree.
#[test]
fn d5_a_deep_tree_is_applied_from_its_top() -> Done {
    let log = Log::default();
    let top = MultiBus::new();
    let mut at = top.clone();
    let mut all = Vec::new();
    for depth in 0..50 {
        let effects = at.wrap(BasicBus::new());
        effects.publish(log.effect(&depth.to_string()))?;
        all.push(effects);
        let next = MultiBus::new();
        drop(at.wrap(next.clone()));
        at = next;
    }
    let applied = top.apply(Commit::Real)?;
    assert_eq!(
        log.take(),
        (0..50).map(|depth| depth.to_string()).collect::<Vec<_>>()
    );
    for (depth, effects) in all.iter().enumerate() {
        let own: Vec<&Effect> = applied.events_of(effects);
        assert_eq!((own.len(), own[0].label()), (1, &*depth.to_string()));
    }
    Ok(())
}
