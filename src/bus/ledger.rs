//! Who has left a bus, and what they had counted: what only writers and `stats` touch.

use std::collections::{HashMap, VecDeque};
use std::panic::Location;

use super::listeners::{Member, Seat};
use super::subscriber::Losses;
use super::view::PublisherStats;
use crate::pattern::Pattern;
use crate::sync::Ordering::Relaxed;
use crate::sync::{Arc, AtomicU64, Padded, Weak};
use crate::topic::Topic;

/// One publisher's count of its emits; written by it alone.
pub(super) type EmitCount = Arc<Padded<AtomicU64>>;

/// A publisher, for those who look.
struct Listed {
    id: u64,
    topic: Topic,
    location: &'static Location<'static>,
    count: EmitCount,
}

/// Sums over subscriptions.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) received: u64,
    pub(super) dropped: u64,
    pub(super) filtered: u64,
    pub(super) conflated: u64,
    pub(super) filter_panics: u64,
}

impl Counts {
    pub(super) fn add(&mut self, other: &Counts) {
        self.received += other.received;
        self.dropped += other.dropped;
        self.filtered += other.filtered;
        self.conflated += other.conflated;
        self.filter_panics += other.filter_panics;
    }

    fn add_member<T>(&mut self, member: &Member<T>) {
        self.received += member.mailbox.received();
        self.add_losses(member.mailbox.losses());
    }

    pub(super) fn add_losses(&mut self, losses: &Losses) {
        // Relaxed: statistics. They are exact once publishers are joined, which orders them.
        self.dropped += losses.dropped.load(Relaxed);
        self.filtered += losses.filtered.load(Relaxed);
        self.conflated += losses.conflated.load(Relaxed);
        self.filter_panics += losses.filter_panics.load(Relaxed);
    }
}

/// A subscription that is closed and still held, and what it had asked for.
struct Leaving<T> {
    member: Weak<Member<T>>,
    patterns: Arc<[Pattern]>,
}

/// What is kept under the writer's lock.
pub(super) struct Ledger<T> {
    /// What subscriptions counted that are gone for good.
    base: Counts,
    /// What all subscriptions had counted at the resets, for those who read over them.
    before: Counts,
    /// Closed, no longer listed, and still held by their users.
    leaving: HashMap<u64, Leaving<T>>,
    /// Of those that are gone: a late publisher may still count a loss there. Folded into `base`
    /// once nobody else holds them.
    losses: VecDeque<Arc<Losses>>,
    /// By address, so that a publisher that is dropped is found at once among many.
    publishers: HashMap<usize, Listed>,
    next_publisher: u64,
    /// What dropped publishers emitted.
    emitted: u64,
    /// All that had been emitted at the last reset.
    emitted_before: u64,
}

impl<T> Ledger<T> {
    pub(super) fn new() -> Self {
        Ledger {
            base: Counts::default(),
            before: Counts::default(),
            leaving: HashMap::new(),
            losses: VecDeque::new(),
            publishers: HashMap::new(),
            next_publisher: 0,
            emitted: 0,
            emitted_before: 0,
        }
    }

    /// A subscription is no longer listed, though its user may still read from it. Those that a reset takes off the list
    /// do not come here: they do not count any more.
    pub(super) fn leave(&mut self, seat: &Seat<Member<T>>) {
        let member = &seat.listener;
        let leaving = Leaving {
            member: Arc::downgrade(member),
            patterns: Arc::clone(&seat.patterns),
        };
        self.leaving.insert(member.id, leaving);
    }

    /// A subscription is gone: its last handle was dropped and its queue emptied.
    pub(super) fn settle(&mut self, member: &Member<T>) {
        if self.leaving.remove(&member.id).is_some() {
            // What a late publisher pushed meanwhile is not counted: it takes one back, as dropped.
            self.base.received += member.mailbox.taken();
            self.losses.push_back(Arc::clone(member.mailbox.losses()));
        }
        // More than come in, so that they do not pile up; and not all of them, as an idle publisher
        // can hold on to very many, each of which would cost every departure a look.
        self.fold(2);
    }

    /// Takes up to `count` of the kept losses into the base, if nobody else holds them.
    fn fold(&mut self, count: usize) {
        for _ in 0..count.min(self.losses.len()) {
            let Some(mut losses) = self.losses.pop_front() else {
                return;
            };
            // `get_mut` proves that no publisher can count there any more, and orders what it did.
            match Arc::get_mut(&mut losses) {
                Some(losses) => self.base.add_losses(losses),
                None => self.losses.push_back(losses),
            }
        }
    }

    /// What the subscriptions counted that are gone for good.
    pub(super) fn departed(&mut self) -> Counts {
        self.fold(usize::MAX);
        let mut counts = self.base;
        for losses in &self.losses {
            counts.add_losses(losses);
        }
        counts
    }

    /// The subscriptions that are closed and still held.
    pub(super) fn leaving(&self) -> impl Iterator<Item = Seat<Member<T>>> {
        self.leaving.values().filter_map(|leaving| {
            Some(Seat {
                listener: leaving.member.upgrade()?,
                patterns: Arc::clone(&leaving.patterns),
            })
        })
    }

    pub(super) fn add_publisher(
        &mut self,
        topic: Topic,
        location: &'static Location<'static>,
    ) -> EmitCount {
        let count = EmitCount::default();
        let address = Arc::as_ptr(&count) as usize;
        let listed = Listed {
            id: self.next_publisher,
            topic,
            location,
            count: Arc::clone(&count),
        };
        self.next_publisher += 1;
        self.publishers.insert(address, listed);
        count
    }

    /// Where a publisher was made that is listed.
    pub(super) fn location_of(&self, count: &EmitCount) -> Option<&'static Location<'static>> {
        let listed = self.publishers.get(&(Arc::as_ptr(count) as usize))?;
        Some(listed.location)
    }

    /// The publishers that there are, in no order.
    pub(super) fn publishers(&self) -> Vec<PublisherStats> {
        let listed = self.publishers.values();
        let stats = listed.map(|publisher| PublisherStats {
            id: publisher.id,
            topic: publisher.topic.clone(),
            location: publisher.location,
            // Relaxed: a statistic, exact once the publisher is joined.
            emitted: publisher.count.load(Relaxed),
        });
        stats.collect()
    }

    pub(super) fn remove_publisher(&mut self, count: &EmitCount) {
        let address = Arc::as_ptr(count) as usize;
        if let Some(Listed { count, .. }) = self.publishers.remove(&address) {
            // Relaxed: its only writer is the one who calls this.
            self.emitted += count.load(Relaxed);
        }
    }

    pub(super) fn publisher_count(&self) -> usize {
        self.publishers.len()
    }

    /// All emits since the last reset; `unbound` are those without a publisher.
    pub(super) fn emitted(&self, unbound: u64) -> u64 {
        self.emitted_ever(unbound) - self.emitted_before
    }

    /// All emits, resets or not.
    pub(super) fn emitted_ever(&self, unbound: u64) -> u64 {
        // Relaxed: a statistic, exact once publishers are joined.
        let bound: u64 = self
            .publishers
            .values()
            .map(|publisher| publisher.count.load(Relaxed))
            .sum();
        self.emitted + bound + unbound
    }

    /// What was counted before the last reset.
    pub(super) fn before(&self) -> Counts {
        self.before
    }

    /// Begins anew: nothing that happened before counts. `open` are the subscriptions that are listed.
    pub(super) fn reset<'m>(
        &mut self,
        unbound: u64,
        open: impl IntoIterator<Item = &'m Arc<Member<T>>>,
    ) where
        T: 'm,
    {
        let mut sums = self.departed();
        for seat in self.leaving() {
            sums.add_member(&seat.listener);
        }
        for member in open {
            sums.add_member(member);
        }
        self.before.add(&sums);
        self.base = Counts::default();
        self.leaving.clear();
        self.losses.clear();
        self.emitted_before = self.emitted_ever(unbound);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, OnceLock};

    use super::Member;
    use crate::event::Event;
    use crate::sync::{Arc, Weak};
    use crate::{Bus, Overflow};

    /// Pushes when it is dropped, as a publisher would that had looked at `closed` before it was set.
    struct Late(
        Arc<OnceLock<Weak<Member<u32>>>>,
        Arc<Mutex<Option<Arc<Member<u32>>>>>,
    );

    impl Drop for Late {
        fn drop(&mut self) {
            let member = self.0.get().unwrap().upgrade().unwrap();
            member.mailbox.push_late(Event::new("a", 2).unwrap());
            *self.1.lock().unwrap() = Some(member);
        }
    }

    #[test]
    fn p5_an_event_pushed_while_its_subscription_goes_is_counted_once() {
        for policy in [Overflow::DropNewest, Overflow::DropOldest, Overflow::Latest] {
            let bus: Bus<u32> = Bus::new();
            let (to, held) = (Arc::new(OnceLock::new()), Arc::default());
            let late = Late(Arc::clone(&to), Arc::clone(&held));
            // The filter goes after the queue was emptied, and before the ledger counts.
            let filter = move |_: &Event<u32>| {
                let _ = &late;
                true
            };
            let sub = bus.subscription("a").overflow(policy).filter(filter);
            let sub = sub.subscribe().unwrap();
            to.set(Arc::downgrade(&sub.member)).unwrap();
            bus.emit("a", 1).unwrap();
            drop(sub);
            // The publisher goes on: it sees that the consumers have left.
            let member = held.lock().unwrap().take().unwrap();
            assert!(member.mailbox.has_ended());
            assert_eq!(*member.mailbox.settle().unwrap().payload(), 2);
            drop(member);
            let stats = bus.stats();
            assert_eq!((stats.received, stats.dropped), (1, 1), "{policy:?}");
        }
    }
}
