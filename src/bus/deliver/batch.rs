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

/// How many events are in hand at once, which keeps them on the stack.
const CHUNK: usize = 64;

/// Delivers events in their order by a route that only needs pushes; each comes with a handle for
/// every member.
pub(in crate::bus) fn deliver_batch<T>(
    topic: &Topic,
    route: &Route<T>,
    events: impl Iterator<Item = EventShares<T>>,
    on_panic: Option<&PanicHook>,
) -> Emitted {
    push_batch(topic, route, events, on_panic).close()
}

/// [`deliver_batch`] up to what is to be done when all events are in the queues.
pub(in crate::bus) fn push_batch<'a, T>(
    topic: &'a Topic,
    route: &'a Route<T>,
    mut events: impl Iterator<Item = EventShares<T>>,
    on_panic: Option<&'a PanicHook>,
) -> Delivery<'a, T> {
    let mut delivery = Delivery::new(topic, route, on_panic);
    delivery.events = 0;
    loop {
        let mut chunk: SmallVec<[EventShares<T>; CHUNK]> = events.by_ref().take(CHUNK).collect();
        if chunk.is_empty() {
            return delivery;
        }
        delivery.events += chunk.len();
        for (place, member) in route.members.iter().enumerate() {
            let mut plain = 0;
            for handle in chunk.iter_mut().filter_map(Iterator::next) {
                plain += usize::from(delivery.push_once(place, &member.mailbox, handle));
            }
            delivery.emitted.delivered += plain;
        }
    }
}

/// Ends what was pushed by several routes: wakers first, and what was pushed out last.
pub(in crate::bus) fn close_all<T>(mut deliveries: Vec<Delivery<'_, T>>) -> Emitted {
    deliveries.iter_mut().for_each(Delivery::call_consumers);
    deliveries.into_iter().map(Delivery::close).sum()
}
