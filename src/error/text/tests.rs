use super::*;
use crate::Pattern;

fn hint(pattern: &str) -> String {
    let text = Pattern::new(pattern).unwrap_err().to_string();
    text.rsplit_once("write ").unwrap().1.to_owned()
}

#[test]
fn star_runs_are_told_both_ways_to_write_them() {
    assert_eq!(hint("a**b"), "`a*b` or `a.**.b`");
    assert_eq!(hint("x.a***b.y"), "`a*b` or `a.**.b`");
    assert_eq!(hint("**b"), "`*b` or `**.b`");
    assert_eq!(hint("a**"), "`a*` or `a.**`");
    assert_eq!(hint("a**b**"), "`a*b*` or `a.**.b.**`");
    assert_eq!(
        hint("***"),
        "`*` for one segment or `**` for any number of them"
    );
}

#[test]
fn errors_are_one_word() {
    assert_eq!(size_of::<Result<(), TopicError>>(), size_of::<usize>());
    assert_eq!(
        size_of::<Result<(), PatternsError>>(),
        2 * size_of::<usize>()
    );
}

#[test]
fn a_huge_culprit_is_neither_kept_nor_shown_whole() {
    let error = Topic::new("é".repeat(1_000_000)).unwrap_err();
    assert_eq!(error.kind(), TextErrorKind::TooLong { len: 2_000_000 });
    assert_eq!(error.topic().len(), Topic::MAX_LEN);
    assert!(error.to_string().len() < 300, "{error}");
}

#[test]
fn a_long_culprit_shows_the_place_of_the_fault() {
    let text = format!("{}[{}", "a".repeat(500), "b".repeat(500));
    let shown = Pattern::new(&text).unwrap_err().to_string();
    assert!(shown.contains("aaa[bbb"), "{shown}");
    assert!(shown.contains("at byte 500"), "{shown}");
    assert!(shown.len() < 300, "{shown}");
}

#[test]
fn control_characters_are_escaped() {
    let shown = Topic::new("a\u{1b}[31m").unwrap_err().to_string();
    assert!(!shown.contains('\u{1b}'), "{shown}");
}
