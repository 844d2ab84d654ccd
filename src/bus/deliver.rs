//! The way of one event into the queues of its route.
//!
//! In this order: filters, pushes, one fence, a look for consumers that left meanwhile, taps, then
//! the destructors of what was pushed out. So whatever the user's code does in a filter happens
//! before the event is in any queue, and whatever it does in a tap or a destructor after it is in
//! all of them: an emit from inside comes wholly before or wholly after, in every queue (P3).

use std::time::Instant;

use smallvec::SmallVec;

use super::emitted::Emitted;
use super::panics::{PanicHook, PanicPlace, drop_event, shield};
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

/// The places of a route whose queue had no room, for an emit that will wait for it.
type Full = SmallVec<[usize; 4]>;

/// Delivers an event of this topic to everybody on the topic's route; never waits.
pub(super) fn deliver<T>(
    topic: &Topic,
    route: &Route<T>,
    event: Event<T>,
    on_panic: Option<&PanicHook>,
) -> Emitted {
    let mut emitted = Emitted::default();
    let mut evicted = Evicted::new();
    let mut out = Skipped::Nobody;
    if !route.plain {
        filter(route, &event, on_panic, &mut emitted, &mut out);
    }
    // All handles are counted at once, before any is shared. One is kept back where taps still need
    // the event, or destructors its cause.
    let hold = !(route.taps.is_empty() && event.is_bare());
    let receivers = route.members.len() - out.count();
    let mut event = Some(event);
    if receivers > 0
        && let Some(first) = event.take()
    {
        let mut handles = first.share(receivers + usize::from(hold));
        if hold {
            event = handles.next();
        }
        for (place, member) in route.members.iter().enumerate() {
            if out.contains(place) {
                continue;
            }
            let Some(handle) = handles.next() else { break };
            if let Err(refused) = offer(member, handle, &mut emitted, &mut evicted) {
                out.insert(place, route.members.len());
                if refused.for_want_of_room {
                    refuse(member, &mut emitted);
                }
                // Kept to the end: it may be the last handle, and no destructor runs before that.
                event.get_or_insert(refused.event);
            }
        }
    }
    settle_all(route, &out, &mut emitted, &mut evicted);
    close_account(topic, route, event, emitted, evicted, on_panic)
}

/// Delivers an event to everybody on the route, and waits until the deadline for those without room.
pub(super) fn deliver_within<T>(
    topic: &Topic,
    route: &Route<T>,
    event: Event<T>,
    on_panic: Option<&PanicHook>,
    deadline: Instant,
) -> Emitted {
    let mut emitted = Emitted::default();
    let mut evicted = Evicted::new();
    let mut out = Skipped::Nobody;
    if !route.plain {
        filter(route, &event, on_panic, &mut emitted, &mut out);
    }
    // First everybody who has room, so that nobody waits for another's.
    let mut full = Full::new();
    for (place, member) in route.members.iter().enumerate() {
        if out.contains(place) {
            continue;
        }
        if let Err(refused) = offer(member, event.clone(), &mut emitted, &mut evicted) {
            out.insert(place, route.members.len());
            if refused.for_want_of_room {
                full.push(place);
            }
        }
    }
    settle_all(route, &out, &mut emitted, &mut evicted);
    for place in full {
        let member = &route.members[place];
        offer_until(member, &event, &mut emitted, &mut evicted, deadline);
    }
    close_account(topic, route, Some(event), emitted, evicted, on_panic)
}

/// An offer that was not accepted.
struct Refused<T> {
    event: Event<T>,
    /// There was no room, which is not counted yet. Else the subscription ended meanwhile, and
    /// counts as not matched.
    for_want_of_room: bool,
}

/// Offers the event to one subscription, once.
#[inline]
fn offer<T>(
    member: &Member<T>,
    event: Event<T>,
    emitted: &mut Emitted,
    evicted: &mut Evicted<T>,
) -> Result<(), Refused<T>> {
    let pushed = member.mailbox.push(event, &mut |older| {
        emitted.evicted += 1;
        keep_for_later(evicted, older);
    });
    let (event, for_want_of_room) = match pushed {
        Pushed::Accepted => {
            emitted.delivered += 1;
            return Ok(());
        }
        Pushed::Full(event) => (event, true),
        Pushed::Closed(event) => (event, false),
    };
    Err(Refused {
        event,
        for_want_of_room,
    })
}

/// Offers the event whenever there may be room, until the deadline.
#[cold]
fn offer_until<T>(
    member: &Member<T>,
    event: &Event<T>,
    emitted: &mut Emitted,
    evicted: &mut Evicted<T>,
    deadline: Instant,
) {
    while member.mailbox.wait_for_room(deadline) {
        match offer(member, event.clone(), emitted, evicted) {
            Ok(()) => {
                // As after the pushes of a plain emit.
                fence_full();
                if member.mailbox.has_ended() {
                    settle(member, emitted, evicted);
                }
                return;
            }
            // Others took the room; they must not keep this one beyond its time.
            Err(refused) if refused.for_want_of_room => {
                if Instant::now() >= deadline {
                    break;
                }
            }
            Err(_) => return,
        }
    }
    refuse(member, emitted);
}

#[cold]
fn refuse<T>(member: &Member<T>, emitted: &mut Emitted) {
    member.mailbox.refuse();
    emitted.dropped += 1;
}

/// Takes events back where all consumers have left since the pushes.
#[inline]
fn settle_all<T>(route: &Route<T>, out: &Skipped, emitted: &mut Emitted, evicted: &mut Evicted<T>) {
    // One for all pushes: against the fence of a consumer that sets `ended`, see `subscriber/mod.rs`.
    fence_full();
    for (place, member) in route.members.iter().enumerate() {
        if member.mailbox.has_ended() && !out.contains(place) {
            settle(member, emitted, evicted);
        }
    }
}

#[cold]
fn settle<T>(member: &Member<T>, emitted: &mut Emitted, evicted: &mut Evicted<T>) {
    if let Some(back) = member.mailbox.settle() {
        emitted.delivered -= 1;
        emitted.dropped += 1;
        keep_for_later(evicted, back);
    }
}

/// Asks every filter before any queue gets the event.
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
                    let filtered = &member.mailbox.losses().filtered;
                    filtered.fetch_add(1, Ordering::Relaxed);
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
    let (topic, name) = (Some(event.topic()), member.name.as_deref());
    // The outer shield: if the subscription goes while this is inside its filter, what that captured
    // is dropped on leaving it.
    let verdict = shield(on_panic, PanicPlace::Destructor, topic, name, || {
        filter.with(|filter| shield(on_panic, PanicPlace::Filter, topic, name, || filter(event)))
    });
    let verdict = verdict.flatten()?;
    if verdict.is_none() {
        // Relaxed: a statistic.
        let panics = &member.mailbox.losses().filter_panics;
        panics.fetch_add(1, Ordering::Relaxed);
    }
    Some(verdict.unwrap_or(false))
}

/// Adds up, and runs the user's code that comes after all pushes.
///
/// The event is there unless all its handles are in queues.
#[inline]
fn close_account<T>(
    topic: &Topic,
    route: &Route<T>,
    event: Option<Event<T>>,
    mut emitted: Emitted,
    evicted: Evicted<T>,
    on_panic: Option<&PanicHook>,
) -> Emitted {
    emitted.matched = emitted.delivered + emitted.dropped + emitted.filtered;
    // It is the last handle if nobody else has it, or if the consumers were quick, and then the
    // destructors that run here are the user's; what those emit has a cause, too.
    let dies = event.as_ref().is_some_and(Event::runs_code_when_dropped);
    if !route.taps.is_empty() || !evicted.is_empty() || dies {
        finish(topic, route, event, evicted, on_panic);
    }
    emitted
}

/// The user's code that comes after all pushes: taps, and destructors of what was pushed out, and
/// of the event itself if nobody has it.
#[cold]
fn finish<T>(
    topic: &Topic,
    route: &Route<T>,
    event: Option<Event<T>>,
    evicted: Evicted<T>,
    on_panic: Option<&PanicHook>,
) {
    // An event whose handles are all in queues has no cause itself.
    let cause = event.as_ref().and_then(|event| event.cause().cloned());
    Cause::scope_of(topic, cause, || {
        if let Some(event) = &event {
            for tap in &route.taps {
                // The outer shield as with filters.
                shield(on_panic, PanicPlace::Destructor, Some(topic), None, || {
                    tap.hook.with(|tap| {
                        shield(on_panic, PanicPlace::Tap, Some(topic), None, || tap(event));
                    });
                });
            }
        }
        for dead in evicted.into_iter().chain(event) {
            drop_event(on_panic, Some(topic), dead);
        }
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

    fn count(&self) -> usize {
        match self {
            Skipped::Nobody => 0,
            Skipped::Some(bits) => bits.iter().map(|bits| bits.count_ones() as usize).sum(),
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
