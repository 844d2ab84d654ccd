//! Models of `src/bus/tally.rs`.

use loom::cell::UnsafeCell;
use loom::thread;
use std::sync::Arc;

use super::models;
use crate::bus::tally::Tally;
use crate::sync::watch_figures;

models![
    three_threads_count_and_one_of_them_owns,
    who_reads_the_count_sees_what_was_taken,
];

fn three_threads_count_and_one_of_them_owns() {
    watch_figures();
    let tally = Arc::new(Tally::default());
    let others: Vec<_> = (0..2)
        .map(|_| {
            let tally = Arc::clone(&tally);
            thread::spawn(move || tally.add_one())
        })
        .collect();
    tally.add_one();
    others.into_iter().for_each(|other| other.join().unwrap());
    tally.add_one();
    assert_eq!(tally.sum(), 4);
}

fn who_reads_the_count_sees_what_was_taken() {
    watch_figures();
    let shared = Arc::new((Tally::default(), [UnsafeCell::new(0), UnsafeCell::new(0)]));
    let takers: Vec<_> = (0..2)
        .map(|taker| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                // SAFETY: loom checks the accesses.
                shared.1[taker].with_mut(|taken| unsafe { *taken = 1 });
                shared.0.add_one();
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
