//! What came lately, so that what comes twice is emitted once.
//!
//! The server hands a message out again when it has not heard the acknowledgement. So each message is kept in mind
//! from its emit on until the server has confirmed that; which those are is bounded by what the server hands out
//! without acknowledgement. A server that is killed forgets the acknowledgements of its last moments, which it
//! has not written down yet, so those that were confirmed last are known, too.
//!
//! Besides, a message may be in the stream twice, when its sender had to send it again after longer than the
//! stream's own memory for that reaches. Those have one id, and the last ids are known.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, Hash};

use async_nats::jetstream::Message;
use foldhash::fast::RandomState;

/// So many unconfirmed ones are kept at most: several times what the server hands out.
const UNCONFIRMED: usize = 65_536;
/// So many confirmed ones are known: several times what comes while a server has not written down.
const CONFIRMED: usize = 65_536;
/// So many ids are known again.
const IDS: usize = 16_384;

/// Where a message is in the stream, and since when: a server that lost the end of a stream, with the machine it was
/// on, gives the numbers of that to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::bridge) struct Place {
    sequence: u64,
    nanos: i128,
}

impl Place {
    pub(super) fn of(message: &Message) -> Option<Self> {
        let info = message.info().ok()?;
        Some(Place {
            sequence: info.stream_sequence,
            nanos: info.published.unix_timestamp_nanos(),
        })
    }
}

pub(in crate::bridge) struct Recent {
    unconfirmed: Last,
    confirmed: Last,
    ids: Last,
}

impl Default for Recent {
    fn default() -> Self {
        Recent {
            unconfirmed: Last::new(UNCONFIRMED),
            confirmed: Last::new(CONFIRMED),
            ids: Last::new(IDS),
        }
    }
}

impl Recent {
    /// A message is about to be emitted; whether it was not before. So it is asked and told at once: two consumers may
    /// have the same message at the same time.
    pub(in crate::bridge) fn claim(&mut self, place: Option<Place>, id: Option<&str>) -> bool {
        let new = !self.knows(place, id);
        if new {
            self.add(place, id);
        }
        new
    }

    /// It was not emitted after all.
    pub(super) fn give_back(&mut self, place: Option<Place>, id: Option<&str>) {
        if let Some(place) = place {
            self.unconfirmed.remove(&place);
        }
        if let Some(id) = id {
            self.ids.remove(&id);
        }
    }

    /// Whether a message was emitted before.
    fn knows(&self, place: Option<Place>, id: Option<&str>) -> bool {
        place.is_some_and(|it| self.unconfirmed.has(&it) || self.confirmed.has(&it))
            || id.is_some_and(|it| self.ids.has(&it))
    }

    /// It was emitted.
    fn add(&mut self, place: Option<Place>, id: Option<&str>) {
        if let Some(place) = place {
            self.unconfirmed.add(&place);
        }
        if let Some(id) = id {
            self.ids.add(&id);
        }
    }

    /// The server has heard of it, and will not hand it out again unless it is killed just now.
    pub(super) fn confirm(&mut self, place: Place) {
        self.unconfirmed.remove(&place);
        self.confirmed.add(&place);
    }
}

/// The last so many, as two hashes of each, with seeds of their own: one is taken for another once in 2^128 pairs.
struct Last {
    most: usize,
    seeds: (RandomState, RandomState),
    known: HashSet<(u64, u64)>,
    /// Oldest first; with some that were removed since.
    order: VecDeque<(u64, u64)>,
}

impl Last {
    fn new(most: usize) -> Self {
        Last {
            most,
            seeds: (RandomState::default(), RandomState::default()),
            known: HashSet::new(),
            order: VecDeque::new(),
        }
    }

    fn has(&self, key: &impl Hash) -> bool {
        self.known.contains(&self.hashes(key))
    }

    fn add(&mut self, key: &impl Hash) {
        let hashes = self.hashes(key);
        if !self.known.insert(hashes) {
            return;
        }
        self.order.push_back(hashes);
        while self.order.len() > self.most {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
    }

    fn remove(&mut self, key: &impl Hash) {
        let hashes = self.hashes(key);
        self.known.remove(&hashes);
        while self
            .order
            .front()
            .is_some_and(|oldest| !self.known.contains(oldest))
        {
            self.order.pop_front();
        }
    }

    fn hashes(&self, key: &impl Hash) -> (u64, u64) {
        (self.seeds.0.hash_one(key), self.seeds.1.hash_one(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_known_for_a_while_after_the_server_has_heard_and_so_is_an_id() {
        let at = |sequence, nanos| Some(Place { sequence, nanos });
        let mut recent = Recent::default();
        assert!(!recent.knows(at(1, 5), Some("x")));
        recent.add(at(1, 5), Some("x"));
        assert!(recent.knows(at(1, 5), None) && recent.knows(at(2, 6), Some("x")));
        assert!(!recent.knows(at(1, 7), None), "another one in its place");
        recent.confirm(at(1, 5).unwrap());
        assert!(recent.knows(at(1, 5), None));
        for sequence in 2..CONFIRMED as u64 + 2 {
            recent.confirm(at(sequence, 5).unwrap());
        }
        assert!(!recent.knows(at(1, 5), None) && recent.knows(None, Some("x")));
        assert!(!recent.knows(None, None));
    }

    #[test]
    fn p13_the_last_are_known_and_no_more_is_kept() {
        let mut last = Last::new(100);
        for n in 0..1_000 {
            assert!(!last.has(&n));
            last.add(&n);
            last.add(&n);
        }
        assert_eq!((last.known.len(), last.order.len()), (100, 100));
        assert!(!last.has(&899) && last.has(&900) && last.has(&999));
        for n in (900..1_000).rev() {
            last.remove(&n);
        }
        assert_eq!((last.known.len(), last.order.len()), (0, 0));
    }
}
