//! A persistent map: cloning is one reference count, and a change copies the few nodes on its way.
//!
//! It is a hash trie. Each level takes [`BITS`] bits of a 64-bit hash, the lowest first, and a node
//! is one allocation, `Arc<[Slot]>`, that holds only the slots in use; which ones they are says a
//! bitmap beside the pointer, in the parent. The root is itself a slot, so that a map of one entry
//! (the usual number of values on a pattern) stands inline and allocates nothing.
//!
//! A change goes down with `Arc::make_mut`: a node that another clone still sees is copied, one
//! that nobody else sees is written in place. The width of a node is a compromise: every slot of a
//! copied node has a reference count to raise, and every level is one more cache miss on the way
//! down. Wider nodes look up faster and take longer to change; 16 is between the two.
//!
//! The caller brings the hash. The index hashes a segment once and probes many maps with it, and
//! where the key is a number, it is its own hash (key `()`), which spreads consecutive numbers
//! evenly. Keys whose 64 bits all agree end in a plain list below the last level.

use std::borrow::Borrow;
use std::iter;
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// Bits of the hash that one level takes: nodes are up to 16 slots wide.
const BITS: u32 = 4;

/// The first shift at which the hash is used up, and keys are told apart one by one.
const SPENT: u32 = u64::BITS;

/// A persistent map from keys, hashed by the caller, to values.
#[derive(Clone)]
pub(super) struct Trie<K, V> {
    root: Option<Slot<K, V>>,
}

#[derive(Clone)]
enum Slot<K, V> {
    Leaf(Leaf<K, V>),
    Branch(Branch<K, V>),
}

#[derive(Clone)]
struct Leaf<K, V> {
    hash: u64,
    key: K,
    value: V,
}

/// At least two entries, all of whose hashes agree in the bits above.
#[derive(Clone)]
struct Branch<K, V> {
    /// Bit `i` is set if there is a slot for digit `i`; slots stand in the order of digits.
    /// Unused once the hash is spent.
    occupied: u32,
    slots: Arc<[Slot<K, V>]>,
}

impl<K, V> Default for Trie<K, V> {
    fn default() -> Self {
        Self { root: None }
    }
}

impl<K, V> Trie<K, V> {
    pub(super) fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Whether there is exactly one entry.
    pub(super) fn is_single(&self) -> bool {
        matches!(self.root, Some(Slot::Leaf(_)))
    }

    pub(super) fn get<Q>(&self, hash: u64, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let mut slot = self.root.as_ref()?;
        let mut shift = 0;
        loop {
            match slot {
                Slot::Leaf(leaf) => return leaf.is(hash, key).then_some(&leaf.value),
                Slot::Branch(branch) => slot = branch.slots.get(branch.find(shift, hash, key)?)?,
            }
            shift += BITS;
        }
    }

    /// Calls `entry` with the hash and value of every entry, in no order that means anything.
    pub(super) fn each<'a>(&'a self, entry: &mut impl FnMut(u64, &'a K, &'a V)) {
        if let Some(root) = &self.root {
            root.each(entry);
        }
    }

    /// Calls `entry` with the values that die with this map: those in nodes that no clone shares.
    pub(super) fn each_unshared(&mut self, entry: &mut impl FnMut(&mut V)) {
        if let Some(root) = &mut self.root {
            root.each_unshared(entry);
        }
    }
}

impl<K: Clone, V: Clone> Trie<K, V> {
    /// The value of `key`, to be changed. Copies what is shared, also if there is no such key.
    pub(super) fn get_mut<Q>(&mut self, hash: u64, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let mut slot = self.root.as_mut()?;
        let mut shift = 0;
        loop {
            match slot {
                Slot::Leaf(leaf) => return leaf.is(hash, key).then_some(&mut leaf.value),
                Slot::Branch(branch) => {
                    let at = branch.find(shift, hash, key)?;
                    slot = Arc::make_mut(&mut branch.slots).get_mut(at)?;
                }
            }
            shift += BITS;
        }
    }

    /// The value of `key`, to be changed; `make` makes the entry if there is none.
    pub(super) fn entry<Q>(&mut self, hash: u64, key: &Q, make: impl FnOnce() -> (K, V)) -> &mut V
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        match &mut self.root {
            Some(root) => root.entry(hash, key, make),
            none => none.insert(Slot::leaf(hash, make())).new_value(),
        }
    }

    /// Removes `key`; true if it was there. Copies nothing if it was not.
    pub(super) fn remove<Q>(&mut self, hash: u64, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        if self.get(hash, key).is_none() {
            return false;
        }
        match &mut self.root {
            Some(Slot::Branch(branch)) => {
                if let Some(last) = branch.remove(0, hash, key) {
                    self.root = Some(Slot::Leaf(last));
                }
            }
            root => *root = None,
        }
        true
    }
}

impl<K, V> Slot<K, V> {
    fn leaf(hash: u64, (key, value): (K, V)) -> Self {
        Self::Leaf(Leaf { hash, key, value })
    }

    /// The value of a slot that was just made.
    fn new_value(&mut self) -> &mut V {
        match self {
            Self::Leaf(leaf) => &mut leaf.value,
            Self::Branch(_) => unreachable!("a new entry is a leaf"),
        }
    }

    /// Goes as deep as there are levels, 16 at most.
    fn each<'a>(&'a self, entry: &mut impl FnMut(u64, &'a K, &'a V)) {
        match self {
            Self::Leaf(leaf) => entry(leaf.hash, &leaf.key, &leaf.value),
            Self::Branch(branch) => branch.slots.iter().for_each(|slot| slot.each(entry)),
        }
    }

    fn each_unshared(&mut self, entry: &mut impl FnMut(&mut V)) {
        match self {
            Self::Leaf(leaf) => entry(&mut leaf.value),
            Self::Branch(branch) => {
                // Nearly all are shared, and a look at the count is cheaper than `get_mut`.
                if Arc::strong_count(&branch.slots) == 1
                    && let Some(slots) = Arc::get_mut(&mut branch.slots)
                {
                    slots.iter_mut().for_each(|slot| slot.each_unshared(entry));
                }
            }
        }
    }
}

impl<K: Clone, V: Clone> Slot<K, V> {
    fn entry<Q>(&mut self, hash: u64, key: &Q, make: impl FnOnce() -> (K, V)) -> &mut V
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let mut slot = self;
        let mut shift = 0;
        loop {
            // Where another key stands, a branch takes it over; the next digits tell the two apart.
            if let Self::Leaf(other) = slot
                && !other.is(hash, key)
            {
                *slot = Self::Branch(Branch::of(shift, other.clone()));
            }
            match slot {
                Self::Leaf(leaf) => return &mut leaf.value,
                Self::Branch(branch) => match branch.find(shift, hash, key) {
                    Some(at) => slot = &mut Arc::make_mut(&mut branch.slots)[at],
                    None => return branch.add(shift, hash, make()).new_value(),
                },
            }
            shift += BITS;
        }
    }
}

impl<K, V> Leaf<K, V> {
    fn is<Q>(&self, hash: u64, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        self.hash == hash && self.key.borrow() == key
    }
}

/// The bit that stands for `hash` in a branch at `shift`.
fn digit(shift: u32, hash: u64) -> u32 {
    1 << ((hash >> shift) & ((1 << BITS) - 1))
}

impl<K, V> Branch<K, V> {
    fn of(shift: u32, leaf: Leaf<K, V>) -> Self {
        let occupied = if shift < SPENT {
            digit(shift, leaf.hash)
        } else {
            0
        };
        let slots = Arc::new([Slot::Leaf(leaf)]);
        Self { occupied, slots }
    }

    /// Where the way to `key` goes on, if there is anything.
    fn find<Q>(&self, shift: u32, hash: u64, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        if shift < SPENT {
            let digit = digit(shift, hash);
            (self.occupied & digit != 0).then(|| self.rank(digit))
        } else {
            let is = |slot: &Slot<K, V>| matches!(slot, Slot::Leaf(leaf) if leaf.is(hash, key));
            self.slots.iter().position(is)
        }
    }

    /// How many slots stand before that of `digit`.
    fn rank(&self, digit: u32) -> usize {
        (self.occupied & (digit - 1)).count_ones() as usize
    }
}

impl<K: Clone, V: Clone> Branch<K, V> {
    /// Puts an entry where `find` found nothing.
    fn add(&mut self, shift: u32, hash: u64, entry: (K, V)) -> &mut Slot<K, V> {
        let at = if shift < SPENT {
            let digit = digit(shift, hash);
            self.occupied |= digit;
            self.rank(digit)
        } else {
            self.slots.len()
        };
        let (before, after) = self.slots.split_at(at);
        // Of exact length throughout, so that `collect` allocates once.
        let slots = before.iter().cloned();
        let slots = slots.chain(iter::once(Slot::leaf(hash, entry)));
        self.slots = slots.chain(after.iter().cloned()).collect();
        &mut Arc::make_mut(&mut self.slots)[at]
    }

    /// Removes `key`, which is known to be here. A last leaf left alone is handed up, to stand in
    /// the place of this branch; so the shape depends on the entries, not on their history.
    fn remove<Q>(&mut self, shift: u32, hash: u64, key: &Q) -> Option<Leaf<K, V>>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let at = self.find(shift, hash, key)?;
        if let Slot::Leaf(_) = self.slots[at] {
            if shift < SPENT {
                self.occupied &= !digit(shift, hash);
            }
            let (before, after) = (&self.slots[..at], &self.slots[at + 1..]);
            if let ([Slot::Leaf(last)], []) | ([], [Slot::Leaf(last)]) = (before, after) {
                return Some(last.clone());
            }
            self.slots = before.iter().chain(after).cloned().collect();
            return None;
        }
        let slots = Arc::make_mut(&mut self.slots);
        let alone = slots.len() == 1;
        let Slot::Branch(below) = &mut slots[at] else {
            return None;
        };
        let last = below.remove(shift + BITS, hash, key)?;
        if alone {
            return Some(last);
        }
        slots[at] = Slot::Leaf(last);
        None
    }
}

#[cfg(test)]
impl<K, V> Trie<K, V> {
    /// How many slots there are, and what `value` says of the values in them.
    pub(super) fn weight(&self, value: impl Fn(&V) -> usize) -> usize {
        fn weight<K, V>(slot: &Slot<K, V>, value: &impl Fn(&V) -> usize) -> usize {
            1 + match slot {
                Slot::Leaf(leaf) => value(&leaf.value),
                Slot::Branch(branch) => branch.slots.iter().map(|it| weight(it, value)).sum(),
            }
        }
        self.root.as_ref().map_or(0, |root| weight(root, &value))
    }
}
