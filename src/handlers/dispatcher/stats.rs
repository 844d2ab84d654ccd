//! What can be seen of a dispatcher from outside (H11).

use std::fmt;

use super::{Dispatcher, Phase, Shared};
use crate::handlers::Handlers;
use crate::handlers::stats::{HandlersStats, Times};
use crate::shield::drop_shielded;
use crate::stats_reader::StatsReader;
use crate::sync::Arc;
use crate::sync::Ordering::Relaxed;

/// What a dispatcher does and did, in any of its states.
///
/// ```
/// use chanbus::{Bus, Dispatcher, Handlers};
///
/// let bus = Bus::<u32>::new();
/// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).build()?;
/// bus.emit("a", 1)?;
/// let stats = dispatcher.stats();
/// assert_eq!((stats.running, stats.queued, stats.handled), (false, 1, 0));
/// println!("{stats}");
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DispatcherStats {
    /// It takes events: it was started, and neither stopped nor has its bus ended.
    pub running: bool,
    /// Events that wait in its queue.
    pub queued: usize,
    /// How many can.
    pub capacity: usize,
    /// Events that overflowed, by its subscription's policy.
    pub dropped: u64,
    /// Events that are at their handlers now; a batch counts as one.
    pub in_flight: usize,
    /// Events that have come to their end, blocked ones included.
    pub handled: u64,
    /// Calls of handlers; one with several events of a batch counts as so many.
    pub called: u64,
    /// Failures: see [`Report::failed`](crate::Report::failed).
    pub failed: u64,
    /// Matches without a call: see [`Report::skipped`](crate::Report::skipped).
    pub skipped: u64,
    /// Events that middleware blocked.
    pub blocked: u64,
    /// Handlers that a stop gave up on, and that still run.
    pub stuck: usize,
    /// For each event, the time from when it was taken from the queue until its last handler had ended,
    /// middleware included; not how long it waited in the queue. The events of a batch are taken together, and
    /// have come to their end together.
    pub dispatch: Times,
    /// What there is in its registry, and what was done there by all.
    pub handlers: HandlersStats,
}

/// One line for the dispatcher, then those of its registry.
impl fmt::Display for DispatcherStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.running {
            "running"
        } else {
            "not running"
        };
        writeln!(
            f,
            "dispatcher: {state}, {} of {} queued, {} dropped, {} in flight, {} events handled, {} calls, \
             {} failed, {} skipped, {} blocked, {} stuck",
            self.queued,
            self.capacity,
            self.dropped,
            self.in_flight,
            self.handled,
            self.called,
            self.failed,
            self.skipped,
            self.blocked,
            self.stuck
        )?;
        writeln!(f, "dispatch: {}", self.dispatch)?;
        self.handlers.fmt(f)
    }
}

impl<T: Send + Sync + 'static> Dispatcher<T> {
    /// What it does and did.
    ///
    /// It goes through all handlers: meant for people and dashboards, not for every event.
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Handlers};
    /// # let bus = Bus::<u32>::new();
    /// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).build()?;
    /// assert!(!dispatcher.stats().running);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> DispatcherStats {
        self.shared.stats()
    }

    /// Reads these numbers without keeping the dispatcher alive.
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Handlers};
    /// # let bus = Bus::<u32>::new();
    /// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).build()?;
    /// let reader = dispatcher.stats_reader();
    /// assert_eq!(reader.read().unwrap().handled, 0);
    /// drop(dispatcher);
    /// assert!(reader.read().is_none());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn stats_reader(&self) -> StatsReader<DispatcherStats> {
        let shared = Arc::downgrade(&self.shared);
        StatsReader::new(move || {
            let shared = shared.upgrade()?;
            let stats = shared.stats();
            // It may be the last handle by now, and what waits in its queue is the user's.
            drop_shielded(shared);
            Some(stats)
        })
    }
}

impl<T: Send + Sync + 'static> Shared<T> {
    fn stats(&self) -> DispatcherStats {
        let shared = self;
        let (running, in_flight) = {
            let state = shared.state.lock();
            (state.phase == Phase::Running, state.in_flight)
        };
        let (watch, sub) = (&shared.watch, &shared.sub);
        let running_now = watch.running();
        let dispatch = watch.dispatch.times();
        DispatcherStats {
            running,
            queued: sub.len(),
            capacity: sub.capacity(),
            dropped: sub.dropped(),
            in_flight,
            handled: dispatch.count(),
            // Relaxed: statistics.
            called: watch.called.load(Relaxed),
            failed: watch.failed.load(Relaxed),
            skipped: watch.skipped.load(Relaxed),
            blocked: watch.blocked.load(Relaxed),
            stuck: running_now.iter().filter(|it| it.detached).count(),
            dispatch,
            handlers: Handlers::of(Arc::clone(&shared.scene.core)).stats(),
        }
    }
}
