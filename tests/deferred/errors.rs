//! D3: the first error stops, and everything comes back; nothing is lost and nothing runs twice.

use chanbus::{
    ApplyErrorOf, BasicBus, Collected, Commit, Deferred, DeferredBus, DelayedBus, Effect,
    EffectError, MultiBus, Publish,
};

use crate::{Done, Log, labels};

fn five(log: &Log, bad: fn(&Log, &str) -> Effect) -> [Effect; 5] {
    ["a", "b", "c", "d", "e"].map(|label| match label {
        "c" => bad(log, label),
        _ => log.effect(label),
    })
}

/// What each kind of bus says of the same five effects, of which the third is bad.
fn on_each_kind(bad: fn(&Log, &str) -> Effect, said: &str) -> Done {
    let log = Log::default();
    type Way = fn(&BasicBus) -> ApplyErrorOf<BasicBus>;
    let ways: [(&str, Way); 3] = [
        ("basic", |bus| bus.apply(Commit::Real).unwrap_err()),
        ("collected", |bus| {
            Collected::run_all(bus.collect(), Commit::Real).unwrap_err()
        }),
        ("delayed", |bus| {
            let delayed = DelayedBus::new(bus.clone());
            delayed.apply_without_delay(Commit::Real).unwrap_err()
        }),
    ];
    for (way, apply) in ways {
        let bus = BasicBus::new();
        bus.publish_all(five(&log, bad))?;
        let error = apply(&bus);
        assert_eq!(log.take(), ["a", "b", "c"], "{way}: it stops there");
        assert_eq!(labels(&error.applied), ["a", "b"], "{way}");
        assert_eq!(error.failed.event.label(), "c", "{way}");
        assert_eq!(error.failed.label.as_deref(), Some("c"), "{way}");
        assert_eq!(error.failed.error.to_string(), said, "{way}");
        assert_eq!(labels(&error.remaining), ["d", "e"], "{way}");
        assert_eq!(
            error.to_string(),
            format!("effect `c`, number 3 of 5, failed: {said}"),
            "{way}"
        );
        assert!(bus.is_empty(), "{way}: it is all in the error");

        // Whole: what remains runs as if nothing had been.
        bus.publish_all(error.remaining)?;
        assert_eq!(labels(&bus.apply(Commit::Real)?), ["d", "e"], "{way}");
        assert_eq!(log.take(), ["d", "e"], "{way}");
    }

    let multi = MultiBus::new();
    let parts = [(); 3].map(|()| multi.wrap(BasicBus::new()));
    let [a, b, c, d, e] = five(&log, bad);
    parts[0].publish(a)?;
    parts[1].publish_all([b, c, d])?;
    parts[2].publish(e)?;
    let error = multi.apply(Commit::Real).unwrap_err();
    assert_eq!(log.take(), ["a", "b", "c"]);
    assert_eq!(labels(error.applied.events_of(&parts[0])), ["a"]);
    assert_eq!(labels(error.applied.events_of(&parts[1])), ["b"]);
    assert!(error.applied.events_of(&parts[2]).is_empty());
    let failed = &error.failed;
    assert_eq!(failed.event.downcast_ref::<Effect>().unwrap().label(), "c");
    assert_eq!(
        (failed.label.as_deref(), error.remaining.len()),
        (Some("c"), 2)
    );
    assert_eq!(
        error.to_string(),
        format!("effect `c`, number 3 of 5, failed: {said}")
    );
    multi.publish_all(error.remaining)?;
    let applied = multi.apply(Commit::Real)?;
    assert_eq!(log.take(), ["d", "e"]);
    assert_eq!(labels(applied.events_of(&parts[1])), ["d"]);
    assert_eq!(labels(applied.events_of(&parts[2])), ["e"]);
    Ok(())
}

#[test]
fn d3_the_first_error_stops_and_the_rest_comes_back_whole() -> Done {
    on_each_kind(Log::failing, "no")
}

#[test]
fn d3_a_panic_is_an_error() -> Done {
    on_each_kind(Log::panicking, "it panicked: out of c")
}

#[test]
fn d3_an_error_can_be_at_the_first_and_at_the_last() -> Done {
    let log = Log::default();
    let bus = log.numbers("n");
    for (numbers, applied, remaining) in [
        (vec![-1, 1, 2], vec![], vec![1, 2]),
        (vec![1, 2, -1], vec![1, 2], vec![]),
        (vec![-1], vec![], vec![]),
    ] {
        bus.publish_all(numbers)?;
        let error = bus.apply(Commit::Real).unwrap_err();
        assert_eq!((error.applied, error.remaining), (applied, remaining));
        assert_eq!(error.failed.event, -1);
        assert_eq!(error.failed.label, None);
    }
    Ok(())
}

#[test]
fn d3_an_error_in_a_dry_run_stops_as_well() -> Done {
    let log = Log::default();
    let numbers = log.numbers("n");
    numbers.publish_all([1, -2, 3])?;
    let error = numbers.apply(Commit::DryRun).unwrap_err();
    assert_eq!(error.to_string(), "effect number 2 of 3 failed: negative");
    assert_eq!((error.applied.as_slice(), log.take().len()), (&[1][..], 0));
    assert_eq!(error.into_unapplied(), [-2, 3]);
    Ok(())
}

/// What failed may be tried again, before what remains.
#[test]
fn d3_what_failed_can_be_tried_again_in_its_place() -> Done {
    let (bus, log) = (BasicBus::new(), Log::default());
    let (mut first, lines) = (true, log.clone());
    bus.publish_all([
        log.effect("a"),
        Effect::new("b", move |_| {
            if std::mem::take(&mut first) {
                return Err("not yet".into());
            }
            lines.write("b");
            Ok(())
        }),
        log.effect("c"),
    ])?;
    let error = bus.apply(Commit::Real).unwrap_err();
    bus.publish_all(error.into_unapplied())?;
    assert_eq!(labels(&bus.apply(Commit::Real)?), ["b", "c"]);
    assert_eq!(log.take(), ["a", "b", "c"]);
    Ok(())
}

/// It has the order of the tree, and goes back by the same ways.
#[test]
fn d3_what_remains_of_nested_buses_finds_its_way() -> Done {
    let log = Log::default();
    let (outer, middle, inner) = (MultiBus::new(), MultiBus::new(), MultiBus::new());
    let before = outer.wrap(log.numbers("before "));
    drop(outer.wrap(middle.clone()));
    drop(middle.wrap(inner.clone()));
    let deep = inner.wrap(log.numbers("deep "));
    let after = outer.wrap(log.numbers("after "));
    after.publish(5)?;
    deep.publish_all([2, -3, 4])?;
    before.publish(1)?;
    let error = outer.apply(Commit::Real).unwrap_err();
    assert_eq!(log.take(), ["before 1", "deep 2"]);
    assert_eq!(error.to_string(), "effect number 3 of 5 failed: negative");
    assert_eq!(error.failed.event.downcast_ref(), Some(&-3));
    outer.publish_all(error.remaining)?;

    // They are on their own buses, from where whoever owns one applies it.
    let applied = inner.apply(Commit::Real)?;
    assert_eq!(applied.events_of(&deep), [&4]);
    let applied = outer.apply(Commit::Real)?;
    assert_eq!(applied.events_of(&after), [&5]);
    assert_eq!(
        (applied.len(), log.take()),
        (1, vec!["deep 4".into(), "after 5".into()])
    );
    Ok(())
}

#[test]
fn d3_what_was_published_since_comes_after_what_is_published_again() -> Done {
    let log = Log::default();
    let numbers = log.numbers("n");
    numbers.publish_all([1, -2, 3])?;
    let error = numbers.apply(Commit::Real).unwrap_err();
    numbers.publish(4)?;
    numbers.publish_all(error.remaining)?;
    assert_eq!(numbers.apply(Commit::Real)?, [4, 3]);
    Ok(())
}

/// A type of one's own for errors comes out as itself.
#[test]
fn d3_errors_keep_their_types() -> Done {
    #[derive(Debug, PartialEq)]
    struct Full(u32);

    impl std::fmt::Display for Full {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "full at {}", self.0)
        }
    }

    impl std::error::Error for Full {}

    struct Shelf;

    impl chanbus::ApplyEvent for Shelf {
        type Event = u32;
        type Error = Full;

        fn apply_event(&self, event: &u32, _: Commit) -> Result<(), Full> {
            Err(Full(*event))
        }
    }

    let shelf = Deferred::by(Shelf);
    shelf.publish(7)?;
    let error = shelf.apply(Commit::Real).unwrap_err();
    assert!(matches!(error.failed.error, EffectError::Failed(Full(7))));

    // Among others it is any error.
    let multi = MultiBus::new();
    multi.wrap(shelf).publish(8)?;
    let error = multi.apply(Commit::Real).unwrap_err();
    assert_eq!(error.to_string(), "effect number 1 of 1 failed: full at 8");
    let EffectError::Failed(any) = error.failed.error else {
        panic!("it did not panic");
    };
    assert_eq!(any.downcast_ref(), Some(&Full(8)));
    Ok(())
}
