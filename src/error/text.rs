//! Errors about text: a name that is no topic, a pattern that cannot be read.

use std::error::Error;
use std::fmt;

use super::words::{Excerpt, boundary_before, write_common, write_star_hint};
use crate::topic::Topic;

/// What is wrong with the text of a topic or pattern.
///
/// ```
/// use chanbus::{TextErrorKind, Topic};
///
/// let error = Topic::new("scan. started").unwrap_err();
/// assert_eq!(error.kind(), TextErrorKind::Whitespace(' '));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TextErrorKind {
    /// There is no text at all.
    Empty,
    /// The text is longer than [`Topic::MAX_LEN`] bytes.
    #[non_exhaustive]
    TooLong {
        /// How many bytes the text has.
        len: usize,
    },
    /// Two dots in a row, or a dot at the beginning or the end.
    EmptySegment,
    /// A wildcard in a topic: topics are exact, only patterns take `*` and `?`.
    Wildcard(char),
    /// Stars that are neither a `*` nor a `**` that fills its segment; segmented patterns only.
    StarRun,
    /// One of `[`, `]`, `{`, `}`, kept free for later.
    Reserved(char),
    /// White space, by Unicode's definition.
    Whitespace(char),
    /// A control character.
    Control(char),
}

/// Where a text breaks the rules, before anybody has copied the text into an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: TextErrorKind,
    pub(crate) offset: usize,
}

/// What both errors hold, boxed so that a `Result` stays one word beside its value.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Culprit {
    /// At most [`Topic::MAX_LEN`] bytes, so that an error about a megabyte does not keep it.
    text: Box<str>,
    fault: Fault,
    /// The type whose constant the text is, if it is one's: nobody wrote it where it was refused.
    of: Option<&'static str>,
}

impl Culprit {
    fn boxed(text: &str, fault: Fault) -> Box<Self> {
        let text = text[..boundary_before(text, Topic::MAX_LEN)].into();
        Box::new(Self {
            text,
            fault,
            of: None,
        })
    }

    /// Writes ``invalid <what> "<text>" [of the type `<of>`] at byte <offset>: ``.
    fn write_place(&self, f: &mut fmt::Formatter<'_>, what: &str) -> fmt::Result {
        let Fault { offset, .. } = self.fault;
        write!(f, "invalid {what} {} ", Excerpt(&self.text, offset))?;
        if let Some(of) = self.of {
            write!(f, "of the type `{of}` ")?;
        }
        write!(f, "at byte {offset}: ")
    }
}

/// A text was refused as a [`Topic`]; the message says where, why and how to mend it.
///
/// ```
/// use chanbus::Topic;
///
/// let error = Topic::new("scan..started").unwrap_err();
/// assert_eq!(error.topic(), "scan..started");
/// assert_eq!(error.offset(), 5);
/// assert_eq!(
///     error.to_string(),
///     "invalid topic \"scan..started\" at byte 5: \
///      expected a segment, found nothing; remove the extra dot or name the segment"
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicError(Box<Culprit>);

impl TopicError {
    #[cold]
    pub(crate) fn new(text: &str, fault: Fault) -> Self {
        Self(Culprit::boxed(text, fault))
    }

    /// The same, of a text that is the constant of a type.
    pub(crate) fn of_type(mut self, name: &'static str) -> Self {
        self.0.of = Some(name);
        self
    }

    /// The type whose [`Typed::TOPIC`](crate::Typed::TOPIC) it is, if it is one's.
    ///
    /// ```
    /// use chanbus::{Typed, TypedBus};
    ///
    /// struct UserCreated;
    ///
    /// impl Typed for UserCreated {
    ///     const TOPIC: &'static str = "user created";
    /// }
    ///
    /// let error = TypedBus::new().publisher::<UserCreated>().unwrap_err();
    /// assert!(error.type_name().unwrap().ends_with("UserCreated"));
    /// assert!(error.to_string().ends_with("; the text stands in that type's `Typed::TOPIC`"));
    /// ```
    pub fn type_name(&self) -> Option<&'static str> {
        self.0.of
    }

    /// The refused text; of one that was too long, the first [`Topic::MAX_LEN`] bytes.
    ///
    /// ```
    /// # use chanbus::Topic;
    /// let error = Topic::new("a..b").unwrap_err();
    /// assert_eq!(error.topic(), "a..b");
    /// ```
    pub fn topic(&self) -> &str {
        &self.0.text
    }

    /// The byte at which the text breaks the rules; it may be the text's end.
    ///
    /// ```
    /// # use chanbus::Topic;
    /// let error = Topic::new("a..b").unwrap_err();
    /// assert_eq!(error.offset(), 2);
    /// ```
    pub fn offset(&self) -> usize {
        self.0.fault.offset
    }

    /// What is wrong there.
    ///
    /// ```
    /// # use chanbus::Topic;
    /// let error = Topic::new("a..b").unwrap_err();
    /// assert_eq!(error.kind(), chanbus::TextErrorKind::EmptySegment);
    /// ```
    pub fn kind(&self) -> TextErrorKind {
        self.0.fault.kind
    }

    /// Whether the text was longer than [`Topic::MAX_LEN`].
    ///
    /// ```
    /// # use chanbus::Topic;
    /// let error = Topic::new("a..b").unwrap_err();
    /// assert!(!error.is_too_long());
    /// ```
    pub fn is_too_long(&self) -> bool {
        matches!(self.kind(), TextErrorKind::TooLong { .. })
    }

    /// Whether the text holds a wildcard, so that it may have been meant as a
    /// [`Pattern`](crate::Pattern).
    ///
    /// ```
    /// # use chanbus::Topic;
    /// let error = Topic::new("a.*").unwrap_err();
    /// assert!(error.is_wildcard());
    /// ```
    pub fn is_wildcard(&self) -> bool {
        matches!(self.kind(), TextErrorKind::Wildcard(_))
    }
}

impl fmt::Display for TopicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_place(f, "topic")?;
        match self.kind() {
            TextErrorKind::Empty => {
                f.write_str("expected a name, found nothing; write one such as `scan.started`")
            }
            TextErrorKind::EmptySegment => f.write_str(
                "expected a segment, found nothing; remove the extra dot or name the segment",
            ),
            TextErrorKind::Wildcard(wildcard) => write!(
                f,
                "expected plain text, found the wildcard `{wildcard}`; \
                 a topic is one exact name, only patterns take wildcards"
            ),
            TextErrorKind::Reserved(reserved) => write!(
                f,
                "expected plain text, found `{reserved}`, which is reserved; \
                 choose another character, such as `_`"
            ),
            kind => write_common(f, kind),
        }?;
        if self.type_name().is_some() {
            f.write_str("; the text stands in that type's `Typed::TOPIC`")?;
        }
        Ok(())
    }
}

impl Error for TopicError {}

/// A text was refused as a [`Pattern`](crate::Pattern); the message says where, why and how to mend it.
///
/// ```
/// use chanbus::Pattern;
///
/// let error = Pattern::new("scan.a**b").unwrap_err();
/// assert_eq!(error.pattern(), "scan.a**b");
/// assert_eq!(error.offset(), 6);
/// assert!(error.is_star_run());
/// assert!(error.to_string().ends_with("write `a*b` or `a.**.b`"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PatternError(Box<Culprit>);

impl PatternError {
    #[cold]
    pub(crate) fn new(text: &str, fault: Fault) -> Self {
        Self(Culprit::boxed(text, fault))
    }

    /// The refused text; of one that was too long, the first [`Topic::MAX_LEN`] bytes.
    ///
    /// ```
    /// # use chanbus::Pattern;
    /// let error = Pattern::new("a..b").unwrap_err();
    /// assert_eq!(error.pattern(), "a..b");
    /// ```
    pub fn pattern(&self) -> &str {
        &self.0.text
    }

    /// The byte at which the text breaks the rules; it may be the text's end.
    ///
    /// ```
    /// # use chanbus::Pattern;
    /// let error = Pattern::new("a..b").unwrap_err();
    /// assert_eq!(error.offset(), 2);
    /// ```
    pub fn offset(&self) -> usize {
        self.0.fault.offset
    }

    /// What is wrong there.
    ///
    /// ```
    /// # use chanbus::Pattern;
    /// let error = Pattern::new("a..b").unwrap_err();
    /// assert_eq!(error.kind(), chanbus::TextErrorKind::EmptySegment);
    /// ```
    pub fn kind(&self) -> TextErrorKind {
        self.0.fault.kind
    }

    /// Whether the text was longer than [`Topic::MAX_LEN`].
    ///
    /// ```
    /// # use chanbus::Pattern;
    /// let error = Pattern::new("a..b").unwrap_err();
    /// assert!(!error.is_too_long());
    /// ```
    pub fn is_too_long(&self) -> bool {
        matches!(self.kind(), TextErrorKind::TooLong { .. })
    }

    /// Whether the text holds one of the reserved characters `[ ] { }`.
    ///
    /// ```
    /// # use chanbus::Pattern;
    /// let error = Pattern::new("a.[bc]").unwrap_err();
    /// assert!(error.is_reserved());
    /// ```
    pub fn is_reserved(&self) -> bool {
        matches!(self.kind(), TextErrorKind::Reserved(_))
    }

    /// Whether the text holds a run of stars that is no token, such as `***` or `a**b`.
    ///
    /// ```
    /// # use chanbus::Pattern;
    /// let error = Pattern::new("a**b").unwrap_err();
    /// assert!(error.is_star_run());
    /// ```
    pub fn is_star_run(&self) -> bool {
        self.kind() == TextErrorKind::StarRun
    }

    /// The segment in which the fault lies.
    fn segment(&self) -> &str {
        let (before, after) = self.pattern().split_at(self.offset());
        let start = before.rfind('.').map_or(0, |dot| dot + 1);
        let end = after
            .find('.')
            .map_or(self.pattern().len(), |dot| before.len() + dot);
        &self.pattern()[start..end]
    }
}

impl fmt::Display for PatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.write_place(f, "pattern")?;
        match self.kind() {
            TextErrorKind::Empty => f.write_str(
                "expected a pattern, found nothing; write `**` (flat: `*`) for every topic",
            ),
            TextErrorKind::EmptySegment => f.write_str(
                "expected a segment, found nothing; \
                 remove the extra dot or write `*` for any one segment",
            ),
            TextErrorKind::StarRun => {
                f.write_str(
                    "expected `*`, or `**` as a whole segment, \
                     found a run of stars that is neither; write ",
                )?;
                write_star_hint(f, self.segment())
            }
            TextErrorKind::Reserved(reserved) => write!(
                f,
                "expected plain text or a wildcard, found `{reserved}`, which is reserved; \
                 write one pattern for each alternative, or `?` for any one character"
            ),
            kind => write_common(f, kind),
        }
    }
}

impl Error for PatternError {}

/// A list of patterns was refused.
///
/// ```
/// use chanbus::{IntoPatterns, PatternsError, Syntax};
///
/// let none: [&str; 0] = [];
/// let error = none.into_patterns(Syntax::Segmented).unwrap_err();
/// assert_eq!(error, PatternsError::Empty);
/// assert!(error.to_string().contains("subscribe_all()"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PatternsError {
    /// The list holds no pattern. Everything is asked for by name, never by leaving it out.
    Empty,
    /// One of the patterns cannot be read.
    Pattern(PatternError),
}

impl PatternsError {
    /// Whether the list held no pattern.
    ///
    /// ```
    /// # use chanbus::PatternsError;
    /// assert!(PatternsError::Empty.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }
}

impl fmt::Display for PatternsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str(
                "expected at least one pattern, found an empty list; \
                 name the topics wanted, or call `subscribe_all()` for everything",
            ),
            Self::Pattern(error) => error.fmt(f),
        }
    }
}

impl Error for PatternsError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Empty => None,
            // The text is already the inner error's, so its source is too.
            Self::Pattern(error) => error.source(),
        }
    }
}

impl From<PatternError> for PatternsError {
    fn from(error: PatternError) -> Self {
        Self::Pattern(error)
    }
}

#[cfg(test)]
mod tests;
