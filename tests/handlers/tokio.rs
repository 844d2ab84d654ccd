//! H8: handlers on tokio's runtimes.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use chanbus::{
    Bus, Dispatcher, Drain, EmitError, Emitter, Executor, FailureKind, Flow, Handlers, Mode,
    ThreadPool, Tokio,
};
use tokio::runtime::{Builder, Runtime};

use super::Done;
use super::common::{Gate, HANG, guarded};

fn runtimes() -> std::io::Result<[Runtime; 2]> {
    let one = Builder::new_current_thread().enable_time().build()?;
    let many = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()?;
    Ok([one, many])
}

/// Sync and async handlers in two tiers; the async ones need the runtime's timer.
fn some() -> Handlers<u32> {
    let handlers = Handlers::<u32>::new();
    for tier in [1, 2] {
        handlers.on("a").priority(tier).call(|_| {}).unwrap();
        let on = handlers.on("a").priority(tier).handle_async(|_, _| async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            Ok(Flow::Continue)
        });
        on.unwrap();
    }
    handlers
}

#[test]
fn h8_tokio_runs_both_kinds_on_both_flavours_in_every_mode() -> Done {
    guarded(|| {
        for runtime in runtimes()? {
            for mode in [Mode::Sequential, Mode::Tiered, Mode::Concurrent] {
                let handlers = some();
                let report = runtime.block_on(async {
                    Emitter::tokio(&handlers)
                        .mode(mode)
                        .emit_async("a", 1)
                        .await
                })?;
                assert_eq!((report.called, report.failed), (4, 0), "{mode:?}");
            }
        }
        Ok(())
    })
}

#[test]
fn h8_a_plain_emit_in_a_task_would_block_and_hands_the_payload_back() -> Done {
    guarded(|| {
        for runtime in runtimes()? {
            let handlers = some();
            runtime.block_on(async {
                let emitter = Emitter::tokio(&handlers);
                let refused = emitter.emit("a", 7);
                assert!(matches!(
                    refused,
                    Err(EmitError::WouldBlock { payload: 7, .. })
                ));
                let refused = emitter.event("a", 8).source("x").emit();
                assert_eq!(refused.unwrap_err().into_payload(), 8);
                let event = chanbus::Event::new("a", 9).unwrap();
                assert!(emitter.emit_event(event).unwrap_err().is_would_block());
            });
            assert_eq!(handlers.stats().called, 0);
        }
        Ok(())
    })
}

#[test]
fn h8_a_plain_emit_from_a_foreign_thread_waits() -> Done {
    guarded(|| {
        let [_, runtime] = runtimes()?;
        let handlers = some();
        let emitter = Emitter::new(&handlers, Tokio::new(runtime.handle().clone()));
        assert_eq!(emitter.emit("a", 1)?.called, 4);
        Ok(())
    })
}

/// A sync handler on a blocking thread, of which there is one, emits on the same runtime.
#[test]
fn h8_a_sync_handler_on_the_only_blocking_thread_may_emit_on_its_runtime() -> Done {
    guarded(|| {
        let one = Builder::new_current_thread()
            .enable_time()
            .max_blocking_threads(1)
            .build()?;
        let many = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_time()
            .max_blocking_threads(1)
            .build()?;
        for runtime in [one, many] {
            let handlers = some();
            handlers.on("outer").handle(|_, ctx| {
                assert_eq!(ctx.emit("a", 1)?.delivered, 4);
                Ok(Flow::Continue)
            })?;
            handlers.on("async").handle_async(|_, ctx| async move {
                assert!(ctx.emit("a", 1).unwrap_err().is_would_block());
                assert_eq!(ctx.emit_async("outer", 1).await?.delivered, 1);
                Ok(Flow::Continue)
            })?;
            for topic in ["outer", "async"] {
                let report = runtime
                    .block_on(async { Emitter::tokio(&handlers).emit_async(topic, 1).await })?;
                assert!(report.is_ok(), "{report:?}");
            }
        }
        Ok(())
    })
}

/// A thread of a pool is none of tokio's: it waits, and the handlers run where their timers are.
#[test]
fn h8_a_handler_on_a_pool_may_emit_on_a_runtime() -> Done {
    guarded(|| {
        let [_, runtime] = runtimes()?;
        let handlers = some();
        let tokio = Emitter::new(&handlers, Tokio::new(runtime.handle().clone()));
        let outer = Handlers::<u32>::new();
        outer.on("outer").handle(move |_, _| {
            let report = tokio.emit("a", 1)?;
            assert_eq!((report.called, report.failed), (4, 0), "{report:?}");
            Ok(Flow::Continue)
        })?;
        let pool = ThreadPool::new(1)?;
        let report = Emitter::thread_pool(&outer, &pool).emit("outer", 1)?;
        assert!(report.is_ok(), "{report:?}");
        Ok(())
    })
}

/// A thread for blocking work of one runtime waits for another, whose timers are not there.
#[test]
fn h8_a_handler_on_one_runtime_may_emit_on_another() -> Done {
    guarded(|| {
        let [_, runtime] = runtimes()?;
        let without_timers = Builder::new_multi_thread().worker_threads(1).build()?;
        let handlers = some();
        let tokio = Emitter::new(&handlers, Tokio::new(runtime.handle().clone()));
        let outer = Handlers::<u32>::new();
        outer.on("outer").handle(move |_, _| {
            for n in 0..20 {
                let report = tokio.emit("a", n)?;
                assert_eq!((report.called, report.failed), (4, 0), "{report:?}");
            }
            Ok(Flow::Continue)
        })?;
        let emitter = Emitter::new(&outer, Tokio::new(without_timers.handle().clone()));
        let report = emitter.emit("outer", 1)?;
        assert!(report.is_ok(), "{report:?}");
        Ok(())
    })
}

#[test]
fn h8_a_runtime_shut_down_amid_handlers_fails_them_and_nobody_hangs() -> Done {
    guarded(|| {
        for runtime in runtimes()? {
            let handlers = Handlers::<u32>::new();
            let (begun, begin) = channel();
            handlers.on("a").handle_async(move |_, _| {
                begun.send(()).unwrap();
                std::future::pending()
            })?;
            handlers.on("a").priority(9).call(|_| {})?;
            let emitter = Emitter::new(&handlers, Tokio::new(runtime.handle().clone()));
            let emit = thread::spawn(move || emitter.emit("a", 1).unwrap());
            // A current-thread runtime polls only inside of `block_on`.
            runtime.block_on(async {
                while begin.try_recv().is_err() {
                    tokio::task::yield_now().await;
                }
            });
            let handle = runtime.handle().clone();
            runtime.shutdown_background();
            // The sync one may still find a thread for blocking work.
            let report = emit.join().unwrap();
            assert_eq!((report.matched, report.called + report.skipped), (2, 2));
            assert_eq!(report.failed, 1 + report.skipped);
            let lost = |kind: &FailureKind| matches!(kind, FailureKind::Lost);
            assert!(report.errors.iter().all(|failure| lost(failure.kind())));
            // And on a runtime that has gone.
            let report = Emitter::new(&handlers, Tokio::new(handle)).emit("a", 1)?;
            assert_eq!((report.called, report.failed), (0, 2));
        }
        Ok(())
    })
}

#[test]
fn h8_a_blocking_handler_that_outlives_its_runtime_still_ends() -> Done {
    guarded(|| {
        let [_, runtime] = runtimes()?;
        let (handlers, gate) = (Handlers::<u32>::new(), Gate::new());
        let held = gate.clone();
        handlers.on("a").call(move |_| held.pass())?;
        let emitter = Emitter::new(&handlers, Tokio::new(runtime.handle().clone()));
        let emit = thread::spawn(move || emitter.emit("a", 1).unwrap());
        gate.wait_held();
        runtime.shutdown_background();
        gate.open();
        assert_eq!(emit.join().unwrap().called, 1);
        Ok(())
    })
}

#[test]
fn h9_a_dispatcher_on_a_runtime_stops_from_inside_and_from_a_task() -> Done {
    guarded(|| {
        let [_, runtime] = runtimes()?;
        let (bus, handlers) = (Bus::new(), some());
        let dispatcher = Arc::new(
            Dispatcher::builder(&bus, &handlers)
                .executor(Tokio::new(runtime.handle().clone()))
                .max_in_flight(4)
                .build()?,
        );
        let (weak, (told, tell)) = (Arc::downgrade(&dispatcher), channel());
        handlers.on("stop").handle_async(move |_, _| {
            let (weak, told) = (weak.clone(), told.clone());
            async move {
                let dispatcher = weak.upgrade().ok_or("gone")?;
                tokio::task::yield_now().await;
                let stopped = dispatcher.stop_async(Drain::All).await?;
                told.send(stopped.pending)?;
                Ok(Flow::Continue)
            }
        })?;
        dispatcher.start()?;
        for n in 0..20 {
            bus.emit("a", n)?;
        }
        bus.emit("stop", 0)?;
        assert!(
            tell.recv_timeout(HANG)?,
            "a handler cannot wait for its own end"
        );
        dispatcher.wait();
        let stats = dispatcher.stats();
        assert_eq!((stats.handled, stats.called, stats.failed), (21, 81, 0));
        dispatcher.start()?;
        bus.emit("a", 1)?;
        runtime.block_on(dispatcher.stop_async(Drain::All))?;
        assert_eq!(dispatcher.stats().handled, 22);
        assert!(dispatcher.running().is_empty());
        Ok(())
    })
}

#[test]
fn the_executor_has_the_name_of_its_type() -> Done {
    let runtime = Builder::new_current_thread().build()?;
    assert_eq!(Tokio::new(runtime.handle().clone()).name(), "Tokio");
    Ok(())
}

#[test]
fn h8_a_thread_for_blocking_work_is_a_handlers_own_only_while_that_runs() -> Done {
    // There is but one, which each of these gets.
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .max_blocking_threads(1)
        .build()?;
    let handlers = Handlers::<u32>::new();
    handlers.on("a").call(|_| {})?;
    let emitter = Emitter::new(&handlers, Tokio::new(runtime.handle().clone()));
    let by_others = || {
        let emitter = emitter.clone();
        let emit = runtime.spawn_blocking(move || emitter.emit("a", 1).is_err());
        runtime.block_on(emit)
    };
    assert!(by_others()?, "it would wait for its own thread");
    assert!(emitter.emit("a", 1)?.is_ok());
    assert!(by_others()?);
    Ok(())
}
