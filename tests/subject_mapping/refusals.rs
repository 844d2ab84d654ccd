//! What has no subject, or no topic, and what is said of it.

use chanbus::{Escape, Pattern, SubjectError, SubjectMapping, Topic};

use crate::{mapping, topic};

#[test]
fn what_stands_for_no_topic_is_refused_with_its_subject_and_place() {
    for mapping in [
        mapping(Some("p"), Escape::Percent),
        mapping(Some("p"), Escape::Refuse),
    ] {
        for (subject, shown) in [
            ("p", "expected it to begin with \"p.\""),
            ("q.a", "expected it to begin with \"p.\""),
            ("", "expected it to begin with \"p.\""),
            ("p.", "expected a name, found nothing"),
            ("p.a..b", "invalid topic \"a..b\" at byte 2"),
            (
                "p.a.*",
                "at byte 2: expected plain text, found the wildcard `*`",
            ),
            ("p.a\u{a0}b", "at byte 1: expected no white space"),
            ("p.\u{7}", "the control character '\\u{7}'"),
            ("p.[a]", "found `[`, which is reserved"),
        ] {
            let error = mapping.topic(subject).unwrap_err();
            let text = error.to_string();
            assert_eq!(error.text(), subject);
            assert!(
                text.contains(shown) && text.contains(&format!("{subject:?}")),
                "{subject:?}: {text}"
            );
            assert_eq!(error.is_outside(), shown.contains("begin with"), "{text}");
        }
        let error = mapping.topic("p.a.>.b").unwrap_err();
        assert_eq!(error.offset(), Some(4));
        assert!(
            error
                .to_string()
                .contains("at byte 4: the token `>` is a wildcard"),
            "{error}"
        );
    }
    let long = format!("p.{}", "é".repeat(500_000));
    let error = mapping(Some("p"), Escape::Percent)
        .topic(&long)
        .unwrap_err();
    assert_eq!(error.text().len(), SubjectMapping::MAX_LEN);
    assert!(error.to_string().len() < 1_000, "{error}");
}

/// What is refused names the text, the place of the segment, the segment, and what lets it pass.
#[test]
fn refusals_name_the_segment_and_the_way_out() {
    let refuse = mapping(None, Escape::Refuse);
    let check = |error: SubjectError, text: &str, offset: usize, segment: &str| {
        assert!(error.is_reserved(), "{error}");
        assert_eq!((error.text(), error.offset()), (text, Some(offset)));
        let shown = error.to_string();
        let place = format!("no subject for {text:?} at byte {offset}: the segment {segment:?} ");
        assert!(shown.starts_with(&place), "{shown}");
        assert!(
            shown.ends_with("`BridgeBuilder::escape(Escape::Percent)`"),
            "{shown}"
        );
    };
    for (text, offset, segment) in [
        ("è.>.b", 3, ">"),
        (">", 0, ">"),
        ("$SYS.b", 0, "$SYS"),
        ("_INBOX", 0, "_INBOX"),
        ("_CHANBUS.b", 0, "_CHANBUS"),
    ] {
        check(
            refuse.subject(&topic(text)).unwrap_err(),
            text,
            offset,
            segment,
        );
        check(
            refuse.filters(&Pattern::new(text).unwrap()).unwrap_err(),
            text,
            offset,
            segment,
        );
        check(
            SubjectMapping::new(Some(text), Escape::Refuse).unwrap_err(),
            text,
            offset,
            segment,
        );
        let pattern = Pattern::flat(format!("{text}.*")).unwrap();
        let error = refuse
            .cover(&[Pattern::everything(), pattern.clone()])
            .unwrap_err();
        check(error, pattern.as_str(), offset, segment);
    }
}

#[test]
fn what_is_longer_than_a_line_allows_is_refused() {
    let worst = topic(&"%".repeat(Topic::MAX_LEN));
    let bare = mapping(None, Escape::Percent);
    assert_eq!(bare.subject(&worst).unwrap().len(), SubjectMapping::MAX_LEN);
    assert_eq!(
        bare.filters(&Pattern::exact(&worst)).unwrap()[0]
            .as_str()
            .len(),
        SubjectMapping::MAX_LEN
    );

    let prefixed = mapping(Some("p"), Escape::Percent);
    for error in [
        prefixed.subject(&worst).unwrap_err(),
        prefixed.filters(&Pattern::exact(&worst)).unwrap_err(),
    ] {
        assert!(
            matches!(error, SubjectError::TooLong { len: 3_074, .. }),
            "{error}"
        );
        assert_eq!(error.text(), worst);
        let shown = error.to_string();
        assert!(
            shown.contains("at most 3072 bytes with the prefix, found 3074"),
            "{shown}"
        );
        assert!(shown.len() < 1_000, "{shown}");
    }
    // Of two filters the longer one counts: `p.%25….>`.
    let open = |stars| Pattern::new(format!("{}.**", "%".repeat(stars))).unwrap();
    assert!(prefixed.filters(&open(1_020)).is_ok());
    let long = mapping(Some("p.123456"), Escape::Percent);
    assert!(matches!(
        long.filters(&open(1_021)),
        Err(SubjectError::TooLong { len: 3_074, .. })
    ));

    // The prefix leaves room for the shortest topic, or is refused.
    let full = "%".repeat(1_023) + "a";
    assert_eq!(
        mapping(Some(&full), Escape::Percent)
            .subject(&topic("x"))
            .unwrap()
            .len(),
        3_072
    );
    let error = SubjectMapping::new(Some(&worst), Escape::Percent).unwrap_err();
    assert!(
        matches!(error, SubjectError::TooLong { len: 3_074, .. }),
        "{error}"
    );
    // Letter by letter, the longest topic and the longest prefix fit.
    let refuse = mapping(Some(&worst), Escape::Refuse);
    assert_eq!(refuse.subject(&worst).unwrap().len(), 2_049);
}

#[test]
fn a_prefix_is_a_topic_and_mapped_as_one() {
    for (prefix, shown) in [
        ("", "expected a name"),
        ("a..b", "at byte 2"),
        ("a.*", "found the wildcard"),
    ] {
        let error = SubjectMapping::new(Some(prefix), Escape::Percent).unwrap_err();
        assert_eq!(error.text(), prefix);
        assert!(
            error.to_string().starts_with("invalid prefix: ") && error.to_string().contains(shown),
            "{error}"
        );
    }
    let prefixed = mapping(Some("$a.>"), Escape::Percent);
    assert_eq!(prefixed.prefix(), Some("%24a.%3E"));
    assert_eq!(prefixed.subject(&topic("$b")).unwrap(), "%24a.%3E.$b");
    assert_eq!(prefixed.topic("%24a.%3E.$b").unwrap(), "$b");
    assert!(prefixed.topic("$a.>.$b").unwrap_err().is_outside());
}
