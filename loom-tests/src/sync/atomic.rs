//! Atomics that loom tries in every order, and whose memory must outlive their last access.
//!
//! loom takes a sequentially consistent access for an acquire-release one. Here a load of that kind
//! comes after a full fence, which loom does know: see README.md for what that says and what not.

use loom::cell::UnsafeCell;
use loom::sync::atomic::{self, Ordering, fence};

use super::arc::handles_are_watched;

/// What every atomic of the twin has beside its value.
#[derive(Debug)]
pub(super) struct Watch {
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
    pub(super) fn new() -> Self {
        Watch {
            turns: atomic::AtomicUsize::new(0),
            memory: UnsafeCell::new(()),
        }
    }

    /// Before every access, so that what the access releases covers it.
    pub(super) fn access(&self) {
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
    ($name:ident = $loom:ident, $value:ty, turn: $turn:expr, { $($more:tt)* }) => {
        #[derive(Debug)]
        pub(crate) struct $name {
            watch: Watch,
            /// Whether all loads take turns.
            turn: bool,
            value: atomic::$loom,
        }

        impl Default for $name {
            fn default() -> Self {
                $name::new(<$value>::default())
            }
        }

        #[allow(dead_code, reason = "the same for all, and not all of it is used")]
        impl $name {
            pub(crate) fn new(value: $value) -> Self {
                $name {
                    watch: Watch::new(),
                    turn: $turn,
                    value: atomic::$loom::new(value),
                }
            }

            pub(crate) fn load(&self, order: Ordering) -> $value {
                if self.turn || matches!(order, Ordering::SeqCst) {
                    self.watch.access();
                }
                if matches!(order, Ordering::SeqCst) {
                    fence(Ordering::SeqCst);
                }
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
    ($name:ident = $loom:ident, $value:ty) => {
        atomic!($name = $loom, $value, turn: true, {
            pub(crate) fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                self.watch.access();
                self.value.fetch_add(value, order)
            }

            pub(crate) fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                self.watch.access();
                self.value.fetch_sub(value, order)
            }

            pub(crate) fn fetch_max(&self, value: $value, order: Ordering) -> $value {
                self.watch.access();
                self.value.fetch_max(value, order)
            }

            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.watch.access();
                self.value.compare_exchange(current, new, success, failure)
            }
        });
    };
}

// Flags are set once. The one that a thread sets after it has loaded it, so that the gap matters, is
// loaded by the others with `SeqCst`; without turns for all other loads there is much less to try.
// But for the registry's, which is loaded before it is set.
atomic!(AtomicBool = AtomicBool, bool, turn: handles_are_watched(), {});
atomic!(AtomicU8 = AtomicU8, u8, turn: false, {
    pub(crate) fn fetch_or(&self, value: u8, order: Ordering) -> u8 {
        self.watch.access();
        self.value.fetch_or(value, order)
    }

    pub(crate) fn fetch_and(&self, value: u8, order: Ordering) -> u8 {
        self.watch.access();
        self.value.fetch_and(value, order)
    }
});
number!(AtomicU32 = AtomicU32, u32);
number!(WatchedU64 = AtomicU64, u64);
