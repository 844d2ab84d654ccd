//! All handlers of an event one after the other, on this thread.

use super::{Routed, Run, Scene};
use crate::cause::Cause;
use crate::handlers::context::Context;
use crate::handlers::debug::trace;
use crate::handlers::executor::Refusal;
use crate::handlers::failure::{Failure, FailureKind, FailurePlace};
use crate::handlers::report::Report;
use crate::shield::caught;
use crate::sync::Arc;
use crate::sync::Ordering::Relaxed;

/// Calls handlers that are all plain: nothing is asked of the event's way, so nothing is kept of it.
pub(in crate::handlers) fn walk_plain<T: Send + Sync + 'static>(
    scene: &Scene<T>,
    routed: Routed<T>,
) -> Report<T> {
    let Routed {
        event,
        route,
        generation,
    } = routed;
    let mut report = Report::new();
    report.matched = route.entries.len();
    Cause::scope(&event, || {
        for entry in &route.entries {
            if entry.is_removed() {
                // Relaxed: a statistic.
                entry.counts.skipped.fetch_add(1, Relaxed);
                report.skipped += 1;
                continue;
            }
            report.called += 1;
            entry.counts.called.fetch_add(1, Relaxed);
            trace!(
                scene.debug(),
                topic = %event.topic(),
                id = %entry.id,
                name = entry.name.as_deref(),
                "a handler is called"
            );
            if let Err(thrown) = caught(|| entry.callback.call(&event)) {
                let kind = FailureKind::panic(thrown);
                entry.counts.failed.fetch_add(1, Relaxed);
                let failure = Failure::of_handler(&event, entry, FailurePlace::Handler, kind);
                trace!(scene.debug(), "{failure}");
                scene.tell(&failure);
                report.failed += 1;
                report.errors.push(failure);
            }
        }
    });
    scene.ended(&event, &report);
    scene.count(&report);
    scene.core.leave(route, generation);
    report
}

/// Calls all handlers; async ones are refused, as nobody here runs them.
pub(in crate::handlers) fn walk<T: Send + Sync + 'static>(run: &Arc<Run<T>>) {
    let mut context = Context::new(Arc::clone(run), 0);
    Cause::scope(&run.event, || {
        for (place, entry) in run.route.entries.iter().enumerate() {
            context.stand_for(place);
            if entry.is_async() {
                let why = Refusal::AsyncUnsupported { executor: "Inline" };
                run.refuse(entry, FailureKind::Refused(why));
            } else {
                run.call(&context, run.is_stopped());
            }
        }
    });
}
