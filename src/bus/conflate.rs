//! What waits where a queue alone does not do: under `Overflow::Latest` one message a key, in the order in
//! which the keys came; and where batches are kept together, every message, with a mark at those that
//! go with the one before.
//!
//! A plain value without threads; `subscriber/` keeps it behind a short lock.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use super::overflow::Overflow;

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
    /// It came last, and this one, the first, went.
    PushedOut(E),
    /// There is no room; not for its key, if keys count.
    Full(E),
}

/// The pending messages, first come first out.
pub(crate) struct Pending<E: Keyed> {
    capacity: usize,
    overflow: Overflow,
    queue: VecDeque<Waiting<E>>,
    /// Where each key waits, if only its newest message counts: its number since the beginning.
    /// `number - popped` is its index.
    places: HashMap<E::Key, u64, foldhash::fast::RandomState>,
    popped: u64,
}

struct Waiting<E> {
    message: E,
    /// It was offered together with the one before it, which is the last that came before it.
    joined: bool,
}

impl<E: Keyed> Pending<E> {
    /// Room for `capacity` messages, or distinct keys; nothing is allocated ahead.
    pub(crate) fn new(capacity: usize, overflow: Overflow) -> Self {
        Pending {
            capacity,
            overflow,
            queue: VecDeque::new(),
            places: HashMap::default(),
            popped: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Adds a message as the overflow policy has it. `joined` says that the last one added goes with it.
    pub(crate) fn offer(&mut self, message: E, joined: bool) -> Offer<E> {
        match self.overflow {
            Overflow::Latest => self.offer_latest(message, joined),
            Overflow::DropNewest if self.queue.len() >= self.capacity => Offer::Full(message),
            Overflow::DropOldest if self.queue.len() >= self.capacity => {
                let oldest = self.queue.pop_front();
                self.queue.push_back(Waiting { message, joined });
                // What it went with has gone, or was taken long ago.
                if let Some(first) = self.queue.front_mut() {
                    first.joined = false;
                }
                oldest.map_or(Offer::Added, |oldest| Offer::PushedOut(oldest.message))
            }
            Overflow::DropNewest | Overflow::DropOldest => {
                self.queue.push_back(Waiting { message, joined });
                Offer::Added
            }
        }
    }

    /// Adds a message, or swaps it in where an older one of its key waits, which keeps its place.
    fn offer_latest(&mut self, message: E, joined: bool) -> Offer<E> {
        let key = message.key();
        if let Some(&place) = self.places.get(&key) {
            let waiting = &mut self.queue[(place - self.popped) as usize];
            return Offer::Replaced(std::mem::replace(&mut waiting.message, message));
        }
        if self.queue.len() >= self.capacity {
            return Offer::Full(message);
        }
        self.places
            .insert(key, self.popped + self.queue.len() as u64);
        self.queue.push_back(Waiting { message, joined });
        Offer::Added
    }

    /// Takes the message that has waited longest, and forgets its key.
    pub(crate) fn pop(&mut self) -> Option<E> {
        let Waiting { message, .. } = self.queue.pop_front()?;
        if self.overflow == Overflow::Latest {
            self.popped += 1;
            self.places.remove(&message.key());
        }
        Some(message)
    }

    /// [`pop`](Pending::pop), if it goes with the one that was taken before it.
    pub(crate) fn pop_joined(&mut self) -> Option<E> {
        if self.queue.front()?.joined {
            self.pop()
        } else {
            None
        }
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
        let mut pending = Pending::new(2, Overflow::Latest);
        assert_eq!(pending.offer((1, 10), false), Offer::Added);
        assert_eq!(pending.offer((2, 20), false), Offer::Added);
        assert_eq!(pending.offer((1, 11), false), Offer::Replaced((1, 10)));
        assert_eq!(pending.pop(), Some((1, 11)));
        assert_eq!(pending.offer((1, 12), false), Offer::Added);
        assert_eq!(pending.pop(), Some((2, 20)));
        assert_eq!(pending.pop(), Some((1, 12)));
        assert_eq!(pending.pop(), None);
    }

    #[test]
    fn p6_capacity_counts_distinct_keys() {
        let mut pending = Pending::new(1, Overflow::Latest);
        assert_eq!(pending.offer((1, 10), false), Offer::Added);
        assert_eq!(pending.offer((2, 20), false), Offer::Full((2, 20)));
        assert_eq!(pending.offer((1, 11), false), Offer::Replaced((1, 10)));
        assert_eq!(pending.len(), 1);
    }

    #[test]
    fn p13_keys_that_left_are_forgotten() {
        let mut pending = Pending::new(1, Overflow::Latest);
        for key in 0..=255 {
            pending.offer((key, 0), false);
            pending.pop();
        }
        assert!(pending.places.is_empty());
    }

    #[test]
    fn h14_what_came_together_is_told_from_what_came_after() {
        let mut pending = Pending::new(3, Overflow::DropOldest);
        let add =
            |pending: &mut Pending<(u8, u32)>, value, joined| pending.offer((0, value), joined);
        assert_eq!(add(&mut pending, 1, false), Offer::Added);
        assert_eq!(add(&mut pending, 2, false), Offer::Added);
        assert_eq!(add(&mut pending, 3, true), Offer::Added);
        assert_eq!(add(&mut pending, 4, true), Offer::PushedOut((0, 1)));
        assert_eq!(pending.pop_joined(), None);
        assert_eq!(pending.pop(), Some((0, 2)));
        assert_eq!(pending.pop_joined(), Some((0, 3)));
        assert_eq!(add(&mut pending, 5, false), Offer::Added);
        assert_eq!(pending.pop_joined(), Some((0, 4)));
        assert_eq!(pending.pop_joined(), None);
        assert_eq!(pending.pop(), Some((0, 5)));
    }

    #[test]
    fn p6_where_batches_are_kept_capacity_counts_messages() {
        let mut pending = Pending::new(1, Overflow::DropNewest);
        assert_eq!(pending.offer((1, 10), false), Offer::Added);
        assert_eq!(pending.offer((1, 11), true), Offer::Full((1, 11)));
        assert_eq!(pending.len(), 1);
    }
}
