//! The twin of the library's `sync` module: the same names, made of loom's primitives.

mod atomic;

pub(crate) use loom::sync::atomic::Ordering;

pub(crate) use self::atomic::AtomicU32;

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
