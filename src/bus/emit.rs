//! The ways to emit on a bus.

use std::time::{Duration, Instant};

use super::send::Details;
use super::{Bus, Emitted, Publisher};
use crate::draft::EventDraft;
use crate::error::{EmitError, TopicError};
use crate::event::Event;

impl<T: Send + Sync + 'static> Bus<T> {
    /// Emits an event to everybody who listens to its topic. Never waits.
    ///
    /// # Errors
    ///
    /// A text that is no topic, a closed bus, or a [chain](crate::Cause) that is too deep; the
    /// payload comes back. That nobody listens, or that queues are full, is no error: see
    /// [`Emitted`].
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("greeting")?;
    /// let emitted = bus.emit("greeting", "hello")?;
    /// assert_eq!(emitted.delivered, 1);
    /// assert_eq!(*sub.recv()?.payload(), "hello");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn emit(&self, topic: impl AsRef<str>, payload: T) -> Result<Emitted, EmitError<T>> {
        self.core().emit(topic.as_ref(), payload)
    }

    /// Begins an event with a source, metadata or extensions; its `emit` ends it.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("custom.alert")?;
    /// bus.event("custom.alert", 7).source("custom").metadata("trace", "a1").emit()?;
    /// assert_eq!(sub.recv()?.source(), Some("custom"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn event<'a>(
        &'a self,
        topic: &'a (impl AsRef<str> + ?Sized),
        payload: T,
    ) -> EventDraft<'a, T, &'a Bus<T>> {
        EventDraft::new(self, topic.as_ref(), payload)
    }

    /// Emits an event that exists, as it is: topic, timestamp, source, metadata and cause stay.
    ///
    /// For events that come from another bus, from a recording, or that were made by
    /// [`Event::new`]. No payload is copied: subscribers get handles of this very event.
    ///
    /// # Errors
    ///
    /// A closed bus, or a chain that is too deep; the event comes back.
    ///
    /// ```
    /// # use chanbus::{Bus, Event};
    /// let (near, far) = (Bus::new(), Bus::new());
    /// let sub = far.subscribe_all()?;
    /// let sub_near = near.subscribe_all()?;
    /// near.emit("a", 1)?;
    /// far.emit_event(sub_near.recv()?)?;
    /// assert_eq!(sub.recv()?.topic(), "a");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn emit_event(&self, event: Event<T>) -> Result<Emitted, EmitError<Event<T>>> {
        self.core().emit_event(event, None)
    }

    /// Emits, and waits up to `timeout` for room in the queues that have none: the one emit that waits.
    ///
    /// Those with room have the event at once. Those that are still full when the time is over drop
    /// it, counted, as [`emit`](Bus::emit) would have. Queues that drop their oldest or keep the
    /// latest act as their policy says where that makes room; under
    /// [`Overflow::Latest`](crate::Overflow::Latest) a new topic waits for room like others. A
    /// subscription that closes meanwhile ends the wait for it. A thread that is itself the reader of
    /// a full queue waits in vain, until the time is over.
    ///
    /// # Errors
    ///
    /// As [`emit`](Bus::emit).
    ///
    /// ```
    /// use std::time::Duration;
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let rows = bus.subscription("import.row").capacity(1).subscribe()?;
    /// let reader = std::thread::spawn(move || rows.iter().count());
    /// for row in 0..100 {
    ///     let emitted = bus.emit_within("import.row", row, Duration::from_secs(10))?;
    ///     assert_eq!(emitted.dropped, 0);
    /// }
    /// drop(bus);
    /// assert_eq!(reader.join().unwrap(), 100);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn emit_within(
        &self,
        topic: impl AsRef<str>,
        payload: T,
        timeout: Duration,
    ) -> Result<Emitted, EmitError<T>> {
        let details = Details {
            patience: Some(deadline_after(timeout)),
            ..Details::default()
        };
        self.core().emit_with(topic.as_ref(), payload, details)
    }

    /// [`emit_within`](Bus::emit_within), of an event that exists: as it is, with its timestamp and all else.
    ///
    /// # Errors
    ///
    /// As [`emit_event`](Bus::emit_event).
    ///
    /// ```
    /// use std::time::Duration;
    /// # use chanbus::{Bus, Event};
    /// let bus = Bus::new();
    /// let rows = bus.subscription("row").capacity(1).subscribe()?;
    /// let wait = Duration::from_millis(1);
    /// assert_eq!(bus.emit_event_within(Event::new("row", 1)?, wait)?.delivered, 1);
    /// assert_eq!(bus.emit_event_within(Event::new("row", 2)?, wait)?.dropped, 1);
    /// assert_eq!(rows.len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn emit_event_within(
        &self,
        event: Event<T>,
        timeout: Duration,
    ) -> Result<Emitted, EmitError<Event<T>>> {
        self.core().emit_event(event, Some(deadline_after(timeout)))
    }

    /// Emits to every subscription of this bus, whatever its patterns; filters still apply. Taps hear it,
    /// replays of the history have it, and derived buses and pipes pass it on to those who asked for its topic,
    /// if their patterns match. A [`wait_for`](Bus::wait_for) is a
    /// subscription, too.
    ///
    /// # Errors
    ///
    /// As [`emit`](Bus::emit).
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let (a, b) = (bus.subscribe("a")?, bus.subscribe("b")?);
    /// assert_eq!(bus.broadcast("shutdown", ())?.delivered, 2);
    /// assert_eq!(a.recv()?.topic(), "shutdown");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn broadcast(&self, topic: impl AsRef<str>, payload: T) -> Result<Emitted, EmitError<T>> {
        self.core().broadcast(topic.as_ref(), payload)
    }

    /// A handle bound to one topic: the fast way to emit.
    ///
    /// # Errors
    ///
    /// A text that is no topic.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("scan.progress")?;
    /// let progress = bus.publisher("scan.progress")?;
    /// progress.emit(42)?;
    /// assert_eq!(*sub.recv()?.payload(), 42);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn publisher(&self, topic: impl AsRef<str>) -> Result<Publisher<T>, TopicError> {
        Publisher::new(self.core(), topic.as_ref())
    }
}

impl<T: Send + Sync + 'static> EventDraft<'_, T, &Bus<T>> {
    /// Emits it.
    ///
    /// # Errors
    ///
    /// As [`Bus::emit`].
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// assert_eq!(bus.event("a", 1).source("test").emit()?.matched, 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn emit(self) -> Result<Emitted, EmitError<T>> {
        let details = Details {
            extras: self.extras,
            nanos: self.nanos,
            patience: None,
        };
        self.sink
            .core()
            .emit_with(self.topic, self.payload, details)
    }
}

/// The moment `timeout` from now; far away for one that no clock can hold.
pub(super) fn deadline_after(timeout: Duration) -> Instant {
    /// A deadline that no program lives to see, and that every platform's clock can hold.
    const FAR: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 30);
    let now = Instant::now();
    now.checked_add(timeout).unwrap_or_else(|| now + FAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p15_a_wait_longer_than_any_clock_can_hold_ends_far_away() {
        let year = Duration::from_secs(60 * 60 * 24 * 365);
        assert!(deadline_after(Duration::MAX) > Instant::now() + year);
    }
}
