//! `once_cell::race::OnceBox`: a pointer that is set once.

use std::cell::Cell;
use std::ptr;

use loom::sync::atomic::{AtomicPtr, Ordering};

use super::atomic::Watch;

pub(crate) struct OnceBox<T> {
    watch: Watch,
    value: AtomicPtr<T>,
    /// Whether it is set now, whatever a thread may see of it: from then on a look takes no turn, as
    /// nothing changes any more.
    set: Cell<bool>,
}

impl<T> OnceBox<T> {
    pub(crate) fn new() -> Self {
        OnceBox {
            watch: Watch::new(),
            set: Cell::new(false),
            value: AtomicPtr::new(ptr::null_mut()),
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        if !self.set.get() {
            self.watch.access();
        }
        // SAFETY: set once, to a box that lives as long as this.
        unsafe { self.value.load(Ordering::Acquire).as_ref() }
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> Box<T>) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        let made = Box::into_raw(make());
        self.watch.access();
        let (new, orders) = (made, (Ordering::AcqRel, Ordering::Acquire));
        let set = self
            .value
            .compare_exchange(ptr::null_mut(), new, orders.0, orders.1);
        self.set.set(true);
        // SAFETY: ours if it was set, and else nobody else's.
        match set {
            Ok(_) => unsafe { &*made },
            Err(other) => unsafe {
                drop(Box::from_raw(made));
                &*other
            },
        }
    }
}

impl<T> Default for OnceBox<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for OnceBox<T> {
    fn drop(&mut self) {
        let value = self.value.with_mut(|value| *value);
        if !value.is_null() {
            // SAFETY: nobody else has it any more.
            drop(unsafe { Box::from_raw(value) });
        }
    }
}
