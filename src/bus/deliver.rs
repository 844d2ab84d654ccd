//! The way of one event into the queues of its route.
//!
//! In this order: filters, pushes, one fence, a look for consumers that left meanwhile, taps, then
//! the destructors of what was pushed out. So whatever the user's code does in a filter happens
//! before the event is in any queue, and whatever it does in a tap or a destructor after it is in
//! all of them: an emit from inside comes wholly before or wholly after, in every queue (P3).

use std::time::Instant;

use smallvec::SmallVec;

use super::emitted::Emitted;
use super::panics::{PanicHook, PanicPlace, shield};
use super::routing::{Member, Route};
use super::subscriber::Pushed;
use crate::cause::Cause;
use crate::event::Event;
use crate::sync::{Ordering, fence_full};
use crate::topic::Topic;

/// Events that left the queues during an emit, dropped at its end.
///
/// On the stack: queues that fill in step push out handles of the same events, which go at once, so
/// more than a few different ones are rare.
type Evicted<T> = SmallVec<[Event<T>; 4]>;

/// Delivers an event of this topic to everybody on the topic's route; never waits.
pub(super) fn deliver<T>(
    topic: &Topic,
    route: &Route<T>,
    event: Event<T>,
    on_panic: Option<&PanicHook>,
) -> Emitted {
    run(topic, route, event, on_panic, None)
}

/// Delivers an event to everybody on the route, and waits until the deadline for those without room.
pub(super) fn deliver_within<T>(
    topic: &Topic,
    route: &Route<T>,
    event: Event<T>,
    on_panic: Option<&PanicHook>,
    deadline: Instant,
) -> Emitted {
    run(topic, route, event, on_panic, Some(deadline))
}

fn run<T>(
    topic: &Topic,
    route: &Route<T>,
    event: Event<T>,
    on_panic: Option<&PanicHook>,
    patience: Option<Instant>,
) -> Emitted {
    let mut emitted = Emitted::default();
    let mut evicted = Evicted::new();
    let mut out = Skipped::Nobody;
    if !route.plain {
        filter(route, &event, on_panic, &mut emitted, &mut out);
    }
    // The last queue gets this very handle, not another one, which spares counting it up and, at the
    // end, down. Where taps still need the event, or destructors its cause, every queue gets another.
    let last = if route.taps.is_empty() && event.is_bare() {
        route.members.len().wrapping_sub(1)
    } else {
        usize::MAX
    };
    let mut event = Some(event);
    for (place, member) in route.members.iter().enumerate() {
        if out.contains(place) {
            continue;
        }
        let handle = if place == last {
            event.take()
        } else {
            event.clone()
        };
        let Some(handle) = handle else { break };
        if let Err(back) = push(member, handle, &mut emitted, &mut evicted, patience) {
            out.insert(place, route.members.len());
            if place == last {
                event = Some(back);
            }
        }
    }
    // One for all pushes: against the fence of a consumer that sets `ended`, see `subscriber.rs`.
    fence_full();
    for (place, member) in route.members.iter().enumerate() {
        if member.mailbox.has_ended()
            && !out.contains(place)
            && let Some(back) = member.mailbox.settle()
        {
            emitted.delivered -= 1;
            emitted.dropped += 1;
            keep_for_later(&mut evicted, back);
        }
    }
    emitted.matched = emitted.delivered + emitted.dropped + emitted.filtered;
    if !route.taps.is_empty() || !evicted.is_empty() {
        finish(topic, route, event, evicted, on_panic);
    } else if let Some(event) = event {
        // The last handle, if the consumers were quick: the payload's destructor is the user's.
        shield(on_panic, PanicPlace::Destructor, None, None, || drop(event));
    }
    emitted
}

/// Offers the event to one subscription; it comes back unless that has it.
#[inline]
fn push<T>(
    member: &Member<T>,
    mut event: Event<T>,
    emitted: &mut Emitted,
    evicted: &mut Evicted<T>,
    patience: Option<Instant>,
) -> Result<(), Event<T>> {
    loop {
        let pushed = member.mailbox.push(event, &mut |older| {
            emitted.evicted += 1;
            keep_for_later(evicted, older);
        });
        match pushed {
            Pushed::Accepted => {
                emitted.delivered += 1;
                return Ok(());
            }
            Pushed::Closed(back) => return Err(back),
            Pushed::Full(back) => event = back,
        }
        // `emit_within`: asleep until there may be room, then once more.
        if !patience.is_some_and(|deadline| member.mailbox.wait_for_room(deadline)) {
            member.mailbox.refuse();
            emitted.dropped += 1;
            return Err(event);
        }
    }
}

/// Asks every filter before any queue gets the event.
#[cold]
fn filter<T>(
    route: &Route<T>,
    event: &Event<T>,
    on_panic: Option<&PanicHook>,
    emitted: &mut Emitted,
    out: &mut Skipped,
) {
    if route.members.iter().all(|member| member.filter.is_none()) {
        return;
    }
    Cause::scope(event, || {
        for (place, member) in route.members.iter().enumerate() {
            match accepts(member, event, on_panic) {
                Some(true) => {}
                Some(false) => {
                    // Relaxed: a statistic.
                    member
                        .mailbox
                        .losses()
                        .filtered
                        .fetch_add(1, Ordering::Relaxed);
                    emitted.filtered += 1;
                    out.insert(place, route.members.len());
                }
                None => out.insert(place, route.members.len()),
            }
        }
    });
}

/// What the filter says; `None` if the subscription has gone, and its filter with it.
pub(super) fn accepts<T>(
    member: &Member<T>,
    event: &Event<T>,
    on_panic: Option<&PanicHook>,
) -> Option<bool> {
    let Some(filter) = &member.filter else {
        return Some(true);
    };
    let name = member.name.as_deref();
    let verdict = filter.with(|filter| {
        shield(
            on_panic,
            PanicPlace::Filter,
            Some(event.topic()),
            name,
            || filter(event),
        )
    })?;
    if verdict.is_none() {
        let panics = &member.mailbox.losses().filter_panics;
        panics.fetch_add(1, Ordering::Relaxed);
    }
    Some(verdict.unwrap_or(false))
}

/// The user's code that comes after all pushes: taps, and destructors of what was pushed out.
///
/// The event is there unless the last queue got it, which it does only if it has no cause.
#[cold]
fn finish<T>(
    topic: &Topic,
    route: &Route<T>,
    event: Option<Event<T>>,
    evicted: Evicted<T>,
    on_panic: Option<&PanicHook>,
) {
    let serve = || {
        if let Some(event) = &event {
            for tap in &route.taps {
                tap.hook.with(|tap| {
                    shield(on_panic, PanicPlace::Tap, Some(topic), None, || tap(event))
                });
            }
        }
        for older in evicted {
            shield(on_panic, PanicPlace::Destructor, Some(topic), None, || {
                drop(older);
            });
        }
    };
    match &event {
        Some(event) => Cause::scope(event, serve),
        None => Cause::scope_first(topic, serve),
    }
    shield(on_panic, PanicPlace::Destructor, Some(topic), None, || {
        drop(event);
    });
}

fn keep_for_later<T>(evicted: &mut Evicted<T>, older: Event<T>) {
    // Another handle of one that is kept is not the last, so dropping it runs nothing.
    if !evicted.iter().any(|kept| kept.ptr_eq(&older)) {
        evicted.push(older);
    }
}

/// The places of a route that do not have the event. Nothing to keep while everybody gets it.
enum Skipped {
    Nobody,
    /// One bit a place.
    Some(SmallVec<[u64; 8]>),
}

impl Skipped {
    #[inline]
    fn contains(&self, place: usize) -> bool {
        match self {
            Skipped::Nobody => false,
            Skipped::Some(bits) => bits[place / 64] & (1 << (place % 64)) != 0,
        }
    }

    #[cold]
    fn insert(&mut self, place: usize, places: usize) {
        if let Skipped::Nobody = self {
            *self = Skipped::Some(SmallVec::from_elem(0, places.div_ceil(64)));
        }
        if let Skipped::Some(bits) = self {
            bits[place / 64] |= 1 << (place % 64);
        }
    }
}
