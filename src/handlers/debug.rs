//! Which events' ways are traced at visible level (H12).
//!
//! With the `tracing` feature everything below is emitted as events of `tracing`, target
//! `chanbus::handlers`: at `DEBUG` where debugging is on, at `TRACE` where it is off, failures that
//! nobody is told of at `ERROR`. Without it the switches exist, and there is nothing to see.

use crate::sync::AtomicU8;
use crate::sync::Ordering::Relaxed;

/// On, off, or as the next one says: one instance's setting, or that of all.
pub(super) struct Switch(AtomicU8);

const UNSET: u8 = 0;
const OFF: u8 = 1;
const ON: u8 = 2;

/// That of all.
static ALL: Switch = Switch::new();

impl Switch {
    pub(super) const fn new() -> Self {
        Switch(AtomicU8::new(UNSET))
    }

    // Relaxed throughout: a switch orders nothing.
    pub(super) fn set(&self, on: Option<bool>) {
        let value = match on {
            None => UNSET,
            Some(false) => OFF,
            Some(true) => ON,
        };
        self.0.store(value, Relaxed);
    }

    pub(super) fn get(&self) -> Option<bool> {
        match self.0.load(Relaxed) {
            UNSET => None,
            value => Some(value == ON),
        }
    }
}

/// Switches debugging on or off for all registries, emitters and dispatchers that were not told
/// otherwise themselves; `None` goes back to the default, which is on in builds with debug assertions.
///
/// What debugging shows needs the feature `tracing`.
///
/// ```
/// use chanbus::{Emitter, Handlers};
///
/// let handlers = Handlers::<u32>::new();
/// let (told, not_told) = (Emitter::inline(&handlers).debug(true), Emitter::inline(&handlers));
/// chanbus::set_debug(Some(false));
/// assert!(told.is_debug());
/// assert!(!not_told.is_debug());
/// chanbus::set_debug(None);
/// assert_eq!(not_told.is_debug(), cfg!(debug_assertions));
/// ```
pub fn set_debug(on: Option<bool>) {
    ALL.set(on);
}

/// The instance before all, all before the default.
pub(super) fn is_on(instance: Option<bool>) -> bool {
    instance
        .or_else(|| ALL.get())
        .unwrap_or(cfg!(debug_assertions))
}

/// What a failure says. A user's error may panic as it is asked.
#[cfg(feature = "tracing")]
pub(super) fn shown(what: &impl std::fmt::Display) -> String {
    use crate::shield::{caught, discard};

    caught(|| what.to_string()).unwrap_or_else(|thrown| {
        discard(thrown);
        "a failure that cannot be shown".to_owned()
    })
}

/// Traces one step of an event's way, or of a change of a registry.
macro_rules! trace {
    ($on:expr, $($what:tt)+) => {
        // Levels are looked at first, so that while nobody listens it is one load. What listens is the
        // user's code, behind a shield.
        #[cfg(feature = "tracing")]
        if ::tracing::level_enabled!(::tracing::Level::DEBUG) {
            if $crate::handlers::debug::is_on($on) {
                $crate::traced::tell_quietly(
                    || ::tracing::debug!(target: "chanbus::handlers", $($what)+),
                );
            } else if ::tracing::level_enabled!(::tracing::Level::TRACE) {
                $crate::traced::tell_quietly(
                    || ::tracing::trace!(target: "chanbus::handlers", $($what)+),
                );
            }
        }
    };
}
pub(super) use trace;
