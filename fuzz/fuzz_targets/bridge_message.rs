//! Any message: its headers as an envelope, its bytes as JSON. What is read can be written, and reads as the same.
//!
//! An input is what a text editor shows of a message: lines of `Name: value`, an empty line, the payload.
#![no_main]

use std::str::FromStr;

use async_nats::HeaderMap;
use async_nats::header::HeaderName;
use chanbus::{Codec, Envelope, Event, Fields, Json, Topic};
use libfuzzer_sys::fuzz_target;

const OURS: [&str; 5] = [
    Envelope::TIME,
    Envelope::SOURCE,
    Envelope::METADATA,
    Envelope::CAUSE,
    Envelope::ORIGIN,
];

/// As the client reads them: without white space around a value. It takes no line ends in it.
fn headers(text: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.lines() {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if let Ok(name) = HeaderName::from_str(name) {
            headers.append(name, value.trim().replace('\r', ""));
        }
    }
    headers
}

fn envelope(headers: &HeaderMap) {
    let envelope = match Envelope::from_headers(headers) {
        Ok(envelope) => envelope,
        Err(error) => {
            assert!(OURS.contains(&error.header()) && headers.get(error.header()).is_some());
            assert!(error.to_string().len() < 4_096);
            return;
        }
    };
    let written = envelope.to_headers();
    for (name, values) in written.iter() {
        assert_eq!(values.len(), 1, "{name}");
        let value = values[0].as_str();
        assert!(value.bytes().all(|byte| matches!(byte, b' '..=b'~')));
        assert_eq!(value, value.trim());
    }
    let again = Envelope::from_headers(&written).expect("what was written");
    // Floats print the shortest digits that are theirs alone.
    assert_eq!(format!("{again:?}"), format!("{envelope:?}"));

    let counts = (envelope.metadata.len(), envelope.source.clone());
    let causes = envelope.cause.as_ref().map_or(0, |cause| cause.depth());
    assert!(causes <= 64 && counts.0 <= 1_024);
    let event = envelope.event("a", ()).expect("a topic");
    assert_eq!(event.metadata_iter().count(), counts.0);
    assert_eq!(event.source(), counts.1.as_deref());
    assert_eq!(event.cause().map_or(0, |cause| cause.depth()), causes);
}

fn payload(bytes: &[u8]) {
    let topic = Topic::new("a").expect("a topic");
    let fields: Result<Fields, _> = Json.decode(&topic, bytes);
    let Ok(fields) = fields else {
        return;
    };
    let event = Event::new(topic, fields).expect("a topic");
    let mut out = Vec::new();
    Json.encode(&event, &mut out).expect("what was read");
    let again: Fields = Json.decode(event.topic(), &out).expect("what was written");
    assert_eq!(&again, event.payload());
}

fuzz_target!(|message: &[u8]| {
    let end = message.windows(2).position(|pair| pair == b"\n\n");
    let (head, bytes) = match end {
        Some(end) => (&message[..end], &message[end + 2..]),
        None => (message, &[][..]),
    };
    envelope(&headers(&String::from_utf8_lossy(head)));
    payload(bytes);
});
