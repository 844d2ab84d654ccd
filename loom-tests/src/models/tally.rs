//! Models of `src/tally.rs`.

use loom::cell::UnsafeCell;
use loom::thread;
use std::sync::Arc;

use super::models;
use crate::tally::{OwnShare, Striped, Tally};
use crate::sync::watch_figures;

models![
    three_threads_count_and_one_of_them_owns,
    a_stripe_loses_nothing,
    who_reads_the_count_sees_what_was_taken,
    who_reads_a_striped_count_sees_what_was_done,
];

fn three_threads_count_and_one_of_them_owns() {
    watch_figures();
    let tally = Arc::new((Tally::default(), OwnShare::default()));
    let others: Vec<_> = (0..2)
        .map(|_| {
            let tally = Arc::clone(&tally);
            thread::spawn(move || tally.0.add_one(&tally.1))
        })
        .collect();
    tally.0.add_one(&tally.1);
    others.into_iter().for_each(|other| other.join().unwrap());
    tally.0.add_one(&tally.1);
    assert_eq!(tally.0.sum(&tally.1), 4);
}

fn a_stripe_loses_nothing() {
    watch_figures();
    let striped = Arc::new(Striped::new());
    striped.add(1);
    let others: Vec<_> = (0..2)
        .map(|_| {
            let striped = Arc::clone(&striped);
            thread::spawn(move || striped.add(1))
        })
        .collect();
    others.into_iter().for_each(|other| other.join().unwrap());
    assert_eq!(striped.sum(), 3);
}

fn who_reads_the_count_sees_what_was_taken() {
    watch_figures();
    let shared = Arc::new((
        Tally::default(),
        [UnsafeCell::new(0), UnsafeCell::new(0)],
        OwnShare::default(),
    ));
    let takers: Vec<_> = (0..2)
        .map(|taker| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                // SAFETY: loom checks the accesses.
                shared.1[taker].with_mut(|taken| unsafe { *taken = 1 });
                shared.0.add_one(&shared.2);
            })
        })
        .collect();
    if shared.0.sum(&shared.2) == 2 {
        for taken in &shared.1 {
            // SAFETY: as above.
            assert_eq!(taken.with(|taken| unsafe { *taken }), 1);
        }
    }
    takers.into_iter().for_each(|taker| taker.join().unwrap());
}

fn who_reads_a_striped_count_sees_what_was_done() {
    watch_figures();
    let shared = Arc::new((Striped::new(), [UnsafeCell::new(0), UnsafeCell::new(0)]));
    let takers: Vec<_> = (0..2)
        .map(|taker| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                // SAFETY: loom checks the accesses.
                shared.1[taker].with_mut(|taken| unsafe { *taken = 1 });
                shared.0.add(1);
            })
        })
        .collect();
    if shared.0.sum() == 2 {
        for taken in &shared.1 {
            // SAFETY: as above.
            assert_eq!(taken.with(|taken| unsafe { *taken }), 1);
        }
    }
    takers.into_iter().for_each(|taker| taker.join().unwrap());
}
