//! Blocks that come back to their publisher: see `super`.

use std::cell::Cell;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

use super::{Block, Handle};
use crate::sync::{AtomicPtr, AtomicUsize, Ordering};

/// Where the blocks of one pool meet again.
pub(super) struct Home<K, B> {
    returned: AtomicPtr<Block<K, B>>,
    /// Blocks that will come back, or have, and the pool itself.
    shares: AtomicUsize,
}

/// What `Home::returned` holds once the pool is gone. Never followed.
fn closed<K, B>() -> *mut Block<K, B> {
    ptr::without_provenance_mut(usize::MAX)
}

impl<K, B> Home<K, B> {
    /// # Safety
    ///
    /// The block is the caller's alone, without a body, and this is its home.
    pub(super) unsafe fn take_back(this: *const Self, block: NonNull<Block<K, B>>) {
        // By pointer, as the home may be gone when this returns. SAFETY: the block's share keeps it
        // until the exchange below, or until the share is given back.
        let returned = unsafe { &(*this).returned };
        let mut head = returned.load(Ordering::Relaxed);
        loop {
            if head == closed() {
                // SAFETY: the pool is gone, and nobody else knows the block. Its share is given back
                // after it, and the home is not used after that.
                unsafe {
                    drop(Box::from_raw(block.as_ptr()));
                    Home::give_back(this, 1);
                }
                return;
            }
            // SAFETY: the block is the caller's alone until the exchange succeeds.
            unsafe {
                let slot = &block.as_ref().slot;
                slot.with_mut(|slot| (*slot).next = head);
            }
            // Release: the link, and the end of the body, happen before the publisher's swap. It is
            // the block's last moment here: after it, the home may be gone.
            match returned.compare_exchange_weak(
                head,
                block.as_ptr(),
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(other) => head = other,
            }
        }
    }

    /// # Safety
    ///
    /// The caller owns so many shares, and does not use the home after.
    unsafe fn give_back(this: *const Self, shares: usize) {
        // SAFETY: the shares keep the home alive until they are given back.
        let left = unsafe { &(*this).shares };
        // AcqRel: whatever the others did with the home happens before it is freed.
        if left.fetch_sub(shares, Ordering::AcqRel) == shares {
            // SAFETY: nobody has a share any more; the home was made by `Box`.
            drop(unsafe { Box::from_raw(this.cast_mut()) });
        }
    }
}

/// Makes the handles of one publisher, of blocks that come back to it.
///
/// It makes up to a fixed number of blocks that return, which bounds what it keeps; when all of them
/// are in use, bodies get blocks of their own.
pub(crate) struct Pool<K, B> {
    home: NonNull<Home<K, B>>,
    kept: K,
    /// Blocks at hand.
    free: Cell<*mut Block<K, B>>,
    /// How many more blocks it may make that return.
    room: Cell<usize>,
    owns: PhantomData<Home<K, B>>,
}

// SAFETY: the free blocks hold no body, and are the pool's alone; what it shares with the handles'
// threads is the home, by atomics, and blocks that are dropped there with their `K` and `B`.
unsafe impl<K: Send + Sync, B: Send + Sync> Send for Pool<K, B> {}

/// What one pool keeps at most: so many blocks, and so many bytes.
pub(super) const MOST_BLOCKS: usize = 256;
pub(super) const MOST_BYTES: usize = 64 * 1024;

impl<K: Clone, B> Pool<K, B> {
    pub(crate) fn new(kept: K) -> Self {
        let home = Box::new(Home {
            returned: AtomicPtr::new(ptr::null_mut()),
            shares: AtomicUsize::new(1),
        });
        Pool {
            home: NonNull::from(Box::leak(home)),
            kept,
            free: Cell::new(ptr::null_mut()),
            room: Cell::new((MOST_BYTES / size_of::<Block<K, B>>()).min(MOST_BLOCKS)),
            owns: PhantomData,
        }
    }

    pub(crate) fn kept(&self) -> &K {
        &self.kept
    }

    fn home(&self) -> &Home<K, B> {
        // SAFETY: the pool has a share of its home.
        unsafe { self.home.as_ref() }
    }

    /// A handle of this body, in a block that came back if there is one.
    #[inline]
    pub(crate) fn handle(&self, body: B) -> Handle<K, B> {
        let Some(block) = self.pop() else {
            return self.make(body);
        };
        // SAFETY: the block came out of the list, so it is ours alone and holds no body.
        unsafe {
            let slot = &block.as_ref().slot;
            slot.with_mut(|slot| (*slot).body = ManuallyDrop::new(body));
            // Relaxed: the handle is not shared yet, and sharing it orders this before.
            block.as_ref().handles.store(1, Ordering::Relaxed);
        }
        Handle::new(block)
    }

    #[cold]
    fn make(&self, body: B) -> Handle<K, B> {
        // First, as it may panic, or make a handle here itself.
        let kept = self.kept.clone();
        match self.room.get().checked_sub(1) {
            None => Handle::alone(kept, body),
            Some(room) => {
                self.room.set(room);
                // Relaxed: the pool's own share keeps the count above zero meanwhile.
                self.home().shares.fetch_add(1, Ordering::Relaxed);
                Block::make(self.home.as_ptr(), kept, body)
            }
        }
    }
}

impl<K, B> Pool<K, B> {
    /// A free block, from those at hand, else from those that came back.
    #[inline]
    fn pop(&self) -> Option<NonNull<Block<K, B>>> {
        let mut block = self.free.get();
        if block.is_null() {
            // SAFETY: the pool has a share of its home.
            let returned = unsafe { &self.home.as_ref().returned };
            if returned.load(Ordering::Relaxed).is_null() {
                return None;
            }
            // Acquire: the ends of the bodies, and the links, happened before.
            block = returned.swap(ptr::null_mut(), Ordering::Acquire);
        }
        let block = NonNull::new(block)?;
        // SAFETY: it is in a list that is ours, so it is free, and its slot holds the link.
        let next = unsafe { block.as_ref().slot.with(|slot| (*slot).next) };
        self.free.set(next);
        Some(block)
    }
}

impl<K, B> Drop for Pool<K, B> {
    fn drop(&mut self) {
        // SAFETY: the pool has a share of its home.
        let returned = unsafe { &self.home.as_ref().returned };
        // AcqRel: as in `pop`; and whoever reads `CLOSED` comes after this.
        let came_back = returned.swap(closed(), Ordering::AcqRel);
        let mut shares = 1;
        for mut list in [self.free.get(), came_back] {
            while let Some(block) = NonNull::new(list) {
                // SAFETY: both lists are ours alone, and so are their blocks, which hold links.
                unsafe {
                    list = block.as_ref().slot.with(|slot| (*slot).next);
                    drop(Box::from_raw(block.as_ptr()));
                }
                shares += 1;
            }
        }
        // SAFETY: these are the shares of the blocks that were freed, and the pool's own.
        unsafe { Home::give_back(self.home.as_ptr(), shares) }
    }
}
