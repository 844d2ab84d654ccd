//! One segment as one token, and back. The table stands at [`SubjectMapping`](super::SubjectMapping).

use std::borrow::Cow;

use super::Escape;

/// First tokens, besides those with `$`, that are not for events: replies to requests, and what bridges keep.
const KEPT: [&str; 2] = ["_INBOX", "_CHANBUS"];

/// Whether no token of a text needs a second look, in either direction. Most have nothing that may.
pub(super) fn is_plain(text: &str) -> bool {
    !text.starts_with(['$', '_']) && !text.contains(['%', '>'])
}

/// Whether a subject that begins with this token is not for events.
pub(super) fn is_of_nats(token: &str) -> bool {
    token.starts_with('$') || KEPT.contains(&token)
}

/// The token of a segment, if it may have one; `first` is whether it is the first of its subject.
pub(super) fn written(segment: &str, first: bool, escape: Escape) -> Option<Cow<'_, str>> {
    let of_nats = first && is_of_nats(segment);
    match escape {
        Escape::Refuse => (segment != ">" && !of_nats).then_some(Cow::Borrowed(segment)),
        Escape::Percent if segment == ">" => Some("%3E".into()),
        Escape::Percent if of_nats => Some(match segment.strip_prefix('$') {
            Some(rest) => format!("%24{}", escaped(rest)).into(),
            None => segment.replacen('_', "%5F", 1).into(),
        }),
        Escape::Percent if segment.contains('%') => Some(escaped(segment).into()),
        Escape::Percent => Some(segment.into()),
    }
}

/// The segment of a token that is neither `>` nor, if it is the first, of NATS. An escape is read only where
/// [`written`] would write it.
pub(super) fn read(token: &str, first: bool, escape: Escape) -> Cow<'_, str> {
    if escape == Escape::Refuse || !token.contains('%') {
        return token.into();
    }
    if token == "%3E" {
        return ">".into();
    }
    if first {
        if let Some(rest) = token.strip_prefix("%24") {
            return format!("${}", unescaped(rest)).into();
        }
        if let Some(rest) = token.strip_prefix("%5F")
            && let Some(kept) = KEPT.iter().find(|kept| kept[1..] == *rest)
        {
            return (*kept).into();
        }
    }
    unescaped(token).into()
}

/// Every `%` as its escape.
fn escaped(text: &str) -> String {
    text.replace('%', "%25")
}

/// From left to right, so that `%2525` is `%25`.
fn unescaped(text: &str) -> String {
    text.replace("%25", "%")
}
