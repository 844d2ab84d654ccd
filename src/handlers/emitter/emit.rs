//! The ways to emit to handlers.

use super::{EmitFuture, Emitter};
use crate::cause::Cause;
use crate::draft::EventDraft;
use crate::error::EmitError;
use crate::event::Event;
use crate::handlers::report::Report;

impl<T: Send + Sync + 'static> Emitter<T> {
    /// Emits, and returns when all handlers have ended.
    ///
    /// # Errors
    ///
    /// A text that is no topic; a [chain](Cause) of events that is too deep; an executor that needs this
    /// very thread ([`EmitError::WouldBlock`]). The payload comes back. That handlers failed is in the
    /// [`Report`].
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").call(|_| {})?;
    /// let report = Emitter::inline(&handlers).emit("a", 7)?;
    /// assert_eq!(report.called, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn emit(&self, topic: impl AsRef<str>, payload: T) -> Result<Report<T>, EmitError<T>> {
        let topic = topic.as_ref();
        if let Err(executor) = self.may_wait() {
            return Err(EmitError::WouldBlock { executor, payload });
        }
        self.finish(self.prepare(topic, payload))
    }

    /// Emits an event that exists, as it is: see [`emit`](Emitter::emit).
    ///
    /// # Errors
    ///
    /// As [`emit`](Emitter::emit); the event comes back.
    ///
    /// ```
    /// # use chanbus::{Emitter, Event, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").call(|_| {})?;
    /// let report = Emitter::inline(&handlers).emit_event(Event::new("a", 7)?)?;
    /// assert_eq!(report.called, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn emit_event(&self, event: Event<T>) -> Result<Report<T>, EmitError<Event<T>>> {
        if let Err(executor) = self.may_wait() {
            let payload = event;
            return Err(EmitError::WouldBlock { executor, payload });
        }
        if let Err(cause) = self
            .bounded(Cause::current())
            .and(self.bounded(event.cause().cloned()))
        {
            return Err(self.too_deep(cause, event));
        }
        Ok(match self.scene().route(event) {
            Ok(routed) => self.handle(routed),
            Err(blocked) => blocked,
        })
    }

    /// Emits without blocking: the future is ready when all handlers have ended.
    ///
    /// The event is made, and passes middleware, at once; handlers are called when the future is polled. On
    /// [`Inline`](crate::Inline) and [`BlockOn`](crate::BlockOn) they run in its polls, async ones as part of
    /// it; so this suits any runtime, also a single-threaded one. If it is dropped before its end, handlers that an executor was
    /// handed are called all the same, those that ran as part of it end there
    /// ([`FailureKind::Lost`](crate::FailureKind::Lost)), and those of later steps are not called.
    ///
    /// On a pool whose queue is full, handlers run in the polls, too ([`WhenFull`](crate::WhenFull)): sync ones
    /// hold the task up meanwhile. Where that will not do, give the pool a longer queue, or
    /// `WhenFull::Refuse`.
    ///
    /// # Errors
    ///
    /// A text that is no topic, or a chain of events that is too deep.
    ///
    /// ```
    /// # use futures_lite::future::block_on;
    /// # use chanbus::{Emitter, Flow, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").handle_async(|_, _| async { Ok(Flow::Continue) })?;
    /// let emitter = Emitter::inline(&handlers);
    /// let report = block_on(async { emitter.emit_async("a", 7).await })?;
    /// assert_eq!(report.called, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn emit_async(&self, topic: impl AsRef<str>, payload: T) -> EmitFuture<T> {
        self.prepared_async(self.prepare(topic.as_ref(), payload))
    }

    /// Hands the event over to the executor and returns; nobody hears how it went, but error handlers.
    ///
    /// There is nobody to hand it over to on [`Inline`](crate::Inline) and [`BlockOn`](crate::BlockOn): there
    /// the handlers have ended when this returns, as with [`emit`](Emitter::emit). Middleware runs before it returns. On a pool whose queue
    /// is full, handlers run here instead ([`WhenFull`](crate::WhenFull)), async ones to their end.
    ///
    /// Detached events overtake each other, also those of one thread: for order there is the
    /// [`Dispatcher`](crate::Dispatcher).
    ///
    /// # Errors
    ///
    /// A text that is no topic, or a chain of events that is too deep.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers, ThreadPool};
    /// # let handlers = Handlers::new();
    /// let pool = ThreadPool::new(1)?;
    /// handlers.on("a").call(|_| println!("some time"))?;
    /// Emitter::thread_pool(&handlers, &pool).emit_detached("a", 7)?;
    /// pool.shutdown();
    /// assert_eq!(handlers.stats().called, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn emit_detached(&self, topic: impl AsRef<str>, payload: T) -> Result<(), EmitError<T>> {
        self.detach(self.prepare(topic.as_ref(), payload))
    }

    /// Begins an event with a source, metadata or extensions; one of its emits ends it.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").call(|event| assert_eq!(event.source(), Some("obs")))?;
    /// let report = Emitter::inline(&handlers).event("a", 7).source("obs").emit()?;
    /// assert!(report.is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn event<'a>(
        &'a self,
        topic: &'a (impl AsRef<str> + ?Sized),
        payload: T,
    ) -> EventDraft<'a, T, &'a Emitter<T>> {
        EventDraft::new(self, topic.as_ref(), payload)
    }
}

impl<T: Send + Sync + 'static> EventDraft<'_, T, &Emitter<T>> {
    /// Emits it to handlers: see [`Emitter::emit`].
    ///
    /// # Errors
    ///
    /// As [`Emitter::emit`].
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// let emitter = Emitter::inline(&Handlers::new());
    /// let report = emitter.event("a", 7).metadata("n", 1).emit()?;
    /// assert_eq!(report.matched, 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn emit(self) -> Result<Report<T>, EmitError<T>> {
        let emitter = self.sink;
        if let Err(executor) = emitter.may_wait() {
            let payload = self.payload;
            return Err(EmitError::WouldBlock { executor, payload });
        }
        emitter.finish(emitter.prepare_draft(self))
    }

    /// Emits it without blocking: see [`Emitter::emit_async`].
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # use futures_lite::future::block_on;
    /// let emitter = Emitter::inline(&Handlers::new());
    /// let report = block_on(emitter.event("a", 7).source("x").emit_async())?;
    /// assert_eq!(report.matched, 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn emit_async(self) -> EmitFuture<T> {
        let emitter = self.sink;
        emitter.prepared_async(emitter.prepare_draft(self))
    }

    /// Hands it over: see [`Emitter::emit_detached`].
    ///
    /// # Errors
    ///
    /// As [`Emitter::emit_detached`].
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// let emitter = Emitter::inline(&Handlers::new());
    /// emitter.event("a", 7).source("x").emit_detached()?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn emit_detached(self) -> Result<(), EmitError<T>> {
        let emitter = self.sink;
        emitter.detach(emitter.prepare_draft(self))
    }
}
