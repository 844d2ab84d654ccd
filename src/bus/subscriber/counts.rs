//! What a mailbox counts, and what is missing where.

use super::super::conflate::Keyed;
use super::super::overflow::Overflow;
use super::{Losses, Mailbox, Missing};
use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{Arc, Queue};

impl<E: Keyed> Mailbox<E> {
    /// Messages that wait, replayed ones included, tokens not.
    pub(crate) fn len(&self) -> usize {
        // Relaxed, here and in `queued`: a figure of this moment, out of date as soon as it is read.
        self.front_len.load(Relaxed) + self.queued()
    }

    pub(super) fn queued(&self) -> usize {
        if let Some(aside) = &self.pending {
            aside.len.load(Relaxed)
        } else {
            let tokens = self.tokens.load(Relaxed);
            let queued = self.queue.get().map_or(0, Queue::len);
            queued.saturating_sub(tokens)
        }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(crate) fn overflow(&self) -> Overflow {
        self.overflow
    }

    pub(crate) fn is_closed(&self) -> bool {
        // Acquire: whoever sees the close also sees what was done before it.
        self.closed.load(Acquire)
    }

    pub(crate) fn losses(&self) -> &Arc<Losses> {
        &self.losses
    }

    /// Messages accepted and not pushed out since, taken or not.
    ///
    /// Exact while no consumer is between taking a message and counting it.
    pub(crate) fn received(&self) -> u64 {
        self.taken() + self.queued() as u64
    }

    /// Messages that consumers took. After [`abandon`](Mailbox::abandon) they are all that it received.
    pub(crate) fn taken(&self) -> u64 {
        self.taken.sum(&self.taken_first)
    }

    /// How many were dropped since this was last asked, or reported by [`due_gap`](Mailbox::due_gap).
    pub(crate) fn missed(&self) -> u64 {
        let missing = self.missing();
        let mut gaps = missing.gaps.lock();
        gaps.clear();
        self.report(missing, u64::MAX)
    }

    /// How many are missing right before the next take.
    pub(crate) fn due_gap(&self) -> u64 {
        // The common case without a lock. A drop that is not seen yet is seen at the next take.
        // Acquire: pairs with `lose` and `report`.
        let dropped = self.losses.dropped.load(Acquire);
        let reported = |missing: &Missing| missing.reported.load(Acquire);
        if dropped == self.missing.get().map_or(0, reported) {
            return 0;
        }
        let missing = self.missing();
        let mut gaps = missing.gaps.lock();
        // What the log does not place (its lock was taken) is due now. Relaxed: `taken` only places a
        // gap, and `reported` is written under this lock. Acquire: pairs with `lose`.
        gaps.due(self.taken());
        let later = gaps.pending();
        let known = self.losses.dropped.load(Acquire) - missing.reported.load(Relaxed);
        self.report(missing, known.saturating_sub(later))
    }

    /// Moves `reported` on by at most `limit`; the caller holds the lock of the gaps.
    fn report(&self, missing: &Missing, limit: u64) -> u64 {
        // Relaxed: written under the lock that the caller holds. Acquire: pairs with `lose`. Release:
        // pairs with the look without a lock in `due_gap`.
        let reported = missing.reported.load(Relaxed);
        let count = (self.losses.dropped.load(Acquire) - reported).min(limit);
        missing.reported.store(reported + count, Release);
        count
    }
}
