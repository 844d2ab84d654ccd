//! D3 and D5: destructors that panic, of events and of what applies them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use chanbus::{ApplyEvent, BoxError, Commit, Deferred, DeferredBus, DelayedBus, MultiBus, Publish};

use crate::common::{Census, Hooked, hooked};
use crate::panics::Broken;
use crate::{Done, Log};

fn bombs() -> Deferred<impl ApplyEvent<Event = Hooked>> {
    Deferred::from_fn(|_: &Hooked, _| Ok(()))
}

fn bomb() -> Hooked {
    hooked(|| panic!("an event goes"))
}

/// Each of the others is dropped as well, and once.
#[test]
fn d3_panics_in_destructors_of_events_keep_no_other_from_going() {
    type Way = fn(MultiBus, Bombs);
    let ways: [(&str, Way); 4] = [
        ("discard", |multi, _| {
            multi.discard();
        }),
        ("the last handle of a bus", |multi, bus| {
            // What was wrapped is not left in `multi`.
            drop(multi);
            drop(bus);
        }),
        ("the owner", |multi, _bus| drop(multi)),
        ("a delayed bus", |_, bus| {
            let delayed = DelayedBus::new(bus);
            assert_eq!(delayed.as_deferred().apply(Commit::Real).unwrap(), 4);
            drop(delayed);
        }),
    ];
    for (way, go) in ways {
        let census = Census::new();
        let (multi, bus) = (MultiBus::new(), bombs_and_counted());
        drop(multi.wrap(bus.clone()));
        for n in 0..4 {
            let event = (census.born(), if n % 2 == 0 { bomb() } else { None });
            bus.publish(event).unwrap();
        }
        let result = catch_unwind(AssertUnwindSafe(|| go(multi, bus)));
        assert!(result.is_err(), "{way}: the panic is told to who did it");
        assert_eq!(census.alive(), 0, "{way}");
    }
}

type Bomb = (crate::common::Counted, Hooked);

type BombFn = fn(&Bomb, Commit) -> Result<(), BoxError>;

type Bombs = Deferred<chanbus::FromFn<Bomb, BombFn>>;

fn bombs_and_counted() -> Bombs {
    Deferred::from_fn((|_, _| Ok(())) as BombFn)
}

/// Dropped while the thread panics already, they do not end the process.
#[test]
fn d3_panics_in_destructors_while_the_thread_panics() {
    let census = Census::new();
    let result = catch_unwind(AssertUnwindSafe(|| {
        let (multi, bus) = (MultiBus::new(), bombs_and_counted());
        let delayed = DelayedBus::new(bombs_and_counted());
        let wrapped = multi.wrap(bus.clone());
        for _ in 0..2 {
            bus.publish((census.born(), bomb())).unwrap();
            wrapped.as_deferred().apply(Commit::Real).unwrap();
            bus.publish((census.born(), bomb())).unwrap();
            delayed.publish((census.born(), bomb())).unwrap();
        }
        panic!("the first");
    }));
    let said = result.unwrap_err();
    assert_eq!(said.downcast_ref::<&str>(), Some(&"the first"));
    assert_eq!(census.alive(), 0);
}

/// What applies, goes with a panic.
struct Last(Hooked);

impl ApplyEvent for Last {
    type Event = Hooked;
    type Error = BoxError;

    fn apply_event(&self, _: &Hooked, _: Commit) -> Result<(), BoxError> {
        assert!(self.0.is_some());
        Ok(())
    }
}

/// Its owner let go of it; who wraps or applies later has nothing to do with it.
#[test]
fn d5_a_panic_in_the_destructor_of_a_forgotten_bus_hits_nobody() -> Done {
    let (multi, log) = (MultiBus::new(), Log::default());
    let numbers = multi.wrap(log.numbers("n"));
    let (tell, told) = std::sync::mpsc::channel();
    for _ in 0..100 {
        let tell = tell.clone();
        let last = Last(hooked(move || {
            let _ = tell.send(());
            panic!("a bus goes")
        }));
        drop(multi.wrap(Deferred::by(last)));
    }
    numbers.publish(1)?;
    assert_eq!(multi.apply(Commit::Real)?.events_of(&numbers), [&1]);
    assert_eq!(told.try_iter().count(), 100);
    Ok(())
}

/// All go, whatever panics: events and buses.
#[test]
fn d5_panics_in_destructors_of_buses_keep_no_other_from_going() {
    let census = Census::new();
    let multi = MultiBus::new();
    for _ in 0..3 {
        let counted = census.born();
        let last = Last(hooked(move || {
            let _ = &counted;
            panic!("a bus goes")
        }));
        let bus = multi.wrap(Deferred::by(last));
        bus.publish(bomb()).unwrap();
    }
    assert!(catch_unwind(AssertUnwindSafe(|| drop(multi))).is_err());
    assert_eq!(census.alive(), 0);
}

/// Its owner goes, and cannot ask it; the others' events go all the same.
#[test]
fn d3_a_panic_in_collect_stops_no_destructor() {
    let census = Census::new();
    let multi = MultiBus::new();
    let bus = bombs();
    let counted = census.born();
    bus.publish(hooked(move || {
        let _ = &counted;
    }))
    .unwrap();
    drop(multi.wrap(Broken));
    drop(multi.wrap(bus));
    drop(multi);
    assert_eq!(census.alive(), 0);
}
