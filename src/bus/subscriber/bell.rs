//! Where consumers sleep whose wake-ups are handed on, so that an emit need not make them.
//!
//! # Protocol
//!
//! *A consumer* that found its queue empty counts itself in `waiting`, looks again, and sleeps until
//! there is something in `rung`. *A publisher* pushes, and looks at `waiting`. Either it sees the
//! consumer, or the consumer sees the message: `waiting` is counted, and loaded, sequentially
//! consistently, against the queue's own updates (see `Queue::try_push`).
//!
//! The publisher does not ring: it hands the bell to the thread that does, once, as `handed` says that
//! it is on its way, and when it has handed on all bells of an emit it calls that thread
//! ([`Ringer`]), which costs a system call at most, if it sleeps. That thread clears `handed` before it
//! rings, so a publisher that found it set pushed before the ring.
//!
//! *A call that finds another.* `calls` holds one. Who finds it full has handed its bells on before,
//! and the thread looks for bells after it took the call, so it finds them.
//!
//! *Several messages, one ring.* `rung` holds one. Whoever takes a message while others wait and more
//! messages do rings for the next ([`Bell::pass_on`]).
//!
//! *A ring that nobody waits for* stays, and the next sleeper looks once in vain.

use std::time::Instant;

use crate::sync::Ordering::{AcqRel, Relaxed, SeqCst};
use crate::sync::{Arc, AtomicBool, AtomicUsize, Queue, Sender};

/// The way to the thread that rings.
#[derive(Clone)]
pub(crate) struct Ringer {
    bells: Sender<Arc<Bell>>,
    calls: Sender<()>,
}

impl Ringer {
    /// What the thread that rings needs of it are the other ends: it waits for a call, then takes all
    /// bells and [answers](Bell::answer) them.
    pub(crate) fn new(bells: Sender<Arc<Bell>>, calls: Sender<()>) -> Self {
        Ringer { bells, calls }
    }

    /// Tells the thread that there are bells.
    pub(crate) fn call(&self) {
        // Full if it has been called and has not come yet; disconnected never, as the thread ends only
        // when everybody who could call has gone.
        let _ = self.calls.try_send(());
    }
}

pub(crate) struct Bell {
    /// Consumers that sleep, or are about to.
    waiting: AtomicUsize,
    rung: Queue<()>,
    handed: AtomicBool,
    ringer: Ringer,
}

impl Bell {
    pub(crate) fn new(ringer: Ringer) -> Self {
        Bell {
            waiting: AtomicUsize::new(0),
            rung: Queue::new(1),
            handed: AtomicBool::new(false),
            ringer,
        }
    }

    /// Sleeps until the bell is rung, unless `ready` says that there is no need; `false` when the
    /// deadline passed.
    pub(super) fn sleep(&self, ready: impl FnOnce() -> bool, deadline: Option<Instant>) -> bool {
        // SeqCst, before the look: see above.
        self.waiting.fetch_add(1, SeqCst);
        let rung = ready() || self.rung.pop(deadline).is_ok();
        // Relaxed: one counted too many costs a ring in vain.
        self.waiting.fetch_sub(1, Relaxed);
        rung
    }

    /// Hands the bell on if anybody waits, after something was put where they look. Who gets a ringer
    /// must call it.
    pub(super) fn hand_on(this: &Arc<Self>) -> Option<&Ringer> {
        // SeqCst, after the push: see above.
        if this.waiting.load(SeqCst) == 0 {
            return None;
        }
        // AcqRel: the ringer's own swap of it makes what was pushed before visible to who is woken.
        if this.handed.swap(true, AcqRel) {
            return None;
        }
        // One bell is handed on once at a time, so there is no room only where very many bells are on
        // their way.
        if this.ringer.bells.try_send(Arc::clone(this)).is_err() {
            this.answer();
            return None;
        }
        Some(&this.ringer)
    }

    /// What the thread that rings does with a bell.
    pub(crate) fn answer(&self) {
        // AcqRel: with the swap in `hand_on`. Before the ring: who comes later hands it on anew.
        self.handed.swap(false, AcqRel);
        self.ring();
    }

    /// Wakes one who waits.
    fn ring(&self) {
        // Full if it was rung and nobody has come yet: whoever does will find this message as well.
        let _ = self.rung.try_push(());
    }

    /// After a take: wakes another one who waits, if there is more.
    pub(super) fn pass_on(&self, more: impl FnOnce() -> bool) {
        // SeqCst: as in `hand_on`, for messages whose own ring found one there already.
        if self.waiting.load(SeqCst) > 0 && more() {
            self.ring();
        }
    }
}
