//! Who emits waits for nobody (P1); who waits for events may give up (P14).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use crate::common::{Gate, POLICIES};
use crate::kind::{Kind, Options, Seen, Settings, numbers};

pub(crate) fn p1_an_emit_returns_while_a_consumer_sleeps_and_wakes_it(kind: Kind) {
    let ends = kind(&Settings::default());
    let sub = ends.subscribe();
    let read = move || {
        let first = sub.recv().unwrap().load.number;
        (first, sub)
    };
    #[cfg(target_os = "linux")]
    let reader = crate::common::spawn_asleep(read);
    #[cfg(not(target_os = "linux"))]
    let reader = thread::spawn(read);
    ends.emit_all([7]);
    let (first, sub) = reader.join().unwrap();
    assert_eq!(first, 7);
    // By a batch as well.
    let read = move || sub.recv_batch(10).unwrap().len();
    #[cfg(target_os = "linux")]
    let reader = crate::common::spawn_asleep(read);
    #[cfg(not(target_os = "linux"))]
    let reader = thread::spawn(read);
    ends.emit_batch(0..3);
    assert!((1..=3).contains(&reader.join().unwrap()));
}

pub(crate) fn p1_an_emit_returns_while_queues_are_full(kind: Kind) {
    for policy in POLICIES {
        let ends = kind(&Settings::of(1, policy));
        let subs = [ends.subscribe(), ends.subscribe()];
        ends.emit_all(0..50);
        ends.emit_batch(50..100);
        for sub in subs {
            assert_eq!((sub.len(), sub.counts().matched), (1, 100));
        }
    }
}

pub(crate) fn p1_an_emit_does_not_wait_for_a_filter_that_another_emit_is_inside_of(kind: Kind) {
    let ends = kind(&Settings::default());
    let gate = Gate::new();
    let held = gate.clone();
    let slow = ends.with(Options::filtered(move |_| {
        held.pass();
        true
    }));
    let other = ends.subscribe();
    let (passed, seen_late) = thread::scope(|scope| {
        scope.spawn(|| ends.emit_all([0]));
        gate.wait_held();
        // The first emit is inside the filter, and stays there.
        ends.emit_all([1]);
        ends.emit_batch([2, 3]);
        let passed = numbers(&*slow);
        // Nor does a new subscription, or one that goes.
        let late = ends.subscribe();
        ends.emit_all([4]);
        let seen_late = numbers(&*late);
        drop(late);
        gate.open();
        (passed, seen_late)
    });
    assert_eq!((passed, seen_late), (vec![1, 2, 3], vec![4]));
    assert_eq!(numbers(&*slow), [4, 0]);
    let mut seen = numbers(&*other);
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2, 3, 4]);
}

/// Counts how often it is called.
#[derive(Default)]
struct Calls(AtomicUsize);

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

type Receiving<'a> = Pin<Box<dyn Future<Output = Option<Seen>> + Send + 'a>>;

fn poll(future: &mut Receiving<'_>, calls: &Arc<Calls>) -> Poll<Option<u64>> {
    let waker = Waker::from(Arc::clone(calls));
    let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
    polled.map(|seen| seen.map(|seen| seen.load.number))
}

pub(crate) fn p14_a_future_that_is_dropped_loses_nothing(kind: Kind) {
    let ends = kind(&Settings::default());
    let sub = ends.subscribe();
    let calls = Arc::new(Calls::default());
    let mut first = sub.recv_async();
    assert!(poll(&mut first, &calls).is_pending());
    ends.emit_all([1]);
    assert_eq!(calls.0.load(Ordering::SeqCst), 1);
    drop(first);
    let mut second = sub.recv_async();
    assert_eq!(poll(&mut second, &calls), Poll::Ready(Some(1)));
    drop(second);
    // One that was never polled, and one that was dropped before anything came.
    drop(sub.recv_async());
    let mut third = sub.recv_async();
    assert!(poll(&mut third, &calls).is_pending());
    drop(third);
    ends.emit_batch([2, 3]);
    assert_eq!(numbers(&*sub), [2, 3]);
    assert_eq!(calls.0.load(Ordering::SeqCst), 1);
}

pub(crate) fn p14_a_call_to_a_future_that_goes_passes_on(kind: Kind) {
    let ends = kind(&Settings::default());
    let sub = ends.subscribe();
    let other = sub.share();
    let (calls, others) = (Arc::new(Calls::default()), Arc::new(Calls::default()));
    let mut first = sub.recv_async();
    let mut second = other.recv_async();
    assert!(poll(&mut first, &calls).is_pending());
    assert!(poll(&mut second, &others).is_pending());
    ends.emit_all([1]);
    // One of them is called; if it goes the other is.
    let called = calls.0.load(Ordering::SeqCst) + others.0.load(Ordering::SeqCst);
    assert_eq!(called, 1);
    let first_was = calls.0.load(Ordering::SeqCst) == 1;
    let (gone, mut left, left_calls) = match first_was {
        true => (first, second, &others),
        false => (second, first, &calls),
    };
    drop(gone);
    assert_eq!(left_calls.0.load(Ordering::SeqCst), 1);
    assert_eq!(poll(&mut left, left_calls), Poll::Ready(Some(1)));
}

pub(crate) fn p14_a_future_ends_when_the_source_does(kind: Kind) {
    let ends = kind(&Settings::default());
    let sub = ends.subscribe();
    let calls = Arc::new(Calls::default());
    let mut future = sub.recv_async();
    assert!(poll(&mut future, &calls).is_pending());
    drop(ends.from);
    assert_eq!(calls.0.load(Ordering::SeqCst), 1);
    assert_eq!(poll(&mut future, &calls), Poll::Ready(None));
}
