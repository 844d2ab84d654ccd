//! The right to wrap buses, and nothing else.

use std::fmt;
use std::sync::{Arc, Weak};

use super::part::{Delayed, Part};
use super::wrapped::Wrapped;
use super::{MultiBus, Shared};
use crate::deferred::publish::DeferredBus;

/// Wraps buses in a [`MultiBus`], and can do nothing else with it: what to give to functions
/// that bring buses of their own. A cheap handle; it does not keep the `MultiBus`.
///
/// ```
/// use chanbus::{BasicBus, Commit, DeferredBus, Effect, MultiBus, Orchestrator, Publish, PublishError};
///
/// fn place_order(orchestrator: &Orchestrator, name: &str) -> Result<(), PublishError<Effect>> {
///     let mails = orchestrator.wrap(BasicBus::new());
///     mails.publish(Effect::new(format!("mail {name}"), |_| Ok(())))
/// }
///
/// let multi = MultiBus::new();
/// place_order(&multi.orchestrator(), "ann")?;
/// place_order(&multi.orchestrator(), "bob")?;
/// assert_eq!(multi.apply(Commit::Real)?.len(), 2);
/// # Ok::<(), chanbus::Error>(())
/// ```
///
/// ```compile_fail,E0599
/// use chanbus::{Commit, DeferredBus, MultiBus};
///
/// let multi = MultiBus::new();
/// let _ = multi.orchestrator().apply(Commit::Real);
/// ```
///
/// ```
/// use chanbus::{Commit, DeferredBus, MultiBus};
///
/// let multi = MultiBus::new();
/// let _ = multi.apply(Commit::Real);
/// ```
#[derive(Clone)]
pub struct Orchestrator {
    shared: Weak<Shared>,
}

impl Orchestrator {
    pub(super) fn new(shared: Weak<Shared>) -> Self {
        Orchestrator { shared }
    }

    /// Adds a bus, after those that are there; as [`MultiBus::wrap`]. When the `MultiBus` has
    /// gone, those who publish are told.
    ///
    /// ```
    /// use chanbus::{BasicBus, Effect, MultiBus, Publish};
    ///
    /// let orchestrator = MultiBus::new().orchestrator();
    /// let effects = orchestrator.wrap(BasicBus::new());
    /// assert!(effects.publish(Effect::new("too late", |_| Ok(()))).is_err());
    /// ```
    pub fn wrap<B: DeferredBus + Send + Sync + 'static>(&self, bus: B) -> Wrapped<B> {
        let part = Arc::new(Delayed::new(bus));
        match self.shared.upgrade() {
            Some(shared) => {
                let listed: Arc<dyn Part> = Arc::<Delayed<B>>::clone(&part);
                shared.add(listed);
            }
            None => part.end(),
        }
        Wrapped::new(part)
    }

    /// Takes in what a call has published to its own; gives it back if the owner has gone.
    pub(in crate::deferred) fn adopt(&self, own: MultiBus) -> Result<(), MultiBus> {
        match self.shared.upgrade() {
            Some(shared) => {
                shared.add(Arc::new(Delayed::new(own)));
                Ok(())
            }
            None => Err(own),
        }
    }

    /// Whether there is nobody to apply what would be published.
    ///
    /// ```
    /// # use chanbus::MultiBus;
    /// let multi = MultiBus::new();
    /// let orchestrator = multi.orchestrator();
    /// assert!(!orchestrator.is_orphan());
    /// drop(multi);
    /// assert!(orchestrator.is_orphan());
    /// ```
    #[must_use]
    pub fn is_orphan(&self) -> bool {
        self.shared.strong_count() == 0
    }
}

impl fmt::Debug for Orchestrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Orchestrator")
            .field("is_orphan", &self.is_orphan())
            .finish()
    }
}
