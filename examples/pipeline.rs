//! A log in three steps: lines are parsed, errors are picked, and two consumers get them, one of them
//! slow. Each step is a bus that is derived from the one before; there is no thread between them.
//!
//! ```text
//! cargo run --release --example pipeline -- /var/log/syslog
//! journalctl | cargo run --release --example pipeline
//! cargo run --release --example pipeline                      # a log that it makes up
//! ```
//!
//! ```text
//! lines --filter_mapped--> entries --filtered--> errors --+--> counter
//!   |                                                     +--> writer (slow, keeps the newest)
//!   +--> progress (on a terminal)
//! ```
//!
//! An entry is a line with a level among its first words: `ERROR`, `[warn]`, `level=info`, `error:`. The
//! writer prints errors to the standard output, at a pace, and says where it missed some. At the end every
//! line is accounted for: parsed or left out; an error or none; taken, or counted as dropped.
//!
//! | Exit code | |
//! |---|---|
//! | 0 | all sums are right |
//! | 1 | they are not |
//! | 2 | the log could not be read |

#![allow(
    clippy::print_stderr,
    reason = "an example talks to the person who runs it"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, IsTerminal, Read, Write};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use chanbus::{
    Beat, Bus, BusStats, DEFAULT_HEARTBEAT, Event, Overflow, Publisher, Subscription, Topic,
};
use indicatif::{ProgressBar, ProgressDrawTarget};

/// How long the writer takes for each error.
const SLOW_WORK: Duration = Duration::from_micros(500);

/// At most so many lines are emitted together.
const BATCH: usize = 256;

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> ExitCode {
    match run() {
        Ok(complaints) if complaints.is_empty() => ExitCode::SUCCESS,
        Ok(complaints) => {
            for complaint in complaints {
                eprintln!("pipeline: {complaint}");
            }
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("pipeline: {error}");
            ExitCode::from(2)
        }
    }
}

/// What does not add up; nothing, if all is well.
fn run() -> Result<Vec<String>, Failure> {
    let mut log = open_log()?;

    let lines: Bus<String> = Bus::builder().name("lines").capacity(4_096).build()?;
    let topics = Topics::new()?;
    // Keeps the time and the source of the line; another payload, on another topic.
    let entries = lines.filter_mapped(move |line| {
        let (level, text) = parse(line.payload())?;
        Some(line.with_topic(topics.of(level).clone(), Entry { level, text }))
    });
    let errors = entries.filtered(|entry| entry.payload().level >= Level::Error);

    // A handle of each subscription stays here, for its numbers at the end.
    let counter = errors.subscription("log.*").name("counter").subscribe()?;
    let writer = errors
        .subscription("log.*")
        .name("writer")
        .capacity(32)
        .overflow(Overflow::DropOldest)
        .subscribe()?;
    let progress = lines
        .subscription("line")
        .name("progress")
        .capacity(1)
        .overflow(Overflow::Latest)
        .subscribe()?;
    let (counts, written) = (counter.share(), writer.share());
    let counts = thread::spawn(move || count(&counts));
    let written = thread::spawn(move || write_slowly(&written));
    let bar = thread::spawn(move || show(&progress));

    let publisher = lines.publisher("line")?;
    let read = feed(&publisher, &mut log);
    // Also if reading failed: this ends the derived buses, and with them their consumers.
    lines.close();
    let died = |_| "a consumer panicked";
    let counts = counts.join().map_err(died)?;
    let written = written.join().map_err(died)??;
    bar.join().map_err(died)?;
    let read = read?;

    let (lines, entries, errors) = (lines.stats(), entries.stats(), errors.stats());
    let counted: u64 = counts.values().sum();
    let Written { taken, missed } = written;
    let mut report = format!("\n{read} lines\n");
    writeln!(report, "{:>9} had no level", entries.left_out)?;
    writeln!(report, "{:>9} were of lesser levels", errors.left_out)?;
    for (topic, count) in &counts {
        writeln!(report, "{count:>9} {topic}")?;
    }
    writeln!(
        report,
        "{taken:>9} errors were written, and {missed} were not: the writer is slow"
    )?;
    print(&report)?;

    let mut audit = Audit::default();
    audit.same("lines read, and emitted", read, lines.emitted);
    let (parsed, left) = (entries.emitted, entries.left_out);
    audit.same("lines, parsed or left out", read, parsed + left);
    let (picked, left) = (errors.emitted, errors.left_out);
    audit.same("entries, errors or left out", parsed, picked + left);
    audit.same(
        "errors counted, or dropped",
        picked,
        counted + counter.dropped(),
    );
    audit.same("errors written, or missed", picked, taken + missed);
    audit.same("what was missed, and dropped", missed, writer.dropped());
    for sub in [&counter, &writer] {
        audit.same("matched", picked, sub.matched());
        audit.same("its parts", sub.matched(), sub.received() + sub.dropped());
    }
    for stats in [&lines, &entries, &errors] {
        audit.same("lost on the way", 0, lost(stats));
    }
    Ok(audit.complaints)
}

/// What neither came on nor was left out.
fn lost(bus: &BusStats) -> u64 {
    bus.refused + bus.repeated + bus.filter_panics
}

#[derive(Default)]
struct Audit {
    complaints: Vec<String>,
}

impl Audit {
    fn same(&mut self, what: &str, one: u64, other: u64) {
        if one != other {
            self.complaints.push(format!("{what}: {one} and {other}"));
        }
    }
}

// ---- lines ----

type Log = BufReader<Box<dyn Read>>;

/// The file that is named, what is piped in, or else a log of its own.
fn open_log() -> Result<Log, Failure> {
    if let Some(path) = std::env::args_os().nth(1) {
        let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        return Ok(BufReader::new(Box::new(file)));
    }
    if !io::stdin().is_terminal() {
        let mut input: Log = BufReader::new(Box::new(io::stdin()));
        if !input.fill_buf()?.is_empty() {
            return Ok(input);
        }
    }
    Ok(BufReader::new(Box::new(Cursor::new(made_up(20_000)))))
}

/// Emits all lines, those that are there together as one batch; how many there were.
fn feed(lines: &Publisher<String>, log: &mut Log) -> Result<u64, Failure> {
    let (mut bytes, mut batch, mut count) = (Vec::new(), Vec::new(), 0);
    loop {
        bytes.clear();
        let more = log.read_until(b'\n', &mut bytes)? > 0;
        if more {
            // Logs hold anything.
            let line = String::from_utf8_lossy(bytes.trim_ascii_end());
            batch.push(line.into_owned());
        }
        // Who types lines, or a log that grows, is not kept waiting for a batch to be full.
        if batch.len() == BATCH || !more || !log.buffer().contains(&b'\n') {
            count += batch.len() as u64;
            lines.emit_batch(batch.drain(..))?;
        }
        if !more {
            return Ok(count);
        }
    }
}

/// So many lines of a log, the same each time.
fn made_up(lines: u32) -> String {
    let mut log = String::new();
    let mut dice = 1_u32;
    for line in 0..lines {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let (level, text) = match dice >> 16 & 63 {
            0..3 => ("ERROR", "disk is full"),
            3 => ("FATAL", "no quorum"),
            4..9 => ("WARN", "slow request"),
            9..50 => ("INFO", "request served"),
            50..60 => ("DEBUG", "cache hit"),
            // A line that goes on from the one before.
            _ => ("   ", "at a place that has no level"),
        };
        // To a string, which takes all.
        let _ = writeln!(
            log,
            "{:>8}.{:03} {level} {text}",
            line / 1_000,
            line % 1_000
        );
    }
    log
}

// ---- entries ----

/// A line that has a level.
struct Entry {
    level: Level,
    text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Debug,
    Info,
    Warning,
    Error,
    Fatal,
}

/// The topic of each level, checked once.
struct Topics([Topic; 5]);

impl Topics {
    fn new() -> Result<Self, Failure> {
        let topic = |name| Topic::new(name);
        Ok(Topics([
            topic("log.debug")?,
            topic("log.info")?,
            topic("log.warning")?,
            topic("log.error")?,
            topic("log.fatal")?,
        ]))
    }

    fn of(&self, level: Level) -> &Topic {
        &self.0[level as usize]
    }
}

/// A level is among the first words, in any case, with any signs about it.
fn parse(line: &str) -> Option<(Level, String)> {
    let words = line.split(|sign: char| !sign.is_ascii_alphabetic());
    let mut words = words.filter(|word| !word.is_empty()).take(10);
    let level = words.find_map(|word| {
        let named = |names: &[&str]| names.iter().any(|name| word.eq_ignore_ascii_case(name));
        Some(match () {
            () if named(&["trace", "debug"]) => Level::Debug,
            () if named(&["info", "notice"]) => Level::Info,
            () if named(&["warn", "warning"]) => Level::Warning,
            () if named(&["err", "error"]) => Level::Error,
            () if named(&["crit", "critical", "alert", "emerg", "fatal", "panic"]) => Level::Fatal,
            () => return None,
        })
    })?;
    Some((level, line.to_owned()))
}

// ---- consumers ----

/// Fast: how many there were of each level.
fn count(errors: &Subscription<Entry>) -> BTreeMap<Topic, u64> {
    let mut counts = BTreeMap::new();
    for event in errors {
        *counts.entry(event.topic().clone()).or_default() += 1;
    }
    counts
}

struct Written {
    taken: u64,
    missed: u64,
}

/// Slow: prints the errors that it gets, and how many it missed in between.
fn write_slowly(errors: &Subscription<Entry>) -> io::Result<Written> {
    let mut written = Written {
        taken: 0,
        missed: 0,
    };
    for beat in errors.heartbeats(DEFAULT_HEARTBEAT) {
        let line = match beat {
            Beat::Event(event) => {
                written.taken += 1;
                thread::sleep(SLOW_WORK);
                shown(&event)
            }
            Beat::Missed(count) => {
                written.missed += count;
                format!("... {count} more\n")
            }
            Beat::Keepalive => continue,
        };
        print(&line)?;
    }
    // All was reported above; asked once more, as the sum is to be exact.
    written.missed += errors.missed();
    Ok(written)
}

/// Prints, unless the reader has left, as `head` does. The sums go on.
fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn shown(event: &Event<Entry>) -> String {
    let entry = event.payload();
    format!("{:?}: {}\n", entry.level, entry.text)
}

/// How many lines there were, on the standard error, if that is a terminal.
fn show(lines: &Subscription<String>) {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
    for _ in lines {
        // It need not see every line to know how many there were.
        bar.set_position(lines.matched());
    }
    bar.finish_and_clear();
}
