//! What was published and not yet applied.

use std::fmt;
use std::panic::resume_unwind;
use std::thread;

use crate::shield::{caught, discard};
use crate::sync::Mutex;

/// Events in the order in which they were published. The lock is held to add and to take, never while code
/// of the user's runs.
pub(super) struct Queue<E>(Mutex<Vec<E>>);

impl<E> Queue<E> {
    pub(super) fn new() -> Self {
        Queue(Mutex::new(Vec::new()))
    }

    pub(super) fn push(&self, event: E) {
        self.0.lock().push(event);
    }

    pub(super) fn extend(&self, mut events: Vec<E>) {
        self.0.lock().append(&mut events);
    }

    pub(super) fn take(&self) -> Vec<E> {
        std::mem::take(&mut *self.0.lock())
    }

    pub(super) fn len(&self) -> usize {
        self.0.lock().len()
    }
}

impl<E> Drop for Queue<E> {
    fn drop(&mut self) {
        drop_all(self.take());
    }
}

impl<E> fmt::Debug for Queue<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("len", &self.len()).finish()
    }
}

/// Drops all of them, also where destructors panic: see [`each`].
pub(super) fn drop_all<E>(events: Vec<E>) {
    each(events, drop);
}

/// Does it with each of them, also where that panics: the first panic goes on when all is done, unless the thread
/// is panicking already, which a second one would abort.
pub(super) fn each<E>(all: impl IntoIterator<Item = E>, act: impl Fn(E)) {
    let mut first = None;
    for one in all {
        if let Err(thrown) = caught(|| act(one)) {
            match first {
                None => first = Some(thrown),
                Some(_) => discard(thrown),
            }
        }
    }
    match first {
        Some(thrown) if !thread::panicking() => resume_unwind(thrown),
        Some(thrown) => discard(thrown),
        None => {}
    }
}
