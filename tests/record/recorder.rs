//! What a recorder counts, what it misses, and how it says so.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use chanbus::{
    BoxError, Bus, Codec, Drain, Event, Json, Overflow, Player, RecordError, Recorder, Speed,
    SubscribeError, Topic,
};

use super::{Tape, eventually, play, record};

/// Says that an event is at hand, and waits until it may go on; refuses what the test says.
struct Gate {
    arrived: SyncSender<()>,
    go: std::sync::Mutex<Receiver<()>>,
}

impl Codec<u32> for Gate {
    fn encode(&self, event: &Event<u32>, out: &mut Vec<u8>) -> Result<(), BoxError> {
        self.arrived.send(())?;
        self.go.lock().unwrap().recv()?;
        Json.encode(event, out)
    }

    fn decode(&self, topic: &Topic, bytes: &[u8]) -> Result<u32, BoxError> {
        Json.decode(topic, bytes)
    }

    fn content_type(&self) -> Option<&str> {
        Some("application/json")
    }
}

fn gate() -> (Gate, Receiver<()>, SyncSender<()>) {
    let (arrived, is_there) = sync_channel(100);
    let (open, go) = sync_channel(100);
    let go = std::sync::Mutex::new(go);
    (Gate { arrived, go }, is_there, open)
}

#[test]
fn what_the_queue_drops_is_counted_and_stands_where_it_was_missed() {
    for (overflow, topic, missing) in [
        (
            Overflow::DropNewest,
            "n",
            "{\"missed\":3,\"why\":\"queue\"}",
        ),
        (
            Overflow::DropOldest,
            "n",
            "{\"missed\":3,\"why\":\"queue\"}",
        ),
        (
            Overflow::Latest,
            "n",
            "{\"missed\":4,\"why\":\"conflated\"}",
        ),
    ] {
        let bus: Bus<u32> = Bus::new();
        let tape = Tape::default();
        let (codec, arrived, open) = gate();
        let recorder = Recorder::builder(&bus)
            .codec(codec)
            .capacity(2)
            .overflow(overflow)
            .to(tape.clone())
            .unwrap();
        bus.emit(topic, 0).unwrap();
        arrived.recv().unwrap();
        // Two have room, or one that the others replace.
        for n in 1..=5 {
            bus.emit(topic, n).unwrap();
        }
        for _ in 0..10 {
            open.send(()).unwrap();
        }
        let recorded = recorder.stop(Drain::All).unwrap();
        let lost = recorded.dropped + recorded.conflated;
        assert_eq!(recorded.written + lost, 6, "{overflow:?}");
        let lines = tape.inner();
        assert!(lines[0].ends_with("\"json\":0}"), "{lines:?}");
        assert!(lines.contains(&missing.to_owned()), "{lines:?}");
        let (played, events) = play::<u32>(&tape.bytes());
        assert_eq!(
            (played.missed, events.len() as u64),
            (lost, recorded.written)
        );
        let end = format!(
            "{{\"end\":\"done\",\"written\":{},\"missed\":{lost}}}\n",
            recorded.written
        );
        assert!(tape.text().ends_with(&end), "{}", tape.text());
    }
}

#[test]
fn events_that_the_codec_refuses_or_panics_over_leave_a_line_with_the_reason() {
    struct Picky;

    impl Codec<u32> for Picky {
        fn encode(&self, event: &Event<u32>, out: &mut Vec<u8>) -> Result<(), BoxError> {
            match *event.payload() {
                1 => {
                    out.extend_from_slice(b"half of ");
                    Err("not \"this\"\none".into())
                }
                2 => panic!("nor this"),
                3 => {
                    out.resize(5_000, b'x');
                    Ok(())
                }
                _ => Json.encode(event, out),
            }
        }

        fn decode(&self, topic: &Topic, bytes: &[u8]) -> Result<u32, BoxError> {
            Json.decode(topic, bytes)
        }
    }

    let bus: Bus<u32> = Bus::new();
    let tape = Tape::default();
    let recorder = Recorder::builder(&bus)
        .codec(Picky)
        .max_line(4_096)
        .to(tape.clone())
        .unwrap();
    for n in 0..5 {
        bus.emit("n", n).unwrap();
    }
    let many = (0..1_025).map(|n| (n.to_string(), n));
    bus.event("m", 6).metadata_all(many).emit().unwrap();
    let recorded = recorder.stop(Drain::All).unwrap();
    assert_eq!(
        (recorded.written, recorded.refused, recorded.lost),
        (2, 4, 0)
    );
    let lines = tape.inner();
    let reasons = [
        "not \\\"this\\\"\\none",
        "the codec panicked: nor this",
        "more than 4096",
        "1025 pieces",
    ];
    for (line, reason) in [&lines[1], &lines[2], &lines[3], &lines[5]]
        .into_iter()
        .zip(reasons)
    {
        assert!(
            line.starts_with("{\"missed\":1,\"why\":\"refused\",\"topic\":"),
            "{line}"
        );
        assert!(line.contains(reason), "{line}");
    }
    assert!(recorder.stats().last_refusal.unwrap().contains("1025"));
    let end = "{\"end\":\"done\",\"written\":2,\"missed\":4}\n";
    assert!(tape.text().ends_with(end), "{}", tape.text());
    let (played, events) = play::<u32>(&tape.bytes());
    assert_eq!((played.missed, played.damaged, events.len()), (4, 0, 2));
}

#[test]
fn only_matching_events_are_recorded_and_the_sums_are_right() {
    let bus: Bus<u32> = Bus::new();
    let tape = Tape::default();
    let recorder = Recorder::builder(&bus)
        .patterns("a.*")
        .patterns(["b"])
        .name("black box")
        .to(tape.clone())
        .unwrap();
    for topic in ["a.x", "b", "c", "b.x"] {
        bus.emit(topic, 1).unwrap();
    }
    let row = &bus.stats().subscriptions[0];
    assert_eq!((row.name.as_deref(), row.matched()), (Some("black box"), 2));
    assert_eq!(recorder.stop(Drain::All).unwrap().written, 2);
    assert_eq!(bus.subscriber_count(), 0);
}

#[test]
fn a_full_recording_ends_within_its_limit_and_says_so() {
    for limit in (230..1_200).step_by(7) {
        let bus: Bus<u32> = Bus::new();
        let tape = Tape::default();
        let recorder = Recorder::builder(&bus)
            .max_bytes(limit)
            .to(tape.clone())
            .unwrap();
        bus.publisher("n").unwrap().emit_batch(0..100).unwrap();
        let recorded = recorder.stop(Drain::All).unwrap();
        assert!(recorded.full && recorded.bytes <= limit, "{recorded:?}");
        // What was emitted after it was full found it gone.
        let (written, lost) = (recorded.written, recorded.lost);
        assert!(written + lost <= 100 && lost > 0);
        assert!(
            tape.text().contains("\n{\"end\":\"full\","),
            "{}",
            tape.text()
        );
        let (played, events) = play::<u32>(&tape.bytes());
        assert_eq!((events.len() as u64, played.damaged), (written, 0));
        assert!(played.whole);
    }
}

#[test]
fn a_recorder_that_is_full_leaves_its_bus_by_itself() {
    let bus: Bus<u32> = Bus::new();
    let recorder = Recorder::builder(&bus)
        .max_bytes(300)
        .to(std::io::sink())
        .unwrap();
    eventually(|| {
        bus.emit("n", 1).unwrap();
        bus.subscriber_count() == 0
    });
    assert!(recorder.wait().unwrap().full);
}

#[test]
fn lines_reach_the_writer_at_intervals_and_not_only_at_the_end() {
    let bus: Bus<u32> = Bus::new();
    let tape = Tape::default();
    let recorder = Recorder::builder(&bus)
        .flush_every(Duration::from_millis(1))
        .to(tape.clone())
        .unwrap();
    bus.emit("a", 1).unwrap();
    eventually(|| recorder.stats().written == 1);
    assert!(tape.text().contains("\"topic\":\"a\""));
    assert!(!tape.text().contains("\"end\""));
    assert!(recorder.stats().running);
}

#[test]
fn what_cannot_start_says_why_and_touches_no_file() {
    let path = std::env::temp_dir().join(format!("chanbus-untouched-{}", std::process::id()));
    std::fs::write(&path, "precious").unwrap();
    let bus: Bus<u32> = Bus::builder().max_subscribers(1).build().unwrap();
    let builder = || Recorder::builder(&bus);
    let said = |error: RecordError| error.to_string();

    let error = said(builder().patterns("a..b").to_file(&path).unwrap_err());
    assert!(error.contains("a..b"), "{error}");
    let none: [&str; 0] = [];
    let error = said(builder().patterns(none).to_file(&path).unwrap_err());
    assert!(error.contains("RecorderBuilder::patterns"), "{error}");
    let error = builder().capacity(0).to_file(&path).unwrap_err();
    assert!(matches!(error, RecordError::Subscribe(_)));
    let error = said(builder().max_bytes(100).to_file(&path).unwrap_err());
    assert!(error.contains("RecorderBuilder::max_bytes"), "{error}");
    let error = said(builder().max_line(100).to_file(&path).unwrap_err());
    assert!(error.contains("4096"), "{error}");
    let sub = bus.subscribe_all().unwrap();
    assert!(builder().to_file(&path).is_err());
    drop(sub);
    bus.close();
    let error = builder().to_file(&path).unwrap_err();
    assert!(matches!(
        error,
        RecordError::Subscribe(SubscribeError::Closed)
    ));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_file_is_gone_on_with_even_behind_a_line_that_was_cut() {
    let path = std::env::temp_dir().join(format!("chanbus-append-test-{}", std::process::id()));
    let bus: Bus<u32> = Bus::new();
    let (_, tape) = record(|bus: &Bus<u32>| {
        bus.emit("a", 1).unwrap();
    });
    let whole = tape.bytes();
    std::fs::write(&path, &whole[..whole.len() - 20]).unwrap();
    let recorder = Recorder::builder(&bus).append_to_file(&path).unwrap();
    bus.emit("b", 2).unwrap();
    recorder.stop(Drain::All).unwrap();
    let mut player = Player::open(&path).unwrap().speed(Speed::Fast);
    let played = player.play(&bus).unwrap();
    assert_eq!((played.emitted, played.damaged), (2, 1));
    assert!(played.whole);
    // The line that says what it is was not lost behind the cut one.
    let text = std::fs::read_to_string(&path).unwrap();
    let headers = text.lines().filter(|it| it.starts_with("{\"chanbus\""));
    assert_eq!(headers.count(), 2);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn a_codec_that_emits_what_it_records_comes_to_an_end() {
    struct Chatty(Bus<u32>);

    impl Codec<u32> for Chatty {
        fn encode(&self, event: &Event<u32>, out: &mut Vec<u8>) -> Result<(), BoxError> {
            let _ = self.0.emit("encoded", 0);
            Json.encode(event, out)
        }

        fn decode(&self, topic: &Topic, bytes: &[u8]) -> Result<u32, BoxError> {
            Json.decode(topic, bytes)
        }
    }

    let bus: Bus<u32> = Bus::builder().max_chain(5).build().unwrap();
    let recorder = Recorder::builder(&bus)
        .codec(Chatty(bus.clone()))
        .flush_every(Duration::ZERO)
        .to(std::io::sink())
        .unwrap();
    bus.emit("first", 0).unwrap();
    // The first, and as many as may lead to one another.
    eventually(|| recorder.stats().written == 6);
    assert_eq!(recorder.stop(Drain::All).unwrap().written, 6);
}
