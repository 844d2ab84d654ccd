//! D1 and D2 of the plain buses: what is published is applied once, in order, and told.

use std::sync::{Arc, Barrier};
use std::thread;

use chanbus::{
    ApplyEvent, BasicBus, BoxError, Collected, Commit, Deferred, DeferredBus, DelayedBus, Effect,
    Later, MultiBus, Publish, PublishError, SideEffect, SideEffectsBus, Wrapped,
};

use crate::common::guarded;
use crate::{Done, Log, labels};

#[test]
fn d1_apply_runs_all_so_far_in_order_and_clears_and_returns_them() -> Done {
    let (bus, log) = (BasicBus::new(), Log::default());
    assert!(bus.apply(Commit::Real)?.is_empty());
    bus.publish(log.effect("a"))?;
    bus.publish_all([log.effect("b"), log.effect("c")])?;
    bus.publish(log.effect("d"))?;
    assert_eq!((bus.len(), log.take().len()), (4, 0), "nothing runs before");

    let applied = bus.apply(Commit::Real)?;
    assert_eq!(labels(&applied), ["a", "b", "c", "d"]);
    assert_eq!(log.take(), ["a", "b", "c", "d"]);
    assert!(bus.is_empty() && bus.apply(Commit::Real)?.is_empty());
    assert_eq!(log.take(), [""; 0]);

    bus.publish(log.effect("e"))?;
    assert_eq!(labels(&bus.apply(Commit::Real)?), ["e"]);
    assert_eq!(log.take(), ["e"]);
    Ok(())
}

/// One that writes in whatever way it is told, by all that the default could reach.
#[test]
fn d1_by_default_nothing_is_written() -> Done {
    assert_eq!(Commit::default(), Commit::DryRun);
    assert!(Commit::from(true).is_real() && Commit::from(false).is_dry_run());
    assert_eq!(
        (Commit::Real.to_string(), Commit::DryRun.to_string()),
        ("commit".into(), "dry run".into())
    );

    let log = Log::default();
    let (effects, numbers) = (BasicBus::new(), log.numbers("n"));
    effects.publish(log.effect("e"))?;
    numbers.publish(1)?;
    let tried = effects.apply(Commit::default())?;
    assert_eq!(numbers.apply(Commit::default())?, [1]);
    assert_eq!(
        log.take(),
        ["e?"],
        "it was asked, and told that it is a dry run"
    );

    // What was tried is off the bus, and is published again to be done.
    assert!(effects.is_empty() && numbers.is_empty());
    effects.publish_all(tried)?;
    effects.apply(Commit::Real)?;
    assert_eq!(log.take(), ["e"]);
    Ok(())
}

#[test]
fn d1_the_same_commit_reaches_every_effect() -> Done {
    let log = Log::default();
    for commit in [Commit::DryRun, Commit::Real] {
        let (multi, seen) = (MultiBus::new(), Log::default());
        for part in 0..3 {
            let effects = multi.wrap(BasicBus::new());
            let seen = seen.clone();
            effects.publish(Effect::new("", move |commit| {
                seen.write(format!("{part} {commit}"));
                Ok(())
            }))?;
        }
        multi.apply(commit)?;
        for line in seen.take() {
            log.write(line);
        }
    }
    let expected = [
        "0 dry run",
        "1 dry run",
        "2 dry run",
        "0 commit",
        "1 commit",
        "2 commit",
    ];
    assert_eq!(log.take(), expected);
    Ok(())
}

/// One method is all that a bus of one's own needs.
struct Sum(Log);

impl ApplyEvent for Sum {
    type Event = u32;
    type Error = BoxError;

    fn apply_event(&self, event: &u32, commit: Commit) -> Result<(), BoxError> {
        self.0.write(format!("{event} {commit}"));
        Ok(())
    }
}

#[test]
fn d1_one_method_makes_a_bus() -> Done {
    let log = Log::default();
    let bus = Deferred::by(Sum(log.clone()));
    bus.publish_all([1, 2])?;
    assert_eq!(bus.apply(Commit::Real)?, [1, 2]);
    bus.publish(3)?;
    // What is collected does the same, unless it is said otherwise.
    Collected::run_all(bus.collect(), Commit::DryRun)?;
    assert_eq!(log.take(), ["1 commit", "2 commit", "3 dry run"]);
    Ok(())
}

/// What an event does later is fixed where it is collected.
struct Priced {
    price: std::sync::atomic::AtomicU32,
    log: Log,
}

impl ApplyEvent for Priced {
    type Event = &'static str;
    type Error = BoxError;

    fn apply_event(&self, event: &&'static str, _: Commit) -> Result<(), BoxError> {
        self.log.write(format!("{event} now"));
        Ok(())
    }

    fn collect_event(self: Arc<Self>, event: &&'static str) -> Later<&'static str, BoxError> {
        let price = self.price.load(std::sync::atomic::Ordering::SeqCst);
        let name = *event;
        Box::new(move |event, commit| {
            assert_eq!(*event, name, "it is given the event that it was made for");
            self.log.write(format!("{event} for {price}, {commit}"));
            Ok(())
        })
    }
}

#[test]
fn d1_collect_event_can_be_overridden() -> Done {
    let log = Log::default();
    let price = 10.into();
    let bus = Deferred::by(Priced {
        price,
        log: log.clone(),
    });
    bus.publish_all(["pen", "ink"])?;
    let collected = bus.collect();
    bus.applier()
        .price
        .store(99, std::sync::atomic::Ordering::SeqCst);
    assert_eq!(log.take(), [""; 0]);
    assert_eq!(Collected::run_all(collected, Commit::Real)?, ["pen", "ink"]);
    assert_eq!(log.take(), ["pen for 10, commit", "ink for 10, commit"]);

    // An apply does not collect.
    bus.publish("pen")?;
    bus.apply(Commit::Real)?;
    assert_eq!(log.take(), ["pen now"]);

    // What delays and what coordinates collects.
    bus.publish("pen")?;
    let multi = MultiBus::new();
    let pens = multi.wrap(bus.clone());
    assert_eq!(multi.apply(Commit::Real)?.events_of(&pens), [&"pen"]);
    assert_eq!(log.take(), ["pen for 99, commit"]);
    bus.publish("ink")?;
    DelayedBus::new(bus).apply_without_delay(Commit::DryRun)?;
    assert_eq!(log.take(), ["ink for 99, dry run"]);
    Ok(())
}

#[test]
fn d1_collect_empties_the_bus_into_items_that_run_when_they_are_told_to() -> Done {
    let (bus, log) = (BasicBus::new(), Log::default());
    bus.publish_all(["a", "b", "c"].map(|label| log.effect(label)))?;
    let mut collected = bus.collect();
    assert!(bus.is_empty() && bus.apply(Commit::Real)?.is_empty());
    assert_eq!(log.take(), [""; 0], "nothing has run");
    assert_eq!(collected[1].event().label(), "b");
    assert_eq!(collected[1].label(), Some("b"));

    // In any order, more than once if so told, and never where it is dropped or taken apart.
    collected[2].run(Commit::DryRun).unwrap();
    collected[2].run(Commit::Real).unwrap();
    collected[0].run(Commit::Real).unwrap();
    assert_eq!(collected.remove(1).into_event().label(), "b");
    drop(collected);
    assert_eq!(log.take(), ["c?", "c", "a"]);
    Ok(())
}

#[test]
fn d1_what_was_collected_runs_when_the_bus_has_gone() -> Done {
    let (bus, log) = (BasicBus::new(), Log::default());
    bus.publish(log.effect("a"))?;
    let collected = bus.collect();
    drop(bus);
    assert_eq!(labels(&Collected::run_all(collected, Commit::Real)?), ["a"]);
    assert_eq!(log.take(), ["a"]);
    Ok(())
}

#[test]
fn d1_handles_are_one_bus() -> Done {
    let (bus, log) = (BasicBus::new(), Log::default());
    let other = bus.clone();
    other.publish(log.effect("a"))?;
    bus.publish(log.effect("b"))?;
    drop(bus);
    assert_eq!(labels(&other.apply(Commit::Real)?), ["a", "b"]);
    Ok(())
}

#[test]
fn d1_dropping_the_last_handle_discards() -> Done {
    let (bus, log) = (BasicBus::new(), Log::default());
    let census = crate::common::Census::new();
    let (counted, effect) = (census.born(), log.clone());
    bus.publish(Effect::new("a", move |_| {
        let _ = &counted;
        effect.write("a");
        Ok(())
    }))?;
    let other = bus.clone();
    drop(bus);
    assert_eq!(census.alive(), 1, "there is a handle");
    drop(other);
    assert_eq!((census.alive(), log.take().len()), (0, 0));
    Ok(())
}

/// Each thread's events keep their order, those of one `publish_all` stay together, and each comes to one apply.
#[test]
fn d1_any_thread_publishes_and_applies() {
    const EACH: u32 = 300;
    let mut seen: Vec<(u32, u32)> = guarded(|| {
        let bus = Deferred::from_fn(|_: &(u32, u32), _| Ok(()));
        let start = Arc::new(Barrier::new(4));
        let publishers: Vec<_> = (0..3)
            .map(|thread| {
                let (bus, start) = (bus.clone(), Arc::clone(&start));
                thread::spawn(move || {
                    start.wait();
                    for n in (0..EACH).step_by(3) {
                        let three = [n, n + 1, n + 2].map(|n| (thread, n));
                        bus.publish_all(three).unwrap();
                    }
                })
            })
            .collect();
        start.wait();
        let mut seen = Vec::new();
        while !publishers.iter().all(thread::JoinHandle::is_finished) {
            seen.append(&mut bus.apply(Commit::Real).unwrap());
        }
        seen.append(&mut bus.apply(Commit::Real).unwrap());
        for three in seen.chunks(3) {
            let (thread, n) = three[0];
            assert_eq!(three, [(thread, n), (thread, n + 1), (thread, n + 2)]);
        }
        seen
    });
    seen.sort_by_key(|(thread, _)| *thread);
    let expected: Vec<_> = (0..3)
        .flat_map(|thread| (0..EACH).map(move |n| (thread, n)))
        .collect();
    assert!(seen == expected, "nothing is lost, doubled or out of order");
}

/// A part of a program that publishes need not name a type.
fn greet(bus: &dyn Publish<Event = i32>) -> Result<(), PublishError<i32>> {
    bus.publish(7)
}

#[test]
fn d1_publish_is_a_trait_for_whatever_publishes() -> Done {
    let log = Log::default();
    let numbers = log.numbers("n");
    let delayed = DelayedBus::new(numbers.clone());
    let multi = MultiBus::new();
    let wrapped = multi.wrap(numbers.clone());
    greet(&numbers)?;
    greet(&&numbers)?;
    greet(&Arc::new(numbers.clone()))?;
    greet(&Box::new(numbers.clone()))?;
    greet(&delayed)?;
    greet(&delayed.as_deferred())?;
    greet(&wrapped)?;
    greet(&wrapped.as_deferred())?;
    let all: [Box<dyn Publish<Event = i32>>; 2] = [Box::new(delayed.clone()), Box::new(wrapped)];
    for bus in &all {
        greet(&**bus)?;
    }
    assert_eq!(numbers.apply(Commit::Real)?, [7; 4]);
    assert_eq!(delayed.apply_without_delay(Commit::Real)?, [7; 3]);
    assert_eq!(multi.apply(Commit::Real)?.len(), 3);

    // And what applies is one behind a pointer, too.
    fn apply<B: DeferredBus<Event = i32, Applied = Vec<i32>>>(bus: B) -> usize {
        bus.publish_all([1, 2]).unwrap();
        let collected = bus.collect().len();
        bus.publish(3).unwrap();
        collected + bus.apply(Commit::DryRun).map_or(0, |applied| applied.len())
    }
    assert_eq!(apply(&numbers), 3);
    assert_eq!(apply(Arc::new(numbers.clone())), 3);
    assert_eq!(apply(Box::new(numbers)), 3);
    Ok(())
}

/// Checked as this is compiled.
#[test]
fn d1_handles_are_cheap_clones_for_all_threads() {
    fn is_handle<V: Send + Sync + Clone + 'static>() -> usize {
        size_of::<V>()
    }
    fn is_sendable<V: Send + 'static>() {}
    let sizes = [
        is_handle::<BasicBus>(),
        is_handle::<SideEffectsBus<Vec<String>>>(),
        // What is not `Sync` may be a context.
        is_handle::<SideEffectsBus<std::cell::Cell<u32>>>(),
        is_handle::<DelayedBus<BasicBus>>(),
        is_handle::<MultiBus>(),
        is_handle::<chanbus::Orchestrator>(),
    ];
    assert_eq!(sizes, [size_of::<usize>(); 6]);
    assert!(is_handle::<Wrapped<BasicBus>>() <= 2 * size_of::<usize>());
    assert!(is_handle::<chanbus::AsDeferred<BasicBus>>() <= 2 * size_of::<usize>());
    is_sendable::<Effect>();
    is_sendable::<SideEffect<std::cell::Cell<u32>>>();
    is_sendable::<Collected<Effect>>();
    is_sendable::<chanbus::Applied>();
    is_sendable::<chanbus::ApplyErrorOf<BasicBus>>();
    is_sendable::<chanbus::ApplyErrorOf<MultiBus>>();
}
