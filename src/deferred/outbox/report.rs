//! What a commit and a rollback did, and which hooks failed.

use std::error::Error;
use std::fmt;

use super::hooks::Outcome;
use crate::bus::Emitted;
use crate::handlers::BoxError;
use crate::shield::{caught, drop_shielded, told};
use crate::sync::Arc;

/// What [`Outbox::commit`](crate::Outbox::commit) did: its events are emitted.
///
/// ```
/// use chanbus::Bus;
///
/// let bus = Bus::new();
/// let sub = bus.subscribe("order.*")?;
/// let mut outbox = bus.outbox();
/// outbox.emit("order.placed", 1)?;
/// outbox.emit("order.paid", 1)?;
/// outbox.after_commit("mail", |_| Err("no mail server".into()));
///
/// let committed = outbox.commit()?;
/// assert_eq!((committed.events, committed.emitted.delivered), (2, 2));
/// assert_eq!(committed.failed[0].label(), "mail");
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
#[must_use = "it tells what was dropped, and which hooks failed: `is_complete` sums it up"]
pub struct Committed {
    /// The sum over its events.
    pub emitted: Emitted,
    /// How many events were emitted.
    pub events: usize,
    /// The after-commit hooks that failed, in the order in which they ran; a hook sees those before it.
    pub failed: Vec<HookFailure>,
}

impl Committed {
    /// Whether every subscription that wanted an event has it, and no hook failed.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let _sub = bus.subscription("n").capacity(1).subscribe()?;
    /// let mut outbox = bus.outbox();
    /// outbox.emit("n", 1)?;
    /// outbox.emit("n", 2)?;
    /// let committed = outbox.commit()?;
    /// assert!(!committed.is_complete());
    /// assert_eq!(committed.emitted.dropped, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.emitted.is_complete() && self.failed.is_empty()
    }
}

/// What [`Outbox::rollback`](crate::Outbox::rollback) or
/// [`Savepoint::rollback`](crate::Savepoint::rollback) did.
///
/// ```
/// # use chanbus::Bus;
/// let bus = Bus::new();
/// let mut outbox = bus.outbox();
/// outbox.emit("order.placed", 1)?;
/// outbox.after_rollback("release", || Err("nothing was reserved".into()));
///
/// let rolled_back = outbox.rollback();
/// assert_eq!(rolled_back.discarded, 1);
/// assert_eq!(rolled_back.failed[0].label(), "release");
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RolledBack {
    /// How many events were discarded.
    pub discarded: usize,
    /// The after-rollback hooks that failed, in the order in which they ran.
    pub failed: Vec<HookFailure>,
}

/// When a hook of an [`Outbox`](crate::Outbox) runs.
///
/// ```
/// # use chanbus::{Bus, HookPlace};
/// let mut outbox = Bus::<u32>::new().outbox();
/// outbox.after_rollback("x", || panic!("oh"));
/// assert_eq!(outbox.rollback().failed[0].place(), HookPlace::AfterRollback);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HookPlace {
    /// Before a commit, which it may refuse.
    BeforeCommit,
    /// After a commit.
    AfterCommit,
    /// After a rollback, or a commit that was refused.
    AfterRollback,
}

/// A hook of an [`Outbox`](crate::Outbox) that returned an error or panicked.
///
/// A cheap handle.
///
/// ```
/// # use chanbus::Bus;
/// let bus = Bus::<u32>::new();
/// let mut outbox = bus.outbox();
/// outbox.after_commit("audit", |_| Err("disk full".into()));
/// let committed = outbox.commit()?;
/// let failure = &committed.failed[0];
/// assert_eq!(failure.to_string(), "the after-commit hook `audit` failed: disk full");
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Clone)]
pub struct HookFailure(Arc<Inner>);

struct Inner {
    label: Arc<str>,
    place: HookPlace,
    kind: Kind,
}

enum Kind {
    Error(BoxError),
    /// With what it said.
    Panic(String),
}

impl HookFailure {
    /// Runs the user's code, and says what went wrong.
    pub(super) fn of(
        label: Arc<str>,
        place: HookPlace,
        act: impl FnOnce() -> Outcome,
    ) -> Option<Self> {
        let kind = match caught(act) {
            Ok(Ok(())) => return None,
            Ok(Err(error)) => Kind::Error(error),
            Err(thrown) => Kind::Panic(told(thrown)),
        };
        Some(HookFailure(Arc::new(Inner { label, place, kind })))
    }

    /// The label under which it was registered.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let mut outbox = Bus::<u32>::new().outbox();
    /// outbox.after_rollback("x", || panic!("oh"));
    /// assert_eq!(outbox.rollback().failed[0].label(), "x");
    /// ```
    #[must_use]
    pub fn label(&self) -> &str {
        &self.0.label
    }

    /// When it ran.
    ///
    /// ```
    /// # use chanbus::{Bus, HookPlace};
    /// let bus = Bus::<u32>::new();
    /// let mut outbox = bus.outbox();
    /// outbox.after_commit("x", |_| panic!("oh"));
    /// assert_eq!(outbox.commit()?.failed[0].place(), HookPlace::AfterCommit);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn place(&self) -> HookPlace {
        self.0.place
    }

    /// Whether it panicked.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let mut outbox = Bus::<u32>::new().outbox();
    /// outbox.after_rollback("x", || panic!("oh"));
    /// assert!(outbox.rollback().failed[0].is_panic());
    /// ```
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self.0.kind, Kind::Panic(_))
    }

    /// The error that it returned, if it is of that type.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// # use std::num::ParseIntError;
    /// let mut outbox = Bus::<u32>::new().outbox();
    /// outbox.after_rollback("x", || {
    ///     let _: u32 = "x".parse()?;
    ///     Ok(())
    /// });
    /// assert!(outbox.rollback().failed[0].downcast_ref::<ParseIntError>().is_some());
    /// ```
    #[must_use]
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        match &self.0.kind {
            Kind::Error(error) => error.downcast_ref(),
            Kind::Panic(_) => None,
        }
    }
}

/// The error is the user's, and may panic as it goes.
impl Drop for Inner {
    fn drop(&mut self) {
        drop_shielded(std::mem::replace(
            &mut self.kind,
            Kind::Panic(String::new()),
        ));
    }
}

/// Which hook, and what it said.
impl fmt::Display for HookFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { label, place, kind } = &*self.0;
        let when = match place {
            HookPlace::BeforeCommit => "before-commit",
            HookPlace::AfterCommit => "after-commit",
            HookPlace::AfterRollback => "after-rollback",
        };
        match kind {
            Kind::Error(error) => write!(f, "the {when} hook `{label}` failed: {error}"),
            Kind::Panic(said) => write!(f, "the {when} hook `{label}` panicked: {said}"),
        }
    }
}

impl fmt::Debug for HookFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut all = f.debug_struct("HookFailure");
        all.field("label", &self.0.label)
            .field("place", &self.0.place);
        match &self.0.kind {
            Kind::Error(error) => all.field("error", error),
            Kind::Panic(said) => all.field("panic", said),
        };
        all.finish()
    }
}

impl Error for HookFailure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.kind {
            // The text tells the inner error's, so the source is that one's, too.
            Kind::Error(error) => error.source(),
            Kind::Panic(_) => None,
        }
    }
}
