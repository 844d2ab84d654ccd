//! Routes by topic: a hash table that is only added to, without locks.
//!
//! Entries stand in an arena, in the order in which they came, so that adding one seldom allocates and
//! a look-up follows no box of its own. A table of words says where: each word holds the entry's index
//! and, in the bits above that, a part of the hash, so that a look-up follows one word, hardly ever one
//! for another topic. Both are as large as the topics are many: they come in levels, each eight times the
//! last, and nothing is ever moved; the first is in the cache itself. A look-up tries the largest level
//! first, which holds most.
//!
//! *Adding.* An emit claims an index, which bounds the entries; fills the entry; and publishes the index
//! in the first free word from where the hash points to. If another emit was quicker with that
//! word, it looks whether that was the same topic, and then uses the other's entry: its own stays where
//! it is, counted and unused, until all are freed.

use super::{Content, Resolved};
use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{Arc, AtomicU32, AtomicUsize, OnceBox, OnceLock};

/// Entries that are allocated, and freed, together; the first of them stand in the cache itself.
const FIRST: usize = 8;
/// Enough for 2,396,744 entries, far above any sensible limit.
const LEVELS: usize = 6;

pub(super) struct RouteCache<C: Content> {
    /// How many levels there are, or one less for a moment.
    depth: AtomicUsize,
    first: First<C>,
    /// Each has room for eight times the entries of the one before.
    levels: [OnceBox<Level<C>>; LEVELS],
    /// Misses since the cache was full.
    pub(super) misses: AtomicUsize,
}

/// The first level. It is in the cache itself, where a bus with few topics finds them soonest.
struct First<C: Content> {
    words: [AtomicU32; 2 * FIRST],
    claimed: AtomicUsize,
    entries: Chunk<C>,
}

struct Level<C: Content> {
    /// More of them than entries, so that some are always free.
    words: Box<[AtomicU32]>,
    tag_mask: u32,
    /// How many entries were claimed.
    claimed: AtomicUsize,
    arena: Arena<C>,
}

/// Shared with nobody until its cache has gone: then it is what is left to be freed.
pub(super) type Arena<C> = Arc<[OnceBox<Chunk<C>>]>;
pub(super) type Chunk<C> = [OnceLock<Resolved<C>>; FIRST];

impl<C: Content> RouteCache<C> {
    pub(super) fn new() -> Self {
        RouteCache {
            depth: AtomicUsize::new(0),
            first: First {
                words: std::array::from_fn(|_| AtomicU32::new(0)),
                claimed: AtomicUsize::new(0),
                entries: new_chunk(),
            },
            levels: std::array::from_fn(|_| OnceBox::new()),
            misses: AtomicUsize::new(0),
        }
    }

    #[inline]
    pub(super) fn get(&self, hash: u64, topic: &str) -> Option<&Resolved<C>> {
        // Relaxed: a hint, which spares a look at levels that do not exist. One that exists already
        // and is passed by costs a miss; what is in it is ordered by its box.
        let depth = self.depth.load(Relaxed);
        if depth > 0
            && let Some(resolved) = self.get_above(depth, hash, topic)
        {
            return Some(resolved);
        }
        self.first.table().find(hash, topic).ok()
    }

    fn get_above(&self, depth: usize, hash: u64, topic: &str) -> Option<&Resolved<C>> {
        let levels = self.levels[..depth.min(LEVELS)].iter().rev();
        levels
            .filter_map(OnceBox::get)
            .find_map(|level| level.table().find(hash, topic).ok())
    }

    /// Adds a route, or finds that another emit has just added the same; hands it back if full.
    pub(super) fn insert(
        &self,
        hash: u64,
        resolved: Resolved<C>,
        limit: usize,
    ) -> Result<&Resolved<C>, Resolved<C>> {
        let share = FIRST.min(limit);
        if let Some(index) = claim(&self.first.claimed, share) {
            let mine = self.first.entries[index].get_or_init(|| resolved);
            return Ok(self.first.table().publish(hash, index, mine));
        }
        let mut room = limit - share;
        let mut size = FIRST;
        for (below, level) in self.levels.iter().enumerate() {
            size *= 8;
            if room == 0 {
                break;
            }
            let share = size.min(room);
            let level = level.get_or_init(|| Box::new(Level::new(share)));
            if self.depth.load(Relaxed) <= below {
                // Relaxed: as in `get`.
                self.depth.fetch_max(below + 1, Relaxed);
            }
            if let Some(index) = claim(&level.claimed, share) {
                let chunk = level.arena[index / FIRST].get_or_init(|| Box::new(new_chunk()));
                // Whoever claimed the index is alone with it, so nobody waits here, nor above.
                let mine = chunk[index % FIRST].get_or_init(|| resolved);
                return Ok(level.table().publish(hash, index, mine));
            }
            room -= share;
        }
        Err(resolved)
    }

    /// What was added so far, by any emit; of two that added the same topic at once, both.
    pub(super) fn entries(&self) -> impl Iterator<Item = &Resolved<C>> {
        let levels = self.levels.iter().filter_map(OnceBox::get);
        let chunks = levels.flat_map(|level| level.arena.iter().filter_map(OnceBox::get));
        let all = std::iter::once(&self.first.entries).chain(chunks);
        all.flatten().filter_map(OnceLock::get)
    }

    /// What holds the entries, for somebody who has this cache alone, and drops it before them.
    pub(super) fn arenas(&self) -> Vec<Arena<C>> {
        let levels = self.levels.iter().filter_map(OnceBox::get);
        levels.map(|level| Arc::clone(&level.arena)).collect()
    }
}

fn new_chunk<C: Content>() -> Chunk<C> {
    std::array::from_fn(|_| OnceLock::new())
}

/// Claims an index below this one.
fn claim(claimed: &AtomicUsize, share: usize) -> Option<usize> {
    // Relaxed: only distinctness counts. Looked at before it is added to, so that it does not run over
    // however long the cache is full.
    if claimed.load(Relaxed) >= share {
        return None;
    }
    Some(claimed.fetch_add(1, Relaxed)).filter(|index| *index < share)
}

impl<C: Content> First<C> {
    #[inline]
    fn table<'a>(&'a self) -> Table<'a, impl Fn(usize) -> Option<&'a Resolved<C>>> {
        Table {
            words: &self.words,
            tag_mask: tag_mask(FIRST),
            entry: |index: usize| self.entries[index % FIRST].get(),
        }
    }
}

impl<C: Content> Level<C> {
    fn new(share: usize) -> Self {
        // Three in four at most are taken, so that a free one, which ends a look-up, is near.
        let words = (share + share / 3 + 1).next_power_of_two();
        let chunks = share.div_ceil(FIRST);
        Level {
            words: (0..words).map(|_| AtomicU32::new(0)).collect(),
            tag_mask: tag_mask(share),
            claimed: AtomicUsize::new(0),
            arena: (0..chunks).map(|_| OnceBox::new()).collect(),
        }
    }

    #[inline]
    fn table<'a>(&'a self) -> Table<'a, impl Fn(usize) -> Option<&'a Resolved<C>>> {
        Table {
            words: &self.words,
            tag_mask: self.tag_mask,
            entry: |index: usize| self.arena[index / FIRST].get()?[index % FIRST].get(),
        }
    }
}

/// The words of a level, and how to get from an index to the entry.
struct Table<'a, F> {
    /// As many as a power of two. Zero is free.
    words: &'a [AtomicU32],
    /// The part of a word that is of the hash.
    tag_mask: u32,
    entry: F,
}

/// All bits above those that an index plus one, which is never zero, takes up.
const fn tag_mask(share: usize) -> u32 {
    u32::MAX << (usize::BITS - share.leading_zeros())
}

impl<'a, F> Table<'a, F> {
    /// The entry of a topic, or the place of the free word that ended the look-up.
    #[inline]
    fn find<C>(&self, hash: u64, topic: &str) -> Result<&'a Resolved<C>, usize>
    where
        C: Content,
        F: Fn(usize) -> Option<&'a Resolved<C>>,
    {
        let mask = self.words.len() - 1;
        let mut place = hash as usize & mask;
        loop {
            // Acquire: the entry that it points to is seen filled.
            let word = self.words[place].load(Acquire);
            if word == 0 {
                return Err(place);
            }
            if (word ^ tag(hash)) & self.tag_mask == 0
                && let Some(resolved) = (self.entry)((word & !self.tag_mask) as usize - 1)
                && resolved.topic.as_ref() == topic
            {
                return Ok(resolved);
            }
            place = (place + 1) & mask;
        }
    }

    /// Makes a filled entry known, or finds that of another emit for the same topic.
    fn publish<C>(&self, hash: u64, index: usize, mine: &'a Resolved<C>) -> &'a Resolved<C>
    where
        C: Content,
        F: Fn(usize) -> Option<&'a Resolved<C>>,
    {
        let word = tag(hash) & self.tag_mask | (index as u32 + 1);
        loop {
            match self.find(hash, mine.topic.as_ref()) {
                Ok(theirs) => return theirs,
                Err(free) => {
                    // Release: whoever reads the word sees the entry. Relaxed: it is read anew.
                    let put = self.words[free].compare_exchange(0, word, Release, Relaxed);
                    if put.is_ok() {
                        return mine;
                    }
                }
            }
        }
    }
}

/// Bits of the hash that do not say where to look.
#[inline]
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::super::Known;
    use super::{Content, Resolved, RouteCache};
    use crate::sync::Arc;

    /// A topic is a text, and its route is the length.
    #[derive(Clone)]
    struct Lengths;

    impl Content for Lengths {
        type Topic = String;
        type Route = usize;
        type Error = ();

        fn resolve(&self, topic: &str, _: &Known<usize>) -> Result<Resolved<Self>, ()> {
            Ok(resolved(topic))
        }
    }

    fn resolved(topic: &str) -> Resolved<Lengths> {
        Resolved {
            topic: topic.to_owned(),
            route: Arc::new(topic.len()),
        }
    }

    /// Bad on purpose: words collide, and so do tags, of which there are two.
    fn hash(number: usize) -> u64 {
        (number as u64 % 5) | (number as u64 % 2) << 63
    }

    #[test]
    fn p13_it_holds_as_many_as_it_may_and_finds_them_all() {
        for limit in [0, 1, 7, 8, 9, 72, 73, 200] {
            let cache = RouteCache::<Lengths>::new();
            let mut held = 0;
            for number in 0..2 * limit + 10 {
                let topic = number.to_string();
                assert!(cache.get(hash(number), &topic).is_none());
                match cache.insert(hash(number), resolved(&topic), limit) {
                    Ok(there) => assert_eq!((held, &there.topic), (number, &topic)),
                    Err(back) => assert_eq!(back.topic, topic),
                }
                held = (number + 1).min(limit);
                let found = |number: usize| cache.get(hash(number), &number.to_string());
                assert!((0..held).all(|number| found(number).is_some()), "{limit}");
            }
            assert_eq!(held, limit);
        }
    }

    #[test]
    fn p13_of_two_entries_for_one_topic_the_first_stays() {
        let cache = RouteCache::<Lengths>::new();
        for number in [1, 2, 3] {
            let add = || cache.insert(hash(number), resolved("a"), 100).ok();
            let (first, second) = (add().map(std::ptr::from_ref), add().map(std::ptr::from_ref));
            assert!(first.is_some());
            assert_eq!(first, second);
        }
    }

    #[test]
    fn p13_threads_that_add_the_same_topics_agree_on_one_entry() {
        const TOPICS: usize = 100;
        for _ in 0..50 {
            let cache = RouteCache::<Lengths>::new();
            let begin = Barrier::new(4);
            let add_all = || {
                begin.wait();
                let entry = |number: usize| {
                    let topic = number.to_string();
                    let added = cache.insert(hash(number), resolved(&topic), usize::MAX);
                    let Ok(added) = added else {
                        panic!("there is room");
                    };
                    assert_eq!(added.topic, topic);
                    std::ptr::from_ref(added) as usize
                };
                (0..TOPICS).map(entry).collect::<Vec<_>>()
            };
            thread::scope(|scope| {
                let threads = [(); 4].map(|()| scope.spawn(add_all));
                for thread in threads {
                    assert!(thread.join().is_ok_and(|entries| entries.len() == TOPICS));
                }
            });
            let entries = |number| cache.get(hash(number), &number.to_string());
            assert!((0..TOPICS).all(|number| entries(number).is_some()));
        }
    }
}
