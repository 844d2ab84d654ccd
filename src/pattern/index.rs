//! A persistent index from patterns to values: who is asked for by a topic.
//!
//! A bus keeps its subscribers in one, a registry its handlers. It is a value: a clone is a few
//! reference counts, shares all that it can with its original, and is changed by no later change
//! to it. So a reader holds a version and looks up undisturbed, while the writer makes the next.
//!
//! # Structure
//!
//! - Patterns without a wildcard are topics, and stand in a hash map (`exact`).
//! - Segmented patterns stand in a tree over segments (`tree`, see [`tree`]).
//! - Flat patterns stand in a table by what they begin and end with (`flat`, see [`globs`]), as do,
//!   in each node of the tree, segments with wildcards inside.
//! - All of them consist of one persistent map (see [`trie`]), and so do the values of a pattern,
//!   by id: one value stands inline, 100,000 cost no more to change than 100,000 patterns.
//!
//! # Costs
//!
//! A change copies what leads to its place: for 100,000 entries in one map, about five nodes of up
//! to 16 slots. A look-up is one probe of the exact topics, one probe per segment and node that the
//! topic leads to, and one probe per length of prefix (and, where that is found, of suffix) that
//! any flat pattern has. Patterns that do not match cost nothing, except those that begin and end
//! with the same literal text as one that might (`*a*` and `*b*`): these are tried one by one. No
//! set of patterns makes it more than segments times nodes.

mod globs;
mod ids;
mod tree;
mod trie;

#[cfg(test)]
mod tests;

use std::hash::BuildHasher;
use std::sync::Arc;

pub(crate) use self::ids::IdMap;

use self::globs::Globs;
use self::tree::Node;
use self::trie::Trie;
use super::{Pattern, Shape, Syntax};

/// Seeded anew for each index, so that nobody outside can choose texts that collide.
type Hasher = foldhash::fast::RandomState;

/// The values of one pattern by id, which is its own hash.
type Values<V> = Trie<(), V>;

/// The values of the two patterns that match one topic only: equal in meaning, yet not equal.
#[derive(Clone)]
struct Exact<V> {
    segmented: Values<V>,
    flat: Values<V>,
}

impl<V> Default for Exact<V> {
    fn default() -> Self {
        Self {
            segmented: Values::default(),
            flat: Values::default(),
        }
    }
}

impl<V> Exact<V> {
    fn is_single(&self) -> bool {
        let (one, other) = (&self.segmented, &self.flat);
        one.is_single() && other.is_empty() || one.is_empty() && other.is_single()
    }

    fn of(&self, syntax: Syntax) -> &Values<V> {
        match syntax {
            Syntax::Segmented => &self.segmented,
            Syntax::Flat => &self.flat,
        }
    }

    fn of_mut(&mut self, syntax: Syntax) -> &mut Values<V> {
        match syntax {
            Syntax::Segmented => &mut self.segmented,
            Syntax::Flat => &mut self.flat,
        }
    }
}

/// A persistent multimap from patterns to values that are told apart by id.
#[derive(Clone)]
pub(crate) struct Index<V> {
    hasher: Hasher,
    exact: Trie<Arc<str>, Arc<Exact<V>>>,
    tree: Arc<Node<V>>,
    flat: Globs<Values<V>>,
    len: usize,
}

impl<V> Default for Index<V> {
    fn default() -> Self {
        Self {
            hasher: Hasher::default(),
            exact: Trie::default(),
            tree: Arc::default(),
            flat: Globs::default(),
            len: 0,
        }
    }
}

impl<V: Clone> Index<V> {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// How many pairs of pattern and id there are.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds `value`; replaces the one that stands for the same pattern and id.
    pub(crate) fn insert(&mut self, pattern: &Pattern, id: u64, value: V) {
        let hasher = &self.hasher;
        let values = match pattern.shape() {
            Shape::Exact => {
                let topic = pattern.as_str();
                let new = || (Arc::from(topic), Arc::default());
                let exact = self.exact.entry(hasher.hash_one(topic), topic, new);
                Arc::make_mut(exact).of_mut(pattern.syntax())
            }
            Shape::Segments(segments) => Arc::make_mut(&mut self.tree).values_mut(hasher, segments),
            Shape::Flat(glob) => self.flat.entry(hasher, glob, Values::default),
        };
        if values.get(id, &()).is_none() {
            values.entry(id, &(), || ((), value));
            self.len += 1;
        } else if let Some(old) = values.get_mut(id, &()) {
            *old = value;
        }
    }

    /// Removes the value of this pattern and id, and all structure that it leaves empty.
    pub(crate) fn remove(&mut self, pattern: &Pattern, id: u64) -> Option<V> {
        let removed = match pattern.shape() {
            Shape::Exact => self.remove_exact(pattern, id),
            Shape::Segments(segments) => {
                // Looked up first, so that an idle removal copies nothing.
                self.tree.values(&self.hasher, segments)?.get(id, &())?;
                Arc::make_mut(&mut self.tree).remove(&self.hasher, segments, id)
            }
            Shape::Flat(glob) => {
                let values = self.flat.get(&self.hasher, glob)?;
                let removed = values.get(id, &())?.clone();
                if values.is_single() {
                    self.flat.remove(&self.hasher, glob);
                } else {
                    let values = self.flat.entry(&self.hasher, glob, Values::default);
                    values.remove(id, &());
                }
                Some(removed)
            }
        };
        self.len -= usize::from(removed.is_some());
        removed
    }

    fn remove_exact(&mut self, pattern: &Pattern, id: u64) -> Option<V> {
        let (topic, syntax) = (pattern.as_str(), pattern.syntax());
        let hash = self.hasher.hash_one(topic);
        let exact = self.exact.get(hash, topic)?;
        let removed = exact.of(syntax).get(id, &())?.clone();
        if exact.is_single() {
            self.exact.remove(hash, topic);
        } else if let Some(exact) = self.exact.get_mut(hash, topic) {
            Arc::make_mut(exact).of_mut(syntax).remove(id, &());
        }
        Some(removed)
    }

    /// Calls `found` with id and value of every entry whose pattern matches `topic`.
    ///
    /// `topic` is a valid topic. An id comes once for each of its patterns that match, in no
    /// order that means anything; the caller sorts and drops duplicates.
    pub(crate) fn lookup<'a>(&'a self, topic: &str, mut found: impl FnMut(u64, &'a V)) {
        let mut each = |values: &'a Values<V>| values.each(&mut |id, (), value| found(id, value));
        let hash = self.hasher.hash_one(topic);
        if let Some(exact) = self.exact.get(hash, topic) {
            each(&exact.segmented);
            each(&exact.flat);
        }
        if !self.tree.is_empty() {
            self.tree.walk(&self.hasher, topic, &mut each);
        }
        self.flat.each_match(&self.hasher, topic, &mut each);
    }
}

/// What the structure consists of, counted, so that tests see what a removal leaves behind.
#[cfg(test)]
impl<V> Index<V> {
    fn weight(&self) -> usize {
        let exact = |it: &Exact<V>| it.segmented.weight(|_| 0) + it.flat.weight(|_| 0);
        let flat = self.flat.weight(|values| values.weight(|_| 0));
        self.exact.weight(|it| exact(it)) + self.tree.weight() + flat
    }
}
