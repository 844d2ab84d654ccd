//! Who is registered: one snapshot that emits read and that changes replace.
//!
//! # Protocol
//!
//! *Writers* hold the lock, derive a new content from the current one (it is persistent, so that
//! copies a handful of nodes), raise `generation`, publish the content as a new [`Version`] with that
//! number, then let go of the lock. The old version goes back to the writer, who drops it after the
//! lock, since the last reference may free much. If an emit still holds it, it goes onto a list
//! instead ([`retired`]), whose reference outlives that emit's: so the last is never an emit's.
//!
//! *Emits* never take the lock. They load the current version and look their topic up in its route
//! cache ([`cache`]); on a miss they resolve it from the content and try to add it. A cache belongs to
//! its version, so a route is never older than the content it came from. Topics with the same
//! listeners share one route ([`known`]).
//!
//! *Publishers* keep a route with the generation of the version it came from, and compare that with
//! `generation`: one load instead of a snapshot. `generation` is raised before the version is
//! published, and a change returns after both. So whoever began to emit after a change returned (and
//! knows it, by whatever made the two ordered) reads the new generation, and then the new version or
//! a newer one (P2). And whoever has once seen the new version finds every older route stale: for
//! one thread a change does not come and go, however it mixes publishers and snapshots.
//!
//! # The races, by case
//!
//! *Two writers.* One lock; none derives from a content that the other replaces.
//!
//! *A publisher between generation and version.* It sees the new generation, resolves anew, and takes
//! the old version with the old number: the change has not returned yet, so the emit did not begin
//! after it. The number is not the newest, so its next emit resolves once more.
//!
//! *Two emits add the same topic to the cache.* Each fills an entry; one is published, and the other's
//! maker uses that one, while its own stays unused.
//!
//! *The cache is full.* Look-ups go on uncached. After as many misses as the cache has entries, an
//! emit publishes the same content with an empty cache, under the same generation, if it gets the
//! locks at once. So a stream of topics that never return cannot keep out for good those that do. The
//! full cache goes onto the list; each later miss of an emit of that generation, which holds the same
//! content, frees a few of its entries, if it gets the lock at once.
//!
//! *A writer and an emit that ends.* The writer has swapped, and looks whether it has the last
//! reference: every emit that had loaded the version is counted since the swap. If one is left, the
//! writer's own goes onto the list before it is given up, so there is one at every moment.
//!
//! *Locks.* Who holds the writer's lock may take the list's, never the other way round.

mod cache;
mod known;
mod retired;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, Hasher};

use self::cache::RouteCache;
pub(crate) use self::known::Known;
use self::retired::Retired;
use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{Arc, AtomicBool, AtomicU64, Mutex, Padded, Snapshot};

/// What a registry holds, and how a topic's route is found in it.
pub(crate) trait Content: Clone {
    /// A checked topic, as routes keep it.
    type Topic: AsRef<str>;
    /// What an emit needs to know of one topic.
    type Route;
    /// Why a text is no topic.
    type Error;

    /// Checks a text and finds its route: one of those that are known, if it is the same.
    fn resolve(
        &self,
        topic: &str,
        known: &Known<Self::Route>,
    ) -> Result<Resolved<Self>, Self::Error>;
}

/// One state of the registry; immutable but for what it remembers.
pub(crate) struct Version<C: Content> {
    generation: u64,
    pub(crate) content: C,
    known: Known<C::Route>,
    cache: RouteCache<C>,
}

/// A topic with its route.
pub(crate) struct Resolved<C: Content> {
    pub(crate) topic: C::Topic,
    pub(crate) route: Arc<C::Route>,
}

/// A route that was found: lent by the version's cache, which spares a reference count, or one's own.
pub(crate) enum Found<'v, C: Content> {
    Cached(&'v Resolved<C>),
    Fresh(Resolved<C>),
}

impl<C: Content> std::ops::Deref for Found<'_, C> {
    type Target = Resolved<C>;

    #[inline]
    fn deref(&self) -> &Resolved<C> {
        match self {
            Found::Cached(resolved) => resolved,
            Found::Fresh(resolved) => resolved,
        }
    }
}

impl<C: Content> Version<C> {
    fn new(generation: u64, content: C) -> Self {
        Version {
            generation,
            content,
            known: Known::new(),
            cache: RouteCache::new(),
        }
    }

    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }
}

/// The snapshot, its writer's lock, and what only writers need (`W`).
pub(crate) struct Registry<C: Content, W> {
    /// Read by every publisher before every emit, written at every change.
    generation: Padded<AtomicU64>,
    current: Snapshot<Version<C>>,
    writer: Mutex<W>,
    retired: Mutex<Retired<C>>,
    /// There may be a cache among the retired that became full, and that misses are to free.
    outgrown: AtomicBool,
    cache_limit: usize,
    hasher: foldhash::fast::RandomState,
}

impl<C: Content, W> Registry<C, W> {
    pub(crate) fn new(content: C, writer: W, cache_limit: usize) -> Self {
        Registry {
            generation: Padded(AtomicU64::new(0)),
            current: Snapshot::new(Version::new(0, content)),
            writer: Mutex::new(writer),
            retired: Mutex::new(Retired::new()),
            outgrown: AtomicBool::new(false),
            cache_limit,
            hasher: foldhash::fast::RandomState::default(),
        }
    }

    /// The state as it is now, whole, for as long as the guard lives.
    pub(crate) fn load(&self) -> impl std::ops::Deref<Target = Arc<Version<C>>> {
        self.current.load()
    }

    /// The number of the newest change that has been published, or is about to be.
    #[inline]
    pub(crate) fn generation(&self) -> u64 {
        // Acquire: what is loaded after it is no older than what the number was raised after.
        self.generation.load(Acquire)
    }

    /// Changes the content, or leaves it as it is when `change` fails.
    ///
    /// `publish` is called with the new version's storing as its argument; most pass `|store| store()`.
    /// One that must do something in the same moment as the change wraps a lock around it.
    pub(crate) fn update_with<R, E>(
        &self,
        change: impl FnOnce(&mut C, &mut W) -> Result<R, E>,
        publish: impl FnOnce(&mut dyn FnMut()),
    ) -> Result<R, E> {
        let mut old = None;
        let result = {
            let mut writer = self.writer.lock();
            let mut content = self.current.load().content.clone();
            let result = change(&mut content, &mut writer)?;
            // Relaxed: only writers write it, under this lock.
            let generation = self.generation.load(Relaxed) + 1;
            let mut version = Some(Arc::new(Version::new(generation, content)));
            // Before the swap, whose release makes it known to all who load the new version.
            self.generation.store(generation, Release);
            publish(&mut || {
                if let Some(version) = version.take() {
                    old = Some(self.current.swap(version));
                }
            });
            result
        };
        if let Some(mut old) = old {
            // Proves that no emit holds it; then it is dropped right here.
            if Arc::get_mut(&mut old).is_none() {
                self.retired.lock().add_version(old);
            }
        }
        self.sweep();
        Ok(result)
    }

    /// [`update_with`](Registry::update_with), with nothing else in the same moment.
    pub(crate) fn update<R, E>(
        &self,
        change: impl FnOnce(&mut C, &mut W) -> Result<R, E>,
    ) -> Result<R, E> {
        self.update_with(change, |store| store())
    }

    /// Reads content and writer's state together, with no change in between.
    pub(crate) fn frozen<R>(&self, read: impl FnOnce(&C, &mut W) -> R) -> R {
        let result = {
            let mut writer = self.writer.lock();
            let current = self.current.load();
            read(&current.content, &mut writer)
        };
        self.sweep();
        result
    }

    /// Frees what was retired and nobody holds any more.
    pub(crate) fn sweep(&self) {
        // Taken out under the lock, and dropped after it.
        let unheld = self.retired.lock().sweep();
        drop(unheld);
    }

    /// Takes a route that a publisher has no more use for, so that no emit frees it; unless somebody
    /// is just passing through the list, for whom an emit does not wait.
    pub(crate) fn retire(&self, route: Arc<C::Route>) {
        if let Some(mut retired) = self.retired.try_lock() {
            retired.add_route(route);
        }
    }

    /// The route of a topic that the version remembers. By itself, as an emit asks for it first, and
    /// one word stays in a register where the result of [`route`](Registry::route) goes through memory.
    #[inline]
    pub(crate) fn remembered<'v>(
        &self,
        version: &'v Version<C>,
        topic: &str,
    ) -> Option<&'v Resolved<C>> {
        version.cache.get(self.hash(topic), topic)
    }

    /// The topics that the version remembers, some perhaps twice; `limit` of them at most.
    pub(crate) fn known_topics(&self, version: &Version<C>, limit: usize) -> Vec<C::Topic>
    where
        C::Topic: Clone,
    {
        let topics = version.cache.entries().map(|entry| entry.topic.clone());
        topics.take(limit).collect()
    }

    #[inline]
    fn hash(&self, topic: &str) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(topic.as_bytes());
        hasher.finish()
    }

    /// Finds the route of a topic: from the version's cache, else resolved and, if there is room,
    /// added.
    #[inline]
    pub(crate) fn route<'v>(
        &self,
        version: &'v Version<C>,
        topic: &str,
    ) -> Result<Found<'v, C>, C::Error> {
        let hash = self.hash(topic);
        match version.cache.get(hash, topic) {
            Some(resolved) => Ok(Found::Cached(resolved)),
            None => self.resolve(version, hash, topic),
        }
    }

    #[cold]
    fn resolve<'v>(
        &self,
        version: &'v Version<C>,
        hash: u64,
        topic: &str,
    ) -> Result<Found<'v, C>, C::Error> {
        let resolved = version.content.resolve(topic, &version.known)?;
        let found = match version.cache.insert(hash, resolved, self.cache_limit) {
            Ok(resolved) => Found::Cached(resolved),
            Err(resolved) => {
                self.renew_cache(version);
                Found::Fresh(resolved)
            }
        };
        self.free_a_little(version);
        Ok(found)
    }

    fn renew_cache(&self, version: &Version<C>) {
        // Relaxed: a hint; two emits that both pass it find the second time an empty cache.
        if self.cache_limit == 0 || version.cache.misses.fetch_add(1, Relaxed) < self.cache_limit {
            return;
        }
        // Only tried: an emit waits for no change of subscriptions (P1).
        let Some(_writer) = self.writer.try_lock() else {
            return;
        };
        let Some(mut retired) = self.retired.try_lock() else {
            return;
        };
        let current = self.current.load();
        if current.generation != version.generation
            || current.cache.misses.load(Relaxed) < self.cache_limit
            || retired.has_outgrown(version.generation)
        {
            return;
        }
        let renewed = Version::new(current.generation, current.content.clone());
        drop(current);
        retired.add_version(self.current.swap(Arc::new(renewed)));
        // Relaxed: a hint; what it is about is under the lock.
        self.outgrown.store(true, Relaxed);
    }

    /// Frees a few entries of a cache that became full.
    fn free_a_little(&self, version: &Version<C>) {
        // Relaxed: a hint, as above.
        if !self.outgrown.load(Relaxed) {
            return;
        }
        let Some(mut retired) = self.retired.try_lock() else {
            return;
        };
        let generation = self.generation();
        // An emit from before a change leaves caches from after it alone: the next change may come before
        // it has dropped what it took, which would then be the last to hold what that one replaced.
        if generation != version.generation {
            return;
        }
        let unheld = retired.take_a_little(generation);
        if unheld.is_none() && !retired.awaits(generation) {
            self.outgrown.store(false, Relaxed);
        }
        drop(retired);
        drop(unheld);
    }
}
