//! The shared block behind an event's handles: counted by hand, and recycled by its publisher.
//!
//! This is the crate's one module with `unsafe`. What it buys over `std::sync::Arc`, with the
//! figures, stands in `docs/performance.md`: handles for all subscribers are counted in one store
//! before any of them is shared, and a publisher's blocks come back to it, with the topic still in
//! them, instead of going through the allocator from one thread to another.
//!
//! # Protocol
//!
//! A block is in one of two states, and its owner is always known:
//!
//! - *In use*: `slot` holds a body, `handles` counts the [`Handle`]s. Handles only read the body.
//!   Whoever lets the last handle go owns the block alone: it takes the body out and, if the block
//!   has a home, pushes it onto `home.returned`, else frees it.
//! - *Free*: `slot` holds the link of a list. In `Pool::free` it belongs to the publisher; in
//!   `Home::returned` to whoever takes that whole list, which is the publisher.
//!
//! `Home::returned` is a stack that many push onto and that one takes as a whole, by a swap. Nobody
//! pops single blocks, so a block that leaves and comes back while a push is being tried does no harm:
//! the push links to whatever head it finds.
//!
//! `Home::shares` counts the blocks made for it, free or in use, and the pool itself; whoever gives
//! the last share back frees the home. A dropped pool swaps `CLOSED` in, frees what it takes out, and
//! gives those shares back; a block that finds `CLOSED` frees itself and gives back its own.
//!
//! # The races, by case
//!
//! *Two handles are dropped at once.* The count decides: one of them takes it from one to zero, and
//! reads it with Acquire, so that what the others did with the body happened before.
//!
//! *One handle is left.* Only a handle can be cloned, so a count of one, read by the holder of that
//! handle, stays one: it needs no read-modify-write.
//!
//! *A block comes back while the pool is dropped.* Its push finds `CLOSED`, or comes before the swap
//! and is in the list that the swap takes. The home outlives the push, which holds a share until then.
#![allow(
    unsafe_code,
    reason = "see above: measured, small, and argued block by block"
)]

mod pool;
#[cfg(test)]
mod tests;

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

use self::pool::Home;
use crate::sync::{AtomicUsize, Ordering, UnsafeCell};

pub(crate) use self::pool::Pool;

/// A counted handle of a body `B` beside what its block keeps over all its uses, `K`.
pub(crate) struct Handle<K, B> {
    /// A `Block<K, B>`. Not said so, as that is invariant: a handle of a `&'static str` is one of a
    /// shorter `&str`, as with `Arc`. Nothing writes a body through a handle.
    block: NonNull<()>,
    owns: PhantomData<(K, B)>,
}

struct Block<K, B> {
    /// The handles of the body. Says nothing while the block is free.
    handles: AtomicUsize,
    /// Where the block goes with its last handle; null if it is freed then. Never changes.
    home: *const Home<K, B>,
    /// Never changes.
    kept: K,
    slot: UnsafeCell<Slot<K, B>>,
}

/// The body of a block in use, or the link of a free one.
union Slot<K, B> {
    body: ManuallyDrop<B>,
    next: *mut Block<K, B>,
}

// SAFETY: handles give out shared references to `K` and `B` from any thread, and drop either on the
// thread that lets the last one go, as `Arc` does, under the same bounds.
unsafe impl<K: Send + Sync, B: Send + Sync> Send for Handle<K, B> {}
// SAFETY: as above; a shared handle can be cloned, and so sent.
unsafe impl<K: Send + Sync, B: Send + Sync> Sync for Handle<K, B> {}

// It is a pointer, which may move while what it points at stays.
impl<K, B> Unpin for Handle<K, B> {}

impl<K, B> Handle<K, B> {
    /// A body in a block of its own, freed with the last handle.
    pub(crate) fn alone(kept: K, body: B) -> Self {
        Block::make(ptr::null(), kept, body)
    }

    fn new(block: NonNull<Block<K, B>>) -> Self {
        Handle {
            block: block.cast(),
            owns: PhantomData,
        }
    }

    fn pointer(&self) -> NonNull<Block<K, B>> {
        self.block.cast()
    }

    fn block(&self) -> &Block<K, B> {
        // SAFETY: a block in use lives until its last handle is dropped, and this is one. Its type
        // may differ from that in which it was made by lifetimes only.
        unsafe { self.pointer().as_ref() }
    }

    pub(crate) fn kept(&self) -> &K {
        &self.block().kept
    }

    pub(crate) fn body(&self) -> &B {
        // SAFETY: there is a handle, so the block is in use: the slot holds a body, and nobody
        // writes to it until the last handle is gone, which this reference does not outlive.
        self.block().slot.with(|slot| unsafe { &(*slot).body })
    }

    pub(crate) fn ptr_eq(&self, other: &Self) -> bool {
        self.block == other.block
    }

    /// Turns one handle into `count` of them, counted at once; `count` is at least one.
    pub(crate) fn share(self, count: usize) -> Shares<K, B> {
        let handles = &self.block().handles;
        assert!(count > 0, "a handle cannot be turned into none");
        // A count of one stays one while its only handle is here, so a plain store will do. It cuts
        // the chain of updates through which the last handle would learn what dropped ones did with
        // the body; so it is learnt here, by Acquire, and passed on with the handles.
        if handles.load(Ordering::Acquire) == 1 {
            handles.store(count, Ordering::Relaxed);
        } else {
            count_up(handles, count - 1);
        }
        let handle = ManuallyDrop::new(self);
        Shares {
            block: handle.pointer(),
            left: count,
            owns: PhantomData,
        }
    }

    /// Gives this handle up; the body itself, if it was the last one.
    pub(crate) fn into_inner(self) -> Option<B> {
        let handle = ManuallyDrop::new(self);
        // SAFETY: this handle is one of those counted, and is given up here.
        let last = unsafe { Block::give_up(handle.pointer(), 1) };
        // SAFETY: no handle is left, so the block is ours alone; its body is moved out once, and the
        // block retired without one.
        last.then(|| unsafe { Block::take_body(handle.pointer()) })
    }

    /// The body itself, if this is the last handle.
    pub(crate) fn try_unwrap(self) -> Result<B, Self> {
        // Acquire: what the other handles did with the body happened before.
        if self.block().handles.load(Ordering::Acquire) != 1 {
            return Err(self);
        }
        let handle = ManuallyDrop::new(self);
        // SAFETY: this was the last handle, and it is not dropped, so the block is ours alone.
        Ok(unsafe { Block::take_body(handle.pointer()) })
    }
}

/// More handles: aborts rather than overflow, as `Arc` does; a program that leaks that many handles
/// is beyond help.
fn count_up(handles: &AtomicUsize, more: usize) {
    // Relaxed: a handle is made from a handle, which keeps the block alive meanwhile.
    if handles.fetch_add(more, Ordering::Relaxed) > isize::MAX as usize {
        std::process::abort();
    }
}

impl<K, B> Clone for Handle<K, B> {
    #[inline]
    fn clone(&self) -> Self {
        count_up(&self.block().handles, 1);
        Handle::new(self.pointer())
    }
}

impl<K, B> Drop for Handle<K, B> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: this handle is one of those counted, and is given up here.
        unsafe { Block::release(self.pointer(), 1) }
    }
}

/// Handles that are counted and not made yet.
pub(crate) struct Shares<K, B> {
    block: NonNull<Block<K, B>>,
    left: usize,
    owns: PhantomData<Block<K, B>>,
}

impl<K, B> Iterator for Shares<K, B> {
    type Item = Handle<K, B>;

    #[inline]
    fn next(&mut self) -> Option<Handle<K, B>> {
        self.left = self.left.checked_sub(1)?;
        Some(Handle::new(self.block))
    }
}

impl<K, B> Drop for Shares<K, B> {
    fn drop(&mut self) {
        if self.left > 0 {
            // SAFETY: so many handles were counted and are not made; they are given up here.
            unsafe { Block::release(self.block, self.left) }
        }
    }
}

impl<K, B> Block<K, B> {
    #[inline]
    fn make(home: *const Home<K, B>, kept: K, body: B) -> Handle<K, B> {
        let block = Box::new(Block {
            handles: AtomicUsize::new(1),
            home,
            kept,
            slot: UnsafeCell::new(Slot {
                body: ManuallyDrop::new(body),
            }),
        });
        Handle::new(NonNull::from(Box::leak(block)))
    }

    /// Gives up `count` handles, and the body with the last of them.
    ///
    /// # Safety
    ///
    /// The block is in use, and the caller owns so many of its counted handles and uses none after.
    #[inline]
    unsafe fn release(this: NonNull<Self>, count: usize) {
        // SAFETY: passed on; and where no handle is left, the block is the caller's alone.
        unsafe {
            if Self::give_up(this, count) {
                Self::empty(this);
            }
        }
    }

    /// Gives up `count` handles; whether they were the last, so that the block is the caller's alone.
    ///
    /// # Safety
    ///
    /// As [`release`](Block::release).
    #[inline]
    unsafe fn give_up(this: NonNull<Self>, count: usize) -> bool {
        // SAFETY: the caller's handles keep the block alive until the count is taken down.
        let handles = unsafe { &this.as_ref().handles };
        // Acquire: what the other handles did with the body happened before it is dropped.
        handles.load(Ordering::Acquire) == count
            // Release: what was done by these handles happens before. The winner's Acquire is the
            // load in the branch below.
            || handles.fetch_sub(count, Ordering::Release) == count && {
                handles.load(Ordering::Acquire);
                true
            }
    }

    /// Takes the body out, and retires the block.
    ///
    /// # Safety
    ///
    /// The block is in use, has no handle any more, and is the caller's alone.
    unsafe fn take_body(this: NonNull<Self>) -> B {
        // SAFETY: the slot holds a body, and nobody else can reach it; it is moved out once.
        unsafe {
            let body = this
                .as_ref()
                .slot
                .with_mut(|slot| ManuallyDrop::take(&mut (*slot).body));
            Self::retire(this);
            body
        }
    }

    /// Drops the body, and retires the block, also if that panics.
    ///
    /// # Safety
    ///
    /// The block is in use and has no handle any more.
    unsafe fn empty(this: NonNull<Self>) {
        struct Retire<K, B>(NonNull<Block<K, B>>);

        impl<K, B> Drop for Retire<K, B> {
            fn drop(&mut self) {
                // SAFETY: passed on from `empty`; the body has been dropped, or is being.
                unsafe { Block::retire(self.0) }
            }
        }

        let retire = Retire(this);
        // SAFETY: the slot holds a body, and nobody else can reach it.
        unsafe {
            retire.0.as_ref().slot.with_mut(|slot| {
                ManuallyDrop::drop(&mut (*slot).body);
            });
        }
    }

    /// Sends a block without a body home, or frees it if it has none.
    ///
    /// # Safety
    ///
    /// The block is the caller's alone, and its body is gone.
    unsafe fn retire(this: NonNull<Self>) {
        // SAFETY: the caller owns the block; the home lives while it does, by the block's share.
        unsafe {
            let home = this.as_ref().home;
            if home.is_null() {
                drop(Box::from_raw(this.as_ptr()));
            } else {
                Home::take_back(home, this);
            }
        }
    }
}
