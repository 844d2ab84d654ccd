//! An event in the making: what an emit can say beyond topic and payload.

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::cause::Cause;
use crate::clock::{self, Clock};
use crate::error::TopicError;
use crate::event::{Event, Extras};
use crate::topic::Topic;
use crate::value::Value;

/// An event in the making, and the place (`S`) where it will be emitted.
///
/// Made by [`Bus::event`](crate::Bus::event), [`Publisher::event`](crate::Publisher::event) and
/// [`Event::draft`]; ended by `emit`, or `build` where there is no bus.
///
/// ```
/// use chanbus::{Bus, Value};
///
/// let bus = Bus::new();
/// let sub = bus.subscribe("custom.alert")?;
/// bus.event("custom.alert", "new follower")
///     .source("custom")
///     .metadata("trace", 17)
///     .extension(vec![0xCA_u8, 0xFE])
///     .emit()?;
///
/// let event = sub.recv()?;
/// assert_eq!(event.source(), Some("custom"));
/// assert_eq!(event.metadata("trace"), Some(&Value::Int(17)));
/// assert_eq!(event.extension::<Vec<u8>>().unwrap()[0], 0xCA);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "a draft is only emitted by `emit`"]
pub struct EventDraft<'a, T, S> {
    pub(crate) sink: S,
    pub(crate) topic: &'a str,
    pub(crate) payload: T,
    pub(crate) extras: Extras,
    pub(crate) nanos: Option<u64>,
}

/// The place of a draft that is built rather than emitted: see [`Event::draft`].
///
/// ```
/// # use chanbus::{Event, EventDraft, Unbound};
/// let draft: EventDraft<'_, i32, Unbound> = Event::draft("a", 1);
/// assert_eq!(*draft.build()?.payload(), 1);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug)]
pub struct Unbound(());

impl<T> Event<T> {
    /// Begins an event with a source, metadata or extensions, on no bus yet.
    ///
    /// ```
    /// use chanbus::Event;
    ///
    /// let event = Event::draft("a.b", 7).source("test").build()?;
    /// assert_eq!(event.source(), Some("test"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn draft(topic: &(impl AsRef<str> + ?Sized), payload: T) -> EventDraft<'_, T, Unbound> {
        EventDraft::new(Unbound(()), topic.as_ref(), payload)
    }
}

impl<'a, T, S> EventDraft<'a, T, S> {
    pub(crate) fn new(sink: S, topic: &'a str, payload: T) -> Self {
        EventDraft {
            sink,
            topic,
            payload,
            extras: Extras::default(),
            nanos: None,
        }
    }

    /// The same event with another payload, for another place.
    pub(crate) fn moved<U, P>(self, sink: P, map: impl FnOnce(T) -> U) -> EventDraft<'a, U, P> {
        EventDraft {
            sink,
            topic: self.topic,
            payload: map(self.payload),
            extras: self.extras,
            nanos: self.nanos,
        }
    }

    /// Says who emits it. Without this, [`Event::source_or_unknown`] reads `"unknown"`.
    ///
    /// ```
    /// # use chanbus::Event;
    /// let event = Event::draft("a", ()).source("obs").build()?;
    /// assert_eq!(event.source(), Some("obs"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn source(mut self, source: impl Into<Arc<str>>) -> Self {
        self.extras.source = Some(source.into());
        self
    }

    /// Sets one piece of metadata; the same name again replaces it.
    ///
    /// ```
    /// # use chanbus::{Event, Value};
    /// let event = Event::draft("a", ()).metadata("n", 1).metadata("n", 2).build()?;
    /// assert_eq!(event.metadata("n"), Some(&Value::Int(2)));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn metadata(mut self, name: impl Into<Arc<str>>, value: impl Into<Value>) -> Self {
        let (name, value) = (name.into(), value.into());
        let metadata = &mut self.extras.metadata;
        match metadata.iter_mut().find(|(key, _)| *key == name) {
            Some(entry) => entry.1 = value,
            None => metadata.push((name, value)),
        }
        self
    }

    /// Sets several pieces of metadata.
    ///
    /// ```
    /// # use chanbus::{Event, Value};
    /// let event = Event::draft("a", ()).metadata_all([("x", 1), ("y", 2)]).build()?;
    /// assert_eq!(event.metadata("y"), Some(&Value::Int(2)));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn metadata_all<K: Into<Arc<str>>, V: Into<Value>>(
        self,
        all: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        all.into_iter()
            .fold(self, |draft, (name, value)| draft.metadata(name, value))
    }

    /// Attaches an object of any type; another of the same type replaces it.
    ///
    /// ```
    /// # use chanbus::Event;
    /// let event = Event::draft("a", ()).extension(b"raw".to_vec()).build()?;
    /// assert_eq!(event.extension::<Vec<u8>>().unwrap(), b"raw");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn extension<R: Any + Send + Sync>(mut self, object: R) -> Self {
        let extensions = &mut self.extras.extensions;
        extensions.retain(|there| !there.is::<R>());
        extensions.push(Arc::new(object));
        self
    }

    /// Stamps it with this time instead of the clock's: for events that come from elsewhere.
    ///
    /// ```
    /// # use chanbus::Event;
    /// let event = Event::draft("a", ()).timestamp(std::time::UNIX_EPOCH).build()?;
    /// assert_eq!(event.unix_seconds(), 0.0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn timestamp(mut self, time: SystemTime) -> Self {
        self.nanos = Some(clock::to_nanos(time));
        self
    }

    /// Gives it this cause instead of the thread's current one. A bus refuses it if the chain is
    /// deeper than its limit, as it does the current one.
    ///
    /// ```
    /// # use chanbus::{Cause, Event};
    /// let first = Event::new("a", ())?;
    /// let second = Event::draft("b", ()).cause(Cause::of(&first)).build()?;
    /// assert_eq!(second.cause().unwrap().topic(), "a");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn cause(mut self, cause: Cause) -> Self {
        self.extras.cause = Some(cause);
        self
    }
}

impl<T> EventDraft<'_, T, Unbound> {
    /// The event, stamped by the [coarse clock](Clock::coarse) if no time was given.
    ///
    /// # Errors
    ///
    /// The topic is none.
    ///
    /// ```
    /// # use chanbus::Event;
    /// assert!(Event::draft("a..b", ()).build().is_err());
    /// ```
    pub fn build(self) -> Result<Event<T>, TopicError> {
        let topic = Topic::new(self.topic)?;
        Ok(self.build_on(topic))
    }

    /// The same on a topic that was read before.
    pub(crate) fn build_on(self, topic: Topic) -> Event<T> {
        let nanos = self.nanos.unwrap_or_else(|| Clock::coarse().now_nanos());
        let mut extras = self.extras;
        extras.cause = extras.cause.or_else(Cause::current);
        Event::assemble(topic, self.payload, nanos, extras.shared())
    }
}

impl Extras {
    /// Ready for an event: nothing at all if it holds nothing.
    pub(crate) fn shared(self) -> Option<Arc<Extras>> {
        let empty = self.source.is_none()
            && self.metadata.is_empty()
            && self.extensions.is_empty()
            && self.cause.is_none();
        (!empty).then(|| Arc::new(self))
    }
}

impl<T: fmt::Debug, S> fmt::Debug for EventDraft<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventDraft")
            .field("topic", &self.topic)
            .field("payload", &self.payload)
            .finish_non_exhaustive()
    }
}
