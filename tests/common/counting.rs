//! An allocator that counts, by thread, so that tests beside one another do not mix.
//!
//! A binary that counts declares it: `#[global_allocator] static COUNTING: Counting = Counting;`.
#![allow(unsafe_code)] // An allocator cannot be written without.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

pub(crate) struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

fn note(allocated: usize, freed: usize) {
    // A thread that is being torn down counts no more.
    let _ = LIVE.try_with(|live| live.set(live.get() + allocated as i64 - freed as i64));
    if allocated > 0 {
        let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
        let _ = BYTES.try_with(|bytes| bytes.set(bytes.get() + allocated as u64));
    }
}

// SAFETY: it passes everything on to the system's allocator; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size(), 0);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size(), 0);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size, layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// What this thread allocated while `act` ran: calls, and bytes.
pub(crate) fn allocated<R>(act: impl FnOnce() -> R) -> (u64, u64) {
    let (calls, bytes) = (CALLS.get(), BYTES.get());
    let result = act();
    let spent = (CALLS.get() - calls, BYTES.get() - bytes);
    drop(result);
    spent
}

/// How many allocations this thread made while `act` ran.
pub(crate) fn allocations<R>(act: impl FnOnce() -> R) -> u64 {
    allocated(act).0
}

/// Bytes that this thread allocated and nobody freed on this thread.
pub(crate) fn live() -> i64 {
    LIVE.get()
}
