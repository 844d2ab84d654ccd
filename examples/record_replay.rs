//! Records a real run, replays it on another bus, faster, and checks that nothing is missing; then damages the recording,
//! and shows what is said of that.
//!
//! The run: threads walk a directory, and emit what they find; a recorder writes that down. The replay feeds the same
//! kind of consumer, which knows nothing of it.
//!
//! ```text
//! cargo run --release --features json --example record_replay               # this directory
//! cargo run --release --features json --example record_replay -- /usr/lib   # another
//! ```
//!
//! | Exit code | |
//! |---|---|
//! | 0 | all sums are right |
//! | 1 | they are not, or the directory could not be walked |

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example talks to the person who runs it"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use chanbus::{Bus, Drain, Event, Player, Recorder, Speed, Subscription};
use ignore::{WalkBuilder, WalkState};
use indicatif::{ProgressBar, ProgressDrawTarget};
use serde::{Deserialize, Serialize};

type Failure = Box<dyn Error + Send + Sync>;

/// How long the replay takes, about.
const REPLAY: Duration = Duration::from_secs(2);

/// More is not walked, so that it ends soon wherever it is started.
const MOST_FILES: u64 = 50_000;

/// What is emitted, and what stands in the recording.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Found {
    Dir { path: String },
    File { path: String, bytes: u64 },
    Error { message: String },
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("record_replay: {error}");
            ExitCode::from(1)
        }
    }
}

fn run() -> Result<(), Failure> {
    let root = std::env::args_os()
        .nth(1)
        .map_or_else(|| ".".into(), PathBuf::from);
    let path = std::env::temp_dir().join(format!("record_replay-{}.ndjson", std::process::id()));
    let done = record(&root, &path).and_then(|(seen, took)| {
        replay(&path, &seen, took)?;
        damage(&path, &seen)
    });
    // Also if something went wrong.
    fs::remove_file(&path)?;
    done
}

// ---- the run ----

/// Walks, with a consumer and a recorder on the bus; what the consumer saw, and how long it took.
fn record(root: &Path, path: &Path) -> Result<(Tally, Duration), Failure> {
    let bus = scan_bus()?;
    let recorder = Recorder::builder(&bus).capacity(1 << 16).to_file(path)?;
    let consumer = Consumer::start(&bus, "recording")?;

    let began = Instant::now();
    walk(root, &bus)?;
    let took = began.elapsed();
    bus.close();
    let seen = consumer.join()?;
    let recorded = recorder.stop(Drain::All)?;

    println!("recorded {} in {took:.1?}:", root.display());
    print!("{seen}");
    println!(
        "  {} lines of events, {} bytes, {} missed",
        recorded.written, recorded.bytes, recorded.dropped
    );
    same(
        "events that were emitted, and recorded or missed",
        seen.events(),
        recorded.written + recorded.dropped,
    )?;
    Ok((seen, took))
}

fn scan_bus() -> Result<Bus<Found>, Failure> {
    Ok(Bus::builder().name("scan").capacity(1 << 16).build()?)
}

/// On as many threads as the walker likes.
fn walk(root: &Path, bus: &Bus<Found>) -> Result<(), Failure> {
    fs::read_dir(root).map_err(|error| format!("{}: {error}", root.display()))?;
    let left = Arc::new(std::sync::atomic::AtomicU64::new(MOST_FILES));
    WalkBuilder::new(root)
        .standard_filters(false)
        .threads(4)
        .build_parallel()
        .run(|| {
            let left = Arc::clone(&left);
            Box::new(move |entry| {
                // Relaxed: a number of its own.
                let count = |left: u64| left.checked_sub(1);
                let ordering = std::sync::atomic::Ordering::Relaxed;
                if left.fetch_update(ordering, ordering, count).is_err() {
                    return WalkState::Quit;
                }
                let (topic, found) = match entry {
                    Err(error) => (
                        "scan.error",
                        Found::Error {
                            message: error.to_string(),
                        },
                    ),
                    Ok(entry) => {
                        let path = entry.path().to_string_lossy().into_owned();
                        if entry.file_type().is_some_and(|kind| kind.is_dir()) {
                            ("scan.dir", Found::Dir { path })
                        } else {
                            let bytes = entry.metadata().map_or(0, |metadata| metadata.len());
                            ("scan.file", Found::File { path, bytes })
                        }
                    }
                };
                // A consumer that is slow loses it; the recorder has a queue of its own.
                let emitted = bus.event(topic, found).source("walker").emit();
                if emitted.is_err() {
                    WalkState::Quit
                } else {
                    WalkState::Continue
                }
            })
        });
    Ok(())
}

// ---- the replay ----

/// Plays it so much faster that it takes a while to look at.
fn replay(path: &Path, before: &Tally, took: Duration) -> Result<(), Failure> {
    let factor = (took.as_secs_f64() / REPLAY.as_secs_f64()).max(0.01);
    let bus = scan_bus()?;
    let consumer = Consumer::start(&bus, "replaying")?;
    let began = Instant::now();
    let played = Player::open(path)?
        .speed(Speed::Times(factor))
        .wait_for_room(Duration::from_secs(10))
        .play(&bus)?;
    let speed = if factor < 1.0 {
        "slow motion"
    } else {
        "time lapse"
    };
    println!(
        "\nreplayed in {:.1?}, in {speed} ({factor:.2} times as fast):",
        began.elapsed()
    );
    bus.close();
    let after = consumer.join()?;
    print!("{after}");
    same(
        "events of the run, and of the replay",
        before.events(),
        after.events(),
    )?;
    for (topic, (count, bytes)) in &before.topics {
        let (again, again_bytes) = after.topics.get(topic).copied().unwrap_or_default();
        same(topic, *count, again)?;
        same("their bytes", *bytes, again_bytes)?;
    }
    same("damaged lines", 0, played.damaged)?;
    if !played.whole {
        return Err("the recording has no last line".into());
    }
    println!("  the same as in the run");
    Ok(())
}

// ---- the damage ----

/// What may happen to a file: something is written over it, something is lost, and it ends too soon.
fn damage(path: &Path, before: &Tally) -> Result<(), Failure> {
    let text = fs::read(path)?;
    let mut lines: Vec<Vec<u8>> = text
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect();
    let last = lines.len() - 2;
    // Without the last line: as if the recorder had been killed.
    lines.truncate(last + 1);
    let mut hurt = Vec::new();
    for (number, how) in [(last / 4, 0), (last / 3, 1), (last / 2, 2), (last, 3)] {
        // The first line is left as it is, and no line is hurt twice.
        if number == 0 || hurt.contains(&number) {
            continue;
        }
        hurt.push(number);
        let line = &mut lines[number];
        match how {
            0 => line.splice(10..20, *b"\0\0\0\0\0\0\0\0\0\0").for_each(drop),
            1 => {
                *line = String::from_utf8_lossy(line)
                    .replace("scan.", "scan..")
                    .into_bytes()
            }
            2 => line[40] = 0xff,
            _ => line.truncate(30),
        }
    }
    File::create(path)?.write_all(&lines.concat())?;

    let bus = scan_bus()?;
    let consumer = Consumer::start(&bus, "damaged")?;
    let played = Player::open(path)?
        .speed(Speed::Fast)
        .wait_for_room(Duration::from_secs(10))
        .play(&bus)?;
    bus.close();
    let after = consumer.join()?;
    println!(
        "\ndamaged, it plays all but {} of {} events:",
        played.damaged,
        before.events()
    );
    for damage in &played.damage {
        println!("  {damage}");
    }
    same(
        "lines that were damaged, and reported",
        hurt.len() as u64,
        played.damaged,
    )?;
    same(
        "events without them",
        before.events() - played.damaged,
        after.events(),
    )?;
    if played.whole {
        return Err("a recording that was cut passes for a whole one".into());
    }
    println!("  and it has no last line: whoever recorded it was killed");
    Ok(())
}

// ---- those who listen ----

/// How many events there were, and how many bytes they were about, by topic.
#[derive(Default)]
struct Tally {
    topics: BTreeMap<String, (u64, u64)>,
}

impl Tally {
    fn add(&mut self, event: &Event<Found>) {
        let bytes = match event.payload() {
            Found::File { bytes, .. } => *bytes,
            Found::Dir { path } => path.len() as u64,
            Found::Error { message } => message.len() as u64,
        };
        let sum = self.topics.entry(event.topic().to_string()).or_default();
        *sum = (sum.0 + 1, sum.1 + bytes);
    }

    fn events(&self) -> u64 {
        self.topics.values().map(|(count, _)| count).sum()
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (topic, (count, bytes)) in &self.topics {
            writeln!(f, "  {count:>7} {topic:<11} {bytes:>13} bytes")?;
        }
        Ok(())
    }
}

/// A thread that counts, and shows how far it is.
struct Consumer(JoinHandle<(Tally, u64)>);

impl Consumer {
    fn start(bus: &Bus<Found>, what: &'static str) -> Result<Self, Failure> {
        let sub = bus.subscription("scan.*").name(what).subscribe()?;
        Ok(Consumer(thread::spawn(move || count(&sub, what))))
    }

    fn join(self) -> Result<Tally, Failure> {
        let (tally, dropped) = self.0.join().map_err(|_| "a consumer panicked")?;
        same("events that the consumer was too slow for", 0, dropped)?;
        Ok(tally)
    }
}

fn count(sub: &Subscription<Found>, what: &'static str) -> (Tally, u64) {
    // At most ten times a second, and only on a terminal.
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
    bar.set_message(what);
    let mut tally = Tally::default();
    for event in sub {
        tally.add(&event);
        bar.inc(1);
    }
    bar.finish_and_clear();
    (tally, sub.dropped())
}

fn same(what: &str, one: u64, other: u64) -> Result<(), Failure> {
    match one == other {
        true => Ok(()),
        false => Err(format!("{what}: {one} and {other}").into()),
    }
}
