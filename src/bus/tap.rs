//! Taps: callbacks on the emitting thread, without a queue.

use std::fmt;
use std::panic::Location;

use super::Bus;
use super::core::Core;
use super::feed::Keeper;
use super::listeners::{Tap, TapKind};
use crate::error::SubscribeError;
use crate::event::Event;
use crate::pattern::IntoPatterns;
use crate::sync::{Arc, Hook};

impl<T: Send + Sync + 'static> Bus<T> {
    /// Calls `tap` with every matching event, on the emitting thread, until the guard is dropped.
    ///
    /// There is no queue: the emit takes as long as `tap` does, so it should be short and never
    /// block. It is called after the event is in every queue, once for each event however many
    /// patterns match, and is not counted in [`Emitted`](crate::Emitted); it takes no slot of the
    /// bus's limit. Several taps are called in the order in which they were made. A panic in it is
    /// caught and reported. What it emits carries the event as its [`Cause`](crate::Cause), so a tap
    /// that answers itself ends with an error.
    ///
    /// The bus drops the callback, and what it captured, when the guard is dropped or the bus closes
    /// (or when the emit that is inside it leaves). A callback that captures the very bus by a
    /// [`Bus`] keeps it open for ever: capture a [`WeakBus`](crate::WeakBus).
    ///
    /// # Errors
    ///
    /// A text that is no pattern, an empty list, or a closed bus.
    ///
    /// ```
    /// use std::sync::atomic::{AtomicU32, Ordering};
    /// use std::sync::Arc;
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let seen = Arc::new(AtomicU32::new(0));
    /// let count = Arc::clone(&seen);
    /// let guard = bus.tap("audit.**", move |_| {
    ///     count.fetch_add(1, Ordering::Relaxed);
    /// })?;
    /// bus.emit("audit.login", ())?;
    /// drop(guard);
    /// bus.emit("audit.logout", ())?;
    /// assert_eq!(seen.load(Ordering::Relaxed), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn tap(
        &self,
        patterns: impl IntoPatterns,
        tap: impl Fn(&Event<T>) + Send + Sync + 'static,
    ) -> Result<TapGuard<T>, SubscribeError> {
        let kind = TapKind::Call(Hook::new(Box::new(tap)));
        self.add_tap(patterns, Location::caller(), kind)
    }

    pub(super) fn add_tap(
        &self,
        patterns: impl IntoPatterns,
        location: &'static Location<'static>,
        kind: TapKind<T>,
    ) -> Result<TapGuard<T>, SubscribeError> {
        let core = Arc::clone(self.core());
        let id = core.next_id();
        // From here on the guard's drop sees to the callback, whatever becomes of it.
        let guard = TapGuard {
            tap: Arc::new(Tap {
                id,
                location,
                kind,
                #[cfg(feature = "tracing")]
                told: super::traced::Panics::of(&core),
            }),
            _keeps: self.keeper(),
            core,
        };
        let patterns = patterns.into_patterns(guard.core.settings.syntax)?;
        guard.core.add_tap(&guard.tap, patterns.into())?;
        Ok(guard)
    }
}

/// Keeps a tap or a pipe in place; made by [`Bus::tap`], [`Bus::pipe_to`] and [`Bus::pass_on`]. Dropping it removes
/// it: no call of it begins
/// after that. It does not keep the bus open, unless that is a [derived](Bus::derive) one.
///
/// ```
/// # use chanbus::Bus;
/// let bus = Bus::new();
/// let guard = bus.tap("a", |event| println!("{event:?}"))?;
/// bus.emit("a", 1)?;
/// drop(guard);
/// assert_eq!(bus.stats().taps, 0);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "dropping the guard removes the tap or pipe"]
pub struct TapGuard<T: Send + Sync + 'static> {
    core: Arc<Core<T>>,
    tap: Arc<Tap<T>>,
    /// A derived bus lives as long as its taps.
    _keeps: Option<Keeper>,
}

impl<T: Send + Sync + 'static> Drop for TapGuard<T> {
    fn drop(&mut self) {
        self.core.remove_tap(&self.tap);
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for TapGuard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TapGuard")
            .field("id", &self.tap.id)
            .finish_non_exhaustive()
    }
}
