//! What passes for a deferred bus where code insists on applying.

use std::fmt;
use std::sync::Arc;

use super::collected::Collected;
use super::commit::Commit;
use super::error::{ApplyError, PublishError};
use super::kept::Kept;
use super::publish::{Crate, DeferredBus, Publish};

/// A [`DeferredBus`] that belongs to somebody else: `apply` and `collect` run nothing and give nothing away, but
/// collect what was published, for the owner to run. Once the owner has gone they do nothing.
///
/// Made by [`DelayedBus::as_deferred`](crate::DelayedBus::as_deferred) and
/// [`Wrapped::as_deferred`](crate::Wrapped::as_deferred).
///
/// ```
/// use chanbus::{AsDeferred, BasicBus, Commit, DeferredBus, DelayedBus, Effect, Publish};
///
/// let delayed = DelayedBus::new(BasicBus::new());
/// let view: AsDeferred<BasicBus> = delayed.as_deferred();
/// view.publish(Effect::new("later", |_| Ok(())))?;
/// assert_eq!(view.apply(Commit::Real)?, 1);
/// assert!(view.collect().is_empty());
/// assert_eq!(delayed.apply_without_delay(Commit::Real)?.len(), 1);
/// # Ok::<(), chanbus::Error>(())
/// ```
pub struct AsDeferred<B: DeferredBus> {
    kept: Arc<Kept<B>>,
}

impl<B: DeferredBus> AsDeferred<B> {
    pub(super) fn new(kept: Arc<Kept<B>>) -> Self {
        AsDeferred { kept }
    }
}

impl<B: DeferredBus> Publish for AsDeferred<B> {
    type Event = B::Event;

    fn publish(&self, event: B::Event) -> Result<(), PublishError<B::Event>> {
        self.kept.publish(event)
    }

    fn publish_list(&self, events: Vec<B::Event>) -> Result<(), PublishError<Vec<B::Event>>> {
        self.kept.publish_list(events)
    }
}

impl<B: DeferredBus> DeferredBus for AsDeferred<B> {
    type Error = B::Error;
    /// How many events were collected; none was applied.
    type Applied = usize;

    fn apply(&self, _: Commit) -> Result<usize, ApplyError<B::Event, B::Error, usize>> {
        Ok(self.kept.collect_aside())
    }

    fn collect(&self) -> Vec<Collected<B::Event, B::Error>> {
        self.kept.collect_aside();
        Vec::new()
    }

    fn let_go(&self, _: Crate) {
        // It is the owner's.
    }

    fn is_spent(&mut self, _: Crate) -> bool {
        // It never has anything to run: the owner does.
        true
    }
}

impl<B: DeferredBus> Clone for AsDeferred<B> {
    fn clone(&self) -> Self {
        AsDeferred::new(Arc::clone(&self.kept))
    }
}

impl<B: DeferredBus> fmt::Debug for AsDeferred<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsDeferred").finish_non_exhaustive()
    }
}
