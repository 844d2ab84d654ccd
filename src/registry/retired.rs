//! What changes have replaced, and emits may still hold.
//!
//! Freeing a version can take milliseconds: its cache holds as many entries as there were topics.
//! So the list here holds a reference to each replaced version beside those of emits, and an emit's is
//! never the last one. Those that nobody else holds any more are taken out, and dropped after the
//! lock, by whoever can bear it: the next change of subscriptions, and whatever else takes the
//! writer's lock to read (statistics, a publisher that is made or dropped). No code of a user's runs
//! under this lock, and nobody holds it for longer than it takes to pass through the list.
//!
//! A cache that only became full is replaced by an emit, and there may never be another change. So
//! later misses free it, a few entries at a time.
//!
//! *The bound.* A version stays after a sweep only if an emit holds it, or the sweep itself made it
//! known: so there are at most as many as there were emits in flight at the last change. Caches that
//! became full since then are held by emits in flight too, but for one: the cache is not
//! renewed again before the last that nobody holds has been freed. Publishers, and emits that wait for
//! room, add at most one route each between two changes: one that was resolved before the last.

use smallvec::SmallVec;

use super::cache::{Arena, Chunk};
use super::{Content, Version};
use crate::sync::{Arc, OnceBox};

pub(super) struct Retired<C: Content> {
    versions: Vec<Arc<Version<C>>>,
    /// What publishers resolved before the last change.
    /// A few of them without an allocation, which would be an emit's.
    routes: SmallVec<[Arc<C::Route>; 8]>,
    /// Entries of a cache that became full, and that nobody holds.
    dying: Vec<Dying<C>>,
}

struct Dying<C: Content> {
    generation: u64,
    arena: Arena<C>,
    /// The first chunk that is not freed yet.
    next: usize,
}

/// Taken out, to be dropped after the lock.
#[expect(dead_code, reason = "it is for its destructor")]
pub(super) enum Unheld<C: Content> {
    Version(Version<C>),
    Chunk(OnceBox<Chunk<C>>),
    Arena(Arena<C>),
}

impl<C: Content> Retired<C> {
    pub(super) fn new() -> Self {
        Retired {
            versions: Vec::new(),
            routes: SmallVec::new(),
            dying: Vec::new(),
        }
    }

    pub(super) fn add_version(&mut self, version: Arc<Version<C>>) {
        self.versions.push(version);
    }

    pub(super) fn add_route(&mut self, route: Arc<C::Route>) {
        self.routes.push(route);
    }

    /// Leaves here only what somebody else holds; hands out the rest.
    pub(super) fn sweep(&mut self) -> Self {
        Retired {
            versions: self.versions.extract_if(.., is_unheld).collect(),
            // All of them: what a version or a publisher still holds goes with that.
            routes: std::mem::take(&mut self.routes),
            dying: std::mem::take(&mut self.dying),
        }
    }

    /// Whether there is a cache that became full in this generation, and that nobody holds.
    pub(super) fn has_outgrown(&mut self, generation: u64) -> bool {
        !self.dying.is_empty() || self.outgrown(generation).is_some()
    }

    /// Takes out a little of such a cache.
    ///
    /// Of this generation only: another's content may be the last to hold what a change replaced,
    /// while that of this one is still in use, at least by the emit that asks, so that dropping it
    /// frees next to nothing.
    pub(super) fn take_a_little(&mut self, generation: u64) -> Option<Unheld<C>> {
        if let Some(dying) = self.dying.last_mut() {
            // Else a change is about to take it.
            if dying.generation != generation {
                return None;
            }
            // Its cache is not gone yet: it is being dropped right now.
            let arena = Arc::get_mut(&mut dying.arena)?;
            return match arena.get_mut(dying.next) {
                Some(chunk) if chunk.get().is_some() => {
                    dying.next += 1;
                    Some(Unheld::Chunk(std::mem::take(chunk)))
                }
                // They are filled in order.
                _ => self.dying.pop().map(|dying| Unheld::Arena(dying.arena)),
            };
        }
        let place = self.outgrown(generation)?;
        let version = Arc::into_inner(self.versions.swap_remove(place))?;
        let arenas = version.cache.arenas().into_iter();
        let dying = arenas.map(|arena| Dying {
            generation,
            arena,
            next: 0,
        });
        self.dying = dying.collect();
        Some(Unheld::Version(version))
    }

    /// Whether there is, or may later be, more to take.
    pub(super) fn awaits(&self, generation: u64) -> bool {
        let mut versions = self.versions.iter();
        !self.dying.is_empty() || versions.any(|version| version.generation == generation)
    }

    /// Versions, and caches that are being freed.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.versions.len() + usize::from(!self.dying.is_empty())
    }

    fn outgrown(&mut self, generation: u64) -> Option<usize> {
        self.versions
            .iter_mut()
            .position(|version| version.generation == generation && is_unheld(version))
    }
}

/// Whether this is the last reference. Once it is, it stays so: only the snapshot gave out others, and
/// what it gave out is counted from the swap on.
fn is_unheld<V>(version: &mut Arc<V>) -> bool {
    Arc::get_mut(version).is_some()
}
