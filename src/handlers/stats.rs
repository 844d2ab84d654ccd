//! What can be seen of a registry from outside (H11).

use std::fmt;
use std::time::Duration;

use super::Handlers;
use super::entry::HandlerKind;
use super::roster::Roster;
use crate::pattern::Pattern;
use crate::shield::drop_shielded;
use crate::stats_reader::StatsReader;
use crate::sync::Ordering::Relaxed;
use crate::sync::{Arc, AtomicU64};

/// What a registry has, and what its handlers did, whoever emitted.
///
/// The counts are read one by one while events flow: they agree with each other when it is quiet. An
/// awaited emit that was dropped counts as an event, with the calls that were made.
///
/// ```
/// use chanbus::{Emitter, Handlers};
///
/// let handlers = Handlers::new();
/// handlers.on("a").call(|_| {})?;
/// handlers.on("a").once().call(|_| {})?;
/// let _ = Emitter::inline(&handlers).emit("a", ())?;
///
/// let stats = handlers.stats();
/// assert_eq!((stats.handlers, stats.called, stats.events), (1, 2, 1));
/// println!("{stats}");
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct HandlersStats {
    /// Handlers in all.
    pub handlers: usize,
    /// The same by kind.
    pub by_kind: HandlersByKind,
    /// Every registered pattern, and how many handlers have it.
    pub by_pattern: Vec<(Pattern, usize)>,
    /// Middleware.
    pub middleware: usize,
    /// Error handlers.
    pub error_handlers: usize,
    /// Services that handlers can ask for.
    pub services: usize,
    /// Events that came to their end here, blocked ones included.
    pub events: u64,
    /// Calls of handlers; one with several events of a batch counts as so many.
    pub called: u64,
    /// Failures: see [`Report::failed`](crate::Report::failed).
    pub failed: u64,
    /// Matches without a call: see [`Report::skipped`](crate::Report::skipped).
    pub skipped: u64,
    /// Events that middleware blocked.
    pub blocked: u64,
    /// Panics of error handlers, which are told nobody.
    pub panicked_error_handlers: u64,
}

/// How many handlers of each kind there are. The last two go across the first three.
///
/// ```
/// # use chanbus::{Handlers, Priority};
/// let handlers = Handlers::<u32>::new();
/// handlers.on("a").priority(Priority::MONITOR).call(|_| {})?;
/// let kinds = handlers.stats().by_kind;
/// assert_eq!((kinds.sync, kinds.monitor, kinds.once), (1, 1, 0));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct HandlersByKind {
    /// By `call` and `handle`.
    pub sync: usize,
    /// By `handle_async`.
    pub r#async: usize,
    /// That take whole batches, by `handle_batch`.
    pub batch: usize,
    /// That are called once at all.
    pub once: usize,
    /// Of the priority [`MONITOR`](crate::Priority::MONITOR).
    pub monitor: usize,
}

impl HandlersStats {
    /// Whether handlers can ask for services.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// assert!(!Handlers::<u32>::new().stats().uses_services());
    /// ```
    #[must_use]
    pub fn uses_services(&self) -> bool {
        self.services > 0
    }

    /// Every registered pattern.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.on("a.*").call(|_| {})?;
    /// assert_eq!(handlers.stats().patterns().next().unwrap().as_str(), "a.*");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn patterns(&self) -> impl Iterator<Item = &Pattern> {
        self.by_pattern.iter().map(|(pattern, _)| pattern)
    }
}

/// One line for what there is, one for what was done.
impl fmt::Display for HandlersStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds = &self.by_kind;
        writeln!(
            f,
            "registry: {} handlers ({} sync, {} async, {} batch, {} once, {} monitors) on {} patterns, {} middleware, {} services",
            self.handlers,
            kinds.sync,
            kinds.r#async,
            kinds.batch,
            kinds.once,
            kinds.monitor,
            self.by_pattern.len(),
            self.middleware,
            self.services
        )?;
        write!(
            f,
            "by all who emit to it: {} events, {} calls, {} failed, {} skipped, {} events blocked",
            self.events, self.called, self.failed, self.skipped, self.blocked
        )
    }
}

impl<T: Send + Sync + 'static> Handlers<T> {
    /// What there is, and what was done.
    ///
    /// It goes through all handlers: meant for people and dashboards, not for every event.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// assert_eq!(Handlers::<u32>::new().stats().handlers, 0);
    /// ```
    #[must_use]
    pub fn stats(&self) -> HandlersStats {
        let by_pattern = self.count_by_pattern();
        self.core.read(|roster| self.stats_of(roster, by_pattern))
    }

    /// Reads these numbers without keeping the registry alive.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// let handlers = Handlers::<u32>::new();
    /// let reader = handlers.stats_reader();
    /// handlers.on("a").call(|_| {})?;
    /// assert_eq!(reader.read().unwrap().handlers, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn stats_reader(&self) -> StatsReader<HandlersStats> {
        let core = Arc::downgrade(&self.core);
        StatsReader::new(move || {
            let handlers = Handlers::of(core.upgrade()?);
            let stats = handlers.stats();
            // It may be the last handle by now, and what handlers captured is the user's.
            drop_shielded(handlers);
            Some(stats)
        })
    }

    fn stats_of(&self, roster: &Roster<T>, by_pattern: Vec<(Pattern, usize)>) -> HandlersStats {
        let mut by_kind = HandlersByKind::default();
        for seat in roster.seats() {
            match seat.entry.kind() {
                HandlerKind::Sync => by_kind.sync += 1,
                HandlerKind::Async => by_kind.r#async += 1,
                HandlerKind::Batch => by_kind.batch += 1,
            }
            by_kind.once += usize::from(seat.entry.terms.once);
            by_kind.monitor += usize::from(seat.entry.terms.priority.is_monitor());
        }
        let totals = &self.core.totals;
        HandlersStats {
            handlers: roster.len(),
            by_kind,
            by_pattern,
            middleware: roster.middleware.len(),
            error_handlers: roster.on_error.len(),
            services: self.core.settings.services.len(),
            events: totals.events.sum(),
            called: totals.called.sum(),
            skipped: totals.skipped.sum(),
            // Relaxed: statistics.
            failed: totals.failed.load(Relaxed),
            blocked: totals.blocked.load(Relaxed),
            panicked_error_handlers: totals.panicked_error_handlers.load(Relaxed),
        }
    }
}

/// How long something took, over all times that it was done.
///
/// Percentiles are upper bounds of classes an eighth of their size wide, so at most 12.5 % too high;
/// mean and maximum are exact.
///
/// ```
/// let times = chanbus::Times::default();
/// assert_eq!((times.count(), times.mean()), (0, std::time::Duration::ZERO));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Times {
    count: u64,
    total: Duration,
    mean: Duration,
    p50: Duration,
    p99: Duration,
    max: Duration,
}

impl Times {
    /// All of them together.
    ///
    /// ```
    /// assert!(chanbus::Times::default().total().is_zero());
    /// ```
    #[must_use]
    pub fn total(&self) -> Duration {
        self.total
    }

    /// How often it was done.
    ///
    /// ```
    /// assert_eq!(chanbus::Times::default().count(), 0);
    /// ```
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The average; zero if it was never done.
    ///
    /// ```
    /// assert!(chanbus::Times::default().mean().is_zero());
    /// ```
    #[must_use]
    pub fn mean(&self) -> Duration {
        self.mean
    }

    /// Half of them took at most this.
    ///
    /// ```
    /// assert!(chanbus::Times::default().p50().is_zero());
    /// ```
    #[must_use]
    pub fn p50(&self) -> Duration {
        self.p50
    }

    /// All but one in a hundred took at most this.
    ///
    /// ```
    /// assert!(chanbus::Times::default().p99().is_zero());
    /// ```
    #[must_use]
    pub fn p99(&self) -> Duration {
        self.p99
    }

    /// The longest.
    ///
    /// ```
    /// assert!(chanbus::Times::default().max().is_zero());
    /// ```
    #[must_use]
    pub fn max(&self) -> Duration {
        self.max
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "mean {:.1?}, p50 {:.1?}, p99 {:.1?}, max {:.1?} ({} times)",
            self.mean, self.p50, self.p99, self.max, self.count
        )
    }
}

/// Counts durations in classes: eight to each doubling, from a nanosecond to centuries, in 4 KiB.
pub(super) struct Histogram {
    classes: Box<[AtomicU64; CLASSES]>,
    nanos: AtomicU64,
    longest: AtomicU64,
}

const CLASSES: usize = 8 * 62;

impl Histogram {
    pub(super) fn new() -> Self {
        Histogram {
            classes: Box::new(std::array::from_fn(|_| AtomicU64::new(0))),
            nanos: AtomicU64::new(0),
            longest: AtomicU64::new(0),
        }
    }

    /// Something took that long, so many times.
    pub(super) fn add(&self, time: Duration, times: u64) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        // Relaxed throughout: statistics.
        self.classes[class_of(nanos)].fetch_add(times, Relaxed);
        self.nanos.fetch_add(nanos.saturating_mul(times), Relaxed);
        // Looked at first, as it seldom rises.
        if nanos > self.longest.load(Relaxed) {
            self.longest.fetch_max(nanos, Relaxed);
        }
    }

    pub(super) fn times(&self) -> Times {
        let counts: Vec<u64> = self
            .classes
            .iter()
            .map(|count| count.load(Relaxed))
            .collect();
        let count: u64 = counts.iter().sum();
        if count == 0 {
            return Times::default();
        }
        let max = self.longest.load(Relaxed);
        let at = |percent: u64| {
            let rank = (count * percent).div_ceil(100);
            let mut below = 0;
            let class = counts.iter().position(|count| {
                below += count;
                below >= rank
            });
            let bound = class.map_or(max, upper_bound);
            Duration::from_nanos(bound.min(max))
        };
        let nanos = self.nanos.load(Relaxed);
        Times {
            count,
            total: Duration::from_nanos(nanos),
            mean: Duration::from_nanos(nanos / count),
            p50: at(50),
            p99: at(99),
            max: Duration::from_nanos(max),
        }
    }
}

/// Below eight, a class for each; then eight for each doubling, told apart by the three bits after the
/// highest.
fn class_of(nanos: u64) -> usize {
    if nanos < 8 {
        return nanos as usize;
    }
    let doubling = nanos.ilog2() as usize;
    let eighth = (nanos >> (doubling - 3)) as usize & 7;
    8 * (doubling - 2) + eighth
}

/// The largest of a class.
fn upper_bound(class: usize) -> u64 {
    if class < 8 {
        return class as u64;
    }
    let (doubling, eighth) = (class / 8 + 2, class as u64 % 8);
    let width = 1_u64 << (doubling - 3);
    ((8 + eighth) << (doubling - 3)) + (width - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h11_every_duration_is_in_the_class_whose_bounds_are_around_it() {
        let some =
            (0..64).flat_map(|bit| [1_u64 << bit, (1 << bit) - 1, (1 << bit) + (1 << bit) / 3]);
        for nanos in some.chain(0..5_000).chain([u64::MAX]) {
            let class = class_of(nanos);
            assert!(class < CLASSES, "{nanos}");
            assert!(nanos <= upper_bound(class), "{nanos}");
            assert!(class == 0 || nanos > upper_bound(class - 1), "{nanos}");
        }
    }

    #[test]
    fn h11_percentiles_are_at_most_an_eighth_too_high() {
        let histogram = Histogram::new();
        for micros in 1..=1_000 {
            histogram.add(Duration::from_micros(micros), 1);
        }
        let times = histogram.times();
        let near = |time: Duration, micros: u64| {
            let exact = Duration::from_micros(micros);
            time >= exact && time <= exact + exact / 8
        };
        assert_eq!(times.count(), 1_000);
        assert_eq!(times.mean(), Duration::from_nanos(500_500));
        assert_eq!(times.total(), Duration::from_micros(500_500));
        assert!(near(times.p50(), 500), "{times}");
        assert!(near(times.p99(), 990), "{times}");
        assert_eq!(times.max(), Duration::from_millis(1));
    }
}
