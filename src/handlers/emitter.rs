//! Emits to handlers directly, without a bus or a queue.

use std::fmt;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use super::Handlers;
use super::context::Origin;
use super::core::Core;
use super::debug::{self, trace};
use super::executor::{BlockOn, Chosen, Executor, Inline, Mode, ThreadPool, Waiting};
use super::failure::{Failure, FailureKind};
use super::held::Held;
use super::report::Report;
use super::roster::{Roster, Route};
use super::run::{Routed, Run, Scene, Wait, block_on, detach, fly, walk, walk_plain};
use crate::bus::DEFAULT_MAX_CHAIN;
use crate::cause::Cause;
use crate::clock::Clock;
use crate::draft::EventDraft;
use crate::error::EmitError;
use crate::event::{Event, Extras};
use crate::registry::Resolved;
use crate::shield::caught;
use crate::sync::Arc;
use crate::sync::Ordering::Relaxed;

/// Emits to the handlers of a registry directly: no bus, no queue, and the emit says what they did.
///
/// A cheap handle that erases its executor, so one function takes any emitter. Emitters come and go while
/// the handlers stay registered; several may serve one registry.
///
/// | To | Use |
/// |---|---|
/// | have the handlers ended when the emit returns | [`emit`](Emitter::emit) |
/// | the same in a task, without blocking it | [`emit_async`](Emitter::emit_async) |
/// | hand the event over and go on | [`emit_detached`](Emitter::emit_detached) |
/// | give it a source, metadata, extensions | [`event`](Emitter::event) |
///
/// Which handlers run on which thread is the executor's: see [`Executor`]. In which order is theirs: see
/// [`Priority`](crate::Priority) and [`Mode`].
///
/// An emit from inside a handler is handled to its end before it returns, there as elsewhere. It carries
/// the event as its [`Cause`], and is refused where the chain of those is too deep.
///
/// ```
/// use chanbus::{Emitter, Handlers};
///
/// fn greet(emitter: &Emitter<&'static str>) -> Result<(), chanbus::Error> {
///     let report = emitter.emit("user.joined", "Ada")?;
///     assert_eq!(report.called, 1);
///     Ok(())
/// }
///
/// let handlers = Handlers::new();
/// handlers.on("user.*").call(|event| println!("hello {}", event.payload()))?;
/// greet(&Emitter::inline(&handlers))?;
/// greet(&Emitter::thread_pool(&handlers, &chanbus::ThreadPool::new(2)?))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Emitter<T: Send + Sync + 'static>(Arc<Setup<T>>);

/// An event with its handlers; or what became of it, if middleware blocked it; or why there is none.
type Prepared<T> = Result<Result<Routed<T>, Report<T>>, EmitError<T>>;

struct Setup<T: Send + Sync + 'static> {
    core: Arc<Core<T>>,
    executor: Chosen,
    mode: Option<Mode>,
    max_chain: usize,
    clock: Clock,
    debug: Option<bool>,
}

impl<T: Send + Sync + 'static> Clone for Setup<T> {
    fn clone(&self) -> Self {
        Setup {
            core: Arc::clone(&self.core),
            executor: self.executor.clone(),
            clock: self.clock.clone(),
            ..*self
        }
    }
}

impl<T: Send + Sync + 'static> Emitter<T> {
    /// An emitter whose handlers run by that executor, which may be a closure.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers, Inline};
    /// let handlers = Handlers::<u32>::new();
    /// let emitter = Emitter::new(&handlers, Inline);
    /// # let _ = emitter;
    /// ```
    pub fn new(handlers: &Handlers<T>, executor: impl Executor) -> Self {
        Emitter(Arc::new(Setup {
            core: Arc::clone(handlers.core()),
            executor: Chosen::new(executor),
            mode: None,
            max_chain: DEFAULT_MAX_CHAIN,
            clock: Clock::default(),
            debug: None,
        }))
    }

    /// An emitter with a registry of its own: see [`handlers`](Emitter::handlers).
    ///
    /// ```
    /// # use chanbus::{Emitter, Inline};
    /// let emitter = Emitter::with_executor(Inline);
    /// emitter.handlers().on("a").call(|_| {})?;
    /// assert_eq!(emitter.emit("a", 1)?.called, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn with_executor(executor: impl Executor) -> Self {
        Self::new(&Handlers::new(), executor)
    }

    /// Handlers run on the emitting thread: [`Inline`].
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// let report = Emitter::inline(&Handlers::new()).emit("a", 1)?;
    /// assert_eq!(report.matched, 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn inline(handlers: &Handlers<T>) -> Self {
        Self::new(handlers, Inline)
    }

    /// Handlers run on the emitting thread, async ones to their end: [`BlockOn`].
    ///
    /// ```
    /// # use chanbus::{Emitter, Flow, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").handle_async(|_, _| async { Ok(Flow::Continue) })?;
    /// assert_eq!(Emitter::blocking(&handlers).emit("a", 1)?.called, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn blocking(handlers: &Handlers<T>) -> Self {
        Self::new(handlers, BlockOn)
    }

    /// Handlers run on the threads of a pool, which stays its owner's.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers, ThreadPool};
    /// let pool = ThreadPool::new(2)?;
    /// let emitter = Emitter::thread_pool(&Handlers::new(), &pool);
    /// assert_eq!(emitter.emit("a", 1)?.called, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn thread_pool(handlers: &Handlers<T>, pool: &ThreadPool) -> Self {
        Self::new(handlers, pool.clone())
    }

    /// Handlers run on the tokio runtime that this code runs in.
    ///
    /// # Panics
    ///
    /// It runs in none: give `Tokio::new` a runtime's handle.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), chanbus::Error> {
    /// let handlers = Handlers::new();
    /// handlers.on("a").call(|_| {})?;
    /// assert_eq!(Emitter::tokio(&handlers).emit_async("a", 1).await?.called, 1);
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "tokio")]
    #[track_caller]
    pub fn tokio(handlers: &Handlers<T>) -> Self {
        Self::new(handlers, super::executor::Tokio::current())
    }

    /// Which handlers run together; the executor's own mode unless told otherwise. On
    /// [`Inline`] and [`BlockOn`] a plain emit is sequential whatever the mode; `emit_async` obeys it.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers, Mode};
    /// let emitter = Emitter::<u32>::inline(&Handlers::new()).mode(Mode::Concurrent);
    /// assert_eq!(emitter.current_mode(), Mode::Concurrent);
    /// ```
    #[must_use]
    pub fn mode(self, mode: Mode) -> Self {
        self.with(|setup| setup.mode = Some(mode))
    }

    /// How many events may lead to one another; [`DEFAULT_MAX_CHAIN`] unless told otherwise.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// let handlers = Handlers::new();
    /// handlers.on("a").handle(|_, ctx| {
    ///     ctx.emit("a", ())?;
    ///     Ok(chanbus::Flow::Continue)
    /// })?;
    /// assert!(Emitter::inline(&handlers).max_chain(4).emit("a", ())?.is_ok());
    /// let last = handlers.last_failures();
    /// assert!(last[0].to_string().contains("a > a > a > a > a"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn max_chain(self, events: usize) -> Self {
        self.with(|setup| setup.max_chain = events)
    }

    /// Where timestamps come from; the [coarse clock](Clock::coarse) unless told otherwise.
    ///
    /// ```
    /// # use chanbus::{Clock, Emitter, Handlers};
    /// let emitter = Emitter::<u32>::inline(&Handlers::new()).clock(Clock::exact());
    /// # let _ = emitter;
    /// ```
    #[must_use]
    pub fn clock(self, clock: Clock) -> Self {
        self.with(|setup| setup.clock = clock)
    }

    /// Whether its events' way is traced at visible level: see [`set_debug`](crate::set_debug).
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// let emitter = Emitter::<u32>::inline(&Handlers::new()).debug(true);
    /// assert!(emitter.is_debug());
    /// ```
    #[must_use]
    pub fn debug(self, on: bool) -> Self {
        self.with(|setup| setup.debug = Some(on))
    }

    fn with(self, set: impl FnOnce(&mut Setup<T>)) -> Self {
        let mut setup = Arc::unwrap_or_clone(self.0);
        set(&mut setup);
        Emitter(Arc::new(setup))
    }

    /// Its registry.
    ///
    /// ```
    /// # use chanbus::{Emitter, Inline};
    /// let emitter = Emitter::<u32>::with_executor(Inline);
    /// assert!(emitter.handlers().is_empty());
    /// ```
    #[must_use]
    pub fn handlers(&self) -> Handlers<T> {
        Handlers::of(Arc::clone(&self.0.core))
    }

    /// Which handlers run together.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers, Mode};
    /// assert_eq!(Emitter::<u32>::inline(&Handlers::new()).current_mode(), Mode::Sequential);
    /// ```
    #[must_use]
    pub fn current_mode(&self) -> Mode {
        self.0.mode.unwrap_or_else(|| self.0.executor.mode())
    }

    /// Whether its events' way is traced at visible level: its own setting, else the registry's, else
    /// that of all, else the default.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// assert!(!Emitter::<u32>::inline(&Handlers::new()).debug(false).is_debug());
    /// ```
    #[must_use]
    pub fn is_debug(&self) -> bool {
        debug::is_on(self.0.debug.or_else(|| self.0.core.debug.get()))
    }

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
        match self.prepare(topic, payload)? {
            Ok(routed) => Ok(self.handle(routed)),
            Err(blocked) => Ok(blocked),
        }
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
    /// [`Inline`] and [`BlockOn`] they run in its polls, async ones as part of it; so this suits any
    /// runtime, also a single-threaded one. If it is dropped before its end, handlers that an executor was
    /// handed are called all the same, those that ran as part of it end there
    /// ([`FailureKind::Lost`]), and those of later steps are not called.
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
    /// There is nobody to hand it over to on [`Inline`] and [`BlockOn`]: there the handlers have ended when
    /// this returns, as with [`emit`](Emitter::emit). Middleware runs before it returns.
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
        match self.prepare(topic.as_ref(), payload)? {
            Ok(routed) => self.hand_over(routed),
            Err(_blocked) => {}
        }
        Ok(())
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

    // ---- the way of an event ----

    fn scene(&self) -> Scene<T> {
        Scene {
            core: Arc::clone(&self.0.core),
            origin: Origin::Emitter(self.clone()),
            watch: None,
            fate: None,
            debug: self.0.debug,
        }
    }

    /// Whether this thread may wait for handlers; else who needs it.
    fn may_wait(&self) -> Result<(), Arc<str>> {
        match &self.0.executor {
            Chosen::Here { .. } => Ok(()),
            // The user's code: one that panics says nothing.
            Chosen::There(executor) => {
                match caught(|| executor.waiting()).unwrap_or(Waiting::Block) {
                    Waiting::Refuse => Err(executor.name().into()),
                    _ => Ok(()),
                }
            }
        }
    }

    fn bounded(&self, cause: Option<Cause>) -> Result<Option<Cause>, Cause> {
        match cause {
            Some(cause) if cause.depth() > self.0.max_chain => Err(cause),
            cause => Ok(cause),
        }
    }

    #[cold]
    fn too_deep<P>(&self, cause: Cause, payload: P) -> EmitError<P> {
        EmitError::ChainTooDeep {
            cause,
            limit: self.0.max_chain,
            payload,
        }
    }

    /// Makes an event of nothing but a topic and a payload. By itself, as a draft's parts, empty, would be
    /// made and dropped with every emit.
    #[inline]
    fn prepare(&self, topic: &str, payload: T) -> Prepared<T> {
        match self.bounded(Cause::current()) {
            Ok(cause) => {
                let nanos = self.0.clock.now_nanos();
                self.prepare_with(topic, payload, Extras::caused(cause), nanos)
            }
            Err(cause) => Err(self.too_deep(cause, payload)),
        }
    }

    /// Makes the event of a draft.
    fn prepare_draft<S>(&self, draft: EventDraft<'_, T, S>) -> Prepared<T> {
        let mut extras = draft.extras;
        let current = self.bounded(Cause::current());
        let given = self.bounded(extras.cause.take());
        match current.and_then(|current| Ok(given?.or(current))) {
            Ok(cause) => extras.cause = cause,
            Err(cause) => return Err(self.too_deep(cause, draft.payload)),
        }
        let nanos = draft.nanos.unwrap_or_else(|| self.0.clock.now_nanos());
        self.prepare_with(draft.topic, draft.payload, extras.shared(), nanos)
    }

    /// Makes the event and finds its handlers; or what became of it, if middleware blocked it.
    #[inline]
    fn prepare_with(
        &self,
        topic: &str,
        payload: T,
        extras: Option<Arc<Extras>>,
        nanos: u64,
    ) -> Prepared<T> {
        let registry = &self.0.core.registry;
        let version = registry.load();
        let generation = version.generation();
        let route = |found: &Resolved<Roster<T>>| {
            let plain = version.content.middleware.is_empty();
            let route = plain.then(|| (Arc::clone(&found.route), generation));
            (found.topic.clone(), route)
        };
        let found = match registry.remembered(&version, topic) {
            Some(found) => Ok(route(found)),
            None => registry.route(&version, topic).map(|found| route(&found)),
        };
        // Not held while handlers run, who may take long, and would keep all that changes remove.
        drop(version);
        let (topic, routed) = match found {
            Ok(found) => found,
            Err(error) => {
                self.0.core.catch_up(generation);
                return Err(EmitError::BadTopic { error, payload });
            }
        };
        if routed.is_none() {
            self.0.core.catch_up(generation);
        }
        let event = Event::assemble(topic, payload, nanos, extras);
        Ok(match routed {
            Some((route, generation)) => Ok(Routed {
                event: Held::new(event),
                route,
                generation,
            }),
            None => self.scene().route(event),
        })
    }

    /// Runs all handlers, and returns when they have ended.
    fn handle(&self, routed: Routed<T>) -> Report<T> {
        match &self.0.executor {
            Chosen::Here { .. } if routed.route.plain => {
                walk_plain(&self.0.core, || self.scene(), routed)
            }
            Chosen::Here { block_on: true } if routed.route.has_async => {
                let run = Run::new(self.scene(), routed);
                block_on(fly(Arc::clone(&run), None, Mode::Sequential, Wait::Asleep));
                run.report()
            }
            Chosen::Here { .. } => walk(Run::new(self.scene(), routed)).report(),
            Chosen::There(executor) => {
                let run = Run::new(self.scene(), routed);
                let executor = Some(Arc::clone(executor));
                let mode = self.current_mode();
                block_on(fly(Arc::clone(&run), executor, mode, Wait::Asleep));
                run.report()
            }
        }
    }

    fn hand_over(&self, routed: Routed<T>) {
        let Chosen::There(executor) = &self.0.executor else {
            let _ = self.handle(routed);
            return;
        };
        let run = Run::new(self.scene(), routed);
        let (executor, mode) = (Arc::clone(executor), self.current_mode());
        detach(Box::pin(async move {
            fly(Arc::clone(&run), Some(executor), mode, Wait::Nobody).await;
            let _ = run.report();
        }));
    }

    fn prepared_async(&self, prepared: Prepared<T>) -> EmitFuture<T> {
        let routed = match prepared {
            Ok(Ok(routed)) => routed,
            Ok(Err(blocked)) => return EmitFuture::ended(Ok(blocked)),
            Err(error) => return EmitFuture::ended(Err(error)),
        };
        let run = Run::new(self.scene(), routed);
        let mode = self.current_mode();
        let executor = match &self.0.executor {
            Chosen::Here { .. } => None,
            Chosen::There(executor) => Some(Arc::clone(executor)),
        };
        EmitFuture(State::Running(Box::pin(async move {
            fly(Arc::clone(&run), executor, mode, Wait::Awaited).await;
            Ok(run.report())
        })))
    }
}

impl<T: Send + Sync + 'static> Scene<T> {
    /// Passes an event through all middleware and finds its handlers; or what became of it, if it was
    /// blocked.
    pub(super) fn route(&self, event: Event<T>) -> Result<Routed<T>, Report<T>> {
        let version = self.core.registry.load();
        if version.content.middleware.is_empty() {
            let route = self.core.route_in(&version, event.topic());
            drop(version);
            return Self::routed(event, route);
        }
        let generation = version.generation();
        let middleware = Arc::clone(&version.content.middleware);
        drop(version);
        self.core.catch_up(generation);
        let mut event = event;
        for middleware in &*middleware {
            let Some(pass) = &middleware.pass else {
                continue;
            };
            let kept = Held::new(event.clone());
            let passed = Cause::scope(&kept, || caught(|| pass(event)));
            event = match passed {
                Ok(Some(event)) => event,
                Ok(None) => return Err(self.blocked(&kept, None)),
                Err(thrown) => {
                    let kind = FailureKind::panic(thrown);
                    let failure = Failure::of_middleware(&kept, middleware.location, kind);
                    return Err(self.blocked(&kept, Some(failure)));
                }
            };
        }
        let route = self
            .core
            .route_in(&self.core.registry.load(), event.topic());
        Self::routed(event, route)
    }

    fn routed(
        event: Event<T>,
        route: Option<(Arc<Route<T>>, u64)>,
    ) -> Result<Routed<T>, Report<T>> {
        match route {
            Some((route, generation)) => Ok(Routed {
                event: Held::new(event),
                route,
                generation,
            }),
            // An event's topic was checked when the event was made, so there is a route, if of nobody.
            None => Err(Report::new()),
        }
    }

    fn blocked(&self, event: &Event<T>, failure: Option<Failure<T>>) -> Report<T> {
        trace!(self.debug(), topic = %event.topic(), "middleware blocked an event");
        // Relaxed: a statistic.
        self.core.totals.blocked.fetch_add(1, Relaxed);
        if let Some(failure) = &failure {
            Cause::scope(event, || self.tell(failure));
        }
        let mut report = Report::new();
        report.blocked = true;
        report.failed = usize::from(failure.is_some());
        report.errors.extend(failure);
        self.count(&report);
        report
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
        match emitter.prepare_draft(self)? {
            Ok(routed) => Ok(emitter.handle(routed)),
            Err(blocked) => Ok(blocked),
        }
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
        match emitter.prepare_draft(self)? {
            Ok(routed) => emitter.hand_over(routed),
            Err(_blocked) => {}
        }
        Ok(())
    }
}

impl<T: Send + Sync + 'static> Clone for Emitter<T> {
    fn clone(&self) -> Self {
        Emitter(Arc::clone(&self.0))
    }
}

/// Names its executor.
impl<T: Send + Sync + 'static> fmt::Debug for Emitter<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter")
            .field("executor", &self.0.executor.name())
            .field("mode", &self.current_mode())
            .finish_non_exhaustive()
    }
}

/// An emit that is on its way; made by [`Emitter::emit_async`].
///
/// ```
/// # use chanbus::{EmitFuture, Emitter, Handlers};
/// # use futures_lite::future::block_on;
/// let emitter = Emitter::inline(&Handlers::new());
/// let emit: EmitFuture<u32> = emitter.emit_async("a", 7);
/// assert_eq!(block_on(emit)?.matched, 0);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "handlers are called as it is polled"]
pub struct EmitFuture<T>(State<T>);

type Ended<T> = Result<Report<T>, EmitError<T>>;

enum State<T> {
    Running(Pin<Box<dyn Future<Output = Ended<T>> + Send>>),
    /// Boxed, so that a future is no larger than its usual state.
    Ended(Option<Box<Ended<T>>>),
}

impl<T> EmitFuture<T> {
    fn ended(ended: Ended<T>) -> Self {
        EmitFuture(State::Ended(Some(Box::new(ended))))
    }
}

// What it holds of the payload is behind a box.
impl<T> Unpin for EmitFuture<T> {}

impl<T> Future for EmitFuture<T> {
    type Output = Ended<T>;

    /// Ready once.
    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Running(future) => future.as_mut().poll(cx),
            State::Ended(ended) => match ended.take() {
                Some(ended) => Poll::Ready(*ended),
                None => Poll::Pending,
            },
        }
    }
}

impl<T> fmt::Debug for EmitFuture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmitFuture").finish_non_exhaustive()
    }
}
