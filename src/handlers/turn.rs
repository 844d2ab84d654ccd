//! Whose turn it is to poll a future that any thread may wake.

use crate::sync::AtomicU8;
use crate::sync::Ordering::{AcqRel, Acquire};

/// The state of a future that is polled by one at a time and woken by anybody.
///
/// Every wake updates the state, also where it leaves it as it is, and every poll begins with an update:
/// so the poll after a wake has seen what was done before the wake, whichever wake it was that brought
/// it about.
pub(super) struct Turn(AtomicU8);

/// To be polled.
const QUEUED: u8 = 0;
const POLLING: u8 = 1;
/// Being polled, and woken since that began.
const AGAIN: u8 = 2;
/// Waits to be woken.
const ASLEEP: u8 = 3;

impl Turn {
    /// To be polled.
    pub(super) fn queued() -> Self {
        Turn(AtomicU8::new(QUEUED))
    }

    /// Somebody woke it; whether it is up to the caller to have it polled.
    #[must_use]
    pub(super) fn wake(&self) -> bool {
        let woken = self.0.fetch_update(AcqRel, Acquire, |state| {
            Some(match state {
                ASLEEP => QUEUED,
                POLLING => AGAIN,
                same => same,
            })
        });
        woken == Ok(ASLEEP)
    }

    /// A poll begins, by the one who has it.
    pub(super) fn begin(&self) {
        self.0.swap(POLLING, AcqRel);
    }

    /// A poll has ended, and it waits; `false` if it was woken meanwhile, and is to be polled again.
    #[must_use]
    pub(super) fn rest(&self) -> bool {
        let rests = self.0.compare_exchange(POLLING, ASLEEP, AcqRel, Acquire);
        if rests.is_err() {
            // Only the one who polls leaves that state.
            self.0.swap(QUEUED, AcqRel);
        }
        rests.is_ok()
    }
}
