//! One call of one handler: who is called, and what becomes of what it says.

use super::Run;
use crate::handlers::context::Context;
#[cfg(feature = "tracing")]
use crate::handlers::debug::shown;
use crate::handlers::debug::trace;
use crate::handlers::dispatcher::Shift;
use crate::handlers::entry::{Callback, Entry, Flow, Outcome};
use crate::handlers::failure::{Failure, FailureKind, FailurePlace};
use crate::shield::{Thrown, caught};
use crate::sync::Ordering::Relaxed;
use crate::sync::thread_number;

/// A call that has begun; its end is told by [`end`](Run::end).
pub(super) struct Begun {
    /// In the dispatcher's books, if there is one.
    pub(super) shift: Option<Shift>,
}

impl<T: Send + Sync + 'static> Run<T> {
    /// Calls the handler that the context stands for, unless it is async. `stopped` says whether
    /// propagation was stopped before its step. Whether it was called, which whoever calls this counts: so
    /// handlers in a row are counted once.
    #[inline]
    pub(super) fn call(&self, context: &Context<T>, stopped: bool) -> bool {
        let entry = context.entry();
        let begun = self.enter(entry);
        if !self.starts(entry, stopped) {
            self.leave(begun);
            return false;
        }
        let outcome = caught(|| match &entry.callback {
            Callback::Call(call) => {
                call(&self.event);
                Ok(Flow::Continue)
            }
            Callback::Handle(handle) => handle(&self.event, context),
            Callback::Batch(handle) => handle(std::slice::from_ref(&self.event), context),
            // Called by `AsyncCall`; and nothing is called while it is dropped.
            Callback::Async(_) | Callback::Gone => Ok(Flow::Continue),
        });
        self.end(entry, begun, outcome);
        true
    }

    /// Whether this handler is to be called now; if so, its call is claimed, and counted as the
    /// handler's, not yet as the event's.
    pub(super) fn begin(&self, entry: &Entry<T>, stopped: bool) -> Option<Begun> {
        let begun = self.enter(entry);
        if self.starts(entry, stopped) {
            return Some(begun);
        }
        self.leave(begun);
        None
    }

    #[inline]
    fn starts(&self, entry: &Entry<T>, stopped: bool) -> bool {
        if !self.admits(entry, stopped) {
            self.skip(1);
            entry.counts.skipped.fetch_add(1, Relaxed);
            trace!(
                self.scene.debug(),
                topic = %self.event.topic(),
                id = %entry.id,
                name = entry.terms.name.as_deref(),
                "a handler is skipped"
            );
            return false;
        }
        if entry.terms.once {
            self.remove_claimed(entry);
        }
        entry.counts.called.add_by(thread_number(), 1);
        trace!(
            self.scene.debug(),
            topic = %self.event.topic(),
            id = %entry.id,
            name = entry.terms.name.as_deref(),
            "a handler is called"
        );
        true
    }

    #[inline]
    pub(super) fn enter(&self, entry: &Entry<T>) -> Begun {
        let watch = self.scene.watch.as_ref();
        let shift = watch.map(|watch| watch.begin(entry, self.event.topic()));
        Begun { shift }
    }

    #[inline]
    pub(super) fn leave(&self, begun: Begun) {
        if let (Some(shift), Some(watch)) = (begun.shift, &self.scene.watch) {
            watch.end(shift);
        }
    }

    /// It was claimed, so it goes whatever comes of the call.
    #[cold]
    pub(super) fn remove_claimed(&self, entry: &Entry<T>) {
        self.scene.core.remove(entry.id);
        trace!(self.scene.debug(), id = %entry.id, "the one call of a handler was claimed");
    }

    #[inline]
    fn admits(&self, entry: &Entry<T>, stopped: bool) -> bool {
        let out = entry.is_removed()
            || self.scene.is_over()
            || (stopped && !entry.terms.priority.is_monitor())
            || (entry.terms.once && entry.is_claimed());
        !out && self.passes(entry) && (!entry.terms.once || entry.claim())
    }

    /// Whether all filters say yes; one that panics says no, and is reported (H5).
    #[inline]
    pub(super) fn passes(&self, entry: &Entry<T>) -> bool {
        if entry.terms.filters.is_empty() {
            return true;
        }
        // Filters take their time, and may be what removes it.
        self.passes_all(entry) && !entry.is_removed() && !self.scene.is_over()
    }

    #[inline(never)]
    fn passes_all(&self, entry: &Entry<T>) -> bool {
        let mut filters = entry.terms.filters.iter();
        filters.all(|filter| match caught(|| filter(&self.event)) {
            Ok(verdict) => verdict,
            Err(thrown) => {
                self.fail_at(entry, FailurePlace::Filter, FailureKind::panic(thrown));
                false
            }
        })
    }

    /// Takes what a call came to.
    #[inline]
    pub(super) fn end(&self, entry: &Entry<T>, begun: Begun, outcome: Result<Outcome, Thrown>) {
        // What nearly all come to.
        if matches!(outcome, Ok(Ok(Flow::Continue)))
            && begun.shift.is_none()
            && entry.terms.on_success.is_none()
        {
            return;
        }
        self.end_else(entry, begun, outcome);
    }

    fn end_else(&self, entry: &Entry<T>, begun: Begun, outcome: Result<Outcome, Thrown>) {
        let ended = match outcome {
            Ok(Ok(flow)) => Ok(flow),
            Ok(Err(error)) => Err(FailureKind::Error(error)),
            Err(thrown) => Err(FailureKind::panic(thrown)),
        };
        self.end_with(entry, begun, ended);
    }

    #[inline]
    pub(super) fn end_with(
        &self,
        entry: &Entry<T>,
        begun: Begun,
        ended: Result<Flow, FailureKind>,
    ) {
        if let Some(shift) = &begun.shift {
            entry.counts.took(shift.elapsed());
        }
        match ended {
            Ok(flow) => {
                if flow == Flow::Stop && !entry.terms.priority.is_monitor() {
                    self.stop();
                }
                if let Some(on_success) = &entry.terms.on_success
                    && let Err(thrown) = caught(|| on_success(&self.event))
                {
                    self.fail_at(entry, FailurePlace::Callback, FailureKind::panic(thrown));
                }
            }
            Err(kind) => self.fail_at(entry, FailurePlace::Handler, kind),
        }
        // Only now: its callbacks may be stuck as it may itself.
        self.leave(begun);
    }

    /// Reports a handler that was not called as its executor did not take it.
    pub(super) fn refuse(&self, entry: &Entry<T>, kind: FailureKind) {
        self.skip(1);
        entry.counts.skipped.fetch_add(1, Relaxed);
        self.fail_at(entry, FailurePlace::Handler, kind);
    }

    #[cold]
    pub(super) fn fail_at(&self, entry: &Entry<T>, place: FailurePlace, kind: FailureKind) {
        self.fail_with(entry, Failure::of_handler(&self.event, entry, place, kind));
    }

    #[cold]
    pub(super) fn fail_with(&self, entry: &Entry<T>, failure: Failure<T>) {
        // Relaxed: a statistic.
        entry.counts.failed.fetch_add(1, Relaxed);
        trace!(self.scene.debug(), "{}", shown(&failure));
        // Kept first, so that the report has it before what comes of telling it.
        self.keep(failure.clone());
        let callback = match failure.place() {
            FailurePlace::Handler => entry.terms.on_failure.as_ref(),
            _ => None,
        };
        let told = callback.map(|on_failure| caught(|| on_failure(&failure)));
        self.scene.tell(&failure);
        if let Some(Err(thrown)) = told {
            self.fail_at(entry, FailurePlace::Callback, FailureKind::panic(thrown));
        }
    }
}
