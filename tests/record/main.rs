//! Recordings: there and back, damaged, cut, too long; writers that fail; players that are stopped.
#![cfg(feature = "json")]
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../common/mod.rs"]
mod common;

mod damage;
mod ends;
mod hostile;
mod memory;
mod pace;
mod recorder;
mod round_trip;
mod writers;

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chanbus::{Bus, Drain, Event, Played, Player, Recorded, Recorder, Speed};
use common::counting::Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

/// Memory that a recorder writes to, and a test reads.
#[derive(Clone, Default)]
struct Tape(Arc<Mutex<Vec<u8>>>);

impl Tape {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }

    /// Its lines, without the first and the last.
    fn inner(&self) -> Vec<String> {
        let text = self.text();
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        assert!(lines[0].starts_with("{\"chanbus\":\"recording\",\"version\":1,"));
        assert!(lines[lines.len() - 1].starts_with("{\"end\":"), "{text}");
        lines[1..lines.len() - 1].to_vec()
    }
}

impl Write for Tape {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const HEADER: &str = "{\"chanbus\":\"recording\",\"version\":1}\n";

/// A recording of such events, with the first line and without the last.
fn recording(lines: &[&str]) -> String {
    let mut text = HEADER.to_owned();
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    text
}

fn line(nanos: u64, topic: &str, payload: u32) -> String {
    format!("{{\"time\":{nanos},\"topic\":\"{topic}\",\"json\":{payload}}}")
}

/// Plays as fast as possible; what was played, and what arrived.
fn play<T>(recording: &[u8]) -> (Played, Vec<Event<T>>)
where
    T: Send + Sync + 'static,
    chanbus::Json: chanbus::Codec<T>,
{
    let bus: Bus<T> = Bus::builder().capacity(1 << 16).build().unwrap();
    let sub = bus.subscribe_all().unwrap();
    let played = Player::new(recording).speed(Speed::Fast).play(&bus);
    (played.unwrap(), sub.try_iter().collect())
}

/// Records what `act` emits on a bus.
fn record<T>(act: impl FnOnce(&Bus<T>)) -> (Recorded, Tape)
where
    T: Send + Sync + 'static,
    chanbus::Json: chanbus::Codec<T>,
{
    let bus: Bus<T> = Bus::new();
    let tape = Tape::default();
    let recorder = Recorder::builder(&bus).to(tape.clone()).unwrap();
    act(&bus);
    (recorder.stop(Drain::All).unwrap(), tape)
}

/// Tries until it is so; a minute is as good as never.
fn eventually(what: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + Duration::from_secs(60);
    while !what() {
        assert!(std::time::Instant::now() < deadline, "it never was");
        std::thread::yield_now();
    }
}
