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
    /// A bus whose events are applied by a closure. They have no label in errors; an
    /// [`ApplyEvent`] can give them one.
    ///
    /// ```
    /// use chanbus::{Commit, Deferred, DeferredBus, Publish};
    ///
    /// let numbers = Deferred::from_fn(|number: &i32, _| match number {
    ///     ..0 => Err("negative".into()),
    ///     _ => Ok(()),
    /// });
    /// numbers.publish_all([1, -1, 2])?;
    /// let error = numbers.apply(Commit::Real).unwrap_err();
    /// assert_eq!(error.to_string(), "effect number 2 of 3 failed: negative");
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
