//! The publishing side of a bus in a `MultiBus`.

use std::fmt;
use std::sync::Arc;

use super::part::{Delayed, Part};
use crate::deferred::error::PublishError;
use crate::deferred::publish::{DeferredBus, Publish};
use crate::deferred::view::AsDeferred;

/// A bus in a [`MultiBus`](crate::MultiBus), for those who publish to it: it cannot be applied from here.
///
/// A cheap handle; it keeps neither the bus nor the `MultiBus` from ending.
///
/// ```
/// use chanbus::{BasicBus, Commit, DeferredBus, Effect, MultiBus, Publish, Wrapped};
///
/// let multi = MultiBus::new();
/// let effects: Wrapped<BasicBus> = multi.wrap(BasicBus::new());
/// effects.publish(Effect::new("mail", |_| Ok(())))?;
/// assert_eq!(multi.apply(Commit::Real)?.len(), 1);
/// # Ok::<(), chanbus::Error>(())
/// ```
///
/// ```compile_fail,E0599
/// use chanbus::{BasicBus, Commit, DeferredBus, MultiBus};
///
/// let effects = MultiBus::new().wrap(BasicBus::new());
/// let _ = effects.apply(Commit::Real);
/// ```
///
/// ```
/// use chanbus::{BasicBus, Commit, DeferredBus, MultiBus};
///
/// let effects = MultiBus::new().wrap(BasicBus::new());
/// let _ = effects.as_deferred().apply(Commit::Real);
/// ```
pub struct Wrapped<B: DeferredBus> {
    part: Arc<Delayed<B>>,
}

impl<B: DeferredBus + Send + Sync + 'static> Wrapped<B> {
    pub(super) fn new(part: Arc<Delayed<B>>) -> Self {
        Wrapped { part }
    }

    /// A view for code that asks for a [`DeferredBus`] and applies it: its `apply` only collects, and the owner
    /// of the `MultiBus` runs it.
    ///
    /// ```
    /// use chanbus::{BasicBus, Commit, DeferredBus, Effect, MultiBus, Publish};
    ///
    /// let multi = MultiBus::new();
    /// let view = multi.wrap(BasicBus::new()).as_deferred();
    /// view.publish(Effect::new("mail", |_| Ok(())))?;
    /// assert_eq!(view.apply(Commit::Real)?, 1);
    /// assert_eq!(multi.apply(Commit::Real)?.len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn as_deferred(&self) -> AsDeferred<B> {
        AsDeferred::new(Arc::clone(&self.part.kept))
    }

    pub(super) fn number(&self) -> u64 {
        self.part.number()
    }
}

impl<B: DeferredBus> Publish for Wrapped<B> {
    type Event = B::Event;

    fn publish(&self, event: B::Event) -> Result<(), PublishError<B::Event>> {
        self.part.kept.publish(event)
    }

    fn publish_list(&self, events: Vec<B::Event>) -> Result<(), PublishError<Vec<B::Event>>> {
        self.part.kept.publish_list(events)
    }
}

impl<B: DeferredBus> Clone for Wrapped<B> {
    fn clone(&self) -> Self {
        Wrapped {
            part: Arc::clone(&self.part),
        }
    }
}

impl<B: DeferredBus> fmt::Debug for Wrapped<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wrapped")
            .field("is_orphan", &self.part.kept.is_ended())
            .finish_non_exhaustive()
    }
}
