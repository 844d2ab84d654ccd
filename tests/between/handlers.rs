//! Dispatchers that are fed with batches and stopped among them (H8, H9).

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use chanbus::{Bus, Dispatcher, Drain, Handlers, ThreadPool};
use futures_lite::future::block_on;

use crate::common::{Dice, Gate, POLICIES, guarded};

#[test]
fn h9_a_stop_in_the_middle_of_batches_loses_none() {
    guarded(|| {
        let bus: Bus<u32> = Bus::new();
        let handlers = Handlers::<u32>::new();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&seen);
        handlers
            .on("**")
            .handle_batch(move |events| {
                list.lock()
                    .unwrap()
                    .push(events.iter().map(|it| *it.payload()).collect::<Vec<_>>());
                Ok(chanbus::Flow::Continue)
            })
            .unwrap();
        let derived = bus.filtered(|event| event.payload() % 3 != 0);
        let dispatcher = Dispatcher::builder(&derived, &handlers)
            .capacity(1_000)
            .build()
            .unwrap();
        let publisher = bus.publisher("n").unwrap();
        publisher.emit_batch(0..6).unwrap();
        dispatcher.start().unwrap();
        publisher.emit_batch(6..12).unwrap();
        dispatcher.stop(Drain::All).unwrap();
        publisher.emit_batch(12..18).unwrap();
        assert_eq!(dispatcher.stats().queued, 4);
        dispatcher.start().unwrap();
        dispatcher.stop(Drain::All).unwrap();
        let seen = seen.lock().unwrap().clone();
        assert_eq!(seen, [[1, 2, 4, 5], [7, 8, 10, 11], [13, 14, 16, 17]]);
    });
}

#[test]
fn h9_stops_among_batches_lose_none_of_what_was_received() {
    for round in 0..12 {
        guarded(move || {
            let bus: Bus<u64> = Bus::new();
            let source = bus.filtered(|_| true);
            let handlers = Handlers::new();
            let seen = Arc::new(AtomicU64::new(0));
            let (batches, singles) = (Arc::clone(&seen), Arc::new(AtomicU64::new(0)));
            let ones = Arc::clone(&singles);
            handlers
                .on("**")
                .handle_batch(move |events| {
                    batches.fetch_add(events.len() as u64, Ordering::SeqCst);
                    Ok(chanbus::Flow::Continue)
                })
                .unwrap();
            handlers
                .on("**")
                .call(move |_| {
                    ones.fetch_add(1, Ordering::SeqCst);
                })
                .unwrap();
            let policy = POLICIES[(round % 3) as usize];
            let capacity = [1, 5, 1_000][(round / 3 % 3) as usize];
            let dispatcher = Dispatcher::builder(&source, &handlers)
                .capacity(capacity)
                .overflow(policy)
                .max_in_flight(1 + (round % 2) as usize);
            let pool = (round % 4 == 0).then(|| ThreadPool::new(2).unwrap());
            let dispatcher = match &pool {
                Some(pool) => dispatcher.executor(pool.clone()),
                None => dispatcher,
            };
            let dispatcher = dispatcher.build().unwrap();
            dispatcher.start().unwrap();
            let emitters: Vec<_> = (0..2)
                .map(|seed| {
                    let bus = bus.clone();
                    thread::spawn(move || {
                        let mut dice = Dice::new(round + seed * 1_000);
                        for _ in 0..40 {
                            let mut batch = bus.start_batch();
                            for it in 0..dice.below(30) {
                                batch.emit(format!("n.{}", it % 7), it).unwrap();
                            }
                            batch.commit().unwrap();
                        }
                    })
                })
                .collect();
            for _ in 0..5 {
                dispatcher.stop(Drain::All).unwrap();
                dispatcher.start().unwrap();
            }
            emitters.into_iter().for_each(|it| it.join().unwrap());
            dispatcher.stop(Drain::All).unwrap();
            let stats = source.stats();
            assert_eq!(stats.depth, 0);
            assert_eq!(seen.load(Ordering::SeqCst), stats.received);
            assert_eq!(singles.load(Ordering::SeqCst), stats.received);
        });
    }
}

/// What was handled, of five events, when the first handler gets stuck beyond a stop's deadline.
fn handled_after_a_stop_that_gave_up(together: bool) -> (usize, Vec<u32>) {
    guarded(move || {
        let bus: Bus<u32> = Bus::new();
        let handlers = Handlers::<u32>::new();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (began, has_begun) = channel();
        let (go, may_go) = channel::<()>();
        let (list, may_go) = (Arc::clone(&seen), Mutex::new(may_go));
        handlers
            .on("n")
            .call(move |event| {
                list.lock().unwrap().push(*event.payload());
                if *event.payload() == 0 {
                    began.send(()).unwrap();
                    may_go.lock().unwrap().recv().unwrap();
                }
            })
            .unwrap();
        let dispatcher = Dispatcher::builder(&bus, &handlers).build().unwrap();
        let publisher = bus.publisher("n").unwrap();
        if together {
            publisher.emit_batch(0..5).unwrap();
        } else {
            (0..5).for_each(|n| assert_eq!(publisher.emit(n).unwrap().delivered, 1));
        }
        dispatcher.start().unwrap();
        has_begun.recv().unwrap();
        let stopped = dispatcher.stop(Drain::Within(Duration::from_millis(50)));
        let left = stopped.unwrap_err().left;
        go.send(()).unwrap();
        dispatcher.start().unwrap();
        dispatcher.stop(Drain::All).unwrap();
        let mut seen = seen.lock().unwrap().clone();
        seen.sort_unstable();
        (left, seen)
    })
}

#[test]
fn h9_what_a_stop_left_is_handled_at_the_next_start() {
    for together in [false, true] {
        let handled = handled_after_a_stop_that_gave_up(together);
        assert_eq!(handled, (4, vec![0, 1, 2, 3, 4]));
    }
}

#[test]
fn p8_a_stop_now_leaves_what_was_not_begun_of_a_batch() {
    guarded(|| {
        let bus: Bus<u32> = Bus::new();
        let handlers = Handlers::<u32>::new();
        let seen = Arc::new(AtomicUsize::new(0));
        let (began, has_begun) = channel();
        let (go, may_go) = channel::<()>();
        let (count, may_go) = (Arc::clone(&seen), Mutex::new(may_go));
        handlers
            .on("n")
            .call(move |_| {
                if count.fetch_add(1, Ordering::SeqCst) == 0 {
                    began.send(()).unwrap();
                    may_go.lock().unwrap().recv().unwrap();
                }
            })
            .unwrap();
        let dispatcher = Dispatcher::builder(&bus, &handlers).build().unwrap();
        bus.publisher("n").unwrap().emit_batch(0..5).unwrap();
        dispatcher.start().unwrap();
        has_begun.recv().unwrap();
        let stop = dispatcher.stop_async(Drain::Now);
        go.send(()).unwrap();
        let stopped = block_on(stop).unwrap();
        // Whatever was not handled is still there.
        assert_eq!(seen.load(Ordering::SeqCst) + stopped.left, 5);
    });
}

#[test]
fn p5_what_a_stop_gave_up_of_a_batch_is_counted() {
    guarded(|| {
        let bus: Bus<u32> = Bus::new();
        let handlers = Handlers::<u32>::new();
        let (began, has_begun) = channel();
        let (go, may_go) = channel::<()>();
        let may_go = Mutex::new(may_go);
        handlers
            .on("n")
            .call(move |_| {
                began.send(()).unwrap();
                let _ = may_go.lock().unwrap().recv();
            })
            .unwrap();
        let dispatcher = Dispatcher::builder(&bus, &handlers).build().unwrap();
        bus.publisher("n").unwrap().emit_batch(0..5).unwrap();
        dispatcher.start().unwrap();
        has_begun.recv().unwrap();
        let error = dispatcher
            .stop(Drain::Within(Duration::from_millis(50)))
            .unwrap_err();
        drop(go);
        let left = error.left as u64;
        while handlers.stats().called + handlers.stats().skipped + left < 5 {
            thread::yield_now();
        }
        let (all, own) = (handlers.stats(), dispatcher.stats());
        assert_eq!(all.called + all.skipped + left, 5, "{all:?}");
        assert_eq!(own.called + own.skipped + left, 5, "{own:?}");
    });
}

#[test]
fn p5_a_stop_that_gave_up_in_a_batch_and_a_start_after_it_account_for_all() {
    guarded(|| {
        let bus: Bus<u64> = Bus::new();
        let handlers = Handlers::new();
        let gate = Gate::new();
        let stuck = gate.clone();
        handlers
            .on("**")
            .name("stuck")
            .call(move |_| stuck.pass())
            .unwrap();
        let dispatcher = Dispatcher::builder(&bus, &handlers).build().unwrap();
        dispatcher.start().unwrap();
        bus.publisher("n").unwrap().emit_batch(0..10).unwrap();
        gate.wait_held();
        let timeout = dispatcher
            .stop(Drain::Within(Duration::from_millis(30)))
            .unwrap_err();
        assert_eq!(timeout.stuck.len(), 1);
        dispatcher.start().unwrap();
        gate.open();
        bus.emit("n", 11).unwrap();
        dispatcher.stop(Drain::All).unwrap();
        let stats = loop {
            let stats = handlers.stats();
            if stats.called + stats.skipped >= 11 {
                break stats;
            }
            thread::yield_now();
        };
        assert_eq!(
            stats.called + stats.skipped,
            11,
            "every event is accounted for"
        );
        drop(dispatcher);
    });
}

/// Each of two plain handler calls waits for the other: a hang unless they run at once.
fn run_at_once(together: bool) {
    guarded(move || {
        let bus: Bus<u32> = Bus::new();
        let handlers = Handlers::<u32>::new();
        let (met, called) = (Barrier::new(2), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&called);
        handlers
            .on("n")
            .call(move |_| {
                met.wait();
                count.fetch_add(1, Ordering::SeqCst);
            })
            .unwrap();
        let pool = ThreadPool::new(2).unwrap();
        let dispatcher = Dispatcher::builder(&bus, &handlers)
            .executor(pool.clone())
            .max_in_flight(2)
            .build()
            .unwrap();
        let publisher = bus.publisher("n").unwrap();
        if together {
            publisher.emit_batch([1, 2]).unwrap();
        } else {
            (1..=2).for_each(|n| assert_eq!(publisher.emit(n).unwrap().delivered, 1));
        }
        dispatcher.start().unwrap();
        dispatcher.stop(Drain::All).unwrap();
        pool.shutdown();
        assert_eq!(called.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn h8_a_dispatchers_pool_works_on_the_events_of_a_batch_at_once() {
    run_at_once(false);
    // No handler is one for batches, so that nothing asks for one after the other.
    run_at_once(true);
}
