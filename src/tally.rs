//! Counts that a thread adds to cheaply, and that any thread may add to.

use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{AtomicU64, OnceBox, Padded, thread_number};

/// Counts what consumers take.
///
/// Most queues are read by one thread all their lives. The first thread that adds owns a share that
/// only it writes, so that adding there is a load and a store. Threads that come after it get
/// a [`Striped`] count, made for the first of them. No thread ever takes over from the first, so a
/// queue that is handed on counts a little slower, and never wrong.
///
/// In two parts, as what all read and what one writes belong on lines of their own.
#[derive(Default)]
pub(crate) struct Tally {
    /// The number of the first thread that added; zero before.
    owner: AtomicU64,
    others: OnceBox<Striped>,
}

/// The share of a [`Tally`]'s owner.
#[derive(Default)]
pub(crate) struct OwnShare(AtomicU64);

impl Tally {
    #[inline]
    pub(crate) fn add_one(&self, own: &OwnShare) {
        let me = thread_number();
        // Relaxed: set once, and only this thread can have set it to its own number.
        if self.owner.load(Relaxed) == me || claim(&self.owner, me) {
            own.add(1);
        } else {
            self.others
                .get_or_init(|| Box::new(Striped::new()))
                .add_by(me, 1);
        }
    }

    pub(crate) fn sum(&self, own: &OwnShare) -> u64 {
        own.0.load(Acquire) + self.others.get().map_or(0, Striped::sum)
    }
}

impl OwnShare {
    #[inline]
    fn add(&self, count: u64) {
        // No read-modify-write, as nobody else writes. Release: whoever reads the count also sees
        // what was counted.
        self.0.store(self.0.load(Relaxed) + count, Release);
    }
}

/// Makes this thread the owner if there is none.
#[cold]
fn claim(owner: &AtomicU64, me: u64) -> bool {
    // Relaxed: the owner's share is written by it alone, and read by others as a figure. Looked at
    // first, as a failed exchange would take the line away from the others.
    owner.load(Relaxed) == 0 && owner.compare_exchange(0, me, Relaxed, Relaxed).is_ok()
}

/// A count that many threads add to without getting into each other's way.
pub(crate) struct Striped([Padded<Stripe>; STRIPES]);

const STRIPES: usize = 8;

/// As a [`Tally`], but threads after the first share one word: for counts of which there are many, or
/// that several threads seldom add to at once.
#[derive(Default)]
pub(crate) struct Stripe {
    owner: AtomicU64,
    own: OwnShare,
    others: AtomicU64,
}

impl Striped {
    pub(crate) fn new() -> Self {
        Striped(std::array::from_fn(|_| Padded::default()))
    }

    #[inline]
    pub(crate) fn add(&self, count: u64) {
        self.add_by(thread_number(), count);
    }

    /// [`add`](Striped::add), by one who knows the thread's number.
    #[inline]
    pub(crate) fn add_by(&self, me: u64, count: u64) {
        self.0[me as usize % STRIPES].add_by(me, count);
    }

    pub(crate) fn sum(&self) -> u64 {
        self.0.iter().map(|stripe| stripe.sum()).sum()
    }
}

impl Stripe {
    /// Adds for the thread of that number, which is this one.
    #[inline]
    pub(crate) fn add_by(&self, me: u64, count: u64) {
        // Relaxed as in `Tally`.
        if self.owner.load(Relaxed) == me || claim(&self.owner, me) {
            self.own.add(count);
        } else {
            // Release as in `OwnShare`.
            self.others.fetch_add(count, Release);
        }
    }

    pub(crate) fn sum(&self) -> u64 {
        // Acquire: pairs with the adding.
        self.own.0.load(Acquire) + self.others.load(Acquire)
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::{OwnShare, Striped, Tally};

    #[test]
    fn p5_every_thread_counts_whoever_came_first() {
        let (tally, own) = (Tally::default(), OwnShare::default());
        tally.add_one(&own);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| tally.add_one(&own)));
            }
            (0..1_000).for_each(|_| tally.add_one(&own));
        });
        assert_eq!(tally.sum(&own), 5_001);
    }

    #[test]
    fn p5_a_count_whose_first_thread_has_gone_goes_on() {
        let (tally, own) = (Tally::default(), OwnShare::default());
        thread::scope(|scope| scope.spawn(|| tally.add_one(&own)).join()).unwrap();
        thread::scope(|scope| scope.spawn(|| tally.add_one(&own)).join()).unwrap();
        tally.add_one(&own);
        assert_eq!(tally.sum(&own), 3);
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
