//! Atomics that loom tries in every order, and whose memory must outlive their last access.

use loom::cell::UnsafeCell;
use loom::sync::atomic::{self, Ordering};

/// What every atomic of the twin has beside its value.
#[derive(Debug)]
struct Watch {
    /// Where the threads that use one atomic take turns, in every order.
    ///
    /// loom 0.7 remembers one access to each atomic, the last. A thread that loads and then writes
    /// finds its own load there, so loom never tries the write before another thread's load: a model
    /// of such code passes whatever is wrong. Stores to a second atomic before every access have no
    /// such gap. Nobody loads it, so they pass nothing on: an update would, where a fence comes
    /// before it in one thread and after it in another.
    turns: atomic::AtomicUsize,
    /// Read by every access, written by the end: each access must happen before it.
    memory: UnsafeCell<()>,
}

impl Watch {
    fn new() -> Self {
        Watch {
            turns: atomic::AtomicUsize::new(0),
            memory: UnsafeCell::new(()),
        }
    }

    /// Before every access, so that what the access releases covers it.
    fn access(&self) {
        self.turns.store(0, Ordering::Relaxed);
        self.memory.with(|_| ());
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.memory.with_mut(|_| ());
    }
}

macro_rules! atomic {
    ($name:ident, $value:ty, { $($more:tt)* }) => {
        #[derive(Debug)]
        pub(crate) struct $name {
            watch: Watch,
            value: atomic::$name,
        }

        impl $name {
            pub(crate) fn new(value: $value) -> Self {
                $name {
                    watch: Watch::new(),
                    value: atomic::$name::new(value),
                }
            }

            pub(crate) fn load(&self, order: Ordering) -> $value {
                self.watch.access();
                self.value.load(order)
            }

            pub(crate) fn store(&self, value: $value, order: Ordering) {
                self.watch.access();
                self.value.store(value, order);
            }

            pub(crate) fn swap(&self, value: $value, order: Ordering) -> $value {
                self.watch.access();
                self.value.swap(value, order)
            }

            $($more)*
        }
    };
}

macro_rules! number {
    ($name:ident, $value:ty) => {
        atomic!($name, $value, {
            pub(crate) fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                self.watch.access();
                self.value.fetch_add(value, order)
            }

            pub(crate) fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                self.watch.access();
                self.value.fetch_sub(value, order)
            }
        });
    };
}

number!(AtomicU32, u32);
