//! What a hook for panics is told: whose code it was, made where, and all of that in one line.
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::{Arc, Mutex};

use chanbus::{Bus, CaughtPanic, Event};

type Done = Result<(), chanbus::Error>;

/// What a hook is asked for.
#[derive(Debug, Clone, PartialEq)]
struct Report {
    line: String,
    subscription: Option<u64>,
    tap: Option<u64>,
    place: Option<String>,
}

type Reports = Arc<Mutex<Vec<Report>>>;

/// A bus whose hook notes what it is told.
fn noting<T: Send + Sync + 'static>() -> (Bus<T>, Reports) {
    let reports = Reports::default();
    let told = Arc::clone(&reports);
    let hook = move |panic: &CaughtPanic<'_>| {
        told.lock().unwrap().push(Report {
            line: panic.to_string(),
            subscription: panic.subscription_id(),
            tap: panic.tap_id(),
            place: panic.location().map(ToString::to_string),
        });
    };
    (Bus::builder().on_panic(hook).build().unwrap(), reports)
}

#[test]
fn a_filter_is_told_by_name_number_and_place() -> Done {
    let (bus, reports) = noting::<u32>();
    let other = bus.subscribe("other")?;
    let named = bus.subscription("a").name("even").filter(|_| panic!("no"));
    let named = named.subscribe()?;
    let unnamed = bus
        .subscription("b")
        .filter(|_| panic!("{}", "no text"))
        .subscribe()?;
    bus.emit("a", 1)?;
    bus.emit("b", 1)?;
    assert_ne!(named.id(), other.id());
    let report = |sub: &chanbus::Subscription<u32>, line: String| Report {
        line,
        subscription: Some(sub.id()),
        tap: None,
        place: Some(sub.location().to_string()),
    };
    let (id, place) = (named.id(), named.location());
    let first =
        format!("a filter of subscription {id} `even`, made at {place}, panicked at topic `a`: no");
    let (id, place) = (unnamed.id(), unnamed.location());
    let second =
        format!("a filter of subscription {id}, made at {place}, panicked at topic `b`: no text");
    assert_eq!(
        *reports.lock().unwrap(),
        [report(&named, first), report(&unnamed, second)]
    );
    Ok(())
}

#[test]
fn a_tap_and_what_derives_a_bus_are_told_by_number_and_place() -> Done {
    let (bus, reports) = noting::<u32>();
    let derived =
        bus.filter_mapped(|event| -> Option<Event<u8>> { panic!("no {}", event.payload()) });
    let _sub = derived.subscribe_all()?;
    let _tap = bus.tap("a", |_| panic!("not today"))?;
    bus.emit("a", 7)?;
    // A batch of several topics goes another way.
    let mut batch = bus.start_batch();
    batch.emit("a", 8)?;
    batch.emit("b", 9)?;
    assert!(batch.commit().is_ok());
    let taps = bus.view().taps();
    assert_eq!(taps[0].location, derived.view().location());
    let report = |tap: usize, what: &str, said: &str| {
        let (id, place) = (taps[tap].id, taps[tap].location);
        Report {
            line: format!("{what}, number {id}, made at {place}, panicked at topic {said}"),
            subscription: None,
            tap: Some(id),
            place: Some(place.to_string()),
        }
    };
    let made = "a predicate or a mapping";
    assert_eq!(
        *reports.lock().unwrap(),
        [
            report(0, made, "`a`: no 7"),
            report(1, "a tap", "`a`: not today"),
            report(0, made, "`a`: no 8"),
            report(0, made, "`b`: no 9"),
            report(1, "a tap", "`a`: not today"),
        ]
    );
    Ok(())
}

#[test]
fn a_destructor_is_nobodys() -> Done {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("boom");
        }
    }
    let (bus, reports) = noting::<Bomb>();
    bus.emit("a", Bomb)?;
    let report = Report {
        line: "a destructor panicked: boom".to_owned(),
        subscription: None,
        tap: None,
        place: None,
    };
    assert_eq!(*reports.lock().unwrap(), [report]);
    Ok(())
}

#[test]
fn names_and_messages_cannot_pass_for_lines_of_their_own() -> Done {
    let (bus, reports) = noting::<u32>();
    let sub = bus.subscription("a").name("x\ny").filter(|event| {
        assert_eq!(*event.payload(), 2, "two\nis all\u{1b}[31m");
        true
    });
    let sub = sub.subscribe()?;
    bus.emit("a", 1)?;
    assert_eq!(sub.filter_panics(), 1);
    let line = reports.lock().unwrap()[0].line.clone();
    assert!(
        line.contains(r"`x\ny`") && line.contains(r"is all\u{1b}[31m"),
        "{line}"
    );
    assert!(!line.contains(char::is_control), "{line}");
    Ok(())
}
