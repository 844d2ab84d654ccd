//! Counts that a thread adds to cheaply, and that any thread may add to.

use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{AtomicU64, Padded, thread_number};

/// Counts what consumers take.
///
/// Most queues are read by one thread all their lives. The first thread that adds owns a share that
/// only it writes, so that adding there is a load and a store; threads that come after it
/// pay for a read-modify-write on another. No thread ever takes over from the first, so a queue that is
/// handed on counts a little slower, and never wrong.
#[derive(Default)]
pub(crate) struct Tally {
    /// The number of the first thread that added; zero before.
    owner: AtomicU64,
    own: AtomicU64,
    others: AtomicU64,
}

impl Tally {
    #[inline]
    pub(crate) fn add_one(&self) {
        self.add(thread_number(), 1);
    }

    #[inline]
    fn add(&self, me: u64, count: u64) {
        // Relaxed: set once, and only this thread can have set it to its own number.
        if self.owner.load(Relaxed) == me || self.claim(me) {
            // Release: whoever reads the count also sees what was taken.
            self.own.store(self.own.load(Relaxed) + count, Release);
        } else {
            // Release as above.
            self.others.fetch_add(count, Release);
        }
    }

    /// Makes this thread the owner if there is none.
    #[cold]
    fn claim(&self, me: u64) -> bool {
        // Relaxed: the owner's share is written by it alone, and read by others as a figure.
        self.owner.compare_exchange(0, me, Relaxed, Relaxed).is_ok()
    }

    pub(crate) fn sum(&self) -> u64 {
        // Acquire: pairs with `add_one`.
        self.own.load(Acquire) + self.others.load(Acquire)
    }
}

/// A count that many threads add to without getting into each other's way.
pub(crate) struct Striped([Padded<Tally>; STRIPES]);

const STRIPES: usize = 8;

impl Striped {
    pub(crate) fn new() -> Self {
        Striped(std::array::from_fn(|_| Padded::default()))
    }

    #[inline]
    pub(crate) fn add(&self, count: u64) {
        let me = thread_number();
        self.0[me as usize % STRIPES].add(me, count);
    }

    pub(crate) fn sum(&self) -> u64 {
        self.0.iter().map(|stripe| stripe.sum()).sum()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::{Striped, Tally};

    #[test]
    fn p5_every_thread_counts_whoever_came_first() {
        let tally = Tally::default();
        tally.add_one();
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| tally.add_one()));
            }
            (0..1_000).for_each(|_| tally.add_one());
        });
        assert_eq!(tally.sum(), 5_001);
    }

    #[test]
    fn p5_a_count_whose_first_thread_has_gone_goes_on() {
        let tally = Tally::default();
        thread::scope(|scope| scope.spawn(|| tally.add_one()).join()).unwrap();
        thread::scope(|scope| scope.spawn(|| tally.add_one()).join()).unwrap();
        tally.add_one();
        assert_eq!(tally.sum(), 3);
    }

    #[test]
    fn p5_a_striped_count_loses_nothing() {
        let striped = Striped::new();
        thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| (0..100).for_each(|_| striped.add(3)));
            }
        });
        assert_eq!(striped.sum(), 6_000);
    }
}
