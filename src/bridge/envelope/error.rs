//! What is wrong with a header.

use std::error::Error;
use std::fmt;

use super::{MAX_CAUSES, MAX_METADATA};
use crate::error::shortened;

/// What is wrong with a header of an [`Envelope`](crate::Envelope).
///
/// ```
/// use chanbus::{Envelope, EnvelopeErrorKind};
///
/// let mut headers = async_nats::HeaderMap::new();
/// headers.insert(Envelope::TIME, "today");
/// let error = Envelope::from_headers(&headers).unwrap_err();
/// assert_eq!(error.kind(), EnvelopeErrorKind::Time);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EnvelopeErrorKind {
    /// The header stands in the message more than once.
    Repeated,
    /// A `%` without two hexadecimal digits, or bytes that are no UTF-8.
    Escape,
    /// No number of seconds, or one that the system cannot show as a time.
    Time,
    /// No JSON object.
    Json,
    /// Metadata that is neither text nor number nor yes or no.
    Scalar,
    /// One of the causes is no topic.
    Topic,
    /// More metadata or causes than are read.
    TooMany,
    /// An origin that is empty, or has something behind it that is not asked for.
    Origin,
    /// A number that is none.
    Number,
}

/// A header of ours could not be read; the message says which, what stands in it, and how to mend it.
///
/// ```
/// use chanbus::Envelope;
///
/// let mut headers = async_nats::HeaderMap::new();
/// headers.insert(Envelope::SOURCE, "100% sure");
/// let error = Envelope::from_headers(&headers).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "invalid header `Chanbus-Source: 100% sure`: \
///      expected two hexadecimal digits after each `%`, together UTF-8; write `%25` for `%` itself"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeError(Box<Culprit>);

/// Boxed, so that a `Result` stays small beside its value.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Culprit {
    header: &'static str,
    value: Box<str>,
    kind: EnvelopeErrorKind,
    /// What the reader of a part said, if it said something.
    detail: Option<Box<str>>,
}

/// What is wrong with a value, before it is known whose it is.
#[derive(Debug)]
pub(super) struct Fault {
    kind: EnvelopeErrorKind,
    detail: Option<Box<str>>,
}

impl From<EnvelopeErrorKind> for Fault {
    fn from(kind: EnvelopeErrorKind) -> Self {
        Fault { kind, detail: None }
    }
}

impl Fault {
    pub(super) fn with(kind: EnvelopeErrorKind, detail: impl fmt::Display) -> Self {
        let detail = Some(shortened(&detail.to_string()));
        Fault { kind, detail }
    }
}

impl EnvelopeError {
    #[cold]
    pub(super) fn new(header: &'static str, value: &str, fault: Fault) -> Self {
        let Fault { kind, detail } = fault;
        Self(Box::new(Culprit {
            header,
            value: shortened(value),
            kind,
            detail,
        }))
    }

    /// The header's name.
    ///
    /// ```
    /// # use chanbus::Envelope;
    /// let mut headers = async_nats::HeaderMap::new();
    /// headers.insert("Chanbus-Origin", "ui none orders");
    /// let error = Envelope::from_headers(&headers).unwrap_err();
    /// assert_eq!(error.header(), "Chanbus-Origin");
    /// ```
    pub fn header(&self) -> &'static str {
        self.0.header
    }

    /// What stands in it; of a long one, the beginning and `…`.
    ///
    /// ```
    /// # use chanbus::Envelope;
    /// let mut headers = async_nats::HeaderMap::new();
    /// headers.insert("Chanbus-Origin", "ui none orders");
    /// let error = Envelope::from_headers(&headers).unwrap_err();
    /// assert_eq!(error.value(), "ui none orders");
    /// ```
    pub fn value(&self) -> &str {
        &self.0.value
    }

    /// What is wrong with it.
    ///
    /// ```
    /// # use chanbus::{Envelope, EnvelopeErrorKind};
    /// let mut headers = async_nats::HeaderMap::new();
    /// headers.append("Chanbus-Origin", "ui");
    /// headers.append("Chanbus-Origin", "ui");
    /// let error = Envelope::from_headers(&headers).unwrap_err();
    /// assert_eq!(error.kind(), EnvelopeErrorKind::Repeated);
    /// ```
    pub fn kind(&self) -> EnvelopeErrorKind {
        self.0.kind
    }
}

impl fmt::Display for EnvelopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use EnvelopeErrorKind as Kind;

        let culprit = &*self.0;
        write!(f, "invalid header `{}: ", culprit.header)?;
        for character in culprit.value.chars() {
            match character {
                // JSON is legible only as it is.
                '"' | '\'' | '\\' => write!(f, "{character}"),
                _ => write!(f, "{}", character.escape_debug()),
            }?;
        }
        f.write_str("`: expected ")?;
        match culprit.kind {
            Kind::Repeated => f.write_str("it once, found it again; set it rather than add to it"),
            Kind::Escape => f.write_str(
                "two hexadecimal digits after each `%`, together UTF-8; write `%25` for `%` itself",
            ),
            Kind::Time => f.write_str(
                "a time as seconds since 1970, with at most nine decimals; \
                 write one such as `1700000000.25`",
            ),
            Kind::Json => f.write_str(
                "one JSON object; write one such as `{\"trace\":17}`, or no such header",
            ),
            Kind::Scalar => f.write_str(
                "texts, numbers, `true` and `false` as metadata; \
                 put lists and objects into the payload, and leave out what is `null`",
            ),
            Kind::Topic => f.write_str("topics with one blank between them, oldest first"),
            Kind::TooMany => write!(
                f,
                "at most {MAX_CAUSES} causes and {MAX_METADATA} pieces of metadata; \
                 look for events that cause each other for ever, and put long data into the payload",
            ),
            Kind::Origin => f.write_str(
                "a name, or a name, a number, and what is counted, and perhaps another number, \
                 with one blank between them; write `ui` or `ui 7 orders`, and `%20` for a blank in a name",
            ),
            Kind::Number => f.write_str(
                "a whole number below 2^64 as second and fourth word; write such as `ui 7 orders`",
            ),
        }?;
        match &culprit.detail {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

impl Error for EnvelopeError {}
