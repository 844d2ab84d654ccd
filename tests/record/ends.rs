//! Buses that close, handles that are dropped, in every order; stops from everywhere.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use chanbus::{Bus, Drain, PlayError, Player, Recorder, Speed};

use super::common::{Census, Counted, OnDrop, guarded, hooked};
use super::{Tape, line, play, recording};

#[test]
fn what_was_emitted_before_the_end_is_written_whichever_way_it_ends() {
    guarded(|| {
        for way in 0..6 {
            let bus: Bus<u32> = Bus::new();
            let tape = Tape::default();
            let recorder = Recorder::builder(&bus).to(tape.clone()).unwrap();
            bus.publisher("n").unwrap().emit_batch(0..100).unwrap();
            match way {
                0 => drop(recorder),
                1 => {
                    drop(bus);
                    drop(recorder);
                }
                2 => {
                    drop(bus);
                    assert_eq!(recorder.wait().unwrap().written, 100);
                }
                3 => {
                    bus.close();
                    assert_eq!(recorder.stop(Drain::All).unwrap().written, 100);
                }
                4 => {
                    bus.reset();
                    assert_eq!(recorder.wait().unwrap().written, 100);
                }
                _ => {
                    let patience = Drain::Within(Duration::from_secs(60));
                    assert_eq!(recorder.stop(patience).unwrap().written, 100);
                    assert_eq!(recorder.stop(Drain::Now).unwrap().written, 100);
                    assert_eq!(recorder.wait().unwrap().written, 100);
                }
            }
            let (played, events) = play::<u32>(&tape.bytes());
            assert!(
                events.iter().map(|event| *event.payload()).eq(0..100),
                "{way}"
            );
            assert!(played.whole, "{way}");
        }
    });
}

#[test]
fn a_stop_that_does_not_drain_counts_what_it_left() {
    let bus: Bus<u32> = Bus::new();
    let tape = Tape::default();
    let recorder = Recorder::builder(&bus).to(tape.clone()).unwrap();
    bus.publisher("n").unwrap().emit_batch(0..10_000).unwrap();
    let recorded = recorder.stop(Drain::Now).unwrap();
    assert_eq!(recorded.written + recorded.lost, 10_000);
    let end = format!(
        "\"written\":{},\"missed\":{}}}\n",
        recorded.written, recorded.lost
    );
    assert!(tape.text().ends_with(&end));
}

#[test]
fn the_writer_is_dropped_before_a_stop_returns() {
    struct Closed(
        Tape,
        #[expect(dead_code, reason = "counts while it lives")] Counted,
    );

    impl Write for Closed {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let census = Census::new();
    let bus: Bus<u32> = Bus::new();
    let writer = Closed(Tape::default(), census.born());
    let recorder = Recorder::builder(&bus).to(writer).unwrap();
    recorder.stop(Drain::All).unwrap();
    assert_eq!(census.alive(), 0);
}

#[test]
fn a_stop_by_the_writer_itself_does_not_wait_for_itself() {
    struct Suicidal(Arc<OnceLock<Recorder<u32>>>, Arc<Mutex<Vec<bool>>>);

    impl Write for Suicidal {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(recorder) = self.0.get() {
                let pending =
                    recorder.stop(Drain::All).unwrap().pending && recorder.wait().unwrap().pending;
                self.1.lock().unwrap().push(pending);
            }
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    guarded(|| {
        let bus: Bus<u32> = Bus::new();
        let (place, told) = (Arc::default(), Arc::default());
        let writer = Suicidal(Arc::clone(&place), Arc::clone(&told));
        let recorder = Recorder::builder(&bus).to(writer).unwrap();
        let recorder = place.get_or_init(|| recorder);
        for n in 0..10_000 {
            bus.emit("n", n).unwrap();
        }
        recorder.wait().unwrap();
        let told = told.lock().unwrap();
        assert!(!told.is_empty() && told.iter().all(|pending| *pending));
    });
}

#[test]
fn payloads_whose_destructors_panic_or_emit_do_no_harm() {
    use chanbus::{BoxError, Codec, Event, Topic};

    struct Nothing;

    impl Codec<super::common::Hooked> for Nothing {
        fn encode(
            &self,
            _: &Event<super::common::Hooked>,
            _: &mut Vec<u8>,
        ) -> Result<(), BoxError> {
            Ok(())
        }

        fn decode(&self, _: &Topic, _: &[u8]) -> Result<super::common::Hooked, BoxError> {
            Ok(Some(OnDrop(Box::new(|| panic!("on the way out")))))
        }
    }

    guarded(|| {
        let bus = Bus::new();
        let tape = Tape::default();
        let recorder = Recorder::builder(&bus)
            .codec(Nothing)
            .to(tape.clone())
            .unwrap();
        let again = bus.clone();
        bus.emit("a", hooked(|| panic!("on the way out"))).unwrap();
        bus.emit("b", hooked(move || drop(again.emit("c", None))))
            .unwrap();
        while recorder.stats().waiting + recorder.stats().written < 3 {
            std::thread::yield_now();
        }
        assert_eq!(recorder.stop(Drain::All).unwrap().written, 3);

        let bytes = tape.bytes();
        let played = Player::new(&bytes[..])
            .codec(Nothing)
            .speed(Speed::Fast)
            .play(&bus)
            .unwrap();
        assert_eq!(played.emitted, 3);
    });
}

#[test]
fn a_bus_that_closes_ends_the_play_and_another_bus_goes_on_with_it() {
    let text = recording(&[&line(1, "a", 0), &line(2, "b", 1), &line(3, "c", 2)]);
    let bus: Bus<u32> = Bus::new();
    let closer = bus.downgrade();
    let _tap = bus
        .tap("b", move |_| {
            closer.upgrade().unwrap().close();
        })
        .unwrap();
    let mut player = Player::new(text.as_bytes()).speed(Speed::Fast);
    let error = player.play(&bus).unwrap_err();
    assert!(matches!(error, PlayError::Closed { line: 3 }), "{error}");
    assert_eq!(player.played().emitted, 2);
    assert!(player.step(&bus).unwrap_err().is_closed());

    let other: Bus<u32> = Bus::new();
    let sub = other.subscribe_all().unwrap();
    assert_eq!(player.play(&other).unwrap().emitted, 3);
    assert!(sub.try_iter().map(|event| *event.payload()).eq([2]));
}

#[test]
fn events_of_too_long_a_chain_are_refused_by_the_bus_and_counted() {
    let caused = "{\"time\":1,\"topic\":\"a\",\"cause\":[\"x\",\"y\"],\"json\":1}";
    let text = recording(&[caused, &line(2, "b", 2)]);
    let bus: Bus<u32> = Bus::builder().max_chain(1).build().unwrap();
    let mut player = Player::new(text.as_bytes());
    assert_eq!(player.step(&bus).unwrap().unwrap().topic(), "b");
    assert_eq!((player.played().refused, player.played().emitted), (1, 1));
}

#[test]
fn a_bus_can_be_recorded_while_its_own_recording_is_played_on_it() {
    let text = recording(&[&line(1, "a", 0), &line(2, "b", 1)]);
    let (recorded, tape) = super::record(|bus: &Bus<u32>| {
        for _ in 0..10 {
            Player::new(text.as_bytes())
                .speed(Speed::Fast)
                .play(bus)
                .unwrap();
        }
    });
    assert_eq!(recorded.written, 20);
    assert_eq!(play::<u32>(&tape.bytes()).1.len(), 20);
}
