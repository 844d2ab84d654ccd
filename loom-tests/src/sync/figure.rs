//! Counters and numbers, which in the mailbox decide nothing on the way of a message.
//!
//! Where a model is about them, loom watches them as it does all atomics. Elsewhere it does not, and so
//! does not try them in all orders either, which takes most of the time: then they count exactly, and
//! order nothing.

use std::cell::Cell;
use std::sync::atomic;

use super::Ordering::{self, SeqCst};
use super::atomic::WatchedU64;

thread_local!(static WATCHED: Cell<bool> = const { Cell::new(false) });

/// Has loom watch all counters of this model.
pub(crate) fn watch_figures() {
    WATCHED.set(true);
}

/// Has loom watch the counters that `make` makes, and no others.
pub(crate) fn watching<R>(make: impl FnOnce() -> R) -> R {
    let before = WATCHED.replace(true);
    let made = make();
    WATCHED.set(before);
    made
}

#[derive(Debug)]
pub(crate) struct Figure {
    watched: Option<WatchedU64>,
    plain: atomic::AtomicU64,
}

impl Default for Figure {
    fn default() -> Self {
        Figure {
            watched: WATCHED.get().then(WatchedU64::default),
            plain: atomic::AtomicU64::new(0),
        }
    }
}

impl Figure {
    fn load(&self, order: Ordering) -> u64 {
        match &self.watched {
            Some(value) => value.load(order),
            None => self.plain.load(SeqCst),
        }
    }

    fn store(&self, value: u64, order: Ordering) {
        match &self.watched {
            Some(watched) => watched.store(value, order),
            None => self.plain.store(value, SeqCst),
        }
    }

    fn fetch_add(&self, value: u64, order: Ordering) -> u64 {
        match &self.watched {
            Some(watched) => watched.fetch_add(value, order),
            None => self.plain.fetch_add(value, SeqCst),
        }
    }

    fn fetch_sub(&self, value: u64, order: Ordering) -> u64 {
        match &self.watched {
            Some(watched) => watched.fetch_sub(value, order),
            None => self.plain.fetch_sub(value, SeqCst),
        }
    }

    fn fetch_max(&self, value: u64, order: Ordering) -> u64 {
        match &self.watched {
            Some(watched) => watched.fetch_max(value, order),
            None => self.plain.fetch_max(value, SeqCst),
        }
    }

    fn compare_exchange(
        &self,
        current: u64,
        new: u64,
        success: Ordering,
        failure: Ordering,
    ) -> Result<u64, u64> {
        match &self.watched {
            Some(watched) => watched.compare_exchange(current, new, success, failure),
            None => self.plain.compare_exchange(current, new, SeqCst, SeqCst),
        }
    }
}

macro_rules! figure {
    ($name:ident, $value:ty) => {
        #[derive(Debug, Default)]
        pub(crate) struct $name(Figure);

        #[allow(dead_code, reason = "the same for all, and not all of it is used")]
        impl $name {
            pub(crate) fn new(value: $value) -> Self {
                assert_eq!(value, 0, "figures begin at zero");
                Self::default()
            }

            pub(crate) fn load(&self, order: Ordering) -> $value {
                self.0.load(order) as $value
            }

            pub(crate) fn store(&self, value: $value, order: Ordering) {
                self.0.store(value as u64, order);
            }

            pub(crate) fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                self.0.fetch_add(value as u64, order) as $value
            }

            pub(crate) fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                self.0.fetch_sub(value as u64, order) as $value
            }

            pub(crate) fn fetch_max(&self, value: $value, order: Ordering) -> $value {
                self.0.fetch_max(value as u64, order) as $value
            }

            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.0
                    .compare_exchange(current as u64, new as u64, success, failure)
                    .map(|old| old as $value)
                    .map_err(|other| other as $value)
            }

            pub(crate) fn fetch_update(
                &self,
                success: Ordering,
                failure: Ordering,
                mut update: impl FnMut($value) -> Option<$value>,
            ) -> Result<$value, $value> {
                let mut current = self.load(failure);
                while let Some(new) = update(current) {
                    match self.compare_exchange(current, new, success, failure) {
                        Err(other) => current = other,
                        done => return done,
                    }
                }
                Err(current)
            }
        }
    };
}

figure!(AtomicU64, u64);
figure!(AtomicUsize, usize);
