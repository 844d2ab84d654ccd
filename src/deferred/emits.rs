//! Emits as effects: a deferred bus whose events go to a live one.

use std::fmt;
use std::sync::Arc;

use super::apply_event::ApplyEvent;
use super::commit::Commit;
use super::queued::Deferred;
use crate::{BoxError, Bus, EmitError, Event, WeakBus};

impl<T: Send + Sync + 'static> Bus<T> {
    /// A deferred bus whose events are emitted here when it is applied for real: for emits among other effects, in a
    /// [`MultiBus`](crate::MultiBus). A dry run only checks that this bus is open. It does not keep it open. What a full
    /// queue drops is no failure of the effect: subscriptions count it, as ever.
    ///
    /// By itself, an [`Outbox`](crate::Outbox) does more: it emits all or none.
    ///
    /// ```
    /// use chanbus::{Bus, Commit, DeferredBus, Event, MultiBus, Publish};
    ///
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("order.*")?;
    /// let multi = MultiBus::new();
    /// let emits = multi.wrap(bus.deferred());
    /// emits.publish(Event::new("order.placed", 7)?)?;
    /// assert!(sub.is_empty());
    /// multi.apply(Commit::Real)?;
    /// assert_eq!(*sub.recv()?.payload(), 7);
    ///
    /// emits.publish(Event::new("order.placed", 8)?)?;
    /// bus.close();
    /// let error = multi.apply(Commit::DryRun).unwrap_err();
    /// assert_eq!(error.failed.label.as_deref(), Some("order.placed"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn deferred(&self) -> Deferred<EmitOn<T>> {
        Deferred::by(EmitOn {
            bus: self.downgrade(),
        })
    }
}

/// Applies an event by emitting it on a live bus: see [`Bus::deferred`].
///
/// ```
/// # use chanbus::{Bus, EmitOn};
/// let bus: Bus<u32> = Bus::new();
/// let _: &EmitOn<u32> = bus.deferred().applier();
/// ```
pub struct EmitOn<T: Send + Sync + 'static> {
    bus: WeakBus<T>,
}

impl<T: Send + Sync + 'static> ApplyEvent for EmitOn<T> {
    type Event = Event<T>;
    type Error = BoxError;

    fn apply_event(&self, event: &Event<T>, commit: Commit) -> Result<(), BoxError> {
        let bus = self.bus.upgrade().filter(|bus| !bus.is_closed());
        let bus = bus.ok_or(EmitError::Closed(()))?;
        if commit.is_real() {
            bus.emit_event(event.clone()).map_err(crate::Error::from)?;
        }
        Ok(())
    }

    fn label(&self, event: &Event<T>) -> Option<Arc<str>> {
        Some(event.topic().as_str().into())
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for EmitOn<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmitOn").finish_non_exhaustive()
    }
}
