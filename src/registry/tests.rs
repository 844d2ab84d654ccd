//! What the registry frees, and when.

use std::cell::Cell;
use std::convert::Infallible;
use std::sync::Weak;

use super::{Content, Found, Known, Registry, Resolved};
use crate::sync::Arc;

thread_local!(static FREED: Cell<usize> = const { Cell::new(0) });

/// A topic that says when it is freed.
struct Topic(String);

impl AsRef<str> for Topic {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        FREED.set(FREED.get() + 1);
    }
}

/// Routes every topic to what the last change put here.
#[derive(Clone)]
struct Latest(Arc<()>);

impl Content for Latest {
    type Topic = Topic;
    type Route = Arc<()>;
    type Error = Infallible;

    fn resolve(&self, topic: &str, known: &Known<Arc<()>>) -> Result<Resolved<Self>, Infallible> {
        let route = known.shared(0, |_| true, || Arc::clone(&self.0));
        let topic = Topic(topic.to_owned());
        Ok(Resolved { topic, route })
    }
}

type Rig = Registry<Latest, ()>;

fn rig(cache_limit: usize) -> Rig {
    Registry::new(Latest(Arc::new(())), (), cache_limit)
}

/// Changes the content; what it was before.
fn change(registry: &Rig) -> Weak<()> {
    let Ok(before) = registry.update(|content, ()| {
        let before = std::mem::replace(&mut content.0, Arc::new(()));
        Ok::<_, Infallible>(Arc::downgrade(&before))
    });
    before
}

fn look_up(registry: &Rig, topic: usize) {
    let version = registry.load();
    let Ok(_) = registry.route(&version, &topic.to_string());
}

fn is_alive(of: &Weak<()>) -> bool {
    of.strong_count() > 0
}

#[test]
fn p1_an_emit_is_never_the_last_to_hold_what_a_change_replaced() {
    let registry = rig(100);
    let idle = change(&registry);
    assert!(!is_alive(&idle), "kept though no emit held it");

    let emit = registry.load();
    (0..100).for_each(|topic| assert!(registry.route(&emit, &topic.to_string()).is_ok()));
    let held = change(&registry);
    let freed = FREED.get();
    drop(emit);
    assert!(is_alive(&held) && FREED.get() == freed, "freed by the emit");
    change(&registry);
    assert!(!is_alive(&held) && FREED.get() == freed + 100);

    // Nor is one that has counted a reference of its own; and a look under the lock frees as well.
    let emit = Arc::clone(&registry.load());
    let held = change(&registry);
    drop(emit);
    assert!(is_alive(&held));
    registry.frozen(|_, ()| ());
    assert!(!is_alive(&held));
}

#[test]
fn p1_a_publisher_does_not_free_its_old_route() {
    let registry = rig(100);
    let route = {
        let version = registry.load();
        let Ok(Found::Cached(found)) = registry.route(&version, "a") else {
            panic!("there is room");
        };
        Arc::clone(&found.route)
    };
    let old = change(&registry);
    assert!(is_alive(&old));
    registry.retire(route);
    assert!(is_alive(&old));
    change(&registry);
    assert!(!is_alive(&old));
}

#[test]
fn p13_versions_that_emits_hold_are_as_many_as_the_emits() {
    let registry = rig(100);
    let mut emits = Vec::new();
    for round in 0..20 {
        if round % 4 == 0 {
            emits.push(Arc::clone(&registry.load()));
        }
        change(&registry);
        assert_eq!(registry.retired.lock().count(), emits.len());
    }
    emits.clear();
    change(&registry);
    assert_eq!(registry.retired.lock().count(), 0);
}

#[test]
fn p13_a_full_cache_is_freed_a_little_at_a_time_and_one_at_a_time() {
    for limit in [1, 2, 9, 100, 1_000] {
        let registry = rig(limit);
        for topic in 0..20 * limit + 100 {
            let freed = FREED.get();
            look_up(&registry, topic);
            // A chunk, or what a version has in itself, and the topic that was looked up.
            assert!(FREED.get() - freed <= 9, "{}", FREED.get() - freed);
            assert!(topic - FREED.get().min(topic) <= 2 * limit + 1);
            assert!(registry.retired.lock().count() <= 1);
        }
        assert!(FREED.get() > 10 * limit, "the cache was not renewed");
        drop(registry);
        assert_eq!(FREED.replace(0), 20 * limit + 100);
    }
}

#[test]
fn p13_caches_that_emits_hold_when_they_are_full_wait_for_them() {
    let registry = rig(10);
    let mut emits = Vec::new();
    for topic in 0..1_000 {
        if topic % 50 == 0 {
            emits.push(Arc::clone(&registry.load()));
        }
        look_up(&registry, topic);
        assert!(registry.retired.lock().count() <= emits.len() + 1);
    }
    emits.clear();
    // No other comes before all of them are gone.
    let mut count = registry.retired.lock().count();
    assert!(count > 10);
    for topic in 1_000..1_100 {
        look_up(&registry, topic);
        let now = registry.retired.lock().count();
        assert!(now <= count.max(1), "{count}, then {now}");
        count = now;
    }
    assert!(count <= 1);
    FREED.set(0);
}
