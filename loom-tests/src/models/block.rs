//! One model for each claim of `src/event/block`.

use loom::alloc::Track;
use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::mpsc::channel;
use loom::sync::{Arc, Mutex};
use loom::thread;

use super::models;
use crate::block::{Handle, Pool, Shares};

models![
    last_of_two_drops_once,
    unwrap_sees_what_others_did,
    one_of_two_gets_the_body,
    one_of_two_keeps_its_handle,
    sharing_passes_on_what_dropped_handles_did,
    sharing_beside_another_handle_counts_all,
    shares_are_counted_before_they_are_shared,
    shares_of_a_block_that_came_back_are_counted_too,
    reuse_sees_the_end_of_the_body,
    two_blocks_are_free_at_once,
    last_handle_goes_while_the_pool_is_dropped,
    two_last_handles_go_while_the_pool_is_dropped,
];

/// A body that is read through a handle, and written when it is dropped: loom finds both at once.
/// `Track` finds a body that is never dropped.
struct Body {
    cell: UnsafeCell<u32>,
    drops: Arc<AtomicUsize>,
    _leak: Track<()>,
}

impl Body {
    fn new(value: u32, drops: &Arc<AtomicUsize>) -> Self {
        Body {
            cell: UnsafeCell::new(value),
            drops: Arc::clone(drops),
            _leak: Track::new(()),
        }
    }

    fn read(&self) -> u32 {
        // SAFETY: only the destructor writes; whether that is ever at once is what loom checks.
        self.cell.with(|value| unsafe { *value })
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        // SAFETY: `&mut self`.
        self.cell.with_mut(|value| unsafe {
            assert_ne!(*value, u32::MAX, "dropped twice");
            *value = u32::MAX;
        });
        // Relaxed: joins order it before it is read.
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: loom checks the accesses to the cell, which is the point.
unsafe impl Sync for Body {}

/// What a block keeps: loom finds those that are never dropped, and so blocks that are never freed.
struct Kept(#[allow(dead_code)] Track<()>);

impl Kept {
    fn new() -> Self {
        Kept(Track::new(()))
    }
}

impl Clone for Kept {
    fn clone(&self) -> Self {
        Kept::new()
    }
}

type Event = Handle<Kept, Body>;

fn counter() -> Arc<AtomicUsize> {
    Arc::new(AtomicUsize::new(0))
}

fn dropped(drops: &AtomicUsize) -> usize {
    drops.load(Ordering::Relaxed)
}

fn last_of_two_drops_once() {
    let drops = counter();
    let one: Event = Handle::alone(Kept::new(), Body::new(1, &drops));
    let two = one.clone();
    let other = thread::spawn(move || {
        assert_eq!(two.body().read(), 1);
        drop(two);
    });
    assert_eq!(one.body().read(), 1);
    drop(one);
    other.join().unwrap();
    assert_eq!(dropped(&drops), 1);
}

fn unwrap_sees_what_others_did() {
    let drops = counter();
    let one: Event = Handle::alone(Kept::new(), Body::new(1, &drops));
    let two = one.clone();
    let other = thread::spawn(move || {
        assert_eq!(two.body().read(), 1);
        drop(two);
    });
    match one.try_unwrap() {
        Ok(body) => assert_eq!(body.read(), 1),
        Err(one) => assert_eq!(one.body().read(), 1),
    }
    other.join().unwrap();
    assert_eq!(dropped(&drops), 1);
}

fn one_of_two_gets_the_body() {
    let drops = counter();
    let one: Event = Handle::alone(Kept::new(), Body::new(1, &drops));
    let two = one.clone();
    let other = thread::spawn(move || {
        assert_eq!(two.body().read(), 1);
        two.into_inner()
    });
    assert_eq!(one.body().read(), 1);
    let mine = one.into_inner();
    let theirs = other.join().unwrap();
    assert_ne!(mine.is_some(), theirs.is_some());
    assert_eq!(dropped(&drops), 0);
    drop((mine, theirs));
    assert_eq!(dropped(&drops), 1);
}

fn one_of_two_keeps_its_handle() {
    let drops = counter();
    let one: Event = Handle::alone(Kept::new(), Body::new(1, &drops));
    let two = one.clone();
    let other = thread::spawn(move || {
        assert_eq!(two.body().read(), 1);
        two.drop_unless_last()
    });
    assert_eq!(one.body().read(), 1);
    let mine = one.drop_unless_last();
    let theirs = other.join().unwrap();
    assert_ne!(mine.is_some(), theirs.is_some());
    assert_eq!(dropped(&drops), 0);
    drop((mine, theirs));
    assert_eq!(dropped(&drops), 1);
}

fn sharing_passes_on_what_dropped_handles_did() {
    let drops = counter();
    let one: Event = Handle::alone(Kept::new(), Body::new(1, &drops));
    let two = one.clone();
    let reader = thread::spawn(move || {
        assert_eq!(two.body().read(), 1);
        drop(two);
    });
    // Counts by a plain store, if the reader has gone.
    let mut shares = one.share(2);
    let (first, second) = (shares.next().unwrap(), shares.next().unwrap());
    let taker = thread::spawn(move || drop(first));
    drop(second);
    reader.join().unwrap();
    taker.join().unwrap();
    assert_eq!(dropped(&drops), 1);
}

fn sharing_beside_another_handle_counts_all() {
    let drops = counter();
    let one: Event = Handle::alone(Kept::new(), Body::new(1, &drops));
    let two = one.clone();
    let other = thread::spawn(move || {
        assert_eq!(two.body().read(), 1);
        drop(two);
    });
    let mut shares = one.share(2);
    let first = shares.next().unwrap();
    drop(shares.next());
    assert_eq!(first.body().read(), 1);
    drop(first);
    other.join().unwrap();
    assert_eq!(dropped(&drops), 1);
}

fn shares_are_counted_before_they_are_shared() {
    let drops = counter();
    let one: Event = Handle::alone(Kept::new(), Body::new(1, &drops));
    share_with_a_consumer(one.share(3), &drops);
}

fn shares_of_a_block_that_came_back_are_counted_too() {
    let drops = counter();
    let pool: Pool<Kept, Body> = Pool::new(Kept::new());
    let first = pool.handle(Body::new(0, &counter()));
    let block = std::ptr::from_ref(first.body());
    drop(first);
    let mut shares = pool.shares(Body::new(1, &drops), 4);
    let one = shares.next().unwrap();
    assert_eq!(std::ptr::from_ref(one.body()), block);
    drop(one);
    share_with_a_consumer(shares, &drops);
}

/// Three shares: one for a consumer that may drop it before the second is made; one is never made.
fn share_with_a_consumer(mut shares: Shares<Kept, Body>, drops: &Arc<AtomicUsize>) {
    let (sender, receiver) = channel();
    let consumer = thread::spawn(move || {
        let handle: Event = receiver.recv().unwrap();
        assert_eq!(handle.body().read(), 1);
        drop(handle);
    });
    sender.send(shares.next().unwrap()).unwrap();
    let second = shares.next().unwrap();
    assert_eq!(second.body().read(), 1);
    drop(second);
    assert_eq!(dropped(drops), 0);
    drop(shares);
    consumer.join().unwrap();
    assert_eq!(dropped(drops), 1);
}

fn reuse_sees_the_end_of_the_body() {
    let drops = counter();
    let pool: Pool<Kept, Body> = Pool::new(Kept::new());
    let first = pool.handle(Body::new(1, &drops));
    let block = std::ptr::from_ref(first.body());
    let consumer = thread::spawn(move || {
        assert_eq!(first.body().read(), 1);
        drop(first);
    });
    let second = pool.handle(Body::new(2, &drops));
    if std::ptr::from_ref(second.body()) == block {
        assert_eq!(dropped(&drops), 1, "reused before the body's end");
    }
    assert_eq!(second.body().read(), 2);
    drop(second);
    consumer.join().unwrap();
    assert_eq!(dropped(&drops), 2);
}

fn two_blocks_are_free_at_once() {
    let drops = counter();
    let pool: Pool<Kept, Body> = Pool::new(Kept::new());
    let (one, two) = (
        pool.handle(Body::new(1, &drops)),
        pool.handle(Body::new(2, &drops)),
    );
    let consumer = thread::spawn(move || drop(one));
    let other = thread::spawn(move || drop(two));
    let three = pool.handle(Body::new(3, &drops));
    let four = pool.handle(Body::new(4, &drops));
    assert!(!three.ptr_eq(&four), "given out twice");
    assert_eq!((three.body().read(), four.body().read()), (3, 4));
    drop((three, four));
    consumer.join().unwrap();
    other.join().unwrap();
    assert_eq!(dropped(&drops), 4);
}

fn last_handle_goes_while_the_pool_is_dropped() {
    let drops = counter();
    let pool: Pool<Kept, Body> = Pool::new(Kept::new());
    let event = pool.handle(Body::new(1, &drops));
    let consumer = thread::spawn(move || drop(event));
    drop(pool);
    consumer.join().unwrap();
    assert_eq!(dropped(&drops), 1);
}

fn two_last_handles_go_while_the_pool_is_dropped() {
    let drops = counter();
    let pool: Pool<Kept, Body> = Pool::new(Kept::new());
    let (one, two) = (
        pool.handle(Body::new(1, &drops)),
        pool.handle(Body::new(2, &drops)),
    );
    // Held until after the end of the pool, or not, as the schedule has it.
    let shelf = Arc::new(Mutex::new(Some(two)));
    let theirs = Arc::clone(&shelf);
    let consumer = thread::spawn(move || {
        drop(one);
        drop(theirs.lock().unwrap().take());
    });
    drop(pool);
    drop(shelf.lock().unwrap().take());
    consumer.join().unwrap();
    assert_eq!(dropped(&drops), 2);
}
