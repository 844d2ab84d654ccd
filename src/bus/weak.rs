//! A handle that does not keep its bus open.

use std::fmt;

use super::{Bus, Open};
use crate::sync::Weak;

/// A handle that does not keep its bus open; made by [`Bus::downgrade`].
///
/// ```
/// use chanbus::Bus;
///
/// let bus = Bus::new();
/// let weak = bus.downgrade();
/// // A callback that the bus itself holds would keep it open for ever by a `Bus`.
/// let echo = bus.tap("ping", move |_| {
///     if let Some(bus) = weak.upgrade() {
///         let _ = bus.emit("pong", ());
///     }
/// })?;
/// let sub = bus.subscribe("pong")?;
/// bus.emit("ping", ())?;
/// assert_eq!(sub.recv()?.topic(), "pong");
/// # Ok::<(), chanbus::Error>(())
/// ```
pub struct WeakBus<T: Send + Sync + 'static>(pub(super) Weak<Open<T>>);

impl<T: Send + Sync + 'static> WeakBus<T> {
    /// The bus, unless its last handle is gone.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// assert!(bus.downgrade().upgrade().is_some());
    /// ```
    #[must_use]
    pub fn upgrade(&self) -> Option<Bus<T>> {
        self.0.upgrade().map(Bus)
    }
}

impl<T: Send + Sync + 'static> Clone for WeakBus<T> {
    fn clone(&self) -> Self {
        WeakBus(Weak::clone(&self.0))
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for WeakBus<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gone = self.0.strong_count() == 0;
        f.debug_struct("WeakBus").field("gone", &gone).finish()
    }
}
