//! Events for one subscription alone: what tests fill queues with.

use super::deliver::deliver;
use super::routing::Route;
use super::{Emitted, Subscription};
use crate::event::Event;
use crate::sync::Arc;

impl<T: Send + Sync + 'static> Subscription<T> {
    /// Offers an event to this subscription alone, whatever its patterns: as an emit would that matches nobody else.
    /// Its filter is asked, its policy decides, its counters count, and whoever waits for it is woken. Nobody else sees
    /// it, no tap, and the bus does not count it as emitted.
    ///
    /// ```
    /// use chanbus::{Bus, Event};
    ///
    /// let bus = Bus::new();
    /// let (sub, other) = (bus.subscribe("order.*")?, bus.subscribe_all()?);
    /// assert_eq!(sub.inject(Event::new("order.placed", 7)?).delivered, 1);
    /// assert_eq!((sub.len(), other.len()), (1, 0));
    ///
    /// sub.close();
    /// assert_eq!(sub.inject(Event::new("order.placed", 8)?).matched, 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn inject(&self, event: Event<T>) -> Emitted {
        let route = Route::to_one(Arc::clone(&self.member));
        let topic = event.topic().clone();
        deliver(&topic, &route, event, self.shared.core.on_panic())
    }

    /// [Injects](Subscription::inject) what `make` makes, which is given 0, 1, 2, ..., until there is no room for one event
    /// more; so many are in the queue then. The next emit that matches finds it full.
    ///
    /// Less are if the filter rejects one, if the subscription is closed, or if somebody takes meanwhile; under
    /// [`Overflow::Latest`](crate::Overflow::Latest), where only other topics need more room, topics want to differ. `make`
    /// is called as often as the queue holds events, at most.
    ///
    /// ```
    /// use chanbus::{Bus, Event, Overflow};
    ///
    /// let bus = Bus::new();
    /// let rows = bus.subscription("row").capacity(3).subscribe()?;
    /// let state = bus.subscription("row").capacity(2).overflow(Overflow::Latest).subscribe()?;
    /// let of = |topic: String| Event::new(topic, 0).unwrap();
    /// assert_eq!(rows.fill(|_| of("filler".into())), 3);
    /// assert_eq!(state.fill(|n| of(format!("filler.{n}"))), 2);
    ///
    /// assert_eq!(bus.emit("row", 1)?.dropped, 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn fill(&self, mut make: impl FnMut(usize) -> Event<T>) -> usize {
        let room = self.capacity().saturating_sub(self.len());
        for n in 0..room {
            if self.inject(make(n)).delivered == 0 {
                break;
            }
        }
        self.len()
    }
}
