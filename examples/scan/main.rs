//! Walks a directory tree on several threads, tells it to a bus, and shows what five subscribers
//! make of it.
//!
//! ```text
//! cargo run --release --example scan -- [--threads N] [--pace MILLISECONDS] [DIR]
//! ```
//!
//! The walkers emit `scan.started`, `scan.dir`, `scan.file`, `scan.error` and `scan.finished`. The
//! totals and the largest files lose nothing, since the walkers wait for room in their queues; the
//! progress line keeps the latest event only; a deliberately slow subscriber loses most, and is told
//! how many. The last table is the bus's own statistics. It is checked against what the walkers
//! emitted and the subscribers took: every event is accounted for, drops included.
//!
//! Counted is what `find DIR` lists: everything, hidden or ignored, without following links (also
//! where DIR is one). Bytes are those of regular files, as `find DIR -type f -printf '%s\n'` adds up
//! to. One limit: a path longer than the system takes at once is an error, where `find` goes on.
//!
//! | Exit code | |
//! |---|---|
//! | 0 | everything was read |
//! | 1 | something could not be read (as with `find` and `du`), or events were not accounted for |
//! | 2 | DIR does not exist, or the command line is wrong |
//! | 130 | Ctrl-C: the totals are those so far. A second Ctrl-C ends it at once |
//!
//! The report goes to the standard output; errors, and on a terminal the progress, to the standard
//! error.

mod accounts;
mod event;
mod report;
mod subscribers;
mod walk;

use std::error::Error;
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chanbus::Bus;

use crate::accounts::{Witness, audit};
use crate::event::{FINISHED, STARTED, Scan, shown};
use crate::report::Report;
use crate::subscribers::Subscribers;
use crate::walk::{PATIENCE, Walk};

const HELP: &str = "\
Walks a directory tree and reports totals, through an event bus.

usage: scan [--threads N] [--pace MILLISECONDS] [--] [DIR]

  DIR                  where to begin (default: the current directory)
  --threads N          walk on N threads (default: one for each core, at least 2)
  --pace MILLISECONDS  sleep so long at each entry, to watch it at work
  -h, --help           this text

exit codes:
  0    everything was read
  1    something could not be read, or events were not accounted for
  2    DIR does not exist, or the command line is wrong
  130  interrupted by Ctrl-C: the totals are those so far
";

const NOT_ALL: u8 = 1;
const USAGE: u8 = 2;
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    let options = match Options::read(std::env::args_os().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => return print(HELP).map_or_else(failed, |()| ExitCode::SUCCESS),
        Err(problem) => {
            complain(&format!("{problem}; see --help"));
            return ExitCode::from(USAGE);
        }
    };
    // A link that leads nowhere is there, too.
    if let Err(error) = fs::symlink_metadata(&options.root) {
        complain(&format!("{}: {error}", shown(&options.root)));
        return ExitCode::from(USAGE);
    }
    scan(&options).unwrap_or_else(failed)
}

fn failed(error: impl Into<Box<dyn Error>>) -> ExitCode {
    complain(&error.into().to_string());
    ExitCode::from(NOT_ALL)
}

fn scan(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let stop = stop_on_ctrl_c()?;
    let bus: Bus<Scan> = Bus::builder().name("scan").build()?;
    let subscribers = Subscribers::start(&bus)?;

    let root = &options.root;
    print(&format!(
        "scanning {} on {} threads\n",
        shown(root),
        options.threads
    ))?;
    let begun = Instant::now();
    let started = bus.emit(STARTED, Scan::Started { root: root.clone() })?;
    let walk = Walk {
        bus: &bus,
        root,
        threads: options.threads,
        pace: options.pace,
        stop: &stop,
    };
    let mut tally = walk.run()?;
    let elapsed = begun.elapsed();
    let interrupted = tally.quit;

    // The walkers are joined, so this is the last event, and the last of every queue. Each
    // subscriber ends when it has seen it.
    let finished = bus.emit_within(FINISHED, Scan::Finished, PATIENCE)?;
    if !finished.is_complete() {
        // Somebody will not see it. The end of the bus ends everybody.
        bus.close();
    }
    tally.add(STARTED, 1, started);
    tally.add(FINISHED, 1, finished);

    let died = |_| "a subscriber panicked";
    // Each subscription is kept until the statistics are made, which list those that are held.
    let (_totals, totals) = subscribers.totals.join().map_err(died)?;
    let (_largest, largest) = subscribers.largest.join().map_err(died)?;
    let (_errors, errors) = subscribers.errors.join().map_err(died)?;
    let (_progress, progress) = subscribers.progress.join().map_err(died)?;
    let (_slow, slow) = subscribers.slow.join().map_err(died)?;
    let stats = bus.stats();

    let lossless = |name, taken| Witness {
        name,
        taken,
        missed: 0,
        conflates: false,
    };
    let witnesses = [
        lossless("totals", totals.taken),
        lossless("largest", largest.taken),
        lossless("errors", errors.taken),
        Witness {
            conflates: true,
            ..lossless("progress", progress.taken)
        },
        Witness {
            missed: slow.missed,
            ..lossless("slow", slow.taken)
        },
    ];
    let complaints = audit(&stats, &tally, &witnesses);

    let report = Report {
        totals: &totals,
        largest: &largest,
        errors: &errors,
        slow: &slow,
        stats: &stats,
        complaints: &complaints,
        elapsed,
        interrupted,
    };
    print(&report.to_string())?;

    Ok(if !complaints.is_empty() {
        complain("not every event is accounted for");
        ExitCode::from(NOT_ALL)
    } else if interrupted {
        ExitCode::from(INTERRUPTED)
    } else if errors.count > 0 {
        ExitCode::from(NOT_ALL)
    } else {
        ExitCode::SUCCESS
    })
}

/// The first Ctrl-C is a request, a later one an order.
fn stop_on_ctrl_c() -> Result<Arc<AtomicBool>, ctrlc::Error> {
    /// One press can arrive twice, by way of the process and of its group (`timeout` does that).
    const SAME_PRESS: Duration = Duration::from_millis(500);

    let stop = Arc::new(AtomicBool::new(false));
    let asked = Arc::clone(&stop);
    let mut first: Option<Instant> = None;
    ctrlc::set_handler(move || {
        // Relaxed: a wish to stop, which orders nothing else.
        asked.store(true, Ordering::Relaxed);
        if first.get_or_insert_with(Instant::now).elapsed() > SAME_PRESS {
            std::process::exit(i32::from(INTERRUPTED));
        }
    })?;
    Ok(stop)
}

/// Prints, unless the reader has left: `scan | head` is no error.
fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

fn complain(problem: &str) {
    // With the standard error closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "scan: {problem}");
}

struct Options {
    root: PathBuf,
    threads: usize,
    pace: Duration,
}

impl Options {
    /// `None` if help was asked for.
    fn read(mut arguments: impl Iterator<Item = OsString>) -> Result<Option<Self>, String> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let mut threads = cores.max(2);
        let mut pace = Duration::ZERO;
        let mut root = None;
        let mut only_names = false;
        while let Some(argument) = arguments.next() {
            match argument.to_str() {
                Some("-h" | "--help") if !only_names => return Ok(None),
                Some("--") if !only_names => only_names = true,
                Some("--threads") if !only_names => {
                    threads = number("--threads", arguments.next())?;
                    if threads == 0 {
                        return Err("--threads 0 would walk for ever".to_owned());
                    }
                }
                Some("--pace") if !only_names => {
                    pace = Duration::from_millis(number("--pace", arguments.next())?);
                }
                Some(option) if !only_names && option.len() > 1 && option.starts_with('-') => {
                    return Err(format!("there is no option {option}"));
                }
                _ if root.is_some() => return Err("more than one DIR".to_owned()),
                _ => root = Some(PathBuf::from(argument)),
            }
        }
        Ok(Some(Options {
            root: root.unwrap_or_else(|| PathBuf::from(".")),
            threads,
            pace,
        }))
    }
}

fn number<N: std::str::FromStr>(option: &str, value: Option<OsString>) -> Result<N, String> {
    let value = value.ok_or_else(|| format!("{option} needs a number"))?;
    let number = value.to_str().and_then(|text| text.parse().ok());
    number.ok_or_else(|| format!("{option} needs a number, not {value:?}"))
}
