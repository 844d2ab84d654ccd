//! Segmented patterns as a tree: one edge a segment, the values of a pattern at its end.
//!
//! A look-up goes through the topic once, segment by segment, with the set of nodes that the
//! segments so far lead to. A node is reached over one edge from one parent, so it is in the set
//! at most once; only the node under a `**` can be reached again and again, and once reached it
//! stays for the rest of the topic, because `**` may swallow whatever comes. Hence a topic of `s`
//! segments in a tree of `n` nodes visits at most `s * n`, whatever the patterns: nothing is tried
//! twice, nothing is taken back, and nothing recurses over the length of a topic or pattern.

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::ptr;
use std::sync::Arc;

use smallvec::SmallVec;

use super::globs::Globs;
use super::trie::Trie;
use super::{Hasher, Values};
use crate::pattern::Segment;

/// A node, and with it all that begins with the segments that lead to it.
pub(super) struct Node<V> {
    literals: Trie<Arc<str>, Arc<Node<V>>>,
    star: Option<Arc<Node<V>>>,
    double_star: Option<Arc<Node<V>>>,
    /// Wildcards inside a segment. Rare, hence apart.
    globs: Option<Arc<Globs<Arc<Node<V>>>>>,
    /// How many children these are together.
    children: usize,
    /// Of the pattern that ends here.
    values: Values<V>,
}

impl<V> Default for Node<V> {
    fn default() -> Self {
        Self {
            literals: Trie::default(),
            star: None,
            double_star: None,
            globs: None,
            children: 0,
            values: Values::default(),
        }
    }
}

impl<V: Clone> Clone for Node<V> {
    fn clone(&self) -> Self {
        Self {
            literals: self.literals.clone(),
            star: self.star.clone(),
            double_star: self.double_star.clone(),
            globs: self.globs.clone(),
            children: self.children,
            values: self.values.clone(),
        }
    }
}

impl<V> Node<V> {
    pub(super) fn is_empty(&self) -> bool {
        self.children == 0 && self.values.is_empty()
    }

    /// The values of exactly the pattern of `segments`.
    pub(super) fn values(&self, hasher: &Hasher, segments: &[Segment]) -> Option<&Values<V>> {
        let mut node = self;
        for segment in segments {
            node = node.child(hasher, segment)?;
        }
        Some(&node.values)
    }

    fn child(&self, hasher: &Hasher, segment: &Segment) -> Option<&Self> {
        let child = match segment {
            Segment::Literal(text) => self.literals.get(hasher.hash_one(text), &**text),
            Segment::Star => self.star.as_ref(),
            Segment::DoubleStar => self.double_star.as_ref(),
            Segment::Glob(glob) => self.globs.as_ref().and_then(|it| it.get(hasher, glob)),
        };
        child.map(|child| &**child)
    }

    /// Calls `found` with the values of every pattern that matches `topic`.
    pub(super) fn walk<'a>(
        &'a self,
        hasher: &Hasher,
        topic: &str,
        found: &mut impl FnMut(&'a Values<V>),
    ) {
        let mut here = SmallVec::<[&Self; INLINE]>::new();
        let mut next = SmallVec::<[&Self; INLINE]>::new();
        let mut resting = Resting::new(hasher);
        here.push(self);
        resting.add_below(self);
        for segment in topic.split('.') {
            // Hashed once for all nodes.
            let hash = hasher.hash_one(segment);
            for node in here.iter().chain(&resting.nodes) {
                node.step(hasher, hash, segment, &mut |child| next.push(child));
            }
            for node in &next {
                resting.add_below(node);
            }
            std::mem::swap(&mut here, &mut next);
            next.clear();
            if here.is_empty() && resting.nodes.is_empty() {
                return;
            }
        }
        let ends = here.iter().chain(&resting.nodes);
        ends.for_each(|node| found(&node.values));
    }

    /// Calls `to` with the children that `segment` leads to, those under `**` aside.
    fn step<'a>(
        &'a self,
        hasher: &Hasher,
        hash: u64,
        segment: &str,
        to: &mut impl FnMut(&'a Self),
    ) {
        #[cfg(test)]
        super::tests::count_visit();
        if let Some(child) = self.literals.get(hash, segment) {
            to(child);
        }
        if let Some(child) = &self.star {
            to(child);
        }
        if let Some(globs) = &self.globs {
            globs.each_match(hasher, segment, &mut |child| to(child));
        }
    }
}

/// As many nodes as usually match at once: no look-up allocates for fewer.
const INLINE: usize = 16;

/// The nodes under a `**` that were reached: each once, in order of arrival.
struct Resting<'a, V> {
    nodes: SmallVec<[&'a Node<V>; INLINE]>,
    /// The same by address, once there are too many to search one by one.
    seen: HashSet<*const Node<V>, Hasher>,
}

impl<'a, V> Resting<'a, V> {
    fn new(hasher: &Hasher) -> Self {
        Self {
            nodes: SmallVec::new(),
            seen: HashSet::with_hasher(hasher.clone()),
        }
    }

    /// `**` may stand for nothing, so who reaches `node` reaches the node under its `**` too.
    fn add_below(&mut self, node: &'a Node<V>) {
        let mut below = node.double_star.as_deref();
        while let Some(node) = below
            && self.add(node)
        {
            below = node.double_star.as_deref();
        }
    }

    fn add(&mut self, node: &'a Node<V>) -> bool {
        let new = if self.nodes.len() < INLINE {
            !self.nodes.iter().any(|other| ptr::eq(*other, node))
        } else {
            if self.seen.is_empty() {
                self.seen
                    .extend(self.nodes.iter().map(|&it| ptr::from_ref(it)));
            }
            self.seen.insert(node)
        };
        if new {
            self.nodes.push(node);
        }
        new
    }
}

impl<V: Clone> Node<V> {
    /// The values of the pattern of `segments`, to be added to.
    pub(super) fn values_mut(&mut self, hasher: &Hasher, segments: &[Segment]) -> &mut Values<V> {
        let mut node = self;
        for segment in segments {
            node = node.child_mut(hasher, segment);
        }
        &mut node.values
    }

    /// Removes one value, and with it the nodes that lead to nothing else.
    ///
    /// What becomes empty hangs from one edge: the first below the last node that has something
    /// else to hold. That is found by reading, so that nothing is copied only to be thrown away.
    pub(super) fn remove(&mut self, hasher: &Hasher, segments: &[Segment], id: u64) -> Option<V> {
        let mut node = &*self;
        let mut cut = 0;
        for (depth, segment) in segments.iter().enumerate() {
            if node.children > 1 || !node.values.is_empty() {
                cut = depth;
            }
            node = node.child(hasher, segment)?;
        }
        let removed = node.values.get(id, &())?.clone();
        if node.children > 0 || !node.values.is_single() {
            self.values_mut(hasher, segments).remove(id, &());
            return Some(removed);
        }
        let mut node = self;
        for segment in &segments[..cut] {
            node = node.child_mut(hasher, segment);
        }
        match segments.get(cut) {
            Some(edge) => node.remove_child(hasher, edge),
            None => node.values = Values::default(),
        }
        Some(removed)
    }

    /// The child behind `segment`, to be changed; made if there is none.
    fn child_mut(&mut self, hasher: &Hasher, segment: &Segment) -> &mut Self {
        let children = &mut self.children;
        let mut new = || {
            *children += 1;
            Arc::default()
        };
        let child = match segment {
            Segment::Literal(text) => {
                let hash = hasher.hash_one(text);
                self.literals
                    .entry(hash, &**text, || (Arc::from(&**text), new()))
            }
            Segment::Star => self.star.get_or_insert_with(new),
            Segment::DoubleStar => self.double_star.get_or_insert_with(new),
            Segment::Glob(glob) => {
                let globs = self.globs.get_or_insert_default();
                Arc::make_mut(globs).entry(hasher, glob, new)
            }
        };
        Arc::make_mut(child)
    }

    /// Removes the child behind `segment`, which is known to be there.
    fn remove_child(&mut self, hasher: &Hasher, segment: &Segment) {
        match segment {
            Segment::Literal(text) => {
                self.literals.remove(hasher.hash_one(text), &**text);
            }
            Segment::Star => self.star = None,
            Segment::DoubleStar => self.double_star = None,
            Segment::Glob(glob) => {
                let globs = Arc::make_mut(self.globs.get_or_insert_default());
                globs.remove(hasher, glob);
                if globs.is_empty() {
                    self.globs = None;
                }
            }
        }
        self.children -= 1;
    }
}

/// A chain of nodes is as long as its pattern, up to 512, and would else be dropped by as many
/// nested calls: too deep for a small stack. So what dies with a node is gathered and dropped in
/// a loop.
///
/// A child that something else still holds is left alone. Should that something let go of it
/// between the look at its count and the drop, the child is dropped here by a nested call, which
/// again loops; so the depth grows by one for each such coincidence, not with the pattern.
impl<V> Drop for Node<V> {
    fn drop(&mut self) {
        let mut dying = Vec::new();
        self.orphan(&mut dying);
        while let Some(node) = dying.pop() {
            if let Some(mut node) = Arc::into_inner(node) {
                node.orphan(&mut dying);
            }
        }
    }
}

impl<V> Node<V> {
    /// Lets go of all children, and keeps in `dying` those that nothing else holds.
    fn orphan(&mut self, dying: &mut Vec<Arc<Self>>) {
        if self.children == 0 {
            return;
        }
        self.children = 0;
        let mut keep = |child: &mut Arc<Self>| {
            if Arc::strong_count(child) == 1 {
                dying.push(Arc::clone(child));
            }
        };
        self.literals.each_unshared(&mut keep);
        self.star.as_mut().map(&mut keep);
        self.double_star.as_mut().map(&mut keep);
        if let Some(globs) = self.globs.as_mut().and_then(Arc::get_mut) {
            globs.each_unshared(&mut keep);
        }
        (self.literals, self.globs) = (Trie::default(), None);
        (self.star, self.double_star) = (None, None);
    }
}

#[cfg(test)]
impl<V> Node<V> {
    pub(super) fn weight(&self) -> usize {
        let children = [&self.star, &self.double_star].into_iter().flatten();
        let globs = self.globs.iter();
        children.map(|it| 1 + it.weight()).sum::<usize>()
            + self.literals.weight(|it| it.weight())
            + globs
                .map(|it| 1 + it.weight(|it| it.weight()))
                .sum::<usize>()
            + self.values.weight(|_| 0)
    }
}
