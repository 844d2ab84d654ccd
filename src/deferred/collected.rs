//! Events taken off a bus with what they do, to be run later.

use std::fmt;
use std::sync::Arc;

use super::commit::Commit;
use super::error::{ApplyError, EffectError, Failed};
use crate::BoxError;
use crate::shield::{caught, drop_shielded, told};

/// What a collected event does: is given the event, and says whether it did it.
///
/// ```
/// use chanbus::{BoxError, Collected, Commit, Later};
///
/// let later: Later<u32, BoxError> = Box::new(|number, commit| {
///     assert_eq!((*number, commit), (7, Commit::Real));
///     Ok(())
/// });
/// Collected::new(7, later).run(Commit::Real).unwrap();
/// ```
pub type Later<E, X> = Box<dyn FnMut(&E, Commit) -> Result<(), X> + Send>;

/// An event that was taken off a bus by [`collect`](crate::DeferredBus::collect), with what it does.
///
/// It runs when it is told to, and never if it is dropped before.
///
/// ```
/// use chanbus::{Commit, Deferred, DeferredBus, Publish};
///
/// let bus = Deferred::from_fn(|number: &u32, _| {
///     if *number > 9 { Err("too high".into()) } else { Ok(()) }
/// });
/// bus.publish_all([7, 70])?;
/// let mut collected = bus.collect();
/// assert!(collected[0].run(Commit::Real).is_ok());
/// assert!(collected[1].run(Commit::Real).is_err());
/// assert_eq!(collected.remove(1).into_event(), 70);
/// # Ok::<(), chanbus::Error>(())
/// ```
pub struct Collected<E, X = BoxError> {
    event: E,
    label: Option<Arc<str>>,
    /// Or what a panic said where it was to be made.
    later: Result<Shielded<E, X>, Box<str>>,
}

/// What is to run. If what it captured panics as it goes, that takes nothing else along.
struct Shielded<E, X>(Option<Later<E, X>>);

impl<E, X> Drop for Shielded<E, X> {
    fn drop(&mut self) {
        drop_shielded(self.0.take());
    }
}

impl<E, X> Collected<E, X> {
    /// For buses of your own.
    ///
    /// ```
    /// # use chanbus::{Collected, Commit};
    /// let mut collected = Collected::new(7, Box::new(|_, _| Err("no")));
    /// assert!(collected.run(Commit::DryRun).is_err());
    /// ```
    pub fn new(event: E, later: Later<E, X>) -> Self {
        Collected {
            event,
            label: None,
            later: Ok(Shielded(Some(later))),
        }
    }

    /// An event with what `make` makes of it. If that panics, the event fails when it is run, and is not lost.
    pub(super) fn made(
        event: E,
        label: Option<Arc<str>>,
        make: impl FnOnce(&E) -> Later<E, X>,
    ) -> Self {
        let later = match caught(|| make(&event)) {
            Ok(later) => Ok(Shielded(Some(later))),
            Err(thrown) => Err(told(thrown).into()),
        };
        Collected {
            event,
            label,
            later,
        }
    }

    /// The same for another kind of event, that holds this one.
    pub(super) fn converted<F, Y>(
        self,
        event: impl FnOnce(E, Option<Arc<str>>) -> F,
        later: impl FnOnce(Later<E, X>) -> Later<F, Y>,
    ) -> Collected<F, Y> {
        Collected {
            event: event(self.event, self.label.clone()),
            label: self.label,
            later: self
                .later
                .map(|mut there| Shielded(there.0.take().map(later))),
        }
    }

    /// Gives it a name, for errors.
    ///
    /// ```
    /// # use chanbus::Collected;
    /// let collected = Collected::<_>::new(7, Box::new(|_, _| Ok(()))).labelled("seven");
    /// assert_eq!(collected.label(), Some("seven"));
    /// ```
    #[must_use]
    pub fn labelled(mut self, label: impl Into<Arc<str>>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Its name, if it has one.
    ///
    /// ```
    /// # use chanbus::Collected;
    /// assert_eq!(Collected::<_>::new(7, Box::new(|_, _| Ok(()))).label(), None);
    /// ```
    #[must_use]
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// The event.
    ///
    /// ```
    /// # use chanbus::Collected;
    /// assert_eq!(*Collected::<_>::new(7, Box::new(|_, _| Ok(()))).event(), 7);
    /// ```
    #[must_use]
    pub fn event(&self) -> &E {
        &self.event
    }

    /// Takes the event out; it will not run.
    ///
    /// ```
    /// # use chanbus::Collected;
    /// assert_eq!(Collected::<_>::new(7, Box::new(|_, _| Ok(()))).into_event(), 7);
    /// ```
    #[must_use]
    pub fn into_event(self) -> E {
        self.event
    }

    /// Runs it. May be called again: after a dry run, say, or after a failure.
    ///
    /// # Errors
    ///
    /// It failed, or panicked.
    ///
    /// ```
    /// # use chanbus::{Collected, Commit};
    /// let mut wrote = Collected::<_>::new("text", Box::new(|text, commit| {
    ///     if commit.is_real() {
    ///         println!("{text}");
    ///     }
    ///     Ok(())
    /// }));
    /// wrote.run(Commit::DryRun)?;
    /// wrote.run(Commit::Real)?;
    /// # Ok::<(), chanbus::EffectError<chanbus::BoxError>>(())
    /// ```
    pub fn run(&mut self, commit: Commit) -> Result<(), EffectError<X>> {
        let Collected { event, later, .. } = self;
        let later = match later {
            Ok(Shielded(Some(later))) => later,
            // Never: it is there until this value goes.
            Ok(Shielded(None)) => return Err(EffectError::Panicked("it has gone".into())),
            Err(text) => return Err(EffectError::Panicked(text.clone())),
        };
        match caught(|| later(event, commit)) {
            Ok(result) => result.map_err(EffectError::Failed),
            Err(thrown) => Err(EffectError::thrown(thrown)),
        }
    }

    /// Runs several, in order, each once; the first that fails stops it.
    ///
    /// # Errors
    ///
    /// As [`DeferredBus::apply`](crate::DeferredBus::apply).
    ///
    /// ```
    /// use chanbus::{Collected, Commit, Deferred, DeferredBus, Publish};
    ///
    /// let bus = Deferred::from_fn(|_: &u32, _| Ok(()));
    /// bus.publish_all([1, 2])?;
    /// assert_eq!(Collected::run_all(bus.collect(), Commit::Real)?, [1, 2]);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn run_all(items: Vec<Self>, commit: Commit) -> Result<Vec<E>, ApplyError<E, X>> {
        let mut items = items.into_iter();
        let mut applied = Vec::with_capacity(items.len());
        while let Some(mut item) = items.next() {
            let result = item.run(commit);
            let Collected {
                event,
                label,
                later,
            } = item;
            // What it captured goes here, behind its shield: if that panics, it has acted all the same, and
            // must not run again.
            drop(later);
            if let Err(error) = result {
                let remaining = items.map(Self::into_event).collect();
                return Err(ApplyError::new(
                    applied,
                    Failed::new(event, label, error),
                    remaining,
                ));
            }
            applied.push(event);
        }
        Ok(applied)
    }
}

impl<E, X> fmt::Debug for Collected<E, X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collected")
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}
