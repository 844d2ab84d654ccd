//! H8: how a thread pool comes to its end.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use chanbus::{Emitter, FailureKind, Flow, Handlers, Refusal, ThreadPool};

use super::common::{Census, Gate, HANG, guarded};
use super::{Done, Log};

#[test]
fn h8_a_pool_that_is_shut_down_does_what_it_has_and_takes_no_more() -> Done {
    guarded(|| {
        let (handlers, log, gate) = (Handlers::<u32>::new(), Log::new(), Gate::new());
        let held = gate.clone();
        handlers.on("hold").call(move |_| held.pass())?;
        handlers.on("a").call(log.says("done"))?;
        let pool = ThreadPool::new(2)?;
        let emitter = Emitter::thread_pool(&handlers, &pool);
        emitter.emit_detached("hold", 0)?;
        gate.wait_held();
        for _ in 0..10 {
            emitter.emit_detached("a", 0)?;
        }
        let two = [pool.clone(), pool.clone()].map(|pool| thread::spawn(move || pool.shutdown()));
        gate.open();
        for one in two {
            one.join().unwrap();
        }
        assert_eq!(log.take().len(), 10);
        let report = emitter.emit("a", 1)?;
        assert!(matches!(
            report.errors[0].kind(),
            FailureKind::Refused(Refusal::ShutDown)
        ));
        emitter.emit_detached("a", 1)?;
        assert!(pool.shutdown_timeout(Duration::ZERO), "it is over already");
        assert_eq!(log.take(), [""; 0]);
        Ok(())
    })
}

#[test]
fn h8_a_pool_shut_down_by_its_own_worker_waits_for_nothing() -> Done {
    for sync in [true, false] {
        guarded(move || -> Done {
            let handlers = Handlers::<u32>::new();
            let pool = ThreadPool::new(1)?;
            let own = pool.clone();
            let on = handlers.on("a").priority(1);
            if sync {
                on.call(move |_| {
                    own.shutdown();
                    assert!(!own.shutdown_timeout(Duration::from_secs(3_600)));
                })?;
            } else {
                on.handle_async(move |_, _| {
                    let own = own.clone();
                    async move {
                        own.shutdown();
                        Ok(Flow::Continue)
                    }
                })?;
            }
            handlers.on("a").priority(2).call(|_| {})?;
            let report = Emitter::thread_pool(&handlers, &pool).emit("a", 1)?;
            assert_eq!((report.called, report.skipped, report.failed), (1, 1, 1));
            pool.shutdown();
            Ok(())
        })?;
    }
    Ok(())
}

#[test]
fn h8_a_shutdown_with_a_limit_gives_up_a_stuck_job_and_tells_queued_ones() -> Done {
    guarded(|| {
        let (handlers, gate) = (Handlers::<u32>::new(), Gate::new());
        let held = gate.clone();
        handlers.on("hold").call(move |_| held.pass())?;
        handlers.on("a").call(|_| panic!("never"))?;
        let pool = ThreadPool::new(1)?;
        let emitter = Emitter::thread_pool(&handlers, &pool);
        let stuck = emitter.clone();
        let stuck = thread::spawn(move || stuck.emit("hold", 0).unwrap());
        gate.wait_held();
        let queued = emitter.clone();
        let queued = thread::spawn(move || queued.emit("a", 0).unwrap());
        while pool.queued() < 1 {
            thread::yield_now();
        }
        assert!(!pool.shutdown_timeout(Duration::from_millis(5)));
        let report = queued.join().unwrap();
        assert!(matches!(report.errors[0].kind(), FailureKind::Lost));
        gate.open();
        assert_eq!(stuck.join().unwrap().called, 1);
        Ok(())
    })
}

#[test]
fn h8_a_shutdown_with_a_limit_gives_up_suspended_jobs() -> Done {
    guarded(|| {
        let handlers = Handlers::<u32>::new();
        handlers
            .on("a")
            .handle_async(|_, _| std::future::pending())?;
        let pool = ThreadPool::new(1)?;
        let emitter = Emitter::thread_pool(&handlers, &pool);
        let emit = thread::spawn(move || emitter.emit("a", 0).unwrap());
        while handlers.stats().by_kind.r#async != 1 || pool.queued() < 1 {
            thread::yield_now();
        }
        assert!(!pool.shutdown_timeout(Duration::from_millis(5)));
        let report = emit.join().unwrap();
        assert!(matches!(report.errors[0].kind(), FailureKind::Lost));
        Ok(())
    })
}

/// The shutdown gives up while the job is being polled; the job is woken in that poll, or after it.
#[test]
fn h8_a_shutdown_that_gives_up_amid_a_poll_leaves_nobody_waiting() -> Done {
    for woken in [true, false] {
        guarded(move || -> Done {
            let (handlers, gate) = (Handlers::<u32>::new(), Gate::new());
            let held = gate.clone();
            handlers.on("a").handle_async(move |_, _| {
                let held = held.clone();
                std::future::poll_fn(move |cx| {
                    held.pass();
                    if woken {
                        cx.waker().wake_by_ref();
                    }
                    Poll::Pending
                })
            })?;
            let pool = ThreadPool::new(1)?;
            let emitter = Emitter::thread_pool(&handlers, &pool);
            let emit = thread::spawn(move || emitter.emit("a", 0).unwrap());
            gate.wait_held();
            assert!(!pool.shutdown_timeout(Duration::from_millis(5)));
            gate.open();
            let report = emit.join().unwrap();
            assert_eq!((report.called, report.failed), (1, 1));
            assert!(matches!(report.errors[0].kind(), FailureKind::Lost));
            Ok(())
        })?;
    }
    Ok(())
}

/// The last handle of a pool goes on its own thread, with jobs queued: they are done.
#[test]
fn h8_a_pool_whose_last_handle_goes_does_what_it_has() -> Done {
    guarded(|| {
        let (handlers, (ran, runs)) = (Handlers::<u32>::new(), channel());
        let pool = ThreadPool::new(1)?;
        let held: Arc<Mutex<Option<Emitter<u32>>>> =
            Arc::new(Mutex::new(Some(Emitter::thread_pool(&handlers, &pool))));
        let own = Arc::clone(&held);
        handlers.on("a").call(move |event| {
            let emitter = own.lock().unwrap().take();
            if let Some(emitter) = emitter {
                emitter.emit_detached("a", event.payload() + 1).unwrap();
            }
            ran.send(*event.payload()).unwrap();
        })?;
        let emitter = held.lock().unwrap().clone().unwrap();
        drop(pool);
        emitter.emit_detached("a", 1)?;
        drop(emitter);
        assert_eq!(runs.recv_timeout(HANG)?, 1);
        assert_eq!(runs.recv_timeout(HANG)?, 2);
        Ok(())
    })
}

#[cfg(target_os = "linux")]
#[test]
fn h8_who_gives_up_on_what_waits_ends_a_shutdown_without_a_limit_too() -> Done {
    use super::common::spawn_asleep;

    guarded(|| {
        let (handlers, (tell, told)) = (Handlers::<u32>::new(), channel());
        handlers.on("a").handle_async(move |_, _| {
            let tell = tell.clone();
            async move {
                let _ = tell.send(());
                std::future::pending().await
            }
        })?;
        let pool = ThreadPool::new(1)?;
        Emitter::thread_pool(&handlers, &pool).emit_detached("a", 1)?;
        told.recv()?;
        let patient = pool.clone();
        let patient = spawn_asleep(move || patient.shutdown());
        assert!(!pool.shutdown_timeout(Duration::ZERO));
        patient.join().unwrap();
        Ok(())
    })
}

#[test]
fn h8_all_that_waits_is_let_go_of_though_others_keep_its_wakers() -> Done {
    guarded(|| {
        let (handlers, census) = (Handlers::<u32>::new(), Census::new());
        let (tell, told) = channel();
        let alive = census.clone();
        handlers.on("a").handle_async(move |_, _| {
            let (tell, counted) = (tell.clone(), alive.born());
            async move {
                let _counted = counted;
                std::future::poll_fn(|context| {
                    let _ = tell.send(context.waker().clone());
                    Poll::Pending
                })
                .await
            }
        })?;
        let pool = ThreadPool::new(1)?;
        let emitter = Emitter::thread_pool(&handlers, &pool);
        for n in 0..3 {
            emitter.emit_detached("a", n)?;
        }
        let wakers: Vec<_> = told.iter().take(3).collect();
        assert_eq!(census.alive(), 3);
        assert!(!pool.shutdown_timeout(Duration::ZERO));
        // What was polled just then is let go of by the worker.
        pool.shutdown();
        assert_eq!(census.alive(), 0);
        drop(wakers);
        Ok(())
    })
}

#[test]
fn h8_a_worker_of_one_pool_waits_for_the_end_of_another() -> Done {
    guarded(|| {
        let handlers = Handlers::<u32>::new();
        let (own, other) = (ThreadPool::new(1)?, ThreadPool::new(1)?);
        let (tell, told) = channel();
        handlers.on("a").call(move |_| {
            let _ = tell.send(other.shutdown_timeout(HANG));
        })?;
        Emitter::thread_pool(&handlers, &own).emit_detached("a", 1)?;
        assert!(told.recv()?);
        Ok(())
    })
}

#[cfg(target_os = "linux")]
#[test]
fn h8_the_threads_of_a_pool_go_with_its_last_handle() -> Done {
    let alive = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let names =
            tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names
            .filter(|name| name.starts_with("pool-that-goes"))
            .count()
    };
    guarded(move || {
        let pool = ThreadPool::builder(2).name("pool-that-goes").build()?;
        let other = pool.clone();
        // A thread begins without its name.
        while alive() < 2 {
            thread::yield_now();
        }
        drop(pool);
        drop(other);
        while alive() > 0 {
            thread::yield_now();
        }
        Ok(())
    })
}
