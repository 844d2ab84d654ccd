//! A bus of those events of another that a predicate lets through.

use crate::{Bus, Event, Pattern};

impl<T: Send + Sync + 'static> Bus<T> {
    /// A bus of those events of this one for which `predicate` is true: the very same events, with all they
    /// carry.
    ///
    /// Subscribers, handlers and further derived buses see only those, and can ask for them by patterns,
    /// filters and policies as anywhere. It lives while a handle, a subscription, a tap or a derived bus of it
    /// does, does not keep this bus open, and closes with it: see [`Bus::derive`]. It has this bus's settings,
    /// but no name and no history. `predicate` runs on the
    /// emitting thread, once for each event, so it should be short. What it leaves out counts as
    /// [`left_out`](crate::BusStats::left_out) there, and so does not count as
    /// [`filtered`](crate::BusStats::filtered): that is what subscriptions' own filters do. If it
    /// panics the event is left out, and that is counted and reported as for filters.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<(&str, &str)> = Bus::new();
    /// let urgent = bus.filtered(|event| event.payload().0 == "high");
    /// let alerts = urgent.subscribe("alert")?;
    ///
    /// bus.emit("alert", ("low", "coffee is out"))?;
    /// bus.emit("alert", ("high", "water is rising"))?;
    /// assert_eq!(alerts.recv()?.payload().1, "water is rising");
    /// assert_eq!((urgent.stats().emitted, urgent.stats().left_out), (1, 1));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use = "a derived bus ends when nobody uses it"]
    #[track_caller]
    pub fn filtered(
        &self,
        predicate: impl Fn(&Event<T>) -> bool + Send + Sync + 'static,
    ) -> Bus<T> {
        // An error says that this bus is closed; then nothing feeds the new one, and it is, too.
        self.derive(|inlet| self.pass_on(Pattern::everything(), inlet, predicate).ok())
    }
}
