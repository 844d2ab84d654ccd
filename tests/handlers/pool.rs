//! H8: the thread pool; a handler cannot starve the pool that it runs on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

use chanbus::{Emitter, FailureKind, Flow, Handlers, Refusal, ThreadPool, WhenFull};

use super::common::{Gate, HANG, guarded};
use super::{Done, Log};

const FULL: [WhenFull; 3] = [WhenFull::RunHere, WhenFull::Wait, WhenFull::Refuse];

#[derive(Clone, Copy, Debug)]
enum How {
    Emit,
    EmitAsync,
    Detached,
}

/// Handlers that emit one level deeper, three levels: sync or async ones, each in that way.
fn nest(handlers: &Handlers<u32>, pool: &ThreadPool, how: How, sync: bool) -> Done {
    for level in 0..3 {
        let on = handlers.on(format!("level.{level}"));
        let next = format!("level.{}", level + 1);
        // An emitter in a handler of its own registry; the test clears it at the end.
        let emitter = Emitter::thread_pool(handlers, pool);
        let act = move |emitter: &Emitter<u32>| -> Done {
            match how {
                How::Emit => drop(
                    emitter
                        .emit(&next, level)?
                        .into_result()
                        .map_err(|_| "failed")?,
                ),
                How::EmitAsync => {
                    let emit = emitter.emit_async(&next, level);
                    drop(
                        futures_lite::future::block_on(emit)?
                            .into_result()
                            .map_err(|_| "failed")?,
                    );
                }
                How::Detached => emitter.emit_detached(&next, level)?,
            }
            Ok(())
        };
        if sync {
            on.handle(move |_, _| {
                // Twice: what the first has left must not stand in the second's way.
                act(&emitter)?;
                act(&emitter)?;
                Ok(Flow::Continue)
            })?;
        } else {
            let act = Arc::new(act);
            on.handle_async(move |_, _| {
                let (emitter, act) = (emitter.clone(), Arc::clone(&act));
                let next = format!("level.{}", level + 1);
                async move {
                    futures_lite::future::yield_now().await;
                    if matches!(how, How::EmitAsync) {
                        for _ in 0..2 {
                            drop(
                                emitter
                                    .emit_async(&next, level)
                                    .await?
                                    .into_result()
                                    .map_err(|_| "no")?,
                            );
                        }
                    } else {
                        act(&emitter)?;
                        act(&emitter)?;
                    }
                    Ok(Flow::Continue)
                }
            })?;
        }
    }
    Ok(())
}

#[test]
fn h8_a_handler_that_emits_on_its_own_single_threaded_pool_does_not_starve_it() -> Done {
    for when_full in FULL {
        for how in [How::Emit, How::EmitAsync, How::Detached] {
            // Two that are handed over do not fit into a queue of one, and are refused by that policy.
            if matches!((when_full, how), (WhenFull::Refuse, How::Detached)) {
                continue;
            }
            for sync in [true, false] {
                guarded(move || -> Done {
                    let pool = ThreadPool::builder(1)
                        .queue(1)
                        .when_full(when_full)
                        .build()?;
                    let handlers = Handlers::<u32>::new();
                    nest(&handlers, &pool, how, sync)?;
                    let ends = Arc::new(AtomicUsize::new(0));
                    let (count, (all, done)) = (Arc::clone(&ends), channel());
                    handlers.on("level.3").call(move |_| {
                        if count.fetch_add(1, Ordering::SeqCst) == 7 {
                            all.send(()).unwrap();
                        }
                    })?;
                    let report = Emitter::thread_pool(&handlers, &pool).emit("level.0", 9)?;
                    let what = format!("{when_full:?} {how:?} sync {sync}");
                    assert!(report.is_ok(), "{what}: {report:?}");
                    done.recv_timeout(HANG).expect(&what);
                    handlers.clear();
                    pool.shutdown();
                    assert_eq!(ends.load(Ordering::SeqCst), 8, "{what}");
                    assert_eq!(handlers.stats().failed, 0, "{what}");
                    Ok(())
                })?;
            }
        }
    }
    Ok(())
}

/// More nested emits than the queue has room for: their jobs are done, and are not in the way.
#[test]
fn h8_jobs_that_a_waiting_worker_ran_itself_keep_nothing_out_of_the_queue() -> Done {
    for sync in [true, false] {
        guarded(move || -> Done {
            let pool = ThreadPool::builder(1)
                .queue(2)
                .when_full(WhenFull::Refuse)
                .build()?;
            let handlers = Handlers::<u32>::new();
            let emitter = Emitter::thread_pool(&handlers, &pool);
            handlers.on("a").handle(move |_, _| {
                for n in 0..50 {
                    assert_eq!(emitter.emit("b", n)?.called, 1);
                }
                Ok(Flow::Continue)
            })?;
            if sync {
                handlers.on("b").call(|_| {})?;
            } else {
                handlers.on("b").handle_async(|_, _| async {
                    futures_lite::future::yield_now().await;
                    Ok(Flow::Continue)
                })?;
            }
            let report = Emitter::thread_pool(&handlers, &pool).emit("a", 1)?;
            assert!(report.is_ok(), "{report:?}");
            handlers.clear();
            Ok(())
        })?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
#[test]
fn h8_the_queue_is_bounded_and_its_policy_is_as_stated() -> Done {
    for when_full in FULL {
        guarded(move || -> Done {
            let (handlers, gate) = (Handlers::<u32>::new(), Gate::new());
            let pool = ThreadPool::builder(1)
                .queue(1)
                .when_full(when_full)
                .build()?;
            let (held, (ran, runs)) = (gate.clone(), channel());
            handlers.on("hold").call(move |_| held.pass())?;
            handlers.on("a").call(move |event| {
                ran.send((*event.payload(), thread::current().id()))
                    .unwrap()
            })?;
            let emitter = Emitter::thread_pool(&handlers, &pool);
            emitter.emit_detached("hold", 0)?;
            gate.wait_held();
            emitter.emit_detached("a", 1)?;
            assert_eq!(pool.queued(), 1);
            match when_full {
                WhenFull::RunHere => {
                    emitter.emit_detached("a", 2)?;
                    assert_eq!(runs.try_recv()?, (2, thread::current().id()));
                    gate.open();
                }
                WhenFull::Wait => {
                    let waits = emitter.clone();
                    let waiting =
                        super::common::spawn_asleep(move || waits.emit_detached("a", 2).unwrap());
                    assert!(runs.try_recv().is_err());
                    gate.open();
                    waiting.join().unwrap();
                }
                _ => {
                    let report = emitter.emit("a", 2)?;
                    let kind = report.errors[0].kind();
                    let full = FailureKind::Refused(Refusal::QueueFull { capacity: 1 });
                    assert_eq!(format!("{kind:?}"), format!("{full:?}"));
                    assert_eq!(report.called, 0);
                    gate.open();
                }
            }
            pool.shutdown();
            let mut rest: Vec<_> = runs.try_iter().map(|(n, _)| n).collect();
            rest.sort_unstable();
            let wanted: &[u32] = if when_full == WhenFull::Wait {
                &[1, 2]
            } else {
                &[1]
            };
            assert_eq!(rest, wanted, "{when_full:?}");
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn h8_threads_are_named_and_no_pool_is_empty() -> Done {
    guarded(|| {
        let (handlers, (name, names)) = (Handlers::<u32>::new(), channel());
        handlers.on("a").call(move |_| {
            name.send(thread::current().name().map(str::to_owned))
                .unwrap();
        })?;
        let pool = ThreadPool::builder(2).name("chat").build()?;
        assert_eq!((pool.threads(), pool.clone().threads()), (2, 2));
        assert!(Emitter::thread_pool(&handlers, &pool).emit("a", 1)?.is_ok());
        assert!(names.recv()?.unwrap().starts_with("chat"));
        assert!(ThreadPool::new(0).is_err());
        assert!(ThreadPool::builder(1).queue(0).build().is_err());
        Ok(())
    })
}

/// An async handler that waits occupies no thread: as many wait as never fit, and one wakes them all.
#[test]
fn h8_async_handlers_occupy_no_thread_while_they_wait() -> Done {
    guarded(|| {
        let handlers = Handlers::<u32>::new();
        let (give, take) = async_channel::unbounded::<()>();
        for _ in 0..50 {
            let take = take.clone();
            handlers.on("wait").handle_async(move |_, _| {
                let take = take.clone();
                async move {
                    take.recv().await?;
                    Ok(Flow::Continue)
                }
            })?;
        }
        handlers.on("go").call(move |_| {
            for _ in 0..50 {
                give.send_blocking(()).unwrap();
            }
        })?;
        let pool = ThreadPool::new(1)?;
        let emitter = Emitter::thread_pool(&handlers, &pool);
        let waiting = emitter.clone();
        let waiting = thread::spawn(move || waiting.emit("wait", 1).unwrap());
        while pool.queued() < 50 {
            thread::yield_now();
        }
        assert_eq!(emitter.emit("go", 1)?.called, 1);
        assert_eq!(waiting.join().unwrap().called, 50);
        assert_eq!(pool.queued(), 0);
        Ok(())
    })
}

/// What nobody waits for is polled by the executor's threads alone: never inside of a waker, where the
/// thread may hold anything.
#[test]
fn h8_a_detached_async_handler_is_not_polled_by_who_wakes_it() -> Done {
    guarded(|| {
        let handlers = Handlers::<u32>::new();
        let (give, take) = async_channel::bounded::<()>(1);
        let lock = Arc::new(Mutex::new(()));
        let (own, (name, names)) = (Arc::clone(&lock), channel());
        handlers.on("a").priority(1).call(|_| {})?;
        handlers.on("a").priority(2).handle_async(move |_, _| {
            let (take, own, name) = (take.clone(), Arc::clone(&own), name.clone());
            async move {
                take.recv().await?;
                drop(own.lock().map_err(|_| "poisoned")?);
                name.send(thread::current().name().map(str::to_owned))?;
                Ok(Flow::Continue)
            }
        })?;
        let pool = ThreadPool::builder(1).name("pool").build()?;
        Emitter::thread_pool(&handlers, &pool).emit_detached("a", 1)?;
        while handlers.list()[1].called == 0 {
            thread::yield_now();
        }
        // Until it is suspended: it was taken from the queue, and is held again.
        while pool.queued() == 0 {
            thread::yield_now();
        }
        let held = lock.lock().unwrap();
        give.send_blocking(())?;
        drop(held);
        assert!(names.recv_timeout(HANG)?.unwrap().starts_with("pool"));
        Ok(())
    })
}

#[test]
fn h8_emit_detached_from_the_pools_own_worker_returns_before_its_handlers_run() -> Done {
    guarded(|| {
        let (handlers, log) = (Handlers::<u32>::new(), Log::new());
        let pool = ThreadPool::new(1)?;
        let (emitter, said) = (Emitter::thread_pool(&handlers, &pool), log.clone());
        handlers.on("a").handle(move |_, _| {
            emitter.emit_detached("b", 1)?;
            said.add("handed over");
            Ok(Flow::Continue)
        })?;
        handlers.on("b").call(log.says("b"))?;
        assert!(Emitter::thread_pool(&handlers, &pool).emit("a", 1)?.is_ok());
        pool.shutdown();
        assert_eq!(log.take(), ["handed over", "b"]);
        handlers.clear();
        Ok(())
    })
}
