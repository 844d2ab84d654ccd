//! Why a pattern does not match a topic that it nearly does. Pure.
//!
//! Bounded: texts of more segments or bytes than below are asked the cheap questions only, and a topic is tried
//! against a pattern as often as both have segments, at most.

use std::fmt;

use crate::pattern::{Pattern, Syntax};

/// Segments beyond which a text is not taken apart.
const MANY: usize = 16;
/// Bytes beyond which texts are not compared letter by letter.
const LONG: usize = 128;

/// What stands between a topic and a pattern that nearly matches it; part of an [`Explanation`](crate::Explanation) and of a
/// [`Lint`](crate::Lint). Its `Display` is a sentence.
///
/// ```
/// use chanbus::{NearMiss, NearReason, Pattern};
///
/// let miss = NearMiss::between(&Pattern::new("scan.strated")?, "scan.started").unwrap();
/// assert!(matches!(miss.reason, NearReason::Spelling { .. }));
/// assert_eq!(miss.to_string(), "`scan.strated` has `strated` where `scan.started` has `started`: a slip of the pen?");
///
/// assert!(NearMiss::between(&Pattern::new("scan.*")?, "scan.started").is_none());      // it matches
/// assert!(NearMiss::between(&Pattern::new("ui.click")?, "scan.started").is_none());    // not even nearly
/// # Ok::<(), chanbus::PatternError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NearMiss {
    /// What was asked for.
    pub pattern: Pattern,
    /// The topic that it does not match.
    pub topic: String,
    /// Why not.
    pub reason: NearReason,
}

/// Why a pattern does not match; part of a [`NearMiss`].
///
/// ```
/// # use chanbus::{NearMiss, NearReason, Pattern};
/// let why = |pattern: &str, topic: &str| {
///     let pattern = Pattern::new(pattern).unwrap();
///     NearMiss::between(&pattern, topic).map(|miss| miss.reason)
/// };
/// assert_eq!(why("Scan.*", "scan.started"), Some(NearReason::LetterCase));
/// assert_eq!(why("scan.*", "scan.file.found"), Some(NearReason::OneStar { matching: "scan.**".into() }));
/// assert_eq!(why("scan", "scan.started"), Some(NearReason::ExtraSegment { found: "started".into() }));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum NearReason {
    /// They differ in capital and small letters only.
    LetterCase,
    /// They differ in one or two letters of one segment.
    Spelling {
        /// What the pattern has.
        asked: String,
        /// What the topic has there.
        found: String,
    },
    /// A `*` is one segment: with `**` it would match.
    OneStar {
        /// The pattern with `**`.
        matching: String,
    },
    /// In [flat](Syntax::Flat) syntax, where wildcards match dots, it would match.
    FlatSyntax,
    /// The topic has a segment more than the pattern.
    ExtraSegment {
        /// That segment.
        found: String,
    },
    /// The topic has a segment less.
    MissingSegment {
        /// What the pattern has there.
        asked: String,
    },
    /// All but one segment match.
    OtherSegment {
        /// What the pattern has.
        asked: String,
        /// What the topic has there.
        found: String,
    },
}

impl NearReason {
    pub(super) fn is_other(&self) -> bool {
        matches!(self, NearReason::OtherSegment { .. })
    }

    /// How far that is from a match: the nearest come first.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            NearReason::LetterCase => 0,
            NearReason::Spelling { .. } => 1,
            NearReason::OneStar { .. } => 2,
            NearReason::FlatSyntax => 3,
            NearReason::ExtraSegment { .. } | NearReason::MissingSegment { .. } => 4,
            NearReason::OtherSegment { .. } => 5,
        }
    }
}

impl fmt::Display for NearMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (pattern, topic) = (&self.pattern, &self.topic);
        match &self.reason {
            NearReason::LetterCase => write!(
                f,
                "`{pattern}` and `{topic}` differ in capital and small letters, which count"
            ),
            NearReason::Spelling { asked, found } => write!(
                f,
                "`{pattern}` has `{asked}` where `{topic}` has `{found}`: a slip of the pen?"
            ),
            NearReason::OneStar { matching } => write!(
                f,
                "in `{pattern}` a `*` stands for exactly one segment; `{matching}` would match `{topic}`"
            ),
            NearReason::FlatSyntax => write!(
                f,
                "`{pattern}` would match `{topic}` in flat syntax only: here `*` and `?` match no dot"
            ),
            NearReason::ExtraSegment { found } => write!(
                f,
                "`{topic}` has a segment more than `{pattern}` asks for: `{found}`"
            ),
            NearReason::MissingSegment { asked } => write!(
                f,
                "`{topic}` has a segment less than `{pattern}` asks for: nothing stands for `{asked}`"
            ),
            NearReason::OtherSegment { asked, found } => write!(
                f,
                "`{pattern}` asks for `{asked}` where `{topic}` has `{found}`; all else matches"
            ),
        }
    }
}

impl NearMiss {
    /// Why a pattern does not match a topic, if it nearly does; `None` if it matches, or is far from it.
    ///
    /// ```
    /// # use chanbus::{NearMiss, Pattern};
    /// let miss = NearMiss::between(&Pattern::new("scan.*.done")?, "scan.done").unwrap();
    /// assert_eq!(
    ///     miss.to_string(),
    ///     "`scan.done` has a segment less than `scan.*.done` asks for: nothing stands for `*`"
    /// );
    /// # Ok::<(), chanbus::PatternError>(())
    /// ```
    #[must_use]
    pub fn between(pattern: &Pattern, topic: &str) -> Option<Self> {
        if pattern.matches(topic) {
            return None;
        }
        let reason = reason(pattern, topic)?;
        Some(NearMiss {
            pattern: pattern.clone(),
            topic: topic.to_owned(),
            reason,
        })
    }
}

fn reason(pattern: &Pattern, topic: &str) -> Option<NearReason> {
    let text = pattern.as_str();
    let syntax = pattern.syntax();
    let read = |text: &str| Pattern::with_syntax(text, syntax).ok();
    let would = |text: &str| read(text).is_some_and(|pattern| pattern.matches(topic));

    let lower = topic.to_lowercase();
    if read(&text.to_lowercase()).is_some_and(|pattern| pattern.matches(&lower)) {
        return Some(NearReason::LetterCase);
    }
    let asked: Vec<&str> = text.split('.').collect();
    let found: Vec<&str> = topic.split('.').collect();
    let few = asked.len() <= MANY && found.len() <= MANY;
    let by_segment = if few {
        one_segment(pattern, &asked, &found)
    } else {
        None
    };
    if let Some(spelling @ NearReason::Spelling { .. }) = by_segment {
        return Some(spelling);
    }
    if pattern.is_exact() && near_text(text, topic) {
        let mut others = asked
            .iter()
            .zip(&found)
            .filter(|(ours, theirs)| ours != theirs);
        // The segment alone, if it is one.
        let (ours, theirs) = match (others.next(), others.next()) {
            (Some((ours, theirs)), None) if asked.len() == found.len() => (*ours, *theirs),
            _ => (text, topic),
        };
        return Some(NearReason::Spelling {
            asked: ours.to_owned(),
            found: theirs.to_owned(),
        });
    }
    if syntax == Syntax::Segmented && found.len() > asked.len() && asked.contains(&"*") {
        let stars: Vec<&str> = asked
            .iter()
            .map(|segment| if *segment == "*" { "**" } else { segment })
            .collect();
        // Only as many as it takes, if the last does.
        let last = text.strip_suffix('*').map(|before| format!("{before}**"));
        let all = stars.join(".");
        if let Some(matching) = last.into_iter().chain([all]).find(|text| would(text)) {
            return Some(NearReason::OneStar { matching });
        }
    }
    // The other way round there is none: flat patterns match more.
    let flat = || Pattern::flat(text).is_ok_and(|pattern| pattern.matches(topic));
    if syntax == Syntax::Segmented && flat() {
        return Some(NearReason::FlatSyntax);
    }
    let shifted = if few {
        one_more_or_less(pattern, &asked, &found)
    } else {
        None
    };
    shifted.or(by_segment)
}

/// One segment is another; the rest, of which there is some, matches.
fn one_segment(pattern: &Pattern, all_asked: &[&str], found: &[&str]) -> Option<NearReason> {
    let wild = |segment: &str| segment.contains(['*', '?']);
    let mut best: Option<NearReason> = None;
    for (place, theirs) in found.iter().enumerate() {
        for ours in all_asked.iter().filter(|ours| !wild(ours)) {
            if ours == theirs || !replaced(pattern, found, place, ours) {
                continue;
            }
            let (asked, found_there) = ((*ours).to_owned(), (*theirs).to_owned());
            if near_text(ours, theirs) {
                return Some(NearReason::Spelling {
                    asked,
                    found: found_there,
                });
            }
            // Else any two topics of one segment would be near.
            if found.iter().any(|segment| all_asked.contains(segment)) {
                best = best.or(Some(NearReason::OtherSegment {
                    asked,
                    found: found_there,
                }));
            }
        }
    }
    best
}

fn replaced(pattern: &Pattern, found: &[&str], place: usize, by: &str) -> bool {
    let mut segments = found.to_vec();
    if let Some(segment) = segments.get_mut(place) {
        *segment = by;
    }
    pattern.matches(&segments.join("."))
}

/// The topic has one segment too many, or too few.
fn one_more_or_less(pattern: &Pattern, asked: &[&str], found: &[&str]) -> Option<NearReason> {
    for (place, segment) in found.iter().enumerate().rev() {
        let mut fewer = found.to_vec();
        fewer.remove(place);
        if !fewer.is_empty() && pattern.matches(&fewer.join(".")) {
            return Some(NearReason::ExtraSegment {
                found: (*segment).to_owned(),
            });
        }
    }
    // Else any topic would be near `ui.**`.
    if !found.iter().any(|segment| asked.contains(segment)) {
        return None;
    }
    // Wildcards first, which many a segment could stand for.
    let (wild, plain): (Vec<&str>, Vec<&str>) = asked
        .iter()
        .filter(|ours| **ours != "**")
        .partition(|ours| ours.contains(['*', '?']));
    for ours in wild.into_iter().chain(plain) {
        // Where it stands for any text, any will do.
        let filler: String = ours.replace(['*', '?'], "x");
        for place in 0..=found.len() {
            let mut more = found.to_vec();
            more.insert(place, &filler);
            if pattern.matches(&more.join(".")) {
                return Some(NearReason::MissingSegment {
                    asked: ours.to_owned(),
                });
            }
        }
    }
    None
}

/// Texts that a slip of the pen makes of one another: short ones differ in one letter, others in two.
fn near_text(one: &str, other: &str) -> bool {
    if one.len() > LONG || other.len() > LONG {
        return false;
    }
    let shorter = one.chars().count().min(other.chars().count());
    let allowed = match shorter {
        0..=2 => 0,
        3..=4 => 1,
        _ => 2,
    };
    distance(one, other) <= allowed
}

/// How many letters are to be put in, taken out, changed, or swapped with their neighbour.
fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.chars().collect();
    let other: Vec<char> = other.chars().collect();
    if one.len().abs_diff(other.len()) > 2 {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let changed = last[j] + usize::from(a != b);
            let mut least = changed.min(last[j + 1] + 1).min(row[j] + 1);
            let swapped = i > 0 && j > 0 && one[i - 1] == *b && other[j - 1] == *a;
            if swapped {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::distance;

    #[test]
    fn distances_count_letters_in_out_changed_and_swapped() {
        let cases = [
            ("started", "started", 0),
            ("started", "strated", 1),
            ("started", "startd", 1),
            ("started", "startedd", 1),
            ("started", "stopped", 3),
            ("", "ab", 2),
            ("a", "abcd", usize::MAX),
            ("ä", "a", 1),
        ];
        for (one, other, expected) in cases {
            assert_eq!(distance(one, other), expected, "{one} {other}");
            assert_eq!(distance(other, one), expected, "{other} {one}");
        }
    }
}
