//! Why a commit emitted nothing; the events always come back.

use std::error::Error;
use std::fmt;

use super::report::HookFailure;
use crate::error::EmitError;
use crate::event::Event;

/// A commit of an [`Outbox`](crate::Outbox) that emitted nothing, with all of its events, in order.
///
/// ```
/// use chanbus::{Bus, CommitError};
///
/// let bus = Bus::new();
/// let mut outbox = bus.outbox();
/// outbox.emit("order.placed", 7)?;
/// outbox.before_commit("stock", |_| Err("out of stock".into()));
///
/// let error = outbox.commit().unwrap_err();
/// assert!(error.to_string().contains("`stock` failed: out of stock"));
/// let CommitError::Refused { hook, events, .. } = error else { panic!() };
/// assert_eq!((hook.label(), events.len()), ("stock", 1));
///
/// // Once more, now that it has been mended.
/// let mut outbox = bus.outbox();
/// events.into_iter().for_each(|event| outbox.push(event));
/// assert_eq!(outbox.commit()?.events, 1);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[non_exhaustive]
pub enum CommitError<T> {
    /// The bus refused: it was closed, or a chain of events too deep.
    #[non_exhaustive]
    Emit {
        /// What the bus said, with the events; those that before-commit hooks emitted come last.
        error: EmitError<Vec<Event<T>>>,
        /// The after-rollback hooks that failed.
        failed: Vec<HookFailure>,
    },
    /// A before-commit hook said no, or panicked; later ones were not asked.
    #[non_exhaustive]
    Refused {
        /// Which one, and what it said.
        hook: HookFailure,
        /// The events; those that hooks before it emitted come last. What it emitted itself is discarded.
        events: Vec<Event<T>>,
        /// The after-rollback hooks that failed.
        failed: Vec<HookFailure>,
    },
}

impl<T> CommitError<T> {
    /// Whether the bus was closed.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::<u32>::new();
    /// let outbox = bus.outbox();
    /// bus.close();
    /// assert!(outbox.commit().unwrap_err().is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, CommitError::Emit { error, .. } if error.is_closed())
    }

    /// Whether the chain of causes was too long.
    ///
    /// ```
    /// # use chanbus::{Bus, Cause, Event};
    /// let bus = Bus::<u32>::builder().max_chain(0).build()?;
    /// let outbox = bus.outbox();
    /// let error = Cause::scope(&Event::new("a", 1)?, || outbox.commit().unwrap_err());
    /// assert!(error.is_chain_too_deep());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn is_chain_too_deep(&self) -> bool {
        matches!(self, CommitError::Emit { error, .. } if error.is_chain_too_deep())
    }

    /// Whether a before-commit hook said no, or panicked.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::<u32>::new();
    /// let mut outbox = bus.outbox();
    /// outbox.before_commit("check", |_| Err("no".into()));
    /// assert!(outbox.commit().unwrap_err().is_refused());
    /// ```
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(self, CommitError::Refused { .. })
    }

    /// The events, in order.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let mut outbox = bus.outbox();
    /// outbox.emit("a", 7)?;
    /// bus.close();
    /// assert_eq!(outbox.commit().unwrap_err().events()[0].topic(), "a");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn events(&self) -> &[Event<T>] {
        match self {
            CommitError::Emit { error, .. } => error.payload(),
            CommitError::Refused { events, .. } => events,
        }
    }

    /// Takes back the events, in order.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let mut outbox = bus.outbox();
    /// outbox.emit("a", 7)?;
    /// bus.close();
    /// let events = outbox.commit().unwrap_err().into_events();
    /// assert_eq!(*events[0].payload(), 7);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn into_events(self) -> Vec<Event<T>> {
        match self {
            CommitError::Emit { error, .. } => error.into_payload(),
            CommitError::Refused { events, .. } => events,
        }
    }

    /// The after-rollback hooks that failed, in the order in which they ran.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::<u32>::new();
    /// let mut outbox = bus.outbox();
    /// outbox.after_rollback("release", || Err("nothing was reserved".into()));
    /// bus.close();
    /// assert_eq!(outbox.commit().unwrap_err().failed()[0].label(), "release");
    /// ```
    #[must_use]
    pub fn failed(&self) -> &[HookFailure] {
        match self {
            CommitError::Emit { failed, .. } | CommitError::Refused { failed, .. } => failed,
        }
    }
}

/// What refused it and what to do about it, then which after-rollback hooks failed.
impl<T> fmt::Display for CommitError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.events().len();
        write!(f, "none of the outbox's {count} events was emitted: ")?;
        match self {
            CommitError::Emit { error, .. } => error.fmt(f)?,
            CommitError::Refused { hook, .. } => write!(
                f,
                "{hook} (mend that, push the events that `into_events` hands back into a new outbox, \
                 and commit it)"
            )?,
        }
        for failure in self.failed() {
            write!(f, "; after that {failure}")?;
        }
        Ok(())
    }
}

// By hand, so that the payload need not be `Debug`.
impl<T> fmt::Debug for CommitError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = match self {
            CommitError::Emit { .. } => f.debug_struct("Emit"),
            CommitError::Refused { .. } => f.debug_struct("Refused"),
        };
        match self {
            CommitError::Emit { error, .. } => all.field("error", error),
            CommitError::Refused { hook, .. } => all.field("hook", hook),
        };
        all.field("events", &self.events().len())
            .field("failed", &self.failed())
            .finish()
    }
}

impl<T: 'static> Error for CommitError<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // The text tells the inner error's, so the source is that one's, too.
        match self {
            CommitError::Emit { error, .. } => error.source(),
            CommitError::Refused { hook, .. } => hook.source(),
        }
    }
}
