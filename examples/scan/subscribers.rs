//! The receiving side: who listens to a scan, each with the policy that suits it.
//!
//! | Name | Wants | Policy |
//! |---|---|---|
//! | totals | every entry | `DropNewest`, and the walkers wait for its room: lossless |
//! | largest | files that may be among the largest | the same, behind a filter |
//! | errors | every error | the same |
//! | progress | how far it is now | `Latest`: older news is replaced |
//! | slow | what it gets to see | `DropOldest`: loses events, and is told how many |
//!
//! Each ends at `scan.finished`, the last event. Their queues are empty then and their subscriptions
//! still open, so that the statistics of the bus are final and list them all.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use chanbus::{Beat, Bus, DEFAULT_HEARTBEAT, Overflow, SubscribeError, Subscription};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::event::{DIR, ERROR, FILE, FINISHED, Kind, Scan, shown};

/// Room for a burst; a walker that finds it full waits for a moment.
const LOSSLESS_CAPACITY: usize = 4_096;
/// How many of the largest files are kept.
pub(crate) const LARGEST: usize = 10;
const SLOW_CAPACITY: usize = 16;
const SLOW_WORK: Duration = Duration::from_millis(1);

/// A subscriber's thread; it gives the subscription back, so that its numbers can be read.
pub(crate) type Running<R> = JoinHandle<(Subscription<Scan>, R)>;

pub(crate) struct Subscribers {
    pub(crate) totals: Running<Totals>,
    pub(crate) largest: Running<Largest>,
    pub(crate) errors: Running<Errors>,
    pub(crate) progress: Running<Progress>,
    pub(crate) slow: Running<Slow>,
}

impl Subscribers {
    /// Subscribes all of them, then sets them to work: they see the scan from its first event.
    pub(crate) fn start(bus: &Bus<Scan>) -> Result<Self, SubscribeError> {
        let lossless = |name: &'static str, topics: &[&str]| {
            bus.subscription(topics)
                .name(name)
                .capacity(LOSSLESS_CAPACITY)
        };
        let totals = lossless("totals", &[DIR, FILE, FINISHED]).subscribe()?;
        let errors = lossless("errors", &[ERROR, FINISHED]).subscribe()?;
        // Smaller files are turned away on the walkers' threads, before they cost a place.
        let floor = Arc::new(AtomicU64::new(0));
        let largest = lossless("largest", &[FILE, FINISHED])
            .filter({
                let floor = Arc::clone(&floor);
                move |event| match event.payload() {
                    Scan::File { kind, bytes, .. } => {
                        // Relaxed: an old floor lets some through in vain, and no more.
                        *kind == Kind::Regular && *bytes >= floor.load(Ordering::Relaxed)
                    }
                    _ => true,
                }
            })
            .subscribe()?;
        let progress = bus
            .subscription("scan.*")
            .name("progress")
            .overflow(Overflow::Latest)
            .subscribe()?;
        let slow = bus
            .subscription("scan.*")
            .name("slow")
            .capacity(SLOW_CAPACITY)
            .overflow(Overflow::DropOldest)
            .subscribe()?;

        let bar = progress_bar();
        let bar_of_errors = bar.clone();
        Ok(Subscribers {
            totals: run(totals, Totals::of),
            largest: run(largest, move |sub| Largest::of(sub, &floor)),
            errors: run(errors, move |sub| Errors::of(sub, &bar_of_errors)),
            progress: run(progress, move |sub| Progress::of(sub, &bar)),
            slow: run(slow, Slow::of),
        })
    }
}

/// The thread owns the subscription: should it panic, the subscription goes with it, and no walker
/// waits for a reader that is dead.
fn run<R: Send + 'static>(
    sub: Subscription<Scan>,
    work: impl FnOnce(&Subscription<Scan>) -> R + Send + 'static,
) -> Running<R> {
    thread::spawn(move || {
        let result = work(&sub);
        (sub, result)
    })
}

/// Hands over each event up to the last, which is not handed over, and says how many there were.
fn follow(sub: &Subscription<Scan>, mut each: impl FnMut(&Scan)) -> u64 {
    let mut taken = 0;
    for event in sub {
        taken += 1;
        match event.payload() {
            Scan::Finished => break,
            other => each(other),
        }
    }
    taken
}

/// The numbers that must equal those of `find`.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    pub(crate) taken: u64,
    pub(crate) dirs: u64,
    pub(crate) files: u64,
    pub(crate) links: u64,
    pub(crate) others: u64,
    /// Of regular files; a file with two names counts twice, as in `find`.
    pub(crate) bytes: u64,
    pub(crate) by_extension: HashMap<Option<OsString>, Extension>,
}

#[derive(Debug, Default)]
pub(crate) struct Extension {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

impl Totals {
    fn of(sub: &Subscription<Scan>) -> Self {
        let mut totals = Totals::default();
        totals.taken = follow(sub, |event| totals.add(event));
        totals
    }

    fn add(&mut self, event: &Scan) {
        match event {
            Scan::Dir { .. } => self.dirs += 1,
            Scan::File { kind, path, bytes } => match kind {
                Kind::Regular => {
                    self.files += 1;
                    self.bytes += bytes;
                    let extension = path.extension().map(OsString::from);
                    let sum = self.by_extension.entry(extension).or_default();
                    sum.files += 1;
                    sum.bytes += bytes;
                }
                Kind::Link => self.links += 1,
                Kind::Other => self.others += 1,
            },
            _ => {}
        }
    }
}

/// The largest files, the largest first, equal ones by name.
#[derive(Debug, Default)]
pub(crate) struct Largest {
    pub(crate) taken: u64,
    pub(crate) files: Vec<(u64, PathBuf)>,
}

impl Largest {
    fn of(sub: &Subscription<Scan>, floor: &AtomicU64) -> Self {
        // The greatest of it is the least of those kept, and the first to go.
        let mut kept = BinaryHeap::new();
        let taken = follow(sub, |event| {
            if let Scan::File { path, bytes, .. } = event {
                kept.push((Reverse(*bytes), path.clone()));
                if kept.len() > LARGEST {
                    kept.pop();
                    if let Some((Reverse(least), _)) = kept.peek() {
                        floor.store(*least, Ordering::Relaxed);
                    }
                }
            }
        });
        let files = kept.into_sorted_vec().into_iter();
        let files = files.map(|(Reverse(bytes), path)| (bytes, path)).collect();
        Largest { taken, files }
    }
}

/// The error log: each error goes to the standard error at once.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    pub(crate) taken: u64,
    pub(crate) count: u64,
}

impl Errors {
    fn of(sub: &Subscription<Scan>, bar: &ProgressBar) -> Self {
        let mut count = 0;
        let taken = follow(sub, |event| {
            if let Scan::Error { message } = event {
                count += 1;
                bar.suspend(|| {
                    // With the standard error closed there is nobody to tell.
                    let _ = writeln!(io::stderr(), "scan: {message}");
                });
            }
        });
        Errors { taken, count }
    }
}

/// The progress line.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) taken: u64,
}

impl Progress {
    fn of(sub: &Subscription<Scan>, bar: &ProgressBar) -> Self {
        let taken = follow(sub, |event| {
            let path = match event {
                Scan::Started { root } => root,
                Scan::Dir { path } | Scan::File { path, .. } => path,
                _ => return,
            };
            if !bar.is_hidden() {
                // It need not see every event to know how many there were.
                bar.set_message(format!("{} {}", sub.matched(), shown(path)));
            }
        });
        bar.finish_and_clear();
        Progress { taken }
    }
}

/// Draws on the standard error, at most ten times a second, and only if that is a terminal.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(10));
    // The template is a constant that parses; should it not, there is a plain spinner.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
        bar.set_style(style);
    }
    if !bar.is_hidden() {
        bar.enable_steady_tick(Duration::from_millis(100));
    }
    bar
}

/// Deliberately slower than any walker, to show what becomes of events that nobody takes in time.
#[derive(Debug, Default)]
pub(crate) struct Slow {
    pub(crate) taken: u64,
    pub(crate) missed: u64,
    /// In how many places something was missing.
    pub(crate) gaps: u64,
}

impl Slow {
    fn of(sub: &Subscription<Scan>) -> Self {
        let mut slow = Slow::default();
        for beat in sub.heartbeats(DEFAULT_HEARTBEAT) {
            match beat {
                Beat::Event(event) => {
                    slow.taken += 1;
                    if let Scan::Finished = event.payload() {
                        break;
                    }
                    thread::sleep(SLOW_WORK);
                }
                Beat::Missed(count) => {
                    slow.missed += count;
                    slow.gaps += 1;
                }
                Beat::Keepalive => {}
            }
        }
        // All was reported above; asked once more, as the sum is to be exact.
        slow.missed += sub.missed();
        slow
    }
}
