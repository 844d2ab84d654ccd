//! Handlers: a registry of callbacks, who runs them, and what feeds them events.
//!
//! An event walks down this list once.
//!
//! | File | Its one job |
//! |---|---|
//! | `mod.rs`, `builder.rs` | the registry's handle, and its settings |
//! | `on.rs` | registering one handler |
//! | `removal.rs`, `groups.rs`, `listing.rs` | taking handlers away, swapping groups of them, asking who there is |
//! | `core.rs`, `roster.rs`, `entry.rs` | what all handles share; all handlers as one immutable value; one of them |
//! | `held.rs` | events that the library holds, and lets go of without a panic |
//! | `middleware.rs`, `failure.rs`, `services.rs`, `debug.rs` | what stands before and after handlers, and beside them |
//! | `emitter/`, `report.rs` | direct emits, and what they did |
//! | `dispatcher/` | feeding handlers from a bus |
//! | `run/` | one event on its way through its handlers, or a batch |
//! | `executor/` | who runs them, on which thread |
//! | `context.rs` | what a handler is given beside the event |

mod builder;
mod context;
mod core;
mod debug;
mod dispatcher;
mod emitter;
mod entry;
mod executor;
mod failure;
mod global;
mod groups;
mod guard;
mod listing;
mod middleware;
mod on;
mod priority;
mod removal;
mod report;
mod roster;
mod run;
mod services;
mod stats;
mod turn;

use std::fmt;
use std::panic::Location;

pub use self::builder::HandlersBuilder;
pub use self::context::Context;
pub use self::debug::set_debug;
pub use self::dispatcher::{
    Dispatcher, DispatcherBuilder, DispatcherStats, Drain, RunningHandler, StartError, StopFuture,
    StopTimeout, Stopped,
};
pub use self::emitter::{EmitFuture, Emitter, EmitterBatch};
pub use self::entry::{Flow, HandlerId, HandlerKind};
#[cfg(feature = "tokio")]
pub use self::executor::Tokio;
pub use self::executor::{
    AsyncJob, BlockOn, ExecuteError, Executed, Executor, Inline, Job, Mode, Refusal, SyncJob,
    ThreadPool, ThreadPoolBuilder, Waiting, WhenFull,
};
pub use self::failure::{BoxError, Failure, FailureKind, FailurePlace};
pub use self::global::global_handlers;
pub use self::groups::{Module, Replaced};
pub use self::guard::{HandlerGuard, HandlerGuards};
pub use self::listing::HandlerInfo;
pub use self::middleware::HookGuard;
pub use self::on::On;
pub use self::priority::Priority;
pub use self::report::{HandlerErrors, Report};
pub use self::services::{MissingService, Services};
pub use self::stats::{HandlersByKind, HandlersStats, Times};

use self::core::Core;
use self::middleware::{ErrorEvents, Hook, Middleware, OnError, Tell};
use self::roster::Stage;
use crate::error::TopicError;
use crate::event::Event;
use crate::pattern::{IntoPatterns, Syntax};
use crate::sync::Arc;
use crate::topic::Topic;

/// A registry of handlers: callbacks that ask for topics by patterns, as subscriptions do.
///
/// A cheap handle; clones are the same registry. It is read without a lock, also while it changes. What
/// brings it events is an [`Emitter`] (directly) or a [`Dispatcher`] (from a [`Bus`](crate::Bus)), any
/// number of them; both obey everything that is registered here, and both find at once what is added.
///
/// # Which, in which order, how often, where
///
/// - *Which.* An event calls each handler with a matching pattern once, however many of its patterns
///   match; `**` is a pattern like any other. Handlers that are registered while an event is on its way
///   are called from the next on. One that is removed and was not reached yet is not called.
/// - *In which order.* By [`Priority`], lower first; equal ones in the order in which they were registered;
///   monitors after all others. [`Mode`] says who runs together.
/// - *How often.* Once for each event, or, with [`once`](On::once), once at all, whatever the threads,
///   also if that call fails. For different events it may run on several threads at once; with one
///   dispatcher and one event in flight it does not.
/// - *Where.* On the [`Executor`]'s threads: that of the emit with [`Inline`], that of the dispatcher by
///   default. Filters run with their handler, middleware on the emitting (or the dispatcher's) thread.
/// - *Errors and panics* are caught and reported: to [`on_error`](Handlers::on_error), in the [`Report`], in
///   [`last_failures`](Handlers::last_failures). The event goes on to the other handlers, and is not handed to
///   the failed one again. The process's own panic hook runs first, and prints unless you set another.
///   A destructor of what a handler captured that panics is caught, and nobody is told.
///
/// ```
/// use chanbus::{Emitter, Flow, Handlers, Priority};
///
/// struct Chat {
///     user: &'static str,
///     text: &'static str,
/// }
///
/// let handlers = Handlers::<Chat>::new();
/// handlers.on("twitch.chat.message").name("greet").priority(Priority::HIGH)
///     .filter(|event| event.payload().text == "hi")
///     .handle(|event, ctx| {
///         println!("{}: hello {}", ctx.topic(), event.payload().user);
///         Ok(Flow::Continue)
///     })?;
/// handlers.on("**").call(|event| println!("{}", event.topic()))?;
///
/// let chat = Chat { user: "ada", text: "hi" };
/// let report = Emitter::inline(&handlers).emit("twitch.chat.message", chat)?;
/// assert_eq!(report.called, 2);
/// # Ok::<(), chanbus::Error>(())
/// ```
pub struct Handlers<T: Send + Sync + 'static> {
    core: Arc<Core<T>>,
    /// What registrations by this handle belong to, if they do not say.
    group: Option<Arc<str>>,
    /// Where they wait, if they are to come all at once.
    stage: Option<Stage<T>>,
}

impl<T: Send + Sync + 'static> Handlers<T> {
    /// An empty registry with the default settings. Write `Handlers::<MyEvent>::new()` where a handler looks
    /// into the payload before anything else says its type.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// assert!(Handlers::<u32>::new().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A registry with other settings.
    ///
    /// ```
    /// # use chanbus::{Handlers, Services};
    /// let handlers = Handlers::<u32>::builder().services(&Services::new()).build();
    /// # let _ = handlers;
    /// ```
    pub fn builder() -> HandlersBuilder<T> {
        HandlersBuilder::new()
    }

    /// A registry whose text patterns are of that syntax; [`Syntax::Segmented`] unless told otherwise.
    ///
    /// With [`Syntax::Flat`], `"*"` is everything.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers, Syntax};
    /// let handlers = Handlers::with_syntax(Syntax::Flat);
    /// handlers.on("*").call(|_| {})?;
    /// assert_eq!(Emitter::inline(&handlers).emit("a.b.c", ())?.called, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn with_syntax(syntax: Syntax) -> Self {
        Self::builder().syntax(syntax).build()
    }

    /// A registry whose handlers have these services, which other registries may share.
    ///
    /// ```
    /// # use chanbus::{Handlers, Services};
    /// let services = Services::new().with(7_u32);
    /// let handlers = Handlers::<()>::with_services(&services);
    /// assert_eq!(handlers.services().len(), 1);
    /// ```
    #[must_use]
    pub fn with_services(services: &Services) -> Self {
        Self::builder().services(services).build()
    }

    fn of(core: Arc<Core<T>>) -> Self {
        Handlers {
            core,
            group: None,
            stage: None,
        }
    }

    fn core(&self) -> &Arc<Core<T>> {
        &self.core
    }

    /// Begins a handler for all topics that any of these patterns match; `call`, `handle` or `handle_async`
    /// ends it. See [`On`].
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// let id = handlers.on(["scan.*", "ui.click"]).name("log").call(|event| println!("{event:?}"))?;
    /// # let _ = id;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn on(&self, patterns: impl IntoPatterns) -> On<'_, T> {
        let patterns = patterns.into_patterns(self.core.settings.syntax);
        On::new(self, patterns, Location::caller())
    }

    /// Passes every event through this code before any handler sees it (H6).
    ///
    /// It returns the event, to pass it on; another one instead, whose topic, if changed, finds its own
    /// handlers; or `None`, to block it. Several run in the order in which they were added. A panic blocks
    /// the event and is reported. Emitter and dispatcher alike obey it. It is sync by contract, as
    /// events pass it one by one on the emitting thread: what must wait belongs into a handler.
    ///
    /// It goes with the guard; see [`HookGuard::keep`].
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// let handlers = Handlers::new();
    /// handlers.on("n").call(|event| assert_eq!(*event.payload(), 14))?;
    /// let double = handlers.middleware(|event| Some(event.map_payload(|n| n * 2)));
    /// assert!(Emitter::inline(&handlers).emit("n", 7)?.is_ok());
    /// # drop(double);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn middleware(
        &self,
        pass: impl Fn(Event<T>) -> Option<Event<T>> + Send + Sync + 'static,
    ) -> HookGuard<T> {
        let middleware = Arc::new(Middleware {
            pass: Some(Box::new(pass)),
            location: Location::caller(),
        });
        self.core.add_middleware(&middleware);
        HookGuard::new(&self.core, Hook::Middleware(middleware))
    }

    /// Tells this code of every failure: of handlers, their filters and callbacks, of middleware (H3).
    ///
    /// It runs on the thread where the failure was. Several are told one after the other. One that
    /// panics is caught and counted, and nobody is told of that. It is a sync closure: one that has to wait
    /// sends the failure (a cheap handle) to a task. With the feature `tracing`, failures that no error
    /// handler hears of are errors of `tracing`.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # use std::sync::mpsc;
    /// let handlers = Handlers::new();
    /// let (failures, failed) = mpsc::channel();
    /// let guard = handlers.on_error(move |failure| {
    ///     let _ = failures.send(failure.to_string());
    /// });
    /// handlers.on("a").name("x").handle(|_, _| Err("disk full".into()))?;
    /// assert_eq!(Emitter::inline(&handlers).emit("a", ())?.failed, 1);
    /// assert!(failed.recv().unwrap().contains("disk full"));
    /// # drop(guard);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn on_error(&self, tell: impl Fn(&Failure<T>) + Send + Sync + 'static) -> HookGuard<T> {
        self.add_on_error(Tell::Call(Box::new(tell)))
    }

    /// Emits an event for every failure, where the failed event came from, with that as its cause; or, where
    /// its chain is as deep as it may be, with what caused that.
    ///
    /// Failures of handlers of that event, or of events that it led to, are told to error handlers, kept
    /// and counted, but not emitted again: so errors about errors end.
    ///
    /// # Errors
    ///
    /// A text that is no topic.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// let handlers = Handlers::<String>::new();
    /// handlers.errors_as_events("error", |failure| failure.to_string())?.keep();
    /// handlers.on("job").handle(|_, _| Err("disk full".into()))?;
    /// handlers.on("error").call(|event| assert!(event.payload().contains("disk full")))?;
    /// assert_eq!(Emitter::inline(&handlers).emit("job", "import".into())?.failed, 1);
    /// assert_eq!(handlers.stats().called, 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn errors_as_events(
        &self,
        topic: impl TryInto<Topic, Error: Into<TopicError>>,
        payload: impl Fn(&Failure<T>) -> T + Send + Sync + 'static,
    ) -> Result<HookGuard<T>, TopicError> {
        let topic = topic.try_into().map_err(Into::into)?;
        let payload = Box::new(payload);
        Ok(self.add_on_error(Tell::Event(ErrorEvents { topic, payload })))
    }

    fn add_on_error(&self, tell: Tell<T>) -> HookGuard<T> {
        let on_error = Arc::new(OnError { tell: Some(tell) });
        self.core.add_on_error(&on_error);
        HookGuard::new(&self.core, Hook::OnError(on_error))
    }

    /// The last failures, oldest first, for when nobody was told: 16 are kept unless
    /// [told otherwise](HandlersBuilder::kept_failures). Their events are kept alive by it.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").handle(|_, _| Err("disk full".into()))?;
    /// let _ = Emitter::inline(&handlers).emit("a", ())?;
    /// assert!(handlers.last_failures()[0].to_string().contains("disk full"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn last_failures(&self) -> Vec<Failure<T>> {
        self.core.last_failures()
    }

    /// The services of its handlers.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// assert!(Handlers::<u32>::new().services().names().is_empty());
    /// ```
    #[must_use]
    pub fn services(&self) -> &Services {
        &self.core.settings.services
    }

    /// Whether registrations, removals and events' ways are traced at visible level; `None` leaves it again to
    /// [`set_debug`]. An emitter's or a dispatcher's own setting comes first for its events.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// let handlers = Handlers::<u32>::new();
    /// handlers.debug(true);
    /// assert!(Emitter::inline(&handlers).is_debug());
    /// ```
    pub fn debug(&self, on: impl Into<Option<bool>>) {
        self.core.debug.set(on.into());
    }

    /// Whether both are handles of one registry.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// let handlers = Handlers::<u32>::new();
    /// assert!(handlers.same_registry(&handlers.clone()));
    /// assert!(!handlers.same_registry(&Handlers::new()));
    /// ```
    #[must_use]
    pub fn same_registry(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.core, &other.core)
    }
}

impl<T: Send + Sync + 'static> Clone for Handlers<T> {
    fn clone(&self) -> Self {
        Handlers {
            core: Arc::clone(&self.core),
            group: self.group.clone(),
            stage: self.stage.clone(),
        }
    }
}

impl<T: Send + Sync + 'static> Default for Handlers<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Handlers<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handlers")
            .field("len", &self.len())
            .field("syntax", &self.core.settings.syntax)
            .field("services", &self.core.settings.services)
            .finish_non_exhaustive()
    }
}
