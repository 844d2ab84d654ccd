//! What clients may write that are no chanbus.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use chanbus::Value;

use super::{read, topics};

#[test]
fn plain_clients_need_no_escapes_but_that_of_the_percent_sign() {
    for (text, source) in [
        ("Zoë at 12:30", "Zoë at 12:30"),
        ("a\tb", "a\tb"),
        ("a+b", "a+b"),
        ("100%25", "100%"),
        ("%c3%A9 é", "é é"),
    ] {
        let envelope = read("Chanbus-Source", text).unwrap();
        assert_eq!(envelope.source.as_deref(), Some(source));
    }
    let envelope = read("Chanbus-Cause", "été.1 %65t%C3%A9.2").unwrap();
    assert_eq!(topics(envelope.cause.as_ref()), ["été.1", "eté.2"]);
    let envelope = read("Chanbus-Origin", "zoë").unwrap();
    assert_eq!(envelope.origin.as_deref(), Some("zoë"));
    assert_eq!((envelope.number, envelope.order), (None, None));
    let envelope = read("Chanbus-Origin", "zoë 007 two%20words").unwrap();
    assert_eq!(envelope.number, Some((7, "two words".into())));
    assert_eq!(envelope.order, None);
    let envelope = read("Chanbus-Origin", "zoë 7 é 8").unwrap();
    assert_eq!(
        (envelope.number, envelope.order),
        (Some((7, "é".into())), Some(8))
    );
}

#[test]
fn plain_clients_write_metadata_as_their_json_library_does() {
    // As of python's `json.dumps(.., indent=..)` without line ends, and of others.
    let text = r#" { "i" : -3 , "u": 18446744073709551615, "f": 1.0, "e": 1E2, "big": 18446744073709551616,
        "t": "Zoë \u00eb \ud83d\ude00 \/ \"", "b": false, "i": 4 } "#;
    let envelope = read("Chanbus-Metadata", &text.replace('\n', " ")).unwrap();
    let expected: [(&str, Value); 7] = [
        ("i", Value::Int(4)),
        ("u", Value::UInt(u64::MAX)),
        ("f", Value::Float(1.0)),
        ("e", Value::Float(100.0)),
        ("big", Value::Float(18_446_744_073_709_551_616.0)),
        ("t", Value::from("Zoë ë 😀 / \"")),
        ("b", Value::Bool(false)),
    ];
    let expected = expected.map(|(name, value)| (Arc::from(name), value));
    assert_eq!(envelope.metadata, expected);
    assert!(read("Chanbus-Metadata", "{}").unwrap().metadata.is_empty());
}

#[test]
fn plain_clients_write_times_as_their_language_prints_them() {
    for (text, nanos) in [
        // `time.time()`, `Date.now() / 1000`, `date +%s.%N`, `date +%s`
        ("1700000000.1234567", 1_700_000_000_123_456_700),
        ("1700000000.123", 1_700_000_000_123_000_000),
        ("1700000000.000000001", 1_700_000_000_000_000_001),
        ("1700000000", 1_700_000_000_000_000_000),
    ] {
        let envelope = read("Chanbus-Time", text).unwrap();
        assert_eq!(
            envelope.timestamp,
            Some(UNIX_EPOCH + Duration::from_nanos(nanos))
        );
    }
    let before = read("Chanbus-Time", "-0.5").unwrap();
    assert_eq!(
        before.timestamp,
        Some(UNIX_EPOCH - Duration::from_millis(500))
    );
    // An event's time begins in 1970.
    assert_eq!(before.event("a", ()).unwrap().timestamp(), UNIX_EPOCH);
}
