//! A persistent map from ids to values: who is listed, beside what they asked for.

use super::trie::Trie;

/// A persistent map by id, which is its own hash; clones share what does not change.
#[derive(Clone)]
pub(crate) struct IdMap<V> {
    values: Trie<(), V>,
    len: usize,
}

impl<V> IdMap<V> {
    pub(crate) fn new() -> Self {
        IdMap {
            values: Trie::default(),
            len: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn get(&self, id: u64) -> Option<&V> {
        self.values.get(id, &())
    }

    /// All values, ordered by id.
    pub(crate) fn sorted(&self) -> Vec<&V> {
        let mut all = Vec::with_capacity(self.len);
        self.values.each(&mut |id, (), value| all.push((id, value)));
        all.sort_unstable_by_key(|(id, _)| *id);
        all.into_iter().map(|(_, value)| value).collect()
    }
}

impl<V: Clone> IdMap<V> {
    /// Adds a value, or replaces the one of this id.
    pub(crate) fn insert(&mut self, id: u64, value: V) {
        if let Some(there) = self.values.get_mut(id, &()) {
            *there = value;
            return;
        }
        self.values.entry(id, &(), || ((), value));
        self.len += 1;
    }

    /// Removes and returns the value of this id.
    pub(crate) fn remove(&mut self, id: u64) -> Option<V> {
        let value = self.values.get(id, &())?.clone();
        self.values.remove(id, &());
        self.len -= 1;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_does_not_see_what_comes_later() {
        let mut map = IdMap::new();
        for id in (0..1_000).rev() {
            map.insert(id, id * 2);
        }
        let before = map.clone();
        assert_eq!(map.remove(7), Some(14));
        assert_eq!(map.remove(7), None);
        map.insert(8, 0);
        assert_eq!((map.len(), map.get(7), map.get(8)), (999, None, Some(&0)));
        assert_eq!((before.len(), before.get(7)), (1_000, Some(&14)));
        assert!(
            before
                .sorted()
                .into_iter()
                .copied()
                .eq((0..1_000).map(|id| id * 2))
        );
    }
}
