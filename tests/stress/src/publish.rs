//! The emitting threads.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use chanbus::{Bus, Event, Publisher};

use crate::dice::Dice;
use crate::parcel::Parcel;
use crate::world::{Lane, TOPICS, World};

/// Emits in every way there is, until `emits` are done or the bus is closed. The publishers come back
/// idle, so that the caller can see what they still hold.
pub(crate) fn publish(
    world: &Arc<World>,
    bus: Bus<Parcel>,
    emits: u64,
    seed: u64,
) -> Vec<Publisher<Parcel>> {
    world.enter();
    let mut dice = Dice::new(seed);
    let publishers: Vec<_> = TOPICS
        .iter()
        .filter_map(|topic| bus.publisher(topic).ok())
        .collect();
    let mut done = 0;
    while done < emits {
        let topic = dice.below(TOPICS.len() as u64) as usize;
        let (text, publisher) = (TOPICS[topic], &publishers[topic]);
        let parcel = || world.parcel(Lane::Main, topic, false);
        let open = match dice.below(12) {
            0 => world.note_one(topic, bus.emit(text, parcel())),
            1 => {
                let draft = bus.event(text, parcel()).source("stress");
                world.note_one(topic, draft.metadata("n", 1).emit())
            }
            2 => {
                let patience = Duration::from_micros(dice.below(300));
                world.note_one(topic, bus.emit_within(text, parcel(), patience))
            }
            3 => broadcast(world, &bus, topic),
            4 => {
                done += 2;
                batch(world, &bus, topic, (topic + 1) % TOPICS.len())
            }
            5 | 6 => {
                let count = 1 + dice.below(5);
                done += count - 1;
                many(world, publisher, topic, count)
            }
            7 => whole(world, &bus, topic),
            _ => world.note_one(topic, publisher.emit(parcel())),
        };
        if !open {
            break;
        }
        done += 1;
        dice.dawdle();
    }
    // The last handle may be this one.
    drop(bus);
    publishers
}

fn broadcast(world: &Arc<World>, bus: &Bus<Parcel>, topic: usize) -> bool {
    let parcel = world.parcel(Lane::Main, topic, true);
    match bus.broadcast(TOPICS[topic], parcel) {
        Ok(emitted) => {
            world.note(emitted, 1);
            world.broadcasts.fetch_add(1, Relaxed);
            true
        }
        Err(error) => {
            world.refused(&error, 1);
            world.discard(error.into_payload());
            false
        }
    }
}

/// An event that exists already.
fn whole(world: &Arc<World>, bus: &Bus<Parcel>, topic: usize) -> bool {
    let Ok(event) = Event::new(TOPICS[topic], world.parcel(Lane::Main, topic, false)) else {
        world.fail("a topic is refused");
    };
    match bus.emit_event(event) {
        Ok(emitted) => {
            world.note(emitted, 1);
            world.by_topic[topic].fetch_add(1, Relaxed);
            true
        }
        Err(error) => {
            world.refused(&error, 1);
            world.discard(error.into_payload());
            false
        }
    }
}

fn many(world: &Arc<World>, publisher: &Publisher<Parcel>, topic: usize, count: u64) -> bool {
    let parcels = (0..count).map(|_| world.parcel(Lane::Main, topic, false));
    match publisher.emit_batch(parcels) {
        Ok(emitted) => {
            world.note(emitted, count);
            world.by_topic[topic].fetch_add(count, Relaxed);
            true
        }
        Err(error) => {
            world.refused(&error, count);
            let back = error.into_payload();
            world.check(back.len() as u64 == count, || {
                format!("P8: {} of {count} parcels came back", back.len())
            });
            back.into_iter().for_each(|parcel| world.discard(parcel));
            false
        }
    }
}

/// Three events of two topics, all or none.
fn batch(world: &Arc<World>, bus: &Bus<Parcel>, first: usize, second: usize) -> bool {
    let topics = [first, first, second];
    let mut batch = bus.start_batch();
    for topic in topics {
        let parcel = world.parcel(Lane::Main, topic, false);
        if batch.emit(TOPICS[topic], parcel).is_err() {
            world.fail("a batch refuses a topic");
        }
    }
    match batch.commit() {
        Ok(emitted) => {
            world.note(emitted, topics.len() as u64);
            for topic in topics {
                world.by_topic[topic].fetch_add(1, Relaxed);
            }
            true
        }
        Err(error) => {
            world.refused(&error, topics.len() as u64);
            let back = error.into_payload();
            world.check(back.len() == topics.len(), || {
                format!("P8: {} events of a batch came back", back.len())
            });
            back.into_iter().for_each(|event| world.discard(event));
            false
        }
    }
}
