//! Panics stay where they are (P11).

use std::sync::{Arc, Mutex};

use chanbus::{Overflow, PanicPlace};

use crate::common::hooked;
use crate::kind::{Ends, Kind, Options, Parcel, Settings, numbers};

type Reports = Arc<Mutex<Vec<PanicPlace>>>;

/// A bus, and where its panics are told.
fn spied(kind: Kind, settings: Settings) -> (Ends, Reports) {
    let reports = Reports::default();
    let told = Arc::clone(&reports);
    let ends = kind(&Settings {
        on_panic: Some(Arc::new(move |place| told.lock().unwrap().push(place))),
        ..settings
    });
    (ends, reports)
}

pub(crate) fn p11_a_filter_that_panics_rejects_for_its_own_subscription(kind: Kind) {
    let (ends, reports) = spied(kind, Settings::default());
    let before = ends.subscribe();
    let wrong = ends.with(Options::filtered(|load| {
        assert!(load.number % 3 != 1, "not this one");
        load.number % 3 == 0
    }));
    let after = ends.subscribe();
    ends.emit_all(0..6);
    ends.emit_batch(6..9);
    let all: Vec<u64> = (0..9).collect();
    assert_eq!((numbers(&*before), numbers(&*after)), (all.clone(), all));
    assert_eq!(numbers(&*wrong), [0, 3, 6]);
    assert_eq!((wrong.counts().filtered, wrong.filter_panics()), (6, 3));
    assert!(wrong.counts().add_up());
    assert_eq!(*reports.lock().unwrap(), [PanicPlace::Filter; 3]);
    assert_eq!(ends.to.stats().filter_panics, 3);
}

pub(crate) fn p11_a_tap_that_panics_is_reported_and_the_rest_is_served(kind: Kind) {
    let (ends, reports) = spied(kind, Settings::default());
    let sub = ends.subscribe();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let _wrong = ends
        .to
        .tap(Box::new(|load| assert!(load.number != 1, "no ones")));
    let _right = ends
        .to
        .tap(Box::new(move |load| log.lock().unwrap().push(load.number)));
    ends.emit_all(0..3);
    ends.emit_batch([0, 1, 2]);
    assert_eq!(numbers(&*sub), [0, 1, 2, 0, 1, 2]);
    assert_eq!(*seen.lock().unwrap(), [0, 1, 2, 0, 1, 2]);
    assert_eq!(*reports.lock().unwrap(), [PanicPlace::Tap; 2]);
}

pub(crate) fn p11_a_destructor_that_panics_does_not_reach_the_emit(kind: Kind) {
    let (ends, reports) = spied(kind, Settings::of(1, Overflow::DropOldest));
    let (sub, other) = (ends.subscribe(), ends.subscribe());
    let grenade = |number| {
        Arc::new(Parcel {
            at_end: hooked(|| panic!("in a destructor")),
            ..Parcel::bare(number)
        })
    };
    for number in 0..3 {
        assert!(ends.from.emit(0, grenade(number)).is_ok());
    }
    assert_eq!((sub.counts().dropped, other.counts().dropped), (2, 2));
    assert_eq!(*reports.lock().unwrap(), [PanicPlace::Destructor; 2]);
    // The last one is pushed out by a harmless one, which is served.
    ends.emit_all([3]);
    assert_eq!(*reports.lock().unwrap(), [PanicPlace::Destructor; 3]);
    assert_eq!((numbers(&*sub), numbers(&*other)), (vec![3], vec![3]));
    // What goes with a subscription, too.
    assert!(ends.from.emit(0, grenade(4)).is_ok());
    drop(sub);
    drop(other);
    assert_eq!(*reports.lock().unwrap(), [PanicPlace::Destructor; 4]);
    let sub = ends.subscribe();
    ends.emit_all([5]);
    assert_eq!(numbers(&*sub), [5]);
}
