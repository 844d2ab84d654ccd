//! Lines that cannot be played: named by their number, counted, passed over.

use chanbus::{BoxError, Bus, Codec, DamageKind, Event, PlayError, Player, Speed, Topic};

use super::{HEADER, line, play, recording};

use DamageKind::{Cut, Header, Json, Long, Payload, Shape, Topic as BadTopic, Utf8};

#[test]
fn each_kind_of_damage_is_reported_with_its_line_and_the_rest_is_played() {
    let bad: [(&[u8], DamageKind, &str); 23] = [
        (
            b"{\"time\":1,\"topic\":\"a\",\"js",
            Json,
            "EOF while parsing",
        ),
        (b"hello", Json, "expected value"),
        (b"\0\0\0\0", Json, "expected value"),
        (b"{} {}", Json, "trailing characters"),
        (
            b"{\"time\":1,\"topic\":\"a\",\"json\":nul}",
            Json,
            "expected ident",
        ),
        (
            b"{\"time\":1,\"topic\":\"\xff\",\"json\":1}",
            Utf8,
            "invalid utf-8",
        ),
        (b"[1]", Shape, "expected an object"),
        (b"17", Shape, "expected an object"),
        (b"{}", Shape, "one of `json`, `text` and `base64`"),
        (b"{\"time\":1,\"topic\":\"a\"}", Shape, "one of `json`"),
        (
            b"{\"time\":1,\"topic\":\"a\",\"json\":1,\"text\":\"\"}",
            Shape,
            "one of `json`",
        ),
        (b"{\"topic\":\"a\",\"json\":1}", Shape, "wants a `time`"),
        (b"{\"time\":1,\"json\":1}", Shape, "wants a `topic`"),
        (
            b"{\"time\":-1,\"topic\":\"a\",\"json\":1}",
            Shape,
            "integer `-1`",
        ),
        (
            b"{\"time\":1,\"topic\":7,\"json\":1}",
            Shape,
            "expected a string",
        ),
        (
            b"{\"time\":1,\"time\":1,\"topic\":\"a\",\"json\":1}",
            Shape,
            "duplicate field `time`",
        ),
        (
            b"{\"time\":1,\"topic\":\"a\",\"json\":1,\"metadata\":{\"x\":[]}}",
            Shape,
            "the metadata \"x\"",
        ),
        (
            b"{\"time\":1,\"topic\":\"a\",\"base64\":\"Zg\"}",
            Shape,
            "RFC 4648",
        ),
        (
            b"{\"chanbus\":\"other\",\"version\":1}",
            Shape,
            "a first line wants",
        ),
        (
            b"{\"time\":1,\"topic\":\"a..b\",\"json\":1}",
            BadTopic,
            "a..b",
        ),
        (
            b"{\"time\":1,\"topic\":\"a\",\"json\":1,\"cause\":[\"b\",\"*\"]}",
            BadTopic,
            "*",
        ),
        (
            b"{\"time\":1,\"topic\":\"a\",\"json\":\"one\"}",
            Payload,
            "expected u32",
        ),
        (
            b"{\"time\":1,\"topic\":\"a\",\"json\":-1}",
            Payload,
            "expected u32",
        ),
    ];
    let mut bytes = HEADER.as_bytes().to_vec();
    for (number, (line, ..)) in bad.iter().enumerate() {
        bytes.extend_from_slice(format!("{}\n", super::line(1, "good", number as u32)).as_bytes());
        bytes.extend_from_slice(line);
        bytes.push(b'\n');
    }
    let (played, events) = play::<u32>(&bytes);
    assert!(
        events
            .iter()
            .map(|event| *event.payload())
            .eq(0..bad.len() as u32)
    );
    assert_eq!(played.damaged, bad.len() as u64);
    for (place, (damage, (line, kind, detail))) in played.damage.iter().zip(bad).enumerate() {
        let line = String::from_utf8_lossy(line);
        assert_eq!(damage.line, 3 + 2 * place as u64, "{line}");
        assert_eq!(damage.kind, kind, "{line}: {damage}");
        assert!(damage.detail.contains(detail), "{line}: {damage}");
        assert!(
            damage
                .to_string()
                .starts_with(&format!("line {}: ", damage.line))
        );
    }
}

#[test]
fn a_recording_that_breaks_off_anywhere_plays_up_to_there() {
    let text = recording(&[&line(1, "a", 10), &line(2, "é", 11), &line(3, "c", 12)]);
    let ends: Vec<usize> = text.match_indices('\n').map(|(place, _)| place).collect();
    for cut in 0..text.len() {
        let (played, events) = play::<u32>(&text.as_bytes()[..cut]);
        // A line that has all but its line feed is whole.
        let whole = ends.iter().filter(|end| **end <= cut).count();
        assert_eq!(events.len(), whole.saturating_sub(1), "{cut}");
        let in_the_middle = cut > 0 && !ends.iter().any(|end| cut == *end || cut == end + 1);
        assert_eq!(played.damaged, u64::from(in_the_middle), "{cut}");
        if in_the_middle {
            assert_eq!(
                (played.damage[0].line, played.damage[0].kind),
                (whole as u64 + 1, Cut)
            );
        }
        assert!(!played.whole);
    }
}

#[test]
fn a_long_line_is_passed_over_and_the_next_one_is_played() {
    let long = format!(
        "{{\"time\":1,\"topic\":\"a\",\"text\":\"{}\"}}",
        "x".repeat(500)
    );
    let text = recording(&[&line(1, "a", 1), &long, &line(2, "b", 2), &long]);
    let bus: Bus<u32> = Bus::new();
    let mut player = Player::new(text.as_bytes())
        .max_line(100)
        .speed(Speed::Fast);
    let played = player.play(&bus).unwrap();
    assert_eq!((played.emitted, played.lines), (2, 5));
    let found: Vec<_> = played.damage.iter().map(|it| (it.line, it.kind)).collect();
    assert_eq!(found, [(3, Long), (5, Long)]);
    assert!(played.damage[0].detail.contains("more than 100"));
}

#[test]
fn reports_are_bounded_and_all_damage_is_counted() {
    let mut text = recording(&[]);
    text.push_str(&"no\n".repeat(1_000));
    text.push_str(&"[\"long long long long long long long long long\"]".repeat(50));
    let (played, _) = play::<u32>(text.as_bytes());
    assert_eq!((played.damaged, played.damage.len()), (1_001, 100));
    assert!(played.damage.iter().all(|it| it.detail.len() < 200));
}

#[test]
fn what_does_not_say_what_it_is_is_played_and_reported() {
    let (played, events) = play::<u32>(format!("{}\n", line(1, "a", 1)).as_bytes());
    assert_eq!(events.len(), 1);
    assert_eq!((played.damage[0].line, played.damage[0].kind), (1, Header));

    let (played, _) = play::<u32>(b"#!/bin/sh\n");
    assert_eq!(played.damaged, 1, "one report for one line");
    assert_eq!(played.damage[0].kind, Json);
}

#[test]
fn recordings_that_were_put_together_and_empty_lines_are_played() {
    let one = recording(&[&line(1, "a", 1), "", "  ", "\r", "{\"end\":\"done\"}"]);
    let (played, events) = play::<u32>(format!("{one}\n{one}").as_bytes());
    assert_eq!((events.len(), played.damaged), (2, 0));
    assert!(played.whole);
    let crlf = one.replace('\n', "\r\n");
    assert_eq!(play::<u32>(crlf.as_bytes()).1.len(), 1);
}

#[test]
fn another_version_is_refused_by_name() {
    let bus: Bus<u32> = Bus::new();
    let text =
        "{\"chanbus\":\"recording\",\"version\":2}\n{\"time\":1,\"topic\":\"a\",\"json\":1}\n";
    let error = Player::new(text.as_bytes()).play(&bus).unwrap_err();
    assert!(matches!(error, PlayError::Version { line: 1, found: 2 }));
    assert!(error.to_string().contains("version 2"), "{error}");
}

#[test]
fn fields_of_versions_to_come_are_left_alone() {
    let text = recording(&[
        "{\"time\":1,\"later\":{\"deep\":[[[{}]]]},\"topic\":\"a\",\"json\":1,\"x\":1e9}",
        "{\"missed\":3,\"why\":\"a reason to come\"}",
    ]);
    let (played, events) = play::<u32>(text.as_bytes());
    assert_eq!((events.len(), played.damaged, played.missed), (1, 0, 3));
}

#[test]
fn a_codec_that_panics_costs_one_event() {
    struct Fragile;

    impl Codec<u32> for Fragile {
        fn encode(&self, _: &Event<u32>, _: &mut Vec<u8>) -> Result<(), BoxError> {
            Ok(())
        }

        fn decode(&self, topic: &Topic, _: &[u8]) -> Result<u32, BoxError> {
            assert!(topic != "b", "not this one");
            Ok(7)
        }
    }

    let text = recording(&[&line(1, "a", 1), &line(2, "b", 1), &line(3, "c", 1)]);
    let bus: Bus<u32> = Bus::new();
    let played = Player::new(text.as_bytes())
        .codec(Fragile)
        .speed(Speed::Fast)
        .play(&bus)
        .unwrap();
    assert_eq!((played.emitted, played.damaged), (2, 1));
    assert_eq!((played.damage[0].line, played.damage[0].kind), (3, Payload));
    assert!(played.damage[0].detail.contains("panicked: not this one"));
}

#[test]
fn nesting_without_end_is_damage_and_no_overflow_of_the_stack() {
    let deep = "[".repeat(400_000);
    for text in [
        deep.clone(),
        format!("{{\"time\":1,\"topic\":\"a\",\"json\":{deep}"),
        format!(
            "{{\"time\":1,\"topic\":\"a\",\"json\":{deep}{}}}",
            "]".repeat(400_000)
        ),
        format!("{{\"later\":{deep}{}}}", "]".repeat(400_000)),
        format!("{{\"time\":1,\"topic\":\"a\",\"json\":1,\"metadata\":{{\"x\":{deep}}}}}"),
    ] {
        let (played, events) = play::<serde_json::Value>(recording(&[&text]).as_bytes());
        assert_eq!((played.damaged, events.len()), (1, 0));
    }
}
