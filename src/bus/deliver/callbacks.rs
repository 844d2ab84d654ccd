//! The user's code on the way of an event, behind shields: filters, taps, destructors of what was pushed out; and the
//! way on to other buses.

use super::Evicted;
use crate::bus::listeners::{Member, Tap, TapKind};
use crate::bus::panics::{Owner, PanicHook, PanicPlace, drop_event, shield};
use crate::bus::pass::{Known, Tapped, Way};
use crate::bus::routing::Route;
use crate::cause::Cause;
use crate::event::Event;
use crate::sync::{Arc, Ordering};
use crate::topic::Topic;

/// The user's code that comes after all pushes: taps, and destructors of what was pushed out, and of the
/// event itself if nobody has it.
pub(super) fn after_pushes<T>(
    topic: &Topic,
    route: &Route<T>,
    kept: Option<Event<T>>,
    evicted: Evicted<T>,
    on_panic: Option<&PanicHook>,
) {
    let taps = &route.taps;
    // An event without a handle here has no cause itself.
    let cause = || kept.as_ref().and_then(|event| event.cause().cloned());
    if let Some(event) = &kept
        && taps.iter().any(|tap| tap.is_call())
    {
        Cause::scope_of(topic, cause(), || {
            taps.iter().for_each(|tap| call_tap(tap, event, on_panic));
        });
    }
    // Most have no destructor that would want a cause.
    let is_quiet = |event: &Event<T>| !event.runs_code_when_dropped();
    if evicted.is_empty() && kept.as_ref().is_none_or(is_quiet) {
        return;
    }
    Cause::scope_of(topic, cause(), || {
        for dead in evicted.into_iter().chain(kept) {
            drop_event(on_panic, Some(topic), dead);
        }
    });
}

/// Calls a tap that is a callback of the user's, in the scope of the event.
pub(super) fn call_tap<T>(tap: &Tap<T>, event: &Event<T>, on_panic: Option<&PanicHook>) {
    let TapKind::Call(hook) = &tap.kind else {
        return;
    };
    let (topic, owner) = (Some(event.topic()), Some(tap as &dyn Owner));
    // The outer shield as with filters.
    shield(on_panic, PanicPlace::Destructor, topic, owner, || {
        hook.with(|tap| {
            shield(on_panic, PanicPlace::Tap, topic, owner, || tap(event));
        });
    });
}

/// Passes events on by those of the taps that do.
pub(super) fn pass_on<T>(
    taps: &[Arc<Tap<T>>],
    events: &[Event<T>],
    way: Option<&Way<'_>>,
    on_panic: Option<&PanicHook>,
) {
    // All taps of one emit share it, so that an event that comes to a bus by two of them is known there.
    let own = Known::default();
    let known = way.and_then(Way::known).unwrap_or(&own);
    for tap in taps {
        pass_by(tap, events, way, known, on_panic);
    }
}

/// Passes events on by this tap, if that is what it does.
pub(super) fn pass_by<T>(
    tap: &Tap<T>,
    events: &[Event<T>],
    way: Option<&Way<'_>>,
    known: &Known,
    on_panic: Option<&PanicHook>,
) {
    let TapKind::Pass(hook, _) = &tap.kind else {
        return;
    };
    let tapped = Tapped {
        events,
        way,
        known,
        on_panic,
        tap,
    };
    // For what the callback captured, which goes here if it is taken away meanwhile.
    shield(on_panic, PanicPlace::Destructor, None, Some(tap), || {
        hook.with(|pass| pass(tapped));
    });
}

/// What the filter says; `None` if the subscription has gone, and its filter with it.
pub(in crate::bus) fn accepts<T>(
    member: &Member<T>,
    event: &Event<T>,
    on_panic: Option<&PanicHook>,
) -> Option<bool> {
    let Some(filter) = &member.filter else {
        return Some(true);
    };
    let (topic, owner) = (Some(event.topic()), Some(member as &dyn Owner));
    // The outer shield: if the subscription goes while this is inside its filter, what that captured
    // is dropped on leaving it. The verdict is kept outside, as it stands whatever that drop does.
    let mut verdict = None;
    shield(on_panic, PanicPlace::Destructor, topic, owner, || {
        filter.with(|filter| {
            verdict = Some(shield(on_panic, PanicPlace::Filter, topic, owner, || {
                filter(event)
            }));
        })
    });
    let verdict = verdict?;
    if verdict.is_none() {
        // Relaxed: a statistic.
        let panics = &member.mailbox.losses().filter_panics;
        panics.fetch_add(1, Ordering::Relaxed);
    }
    Some(verdict.unwrap_or(false))
}
