//! Runs every vector drawn from other systems' own test suites.

use chanbus::{Pattern, PatternError, Topic};

/// The rows of a table, without its heading, split into four columns.
fn rows(table: &'static str) -> impl Iterator<Item = [&'static str; 4]> {
    table.lines().skip(1).map(|line| {
        let columns: Vec<_> = line.split('\t').collect();
        columns
            .try_into()
            .unwrap_or_else(|_| panic!("four columns wanted: {line:?}"))
    })
}

fn pattern(result: Result<Pattern, PatternError>) -> Pattern {
    result.unwrap_or_else(|error| panic!("{error}"))
}

fn run_matches(
    table: &'static str,
    read: fn(&'static str) -> Result<Pattern, PatternError>,
) -> usize {
    let check = |[text, topic, expected, source]: [&'static str; 4]| {
        assert!(Topic::new(topic).is_ok(), "{topic}");
        let found = pattern(read(text)).matches(topic);
        assert_eq!(
            found.to_string(),
            expected,
            "{text} against {topic}, from {source}"
        );
    };
    rows(table).map(check).count()
}

#[test]
fn all_318_segmented_vectors_hold() {
    let table = include_str!("conformance/segmented.tsv");
    assert_eq!(run_matches(table, Pattern::new), 318);
}

#[test]
fn all_322_flat_vectors_hold() {
    let table = include_str!("conformance/flat.tsv");
    assert_eq!(run_matches(table, Pattern::flat), 322);
}

#[test]
fn all_51_algebra_vectors_hold() {
    let check = |[relation, left, right, expected]: [&str; 4]| {
        let (left, right) = (pattern(Pattern::new(left)), pattern(Pattern::new(right)));
        let found = match relation {
            "overlap" => {
                assert_eq!(
                    left.overlaps(&right),
                    right.overlaps(&left),
                    "{left} and {right}"
                );
                left.overlaps(&right)
            }
            "includes" => left.includes(&right),
            _ => panic!("unknown relation {relation}"),
        };
        assert_eq!(found.to_string(), expected, "{left} {relation} {right}");
    };
    let table = include_str!("conformance/algebra.tsv")
        .lines()
        .skip(1)
        .map(|line| {
            let columns: Vec<_> = line.split('\t').take(4).collect();
            <[&str; 4]>::try_from(columns).unwrap_or_else(|_| panic!("columns missing: {line:?}"))
        });
    assert_eq!(table.map(check).count(), 51);
}
