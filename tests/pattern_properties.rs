//! Patterns against slow and obvious twins: a naive matcher, and plain enumeration of topics.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use chanbus::{Pattern, Syntax, Topic};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

/// The same cases on every run, so that a failure belongs to the change that caused it.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(47),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Matches by the definition, trying everything. It reads the text as written, not the canonical one.
fn naive(pattern: &str, syntax: Syntax, topic: &str) -> bool {
    let characters = |text: &str| text.chars().collect::<Vec<_>>();
    match syntax {
        Syntax::Flat => naive_glob(&characters(pattern), &characters(topic)),
        Syntax::Segmented => {
            let pattern: Vec<_> = pattern.split('.').map(characters).collect();
            let topic: Vec<_> = topic.split('.').map(characters).collect();
            naive_segments(&pattern, &topic)
        }
    }
}

fn naive_segments(pattern: &[Vec<char>], topic: &[Vec<char>]) -> bool {
    match pattern.split_first() {
        None => topic.is_empty(),
        Some((first, rest)) if **first == ['*', '*'] => {
            (0..=topic.len()).any(|taken| naive_segments(rest, &topic[taken..]))
        }
        Some((first, rest)) => topic
            .split_first()
            .is_some_and(|(head, tail)| naive_glob(first, head) && naive_segments(rest, tail)),
    }
}

fn naive_glob(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|taken| naive_glob(rest, &text[taken..])),
        Some((wanted, rest)) => text.split_first().is_some_and(|(found, tail)| {
            (*wanted == '?' || wanted == found) && naive_glob(rest, tail)
        }),
    }
}

/// Every text of `lengths` over `alphabet`.
fn texts(alphabet: &str, lengths: std::ops::RangeInclusive<usize>) -> Vec<String> {
    let mut all = Vec::new();
    let mut longest = vec![String::new()];
    for length in 1..=*lengths.end() {
        longest = longest
            .iter()
            .flat_map(|text| {
                alphabet
                    .chars()
                    .map(move |character| format!("{text}{character}"))
            })
            .collect();
        if lengths.contains(&length) {
            all.extend_from_slice(&longest);
        }
    }
    all
}

/// Every topic of up to 7 bytes over `a`, `b`, which patterns here use too, and `c`, which they do
/// not: a witness may need a letter that no pattern spells out.
fn small_topics() -> Vec<String> {
    let mut topics = texts("abc.", 1..=7);
    topics.retain(|text| Topic::new(text).is_ok());
    topics
}

/// Which of the topics a pattern matches, as bits.
fn matched(pattern: &Pattern, topics: &[String]) -> Vec<u64> {
    topics
        .chunks(64)
        .map(|chunk| {
            let bit = |(index, topic): (usize, &String)| u64::from(pattern.matches(topic)) << index;
            chunk.iter().enumerate().map(bit).sum()
        })
        .collect()
}

fn share(left: &[u64], right: &[u64]) -> bool {
    left.iter()
        .zip(right)
        .any(|(left, right)| left & right != 0)
}

fn cover(wide: &[u64], narrow: &[u64]) -> bool {
    wide.iter()
        .zip(narrow)
        .all(|(wide, narrow)| narrow & !wide == 0)
}

/// All pairs of small patterns, of both syntaxes and mixed: every answer must be the one that
/// enumeration gives. The topics are long enough for every witness that patterns this short need.
#[test]
fn relations_between_small_patterns_are_exact() {
    let topics = small_topics();
    let mut written = texts("ab*?.", 1..=3);
    written.extend(texts("a*.", 4..=4));
    let more = "a?*? ?a*b *a?b a?*b *.?* ?.?* ??*a ?*?? a.**.a a.*.** a.**.b **.aa **.*a *?.*";
    written.extend(more.split(' ').map(str::to_owned));
    let patterns: BTreeSet<Pattern> = written
        .iter()
        .flat_map(|text| [Pattern::new(text), Pattern::flat(text)])
        .filter_map(Result::ok)
        .collect();
    assert!(patterns.len() > 200, "{}", patterns.len());

    let patterns: Vec<_> = patterns
        .into_iter()
        .map(|pattern| (matched(&pattern, &topics), pattern))
        .collect();
    for (left_set, left) in &patterns {
        let everything = cover(left_set, &matched(&Pattern::new("**").unwrap(), &topics));
        assert_eq!(left.matches_everything(), everything, "{left:?}");
        for (right_set, right) in &patterns {
            assert_eq!(
                left.overlaps(right),
                share(left_set, right_set),
                "{left:?} overlaps {right:?}"
            );
            assert_eq!(
                left.includes(right),
                cover(left_set, right_set),
                "{left:?} includes {right:?}"
            );
            if left.syntax() == right.syntax() {
                assert_eq!(
                    left == right,
                    left_set == right_set,
                    "{left:?} is {right:?}"
                );
            }
        }
    }
}

#[test]
fn patterns_are_equal_ordered_and_hashed_by_syntax_and_canonical_text() {
    let hash = |pattern: &Pattern| BuildHasherDefault::<DefaultHasher>::default().hash_one(pattern);
    let flat = |text| Pattern::flat(text).unwrap();
    let segmented = |text| Pattern::new(text).unwrap();
    assert_eq!(segmented("a.**.**"), segmented("a.**"));
    assert_eq!(hash(&segmented("a.**.**")), hash(&segmented("a.**")));
    // Of different ones in the order of this list, each is less than all that come later.
    let all = [
        segmented("a.*"),
        segmented("a.**"),
        segmented("b"),
        flat("a.*"),
        flat("b"),
    ];
    for (at, one) in all.iter().enumerate() {
        for (place, other) in all.iter().enumerate() {
            let expected = at.cmp(&place);
            assert_eq!(one.cmp(other), expected, "{one} {other}");
            assert_eq!(one.partial_cmp(other), Some(expected), "{one} {other}");
            assert_eq!(one == other, at == place, "{one} {other}");
            assert_eq!(hash(one) == hash(other), at == place, "{one} {other}");
        }
    }
}

fn syntax() -> impl Strategy<Value = Syntax> {
    prop_oneof![Just(Syntax::Segmented), Just(Syntax::Flat)]
}

/// The text of a pattern in either syntax: only `**` as a segment has two stars in a row.
fn pattern_text() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        2 => Just("**".to_owned()),
        2 => Just("*".to_owned()),
        4 => r"(\*?[ab?é]){1,3}\*?",
        2 => "[ab]{1,2}",
    ];
    prop::collection::vec(segment, 1..6).prop_map(|segments| segments.join("."))
}

fn topic_text() -> impl Strategy<Value = String> {
    prop::collection::vec("[abcé]{1,3}", 1..7).prop_map(|segments| segments.join("."))
}

/// A pattern and the text it came from.
fn pattern() -> impl Strategy<Value = (String, Pattern)> {
    (pattern_text(), syntax()).prop_map(|(text, syntax)| {
        let pattern = Pattern::with_syntax(&text, syntax).unwrap_or_else(|error| panic!("{error}"));
        (text, pattern)
    })
}

proptest! {
    #![proptest_config(config(800))]

    #[test]
    fn matching_agrees_with_the_definition((text, pattern) in pattern(), topics in prop::collection::vec(topic_text(), 8)) {
        for topic in &topics {
            prop_assert_eq!(pattern.matches(topic), naive(&text, pattern.syntax(), topic), "{} {:?} {}", text, pattern, topic);
        }
    }

    #[test]
    fn the_canonical_form_is_its_own_canonical_form((text, pattern) in pattern()) {
        let again = Pattern::with_syntax(pattern.as_str(), pattern.syntax()).unwrap();
        prop_assert_eq!(again.as_str(), pattern.as_str());
        prop_assert!(pattern.as_str().len() <= text.len());
        prop_assert_eq!(again, pattern);
    }

    #[test]
    fn the_canonical_form_matches_what_was_written((text, pattern) in pattern(), topics in prop::collection::vec(topic_text(), 8)) {
        for topic in &topics {
            let syntax = pattern.syntax();
            prop_assert_eq!(naive(pattern.as_str(), syntax, topic), naive(&text, syntax, topic), "{} {:?} {}", text, pattern, topic);
        }
    }

    #[test]
    fn relations_are_borne_out_by_topics((_, left) in pattern(), (_, right) in pattern(), topics in prop::collection::vec(topic_text(), 16)) {
        let (overlap, includes) = (left.overlaps(&right), left.includes(&right));
        prop_assert_eq!(overlap, right.overlaps(&left));
        prop_assert!(left.overlaps(&left) && left.includes(&left));
        prop_assert!(overlap || !includes, "{:?} {:?}", left, right);
        if includes && right.includes(&left) && left.syntax() == right.syntax() {
            prop_assert_eq!(&left, &right);
        }
        for topic in &topics {
            let (by_left, by_right) = (left.matches(topic), right.matches(topic));
            prop_assert!(overlap || !(by_left && by_right), "{:?} and {:?} overlap in {}", left, right, topic);
            prop_assert!(!includes || by_left || !by_right, "{:?} does not include {:?}: {}", left, right, topic);
        }
    }

    #[test]
    fn an_exact_pattern_relates_as_its_topic_matches((_, pattern) in pattern(), topic in topic_text()) {
        let exact = Pattern::exact(&Topic::new(&topic).unwrap());
        prop_assert_eq!(pattern.includes(&exact), pattern.matches(&topic));
        prop_assert_eq!(pattern.overlaps(&exact), pattern.matches(&topic));
        prop_assert_eq!(exact.includes(&pattern), pattern.is_exact() && pattern.as_str() == topic);
    }

    #[test]
    fn hostile_text_is_answered_and_never_panics(text in hostile_text()) {
        match Topic::new(&text) {
            Ok(topic) => prop_assert_eq!(topic.as_str(), &text),
            Err(error) => check_error(&text, error.topic(), error.offset(), &error.to_string())?,
        }
        for syntax in [Syntax::Segmented, Syntax::Flat] {
            match Pattern::with_syntax(&text, syntax) {
                Ok(pattern) => prop_assert_eq!(Topic::new(&text).is_ok(), pattern.is_exact()),
                Err(error) => check_error(&text, error.pattern(), error.offset(), &error.to_string())?,
            }
        }
        if let Ok(pattern) = Pattern::new("a*.**") {
            pattern.matches(&text);
        }
    }
}

fn hostile_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ab.*?é🦀\\[\\]{} \n]{0,12}",
        ("[a*?é.]{0,5}", 0_usize..600).prop_map(|(text, times)| text.repeat(times)),
    ]
}

fn check_error(text: &str, culprit: &str, offset: usize, shown: &str) -> Result<(), TestCaseError> {
    prop_assert!(text.starts_with(culprit));
    prop_assert!(culprit.len() <= Topic::MAX_LEN);
    prop_assert!(
        culprit.is_char_boundary(offset),
        "{} in {:?}",
        offset,
        culprit
    );
    prop_assert!(shown.contains(&format!("at byte {offset}: ")), "{}", shown);
    prop_assert!(shown.len() < 1_000, "{}", shown);
    prop_assert!(!shown.contains(char::is_control), "{}", shown);
    Ok(())
}
