//! Effects that share one context (D7).

use std::fmt;
use std::sync::Arc;

use super::apply_event::ApplyEvent;
use super::commit::Commit;
use super::context::{ContextGuard, ContextInUse, Slot};
use super::effect::Act;
use super::queued::Deferred;
use crate::BoxError;

/// Something to do with the context of a [`SideEffectsBus`], with a label that says what.
///
/// ```
/// use chanbus::SideEffect;
///
/// let effect = SideEffect::new("count", |count: &mut u32, commit| {
///     if commit.is_real() {
///         *count += 1;
///     }
///     Ok(())
/// });
/// assert_eq!(effect.label(), "count");
/// ```
pub struct SideEffect<C> {
    label: Arc<str>,
    act: Act<dyn Run<C>>,
}

/// What a side effect is made of.
trait Run<C>: FnMut(&mut C, Commit) -> Result<(), BoxError> + Send {}

impl<C, F: FnMut(&mut C, Commit) -> Result<(), BoxError> + Send> Run<C> for F {}

impl<C> SideEffect<C> {
    /// A side effect of this label, which is given the context and told whether to act. The closure has to name the
    /// context's type, as below.
    ///
    /// ```
    /// # use chanbus::SideEffect;
    /// let effect = SideEffect::new("sum", |sum: &mut f64, _| {
    ///     *sum += 1.5;
    ///     Ok(())
    /// });
    /// # let _ = effect;
    /// ```
    #[must_use]
    pub fn new(
        label: impl Into<Arc<str>>,
        run: impl FnMut(&mut C, Commit) -> Result<(), BoxError> + Send + 'static,
    ) -> Self {
        SideEffect {
            label: label.into(),
            act: Act::new(Box::new(run)),
        }
    }

    /// What it is called.
    ///
    /// ```
    /// # use chanbus::SideEffect;
    /// assert_eq!(SideEffect::<()>::new("mail", |_, _| Ok(())).label(), "mail");
    /// ```
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Runs it with a context; most often a bus does.
    ///
    /// # Errors
    ///
    /// What the closure says, or that it is running at this moment.
    ///
    /// # Panics
    ///
    /// If the closure does. (A bus makes an error of that.)
    ///
    /// ```
    /// # use chanbus::{Commit, SideEffect};
    /// let mut count = 0;
    /// SideEffect::new("count", |count: &mut u32, _| Ok(*count += 1)).run(&mut count, Commit::Real)?;
    /// assert_eq!(count, 1);
    /// # Ok::<(), chanbus::BoxError>(())
    /// ```
    pub fn run(&self, context: &mut C, commit: Commit) -> Result<(), BoxError> {
        self.act.with(|act| act(context, commit))
    }
}

impl<C> fmt::Debug for SideEffect<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SideEffect").field(&self.label).finish()
    }
}

/// A bus of [side effects](SideEffect), which all are given the one context that the bus has for its life: a
/// connection, a client, a count.
///
/// Effects have it one at a time, also where two threads apply. It stays as they left it, also if
/// one fails or panics, and from one apply to the next; [`reset_context`](SideEffectsBus::reset_context) is for
/// those who want another for each.
///
/// ```
/// use chanbus::{Commit, DeferredBus, Publish, SideEffect, SideEffectsBus};
///
/// let bus = SideEffectsBus::new(Vec::new());
/// for name in ["ann", "bob"] {
///     bus.publish(SideEffect::new(format!("mail {name}"), move |sent: &mut Vec<&str>, commit| {
///         if commit.is_real() {
///             sent.push(name);
///         }
///         Ok(())
///     }))?;
/// }
/// bus.apply(Commit::Real)?;
/// assert_eq!(*bus.context()?, ["ann", "bob"]);
/// # Ok::<(), chanbus::Error>(())
/// ```
pub type SideEffectsBus<C> = Deferred<RunSideEffect<C>>;

/// Applies a [`SideEffect`] by running it with the context.
///
/// ```
/// # use chanbus::{RunSideEffect, SideEffectsBus};
/// let bus = SideEffectsBus::new(7);
/// let _: &RunSideEffect<i32> = bus.applier();
/// ```
pub struct RunSideEffect<C> {
    slot: Slot<C>,
}

impl<C: Send + 'static> SideEffectsBus<C> {
    /// A bus whose effects are given this context.
    ///
    /// ```
    /// # use chanbus::SideEffectsBus;
    /// assert_eq!(*SideEffectsBus::new(7).context()?, 7);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn new(context: C) -> Self {
        let slot = Slot::new(context);
        Deferred::by(RunSideEffect { slot })
    }

    /// The context, to look at and to change; effects that are applied meanwhile wait for it. Waits while an
    /// effect of another thread has it.
    ///
    /// # Errors
    ///
    /// This very thread has it: by another guard, or as this is inside of an effect.
    ///
    /// ```
    /// # use chanbus::SideEffectsBus;
    /// let bus = SideEffectsBus::new(1);
    /// *bus.context()? += 1;
    /// let held = bus.context()?;
    /// assert_eq!(*held, 2);
    /// assert!(bus.context().is_err());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn context(&self) -> Result<ContextGuard<'_, C>, ContextInUse> {
        self.applier().slot.hold()
    }

    /// Puts another context there, and returns the one before.
    ///
    /// # Errors
    ///
    /// As [`context`](SideEffectsBus::context); the other one is dropped.
    ///
    /// ```
    /// # use chanbus::SideEffectsBus;
    /// let bus = SideEffectsBus::new(vec![1, 2]);
    /// assert_eq!(bus.reset_context(Vec::new())?, [1, 2]);
    /// assert!(bus.context()?.is_empty());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn reset_context(&self, context: C) -> Result<C, ContextInUse> {
        let mut guard = self.context()?;
        Ok(std::mem::replace(&mut *guard, context))
    }

    /// Ends the bus, and takes its context out. Effects that were not applied are dropped.
    ///
    /// # Errors
    ///
    /// There are other handles (a [`MultiBus`](crate::MultiBus) that has wrapped a clone has one, until it goes or next
    /// forgets buses that are spent), or collected effects that were neither run nor dropped; this one comes back.
    ///
    /// ```
    /// # use chanbus::SideEffectsBus;
    /// let bus = SideEffectsBus::new("context");
    /// let other = bus.clone();
    /// let bus = bus.into_context().unwrap_err();
    /// drop(other);
    /// assert_eq!(bus.into_context().unwrap(), "context");
    /// ```
    pub fn into_context(self) -> Result<C, Self> {
        self.into_applier().map(|applier| applier.slot.into_inner())
    }
}

impl<C: Send + 'static> ApplyEvent for RunSideEffect<C> {
    type Event = SideEffect<C>;
    type Error = BoxError;

    fn apply_event(&self, effect: &SideEffect<C>, commit: Commit) -> Result<(), BoxError> {
        effect.run(&mut *self.slot.hold()?, commit)
    }

    fn label(&self, effect: &SideEffect<C>) -> Option<Arc<str>> {
        Some(Arc::clone(&effect.label))
    }
}

impl<C> fmt::Debug for RunSideEffect<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunSideEffect").finish_non_exhaustive()
    }
}
