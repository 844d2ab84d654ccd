//! Threads that come and go: subscriptions, taps, patterns, ends.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Context, Waker};
use std::time::Duration;

use chanbus::{Bus, PanicPlace, Retention, Subscription};
use futures_lite::future::block_on;

use crate::consume::{WAYS, consume};
use crate::dice::{Dice, chance};
use crate::parcel::{Parcel, filter, nervous, tap};
use crate::reader::Reader;
use crate::round::{PATTERNS, POLICIES};
use crate::world::World;

/// Subscribes, reads a little and leaves, until told to stop.
pub(crate) fn churn(world: &Arc<World>, bus: Bus<Parcel>, stop: &AtomicBool, seed: u64) {
    world.enter();
    let mut dice = Dice::new(seed);
    while !stop.load(Relaxed) && !bus.is_closed() {
        match dice.below(9) {
            0 => {
                let salt = dice.below(99);
                let accepts =
                    move |event: &chanbus::Event<Parcel>| chance(event.payload().id, salt, 4);
                let patience = Duration::from_micros(dice.below(500));
                if let Ok(event) = bus.wait_for(dice.pick(&PATTERNS), patience, accepts) {
                    world.discard(event);
                }
            }
            1 => wait_async(world, &bus, &mut dice),
            2 => {
                let explosive = dice.one_in(4);
                // Refused, it is dropped here.
                let made = world.catch(PanicPlace::Destructor, || {
                    bus.tap(dice.pick(&PATTERNS), tap(world, explosive))
                });
                dice.dawdle();
                drop(made);
            }
            3 => retain(world, &bus, &mut dice),
            _ => visit(world, &bus, &mut dice),
        }
    }
}

/// Keeps the latest of some topics for a time.
fn retain(world: &Arc<World>, bus: &Bus<Parcel>, dice: &mut Dice) {
    let policy = dice.pick(&[Retention::RefuseNew, Retention::ForgetOldest]);
    let capacity = 1 + dice.below(4) as usize;
    let builder = bus.retention(dice.pick(&PATTERNS)).capacity(capacity);
    let Ok(retained) = builder.when_full(policy).retain() else {
        return;
    };
    visit(world, bus, dice);
    world.check(retained.len() <= capacity, || {
        format!("P13: {} topics retained of {capacity}", retained.len())
    });
    for event in retained.latest() {
        world.discard(event);
    }
    match dice.below(3) {
        0 => retained.clear(),
        1 => dice.dawdle(),
        _ => {}
    }
}

/// A future that is polled, then dropped.
fn wait_async(world: &Arc<World>, bus: &Bus<Parcel>, dice: &mut Dice) {
    let mut future = Box::pin(bus.wait_for_async(dice.pick(&PATTERNS), |_| true));
    let waker = nervous(world, Waker::noop(), dice.below(1 << 40));
    for _ in 0..1 + dice.below(2) {
        let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
        if let std::task::Poll::Ready(found) = polled {
            world.discard(found);
            break;
        }
        dice.dawdle();
    }
    drop(future);
    world.catch(PanicPlace::Waker, || drop(waker));
}

fn visit(world: &Arc<World>, bus: &Bus<Parcel>, dice: &mut Dice) {
    let overflow = dice.pick(&POLICIES);
    let patterns = [dice.pick(&PATTERNS), dice.pick(&PATTERNS)];
    let made = world.catch(PanicPlace::Destructor, || {
        let builder = bus
            .subscription(patterns)
            .capacity(1 + dice.below(4) as usize)
            .overflow(overflow)
            .replay(dice.below(8) as usize);
        let builder = match dice.one_in(2) {
            true => builder.with_retained(),
            false => builder,
        };
        if dice.one_in(2) {
            let explosive = dice.one_in(4);
            builder
                .filter(filter(world, dice.below(99), explosive))
                .subscribe()
        } else {
            builder.subscribe()
        }
    });
    let Some(Ok(sub)) = made else { return };
    let mut reader = Reader::new(world, overflow, None, dice.below(6) as usize);
    match dice.below(6) {
        0 => drop(sub.share()),
        1 => {
            sub.close();
            world.check(sub.is_closed() && !sub.close(), || {
                "P8: closed twice".to_owned()
            });
            let end = sub.iter().map(|event| world.discard(event)).count();
            // What was replayed is beyond the capacity, and late publishers may add theirs.
            world.check(end < 64, || format!("P6: {end} events at the end"));
        }
        2 => {
            let _ = sub.set_patterns(dice.pick(&PATTERNS));
            dice.dawdle();
        }
        // For a time, and then another way with what is left.
        _ => {
            let closer = sub.closer();
            let way = dice.below(WAYS);
            // Who waits to the end needs somebody to end it.
            if reader.is_full() {
                dice.dawdle();
            } else if dice.one_in(2) {
                closer.close();
                consume(&sub, way, &mut reader, dice);
            } else {
                patient(&sub, &mut reader, dice);
            }
        }
    }
    dice.dawdle();
    if dice.one_in(8) {
        // The end of a stream is the end of its subscription.
        drop(sub.into_stream());
    }
}

/// Takes what comes within a short time.
fn patient(sub: &Subscription<Parcel>, reader: &mut Reader, dice: &mut Dice) {
    while !reader.is_full() {
        let found = if dice.one_in(2) {
            sub.recv_timeout(Duration::from_micros(200)).ok()
        } else {
            block_on(futures_lite::future::poll_once(sub.recv_async())).and_then(Result::ok)
        };
        match found {
            Some(event) => reader.take(event),
            None => return,
        }
    }
}

/// Changes what others stand on: patterns of restless subscriptions, their ends, and the bus's.
pub(crate) fn meddle(
    world: &Arc<World>,
    bus: Bus<Parcel>,
    restless: &[Arc<Subscription<Parcel>>],
    closes: bool,
    stop: &AtomicBool,
    seed: u64,
) {
    world.enter();
    let mut dice = Dice::new(seed);
    let mut steps = 0;
    while !stop.load(Relaxed) {
        steps += 1;
        if closes && steps > 40 && dice.one_in(10) {
            bus.close();
            return;
        }
        if let Some(sub) = restless.get(dice.below(1 + restless.len() as u64) as usize) {
            world.check(sub.len() <= sub.capacity(), || {
                format!("P6: {} events in a queue of {}", sub.len(), sub.capacity())
            });
            match dice.below(12) {
                0 if dice.one_in(4) => {
                    sub.close();
                }
                1 if dice.one_in(4) => {
                    sub.closer().close();
                }
                2 => assert!(!format!("{sub:?}{:?}", sub.closer()).is_empty()),
                _ => {
                    let set = sub.set_patterns([dice.pick(&PATTERNS), dice.pick(&PATTERNS)]);
                    world.check(set.is_ok() || sub.is_closed() || bus.is_closed(), || {
                        "set_patterns is refused".to_owned()
                    });
                }
            }
        } else {
            let stats = bus.stats();
            world.check(stats.subscribers <= stats.max_subscribers, || {
                format!("P6: too many subscriptions: {stats}")
            });
        }
        dice.dawdle();
        dice.dawdle();
    }
}
