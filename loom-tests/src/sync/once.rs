//! What is set once: `once_cell::race::OnceBox`, a pointer, and `OnceLock`, with the value in itself.

use std::cell::Cell;
use std::ptr;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, AtomicPtr, Ordering};

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
        match self.put(make()) {
            Ok(made) => made,
            Err((other, made)) => {
                drop(made);
                other
            }
        }
    }

    pub(crate) fn set(&self, made: Box<T>) -> Result<(), Box<T>> {
        self.put(made).map(drop).map_err(|(_, made)| made)
    }

    /// What is there now, and with it what came too late.
    fn put(&self, made: Box<T>) -> Result<&T, (&T, Box<T>)> {
        let made = Box::into_raw(made);
        self.watch.access();
        let (new, orders) = (made, (Ordering::AcqRel, Ordering::Acquire));
        let set = self
            .value
            .compare_exchange(ptr::null_mut(), new, orders.0, orders.1);
        self.set.set(true);
        // SAFETY: ours if it was set, and else nobody else's.
        match set {
            Ok(_) => Ok(unsafe { &*made }),
            Err(other) => Err(unsafe { (&*other, Box::from_raw(made)) }),
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

/// Nobody waits: the library has but one thread that sets each, and a second one at once fails the model.
///
/// No turns: who looks has found the word that leads here, and of that all orders are tried. It may
/// see it unset all the same, as the real one lets it, where the word does not order them.
pub(crate) struct OnceLock<T> {
    is_set: AtomicBool,
    value: UnsafeCell<Option<T>>,
}

impl<T> OnceLock<T> {
    pub(crate) fn new() -> Self {
        OnceLock {
            is_set: AtomicBool::new(false),
            value: UnsafeCell::new(None),
        }
    }

    pub(crate) fn get(&self) -> Option<&T> {
        if !self.is_set.load(Ordering::Acquire) {
            return None;
        }
        // SAFETY: it was set before, and nobody writes it again; loom checks it.
        self.value.with(|value| unsafe { (*value).as_ref() })
    }

    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        if self.get().is_none() {
            // SAFETY: whoever is here is alone; loom checks it.
            self.value
                .with_mut(|value| unsafe { *value = Some(make()) });
            self.is_set.store(true, Ordering::Release);
        }
        self.get().expect("it was set before, or just now")
    }
}
