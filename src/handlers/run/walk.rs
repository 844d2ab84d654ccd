//! All handlers of an event one after the other, on this thread.

use std::ops::Range;

use super::{Routed, Run, Scene};
use crate::cause::Cause;
use crate::event::Event;
use crate::handlers::context::Context;
use crate::handlers::core::Core;
#[cfg(feature = "tracing")]
use crate::handlers::debug::shown;
use crate::handlers::debug::trace;
use crate::handlers::entry::Entry;
use crate::handlers::executor::Refusal;
use crate::handlers::failure::{Failure, FailureKind, FailurePlace};
use crate::handlers::report::Report;
use crate::shield::{Thrown, caught};
use crate::sync::Ordering::Relaxed;
use crate::sync::{Arc, thread_number};

/// Calls handlers that are all plain: nothing is asked of the event's way, so nothing is kept of it, and
/// a scene is made only for failures to be told in.
#[inline]
pub(in crate::handlers) fn walk_plain<T: Send + Sync + 'static>(
    core: &Core<T>,
    scene: impl Fn() -> Scene<T>,
    routed: Routed<T>,
) -> Report<T> {
    let Routed {
        event,
        route,
        generation,
    } = routed;
    #[cfg(feature = "tracing")]
    let heard = ::tracing::level_enabled!(::tracing::Level::DEBUG);
    // Making a scene costs more than all else here, so it is not made for nobody.
    #[cfg(feature = "tracing")]
    let debug = heard.then(|| scene().debug()).flatten();
    let mut report = Report::new();
    report.matched = route.entries.len();
    let me = thread_number();
    Cause::scope(&event, || {
        for entry in &route.entries {
            if entry.is_removed() {
                // Relaxed: a statistic.
                entry.counts.skipped.fetch_add(1, Relaxed);
                report.skipped += 1;
                continue;
            }
            report.called += 1;
            entry.counts.called.add_by(me, 1);
            trace!(
                debug,
                topic = %event.topic(),
                id = %entry.id,
                name = entry.terms.name.as_deref(),
                "a handler is called"
            );
            if let Err(thrown) = caught(|| entry.callback.call(&event)) {
                fail_plain(&scene(), &event, entry, thrown, &mut report);
            }
        }
    });
    #[cfg(feature = "tracing")]
    if heard {
        scene().ended(&event, &report);
    }
    core.count(me, &report);
    core.leave(route, generation);
    report
}

#[cold]
fn fail_plain<T: Send + Sync + 'static>(
    scene: &Scene<T>,
    event: &Event<T>,
    entry: &Entry<T>,
    thrown: Thrown,
    report: &mut Report<T>,
) {
    let kind = FailureKind::panic(thrown);
    // Relaxed: a statistic.
    entry.counts.failed.fetch_add(1, Relaxed);
    let failure = Failure::of_handler(event, entry, FailurePlace::Handler, kind);
    trace!(scene.debug(), "{}", shown(&failure));
    scene.tell(&failure);
    report.failed += 1;
    report.errors.push(failure);
}

/// Calls all handlers; async ones are refused, as nobody here runs them. What was run comes back.
#[inline]
pub(in crate::handlers) fn walk<T: Send + Sync + 'static>(run: Arc<Run<T>>) -> Arc<Run<T>> {
    let all = 0..run.route.entries.len();
    walk_part(run, all)
}

/// Calls those in these places, likewise.
#[inline]
pub(super) fn walk_part<T: Send + Sync + 'static>(
    run: Arc<Run<T>>,
    places: Range<usize>,
) -> Arc<Run<T>> {
    // The context has the run for as long as this needs it, which spares a count.
    let mut context = Context::new(run, 0);
    let scope = Cause::scoped(&context.run().event);
    let mut called = 0;
    for place in places {
        context.stand_for(place);
        let (run, entry) = (context.run(), context.entry());
        if entry.is_async() {
            let why = Refusal::AsyncUnsupported { executor: "Inline" };
            run.refuse(entry, FailureKind::Refused(why));
        } else {
            called += usize::from(run.call(&context, run.is_stopped()));
        }
    }
    drop(scope);
    let run = context.into_run();
    run.count_called(called);
    run
}
