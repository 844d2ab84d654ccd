//! What a dispatcher writes down: who runs, and how it went.

use std::cell::RefCell;
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
    begun: Instant,
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
/// println!("{} since {:?}", running[0], running[0].since);
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
    /// For how long it has been running.
    pub since: Duration,
    /// A stop gave up on it: nobody waits for it any more.
    pub detached: bool,
}

impl fmt::Display for RunningHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "`{name}`")?,
            None => write!(f, "the handler registered at {}", self.location)?,
        }
        write!(f, " on `{}` for {:.1?}", self.topic, self.since)
    }
}

/// One entry of the list of those who run, until [`Watch::end`].
#[must_use = "it stays on the list until its end is told"]
pub(in crate::handlers) struct Shift {
    number: u64,
    begun: Instant,
}

thread_local! {
    /// Inside of whose handlers this thread is, by address.
    static INSIDE: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

/// While it lives, this thread is inside of a handler of a dispatcher.
pub(in crate::handlers) struct Inside(());

impl Drop for Inside {
    fn drop(&mut self) {
        INSIDE.with_borrow_mut(Vec::pop);
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
            name: entry.name.clone(),
            topic: topic.clone(),
            location: entry.location,
            since: Duration::ZERO,
            detached: false,
        };
        let begun = Instant::now();
        let mut running = self.running.lock();
        running.calls += 1;
        let number = running.calls;
        running.list.push(Call {
            number,
            handler,
            begun,
        });
        Shift { number, begun }
    }

    /// A handler's call has ended; how long it took.
    pub(in crate::handlers) fn end(&self, shift: Shift) -> Duration {
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
        shift.begun.elapsed()
    }

    /// Those who run, longest first.
    pub(super) fn running(&self) -> Vec<RunningHandler> {
        let running = self.running.lock();
        let mut all: Vec<_> = running
            .list
            .iter()
            .map(|it| RunningHandler {
                since: it.begun.elapsed(),
                ..it.handler.clone()
            })
            .collect();
        drop(running);
        all.sort_by_key(|it| std::cmp::Reverse(it.since));
        all
    }

    /// Gives up on those who run.
    pub(super) fn detach_all(&self) {
        for it in &mut self.running.lock().list {
            it.handler.detached = true;
        }
    }

    /// One event has come to its end. Relaxed: statistics.
    pub(in crate::handlers) fn count(
        &self,
        called: usize,
        skipped: usize,
        failed: usize,
        blocked: bool,
    ) {
        self.called.fetch_add(called as u64, Relaxed);
        self.skipped.fetch_add(skipped as u64, Relaxed);
        self.failed.fetch_add(failed as u64, Relaxed);
        self.blocked.fetch_add(u64::from(blocked), Relaxed);
    }

    /// This thread goes into a handler.
    pub(in crate::handlers) fn enter(self: &Arc<Self>) -> Inside {
        INSIDE.with_borrow_mut(|inside| inside.push(Arc::as_ptr(self).addr()));
        Inside(())
    }

    /// Whether this thread is inside of one of the dispatcher's handlers.
    pub(super) fn is_inside(&self) -> bool {
        let me = std::ptr::from_ref(self).addr();
        INSIDE.with_borrow(|inside| inside.contains(&me))
    }
}
