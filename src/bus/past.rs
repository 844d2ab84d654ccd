//! What a bus keeps of the past: its last events, and the latest of each topic, for subscriptions
//! that begin with them.
//!
//! An emit that something is kept of takes a short lock to keep its event and to read the snapshot; a
//! subscription that begins with the past takes it to copy the handles and to publish the snapshot it
//! is in. So each event is either among the copied ones (or one of its topic that came after it is), or
//! its emit sees the new subscription, and never both. Filters, pushes and destructors stay outside:
//! what is pushed out or replaced comes back, to be dropped when the event is in every queue.
//!
//! With a history every emit is kept. Without one only those are whose route says so, which came from a
//! snapshot: a store is put into the snapshot and into here in the same moment, so an emit that began
//! after that finds it by its route, takes the lock, and finds it here. One that had its route before
//! may miss the store; it began before [`Bus::retained`](crate::Bus::retained) returned. Who takes the
//! lock keeps its event in all the stores of the snapshot that it reads under it. A bus that keeps
//! nothing never takes the lock.

use std::collections::{BTreeMap, VecDeque};

use smallvec::SmallVec;

use super::core::Core;
use super::discard::Pusher;
use super::routing::Table;
use super::store::Store;
use crate::event::Event;
use crate::pattern::Pattern;
use crate::registry::Version;
use crate::sync::{Arc, Mutex};

/// A snapshot of a bus.
type Snapshot<T> = Arc<Version<Table<T>>>;

/// What is not kept any longer, oldest first; to be dropped outside of the lock.
pub(super) type Gone<T> = SmallVec<[Event<T>; 2]>;

/// An event of the past, for a subscription that begins with it.
pub(super) struct Past<T> {
    pub(super) event: Event<T>,
    /// Its place among all that was kept.
    pub(super) number: u64,
    /// It comes from the history.
    pub(super) is_recent: bool,
    /// It is the latest of its topic, in a store.
    pub(super) is_latest: bool,
}

pub(super) struct Archive<T> {
    /// How many events the history holds at most.
    history: usize,
    kept: Mutex<Kept<T>>,
}

struct Kept<T> {
    /// The number of the next event: those of the ring are the ones before it.
    next: u64,
    ring: VecDeque<Event<T>>,
    stores: BTreeMap<u64, Store<T>>,
}

impl<T> Archive<T> {
    /// With a history of the last so many events, which may be zero.
    pub(super) fn new(history: usize) -> Self {
        Archive {
            history,
            kept: Mutex::new(Kept {
                next: 0,
                ring: VecDeque::new(),
                stores: BTreeMap::new(),
            }),
        }
    }

    /// Whether every event is kept.
    #[inline]
    pub(super) fn has_history(&self) -> bool {
        self.history > 0
    }

    /// Reads the snapshot by `load` and, if the bus is open in it, keeps the events in the same moment.
    fn keep(
        &self,
        events: &[Event<T>],
        load: impl FnOnce() -> Snapshot<T>,
    ) -> (Snapshot<T>, Gone<T>) {
        let mut gone = Gone::new();
        let mut kept = self.kept.lock();
        let version = load();
        if !version.content.closed {
            kept.remember(events, self.history, &mut gone);
            kept.retain(events, &version.content, &mut gone);
            kept.next += events.len() as u64;
        }
        (version, gone)
    }

    /// Copies what the subscription to these patterns may begin with, in the order in which it was
    /// emitted, and runs `publish` in the same moment.
    ///
    /// The history comes as it is, and of the latest ones those that the patterns match; each if it is
    /// asked for.
    pub(super) fn copy_and(
        &self,
        patterns: &[Pattern],
        (recent, latest): (bool, bool),
        publish: impl FnOnce(),
    ) -> Vec<Past<T>> {
        let mut copies = Vec::new();
        {
            let kept = self.kept.lock();
            let first = kept.next - kept.ring.len() as u64;
            let ring = kept.ring.iter().zip(first..).filter(|_| recent);
            copies.extend(ring.map(|(event, number)| Past {
                event: event.clone(),
                number,
                is_recent: true,
                is_latest: false,
            }));
            for store in kept.stores.values().filter(|_| latest) {
                store.each_of(patterns, |number, event| {
                    copies.push(Past {
                        event: event.clone(),
                        number,
                        is_recent: false,
                        is_latest: true,
                    });
                });
            }
            publish();
        }
        // All stores that have a topic have the same event of it, which may be in the history as well.
        copies.sort_by_key(|past| past.number);
        copies.dedup_by(|again, first| {
            let same = again.number == first.number;
            first.is_latest |= same && again.is_latest;
            first.is_recent |= same && again.is_recent;
            same
        });
        copies
    }

    /// Adds a store, and runs `publish` in the same moment.
    pub(super) fn add(&self, id: u64, store: Store<T>, publish: impl FnOnce()) {
        let mut kept = self.kept.lock();
        kept.stores.insert(id, store);
        publish();
    }

    /// Removes a store, with what it holds.
    pub(super) fn remove(&self, id: u64) -> Option<Store<T>> {
        self.kept.lock().stores.remove(&id)
    }

    /// Looks at a store, or changes it. Nothing that is the user's may run in there.
    pub(super) fn with<R>(&self, id: u64, act: impl FnOnce(&mut Store<T>) -> R) -> Option<R> {
        self.kept.lock().stores.get_mut(&id).map(act)
    }

    /// [`with`](Archive::with), unless somebody else has the lock.
    pub(super) fn try_with<R>(&self, id: u64, act: impl FnOnce(&mut Store<T>) -> R) -> Option<R> {
        self.kept.try_lock()?.stores.get_mut(&id).map(act)
    }

    /// Empties all; the events come back, to be dropped outside of the lock.
    fn take(&self, counters_too: bool) -> Vec<Event<T>> {
        let mut kept = self.kept.lock();
        let mut events: Vec<_> = kept.ring.drain(..).collect();
        for store in kept.stores.values_mut() {
            events.extend(store.take());
            if counters_too {
                store.refused = 0;
                store.forgotten = 0;
            }
        }
        events
    }

    /// How many events the history holds, and how many the stores do.
    pub(super) fn lens(&self) -> (usize, usize) {
        let kept = self.kept.lock();
        let retained = kept.stores.values().map(Store::len).sum();
        (kept.ring.len(), retained)
    }
}

impl<T> Kept<T> {
    /// Appends the events to the ring.
    fn remember(&mut self, events: &[Event<T>], capacity: usize, gone: &mut Gone<T>) {
        let recent = &events[events.len().saturating_sub(capacity)..];
        let beyond = (self.ring.len() + recent.len()).saturating_sub(capacity);
        gone.extend(self.ring.drain(..beyond));
        self.ring.extend(recent.iter().cloned());
    }

    /// Puts the events into the stores that want them.
    fn retain(&mut self, events: &[Event<T>], table: &Table<T>, gone: &mut Gone<T>) {
        if self.stores.is_empty() {
            return;
        }
        let same_topic = |one: &Event<T>, other: &Event<T>| one.topic() == other.topic();
        let mut number = self.next;
        // Of a run of one topic only the last is the latest, which makes batches cheap.
        for run in events.chunk_by(same_topic) {
            number += run.len() as u64;
            let Some(last) = run.last() else { continue };
            for id in table.stores_of(last.topic()) {
                if let Some(store) = self.stores.get_mut(&id) {
                    gone.extend(store.keep(last, number - 1, run.len() as u64));
                }
            }
        }
    }
}

impl<T> Core<T> {
    /// Whether an emit on this topic is kept in a store.
    #[inline]
    pub(super) fn is_retained(&self, version: &Version<Table<T>>, topic: &str) -> bool {
        version.content.has_stores()
            && self
                .registry
                .route(version, topic)
                .is_ok_and(|resolved| resolved.route.retained)
    }

    /// Reads the snapshot and keeps the events in the same moment, if the bus is open in it.
    pub(super) fn keep(&self, events: &[Event<T>]) -> (Snapshot<T>, Gone<T>) {
        self.past.keep(events, || self.snapshot())
    }

    /// [`keep`](Core::keep), or only reads the snapshot if none of the events is to be kept.
    pub(super) fn keep_wanted(&self, events: &[Event<T>]) -> (Snapshot<T>, Gone<T>) {
        if !self.past.has_history() {
            let version = self.snapshot();
            let is_wanted = |event: &Event<T>| self.is_retained(&version, event.topic());
            if !version.content.has_stores() || !events.iter().any(is_wanted) {
                return (version, Gone::new());
            }
        }
        self.keep(events)
    }

    fn snapshot(&self) -> Snapshot<T> {
        Arc::clone(&self.registry.load())
    }

    /// What a cause would say of the event, if it has made others go.
    pub(super) fn pusher_of(gone: &Gone<T>, event: Option<&Event<T>>) -> Option<Pusher> {
        let event = event.filter(|_| !gone.is_empty())?;
        Pusher::of(event)
    }

    /// Drops all that is kept of the past; stores stay, empty.
    pub(super) fn drop_past(&self, counters_too: bool) {
        for event in self.past.take(counters_too) {
            self.discard_event(event);
        }
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
