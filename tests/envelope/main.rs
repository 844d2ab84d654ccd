//! What goes with a payload from process to process: there and back, what plain clients may write, what is refused.
#![cfg(feature = "nats")]
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../common/mod.rs"]
mod common;

mod any;
mod codec;
mod plain;
mod refused;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_nats::HeaderMap;
use chanbus::{Cause, Envelope, EnvelopeError, Event, Topic, Value};
use common::counting::{Counting, allocations};

#[global_allocator]
static COUNTING: Counting = Counting;

/// The oldest topic first.
fn topics(cause: Option<&Cause>) -> Vec<String> {
    let mut topics: Vec<_> = cause
        .into_iter()
        .flat_map(Cause::chain)
        .map(Topic::to_string)
        .collect();
    topics.reverse();
    topics
}

fn cause(topics: &[String]) -> Option<Cause> {
    Cause::of_topics(topics.iter().map(|topic| Topic::new(topic).unwrap()))
}

/// Everything of an envelope, as what can be compared; floats by their bits.
fn parts(envelope: &Envelope) -> impl PartialEq + std::fmt::Debug + use<> {
    let metadata: Vec<_> = envelope
        .metadata
        .iter()
        .map(|(name, value)| match value {
            Value::Float(float) => (name.clone(), value.clone(), float.to_bits()),
            _ => (name.clone(), value.clone(), 0),
        })
        .collect();
    (
        envelope.timestamp,
        envelope.source.clone(),
        metadata,
        topics(envelope.cause.as_ref()),
        envelope.origin.clone(),
        envelope.number.clone(),
        envelope.order,
    )
}

/// As they come out of another process. What a client does to other values does not matter to ours: all
/// are printable ASCII, with nothing that could be cut off their ends.
fn over_the_wire(headers: &HeaderMap) -> HeaderMap {
    for (name, values) in headers.iter() {
        assert_eq!(values.len(), 1, "{name}");
        let value = values[0].as_str();
        assert!(
            value.bytes().all(|byte| matches!(byte, b' '..=b'~')),
            "{value}"
        );
        assert_eq!(value, value.trim());
    }
    headers.clone()
}

fn header(name: &'static str, value: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(name, value);
    headers
}

fn read(name: &'static str, value: &str) -> Result<Envelope, EnvelopeError> {
    Envelope::from_headers(&header(name, value))
}

#[test]
fn what_an_event_has_beside_topic_and_payload_arrives() {
    let first = Event::new("order.placed", ()).unwrap();
    let second = Event::draft("été", ())
        .cause(Cause::of(&first))
        .build()
        .unwrap();
    let event = Event::draft("mail.sent", 1)
        .timestamp(UNIX_EPOCH + Duration::new(1_700_000_000, 123_456_789))
        .source("the mailer, 2nd")
        .metadata("trace", 17)
        .metadata("ratio", 1.0)
        .metadata("who", "Zoë")
        .cause(Cause::of(&second))
        .build()
        .unwrap();
    let mut envelope = Envelope::of(&event);
    assert!(envelope.origin.is_none() && envelope.number.is_none() && envelope.order.is_none());
    envelope.origin = Some("host 7".into());
    envelope.number = Some((u64::MAX, "mail by hand".into()));
    envelope.order = Some(97);
    let headers = envelope.to_headers();

    // What the table of headers says.
    for (name, value) in [
        ("Chanbus-Time", "1700000000.123456789"),
        ("Chanbus-Source", "the mailer, 2nd"),
        (
            "Chanbus-Metadata",
            r#"{"trace":17,"ratio":1.0,"who":"Zo\u00eb"}"#,
        ),
        ("Chanbus-Cause", "order.placed %C3%A9t%C3%A9"),
        (
            "Chanbus-Origin",
            "host%207 18446744073709551615 mail%20by%20hand 97",
        ),
    ] {
        assert_eq!(headers.get(name).unwrap().as_str(), value);
    }
    assert_eq!(headers.len(), 5);

    let back = Envelope::from_headers(&over_the_wire(&headers)).unwrap();
    assert_eq!(parts(&back), parts(&envelope));
    let back = back.event(event.topic(), 1).unwrap();
    assert_eq!(back.timestamp(), event.timestamp());
    assert_eq!(back.source(), event.source());
    assert!(back.metadata_iter().eq(event.metadata_iter()));
    assert_eq!(topics(back.cause()), topics(event.cause()));
    assert_eq!(back.cause().unwrap().depth(), 2);
}

#[test]
fn an_empty_envelope_writes_no_header_and_none_of_ours_read_as_one() {
    assert!(Envelope::new().to_headers().is_empty());
    let mut headers = HeaderMap::new();
    assert_eq!(
        parts(&Envelope::from_headers(&headers).unwrap()),
        parts(&Envelope::new())
    );
    // Names are case-sensitive, so these are somebody else's, too.
    for name in [
        "Nats-Msg-Id",
        "chanbus-time",
        "CHANBUS-ORIGIN",
        "Chanbus-Unheard-Of",
    ] {
        headers.insert(name, "% %");
    }
    assert_eq!(
        parts(&Envelope::from_headers(&headers).unwrap()),
        parts(&Envelope::new())
    );
}

#[test]
fn other_headers_stay_beside_ours_and_old_ones_of_ours_are_replaced() {
    let mut headers = HeaderMap::new();
    headers.insert("Nats-Msg-Id", "7");
    headers.insert("Chanbus-Source", "old");
    headers.insert("Chanbus-Origin", "kept");
    let mut envelope = Envelope::new();
    envelope.source = Some("new".into());
    envelope.write_to(&mut headers);
    assert_eq!(headers.get("Nats-Msg-Id").unwrap().as_str(), "7");
    let back = Envelope::from_headers(&headers).unwrap();
    assert_eq!(back.source.as_deref(), Some("new"));
    assert_eq!(back.origin.as_deref(), Some("kept"));
}

#[test]
fn empty_texts_are_a_source_and_neither_origin_nor_number() {
    let mut envelope = Envelope::new();
    envelope.source = Some("".into());
    envelope.origin = Some("".into());
    envelope.number = Some((1, "a".into()));
    let headers = envelope.to_headers();
    assert_eq!(headers.len(), 1);
    let back = Envelope::from_headers(&headers).unwrap();
    assert_eq!(back.source.as_deref(), Some(""));

    envelope.origin = Some("ui".into());
    envelope.number = Some((1, "".into()));
    envelope.order = Some(2);
    let headers = envelope.to_headers();
    assert_eq!(headers.get("Chanbus-Origin").unwrap().as_str(), "ui");
}

#[test]
fn floats_that_are_no_numbers_become_texts_and_small_unsigned_numbers_become_signed() {
    let mut envelope = Envelope::new();
    envelope.metadata = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY]
        .iter()
        .map(|float| (float.to_string().into(), Value::Float(*float)))
        .collect();
    envelope.metadata.push(("small".into(), Value::UInt(7)));
    let back = Envelope::from_headers(&envelope.to_headers()).unwrap();
    let values: Vec<_> = back.metadata.into_iter().map(|(_, value)| value).collect();
    let texts = ["NaN", "inf", "-inf"].map(Value::from);
    assert_eq!(values[..3], texts);
    assert_eq!(values[3], Value::Int(7));
}

#[test]
fn an_event_without_time_and_cause_is_like_any_other() {
    let before = SystemTime::now() - Duration::from_secs(1);
    let event = Envelope::new().event("a", ()).unwrap();
    assert!(event.timestamp() > before && event.cause().is_none());
    assert!(event.source().is_none() && event.metadata_iter().count() == 0);
    assert!(Envelope::new().event("a..b", ()).is_err());

    // As `Event::draft` has it.
    let other = Event::new("other", ()).unwrap();
    let caused = |envelope: Envelope| {
        Cause::scope(&other, || topics(envelope.event("a", ()).unwrap().cause()))
    };
    assert_eq!(caused(Envelope::new()), ["other"]);
    assert_eq!(caused(read("Chanbus-Cause", "x y").unwrap()), ["x", "y"]);
}

#[test]
fn a_messages_headers_cost_few_allocations() {
    let event = Event::new("a.b", 1).unwrap();
    let (origin, of): (Arc<str>, Arc<str>) = ("host-7".into(), "a.**".into());
    let mut headers = HeaderMap::new();
    let written = allocations(|| {
        let mut envelope = Envelope::of(&event);
        envelope.origin = Some(Arc::clone(&origin));
        envelope.number = Some((1_000, Arc::clone(&of)));
        headers = envelope.to_headers();
    });
    // The client's map, and for each of two headers its text and the client's list of it.
    assert_eq!(written, 5);

    let mut envelope = Envelope::new();
    let read = allocations(|| envelope = Envelope::from_headers(&headers).unwrap());
    // The two texts.
    assert_eq!(read, 2);
    let made = allocations(|| drop(envelope.event("a.b", 1)));
    // Topic and event.
    assert_eq!(made, 2);
    let none = allocations(|| drop(Envelope::from_headers(&HeaderMap::new())));
    assert_eq!(none, 0);
}
