//! A bus as one would write it without threads: a list for each subscription.

use std::collections::{HashSet, VecDeque};

use chanbus::{Emitted, Overflow, Pattern};

pub const TOPICS: [&str; 5] = ["a", "b", "a.b", "a.a.b", "é"];

/// An event: its number, and the place of its topic.
pub type Item = (u64, usize);

/// What a subscription's filter takes: all, or every number that does not leave this rest by three.
pub type Rest = Option<u64>;

pub fn accepts(rest: Rest, number: u64) -> bool {
    rest.is_none_or(|rest| number % 3 != rest)
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub received: u64,
    pub dropped: u64,
    pub filtered: u64,
    pub conflated: u64,
}

impl Counts {
    pub fn add(&mut self, other: Counts) {
        self.received += other.received;
        self.dropped += other.dropped;
        self.filtered += other.filtered;
        self.conflated += other.conflated;
    }
}

pub struct Sub {
    pub patterns: Vec<Pattern>,
    pub capacity: usize,
    pub overflow: Overflow,
    pub rest: Rest,
    /// What was replayed and not taken yet.
    pub front: VecDeque<Item>,
    pub queue: VecDeque<Item>,
    pub counts: Counts,
    /// How many of the dropped were told.
    pub told: u64,
    pub closed: bool,
    /// It was there before the last reset, and is in no statistics.
    pub forgotten: bool,
}

impl Sub {
    pub fn matches(&self, topic: usize) -> bool {
        self.patterns.iter().any(|it| it.matches(TOPICS[topic]))
    }

    pub fn take(&mut self) -> Option<Item> {
        self.front.pop_front().or_else(|| self.queue.pop_front())
    }

    pub fn len(&self) -> usize {
        self.front.len() + self.queue.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn offer(&mut self, item: Item, emitted: &mut Emitted) {
        emitted.matched += 1;
        if !accepts(self.rest, item.0) {
            self.counts.filtered += 1;
            emitted.filtered += 1;
            return;
        }
        let full = self.queue.len() == self.capacity;
        if self.overflow == Overflow::Latest
            && let Some(older) = self.queue.iter_mut().find(|older| older.1 == item.1)
        {
            *older = item;
            self.counts.conflated += 1;
            emitted.evicted += 1;
            emitted.delivered += 1;
            return;
        }
        if full && self.overflow == Overflow::DropOldest {
            self.queue.pop_front();
            self.counts.received -= 1;
            self.counts.dropped += 1;
            emitted.evicted += 1;
        } else if full {
            self.counts.dropped += 1;
            emitted.dropped += 1;
            return;
        }
        self.queue.push_back(item);
        self.counts.received += 1;
        emitted.delivered += 1;
    }
}

#[derive(Default)]
pub struct Model {
    /// By place; `None` for those that were dropped.
    pub subs: Vec<Option<Sub>>,
    pub history: VecDeque<Item>,
    pub history_limit: usize,
    pub closed: bool,
    pub emitted: u64,
    /// What those counted that were dropped.
    pub departed: Counts,
    /// Patterns of taps, and how often each was called.
    pub taps: Vec<Option<(Pattern, u64)>>,
}

impl Model {
    pub fn held(&self) -> impl Iterator<Item = &Sub> {
        self.subs.iter().flatten()
    }

    pub fn open(&self) -> usize {
        self.held().filter(|sub| !sub.closed).count()
    }

    pub fn emit(&mut self, item: Item, broadcast: bool) -> Emitted {
        let mut emitted = Emitted::default();
        self.emitted += 1;
        if self.history_limit > 0 {
            self.history.push_back(item);
            if self.history.len() > self.history_limit {
                self.history.pop_front();
            }
        }
        for sub in self.subs.iter_mut().flatten().filter(|sub| !sub.closed) {
            if broadcast || sub.matches(item.1) {
                sub.offer(item, &mut emitted);
            }
        }
        for (pattern, calls) in self.taps.iter_mut().flatten() {
            *calls += u64::from(pattern.matches(TOPICS[item.1]));
        }
        emitted
    }

    /// The last `count` events of the history that this subscription wants.
    pub fn replay(&self, sub: &Sub, count: usize) -> VecDeque<Item> {
        let wanted = |item: &&Item| sub.matches(item.1) && accepts(sub.rest, item.0);
        let mut last: Vec<_> = self
            .history
            .iter()
            .rev()
            .filter(wanted)
            .take(count)
            .collect();
        last.reverse();
        last.into_iter().copied().collect()
    }

    pub fn drop_sub(&mut self, place: usize) {
        if let Some(sub) = self.subs[place].take()
            && !sub.forgotten
        {
            self.departed.add(sub.counts);
        }
    }

    pub fn close(&mut self) {
        self.closed = true;
        self.history.clear();
        self.subs
            .iter_mut()
            .flatten()
            .for_each(|sub| sub.closed = true);
    }

    pub fn reset(&mut self) {
        self.history.clear();
        self.emitted = 0;
        self.departed = Counts::default();
        for sub in self.subs.iter_mut().flatten() {
            sub.closed = true;
            sub.forgotten = true;
        }
    }

    /// How many events are somewhere.
    pub fn alive(&self) -> usize {
        let waiting = self
            .held()
            .flat_map(|sub| sub.front.iter().chain(&sub.queue));
        let numbers = waiting.chain(&self.history).map(|item| item.0);
        numbers.collect::<HashSet<_>>().len()
    }
}
