//! D5: a `MultiBus` that lives long remembers only the buses that can still have something to apply.

use std::cell::RefCell;
use std::sync::mpsc::{Sender, channel};

use chanbus::{
    ApplyEvent, BasicBus, BoxError, Commit, Deferred, DeferredBus, MultiBus, Publish,
    with_orchestrator,
};

use crate::common::{Census, Counted, guarded};
use crate::{Done, Log};

/// What applies is counted while it is alive.
struct Alive {
    _counted: Counted,
    log: Log,
}

impl Alive {
    fn bus(census: &Census, log: &Log) -> Deferred<Alive> {
        Deferred::by(Alive {
            _counted: census.born(),
            log: log.clone(),
        })
    }
}

impl ApplyEvent for Alive {
    type Event = u32;
    type Error = BoxError;

    fn apply_event(&self, event: &u32, _: Commit) -> Result<(), BoxError> {
        self.log.write(event.to_string());
        Ok(())
    }
}

#[test]
fn d5_buses_that_nobody_has_are_forgotten_when_they_were_applied() -> Done {
    let (multi, census, log) = (MultiBus::new(), Census::new(), Log::default());
    for round in 0..100 {
        multi.wrap(Alive::bus(&census, &log)).publish(round)?;
        let applied = multi.apply(Commit::Real)?;
        assert_eq!((applied.len(), log.take()), (1, vec![round.to_string()]));
        drop(applied);
        assert!(census.alive() <= 2, "{} after {round}", census.alive());
    }
    assert!(multi.apply(Commit::Real)?.is_empty());
    assert_eq!(census.alive(), 0);
    Ok(())
}

/// Also when nobody applies: those that nothing was published to do not pile up.
#[test]
fn d5_buses_that_nobody_has_are_forgotten_where_only_more_are_wrapped() {
    let (multi, census, log) = (MultiBus::new(), Census::new(), Log::default());
    for _ in 0..10_000 {
        drop(multi.wrap(Alive::bus(&census, &log)));
        assert!(census.alive() <= 16, "{}", census.alive());
    }
    // As many as are in use, and about so many more.
    let used: Vec<_> = (0..100)
        .map(|_| multi.wrap(Alive::bus(&census, &log)))
        .collect();
    for _ in 0..10_000 {
        drop(multi.wrap(Alive::bus(&census, &log)));
        assert!(census.alive() <= 300, "{}", census.alive());
    }
    drop(used);
}

#[test]
fn d5_buses_with_other_handles_are_kept() -> Done {
    let (multi, census, log) = (MultiBus::new(), Census::new(), Log::default());
    let (bus, orphan) = (Alive::bus(&census, &log), Alive::bus(&census, &log));
    drop(multi.wrap(bus.clone()));
    let wrapped = multi.wrap(Alive::bus(&census, &log));
    let view = multi.wrap(Alive::bus(&census, &log)).as_deferred();
    let waiting = multi.wrap(Alive::bus(&census, &log));
    waiting.publish(3)?;
    drop(waiting);
    let collected = multi.wrap(Alive::bus(&census, &log));
    collected.publish(4)?;
    collected.as_deferred().apply(Commit::Real)?;
    drop(collected);
    drop(multi.wrap(orphan));
    for _ in 0..100 {
        drop(multi.wrap(Alive::bus(&census, &log)));
    }
    bus.publish(0)?;
    wrapped.publish(1)?;
    view.publish(2)?;
    assert_eq!(multi.apply(Commit::Real)?.len(), 5);
    assert_eq!(log.take(), ["0", "1", "2", "3", "4"]);
    assert!(multi.apply(Commit::Real)?.is_empty());
    assert_eq!(census.alive(), 3, "those that somebody has");

    // They work as before.
    bus.publish(5)?;
    wrapped.publish(6)?;
    view.publish(7)?;
    assert_eq!(multi.apply(Commit::Real)?.len(), 3);
    drop((bus, wrapped, view));
    assert!(multi.apply(Commit::Real)?.is_empty());
    assert_eq!((log.take().len(), census.alive()), (3, 0));
    Ok(())
}

/// What was handed back can be published again, however many buses came and went.
#[test]
fn d5_buses_of_events_that_may_come_back_are_kept() -> Done {
    let (multi, census, log) = (MultiBus::new(), Census::new(), Log::default());
    multi.wrap(Alive::bus(&census, &log)).publish(1)?;
    let tried = multi.apply(Commit::DryRun)?;
    for _ in 0..100 {
        drop(multi.wrap(Alive::bus(&census, &log)));
        assert!(multi.apply(Commit::Real)?.is_empty());
    }
    assert_eq!(census.alive(), 1);
    multi.publish_all(tried)?;
    assert_eq!(multi.apply(Commit::Real)?.len(), 1);
    assert_eq!(log.take(), ["1", "1"]);
    assert!(multi.apply(Commit::Real)?.is_empty());
    assert_eq!(census.alive(), 0);
    Ok(())
}

/// Such as one bus for each call that has an owner.
#[test]
fn d5_buses_within_buses_are_forgotten() -> Done {
    let (multi, census, log) = (MultiBus::new(), Census::new(), Log::default());
    for round in 0..100 {
        with_orchestrator(Some(&multi.orchestrator()), Commit::Real, |buses, _| {
            with_orchestrator(Some(buses), Commit::Real, |buses, _| {
                buses.wrap(Alive::bus(&census, &log)).publish(round)?;
                Ok::<_, chanbus::Error>(())
            })
        })?;
        assert_eq!(multi.apply(Commit::Real)?.len(), 1);
        assert!(census.alive() <= 2);
    }
    assert!(multi.apply(Commit::Real)?.is_empty());
    assert_eq!((census.alive(), log.take().len()), (0, 100));
    assert!(format!("{multi:?}").contains("parts: 0"));
    Ok(())
}

#[test]
fn d5_buses_behind_pointers_are_forgotten_as_well() -> Done {
    let (multi, census, log) = (MultiBus::new(), Census::new(), Log::default());
    for round in 0..100 {
        let boxed = multi.wrap(Box::new(Alive::bus(&census, &log)));
        let shared = multi.wrap(std::sync::Arc::new(Alive::bus(&census, &log)));
        boxed.publish(round)?;
        shared.publish(round)?;
        drop((boxed, shared));
        assert_eq!(multi.apply(Commit::Real)?.len(), 2);
        assert!(census.alive() <= 4, "{}", census.alive());
    }
    let shared = std::sync::Arc::new(Alive::bus(&census, &log));
    drop(multi.wrap(std::sync::Arc::clone(&shared)));
    assert!(multi.apply(Commit::Real)?.is_empty());
    assert_eq!(census.alive(), 1);
    shared.publish(100)?;
    assert_eq!(multi.apply(Commit::Real)?.len(), 1);
    Ok(())
}

/// All of it goes with the owner.
#[test]
fn d5_an_owner_that_goes_takes_its_buses_along() -> Done {
    let (multi, census, log) = (MultiBus::new(), Census::new(), Log::default());
    let nested = MultiBus::new();
    drop(multi.wrap(nested.clone()));
    let handles: Vec<_> = (0..10)
        .map(|_| nested.wrap(Alive::bus(&census, &log)))
        .collect();
    drop(nested);
    assert_eq!(census.alive(), 10);
    drop(multi);
    assert_eq!(census.alive(), 0, "handles keep nothing");
    assert!(handles[0].publish(1).is_err());
    Ok(())
}

thread_local! {
    /// Goes when its thread ends, after what the crate itself may have there.
    static OF_THE_THREAD: RefCell<Option<(MultiBus, BasicBus, Sender<usize>)>> =
        const { RefCell::new(None) };
}

/// At the end of a thread: what was not applied is discarded, as elsewhere.
#[test]
fn d5_an_owner_may_go_at_the_end_of_its_thread() {
    let effects = BasicBus::new();
    let theirs = effects.clone();
    let (tell, told) = channel();
    guarded(move || {
        OF_THE_THREAD.set(Some((MultiBus::new(), theirs.clone(), tell)));
        OF_THE_THREAD.with_borrow(|of| {
            let Some((multi, ..)) = of else { return };
            // So that whatever it keeps for this thread is younger than the cell.
            assert!(multi.apply(Commit::Real).unwrap().is_empty());
            let wrapped = multi.wrap(theirs);
            wrapped.publish(Log::default().effect("never")).unwrap();
        });
    });
    assert!(told.recv().is_err(), "the cell has gone");
    assert!(effects.is_empty());
}
