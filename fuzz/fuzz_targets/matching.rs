//! Two patterns and a topic: matching against a naive twin, and what the patterns say of one another.
#![no_main]

use arbitrary::Arbitrary;
use chanbus::{Pattern, Syntax, Topic};
use chanbus_fuzz::{Word, naive};
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input {
    left: (Word<12>, bool),
    right: (Word<12>, bool),
    topics: Vec<Word<12>>,
}

fn parse((text, flat): &(Word<12>, bool)) -> Option<(Pattern, &str)> {
    let syntax = [Syntax::Segmented, Syntax::Flat][usize::from(*flat)];
    let pattern = Pattern::with_syntax(&text.0, syntax).ok()?;
    Some((pattern, &text.0))
}

fuzz_target!(|input: Input| {
    let (Some((left, as_left)), Some((right, as_right))) =
        (parse(&input.left), parse(&input.right))
    else {
        return;
    };
    let (overlaps, includes) = (left.overlaps(&right), left.includes(&right));
    assert_eq!(overlaps, right.overlaps(&left));
    // No pattern is empty, so what includes another overlaps it.
    assert!(overlaps || !includes);
    assert!(!left.matches_everything() || includes);
    if left == right {
        assert!(includes && overlaps);
    }
    // Patterns make good topics, with their wildcards filled in.
    let filled = [as_left, as_right].map(|text| text.replace("**", "a.b").replace(['*', '?'], "a"));
    let topics = input.topics.iter().map(|word| word.0.as_str());
    for topic in topics.chain(filled.iter().map(String::as_str)).take(8) {
        let is_topic = Topic::new(topic).is_ok();
        let matches = |pattern: &Pattern, text: &str| {
            let matches = pattern.matches(topic);
            let expected = is_topic && naive(text, pattern.syntax(), topic);
            assert_eq!(matches, expected, "{pattern:?} (from {text}) and {topic}");
            matches
        };
        let (by_left, by_right) = (matches(&left, as_left), matches(&right, as_right));
        assert!(overlaps || !(by_left && by_right), "{topic} matches both");
        assert!(
            !includes || by_left || !by_right,
            "{topic} matches the narrow one alone"
        );
    }
});
