//! The twin of the library's `sync` module: the same names, made of loom's primitives.

use loom::sync::atomic;

pub(crate) use loom::sync::atomic::Ordering;

/// Where the threads that use one atomic take turns, in every order.
///
/// loom 0.7 remembers one access to each atomic, the last. A thread that loads and then writes finds
/// its own load there, so loom never tries the write before another thread's load: a model of such
/// code passes whatever is wrong. Updates of a second atomic before every access have no such
/// gap. They are relaxed, so they order nothing in memory, and loads still see stale values.
struct Turns(atomic::AtomicUsize);

impl Turns {
    fn new() -> Self {
        Turns(atomic::AtomicUsize::new(0))
    }

    fn take(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

pub(crate) struct AtomicUsize {
    turns: Turns,
    value: atomic::AtomicUsize,
}

impl AtomicUsize {
    pub(crate) fn new(value: usize) -> Self {
        AtomicUsize {
            turns: Turns::new(),
            value: atomic::AtomicUsize::new(value),
        }
    }

    pub(crate) fn load(&self, order: Ordering) -> usize {
        self.turns.take();
        self.value.load(order)
    }

    pub(crate) fn store(&self, value: usize, order: Ordering) {
        self.turns.take();
        self.value.store(value, order);
    }

    pub(crate) fn fetch_add(&self, value: usize, order: Ordering) -> usize {
        self.turns.take();
        self.value.fetch_add(value, order)
    }

    pub(crate) fn fetch_sub(&self, value: usize, order: Ordering) -> usize {
        self.turns.take();
        self.value.fetch_sub(value, order)
    }
}

pub(crate) struct AtomicPtr<T> {
    turns: Turns,
    value: atomic::AtomicPtr<T>,
}

impl<T> AtomicPtr<T> {
    pub(crate) fn new(value: *mut T) -> Self {
        AtomicPtr {
            turns: Turns::new(),
            value: atomic::AtomicPtr::new(value),
        }
    }

    pub(crate) fn load(&self, order: Ordering) -> *mut T {
        self.turns.take();
        self.value.load(order)
    }

    pub(crate) fn swap(&self, value: *mut T, order: Ordering) -> *mut T {
        self.turns.take();
        self.value.swap(value, order)
    }

    pub(crate) fn compare_exchange_weak(
        &self,
        current: *mut T,
        new: *mut T,
        success: Ordering,
        failure: Ordering,
    ) -> Result<*mut T, *mut T> {
        self.turns.take();
        self.value
            .compare_exchange_weak(current, new, success, failure)
    }
}

/// As the library's, and every access is checked against all others.
pub(crate) struct UnsafeCell<T>(loom::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        UnsafeCell(loom::cell::UnsafeCell::new(value))
    }

    pub(crate) fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
        self.0.with(read)
    }

    pub(crate) fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
        self.0.with_mut(write)
    }
}
