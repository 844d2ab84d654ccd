//! Patterns with wildcards inside a text: found without trying those that cannot match.
//!
//! A glob such as `user-*-done` begins and ends with literal text, and a text that it matches
//! begins and ends with the same. So globs stand in a table by prefix, then in one by suffix, and
//! what shares both stands in one bucket, which is tried glob by glob. Which prefixes a text has
//! is found by probing with each length that some prefix has, and only those; lengths are few
//! where names are alike. A prefix or suffix that is missing is one of length zero. So nothing is
//! scanned but globs whose literal ends both fit: all of them for `*foo*`, which has none.
//!
//! The same structure serves flat patterns against whole topics, and wildcards inside a segment
//! against segments.

use std::borrow::Borrow;
use std::hash::BuildHasher;
use std::sync::Arc;

use super::Hasher;
use super::trie::Trie;
use crate::pattern::Glob;

/// A persistent multimap from globs to `T`.
#[derive(Clone)]
pub(super) struct Globs<T> {
    prefixes: Affixes<Arc<Affixes<Bucket<T>>>>,
}

/// Globs of equal prefix and suffix.
type Bucket<T> = Trie<Key, T>;

/// Found by its text, and shared by all versions of the bucket.
#[derive(Clone)]
struct Key(Arc<Glob>);

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        self.0.text()
    }
}

impl<T> Default for Globs<T> {
    fn default() -> Self {
        Self {
            prefixes: Affixes::default(),
        }
    }
}

impl<T> Globs<T> {
    pub(super) fn is_empty(&self) -> bool {
        self.prefixes.is_empty()
    }

    pub(super) fn get(&self, hasher: &Hasher, glob: &Glob) -> Option<&T> {
        let suffixes = self.prefixes.get(hasher, glob.prefix())?;
        let bucket = suffixes.get(hasher, glob.suffix())?;
        bucket.get(hasher.hash_one(glob.text()), glob.text())
    }

    /// Calls `found` for every glob that matches the whole of `text`.
    pub(super) fn each_match<'a>(
        &'a self,
        hasher: &Hasher,
        text: &str,
        found: &mut impl FnMut(&'a T),
    ) {
        // A cut inside of a character gives nothing, and rightly: no prefix ends there.
        let prefix = |length| text.get(..length);
        self.prefixes
            .probe(hasher, prefix, &mut |length, suffixes| {
                // Prefix and suffix of a glob stand apart, so they do in what it matches.
                let rest = &text[length..];
                let suffix = |length| rest.get(rest.len().checked_sub(length)?..);
                suffixes.probe(hasher, suffix, &mut |_, bucket| {
                    bucket.each(&mut |_, glob, value| {
                        #[cfg(test)]
                        super::tests::count_visit();
                        if glob.0.matches(text) {
                            found(value);
                        }
                    });
                });
            });
    }

    /// Calls `entry` with the values that die with this map.
    pub(super) fn each_unshared(&mut self, entry: &mut impl FnMut(&mut T)) {
        self.prefixes.each_unshared(&mut |suffixes| {
            if let Some(suffixes) = Arc::get_mut(suffixes) {
                suffixes.each_unshared(&mut |bucket| bucket.each_unshared(entry));
            }
        });
    }
}

impl<T: Clone> Globs<T> {
    /// The value of `glob`, to be changed; `make` makes it if there is none.
    pub(super) fn entry(
        &mut self,
        hasher: &Hasher,
        glob: &Glob,
        make: impl FnOnce() -> T,
    ) -> &mut T {
        let suffixes = Arc::make_mut(self.prefixes.entry(hasher, glob.prefix()));
        let bucket = suffixes.entry(hasher, glob.suffix());
        let hash = hasher.hash_one(glob.text());
        bucket.entry(hash, glob.text(), || (Key(Arc::new(glob.clone())), make()))
    }

    /// Removes `glob`, which is known to be here, and the tables that it leaves empty.
    pub(super) fn remove(&mut self, hasher: &Hasher, glob: &Glob) {
        let suffixes = Arc::make_mut(self.prefixes.entry(hasher, glob.prefix()));
        let bucket = suffixes.entry(hasher, glob.suffix());
        bucket.remove(hasher.hash_one(glob.text()), glob.text());
        if bucket.is_empty() {
            suffixes.remove(hasher, glob.suffix());
        }
        if suffixes.is_empty() {
            self.prefixes.remove(hasher, glob.prefix());
        }
    }
}

/// Values by literal text, and the texts by length, so that the lengths in use are known.
#[derive(Clone)]
struct Affixes<T> {
    /// The length is its own hash.
    lengths: Trie<(), Trie<Arc<str>, T>>,
}

impl<T> Default for Affixes<T> {
    fn default() -> Self {
        Self {
            lengths: Trie::default(),
        }
    }
}

impl<T> Affixes<T> {
    fn is_empty(&self) -> bool {
        self.lengths.is_empty()
    }

    fn get(&self, hasher: &Hasher, affix: &str) -> Option<&T> {
        let affixes = self.lengths.get(affix.len() as u64, &())?;
        affixes.get(hasher.hash_one(affix), affix)
    }

    /// Calls `found` for every affix here that `cut`, given its length, cuts out of some text.
    fn probe<'a, 't>(
        &'a self,
        hasher: &Hasher,
        cut: impl Fn(usize) -> Option<&'t str>,
        found: &mut impl FnMut(usize, &'a T),
    ) {
        self.lengths.each(&mut |length, (), affixes| {
            let length = length as usize;
            if let Some(affix) = cut(length)
                && let Some(value) = affixes.get(hasher.hash_one(affix), affix)
            {
                found(length, value);
            }
        });
    }

    fn each_unshared(&mut self, entry: &mut impl FnMut(&mut T)) {
        self.lengths
            .each_unshared(&mut |affixes| affixes.each_unshared(entry));
    }
}

impl<T: Clone + Default> Affixes<T> {
    fn entry(&mut self, hasher: &Hasher, affix: &str) -> &mut T {
        let affixes = self
            .lengths
            .entry(affix.len() as u64, &(), || ((), Trie::default()));
        let hash = hasher.hash_one(affix);
        affixes.entry(hash, affix, || (Arc::from(affix), T::default()))
    }

    fn remove(&mut self, hasher: &Hasher, affix: &str) {
        let length = affix.len() as u64;
        let Some(affixes) = self.lengths.get_mut(length, &()) else {
            return;
        };
        affixes.remove(hasher.hash_one(affix), affix);
        if affixes.is_empty() {
            self.lengths.remove(length, &());
        }
    }
}

#[cfg(test)]
impl<T> Globs<T> {
    pub(super) fn weight(&self, value: impl Fn(&T) -> usize) -> usize {
        let bucket = |it: &Bucket<T>| it.weight(&value);
        let suffixes = |it: &Affixes<Bucket<T>>| it.lengths.weight(|it| it.weight(bucket));
        let lengths = &self.prefixes.lengths;
        lengths.weight(|it| it.weight(|it| suffixes(it)))
    }
}
