//! Effects: closures with a label, and the bus of them.

use std::fmt;
use std::panic::resume_unwind;

use super::apply_event::ApplyEvent;
use super::commit::Commit;
use super::queued::Deferred;
use crate::BoxError;
use crate::shield::caught;
use crate::sync::{Arc, Mutex};

/// Something to do, with a label that says what.
///
/// ```
/// use chanbus::{Commit, Effect};
///
/// let mut sent = 0;
/// let effect = Effect::new("send", move |commit: Commit| {
///     if commit.is_real() {
///         sent += 1;
///     }
///     Ok(())
/// });
/// assert_eq!(effect.label(), "send");
/// effect.run(Commit::Real)?;
/// # Ok::<(), chanbus::BoxError>(())
/// ```
pub struct Effect {
    label: Arc<str>,
    act: Act<dyn FnMut(Commit) -> Result<(), BoxError> + Send>,
}

impl Effect {
    /// An effect of this label, which is told whether to act. It may be run more than once, dry and for real: so it
    /// keeps what it captures.
    ///
    /// ```
    /// # use chanbus::Effect;
    /// let effect = Effect::new(format!("mail {}", 7), |_| Err("no network".into()));
    /// assert_eq!(effect.label(), "mail 7");
    /// ```
    #[must_use]
    pub fn new(
        label: impl Into<Arc<str>>,
        run: impl FnMut(Commit) -> Result<(), BoxError> + Send + 'static,
    ) -> Self {
        Effect {
            label: label.into(),
            act: Act::new(Box::new(run)),
        }
    }

    /// What it is called.
    ///
    /// ```
    /// # use chanbus::Effect;
    /// assert_eq!(Effect::new("mail", |_| Ok(())).label(), "mail");
    /// ```
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Runs it; most often a bus does.
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
    /// # use chanbus::{Commit, Effect};
    /// assert!(Effect::new("mail", |_| Err("no network".into())).run(Commit::Real).is_err());
    /// ```
    pub fn run(&self, commit: Commit) -> Result<(), BoxError> {
        self.act.with(|act| act(commit))
    }

    pub(super) fn label_handle(&self) -> Arc<str> {
        Arc::clone(&self.label)
    }
}

impl fmt::Debug for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Effect").field(&self.label).finish()
    }
}

/// A bus of [effects](Effect): what to do, collected now and done together.
///
/// ```
/// use chanbus::{BasicBus, Commit, DeferredBus, Effect, Publish};
/// use std::sync::mpsc;
///
/// let (sent, sends) = mpsc::channel();
/// let effects = BasicBus::new();
/// for name in ["ann", "bob"] {
///     let sent = sent.clone();
///     effects.publish(Effect::new(format!("mail {name}"), move |commit| {
///         if commit.is_real() {
///             sent.send(name)?;
///         }
///         Ok(())
///     }))?;
/// }
/// assert!(sends.try_recv().is_err());
///
/// let applied = effects.apply(Commit::Real)?;
/// assert_eq!(applied[1].label(), "mail bob");
/// assert_eq!(sends.try_iter().collect::<Vec<_>>(), ["ann", "bob"]);
/// # Ok::<(), chanbus::Error>(())
/// ```
pub type BasicBus = Deferred<RunEffect>;

/// Applies an [`Effect`] by running it.
///
/// ```
/// # use chanbus::{BasicBus, RunEffect};
/// let _: &RunEffect = BasicBus::new().applier();
/// ```
#[derive(Debug)]
pub struct RunEffect(());

impl BasicBus {
    /// A bus without effects.
    ///
    /// ```
    /// # use chanbus::BasicBus;
    /// assert!(BasicBus::new().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Deferred::by(RunEffect(()))
    }
}

impl Default for BasicBus {
    fn default() -> Self {
        BasicBus::new()
    }
}

impl ApplyEvent for RunEffect {
    type Event = Effect;
    type Error = BoxError;

    fn apply_event(&self, effect: &Effect, commit: Commit) -> Result<(), BoxError> {
        effect.run(commit)
    }

    fn label(&self, effect: &Effect) -> Option<Arc<str>> {
        Some(effect.label_handle())
    }
}

/// A closure that may be called through a shared reference, by one at a time and under no lock: it is taken out
/// while it runs.
pub(super) struct Act<F: ?Sized>(Mutex<Option<Box<F>>>);

impl<F: ?Sized> Act<F> {
    pub(super) fn new(act: Box<F>) -> Self {
        Act(Mutex::new(Some(act)))
    }

    /// Calls it; a panic of it goes on when it is back.
    pub(super) fn with(
        &self,
        call: impl FnOnce(&mut F) -> Result<(), BoxError>,
    ) -> Result<(), BoxError> {
        let Some(mut act) = self.0.lock().take() else {
            return Err("the effect is running at this moment".into());
        };
        let said = caught(|| call(&mut act));
        *self.0.lock() = Some(act);
        said.unwrap_or_else(|thrown| resume_unwind(thrown))
    }
}
