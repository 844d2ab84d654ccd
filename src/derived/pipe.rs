//! From one bus to another that is there already.

use crate::{Bus, Inlet, IntoPatterns, SubscribeError, TapGuard};

impl<T: Send + Sync + 'static> Bus<T> {
    /// Forwards matching events to another bus, as they are, until the guard is dropped or this bus
    /// closes. It keeps neither of them open (unless this one is [derived](Bus::derive)), and takes no slot of their
    /// limits. What comes to a bus that has closed is refused, and counted there; that is no error here, and costs
    /// each emit a look until the guard is dropped. [`Emitted`](crate::Emitted) does not count it.
    ///
    /// Buses may be piped in circles and meshes: each event comes to each of them once, as it never goes back
    /// where it came by. What was held back for that counts as [`repeated`](crate::BusStats::repeated)
    /// there.
    ///
    /// # Errors
    ///
    /// A text that is no pattern, an empty list, or this bus is closed.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let (ui, audit) = (Bus::new(), Bus::new());
    /// let forth = ui.pipe_to(&audit, "login.*")?;
    /// let back = audit.pipe_to(&ui, "**")?;
    /// let (near, far) = (ui.subscribe_all()?, audit.subscribe_all()?);
    /// ui.emit("login.failed", "ada")?;
    /// ui.emit("click", "button")?;
    /// assert_eq!((near.len(), far.len()), (2, 1));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn pipe_to(
        &self,
        other: &Bus<T>,
        patterns: impl IntoPatterns,
    ) -> Result<TapGuard<T>, SubscribeError> {
        self.pass_on(patterns, &Inlet::to(other), |_| true)
    }
}
