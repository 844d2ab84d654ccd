//! Many events at once: all of them, or none.

use std::fmt;

use super::core::Core;
use super::panics::{PanicPlace, shield};
use super::traced;
use super::{Bus, Emitted};
use crate::draft::EventDraft;
use crate::error::{BatchError, EmitError};
use crate::event::{Event, Extras};
use crate::sync::Arc;
use crate::topic::Topic;

/// What [`Bus::batch`] did.
///
/// ```
/// # use chanbus::{BatchError, Bus};
/// let bus = Bus::new();
/// let batched = bus.batch(|batch| {
///     batch.emit("a", 1)?;
///     Ok::<_, BatchError<i32, chanbus::Error>>("done")
/// })?;
/// assert_eq!(batched.result, "done");
/// assert_eq!(batched.emitted.matched, 0);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Batched<R> {
    /// What the closure returned.
    pub result: R,
    /// The sum over the batch's events.
    pub emitted: Emitted,
}

impl<T: Send + Sync + 'static> Bus<T> {
    /// Collects events while `fill` runs and emits them together, in order, when it returns `Ok`.
    ///
    /// An `Err` or a panic of `fill` emits none. All events of a batch see the same subscriptions;
    /// each takes its slot in the queues as a single emit would, overflow included.
    ///
    /// The closure's error type has to be named, as below; any will do if there is no error of your own, which
    /// becomes a [`BatchError`] by `.map_err(BatchError::Refused)?`. ([`start_batch`](Bus::start_batch) needs none.)
    ///
    /// # Errors
    ///
    /// The closure's own error, a bad topic or a chain too deep in it, or a bus that is closed when
    /// it returns: nothing was emitted.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("row.*")?;
    /// let batched = bus.batch(|batch| {
    ///     batch.emit("row.added", 1)?;
    ///     batch.emit("row.added", 2)?;
    ///     assert_eq!(sub.len(), 0);
    ///     Ok::<_, chanbus::BatchError<u32, chanbus::Error>>("both")
    /// })?;
    /// assert_eq!((batched.result, batched.emitted.delivered), ("both", 2));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn batch<R, E>(
        &self,
        fill: impl FnOnce(&mut Batch<T>) -> Result<R, BatchError<T, E>>,
    ) -> Result<Batched<R>, BatchError<T, E>> {
        let mut batch = self.start_batch();
        let result = fill(&mut batch)?;
        let emitted = batch.commit().map_err(BatchError::Emit)?;
        Ok(Batched { result, emitted })
    }

    /// Begins a batch that is emitted by [`commit`](Batch::commit), for code that does not fit into
    /// one closure. Dropping it discards its events.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("row.*")?;
    /// let mut batch = bus.start_batch();
    /// batch.emit("row.added", 1)?;
    /// batch.emit("row.removed", 2)?;
    /// assert_eq!(batch.len(), 2);
    /// assert_eq!(batch.commit()?.delivered, 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn start_batch(&self) -> Batch<T> {
        Batch {
            core: Arc::clone(self.core()),
            events: Vec::new(),
        }
    }
}

/// Events that will be emitted together, or not at all; made by [`Bus::batch`] and
/// [`Bus::start_batch`]. It does not keep the bus open.
///
/// All are *emitted* or none: a queue that has no room for all of them takes those that it has room for, and counts
/// the others as dropped, as ever. [`Emitted::is_complete`] says whether that was so; capacities of several of
/// the largest batches keep it from happening.
///
/// ```
/// # use chanbus::Bus;
/// let bus = Bus::new();
/// let mut batch = bus.start_batch();
/// batch.emit("a", 1)?;
/// drop(batch);
/// assert_eq!(bus.stats().emitted, 0);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "a batch that is dropped emits nothing"]
pub struct Batch<T: Send + Sync + 'static> {
    core: Arc<Core<T>>,
    events: Vec<Event<T>>,
}

impl<T: Send + Sync + 'static> Batch<T> {
    /// Adds an event, stamped now.
    ///
    /// # Errors
    ///
    /// A text that is no topic, or a [chain](crate::Cause) that is too deep; the payload comes back
    /// and the batch stays as it was.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let mut batch = bus.start_batch();
    /// assert_eq!(batch.emit("a..b", 7).unwrap_err().into_payload(), 7);
    /// assert!(batch.is_empty());
    /// ```
    pub fn emit(&mut self, topic: impl AsRef<str>, payload: T) -> Result<(), EmitError<T>> {
        let cause = match self.core.cause() {
            Ok(cause) => cause,
            Err(cause) => return Err(self.core.too_deep(cause, payload)),
        };
        let topic = match self.topic(topic.as_ref()) {
            Ok(topic) => topic,
            Err(error) => return Err(EmitError::BadTopic { error, payload }),
        };
        let nanos = self.core.now();
        let event = Event::assemble(topic, payload, nanos, Extras::caused(cause));
        self.events.push(event);
        Ok(())
    }

    /// Begins an event with a source, metadata or extensions; its `emit` adds it.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let mut batch = bus.start_batch();
    /// batch.event("a", 1).source("import").emit()?;
    /// assert_eq!(batch.len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn event<'a>(
        &'a mut self,
        topic: &'a (impl AsRef<str> + ?Sized),
        payload: T,
    ) -> EventDraft<'a, T, &'a mut Batch<T>> {
        EventDraft::new(self, topic.as_ref(), payload)
    }

    /// Adds an event that exists, as it is.
    ///
    /// ```
    /// # use chanbus::{Bus, Event};
    /// let bus = Bus::new();
    /// let mut batch = bus.start_batch();
    /// batch.push(Event::new("a", 1)?);
    /// assert_eq!(batch.commit()?.matched, 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn push(&mut self, event: Event<T>) {
        self.events.push(event);
    }

    /// How many events it holds.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// assert_eq!(Bus::<u32>::new().start_batch().len(), 0);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether it holds none.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// assert!(Bus::<u32>::new().start_batch().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Its events, in order.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let mut batch = bus.start_batch();
    /// batch.emit("a", 1)?;
    /// assert_eq!(batch.events()[0].topic(), "a");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn events(&self) -> &[Event<T>] {
        &self.events
    }

    /// Moves the events from place `at` on into a batch of their own, for the same bus: to emit
    /// them apart, or to discard them by dropping it. Where there are not so many, that one is empty.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let mut batch = bus.start_batch();
    /// batch.emit("a", 1)?;
    /// let before = batch.len();
    /// batch.emit("a", 2)?;
    /// batch.emit("a", 3)?;
    /// drop(batch.split_off(before));
    /// assert_eq!(batch.commit()?, bus.emit("a", 1)?);
    /// assert_eq!(bus.stats().emitted, 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn split_off(&mut self, at: usize) -> Batch<T> {
        Batch {
            core: Arc::clone(&self.core),
            events: self.events.split_off(at.min(self.events.len())),
        }
    }

    /// Gives up the batch and takes its events back, in order; nothing is emitted.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let mut batch = bus.start_batch();
    /// batch.emit("a", 1)?;
    /// assert_eq!(*batch.into_events()[0].payload(), 1);
    /// assert_eq!(bus.stats().emitted, 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn into_events(mut self) -> Vec<Event<T>> {
        std::mem::take(&mut self.events)
    }

    /// Whether its bus has been closed, so that a commit would hand all events back.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let batch = bus.start_batch();
    /// assert!(!batch.is_closed());
    /// drop(bus);
    /// assert!(batch.is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    /// Runs the user's code; a panic of it ends here and goes to the bus's hook.
    pub(crate) fn shielded<R>(&self, place: PanicPlace, act: impl FnOnce() -> R) -> Option<R> {
        shield(self.core.on_panic(), place, None, None, act)
    }

    /// Emits all events, in order, to the subscriptions of this moment.
    ///
    /// # Errors
    ///
    /// A closed bus, or a chain that is too deep: none was emitted, and all come back.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let mut batch = bus.start_batch();
    /// batch.emit("a", 1)?;
    /// bus.close();
    /// assert_eq!(batch.commit().unwrap_err().into_payload().len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn commit(mut self) -> Result<Emitted, EmitError<Vec<Event<T>>>> {
        let events = std::mem::take(&mut self.events);
        if traced::is_on() {
            let (topics, count) = (traced::topics_of(&events), events.len());
            return self.core.told(&topics, count, || self.emit_all(events));
        }
        self.emit_all(events)
    }

    fn emit_all(&self, events: Vec<Event<T>>) -> Result<Emitted, EmitError<Vec<Event<T>>>> {
        let causes = self.core.cause().map(|_| ());
        let check = |()| {
            // Most have no cause, and none is too deep.
            let mut events = events.iter().filter(|event| !event.is_bare());
            events.try_for_each(|event| self.core.check_cause_of(event))
        };
        match causes.and_then(check) {
            Ok(()) => self.core.emit_together(events, None),
            Err(cause) => Err(self.core.too_deep(cause, events)),
        }
    }

    fn topic(&self, text: &str) -> Result<Topic, crate::TopicError> {
        // Runs of one topic share it.
        match self.events.last() {
            Some(event) if event.topic().as_str() == text => Ok(event.topic().clone()),
            _ => Topic::new(text),
        }
    }
}

impl<T: Send + Sync + 'static> EventDraft<'_, T, &mut Batch<T>> {
    /// Adds it to the batch.
    ///
    /// # Errors
    ///
    /// As [`Batch::emit`].
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let mut batch = bus.start_batch();
    /// assert!(batch.event("a..b", 1).emit().is_err());
    /// ```
    pub fn emit(self) -> Result<(), EmitError<T>> {
        let (batch, payload, mut extras) = (self.sink, self.payload, self.extras);
        match batch.core.cause_or(extras.cause.take()) {
            Ok(cause) => extras.cause = cause,
            Err(cause) => {
                batch.core.discard_extras(extras);
                return Err(batch.core.too_deep(cause, payload));
            }
        }
        let topic = match batch.topic(self.topic) {
            Ok(topic) => topic,
            Err(error) => {
                batch.core.discard_extras(extras);
                return Err(EmitError::BadTopic { error, payload });
            }
        };
        let event = batch
            .core
            .event(&topic, payload, self.nanos, extras.shared());
        batch.events.push(event);
        Ok(())
    }
}

/// What is not emitted is dropped where panics do no harm: it may be dropped by one.
impl<T: Send + Sync + 'static> Drop for Batch<T> {
    fn drop(&mut self) {
        for event in self.events.drain(..) {
            self.core.discard_event(event);
        }
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Batch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("len", &self.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A tap subscribes at the first event of each batch; what that subscription then sees.
    fn joined_in_mid_batch(history: usize, send: impl FnOnce(&Bus<u32>)) -> usize {
        let bus: Bus<u32> = Bus::builder().history(history).build().unwrap();
        let joined = Arc::new(Mutex::new(None));
        let (late, weak) = (Arc::clone(&joined), bus.downgrade());
        let _tap = bus
            .tap("row", move |_| {
                let bus = weak.upgrade().unwrap();
                late.lock()
                    .unwrap()
                    .get_or_insert_with(|| bus.subscribe("row").unwrap());
            })
            .unwrap();
        send(&bus);
        let sub = joined.lock().unwrap().take().unwrap();
        sub.len()
    }

    #[test]
    fn p2_all_events_of_a_batch_see_the_same_subscriptions() {
        for history in [0, 2, 100] {
            let seen = joined_in_mid_batch(history, |bus| {
                bus.publisher("row").unwrap().emit_batch(0..10).unwrap();
            });
            assert_eq!(seen, 0, "emit_batch, history {history}");
            let seen = joined_in_mid_batch(history, |bus| {
                let mut batch = bus.start_batch();
                for row in 0..10 {
                    batch.emit("row", row).unwrap();
                }
                batch.commit().unwrap();
            });
            assert_eq!(seen, 0, "commit, history {history}");
        }
    }

    #[test]
    fn p13_a_batch_larger_than_the_history_leaves_its_last_events() {
        let bus: Bus<u32> = Bus::builder().history(3).build().unwrap();
        bus.publisher("row").unwrap().emit_batch(0..2).unwrap();
        bus.publisher("row").unwrap().emit_batch(2..4).unwrap();
        let replayed = |bus: &Bus<u32>| -> Vec<u32> {
            let sub = bus.subscription("row").replay(10).subscribe().unwrap();
            sub.try_iter().map(|event| *event.payload()).collect()
        };
        assert_eq!(replayed(&bus), [1, 2, 3]);
        bus.publisher("row").unwrap().emit_batch(4..14).unwrap();
        assert_eq!(replayed(&bus), [11, 12, 13]);
        assert_eq!(bus.stats().history, 3);
    }
}
