//! The publishers' side of a mailbox.

use std::time::Instant;

use super::{Aside, Bell, ENDED, MARKED, Mailbox, Pushed, Ringer};
use crate::bus::conflate::{Keyed, Offer};
use crate::bus::overflow::Overflow;
use crate::sync::Ordering::{Acquire, Relaxed, Release, SeqCst};
use crate::sync::{Signal, fence_full};

/// How often a publisher that drops the oldest makes room before it gives up.
///
/// Each round fails only when another publisher took the room just made, so more rounds than there
/// are publishers at once are never needed, and a bound is, as P1 allows no waiting.
const EVICTION_ROUNDS: usize = 16;

impl<E: Keyed> Mailbox<E> {
    /// Offers a message, if it goes into the queue just so; else hands it back, for
    /// [`push_harder`](Mailbox::push_harder).
    ///
    /// After a push of either kind that was accepted, the publisher must ask whether it
    /// [`wants_more`](Mailbox::wants_more).
    #[inline]
    pub(crate) fn push(&self, message: E) -> Result<(), E> {
        // Acquire: whoever sees the flag also sees what was done before the close.
        if self.pending.is_some() || self.closed.load(Acquire) {
            return Err(message);
        }
        match self.queue().try_push(Some(message)) {
            Err(Some(message)) => Err(message),
            // A queue hands back what it was given.
            Ok(()) | Err(None) => Ok(()),
        }
    }

    /// Offers a message that [`push`](Mailbox::push) handed back, without waiting. Messages that it
    /// pushes out, which it does before it looks for room, go to `evicted`, counted.
    pub(crate) fn push_harder(&self, message: E, evicted: &mut impl FnMut(E)) -> Pushed<E> {
        // Acquire as in `push`.
        if self.closed.load(Acquire) {
            return Pushed::Closed(message);
        }
        if let Some(aside) = &self.pending {
            let offer = self.offer(aside, message);
            return self.offered(offer, evicted);
        }
        if self.overflow == Overflow::DropOldest {
            return self.push_evicting(message, evicted);
        }
        match self.push(message) {
            Ok(()) => Pushed::Accepted,
            // Acquire as in `push`.
            Err(message) if self.closed.load(Acquire) => Pushed::Closed(message),
            Err(message) => Pushed::Full(message),
        }
    }

    fn push_evicting(&self, message: E, evicted: &mut impl FnMut(E)) -> Pushed<E> {
        let mut message = Some(message);
        for _ in 0..EVICTION_ROUNDS {
            // What was queued before a close is for the consumers (P8). Acquire as in `push`.
            if self.closed.load(Acquire) {
                break;
            }
            match self.queue().try_pop() {
                Some(Some(oldest)) => {
                    // Relaxed: says where the gap is, not how large; see `lose`.
                    self.lose(self.taken());
                    evicted(oldest);
                }
                // The end came meanwhile: the token belongs to the consumers.
                Some(None) => {
                    self.forget_token();
                    self.push_token();
                    break;
                }
                // A consumer made the room.
                None => {}
            }
            match self.queue().try_push(message.take()) {
                Ok(()) => return Pushed::Accepted,
                Err(back) => message = back,
            }
        }
        match message {
            // Acquire as in `push`.
            Some(message) if self.closed.load(Acquire) => Pushed::Closed(message),
            Some(message) => Pushed::Full(message),
            None => Pushed::Accepted,
        }
    }

    /// Offers messages that are to be taken together, in a mailbox that [keeps
    /// batches](Mailbox::keeps_batches), without waiting: nobody takes or pushes in between. What becomes of
    /// each goes to `done`, in order; what they push out goes to `evicted`, counted.
    pub(crate) fn push_together(
        &self,
        messages: impl Iterator<Item = E>,
        evicted: &mut impl FnMut(E),
        done: &mut impl FnMut(Pushed<E>),
    ) {
        let Some(aside) = &self.pending else {
            return messages.for_each(|message| done(self.push_harder(message, evicted)));
        };
        // Acquire as in `push`.
        if self.closed.load(Acquire) {
            return messages.for_each(|message| done(Pushed::Closed(message)));
        }
        let offers: Vec<Offer<E>> = {
            let mut pending = aside.pending.lock();
            let mut joined = false;
            let offer = |message| {
                let offer = pending.offer(message, joined);
                joined |= matches!(offer, Offer::Added | Offer::PushedOut(_));
                offer
            };
            let offers = messages.map(offer).collect();
            // Relaxed as in `offer`.
            aside.len.store(pending.len(), Relaxed);
            offers
        };
        for offer in offers {
            done(self.offered(offer, evicted));
        }
    }

    /// Whether messages that are [pushed together](Mailbox::push_together) stay together.
    pub(crate) fn keeps_batches(&self) -> bool {
        self.pending.as_ref().is_some_and(|aside| aside.batches)
    }

    /// Nothing of the user's runs under this lock: keys are ours, and what is replaced or pushed out is
    /// dropped by the caller.
    fn offer(&self, aside: &Aside<E>, message: E) -> Offer<E> {
        let mut pending = aside.pending.lock();
        let offer = pending.offer(message, false);
        // Relaxed: a figure for readers; `pending` itself is ordered by its lock.
        aside.len.store(pending.len(), Relaxed);
        offer
    }

    /// Does what is to be done after an offer, outside of the lock.
    fn offered(&self, offer: Offer<E>, evicted: &mut impl FnMut(E)) -> Pushed<E> {
        match offer {
            Offer::Added => {
                // One token a message. Where it does not fit, the queue is full of tokens, so nobody
                // sleeps, and each who takes one looks in `pending`.
                let _ = self.queue().try_push(None);
                Pushed::Accepted
            }
            Offer::Replaced(older) => {
                // Relaxed: a statistic.
                self.losses.conflated.fetch_add(1, Relaxed);
                evicted(older);
                Pushed::Accepted
            }
            // A token of the one that went is there for this one.
            Offer::PushedOut(older) => {
                // Relaxed: says where the gap is, not how large; see `lose`.
                self.lose(self.taken());
                evicted(older);
                Pushed::Accepted
            }
            Offer::Full(message) => Pushed::Full(message),
        }
    }

    /// A push by a publisher that looked at `closed` before it was set.
    #[cfg(test)]
    pub(crate) fn push_late(&self, message: E) {
        let pushed = match &self.pending {
            Some(aside) => {
                let offer = self.offer(aside, message);
                self.offered(offer, &mut drop)
            }
            None => match self.queue().try_push(Some(message)) {
                Ok(()) => Pushed::Accepted,
                Err(_) => unreachable!("a test pushes where there is room"),
            },
        };
        assert!(matches!(pushed, Pushed::Accepted));
    }

    /// Counts a message that found no room as dropped.
    pub(crate) fn refuse(&self) {
        // It is missing after all that waits now. Exact while no consumer takes meanwhile. Relaxed:
        // says where the gap is, not how large.
        self.lose(self.taken() + self.queued() as u64);
    }

    /// The second half of an accepted push: whether there is something to be done, by
    /// [`wake`](Mailbox::wake) and, if it [`has_ended`](Mailbox::has_ended),
    /// [`settle`](Mailbox::settle).
    #[inline]
    pub(crate) fn wants_more(&self) -> bool {
        // SeqCst, after the push: see "A message behind the token", and the files of those who wait.
        self.demands.load(SeqCst) != 0
    }

    /// Whether all that it wants is a look at its mark, and that shows that nothing is to be told: then the push is done.
    pub(crate) fn is_far_from_mark(&self) -> bool {
        // SeqCst as in `wants_more`.
        self.demands.load(SeqCst) == MARKED && !self.is_turn_due()
    }

    /// Whether the consumers have left, so that who pushed must settle.
    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        // SeqCst, after the push: see "A message behind the token". (Under `Latest` the lock of
        // `pending` does it.)
        self.demands.load(SeqCst) & ENDED != 0
    }

    /// Has a consumer woken that sleeps elsewhere than in the queue, after a push. Who gets a ringer
    /// must call it, once for all mailboxes that an emit pushed to.
    pub(crate) fn wake(&self) -> Option<&Ringer> {
        Bell::hand_on(self.bell.as_ref()?)
    }

    /// Takes one message back, counted as dropped; `None` if others have taken all.
    #[cold]
    pub(crate) fn settle(&self) -> Option<E> {
        let back = loop {
            if let Some(message) = self.pop_pending() {
                break Some(message);
            }
            match self.queue().try_pop() {
                Some(Some(message)) => break Some(message),
                Some(None) => self.forget_token(),
                None => break None,
            }
        };
        if back.is_some() {
            // Relaxed: says where the gap is, not how large.
            self.lose(self.taken());
        }
        // A token that was taken was for a consumer that may still be asleep; and a message that was
        // taken may have woken one in vain, after it had kept another's token out of a full queue.
        self.push_token();
        back
    }

    /// Sleeps until there may be room, or the mailbox closes; `false` when the deadline passed.
    pub(crate) fn wait_for_room(&self, deadline: Instant) -> bool {
        let signal = self.room.get_or_init(|| Box::new(Signal::new()));
        // Either `close` sees the signal, or this sees `closed`: both fence in between.
        fence_full();
        // Relaxed: the fence does it.
        self.closed.load(Relaxed) || self.queue().wait_writable(signal, deadline)
    }

    fn lose(&self, before: u64) {
        // Release: who reads the count under the lock of `gaps` finds the place noted, or finds it
        // later; either way the sum is right.
        self.losses.dropped.fetch_add(1, Release);
        // Only tried: a publisher waits for no consumer. A place that was not noted is reported at
        // the next take.
        if let Some(mut gaps) = self.missing().gaps.try_lock() {
            // Relaxed: says where the gap is, not how large.
            let next = self.taken();
            gaps.note(before, next, self.capacity.saturating_add(1));
        }
    }
}
