//! What a handler is given beside the event.

use std::any::Any;
use std::fmt;

use super::Handlers;
use super::emitter::Emitter;
use super::entry::{Entry, HandlerId};
use super::failure::Failure;
use super::middleware::ErrorEvents;
use super::report::Report;
use super::run::Run;
use super::services::{MissingService, Services};
use crate::bus::{Emitted, WeakBus};
use crate::cause::Cause;
use crate::draft::EventDraft;
use crate::error::EmitError;
use crate::sync::Arc;
use crate::topic::Topic;

/// What a handler is given beside the event: who it is, what it may use, and how it emits.
///
/// Sync handlers borrow it for the call, async ones own it.
///
/// ```
/// use chanbus::{Emitter, Flow, Handlers};
///
/// let handlers = Handlers::new();
/// handlers.on("order.placed").name("stock").handle(|event, ctx| {
///     assert_eq!(ctx.handler(), Some("stock"));
///     ctx.emit("stock.reserved", *event.payload())?;
///     Ok(Flow::Continue)
/// })?;
/// handlers.on("stock.reserved").call(|event| {
///     assert_eq!(event.cause().unwrap().topic(), "order.placed");
/// })?;
/// assert!(Emitter::inline(&handlers).emit("order.placed", 7)?.is_ok());
/// # Ok::<(), chanbus::Error>(())
/// ```
pub struct Context<T: Send + Sync + 'static> {
    run: Arc<Run<T>>,
    place: usize,
}

/// Where handlers emit: where their event came from.
pub(super) enum Origin<T: Send + Sync + 'static> {
    /// To handlers directly.
    Emitter(Emitter<T>),
    /// On the bus of a dispatcher, which does not keep it open.
    Bus(WeakBus<T>),
}

impl<T: Send + Sync + 'static> Clone for Origin<T> {
    fn clone(&self) -> Self {
        match self {
            Origin::Emitter(emitter) => Origin::Emitter(emitter.clone()),
            Origin::Bus(bus) => Origin::Bus(bus.clone()),
        }
    }
}

impl<T: Send + Sync + 'static> Context<T> {
    pub(super) fn new(run: Arc<Run<T>>, place: usize) -> Self {
        Context { run, place }
    }

    /// Makes it that of another handler of the same event.
    pub(super) fn run(&self) -> &Arc<Run<T>> {
        &self.run
    }

    pub(super) fn into_run(self) -> Arc<Run<T>> {
        self.run
    }

    pub(super) fn stand_for(&mut self, place: usize) {
        self.place = place;
    }

    pub(super) fn entry(&self) -> &Entry<T> {
        &self.run.route.entries[self.place]
    }

    /// The event's topic.
    ///
    /// ```
    /// # use chanbus::{Emitter, Flow, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a.*").handle(|_, ctx| {
    ///     assert_eq!(ctx.topic(), "a.b");
    ///     Ok(Flow::Continue)
    /// })?;
    /// # assert!(Emitter::inline(&handlers).emit("a.b", 7)?.is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn topic(&self) -> &Topic {
        self.run.event.topic()
    }

    /// This handler's name, if it has one.
    ///
    /// ```
    /// # use chanbus::{Emitter, Flow, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").name("x").handle(|_, ctx| {
    ///     assert_eq!(ctx.handler(), Some("x"));
    ///     Ok(Flow::Continue)
    /// })?;
    /// # assert!(Emitter::inline(&handlers).emit("a", 7)?.is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn handler(&self) -> Option<&str> {
        self.entry().terms.name.as_deref()
    }

    /// This handler's id, by which it can remove itself.
    ///
    /// ```
    /// # use chanbus::{Emitter, Flow, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").handle(|_, ctx| {
    ///     ctx.handlers().remove(ctx.id());
    ///     Ok(Flow::Continue)
    /// })?;
    /// # assert!(Emitter::inline(&handlers).emit("a", 7)?.is_ok());
    /// assert!(handlers.is_empty());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn id(&self) -> HandlerId {
        self.entry().id
    }

    /// This handler's group, if it has one.
    ///
    /// ```
    /// # use chanbus::{Emitter, Flow, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").group("chat").handle(|_, ctx| {
    ///     assert_eq!(ctx.group(), Some("chat"));
    ///     Ok(Flow::Continue)
    /// })?;
    /// # assert!(Emitter::inline(&handlers).emit("a", 7)?.is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn group(&self) -> Option<&str> {
        self.entry().terms.group.as_deref()
    }

    /// The registry that this handler is in.
    ///
    /// ```
    /// # use chanbus::{Emitter, Flow, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").handle(|_, ctx| {
    ///     assert_eq!(ctx.handlers().len(), 1);
    ///     Ok(Flow::Continue)
    /// })?;
    /// # assert!(Emitter::inline(&handlers).emit("a", 7)?.is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn handlers(&self) -> Handlers<T> {
        Handlers::of(Arc::clone(&self.run.scene.core))
    }

    /// A service by its type.
    ///
    /// # Errors
    ///
    /// There is none of that type. With `?` that is a failure of this handler, which names the type.
    ///
    /// ```
    /// # use chanbus::{Emitter, Flow, Handlers, Services};
    /// let handlers = Handlers::with_services(&Services::new().with(7_u32));
    /// handlers.on("a").handle(|_, ctx| {
    ///     assert_eq!(*ctx.service::<u32>()?, 7);
    ///     ctx.service::<String>()?;
    ///     Ok(Flow::Continue)
    /// })?;
    /// let report = Emitter::inline(&handlers).emit("a", ())?;
    /// assert!(report.errors[0].to_string().contains("String"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn service<S: Any + Send + Sync>(&self) -> Result<Arc<S>, MissingService> {
        self.services().get()
    }

    /// The registry's services.
    ///
    /// ```
    /// # use chanbus::{Emitter, Flow, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").handle(|_, ctx| {
    ///     assert!(ctx.services().is_empty());
    ///     Ok(Flow::Continue)
    /// })?;
    /// # assert!(Emitter::inline(&handlers).emit("a", 7)?.is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn services(&self) -> &Services {
        &self.run.scene.core.settings.services
    }

    /// Keeps the event from handlers of later steps, but for monitors: as [`Flow::Stop`] does.
    ///
    /// It takes effect at once, also if the handler then fails. A monitor can stop nothing.
    ///
    /// [`Flow::Stop`]: crate::Flow::Stop
    ///
    /// ```
    /// # use chanbus::{Emitter, Flow, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").handle(|_, ctx| {
    ///     ctx.stop_propagation();
    ///     assert!(ctx.is_stopped());
    ///     Ok(Flow::Continue)
    /// })?;
    /// assert!(Emitter::inline(&handlers).emit("a", 7)?.stopped);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn stop_propagation(&self) {
        if !self.entry().terms.priority.is_monitor() {
            self.run.stop();
        }
    }

    /// Whether a handler of this event has stopped propagation.
    ///
    /// ```
    /// # use chanbus::{Emitter, Flow, Handlers, Priority};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").handle(|_, _| Ok(Flow::Stop))?;
    /// handlers.on("a").priority(Priority::MONITOR).handle(|_, ctx| {
    ///     assert!(ctx.is_stopped());
    ///     Ok(Flow::Continue)
    /// })?;
    /// # assert!(Emitter::inline(&handlers).emit("a", 7)?.is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.run.is_stopped()
    }

    /// Emits where this event came from, with it as the cause (H10): by the same emitter, whose handlers
    /// have ended when this returns; or on the dispatcher's bus.
    ///
    /// The counts are of handlers in the one case (called ones are delivered, skipped ones filtered), of
    /// subscriptions in the other. That a handler failed is no error here: error handlers are told.
    ///
    /// # Errors
    ///
    /// A text that is no topic, a chain of events that is too deep, a bus that is closed; and, in an async
    /// handler, an emitter whose executor needs this very thread ([`EmitError::WouldBlock`]: use
    /// [`emit_async`](Context::emit_async)).
    ///
    /// ```
    /// # use chanbus::{Emitter, Flow, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").handle(|_, ctx| {
    ///     let emitted = ctx.emit("b", 8)?;
    ///     assert_eq!(emitted.matched, 1);
    ///     Ok(Flow::Continue)
    /// })?;
    /// handlers.on("b").call(|_| {})?;
    /// # assert!(Emitter::inline(&handlers).emit("a", 7)?.is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn emit(&self, topic: impl AsRef<str>, payload: T) -> Result<Emitted, EmitError<T>> {
        self.event(topic.as_ref(), payload).emit()
    }

    /// [`emit`](Context::emit) for async handlers: waits for an emitter's handlers without blocking.
    ///
    /// # Errors
    ///
    /// As [`emit`](Context::emit), but for the last.
    ///
    /// ```
    /// # use chanbus::{BlockOn, Emitter, Flow, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").handle_async(|_, ctx| async move {
    ///     ctx.emit_async("b", 8).await?;
    ///     Ok(Flow::Continue)
    /// })?;
    /// # assert!(Emitter::new(&handlers, BlockOn).emit("a", 7)?.is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub async fn emit_async(
        &self,
        topic: impl AsRef<str>,
        payload: T,
    ) -> Result<Emitted, EmitError<T>> {
        self.event(topic.as_ref(), payload).emit_async().await
    }

    /// Begins an event with a source, metadata or extensions, with this event as its cause.
    ///
    /// ```
    /// # use chanbus::{Emitter, Flow, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").handle(|_, ctx| {
    ///     ctx.event("b", 8).source("a's handler").emit()?;
    ///     Ok(Flow::Continue)
    /// })?;
    /// # assert!(Emitter::inline(&handlers).emit("a", 7)?.is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn event<'a>(
        &'a self,
        topic: &'a (impl AsRef<str> + ?Sized),
        payload: T,
    ) -> EventDraft<'a, T, &'a Context<T>> {
        // Said here, as an async handler has no current cause of its own thread to rely on.
        EventDraft::new(self, topic.as_ref(), payload).cause(Cause::of(&self.run.event))
    }
}

impl<T: Send + Sync + 'static> EventDraft<'_, T, &Context<T>> {
    /// Emits it where the handler's event came from: see [`Context::emit`].
    ///
    /// # Errors
    ///
    /// As [`Context::emit`].
    ///
    /// ```
    /// # use chanbus::{Emitter, Flow, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").handle(|_, ctx| {
    ///     ctx.event("b", 8).metadata("n", 1).emit()?;
    ///     Ok(Flow::Continue)
    /// })?;
    /// # assert!(Emitter::inline(&handlers).emit("a", 7)?.is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn emit(self) -> Result<Emitted, EmitError<T>> {
        match &self.sink.run.scene.origin {
            Origin::Emitter(emitter) => self.on(emitter).emit().map(|report| as_emitted(&report)),
            Origin::Bus(bus) => match bus.upgrade() {
                Some(bus) => self.on(&bus).emit(),
                None => Err(EmitError::Closed(self.payload)),
            },
        }
    }

    /// [`emit`](EventDraft::emit) for async handlers: see [`Context::emit_async`].
    ///
    /// # Errors
    ///
    /// As [`Context::emit_async`].
    ///
    /// ```
    /// # use chanbus::{BlockOn, Emitter, Flow, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").handle_async(|_, ctx| async move {
    ///     ctx.event("b", 8).source("a").emit_async().await?;
    ///     Ok(Flow::Continue)
    /// })?;
    /// # assert!(Emitter::new(&handlers, BlockOn).emit("a", 7)?.is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub async fn emit_async(self) -> Result<Emitted, EmitError<T>> {
        match &self.sink.run.scene.origin {
            Origin::Emitter(emitter) => {
                let emit = self.on(emitter).emit_async();
                emit.await.map(|report| as_emitted(&report))
            }
            Origin::Bus(_) => self.emit(),
        }
    }
}

impl<'a, T, S> EventDraft<'a, T, S> {
    /// The same, to be emitted elsewhere.
    fn on<R>(self, sink: R) -> EventDraft<'a, T, R> {
        EventDraft {
            sink,
            topic: self.topic,
            payload: self.payload,
            extras: self.extras,
            nanos: self.nanos,
        }
    }
}

fn as_emitted<T>(report: &Report<T>) -> Emitted {
    Emitted {
        matched: report.matched,
        delivered: report.called,
        filtered: report.skipped,
        ..Emitted::default()
    }
}

impl<T: Send + Sync + 'static> ErrorEvents<T> {
    /// Emits a failure as an event, unless an error event led to it.
    ///
    /// Where the chain that failed is as deep as it may be, the event is caused by what caused the failed
    /// one, so that it is seen at all. Not so for a failure `about_errors`, as those end by their chain.
    pub(super) fn emit(&self, failure: &Failure<T>, origin: &Origin<T>, about_errors: bool) {
        let event = failure.event();
        let mut causes = event.cause().into_iter().flat_map(Cause::chain);
        if *event.topic() == self.topic || causes.any(|topic| *topic == self.topic) {
            return;
        }
        let payload = (self.payload)(failure);
        let emit = |payload| match origin {
            Origin::Emitter(emitter) => emitter.emit_detached(&self.topic, payload),
            Origin::Bus(bus) => match bus.upgrade() {
                Some(bus) => bus.emit(&self.topic, payload).map(drop),
                None => Err(EmitError::Closed(payload)),
            },
        };
        // Another error is that of a bus that is closed: the failure itself was counted and kept, and there
        // is nobody else to tell.
        if let Err(EmitError::ChainTooDeep { payload, .. }) = emit(payload)
            && let Some(cause) = event.cause()
            && !about_errors
        {
            let _ = cause.enter(|| emit(payload));
        }
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Context<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("topic", &self.topic().as_str())
            .field("handler", &self.handler())
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}
