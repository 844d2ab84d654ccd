//! What goes with a payload: headers that plain clients can read and write.

mod error;
mod escape;
mod metadata;
mod time;

use std::sync::Arc;
use std::time::SystemTime;

use async_nats::header::{HeaderMap, HeaderName, HeaderValue};

use self::error::Fault;
pub use self::error::{EnvelopeError, EnvelopeErrorKind};
use self::escape::{escape, unescape};
use crate::cause::Cause;
use crate::draft::{EventDraft, Unbound};
use crate::error::TopicError;
use crate::event::Event;
use crate::topic::Topic;
use crate::value::Value;
use EnvelopeErrorKind as Kind;

/// How many causes are read.
const MAX_CAUSES: usize = 64;

/// How many pieces of metadata are read: what finds them by name looks at each.
const MAX_METADATA: usize = 1_024;

// Names of their own: made of a text, each look-up would copy it.
static TIME: HeaderName = HeaderName::from_static(Envelope::TIME);
static SOURCE: HeaderName = HeaderName::from_static(Envelope::SOURCE);
static METADATA: HeaderName = HeaderName::from_static(Envelope::METADATA);
static CAUSE: HeaderName = HeaderName::from_static(Envelope::CAUSE);
static ORIGIN: HeaderName = HeaderName::from_static(Envelope::ORIGIN);

/// What goes with a payload from process to process, as the headers of a NATS message.
///
/// | Header | Holds | Such as |
/// |---|---|---|
/// | `Chanbus-Time` | [`timestamp`](Envelope::timestamp): seconds since 1970 (UTC), with at most nine decimals; `-` before that | `1700000000.25` |
/// | `Chanbus-Source` | [`source`](Envelope::source): text, escaped | `scanner 2` |
/// | `Chanbus-Metadata` | [`metadata`](Envelope::metadata): one JSON object of texts, numbers, `true` and `false`; at most 1,024 of them | `{"trace":17,"ratio":1.0}` |
/// | `Chanbus-Cause` | [`cause`](Envelope::cause): topics, each escaped, oldest first, with one blank between them; at most 64 | `order.placed mail.sent` |
/// | `Chanbus-Origin` | [`origin`](Envelope::origin): who put it on the wire; text, escaped. Perhaps behind it, with one blank between each: [`number`](Envelope::number), a whole number and what is counted; and [`order`](Envelope::order), a whole number | `ui-4711`, `ui-4711 42 orders.**`, `ui-4711 42 orders.** 97` |
///
/// A message needs none of them: what a plain client sends without headers is an event with nothing beside its
/// payload. Other headers are left alone. Names are case-sensitive, as everywhere in NATS.
///
/// # For plain clients
///
/// - *Escaped* is as in the path of a web address: `%` and two hexadecimal digits for a byte of UTF-8. What is
///   written escapes `%`, control characters, all beyond ASCII, and blanks at the ends of a text (in topics, and in
///   what stands in `Chanbus-Origin`, all), because clients differ in what they do to such headers. What is read needs `%25` for `%`,
///   and no more than that; other characters may stand as they are. A `+` is a `+`.
/// - Whole numbers in metadata stay whole and others stay floats, so `1.0` is no `1`. Whole numbers too large
///   for 64 bits become floats. Of pieces with the same name the last is taken.
/// - All headers of a message, also those that are not ours, have to be lines of `Name: value` in UTF-8, without a
///   carriage return inside. The server does not check that, and the Rust client (0.50) cannot read others: it loses
///   the message and its connection, over a carriage return for good.
/// - A header that breaks its rule, or stands there twice, is an [`EnvelopeError`], and the message is refused:
///   half an envelope would be an event that nobody emitted.
///
/// # What does not come back as it was
///
/// - Floats that are no numbers: JSON has none, so `NaN`, `inf` and `-inf` become texts.
/// - [`Value::UInt`] of what fits an `i64` becomes [`Value::Int`].
/// - Metadata of one name more than once: the last is taken.
/// - [Extensions](crate::EventDraft::extension), which are objects of this process, are not sent.
/// - More causes than 64, or more metadata than 1,024, are refused where they are read. So events that cause each
///   other for ever end there, too, whatever the limits of the buses are.
///
/// ```
/// use chanbus::{Envelope, Event, Topic, Value};
///
/// let event = Event::draft("scan.done", 42).source("scanner").metadata("trace", 17).build()?;
/// let headers = Envelope::of(&event).to_headers();
/// assert_eq!(headers.get("Chanbus-Source").unwrap().as_str(), "scanner");
/// assert_eq!(headers.get("Chanbus-Metadata").unwrap().as_str(), r#"{"trace":17}"#);
///
/// let envelope = Envelope::from_headers(&headers)?;
/// let back = envelope.event("scan.done", 42)?;
/// assert_eq!(back.timestamp(), event.timestamp());
/// assert_eq!(back.metadata("trace"), Some(&Value::Int(17)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Envelope {
    /// When the event was emitted.
    pub timestamp: Option<SystemTime>,
    /// Who emitted it.
    pub source: Option<Arc<str>>,
    /// What else is known of it, by name.
    pub metadata: Vec<(Arc<str>, Value)>,
    /// Which events led to it.
    pub cause: Option<Cause>,
    /// Who put it on the wire, so that it can leave out what comes back to it. An empty one is not written.
    pub origin: Option<Arc<str>>,
    /// How many of them its origin has put on the wire, and what it counts together, so that gaps can be seen. It is
    /// written behind the origin, so not without one, and not without a name.
    pub number: Option<(u64, Arc<str>)>,
    /// Which of all messages of its origin this is, where that counts several things, so that what came by several
    /// subscriptions can be put in order. It is written behind the number, so not without one.
    pub order: Option<u64>,
}

impl Envelope {
    /// The header of the [`timestamp`](Envelope::timestamp).
    ///
    /// ```
    /// assert_eq!(chanbus::Envelope::TIME, "Chanbus-Time");
    /// ```
    pub const TIME: &'static str = "Chanbus-Time";

    /// The header of the [`source`](Envelope::source).
    ///
    /// ```
    /// assert_eq!(chanbus::Envelope::SOURCE, "Chanbus-Source");
    /// ```
    pub const SOURCE: &'static str = "Chanbus-Source";

    /// The header of the [`metadata`](Envelope::metadata).
    ///
    /// ```
    /// assert_eq!(chanbus::Envelope::METADATA, "Chanbus-Metadata");
    /// ```
    pub const METADATA: &'static str = "Chanbus-Metadata";

    /// The header of the [`cause`](Envelope::cause).
    ///
    /// ```
    /// assert_eq!(chanbus::Envelope::CAUSE, "Chanbus-Cause");
    /// ```
    pub const CAUSE: &'static str = "Chanbus-Cause";

    /// The header of the [`origin`](Envelope::origin), and of what it counts.
    ///
    /// ```
    /// assert_eq!(chanbus::Envelope::ORIGIN, "Chanbus-Origin");
    /// ```
    pub const ORIGIN: &'static str = "Chanbus-Origin";

    /// An empty one.
    ///
    /// ```
    /// let mut envelope = chanbus::Envelope::new();
    /// envelope.source = Some("scanner".into());
    /// assert_eq!(envelope.to_headers().len(), 1);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What the event has beside topic and payload, without its extensions; origin, number and order are left empty.
    ///
    /// ```
    /// use chanbus::{Envelope, Event};
    ///
    /// let event = Event::draft("a", ()).source("test").build()?;
    /// let envelope = Envelope::of(&event);
    /// assert_eq!(envelope.source.as_deref(), Some("test"));
    /// assert_eq!(envelope.timestamp, Some(event.timestamp()));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn of<T>(event: &Event<T>) -> Self {
        let metadata = event.metadata_iter();
        Envelope {
            timestamp: Some(event.timestamp()),
            source: event.source().map(Arc::from),
            metadata: metadata
                .map(|(name, value)| (name.into(), value.clone()))
                .collect(),
            cause: event.cause().cloned(),
            origin: None,
            number: None,
            order: None,
        }
    }

    /// The headers; none at all for an empty envelope.
    ///
    /// ```
    /// let mut envelope = chanbus::Envelope::new();
    /// assert!(envelope.to_headers().is_empty());
    ///
    /// envelope.origin = Some("ui".into());
    /// envelope.number = Some((7, "orders.**".into()));
    /// assert_eq!(envelope.to_headers().get("Chanbus-Origin").unwrap().as_str(), "ui 7 orders.**");
    /// ```
    #[must_use]
    pub fn to_headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        self.write_to(&mut headers);
        headers
    }

    /// Sets the headers of what it holds, beside others. What it does not hold, it does not take away.
    ///
    /// ```
    /// let mut headers = chanbus::HeaderMap::new();
    /// headers.insert("Nats-Msg-Id", "1");
    ///
    /// let mut envelope = chanbus::Envelope::new();
    /// envelope.origin = Some("ui".into());
    /// envelope.write_to(&mut headers);
    /// assert_eq!(headers.len(), 2);
    /// ```
    pub fn write_to(&self, headers: &mut HeaderMap) {
        if let Some(time) = self.timestamp {
            headers.insert(TIME.clone(), time::write(time));
        }
        if let Some(source) = &self.source {
            let mut text = String::new();
            escape(source, true, &mut text);
            headers.insert(SOURCE.clone(), text);
        }
        if !self.metadata.is_empty() {
            headers.insert(METADATA.clone(), metadata::write(&self.metadata));
        }
        if let Some(cause) = &self.cause {
            headers.insert(CAUSE.clone(), write_cause(cause));
        }
        if let Some(origin) = self.origin.as_ref().filter(|origin| !origin.is_empty()) {
            headers.insert(ORIGIN.clone(), self.write_origin(origin));
        }
    }

    fn write_origin(&self, origin: &str) -> String {
        let number = self.number.as_ref().filter(|(_, of)| !of.is_empty());
        // No number has more than twenty digits, and there are three blanks.
        let counted = number.map_or(0, |(_, of)| 43 + of.len());
        let mut text = String::with_capacity(origin.len() + counted);
        escape(origin, false, &mut text);
        if let Some((number, of)) = number {
            text.push(' ');
            time::push_digits(*number, 1, &mut text);
            text.push(' ');
            escape(of, false, &mut text);
            if let Some(order) = self.order {
                text.push(' ');
                time::push_digits(order, 1, &mut text);
            }
        }
        text
    }

    /// Reads the headers that are ours; an empty envelope if there are none.
    ///
    /// # Errors
    ///
    /// One of them breaks its rule; the error names it.
    ///
    /// ```
    /// use chanbus::Envelope;
    ///
    /// let mut headers = chanbus::HeaderMap::new();
    /// headers.insert("Traceparent", "00-0af7-01");
    /// headers.insert("Chanbus-Source", "a plain client");
    /// let envelope = Envelope::from_headers(&headers)?;
    /// assert_eq!(envelope.source.as_deref(), Some("a plain client"));
    /// assert!(envelope.cause.is_none());
    ///
    /// headers.insert("Chanbus-Cause", "a..b");
    /// let error = Envelope::from_headers(&headers).unwrap_err();
    /// assert_eq!(error.header(), "Chanbus-Cause");
    /// # Ok::<(), chanbus::EnvelopeError>(())
    /// ```
    pub fn from_headers(headers: &HeaderMap) -> Result<Self, EnvelopeError> {
        let mut envelope = Envelope::new();
        if headers.is_empty() {
            return Ok(envelope);
        }
        let [time, source, metadata, cause, origin] = ours(headers);
        envelope.timestamp = read(Self::TIME, time, |text| {
            time::read(text).ok_or(Kind::Time.into())
        })?;
        envelope.source = read(Self::SOURCE, source, |text| {
            Ok(unescape(text).ok_or(Kind::Escape)?.into())
        })?;
        let metadata = read(Self::METADATA, metadata, metadata::read)?;
        envelope.metadata = metadata.unwrap_or_default();
        envelope.cause = read(Self::CAUSE, cause, read_cause)?.flatten();
        read(Self::ORIGIN, origin, |text| envelope.read_origin(text))?;
        Ok(envelope)
    }

    fn read_origin(&mut self, text: &str) -> Result<(), Fault> {
        let mut words = text.split(' ').map(|word| {
            if word.is_empty() || word.contains(char::is_whitespace) {
                return Err(Fault::from(Kind::Origin));
            }
            Ok(word)
        });
        let name = |word: &str| Ok::<_, Fault>(unescape(word).ok_or(Kind::Escape)?.into());
        let number = |word: &str| Ok::<_, Fault>(time::digits(word).ok_or(Kind::Number)?);

        self.origin = words.next().transpose()?.map(name).transpose()?;
        if let Some(count) = words.next().transpose()? {
            let of = words.next().unwrap_or(Err(Kind::Origin.into()))?;
            self.number = Some((number(count)?, name(of)?));
        }
        self.order = words.next().transpose()?.map(number).transpose()?;
        match words.next() {
            Some(_) => Err(Kind::Origin.into()),
            None => Ok(()),
        }
    }

    /// An event with this envelope. Without a time in it, it is stamped by the [coarse
    /// clock](crate::Clock::coarse), and without a cause it has the thread's current one, as
    /// [`Event::draft`] has it; an event's time begins in 1970. Origin, number and order are no parts of an event.
    ///
    /// # Errors
    ///
    /// The topic is none.
    ///
    /// ```
    /// use chanbus::Envelope;
    ///
    /// let mut envelope = Envelope::new();
    /// envelope.source = Some("scanner".into());
    /// let event = envelope.event("scan.done", 42)?;
    /// assert_eq!((event.source(), *event.payload()), (Some("scanner"), 42));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn event<T>(
        self,
        topic: &(impl AsRef<str> + ?Sized),
        payload: T,
    ) -> Result<Event<T>, TopicError> {
        self.draft(topic.as_ref(), payload).build()
    }

    /// The same, for those who have more to say of it.
    pub(in crate::bridge) fn draft<T>(self, topic: &str, payload: T) -> EventDraft<'_, T, Unbound> {
        let mut draft = Event::draft(topic, payload).metadata_all(self.metadata);
        if let Some(time) = self.timestamp {
            draft = draft.timestamp(time);
        }
        if let Some(source) = self.source {
            draft = draft.source(source);
        }
        if let Some(cause) = self.cause {
            draft = draft.cause(cause);
        }
        draft
    }
}

/// The values of our headers, as the table has them, in one pass: a look-up of each would cost more than all that
/// is read of them.
fn ours(headers: &HeaderMap) -> [&[HeaderValue]; 5] {
    let mut ours = [[].as_slice(); 5];
    for (name, values) in headers.iter() {
        let place = match name.as_ref() {
            Envelope::TIME => 0,
            Envelope::SOURCE => 1,
            Envelope::METADATA => 2,
            Envelope::CAUSE => 3,
            Envelope::ORIGIN => 4,
            _ => continue,
        };
        ours[place] = values;
    }
    ours
}

/// What a header of ours says, if it is there.
fn read<R>(
    header: &'static str,
    values: &[HeaderValue],
    read: impl FnOnce(&str) -> Result<R, Fault>,
) -> Result<Option<R>, EnvelopeError> {
    let Some(value) = values.first() else {
        return Ok(None);
    };
    let result = if values.len() == 1 {
        read(value.as_str())
    } else {
        Err(Kind::Repeated.into())
    };
    result
        .map(Some)
        .map_err(|fault| EnvelopeError::new(header, value.as_str(), fault))
}

/// The newest topics of the chain, oldest first. Of a chain that is too long one more than is read, so that
/// it is known there for what it is.
fn write_cause(cause: &Cause) -> String {
    let mut topics: Vec<_> = cause.chain().take(MAX_CAUSES + 1).collect();
    topics.reverse();
    let mut text = String::new();
    for (place, topic) in topics.into_iter().enumerate() {
        if place > 0 {
            text.push(' ');
        }
        escape(topic, false, &mut text);
    }
    text
}

fn read_cause(text: &str) -> Result<Option<Cause>, Fault> {
    let mut topics = Vec::new();
    for text in text.split(' ') {
        if topics.len() == MAX_CAUSES {
            return Err(Kind::TooMany.into());
        }
        let text = unescape(text).ok_or(Kind::Escape)?;
        topics.push(Topic::new(text).map_err(|error| Fault::with(Kind::Topic, error))?);
    }
    Ok(Cause::of_topics(topics))
}
