//! Properties, with text that is out for trouble.

use std::collections::BTreeSet;

use chanbus::{Escape, Pattern, SubjectMapping, Syntax, Topic};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;

use crate::{any_matches, is_exact};

/// The same cases on every run, so that a failure belongs to the change that caused it.
fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 1_500,
        rng_seed: RngSeed::Fixed(14_222),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// What NATS or the escapes give a meaning to, whole or in pieces.
fn piece() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        ">", "%", "$", "_", "%25", "%3E", "%3e", "%24", "%5F", "%5f", "%5FINBOX", "_INBOX",
        "_CHANBUS", "INBOX", "CHANBUS", "25", "3E", "24", "a", "b", "è", "🦀",
    ];
    prop_oneof![
        8 => select(PIECES).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ]
}

fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => piece(),
        1 => prop::collection::vec(piece(), 1..4).prop_map(|pieces| pieces.concat()),
    ]
}

fn topic() -> impl Strategy<Value = Topic> {
    prop::collection::vec(segment(), 1..5)
        .prop_filter_map("no topic", |segments| Topic::new(segments.join(".")).ok())
}

fn mapping() -> impl Strategy<Value = SubjectMapping> {
    let prefix = prop_oneof![
        Just(None),
        topic().prop_map(Some),
        Just(Topic::new("shop.eu").ok())
    ];
    let escape = select(&[Escape::Percent, Escape::Refuse][..]);
    (prefix, escape).prop_filter_map("a refused prefix", |(prefix, escape)| {
        SubjectMapping::new(prefix.as_deref(), escape).ok()
    })
}

/// A pattern, and a topic that it matches: wildcards are filled in.
fn pattern_and_topic() -> impl Strategy<Value = (Pattern, Topic)> {
    let syntax = select(&[Syntax::Segmented, Syntax::Flat][..]);
    let wild = prop_oneof![
        3 => segment().prop_map(|text| vec![(text.clone(), text)]),
        2 => segment().prop_map(|text| vec![("*".to_owned(), text)]),
        2 => prop::collection::vec(segment(), 0..3).prop_map(|texts| vec![("**".to_owned(), texts.join("."))]),
        2 => prop::collection::vec(in_segment(), 1..4),
    ];
    (syntax, prop::collection::vec(wild, 1..5)).prop_filter_map(
        "no such pattern",
        |(syntax, segments)| {
            let (mut pattern, mut topic) = (Vec::new(), Vec::new());
            for segment in segments {
                let (asked, found): (Vec<_>, Vec<_>) = segment.into_iter().unzip();
                pattern.push(asked.concat());
                topic.push(found.concat());
            }
            topic.retain(|segment| !segment.is_empty());
            let pattern = Pattern::with_syntax(pattern.join("."), syntax).ok()?;
            let topic = Topic::new(topic.join(".")).ok()?;
            pattern.matches(&topic).then_some((pattern, topic))
        },
    )
}

/// A part of a segment, or a wildcard in it with what it stands for. A `.` counts in flat patterns only.
fn in_segment() -> impl Strategy<Value = (String, String)> {
    prop_oneof![
        piece().prop_map(|text| (text.clone(), text)),
        "[a.>%$]{0,3}".prop_map(|text| ("*".to_owned(), text)),
        "[a.>%$è]".prop_map(|text| ("?".to_owned(), text)),
    ]
}

/// Any subject a client may send to: nearly a topic's, or anything.
fn subject() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::collection::vec(segment(), 1..5).prop_map(|tokens| tokens.join(".")),
        1 => any::<String>(),
        1 => (segment(), 0_usize..1_500).prop_map(|(text, times)| text.repeat(times)),
    ]
}

/// Whether every `%` in a subject begins an escape that is read there. The prefix is off.
fn is_well_escaped(subject: &str, bare: bool) -> bool {
    subject.split('.').enumerate().all(|(index, token)| {
        let first = index == 0 && bare;
        let rest = match token {
            "%3E" => "",
            "%5FINBOX" | "%5FCHANBUS" if first => "",
            _ if first => token.strip_prefix("%24").unwrap_or(token),
            _ => token,
        };
        rest.split('%').skip(1).all(|after| after.starts_with("25"))
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn every_topic_comes_back_and_no_two_share_a_subject(mapping in mapping(), topics in prop::collection::vec(topic(), 1..6)) {
        let mut seen = BTreeSet::new();
        for topic in topics.iter().collect::<BTreeSet<_>>() {
            let subject = match mapping.subject(topic) {
                Ok(subject) => subject,
                Err(error) => {
                    prop_assert_eq!(mapping.escape(), Escape::Refuse);
                    prop_assert!(error.is_reserved(), "{}", error);
                    continue;
                }
            };
            prop_assert_eq!(&mapping.topic(&subject).unwrap(), topic);
            prop_assert!(async_nats::Subject::from(subject.as_str()).is_valid());
            prop_assert!(!subject.split('.').any(|token| matches!(token, "*" | ">")), "{}", subject);
            let first = subject.split('.').next().unwrap();
            prop_assert!(!first.starts_with('$') && first != "_INBOX" && first != "_CHANBUS", "{}", subject);
            prop_assert!(seen.insert(subject), "{}", topic);
        }
    }

    #[test]
    fn any_subject_is_read_or_refused_and_never_panics(mapping in mapping(), subject in subject(), below in any::<bool>()) {
        let bare = mapping.prefix().is_none();
        let sent = match mapping.prefix() {
            Some(prefix) if below => format!("{prefix}.{subject}"),
            _ => subject.clone(),
        };
        match mapping.topic(&sent) {
            Ok(topic) => {
                prop_assert!(bare || sent.split_at(mapping.prefix().unwrap().len()).1.starts_with('.'));
                let Ok(written) = mapping.subject(&topic) else {
                    // Only for its length, which the prefix and a run of `%` may reach.
                    prop_assert!(topic.matches('%').count() > 500);
                    return Ok(());
                };
                prop_assert_eq!(&mapping.topic(&written).unwrap(), &topic);
                let after = if bare { &sent[..] } else { &sent[mapping.prefix().unwrap().len() + 1..] };
                let same = mapping.escape() == Escape::Refuse || is_well_escaped(after, bare);
                prop_assert_eq!(written == sent, same, "{} {}", sent, written);
            }
            Err(error) => {
                let shown = error.to_string();
                prop_assert!(sent.starts_with(error.text()));
                prop_assert!(error.text().len() <= SubjectMapping::MAX_LEN);
                prop_assert!(error.offset().is_none_or(|offset| sent.is_char_boundary(offset)));
                prop_assert!(!shown.contains(char::is_control), "{}", shown);
                prop_assert!(bare || below || error.is_outside() || sent.starts_with(mapping.prefix().unwrap()));
            }
        }
    }

    #[test]
    fn filters_miss_no_topic_that_the_pattern_matches(mapping in mapping(), (pattern, topic) in pattern_and_topic(), other in topic()) {
        let filters = match mapping.filters(&pattern) {
            Ok(filters) => filters,
            Err(error) => {
                prop_assert!(error.is_reserved() && mapping.escape() == Escape::Refuse, "{}", error);
                prop_assert!(error.text() == pattern.as_str());
                // What spells out such a segment asks for topics only that have no subject.
                prop_assert!(mapping.subject(&topic).is_err(), "{} {}", pattern, topic);
                return Ok(());
            }
        };
        prop_assert!((1..=2).contains(&filters.len()));
        if let Ok(subject) = mapping.subject(&topic) {
            prop_assert!(any_matches(&filters, &subject), "{:?} {:?} {}", pattern, filters, subject);
        }
        if is_exact(&pattern) && let Ok(subject) = mapping.subject(&other) {
            prop_assert_eq!(any_matches(&filters, &subject), pattern.matches(&other), "{:?} {}", pattern, other);
        }
    }

    #[test]
    fn a_cover_loses_nothing_and_holds_nothing_twice(mapping in mapping(), asked in prop::collection::vec(pattern_and_topic(), 0..6), others in prop::collection::vec(topic(), 6)) {
        let (patterns, topics): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
        let Ok(cover) = mapping.cover(&patterns) else {
            prop_assert!(patterns.iter().any(|pattern| mapping.filters(pattern).is_err()));
            return Ok(());
        };
        let all: Vec<_> = patterns.iter().flat_map(|pattern| mapping.filters(pattern).unwrap()).collect();
        for topic in topics.iter().chain(&others) {
            if let Ok(subject) = mapping.subject(topic) {
                prop_assert_eq!(any_matches(&cover, &subject), any_matches(&all, &subject));
            }
        }
        for (index, filter) in cover.iter().enumerate() {
            prop_assert!(!cover.iter().enumerate().any(|(other, wide)| other != index && wide.includes(filter)), "{:?}", cover);
        }
        // In the order in which they were asked for.
        let mut rest = all.iter();
        prop_assert!(cover.iter().all(|filter| rest.any(|asked| asked == filter)), "{:?} {:?}", cover, all);
    }
}
