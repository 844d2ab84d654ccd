//! Who is registered: one snapshot that emits read and that changes replace.
//!
//! # Protocol
//!
//! *Writers* hold the lock, derive a new content from the current one (it is persistent, so that
//! copies a handful of nodes), raise `generation`, publish the content as a new [`Version`] with that
//! number, then let go of the lock. The old version goes back to the writer, who drops it after the
//! lock, since the last reference may free much.
//!
//! *Emits* never take the lock. They load the current version and look their topic up in its route
//! cache; on a miss they resolve it from the content and try to add it. A cache belongs to its
//! version and dies with it, so a route is never older than the content it came from.
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
//! *Two emits add the same topic to the cache.* Each builds an entry; one is swapped in, the other
//! is freed by its maker, who uses the winner's.
//!
//! *The cache is full.* Look-ups go on uncached. After as many misses as the cache has entries, an
//! emit publishes the same content with an empty cache, under the same generation, if it gets the
//! lock at once. So a stream of topics that never return cannot keep out for good those that do.

use std::hash::{BuildHasher, Hasher};

use crate::sync::Ordering::{Acquire, Relaxed, Release};
use crate::sync::{Arc, AtomicU64, AtomicUsize, Mutex, OnceBox, Padded, Snapshot};

/// What a registry holds, and how a topic's route is found in it.
pub(crate) trait Content: Clone {
    /// A checked topic, as routes keep it.
    type Topic: AsRef<str>;
    /// What an emit needs to know of one topic.
    type Route;
    /// Why a text is no topic.
    type Error;

    fn resolve(&self, topic: &str) -> Result<(Self::Topic, Self::Route), Self::Error>;
}

/// One state of the registry; immutable but for its cache.
pub(crate) struct Version<C: Content> {
    generation: u64,
    pub(crate) content: C,
    cache: RouteCache<C>,
}

/// A topic with its route, shared by the cache and by publishers.
pub(crate) struct Resolved<C: Content> {
    pub(crate) topic: C::Topic,
    pub(crate) route: C::Route,
}

/// A route that was found: lent by the version's cache, which spares a reference count, or one's own.
pub(crate) enum Route<'v, C: Content> {
    Cached(&'v Arc<Resolved<C>>),
    Fresh(Arc<Resolved<C>>),
}

impl<C: Content> Route<'_, C> {
    /// A reference that outlives the version.
    pub(crate) fn into_shared(self) -> Arc<Resolved<C>> {
        match self {
            Route::Cached(resolved) => Arc::clone(resolved),
            Route::Fresh(resolved) => resolved,
        }
    }
}

impl<C: Content> std::ops::Deref for Route<'_, C> {
    type Target = Resolved<C>;

    fn deref(&self) -> &Resolved<C> {
        match self {
            Route::Cached(resolved) => resolved,
            Route::Fresh(resolved) => resolved,
        }
    }
}

impl<C: Content> Version<C> {
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
    cache_limit: usize,
    hasher: foldhash::fast::RandomState,
}

impl<C: Content, W> Registry<C, W> {
    pub(crate) fn new(content: C, writer: W, cache_limit: usize) -> Self {
        Registry {
            generation: Padded(AtomicU64::new(0)),
            current: Snapshot::new(Version {
                generation: 0,
                content,
                cache: RouteCache::new(),
            }),
            writer: Mutex::new(writer),
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
            let mut version = Some(Arc::new(Version {
                generation,
                content,
                cache: RouteCache::new(),
            }));
            // Before the swap, whose release makes it known to all who load the new version.
            self.generation.store(generation, Release);
            publish(&mut || {
                if let Some(version) = version.take() {
                    old = Some(self.current.swap(version));
                }
            });
            result
        };
        drop(old);
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
        let mut writer = self.writer.lock();
        let current = self.current.load();
        read(&current.content, &mut writer)
    }

    /// Finds the route of a topic: from the version's cache, else resolved and, if there is room,
    /// added.
    pub(crate) fn route<'v>(
        &self,
        version: &'v Version<C>,
        topic: &str,
    ) -> Result<Route<'v, C>, C::Error> {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(topic.as_bytes());
        let hash = hasher.finish();
        if let Some(resolved) = version.cache.get(hash, topic) {
            return Ok(Route::Cached(resolved));
        }
        let (topic, route) = version.content.resolve(topic)?;
        let resolved = Arc::new(Resolved { topic, route });
        match version.cache.insert(hash, resolved, self.cache_limit) {
            Ok(resolved) => Ok(Route::Cached(resolved)),
            Err(resolved) => {
                self.renew_cache(version);
                Ok(Route::Fresh(resolved))
            }
        }
    }

    #[cold]
    fn renew_cache(&self, version: &Version<C>) {
        // Relaxed: a hint; two emits that both pass it find the second time an empty cache.
        let misses = version.cache.misses.fetch_add(1, Relaxed);
        if self.cache_limit == 0 || misses < self.cache_limit {
            return;
        }
        // Only tried: an emit waits for no change of subscriptions (P1).
        let Some(writer) = self.writer.try_lock() else {
            return;
        };
        let old = {
            let current = self.current.load();
            if current.generation != version.generation
                || current.cache.misses.load(Relaxed) < self.cache_limit
            {
                return;
            }
            self.current.swap(Arc::new(Version {
                generation: current.generation,
                content: current.content.clone(),
                cache: RouteCache::new(),
            }))
        };
        drop(writer);
        drop(old);
    }
}

/// Routes by topic: a hash table that is only added to, without locks, and freed as a whole.
///
/// It grows by levels, each eight times the last, so that a version that few topics are emitted
/// under stays small, and nothing is ever moved. A look-up tries the largest level first.
struct RouteCache<C: Content> {
    levels: [OnceBox<Level<C>>; LEVELS],
    /// Misses since the cache was full.
    misses: AtomicUsize,
}

struct Level<C: Content> {
    buckets: Box<[OnceBox<Entry<C>>]>,
    /// Entries in this level and in those below it.
    len: AtomicUsize,
}

struct Entry<C: Content> {
    hash: u64,
    resolved: Arc<Resolved<C>>,
    next: OnceBox<Entry<C>>,
}

/// Buckets of the first level; the others follow at eight times the one before.
const FIRST_LEVEL: usize = 8;
/// Enough for 2,396,744 entries, far above any sensible limit.
const LEVELS: usize = 7;

impl<C: Content> RouteCache<C> {
    fn new() -> Self {
        RouteCache {
            levels: std::array::from_fn(|_| OnceBox::new()),
            misses: AtomicUsize::new(0),
        }
    }

    fn get(&self, hash: u64, topic: &str) -> Option<&Arc<Resolved<C>>> {
        // Levels fill in order, so the largest that exists holds most entries.
        self.levels.iter().rev().find_map(|level| {
            let level = level.get()?;
            let mut link = &level.buckets[hash as usize & (level.buckets.len() - 1)];
            while let Some(entry) = link.get() {
                if entry.is_for(hash, topic) {
                    return Some(&entry.resolved);
                }
                link = &entry.next;
            }
            None
        })
    }

    /// Adds a route, or finds that another emit has just added the same; hands it back if full.
    fn insert(
        &self,
        hash: u64,
        resolved: Arc<Resolved<C>>,
        limit: usize,
    ) -> Result<&Arc<Resolved<C>>, Arc<Resolved<C>>> {
        let mut room = limit;
        let mut size = FIRST_LEVEL;
        for level in &self.levels {
            if room == 0 {
                break;
            }
            let share = size.min(room);
            let level = level.get_or_init(|| Box::new(Level::new(share.next_power_of_two())));
            // Relaxed: a count for the bound alone; the entries order themselves. Counted before
            // it is added, so that racers together never pass the bound.
            if level.len.load(Relaxed) < share && level.len.fetch_add(1, Relaxed) < share {
                return Ok(level.insert(hash, resolved));
            }
            room -= share;
            size *= 8;
        }
        Err(resolved)
    }
}

impl<C: Content> Level<C> {
    fn new(size: usize) -> Self {
        Level {
            buckets: (0..size).map(|_| OnceBox::new()).collect(),
            len: AtomicUsize::new(0),
        }
    }

    fn insert(&self, hash: u64, resolved: Arc<Resolved<C>>) -> &Arc<Resolved<C>> {
        let topic = Arc::clone(&resolved);
        let mut entry = Some(Box::new(Entry {
            hash,
            resolved,
            next: OnceBox::new(),
        }));
        let mut link = &self.buckets[hash as usize & (self.buckets.len() - 1)];
        loop {
            // A compare-and-swap: it fails when another emit added an entry just here.
            if let Some(new) = entry.take()
                && let Err(back) = link.set(new)
            {
                entry = Some(back);
            }
            match link.get() {
                Some(there) if there.is_for(hash, topic.topic.as_ref()) => return &there.resolved,
                Some(there) => link = &there.next,
                // Set above, if not before.
                None => {}
            }
        }
    }
}

impl<C: Content> Entry<C> {
    fn is_for(&self, hash: u64, topic: &str) -> bool {
        self.hash == hash && self.resolved.topic.as_ref() == topic
    }
}
