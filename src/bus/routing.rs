//! What an emit needs to know of one topic's listeners; and the table of all of them.
//!
//! Immutable values: a change makes a new [`Table`] that shares what did not change.

use std::panic::Location;

use smallvec::SmallVec;

use super::conflate::Keyed;
use super::feed::{Keeper, let_go};
use super::observed::Observed;
use super::panics::{Owner, Whose};
use super::pass::Tapped;
use super::role::{Role, ServedBy};
use super::subscriber::Mailbox;
use super::view::Visible;
use crate::error::TopicError;
use crate::event::Event;
use crate::pattern::{IdMap, Index, Pattern};
use crate::registry::{Content, Known, Resolved};
use crate::sync::{Arc, AtomicU64, Hook, Mutex, Weak};
use crate::topic::Topic;

/// A subscription's filter.
pub(super) type Filter<T> = dyn Fn(&Event<T>) -> bool + Send + Sync;
/// A tap's callback.
pub(super) type TapFn<T> = dyn Fn(&Event<T>) + Send + Sync;

impl<T> Keyed for Event<T> {
    type Key = Topic;

    fn key(&self) -> Topic {
        self.topic().clone()
    }
}

/// One subscription, as both ends share it.
pub(super) struct Member<T> {
    pub(super) id: u64,
    pub(super) name: Option<Arc<str>>,
    /// Where in the source it was made.
    pub(super) location: &'static Location<'static>,
    pub(super) filter: Option<Hook<Filter<T>>>,
    pub(super) mailbox: Mailbox<Event<T>>,
    pub(super) role: Role,
    /// Who takes from it, for those who look.
    pub(super) served_by: Option<Hook<ServedBy>>,
    /// A derived bus lives as long as it has open subscriptions.
    pub(super) keeps: Mutex<Option<Keeper>>,
    /// Which life of the bus it belongs to: a reset begins a new one, in which it does not count.
    pub(super) epoch: AtomicU64,
    /// What `tracing` was told of its losses.
    #[cfg(feature = "tracing")]
    pub(super) told: super::traced::Told,
}

impl<T> Member<T> {
    /// Keeps its bus open no more, if it did.
    pub(super) fn let_go(&self) {
        let keeper = self.keeps.lock().take();
        if let Some(keeper) = keeper {
            let_go(keeper);
        }
    }
}

impl<T> Owner for Member<T> {
    fn whose(&self) -> Whose<'_> {
        Whose {
            subscription: Some(self.id),
            tap: None,
            name: self.name.as_deref(),
            location: Some(self.location),
            #[cfg(feature = "tracing")]
            told: Some(self.told.panics()),
        }
    }
}

/// One tap.
pub(super) struct Tap<T> {
    pub(super) id: u64,
    /// Where in the source it was made.
    pub(super) location: &'static Location<'static>,
    pub(super) kind: TapKind<T>,
    /// What `tracing` was told of its panics.
    #[cfg(feature = "tracing")]
    pub(super) told: super::traced::Panics,
}

impl<T> Owner for Tap<T> {
    fn whose(&self) -> Whose<'_> {
        Whose {
            subscription: None,
            tap: Some(self.id),
            name: None,
            location: Some(self.location),
            #[cfg(feature = "tracing")]
            told: Some(&self.told),
        }
    }
}

/// What a tap does with events.
pub(super) enum TapKind<T> {
    /// Calls the user.
    Call(Hook<TapFn<T>>),
    /// Passes them on to another bus.
    Pass(Hook<PassFn<T>>, There),
}

/// Where a tap passes events on to, for those who look.
pub(super) struct There {
    pub(super) number: u64,
    /// That bus is made of this one.
    pub(super) derived: bool,
    pub(super) bus: Weak<dyn Visible>,
}

/// What passes events on, all of one emit or batch at once: see `pass.rs`.
pub(super) type PassFn<T> = dyn Fn(Tapped<'_, T>) + Send + Sync;

impl<T> Tap<T> {
    pub(super) fn is_call(&self) -> bool {
        matches!(self.kind, TapKind::Call(_))
    }

    /// Takes the callback away; whoever gets it drops it where a panic does no harm.
    pub(super) fn clear(&self) -> Cleared<T> {
        match &self.kind {
            TapKind::Call(hook) => (hook.clear(), None),
            TapKind::Pass(hook, _) => (None, hook.clear()),
        }
    }
}

/// What a tap has let go of.
type Cleared<T> = (Option<Arc<Box<TapFn<T>>>>, Option<Arc<Box<PassFn<T>>>>);

/// What the index holds.
pub(super) enum Listener<T> {
    Member(Arc<Member<T>>),
    Tap(Arc<Tap<T>>),
}

impl<T> Clone for Listener<T> {
    fn clone(&self) -> Self {
        match self {
            Listener::Member(member) => Listener::Member(Arc::clone(member)),
            Listener::Tap(tap) => Listener::Tap(Arc::clone(tap)),
        }
    }
}

/// A listener and what it asked for.
pub(super) struct Seat<L> {
    pub(super) listener: Arc<L>,
    pub(super) patterns: Arc<[Pattern]>,
}

impl<L> Clone for Seat<L> {
    fn clone(&self) -> Self {
        Seat {
            listener: Arc::clone(&self.listener),
            patterns: Arc::clone(&self.patterns),
        }
    }
}

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
