//! One call of a batch handler: which events it gets, and what becomes of what it says (H14).

use super::Run;
use crate::cause::Cause;
use crate::event::HeldAll;
use crate::handlers::context::Context;
#[cfg(feature = "tracing")]
use crate::handlers::debug::shown;
use crate::handlers::debug::trace;
use crate::handlers::entry::{Callback, Entry, Flow, Outcome};
use crate::handlers::failure::{Failure, FailureKind, FailurePlace};
use crate::shield::{Thrown, caught};
use crate::sync::Ordering::Relaxed;
use crate::sync::{Arc, thread_number};

/// An event that matches the handler.
pub(super) struct Guest<T: Send + Sync + 'static> {
    pub(super) run: Arc<Run<T>>,
    /// That of the handler, among the event's handlers.
    pub(super) place: usize,
}

/// A handler's call with all events that match it, in order. There is at least one.
pub(super) struct BatchCall<T: Send + Sync + 'static> {
    first: Guest<T>,
    others: Vec<Guest<T>>,
}

impl<T: Send + Sync + 'static> BatchCall<T> {
    pub(super) fn new(mut guests: Vec<Guest<T>>) -> Option<Self> {
        if guests.is_empty() {
            return None;
        }
        let others = guests.split_off(1);
        let first = guests.pop()?;
        Some(BatchCall { first, others })
    }

    pub(super) fn runs(&self) -> impl Iterator<Item = &Arc<Run<T>>> {
        self.guests().map(|guest| &guest.run)
    }

    /// The first event that matches, and the handler's place there.
    pub(super) fn first(&self) -> &Guest<T> {
        &self.first
    }

    fn guests(&self) -> impl Iterator<Item = &Guest<T>> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// Calls the handler, if any event is for it.
    pub(super) fn call(&self) {
        let (first, entry) = (&self.first.run, self.first.entry());
        let _inside = first.scene.enter();
        let begun = first.enter(entry);
        let given = self.admitted(entry);
        self.skip_others(entry, &given);
        if let [lead, ..] = &*given {
            if entry.terms.once {
                first.remove_claimed(entry);
            }
            entry
                .counts
                .called
                .add_by(thread_number(), given.len() as u64);
            for guest in &given {
                guest.run.count_called(1);
            }
            trace!(
                first.scene.debug(),
                topic = %lead.run.event.topic(),
                events = given.len(),
                id = %entry.id,
                name = entry.terms.name.as_deref(),
                "a batch handler is called"
            );
            let events = HeldAll::new(given.iter().map(|guest| guest.run.event.clone()));
            Cause::scope(&lead.run.event, || {
                let outcome = lead.call(entry, &events);
                if let Some(shift) = &begun.shift {
                    entry.counts.took(shift.elapsed());
                }
                end(entry, &given, events, outcome);
            });
        }
        first.leave(begun);
    }

    /// The events that it is to get, if it is to be called now; then its call is claimed.
    fn admitted(&self, entry: &Entry<T>) -> Vec<&Guest<T>> {
        let scene = &self.first.run.scene;
        let is_out = || entry.is_removed() || scene.is_over();
        if is_out() || (entry.terms.once && entry.is_claimed()) {
            return Vec::new();
        }
        let guests = self.guests().filter(|guest| {
            (entry.terms.priority.is_monitor() || !guest.run.is_stopped())
                && Cause::scope(&guest.run.event, || guest.run.passes(entry))
        });
        let given: Vec<_> = guests.collect();
        // Filters take their time, and may be what removes it.
        let is_called = !given.is_empty() && !is_out() && (!entry.terms.once || entry.claim());
        if is_called { given } else { Vec::new() }
    }

    /// Counts those that it does not get; the others are among all in the same order.
    fn skip_others(&self, entry: &Entry<T>, given: &[&Guest<T>]) {
        let mut given = given.iter().peekable();
        for guest in self.guests() {
            if given.next_if(|it| std::ptr::eq(**it, guest)).is_none() {
                guest.skip(entry);
            }
        }
    }

    /// Reports that the handler was not called as its executor did not take it.
    pub(super) fn refuse(&self, kind: FailureKind) {
        let (first, entry) = (&self.first.run, self.first.entry());
        let _inside = first.scene.enter();
        for guest in self.guests() {
            guest.skip(entry);
        }
        let events = HeldAll::new(self.runs().map(|run| run.event.clone()));
        Cause::scope(&first.event, || first.fail_together(entry, events, kind));
    }
}

impl<T: Send + Sync + 'static> Guest<T> {
    fn entry(&self) -> &Entry<T> {
        &self.run.route.entries[self.place]
    }

    fn skip(&self, entry: &Entry<T>) {
        self.run.skip(1);
        // Relaxed: a statistic.
        entry.counts.skipped.fetch_add(1, Relaxed);
        trace!(
            self.run.scene.debug(),
            topic = %self.run.event.topic(),
            id = %entry.id,
            name = entry.terms.name.as_deref(),
            "a handler is skipped"
        );
    }

    /// Calls the handler with all these events; this is the first of them.
    fn call(&self, entry: &Entry<T>, events: &HeldAll<T>) -> Result<Outcome, Thrown> {
        let context = Context::new(Arc::clone(&self.run), self.place);
        caught(|| match &entry.callback {
            Callback::Batch(handle) => handle(events, &context),
            // No other kind comes here.
            _ => Ok(Flow::Continue),
        })
    }
}

/// Takes what a call came to.
fn end<T: Send + Sync + 'static>(
    entry: &Entry<T>,
    given: &[&Guest<T>],
    events: HeldAll<T>,
    outcome: Result<Outcome, Thrown>,
) {
    let [lead, others @ ..] = given else { return };
    let lead = &lead.run;
    let ended = match outcome {
        Ok(Ok(flow)) => Ok(flow),
        Ok(Err(error)) => Err(FailureKind::Error(error)),
        Err(thrown) => Err(FailureKind::panic(thrown)),
    };
    if !entry.terms.priority.is_monitor() {
        if ended.as_ref().is_ok_and(|flow| *flow == Flow::Stop) {
            lead.stop();
        }
        // By its context, or as it said just now. None of them was stopped before.
        if lead.is_stopped() {
            for guest in others {
                guest.run.stop();
            }
        }
    }
    match (ended, &entry.terms.on_success) {
        (Err(kind), _) => lead.fail_together(entry, events, kind),
        (Ok(_), None) => {}
        (Ok(_), Some(on_success)) => {
            for Guest { run, .. } in given {
                let told = || Cause::scope(&run.event, || caught(|| on_success(&run.event)));
                if let Err(thrown) = told() {
                    run.fail_at(entry, FailurePlace::Callback, FailureKind::panic(thrown));
                }
            }
        }
    }
}

impl<T: Send + Sync + 'static> Run<T> {
    /// One failure for many events, of which this one is the first that the handler was to get.
    fn fail_together(&self, entry: &Entry<T>, events: HeldAll<T>, kind: FailureKind) {
        let failure = Failure::of_batch(&self.event, events, entry, kind);
        trace!(self.scene.debug(), "{}", shown(&failure));
        self.fail_with(entry, failure);
    }
}
