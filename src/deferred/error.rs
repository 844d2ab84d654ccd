//! What can go wrong where events are applied later; events always come back.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use super::publish::{DeferredBus, Publish};
use crate::shield::{Thrown, told};

/// Nobody will apply what was published; it comes back.
///
/// Its [`MultiBus`](crate::MultiBus) has been dropped, or never had the bus that the event is of.
///
/// ```
/// use chanbus::{BasicBus, Effect, MultiBus, Publish};
///
/// let multi = MultiBus::new();
/// let effects = multi.wrap(BasicBus::new());
/// drop(multi);
/// let error = effects.publish(Effect::new("too late", |_| Ok(()))).unwrap_err();
/// assert_eq!(error.into_inner().label(), "too late");
/// ```
pub struct PublishError<E>(E);

impl<E> PublishError<E> {
    /// For buses of your own.
    ///
    /// ```
    /// # use chanbus::PublishError;
    /// assert_eq!(PublishError::new(7).into_inner(), 7);
    /// ```
    pub fn new(event: E) -> Self {
        PublishError(event)
    }

    /// Takes back what was to be published.
    ///
    /// ```
    /// # use chanbus::PublishError;
    /// assert_eq!(PublishError::new("back").into_inner(), "back");
    /// ```
    #[must_use]
    pub fn into_inner(self) -> E {
        self.0
    }
}

impl<E> fmt::Display for PublishError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PUBLISH_TEXT)
    }
}

pub(crate) const PUBLISH_TEXT: &str = "nobody will apply what is published: the `MultiBus` has gone, or has no such \
     bus; keep it until all is published, and publish inside of `with_orchestrator`";

// By hand, so that the event need not be `Debug`.
impl<E> fmt::Debug for PublishError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublishError(..)")
    }
}

impl<E> Error for PublishError<E> {}

/// Why an effect did not do what it should.
///
/// ```
/// use chanbus::{BasicBus, Commit, DeferredBus, Effect, EffectError, Publish};
///
/// let bus = BasicBus::new();
/// bus.publish(Effect::new("boom", |_| panic!("out of paper")))?;
/// let error = bus.apply(Commit::Real).unwrap_err();
/// assert!(matches!(error.failed.error, EffectError::Panicked(text) if &*text == "out of paper"));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[non_exhaustive]
pub enum EffectError<X> {
    /// It said so.
    Failed(X),
    /// It panicked, and what the panic said.
    Panicked(Box<str>),
}

impl<X> EffectError<X> {
    /// Whether it panicked.
    ///
    /// ```
    /// # use chanbus::EffectError;
    /// assert!(!EffectError::Failed("no").is_panic());
    /// ```
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self, EffectError::Panicked(_))
    }

    pub(super) fn thrown(thrown: Thrown) -> Self {
        EffectError::Panicked(told(thrown).into())
    }
}

impl<X: fmt::Display> fmt::Display for EffectError<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EffectError::Failed(error) => error.fmt(f),
            EffectError::Panicked(text) => write!(f, "it panicked: {text}"),
        }
    }
}

impl<X: fmt::Debug> fmt::Debug for EffectError<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EffectError::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
            EffectError::Panicked(text) => f.debug_tuple("Panicked").field(text).finish(),
        }
    }
}

impl<X: fmt::Debug + fmt::Display> Error for EffectError<X> {}

/// The event at which an apply stopped.
///
/// ```
/// use chanbus::{BasicBus, Commit, DeferredBus, Effect, Publish};
///
/// let bus = BasicBus::new();
/// bus.publish(Effect::new("print", |_| Err("out of paper".into())))?;
/// let failed = bus.apply(Commit::Real).unwrap_err().failed;
/// assert_eq!(failed.label.as_deref(), Some("print"));
/// assert_eq!(failed.error.to_string(), "out of paper");
/// # Ok::<(), chanbus::Error>(())
/// ```
#[non_exhaustive]
pub struct Failed<E, X> {
    /// The event itself, to be published again or not.
    pub event: E,
    /// What it is called, if it is called anything.
    pub label: Option<Arc<str>>,
    /// What it said, or that it panicked.
    pub error: EffectError<X>,
}

impl<E, X> Failed<E, X> {
    /// For buses of your own.
    ///
    /// ```
    /// use chanbus::{EffectError, Failed};
    ///
    /// let failed = Failed::new(7, None, EffectError::Failed("no"));
    /// assert_eq!(failed.event, 7);
    /// ```
    pub fn new(event: E, label: Option<Arc<str>>, error: EffectError<X>) -> Self {
        Failed {
            event,
            label,
            error,
        }
    }
}

impl<E, X: fmt::Debug> fmt::Debug for Failed<E, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failed")
            .field("label", &self.label)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// An apply that stopped: what was applied, what failed, and what remains, all of it whole and in order.
///
/// What `remaining` has is on no bus any more: publish it again, or leave it. To retry what failed, too, publish
/// [`into_unapplied`](ApplyError::into_unapplied): it may have done a part, so effects that are retried should bear to
/// be run twice.
///
/// ```
/// use chanbus::{BasicBus, Commit, DeferredBus, Effect, Publish};
///
/// let bus = BasicBus::new();
/// for n in 1..=3 {
///     bus.publish(Effect::new(n.to_string(), move |_| if n == 2 { Err("two".into()) } else { Ok(()) }))?;
/// }
/// let error = bus.apply(Commit::Real).unwrap_err();
/// assert_eq!(error.to_string(), "effect `2`, number 2 of 3, failed: two");
/// assert_eq!(error.applied.len(), 1);
///
/// bus.publish_all(error.remaining)?;
/// assert_eq!(bus.apply(Commit::Real)?[0].label(), "3");
/// # Ok::<(), chanbus::Error>(())
/// ```
#[non_exhaustive]
pub struct ApplyError<E, X, A = Vec<E>> {
    /// What was applied before.
    pub applied: A,
    /// What stopped it. (In a box, so that errors are small.)
    pub failed: Box<Failed<E, X>>,
    /// What did not run.
    pub remaining: Vec<E>,
    /// How many were applied before.
    before: usize,
}

/// The error of a bus of this type.
///
/// ```
/// use chanbus::{Applied, ApplyErrorOf, Commit, DeferredBus, MultiBus};
///
/// fn finish(multi: &MultiBus) -> Result<Applied, ApplyErrorOf<MultiBus>> {
///     multi.apply(Commit::Real)
/// }
/// assert!(finish(&MultiBus::new())?.is_empty());
/// # Ok::<(), chanbus::Error>(())
/// ```
pub type ApplyErrorOf<B> =
    ApplyError<<B as Publish>::Event, <B as DeferredBus>::Error, <B as DeferredBus>::Applied>;

impl<E, X> ApplyError<E, X> {
    /// For buses of your own.
    ///
    /// ```
    /// use chanbus::{ApplyError, EffectError, Failed};
    ///
    /// let failed = Failed::new(2, None, EffectError::Failed("no"));
    /// let error = ApplyError::new(vec![1], failed, vec![3]);
    /// assert_eq!(error.to_string(), "effect number 2 of 3 failed: no");
    /// ```
    pub fn new(applied: Vec<E>, failed: Failed<E, X>, remaining: Vec<E>) -> Self {
        ApplyError {
            before: applied.len(),
            applied,
            failed: Box::new(failed),
            remaining,
        }
    }
}

impl<E, X, A> ApplyError<E, X, A> {
    /// The same with what was applied told otherwise.
    ///
    /// ```
    /// use chanbus::{ApplyError, EffectError, Failed};
    ///
    /// let failed = Failed::new(2, None, EffectError::Failed("no"));
    /// let error = ApplyError::new(vec![1], failed, vec![3]).map_applied(|applied| applied.len());
    /// assert_eq!(error.applied, 1);
    /// ```
    pub fn map_applied<B>(self, map: impl FnOnce(A) -> B) -> ApplyError<E, X, B> {
        ApplyError {
            applied: map(self.applied),
            failed: self.failed,
            remaining: self.remaining,
            before: self.before,
        }
    }

    /// What failed and what remains, in order: all that is left to do.
    ///
    /// ```
    /// use chanbus::{ApplyError, EffectError, Failed};
    ///
    /// let failed = Failed::new(2, None, EffectError::Failed("no"));
    /// assert_eq!(ApplyError::new(vec![1], failed, vec![3]).into_unapplied(), [2, 3]);
    /// ```
    #[must_use]
    pub fn into_unapplied(self) -> Vec<E> {
        let mut events = self.remaining;
        events.insert(0, self.failed.event);
        events
    }
}

impl<E, X: fmt::Display, A> fmt::Display for ApplyError<E, X, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, all) = (self.before + 1, self.before + 1 + self.remaining.len());
        let error = &self.failed.error;
        match &self.failed.label {
            Some(label) => write!(
                f,
                "effect `{label}`, number {number} of {all}, failed: {error}"
            ),
            None => write!(f, "effect number {number} of {all} failed: {error}"),
        }
    }
}

// By hand, so that events need not be `Debug`.
impl<E, X: fmt::Debug, A> fmt::Debug for ApplyError<E, X, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApplyError")
            .field("applied", &self.before)
            .field("failed", &self.failed)
            .field("remaining", &self.remaining.len())
            .finish()
    }
}

impl<E, X: fmt::Debug + fmt::Display, A> Error for ApplyError<E, X, A> {}
