//! What arc-swap promises of a snapshot, and no more.
//!
//! The current value is an index, published and loaded as acquire and release. Its values stand where loom
//! does not look, so they order nothing.

use std::cell::RefCell;
use std::ops::Deref;

use loom::sync::atomic::{AtomicUsize, Ordering};

use super::Arc;
use super::atomic::Watch;

pub(crate) struct Snapshot<T> {
    watch: Watch,
    current: AtomicUsize,
    /// One for each value so far; nothing where a swap has returned it.
    values: RefCell<Vec<Option<Arc<T>>>>,
}

impl<T> Snapshot<T> {
    pub(crate) fn new(value: T) -> Self {
        Snapshot {
            watch: Watch::new(),
            current: AtomicUsize::new(0),
            values: RefCell::new(vec![Some(Arc::new(value))]),
        }
    }

    /// The value as some thread's own order has it, so perhaps an old one; but none that a swap has
    /// handed back: it looks for those who have loaded it, and finds those who come too late for that
    /// with the new value (both sides are sequentially consistent there).
    pub(crate) fn load(&self) -> impl Deref<Target = Arc<T>> {
        self.watch.access();
        let mut index = self.current.load(Ordering::Acquire);
        if self.values.borrow()[index].is_none() {
            // An update sees the newest, and this one changes nothing.
            index = self.current.fetch_add(0, Ordering::Acquire);
        }
        // Counted at once, where arc-swap leaves that to the swap: nobody can look at a count before.
        let values = self.values.borrow();
        let value = values[index].as_ref().expect("the newest is there");
        Guard(Arc::clone(value))
    }

    /// Two steps, and others may come in between: the new value is there, and who has loaded the old
    /// one is counted.
    pub(crate) fn swap(&self, value: Arc<T>) -> Arc<T> {
        let index = {
            let mut values = self.values.borrow_mut();
            values.push(Some(value));
            values.len() - 1
        };
        self.watch.access();
        let old = self.current.swap(index, Ordering::AcqRel);
        self.watch.access();
        let old = self.values.borrow_mut()[old].take();
        old.expect("each is swapped once")
    }
}

struct Guard<T>(Arc<T>);

impl<T> Deref for Guard<T> {
    type Target = Arc<T>;

    fn deref(&self) -> &Arc<T> {
        &self.0
    }
}
