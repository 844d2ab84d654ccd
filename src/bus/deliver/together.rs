//! The way of a batch, as one: in the order of a single event's, but each step for all events before the
//! next. So an emit from inside a filter comes before the whole batch in every queue, and one from inside a
//! tap or a destructor after it (P3); and who keeps batches together gets its share in one piece.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::callbacks::{call_tap, pass_by, pass_on};
use super::{Delivery, Evicted, Skipped, keep_for_later};
use crate::bus::emitted::Emitted;
use crate::bus::listeners::{Member, Tap};
use crate::bus::panics::{PanicHook, drop_event};
use crate::bus::pass::{Known, Way};
use crate::bus::routing::Route;
use crate::bus::subscriber::Pushed;
use crate::bus::traced::tell_losses;
use crate::bus::wakers::call_wakers;
use crate::cause::Cause;
use crate::event::Event;
use crate::sync::Arc;
use crate::topic::Topic;

/// Events of a batch in a row that have one topic.
pub(in crate::bus) struct Together<'a, T> {
    pub(in crate::bus) topic: &'a Topic,
    pub(in crate::bus) route: &'a Route<T>,
    pub(in crate::bus) events: &'a [Event<T>],
}

/// What one subscription that keeps batches together is to get of a batch.
struct Parcel<'a, T> {
    member: &'a Arc<Member<T>>,
    topic: &'a Topic,
    handles: Vec<Event<T>>,
    accepted: usize,
    awaited: bool,
}

struct Parcels<'a, T> {
    all: Vec<Parcel<'a, T>>,
    /// Where each subscription's is, by its number.
    places: HashMap<u64, usize, foldhash::fast::RandomState>,
}

impl<T> Default for Parcels<'_, T> {
    fn default() -> Self {
        Parcels {
            all: Vec::new(),
            places: HashMap::default(),
        }
    }
}

impl<'a, T> Parcels<'a, T> {
    fn of(&mut self, member: &'a Arc<Member<T>>, topic: &'a Topic) -> &mut Parcel<'a, T> {
        let place = *self.places.entry(member.id).or_insert_with(|| {
            self.all.push(Parcel {
                member,
                topic,
                handles: Vec::new(),
                accepted: 0,
                awaited: false,
            });
            self.all.len() - 1
        });
        &mut self.all[place]
    }
}

/// Delivers a batch; none of its events is seen by a tap before all are in the queues.
pub(in crate::bus) fn deliver_together<T>(
    runs: &[Together<'_, T>],
    on_panic: Option<&PanicHook>,
    way: Option<&Way<'_>>,
) -> Emitted {
    let skipped: SmallVec<[Filtered; 4]> = runs.iter().map(|run| filter(run, on_panic)).collect();

    let mut sum = Emitted::default();
    let mut evicted = Evicted::new();
    let mut parcels = Parcels::default();
    let mut deliveries: Vec<Delivery<'_, T>> = Vec::with_capacity(runs.len());
    for (run, filtered) in runs.iter().zip(skipped) {
        let mut delivery = Delivery::new(run.topic, run.route, on_panic);
        delivery.events = run.events.len();
        delivery.emitted.filtered = filtered.count;
        let mut skipped = filtered.skipped.into_iter();
        for event in run.events {
            let out = skipped.next().unwrap_or(Skipped::Nobody);
            push_one(&mut delivery, event, &out, &mut parcels);
        }
        deliveries.push(delivery);
    }
    let mut parcels = parcels.all;
    for parcel in &mut parcels {
        push_parcel(parcel, &mut sum, &mut evicted);
    }

    // Before anything of the user's here: what that emits is to come after the batch there, too.
    if runs.iter().any(|run| run.route.passes) {
        pass_all(runs, on_panic, way);
    }
    for delivery in &mut deliveries {
        delivery.call_consumers();
    }
    for parcel in parcels.iter().filter(|parcel| parcel.awaited) {
        call_wakers(parcel.member, parcel.accepted, parcel.topic, on_panic);
    }
    for mut delivery in deliveries {
        sum += delivery.emitted;
        evicted.extend(delivery.evicted);
        evicted.extend(delivery.kept.take());
    }
    sum.matched = sum.delivered + sum.dropped + sum.filtered;
    if sum.dropped + sum.evicted > 0 {
        for run in runs {
            tell_losses(run.topic, run.route, on_panic);
        }
    }
    tap_all(runs, on_panic);
    if let Some(last) = runs.iter().rev().find_map(|run| run.events.last())
        && !evicted.is_empty()
    {
        Cause::scope(last, || {
            evicted
                .into_iter()
                .for_each(|event| drop_event(on_panic, None, event));
        });
    }
    sum
}

/// What the filters of a run said.
#[derive(Default)]
struct Filtered {
    /// Whom each event is not for; nothing where there is no filter.
    skipped: Vec<Skipped>,
    /// How often a filter said no.
    count: usize,
}

fn filter<T>(run: &Together<'_, T>, on_panic: Option<&PanicHook>) -> Filtered {
    let mut filtered = Filtered::default();
    if run
        .route
        .members
        .iter()
        .all(|member| member.filter.is_none())
    {
        return filtered;
    }
    for event in run.events {
        let mut delivery = Delivery::new(run.topic, run.route, on_panic);
        delivery.filter(event);
        filtered.count += delivery.emitted.filtered;
        filtered.skipped.push(delivery.out);
    }
    filtered
}

/// Pushes one event to all who are not passed by; to those who keep batches it goes later.
fn push_one<'a, T>(
    delivery: &mut Delivery<'a, T>,
    event: &Event<T>,
    out: &Skipped,
    parcels: &mut Parcels<'a, T>,
) {
    let (route, topic) = (delivery.route, delivery.topic);
    let receivers = route.members.len() - out.count();
    if receivers == 0 {
        return;
    }
    // All handles are counted at once, before any is shared; the batch has one itself to the end.
    let mut handles = event.clone().share(receivers);
    let mut plain = 0;
    for (place, member) in route.members.iter().enumerate() {
        if out.contains(place) {
            continue;
        }
        let Some(handle) = handles.next() else { break };
        if route.keeps_batches && member.mailbox.keeps_batches() {
            parcels.of(member, topic).handles.push(handle);
        } else {
            plain += usize::from(delivery.push_once(place, &member.mailbox, handle));
        }
    }
    delivery.emitted.delivered += plain;
}

/// Pushes what one subscription gets, in one step.
fn push_parcel<T>(parcel: &mut Parcel<'_, T>, sum: &mut Emitted, evicted: &mut Evicted<T>) {
    let mailbox = &parcel.member.mailbox;
    let (mut accepted, mut refused, mut older) = (0, 0, Vec::new());
    let mut back = Vec::new();
    let handles = std::mem::take(&mut parcel.handles);
    mailbox.push_together(
        handles.into_iter(),
        &mut |event| older.push(event),
        &mut |pushed| match pushed {
            Pushed::Accepted => accepted += 1,
            // It ended meanwhile, and counts as not matched.
            Pushed::Closed(event) => back.push(event),
            Pushed::Full(event) => {
                mailbox.refuse();
                refused += 1;
                back.push(event);
            }
        },
    );
    sum.evicted += older.len();
    sum.dropped += refused;
    sum.delivered += accepted;
    for event in older.into_iter().chain(back) {
        keep_for_later(evicted, event);
    }
    parcel.accepted = accepted;
    if accepted == 0 || !mailbox.wants_more() {
        return;
    }
    if let Some(ringer) = mailbox.wake() {
        ringer.call();
    }
    parcel.awaited = mailbox.is_awaited() || mailbox.is_marked();
    if mailbox.has_ended() {
        // All consumers have left since.
        for back in (0..accepted).map_while(|_| mailbox.settle()) {
            sum.delivered -= 1;
            sum.dropped += 1;
            keep_for_later(evicted, back);
        }
    }
}

/// What a tap gets of a batch.
type Share<'a, T> = (&'a Tap<T>, Vec<Event<T>>);

/// Calls the taps, event by event.
fn tap_all<T>(runs: &[Together<'_, T>], on_panic: Option<&PanicHook>) {
    for run in runs.iter().filter(|run| !run.route.taps.is_empty()) {
        for event in run.events {
            Cause::scope(event, || {
                run.route
                    .taps
                    .iter()
                    .for_each(|tap| call_tap(tap, event, on_panic));
            });
        }
    }
}

/// Passes the events on, all together for each bus that gets some.
fn pass_all<T>(runs: &[Together<'_, T>], on_panic: Option<&PanicHook>, way: Option<&Way<'_>>) {
    if let [run] = runs {
        return pass_on(&run.route.taps, run.events, way, on_panic);
    }
    // Each tap once, in the order in which they came.
    let mut shares: Vec<Share<'_, T>> = Vec::new();
    let mut places = HashMap::<u64, usize, foldhash::fast::RandomState>::default();
    for run in runs {
        for tap in &run.route.taps {
            if tap.is_call() {
                continue;
            }
            let place = *places.entry(tap.id).or_insert_with(|| {
                shares.push((tap, Vec::new()));
                shares.len() - 1
            });
            shares[place].1.extend(run.events.iter().cloned());
        }
    }
    shares.sort_unstable_by_key(|(tap, _)| tap.id);
    let own = Known::default();
    let known = way.and_then(Way::known).unwrap_or(&own);
    for (tap, events) in shares {
        pass_by(tap, &events, way, known, on_panic);
    }
}
