//! What went wrong with a handler, told to those who want to know (H3).

use std::error::Error;
use std::fmt;
use std::panic::Location;

use super::entry::{Entry, HandlerId};
use super::executor::Refusal;
use crate::event::{Event, Held, HeldAll};
use crate::shield::{Thrown, drop_shielded, told};
use crate::sync::Arc;
use crate::topic::Topic;

/// Any error that a handler may return; what `?` makes of every error type.
///
/// ```
/// use chanbus::BoxError;
///
/// fn parse(text: &str) -> Result<u32, BoxError> {
///     Ok(text.parse()?)
/// }
/// assert!(parse("x").is_err());
/// ```
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Something of the user's that failed for one event: a handler, its filter, a middleware.
///
/// A cheap handle: one report for all who get it. It goes to every
/// [error handler](crate::Handlers::on_error), into the [`Report`](crate::Report) of the emit, and to
/// [`last_failures`](crate::Handlers::last_failures).
///
/// ```
/// use chanbus::{Emitter, Handlers};
///
/// let handlers = Handlers::new();
/// handlers.on("job.*").name("importer").handle(|_, _| Err("disk full".into()))?;
/// let report = Emitter::inline(&handlers).emit("job.import", 7)?;
///
/// let failure = &report.errors[0];
/// assert_eq!(failure.handler(), Some("importer"));
/// assert_eq!(failure.topic(), "job.import");
/// assert_eq!(*failure.event().payload(), 7);
/// assert!(failure.to_string().contains("disk full"));
/// # Ok::<(), chanbus::Error>(())
/// ```
pub struct Failure<T>(Arc<Inner<T>>);

struct Inner<T> {
    event: Held<T>,
    /// All of them, if a batch handler was called with many.
    batch: Option<HeldAll<T>>,
    place: FailurePlace,
    kind: FailureKind,
    who: Who,
}

/// The error is the user's, and may panic as it goes.
impl<T> Drop for Inner<T> {
    fn drop(&mut self) {
        drop_shielded(std::mem::replace(&mut self.kind, FailureKind::Lost));
    }
}

/// Whose code it was.
#[derive(Clone)]
struct Who {
    id: Option<HandlerId>,
    name: Option<Arc<str>>,
    group: Option<Arc<str>>,
    location: &'static Location<'static>,
}

impl Who {
    fn of<T: Send + Sync + 'static>(entry: &Entry<T>) -> Self {
        Who {
            id: Some(entry.id),
            name: entry.terms.name.clone(),
            group: entry.terms.group.clone(),
            location: entry.terms.location,
        }
    }
}

/// Which code of the user's failed.
///
/// ```
/// use chanbus::{Emitter, FailurePlace, Handlers};
///
/// let handlers = Handlers::new();
/// handlers.on("a").filter(|_| panic!("no")).call(|_| {})?;
/// let report = Emitter::inline(&handlers).emit("a", ())?;
/// assert_eq!(report.errors[0].place(), FailurePlace::Filter);
/// assert_eq!((report.called, report.skipped, report.failed), (0, 1, 1));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailurePlace {
    /// The handler itself.
    Handler,
    /// One of its filters: the handler was skipped.
    Filter,
    /// Its callback for successes or for failures.
    Callback,
    /// A middleware: the event was blocked.
    Middleware,
}

/// In which way it failed.
///
/// ```
/// use chanbus::{Emitter, FailureKind, Handlers};
///
/// let handlers = Handlers::new();
/// handlers.on("a").handle_async(|_, _| async { Ok(chanbus::Flow::Continue) })?;
/// let report = Emitter::inline(&handlers).emit("a", ())?;
/// assert!(matches!(report.errors[0].kind(), FailureKind::Refused(_)));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub enum FailureKind {
    /// It returned an error.
    Error(BoxError),
    /// It panicked, and said this.
    Panic(String),
    /// Its executor did not take it: it was not called.
    Refused(Refusal),
    /// Its executor took it and dropped it, before or amid its run.
    Lost,
}

impl FailureKind {
    /// Of a caught panic, whose value is let go of.
    pub(super) fn panic(thrown: Thrown) -> Self {
        FailureKind::Panic(told(thrown))
    }
}

impl<T> Failure<T> {
    pub(super) fn of_handler(
        event: &Event<T>,
        entry: &Entry<T>,
        place: FailurePlace,
        kind: FailureKind,
    ) -> Self
    where
        T: Send + Sync + 'static,
    {
        Failure::new(event, None, place, kind, Who::of(entry))
    }

    /// That of a call with many events; the first of them is the event at hand.
    pub(super) fn of_batch(
        first: &Event<T>,
        events: HeldAll<T>,
        entry: &Entry<T>,
        kind: FailureKind,
    ) -> Self
    where
        T: Send + Sync + 'static,
    {
        let place = FailurePlace::Handler;
        Failure::new(first, Some(events), place, kind, Who::of(entry))
    }

    pub(super) fn of_middleware(
        event: &Event<T>,
        location: &'static Location<'static>,
        kind: FailureKind,
    ) -> Self {
        let who = Who {
            id: None,
            name: None,
            group: None,
            location,
        };
        Failure::new(event, None, FailurePlace::Middleware, kind, who)
    }

    fn new(
        event: &Event<T>,
        batch: Option<HeldAll<T>>,
        place: FailurePlace,
        kind: FailureKind,
        who: Who,
    ) -> Self {
        let event = Held::new(event.clone());
        Failure(Arc::new(Inner {
            event,
            batch,
            place,
            kind,
            who,
        }))
    }

    /// The name of the handler, if it has one.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").name("x").handle(|_, _| Err("no".into()))?;
    /// # let report = Emitter::inline(&handlers).emit("a", ())?;
    /// assert_eq!(report.errors[0].handler(), Some("x"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn handler(&self) -> Option<&str> {
        self.0.who.name.as_deref()
    }

    /// The handler's id; `None` for a middleware.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # let handlers = Handlers::new();
    /// let id = handlers.on("a").handle(|_, _| Err("no".into()))?;
    /// # let report = Emitter::inline(&handlers).emit("a", ())?;
    /// assert_eq!(report.errors[0].id(), Some(id));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn id(&self) -> Option<HandlerId> {
        self.0.who.id
    }

    /// The handler's group, if it has one.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").group("chat").handle(|_, _| Err("no".into()))?;
    /// # let report = Emitter::inline(&handlers).emit("a", ())?;
    /// assert_eq!(report.errors[0].group(), Some("chat"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn group(&self) -> Option<&str> {
        self.0.who.group.as_deref()
    }

    /// Where in the source it was registered.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").handle(|_, _| Err("no".into()))?;
    /// # let report = Emitter::inline(&handlers).emit("a", ())?;
    /// assert!(report.errors[0].location().line() > 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        self.0.who.location
    }

    /// The event at hand; of a batch handler's call, the first.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").handle(|_, _| Err("no".into()))?;
    /// # let report = Emitter::inline(&handlers).emit("a", 7)?;
    /// assert_eq!(*report.errors[0].event().payload(), 7);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn event(&self) -> &Event<T> {
        &self.0.event
    }

    /// All events at hand: those that a [batch handler](crate::On::handle_batch) was called with, in order, or
    /// else the one.
    ///
    /// They are kept as long as the failure is; [`last_failures`](crate::Handlers::last_failures) keeps some.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").handle_batch(|_| Err("no".into()))?;
    /// let mut batch = Emitter::inline(&handlers).start_batch();
    /// batch.emit("a", 7)?;
    /// batch.emit("a", 8)?;
    /// let report = batch.commit()?;
    /// assert_eq!(report.errors.len(), 1);
    /// assert_eq!(report.errors[0].events().len(), 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn events(&self) -> &[Event<T>] {
        match &self.0.batch {
            Some(events) => events,
            None => std::slice::from_ref(&self.0.event),
        }
    }

    /// The topic of the event at hand.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").handle(|_, _| Err("no".into()))?;
    /// # let report = Emitter::inline(&handlers).emit("a", 7)?;
    /// assert_eq!(report.errors[0].topic(), "a");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn topic(&self) -> &Topic {
        self.0.event.topic()
    }

    /// Which of the user's code failed.
    ///
    /// ```
    /// # use chanbus::{Emitter, FailurePlace, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").handle(|_, _| Err("no".into()))?;
    /// # let report = Emitter::inline(&handlers).emit("a", 7)?;
    /// assert_eq!(report.errors[0].place(), FailurePlace::Handler);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn place(&self) -> FailurePlace {
        self.0.place
    }

    /// In which way it failed.
    ///
    /// ```
    /// # use chanbus::{Emitter, FailureKind, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").call(|_| panic!("oh"))?;
    /// # let report = Emitter::inline(&handlers).emit("a", 7)?;
    /// assert!(matches!(report.errors[0].kind(), FailureKind::Panic(said) if said == "oh"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn kind(&self) -> &FailureKind {
        &self.0.kind
    }

    /// The error that the handler returned, if it is of that type.
    ///
    /// ```
    /// # use chanbus::{Emitter, Flow, Handlers};
    /// # use std::num::ParseIntError;
    /// # let handlers = Handlers::<&str>::new();
    /// handlers.on("a").handle(|event, _| {
    ///     let _: u32 = event.payload().parse()?;
    ///     Ok(Flow::Continue)
    /// })?;
    /// # let report = Emitter::inline(&handlers).emit("a", "x")?;
    /// assert!(report.errors[0].downcast_ref::<ParseIntError>().is_some());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn downcast_ref<E: Error + 'static>(&self) -> Option<&E> {
        match &self.0.kind {
            FailureKind::Error(error) => error.downcast_ref(),
            _ => None,
        }
    }

    /// Whether it panicked.
    ///
    /// ```
    /// # use chanbus::{Emitter, Handlers};
    /// # let handlers = Handlers::new();
    /// handlers.on("a").call(|_| panic!("oh"))?;
    /// # let report = Emitter::inline(&handlers).emit("a", 7)?;
    /// assert!(report.errors[0].is_panic());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn is_panic(&self) -> bool {
        matches!(self.0.kind, FailureKind::Panic(_))
    }
}

impl<T> Clone for Failure<T> {
    fn clone(&self) -> Self {
        Failure(Arc::clone(&self.0))
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "`{name}` ({})", self.location),
            None => write!(f, "registered at {}", self.location),
        }
    }
}

/// Who, on what event, and what it said.
impl<T> fmt::Display for Failure<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.0.place {
            FailurePlace::Handler => "the handler",
            FailurePlace::Filter => "the filter of the handler",
            FailurePlace::Callback => "the callback of the handler",
            FailurePlace::Middleware => "the middleware",
        };
        let (who, topic) = (&self.0.who, self.topic());
        match &self.0.kind {
            FailureKind::Error(_) => write!(f, "{what} {who} failed on `{topic}`")?,
            FailureKind::Panic(_) => write!(f, "{what} {who} panicked on `{topic}`")?,
            FailureKind::Refused(_) => write!(f, "{what} {who} was not called on `{topic}`")?,
            FailureKind::Lost => write!(f, "{what} {who} was not run to its end on `{topic}`")?,
        }
        match self.events().len() {
            0 | 1 => {}
            2 => f.write_str(" and one more event")?,
            events => write!(f, " and {} more events", events - 1)?,
        }
        match &self.0.kind {
            FailureKind::Error(error) => write!(f, ": {error}"),
            FailureKind::Panic(said) => write!(f, ": {said}"),
            FailureKind::Refused(why) => write!(f, ": {why}"),
            FailureKind::Lost => {
                f.write_str(": its executor, or the future of the emit, was dropped before")
            }
        }
    }
}

// By hand, so that the payload need not be `Debug`.
impl<T> fmt::Debug for Failure<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("handler", &self.handler())
            .field("group", &self.group())
            .field("topic", &self.topic().as_str())
            .field("place", &self.0.place)
            .field("kind", &self.0.kind)
            .finish_non_exhaustive()
    }
}

impl<T> Error for Failure<T> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0.kind {
            // The text is already the inner error's, so its source is too.
            FailureKind::Error(error) => error.source(),
            _ => None,
        }
    }
}
