//! The way of an event from an emit to its handlers.

use super::{EmitFuture, Emitter};
use crate::cause::Cause;
use crate::draft::EventDraft;
use crate::error::EmitError;
use crate::event::{Event, Extras, Held};
use crate::handlers::context::Origin;
use crate::handlers::debug::trace;
use crate::handlers::dispatcher::Whereabouts;
use crate::handlers::executor::{Chosen, Mode, Waiting};
use crate::handlers::failure::{Failure, FailureKind};
use crate::handlers::middleware::Middleware;
use crate::handlers::report::Report;
use crate::handlers::roster::{Roster, Route};
use crate::handlers::run::{
    Convoy, Routed, RoutedBatch, Run, Scene, Wait, block_on, detach, fly, walk, walk_plain,
};
use crate::registry::Resolved;
use crate::shield::caught;
use crate::sync::Arc;
use crate::sync::Ordering::Relaxed;
use crate::topic::Topic;

/// An event with its handlers; or what became of it, if middleware blocked it; or why there is none.
pub(super) type Prepared<T> = Result<Result<Routed<T>, Report<T>>, EmitError<T>>;

impl<T: Send + Sync + 'static> Emitter<T> {
    pub(super) fn scene(&self) -> Scene<T> {
        Scene {
            core: Arc::clone(&self.0.core),
            origin: Origin::Emitter(self.clone()),
            watch: None,
            within: None,
            fate: None,
            debug: self.0.debug,
        }
    }

    /// The scene of an emit that is waited for, here, by handlers that may run elsewhere.
    fn scene_within(&self) -> Scene<T> {
        Scene {
            within: Whereabouts::of_this_thread(),
            ..self.scene()
        }
    }

    /// Whether this thread may wait for handlers; else who needs it.
    pub(super) fn may_wait(&self) -> Result<(), Arc<str>> {
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

    pub(super) fn bounded(&self, cause: Option<Cause>) -> Result<Option<Cause>, Cause> {
        match cause {
            Some(cause) if cause.depth() > self.0.max_chain => Err(cause),
            cause => Ok(cause),
        }
    }

    #[cold]
    pub(super) fn too_deep<P>(&self, cause: Cause, payload: P) -> EmitError<P> {
        EmitError::ChainTooDeep {
            cause,
            limit: self.0.max_chain,
            payload,
        }
    }

    /// Makes an event of nothing but a topic and a payload. By itself, as a draft's parts, empty, would be
    /// made and dropped with every emit.
    #[inline]
    pub(super) fn prepare(&self, topic: &str, payload: T) -> Prepared<T> {
        match self.bounded(Cause::current()) {
            Ok(cause) => {
                let nanos = self.0.clock.now_nanos();
                self.prepare_with(topic, payload, Extras::caused(cause), nanos)
            }
            Err(cause) => Err(self.too_deep(cause, payload)),
        }
    }

    /// Makes the event of a draft.
    pub(super) fn prepare_draft<S>(&self, draft: EventDraft<'_, T, S>) -> Prepared<T> {
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

    pub(super) fn now_nanos(&self) -> u64 {
        self.0.clock.now_nanos()
    }

    /// Runs all handlers, and returns when they have ended.
    pub(super) fn handle(&self, routed: Routed<T>) -> Report<T> {
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
                let run = Run::new(self.scene_within(), routed);
                let executor = Some(Arc::clone(executor));
                let mode = self.current_mode();
                block_on(fly(Arc::clone(&run), executor, mode, Wait::Asleep));
                run.report()
            }
        }
    }

    /// Runs all handlers of an event that is ready, or says what became of it.
    pub(super) fn finish(&self, prepared: Prepared<T>) -> Result<Report<T>, EmitError<T>> {
        match prepared? {
            Ok(routed) => Ok(self.handle(routed)),
            Err(blocked) => Ok(blocked),
        }
    }

    /// Hands an event that is ready over to the executor.
    pub(super) fn detach(&self, prepared: Prepared<T>) -> Result<(), EmitError<T>> {
        if let Ok(routed) = prepared? {
            self.hand_over(routed);
        }
        Ok(())
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

    /// Runs all handlers of a batch, and returns when they have ended.
    pub(super) fn handle_batch(&self, batch: RoutedBatch<T>) -> Report<T> {
        if !batch.events.iter().any(|routed| routed.route.has_batch) {
            let mut report = batch.report;
            for routed in batch.events {
                report.add(self.handle(routed));
            }
            return report;
        }
        match &self.0.executor {
            Chosen::Here { block_on } => Convoy::new(&self.scene(), batch).here(*block_on),
            Chosen::There(executor) => {
                let convoy = Convoy::new(&self.scene_within(), batch);
                let executor = Some(Arc::clone(executor));
                block_on(convoy.fly(executor, self.current_mode(), Wait::Asleep))
            }
        }
    }

    pub(super) fn hand_batch_over(&self, events: Vec<Event<T>>) {
        let batch = self.scene().route_all(events);
        let Chosen::There(executor) = &self.0.executor else {
            drop(self.handle_batch(batch));
            return;
        };
        let convoy = Convoy::new(&self.scene(), batch);
        let (executor, mode) = (Arc::clone(executor), self.current_mode());
        detach(Box::pin(async move {
            drop(convoy.fly(Some(executor), mode, Wait::Nobody).await);
        }));
    }

    pub(super) fn handle_batch_async(&self, events: Vec<Event<T>>) -> EmitFuture<T, Vec<Event<T>>> {
        let scene = self.scene_within();
        let convoy = Convoy::new(&scene, scene.route_all(events));
        let mode = self.current_mode();
        let executor = match &self.0.executor {
            Chosen::Here { .. } => None,
            Chosen::There(executor) => Some(Arc::clone(executor)),
        };
        EmitFuture::running(async move { Ok(convoy.fly(executor, mode, Wait::Awaited).await) })
    }

    pub(super) fn prepared_async(&self, prepared: Prepared<T>) -> EmitFuture<T> {
        let routed = match prepared {
            Ok(Ok(routed)) => routed,
            Ok(Err(blocked)) => return EmitFuture::ended(Ok(blocked)),
            Err(error) => return EmitFuture::ended(Err(error)),
        };
        let run = Run::new(self.scene_within(), routed);
        let mode = self.current_mode();
        let executor = match &self.0.executor {
            Chosen::Here { .. } => None,
            Chosen::There(executor) => Some(Arc::clone(executor)),
        };
        EmitFuture::running(async move {
            fly(Arc::clone(&run), executor, mode, Wait::Awaited).await;
            Ok(run.report())
        })
    }
}

impl<T: Send + Sync + 'static> Scene<T> {
    /// Passes an event through all middleware and finds its handlers; or what became of it, if it was
    /// blocked.
    pub(in crate::handlers) fn route(&self, event: Event<T>) -> Result<Routed<T>, Report<T>> {
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
        let event = self.pass(&middleware, event)?;
        let route = self
            .core
            .route_in(&self.core.registry.load(), event.topic());
        Self::routed(event, route)
    }

    /// Passes events through all middleware, one after the other, and then finds the handlers of those that
    /// are left, all in the same moment.
    pub(in crate::handlers) fn route_all(
        &self,
        events: impl IntoIterator<Item = Event<T>>,
    ) -> RoutedBatch<T> {
        let middleware = self.core.read(|roster| Arc::clone(&roster.middleware));
        let mut report = Report::new();
        let mut passed = Vec::new();
        for event in events {
            match self.pass(&middleware, event) {
                Ok(event) => passed.push(event),
                Err(blocked) => report.add(blocked),
            }
        }
        let version = self.core.registry.load();
        let generation = version.generation();
        let mut before: Option<(Topic, Arc<Route<T>>)> = None;
        let mut routes = Vec::with_capacity(passed.len());
        for event in &passed {
            let topic = event.topic();
            let route = match &before {
                // Runs of one topic are looked up once.
                Some((last, route)) if last == topic => Some((Arc::clone(route), generation)),
                _ => self.core.route_in(&version, topic),
            };
            before = route
                .as_ref()
                .map(|(route, _)| (topic.clone(), Arc::clone(route)));
            routes.push(route);
        }
        // Not held while handlers run, who may take long, and would keep all that changes remove.
        drop((version, before));
        let mut events = Vec::with_capacity(passed.len());
        for (event, route) in passed.into_iter().zip(routes) {
            match Self::routed(event, route) {
                Ok(routed) => events.push(routed),
                Err(nobody) => report.add(nobody),
            }
        }
        if events.is_empty() {
            self.core.catch_up(generation);
        }
        RoutedBatch { events, report }
    }

    /// The event as all middleware leaves it; or what became of it, if it was blocked.
    fn pass(
        &self,
        middleware: &[Arc<Middleware<T>>],
        mut event: Event<T>,
    ) -> Result<Event<T>, Report<T>> {
        for middleware in middleware {
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
        Ok(event)
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
