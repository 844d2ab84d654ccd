//! What an emit needs to know of one topic's listeners; and the table of all of them.
//!
//! Immutable values: a change makes a new [`Table`] that shares what did not change.

use smallvec::SmallVec;

use super::listeners::{Listener, Member, Seat, Tap};
use super::observed::Observed;
use crate::error::TopicError;
use crate::pattern::{IdMap, Index, Pattern};
use crate::registry::{Content, Known, Resolved};
use crate::sync::Arc;
use crate::topic::Topic;

/// All listeners of a bus.
pub(super) struct Table<T> {
    index: Index<Listener<T>>,
    members: IdMap<Seat<Member<T>>>,
    taps: IdMap<Seat<Tap<T>>>,
    /// What is retained, by the patterns of those who asked for it.
    retained: Index<()>,
    stores: IdMap<Arc<[Pattern]>>,
    /// Remembers topics, if that was asked for.
    pub(super) observed: Option<Arc<Observed>>,
    pub(super) closed: bool,
}

impl<T> Clone for Table<T> {
    fn clone(&self) -> Self {
        Table {
            index: self.index.clone(),
            members: self.members.clone(),
            taps: self.taps.clone(),
            retained: self.retained.clone(),
            stores: self.stores.clone(),
            observed: self.observed.clone(),
            closed: self.closed,
        }
    }
}

impl<T> Table<T> {
    pub(super) fn new(observed: Option<Arc<Observed>>) -> Self {
        Table {
            index: Index::new(),
            members: IdMap::new(),
            taps: IdMap::new(),
            retained: Index::new(),
            stores: IdMap::new(),
            observed,
            closed: false,
        }
    }

    /// A table that holds nobody any more, and never will.
    pub(super) fn ended(&self) -> Self {
        Table {
            closed: true,
            ..Self::new(self.observed.clone())
        }
    }

    /// The subscriptions, oldest first.
    pub(super) fn members(&self) -> Vec<&Seat<Member<T>>> {
        self.members.sorted()
    }

    /// The taps, oldest first.
    pub(super) fn taps(&self) -> Vec<&Seat<Tap<T>>> {
        self.taps.sorted()
    }

    pub(super) fn member_count(&self) -> usize {
        self.members.len()
    }

    pub(super) fn tap_count(&self) -> usize {
        self.taps.len()
    }

    pub(super) fn patterns_of(&self, id: u64) -> Option<Arc<[Pattern]>> {
        self.members.get(id).map(|seat| Arc::clone(&seat.patterns))
    }

    pub(super) fn add_member(&mut self, member: &Arc<Member<T>>, patterns: Arc<[Pattern]>) {
        for pattern in &*patterns {
            self.index
                .insert(pattern, member.id, Listener::Member(Arc::clone(member)));
        }
        let listener = Arc::clone(member);
        let seat = Seat { listener, patterns };
        self.members.insert(member.id, seat);
    }

    pub(super) fn remove_member(&mut self, id: u64) -> Option<Seat<Member<T>>> {
        let seat = self.members.remove(id)?;
        self.unlist(id, &seat.patterns);
        Some(seat)
    }

    pub(super) fn add_tap(&mut self, tap: &Arc<Tap<T>>, patterns: Arc<[Pattern]>) {
        for pattern in &*patterns {
            self.index
                .insert(pattern, tap.id, Listener::Tap(Arc::clone(tap)));
        }
        let listener = Arc::clone(tap);
        self.taps.insert(tap.id, Seat { listener, patterns });
    }

    pub(super) fn remove_tap(&mut self, id: u64) -> Option<Seat<Tap<T>>> {
        let seat = self.taps.remove(id)?;
        self.unlist(id, &seat.patterns);
        Some(seat)
    }

    pub(super) fn add_store(&mut self, id: u64, patterns: Arc<[Pattern]>) {
        for pattern in &*patterns {
            self.retained.insert(pattern, id, ());
        }
        self.stores.insert(id, patterns);
    }

    /// Takes a store off the list; `None` if it was not listed.
    pub(super) fn remove_store(&mut self, id: u64) -> Option<()> {
        for pattern in &*self.stores.remove(id)? {
            self.retained.remove(pattern, id);
        }
        Some(())
    }

    /// Whether the latest of any topic is retained.
    #[inline]
    pub(super) fn has_stores(&self) -> bool {
        self.stores.len() > 0
    }

    /// The stores that retain the latest event of this topic, each once, oldest first.
    pub(super) fn stores_of(&self, topic: &str) -> SmallVec<[u64; 4]> {
        let mut ids = SmallVec::new();
        if self.has_stores() {
            self.retained.lookup(topic, |id, ()| ids.push(id));
            ids.sort_unstable();
            ids.dedup();
        }
        ids
    }

    /// The table without its subscriptions; taps and stores stay.
    pub(super) fn without_members(&self) -> Self {
        let mut table = Table {
            retained: self.retained.clone(),
            stores: self.stores.clone(),
            ..Self::new(self.observed.clone())
        };
        for seat in self.taps() {
            table.add_tap(&seat.listener, Arc::clone(&seat.patterns));
        }
        table
    }

    fn unlist(&mut self, id: u64, patterns: &[Pattern]) {
        for pattern in patterns {
            self.index.remove(pattern, id);
        }
    }

    /// Who is to get an event of this topic: each once, in the order in which they came (P4).
    fn listeners(&self, topic: &str) -> Listeners<'_, T> {
        let mut found = Listeners {
            members: SmallVec::new(),
            taps: SmallVec::new(),
            retained: !self.stores_of(topic).is_empty(),
        };
        self.index.lookup(topic, |_, listener| match listener {
            Listener::Member(member) => found.members.push(member),
            Listener::Tap(tap) => found.taps.push(tap),
        });
        found.members.sort_unstable_by_key(|member| member.id);
        found.members.dedup_by_key(|member| member.id);
        found.taps.sort_unstable_by_key(|tap| tap.id);
        found.taps.dedup_by_key(|tap| tap.id);
        found
    }

    /// How many subscriptions and taps want an event of this topic, and whether it is retained.
    pub(super) fn counts_of(&self, topic: &str) -> (usize, usize, bool) {
        let found = self.listeners(topic);
        (found.members.len(), found.taps.len(), found.retained)
    }

    /// Every subscription, whatever it asked for, and the taps of this topic.
    pub(super) fn route_to_all(&self, topic: &str) -> Route<T> {
        let members = self.members().into_iter();
        let members = members.map(|seat| Arc::clone(&seat.listener)).collect();
        let Route { taps, retained, .. } = self.listeners(topic).route();
        Route::new(members, taps, retained)
    }
}

/// What was found for a topic, not counted yet.
struct Listeners<'a, T> {
    members: SmallVec<[&'a Arc<Member<T>>; 8]>,
    taps: SmallVec<[&'a Arc<Tap<T>>; 2]>,
    retained: bool,
}

impl<T> Listeners<'_, T> {
    fn ids(&self) -> impl Iterator<Item = u64> {
        let members = self.members.iter().map(|member| member.id);
        members.chain(self.taps.iter().map(|tap| tap.id))
    }

    /// The same for the same listeners, and most likely another for others.
    fn key(&self) -> u64 {
        // Any odd number with bits all over; the upper bits depend on all that came before.
        let mix = |sum: u64, id: u64| {
            (sum ^ id)
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                .rotate_left(29)
        };
        let first = (self.members.len() as u64) << 1 | u64::from(self.retained);
        self.ids().fold(first, mix)
    }

    fn are_of(&self, route: &Route<T>) -> bool {
        let members = route.members.iter().map(|member| member.id);
        let taps = route.taps.iter().map(|tap| tap.id);
        let alike = self.members.len() == route.members.len() && self.retained == route.retained;
        alike && self.ids().eq(members.chain(taps))
    }

    fn route(&self) -> Route<T> {
        let members = self.members.iter().copied().cloned().collect();
        let taps = self.taps.iter().copied().cloned().collect();
        Route::new(members, taps, self.retained)
    }
}

/// The listeners of one topic.
pub(super) struct Route<T> {
    pub(super) members: Box<[Arc<Member<T>>]>,
    pub(super) taps: Box<[Arc<Tap<T>>]>,
    /// Subscriptions, and no filter, no tap and no store: an emit only pushes.
    pub(super) plain: bool,
    /// There is a subscription that keeps batches together.
    pub(super) keeps_batches: bool,
    /// Some taps pass events on to other buses.
    pub(super) passes: bool,
    /// Nobody would see the event, now or later.
    silent: bool,
    /// The latest event of the topic is retained.
    pub(super) retained: bool,
}

impl<T> Route<T> {
    fn new(members: Box<[Arc<Member<T>>]>, taps: Box<[Arc<Tap<T>>]>, retained: bool) -> Self {
        let unfiltered = members.iter().all(|member| member.filter.is_none());
        let pushes_only = taps.is_empty() && !retained;
        let keeps_batches = members.iter().any(|member| member.mailbox.keeps_batches());
        Route {
            passes: taps.iter().any(|tap| !tap.is_call()),
            plain: pushes_only && !members.is_empty() && unfiltered,
            silent: pushes_only && members.is_empty(),
            members,
            taps,
            retained,
            keeps_batches,
        }
    }

    /// As if an emit matched this one alone.
    #[cfg(feature = "testing")]
    pub(super) fn to_one(member: Arc<Member<T>>) -> Self {
        Self::new([member].into(), [].into(), false)
    }

    /// Nobody would see the event.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.silent
    }
}

impl<T> Content for Table<T> {
    type Topic = Topic;
    type Route = Route<T>;
    type Error = TopicError;

    fn resolve(&self, topic: &str, known: &Known<Route<T>>) -> Result<Resolved<Self>, TopicError> {
        let topic = Topic::new(topic)?;
        if let Some(observed) = &self.observed {
            observed.note(&topic);
        }
        let found = self.listeners(&topic);
        let route = known.shared(found.key(), |route| found.are_of(route), || found.route());
        Ok(Resolved { topic, route })
    }
}

#[cfg(test)]
mod tests {
    use crate::sync::Arc;
    use crate::{Bus, Error};

    #[test]
    fn p13_topics_share_a_route_exactly_if_the_same_listen_and_the_same_is_kept()
    -> Result<(), Error> {
        let bus: Bus<u32> = Bus::new();
        let _subs = [bus.subscribe("**")?, bus.subscribe("few.*")?];
        let _tap = bus.tap("tapped.*", |_| {})?;
        let _retained = bus.retained("kept.*")?;
        let version = bus.core().registry.load();
        let route = |topic: &str| {
            Ok::<_, Error>(Arc::clone(
                &bus.core().registry.route(&version, topic)?.route,
            ))
        };
        let groups = ["all", "few", "tapped", "kept"];
        for (at, group) in groups.iter().enumerate() {
            let first = route(&format!("{group}.a"))?;
            assert!(
                Arc::ptr_eq(&first, &route(&format!("{group}.b"))?),
                "{group}"
            );
            for other in &groups[..at] {
                assert!(
                    !Arc::ptr_eq(&first, &route(&format!("{other}.c"))?),
                    "{group} {other}"
                );
            }
        }
        Ok(())
    }
}
