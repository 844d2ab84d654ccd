//! What becomes of what a start of a dispatcher began.

use crate::sync::AtomicU8;
use crate::sync::Ordering::{Acquire, Release};

/// What became of one epoch of a dispatcher.
pub(in crate::handlers) struct Fate(AtomicU8);

const OPEN: u8 = 0;
/// All that it took has come to its end.
const SETTLED: u8 = 1;
/// A stop gave up on it: its runs call no more handlers.
const GIVEN_UP: u8 = 2;

impl Default for Fate {
    fn default() -> Self {
        Fate(AtomicU8::new(OPEN))
    }
}

impl Fate {
    /// Whether its runs are to call no more handlers.
    pub(in crate::handlers) fn is_given_up(&self) -> bool {
        // Acquire: pairs with `give_up`, after which whoever stopped goes on.
        self.0.load(Acquire) == GIVEN_UP
    }

    pub(super) fn give_up(&self) {
        self.0.store(GIVEN_UP, Release);
    }

    // Under the dispatcher's lock, as is the question.
    pub(super) fn settle(&self) {
        self.0.store(SETTLED, Release);
    }

    pub(super) fn is_settled(&self) -> bool {
        self.0.load(Acquire) == SETTLED
    }
}
