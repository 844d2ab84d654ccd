//! A high-water mark: whether too much waits, told once each way.
//!
//! # Protocol
//!
//! `turns` counts how often it was told that the mailbox went above its mark, or came back: odd while it is above. Whoever
//! changes how much waits, a publisher after its push or a consumer after its take, looks afterwards
//! ([`Mailbox::see_mark`]): at `turns`, and at how much waits. If the two disagree it tries a lock, and with it makes the
//! turn and tells it; and looks again, after giving the lock back. Only who has the lock changes `turns`, so each turn is
//! told once, and in order. The lock is only ever tried: nobody waits for it, and what is told may itself push and take
//! here.
//!
//! *Who sees that they agree* has done enough (see [`is_far_from_mark`](Mailbox::is_far_from_mark)), and needs no fence for
//! it, as with the handshakes of the parent module: its push or take was a sequentially consistent update of the queue
//! (see `Queue::try_push`), or under the lock of what waits aside, and it reads `turns` after that. So either it sees
//! a turn, or who made that turn sees the push or take, as that one looks again behind a full fence.
//!
//! *Who does not get the lock* leaves what it saw to the holder. Between what one wrote (the queue or `turns`, and that
//! the lock is free) and what it then reads (the other one, and whether the lock is free) each has a full fence. So either
//! the holder sees, when it looks again, what the other one pushed or took; or that one sees that the lock is free, and
//! what was told last. When all have looked, mark and queue agree.
//!
//! *What comes and goes while a turn is told* is not told: there is no list of turns to work off, as with many pushes and
//! takes it might never end, and with it the emit of who tells. It goes on as long as the two disagree when it looks,
//! and never for more than [`MOST`] turns: then the next push or take looks.

use super::super::conflate::Keyed;
use super::{MARKED, Mailbox};
use crate::sync::Ordering::{Relaxed, SeqCst};
use crate::sync::{AtomicU64, Mutex, Queue, fence_full};

/// What is done at each turn, outside of all locks but the one that is only tried: `true` for one upwards, and how much
/// waits now.
type Tell = Box<dyn Fn(bool, usize) + Send + Sync>;

/// How many turns one push or take tells at most. Each needs that others turned it meanwhile, and an odd number of times;
/// so that many happen only where what is told turns it itself, each time.
const MOST: usize = 64;

/// Where a mailbox has too much, and where it has little enough again.
pub(crate) struct Mark {
    high: usize,
    low: usize,
    /// Changed under `telling` alone.
    turns: AtomicU64,
    telling: Mutex<()>,
    tell: Tell,
    /// Consumers look themselves, when they hold no lock any more.
    by_hand: bool,
}

impl Mark {
    /// `low` is below `high`.
    pub(crate) fn new(high: usize, low: usize, tell: Tell) -> Self {
        Mark {
            high,
            low,
            turns: AtomicU64::new(0),
            telling: Mutex::new(()),
            tell,
            by_hand: false,
        }
    }

    /// Takes do not look at it: who takes is to call [`Mailbox::see_mark`] afterwards, and before it waits for more.
    pub(crate) fn by_hand(mut self) -> Self {
        self.by_hand = true;
        self
    }

    /// Makes the turns that are due, and tells them.
    #[cold]
    fn see(&self, depth: impl Fn() -> usize) {
        for _ in 0..MOST {
            // After the push or the take that this follows, or after the lock was given back below.
            fence_full();
            if self.due(depth()).is_none() {
                return;
            }
            let Some(telling) = self.telling.try_lock() else {
                return;
            };
            // Somebody else may have made it just before.
            let waiting = depth();
            if let Some(turns) = self.due(waiting) {
                // Relaxed: the lock orders it among its holders, and the fence above before what is read next.
                self.turns.store(turns, Relaxed);
                (self.tell)(is_above(turns), waiting);
            }
            drop(telling);
        }
    }

    /// The turn that is to be made when so much waits.
    fn due(&self, depth: usize) -> Option<u64> {
        // SeqCst, after the push or take: see "Who sees that they agree". Behind a fence it would not need it.
        let turns = self.turns.load(SeqCst);
        let is_due = if is_above(turns) {
            depth <= self.low
        } else {
            depth >= self.high
        };
        is_due.then_some(turns + 1)
    }
}

fn is_above(turns: u64) -> bool {
    turns % 2 == 1
}

impl<E: Keyed> Mailbox<E> {
    /// Gives it a mark; before anybody else has it.
    pub(crate) fn with_mark(mut self, mark: Mark) -> Self {
        self.mark = Some(Box::new(mark));
        // Relaxed: nobody else has it.
        self.demands.fetch_or(MARKED, Relaxed);
        self
    }

    /// Whether somebody is to look at its mark after a push; asked after [`wants_more`](Mailbox::wants_more).
    #[inline]
    pub(crate) fn is_marked(&self) -> bool {
        self.mark.is_some()
    }

    /// Where it has too much, if that was said.
    pub(crate) fn high_water(&self) -> Option<usize> {
        self.mark.as_ref().map(|mark| mark.high)
    }

    /// Whether it has come to its mark, and not back.
    pub(crate) fn is_behind(&self) -> bool {
        let mark = self.mark.as_ref();
        // Relaxed: a statistic.
        mark.is_some_and(|mark| is_above(mark.turns.load(Relaxed)))
    }

    /// Holds what waits against the mark, if there is one, and has it told if that turned. What is told may run the
    /// user's code: to be called outside of all locks.
    #[inline]
    pub(crate) fn see_mark(&self) {
        if let Some(mark) = &self.mark
            && self.is_turn_due()
        {
            mark.see(|| self.waiting());
        }
    }

    /// Whether the push or the take that this follows turns it; if not, that one need not [look](Mailbox::see_mark).
    pub(super) fn is_turn_due(&self) -> bool {
        let mark = self.mark.as_ref();
        mark.is_some_and(|mark| mark.due(self.waiting()).is_some())
    }

    /// After a take, unless its consumers do that themselves.
    #[inline]
    pub(super) fn see_taken(&self) {
        if self.mark.as_ref().is_some_and(|mark| !mark.by_hand) {
            self.see_mark();
        }
    }

    /// How much waits, for who acts on it.
    fn waiting(&self) -> usize {
        match &self.pending {
            Some(aside) => aside.pending.lock().len(),
            None => {
                let queued = self.queue.get().map_or(0, Queue::waiting);
                // Relaxed: only after a close is there any, and then the mark falls at worst a little early.
                queued.saturating_sub(self.tokens.load(Relaxed))
            }
        }
    }
}
