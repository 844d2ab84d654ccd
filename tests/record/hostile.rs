//! Recordings among code that does its worst: writers that lie, stops from everywhere, destructors, no time and endless time.

use std::io::{self, Write};
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use chanbus::{
    BoxError, Bus, Codec, Drain, Event, Overflow, PlayError, Player, Recorder, Speed, Topic,
};

use super::common::{Census, HANG, Hooked, guarded, hooked};
use super::{Tape, eventually, line, play, recording};

fn panics() -> Hooked {
    hooked(|| resume_unwind(Box::new("on the way out")))
}

#[test]
fn a_recording_that_is_full_at_a_conflation_ends_whole_whatever_the_event_at_hand_does() {
    /// Holds the recorder up at the first event.
    struct Holds(SyncSender<()>, Mutex<Receiver<()>>);

    impl Codec<Hooked> for Holds {
        fn encode(&self, event: &Event<Hooked>, out: &mut Vec<u8>) -> Result<(), BoxError> {
            self.0.send(())?;
            self.1.lock().unwrap().recv()?;
            out.resize(if event.topic() == "first" { 700 } else { 1 }, b'x');
            Ok(())
        }

        fn decode(&self, _: &Topic, _: &[u8]) -> Result<Hooked, BoxError> {
            Ok(None)
        }
    }

    let room = |max_bytes: u64| {
        guarded(move || {
            let bus = Bus::new();
            let tape = Tape::default();
            let (arrived, is_there) = sync_channel(9);
            let (open, go) = sync_channel(9);
            let recorder = Recorder::builder(&bus)
                .codec(Holds(arrived, Mutex::new(go)))
                .overflow(Overflow::Latest)
                .max_bytes(max_bytes)
                .to(tape.clone())
                .unwrap();
            bus.emit("first", None).unwrap();
            is_there.recv().unwrap();
            bus.emit("second", None).unwrap();
            bus.emit("second", panics()).unwrap();
            for _ in 0..9 {
                // Full, it has let go of the codec.
                let _ = open.send(());
            }
            let recorded = recorder.stop(Drain::All).unwrap();
            assert!(recorded.bytes <= max_bytes);
            let end = if recorded.full { "full" } else { "done" };
            let end = format!("\n{{\"end\":\"{end}\",");
            assert!(tape.text().contains(&end), "{}", tape.text());
            (
                recorded.full,
                recorded.written,
                recorded.lost,
                recorded.conflated,
            )
        })
    };
    // Every length, so that the line of the gap is the first without room in some.
    let found: Vec<_> = (850..1_100).step_by(10).map(room).collect();
    assert!(found.contains(&(true, 1, 1, 1)), "{found:?}");
    assert!(found.contains(&(false, 2, 0, 1)), "{found:?}");
}

#[test]
fn a_step_onto_a_bus_that_closes_meanwhile_is_an_error_whatever_the_payload_does() {
    struct Closes(Bus<Hooked>);

    impl Codec<Hooked> for Closes {
        fn encode(&self, _: &Event<Hooked>, _: &mut Vec<u8>) -> Result<(), BoxError> {
            Ok(())
        }

        fn decode(&self, _: &Topic, _: &[u8]) -> Result<Hooked, BoxError> {
            self.0.close();
            Ok(panics())
        }
    }

    let text = recording(&[&line(1, "a", 1)]);
    let bus = Bus::new();
    let mut player = Player::new(text.as_bytes()).codec(Closes(bus.clone()));
    let error = player.step(&bus).map(drop).unwrap_err();
    assert!(matches!(error, PlayError::Closed { line: 1 }), "{error:?}");
    // It was not lost.
    let next = Bus::new();
    let event = player.step(&next).unwrap().unwrap();
    assert_eq!(event.topic(), "a");
    std::mem::forget(event);
    assert_eq!(player.played().emitted, 1);
}

#[test]
fn all_after_the_first_event_of_a_time_is_played_even_if_that_one_is_not() {
    let lines = [
        line(1, "b", 0),
        line(9, "a", 1),
        line(3, "b", 2),
        "{\"time\":9,\"topic\":\"b\",\"json\":\"no number\"}".to_owned(),
        line(2, "b", 3),
    ];
    let play = |lines: &[String]| {
        let text = recording(&lines.iter().map(String::as_str).collect::<Vec<_>>());
        let bus: Bus<u32> = Bus::new();
        let sub = bus.subscribe_all().unwrap();
        let played = Player::new(text.as_bytes())
            .speed(Speed::Fast)
            .from_time(UNIX_EPOCH + Duration::from_nanos(9))
            .patterns("b")
            .play(&bus)
            .unwrap();
        let seen: Vec<u32> = sub.try_iter().map(|event| *event.payload()).collect();
        (seen, played.skipped, played.damaged)
    };
    assert_eq!(play(&lines), (vec![2, 3], 2, 1));
    let without = [&lines[..1], &lines[2..]].concat();
    assert_eq!(play(&without), (vec![3], 2, 1));
}

#[test]
fn a_pause_that_never_ends_can_be_stopped_and_its_event_comes_with_the_next_play() {
    guarded(|| {
        let text = recording(&[&line(0, "a", 1), &line(1, "b", 2)]);
        let bus: Bus<u32> = Bus::new();
        let sub = bus.subscribe_all().unwrap();
        let mut player = Player::new(text.as_bytes()).speed(Speed::Times(f64::from_bits(1)));
        let stopper = player.stopper();
        thread::scope(|scope| {
            scope.spawn(|| {
                assert_eq!(*sub.recv().unwrap().payload(), 1);
                stopper.stop();
            });
            let played = player.play(&bus).unwrap();
            assert_eq!((played.emitted, played.stopped, played.lines), (1, true, 3));
        });
        let played = player.play(&bus).unwrap();
        assert_eq!(
            (played.emitted, played.stopped, played.lines),
            (2, false, 3)
        );
        assert_eq!(*sub.try_recv().unwrap().payload(), 2);
        // As fast as can be said, and as slow, but cut.
        for (factor, longest) in [(f64::MAX, Duration::MAX), (1e-300, Duration::ZERO)] {
            let far = recording(&[&line(0, "a", 1), &line(u64::MAX, "b", 2)]);
            let mut player = Player::new(far.as_bytes())
                .speed(Speed::Times(factor))
                .longest_pause(longest);
            assert_eq!(player.play(&bus).unwrap().emitted, 2);
        }
    });
}

#[test]
fn damage_has_the_number_of_its_line_also_behind_empty_and_endless_ones() {
    let text = format!(
        "{}\n\n{}\n{}\n{{\n{}\nno",
        super::HEADER.trim_end(),
        "x".repeat(5_000),
        line(1, "a", 1),
        line(2, "a", 2),
    );
    let bus: Bus<u32> = Bus::new();
    let mut player = Player::new(io::BufReader::with_capacity(7, text.as_bytes()))
        .speed(Speed::Fast)
        .max_line(100);
    let played = player.play(&bus).unwrap();
    let lines: Vec<u64> = played.damage.iter().map(|damage| damage.line).collect();
    assert_eq!((lines, played.emitted, played.lines), (vec![3, 5, 7], 2, 7));
}

/// Lies about what it took, as the test says.
struct Liar {
    tape: Tape,
    flushes: Arc<Mutex<Vec<usize>>>,
    says: fn(usize) -> usize,
}

impl Write for Liar {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tape.write(bytes)?;
        Ok((self.says)(bytes.len()))
    }

    fn flush(&mut self) -> io::Result<()> {
        let lines = self.tape.text().lines().count();
        self.flushes.lock().unwrap().push(lines);
        Ok(())
    }
}

#[test]
fn a_writer_that_says_it_took_more_than_it_was_given_is_taken_for_one_that_took_it() {
    let bus: Bus<u32> = Bus::new();
    let tape = Tape::default();
    let liar = Liar {
        tape: tape.clone(),
        flushes: Arc::default(),
        says: |_| usize::MAX,
    };
    let recorder = Recorder::builder(&bus).capacity(1).to(liar).unwrap();
    bus.emit("a", 1).unwrap();
    let recorded = recorder.stop(Drain::All).unwrap();
    assert_eq!((recorded.written, recorded.lost), (1, 0));
    assert_eq!(recorded.bytes, tape.bytes().len() as u64);
}

#[test]
fn without_an_interval_each_event_is_flushed_by_itself_and_the_end_is() {
    let bus: Bus<u32> = Bus::new();
    let flushes: Arc<Mutex<Vec<usize>>> = Arc::default();
    let liar = Liar {
        tape: Tape::default(),
        flushes: Arc::clone(&flushes),
        says: |given| given,
    };
    let recorder = Recorder::builder(&bus)
        .flush_every(Duration::ZERO)
        .to(liar)
        .unwrap();
    for n in 1..=3 {
        bus.emit("a", n).unwrap();
        // The first line, and one for each event.
        let lines = n as usize + 1;
        eventually(|| flushes.lock().unwrap().last() == Some(&lines));
    }
    recorder.stop(Drain::All).unwrap();
    assert_eq!(*flushes.lock().unwrap(), [2, 3, 4, 5]);
}

#[test]
fn an_endless_interval_writes_what_makes_a_chunk_and_the_rest_at_the_end() {
    let bus: Bus<String> = Bus::new();
    let tape = Tape::default();
    let recorder = Recorder::builder(&bus)
        .flush_every(Duration::MAX)
        .to(tape.clone())
        .unwrap();
    bus.emit("a", "x".repeat(70_000)).unwrap();
    eventually(|| recorder.stats().written == 1);
    bus.emit("a", "y".to_owned()).unwrap();
    assert_eq!(
        recorder.stop(Drain::Within(Duration::MAX)).unwrap().written,
        2
    );
    assert_eq!(play::<String>(&tape.bytes()).1.len(), 2);
}

#[test]
fn stops_and_waits_of_many_threads_tell_the_same() {
    guarded(|| {
        let bus: Bus<u32> = Bus::new();
        let tape = Tape::default();
        let recorder = Recorder::builder(&bus).to(tape.clone()).unwrap();
        bus.publisher("n").unwrap().emit_batch(0..500).unwrap();
        let told: Mutex<Vec<_>> = Mutex::default();
        thread::scope(|scope| {
            for n in 0..6 {
                let (recorder, told) = (&recorder, &told);
                scope.spawn(move || {
                    let recorded = match n % 2 {
                        0 => recorder.wait(),
                        _ => recorder.stop(Drain::All),
                    };
                    told.lock().unwrap().push(recorded.unwrap());
                });
            }
        });
        let told = told.into_inner().unwrap();
        assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
        assert_eq!((told[0].written, told[0].lost), (500, 0));
        assert!(recorder.stop(Drain::Now).is_ok());
    });
}

#[test]
fn a_stop_in_the_pause_after_a_writer_that_failed_says_what_is_lost() {
    struct Fails(SyncSender<()>);

    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            let _ = self.0.try_send(());
            Ok(0)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    guarded(|| {
        for drain in [Drain::Now, Drain::All, Drain::Within(HANG)] {
            let bus: Bus<u32> = Bus::new();
            let (tried, was_tried) = sync_channel(1);
            let recorder = Recorder::builder(&bus)
                .flush_every(Duration::ZERO)
                .to(Fails(tried))
                .unwrap();
            bus.emit("a", 1).unwrap();
            was_tried.recv().unwrap();
            // It would be tried again after a pause.
            let error = recorder.stop(drain).unwrap_err();
            assert_eq!((error.recorded.written, error.recorded.lost), (0, 1));
            let cause = error.error.unwrap();
            assert_eq!(cause.kind(), io::ErrorKind::WriteZero);
        }
    });
}

#[test]
fn a_bus_that_is_reset_ends_its_recorder_with_all_that_came() {
    let bus: Bus<u32> = Bus::builder().capacity(1).build().unwrap();
    let tape = Tape::default();
    let recorder = Recorder::builder(&bus)
        .overflow(Overflow::Latest)
        .to(tape.clone())
        .unwrap();
    bus.emit("a", 1).unwrap();
    bus.reset();
    bus.emit("a", 2).unwrap();
    let recorded = recorder.wait().unwrap();
    assert_eq!((recorded.written, recorded.lost), (1, 0));
    assert!(
        tape.text()
            .ends_with("{\"end\":\"done\",\"written\":1,\"missed\":0}\n")
    );
}

#[test]
fn a_codec_whose_destructor_panics_keeps_nobody_waiting() {
    struct Bad(#[allow(dead_code)] Hooked);

    impl Codec<u32> for Bad {
        fn encode(&self, _: &Event<u32>, _: &mut Vec<u8>) -> Result<(), BoxError> {
            Ok(())
        }

        fn decode(&self, _: &Topic, _: &[u8]) -> Result<u32, BoxError> {
            Ok(0)
        }
    }

    guarded(|| {
        let bus = Bus::new();
        let recorder = Recorder::builder(&bus)
            .codec(Bad(panics()))
            .to(io::sink())
            .unwrap();
        bus.emit("a", 1).unwrap();
        assert_eq!(recorder.stop(Drain::All).unwrap().written, 1);
    });
}

/// A codec that says when it has an event, and holds it until it may go on.
struct Holds(SyncSender<()>, Mutex<Receiver<()>>);

impl<T: Send + Sync + 'static> Codec<T> for Holds {
    fn encode(&self, _: &Event<T>, _: &mut Vec<u8>) -> Result<(), BoxError> {
        self.0.send(())?;
        Ok(self.1.lock().unwrap().recv()?)
    }

    fn decode(&self, _: &Topic, _: &[u8]) -> Result<T, BoxError> {
        Err("it only writes".into())
    }
}

fn holds() -> (Holds, Receiver<()>, SyncSender<()>) {
    let (arrived, is_there) = sync_channel(99);
    let (open, go) = sync_channel(99);
    (Holds(arrived, Mutex::new(go)), is_there, open)
}

#[test]
fn a_stop_that_gives_up_lets_go_of_what_is_queued() {
    guarded(|| {
        let (census, bus) = (Census::new(), Bus::new());
        let (codec, is_there, open) = holds();
        let recorder = Recorder::builder(&bus).codec(codec).to(io::sink()).unwrap();
        for _ in 0..5 {
            bus.emit("a", census.born()).unwrap();
        }
        is_there.recv().unwrap();
        let stats = recorder.stats();
        assert!(stats.running);
        assert_eq!((stats.written, stats.waiting, stats.lost), (0, 5, 0));
        let error = recorder.stop(Drain::Within(Duration::ZERO)).unwrap_err();
        assert_eq!((error.recorded.written, error.recorded.lost), (0, 5));
        // The codec has the other.
        assert_eq!(census.alive(), 1);
        drop(open);
        eventually(|| !recorder.stats().running && census.alive() == 0);
    });
}

#[test]
fn a_stop_at_once_still_says_what_the_queue_had_no_room_for() {
    guarded(|| {
        let bus: Bus<u32> = Bus::new();
        let tape = Tape::default();
        let (codec, is_there, open) = holds();
        let recorder = Recorder::builder(&bus)
            .codec(codec)
            .capacity(1)
            .to(tape.clone())
            .unwrap();
        bus.emit("a", 1).unwrap();
        is_there.recv().unwrap();
        bus.emit("a", 2).unwrap();
        bus.emit("a", 3).unwrap();
        thread::scope(|scope| {
            let stop = scope.spawn(|| recorder.stop(Drain::Now));
            // The order is given before it leaves the bus.
            eventually(|| bus.subscriber_count() == 0);
            open.send(()).unwrap();
            let recorded = stop.join().unwrap().unwrap();
            assert_eq!((recorded.written, recorded.lost), (1, 1));
            assert_eq!(recorded.dropped, 1);
        });
        let inner = tape.inner();
        assert_eq!(inner[1..], ["{\"missed\":1,\"why\":\"queue\"}"]);
        let end = "{\"end\":\"done\",\"written\":1,\"missed\":2}\n";
        assert!(tape.text().ends_with(end), "{}", tape.text());
    });
}

#[test]
fn a_line_of_just_the_limit_is_written_and_one_byte_more_is_refused() {
    let line_of = |text: usize| {
        let bus: Bus<String> = Bus::new();
        let tape = Tape::default();
        let recorder = Recorder::builder(&bus)
            .max_line(4_096)
            .to(tape.clone())
            .unwrap();
        bus.emit("a", "x".repeat(text)).unwrap();
        let recorded = recorder.stop(Drain::All).unwrap();
        // With its line feed.
        (tape.inner()[0].len() + 1, recorded.refused)
    };
    let (around, _) = line_of(0);
    assert_eq!(line_of(4_096 - around), (4_096, 0));
    assert_eq!(line_of(4_097 - around).1, 1);
}

#[test]
fn lines_are_written_at_intervals_also_while_others_come_in_between() {
    let bus: Bus<u32> = Bus::new();
    let recorder = Recorder::builder(&bus)
        .flush_every(Duration::from_millis(200))
        .to(io::sink())
        .unwrap();
    // Too few for a chunk, and each well before the interval of the one before has passed. They are pacing, and the bound
    // is a guard: usually ten do.
    let written = (0..900).any(|n| {
        bus.emit("a", n).unwrap();
        thread::sleep(Duration::from_millis(20));
        recorder.stats().written > 0
    });
    assert!(written);
}

#[test]
fn a_recording_is_whole_only_if_its_last_line_ends_it() {
    let end = "{\"end\":\"done\",\"written\":0,\"missed\":0}";
    let whole = |lines: &[&str]| play::<u32>(recording(lines).as_bytes()).0.whole;
    let event = line(1, "a", 1);
    assert!(whole(&[&event, end]) && whole(&[end]));
    assert!(!whole(&[]) && !whole(&[end, &event]) && !whole(&[end, "no line"]));
}

#[test]
fn a_stop_is_told_until_the_next_steps() {
    let text = recording(&[&line(1, "a", 1)]);
    let bus: Bus<u32> = Bus::new();
    let mut player = Player::new(text.as_bytes());
    player.stopper().stop();
    assert!(player.step_until(&bus, "a").unwrap().is_none());
    assert!(player.played().stopped);
    assert!(player.step_until(&bus, "a").unwrap().is_some());
    assert!(!player.played().stopped);
}

#[test]
fn a_player_counts_full_queues_or_waits_for_room_in_them() {
    let lines: Vec<_> = (0..4).map(|n| line(n, "a", n as u32)).collect();
    let text = recording(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let fast = || Player::new(text.as_bytes()).speed(Speed::Fast);
    for (overflow, dropped, evicted, left) in [
        (Overflow::DropNewest, 3, 0, 0),
        (Overflow::DropOldest, 0, 3, 3),
        (Overflow::Latest, 0, 3, 3),
    ] {
        let bus: Bus<u32> = Bus::new();
        let sub = bus
            .subscription("a")
            .capacity(1)
            .overflow(overflow)
            .subscribe()
            .unwrap();
        let played = fast().play(&bus).unwrap();
        assert_eq!((played.emitted, played.dropped), (4, dropped));
        assert_eq!(played.evicted, evicted);
        assert_eq!(*sub.try_recv().unwrap().payload(), left);
    }
    let bus: Bus<u32> = Bus::new();
    let sub = bus.subscription("a").capacity(1).subscribe().unwrap();
    thread::scope(|scope| {
        let took = scope.spawn(|| -> Vec<u32> {
            let events = (0..4).map(|_| sub.recv_timeout(HANG).unwrap());
            events.map(|event| *event.payload()).collect()
        });
        let played = fast().wait_for_room(HANG).play(&bus).unwrap();
        assert_eq!((played.emitted, played.dropped), (4, 0));
        assert_eq!(took.join().unwrap(), [0, 1, 2, 3]);
    });
}

#[test]
fn a_reader_that_fails_is_told_with_the_line_at_hand() {
    /// Fails at the end of what there is.
    struct Fails<'a>(&'a [u8]);

    impl io::Read for Fails<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            match self.0.is_empty() {
                true => Err(io::ErrorKind::TimedOut.into()),
                false => self.0.read(out),
            }
        }
    }

    let text = recording(&[&line(1, "a", 1), "{\"time\""]);
    for cut in [text.len() - 1, text.len() - 8] {
        let reader = io::BufReader::new(Fails(&text.as_bytes()[..cut]));
        let bus: Bus<u32> = Bus::new();
        let mut player = Player::new(reader);
        for _ in 0..2 {
            let error = player.play(&bus).unwrap_err();
            assert!(
                matches!(error, PlayError::Read { line: 3, .. }),
                "{error:?}"
            );
            assert_eq!(player.played().emitted, 1);
        }
    }
}
