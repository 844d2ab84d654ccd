//! The twin of the library's `sync` module: the same names, made of loom's primitives.

mod atomic;
mod figure;
mod lock;
mod once;
mod queue;
mod sleepers;

use std::marker::PhantomData;

pub(crate) use loom::sync::atomic::Ordering;
// No model asks who drops the last one of these.
pub(crate) use std::sync::Arc;

pub(crate) use self::atomic::{AtomicBool, AtomicU32};
pub(crate) use self::figure::{AtomicU64, AtomicUsize, watch_figures};
pub(crate) use self::lock::Mutex;
pub(crate) use self::once::OnceBox;
pub(crate) use self::queue::Queue;
pub(crate) use self::sleepers::Signal;

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

pub(crate) fn thread_number() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    static NEXT: AtomicU64 = AtomicU64::new(1);
    loom::thread_local!(static NUMBER: u64 = NEXT.fetch_add(1, Relaxed));
    NUMBER.with(|number| *number)
}

pub(crate) fn fence_full() {
    loom::sync::atomic::fence(Ordering::SeqCst);
}

/// On a cache line of its own in the library, which no model sees.
#[derive(Default)]
pub(crate) struct Padded<T>(pub(crate) T);

impl<T> std::ops::Deref for Padded<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

/// Where bells go, as if there were never room: so who hands one on rings it.
pub(crate) struct Sender<M>(PhantomData<M>);

impl<M> Sender<M> {
    pub(crate) fn try_send(&self, message: M) -> Result<(), M> {
        Err(message)
    }
}

/// Not modelled; there so that the library's source compiles.
pub(crate) struct Select<'a>(PhantomData<&'a ()>);

pub(crate) fn register_ready(_: &mut Select<'_>) -> usize {
    unimplemented!("no model selects")
}
