//! What is bounded: queues, subscriptions, memory (P6, P13).

use std::sync::Arc;

use chanbus::Overflow;

use crate::common::{Census, POLICIES};
use crate::kind::{Kind, Options, Parcel, Settings, numbers};

pub(crate) fn p6_capacity_is_exact_and_zero_is_refused(kind: Kind) {
    let ends = kind(&Settings::of(7, Overflow::DropNewest));
    let own = ends.subscribe();
    let small = ends.with(Options {
        capacity: Some(3),
        ..Options::default()
    });
    let one = ends.with(Options {
        capacity: Some(1),
        overflow: Some(Overflow::DropOldest),
        ..Options::default()
    });
    ends.emit_all(0..10);
    assert_eq!((own.len(), small.len(), one.len()), (7, 3, 1));
    assert_eq!(numbers(&*one), [9]);
    // As much room again, by a batch too.
    assert_eq!(numbers(&*small), [0, 1, 2]);
    ends.emit_batch(10..20);
    assert_eq!(numbers(&*small), [10, 11, 12]);
    let zero = ends.to.subscribe(Options {
        capacity: Some(0),
        ..Options::default()
    });
    assert!(zero.is_err_and(|error| error.is_bad_capacity()));
}

pub(crate) fn p6_the_limit_of_subscriptions_is_exact_and_places_come_back(kind: Kind) {
    let ends = kind(&Settings {
        max_subscribers: 2,
        ..Settings::default()
    });
    let (first, second) = (ends.subscribe(), ends.subscribe());
    let refused = || {
        let third = ends.to.subscribe(Options::default());
        third.is_err_and(|error| error.is_limit_reached())
    };
    assert!(refused());
    // Handles and taps take no place.
    let share = first.share();
    let tap = ends.to.tap(Box::new(|_| ())).unwrap();
    drop(first);
    assert!(refused());
    drop(share);
    let third = ends.subscribe();
    assert!(refused());
    // A close gives the place back at once.
    assert!(second.close());
    let fourth = ends.subscribe();
    assert!(refused());
    ends.emit_all(0..1);
    assert_eq!((third.len(), fourth.len(), second.len()), (1, 1, 0));
    drop(tap);
}

pub(crate) fn p13_no_more_payloads_live_than_queues_hold(kind: Kind) {
    for policy in POLICIES {
        let ends = kind(&Settings::of(6, policy));
        let sub = ends.subscribe();
        let census = Census::new();
        let load = |number| {
            let counted = Some(census.born());
            let bare = Parcel::bare(number);
            Arc::new(Parcel { counted, ..bare })
        };
        for number in 0..40 {
            let topic = number as usize % ends.from.topics();
            assert!(ends.from.emit(topic, load(number)).is_ok());
            assert_eq!(census.alive(), sub.len(), "{policy:?}");
        }
        let batch = (0..40).map(|number| (number as usize % ends.from.topics(), load(number)));
        assert!(ends.from.emit_batch(batch.collect()).is_ok());
        assert_eq!(census.alive(), sub.len(), "{policy:?}");
        assert!((1..=6).contains(&census.alive()));
        // One that is taken goes with who took it.
        drop(sub.recv());
        assert_eq!(census.alive(), sub.len());
    }
}
