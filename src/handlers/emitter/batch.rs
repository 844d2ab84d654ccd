//! Many events at once: all of them, or none.

use std::fmt;

use super::{EmitFuture, Emitter};
use crate::cause::Cause;
use crate::draft::EventDraft;
use crate::error::{BatchError, EmitError, TopicError};
use crate::event::{Event, Extras, Held};
use crate::handlers::report::Report;
use crate::shield::drop_shielded;
use crate::topic::Topic;

impl<T: Send + Sync + 'static> Emitter<T> {
    /// Collects events while `fill` runs and emits them together, in order, when it returns `Ok`; returns
    /// when all handlers have ended.
    ///
    /// An `Err` or a panic of `fill` emits none. [`On::handle_batch`](crate::On::handle_batch) says how
    /// handlers get them. The [`Report`] sums over all events.
    ///
    /// The closure's error type has to be named, as below. An error of your own becomes a
    /// [`BatchError`] by `.map_err(BatchError::Refused)?`.
    ///
    /// # Errors
    ///
    /// The closure's own error, a bad topic or a [chain](Cause) too deep in it, or an executor that needs
    /// this very thread ([`EmitError::WouldBlock`]): nothing was emitted. That handlers failed is in the
    /// [`Report`].
    ///
    /// ```
    /// # use chanbus::{BatchError, Emitter, Error, Flow, Handlers};
    /// let handlers = Handlers::new();
    /// handlers.on("row.*").handle_batch(|events| {
    ///     assert_eq!(events.len(), 2);
    ///     Ok(Flow::Continue)
    /// })?;
    /// let report = Emitter::inline(&handlers).batch(|batch| {
    ///     batch.emit("row.added", 1)?;
    ///     batch.emit("row.removed", 2)?;
    ///     Ok::<_, BatchError<u32, Error>>(())
    /// })?;
    /// assert_eq!((report.called, report.is_ok()), (2, true));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn batch<E>(
        &self,
        fill: impl FnOnce(&mut EmitterBatch<T>) -> Result<(), BatchError<T, E>>,
    ) -> Result<Report<T>, BatchError<T, E>> {
        let mut batch = self.start_batch();
        fill(&mut batch)?;
        batch.commit().map_err(BatchError::Emit)
    }

    /// Begins a batch that is emitted by [`commit`](EmitterBatch::commit) or
    /// [`commit_async`](EmitterBatch::commit_async), for code that does not fit into one closure, such as
    /// one with awaits. Dropping it discards its events.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("row.*").call(|event| println!("{event:?}"))?;
    /// let emitter = Emitter::inline(&handlers);
    /// let mut batch = emitter.start_batch();
    /// batch.emit("row.added", 1)?;
    /// batch.emit("row.removed", 2)?;
    /// assert_eq!(batch.len(), 2);
    /// assert_eq!(batch.commit()?.called, 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn start_batch(&self) -> EmitterBatch<T> {
        EmitterBatch {
            emitter: self.clone(),
            events: Vec::new(),
        }
    }
}

/// Events that will be emitted to handlers together, or not at all; made by [`Emitter::batch`] and
/// [`Emitter::start_batch`].
///
/// It is a plain value, which may be kept across awaits and sent to another thread.
///
/// ```
/// # use chanbus::{Emitter, Handlers};
/// let handlers = Handlers::new();
/// let mut batch = Emitter::inline(&handlers).start_batch();
/// batch.emit("a", 1)?;
/// drop(batch);
/// assert_eq!(handlers.stats().events, 0);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "a batch that is dropped emits nothing"]
pub struct EmitterBatch<T: Send + Sync + 'static> {
    emitter: Emitter<T>,
    events: Vec<Event<T>>,
}

/// Where a batch is emitted, and its events.
type Parts<T> = (Emitter<T>, Vec<Event<T>>);

impl<T: Send + Sync + 'static> EmitterBatch<T> {
    /// Adds an event, stamped now.
    ///
    /// # Errors
    ///
    /// A text that is no topic, or a [chain](Cause) that is too deep; the payload comes back and the batch
    /// stays as it was.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// let mut batch = Emitter::inline(&Handlers::new()).start_batch();
    /// assert_eq!(batch.emit("a..b", 7).unwrap_err().into_payload(), 7);
    /// assert!(batch.is_empty());
    /// ```
    pub fn emit(&mut self, topic: impl AsRef<str>, payload: T) -> Result<(), EmitError<T>> {
        let cause = match self.emitter.bounded(Cause::current()) {
            Ok(cause) => cause,
            Err(cause) => return Err(self.emitter.too_deep(cause, payload)),
        };
        let topic = match self.topic(topic.as_ref()) {
            Ok(topic) => topic,
            Err(error) => return Err(EmitError::BadTopic { error, payload }),
        };
        let nanos = self.emitter.now_nanos();
        let extras = Extras::caused(cause);
        self.events
            .push(Event::assemble(topic, payload, nanos, extras));
        Ok(())
    }

    /// Begins an event with a source, metadata or extensions; its `emit` adds it.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// let mut batch = Emitter::inline(&Handlers::new()).start_batch();
    /// batch.event("a", 1).source("import").emit()?;
    /// assert_eq!(batch.len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn event<'a>(
        &'a mut self,
        topic: &'a (impl AsRef<str> + ?Sized),
        payload: T,
    ) -> EventDraft<'a, T, &'a mut EmitterBatch<T>> {
        EventDraft::new(self, topic.as_ref(), payload)
    }

    /// Adds an event that exists, as it is.
    ///
    /// ```
    /// # use chanbus::{Emitter, Event, Handlers};
    /// let mut batch = Emitter::inline(&Handlers::new()).start_batch();
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
    /// # use chanbus::{Emitter, Handlers};
    /// assert_eq!(Emitter::<u32>::inline(&Handlers::new()).start_batch().len(), 0);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether it holds none.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// assert!(Emitter::<u32>::inline(&Handlers::new()).start_batch().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Emits all events, in order, to the handlers of this moment, and returns when these have ended.
    ///
    /// # Errors
    ///
    /// A chain that is too deep, or an executor that needs this very thread ([`EmitError::WouldBlock`]): none
    /// was emitted, and all come back. That handlers failed is in the [`Report`].
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").call(|_| {})?;
    /// let mut batch = Emitter::inline(&handlers).start_batch();
    /// batch.emit("a", 1)?;
    /// batch.emit("b", 2)?;
    /// assert_eq!(batch.commit()?.matched, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn commit(self) -> Result<Report<T>, EmitError<Vec<Event<T>>>> {
        if let Err(executor) = self.emitter.may_wait() {
            let payload = self.into_parts().1;
            return Err(EmitError::WouldBlock { executor, payload });
        }
        let (emitter, events) = self.bounded()?;
        Ok(emitter.handle_batch(emitter.scene().route_all(events)))
    }

    /// Emits all events without blocking: the future is ready when all handlers have ended. As with
    /// [`emit_async`](Emitter::emit_async), middleware runs at once, and handlers are called when it is polled.
    ///
    /// # Errors
    ///
    /// A chain that is too deep: none was emitted, and all come back.
    ///
    /// ```
    /// # use chanbus::{Emitter, Flow, Handlers};
    /// # use futures_lite::future::{block_on, yield_now};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").handle_async(|_, _| async { Ok(Flow::Continue) })?;
    /// let emitter = Emitter::inline(&handlers);
    /// let report = block_on(async {
    ///     let mut batch = emitter.start_batch();
    ///     batch.emit("a", 1)?;
    ///     yield_now().await;
    ///     batch.emit("a", 2)?;
    ///     Ok::<_, chanbus::Error>(batch.commit_async().await?)
    /// })?;
    /// assert_eq!(report.called, 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn commit_async(self) -> EmitFuture<T, Vec<Event<T>>> {
        match self.bounded() {
            Ok((emitter, events)) => emitter.handle_batch_async(events),
            Err(error) => EmitFuture::ended(Err(error)),
        }
    }

    /// Hands all events over to the executor and returns, as [`emit_detached`](Emitter::emit_detached) does
    /// with one. They stay together, in order.
    ///
    /// # Errors
    ///
    /// A chain that is too deep: none was emitted, and all come back.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers, ThreadPool};
    /// # let handlers = Handlers::new();
    /// let pool = ThreadPool::new(1)?;
    /// handlers.on("a").call(|_| println!("some time"))?;
    /// let mut batch = Emitter::thread_pool(&handlers, &pool).start_batch();
    /// batch.emit("a", 7)?;
    /// batch.commit_detached()?;
    /// pool.shutdown();
    /// assert_eq!(handlers.stats().called, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn commit_detached(self) -> Result<(), EmitError<Vec<Event<T>>>> {
        let (emitter, events) = self.bounded()?;
        emitter.hand_batch_over(events);
        Ok(())
    }

    /// Its parts, unless a chain is too deep: that of the current cause, or that of an event that was pushed.
    fn bounded(self) -> Result<Parts<T>, EmitError<Vec<Event<T>>>> {
        let (emitter, events) = self.into_parts();
        let causes = events.iter().map(|event| event.cause().cloned());
        let mut causes = std::iter::once(Cause::current()).chain(causes);
        let bounded = causes.try_for_each(|cause| emitter.bounded(cause).map(drop));
        drop(causes);
        match bounded {
            Ok(()) => Ok((emitter, events)),
            Err(cause) => Err(emitter.too_deep(cause, events)),
        }
    }

    fn into_parts(mut self) -> Parts<T> {
        (self.emitter.clone(), std::mem::take(&mut self.events))
    }

    fn topic(&self, text: &str) -> Result<Topic, TopicError> {
        // Runs of one topic share it.
        match self.events.last() {
            Some(event) if event.topic().as_str() == text => Ok(event.topic().clone()),
            _ => Topic::new(text),
        }
    }
}

impl<T: Send + Sync + 'static> EventDraft<'_, T, &mut EmitterBatch<T>> {
    /// Adds it to the batch.
    ///
    /// # Errors
    ///
    /// As [`EmitterBatch::emit`].
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// let mut batch = Emitter::inline(&Handlers::new()).start_batch();
    /// assert!(batch.event("a..b", 1).emit().is_err());
    /// ```
    pub fn emit(self) -> Result<(), EmitError<T>> {
        let (batch, mut extras) = (self.sink, self.extras);
        let current = batch.emitter.bounded(Cause::current());
        let given = batch.emitter.bounded(extras.cause.take());
        match current.and_then(|current| Ok(given?.or(current))) {
            Ok(cause) => extras.cause = cause,
            Err(cause) => {
                drop_objects(extras);
                return Err(batch.emitter.too_deep(cause, self.payload));
            }
        }
        let topic = match batch.topic(self.topic) {
            Ok(topic) => topic,
            Err(error) => {
                drop_objects(extras);
                let payload = self.payload;
                return Err(EmitError::BadTopic { error, payload });
            }
        };
        let nanos = self.nanos.unwrap_or_else(|| batch.emitter.now_nanos());
        let event = Event::assemble(topic, self.payload, nanos, extras.shared());
        batch.events.push(event);
        Ok(())
    }
}

/// Drops what was to go with a payload that is handed back: the user's objects, each by itself.
fn drop_objects(extras: Extras) {
    for object in extras.extensions {
        drop_shielded(object);
    }
}

/// What is not emitted is let go of where panics do no harm: it may be dropped by one.
impl<T: Send + Sync + 'static> Drop for EmitterBatch<T> {
    fn drop(&mut self) {
        self.events.drain(..).map(Held::new).for_each(drop);
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for EmitterBatch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmitterBatch")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}
