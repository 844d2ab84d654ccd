//! The way of one event whose emit waits for room.
//!
//! First it goes to everybody who has room, as ever; then their wakers are called, as nobody is to wait
//! for another's room; then it waits for those who had none, one after the other.

use std::time::Instant;

use smallvec::SmallVec;

use super::Delivery;
use crate::bus::emitted::Emitted;
use crate::bus::panics::PanicHook;
use crate::bus::routing::Route;
use crate::event::Event;
use crate::topic::Topic;

/// The places of a route whose queue had no room, for an emit that will wait for it.
type Full = SmallVec<[usize; 4]>;

/// Delivers an event to everybody on the route, and waits until the deadline for those without room.
pub(in crate::bus) fn deliver_within<T>(
    topic: &Topic,
    route: &Route<T>,
    event: Event<T>,
    on_panic: Option<&PanicHook>,
    deadline: Instant,
) -> Emitted {
    let mut delivery = Delivery::new(topic, route, on_panic);
    delivery.filter(&event);
    // First everybody who has room, so that nobody waits for another's.
    let mut full = Full::new();
    for place in 0..route.members.len() {
        if !delivery.out.contains(place) && !delivery.offer(place, event.clone()) {
            full.push(place);
        }
    }
    for place in full {
        delivery.call_consumers();
        delivery.push_until(place, &event, deadline);
    }
    delivery.kept = Some(event);
    delivery.close()
}

impl<T> Delivery<'_, T> {
    /// Pushes to one by whichever way does; `false` if there was no room, which is not counted yet.
    fn offer(&mut self, place: usize, handle: Event<T>) -> bool {
        let mailbox = &self.route.members[place].mailbox;
        match mailbox.push(handle) {
            Ok(()) => {
                self.accepted(place, mailbox);
                true
            }
            Err(handle) => self.push(place, handle),
        }
    }

    /// Pushes to one whenever there may be room, until the deadline.
    #[cold]
    fn push_until(&mut self, place: usize, event: &Event<T>, deadline: Instant) {
        let mailbox = &self.route.members[place].mailbox;
        while mailbox.wait_for_room(deadline) {
            if self.offer(place, event.clone()) {
                return;
            }
            // Others took the room; they must not keep this one beyond its time.
            if Instant::now() >= deadline {
                break;
            }
        }
        self.refuse(place);
    }
}
