//! The conformance vectors through NATS' rules, and the tables in the docs of `SubjectMapping`.

use chanbus::{Escape, Pattern, SubjectFilter, Syntax};

use crate::{any_matches, is_exact, mapping, mappings, topic};

const DOCS: &str = include_str!("../../src/bridge/subject/mod.rs");

/// Runs a table of pattern, topic and answer; says how many rows it has, and how many that NATS decides alone.
fn run_rows(table: &str, syntax: Syntax) -> (usize, usize) {
    let (mut count, mut exact) = (0, 0);
    for row in table.lines().skip(1) {
        let columns: Vec<_> = row.split('\t').collect();
        let (pattern, topic) = (
            Pattern::with_syntax(columns[0], syntax).unwrap(),
            topic(columns[1]),
        );
        let expected = columns[2] == "true";
        for mapping in mappings() {
            let subject = mapping.subject(&topic).unwrap();
            let heard = any_matches(&mapping.filters(&pattern).unwrap(), &subject);
            let read = mapping.topic(&subject).unwrap();
            assert_eq!(read, topic);
            assert_eq!(
                heard && pattern.matches(&read),
                expected,
                "{row}: {mapping:?}"
            );
            if is_exact(&pattern) {
                assert_eq!(heard, expected, "{row}: {mapping:?}");
            }
        }
        count += 1;
        exact += usize::from(is_exact(&pattern));
    }
    (count, exact)
}

#[test]
fn all_318_segmented_vectors_hold_through_nats() {
    let table = include_str!("../conformance/segmented.tsv");
    assert_eq!(run_rows(table, Syntax::Segmented), (318, 191));
}

#[test]
fn all_322_flat_vectors_hold_through_nats() {
    let table = include_str!("../conformance/flat.tsv");
    assert_eq!(run_rows(table, Syntax::Flat), (322, 65));
}

/// The rows of the table in the docs of `SubjectMapping` that has this first cell in its heading, without code marks.
fn documented(heading: &str) -> Vec<Vec<String>> {
    let lines = DOCS
        .lines()
        .map(|line| line.trim_start_matches("///").trim());
    let table = lines.skip_while(|line| !line.starts_with(&format!("| {heading} |")));
    let rows = table.skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        row.trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().replace('`', ""))
            .collect()
    })
    .collect()
}

#[test]
fn the_table_of_topics_in_the_docs_holds() {
    let (percent, refuse) = (
        mapping(None, Escape::Percent),
        mapping(None, Escape::Refuse),
    );
    let rows = documented("Topic");
    assert_eq!(rows.len(), 7);
    for row in rows {
        let [text, escaped, refused, _] = &row[..] else {
            panic!("{row:?}")
        };
        let topic = topic(text);
        assert_eq!(percent.subject(&topic).unwrap(), *escaped);
        assert_eq!(percent.topic(escaped).unwrap(), topic);
        match (refuse.subject(&topic), &refused[..]) {
            (Ok(subject), "the same") => assert_eq!(subject, *escaped),
            (Ok(subject), plain) => assert_eq!(subject, plain),
            (Err(error), _) => assert_eq!((error.is_reserved(), &refused[..]), (true, "an error")),
        }
    }
}

#[test]
fn the_table_of_patterns_in_the_docs_holds() {
    let rows = documented("Pattern");
    assert_eq!(rows.len(), 14);
    for row in rows {
        let [patterns, bare, prefixed, decided] = &row[..] else {
            panic!("{row:?}")
        };
        let (syntax, patterns) = match patterns.strip_prefix("flat ") {
            Some(patterns) => (Syntax::Flat, patterns),
            None => (Syntax::Segmented, &patterns[..]),
        };
        for text in patterns.split(", ") {
            let pattern = Pattern::with_syntax(text, syntax).unwrap();
            for (prefix, expected) in [(None, bare), (Some("p"), prefixed)] {
                for escape in [Escape::Percent, Escape::Refuse] {
                    let filters = mapping(prefix, escape).filters(&pattern).unwrap();
                    let filters: Vec<_> = filters.iter().map(SubjectFilter::as_str).collect();
                    assert_eq!(filters.join(", "), *expected, "{text}");
                }
            }
            assert_eq!(is_exact(&pattern), decided == "NATS", "{text}");
        }
    }
}
