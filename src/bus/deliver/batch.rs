//! The way of many events by one route.
//!
//! Queue by queue rather than event by event: the words that publishers contend for are fetched once
//! for all pushes to a queue, and a consumer that sleeps is woken once.

use smallvec::SmallVec;

use super::Delivery;
use crate::bus::emitted::Emitted;
use crate::bus::panics::PanicHook;
use crate::bus::routing::Route;
use crate::event::EventShares;
use crate::topic::Topic;

/// How many events are in hand at once. What they push out is dropped when all of them are in the
/// queues, so this bounds what waits for that; and it keeps them on the stack.
const CHUNK: usize = 64;

/// Delivers events in their order by a route that only needs pushes; each comes with a handle for
/// every member.
pub(in crate::bus) fn deliver_batch<T>(
    topic: &Topic,
    route: &Route<T>,
    mut events: impl Iterator<Item = EventShares<T>>,
    on_panic: Option<&PanicHook>,
) -> Emitted {
    let mut sum = Emitted::default();
    loop {
        let mut chunk: SmallVec<[EventShares<T>; CHUNK]> = events.by_ref().take(CHUNK).collect();
        if chunk.is_empty() {
            return sum;
        }
        let mut delivery = Delivery::new(topic, route, on_panic);
        delivery.events = chunk.len();
        for (place, member) in route.members.iter().enumerate() {
            let mut plain = 0;
            for handle in chunk.iter_mut().filter_map(Iterator::next) {
                plain += usize::from(delivery.push_once(place, &member.mailbox, handle));
            }
            delivery.emitted.delivered += plain;
        }
        sum += delivery.close();
    }
}
