//! What is refused, and how the error says so.

use chanbus::{Envelope, EnvelopeErrorKind as Kind};

use super::{cause, header, over_the_wire, read, topics};

#[test]
fn a_malformed_header_is_refused_by_name() {
    let (time, source, metadata) = ("Chanbus-Time", "Chanbus-Source", "Chanbus-Metadata");
    let (cause, origin) = ("Chanbus-Cause", "Chanbus-Origin");
    let deep = format!("{{\"a\":{}", "[".repeat(100_000));
    for (name, value, kind, hint) in [
        (time, "", Kind::Time, "such as `1700000000.25`"),
        (
            time,
            "2026-11-21T20:00:00Z",
            Kind::Time,
            "seconds since 1970",
        ),
        (time, "1.7e9", Kind::Time, "at most nine decimals"),
        (time, "99999999999999999999", Kind::Time, ""),
        (source, "%", Kind::Escape, "`%25`"),
        (source, "100%!", Kind::Escape, "`%25`"),
        (source, "%FF", Kind::Escape, "UTF-8"),
        (metadata, "", Kind::Json, "EOF"),
        (metadata, "trace=17", Kind::Json, r#"{"trace":17}"#),
        (metadata, "[1]", Kind::Json, "expected an object"),
        (metadata, "null", Kind::Json, "expected an object"),
        (metadata, r#"{"a":1} {}"#, Kind::Json, "trailing characters"),
        (metadata, r#"{"a":1,}"#, Kind::Json, "trailing comma"),
        (metadata, r#"{"a":NaN}"#, Kind::Json, ""),
        (metadata, r#"{"a":"\ud83d"}"#, Kind::Json, ""),
        (metadata, &deep, Kind::Json, "recursion limit"),
        (metadata, r#"{"a":null}"#, Kind::Scalar, "see \"a\""),
        (metadata, r#"{"a":1,"b":[]}"#, Kind::Scalar, "see \"b\""),
        (metadata, r#"{"a":{}}"#, Kind::Scalar, "into the payload"),
        (cause, "", Kind::Topic, "oldest first"),
        (cause, "a  b", Kind::Topic, "one blank"),
        (cause, "a,b\tc", Kind::Topic, "invalid topic"),
        (cause, "a.*", Kind::Topic, "wildcard"),
        (cause, "a%20b", Kind::Topic, "white space"),
        (cause, "a 100%", Kind::Escape, "`%25`"),
        (origin, "", Kind::Origin, "a name"),
        (origin, "a b", Kind::Origin, "`%20`"),
        (origin, "a\u{a0}b", Kind::Origin, ""),
        (origin, "%zz", Kind::Escape, ""),
        (origin, "ui 7", Kind::Origin, "`ui 7 orders`"),
        (origin, "ui 7 ", Kind::Origin, "one blank"),
        (origin, " 7 orders", Kind::Origin, ""),
        (origin, "ui  7 orders", Kind::Origin, ""),
        (origin, "ui 7 orders 8 9", Kind::Origin, ""),
        (origin, "ui 7 orders 8 ", Kind::Origin, ""),
        (origin, "ui orders 7", Kind::Number, "`ui 7 orders`"),
        (origin, "ui -7 orders", Kind::Number, ""),
        (origin, "ui +7 orders", Kind::Number, ""),
        (
            origin,
            "ui 18446744073709551616 orders",
            Kind::Number,
            "2^64",
        ),
        (origin, "ui 7 orders eight", Kind::Number, "fourth"),
        (origin, "ui 7 orders -8", Kind::Number, ""),
        (origin, "ui 7 100%", Kind::Escape, ""),
    ] {
        let error = read(name, value).expect_err(value);
        assert_eq!((error.header(), error.kind()), (name, kind), "{value}");
        assert!(value.starts_with(error.value().trim_end_matches('…')));
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("invalid header `{name}: ")),
            "{text}"
        );
        assert!(text.contains(hint), "{text}");
    }
}

#[test]
fn a_header_that_comes_twice_is_refused_even_if_both_say_the_same() {
    for (name, value) in [
        ("Chanbus-Time", "1"),
        ("Chanbus-Source", "a"),
        ("Chanbus-Metadata", "{}"),
        ("Chanbus-Cause", "a"),
        ("Chanbus-Origin", "a"),
        ("Chanbus-Origin", "a 1 b 2"),
    ] {
        let mut headers = header(name, value);
        assert!(Envelope::from_headers(&headers).is_ok());
        headers.append(name, value);
        let error = Envelope::from_headers(&headers).unwrap_err();
        assert_eq!((error.header(), error.kind()), (name, Kind::Repeated));
    }
}

#[test]
fn an_error_about_a_megabyte_is_short_and_shows_nothing_that_moves_a_terminal() {
    let long = "\u{1b}é".repeat(300_000);
    let quoted = serde_json::to_string(&long).unwrap();
    for (name, value) in [
        ("Chanbus-Time", long.clone()),
        ("Chanbus-Source", format!("{long}%")),
        ("Chanbus-Metadata", quoted.clone()),
        ("Chanbus-Metadata", format!("{{{quoted}:null}}")),
        ("Chanbus-Cause", long.clone()),
        ("Chanbus-Origin", format!("{long} ")),
        ("Chanbus-Origin", format!("a {long} b")),
    ] {
        let error = read(name, &value).unwrap_err();
        let (shown, debug) = (error.to_string(), format!("{error:?}"));
        assert!(
            shown.len() < 3_000 && debug.len() < 3_000,
            "{}",
            shown.len()
        );
        assert!(!shown.contains('\u{1b}'), "{shown}");
    }
}

#[test]
fn so_many_causes_and_pieces_of_metadata_are_read_and_no_more() {
    let names: Vec<_> = (0..1_025).map(|n| format!("n{n}")).collect();
    let mut envelope = Envelope::new();
    for (count, fine) in [(64, true), (65, false), (1_000, false)] {
        envelope.cause = cause(&names[..count]);
        let headers = over_the_wire(&envelope.to_headers());
        let back = Envelope::from_headers(&headers);
        match back {
            Ok(back) => assert!(fine && topics(back.cause.as_ref()) == names[..count]),
            Err(error) => assert!(!fine && error.kind() == Kind::TooMany),
        }
        // A chain that no bus bounds makes no message that no server takes.
        let longest = 65 * "n1024 ".len();
        assert!(headers.get("Chanbus-Cause").unwrap().as_str().len() < longest);
    }
    envelope.cause = None;
    for (count, fine) in [(1_024, true), (1_025, false)] {
        let pieces = names[..count]
            .iter()
            .map(|name| (name.as_str().into(), 1.into()));
        envelope.metadata = pieces.collect();
        let back = Envelope::from_headers(&envelope.to_headers());
        match back {
            Ok(back) => assert!(fine && back.metadata == envelope.metadata),
            Err(error) => assert!(!fine && error.kind() == Kind::TooMany),
        }
    }
}
