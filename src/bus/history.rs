//! The last events of a bus, for subscriptions that begin with a replay.
//!
//! An emit takes a short lock to append its event and to read the snapshot; a subscription that
//! replays takes it to copy the handles and to publish the snapshot it is in. So each event is
//! either among the copied ones, or its emit sees the new subscription, and never both. Patterns,
//! filters, pushes and destructors stay outside. A bus without history has no lock at all.

use std::collections::VecDeque;

use crate::event::Event;
use crate::sync::Mutex;

pub(super) struct History<T> {
    capacity: usize,
    ring: Mutex<VecDeque<Event<T>>>,
}

impl<T> History<T> {
    /// A history of the last `capacity` events; none at all for zero.
    pub(super) fn new(capacity: usize) -> Option<Self> {
        (capacity > 0).then(|| History {
            capacity,
            ring: Mutex::new(VecDeque::new()),
        })
    }

    /// Reads the snapshot by `snapshot` and, if that says so, appends the event in the same moment.
    ///
    /// What it pushes out comes back, to be dropped outside of the lock.
    pub(super) fn append<S>(
        &self,
        event: &Event<T>,
        snapshot: impl FnOnce() -> (S, bool),
    ) -> (S, Option<Event<T>>) {
        let mut ring = self.ring.lock();
        let (snapshot, append) = snapshot();
        if !append {
            return (snapshot, None);
        }
        let oldest = (ring.len() >= self.capacity)
            .then(|| ring.pop_front())
            .flatten();
        ring.push_back(event.clone());
        (snapshot, oldest)
    }

    /// As [`append`](History::append), for many events by one snapshot.
    pub(super) fn append_all<S>(
        &self,
        events: &[Event<T>],
        snapshot: impl FnOnce() -> (S, bool),
    ) -> (S, Vec<Event<T>>) {
        let mut ring = self.ring.lock();
        let (snapshot, append) = snapshot();
        if !append {
            return (snapshot, Vec::new());
        }
        let kept = &events[events.len().saturating_sub(self.capacity)..];
        let beyond = (ring.len() + kept.len()).saturating_sub(self.capacity);
        let oldest = ring.drain(..beyond).collect();
        ring.extend(kept.iter().cloned());
        (snapshot, oldest)
    }

    /// Copies the events, oldest first, and runs `publish` in the same moment.
    pub(super) fn copy_and(&self, publish: impl FnOnce()) -> Vec<Event<T>> {
        let ring = self.ring.lock();
        let copies = ring.iter().cloned().collect();
        publish();
        copies
    }

    /// Empties it; the events come back, to be dropped outside of the lock.
    pub(super) fn take(&self) -> VecDeque<Event<T>> {
        std::mem::take(&mut *self.ring.lock())
    }

    pub(super) fn len(&self) -> usize {
        self.ring.lock().len()
    }
}

#[cfg(test)]
mod tests {
    use crate::Bus;

    /// Emits `after` when it is dropped.
    struct Last(Option<crate::WeakBus<Last>>);

    impl Drop for Last {
        fn drop(&mut self) {
            if let Some(bus) = self.0.take().and_then(|bus| bus.upgrade()) {
                bus.emit("after", Last(None)).unwrap();
            }
        }
    }

    #[test]
    fn p3_what_leaves_the_history_emits_after_what_pushed_it_out() {
        type Emit = fn(&Bus<Last>);
        let emits: [Emit; 3] = [
            |bus| {
                bus.emit("pushes", Last(None)).unwrap();
            },
            |bus| {
                bus.broadcast("pushes", Last(None)).unwrap();
            },
            |bus| {
                let publisher = bus.publisher("pushes").unwrap();
                publisher.emit_batch([Last(None)]).unwrap();
            },
        ];
        for emit in emits {
            let bus = Bus::builder().history(2).build().unwrap();
            bus.emit("first", Last(Some(bus.downgrade()))).unwrap();
            bus.emit("second", Last(None)).unwrap();
            let live = bus.subscribe("**").unwrap();
            emit(&bus);
            let replayed = bus.subscription("**").replay(2).subscribe().unwrap();
            for sub in [live, replayed] {
                let topics: Vec<_> = sub.try_iter().map(|it| it.topic().clone()).collect();
                assert_eq!(topics, ["pushes", "after"]);
            }
        }
    }
}
