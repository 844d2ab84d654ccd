//! What a dispatcher writes down: who runs, and how it went.

use std::fmt;
use std::time::{Duration, Instant};

use crate::handlers::entry::{Entry, HandlerId};
use crate::handlers::stats::Histogram;
use crate::sync::Ordering::Relaxed;
use crate::sync::{Arc, AtomicU64, Mutex};
use crate::topic::Topic;

/// A dispatcher's books.
pub(in crate::handlers) struct Watch {
    running: Mutex<Running>,
    pub(super) called: AtomicU64,
    pub(super) failed: AtomicU64,
    pub(super) skipped: AtomicU64,
    pub(super) blocked: AtomicU64,
    /// From taking an event to the end of its last handler.
    pub(super) dispatch: Histogram,
}

#[derive(Default)]
struct Running {
    /// How many calls there were before.
    calls: u64,
    list: Vec<Call>,
}

struct Call {
    number: u64,
    handler: RunningHandler,
}

/// A handler that is inside of a call.
///
/// ```
/// use std::sync::mpsc;
/// use chanbus::{Bus, Dispatcher, Drain, Handlers};
///
/// let bus = Bus::new();
/// let handlers = Handlers::new();
/// let (entered, enter) = mpsc::sync_channel(0);
/// let (leave, left) = mpsc::channel::<()>();
/// let left = std::sync::Mutex::new(left);
/// handlers.on("a").name("slow").call(move |_| {
///     entered.send(()).unwrap();
///     let _ = left.lock().unwrap().recv();
/// })?;
/// let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
/// dispatcher.start()?;
/// bus.emit("a", 1)?;
/// enter.recv().unwrap();
///
/// let running = dispatcher.running();
/// assert_eq!(running[0].name.as_deref(), Some("slow"));
/// assert_eq!(running[0].topic, "a");
/// println!("{}", running[0]);                     // its name, its topic, for how long
/// assert!(running[0].since.elapsed().as_secs() < 60);
///
/// drop(leave);
/// dispatcher.stop(Drain::All)?;
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RunningHandler {
    /// Its id.
    pub id: HandlerId,
    /// Its name, if it has one.
    pub name: Option<Arc<str>>,
    /// The topic of its event.
    pub topic: Topic,
    /// Where in the source it was registered.
    pub location: &'static std::panic::Location<'static>,
    /// Since when it has been running, its filters included.
    pub since: Instant,
    /// A stop gave up on it: nobody waits for it any more.
    pub detached: bool,
}

impl fmt::Display for RunningHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "`{name}`")?,
            None => write!(f, "the handler registered at {}", self.location)?,
        }
        write!(f, " on `{}` for {:.1?}", self.topic, self.since.elapsed())
    }
}

/// One entry of the list of those who run, until [`Watch::end`].
#[must_use = "it stays on the list until its end is told"]
pub(in crate::handlers) struct Shift {
    number: u64,
    begun: Instant,
}

impl Shift {
    pub(in crate::handlers) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }
}

impl Watch {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Watch {
            running: Mutex::new(Running::default()),
            called: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            blocked: AtomicU64::new(0),
            dispatch: Histogram::new(),
        })
    }

    /// A handler's call begins.
    pub(in crate::handlers) fn begin<T: Send + Sync + 'static>(
        &self,
        entry: &Entry<T>,
        topic: &Topic,
    ) -> Shift {
        let handler = RunningHandler {
            id: entry.id,
            name: entry.terms.name.clone(),
            topic: topic.clone(),
            location: entry.terms.location,
            since: Instant::now(),
            detached: false,
        };
        let begun = handler.since;
        let mut running = self.running.lock();
        running.calls += 1;
        let number = running.calls;
        running.list.push(Call { number, handler });
        Shift { number, begun }
    }

    /// A handler's call has ended.
    pub(in crate::handlers) fn end(&self, shift: Shift) {
        let mut running = self.running.lock();
        let mine = |call: &Call| call.number == shift.number;
        let call = running
            .list
            .iter()
            .position(mine)
            .map(|place| running.list.swap_remove(place));
        drop(running);
        // Not under the lock, for which all calls wait.
        drop(call);
    }

    /// Those who run, longest first.
    pub(super) fn running(&self) -> Vec<RunningHandler> {
        let running = self.running.lock();
        let list = running.list.iter();
        let mut all: Vec<_> = list.map(|it| it.handler.clone()).collect();
        drop(running);
        all.sort_by_key(|it| it.since);
        all
    }

    /// Gives up on those who run; who they are, longest first, but for those of earlier times.
    pub(super) fn detach_all(&self) -> Vec<RunningHandler> {
        let mut running = self.running.lock();
        let news = running.list.iter_mut();
        let news = news.filter(|it| !it.handler.detached);
        let mut all: Vec<_> = news
            .map(|it| {
                it.handler.detached = true;
                it.handler.clone()
            })
            .collect();
        drop(running);
        all.sort_by_key(|it| it.since);
        all
    }

    /// One event has come to its end.
    pub(in crate::handlers) fn count(
        &self,
        called: usize,
        skipped: usize,
        failed: usize,
        blocked: bool,
    ) {
        let counts = [
            (&self.called, called as u64),
            (&self.skipped, skipped as u64),
            (&self.failed, failed as u64),
            (&self.blocked, u64::from(blocked)),
        ];
        for (sum, count) in counts {
            if count > 0 {
                // Relaxed: a statistic.
                sum.fetch_add(count, Relaxed);
            }
        }
    }
}
