//! A bus that cannot be applied by those who publish to it (D4).

use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;

use super::collected::Collected;
use super::commit::Commit;
use super::error::{ApplyError, PublishError};
use super::multi::Home;
use super::publish::{Crate, DeferredBus, Publish};
use super::queue::{Queue, drop_all};
use super::view::AsDeferred;
use crate::shield::caught;

/// Wraps a bus, for parts of a program that publish and must not apply: it has no
/// [`apply`](DeferredBus::apply). Its owner runs what came together.
///
/// A cheap handle: clones are the same bus.
///
/// ```
/// use chanbus::{BasicBus, Commit, DelayedBus, Effect, Publish, PublishError};
///
/// fn one(bus: &impl Publish<Event = Effect>) -> Result<(), PublishError<Effect>> {
///     bus.publish(Effect::new("one", |_| Ok(())))
/// }
///
/// let delayed = DelayedBus::new(BasicBus::new());
/// one(&delayed)?;
/// one(&delayed)?;
/// assert_eq!(delayed.apply_without_delay(Commit::Real)?.len(), 2);
/// # Ok::<(), chanbus::Error>(())
/// ```
///
/// It is no [`DeferredBus`] itself:
///
/// ```compile_fail,E0599
/// use chanbus::{BasicBus, Commit, DeferredBus, DelayedBus};
///
/// let delayed = DelayedBus::new(BasicBus::new());
/// let _ = delayed.apply(Commit::Real);
/// ```
///
/// but code that insists on applying can have a view that is one, and [collects](DelayedBus::as_deferred) instead:
///
/// ```
/// use chanbus::{BasicBus, Commit, DeferredBus, DelayedBus};
///
/// let delayed = DelayedBus::new(BasicBus::new());
/// let _ = delayed.as_deferred().apply(Commit::Real);
/// ```
pub struct DelayedBus<B: DeferredBus> {
    owner: Arc<Owner<B>>,
}

/// What all handles share, and views do not: with it goes what they collected.
struct Owner<B: DeferredBus> {
    parts: Arc<Parts<B>>,
    /// By which views know that it is there; until it goes.
    here: Option<Arc<()>>,
}

impl<B: DeferredBus> Drop for Owner<B> {
    fn drop(&mut self) {
        self.here = None;
        drop_all(self.parts.collected.take());
    }
}

pub(super) struct Parts<B: DeferredBus> {
    pub(super) bus: B,
    /// What a view's `apply` has collected.
    collected: Queue<Collected<B::Event, B::Error>>,
}

impl<B: DeferredBus> Parts<B> {
    pub(super) fn new(bus: B) -> Self {
        Parts {
            bus,
            collected: Queue::new(),
        }
    }

    /// Moves what was published to what was collected; how much that was.
    pub(super) fn collect_aside(&self) -> usize {
        let collected = self.bus.collect();
        let count = collected.len();
        self.collected.extend(collected);
        count
    }

    /// All there is: what was collected, then what was published since.
    pub(super) fn take(&self) -> Vec<Collected<B::Event, B::Error>> {
        let mut all = self.collected.take();
        match caught(|| self.bus.collect()) {
            Ok(mut since) => {
                all.append(&mut since);
                all
            }
            // A bus of the user's own: its panic takes nothing along.
            Err(thrown) => {
                self.collected.put_back(all);
                resume_unwind(thrown)
            }
        }
    }

    /// Puts back what was taken, before what came since.
    pub(super) fn put_back(&self, items: Vec<Collected<B::Event, B::Error>>) {
        self.collected.put_back(items);
    }

    pub(super) fn is_spent(&mut self) -> bool {
        self.collected.len() == 0 && self.bus.is_spent(Crate(()))
    }
}

impl<B: DeferredBus> DelayedBus<B> {
    /// Wraps a bus.
    ///
    /// ```
    /// # use chanbus::{BasicBus, DelayedBus};
    /// let delayed = DelayedBus::new(BasicBus::new());
    /// # let _ = delayed;
    /// ```
    #[must_use]
    pub fn new(bus: B) -> Self {
        let owner = Owner {
            parts: Arc::new(Parts::new(bus)),
            here: Some(Arc::new(())),
        };
        DelayedBus {
            owner: Arc::new(owner),
        }
    }

    /// Runs what was [collected](DelayedBus::as_deferred) and then what was published since, in order; returns it.
    /// (It is run by what [`collect`](DeferredBus::collect) of the wrapped bus gives.)
    ///
    /// # Errors
    ///
    /// As [`DeferredBus::apply`]; publishing what remains puts it on the bus again.
    ///
    /// ```
    /// use chanbus::{BasicBus, Commit, DeferredBus, DelayedBus, Effect, Publish};
    ///
    /// let delayed = DelayedBus::new(BasicBus::new());
    /// delayed.publish(Effect::new("first", |_| Ok(())))?;
    /// delayed.as_deferred().apply(Commit::Real)?;
    /// delayed.publish(Effect::new("second", |_| Ok(())))?;
    /// let applied = delayed.apply_without_delay(Commit::Real)?;
    /// assert_eq!(applied[0].label(), "first");
    /// assert_eq!(applied[1].label(), "second");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[expect(
        clippy::type_complexity,
        reason = "an alias would hide that it is the error of a list"
    )]
    pub fn apply_without_delay(
        &self,
        commit: Commit,
    ) -> Result<Vec<B::Event>, ApplyError<B::Event, B::Error>> {
        Collected::run_all(self.owner.parts.take(), commit)
    }

    /// A view for code that asks for a [`DeferredBus`] and applies it: its `apply` runs nothing, but collects what was
    /// published, for [`apply_without_delay`](DelayedBus::apply_without_delay), and says how much that was. It does not
    /// keep this bus: when the last handle has gone, those who publish by a view are told.
    ///
    /// ```
    /// use chanbus::{BasicBus, BoxError, Commit, DeferredBus, DelayedBus, Effect};
    ///
    /// fn process(bus: &impl DeferredBus<Event = Effect>) -> Result<(), BoxError> {
    ///     bus.publish(Effect::new("process", |_| Ok(())))?;
    ///     // It believes that this acts.
    ///     let _ = bus.apply(Commit::Real);
    ///     Ok(())
    /// }
    ///
    /// let delayed = DelayedBus::new(BasicBus::new());
    /// process(&delayed.as_deferred())?;
    /// process(&delayed.as_deferred())?;
    /// assert_eq!(delayed.apply_without_delay(Commit::DryRun)?.len(), 2);
    /// # Ok::<(), chanbus::BoxError>(())
    /// ```
    #[must_use]
    pub fn as_deferred(&self) -> AsDeferred<B> {
        let here = self.owner.here.as_ref().map(Arc::downgrade);
        let home = Home::delayed(here.unwrap_or_default());
        AsDeferred::new(Arc::clone(&self.owner.parts), home)
    }
}

impl<B: DeferredBus> Publish for DelayedBus<B> {
    type Event = B::Event;

    fn publish(&self, event: B::Event) -> Result<(), PublishError<B::Event>> {
        self.owner.parts.bus.publish(event)
    }

    fn publish_all(
        &self,
        events: impl IntoIterator<Item = B::Event>,
    ) -> Result<(), PublishError<Vec<B::Event>>> {
        self.owner.parts.bus.publish_all(events)
    }
}

impl<B: DeferredBus> Clone for DelayedBus<B> {
    fn clone(&self) -> Self {
        DelayedBus {
            owner: Arc::clone(&self.owner),
        }
    }
}

impl<B: DeferredBus> fmt::Debug for DelayedBus<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DelayedBus")
            .field("collected", &self.owner.parts.collected.len())
            .finish_non_exhaustive()
    }
}
