//! The way of one event into the queues of its route.
//!
//! In this order: filters, pushes (each followed by a look whether consumers wait, or have left
//! meanwhile), other buses that it is passed on to, wakers, taps, then the destructors of what was pushed out.
//! So whatever the user's code does in a filter happens before the event is in any queue, and whatever it does in
//! a waker, a tap or a destructor after it is in all of them: an emit from inside comes wholly before or
//! wholly after, in every queue (P3). Only an emit that waits for room calls wakers before it does.

mod batch;
mod callbacks;
mod skipped;
mod together;
mod within;

use smallvec::SmallVec;

use crate::bus::emitted::Emitted;
use crate::bus::listeners::Member;
use crate::bus::panics::PanicHook;
use crate::bus::pass::Way;
use crate::bus::routing::Route;
use crate::bus::subscriber::{Mailbox, Pushed, Ringer};
use crate::bus::traced::tell_losses;
use crate::bus::wakers::call_wakers;
use crate::cause::Cause;
use crate::event::{Event, EventShares};
use crate::sync::{Arc, Ordering};
use crate::topic::Topic;

pub(super) use self::batch::{close_all, deliver_batch, push_batch};
pub(in crate::bus) use self::callbacks::accepts;
use self::callbacks::{after_pushes, pass_on};
use self::skipped::Skipped;
pub(super) use self::together::{Together, deliver_together};
pub(super) use self::within::deliver_within;

/// Events that left the queues during an emit, each by its last handle, dropped at its end.
///
/// On the stack: queues that fill in step push out handles of the same events, of which one is the
/// last, so more than a few are rare.
type Evicted<T> = SmallVec<[Event<T>; 4]>;

/// Delivers an event of this topic to everybody on the topic's route; never waits.
pub(in crate::bus) fn deliver<T>(
    topic: &Topic,
    route: &Route<T>,
    event: Event<T>,
    on_panic: Option<&PanicHook>,
) -> Emitted {
    // Taps need the event to the end, and so do destructors that may emit, for its cause.
    if !route.plain || !event.is_bare() {
        return deliver_fully(topic, route, event, on_panic, None);
    }
    let receivers = route.members.len();
    match deliver_plainly(topic, route, event.share(receivers), on_panic) {
        None => Emitted::to_all(receivers),
        Some(emitted) => emitted,
    }
}

/// [`deliver`] where there is neither filter, tap nor extra; `None` if everybody has it.
///
/// (The sums come back only where they say more, which spares most emits a way through memory.)
#[inline(always)]
pub(in crate::bus) fn deliver_plainly<T>(
    topic: &Topic,
    route: &Route<T>,
    mut handles: EventShares<T>,
    on_panic: Option<&PanicHook>,
) -> Option<Emitted> {
    let (place, stopped) = push_plainly(&route.members, &mut handles);
    if place == route.members.len() {
        return None;
    }
    resume(topic, route, place, stopped, &mut handles, on_panic)
}

/// Goes on where plain pushes stopped; plainly, as long as it was for a mark that is far.
#[cold]
fn resume<T>(
    topic: &Topic,
    route: &Route<T>,
    mut place: usize,
    mut stopped: Option<Event<T>>,
    handles: &mut EventShares<T>,
    on_panic: Option<&PanicHook>,
) -> Option<Emitted> {
    let members = &route.members;
    while stopped.is_none() && members[place].mailbox.is_far_from_mark() {
        let next = place + 1;
        let (further, then) = push_plainly(&members[next..], handles);
        (place, stopped) = (next + further, then);
        if place == members.len() {
            return None;
        }
    }
    let delivery = Delivery::new(topic, route, on_panic);
    Some(delivery.resume(place, stopped, handles))
}

/// Pushes to one after the other, while each has room and wants no more than the push; where it
/// stopped, and the handle that found no room.
#[inline]
fn push_plainly<T>(
    members: &[Arc<Member<T>>],
    handles: &mut EventShares<T>,
) -> (usize, Option<Event<T>>) {
    for (place, member) in members.iter().enumerate() {
        let Some(handle) = handles.next() else { break };
        if let Err(handle) = member.mailbox.push(handle) {
            return (place, Some(handle));
        }
        if member.mailbox.wants_more() {
            return (place, None);
        }
    }
    (members.len(), None)
}

/// [`deliver`] where there are filters or taps, or extras, or where it came by other buses.
#[inline(never)]
pub(in crate::bus) fn deliver_fully<T>(
    topic: &Topic,
    route: &Route<T>,
    event: Event<T>,
    on_panic: Option<&PanicHook>,
    way: Option<&Way<'_>>,
) -> Emitted {
    if route.members.is_empty() {
        // As it mostly is between one derived bus and the next.
        if route.passes {
            pass_on(&route.taps, std::slice::from_ref(&event), way, on_panic);
        }
        after_pushes(topic, route, Some(event), Evicted::new(), on_panic);
        return Emitted::default();
    }
    let mut delivery = Delivery::new(topic, route, on_panic);
    delivery.way = way;
    delivery.filter(&event);
    // One handle is kept back where taps still need the event, or destructors its cause; or if nobody
    // else gets one.
    let receivers = route.members.len() - delivery.out.count();
    let keep = receivers == 0 || !route.taps.is_empty() || !event.is_bare();
    // All handles are counted at once, before any is shared.
    let mut handles = event.share(receivers + usize::from(keep));
    if keep {
        delivery.kept = handles.next();
    }
    delivery.push_from(0, &mut handles);
    delivery.close()
}

/// An event on its way, and what became of it so far.
pub(super) struct Delivery<'a, T> {
    topic: &'a Topic,
    route: &'a Route<T>,
    on_panic: Option<&'a PanicHook>,
    emitted: Emitted,
    out: Skipped,
    /// A handle of the event, for taps and for the end.
    kept: Option<Event<T>>,
    evicted: Evicted<T>,
    /// How many each queue is offered, which is how many of its consumers are called at most.
    events: usize,
    /// To be called, once for all whom it is to wake.
    ringer: Option<&'a Ringer>,
    /// Some queues have consumers that wait for a waker.
    awaited: bool,
    /// By which buses it came here, if by any.
    way: Option<&'a Way<'a>>,
}

impl<'a, T> Delivery<'a, T> {
    fn new(topic: &'a Topic, route: &'a Route<T>, on_panic: Option<&'a PanicHook>) -> Self {
        Delivery {
            topic,
            route,
            on_panic,
            emitted: Emitted::default(),
            out: Skipped::Nobody,
            kept: None,
            evicted: Evicted::new(),
            events: 1,
            ringer: None,
            awaited: false,
            way: None,
        }
    }

    /// Goes on where plain pushes stopped: at a queue without room, which handed its handle back, or
    /// at one that has more to be done after the push.
    #[cold]
    fn resume(
        mut self,
        place: usize,
        stopped: Option<Event<T>>,
        handles: &mut EventShares<T>,
    ) -> Emitted {
        self.emitted.delivered = place;
        match stopped {
            Some(handle) => self.push_harder(place, handle),
            None => self.accepted(place, &self.route.members[place].mailbox),
        }
        self.push_from(place + 1, handles);
        self.close()
    }

    /// Pushes to all from this place on; nobody is waited for.
    fn push_from(&mut self, first: usize, handles: &mut EventShares<T>) {
        // Counted in a register, as most pushes are all there is to do.
        let mut plain = 0;
        for place in first..self.route.members.len() {
            if self.out.contains(place) {
                continue;
            }
            let Some(handle) = handles.next() else { break };
            plain += usize::from(self.push_once(place, &self.route.members[place].mailbox, handle));
        }
        self.emitted.delivered += plain;
    }

    /// Pushes to one, who is not waited for; whether that was all (else the sums are kept here).
    #[inline(always)]
    fn push_once(
        &mut self,
        place: usize,
        mailbox: &'a Mailbox<Event<T>>,
        handle: Event<T>,
    ) -> bool {
        match mailbox.push(handle) {
            Ok(()) if !mailbox.wants_more() => return true,
            Ok(()) => self.accepted(place, mailbox),
            Err(handle) => self.push_harder(place, handle),
        }
        false
    }

    /// Pushes where a plain push found no room, or was not the way.
    #[cold]
    fn push_harder(&mut self, place: usize, handle: Event<T>) {
        if !self.push(place, handle) {
            self.refuse(place);
        }
    }

    /// Pushes to one where a plain push did not do: what is full may push its oldest out. `false` if
    /// there was no room, which is not counted yet.
    fn push(&mut self, place: usize, handle: Event<T>) -> bool {
        let (emitted, evicted) = (&mut self.emitted, &mut self.evicted);
        let mailbox = &self.route.members[place].mailbox;
        let pushed = mailbox.push_harder(handle, &mut |older| {
            emitted.evicted += 1;
            keep_for_later(evicted, older);
        });
        match pushed {
            Pushed::Accepted => {
                self.accepted(place, mailbox);
                true
            }
            // It ended meanwhile, and counts as not matched.
            Pushed::Closed(handle) => {
                self.keep(handle);
                true
            }
            Pushed::Full(handle) => {
                self.keep(handle);
                false
            }
        }
    }

    /// Keeps a handle to the end: it may be the last, and no destructor runs before that.
    fn keep(&mut self, handle: Event<T>) {
        match &self.kept {
            None => self.kept = Some(handle),
            // Of the same event, or of another one in a batch.
            Some(_) => keep_for_later(&mut self.evicted, handle),
        }
    }

    fn refuse(&mut self, place: usize) {
        self.route.members[place].mailbox.refuse();
        self.emitted.dropped += 1;
    }

    /// Counts an accepted push, and does what the mailbox wants after it, if it does.
    #[cold]
    fn accepted(&mut self, place: usize, mailbox: &'a Mailbox<Event<T>>) {
        self.emitted.delivered += 1;
        if mailbox.wants_more() {
            self.ringer = mailbox.wake().or(self.ringer);
            self.awaited |= mailbox.is_awaited() || mailbox.is_marked();
            if mailbox.has_ended() {
                self.settle(place);
            }
        }
    }

    /// Calls those who wait elsewhere than in the queues, after the pushes: wakers are the user's code.
    fn call_consumers(&mut self) {
        if let Some(ringer) = self.ringer.take() {
            ringer.call();
        }
        if std::mem::take(&mut self.awaited) {
            self.call_wakers();
        }
    }

    #[cold]
    fn call_wakers(&self) {
        for (place, member) in self.route.members.iter().enumerate() {
            if !self.out.contains(place) {
                call_wakers(member, self.events, self.topic, self.on_panic);
            }
        }
    }

    /// Takes an event back where all consumers have left since the push.
    #[cold]
    fn settle(&mut self, place: usize) {
        if let Some(back) = self.route.members[place].mailbox.settle() {
            self.emitted.delivered -= 1;
            self.emitted.dropped += 1;
            keep_for_later(&mut self.evicted, back);
        }
    }

    /// Asks every filter before any queue gets the event.
    fn filter(&mut self, event: &Event<T>) {
        let members = &self.route.members;
        if members.iter().all(|member| member.filter.is_none()) {
            return;
        }
        Cause::scope(event, || {
            for (place, member) in members.iter().enumerate() {
                match accepts(member, event, self.on_panic) {
                    Some(true) => {}
                    Some(false) => {
                        // Relaxed: a statistic.
                        let filtered = &member.mailbox.losses().filtered;
                        filtered.fetch_add(1, Ordering::Relaxed);
                        self.emitted.filtered += 1;
                        self.out.insert(place, members.len());
                    }
                    None => self.out.insert(place, members.len()),
                }
            }
        });
    }

    /// Adds up, and runs the user's code that comes after all pushes.
    fn close(mut self) -> Emitted {
        // Before anything of the user's here: what that emits is to come after the event there, too.
        if self.route.passes {
            self.pass_on();
        }
        self.call_consumers();
        if self.emitted.dropped + self.emitted.evicted > 0 {
            tell_losses(self.topic, self.route, self.on_panic);
        }
        let emitted = &mut self.emitted;
        emitted.matched = emitted.delivered + emitted.dropped + emitted.filtered;
        // It is the last handle if nobody else has it, or if the consumers were quick, and then the
        // destructors that run here are the user's; what those emit has a cause, too.
        let dies = self
            .kept
            .as_ref()
            .is_some_and(Event::runs_code_when_dropped);
        let emitted = *emitted;
        if !self.route.taps.is_empty() || !self.evicted.is_empty() || dies {
            self.finish();
        }
        emitted
    }

    #[cold]
    fn pass_on(&self) {
        if let Some(event) = &self.kept {
            let events = std::slice::from_ref(event);
            pass_on(&self.route.taps, events, self.way, self.on_panic);
        }
    }

    #[cold]
    fn finish(self) {
        after_pushes(
            self.topic,
            self.route,
            self.kept,
            self.evicted,
            self.on_panic,
        );
    }
}

/// Puts by what is the last handle of an event whose destructors are the user's; others go at once.
fn keep_for_later<T>(evicted: &mut Evicted<T>, older: Event<T>) {
    evicted.extend(older.drop_quietly());
}
