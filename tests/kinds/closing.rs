//! Closing drains, and ends for everybody (P8).

use std::sync::Arc;
use std::thread;

use chanbus::Overflow;

use crate::common::POLICIES;
use crate::kind::{Kind, Options, Receive, Settings, Tried, load, numbers};

/// It is at its end, and nothing is left. Not while other handles are about to see the end: `len` is a
/// figure of the moment, and they tell one another through the queue.
fn has_ended(sub: &dyn Receive) {
    sees_the_end(sub);
    assert_eq!(sub.len(), 0);
}

/// It is at its end, and stays there, however it is asked.
fn sees_the_end(sub: &dyn Receive) {
    for _ in 0..2 {
        assert!(sub.recv().is_none());
        assert!(sub.try_recv().is_err_and(|tried| tried == Tried::Closed));
        assert!(sub.recv_batch(3).is_none());
        assert!(futures_lite::future::block_on(sub.recv_async()).is_none());
    }
    assert!(sub.is_closed() && !sub.close());
}

pub(crate) fn p8_closing_drains_and_ends_ever_after(kind: Kind) {
    let ends = kind(&Settings::default());
    let (sub, empty) = (ends.subscribe(), ends.with(Options::filtered(|_| false)));
    ends.emit_all(0..3);
    ends.emit_batch(3..6);
    assert!(!ends.to.is_closed() && !sub.is_closed());
    ends.from.close();
    ends.from.close();
    assert!(ends.to.is_closed() && sub.is_closed());
    let share = sub.share();
    assert_eq!(sub.len(), 6);
    assert_eq!(sub.recv().unwrap().load.number, 0);
    assert_eq!(share.recv().unwrap().load.number, 1);
    assert_eq!(numbers(&*sub), [2, 3, 4, 5]);
    has_ended(&*sub);
    has_ended(&*share);
    has_ended(&*empty);
    assert_eq!(sub.counts().received, 6);
}

pub(crate) fn p8_dropping_the_last_handle_closes(kind: Kind) {
    let ends = kind(&Settings::default());
    let sub = ends.subscribe();
    ends.emit_all(0..3);
    drop(ends.from);
    assert!(ends.to.is_closed() && sub.is_closed());
    assert_eq!(numbers(&*sub), [0, 1, 2]);
    has_ended(&*sub);
    let late = ends.to.subscribe(Options::default());
    assert!(late.is_err_and(|error| error.is_closed()));
}

pub(crate) fn p8_a_closed_bus_hands_payloads_back_and_takes_no_subscriber(kind: Kind) {
    let ends = kind(&Settings::default());
    let sub = ends.subscribe();
    ends.from.close();
    let payload = load(7);
    let back = ends.from.emit(0, Arc::clone(&payload)).unwrap_err();
    assert!(Arc::ptr_eq(&back, &payload));
    let topics = ends.from.topics();
    let batch = (0..5).map(|number| (number % topics, load(number as u64)));
    let back = ends.from.emit_batch(batch.collect()).unwrap_err();
    let back: Vec<u64> = back.iter().map(|load| load.number).collect();
    assert_eq!(back, [0, 1, 2, 3, 4]);
    let late = ends.to.subscribe(Options::default());
    assert!(late.is_err_and(|error| error.is_closed()));
    let tap = ends.to.tap(Box::new(|_| ()));
    assert!(tap.is_err_and(|error| error.is_closed()));
    assert_eq!(sub.counts().matched, 0);
    has_ended(&*sub);
}

pub(crate) fn p8_sharers_that_wait_all_end(kind: Kind) {
    let ends = kind(&Settings::default());
    let sub = ends.subscribe();
    let sharers: Vec<_> = (0..3)
        .map(|nth| {
            let sub = sub.share();
            thread::spawn(move || {
                let mut count = 0;
                loop {
                    let seen = match nth {
                        0 => sub.recv(),
                        1 => futures_lite::future::block_on(sub.recv_async()),
                        _ => sub.recv_batch(1).map(|mut batch| batch.remove(0)),
                    };
                    match seen {
                        Some(_) => count += 1,
                        None => break,
                    }
                }
                sees_the_end(&*sub);
                count
            })
        })
        .collect();
    ends.emit_all(0..20);
    ends.emit_batch(20..40);
    ends.from.close();
    let taken: usize = sharers
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .sum();
    assert_eq!(taken, 40);
    has_ended(&*sub);
}

pub(crate) fn p8_a_closed_subscription_drains_while_others_go_on(kind: Kind) {
    let ends = kind(&Settings::default());
    let (sub, other) = (ends.subscribe(), ends.subscribe());
    ends.emit_all(0..2);
    assert!(sub.close() && !sub.close());
    ends.emit_all(2..4);
    ends.emit_batch(4..6);
    assert_eq!(numbers(&*sub), [0, 1]);
    has_ended(&*sub);
    assert_eq!(sub.counts().matched, 2);
    assert_eq!(numbers(&*other), [0, 1, 2, 3, 4, 5]);
    assert!(!other.is_closed() && !ends.to.is_closed());
}

pub(crate) fn p8_a_close_needs_no_room(kind: Kind) {
    for policy in POLICIES {
        let ends = kind(&Settings::of(1, policy));
        let (sub, waiting) = (ends.subscribe(), ends.with(Options::filtered(|_| false)));
        let waiter = thread::spawn(move || waiting.recv().is_none());
        ends.emit_all(0..4);
        ends.from.close();
        assert!(waiter.join().unwrap());
        let kept = match policy {
            Overflow::DropNewest => 0,
            Overflow::DropOldest => 3,
            // The only topic that has room.
            _ => 4 - ends.from.topics() as u64,
        };
        assert_eq!(numbers(&*sub), [kept], "{policy:?}");
        has_ended(&*sub);
    }
}

pub(crate) fn p8_a_close_among_emits_loses_nothing_unseen(kind: Kind) {
    for policy in POLICIES {
        for round in 0..6 {
            let ends = kind(&Settings::of(2, policy));
            let sub = ends.subscribe();
            let readers = [sub.share(), sub.share()].map(|sub| {
                thread::spawn(move || {
                    let mut count = 0;
                    while sub.recv().is_some() {
                        count += 1;
                    }
                    count
                })
            });
            let emitters: Vec<_> = (0..2)
                .map(|_| {
                    let from = Arc::clone(&ends.from);
                    thread::spawn(move || {
                        let mut sent = 0;
                        while from.emit(0, load(sent)).is_ok() {
                            sent += 1;
                        }
                        // All of it, or nothing: another of several buses may be open yet.
                        let batch = (0..3).map(|number| (0, load(number))).collect();
                        match from.emit_batch(batch) {
                            Ok(_) => sent + 3,
                            Err(back) => {
                                assert!(back.len() == 3 || !from.emits_whole_batches());
                                sent + 3 - back.len() as u64
                            }
                        }
                    })
                })
                .collect();
            while sub.counts().matched < 20 {
                thread::yield_now();
            }
            if round % 2 == 0 {
                ends.from.close();
            } else {
                sub.close();
                ends.from.close();
            }
            let sent: u64 = emitters.into_iter().map(|e| e.join().unwrap()).sum();
            let taken: u64 = readers.into_iter().map(|r| r.join().unwrap()).sum();
            let counts = sub.counts();
            assert!(counts.add_up(), "{policy:?}: {counts:?}");
            assert_eq!(counts.received, taken, "{policy:?}: {counts:?}");
            // Some may have come when it had ended.
            assert!((20..=sent).contains(&counts.matched));
            has_ended(&*sub);
        }
    }
}
