//! Models of `src/registry.rs` and its files.

use std::cell::Cell;
use std::convert::Infallible;
use std::sync::Arc;

use loom::alloc::Track;
use loom::cell::UnsafeCell;
use loom::thread::{self, JoinHandle};

use super::models;
use crate::registry::{Content, Found, Known, Registry, Resolved};
use crate::sync::{self, AtomicU32, Ordering, watch_handles, watching};

// With a number: so many preemptions fewer.
models![
    two_changes_at_once_are_both_kept,
    who_knows_of_a_change_sees_it,
    who_has_seen_a_change_finds_older_routes_stale,
    a_publisher_between_generation_and_version_resolves_again,
    a_route_is_never_older_than_its_version,
    two_emits_that_add_one_topic_share_an_entry_or_use_their_own,
    two_emits_that_meet_at_one_word_are_both_found,
    the_last_entry_is_given_to_one,
    two_emits_that_make_a_level_are_both_found,
    an_emit_is_never_the_last_to_hold_what_a_change_replaced,
    an_emit_does_not_free_the_full_cache_that_another_replaced,
    who_frees_a_full_cache_leaves_what_a_change_replaced,
    an_emit_frees_no_full_cache_of_a_change_that_came_after_it,
    an_emit_frees_no_rest_of_a_full_cache_that_a_change_replaced,
    renewing_the_cache_beside_a_change_keeps_the_change,
];

/// What a change replaces. It is read by those who have a route to it, and written when it is freed:
/// loom finds both at once. `Track` finds one that is never freed.
struct Listeners {
    /// Which changes there have been.
    changes: u64,
    cell: UnsafeCell<bool>,
    _leak: Track<()>,
}

impl Listeners {
    fn new(changes: u64) -> Self {
        Listeners {
            changes,
            cell: UnsafeCell::new(true),
            _leak: Track::new(()),
        }
    }

    fn read(&self) {
        // SAFETY: only the destructor writes; whether that is ever at once is what loom checks.
        assert!(self.cell.with(|there| unsafe { *there }));
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        // SAFETY: `&mut self`.
        self.cell.with_mut(|there| unsafe { *there = false });
        assert!(!is_emit(), "freed by an emit");
    }
}

loom::thread_local! {
    // Whether this thread is an emit, which must not free what a change replaced.
    static EMIT: Cell<bool> = Cell::new(false);
    // How many topics it has freed.
    static FREED: Cell<usize> = Cell::new(0);
}

fn is_emit() -> bool {
    EMIT.try_with(Cell::get).unwrap_or(false)
}

/// Routes all topics to the same listeners.
#[derive(Clone)]
struct Routes(sync::Arc<Listeners>);

/// A topic that an emit adds, and others read. Its text is read with its listeners.
struct Topic(String, UnsafeCell<bool>);

impl Topic {
    fn new(text: &str) -> Self {
        Topic(text.to_owned(), UnsafeCell::new(true))
    }
}

impl AsRef<str> for Topic {
    fn as_ref(&self) -> &str {
        // SAFETY: as with listeners.
        assert!(self.1.with(|there| unsafe { *there }));
        &self.0
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // SAFETY: `&mut self`.
        self.1.with_mut(|there| unsafe { *there = false });
        // None is left where a thread has ended.
        let _ = FREED.try_with(|freed| freed.set(freed.get() + 1));
    }
}

impl Content for Routes {
    type Topic = Topic;
    type Route = sync::Arc<Listeners>;
    type Error = Infallible;

    fn resolve(
        &self,
        topic: &str,
        known: &Known<Self::Route>,
    ) -> Result<Resolved<Self>, Infallible> {
        self.0.read();
        let is_it = |route: &Self::Route| route.changes == self.0.changes;
        let route = known.shared(0, is_it, || sync::Arc::clone(&self.0));
        let topic = Topic::new(topic);
        Ok(Resolved { topic, route })
    }
}

type Rig = Arc<Registry<Routes, u64>>;

/// With its generation and the counters of the first cache watched.
fn watched(limit: usize) -> Rig {
    watching(|| rig(limit))
}

fn rig(limit: usize) -> Rig {
    watch_handles();
    let listeners = sync::Arc::new(Listeners::new(0));
    Arc::new(Registry::new(Routes(listeners), 0, limit))
}

/// Adds a change to those before it.
fn change(rig: &Rig, bit: u64) {
    let Ok(()) = rig.update(|content, all| {
        *all |= bit;
        content.0 = sync::Arc::new(Listeners::new(content.0.changes | bit));
        Ok::<_, Infallible>(())
    });
}

fn changer(rig: &Rig, bit: u64) -> JoinHandle<()> {
    let rig = Arc::clone(rig);
    thread::spawn(move || change(&rig, bit))
}

/// What changes an emit finds, and whether the route is one that stays in the cache.
fn look_up(rig: &Rig, topic: &str) -> (u64, bool) {
    let version = rig.load();
    let Ok(found) = rig.route(&version, topic);
    assert_eq!(found.topic.as_ref(), topic);
    found.route.read();
    assert_eq!(found.route.changes, version.content.0.changes);
    (found.route.changes, matches!(found, Found::Cached(_)))
}

fn is_remembered(rig: &Rig, topic: &str) -> bool {
    let version = rig.load();
    let remembered = rig.remembered(&version, topic);
    remembered.is_some_and(|found| found.topic.as_ref() == topic)
}

/// An emit in a thread of its own, which must not free any listeners.
fn emit(rig: &Rig, emit: impl FnOnce(&Rig) + 'static) -> JoinHandle<()> {
    let rig = Arc::clone(rig);
    thread::spawn(move || {
        EMIT.with(|is_emit| is_emit.set(true));
        emit(&rig);
        // What a thread keeps goes with it; the registry does not.
        EMIT.with(|is_emit| is_emit.set(false));
    })
}

/// As `bus/publisher.rs` has it.
struct Publisher {
    rig: Rig,
    kept: Option<(u64, sync::Arc<sync::Arc<Listeners>>)>,
}

impl Publisher {
    fn new(rig: &Rig) -> Self {
        let rig = Arc::clone(rig);
        Publisher { rig, kept: None }
    }

    /// What changes it emits to.
    fn emit(&mut self) -> u64 {
        let generation = self.rig.generation();
        if self.kept.as_ref().is_none_or(|kept| kept.0 != generation) {
            let version = self.rig.load();
            let Ok(found) = self.rig.route(&version, "a");
            let new = (version.generation(), sync::Arc::clone(&found.route));
            if let Some((_, stale)) = self.kept.replace(new) {
                self.rig.retire(stale);
            }
        }
        let (_, route) = self.kept.as_ref().expect("there is one by now");
        route.read();
        route.changes
    }
}

fn two_changes_at_once_are_both_kept() {
    let rig = watched(0);
    let other = changer(&rig, 1);
    change(&rig, 2);
    other.join().unwrap();
    let version = rig.load();
    assert_eq!(version.content.0.changes, 3);
    assert_eq!((version.generation(), rig.generation()), (2, 2));
    rig.frozen(|content, all| assert_eq!((content.0.changes, *all), (3, 3)));
}

fn who_knows_of_a_change_sees_it() {
    let rig = watched(8);
    let told = Arc::new(AtomicU32::new(0));
    let mut publisher = Publisher::new(&rig);
    publisher.emit();
    let changer = {
        let (rig, told) = (Arc::clone(&rig), Arc::clone(&told));
        thread::spawn(move || {
            change(&rig, 1);
            told.store(1, Ordering::Release);
        })
    };
    if told.load(Ordering::Acquire) == 1 {
        assert_eq!(publisher.emit(), 1);
        assert_eq!(look_up(&rig, "a").0, 1);
    }
    changer.join().unwrap();
}

fn who_has_seen_a_change_finds_older_routes_stale() {
    let rig = watched(8);
    let mut publisher = Publisher::new(&rig);
    publisher.emit();
    let changer = changer(&rig, 1);
    let seen = look_up(&rig, "a").0;
    assert!(publisher.emit() >= seen, "a change came, and went");
    changer.join().unwrap();
}

fn a_publisher_between_generation_and_version_resolves_again() {
    let rig = watched(8);
    let mut publisher = Publisher::new(&rig);
    publisher.emit();
    let changer = changer(&rig, 1);
    // It may find the new number and the old version.
    publisher.emit();
    changer.join().unwrap();
    assert_eq!(publisher.emit(), 1, "kept for good");
}

fn a_route_is_never_older_than_its_version() {
    let rig = watched(8);
    let changer = changer(&rig, 1);
    // Each look-up compares the two.
    let first = look_up(&rig, "a").0;
    let second = look_up(&rig, "a").0;
    assert!(second >= first);
    changer.join().unwrap();
    assert_eq!(look_up(&rig, "a").0, 1);
}

fn two_emits_that_add_one_topic_share_an_entry_or_use_their_own() {
    let rig = watched(8);
    let entry = |rig: &Rig| {
        let version = rig.load();
        let Ok(Found::Cached(found)) = rig.route(&version, "a") else {
            panic!("there is room");
        };
        assert_eq!(found.topic.as_ref(), "a");
        found.route.read();
        std::ptr::from_ref(found) as usize
    };
    let theirs = Arc::clone(&rig);
    let other = thread::spawn(move || entry(&theirs));
    let mine = entry(&rig);
    // Whoever came second: the entry that was published is the one that both have.
    assert_eq!(mine, other.join().unwrap());
    assert_eq!(mine, entry(&rig));
}

fn two_emits_that_meet_at_one_word_are_both_found() {
    let rig = watched(8);
    let other = emit(&rig, |rig| assert!(look_up(rig, "a").1));
    // Sixteen words: it points to the same one as the other.
    assert!(look_up(&rig, "q").1);
    other.join().unwrap();
    assert!(is_remembered(&rig, "a") && is_remembered(&rig, "q"));
}

fn the_last_entry_is_given_to_one() {
    let rig = watched(1);
    let theirs = Arc::clone(&rig);
    let other = thread::spawn(move || look_up(&theirs, "a").1);
    let mine = look_up(&rig, "b").1;
    assert!(mine != other.join().unwrap());
    assert!(is_remembered(&rig, "a") != is_remembered(&rig, "b"));
}

fn two_emits_that_make_a_level_are_both_found() {
    let rig = watched(10);
    // In the library's order they come to the first level, and it is full.
    ["1", "2", "3", "4", "5", "6", "7", "8"]
        .iter()
        .for_each(|topic| assert!(look_up(&rig, topic).1));
    let other = emit(&rig, |rig| assert!(look_up(rig, "a").1));
    assert!(look_up(&rig, "e").1);
    other.join().unwrap();
    assert!(is_remembered(&rig, "a") && is_remembered(&rig, "e"));
    assert!(!look_up(&rig, "i").1, "more than there is room for");
}

fn an_emit_is_never_the_last_to_hold_what_a_change_replaced() {
    let rig = rig(8);
    let emit = emit(&rig, |rig| {
        let version = rig.load();
        let Ok(found) = rig.route(&version, "a");
        found.route.read();
    });
    change(&rig, 1);
    emit.join().unwrap();
}

fn an_emit_does_not_free_the_full_cache_that_another_replaced() {
    let rig = rig(1);
    look_up(&rig, "a");
    look_up(&rig, "b");
    let other = emit(&rig, |rig| {
        {
            let version = rig.load();
            let found = rig.remembered(&version, "a");
            found.inspect(|found| assert_eq!(found.topic.as_ref(), "a"));
        }
        FREED.with(|freed| assert_eq!(freed.get(), 0));
    });
    ["c", "d", "e"].iter().for_each(|topic| {
        look_up(&rig, topic);
    });
    other.join().unwrap();
}

fn who_frees_a_full_cache_leaves_what_a_change_replaced() {
    let rig = watched(1);
    {
        let _held = rig.load();
        ["a", "b", "c"].iter().for_each(|topic| {
            look_up(&rig, topic);
        });
    }
    // The full cache waits to be freed by the next miss, of which there are two.
    let emit = emit(&rig, |rig| {
        look_up(rig, "d");
        look_up(rig, "e");
    });
    change(&rig, 1);
    emit.join().unwrap();
}

fn an_emit_frees_no_full_cache_of_a_change_that_came_after_it() {
    let rig = rig(1);
    // This thread's emit begins before all others do anything.
    let version = rig.load();
    let other = {
        let rig = Arc::clone(&rig);
        thread::spawn(move || {
            change(&rig, 1);
            // The new version's cache becomes full, and is replaced.
            ["b", "c", "d"].iter().for_each(|topic| {
                look_up(&rig, topic);
            });
        })
    };
    let last = changer(&rig, 2);
    EMIT.with(|is_emit| is_emit.set(true));
    let Ok(_) = rig.route(&version, "a");
    drop(version);
    EMIT.with(|is_emit| is_emit.set(false));
    other.join().unwrap();
    last.join().unwrap();
}

fn an_emit_frees_no_rest_of_a_full_cache_that_a_change_replaced() {
    const LIMIT: u8 = 9;
    let rig = rig(usize::from(LIMIT));
    // Full, replaced, and taken apart: what is above the first level is left.
    for topic in 0..2 * LIMIT + 2 {
        let topic = char::from(b'a' + topic).to_string();
        look_up(&rig, &topic);
    }
    // Before the change or after it; and after it before the change has swept.
    let emit = emit(&rig, |rig| {
        look_up(rig, "Z");
    });
    change(&rig, 1);
    emit.join().unwrap();
}

fn renewing_the_cache_beside_a_change_keeps_the_change() {
    let rig = rig(1);
    look_up(&rig, "a");
    look_up(&rig, "b");
    let emit = emit(&rig, |rig| {
        look_up(rig, "c");
    });
    change(&rig, 1);
    emit.join().unwrap();
    assert_eq!(look_up(&rig, "a").0, 1);
    assert_eq!(rig.load().generation(), rig.generation());
}
