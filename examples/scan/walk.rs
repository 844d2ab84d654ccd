//! The emitting side: threads that walk the tree, each with publishers of its own.

use std::fs::{self, FileType};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use chanbus::{Bus, Emitted, Publisher, TopicError};
use ignore::{DirEntry, ParallelVisitor, ParallelVisitorBuilder, WalkBuilder, WalkState};

use crate::event::{DIR, ERROR, FILE, Kind, Scan, shown};

/// How long a walker waits for room in the queues that must not lose anything.
///
/// Walkers emit by `emit_within`, because the totals have to be exact whatever the load: a walker
/// that is faster than the totals are summed up had better be slower. It waits only for queues that
/// refuse new events, which are those of the totals, the largest files and the error log. The
/// progress line (`Latest`) and the slow subscriber (`DropOldest`) always make room, so they never
/// hold the scan up. A day is not a pace but a limit: `scan 2>&1 | less` may well stand still for as
/// long as its user reads. A subscriber that dies ends the wait for it, as its subscription goes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

/// What the walkers say that they emitted, to be held against what the bus says that it did.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Events by topic.
    pub(crate) sent: Vec<(String, u64)>,
    /// What became of them, summed over all emits.
    pub(crate) did: Emitted,
    /// A walker gave up before the end, because it was told to stop.
    pub(crate) quit: bool,
}

impl Tally {
    pub(crate) fn add(&mut self, topic: &str, events: u64, did: Emitted) {
        match self.sent.iter_mut().find(|(known, _)| known == topic) {
            Some((_, sent)) => *sent += events,
            None => self.sent.push((topic.to_owned(), events)),
        }
        self.did += did;
    }
}

pub(crate) struct Walk<'a> {
    pub(crate) bus: &'a Bus<Scan>,
    pub(crate) root: &'a Path,
    pub(crate) threads: usize,
    /// Sleep this long at each entry.
    pub(crate) pace: Duration,
    pub(crate) stop: &'a AtomicBool,
}

impl Walk<'_> {
    /// Walks the tree to its end, or until `stop` is set, and says what was emitted.
    pub(crate) fn run(&self) -> Result<Tally, TopicError> {
        let tally = Mutex::new(Tally::default());
        let mut walkers = Walkers {
            dirs: Outlet::new(self.bus, DIR)?,
            files: Outlet::new(self.bus, FILE)?,
            errors: Outlet::new(self.bus, ERROR)?,
            stop: self.stop,
            pace: self.pace,
            tally: &tally,
        };
        if is_link(self.root) {
            // The walker would follow a root that is a link, as `find` does not.
            let mut walker = walkers.walker();
            walker.file(self.root.to_path_buf(), Kind::Link, || {
                fs::symlink_metadata(self.root).map(|metadata| metadata.len())
            });
        } else {
            WalkBuilder::new(not_stdin(self.root))
                // Everything: hidden files, ignored files, and so on.
                .standard_filters(false)
                .follow_links(false)
                .threads(self.threads)
                .build_parallel()
                .visit(&mut walkers);
        }
        drop(walkers);
        Ok(tally.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

fn is_link(root: &Path) -> bool {
    fs::symlink_metadata(root).is_ok_and(|metadata| metadata.is_symlink())
}

/// `-` is a name like others here; the walker would take it for the standard input.
fn not_stdin(root: &Path) -> PathBuf {
    if root == Path::new("-") {
        Path::new(".").join(root)
    } else {
        root.to_path_buf()
    }
}

/// A publisher, and the record of what it did.
struct Outlet {
    publisher: Publisher<Scan>,
    sent: u64,
    did: Emitted,
}

impl Outlet {
    fn new(bus: &Bus<Scan>, topic: &str) -> Result<Self, TopicError> {
        Ok(Outlet {
            publisher: bus.publisher(topic)?,
            sent: 0,
            did: Emitted::default(),
        })
    }

    /// The same for another thread: a publisher is not shared but cloned.
    fn another(&self) -> Self {
        Outlet {
            publisher: self.publisher.clone(),
            sent: 0,
            did: Emitted::default(),
        }
    }

    fn send(&mut self, event: Scan) {
        // An error would be a closed bus, and this one is closed after the walk.
        if let Ok(did) = self.publisher.emit_within(event, PATIENCE) {
            self.sent += 1;
            self.did += did;
        }
    }
}

/// Makes a walker for each thread.
struct Walkers<'a> {
    dirs: Outlet,
    files: Outlet,
    errors: Outlet,
    stop: &'a AtomicBool,
    pace: Duration,
    tally: &'a Mutex<Tally>,
}

impl<'a> Walkers<'a> {
    fn walker(&self) -> Walker<'a> {
        Walker {
            dirs: self.dirs.another(),
            files: self.files.another(),
            errors: self.errors.another(),
            stop: self.stop,
            pace: self.pace,
            quit: false,
            tally: self.tally,
        }
    }
}

impl<'a> ParallelVisitorBuilder<'a> for Walkers<'a> {
    fn build(&mut self) -> Box<dyn ParallelVisitor + 'a> {
        Box::new(self.walker())
    }
}

/// One thread's part in the walk.
struct Walker<'a> {
    dirs: Outlet,
    files: Outlet,
    errors: Outlet,
    stop: &'a AtomicBool,
    pace: Duration,
    quit: bool,
    tally: &'a Mutex<Tally>,
}

impl ParallelVisitor for Walker<'_> {
    fn visit(&mut self, entry: Result<DirEntry, ignore::Error>) -> WalkState {
        // Relaxed: a wish to stop, which orders nothing else.
        if self.stop.load(Ordering::Relaxed) {
            self.quit = true;
            return WalkState::Quit;
        }
        if !self.pace.is_zero() {
            thread::sleep(self.pace);
        }
        match entry {
            Ok(entry) => self.entry(entry),
            Err(error) => self.error(&error),
        }
        WalkState::Continue
    }
}

impl Walker<'_> {
    fn entry(&mut self, entry: DirEntry) {
        let kind = match entry.file_type() {
            Some(kind) if kind.is_dir() => {
                let path = entry.into_path();
                return self.dirs.send(Scan::Dir { path });
            }
            Some(kind) => kind_of(kind),
            None => Kind::Other,
        };
        let path = entry.path().to_path_buf();
        self.file(path, kind, || {
            let metadata = entry.metadata().map_err(io_error)?;
            Ok(metadata.len())
        });
    }

    /// Emits the file; or an error, if it vanished between the listing and the look at its size.
    fn file(&mut self, path: PathBuf, kind: Kind, bytes: impl FnOnce() -> io::Result<u64>) {
        match bytes() {
            Ok(bytes) => self.files.send(Scan::File { path, kind, bytes }),
            Err(error) => self.errors.send(Scan::Error {
                message: format!("{}: {error}", shown(&path)),
            }),
        }
    }

    fn error(&mut self, error: &ignore::Error) {
        let message = match (path_of(error), error.io_error()) {
            (Some(path), Some(error)) => format!("{}: {error}", shown(path)),
            _ => error.to_string(),
        };
        self.errors.send(Scan::Error { message });
    }
}

/// Runs on the walker's own thread when that is done, so that nothing is shared during the walk.
impl Drop for Walker<'_> {
    fn drop(&mut self) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.quit |= self.quit;
        for outlet in [&self.dirs, &self.files, &self.errors] {
            tally.add(outlet.publisher.topic(), outlet.sent, outlet.did);
        }
    }
}

fn kind_of(kind: FileType) -> Kind {
    if kind.is_file() {
        Kind::Regular
    } else if kind.is_symlink() {
        Kind::Link
    } else {
        Kind::Other
    }
}

/// The path that the walker's error speaks of.
fn path_of(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => {
            path_of(err)
        }
        _ => None,
    }
}

fn io_error(error: ignore::Error) -> io::Error {
    let text = error.to_string();
    error
        .into_io_error()
        .unwrap_or_else(|| io::Error::other(text))
}
