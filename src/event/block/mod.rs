//! The shared block behind an event's handles: counted by hand, and recycled by its publisher.
//!
//! This is the crate's one module with `unsafe`. What it buys over `std::sync::Arc`, with the
//! figures, stands in `docs/performance.md`: handles for all subscribers are counted in one store
//! before any of them is shared, and a publisher's blocks come back to it, with the topic still in
//! them, instead of going through the allocator from one thread to another.
//!
//! # Protocol
//!
//! `handles` counts the [`Handle`]s of a body, which only read it. Whoever lets the last one go ends
//! the body, and then hands the block on, by `standing`:
//!
//! - [`ALONE`]: no pool knows the block, or its pool has gone: it is freed.
//! - [`BUSY`]: a pool knows it, and it holds a body. The last handle swaps in [`FREE`].
//! - [`FREE`]: the pool's alone; it may put the next body in, which makes the block busy again.
//!
//! A pool that is dropped swaps [`ALONE`] into all its blocks, and frees those that were free.
//! Blocks meet nowhere but in their own words of memory: a consumer that lets an event go touches
//! nothing that the publisher of others is writing.
//!
//! # The races, by case
//!
//! *Two handles are dropped at once.* The count decides: one of them takes it from one to zero, and
//! reads it with Acquire, so that what the others did with the body happened before.
//!
//! *One handle is left.* Only a handle can be cloned, so a count of one, read by the holder of that
//! handle, stays one: it needs no read-modify-write.
//!
//! *A block comes back while its pool is dropped.* Both swap; whoever comes second frees it.
//!
//! *The last handle goes while the pool looks for a free block.* `FREE` is written after the body has
//! ended, and read with Acquire before the next one is put in.
#![allow(
    unsafe_code,
    reason = "see above: measured, small, and argued block by block"
)]

mod pool;
#[cfg(test)]
mod tests;

use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr::NonNull;

use crate::sync::{AtomicU32, Ordering, UnsafeCell};

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
    handles: AtomicU32,
    /// Whose the block is when there is no handle.
    standing: AtomicU32,
    /// Never changes.
    kept: K,
    /// Holds a body while there are handles.
    slot: UnsafeCell<MaybeUninit<B>>,
}

/// No pool knows the block.
const ALONE: u32 = 0;
/// A pool knows the block, and it is in use.
const BUSY: u32 = 1;
/// The block is its pool's.
const FREE: u32 = 2;

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
        Handle::new(Block::make(ALONE, kept, body))
    }

    #[inline]
    fn new(block: NonNull<Block<K, B>>) -> Self {
        Handle {
            block: block.cast(),
            owns: PhantomData,
        }
    }

    #[inline]
    fn pointer(&self) -> NonNull<Block<K, B>> {
        self.block.cast()
    }

    #[inline]
    fn block(&self) -> &Block<K, B> {
        // SAFETY: a block in use lives until its last handle is dropped, and this is one. Its type
        // may differ from that in which it was made by lifetimes only.
        unsafe { self.pointer().as_ref() }
    }

    #[inline]
    pub(crate) fn kept(&self) -> &K {
        &self.block().kept
    }

    #[inline]
    pub(crate) fn body(&self) -> &B {
        // SAFETY: there is a handle, so the block is in use: the slot holds a body, and nobody
        // writes to it until the last handle is gone, which this reference does not outlive.
        self.block()
            .slot
            .with(|slot| unsafe { (*slot).assume_init_ref() })
    }

    pub(crate) fn ptr_eq(&self, other: &Self) -> bool {
        self.block == other.block
    }

    /// Turns one handle into `count` of them, counted at once; `count` is at least one.
    pub(crate) fn share(self, count: usize) -> Shares<K, B> {
        let handles = &self.block().handles;
        assert!(count > 0, "a handle cannot be turned into none");
        let left = count;
        let count = handle_count(count);
        // A count of one stays one while its only handle is here, so a plain store will do. It cuts
        // the chain of updates through which the last handle would learn what dropped ones did with
        // the body; so it is learnt here, by Acquire, and passed on with the handles.
        if handles.load(Ordering::Acquire) == 1 {
            handles.store(count, Ordering::Relaxed);
        } else {
            count_up(handles, count - 1);
        }
        Shares::new(ManuallyDrop::new(self).pointer(), left)
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

    /// Drops this handle, unless it is the last one, which comes back with the body still in it.
    #[inline]
    pub(crate) fn drop_unless_last(self) -> Option<Self> {
        let handle = ManuallyDrop::new(self);
        // SAFETY: this handle is one of those counted, and is given up here, or counted anew below.
        if !unsafe { Block::give_up(handle.pointer(), 1) } {
            return None;
        }
        // Relaxed: no handle is left, so the block is ours alone.
        handle.block().handles.store(1, Ordering::Relaxed);
        Some(ManuallyDrop::into_inner(handle))
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

/// A program that has so many handles of one event has leaked them, and is beyond help.
const MOST_HANDLES: u32 = u32::MAX / 4;

#[inline]
fn handle_count(count: usize) -> u32 {
    match u32::try_from(count) {
        Ok(count) if count <= MOST_HANDLES => count,
        _ => std::process::abort(),
    }
}

/// More handles: aborts rather than overflow, as `Arc` does.
fn count_up(handles: &AtomicU32, more: u32) {
    // Relaxed: a handle is made from a handle, which keeps the block alive meanwhile. Far above the
    // limit there is room for as many threads as pass it at once.
    if handles.fetch_add(more, Ordering::Relaxed) > MOST_HANDLES {
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

impl<K, B> Shares<K, B> {
    #[inline]
    fn new(block: NonNull<Block<K, B>>, left: usize) -> Self {
        Shares {
            block,
            left,
            owns: PhantomData,
        }
    }
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
            unsafe { Block::release(self.block, self.left as u32) }
        }
    }
}

impl<K, B> Block<K, B> {
    #[inline]
    fn make(standing: u32, kept: K, body: B) -> NonNull<Self> {
        let block = Box::new(Block {
            handles: AtomicU32::new(1),
            standing: AtomicU32::new(standing),
            kept,
            slot: UnsafeCell::new(MaybeUninit::new(body)),
        });
        NonNull::from(Box::leak(block))
    }

    /// Gives up `count` handles, and the body with the last of them.
    ///
    /// # Safety
    ///
    /// The block is in use, and the caller owns so many of its counted handles and uses none after.
    #[inline]
    unsafe fn release(this: NonNull<Self>, count: u32) {
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
    unsafe fn give_up(this: NonNull<Self>, count: u32) -> bool {
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
    #[inline]
    unsafe fn take_body(this: NonNull<Self>) -> B {
        // SAFETY: the slot holds a body, and nobody else can reach it; it is moved out once.
        unsafe {
            let body = this
                .as_ref()
                .slot
                .with_mut(|slot| (*slot).assume_init_read());
            Self::retire(this);
            body
        }
    }

    /// Drops the body, and retires the block, also if that panics.
    ///
    /// # Safety
    ///
    /// The block is in use and has no handle any more.
    #[inline]
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
                (*slot).assume_init_drop();
            });
        }
    }

    /// Hands a block without a body on: to its pool, or to the allocator.
    ///
    /// # Safety
    ///
    /// The block is the caller's alone, and its body is gone.
    #[inline]
    unsafe fn retire(this: NonNull<Self>) {
        // SAFETY: the block is the caller's until the swap, and after it only if its pool has gone.
        unsafe {
            let standing = &this.as_ref().standing;
            // Acquire, twice: what the pool did with the block happened before it is freed. Release:
            // the body's end happens before the pool uses the block again.
            if standing.load(Ordering::Acquire) == ALONE
                || standing.swap(FREE, Ordering::AcqRel) == ALONE
            {
                drop(Box::from_raw(this.as_ptr()));
            }
        }
    }
}
