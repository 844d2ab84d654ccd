//! `std::sync::Arc`, and who drops the last one.
//!
//! Where a model is about that, loom watches each handle's end, and whether what others did with the
//! value happens before it is freed or lent to be changed. Elsewhere it does not.

use std::cell::Cell;
use std::ops::Deref;
use std::sync;

use loom::sync::atomic::{AtomicUsize, Ordering};

use super::atomic::Watch;

thread_local!(static WATCHED: Cell<bool> = const { Cell::new(false) });

/// Has loom watch all handles that are made from here on.
pub(crate) fn watch_handles() {
    WATCHED.set(true);
}

pub(super) fn handles_are_watched() -> bool {
    WATCHED.get()
}

#[derive(Debug)]
pub(crate) struct Arc<T: ?Sized> {
    handles: Option<sync::Arc<Handles>>,
    value: sync::Arc<T>,
}

#[derive(Debug)]
struct Handles {
    watch: Watch,
    /// How many there are now, whatever a thread may see of it. Nobody takes a turn to add one: who
    /// does has one, and so the count stays above one for all others before and after it.
    now: Cell<usize>,
    /// How many have gone. Releases what their threads did, as `Arc` does; a look may be old.
    gone: AtomicUsize,
    gone_now: Cell<usize>,
}

impl Handles {
    fn new() -> Option<sync::Arc<Handles>> {
        let handles = || Handles {
            watch: Watch::new(),
            now: Cell::new(1),
            gone: AtomicUsize::new(0),
            gone_now: Cell::new(0),
        };
        handles_are_watched().then(|| sync::Arc::new(handles()))
    }

    /// Whether it was the last: then it has seen what the others did.
    fn let_go(&self) -> bool {
        self.watch.access();
        self.gone.fetch_add(1, Ordering::Release);
        self.gone_now.set(self.gone_now.get() + 1);
        self.now.set(self.now.get() - 1);
        let last = self.now.get() == 0;
        if last {
            // An update that changes nothing sees all that have gone. Not a fence, which would
            // acquire whatever else this thread has ever loaded.
            self.gone.fetch_add(0, Ordering::Acquire);
        }
        last
    }

    fn is_last(&self) -> bool {
        self.watch.access();
        // As `Arc`: who looks may see an old count, and then it is not the last for this time.
        let gone = self.gone.load(Ordering::Acquire);
        self.now.get() == 1 && gone == self.gone_now.get()
    }
}

impl<T> Arc<T> {
    pub(crate) fn new(value: T) -> Self {
        Arc {
            handles: Handles::new(),
            value: sync::Arc::new(value),
        }
    }

    pub(crate) fn into_inner(mut this: Self) -> Option<T> {
        if let Some(handles) = this.handles.take() {
            handles.let_go();
        }
        // No turn from here on: it is the last in both counts or in none.
        let value = sync::Arc::clone(&this.value);
        drop(this);
        sync::Arc::into_inner(value)
    }
}

impl<T: ?Sized> Arc<T> {
    pub(crate) fn get_mut(this: &mut Self) -> Option<&mut T> {
        if this
            .handles
            .as_ref()
            .is_some_and(|handles| !handles.is_last())
        {
            return None;
        }
        sync::Arc::get_mut(&mut this.value)
    }
}

impl<T: ?Sized> Clone for Arc<T> {
    fn clone(&self) -> Self {
        if let Some(handles) = &self.handles {
            handles.now.set(handles.now.get() + 1);
        }
        Arc {
            handles: self.handles.clone(),
            value: sync::Arc::clone(&self.value),
        }
    }
}

impl<T: ?Sized> Drop for Arc<T> {
    fn drop(&mut self) {
        if let Some(handles) = &self.handles {
            handles.let_go();
        }
    }
}

impl<T: ?Sized> Deref for Arc<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> FromIterator<T> for Arc<[T]> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Arc {
            handles: Handles::new(),
            value: values.into_iter().collect(),
        }
    }
}
