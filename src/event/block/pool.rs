//! Blocks that come back to their publisher: see `super`.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::ptr::NonNull;

use super::{ALONE, BUSY, Block, FREE, Handle, Shares, handle_count};
use crate::sync::Ordering;

/// Makes the handles of one publisher, of blocks that come back to it.
///
/// It makes up to a fixed number of blocks that return, which bounds what it keeps; when those it
/// looks at are in use, bodies get blocks of their own.
///
/// The blocks stand in a ring, in the order in which they were last used. Where consumers are on the
/// publisher's heels, the block used last is free again, and still in the cache. Where they lag,
/// they take in order, so the one after it, the oldest, is free before any other. So two looks do.
pub(crate) struct Pool<K, B> {
    kept: K,
    ring: RefCell<Vec<NonNull<Block<K, B>>>>,
    /// The place of the block used last.
    last: Cell<usize>,
    owns: PhantomData<Block<K, B>>,
}

// SAFETY: the ring is the pool's alone. Its blocks are shared with the handles' threads by their
// atomics, and dropped there with their `K` and `B`.
unsafe impl<K: Send + Sync, B: Send + Sync> Send for Pool<K, B> {}

/// What one pool keeps at most: so many blocks, and so many bytes.
pub(super) const MOST_BLOCKS: usize = 256;
pub(super) const MOST_BYTES: usize = 64 * 1024;

impl<K: Clone, B> Pool<K, B> {
    pub(crate) fn new(kept: K) -> Self {
        Pool {
            kept,
            ring: RefCell::new(Vec::new()),
            last: Cell::new(0),
            owns: PhantomData,
        }
    }

    pub(crate) fn kept(&self) -> &K {
        &self.kept
    }

    /// A handle of this body, in a block that came back if there is one.
    #[inline]
    pub(crate) fn handle(&self, body: B) -> Handle<K, B> {
        match self.next_free() {
            // SAFETY: the block is free, so it is ours alone and holds no body; one is counted, and
            // made.
            Some(block) => unsafe {
                Block::fill(block, body, 1);
                Handle::new(block)
            },
            None => self.make(body),
        }
    }

    /// So many handles of this body, which are at least one, counted at once.
    #[inline]
    pub(crate) fn shares(&self, body: B, count: usize) -> Shares<K, B> {
        match self.next_free() {
            // SAFETY: as above; as many are counted as are going to be made.
            Some(block) if count > 0 => unsafe {
                Block::fill(block, body, handle_count(count));
                Shares::new(block, count)
            },
            _ => self.make(body).share(count),
        }
    }

    #[cold]
    fn make(&self, body: B) -> Handle<K, B> {
        // Outside of the borrow, as it is not ours.
        let kept = self.kept.clone();
        let mut ring = self.ring.borrow_mut();
        if ring.len() >= (MOST_BYTES / size_of::<Block<K, B>>()).min(MOST_BLOCKS) {
            return Handle::alone(kept, body);
        }
        let block = Block::make(BUSY, kept, body);
        // Right before the one that was looked at last, so that the ring stays in order.
        ring.insert(self.last.get(), block);
        Handle::new(block)
    }
}

impl<K, B> Pool<K, B> {
    /// A free block, if one of the two that are likely to be free is.
    #[inline]
    fn next_free(&self) -> Option<NonNull<Block<K, B>>> {
        let ring = self.ring.borrow();
        let last = self.last.get();
        let block = *ring.get(last)?;
        if is_free(block) {
            return Some(block);
        }
        let next = if last + 1 < ring.len() { last + 1 } else { 0 };
        // Also where it is not free: one that stays in use is passed by.
        self.last.set(next);
        let block = *ring.get(next)?;
        is_free(block).then_some(block)
    }
}

impl<K, B> Block<K, B> {
    /// Puts a body into a free block, with so many handles counted.
    ///
    /// # Safety
    ///
    /// The block is free, and the caller's pool's.
    #[inline]
    unsafe fn fill(this: NonNull<Self>, body: B, handles: u32) {
        // SAFETY: nobody else knows the block; its slot holds no body.
        unsafe {
            let block = this.as_ref();
            block.slot.with_mut(|slot| {
                (*slot).write(body);
            });
            // Relaxed, both: no handle is shared yet, and sharing one orders them before.
            block.standing.store(BUSY, Ordering::Relaxed);
            block.handles.store(handles, Ordering::Relaxed);
        }
    }
}

#[inline]
fn is_free<K, B>(block: NonNull<Block<K, B>>) -> bool {
    // SAFETY: a block in the ring is freed only after the pool has left it alone.
    let standing = unsafe { &block.as_ref().standing };
    // Acquire: the end of the last body happened before.
    standing.load(Ordering::Acquire) == FREE
}

impl<K, B> Drop for Pool<K, B> {
    fn drop(&mut self) {
        for block in self.ring.get_mut().drain(..) {
            // SAFETY: the block lives until the swap, and after it if it was free, and then it is
            // ours alone.
            unsafe {
                // Release: what this did with the block happens before its last handle frees it.
                // Acquire: the other way round.
                if block.as_ref().standing.swap(ALONE, Ordering::AcqRel) == FREE {
                    drop(Box::from_raw(block.as_ptr()));
                }
            }
        }
    }
}
