//! Any envelope, of hostile text, and any text as a header.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chanbus::{Envelope, Value};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::{cause, over_the_wire, parts, read, topics};

/// The same cases on every run, so that a failure belongs to the change that caused it.
fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(53),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// What may stand in texts, with a bias to what headers, JSON and escapes care for.
fn hostile() -> impl Strategy<Value = String> {
    let special = prop::sample::select(
        "% \r\n\t\0\u{7f}\u{85}\u{a0}\u{2028}\u{feff}é😀\"\\{}:,+-.25aF"
            .chars()
            .collect::<Vec<_>>(),
    );
    let character = prop_oneof![4 => special, 1 => any::<char>()];
    vec(character, 0..12).prop_map(|characters| characters.into_iter().collect())
}

fn hostile_topic() -> impl Strategy<Value = String> {
    vec(hostile(), 1..4).prop_filter_map("a topic", |segments| {
        let allowed = |c: &char| !c.is_whitespace() && !c.is_control() && !"*?[]{}.".contains(*c);
        let segments: Vec<String> = segments
            .iter()
            .map(|text| text.chars().filter(allowed).collect())
            .filter(|text: &String| !text.is_empty())
            .collect();
        (!segments.is_empty()).then(|| segments.join("."))
    })
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        (i64::MAX as u64 + 1..=u64::MAX).prop_map(Value::UInt),
        any::<u64>()
            .prop_map(f64::from_bits)
            .prop_filter("a number", |float| float.is_finite())
            .prop_map(Value::Float),
        hostile().prop_map(Value::from),
    ]
}

fn time() -> impl Strategy<Value = SystemTime> {
    let since = (any::<i64>(), 0..1_000_000_000_u32);
    since.prop_filter_map("a time", |(seconds, nanos)| {
        let since = Duration::new(seconds.unsigned_abs(), nanos);
        if seconds < 0 {
            UNIX_EPOCH.checked_sub(since)
        } else {
            UNIX_EPOCH.checked_add(since)
        }
    })
}

prop_compose! {
    fn envelope()(
        timestamp in prop::option::of(time()),
        source in prop::option::of(hostile()),
        metadata in vec((hostile(), value()), 0..5),
        chain in vec(hostile_topic(), 0..5),
        origin in prop::option::of(hostile()),
        number in prop::option::of((any::<u64>(), hostile())),
        order in prop::option::of(any::<u64>()),
    ) -> Envelope {
        let mut envelope = Envelope::new();
        envelope.timestamp = timestamp;
        envelope.source = source.map(Into::into);
        // Of one name the last is taken.
        for (name, value) in metadata {
            envelope.metadata.retain(|(there, _)| **there != *name);
            envelope.metadata.push((name.into(), value));
        }
        envelope.cause = cause(&chain);
        envelope.origin = origin.filter(|text| !text.is_empty()).map(Into::into);
        // Without the one before it, neither of these is written.
        envelope.number = number
            .filter(|(_, text)| envelope.origin.is_some() && !text.is_empty())
            .map(|(number, text)| (number, text.into()));
        envelope.order = order.filter(|_| envelope.number.is_some());
        envelope
    }
}

proptest! {
    #![proptest_config(config(2_000))]

    #[test]
    fn any_envelope_comes_back_as_it_was(envelope in envelope()) {
        let headers = over_the_wire(&envelope.to_headers());
        let back = Envelope::from_headers(&headers);
        let back = back.map_err(|error| TestCaseError::fail(error.to_string()))?;
        prop_assert_eq!(parts(&back), parts(&envelope));
        // The event, too, as far as its time reaches.
        let event = back.event("a", ()).unwrap();
        prop_assert_eq!(event.source(), envelope.source.as_deref());
        prop_assert_eq!(event.metadata_iter().count(), envelope.metadata.len());
        prop_assert_eq!(topics(event.cause()), topics(envelope.cause.as_ref()));
    }

    #[test]
    fn any_text_in_any_header_is_read_or_refused_and_what_is_read_can_be_written(
        place in 0..5_usize,
        text in prop_oneof![hostile(), hostile().prop_map(|text| format!("ui 7 {text}")),
            hostile().prop_map(|text| format!("{{\"a\":1.5,\"{text}"))],
    ) {
        let name = ["Chanbus-Time", "Chanbus-Source", "Chanbus-Metadata", "Chanbus-Cause",
            "Chanbus-Origin"][place];
        // A header has no line ends.
        let text = text.replace(['\r', '\n'], "");
        match read(name, &text) {
            Ok(envelope) => {
                let headers = over_the_wire(&envelope.to_headers());
                let again = Envelope::from_headers(&headers).unwrap();
                prop_assert_eq!(parts(&again), parts(&envelope));
            }
            Err(error) => prop_assert_eq!(error.header(), name),
        }
    }
}
