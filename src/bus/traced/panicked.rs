//! Panics of the user's code that the bus caught: told where the hook is, once loudly, and then each softly.

use std::time::Duration;

use ::tracing::{Level, debug, field, level_enabled, warn};

use super::super::core::Core;
use super::super::panics::{CaughtPanic, PanicHook, PanicPlace, Whose};
use super::told::say;
use crate::clock::Clock;
use crate::sync::Ordering::Relaxed;
use crate::sync::{Arc, AtomicU64};
use crate::topic::Topic;
use crate::traced::is_telling;

/// What did not happen for so long begins anew.
const QUIET: Duration = Duration::from_secs(10);

/// When something happened last, in nanoseconds; zero if it never did.
pub(super) struct Last(AtomicU64);

impl Last {
    pub(super) const fn new() -> Self {
        Last(AtomicU64::new(0))
    }

    /// Whether it had not happened for long before now. Of several threads at once, one is told so.
    pub(super) fn begins(&self, clock: &Clock) -> bool {
        // Zero is kept for "never", which a clock made by hand may show.
        let now = clock.now_nanos().max(1);
        // Relaxed: it decides only who tells, and of two the exchange chooses one.
        let last = self.0.swap(now, Relaxed);
        last == 0 || u128::from(now.saturating_sub(last)) >= QUIET.as_nanos()
    }
}

/// The bus of which something is told.
pub(super) struct Teller {
    pub(super) bus: Option<Arc<str>>,
    pub(super) number: u64,
    pub(super) clock: Clock,
}

/// What was told of a subscription's panics, or of a tap's.
pub(in crate::bus) struct Panics {
    pub(super) teller: Teller,
    /// How many there were while somebody might listen.
    count: AtomicU64,
    last: Last,
}

impl Panics {
    pub(in crate::bus) fn of<T>(core: &Core<T>) -> Self {
        Panics {
            teller: Teller {
                bus: core.settings.name.clone(),
                number: core.number(),
                clock: core.settings.clock.clone(),
            },
            count: AtomicU64::new(0),
            last: Last::new(),
        }
    }
}

/// Whether code of which nobody knows whose it is begins to panic: destructors, for the most part. Kept for each kind,
/// and for the whole process.
fn begins_somewhere(place: PanicPlace) -> bool {
    static LAST: [Last; PanicPlace::COUNT] = [const { Last::new() }; PanicPlace::COUNT];
    let last = LAST.get(place as usize);
    last.is_some_and(|last| last.begins(&Clock::coarse()))
}

/// Tells of a panic, before the hook is called.
#[cold]
pub(in crate::bus) fn tell_panic(hook: Option<&PanicHook>, panic: &CaughtPanic<'_>, of: Whose<'_>) {
    // One of who listens: to tell that, too, would have no end.
    if panic.place() == PanicPlace::Tracing || !level_enabled!(Level::WARN) || is_telling() {
        return;
    }
    let (begins, panics) = match of.told {
        // Relaxed: a statistic.
        Some(told) => (
            told.last.begins(&told.teller.clock),
            Some(told.count.fetch_add(1, Relaxed) + 1),
        ),
        None => (begins_somewhere(panic.place()), None),
    };
    let bus = of.told.and_then(|told| told.teller.bus.as_deref());
    let bus_id = of.told.map(|told| told.teller.number);
    let (subscription, id, tap) = (of.name, of.subscription, of.tap);
    let (what, place) = (panic.place(), of.location.map(field::display));
    let (topic, message) = (panic.topic().map(Topic::as_str), panic.message());
    say(hook, panic.topic(), Some(&of), || {
        if begins {
            warn!(
                target: "chanbus::bus",
                bus, bus_id, subscription, id, tap, place, topic, %what, panic = message, panics,
                "code of the program begins to panic"
            );
        }
        debug!(
            target: "chanbus::bus",
            bus, bus_id, subscription, id, tap, place, topic, %what, panic = message, panics,
            "code of the program panicked"
        );
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_is_nobodys_begins_to_panic_once_in_a_while() {
        // Of these kinds there are none but here; the other is the last of all.
        for place in [PanicPlace::Tracing, PanicPlace::Hook] {
            assert!(begins_somewhere(place));
            assert!(!begins_somewhere(place));
        }
    }
}
