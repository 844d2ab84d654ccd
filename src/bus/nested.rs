//! What leads to more of its kind inside of itself, so often that no stack is deep enough: calls that are
//! passed on from waker to waker, derived buses that end one another.
//!
//! A few stand on one another. Those that come beyond wait in a list of the thread's, and the innermost
//! that was made sees to them when it has ended, one after the other: each adds its own successor to the
//! list rather than to the stack. That some are still made at once keeps it from mattering to wakers
//! that block until another consumer has moved.
//!
//! Whatever they do, the list is empty again before the thread has left its innermost one, as no panic gets
//! past a shield. The list is not borrowed while one of them runs or is dropped.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::mem::ManuallyDrop;

use super::panics::{PanicPlace, shield};
use crate::cause::Cause;

/// How many may stand on one another on a thread.
const DEEPEST: usize = 16;

type Deferred = Box<dyn FnOnce()>;

thread_local! {
    /// How many do now.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// Those that wait. Without a destructor, so that it is there to the very end of the thread, where
    /// destructors of other thread-locals may drop futures or buses. Nothing leaks: it is left empty.
    static WAITING: ManuallyDrop<RefCell<VecDeque<Deferred>>> =
        const { ManuallyDrop::new(RefCell::new(VecDeque::new())) };
}

/// One that is made now, or is to wait; what it does must not unwind.
#[must_use = "it is over when this is dropped"]
pub(super) struct Nested {
    /// How many there were before it.
    outer: usize,
}

impl Nested {
    pub(super) fn enter() -> Self {
        let outer = DEPTH.get();
        if outer < DEEPEST {
            DEPTH.set(outer + 1);
        }
        Nested { outer }
    }

    /// Whether it has to wait, by [`defer`](Nested::defer).
    pub(super) fn is_too_deep(&self) -> bool {
        self.outer == DEEPEST
    }

    /// Has it wait for its turn. What it emits then has the cause that it would have had now.
    #[cold]
    pub(super) fn defer(self, act: impl FnOnce() + 'static) {
        let waiting: Deferred = match Cause::current() {
            None => Box::new(act),
            Some(cause) => Box::new(move || cause.enter(act)),
        };
        WAITING.with(|list| list.borrow_mut().push_back(waiting));
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        if self.outer == DEEPEST {
            return;
        }
        if self.outer + 1 == DEEPEST {
            run_deferred();
        }
        DEPTH.set(self.outer);
    }
}

#[cold]
fn run_deferred() {
    while let Some(deferred) = WAITING.with(|list| list.borrow_mut().pop_front()) {
        // For what goes with it, as the last handle of a bus may; each has its own shields inside.
        shield(None, PanicPlace::Destructor, None, None, deferred);
    }
    // Its memory.
    WAITING.with(|list| drop(list.take()));
}
