//! Waiting for one event.

use std::time::Duration;

use super::Bus;
use crate::error::{RecvTimeoutError, SubscribeError, WaitError};
use crate::event::Event;
use crate::pattern::IntoPatterns;

impl<T: Send + Sync + 'static> Bus<T> {
    /// Waits for the first event from now on that matches the patterns and the predicate.
    ///
    /// It takes a subscription while it waits. The predicate runs on the emitting threads, like any
    /// filter, so an event that it wants cannot be lost to a full queue. A
    /// [`broadcast`](Bus::broadcast) counts only if its topic matches the patterns.
    ///
    /// An answer that comes before this call has begun is missed. To ask and wait for the answer,
    /// [`subscribe`](Bus::subscribe) first, then emit, then
    /// [`recv_timeout`](crate::Subscription::recv_timeout).
    ///
    /// # Errors
    ///
    /// The time ran out, the bus was closed, or the subscription was refused.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let emitter = bus.clone();
    /// let thread = std::thread::spawn(move || {
    ///     // Until somebody listens.
    ///     while emitter.emit("job.done", 7).is_ok_and(|emitted| emitted.delivered == 0) {
    ///         std::thread::yield_now();
    ///     }
    /// });
    /// let event = bus.wait_for("job.*", Duration::from_secs(10), |event| *event.payload() == 7)?;
    /// assert_eq!(event.topic(), "job.done");
    /// # thread.join().unwrap();
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn wait_for(
        &self,
        patterns: impl IntoPatterns,
        timeout: Duration,
        predicate: impl Fn(&Event<T>) -> bool + Send + Sync + 'static,
    ) -> Result<Event<T>, WaitError> {
        let patterns = patterns
            .into_patterns(self.core().settings.syntax)
            .map_err(SubscribeError::from)?;
        let wanted = patterns.clone();
        // A broadcast reaches every subscription; this one wants what its patterns say.
        let asked_for = move |event: &Event<T>| {
            let topic = event.topic();
            wanted.iter().any(|pattern| pattern.matches_checked(topic))
        };
        let sub = self
            .subscription(patterns)
            .name("wait_for")
            .capacity(1)
            .overflow(super::Overflow::DropNewest)
            .filter(asked_for)
            .filter(predicate)
            .subscribe()
            .map_err(|error| match error {
                SubscribeError::Closed => WaitError::Closed,
                other => WaitError::Subscribe(other),
            })?;
        sub.recv_timeout(timeout).map_err(|error| match error {
            RecvTimeoutError::Timeout => WaitError::Timeout,
            RecvTimeoutError::Closed => WaitError::Closed,
        })
    }
}
