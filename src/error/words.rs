//! The words that errors about text share, and how a culprit is shown.

use std::fmt;

use super::TextErrorKind;
use crate::topic::Topic;

/// The words for kinds that read the same in topics and patterns.
pub(super) fn write_common(f: &mut fmt::Formatter<'_>, kind: TextErrorKind) -> fmt::Result {
    match kind {
        TextErrorKind::TooLong { len } => write!(
            f,
            "expected at most {} bytes, found {len}; shorten it, long data belongs in the payload",
            Topic::MAX_LEN
        ),
        TextErrorKind::Whitespace(space) => write!(
            f,
            "expected no white space, found {space:?}; remove it or write `_` instead"
        ),
        TextErrorKind::Control(control) => write!(
            f,
            "expected printable text, found the control character {control:?}; remove it"
        ),
        other => write!(f, "unexpected {other:?}"),
    }
}

/// Writes what `segment` probably meant: stars inside one segment, or `**` on its own.
pub(super) fn write_star_hint(f: &mut fmt::Formatter<'_>, segment: &str) -> fmt::Result {
    /// A hint longer than this hides what it wants to show.
    const LONGEST: usize = 40;

    let pieces: Vec<&str> = segment
        .split("**")
        .map(|piece| piece.trim_matches('*'))
        .collect();
    let words: Vec<&str> = pieces
        .iter()
        .copied()
        .filter(|piece| !piece.is_empty())
        .collect();
    if words.is_empty() {
        return f.write_str("`*` for one segment or `**` for any number of them");
    }
    if segment.len() > LONGEST {
        return f.write_str("one `*`, or `**` with a dot on each side");
    }
    let edge = |blank: Option<&&str>, star: &'static str| {
        if blank.is_some_and(|piece| piece.is_empty()) {
            star
        } else {
            ""
        }
    };
    let (first, last) = (pieces.first(), pieces.last());
    write!(
        f,
        "`{}{}{}` or `{}{}{}`",
        edge(first, "*"),
        words.join("*"),
        edge(last, "*"),
        edge(first, "**."),
        words.join(".**."),
        edge(last, ".**"),
    )
}

/// Shows a text quoted and escaped; of a long one, only what surrounds `offset`.
pub(crate) struct Excerpt<'a>(pub(crate) &'a str, pub(crate) usize);

impl fmt::Display for Excerpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WHOLE: usize = 80;
        const AROUND: usize = 32;

        let Self(text, offset) = *self;
        if text.len() <= WHOLE {
            return write!(f, "{text:?}");
        }
        let start = boundary_before(text, offset.saturating_sub(AROUND));
        let end = boundary_before(text, offset + AROUND);
        let before = if start > 0 { "…" } else { "" };
        let after = if end < text.len() { "…" } else { "" };
        write!(f, "{before}{:?}{after}", &text[start..end])
    }
}

/// A text on one line: control characters are escaped.
pub(crate) struct Plain<'a>(pub(crate) &'a str);

impl fmt::Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() {
                write!(f, "{}", c.escape_default())?;
            } else {
                write!(f, "{c}")?;
            }
        }
        Ok(())
    }
}

/// The beginning of a text from elsewhere: an error about a megabyte does not hold it.
#[cfg(feature = "json")]
pub(crate) fn shortened(text: &str) -> Box<str> {
    const KEPT: usize = 160;

    let mut kept = text[..boundary_before(text, KEPT)].to_owned();
    if kept.len() < text.len() {
        kept.push('…');
    }
    kept.into()
}

/// The last character boundary of `text` at or before byte `at`.
pub(crate) fn boundary_before(text: &str, at: usize) -> usize {
    // Byte 0 is a boundary, so there always is one.
    (0..=at.min(text.len()))
        .rev()
        .find(|&at| text.is_char_boundary(at))
        .unwrap_or(0)
}
