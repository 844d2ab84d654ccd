//! The end of a round, and whether the books balance.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use chanbus::{Bus, EmitError, PanicPlace, Subscription};

use crate::consume::end_is_for_ever;
use crate::parcel::Parcel;
use crate::round::{Ending, Remains, Steady, join};
use crate::world::{Lane, TOPICS, World};

/// Ends the round and checks every promise by counting; how many events it emitted, and how many
/// panics it saw.
pub(crate) fn settle(remains: Remains, bus: Bus<Parcel>) -> (u64, u64) {
    let Remains {
        world,
        steady,
        publishers,
        settings,
    } = remains;
    // What the bus lets go of when it closes is dropped here, behind its shields.
    let closed_before = bus.is_closed();
    let held = match settings.ending {
        Ending::Close => {
            bus.close();
            Some(bus)
        }
        Ending::LastHandle => {
            drop(bus);
            None
        }
        Ending::EachByItself => {
            for it in &steady {
                it.sub.close();
            }
            Some(bus)
        }
    };
    let exact = !settings.closes && !closed_before;
    let mut subs = Vec::new();
    for it in steady {
        subs.push(audit(&world, it, exact));
    }
    if let Some(bus) = &held {
        audit_bus(&world, bus, &subs);
        bus.close();
    }
    drop(held);

    // Publishers are refused, and get back what they tried to send.
    for publisher in &publishers {
        let parcel = world.parcel(Lane::Main, 0, false);
        let id = parcel.id;
        match publisher.emit(parcel) {
            Err(EmitError::Closed(back)) if back.id == id => world.discard(back),
            _ => world.fail("P8: a closed bus takes an event"),
        }
    }
    drop(subs);
    census(&world, "while publishers are idle");
    drop(publishers);
    census(&world, "after all has gone");
    panics(&world);
    (world.sums.emits.load(Relaxed), world.provoked.all())
}

/// What one subscription says against what its consumers took; its handle comes back.
fn audit(world: &Arc<World>, steady: Steady, exact: bool) -> Arc<Subscription<Parcel>> {
    let mut last = steady.reader(world, usize::MAX);
    let Steady {
        sub,
        patterns,
        restless,
        consumers,
    } = steady;
    let readers: Vec<_> = consumers.into_iter().map(|it| join(world, it)).collect();
    // What nobody was there to take, and what came after the others had seen the end.
    sub.iter().for_each(|event| last.take(event));
    end_is_for_ever(&sub, &last);
    last.told += sub.missed();

    let all = || readers.iter().chain([&last]);
    let mut ids: Vec<u64> = all().flat_map(|reader| &reader.ids).copied().collect();
    let taken = ids.len() as u64;
    ids.sort_unstable();
    ids.dedup();
    world.check(ids.len() as u64 == taken, || {
        format!("P4: of {taken} events only {} differ: {sub:?}", ids.len())
    });
    world.check(sub.is_empty(), || {
        format!("P8: something stays behind: {sub:?}")
    });
    world.check(sub.received() == taken, || {
        format!("P5: received {}, taken {taken}: {sub:?}", sub.received())
    });
    let told: u64 = all().map(|reader| reader.told).sum();
    world.check(told == sub.dropped(), || {
        format!(
            "P7: told of {told} events of {} dropped: {sub:?}",
            sub.dropped()
        )
    });
    world.check(sub.filter_panics() <= sub.filtered(), || {
        format!("P11: {} panics of {}", sub.filter_panics(), sub.filtered())
    });

    let of_topics = TOPICS.iter().zip(&world.by_topic);
    let wanted = of_topics.filter(|(topic, _)| patterns.iter().any(|it| it.matches(topic)));
    let wanted: u64 = wanted.map(|(_, count)| count.load(Relaxed)).sum();
    let wanted = wanted + world.broadcasts.load(Relaxed);
    let matched = sub.matched();
    let emits = world.sums.emits.load(Relaxed);
    let right = match (restless, exact) {
        (false, true) => matched == wanted,
        (false, false) => matched <= wanted,
        (true, _) => matched <= emits,
    };
    world.check(right, || {
        format!("P2/P5: {wanted} of {emits} events were for it, {matched} matched: {sub:?}")
    });
    sub
}

/// What the bus says against what all emits said.
fn audit_bus(world: &World, bus: &Bus<Parcel>, subs: &[Arc<Subscription<Parcel>>]) {
    let (stats, sums) = (bus.stats(), &world.sums);
    let (dropped, evicted) = (sums.dropped.load(Relaxed), sums.evicted.load(Relaxed));
    for (what, said, counted) in [
        ("emitted", stats.emitted, sums.emits.load(Relaxed)),
        ("matched", stats.matched(), sums.matched.load(Relaxed)),
        ("filtered", stats.filtered, sums.filtered.load(Relaxed)),
        ("lost", stats.dropped + stats.conflated, dropped + evicted),
        (
            "received",
            stats.received + evicted,
            sums.delivered.load(Relaxed),
        ),
        (
            "filter panics",
            stats.filter_panics,
            world.provoked.of(PanicPlace::Filter),
        ),
    ] {
        world.check(said == counted, || {
            format!("P5: {what}: the bus says {said}, the emits {counted}: {stats}")
        });
    }
    world.check(stats.depth == 0 && stats.subscribers == 0, || {
        format!("P8: something is left: {stats}")
    });
    for sub in subs {
        let row = stats.subscriptions.iter().find(|row| row.id == sub.id());
        let agrees = row.is_some_and(|row| {
            row.closed && row.matched() == sub.matched() && row.dropped == sub.dropped()
        });
        world.check(agrees, || format!("P5: {sub:?} has another row in {stats}"));
    }
}

/// Nothing is alive (P9, P13).
fn census(world: &World, when: &str) {
    for (what, alive) in [
        ("payloads", &world.parcels),
        ("captures", &world.captures),
        ("wakers", &world.wakers),
    ] {
        let alive = alive.load(Relaxed);
        world.check(alive == 0, || format!("P9: {alive} {what} alive {when}"));
    }
}

/// Every panic was caught once: by the bus, which told its hook, or outside of it.
fn panics(world: &World) {
    for place in [
        PanicPlace::Filter,
        PanicPlace::Tap,
        PanicPlace::Waker,
        PanicPlace::Destructor,
    ] {
        let (provoked, reported) = (world.provoked.of(place), world.reported.of(place));
        let caught = world.caught.of(place);
        world.check(provoked == reported + caught, || {
            format!("P11: {place:?}: {provoked} panics, {reported} reported, {caught} outside")
        });
    }
}
