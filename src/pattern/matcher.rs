//! Matching a topic against a compiled pattern, in time bounded by the product of their lengths.

use wildmatch::WildMatch;

use super::{Segment, Shape};

/// A piece of text with wildcards in it, and the cheapest way to match it.
#[derive(Clone, Debug)]
pub(crate) struct Glob {
    text: Box<str>,
    /// How much of `text` comes before the first wildcard.
    prefix: usize,
    /// Where in `text` the last wildcard ends.
    suffix: usize,
    /// What lies between; `None` if that is a lone `*`, which needs no look.
    middle: Option<WildMatch>,
}

impl Glob {
    /// Compiles a canonical text that has a wildcard.
    pub(super) fn new(text: &str) -> Self {
        let wildcard = ['*', '?'];
        let prefix = text.find(wildcard).unwrap_or(text.len());
        let suffix = text.rfind(wildcard).map_or(text.len(), |at| at + 1);
        let middle = &text[prefix..suffix];
        Self {
            text: text.into(),
            prefix,
            suffix,
            middle: (middle != "*").then(|| WildMatch::new(middle)),
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The literal text before the first wildcard.
    pub(crate) fn prefix(&self) -> &str {
        &self.text[..self.prefix]
    }

    /// The literal text after the last wildcard.
    pub(crate) fn suffix(&self) -> &str {
        &self.text[self.suffix..]
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        // One after the other, so that no character counts for both.
        let Some(middle) = text
            .strip_prefix(self.prefix())
            .and_then(|rest| rest.strip_suffix(self.suffix()))
        else {
            return false;
        };
        self.middle.as_ref().is_none_or(|wild| wild.matches(middle))
    }
}

impl Segment {
    /// Whether this one segment of a pattern matches one segment of a topic.
    fn matches(&self, segment: &str) -> bool {
        match self {
            Self::Literal(text) => **text == *segment,
            Self::Star | Self::DoubleStar => true,
            Self::Glob(glob) => glob.matches(segment),
        }
    }
}

/// Whether the pattern of this shape and text matches a text that is known to be a topic.
pub(super) fn matches(shape: &Shape, text: &str, topic: &str) -> bool {
    match shape {
        Shape::Exact => text == topic,
        Shape::Segments(segments) => match_segments(segments, topic),
        Shape::Flat(glob) => glob.matches(topic),
    }
}

/// Walks pattern and topic side by side. Where they part, the last `**` takes one segment more and
/// the walk resumes behind it; earlier ones need no second try, because whatever a longer match of
/// theirs would reach, the last one reaches too. So each segment of the pattern meets each segment
/// of the topic at most once.
fn match_segments(pattern: &[Segment], topic: &str) -> bool {
    let mut at = 0;
    let mut rest = Some(topic);
    let mut retry = None;
    loop {
        match (pattern.get(at), rest) {
            (None, None) => return true,
            (Some(Segment::DoubleStar), _) => {
                at += 1;
                if at == pattern.len() {
                    return true;
                }
                retry = Some((at, rest));
                continue;
            }
            (Some(segment), Some(text)) => {
                count_step();
                let (head, tail) = split_first(text);
                if segment.matches(head) {
                    at += 1;
                    rest = tail;
                    continue;
                }
            }
            // The topic ran out first, and a longer `**` would leave even less of it.
            (Some(_), None) => return false,
            (None, Some(_)) => {}
        }
        let Some((after, Some(text))) = retry else {
            return false;
        };
        at = after;
        rest = split_first(text).1;
        retry = Some((after, rest));
    }
}

/// The first segment, and what follows its dot.
fn split_first(text: &str) -> (&str, Option<&str>) {
    match text.split_once('.') {
        Some((head, tail)) => (head, Some(tail)),
        None => (text, None),
    }
}

#[cfg(not(test))]
fn count_step() {}

#[cfg(test)]
fn count_step() {
    tests::STEPS.with(|steps| steps.set(steps.get() + 1));
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::Pattern;

    thread_local! {
        pub(super) static STEPS: Cell<usize> = const { Cell::new(0) };
    }

    fn matches(pattern: &str, topic: &str) -> bool {
        Pattern::new(pattern).unwrap().matches(topic)
    }

    #[test]
    fn trap_43_double_star_matches_anywhere_and_any_number() {
        assert!(matches("**.a", "a.b.a"));
        assert!(matches("**.a", "a"));
        assert!(!matches("a.*.**", "a"));
        assert!(matches("a.*.**", "a.b"));
        assert!(matches("a.**.b.**.c", "a.b.b.x.c"));
        assert!(!matches("a.**.b.**.c", "a.b.b.x"));
        assert_eq!(Pattern::new("**.**").unwrap(), Pattern::new("**").unwrap());
    }

    #[test]
    fn trap_45_steps_stay_within_the_product_of_the_lengths() {
        for size in [4_usize, 16, 64] {
            let pattern = format!("{}b", "**.a.".repeat(size));
            let topic = vec!["a"; 4 * size].join(".");
            STEPS.with(|steps| steps.set(0));
            assert!(!matches(&pattern, &topic));
            let steps = STEPS.with(Cell::get);
            assert!(
                (4 * size..=8 * size * size).contains(&steps),
                "{size}: {steps}"
            );
        }
    }

    #[test]
    fn trap_45_hostile_patterns_of_full_length_come_to_an_end() {
        // Exponential backtracking would not end within the age of the universe.
        let text = "a".repeat(1024);
        for pattern in ["*a".repeat(510) + "*b*", format!("*{}b*", "a?".repeat(250))] {
            assert!(!Pattern::flat(&pattern).unwrap().matches(&text));
            assert!(!matches(&pattern, &text));
        }
    }

    #[test]
    fn trap_46_question_mark_is_one_scalar() {
        assert!(matches("?", "é"));
        assert!(!matches("??", "é"));
        assert!(matches("a.?", "a.🦀"));
        assert!(Pattern::flat("a?b").unwrap().matches("aéb"));
        assert!(matches("é*é", "éé"));
        assert!(!matches("é*é", "é"));
    }

    #[test]
    fn trap_47_what_is_no_topic_is_matched_by_nothing() {
        for text in ["", ".", ".a", "a.", "a..b", "a b", "a.*"] {
            for pattern in ["**", "*", "a.**", "a.*", "**.a"] {
                assert!(!matches(pattern, text), "{pattern} {text}");
                assert!(
                    !Pattern::flat(pattern).unwrap().matches(text),
                    "{pattern} {text}"
                );
            }
        }
    }

    #[test]
    fn prefix_and_suffix_are_the_literal_ends() {
        let glob = super::Glob::new("ab*c?d");
        assert_eq!(
            (glob.prefix(), glob.suffix(), glob.text()),
            ("ab", "d", "ab*c?d")
        );
        assert!(glob.matches("abcxd") && glob.matches("ab_cc_d") && !glob.matches("abcd"));
        assert!(!super::Glob::new("aa*aa").matches("aaa"));
    }
}
