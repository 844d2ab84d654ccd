//! The event: what every subscriber gets the same copy of.

mod block;
mod held;

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use self::block::{Handle, Pool, Shares};
pub(crate) use self::held::{Held, HeldAll};
use crate::cause::Cause;
use crate::clock::{self, Clock};
use crate::error::TopicError;
use crate::topic::Topic;
use crate::value::Value;

/// Something that happened: a topic, a payload, and when.
///
/// An event is a handle of one pointer. Cloning it copies the pointer and counts it, so the payload
/// needs no `Clone`; every subscriber reads the same one, and it is dropped with the last handle.
///
/// | Part | Read by | Where it comes from |
/// |---|---|---|
/// | topic | [`topic`](Event::topic) | the emit |
/// | payload | [`payload`](Event::payload) | the emit |
/// | timestamp | [`timestamp`](Event::timestamp), [`unix_seconds`](Event::unix_seconds) | the bus's [`Clock`] |
/// | source | [`source`](Event::source), [`source_or_unknown`](Event::source_or_unknown) | [`EventDraft::source`](crate::EventDraft::source) |
/// | metadata | [`metadata`](Event::metadata) | [`EventDraft::metadata`](crate::EventDraft::metadata) |
/// | extensions | [`extension`](Event::extension) | [`EventDraft::extension`](crate::EventDraft::extension) |
/// | cause | [`cause`](Event::cause) | the thread's current [`Cause`] |
///
/// The last four share one allocation, made only for events that have one of them; names, texts and
/// objects have allocations of their own. Texts that are given as `Arc<str>` are not copied.
///
/// ```
/// use chanbus::Event;
///
/// let event = Event::new("scan.started", "/home")?;
/// assert_eq!(event.topic(), "scan.started");
/// assert_eq!(*event.payload(), "/home");
/// assert_eq!(event.source_or_unknown(), "unknown");
/// # Ok::<(), chanbus::Error>(())
/// ```
pub struct Event<T>(Handle<Topic, Body<T>>);

/// What a block holds for one event; the topic stays in it for the next.
struct Body<T> {
    nanos: u64,
    /// What most events do not have; shared with events derived from this one.
    extras: Option<Arc<Extras>>,
    payload: T,
}

/// Makes the events of one publisher, in blocks that come back to it.
pub(crate) struct EventPool<T>(Pool<Topic, Body<T>>);

impl<T> EventPool<T> {
    pub(crate) fn new(topic: Topic) -> Self {
        EventPool(Pool::new(topic))
    }

    pub(crate) fn topic(&self) -> &Topic {
        self.0.kept()
    }

    /// An event without extras, as so many handles, which are at least one.
    #[inline]
    pub(crate) fn shares(&self, payload: T, nanos: u64, count: usize) -> EventShares<T> {
        let body = Body {
            nanos,
            extras: None,
            payload,
        };
        EventShares(self.0.shares(body, count))
    }

    #[inline]
    pub(crate) fn event(&self, payload: T, nanos: u64, extras: Option<Arc<Extras>>) -> Event<T> {
        Event(self.0.handle(Body {
            nanos,
            extras,
            payload,
        }))
    }
}

/// Handles of one event, counted all at once.
pub(crate) struct EventShares<T>(Shares<Topic, Body<T>>);

impl<T> Iterator for EventShares<T> {
    type Item = Event<T>;

    #[inline]
    fn next(&mut self) -> Option<Event<T>> {
        self.0.next().map(Event)
    }
}

/// The parts that an event has only if it was given them.
#[derive(Clone, Default)]
pub(crate) struct Extras {
    pub(crate) source: Option<Arc<str>>,
    pub(crate) metadata: Vec<(Arc<str>, Value)>,
    pub(crate) extensions: Vec<Arc<dyn Any + Send + Sync>>,
    pub(crate) cause: Option<Cause>,
}

impl<T> Event<T> {
    /// What [`source_or_unknown`](Event::source_or_unknown) reads for an event without a source.
    ///
    /// ```
    /// # use chanbus::Event;
    /// assert_eq!(Event::<()>::UNKNOWN_SOURCE, "unknown");
    /// ```
    pub const UNKNOWN_SOURCE: &'static str = "unknown";

    /// An event that is on no bus yet, stamped by the [coarse clock](Clock::coarse), with the
    /// thread's current [`Cause`].
    ///
    /// [`Bus::emit`](crate::Bus::emit) makes its own; this one is for
    /// [`Bus::emit_event`](crate::Bus::emit_event), for batches and for tests.
    ///
    /// # Errors
    ///
    /// A text that is no topic.
    ///
    /// ```
    /// use chanbus::{Bus, Event};
    ///
    /// let event = Event::new("ui.click", 7)?;
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("ui.*")?;
    /// bus.emit_event(event.clone())?;
    /// assert!(sub.recv()?.ptr_eq(&event));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn new(
        topic: impl TryInto<Topic, Error: Into<TopicError>>,
        payload: T,
    ) -> Result<Self, TopicError> {
        let topic = topic.try_into().map_err(Into::into)?;
        Ok(Self::assemble(
            topic,
            payload,
            Clock::coarse().now_nanos(),
            Extras::caused(Cause::current()),
        ))
    }

    pub(crate) fn assemble(
        topic: Topic,
        payload: T,
        nanos: u64,
        extras: Option<Arc<Extras>>,
    ) -> Self {
        let body = Body {
            nanos,
            extras,
            payload,
        };
        Event(Handle::alone(topic, body))
    }

    /// What happened.
    ///
    /// ```
    /// # use chanbus::Event;
    /// assert_eq!(Event::new("a.b", ())?.topic(), "a.b");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn topic(&self) -> &Topic {
        self.0.kept()
    }

    /// What it was about.
    ///
    /// ```
    /// # use chanbus::Event;
    /// assert_eq!(*Event::new("a.b", 7)?.payload(), 7);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    #[inline]
    pub fn payload(&self) -> &T {
        &self.0.body().payload
    }

    /// When it was emitted, by the bus's [`Clock`].
    ///
    /// The default clock may lag by a tick of the kernel, and follows the system's time when that is
    /// set back: it is not monotone.
    ///
    /// ```
    /// # use chanbus::Event;
    /// assert!(Event::new("a.b", ())?.timestamp() > std::time::UNIX_EPOCH);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn timestamp(&self) -> SystemTime {
        clock::from_nanos(self.0.body().nanos)
    }

    /// When it was emitted, in seconds since the Unix epoch.
    ///
    /// A float of today holds about a quarter of a microsecond; [`timestamp`](Event::timestamp) is
    /// exact.
    ///
    /// ```
    /// # use chanbus::Event;
    /// use std::time::{Duration, UNIX_EPOCH};
    ///
    /// let time = UNIX_EPOCH + Duration::from_millis(1_700_000_000_250);
    /// let event = Event::draft("a.b", ()).timestamp(time).build()?;
    /// assert_eq!(event.unix_seconds(), 1_700_000_000.25);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn unix_seconds(&self) -> f64 {
        // Seconds and fraction apart: all nanoseconds in one float are more than it holds exactly.
        Duration::from_nanos(self.0.body().nanos).as_secs_f64()
    }

    /// Who emitted it, if that was said.
    ///
    /// ```
    /// # use chanbus::Event;
    /// assert_eq!(Event::new("a.b", ())?.source(), None);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn source(&self) -> Option<&str> {
        self.extras()?.source.as_deref()
    }

    /// Who emitted it, or [`UNKNOWN_SOURCE`](Event::UNKNOWN_SOURCE).
    ///
    /// ```
    /// # use chanbus::Event;
    /// assert_eq!(Event::new("a.b", ())?.source_or_unknown(), "unknown");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn source_or_unknown(&self) -> &str {
        self.source().unwrap_or(Self::UNKNOWN_SOURCE)
    }

    /// The metadata of that name.
    ///
    /// ```
    /// use chanbus::{Event, Value};
    ///
    /// let event = Event::draft("a.b", ()).metadata("trace", 7).build()?;
    /// assert_eq!(event.metadata("trace"), Some(&Value::Int(7)));
    /// assert_eq!(event.metadata("other"), None);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn metadata(&self, name: &str) -> Option<&Value> {
        self.metadata_iter()
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// All metadata, in the order in which they were set.
    ///
    /// ```
    /// # use chanbus::Event;
    /// let event = Event::draft("a.b", ()).metadata("x", 1).metadata("y", 2).build()?;
    /// let names: Vec<&str> = event.metadata_iter().map(|(name, _)| name).collect();
    /// assert_eq!(names, ["x", "y"]);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn metadata_iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.extras()
            .into_iter()
            .flat_map(|extras| &extras.metadata)
            .map(|(name, value)| (&**name, value))
    }

    /// The attached object of that type.
    ///
    /// ```
    /// # use chanbus::Event;
    /// struct Raw(&'static str);
    ///
    /// let event = Event::draft("a.b", ()).extension(Raw("{}")).build()?;
    /// assert_eq!(event.extension::<Raw>().unwrap().0, "{}");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn extension<R: Send + Sync + 'static>(&self) -> Option<&R> {
        self.extras()?
            .extensions
            .iter()
            .find_map(|extension| extension.downcast_ref())
    }

    /// Which event led to this one, and what to that.
    ///
    /// ```
    /// # use chanbus::Event;
    /// assert!(Event::new("a.b", ())?.cause().is_none());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn cause(&self) -> Option<&Cause> {
        self.extras()?.cause.as_ref()
    }

    /// The same event with another payload: topic, timestamp, source, metadata, extensions and cause
    /// stay.
    ///
    /// ```
    /// # use chanbus::Event;
    /// let event = Event::new("a.b", 7)?.with_payload("seven");
    /// assert_eq!(*event.payload(), "seven");
    /// assert_eq!(event.topic(), "a.b");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn with_payload<U>(&self, payload: U) -> Event<U> {
        Event::assemble(
            self.topic().clone(),
            payload,
            self.0.body().nanos,
            self.0.body().extras.clone(),
        )
    }

    /// [`with_payload`](Event::with_payload), with a payload made from this one.
    ///
    /// ```
    /// # use chanbus::Event;
    /// let event = Event::new("a.b", 7)?.map_payload(|number| number * 2);
    /// assert_eq!(*event.payload(), 14);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn map_payload<U>(&self, map: impl FnOnce(&T) -> U) -> Event<U> {
        self.with_payload(map(self.payload()))
    }

    /// [`with_payload`](Event::with_payload), on another topic.
    ///
    /// ```
    /// # use chanbus::{Event, Topic};
    /// let event = Event::draft("a.b", 7).source("test").build()?;
    /// let event = event.with_topic(Topic::new("c")?, "seven");
    /// assert_eq!((event.topic().as_str(), *event.payload()), ("c", "seven"));
    /// assert_eq!(event.source(), Some("test"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn with_topic<U>(&self, topic: Topic, payload: U) -> Event<U> {
        let body = self.0.body();
        Event::assemble(topic, payload, body.nanos, body.extras.clone())
    }

    /// Whether both are handles of one event.
    ///
    /// ```
    /// # use chanbus::Event;
    /// let event = Event::new("a.b", 7)?;
    /// assert!(event.ptr_eq(&event.clone()));
    /// assert!(!event.ptr_eq(&Event::new("a.b", 7)?));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn ptr_eq(&self, other: &Self) -> bool {
        self.0.ptr_eq(&other.0)
    }

    /// The payload itself, if this is the last handle.
    ///
    /// # Errors
    ///
    /// Another handle exists; the event comes back.
    ///
    /// ```
    /// # use chanbus::Event;
    /// let event = Event::new("a.b", String::from("x"))?;
    /// let other = event.clone();
    /// let event = event.try_into_payload().unwrap_err();
    /// drop(other);
    /// assert_eq!(event.try_into_payload().unwrap(), "x");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn try_into_payload(self) -> Result<T, Self> {
        match self.0.try_unwrap() {
            Ok(body) => Ok(body.payload),
            Err(shared) => Err(Event(shared)),
        }
    }

    /// What tells it from other events while a handle of it lives.
    pub(crate) fn address(&self) -> usize {
        std::ptr::from_ref(self.0.body()) as usize
    }

    /// So many handles of this event, of which this one is the first.
    pub(crate) fn share(self, count: usize) -> EventShares<T> {
        EventShares(self.0.share(count))
    }

    /// Whether it has neither source nor metadata, extensions or cause.
    #[inline]
    pub(crate) fn is_bare(&self) -> bool {
        self.0.body().extras.is_none()
    }

    /// Whether its last handle runs a destructor of the user's: of the payload or of an extension.
    pub(crate) fn runs_code_when_dropped(&self) -> bool {
        std::mem::needs_drop::<T>() || self.has_extensions()
    }

    /// Whether it has objects with destructors of their own, beside the payload.
    pub(crate) fn has_extensions(&self) -> bool {
        self.extras()
            .is_some_and(|extras| !extras.extensions.is_empty())
    }

    /// Drops this handle, unless that would run code of the user's: then it comes back.
    #[inline]
    pub(crate) fn drop_quietly(self) -> Option<Self> {
        if self.runs_code_when_dropped() {
            self.0.drop_unless_last().map(Event)
        } else {
            None
        }
    }

    /// What this handle held, if it was the last.
    pub(crate) fn into_parts(self) -> Option<(T, Option<Arc<Extras>>)> {
        self.0.into_inner().map(|body| (body.payload, body.extras))
    }

    fn extras(&self) -> Option<&Extras> {
        self.0.body().extras.as_deref()
    }
}

impl<T> Clone for Event<T> {
    fn clone(&self) -> Self {
        Event(self.0.clone())
    }
}

impl<T: fmt::Debug> fmt::Debug for Event<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Event");
        shown
            .field("topic", &self.topic().as_str())
            .field("payload", self.payload());
        if let Some(source) = self.source() {
            shown.field("source", &source);
        }
        if let Some(cause) = self.cause() {
            shown.field("cause", cause);
        }
        shown.finish_non_exhaustive()
    }
}

impl Extras {
    /// The extras of an event that was given nothing else.
    pub(crate) fn caused(cause: Option<Cause>) -> Option<Arc<Extras>> {
        cause.map(|cause| {
            Arc::new(Extras {
                cause: Some(cause),
                ..Extras::default()
            })
        })
    }
}
