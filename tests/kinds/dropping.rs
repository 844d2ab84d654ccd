//! What is dropped is gone: payloads, captures, and buses that nobody uses (P9).

use std::any::Any;
use std::sync::{Arc, Mutex};

use crate::common::{Census, Counted, POLICIES};
use crate::kind::{Ends, Kind, Load, Options, Parcel, Receiver, Settings, numbers};

/// Options with a filter that owns something counted.
fn owning(counted: Counted) -> Options {
    Options::filtered(move |_| std::ptr::from_ref(&counted).is_aligned())
}

fn emit_counted(ends: &Ends, payloads: &Census, count: u64) {
    for number in 0..count {
        let topic = number as usize % ends.from.topics();
        let load = Parcel {
            counted: Some(payloads.born()),
            ..Parcel::bare(number)
        };
        assert!(ends.from.emit(topic, Arc::new(load)).is_ok());
    }
}

pub(crate) fn p9_a_dropped_subscription_frees_payloads_and_captures(kind: Kind) {
    for policy in POLICIES {
        let (payloads, captures) = (Census::new(), Census::new());
        let ends = kind(&Settings::of(5, policy));
        let sub = ends.with(owning(captures.born()));
        emit_counted(&ends, &payloads, 8);
        assert_eq!((payloads.alive(), captures.alive()), (sub.len(), 1));
        assert!(!sub.share().is_closed());
        // Not the last handle.
        let share = sub.share();
        drop(sub);
        assert_eq!((payloads.alive(), captures.alive()), (share.len(), 1));
        drop(share);
        assert_eq!((payloads.alive(), captures.alive()), (0, 0), "{policy:?}");
        assert_eq!(ends.to.stats().subscribers, 0);
        emit_counted(&ends, &payloads, 2);
        assert_eq!(payloads.alive(), 0);
    }
}

pub(crate) fn p9_ends_may_be_dropped_in_any_order(kind: Kind) {
    const ORDERS: [[usize; 4]; 24] = orders();
    for order in ORDERS {
        let (payloads, captures) = (Census::new(), Census::new());
        let ends = kind(&Settings::default());
        let sub = ends.with(owning(captures.born()));
        let capture = captures.born();
        let tap = move |_: &Load| assert!(std::ptr::from_ref(&capture).is_aligned());
        let tap = ends.to.tap(Box::new(tap)).unwrap();
        emit_counted(&ends, &payloads, 3);
        let Ends { from, to } = ends;
        let mut parts: [Option<Box<dyn Any>>; 4] = [
            Some(Box::new(from)),
            Some(Box::new(to)),
            Some(Box::new(sub)),
            Some(tap),
        ];
        for part in order {
            // Payloads go with the subscription, and nothing else.
            assert_eq!(payloads.alive() > 0, parts[2].is_some(), "{order:?}");
            parts[part] = None;
        }
        assert_eq!((payloads.alive(), captures.alive()), (0, 0), "{order:?}");
    }
}

/// All orders of four.
const fn orders() -> [[usize; 4]; 24] {
    let mut orders = [[0; 4]; 24];
    let (mut n, mut found) = (0, 0);
    while n < 256 {
        let order = [n & 3, n >> 2 & 3, n >> 4 & 3, n >> 6];
        let [a, b, c, d] = order;
        if a != b && a != c && a != d && b != c && b != d && c != d {
            orders[found] = order;
            found += 1;
        }
        n += 1;
    }
    assert!(found == 24);
    orders
}

pub(crate) fn p9_a_subscription_alone_keeps_the_way_to_it(kind: Kind) {
    let Ends { from, to } = kind(&Settings::default());
    let sub = to.subscribe(Options::default()).unwrap();
    drop(to);
    from.emit_all(0..3);
    from.emit_together(3..5);
    assert_eq!(numbers(&*sub), [0, 1, 2, 3, 4]);
    drop(from);
    assert!(sub.is_closed() && sub.recv().is_none());
}

pub(crate) fn p9_what_nobody_uses_ends_at_once(kind: Kind) {
    let Ends { from, to } = kind(&Settings::default());
    let feeds = from.children();
    let sub = to.subscribe(Options::default()).unwrap();
    let share = sub.share();
    let tap = to.tap(Box::new(|_| ())).unwrap();
    drop(to);
    drop(sub);
    drop(tap);
    assert_eq!(from.children(), feeds, "a handle of a subscription uses it");
    drop(share);
    assert_eq!(from.children(), 0);
}

pub(crate) fn p9_a_subscription_that_goes_inside_its_own_filter_frees_all(kind: Kind) {
    let (payloads, captures) = (Census::new(), Census::new());
    let ends = kind(&Settings::default());
    let slot = Arc::new(Mutex::new(None::<Receiver>));
    let (own, capture, seen) = (Arc::clone(&slot), captures.born(), captures.clone());
    let sub = ends.with(Options::filtered(move |load| {
        if load.number == 2 {
            let sub = own.lock().unwrap().take();
            drop(sub);
        }
        // It is in use, so it is not gone.
        std::ptr::from_ref(&capture).is_aligned() && seen.alive() == 1
    }));
    *slot.lock().unwrap() = Some(sub);
    emit_counted(&ends, &payloads, 4);
    assert_eq!((payloads.alive(), captures.alive()), (0, 0));
    assert_eq!(ends.to.stats().subscribers, 0);
}
