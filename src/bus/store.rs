//! The latest event of each topic, within bounds.
//!
//! A plain value without threads; `past.rs` keeps it behind its lock.

use std::collections::{BTreeMap, HashMap};

use super::retained::Retention;
use crate::event::Event;
use crate::pattern::Pattern;
use crate::topic::Topic;

pub(super) struct Store<T> {
    capacity: usize,
    when_full: Retention,
    /// The number of each topic's event.
    numbers: HashMap<Topic, u64, foldhash::fast::RandomState>,
    /// By their number: the topic that changed longest ago comes first.
    events: BTreeMap<u64, Event<T>>,
    /// How many events of new topics found no room.
    pub(super) refused: u64,
    /// How many topics went to make room.
    pub(super) forgotten: u64,
}

impl<T> Store<T> {
    /// Room for `capacity` topics, at least one; nothing is allocated ahead.
    pub(super) fn new(capacity: usize, when_full: Retention) -> Self {
        Store {
            capacity,
            when_full,
            numbers: HashMap::default(),
            events: BTreeMap::new(),
            refused: 0,
            forgotten: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// Keeps an event, with a number above all that came before; what has to go for it comes back.
    ///
    /// It stands for `events` of its topic, one after the other, of which it is the last.
    pub(super) fn keep(&mut self, event: &Event<T>, number: u64, events: u64) -> Option<Event<T>> {
        let gone = match self.numbers.get_mut(event.topic().as_str()) {
            Some(place) => self.events.remove(&std::mem::replace(place, number)),
            None => {
                let gone = if self.events.len() < self.capacity {
                    None
                } else if self.when_full == Retention::ForgetOldest {
                    self.forget_oldest()
                } else {
                    self.refused += events;
                    return None;
                };
                self.numbers.insert(event.topic().clone(), number);
                gone
            }
        };
        self.events.insert(number, event.clone());
        gone
    }

    fn forget_oldest(&mut self) -> Option<Event<T>> {
        let (_, oldest) = self.events.pop_first()?;
        self.numbers.remove(oldest.topic().as_str());
        self.forgotten += 1;
        Some(oldest)
    }

    pub(super) fn get(&self, topic: &str) -> Option<(u64, &Event<T>)> {
        let number = self.numbers.get(topic)?;
        Some((*number, self.events.get(number)?))
    }

    /// The events, the topic that changed longest ago first.
    pub(super) fn events(&self) -> impl Iterator<Item = &Event<T>> {
        self.events.values()
    }

    /// Calls `found` with each event whose topic one of the patterns matches.
    pub(super) fn each_of<'a>(
        &'a self,
        patterns: &[Pattern],
        mut found: impl FnMut(u64, &'a Event<T>),
    ) {
        // Who asks for some topics need not wait for a look at all of them.
        if patterns.len() < self.len() && patterns.iter().all(Pattern::is_exact) {
            for pattern in patterns {
                if let Some((number, event)) = self.get(pattern.as_str()) {
                    found(number, event);
                }
            }
            return;
        }
        for (number, event) in &self.events {
            let mut patterns = patterns.iter();
            if patterns.any(|pattern| pattern.matches_checked(event.topic())) {
                found(*number, event);
            }
        }
    }

    pub(super) fn forget(&mut self, topic: &str) -> Option<Event<T>> {
        let number = self.numbers.remove(topic)?;
        self.events.remove(&number)
    }

    /// Empties it.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Event<T>> + use<T> {
        self.numbers = HashMap::default();
        std::mem::take(&mut self.events).into_values()
    }
}
