//! Who sleeps at a queue, kept where loom does not look.
//!
//! loom runs one thread at a time, so plain values will do, and they order nothing in memory. What
//! crossbeam's own handshake promises is taken as given, not shown: who registers, and then finds the
//! queue empty, is woken by the next push.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use loom::thread::{self, Thread};

#[derive(Default)]
pub(super) struct Sleepers(Mutex<VecDeque<Thread>>);

impl Sleepers {
    fn with<R>(&self, call: impl FnOnce(&mut VecDeque<Thread>) -> R) -> R {
        call(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn add(&self, thread: Thread) {
        self.with(|threads| threads.push_back(thread));
    }

    fn remove(&self, thread: &Thread) {
        self.with(|threads| threads.retain(|other| other.id() != thread.id()));
    }

    /// Wakes the one that has slept longest, as crossbeam does: each push wakes one.
    pub(super) fn wake_one(&self) {
        if let Some(thread) = self.with(VecDeque::pop_front) {
            thread.unpark();
        }
    }

    pub(super) fn wake_all(&self) {
        while let Some(thread) = self.with(VecDeque::pop_front) {
            thread.unpark();
        }
    }
}

/// Sleeps until one of these is woken. loom runs nobody else between this call and the sleep.
pub(super) fn sleep(places: &[&Sleepers]) {
    let me = thread::current();
    places.iter().for_each(|place| place.add(thread::current()));
    thread::park();
    places.iter().for_each(|place| place.remove(&me));
}

/// As the library's: raised once, and for ever.
pub(crate) struct Signal {
    raised: Cell<bool>,
    pub(super) watchers: Sleepers,
}

impl Signal {
    pub(crate) fn new() -> Self {
        Signal {
            raised: Cell::new(false),
            watchers: Sleepers::default(),
        }
    }

    pub(crate) fn raise(&self) {
        self.raised.set(true);
        self.watchers.wake_all();
    }

    pub(super) fn is_raised(&self) -> bool {
        self.raised.get()
    }
}
