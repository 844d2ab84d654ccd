//! Any bytes as a recording: a player reads them to their end, reports what it cannot play by line, and what it plays can
//! be recorded and played again, and is the same.
#![no_main]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use chanbus::{Bus, Cause, Drain, Event, Fields, PlayError, Player, Recorder, Speed};
use libfuzzer_sys::fuzz_target;

/// Short, so that there are lines that are too long.
const MAX_LINE: usize = 1_024;

#[derive(Clone, Default)]
struct Tape(Arc<Mutex<Vec<u8>>>);

impl Write for Tape {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// All of an event. Floats print the shortest digits that are theirs alone.
fn text(event: &Event<Fields>) -> String {
    format!(
        "{} {:?} {:?} {:?} {:?} {}",
        event.topic(),
        event.timestamp(),
        event.source(),
        event.metadata_iter().collect::<Vec<_>>(),
        event.cause().map(Cause::to_string),
        event.payload(),
    )
}

fn play(bytes: &[u8], bus: &Bus<Fields>) -> Result<(Vec<String>, u64), ()> {
    let mut player = Player::new(bytes).speed(Speed::Fast).max_line(MAX_LINE);
    let mut events = Vec::new();
    let ended = loop {
        match player.step(bus) {
            Ok(Some(event)) => events.push(text(&event)),
            Ok(None) => break true,
            Err(PlayError::Version { found, .. }) => {
                assert_ne!(found, 1);
                break false;
            }
            Err(error) => panic!("{error}"),
        }
    };
    let lines = bytes.split(|byte| *byte == b'\n').count() as u64;
    let played = player.played();
    assert!(played.lines <= lines);
    assert_eq!(played.emitted, events.len() as u64);
    // One report for each line, and one for a first line that is an event or the like.
    assert!(played.emitted + played.refused + played.damaged <= played.lines + 1);
    assert_eq!(played.damage.len() as u64, played.damaged.min(100));
    assert!(
        played
            .damage
            .iter()
            .all(|it| (1..=lines).contains(&it.line) && it.detail.len() < 200)
    );
    assert!(played.damage.is_sorted_by_key(|it| it.line));
    if ended {
        Ok((events, played.damaged))
    } else {
        Err(())
    }
}

fuzz_target!(|bytes: &[u8]| {
    let bus: Bus<Fields> = Bus::builder()
        .max_chain(10_000)
        .capacity(10_000)
        .build()
        .unwrap();
    let tape = Tape::default();
    let recorder = Recorder::builder(&bus).to(tape.clone()).unwrap();
    let played = play(bytes, &bus);
    let recorded = recorder.stop(Drain::All).unwrap();
    let Ok((events, _)) = played else { return };
    assert_eq!(recorded.written, events.len() as u64);
    let again = tape.0.lock().unwrap().clone();
    assert_eq!(
        again.iter().filter(|byte| **byte == b'\n').count(),
        events.len() + 2
    );

    let mut player = Player::new(&again[..]);
    let mut found = Vec::new();
    while let Some(event) = player.read::<Fields>().unwrap() {
        found.push(text(&event));
    }
    assert_eq!(player.played().damaged, 0, "{:?}", player.played().damage);
    assert!(player.played().whole);
    assert_eq!(found, events);
});
