//! Patterns: what a subscriber asks for.

mod algebra;
mod automaton;
mod canonical;
mod index;
mod into;
mod matcher;
mod parse;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use crate::error::PatternError;
use crate::topic::{self, Topic};

pub(crate) use index::{IdMap, Index};
pub use into::IntoPatterns;
pub(crate) use matcher::Glob;

/// How the wildcards of a pattern read.
///
/// ```
/// use chanbus::{Pattern, Syntax};
///
/// assert!(!Pattern::with_syntax("scan.*", Syntax::Segmented)?.matches("scan.file.found"));
/// assert!(Pattern::with_syntax("scan.*", Syntax::Flat)?.matches("scan.file.found"));
/// # Ok::<(), chanbus::PatternError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Syntax {
    /// `*` is one segment, `**` any number of them; no wildcard inside a segment matches a `.`.
    #[default]
    Segmented,
    /// The rules of fnmatch without sets: `*` is any text, `?` any character, also a `.`.
    Flat,
}

/// A checked and compiled pattern; it matches topics.
///
/// # Segmented patterns
///
/// [`Pattern::new`] reads these, and so do [`FromStr`] and [`TryFrom`]. They are what subscriptions
/// use unless told otherwise.
///
/// | Token | Matches |
/// |---|---|
/// | `*` as a whole segment | exactly one segment |
/// | `**` as a whole segment | zero or more segments, anywhere, any number of times |
/// | `*` inside a segment | any run of characters, also none, never a `.` |
/// | `?` | exactly one character (one Unicode scalar), never a `.` |
///
/// ```
/// use chanbus::Pattern;
///
/// let pattern = Pattern::new("twitch.**")?;
/// assert!(pattern.matches("twitch"));
/// assert!(pattern.matches("twitch.chat.message"));
///
/// assert!(Pattern::new("*.error")?.matches("disk.error"));
/// assert!(Pattern::new("disk.sd?.read_*")?.matches("disk.sda.read_ahead"));
/// # Ok::<(), chanbus::PatternError>(())
/// ```
///
/// # Flat patterns
///
/// [`Pattern::flat`] reads these, by the rules of the `wildmatch` crate: `*` is any text, `?` any one
/// character, and a `.` is a character like others. `*` alone is everything.
///
/// ```
/// # use chanbus::Pattern;
/// assert!(Pattern::flat("disk*error")?.matches("disk.sda.error"));
/// # Ok::<(), chanbus::PatternError>(())
/// ```
///
/// # Text rules
///
/// Wildcards aside, a pattern obeys the rules of a [`Topic`] in both syntaxes: at most
/// [`Topic::MAX_LEN`] bytes as given, no white space or control character, nothing empty before,
/// between or after dots (no topic could match that). `[ ] { }` are reserved. In segmented patterns,
/// stars in a row are refused unless they are a segment `**`: `a**b` is either `a*b` or `a.**.b`, and
/// the error says so.
///
/// # Canonical form
///
/// Spellings with one meaning become one text, so that equal patterns compare, sort and hash as
/// equal. [`as_str`](Pattern::as_str) gives it.
///
/// | Rule | Because | Example |
/// |---|---|---|
/// | both: in a run of wildcards inside a segment, all `?` first, then one `*` if there was any | their order does not count | `a*?*b` is `a?*b` |
/// | both: `?*` on its own between dots or ends is `*` | no segment is empty | `a.*?` is `a.*` |
/// | flat: stars in a row are one `*` | the same text twice | `a.**` is `a.*` |
/// | segmented: in a run of `*` and `**` segments, all `*` first, then one `**` if there was any | their order does not count | `a.**.*.**.b` is `a.*.**.b`, `**.**` is `**` |
/// | segmented: `*.**` alone is `**` | no topic is empty | `**.*` is `**` |
///
/// The two syntaxes are never equal: a flat `a.b` and a segmented one match the same topic, yet are
/// two patterns.
///
/// # Cost
///
/// Matching takes time bounded by the product of the lengths of pattern and topic; no input makes it
/// exponential. Cloning copies a pointer.
#[derive(Clone)]
pub struct Pattern(Arc<Compiled>);

struct Compiled {
    /// The canonical text.
    text: Box<str>,
    syntax: Syntax,
    shape: Shape,
}

/// What a pattern compiles to.
#[derive(Clone, Debug)]
pub(crate) enum Shape {
    /// No wildcard at all, whichever the syntax: the pattern's text is the topic.
    Exact,
    /// A segmented pattern with wildcards.
    Segments(Box<[Segment]>),
    /// A flat pattern with wildcards.
    Flat(Glob),
}

/// One segment of a segmented pattern.
#[derive(Clone, Debug)]
pub(crate) enum Segment {
    Literal(Box<str>),
    /// Exactly one segment, whatever it is.
    Star,
    /// Any number of segments. Two never stand side by side, and no `Star` follows one.
    DoubleStar,
    /// One segment with wildcards and other text in it.
    Glob(Glob),
}

impl Pattern {
    /// Reads a segmented pattern.
    ///
    /// # Errors
    ///
    /// The first rule that the text breaks, with its place and a way to mend it.
    ///
    /// ```
    /// # use chanbus::Pattern;
    /// assert!(Pattern::new("scan.*")?.matches("scan.started"));
    /// assert!(Pattern::new("scan.[ab]").is_err());
    /// # Ok::<(), chanbus::PatternError>(())
    /// ```
    pub fn new(text: impl AsRef<str>) -> Result<Self, PatternError> {
        Self::with_syntax(text, Syntax::Segmented)
    }

    /// Reads a flat pattern.
    ///
    /// # Errors
    ///
    /// The first rule that the text breaks, with its place and a way to mend it.
    ///
    /// ```
    /// # use chanbus::Pattern;
    /// assert!(Pattern::flat("scan*")?.matches("scanner.started"));
    /// # Ok::<(), chanbus::PatternError>(())
    /// ```
    pub fn flat(text: impl AsRef<str>) -> Result<Self, PatternError> {
        Self::with_syntax(text, Syntax::Flat)
    }

    /// Reads a pattern in the given syntax.
    ///
    /// # Errors
    ///
    /// The first rule that the text breaks, with its place and a way to mend it.
    ///
    /// ```
    /// # use chanbus::{Pattern, Syntax};
    /// assert_eq!(Pattern::with_syntax("a*", Syntax::Flat)?, Pattern::flat("a*")?);
    /// # Ok::<(), chanbus::PatternError>(())
    /// ```
    pub fn with_syntax(text: impl AsRef<str>, syntax: Syntax) -> Result<Self, PatternError> {
        let (text, shape) = parse::parse(text.as_ref(), syntax)?;
        Ok(Self(Arc::new(Compiled {
            text,
            syntax,
            shape,
        })))
    }

    /// The pattern that matches this topic only.
    ///
    /// ```
    /// use chanbus::{Pattern, Topic};
    ///
    /// let topic = Topic::new("scan.started")?;
    /// assert_eq!(Pattern::exact(&topic), Pattern::new("scan.started")?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn exact(topic: &Topic) -> Self {
        // A topic obeys every rule of a pattern and is its own canonical form.
        Self(Arc::new(Compiled {
            text: topic.as_str().into(),
            syntax: Syntax::Segmented,
            shape: Shape::Exact,
        }))
    }

    /// The pattern that matches every topic: `**`.
    ///
    /// ```
    /// # use chanbus::Pattern;
    /// assert!(Pattern::everything().matches("any.thing"));
    /// ```
    #[must_use]
    pub fn everything() -> Self {
        Self(Arc::new(Compiled {
            text: "**".into(),
            syntax: Syntax::Segmented,
            shape: Shape::Segments([Segment::DoubleStar].into()),
        }))
    }

    /// The text in canonical form.
    ///
    /// ```
    /// # use chanbus::Pattern;
    /// assert_eq!(Pattern::new("scan.**.**")?.as_str(), "scan.**");
    /// # Ok::<(), chanbus::PatternError>(())
    /// ```
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// The syntax in which the text is to be read.
    ///
    /// ```
    /// # use chanbus::{Pattern, Syntax};
    /// assert_eq!(Pattern::flat("scan*")?.syntax(), Syntax::Flat);
    /// # Ok::<(), chanbus::PatternError>(())
    /// ```
    pub fn syntax(&self) -> Syntax {
        self.0.syntax
    }

    /// Whether the pattern has no wildcard, so that it matches one topic only.
    ///
    /// ```
    /// # use chanbus::Pattern;
    /// assert!(Pattern::new("scan.started")?.is_exact());
    /// assert!(!Pattern::new("scan.*")?.is_exact());
    /// # Ok::<(), chanbus::PatternError>(())
    /// ```
    pub fn is_exact(&self) -> bool {
        matches!(self.0.shape, Shape::Exact)
    }

    /// Whether the pattern matches every topic.
    ///
    /// ```
    /// # use chanbus::Pattern;
    /// assert!(Pattern::new("**")?.matches_everything());
    /// assert!(Pattern::flat("*")?.matches_everything());
    /// assert!(!Pattern::new("*")?.matches_everything());
    /// # Ok::<(), chanbus::PatternError>(())
    /// ```
    pub fn matches_everything(&self) -> bool {
        match &self.0.shape {
            Shape::Exact => false,
            Shape::Segments(segments) => matches!(**segments, [Segment::DoubleStar]),
            Shape::Flat(glob) => glob.text() == "*",
        }
    }

    /// Whether the pattern matches a topic. A text that is no topic is matched by no pattern.
    ///
    /// ```
    /// # use chanbus::Pattern;
    /// let pattern = Pattern::new("scan.**")?;
    /// assert!(pattern.matches("scan.file.found"));
    /// assert!(!pattern.matches("ui.click"));
    /// assert!(!pattern.matches("scan..found"));
    /// # Ok::<(), chanbus::PatternError>(())
    /// ```
    pub fn matches(&self, topic: &str) -> bool {
        topic::is_valid(topic) && self.matches_checked(topic)
    }

    /// As [`matches`](Pattern::matches), for a text that is known to be a topic.
    pub(crate) fn matches_checked(&self, topic: &str) -> bool {
        matcher::matches(&self.0.shape, &self.0.text, topic)
    }

    /// What the pattern was compiled to.
    pub(crate) fn shape(&self) -> &Shape {
        &self.0.shape
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.syntax() {
            Syntax::Segmented => "Pattern",
            Syntax::Flat => "Pattern::flat",
        };
        f.debug_tuple(name).field(&self.as_str()).finish()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.syntax() == other.syntax() && self.as_str() == other.as_str()
    }
}

impl Eq for Pattern {}

impl PartialOrd for Pattern {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Pattern {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.syntax(), self.as_str()).cmp(&(other.syntax(), other.as_str()))
    }
}

impl Hash for Pattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.syntax(), self.as_str()).hash(state);
    }
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        Self::new(text)
    }
}

impl TryFrom<&str> for Pattern {
    type Error = PatternError;

    fn try_from(text: &str) -> Result<Self, PatternError> {
        Self::new(text)
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        Self::new(text)
    }
}

impl TryFrom<&String> for Pattern {
    type Error = PatternError;

    fn try_from(text: &String) -> Result<Self, PatternError> {
        Self::new(text)
    }
}

impl From<Topic> for Pattern {
    fn from(topic: Topic) -> Self {
        Self::exact(&topic)
    }
}

impl From<&Topic> for Pattern {
    fn from(topic: &Topic) -> Self {
        Self::exact(topic)
    }
}
