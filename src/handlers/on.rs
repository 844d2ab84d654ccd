//! Registering one handler.

use std::fmt;
use std::panic::Location;

use super::Handlers;
use super::context::Context;
use super::debug::trace;
use super::entry::Flow;
use super::entry::{Callback, Entry, HandlerId, Outcome, Terms};
use super::failure::{BoxError, Failure};
use super::priority::Priority;
use super::roster::Seat;
use crate::error::PatternsError;
use crate::event::Event;
use crate::pattern::Pattern;
use crate::sync::Arc;

/// A handler in the making; made by [`Handlers::on`].
///
/// | Setting | Default |
/// |---|---|
/// | [`name`](On::name), by which failures and statistics call it | none: they tell the place of registration |
/// | [`group`](On::group), to be removed with | none; the module with [`on!`](crate::on) |
/// | [`priority`](On::priority) | [`Priority::NORMAL`] |
/// | [`filter`](On::filter)s | none |
/// | [`once`](On::once) | for every event |
///
/// | Ended by | The code gets | And returns |
/// |---|---|---|
/// | [`call`](On::call) | `&event` | nothing |
/// | [`handle`](On::handle) | `&event`, `&context` | `Result<Flow, BoxError>` |
/// | [`handle_async`](On::handle_async) | event and context, owned | a future of the same |
/// | [`handle_batch`](On::handle_batch) | `&[event]`, all of a batch that match | `Result<Flow, BoxError>` |
/// | [`handle_batch_with`](On::handle_batch_with) | the same, `&context` | the same |
///
/// Registering on several patterns is all or nothing, and happens in one moment. A registry holds what
/// its handlers capture: one that captures the registry itself, or an [`Emitter`](crate::Emitter) of it,
/// keeps it alive for ever; use the [`Context`] instead.
///
/// ```
/// use chanbus::{Flow, Handlers, Priority};
///
/// let handlers = Handlers::<u32>::new();
/// let id = handlers.on(["a", "b.*"]).name("sum").group("math").priority(Priority::LOW)
///     .filter(|event| *event.payload() > 10)
///     .handle(|_event, _ctx| Ok(Flow::Continue))?;
/// assert!(handlers.contains(id));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "a handler is only registered by `call`, `handle`, `handle_async` or `handle_batch`"]
pub struct On<'h, T: Send + Sync + 'static> {
    handlers: &'h Handlers<T>,
    patterns: Result<Vec<Pattern>, PatternsError>,
    terms: Terms<T>,
}

impl<'h, T: Send + Sync + 'static> On<'h, T> {
    pub(super) fn new(
        handlers: &'h Handlers<T>,
        patterns: Result<Vec<Pattern>, PatternsError>,
        location: &'static Location<'static>,
    ) -> Self {
        On {
            handlers,
            patterns,
            terms: Terms {
                name: None,
                group: handlers.group.clone(),
                module: None,
                priority: Priority::default(),
                location,
                filters: Vec::new(),
                once: false,
                on_success: None,
                on_failure: None,
            },
        }
    }

    /// Names it. Names need not differ: [`remove_named`](Handlers::remove_named) removes all of one name.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// let id = handlers.on("a").name("x").call(|_| {})?;
    /// assert_eq!(handlers.get(id).unwrap().name.as_deref(), Some("x"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.terms.name = Some(name.into());
        self
    }

    /// Puts it into a group, which can be listed, removed or replaced as a whole.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.on("a").group("chat").call(|_| {})?;
    /// assert_eq!(handlers.remove_group("chat"), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn group(mut self, group: impl Into<Arc<str>>) -> Self {
        self.terms.group = Some(group.into());
        self
    }

    /// Says which module of the program registers it, for
    /// [`remove_module`](Handlers::remove_module). Without a group, that is its group, too. The macro
    /// [`on!`](crate::on) does this.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.on("a").module(module_path!()).call(|_| {})?;
    /// assert_eq!(handlers.remove_module(module_path!()), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn module(mut self, path: &'static str) -> Self {
        self.terms.module = Some(path);
        self
    }

    /// When it is called, relative to others: a [`Priority`], or any integer, lower first.
    ///
    /// ```
    /// # use chanbus::{Handlers, Priority};
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.on("a").priority(Priority::HIGH).call(|_| {})?;
    /// handlers.on("a").priority(4).call(|_| {})?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn priority(mut self, priority: impl Into<Priority>) -> Self {
        self.terms.priority = priority.into();
        self
    }

    /// Calls it only for events of which this is true; of several filters all must be (H5). They are asked
    /// in the order in which they were added, and no further after the first that is not.
    ///
    /// A filter that panics skips the handler and is reported.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.on("a").filter(|event| *event.payload() > 10).call(|_| {})?;
    /// assert_eq!(Emitter::inline(&handlers).emit("a", 7)?.called, 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn filter(mut self, filter: impl Fn(&Event<T>) -> bool + Send + Sync + 'static) -> Self {
        self.terms.filters.push(Box::new(filter));
        self
    }

    /// Calls it once at all: one emit claims the call before it is made, whatever the threads and
    /// patterns, also if it then fails (H4); with that the handler is removed. Events that a filter keeps
    /// from it do not count, nor does a refusal by the executor, which is no call.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.on("a").once().call(|_| {})?;
    /// let emitter = Emitter::inline(&handlers);
    /// assert_eq!(emitter.emit("a", 1)?.called, 1);
    /// assert_eq!(emitter.emit("a", 2)?.matched, 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn once(mut self) -> Self {
        self.terms.once = true;
        self
    }

    /// Is called after each call that succeeded.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.on("a").on_success(|event| println!("done: {event:?}")).call(|_| {})?;
    /// # assert!(Emitter::inline(&handlers).emit("a", 7)?.is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn on_success(mut self, done: impl Fn(&Event<T>) + Send + Sync + 'static) -> Self {
        self.terms.on_success = Some(Box::new(done));
        self
    }

    /// Is called after each call that failed, before the registry's
    /// [error handlers](Handlers::on_error).
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.on("a").on_failure(|failure| println!("{failure}"))
    ///     .handle(|_, _| Err("disk full".into()))?;
    /// # assert!(!Emitter::inline(&handlers).emit("a", 7)?.is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn on_failure(mut self, failed: impl Fn(&Failure<T>) + Send + Sync + 'static) -> Self {
        self.terms.on_failure = Some(Box::new(failed));
        self
    }

    /// Registers code that takes the event and returns nothing: the short form, and the cheapest.
    ///
    /// # Errors
    ///
    /// A text that is no pattern, or an empty list; nothing is registered then.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.on("**").call(|event| println!("{event:?}"))?;
    /// assert!(handlers.on("a..b").call(|_| {}).is_err());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn call(
        self,
        call: impl Fn(&Event<T>) + Send + Sync + 'static,
    ) -> Result<HandlerId, PatternsError> {
        self.register(|| Callback::Call(Box::new(call)))
    }

    /// Registers code that takes event and [`Context`], and says whether the event goes on, or what went
    /// wrong. `?` works on any error.
    ///
    /// # Errors
    ///
    /// A text that is no pattern, or an empty list; nothing is registered then.
    ///
    /// ```
    /// # use chanbus::{Flow, Handlers};
    /// # let handlers = Handlers::<&str>::new();
    /// handlers.on("n").handle(|event, ctx| {
    ///     let number: u32 = event.payload().parse()?;
    ///     println!("{}: {number}", ctx.topic());
    ///     Ok(Flow::Continue)
    /// })?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn handle(
        self,
        handle: impl Fn(&Event<T>, &Context<T>) -> Result<Flow, BoxError> + Send + Sync + 'static,
    ) -> Result<HandlerId, PatternsError> {
        self.register(|| Callback::Handle(Box::new(handle)))
    }

    /// Registers an async handler, which owns event and [`Context`]. Which executors run those is said at
    /// [`Executor`](crate::Executor).
    ///
    /// # Errors
    ///
    /// A text that is no pattern, or an empty list; nothing is registered then.
    ///
    /// ```
    /// # use chanbus::{Flow, Handlers};
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.on("mail.*").handle_async(|event, ctx| async move {
    ///     println!("{} {}", ctx.topic(), event.payload());
    ///     Ok(Flow::Continue)
    /// })?;
    ///
    /// // What it captures is cloned for each call; or it is a service: `ctx.service::<S>()?`.
    /// let server = std::sync::Arc::new(String::from("localhost"));
    /// handlers.on("mail.sent").handle_async(move |event, _ctx| {
    ///     let server = server.clone();
    ///     async move {
    ///         println!("{} by {server}", event.payload());
    ///         Ok(Flow::Continue)
    ///     }
    /// })?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn handle_async<F>(
        self,
        handle: impl Fn(Event<T>, Context<T>) -> F + Send + Sync + 'static,
    ) -> Result<HandlerId, PatternsError>
    where
        F: Future<Output = Result<Flow, BoxError>> + Send + 'static,
    {
        self.register(|| {
            Callback::Async(Box::new(move |event, context| {
                let running: std::pin::Pin<Box<dyn Future<Output = Outcome> + Send>> =
                    Box::pin(handle(event, context));
                running
            }))
        })
    }

    /// Registers code that takes many events at once: of a batch, all those that match, in order, in one call
    /// (H14). Of an event that comes by itself, a slice of that one.
    ///
    /// Batches come from [`Emitter::batch`](crate::Emitter::batch) and
    /// [`start_batch`](crate::Emitter::start_batch), and, by a [`Dispatcher`](crate::Dispatcher), from
    /// [`Bus::batch`](crate::Bus::batch), [`emit_batch`](crate::Publisher::emit_batch) and what derived buses pass on of
    /// them. Single emits are not put together, however many wait. Each event passes all middleware, one event after the
    /// other; then the handlers that any of them has are called, by priority as ever. This one is a step of its
    /// own: all events first go, one after the other, through their handlers that come before it, then it is
    /// called, then they go on to those that come after it.
    ///
    /// Each [`filter`](On::filter) is asked about each event; those that were stopped before, or that a
    /// filter keeps away, are not among the events, and if none is left there is no call. [`once`](On::once)
    /// claims one call, which gets all that match. [`Flow::Stop`] stops each of the events it was given. An
    /// error or a panic is one [`Failure`], which has [all events](Failure::events);
    /// [`on_success`](On::on_success) is called with each event. Counts are of events: a call with three counts
    /// as three, in a [`Report`](crate::Report) and in statistics; times are of calls.
    ///
    /// # Errors
    ///
    /// A text that is no pattern, or an empty list; nothing is registered then.
    ///
    /// ```
    /// # use chanbus::{Emitter, Flow, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("row.*").handle_batch(|events| {
    ///     let rows: Vec<u32> = events.iter().map(|event| *event.payload()).collect();
    ///     println!("one insert of {rows:?}");
    ///     Ok(Flow::Continue)
    /// })?;
    /// let mut batch = Emitter::inline(&handlers).start_batch();
    /// for row in 0..3 {
    ///     batch.emit("row.added", row)?;
    /// }
    /// assert!(batch.commit()?.is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn handle_batch(
        self,
        handle: impl Fn(&[Event<T>]) -> Result<Flow, BoxError> + Send + Sync + 'static,
    ) -> Result<HandlerId, PatternsError> {
        self.handle_batch_with(move |events, _| handle(events))
    }

    /// [`handle_batch`](On::handle_batch) with the [`Context`], which is that of the first of the events: its
    /// topic, and the [cause](crate::Cause) of what it emits. To emit with another as the cause, there is
    /// [`Cause::of`](crate::Cause::of).
    /// [`stop_propagation`](Context::stop_propagation) stops all of them, when the handler returns.
    ///
    /// # Errors
    ///
    /// A text that is no pattern, or an empty list; nothing is registered then.
    ///
    /// ```
    /// # use chanbus::{Cause, Emitter, Flow, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("row.*").name("sum").handle_batch_with(|events, ctx| {
    ///     assert_eq!((ctx.handler(), ctx.topic()), (Some("sum"), events[0].topic()));
    ///     ctx.emit("sum", events.iter().map(|event| event.payload()).sum())?;
    ///     let last = Cause::of(&events[events.len() - 1]);
    ///     ctx.event("end", 0).cause(last).emit()?;
    ///     Ok(Flow::Continue)
    /// })?;
    /// let mut batch = Emitter::inline(&handlers).start_batch();
    /// batch.emit("row.added", 1)?;
    /// batch.emit("row.added", 2)?;
    /// assert!(batch.commit()?.is_ok());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn handle_batch_with(
        self,
        handle: impl Fn(&[Event<T>], &Context<T>) -> Result<Flow, BoxError> + Send + Sync + 'static,
    ) -> Result<HandlerId, PatternsError> {
        self.register(|| Callback::Batch(Box::new(handle)))
    }

    fn register(
        mut self,
        callback: impl FnOnce() -> Callback<T>,
    ) -> Result<HandlerId, PatternsError> {
        let patterns = self.patterns?;
        if self.terms.group.is_none() {
            self.terms.group = self.terms.module.map(Arc::from);
        }
        let entry = Arc::new(Entry::new(self.terms, callback()));
        let id = entry.id;
        let core = &self.handlers.core;
        trace!(
            core.debug.get(),
            id = %id,
            name = entry.terms.name.as_deref(),
            group = entry.terms.group.as_deref(),
            patterns = ?patterns,
            "a handler was registered"
        );
        let seat = Seat {
            entry,
            patterns: patterns.into(),
        };
        let mut stage = self.handlers.stage.as_ref().map(|stage| stage.lock());
        match stage.as_mut().and_then(|stage| stage.as_mut()) {
            Some(seats) => seats.push(seat),
            None => {
                drop(stage);
                core.add(vec![seat]);
            }
        }
        Ok(id)
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for On<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("On")
            .field("patterns", &self.patterns)
            .field("name", &self.terms.name)
            .field("group", &self.terms.group)
            .field("priority", &self.terms.priority)
            .field("once", &self.terms.once)
            .finish_non_exhaustive()
    }
}

/// [`Handlers::on`], with the module that it stands in as the handler's
/// [module](crate::On::module) and default group.
///
/// ```
/// use chanbus::{Handlers, on};
///
/// let handlers = Handlers::<u32>::new();
/// on!(handlers, "a.*").name("x").call(|_| {})?;
/// assert_eq!(handlers.remove_module(module_path!()), 1);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[macro_export]
macro_rules! on {
    ($handlers:expr, $patterns:expr $(,)?) => {
        $handlers.on($patterns).module(::core::module_path!())
    };
}
