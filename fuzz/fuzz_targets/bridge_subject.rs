//! Any topic as a subject, any subject as a topic, any patterns as what to subscribe to: what is written reads as it
//! was, and no topic that a pattern matches is missed.
#![no_main]

use arbitrary::Arbitrary;
use chanbus::{Escape, Pattern, SubjectError, SubjectMapping, Syntax, Topic};
use chanbus_fuzz::Name;
use libfuzzer_sys::fuzz_target;

#[derive(Debug, Arbitrary)]
struct Input {
    prefix: Option<Name>,
    refuse: bool,
    topics: Vec<Name>,
    patterns: Vec<(Name, bool)>,
    raw: String,
}

/// One that NATS takes, and that is not its own.
fn check_subject(subject: &str, prefixed: bool) {
    assert!(subject.len() <= SubjectMapping::MAX_LEN);
    assert!(
        !subject.contains([' ', '\t', '\r', '\n', '\0']),
        "{subject:?}"
    );
    assert!(
        !subject
            .split('.')
            .any(|token| matches!(token, "" | "*" | ">")),
        "{subject:?}"
    );
    let first = subject.split('.').next().unwrap_or_default();
    let own = first.starts_with('$') || matches!(first, "_INBOX" | "_CHANBUS");
    assert!(prefixed || !own, "{subject:?}");
}

fn check_topic(mapping: &SubjectMapping, topic: &Topic) -> Option<String> {
    match mapping.subject(topic) {
        Ok(subject) => {
            check_subject(&subject, mapping.prefix().is_some());
            assert_eq!(mapping.topic(&subject).as_ref(), Ok(topic));
            Some(subject)
        }
        Err(SubjectError::Reserved { .. }) if mapping.escape() == Escape::Refuse => None,
        Err(SubjectError::TooLong { .. }) if mapping.prefix().is_some() => None,
        Err(error) => panic!("{topic}: {error}"),
    }
}

/// As it comes from a server.
fn check_read(mapping: &SubjectMapping, subject: &str) {
    match mapping.topic(subject) {
        Ok(topic) => {
            if let Some(again) = check_topic(mapping, &topic) {
                assert!(mapping.escape() == Escape::Percent || again == subject);
                assert!(subject.contains('%') || again == subject);
            } else {
                assert!(subject.len() > Topic::MAX_LEN, "{subject:?}");
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fuzz_target!(|input: Input| {
    let escape = [Escape::Percent, Escape::Refuse][usize::from(input.refuse)];
    let prefix = input.prefix.as_ref().map(|name| name.0.as_str());
    let mapping = match SubjectMapping::new(prefix, escape) {
        Ok(mapping) => mapping,
        Err(SubjectError::Prefix(error)) => {
            assert_eq!(Topic::new(prefix.unwrap_or_default()), Err(error));
            return;
        }
        Err(error) => {
            assert!(error.is_reserved() || matches!(error, SubjectError::TooLong { .. }));
            return;
        }
    };
    let raw = [input.raw.as_str()];
    let names = input.topics.iter().take(8).map(|name| name.0.as_str());
    let texts: Vec<&str> = names.chain(raw).collect();
    let mut known = Vec::new();
    for text in &texts {
        check_read(&mapping, text);
        if let Some(prefix) = mapping.prefix() {
            check_read(&mapping, &format!("{prefix}.{text}"));
        }
        if let Ok(topic) = Topic::new(text)
            && let Some(subject) = check_topic(&mapping, &topic)
        {
            known.push((topic, subject));
        }
    }
    let syntaxes = [Syntax::Segmented, Syntax::Flat];
    let named = input.patterns.iter().take(6);
    let named = named.map(|(name, flat)| (name.0.as_str(), syntaxes[usize::from(*flat)]));
    let patterns: Vec<Pattern> = named
        .chain([(raw[0], Syntax::Segmented)])
        .filter_map(|(text, syntax)| Pattern::with_syntax(text, syntax).ok())
        .filter(|pattern| mapping.filters(pattern).is_ok())
        .collect();
    let cover = mapping.cover(&patterns).expect("each for itself is fine");
    for pattern in &patterns {
        let filters = mapping.filters(pattern).expect("as before");
        assert!(matches!(filters.len(), 1 | 2));
        for filter in &filters {
            assert!(cover.iter().any(|kept| kept.includes(filter)));
            assert!(filter.as_str().len() <= SubjectMapping::MAX_LEN);
        }
        for (topic, subject) in known.iter().filter(|(topic, _)| pattern.matches(topic)) {
            let hit = |filters: &[chanbus::SubjectFilter]| {
                filters.iter().any(|filter| filter.matches(subject))
            };
            assert!(hit(&filters) && hit(&cover), "{pattern} misses {topic}");
        }
    }
    for (place, one) in cover.iter().enumerate() {
        for (other_place, other) in cover.iter().enumerate() {
            assert_eq!(one.includes(other), place == other_place, "{one} {other}");
        }
    }
});
