//! Topics as NATS subjects, and back; patterns as what to subscribe to: by the tables in the docs, by the conformance
//! vectors, and against plain twins.
#![cfg(feature = "nats")]
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "subject_mapping/hostile.rs"]
mod hostile;
#[path = "subject_mapping/refusals.rs"]
mod refusals;
#[path = "subject_mapping/tables.rs"]
mod tables;

use std::collections::BTreeSet;

use chanbus::{Escape, Pattern, SubjectFilter, SubjectMapping, Syntax, Topic};

fn mapping(prefix: Option<&str>, escape: Escape) -> SubjectMapping {
    SubjectMapping::new(prefix, escape).unwrap()
}

fn topic(text: &str) -> Topic {
    Topic::new(text).unwrap()
}

/// With and without a prefix, which may have something to escape itself, in both modes.
fn mappings() -> Vec<SubjectMapping> {
    let plain = [None, Some("p"), Some("shop.eu")].into_iter();
    let both = plain
        .flat_map(|prefix| [Escape::Percent, Escape::Refuse].map(|mode| mapping(prefix, mode)));
    both.chain([mapping(Some("$p.>.100%"), Escape::Percent)])
        .collect()
}

/// NATS' rule, written down again: `*` is one token, a last `>` one or more.
fn delivers(filter: &str, subject: &str) -> bool {
    fn rest(filter: &[&str], subject: &[&str]) -> bool {
        match (filter, subject) {
            ([], []) => true,
            ([">"], [_, ..]) => true,
            ([wanted, filter @ ..], [token, subject @ ..]) => {
                (*wanted == "*" || wanted == token) && rest(filter, subject)
            }
            _ => false,
        }
    }
    let filter: Vec<_> = filter.split('.').collect();
    let subject: Vec<_> = subject.split('.').collect();
    !subject.contains(&"") && rest(&filter, &subject)
}

fn any_matches(filters: &[SubjectFilter], subject: &str) -> bool {
    filters.iter().any(|filter| {
        let matches = filter.matches(subject);
        assert_eq!(
            matches,
            delivers(filter.as_str(), subject),
            "{filter} {subject}"
        );
        matches
    })
}

/// Whether the filters alone decide, by the docs.
fn is_exact(pattern: &Pattern) -> bool {
    let text = pattern.as_str();
    match pattern.syntax() {
        Syntax::Segmented => {
            let before = text.strip_suffix(".**").unwrap_or(text);
            text == "**"
                || before
                    .split('.')
                    .all(|segment| segment == "*" || !segment.contains(['*', '?']))
        }
        Syntax::Flat => {
            let before = text.strip_suffix(".*").unwrap_or(text);
            text == "*" || !before.contains(['*', '?'])
        }
    }
}

#[test]
fn literals_of_patterns_are_escaped_as_those_of_topics() {
    let percent = mapping(None, Escape::Percent);
    let filters = |pattern: Pattern| {
        let filters = percent.filters(&pattern).unwrap();
        filters.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for (text, expected) in [
        ("$SYS.*", vec!["%24SYS.*"]),
        ("_INBOX.**", vec!["%5FINBOX", "%5FINBOX.>"]),
        ("a.>.100%", vec!["a.%3E.100%25"]),
        ("*.$SYS", vec!["*.$SYS"]),
        ("$*", vec!["*"]),
        ("_INBOX*", vec!["*"]),
    ] {
        assert_eq!(filters(Pattern::new(text).unwrap()), expected, "{text}");
    }
    assert_eq!(filters(Pattern::flat("$a.>.b*").unwrap()), ["%24a.%3E.>"]);
    assert_eq!(filters(Pattern::flat("$*").unwrap()), [">"]);
}

#[test]
fn escapes_are_read_only_where_they_are_written() {
    let (bare, prefixed) = (
        mapping(None, Escape::Percent),
        mapping(Some("p"), Escape::Percent),
    );
    for (subject, expected) in [
        ("100%", "100%"),
        ("100%25", "100%"),
        ("100%2525", "100%25"),
        ("%", "%"),
        ("a.%3E", "a.>"),
        ("a.%3e", "a.%3e"),
        ("a%3E", "a%3E"),
        ("%253E", "%3E"),
        ("a.%24b", "a.%24b"),
        ("a.%5FINBOX", "a.%5FINBOX"),
        ("%5fINBOX", "%5fINBOX"),
        ("%5FINBOXES", "%5FINBOXES"),
        ("%41", "%41"),
    ] {
        assert_eq!(bare.topic(subject).unwrap(), expected, "{subject}");
        assert_eq!(
            prefixed.topic(&format!("p.{subject}")).unwrap(),
            expected,
            "{subject}"
        );
        // Nothing is read where nothing is written.
        assert_eq!(
            mapping(None, Escape::Refuse).topic(subject).unwrap(),
            subject
        );
    }
    for (subject, expected) in [
        ("%24", "$"),
        ("%24100%25.x", "$100%.x"),
        ("%5FINBOX.x", "_INBOX.x"),
        ("%5FCHANBUS", "_CHANBUS"),
    ] {
        assert_eq!(bare.topic(subject).unwrap(), expected, "{subject}");
        // Behind a prefix these are no escapes, but for `%25`.
        let kept = topic(&subject.replace("%25", "%"));
        assert_eq!(prefixed.topic(&format!("p.{subject}")), Ok(kept));
    }
}

#[test]
fn what_is_not_for_events_is_foreign_without_a_prefix_only() {
    for escape in [Escape::Percent, Escape::Refuse] {
        let (bare, prefixed) = (mapping(None, escape), mapping(Some("p"), escape));
        for subject in [
            "$JS.API.INFO",
            "$",
            "$SYS..x",
            "_INBOX.x.1",
            "_INBOX",
            "_CHANBUS.x",
        ] {
            let error = bare.topic(subject).unwrap_err();
            assert!(error.is_foreign(), "{subject}: {error}");
            assert_eq!((error.text(), error.offset()), (subject, Some(0)));
            assert!(error.to_string().contains("choose a prefix"), "{error}");
        }
        for text in ["$JS.API.INFO", "_INBOX.x", "_CHANBUS"] {
            let subject = prefixed.subject(&topic(text)).unwrap();
            assert_eq!(subject, format!("p.{text}"));
            assert_eq!(prefixed.topic(&subject).unwrap(), text);
        }
        for text in ["_INBOXES.a", "_INBOX_.a", "a.$b", "a._INBOX", "_"] {
            assert_eq!(bare.subject(&topic(text)).unwrap(), text);
            assert_eq!(bare.topic(text).unwrap(), text);
        }
    }
}

/// Every filter of up to three tokens, from patterns, with the subjects that it matches out of all small ones.
#[test]
fn filters_include_one_another_as_their_subjects_do() {
    let bare = mapping(None, Escape::Percent);
    let mut filters = BTreeSet::new();
    for text in lists(&["a", "b", "?", "**"], 3) {
        if let Ok(pattern) = Pattern::new(&text) {
            filters.extend(
                bare.filters(&pattern)
                    .unwrap()
                    .into_iter()
                    .map(|filter| (filter.to_string(), filter)),
            );
        }
    }
    let mut expected: BTreeSet<_> = lists(&["a", "b", "*", ">"], 3).into_iter().collect();
    expected.retain(|filter| !filter.contains(">."));
    assert_eq!(
        filters
            .iter()
            .map(|(text, _)| text.clone())
            .collect::<BTreeSet<_>>(),
        expected
    );

    // With empty tokens, too, which NATS lets nobody hear of.
    let subjects = lists(&["a", "b", "c", ""], 4);
    let matched: Vec<_> = filters
        .iter()
        .map(|(_, filter)| {
            let matches = |subject: &&String| any_matches(std::slice::from_ref(filter), subject);
            (
                filter,
                subjects.iter().filter(matches).collect::<BTreeSet<_>>(),
            )
        })
        .collect();
    for (left, by_left) in &matched {
        for (right, by_right) in &matched {
            assert_eq!(
                left.includes(right),
                by_left.is_superset(by_right),
                "{left} includes {right}"
            );
        }
    }
}

/// All lists of one to `longest` of these, with dots between.
fn lists(parts: &[&str], longest: usize) -> Vec<String> {
    let mut all: Vec<String> = parts.iter().map(ToString::to_string).collect();
    let mut last = all.clone();
    for _ in 1..longest {
        last = last
            .iter()
            .flat_map(|list| parts.iter().map(move |part| format!("{list}.{part}")))
            .collect();
        all.extend_from_slice(&last);
    }
    all
}

#[test]
fn a_cover_keeps_the_order_and_leaves_out_what_is_included() {
    let patterns = ["a.b.c", "x.*", "a.b.*", "x.y", "a.**", "x.*", "*.z"]
        .map(|text| Pattern::new(text).unwrap());
    let cover = mapping(Some("p"), Escape::Percent)
        .cover(&patterns)
        .unwrap();
    let cover: Vec<_> = cover.iter().map(SubjectFilter::as_str).collect();
    assert_eq!(cover, ["p.x.*", "p.a", "p.a.>", "p.*.z"]);
    assert_eq!(mapping(None, Escape::Percent).cover(&[]).unwrap(), []);
}
