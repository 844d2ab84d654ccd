//! Topics: validated dotted names.

use std::borrow::Borrow;
use std::convert::Infallible;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use arcstr::ArcStr;

use crate::error::{Fault, TextErrorKind, TopicError, boundary_before};

/// The validated name of what an event is about: `scan.started`, `twitch.chat.message`.
///
/// A topic is one or more segments joined by `.`. No segment is empty, and none holds a wildcard
/// (`*`, `?`), a reserved character (`[`, `]`, `{`, `}`), white space or a control character. It is
/// at most [`Topic::MAX_LEN`] bytes long. Anything else is Unicode text; case counts, and no name is
/// reserved. Whatever is not such a name is refused, never mended: `a..b`, `.a`, `a.` and the empty
/// text are errors here and in [`Pattern`](crate::Pattern) alike.
///
/// Cloning copies a pointer. A topic derefs to [`str`], and compares, sorts and hashes like it.
///
/// ```
/// use chanbus::Topic;
///
/// let topic = Topic::new("scan.started")?;
/// assert_eq!(topic, "scan.started");
/// assert!(topic.segments().eq(["scan", "started"]));
/// assert!(topic.starts_with("scan."));
/// # Ok::<(), chanbus::TopicError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic(ArcStr);

impl Topic {
    /// The longest topic, and the longest pattern, in bytes.
    ///
    /// ```
    /// # use chanbus::Topic;
    /// assert_eq!(Topic::MAX_LEN, 1_024);
    /// assert!(Topic::new("a".repeat(Topic::MAX_LEN + 1)).is_err());
    /// ```
    pub const MAX_LEN: usize = 1024;

    /// Checks a name and keeps a copy of it.
    ///
    /// # Errors
    ///
    /// The first rule that the text breaks, with its place and a way to mend it.
    ///
    /// ```
    /// use chanbus::Topic;
    ///
    /// assert!(Topic::new("progetto.è.vivo").is_ok());
    /// assert!(Topic::new("scan.*").is_err());
    /// ```
    pub fn new(text: impl AsRef<str>) -> Result<Self, TopicError> {
        let text = text.as_ref();
        check(text)?;
        Ok(Self(text.into()))
    }

    /// The name.
    ///
    /// ```
    /// # use chanbus::Topic;
    /// assert_eq!(Topic::new("scan.started")?.as_str(), "scan.started");
    /// # Ok::<(), chanbus::TopicError>(())
    /// ```
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The segments, first to last; there is always at least one, and none is empty.
    ///
    /// ```
    /// # use chanbus::Topic;
    /// let topic = Topic::new("twitch.chat.message")?;
    /// assert_eq!(topic.segments().nth(1), Some("chat"));
    /// assert_eq!(topic.segments().next_back(), Some("message"));
    /// # Ok::<(), chanbus::TopicError>(())
    /// ```
    pub fn segments(&self) -> impl DoubleEndedIterator<Item = &str> + Clone {
        self.0.split('.')
    }

    /// The same text in memory of its own, for somebody who counts handles of it without pause.
    pub(crate) fn copied(&self) -> Self {
        Topic(ArcStr::from(&*self.0))
    }
}

/// Whether a text may be a topic. It runs on every emit, so good ASCII text takes one short loop and
/// all else, good or bad, is left to [`check_text`].
pub(crate) fn check(text: &str) -> Result<(), TopicError> {
    if is_plain_ascii(text) {
        return Ok(());
    }
    check_text(text, Wildcards::Refused).map_err(|fault| TopicError::new(text, fault))
}

/// Whether [`check`] would accept a text, without making an error of it.
pub(crate) fn is_valid(text: &str) -> bool {
    is_plain_ascii(text) || check_text(text, Wildcards::Refused).is_ok()
}

/// Whether [`check_text`] takes `*` and `?` for ordinary characters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wildcards {
    Refused,
    Allowed,
}

/// The rules that topics and patterns share; reports the first fault.
pub(crate) fn check_text(text: &str, wildcards: Wildcards) -> Result<(), Fault> {
    let fault = |kind, offset| Err(Fault { kind, offset });

    if text.is_empty() {
        return fault(TextErrorKind::Empty, 0);
    }
    if text.len() > Topic::MAX_LEN {
        let kind = TextErrorKind::TooLong { len: text.len() };
        return fault(kind, boundary_before(text, Topic::MAX_LEN));
    }
    let mut segment_is_empty = true;
    for (offset, character) in text.char_indices() {
        match character {
            '.' if segment_is_empty => return fault(TextErrorKind::EmptySegment, offset),
            '.' => {
                segment_is_empty = true;
                continue;
            }
            '*' | '?' if wildcards == Wildcards::Refused => {
                return fault(TextErrorKind::Wildcard(character), offset);
            }
            '[' | ']' | '{' | '}' => return fault(TextErrorKind::Reserved(character), offset),
            _ if character.is_whitespace() => {
                return fault(TextErrorKind::Whitespace(character), offset);
            }
            _ if character.is_control() => {
                return fault(TextErrorKind::Control(character), offset);
            }
            _ => {}
        }
        segment_is_empty = false;
    }
    if segment_is_empty {
        return fault(TextErrorKind::EmptySegment, text.len());
    }
    Ok(())
}

/// The ASCII characters that a topic's segment may hold.
const PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut byte = b'!';
    while byte <= b'~' {
        plain[byte as usize] = !matches!(byte, b'.' | b'*' | b'?' | b'[' | b']' | b'{' | b'}');
        byte += 1;
    }
    plain
};

/// Whether the text is a topic of ASCII characters only.
fn is_plain_ascii(text: &str) -> bool {
    let mut segment_is_empty = true;
    for &byte in text.as_bytes() {
        if PLAIN[usize::from(byte)] {
            segment_is_empty = false;
        } else if byte == b'.' && !segment_is_empty {
            segment_is_empty = true;
        } else {
            return false;
        }
    }
    !segment_is_empty && text.len() <= Topic::MAX_LEN
}

impl Deref for Topic {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Topic {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Topic {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl PartialEq<str> for Topic {
    fn eq(&self, other: &str) -> bool {
        *self.0 == *other
    }
}

impl PartialEq<&str> for Topic {
    fn eq(&self, other: &&str) -> bool {
        *self.0 == **other
    }
}

impl PartialEq<Topic> for str {
    fn eq(&self, other: &Topic) -> bool {
        *self == *other.0
    }
}

impl PartialEq<Topic> for &str {
    fn eq(&self, other: &Topic) -> bool {
        **self == *other.0
    }
}

impl FromStr for Topic {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        Self::new(text)
    }
}

impl TryFrom<&str> for Topic {
    type Error = TopicError;

    fn try_from(text: &str) -> Result<Self, TopicError> {
        Self::new(text)
    }
}

impl TryFrom<String> for Topic {
    type Error = TopicError;

    fn try_from(text: String) -> Result<Self, TopicError> {
        Self::new(text)
    }
}

impl TryFrom<&String> for Topic {
    type Error = TopicError;

    fn try_from(text: &String) -> Result<Self, TopicError> {
        Self::new(text)
    }
}

impl From<&Topic> for Topic {
    fn from(topic: &Topic) -> Self {
        topic.clone()
    }
}

/// A conversion that cannot fail never asks for this.
impl From<Infallible> for TopicError {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> (TextErrorKind, usize) {
        let error = Topic::new(text).unwrap_err();
        (error.kind(), error.offset())
    }

    #[test]
    fn empty_segments_are_refused_wherever_they_are() {
        assert_eq!(kind(""), (TextErrorKind::Empty, 0));
        assert_eq!(kind("."), (TextErrorKind::EmptySegment, 0));
        assert_eq!(kind(".a"), (TextErrorKind::EmptySegment, 0));
        assert_eq!(kind("a."), (TextErrorKind::EmptySegment, 2));
        assert_eq!(kind("a..b"), (TextErrorKind::EmptySegment, 2));
    }

    #[test]
    fn forbidden_characters_are_named_with_their_place() {
        assert_eq!(kind("é.*"), (TextErrorKind::Wildcard('*'), 3));
        assert_eq!(kind("a?"), (TextErrorKind::Wildcard('?'), 1));
        for reserved in ['[', ']', '{', '}'] {
            assert_eq!(
                kind(&format!("a{reserved}")),
                (TextErrorKind::Reserved(reserved), 1)
            );
        }
        for space in [' ', '\t', '\n', '\u{a0}', '\u{2003}'] {
            assert_eq!(
                kind(&format!("a{space}b")),
                (TextErrorKind::Whitespace(space), 1)
            );
        }
        for control in ['\0', '\u{7f}', '\u{9f}'] {
            assert_eq!(
                kind(&format!("a{control}b")),
                (TextErrorKind::Control(control), 1)
            );
        }
    }

    #[test]
    fn length_is_counted_in_bytes() {
        assert!(Topic::new("a".repeat(1024)).is_ok());
        assert!(Topic::new("é".repeat(512)).is_ok());
        assert_eq!(
            kind(&"a".repeat(1025)),
            (TextErrorKind::TooLong { len: 1025 }, 1024)
        );
        // Byte 1024 is in the middle of an `é`, so the place is the character's beginning.
        let odd = format!("a{}", "é".repeat(512));
        assert_eq!(kind(&odd), (TextErrorKind::TooLong { len: 1025 }, 1023));
    }

    #[test]
    fn the_fast_check_agrees_with_the_full_one() {
        for byte in 0..128_u8 {
            for text in [format!("{}", byte as char), format!("a{}b", byte as char)] {
                let full = check_text(&text, Wildcards::Refused).is_ok();
                assert_eq!(is_plain_ascii(&text), full, "{text:?}");
            }
        }
    }

    #[test]
    fn any_unicode_text_is_a_name() {
        for text in [
            "_closed",
            "$SYS",
            "#",
            "usr/bin",
            "日本.語",
            "🦀",
            "a-b:c@d",
        ] {
            assert!(Topic::new(text).is_ok(), "{text}");
        }
    }
}
