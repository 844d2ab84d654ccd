//! What waits under `Overflow::Latest`: one message a key, in the order in which the keys came.
//!
//! A plain value without threads; `subscriber/` keeps it behind a short lock.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// A message that `Overflow::Latest` can tell from others: the newest of each key is kept.
pub(crate) trait Keyed {
    type Key: Hash + Eq + Clone;

    fn key(&self) -> Self::Key;
}

/// What became of a message offered to [`Pending`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Offer<E> {
    /// Its key is new here.
    Added,
    /// It took the place of this older one.
    Replaced(E),
    /// Its key is new and there is no room.
    Full(E),
}

/// The pending messages, first come first out.
pub(crate) struct Pending<E: Keyed> {
    capacity: usize,
    queue: VecDeque<E>,
    /// Where each key waits: its number since the beginning. `number - popped` is its index.
    places: HashMap<E::Key, u64, foldhash::fast::RandomState>,
    popped: u64,
}

impl<E: Keyed> Pending<E> {
    /// Room for `capacity` distinct keys; nothing is allocated ahead.
    pub(crate) fn new(capacity: usize) -> Self {
        Pending {
            capacity,
            queue: VecDeque::new(),
            places: HashMap::default(),
            popped: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Adds a message, or swaps it in where an older one of its key waits, which keeps its place.
    pub(crate) fn offer(&mut self, message: E) -> Offer<E> {
        let key = message.key();
        if let Some(&place) = self.places.get(&key) {
            let waiting = &mut self.queue[(place - self.popped) as usize];
            return Offer::Replaced(std::mem::replace(waiting, message));
        }
        if self.queue.len() >= self.capacity {
            return Offer::Full(message);
        }
        self.places
            .insert(key, self.popped + self.queue.len() as u64);
        self.queue.push_back(message);
        Offer::Added
    }

    /// Takes the message that has waited longest, and forgets its key.
    pub(crate) fn pop(&mut self) -> Option<E> {
        let message = self.queue.pop_front()?;
        self.popped += 1;
        self.places.remove(&message.key());
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Keyed for (u8, u32) {
        type Key = u8;

        fn key(&self) -> u8 {
            self.0
        }
    }

    #[test]
    fn p3_a_conflated_message_keeps_its_first_place() {
        let mut pending = Pending::new(2);
        assert_eq!(pending.offer((1, 10)), Offer::Added);
        assert_eq!(pending.offer((2, 20)), Offer::Added);
        assert_eq!(pending.offer((1, 11)), Offer::Replaced((1, 10)));
        assert_eq!(pending.pop(), Some((1, 11)));
        assert_eq!(pending.offer((1, 12)), Offer::Added);
        assert_eq!(pending.pop(), Some((2, 20)));
        assert_eq!(pending.pop(), Some((1, 12)));
        assert_eq!(pending.pop(), None);
    }

    #[test]
    fn p6_capacity_counts_distinct_keys() {
        let mut pending = Pending::new(1);
        assert_eq!(pending.offer((1, 10)), Offer::Added);
        assert_eq!(pending.offer((2, 20)), Offer::Full((2, 20)));
        assert_eq!(pending.offer((1, 11)), Offer::Replaced((1, 10)));
        assert_eq!(pending.len(), 1);
    }

    #[test]
    fn p13_keys_that_left_are_forgotten() {
        let mut pending = Pending::new(1);
        for key in 0..=255 {
            pending.offer((key, 0));
            pending.pop();
        }
        assert!(pending.places.is_empty());
    }
}
