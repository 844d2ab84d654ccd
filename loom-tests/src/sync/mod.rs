//! The twin of the library's `sync` module: the same names, made of loom's primitives.

mod arc;
mod atomic;
mod figure;
mod lock;
mod once;
mod queue;
mod sender;
mod sleepers;
mod snapshot;

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::atomic::AtomicU64 as PlainU64;

pub(crate) use self::arc::{Arc, watch_handles};
pub(crate) use self::atomic::{AtomicBool, AtomicU8, AtomicU32};
pub(crate) use self::figure::{AtomicU64, AtomicUsize, watch_figures, watching};
pub(crate) use self::lock::Mutex;
pub(crate) use self::once::{OnceBox, OnceLock};
pub(crate) use self::queue::Queue;
pub(crate) use self::sender::Sender;
pub(crate) use self::sleepers::Signal;
pub(crate) use self::snapshot::Snapshot;
pub(crate) use loom::sync::atomic::Ordering;

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

/// The library's keeps neighbours apart; here nobody has a cache.
#[derive(Default)]
pub(crate) struct Padded<T>(pub(crate) T);

impl<T> Deref for Padded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

static NEXT_THREAD: PlainU64 = PlainU64::new(1);

/// To be called as an execution begins: loom wants all of them to do the same.
pub(crate) fn begin() {
    NEXT_THREAD.store(1, Ordering::Relaxed);
}

/// Numbers are eight apart, so that all threads meet in one stripe of a `Striped`.
pub(crate) fn thread_number() -> u64 {
    loom::thread_local!(static NUMBER: u64 = NEXT_THREAD.fetch_add(8, Ordering::Relaxed));
    NUMBER.with(|number| *number)
}

pub(crate) fn fence_full() {
    loom::sync::atomic::fence(Ordering::SeqCst);
}

/// Not modelled; there so that the library's source compiles.
pub(crate) struct Select<'a>(PhantomData<&'a ()>);

pub(crate) fn register_ready(_: &mut Select<'_>) -> usize {
    unimplemented!("no model selects")
}
