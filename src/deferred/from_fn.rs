//! A bus made of a closure.

use std::fmt;
use std::marker::PhantomData;

use super::apply_event::ApplyEvent;
use super::commit::Commit;
use super::queued::Deferred;
use crate::BoxError;

/// A closure that applies events: see [`Deferred::from_fn`].
///
/// ```
/// use chanbus::{Deferred, FromFn, Publish, PublishError};
///
/// type Numbers = Deferred<FromFn<u32, fn(&u32, chanbus::Commit) -> Result<(), chanbus::BoxError>>>;
///
/// fn count(numbers: &Numbers) -> Result<(), PublishError<u32>> {
///     numbers.publish(1)
/// }
/// count(&Deferred::from_fn(|_, _| Ok(())))?;
/// # Ok::<(), chanbus::Error>(())
/// ```
pub struct FromFn<E, F> {
    apply: F,
    event: PhantomData<fn(E)>,
}

impl<E, F> Deferred<FromFn<E, F>>
where
    E: Send + Sync + 'static,
    F: Fn(&E, Commit) -> Result<(), BoxError> + Send + Sync + 'static,
{
    /// A bus whose events are applied by a closure.
    ///
    /// ```
    /// use chanbus::{Bus, Commit, Deferred, DeferredBus, Event, Publish};
    ///
    /// // Emits on a bus what was published, when it is applied for real.
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("order.*")?;
    /// let emits = Deferred::from_fn(move |event: &Event<u32>, commit| {
    ///     if commit.is_real() {
    ///         bus.emit_event(event.clone())?;
    ///     }
    ///     Ok(())
    /// });
    /// emits.publish(Event::new("order.placed", 7)?)?;
    /// assert!(sub.is_empty());
    /// emits.apply(Commit::Real)?;
    /// assert_eq!(*sub.recv()?.payload(), 7);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn from_fn(apply: F) -> Self {
        Deferred::by(FromFn {
            apply,
            event: PhantomData,
        })
    }
}

impl<E, F> ApplyEvent for FromFn<E, F>
where
    E: Send + Sync + 'static,
    F: Fn(&E, Commit) -> Result<(), BoxError> + Send + Sync + 'static,
{
    type Event = E;
    type Error = BoxError;

    fn apply_event(&self, event: &E, commit: Commit) -> Result<(), BoxError> {
        (self.apply)(event, commit)
    }
}

impl<E, F> fmt::Debug for FromFn<E, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFn").finish_non_exhaustive()
    }
}
