//! Telling `tracing`: what listens there is the user's code.
//!
//! It is behind a shield, as taps and wakers are. And what it does on the same thread is not told in turn:
//! a subscriber of `tracing` that emits would be told of its own emit for ever.

use std::cell::Cell;

use crate::shield::{Thrown, caught};

thread_local! {
    /// Somebody is being told on this thread. Without a destructor, so that it is there to the thread's end.
    static TELLING: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside of what listens, so that nothing is told.
pub(crate) fn is_telling() -> bool {
    TELLING.get()
}

/// Tells, unless this is inside of what listens; a panic of that comes back as an error.
pub(crate) fn tell(act: impl FnOnce()) -> Result<(), Thrown> {
    if TELLING.replace(true) {
        return Ok(());
    }
    let told = caught(act);
    TELLING.set(false);
    told
}

/// [`tell`] where there is nobody to report a panic to.
pub(crate) fn tell_quietly(act: impl FnOnce()) {
    if let Err(thrown) = tell(act) {
        crate::shield::discard(thrown);
    }
}
