//! One event on its way through its handlers.
//!
//! A [`Run`] is what all that work on one event share. Whoever works calls handlers by it, one at a
//! time or many threads at once; which, and in which order, is up to [`walk()`] (one thread, one after
//! the other) and [`fly()`] (steps of handlers that run together). A [`Convoy`] is many of them that take
//! turns.

mod batch_call;
mod calls;
mod convoy;
mod drive;
mod fly;
mod futures;
mod step;
mod walk;

pub(super) use self::convoy::Convoy;
pub(super) use self::drive::{block_on, detach};
pub(super) use self::fly::{Wait, fly};
pub(super) use self::step::Work;
pub(super) use self::walk::{walk, walk_plain};

use super::context::Origin;
use super::core::Core;
#[cfg(feature = "tracing")]
use super::debug::shown;
use super::debug::trace;
use super::dispatcher::{Fate, Inside, Watch, Whereabouts};
use super::failure::Failure;
use super::middleware::{OnError, Tell};
use super::report::Report;
use super::roster::Route;
use crate::event::{Event, Held};
use crate::shield::{caught, discard, drop_shielded};
use crate::sync::Ordering::{AcqRel, Acquire, Relaxed, Release};
use crate::sync::{Arc, AtomicBool, AtomicUsize, Mutex, thread_number};

/// One event, its handlers, and how far they are.
pub(super) struct Run<T: Send + Sync + 'static> {
    pub(super) scene: Scene<T>,
    pub(super) event: Held<T>,
    pub(super) route: Arc<Route<T>>,
    generation: u64,
    stopped: AtomicBool,
    called: AtomicUsize,
    skipped: AtomicUsize,
    failures: Mutex<Vec<Failure<T>>>,
    /// How many there were, so that nobody locks to find none.
    failed: AtomicUsize,
    /// Its sums were added to those of all.
    counted: AtomicBool,
}

/// Where an event is handled.
pub(super) struct Scene<T: Send + Sync + 'static> {
    pub(super) core: Arc<Core<T>>,
    /// Where handlers emit.
    pub(super) origin: Origin<T>,
    /// The dispatcher's books, if there is one.
    pub(super) watch: Option<Arc<Watch>>,
    /// Inside of whose handlers it was emitted, if it is waited for there.
    pub(super) within: Option<Whereabouts>,
    /// What becomes of the dispatcher's epoch, if there is one.
    pub(super) fate: Option<Arc<Fate>>,
    /// Whether its way is to be seen, if the emitter or the dispatcher was told; see `debug()`.
    pub(super) debug: Option<bool>,
}

impl<T: Send + Sync + 'static> Clone for Scene<T> {
    fn clone(&self) -> Self {
        Scene {
            core: Arc::clone(&self.core),
            origin: self.origin.clone(),
            watch: self.watch.clone(),
            within: self.within.clone(),
            fate: self.fate.clone(),
            debug: self.debug,
        }
    }
}

/// An event that is ready for its handlers.
pub(super) struct Routed<T: Send + Sync + 'static> {
    pub(super) event: Held<T>,
    pub(super) route: Arc<Route<T>>,
    pub(super) generation: u64,
}

/// Events that are ready for their handlers, and what became of those that middleware blocked.
pub(super) struct RoutedBatch<T: Send + Sync + 'static> {
    pub(super) events: Vec<Routed<T>>,
    pub(super) report: Report<T>,
}

impl<T: Send + Sync + 'static> Run<T> {
    pub(super) fn new(scene: Scene<T>, routed: Routed<T>) -> Arc<Self> {
        Arc::new(Run {
            scene,
            event: routed.event,
            route: routed.route,
            generation: routed.generation,
            stopped: AtomicBool::new(false),
            called: AtomicUsize::new(0),
            skipped: AtomicUsize::new(0),
            failures: Mutex::new(Vec::new()),
            failed: AtomicUsize::new(0),
            counted: AtomicBool::new(false),
        })
    }

    /// No handler of a later step is called, but monitors.
    pub(super) fn stop(&self) {
        // AcqRel: the next step's handlers see what was done before.
        self.stopped.swap(true, AcqRel);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Acquire)
    }

    /// So many handlers were called.
    fn count_called(&self, count: usize) {
        // Relaxed, as all counts: read when all have ended, which orders them.
        self.called.fetch_add(count, Relaxed);
    }

    fn skip(&self, count: usize) {
        // Relaxed as above.
        self.skipped.fetch_add(count, Relaxed);
    }

    /// What was done so far: all, if all have ended.
    pub(super) fn report(&self) -> Report<T> {
        let report = self.sums();
        // Relaxed: who drops the run does so after this.
        self.counted.store(true, Relaxed);
        self.scene.ended(&self.event, &report);
        self.scene.count(&report);
        report
    }

    fn sums(&self) -> Report<T> {
        let errors = self.take_failures();
        Report {
            matched: self.route.entries.len(),
            called: self.called.load(Relaxed),
            // Relaxed: `take_failures` has looked.
            failed: self.failed.load(Relaxed),
            skipped: self.skipped.load(Relaxed),
            stopped: self.is_stopped(),
            blocked: false,
            errors,
        }
    }

    /// What failed and was not taken yet.
    fn take_failures(&self) -> Vec<Failure<T>> {
        // Acquire: pairs with `keep`.
        if self.failed.load(Acquire) > 0 {
            std::mem::take(&mut *self.failures.lock())
        } else {
            Vec::new()
        }
    }

    /// Keeps a failure for the report.
    fn keep(&self, failure: Failure<T>) {
        self.failures.lock().push(failure);
        // Release: who sees it finds the failure.
        self.failed.fetch_add(1, Release);
    }
}

/// What a change replaced while this was on its way may have waited for it.
impl<T: Send + Sync + 'static> Drop for Run<T> {
    fn drop(&mut self) {
        if !self.counted.load(Relaxed) {
            // Given up on its way; what was done counts.
            let sums = self.sums();
            self.scene.count(&sums);
            drop_shielded(sums);
        }
        if self.scene.core.registry.generation() != self.generation {
            self.route = Arc::new(Route::empty());
            self.scene.core.registry.sweep();
        }
    }
}

impl<T: Send + Sync + 'static> Scene<T> {
    /// While the guards live, this thread is inside of the handlers of all dispatchers that wait for it.
    pub(super) fn enter(&self) -> (Option<Inside>, Option<Inside>) {
        let outer = self.within.as_ref().map(Whereabouts::enter);
        (self.watch.as_ref().map(Watch::enter), outer)
    }

    pub(super) fn is_over(&self) -> bool {
        self.fate.as_ref().is_some_and(|fate| fate.is_given_up())
    }

    /// Whether an event's way is to be seen: the emitter's or the dispatcher's word before that of the
    /// registry, which may change at any time.
    #[cfg(feature = "tracing")]
    pub(super) fn debug(&self) -> Option<bool> {
        self.debug.or_else(|| self.core.debug.get())
    }

    /// Traces what became of an event.
    #[inline]
    pub(super) fn ended(&self, event: &Event<T>, report: &Report<T>) {
        trace!(
            self.debug(),
            topic = %event.topic(),
            matched = report.matched,
            called = report.called,
            failed = report.failed,
            skipped = report.skipped,
            stopped = report.stopped,
            "an event came to its end"
        );
        let _ = (event, report);
    }

    /// Adds one event's sums to those of all.
    pub(super) fn count(&self, report: &Report<T>) {
        self.core.count(thread_number(), report);
        if let Some(watch) = &self.watch {
            watch.count(report.called, report.skipped, report.failed, report.blocked);
        }
    }

    /// Keeps a failure and tells every error handler, in the scope of the event at hand. What those fail at
    /// is counted, and told nobody: so they cannot recurse (H3).
    #[cold]
    pub(super) fn tell(&self, failure: &Failure<T>) {
        self.core.keep_failure(failure);
        let on_error = self.core.read(|roster| Arc::clone(&roster.on_error));
        if on_error.is_empty() {
            #[cfg(feature = "tracing")]
            crate::traced::tell_quietly(
                || ::tracing::error!(target: "chanbus::handlers", "{}", shown(failure)),
            );
            return;
        }
        let is_topic = |on_error: &Arc<OnError<T>>| match &on_error.tell {
            Some(Tell::Event(events)) => events.topic == *failure.topic(),
            _ => false,
        };
        let about_errors = on_error.iter().any(is_topic);
        for on_error in &*on_error {
            let told = caught(|| match &on_error.tell {
                Some(Tell::Call(tell)) => tell(failure),
                Some(Tell::Event(events)) => events.emit(failure, &self.origin, about_errors),
                None => {}
            });
            if let Err(thrown) = told {
                let panicked = &self.core.totals.panicked_error_handlers;
                panicked.fetch_add(1, Relaxed);
                discard(thrown);
            }
        }
    }
}
