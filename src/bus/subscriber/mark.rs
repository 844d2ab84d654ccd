//! A high-water mark: whether too much waits, told once each way.
//!
//! # Protocol
//!
//! `turns` counts how often the mailbox went above its mark or came back: odd while it is above. Whoever changes how much
//! waits, a publisher after its push or a consumer after its take, looks afterwards ([`Mailbox::see_mark`]): at `turns`,
//! then at how much waits. If the two disagree it takes the turn, by a compare-and-swap, so each is taken once; and
//! looks again.
//!
//! *A push beside a take.* One takes the turn upwards while the other makes it wrong again, by emptying the queue. Each
//! has a full fence between what it wrote (the queue or `turns`) and what it then reads (the other one). So one of the two
//! sees the other, and takes the turn back. When all have looked, mark and queue agree.
//!
//! *Turns are told in order.* Whoever took one tries a lock, and with it tells all turns that were not told. Who
//! does not get it leaves its turn to the holder, who looks once more after giving it back, with a fence in between, as
//! above. The lock is only ever tried, so nobody waits for it, and what is told may itself push and take here.

use super::super::conflate::Keyed;
use super::{MARKED, Mailbox};
use crate::sync::Ordering::Relaxed;
use crate::sync::{AtomicU64, Mutex, Queue, fence_full};

/// What is done at each turn, outside of all locks but the one that is only tried: `true` for one upwards, and how much
/// waits now.
type Tell = Box<dyn Fn(bool, usize) + Send + Sync>;

/// Where a mailbox has too much, and where it has little enough again.
pub(crate) struct Mark {
    high: usize,
    low: usize,
    turns: AtomicU64,
    /// How many turns were told.
    told: Mutex<u64>,
    tell: Tell,
}

impl Mark {
    /// `low` is below `high`.
    pub(crate) fn new(high: usize, low: usize, tell: Tell) -> Self {
        Mark {
            high,
            low,
            turns: AtomicU64::new(0),
            told: Mutex::new(0),
            tell,
        }
    }

    /// Takes the turns that are due; whether there was one.
    fn turn(&self, depth: impl Fn() -> usize) -> bool {
        let mut turned = false;
        loop {
            // After the push or the take that this follows, or the turn below.
            fence_full();
            // Relaxed, here and below: the fences order it.
            let turns = self.turns.load(Relaxed);
            let depth = depth();
            let is_due = if is_above(turns) {
                depth <= self.low
            } else {
                depth >= self.high
            };
            if !is_due {
                return turned;
            }
            // Who comes second looks again: each turn needs as many pushes or takes as lie between the two
            // marks, so nobody is kept here.
            let next = turns + 1;
            if self
                .turns
                .compare_exchange(turns, next, Relaxed, Relaxed)
                .is_ok()
            {
                turned = true;
            }
        }
    }

    /// Tells what was not told, unless somebody else does.
    fn tell(&self, depth: impl Fn() -> usize) {
        loop {
            let Some(mut told) = self.told.try_lock() else {
                return;
            };
            // Relaxed: this thread's own turn is seen, and others are looked for again below.
            while *told < self.turns.load(Relaxed) {
                *told += 1;
                (self.tell)(is_above(*told), depth());
            }
            let all = *told;
            drop(told);
            // Either this sees a turn of one who was turned away, or that one found the lock free.
            fence_full();
            if self.turns.load(Relaxed) == all {
                return;
            }
        }
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
        if let Some(mark) = &self.mark {
            self.see(mark);
        }
    }

    #[cold]
    fn see(&self, mark: &Mark) {
        if mark.turn(|| self.waiting()) {
            mark.tell(|| self.waiting());
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
