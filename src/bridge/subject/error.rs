//! Why a topic has no subject, or a subject no topic.

use std::error::Error;
use std::fmt;

use super::SubjectMapping;
use crate::error::{Excerpt, TopicError, boundary_before};

/// A [`SubjectMapping`] has no answer; the message says to what, where, why and how to mend it.
///
/// ```
/// use chanbus::{Escape, SubjectMapping, Topic};
///
/// let mapping = SubjectMapping::new(None, Escape::Refuse)?;
/// let error = mapping.subject(&Topic::new("menu.>.next")?).unwrap_err();
/// assert_eq!((error.text(), error.offset()), ("menu.>.next", Some(5)));
/// assert_eq!(
///     error.to_string(),
///     "no subject for \"menu.>.next\" at byte 5: the segment \">\" would be a wildcard of NATS; \
///      rename it, or have it escaped by `BridgeBuilder::escape(Escape::Percent)`"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubjectError {
    /// The prefix is no topic.
    Prefix(TopicError),
    /// NATS means something else by a segment, and [`Escape::Refuse`](crate::Escape::Refuse) was chosen.
    #[non_exhaustive]
    Reserved {
        /// The topic, pattern or prefix.
        text: Box<str>,
        /// The byte at which the segment begins.
        offset: usize,
    },
    /// The subject would be longer than [`SubjectMapping::MAX_LEN`].
    #[non_exhaustive]
    TooLong {
        /// The topic, pattern or prefix.
        text: Box<str>,
        /// How many bytes the subject would have.
        len: usize,
    },
    /// A subject has not the prefix.
    #[non_exhaustive]
    Outside {
        /// The subject; of a long one the first [`SubjectMapping::MAX_LEN`] bytes.
        subject: Box<str>,
        /// The prefix, as it stands in subjects.
        prefix: Box<str>,
    },
    /// A subject is not for events: its first token begins with `$`, or is `_INBOX` or `_CHANBUS`.
    #[non_exhaustive]
    Foreign {
        /// The subject; of a long one the first [`SubjectMapping::MAX_LEN`] bytes.
        subject: Box<str>,
    },
    /// A message was sent to a wildcard, a token `>`.
    #[non_exhaustive]
    Wildcard {
        /// The subject; of a long one the first [`SubjectMapping::MAX_LEN`] bytes.
        subject: Box<str>,
        /// The byte at which the token begins.
        offset: usize,
    },
    /// What a subject stands for is no topic.
    #[non_exhaustive]
    NotATopic {
        /// The subject; of a long one the first [`SubjectMapping::MAX_LEN`] bytes.
        subject: Box<str>,
        /// Where and why, in the text without the prefix and without escapes.
        error: TopicError,
    },
}

impl SubjectError {
    /// What there is no answer to: the topic, pattern or prefix, or the subject; of a long one, its beginning.
    ///
    /// ```
    /// # use chanbus::SubjectMapping;
    /// let error = SubjectMapping::default().topic("$SYS.up").unwrap_err();
    /// assert_eq!(error.text(), "$SYS.up");
    /// ```
    pub fn text(&self) -> &str {
        match self {
            Self::Prefix(error) => error.topic(),
            Self::Reserved { text, .. } | Self::TooLong { text, .. } => text,
            Self::Outside { subject, .. }
            | Self::Foreign { subject }
            | Self::Wildcard { subject, .. }
            | Self::NotATopic { subject, .. } => subject,
        }
    }

    /// The byte of [`text`](Self::text) at which the culprit begins, if there is one part that is.
    ///
    /// ```
    /// # use chanbus::SubjectMapping;
    /// let error = SubjectMapping::default().topic("a.b.>").unwrap_err();
    /// assert_eq!(error.offset(), Some(4));
    /// ```
    pub fn offset(&self) -> Option<usize> {
        match self {
            Self::Prefix(error) => Some(error.offset()),
            Self::Reserved { offset, .. } | Self::Wildcard { offset, .. } => Some(*offset),
            Self::Foreign { .. } => Some(0),
            Self::TooLong { .. } | Self::Outside { .. } | Self::NotATopic { .. } => None,
        }
    }

    /// Whether a topic, pattern or prefix was refused because NATS means something else by it.
    ///
    /// ```
    /// # use chanbus::{Escape, SubjectMapping, Topic};
    /// let mapping = SubjectMapping::new(None, Escape::Refuse)?;
    /// assert!(mapping.subject(&Topic::new("$SYS.up")?).unwrap_err().is_reserved());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_reserved(&self) -> bool {
        matches!(self, Self::Reserved { .. })
    }

    /// Whether a subject has not the prefix.
    ///
    /// ```
    /// # use chanbus::{Escape, SubjectMapping};
    /// let mapping = SubjectMapping::new(Some("shop"), Escape::Percent)?;
    /// assert!(mapping.topic("shopping.list").unwrap_err().is_outside());
    /// # Ok::<(), chanbus::SubjectError>(())
    /// ```
    pub fn is_outside(&self) -> bool {
        matches!(self, Self::Outside { .. })
    }

    /// Whether a subject is not for events, but the server's own, a reply, or between bridges. Who subscribes to
    /// wildcards without a prefix gets such messages, and passes over them.
    ///
    /// ```
    /// # use chanbus::SubjectMapping;
    /// assert!(SubjectMapping::default().topic("_INBOX.x.1").unwrap_err().is_foreign());
    /// ```
    pub fn is_foreign(&self) -> bool {
        matches!(self, Self::Foreign { .. })
    }

    #[cold]
    pub(super) fn reserved(text: &str, offset: usize) -> Self {
        let text = text.into();
        Self::Reserved { text, offset }
    }

    #[cold]
    pub(super) fn too_long(text: &str, len: usize) -> Self {
        let text = text.into();
        Self::TooLong { text, len }
    }

    #[cold]
    pub(super) fn outside(subject: &str, prefix: &str) -> Self {
        Self::Outside {
            subject: beginning(subject),
            prefix: prefix.into(),
        }
    }

    #[cold]
    pub(super) fn foreign(subject: &str) -> Self {
        let subject = beginning(subject);
        Self::Foreign { subject }
    }

    #[cold]
    pub(super) fn wildcard(subject: &str, offset: usize) -> Self {
        let subject = beginning(subject);
        Self::Wildcard { subject, offset }
    }

    #[cold]
    pub(super) fn not_a_topic(subject: &str, error: TopicError) -> Self {
        let subject = beginning(subject);
        Self::NotATopic { subject, error }
    }
}

/// So much of a subject that an error about a megabyte does not keep it.
fn beginning(subject: &str) -> Box<str> {
    subject[..boundary_before(subject, SubjectMapping::MAX_LEN)].into()
}

/// The segment or token that begins at a byte.
fn part(text: &str, offset: usize) -> &str {
    let rest = text.get(offset..).unwrap_or_default();
    rest.split_once('.').map_or(rest, |(part, _)| part)
}

impl fmt::Display for SubjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(error) => write!(f, "invalid prefix: {error}"),
            Self::Reserved { text, offset } => {
                let part = part(text, *offset);
                write!(
                    f,
                    "no subject for {} at byte {offset}: the segment {} ",
                    Excerpt(text, *offset),
                    Excerpt(part, 0)
                )?;
                f.write_str(if part == ">" {
                    "would be a wildcard of NATS; rename it, or"
                } else {
                    "is no first token for events, but NATS' own, for replies or between bridges; \
                     rename it, choose a prefix, or"
                })?;
                f.write_str(" have it escaped by `BridgeBuilder::escape(Escape::Percent)`")
            }
            Self::TooLong { text, len } => write!(
                f,
                "no subject for {}: expected at most {} bytes with the prefix, found {len}; \
                 shorten the prefix or the topic, and mind that an escaped `%` takes three",
                Excerpt(text, 0),
                SubjectMapping::MAX_LEN
            ),
            Self::Outside { subject, prefix } => write!(
                f,
                "no topic for the subject {}: expected it to begin with \"{prefix}.\"; \
                 subscribe below the prefix only, or choose another",
                Excerpt(subject, 0)
            ),
            Self::Foreign { subject } => write!(
                f,
                "no topic for the subject {}: the first token {} is not for events, but NATS' own, \
                 for replies or between bridges; choose a prefix, so that such messages do not come",
                Excerpt(subject, 0),
                Excerpt(part(subject, 0), 0)
            ),
            Self::Wildcard { subject, offset } => write!(
                f,
                "no topic for the subject {} at byte {offset}: the token `>` is a wildcard, which one \
                 subscribes to and does not send to; let the sender name a subject, or escape it as `%3E`",
                Excerpt(subject, *offset)
            ),
            Self::NotATopic { subject, error } => {
                write!(
                    f,
                    "no topic for the subject {}: {error}",
                    Excerpt(subject, 0)
                )
            }
        }
    }
}

impl Error for SubjectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // The text is already the inner error's, so its source is too.
            Self::Prefix(error) | Self::NotATopic { error, .. } => error.source(),
            _ => None,
        }
    }
}
