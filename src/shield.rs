//! The user's code behind a shield: a panic of it ends here.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a panic was thrown with.
pub(crate) type Thrown = Box<dyn Any + Send>;

/// Runs the user's code; a panic of it comes back as an error.
#[inline]
pub(crate) fn caught<R>(act: impl FnOnce() -> R) -> Result<R, Thrown> {
    // AssertUnwindSafe: what `act` leaves half done is the user's own, behind shared references.
    catch_unwind(AssertUnwindSafe(act))
}

/// Drops a user's value, whose destructor may panic; whether it did not.
pub(crate) fn drop_shielded<V>(value: V) -> bool {
    match caught(|| drop(value)) {
        Ok(()) => true,
        Err(thrown) => {
            discard(thrown);
            false
        }
    }
}

/// Lets go of what a panic was thrown with. Its own destructor may panic.
#[cold]
pub(crate) fn discard(thrown: Thrown) {
    if let Err(again) = caught(|| drop(thrown)) {
        // Dropping it could panic without end; a leak of one box is the lesser evil.
        std::mem::forget(again);
    }
}

/// What a panic said, whose value is let go of.
#[cold]
pub(crate) fn told(thrown: Thrown) -> String {
    let text = said(&*thrown).to_owned();
    discard(thrown);
    text
}

/// What a panic said, or `"a value that is no text"`.
pub(crate) fn said(thrown: &(dyn Any + Send)) -> &str {
    if let Some(text) = thrown.downcast_ref::<&str>() {
        text
    } else if let Some(text) = thrown.downcast_ref::<String>() {
        text
    } else {
        "a value that is no text"
    }
}
