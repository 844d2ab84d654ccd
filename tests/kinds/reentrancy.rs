//! The user's code may call anything, wherever the bus calls it (P10).

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread;

use chanbus::Overflow;

use crate::common::hooked;
use crate::kind::{
    Ends, Kind, Load, Options, Parcel, Settings, Sink, Source, load, numbers, taken,
};

/// Both ends, for those whom the bus itself keeps.
#[derive(Clone)]
struct Reach {
    from: Weak<dyn Source>,
    to: Weak<dyn Sink>,
    calls: Arc<AtomicUsize>,
    /// How many have begun.
    begun: Arc<AtomicU64>,
}

/// What is emitted inside of a call has a number from here on, so that nobody answers it.
const ANSWER: u64 = 1_000;

impl Reach {
    fn of(ends: &Ends) -> Self {
        Reach {
            from: Arc::downgrade(&ends.from),
            to: Arc::downgrade(&ends.to),
            calls: Arc::default(),
            begun: Arc::default(),
        }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Everything there is, unless it is inside of that already.
    fn use_all(&self, number: u64) {
        if number >= ANSWER {
            return;
        }
        let ends = Ends {
            from: self.from.upgrade().expect("somebody emits"),
            to: self.to.upgrade().expect("the test keeps it"),
        };
        // Four numbers of its own: what these push out may call this in turn.
        let own = ANSWER + 4 * self.begun.fetch_add(1, Ordering::SeqCst);
        let filter =
            move |load: &Load| (own..own + 4).contains(&load.number) && load.number != own + 1;
        let sub = ends.with(Options::filtered(filter));
        let tap = ends.to.tap(Box::new(|_| ())).unwrap();
        ends.emit_all([own, own + 1]);
        ends.emit_batch([own + 2, own + 3]);
        assert_eq!(numbers(&*sub), [own, own + 2, own + 3]);
        assert!(sub.counts().add_up() && sub.counts().filtered >= 1);
        assert!(ends.to.stats().subscribers > 0 && !ends.to.is_closed());
        drop(tap);
        let share = sub.share();
        assert!(share.close() && sub.recv().is_none());
        drop(sub);
        self.calls.fetch_add(1, Ordering::SeqCst);
    }

    /// The same on another thread that is waited for.
    fn use_all_elsewhere(&self, number: u64) {
        let reach = self.clone();
        thread::spawn(move || reach.use_all(number)).join().unwrap();
    }
}

fn original(sub: &dyn crate::kind::Receive) -> Vec<u64> {
    let numbers = numbers(sub).into_iter();
    numbers.filter(|number| *number < ANSWER).collect()
}

pub(crate) fn p10_a_filter_may_call_anything(kind: Kind) {
    let ends = kind(&Settings::default());
    let reach = Reach::of(&ends);
    let inside = reach.clone();
    let sub = ends.with(Options::filtered(move |load| {
        inside.use_all(load.number);
        true
    }));
    ends.emit_all(0..3);
    ends.emit_batch(3..5);
    assert_eq!(reach.calls(), 5);
    assert_eq!(sub.counts().received, 5 * 5);
    assert_eq!(original(&*sub), [0, 1, 2, 3, 4]);
}

pub(crate) fn p10_a_tap_may_call_anything(kind: Kind) {
    let ends = kind(&Settings::default());
    let sub = ends.subscribe();
    let reach = Reach::of(&ends);
    let inside = reach.clone();
    let tap = ends
        .to
        .tap(Box::new(move |load| inside.use_all(load.number)));
    ends.emit_all(0..3);
    ends.emit_batch(3..5);
    assert_eq!(reach.calls(), 5);
    assert_eq!(original(&*sub), [0, 1, 2, 3, 4]);
    drop(tap);
    ends.emit_all(0..1);
    assert_eq!(reach.calls(), 5);
}

/// A load that does something when it is freed.
fn acting(number: u64, act: impl FnMut() + Send + Sync + 'static) -> Load {
    Arc::new(Parcel {
        at_end: hooked(act),
        ..Parcel::bare(number)
    })
}

pub(crate) fn p10_a_destructor_may_call_anything(kind: Kind) {
    for policy in [Overflow::DropNewest, Overflow::DropOldest, Overflow::Latest] {
        let ends = kind(&Settings::default());
        let reach = Reach::of(&ends);
        let sub = ends.with(Options {
            capacity: Some(1),
            overflow: Some(policy),
            ..Options::default()
        });
        for number in 0..4 {
            let inside = reach.clone();
            let load = acting(number, move || inside.use_all(0));
            assert!(ends.from.emit(0, load).is_ok());
        }
        // However many the answers pushed out, each was freed once.
        drop(taken(&*sub));
        assert_eq!(reach.calls(), 4, "{policy:?}");
        let inside = reach.clone();
        assert!(
            ends.from
                .emit(0, acting(5, move || inside.use_all(0)))
                .is_ok()
        );
        assert_eq!(sub.len(), 1);
        drop(sub);
        assert_eq!(reach.calls(), 5, "{policy:?}");
    }
}

pub(crate) fn p10_a_bus_may_be_closed_inside(kind: Kind) {
    let ends = kind(&Settings::default());
    let from = Arc::downgrade(&ends.from);
    let before = ends.subscribe();
    let sub = ends.with(Options::filtered(move |load| {
        if load.number == 1 {
            from.upgrade().unwrap().close();
        }
        true
    }));
    ends.emit_all([0, 1]);
    assert!(ends.to.is_closed());
    assert!(ends.from.emit(0, load(2)).is_err());
    assert!(before.counts().add_up() && sub.counts().add_up());
    // Who ended during an emit does not match; a derived bus ends when that emit has left it. Either way both
    // are told the same, and get what they were told.
    let matched = before.counts().matched;
    assert!(matched == 1 || matched == 2 && !ends.from.is_direct());
    assert_eq!(sub.counts().matched, matched);
    let all: Vec<u64> = (0..matched).collect();
    assert_eq!((numbers(&*before), numbers(&*sub)), (all.clone(), all));
    assert!(before.recv().is_none() && sub.recv().is_none());
}

pub(crate) fn p10_a_thread_that_is_waited_for_may_call_anything(kind: Kind) {
    let ends = kind(&Settings::default());
    let reach = Reach::of(&ends);
    let inside = reach.clone();
    let sub = ends.with(Options::filtered(move |load| {
        inside.use_all_elsewhere(load.number);
        true
    }));
    let inside = reach.clone();
    let tap = move |load: &Load| inside.use_all_elsewhere(load.number);
    let _tap = ends.to.tap(Box::new(tap)).unwrap();
    ends.emit_all(0..2);
    let inside = reach.clone();
    drop(
        ends.from
            .emit(0, acting(2, move || inside.use_all_elsewhere(0))),
    );
    assert_eq!(original(&*sub), [0, 1, 2]);
    drop(sub);
    assert_eq!(reach.calls(), 3 + 3 + 1);
}
