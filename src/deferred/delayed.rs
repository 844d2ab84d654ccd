//! A bus that cannot be applied by those who publish to it (D4).

use std::fmt;
use std::sync::Arc;

use super::collected::Collected;
use super::commit::Commit;
use super::error::{ApplyError, PublishError};
use super::kept::Owned;
use super::publish::{DeferredBus, Publish};
use super::view::AsDeferred;

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
/// It keeps what is published [apart](DeferredBus::apart), so several may wrap clones of one bus, and each runs its own.
/// What is on the wrapped bus itself runs with the first of them that is applied.
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
    owned: Arc<Owned<B>>,
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
        DelayedBus {
            owned: Arc::new(Owned::new(bus)),
        }
    }

    /// Runs what was [collected](DelayedBus::as_deferred) and then what was published since, in order; returns it.
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
    #[doc(alias = "apply")]
    #[expect(
        clippy::type_complexity,
        reason = "an alias would hide that it is the error of a list"
    )]
    pub fn apply_without_delay(
        &self,
        commit: Commit,
    ) -> Result<Vec<B::Event>, ApplyError<B::Event, B::Error>> {
        Collected::run_all(self.owned.kept().take(), commit)
    }

    /// A view for code that asks for a [`DeferredBus`] and applies it: its `apply` runs nothing, but collects what was
    /// published, for [`apply_without_delay`](DelayedBus::apply_without_delay), and says how much that was.
    ///
    /// ```
    /// use chanbus::{BasicBus, BoxError, Commit, DeferredBus, DelayedBus, Effect};
    ///
    /// fn process(bus: &impl DeferredBus<Event = Effect>) -> Result<(), BoxError> {
    ///     bus.publish(Effect::new("process", |_| Ok(())))?;
    ///     // It believes that this acts.
    ///     bus.apply(Commit::Real)?;
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
        AsDeferred::new(Arc::clone(self.owned.kept()))
    }
}

impl<B: DeferredBus> Publish for DelayedBus<B> {
    type Event = B::Event;

    fn publish(&self, event: B::Event) -> Result<(), PublishError<B::Event>> {
        self.owned.kept().publish(event)
    }

    fn publish_list(&self, events: Vec<B::Event>) -> Result<(), PublishError<Vec<B::Event>>> {
        self.owned.kept().publish_list(events)
    }
}

impl<B: DeferredBus> Clone for DelayedBus<B> {
    fn clone(&self) -> Self {
        DelayedBus {
            owned: Arc::clone(&self.owned),
        }
    }
}

impl<B: DeferredBus> fmt::Debug for DelayedBus<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DelayedBus")
            .field("collected", &self.owned.kept().collected())
            .finish_non_exhaustive()
    }
}
