//! D3: panics at each place where code of the user's runs. They become errors, or end where they are; nothing is lost,
//! nothing runs twice, and nobody else is hit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use chanbus::{
    ApplyErrorOf, ApplyEvent, BasicBus, BoxError, Collected, Commit, Deferred, DeferredBus,
    DelayedBus, Effect, Later, MultiBus, Publish, PublishError,
};

use crate::common::{OnDrop, guarded, hooked};
use crate::{Done, Log, Numbers, labels};

/// Panics where its event says.
struct Fragile(Log);

#[derive(Clone, Copy, PartialEq, Debug)]
enum Place {
    Nowhere,
    Apply,
    Collect,
    Later,
    LaterGoes,
    Label,
    LabelOfAFailure,
}

impl ApplyEvent for Fragile {
    type Event = (u32, Place);
    type Error = BoxError;

    fn apply_event(&self, (n, place): &(u32, Place), _: Commit) -> Result<(), BoxError> {
        self.0.write(n.to_string());
        match place {
            Place::Apply => panic!("applying {n}"),
            Place::LabelOfAFailure => Err("no".into()),
            _ => Ok(()),
        }
    }

    fn collect_event(self: Arc<Self>, (n, place): &(u32, Place)) -> Later<(u32, Place), BoxError> {
        let (n, place) = (*n, *place);
        assert!(place != Place::Collect, "collecting {n}");
        let goes = OnDrop(move || assert!(place != Place::LaterGoes, "{n} goes"));
        Box::new(move |event, commit| {
            let _ = &goes;
            assert!(place != Place::Later, "running {n}");
            self.apply_event(event, commit)
        })
    }

    fn label(&self, (n, place): &(u32, Place)) -> Option<Arc<str>> {
        assert!(
            !matches!(place, Place::Label | Place::LabelOfAFailure),
            "labelling {n}"
        );
        Some(format!("number {n}").into())
    }
}

/// The second of three events panics at this place; how far the apply comes, and what the error says.
fn on_all_ways(place: Place, direct: Option<&str>, collected: Option<&str>) -> Done {
    let log = Log::default();
    let events = [(1, Place::Nowhere), (2, place), (3, Place::Nowhere)];
    type Way = fn(&Deferred<Fragile>) -> Result<Vec<(u32, Place)>, ApplyErrorOf<Deferred<Fragile>>>;
    let ways: [(&str, Option<&str>, Way); 3] = [
        ("apply", direct, |bus| bus.apply(Commit::Real)),
        ("run_all", collected, |bus| {
            Collected::run_all(bus.collect(), Commit::Real)
        }),
        ("delayed", collected, |bus| {
            DelayedBus::new(bus.clone()).apply_without_delay(Commit::Real)
        }),
    ];
    for (way, said, apply) in ways {
        let bus = Deferred::by(Fragile(log.clone()));
        bus.publish_all(events)?;
        match (apply(&bus), said) {
            (Ok(applied), None) => assert_eq!((applied, log.take().len()), (events.to_vec(), 3)),
            (Err(error), Some(said)) => {
                assert_eq!(error.to_string(), said, "{way}");
                assert_eq!(
                    (error.applied.as_slice(), error.failed.event),
                    (&events[..1], events[1])
                );
                assert_eq!(error.remaining, events[2..], "{way}");
                assert!(log.take().iter().all(|n| n != "3"), "{way}");
                bus.publish_all(error.remaining)?;
            }
            (other, said) => panic!("{way}: {other:?} where {said:?} was expected"),
        }
        // The bus is as before.
        bus.publish((4, Place::Nowhere))?;
        assert_eq!(bus.apply(Commit::Real)?.last(), Some(&(4, Place::Nowhere)));
        log.take();
    }

    let (multi, other) = (MultiBus::new(), log.numbers("other "));
    let bus = multi.wrap(Deferred::by(Fragile(log.clone())));
    let other = multi.wrap(other);
    bus.publish_all(events)?;
    other.publish(5)?;
    match (multi.apply(Commit::Real), collected) {
        (Ok(applied), None) => assert_eq!(applied.len(), 4),
        (Err(error), Some(said)) => {
            assert_eq!(error.to_string().replace("of 4", "of 3"), said);
            assert_eq!(error.applied.events_of(&bus), [&events[0]]);
            assert_eq!(error.remaining.len(), 2);
            multi.publish_all(error.remaining)?;
            log.take();
            assert_eq!(multi.apply(Commit::Real)?.len(), 2);
            assert_eq!(log.take(), ["3", "other 5"]);
        }
        (other, said) => panic!("{other:?} where {said:?} was expected"),
    }
    Ok(())
}

#[test]
fn d3_a_panic_in_apply_event() -> Done {
    let said = "effect `number 2`, number 2 of 3, failed: it panicked: applying 2";
    on_all_ways(Place::Apply, Some(said), Some(said))
}

/// The event fails when it would be run, and the others are collected.
#[test]
fn d3_a_panic_in_collect_event() -> Done {
    let said = "effect `number 2`, number 2 of 3, failed: it panicked: collecting 2";
    on_all_ways(Place::Collect, None, Some(said))
}

#[test]
fn d3_a_panic_in_what_collect_event_made() -> Done {
    let said = "effect `number 2`, number 2 of 3, failed: it panicked: running 2";
    on_all_ways(Place::Later, None, Some(said))
}

/// It has acted by then, and must not run again.
#[test]
fn d3_a_panic_in_the_destructor_of_what_collect_event_made() -> Done {
    on_all_ways(Place::LaterGoes, None, None)
}

/// A label is only for errors: who cannot be called anything is applied all the same.
#[test]
fn d3_a_panic_in_label() -> Done {
    on_all_ways(Place::Label, None, None)
}

#[test]
fn d3_a_panic_in_the_label_of_what_failed() -> Done {
    let said = "effect number 2 of 3 failed: no";
    on_all_ways(Place::LabelOfAFailure, Some(said), Some(said))
}

#[test]
fn d3_what_a_panic_said_is_told() -> Done {
    let bus = BasicBus::new();
    let panics: [fn(); 3] = [
        || panic!("a text"),
        || panic!("a {}", "String"),
        || std::panic::panic_any(hooked(|| panic!("and what it was thrown with panics, too"))),
    ];
    for (panic, said) in panics
        .into_iter()
        .zip(["a text", "a String", "a value that is no text"])
    {
        bus.publish(Effect::new("", move |_| {
            panic();
            Ok(())
        }))?;
        let error = bus.apply(Commit::Real).unwrap_err().failed.error;
        assert!(error.is_panic());
        assert_eq!(error.to_string(), format!("it panicked: {said}"));
    }
    Ok(())
}

/// An effect that has panicked can be run again, with what it had captured.
#[test]
fn d3_an_effect_survives_its_panic() {
    let mut runs = 0;
    let effect = Effect::new("", move |_| {
        runs += 1;
        assert!(runs > 1, "the first time");
        Ok(())
    });
    let bus = BasicBus::new();
    bus.publish(effect).unwrap();
    let error = bus.apply(Commit::Real).unwrap_err();
    bus.publish(error.failed.event).unwrap();
    assert_eq!(bus.apply(Commit::Real).unwrap().len(), 1);
}

/// A bus of one's own that panics where it is asked for its events.
pub(crate) struct Broken;

impl Publish for Broken {
    type Event = u32;

    fn publish(&self, _: u32) -> Result<(), PublishError<u32>> {
        Ok(())
    }
}

impl DeferredBus for Broken {
    type Error = BoxError;
    type Applied = ();

    fn apply(&self, _: Commit) -> Result<(), ApplyErrorOf<Self>> {
        Ok(())
    }

    fn collect(&self) -> Vec<Collected<u32, BoxError>> {
        panic!("it cannot be collected")
    }
}

/// It has nothing else to say it by; what the others had is there when it is mended.
#[test]
fn d3_a_panic_in_collect_takes_nothing_along() -> Done {
    let (multi, log) = (MultiBus::new(), Log::default());
    let nested = MultiBus::new();
    let buses = ["before ", "deep ", "after "].map(|name| log.numbers(name));
    let before = multi.wrap(buses[0].clone());
    drop(multi.wrap(nested.clone()));
    let deep = nested.wrap(buses[1].clone());
    let moody = Arc::new(Moody(log.numbers("moody "), true.into()));
    let _broken = nested.wrap(Arc::clone(&moody));
    let after = multi.wrap(buses[2].clone());
    for n in 0..2 {
        before.publish(n)?;
        before.as_deferred().apply(Commit::Real)?;
        deep.publish(n)?;
        after.publish(n)?;
    }
    assert!(panics(|| multi.apply(Commit::Real).is_ok()));
    assert!(panics(|| multi.discard()));
    let delayed = DelayedBus::new(multi.clone());
    assert!(panics(|| delayed.as_deferred().apply(Commit::Real).is_ok()));
    assert!(panics(|| delayed.apply_without_delay(Commit::Real).is_ok()));
    assert_eq!(log.take(), [""; 0], "nothing has run");
    moody.1.store(false, SeqCst);
    assert_eq!(multi.apply(Commit::Real)?.len(), 6);
    let all = [
        "before 0", "before 1", "deep 0", "deep 1", "after 0", "after 1",
    ];
    assert_eq!(log.take(), all);
    Ok(())
}

/// What a delayed bus has collected stays, too.
#[test]
fn d4_a_panic_in_collect_leaves_what_was_collected_before() -> Done {
    let numbers = Log::default().numbers("n");
    let moody = Moody(numbers, false.into());
    let delayed = DelayedBus::new(&moody);
    delayed.publish(1)?;
    delayed.as_deferred().apply(Commit::Real)?;
    delayed.publish(2)?;
    moody.1.store(true, SeqCst);
    assert!(panics(|| delayed.apply_without_delay(Commit::Real).is_ok()));
    delayed.publish(3)?;
    moody.1.store(false, SeqCst);
    assert_eq!(delayed.apply_without_delay(Commit::Real)?, [1, 2, 3]);
    Ok(())
}

/// A bus of one's own that panics when it is told to.
struct Moody(Numbers, AtomicBool);

impl Publish for Moody {
    type Event = i32;

    fn publish(&self, event: i32) -> Result<(), PublishError<i32>> {
        self.0.publish(event)
    }
}

impl DeferredBus for Moody {
    type Error = BoxError;
    type Applied = Vec<i32>;

    fn apply(&self, commit: Commit) -> Result<Vec<i32>, ApplyErrorOf<Self>> {
        self.0.apply(commit)
    }

    fn collect(&self) -> Vec<Collected<i32, BoxError>> {
        assert!(!self.1.load(SeqCst), "not now");
        self.0.collect()
    }
}

fn panics<R>(act: impl FnOnce() -> R) -> bool {
    catch_unwind(AssertUnwindSafe(act)).is_err()
}

/// What `publish_all` is given runs before anything is published, and under no lock.
#[test]
fn d1_an_iterator_that_panics_publishes_nothing() {
    guarded(|| {
        let log = Log::default();
        let numbers = log.numbers("n");
        let multi = MultiBus::new();
        let wrapped = multi.wrap(numbers.clone());
        let inside = numbers.clone();
        let given = (1..4).inspect(move |n| {
            // Asks the very bus.
            assert_eq!(inside.len(), 0);
            assert!(*n < 3, "enough");
        });
        for way in 0..2 {
            let given = given.clone();
            let result = catch_unwind(AssertUnwindSafe(|| match way {
                0 => numbers.publish_all(given).is_ok(),
                _ => wrapped.publish_all(given).is_ok(),
            }));
            assert!(result.is_err());
            assert!(numbers.is_empty());
        }
        numbers.publish(1).unwrap();
        assert_eq!(multi.apply(Commit::Real).unwrap().len(), 1);
    });
}

/// After a panic of an effect in one part the others are as they were.
#[test]
fn d3_a_panic_poisons_nothing() -> Done {
    let (multi, log) = (MultiBus::new(), Log::default());
    let (effects, numbers) = (multi.wrap(BasicBus::new()), multi.wrap(log.numbers("n")));
    for round in 0..3 {
        effects.publish(log.panicking("x"))?;
        numbers.publish(round)?;
        let error = multi.apply(Commit::Real).unwrap_err();
        assert_eq!(
            error
                .failed
                .event
                .downcast_ref::<Effect>()
                .map(Effect::label),
            Some("x")
        );
        multi.publish_all(error.remaining)?;
        let applied = multi.apply(Commit::Real)?;
        assert_eq!(applied.events_of(&numbers), [&round]);
        assert!(labels(applied.events_of(&effects)).is_empty());
    }
    assert_eq!(log.take(), ["x", "n0", "x", "n1", "x", "n2"]);
    Ok(())
}
