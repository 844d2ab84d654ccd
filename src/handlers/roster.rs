//! All handlers of a registry, as one immutable value; and the route of one topic.
//!
//! A change makes a new [`Roster`] that shares what did not change. The registry keeps the current one
//! in a snapshot, which emits read without a lock.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use smallvec::SmallVec;

use super::entry::{Entry, HandlerId};
use super::middleware::Middleware;
use super::middleware::OnError;
use crate::error::TopicError;
use crate::pattern::{IdMap, Index, Pattern};
use crate::registry::{Content, Known, Resolved};
use crate::sync::{Arc, Mutex};
use crate::topic::Topic;

/// A handler and what it asked for.
pub(super) struct Seat<T: Send + Sync + 'static> {
    pub(super) entry: Arc<Entry<T>>,
    pub(super) patterns: Arc<[Pattern]>,
}

/// Where handlers wait that are to come all at once; `None` when they have come.
pub(super) type Stage<T> = Arc<Mutex<Option<Vec<Seat<T>>>>>;

impl<T: Send + Sync + 'static> Clone for Seat<T> {
    fn clone(&self) -> Self {
        Seat {
            entry: Arc::clone(&self.entry),
            patterns: Arc::clone(&self.patterns),
        }
    }
}

/// All handlers, and what stands before and after them.
pub(super) struct Roster<T: Send + Sync + 'static> {
    index: Index<Arc<Entry<T>>>,
    seats: IdMap<Seat<T>>,
    /// How many of them take batches.
    batch_handlers: usize,
    /// In the order in which they run.
    pub(super) middleware: Arc<[Arc<Middleware<T>>]>,
    pub(super) on_error: Arc<[Arc<OnError<T>>]>,
}

impl<T: Send + Sync + 'static> Clone for Roster<T> {
    fn clone(&self) -> Self {
        Roster {
            index: self.index.clone(),
            seats: self.seats.clone(),
            batch_handlers: self.batch_handlers,
            middleware: Arc::clone(&self.middleware),
            on_error: Arc::clone(&self.on_error),
        }
    }
}

impl<T: Send + Sync + 'static> Roster<T> {
    pub(super) fn new() -> Self {
        Roster {
            index: Index::new(),
            batch_handlers: 0,
            seats: IdMap::new(),
            middleware: Arc::new([]),
            on_error: Arc::new([]),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.seats.len()
    }

    pub(super) fn get(&self, id: HandlerId) -> Option<&Seat<T>> {
        self.seats.get(id.0)
    }

    /// All, in the order in which they were registered.
    pub(super) fn seats(&self) -> Vec<&Seat<T>> {
        self.seats.sorted()
    }

    pub(super) fn add(&mut self, seat: Seat<T>) {
        let id = seat.entry.id.0;
        for pattern in &*seat.patterns {
            self.index.insert(pattern, id, Arc::clone(&seat.entry));
        }
        self.batch_handlers += usize::from(seat.entry.is_batch());
        self.seats.insert(id, seat);
    }

    pub(super) fn takes_batches(&self) -> bool {
        self.batch_handlers > 0
    }

    pub(super) fn remove(&mut self, id: HandlerId) -> Option<Seat<T>> {
        let seat = self.seats.remove(id.0)?;
        self.batch_handlers -= usize::from(seat.entry.is_batch());
        for pattern in &*seat.patterns {
            self.index.remove(pattern, id.0);
        }
        Some(seat)
    }

    /// Takes one pattern of a handler away. With its last, the handler goes, and comes back.
    pub(super) fn remove_pattern(&mut self, id: HandlerId, pattern: &Pattern) -> Off<T> {
        let Some(seat) = self.seats.get(id.0) else {
            return Off::Unknown;
        };
        if !seat.patterns.contains(pattern) {
            return Off::Unknown;
        }
        if seat.patterns.len() == 1 {
            return self.remove(id).map_or(Off::Unknown, Off::Gone);
        }
        let kept = seat.patterns.iter().filter(|kept| *kept != pattern);
        let seat = Seat {
            entry: Arc::clone(&seat.entry),
            patterns: kept.cloned().collect(),
        };
        self.index.remove(pattern, id.0);
        self.seats.insert(id.0, seat);
        Off::Listening
    }

    /// Calls `found` with every handler that has this very pattern.
    pub(super) fn with_pattern(&self, pattern: &Pattern) -> Vec<HandlerId> {
        let seats = self.seats().into_iter();
        let having = seats.filter(|seat| seat.patterns.contains(pattern));
        having.map(|seat| seat.entry.id).collect()
    }

    /// Whom an event of this topic is for: each once, in calling order (H1).
    pub(super) fn of_topic(&self, topic: &str) -> Listed<'_, T> {
        let mut found = Listed(SmallVec::new());
        self.index.lookup(topic, |_, entry| found.0.push(entry));
        found.0.sort_unstable_by_key(|entry| entry.key());
        found.0.dedup_by_key(|entry| entry.id);
        found
    }
}

/// What became of a handler that lost a pattern.
pub(super) enum Off<T: Send + Sync + 'static> {
    /// It had no such pattern, or there is no such handler.
    Unknown,
    /// It has others.
    Listening,
    /// That was its last.
    Gone(Seat<T>),
}

/// The handlers of a topic, not counted yet.
pub(super) struct Listed<'a, T: Send + Sync + 'static>(pub(super) SmallVec<[&'a Arc<Entry<T>>; 8]>);

impl<T: Send + Sync + 'static> Listed<'_, T> {
    /// The same for the same handlers, and most likely another for others.
    fn key(&self) -> u64 {
        // Any odd number with bits all over; the upper bits depend on all that came before.
        let mix = |sum: u64, entry: &&Arc<Entry<T>>| {
            (sum ^ entry.id.0)
                .wrapping_mul(0x9E37_79B9_7F4A_7C15)
                .rotate_left(29)
        };
        self.0.iter().fold(self.0.len() as u64, mix)
    }

    fn are_of(&self, route: &Route<T>) -> bool {
        let ids = route.entries.iter().map(|entry| entry.id);
        self.0.iter().map(|entry| entry.id).eq(ids)
    }
}

/// The handlers of one topic, in calling order.
pub(super) struct Route<T: Send + Sync + 'static> {
    pub(super) entries: Box<[Arc<Entry<T>>]>,
    /// All are plain: an emit only calls.
    pub(super) plain: bool,
    /// Some are async.
    pub(super) has_async: bool,
    /// Some take batches.
    pub(super) has_batch: bool,
}

impl<T: Send + Sync + 'static> Route<T> {
    /// Nobody.
    pub(super) fn empty() -> Self {
        Route::new(&Listed(SmallVec::new()))
    }

    fn new(listed: &Listed<'_, T>) -> Self {
        let entries: Box<[_]> = listed.0.iter().copied().cloned().collect();
        Route {
            plain: entries.iter().all(|entry| entry.is_plain()),
            has_async: entries.iter().any(|entry| entry.is_async()),
            has_batch: entries.iter().any(|entry| entry.is_batch()),
            entries,
        }
    }
}

impl<T: Send + Sync + 'static> Content for Roster<T> {
    type Topic = Topic;
    type Route = Route<T>;
    type Error = TopicError;

    fn resolve(&self, topic: &str, known: &Known<Route<T>>) -> Result<Resolved<Self>, TopicError> {
        let topic = Topic::new(topic)?;
        let listed = self.of_topic(&topic);
        let is_it = |route: &Route<T>| listed.are_of(route);
        let route = known.shared(listed.key(), is_it, || Route::new(&listed));
        Ok(Resolved { topic, route })
    }
}

/// Who goes by which name: what only changes look at.
#[derive(Default)]
pub(super) struct Names {
    by_name: HashMap<Arc<str>, BTreeSet<HandlerId>>,
    by_group: HashMap<Arc<str>, BTreeSet<HandlerId>>,
    /// Ordered, so that those below a path stand together.
    by_module: BTreeMap<&'static str, BTreeSet<HandlerId>>,
}

impl Names {
    pub(super) fn add<T: Send + Sync + 'static>(&mut self, entry: &Entry<T>) {
        if let Some(name) = &entry.terms.name {
            self.by_name
                .entry(Arc::clone(name))
                .or_default()
                .insert(entry.id);
        }
        if let Some(group) = &entry.terms.group {
            self.by_group
                .entry(Arc::clone(group))
                .or_default()
                .insert(entry.id);
        }
        if let Some(module) = entry.terms.module {
            self.by_module.entry(module).or_default().insert(entry.id);
        }
    }

    pub(super) fn remove<T: Send + Sync + 'static>(&mut self, entry: &Entry<T>) {
        if let Some(name) = &entry.terms.name {
            take_from(&mut self.by_name, name, entry.id);
        }
        if let Some(group) = &entry.terms.group {
            take_from(&mut self.by_group, group, entry.id);
        }
        if let Some(module) = entry.terms.module
            && let Some(ids) = self.by_module.get_mut(module)
        {
            ids.remove(&entry.id);
            if ids.is_empty() {
                self.by_module.remove(module);
            }
        }
    }

    pub(super) fn named(&self, name: &str) -> Vec<HandlerId> {
        self.by_name
            .get(name)
            .into_iter()
            .flatten()
            .copied()
            .collect()
    }

    pub(super) fn grouped(&self, group: &str) -> Vec<HandlerId> {
        self.by_group
            .get(group)
            .into_iter()
            .flatten()
            .copied()
            .collect()
    }

    /// Those of this module and of the modules in it.
    pub(super) fn of_module(&self, path: &str) -> Vec<HandlerId> {
        let from = self
            .by_module
            .range::<str, _>((Bound::Included(path), Bound::Unbounded));
        from.take_while(|(module, _)| module.starts_with(path))
            .filter(|(module, _)| {
                let rest = &module[path.len()..];
                rest.is_empty() || rest.starts_with("::")
            })
            .flat_map(|(_, ids)| ids)
            .copied()
            .collect()
    }

    pub(super) fn groups(&self) -> Vec<Arc<str>> {
        let mut groups: Vec<_> = self.by_group.keys().cloned().collect();
        groups.sort_unstable();
        groups
    }
}

fn take_from(map: &mut HashMap<Arc<str>, BTreeSet<HandlerId>>, key: &Arc<str>, id: HandlerId) {
    if let Some(ids) = map.get_mut(key) {
        ids.remove(&id);
        if ids.is_empty() {
            map.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::sync::Arc;
    use crate::{Error, Flow, Handlers};

    #[test]
    fn topics_share_a_route_exactly_if_they_have_the_same_handlers() -> Result<(), Error> {
        let handlers = Handlers::<u32>::new();
        handlers.on("**").call(|_| {})?;
        handlers.on("few.*").call(|_| {})?;
        let registry = &handlers.core.registry;
        let version = registry.load();
        let route =
            |topic: &str| Ok::<_, Error>(Arc::clone(&registry.route(&version, topic)?.route));
        assert!(Arc::ptr_eq(&route("a")?, &route("b")?));
        assert!(Arc::ptr_eq(&route("few.a")?, &route("few.b")?));
        assert!(!Arc::ptr_eq(&route("a")?, &route("few.c")?));
        Ok(())
    }

    #[test]
    fn batches_are_asked_for_while_a_handler_takes_them() -> Result<(), Error> {
        let handlers = Handlers::<u32>::new();
        let takes_batches = || handlers.core.read(|roster| roster.takes_batches());
        assert!(!takes_batches());
        let id = handlers.on("a").handle_batch(|_| Ok(Flow::Continue))?;
        assert!(takes_batches());
        handlers.remove(id);
        assert!(!takes_batches());
        Ok(())
    }
}
