use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;

use super::pool::{MOST_BLOCKS, MOST_BYTES};
use super::{Block, Handle, Pool};

/// How many of a kind are alive.
#[derive(Clone, Default)]
struct Census(Arc<AtomicUsize>);

impl Census {
    fn alive(&self) -> usize {
        self.0.load(Relaxed)
    }

    fn one(&self) -> One {
        self.0.fetch_add(1, Relaxed);
        One(self.clone())
    }
}

/// One of those counted.
struct One(Census);

impl Clone for One {
    fn clone(&self) -> Self {
        self.0.one()
    }
}

impl Drop for One {
    fn drop(&mut self) {
        assert!(self.0.0.fetch_sub(1, Relaxed) > 0, "dropped twice");
    }
}

fn address<K, B>(handle: &Handle<K, B>) -> *const B {
    ptr::from_ref(handle.body())
}

#[test]
fn a_body_lives_as_long_as_its_last_handle_and_a_block_as_its_pool_or_body() {
    // All orders of: first handle, second handle, pool; here or on another thread.
    let orders = [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ];
    for order in orders {
        for elsewhere in [false, true] {
            let (kept, bodies) = (Census::default(), Census::default());
            let pool = Pool::new(kept.one());
            let first = pool.handle(bodies.one());
            let (mut first, mut second) = (Some(first.clone()), Some(first));
            let mut pool = Some(pool);
            assert_eq!((kept.alive(), bodies.alive()), (2, 1));
            let (mut handles, mut pools) = (2, 1);
            for step in order {
                let mut end = || match step {
                    0 => drop(first.take()),
                    1 => drop(second.take()),
                    _ => drop(pool.take()),
                };
                if elsewhere {
                    thread::scope(|scope| scope.spawn(&mut end).join()).unwrap();
                } else {
                    end();
                }
                match step {
                    2 => pools = 0,
                    _ => handles -= 1,
                }
                assert_eq!(bodies.alive(), usize::from(handles > 0), "{order:?}");
                // The pool's own, and that in the block, which stays while either is there.
                let blocks = usize::from(handles > 0 || pools > 0);
                assert_eq!(kept.alive(), pools + blocks, "{order:?}");
            }
        }
    }
}

#[test]
fn a_block_without_a_home_goes_with_its_last_handle() {
    let (kept, bodies) = (Census::default(), Census::default());
    let first = Handle::alone(kept.one(), bodies.one());
    let second = first.clone();
    assert!(first.ptr_eq(&second));
    drop(first);
    assert_eq!((kept.alive(), bodies.alive()), (1, 1));
    drop(second);
    assert_eq!((kept.alive(), bodies.alive()), (0, 0));
}

#[test]
fn a_block_that_came_back_is_used_again() {
    let pool = Pool::new("kept");
    let first = pool.handle(1);
    let block = address(&first);
    let second = pool.handle(2);
    assert_ne!(address(&second), block);
    drop(first);
    let third = pool.handle(3);
    assert_eq!(address(&third), block);
    assert_eq!(
        (*second.body(), *third.body(), *third.kept()),
        (2, 3, "kept")
    );
    // And by way of another thread.
    thread::spawn(move || drop(third)).join().unwrap();
    assert_eq!(address(&pool.handle(4)), block);
}

#[test]
fn a_pool_makes_so_many_blocks_that_return_and_no_more() {
    let kept = Census::default();
    let pool = Pool::new(kept.one());
    let fill = |count| (0..count).map(|n| pool.handle(n)).collect::<Vec<_>>();
    for _ in 0..3 {
        let handles = fill(MOST_BLOCKS + 10);
        assert_eq!(kept.alive(), 1 + MOST_BLOCKS + 10);
        drop(handles);
        assert_eq!(kept.alive(), 1 + MOST_BLOCKS);
    }
    let handles = fill(MOST_BLOCKS);
    assert_eq!(kept.alive(), 1 + MOST_BLOCKS);
    drop(handles);
    drop(pool);
    assert_eq!(kept.alive(), 0);
}

#[test]
fn a_pool_of_large_bodies_keeps_fewer_blocks_and_of_huge_ones_none() {
    type Large = [u8; 4096];
    type Huge = [u8; MOST_BYTES];
    let kept = Census::default();
    let pool = Pool::new(kept.one());
    drop(
        (0..100)
            .map(|_| pool.handle([0; 4096]))
            .collect::<Vec<Handle<_, Large>>>(),
    );
    assert_eq!(
        kept.alive(),
        1 + MOST_BYTES / size_of::<Block<One, Large>>()
    );
    drop(pool);

    let pool = Pool::new(kept.one());
    let handle: Handle<_, Huge> = pool.handle([7; MOST_BYTES]);
    assert_eq!((handle.body()[MOST_BYTES - 1], kept.alive()), (7, 2));
    drop(handle);
    assert_eq!(kept.alive(), 1);
}

#[test]
fn bodies_without_a_size_and_with_a_large_alignment_come_back_too() {
    #[repr(align(256))]
    struct Aligned(u8);

    let pool = Pool::new(());
    let handle = pool.handle(());
    let block = handle.pointer();
    drop(handle);
    assert_eq!(pool.handle(()).pointer(), block);

    let pool = Pool::new(());
    for n in 0..10 {
        let handle = pool.handle(Aligned(n));
        assert_eq!((address(&handle).addr() % 256, handle.body().0), (0, n));
    }
}

#[test]
fn a_body_that_panics_in_its_destructor_leaves_its_block_whole() {
    struct Bomb(#[allow(dead_code)] One);

    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("bang"));
        }
    }

    let (kept, bodies) = (Census::default(), Census::default());
    let pool = Pool::new(kept.one());
    let mut block = None;
    for _ in 0..3 {
        let handle = pool.handle(Bomb(bodies.one()));
        assert_eq!(*block.get_or_insert(address(&handle)), address(&handle));
        assert!(catch_unwind(AssertUnwindSafe(|| drop(handle))).is_err());
        assert_eq!((kept.alive(), bodies.alive()), (2, 0));
    }
    // Pool first, and without a pool.
    let handle = pool.handle(Bomb(bodies.one()));
    drop(pool);
    assert!(catch_unwind(AssertUnwindSafe(|| drop(handle))).is_err());
    assert_eq!((kept.alive(), bodies.alive()), (0, 0));
    let handle = Handle::alone(kept.one(), Bomb(bodies.one()));
    assert!(catch_unwind(AssertUnwindSafe(|| drop(handle))).is_err());
    assert_eq!((kept.alive(), bodies.alive()), (0, 0));
}

#[test]
fn a_body_may_use_and_even_drop_its_own_pool_while_it_goes() {
    thread_local!(static POOL: RefCell<Option<Pool<One, Last>>> = const { RefCell::new(None) });

    struct Last(bool);

    impl Drop for Last {
        fn drop(&mut self) {
            if self.0 {
                let pool = POOL.take().unwrap();
                // Its own block is not free yet, so this takes another.
                drop(pool.handle(Last(false)));
                drop(pool);
            }
        }
    }

    let kept = Census::default();
    let pool = Pool::new(kept.one());
    let handle = pool.handle(Last(true));
    POOL.set(Some(pool));
    drop(handle);
    assert_eq!(kept.alive(), 0);
}

#[test]
fn only_the_last_handle_gives_the_body_out() {
    let (kept, bodies) = (Census::default(), Census::default());
    let pool = Pool::new(kept.one());
    let first = pool.handle(bodies.one());
    let block = address(&first);
    let second = first.clone();
    let first = first.try_unwrap().err().unwrap();
    drop(second);
    let body = first.try_unwrap().ok().unwrap();
    assert_eq!((kept.alive(), bodies.alive()), (2, 1));
    // The block came back without it.
    assert_eq!(address(&pool.handle(bodies.one())), block);
    drop(body);
    assert_eq!(bodies.alive(), 0);
    // After the pool.
    let handle = pool.handle(bodies.one());
    drop(pool);
    drop(handle.try_unwrap().ok().unwrap());
    assert_eq!((kept.alive(), bodies.alive()), (0, 0));
}

#[test]
fn the_last_handle_comes_back_from_a_drop_that_spares_it() {
    let bodies = Census::default();
    let one = Handle::alone("kept", bodies.one());
    let two = one.clone();
    assert!(one.drop_unless_last().is_none());
    let two = two.drop_unless_last().unwrap();
    // It is whole: it can be cloned, shared and dropped.
    let three = two.clone();
    assert!(two.drop_unless_last().is_none());
    assert_eq!((*three.kept(), bodies.alive()), ("kept", 1));
    drop(three);
    assert_eq!(bodies.alive(), 0);
}

#[test]
fn shares_that_are_not_made_are_given_up() {
    for made in 0..=4 {
        for others in [0, 1] {
            let bodies = Census::default();
            let handle = Handle::alone((), bodies.one());
            let clones: Vec<_> = (0..others).map(|_| handle.clone()).collect();
            let mut shares = handle.share(4);
            let handles: Vec<_> = shares.by_ref().take(made).collect();
            assert_eq!(handles.len(), made);
            drop(shares);
            let left = usize::from(made + others > 0);
            assert_eq!(bodies.alive(), left, "{made} made, {others} others");
            drop(clones);
            assert_eq!(bodies.alive(), usize::from(made > 0));
            drop(handles);
            assert_eq!(bodies.alive(), 0);
        }
    }
}

#[test]
fn shares_are_as_many_as_were_asked_for() {
    let handle = Handle::alone((), 7);
    let handles: Vec<_> = handle.share(3).collect();
    assert_eq!(handles.len(), 3);
    assert!(handles.iter().all(|each| each.ptr_eq(&handles[0])));
    let refused = catch_unwind(AssertUnwindSafe(|| Handle::alone((), 7).share(0)));
    assert!(refused.is_err());
}

#[test]
fn a_handle_moves_and_borrows_as_an_arc_does() {
    fn shorter<'a>(long: Handle<&'static str, &'static str>) -> Handle<&'a str, &'a str> {
        long
    }
    fn everything<H: Send + Sync + Unpin>(_: &H) {}
    fn sendable<P: Send>(_: &P) {}

    everything(&Handle::alone((), std::marker::PhantomPinned));
    sendable(&Pool::<(), u8>::new(()));
    assert_eq!(size_of::<Option<Handle<(), ()>>>(), size_of::<usize>());
    let text = String::from("short");
    let mut handle = shorter(Handle::alone("kept", "long"));
    assert_eq!(*handle.body(), "long");
    handle = Handle::alone(&text, &text);
    assert_eq!((*handle.body(), *handle.kept()), ("short", "short"));
}

/// Publishers with a pool each, consumers that clone, share, unwrap and drop on other threads, and
/// pools that go while their blocks are out.
#[test]
fn blocks_go_round_between_threads() {
    const ROUNDS: u64 = if cfg!(debug_assertions) { 20 } else { 100 };
    const EVENTS: u64 = 2_000;
    let (kept, bodies) = (Census::default(), Census::default());
    thread::scope(|scope| {
        let mut queues = Vec::new();
        for _ in 0..3 {
            let (queue, events) = crossbeam_channel::bounded::<Handle<One, (u64, u64, One)>>(64);
            queues.push(queue);
            scope.spawn(move || {
                let mut held = None;
                for event in events {
                    let (number, complement, _) = event.body();
                    assert_eq!(*number, !*complement);
                    match number % 5 {
                        // Held over the next event, and perhaps over the pool.
                        0 => held = Some(event.clone()),
                        1 => drop(event.share(3).nth(1)),
                        2 => drop(event.try_unwrap()),
                        3 => drop(held.take()),
                        _ => drop(event),
                    }
                }
            });
        }
        for publisher in 0..2 {
            let (queues, kept, bodies) = (queues.clone(), &kept, &bodies);
            scope.spawn(move || {
                for round in 0..ROUNDS {
                    let pool = Pool::new(kept.one());
                    for n in 0..EVENTS {
                        let number = publisher << 60 | round << 32 | n;
                        let event = pool.handle((number, !number, bodies.one()));
                        let shares = event.share(queues.len());
                        for (queue, handle) in queues.iter().zip(shares) {
                            queue.send(handle).unwrap();
                        }
                    }
                }
            });
        }
        drop(queues);
    });
    assert_eq!((kept.alive(), bodies.alive()), (0, 0));
}
