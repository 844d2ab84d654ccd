use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::topic::Topic;
use crate::value::Value;

fn written(event: &Event<()>, payload: &[u8], is_json: bool) -> String {
    let mut out = Vec::new();
    super::event(event, payload, is_json, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn an_event_is_one_line_and_metadata_keep_their_types() {
    let cause = Cause::of_topics([Topic::new("first").unwrap(), Topic::new("é").unwrap()]);
    let event = Event::draft("a.b", ())
        .timestamp(UNIX_EPOCH + Duration::from_nanos(1_700_000_000_000_000_001))
        .source("x\n\"y\"")
        .metadata("b", true)
        .metadata("i", i64::MIN)
        .metadata("u", Value::UInt(7))
        .metadata("U", u64::MAX)
        .metadata("f", 1.0)
        .metadata("z", -0.0)
        .metadata("n", f64::NAN)
        .metadata("", "\u{7f}\r\u{2028}")
        .cause(cause.unwrap())
        .build()
        .unwrap();
    let line = written(&event, b"{}", true);
    assert_eq!(
        line,
        "{\"time\":1700000000000000001,\"topic\":\"a.b\",\"source\":\"x\\n\\\"y\\\"\",\"metadata\":{\
         \"b\":true,\"i\":-9223372036854775808,\"u\":{\"uint\":7},\"U\":18446744073709551615,\"f\":1.0,\
         \"z\":-0.0,\"n\":{\"float\":\"NaN\"},\"\":\"\u{7f}\\r\u{2028}\"},\
         \"cause\":[\"first\",\"é\"],\"json\":{}}\n"
    );
    let Ok(Line::Event(raw)) = read(line.trim_end()) else {
        panic!("{line}");
    };
    let before = event
        .metadata_iter()
        .map(|(name, value)| format!("{name} {value:?}"));
    let after = raw
        .metadata
        .0
        .iter()
        .map(|(name, value)| format!("{name} {value:?}"));
    assert!(after.eq(before), "{raw:?}");
    assert_eq!(raw.cause, ["first", "é"]);
}

#[test]
fn bytes_take_the_first_form_that_gives_them_back() {
    let event = Event::draft("a", ()).timestamp(UNIX_EPOCH).build().unwrap();
    for (bytes, is_json, form) in [
        (&b"{\"b\":1,\"a\":1e400,\"b\":2}"[..], true, "json"),
        (b"null", true, "json"),
        (b"null", false, "text"),
        (b" null", true, "text"),
        (b"[1,\n2]", true, "text"),
        (b"[1,\r2]", true, "text"),
        (b"1}\n{\"end\":\"done\"", true, "text"),
        (b"1,\"topic\":\"other\"", true, "text"),
        (b"", true, "text"),
        (b"\xff\n", true, "base64"),
        (b"\xff\n", false, "base64"),
    ] {
        let line = written(&event, bytes, is_json);
        assert!(line.contains(&format!("\"{form}\":")), "{line}");
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        let Ok(Line::Event(raw)) = read(line.trim_end()) else {
            panic!("{line}");
        };
        assert_eq!((raw.payload.bytes(), &*raw.topic), (bytes, "a"));
    }
}

#[test]
fn the_last_line_has_room_behind_every_event() {
    let mut out = Vec::new();
    end(true, u64::MAX, u64::MAX, &mut out);
    assert!(out.len() <= END_ROOM);
}
