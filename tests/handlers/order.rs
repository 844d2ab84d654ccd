//! H1 and H2: in which order, and who runs together.

use std::sync::{Arc, Barrier};

use chanbus::{
    Bus, Dispatcher, Drain, Emitter, Flow, Handlers, Inline, Job, Mode, Priority, ThreadPool,
};

use super::common::guarded;
use super::{Done, Log};

#[test]
fn h1_lower_numbers_first_equal_ones_as_registered_monitors_last() -> Done {
    let (handlers, log) = (Handlers::<u32>::new(), Log::new());
    let add =
        |name: &str, priority: Priority| handlers.on("a").priority(priority).call(log.says(name));
    add("monitor 1", Priority::MONITOR)?;
    add("max", i32::MAX.into())?;
    add("lowest", Priority::LOWEST)?;
    add("normal 1", Priority::NORMAL)?;
    add("low", Priority::LOW)?;
    add("four", 4.into())?;
    add("highest", Priority::HIGHEST)?;
    handlers.on("**").call(log.says("normal 2"))?;
    add("high", Priority::HIGH)?;
    add("monitor 2", Priority::MONITOR)?;
    add("min", i32::MIN.into())?;
    handlers.on("*").priority(5).call(log.says("normal 3"))?;
    let wanted = [
        "min",
        "highest",
        "high",
        "four",
        "normal 1",
        "normal 2",
        "normal 3",
        "low",
        "lowest",
        "max",
        "monitor 1",
        "monitor 2",
    ];
    let report = Emitter::inline(&handlers).emit("a", 1)?;
    assert_eq!((report.called, report.is_ok()), (12, true));
    assert_eq!(log.take(), wanted);
    assert!(Emitter::blocking(&handlers).emit("a", 1)?.is_ok());
    assert_eq!(log.take(), wanted);
    // The same where steps are handed to a pool.
    let pool = ThreadPool::new(1)?;
    let emitter = Emitter::thread_pool(&handlers, &pool);
    for mode in [Mode::Tiered, Mode::Sequential] {
        assert_eq!(emitter.clone().mode(mode).emit("a", 1)?.called, 12);
        assert_eq!(log.take(), wanted, "{mode:?}");
    }
    Ok(())
}

#[test]
fn h1_order_of_registration_holds_after_removals_across_pattern_kinds() -> Done {
    let (handlers, log) = (Handlers::<u32>::new(), Log::new());
    let patterns = ["a.b", "**", "a.*", "*.b", "a.?"];
    let mut ids = Vec::new();
    for n in 0..200 {
        let patterns = [patterns[n % 5], patterns[(n + 1) % 5]];
        ids.push(handlers.on(patterns).call(log.says(&n.to_string()))?);
    }
    for n in (0..200).step_by(3) {
        assert!(handlers.remove(ids[n]));
    }
    assert_eq!(Emitter::inline(&handlers).emit("a.b", 1)?.called, 133);
    let wanted: Vec<_> = (0..200)
        .filter(|n| n % 3 > 0)
        .map(|n| n.to_string())
        .collect();
    assert_eq!(log.take(), wanted);
    Ok(())
}

/// All ways in which one registry may be fed.
fn emitters(handlers: &Handlers<u32>, pool: &ThreadPool) -> Vec<Emitter<u32>> {
    let on_pool = Emitter::thread_pool(handlers, pool);
    vec![
        Emitter::inline(handlers),
        Emitter::blocking(handlers),
        on_pool.clone().mode(Mode::Sequential),
        on_pool.clone().mode(Mode::Tiered),
        on_pool.mode(Mode::Concurrent),
        Emitter::new(handlers, |job: Job| job.run()),
    ]
}

#[test]
fn h1_a_monitor_sees_stopped_events_and_stops_nothing() -> Done {
    guarded(|| {
        let (handlers, log) = (Handlers::<u32>::new(), Log::new());
        handlers.on("a").priority(1).handle(|_, _| Ok(Flow::Stop))?;
        handlers.on("a").priority(2).call(log.says("never"))?;
        let said = log.clone();
        handlers
            .on("*")
            .priority(Priority::MONITOR)
            .name("m")
            .handle(move |_, ctx| {
                said.add(format!("sees {}", ctx.is_stopped()));
                Ok(Flow::Continue)
            })?;
        let pool = ThreadPool::new(2)?;
        for emitter in emitters(&handlers, &pool) {
            let report = emitter.emit("a", 1)?;
            assert!(report.stopped);
            let mut said = log.take();
            // Who runs together with the one that stops is not stopped.
            let together = emitter.current_mode() == Mode::Concurrent;
            said.retain(|what| what != "never" || !together);
            assert_eq!(said, ["sees true"], "{emitter:?}");
            assert_eq!(report.skipped, usize::from(!together), "{emitter:?}");
            assert_eq!(report.matched, report.called + report.skipped);
        }
        handlers.clear();
        // Monitors that try: by value, by context, failing after it, and async.
        handlers
            .on("a")
            .priority(Priority::MONITOR)
            .handle(|_, ctx| {
                ctx.stop_propagation();
                assert!(!ctx.is_stopped());
                Ok(Flow::Stop)
            })?;
        handlers
            .on("a")
            .priority(Priority::MONITOR)
            .handle(|_, ctx| {
                ctx.stop_propagation();
                Err("no".into())
            })?;
        handlers
            .on("a")
            .priority(Priority::MONITOR)
            .call(log.says("last"))?;
        for emitter in emitters(&handlers, &pool) {
            let report = emitter.emit("a", 1)?;
            assert_eq!((report.called, report.failed), (3, 1), "{emitter:?}");
            assert!(!report.stopped);
            assert_eq!(log.take(), ["last"]);
        }
        handlers.clear();
        handlers
            .on("a")
            .priority(Priority::MONITOR)
            .handle_async(|_, ctx| async move {
                ctx.stop_propagation();
                Ok(Flow::Stop)
            })?;
        let report = Emitter::blocking(&handlers).emit("a", 1)?;
        assert_eq!((report.called, report.stopped), (1, false));
        Ok(())
    })
}

#[test]
fn h1_a_monitor_does_not_see_what_middleware_blocked() -> Done {
    let (handlers, log) = (Handlers::<u32>::new(), Log::new());
    handlers
        .on("**")
        .priority(Priority::MONITOR)
        .call(log.says("seen"))?;
    let guard = handlers.middleware(|event| (*event.payload() > 1).then_some(event));
    assert!(Emitter::inline(&handlers).emit("a", 1)?.blocked);
    assert!(!Emitter::inline(&handlers).emit("a", 2)?.blocked);
    assert_eq!(log.take(), ["seen"]);
    drop(guard);
    Ok(())
}

#[test]
fn h2_sequential_stops_at_the_next_handler_also_of_equal_priority() -> Done {
    let (handlers, log) = (Handlers::<u32>::new(), Log::new());
    handlers.on("a").call(log.says("first"))?;
    handlers.on("a").handle(|_, ctx| {
        ctx.stop_propagation();
        Err("stops, though it fails".into())
    })?;
    handlers.on("a").call(log.says("never"))?;
    let pool = ThreadPool::new(2)?;
    let on_pool = Emitter::thread_pool(&handlers, &pool).mode(Mode::Sequential);
    for emitter in [
        Emitter::inline(&handlers),
        Emitter::blocking(&handlers),
        on_pool,
    ] {
        assert_eq!(emitter.current_mode(), Mode::Sequential);
        let report = emitter.emit("a", 1)?;
        assert_eq!((report.called, report.skipped, report.failed), (2, 1, 1));
        assert!(report.stopped);
        assert_eq!(log.take(), ["first"]);
    }
    Ok(())
}

#[test]
fn h2_sequential_on_a_pool_runs_one_at_a_time_sync_and_async_mixed() -> Done {
    guarded(|| {
        let (handlers, log) = (Handlers::<u32>::new(), Log::new());
        for n in 0..9 {
            let said = log.clone();
            if n % 3 == 1 {
                handlers.on("a").handle_async(move |_, _| {
                    let said = said.clone();
                    async move {
                        said.add(format!("{n} begins"));
                        futures_lite::future::yield_now().await;
                        said.add(format!("{n} ends"));
                        Ok(Flow::Continue)
                    }
                })?;
            } else {
                handlers.on("a").call(move |_| {
                    said.add(format!("{n} begins"));
                    std::thread::yield_now();
                    said.add(format!("{n} ends"));
                })?;
            }
        }
        let wanted: Vec<_> = (0..9)
            .flat_map(|n| [format!("{n} begins"), format!("{n} ends")])
            .collect();
        let pool = ThreadPool::new(4)?;
        let emitter = Emitter::thread_pool(&handlers, &pool).mode(Mode::Sequential);
        assert_eq!(emitter.emit("a", 1)?.called, 9);
        assert_eq!(log.take(), wanted);
        assert_eq!(Emitter::blocking(&handlers).emit("a", 1)?.called, 9);
        assert_eq!(log.take(), wanted);
        Ok(())
    })
}

/// Two of a tier meet at a barrier, so they run together; the next tier begins after both.
#[test]
fn h2_tiered_runs_equal_priorities_together_and_tier_after_tier() -> Done {
    guarded(|| {
        let (handlers, log) = (Handlers::<u32>::new(), Log::new());
        for tier in 1..4 {
            let met = Arc::new(Barrier::new(2));
            for _ in 0..2 {
                let (met, said) = (Arc::clone(&met), log.clone());
                handlers.on("a").priority(tier).call(move |_| {
                    met.wait();
                    said.add(tier.to_string());
                })?;
            }
        }
        let pool = ThreadPool::new(2)?;
        assert_eq!(
            Emitter::thread_pool(&handlers, &pool).current_mode(),
            Mode::Tiered
        );
        for round in 0..50 {
            let report = Emitter::thread_pool(&handlers, &pool).emit("a", round)?;
            assert_eq!(report.called, 6);
            assert_eq!(log.take(), ["1", "1", "2", "2", "3", "3"]);
        }
        Ok(())
    })
}

#[test]
fn h2_tiered_stopping_spares_its_own_tier_and_ends_the_next() -> Done {
    guarded(|| {
        let (handlers, log) = (Handlers::<u32>::new(), Log::new());
        let stopped = Arc::new(Barrier::new(2));
        let met = Arc::clone(&stopped);
        handlers.on("a").handle(move |_, ctx| {
            ctx.stop_propagation();
            met.wait();
            Ok(Flow::Continue)
        })?;
        let said = log.clone();
        handlers.on("a").handle(move |_, ctx| {
            stopped.wait();
            said.add(format!("told {}", ctx.is_stopped()));
            Ok(Flow::Continue)
        })?;
        handlers
            .on("a")
            .priority(Priority::LOW)
            .call(log.says("never"))?;
        // One that has not begun when its neighbour stops is of the same step, so it is called.
        let pool = ThreadPool::new(2)?;
        let report = Emitter::thread_pool(&handlers, &pool).emit("a", 1)?;
        assert_eq!(
            (report.called, report.skipped, report.stopped),
            (2, 1, true)
        );
        assert_eq!(log.take(), ["told true"]);

        handlers.clear();
        handlers.on("a").handle(|_, _| Ok(Flow::Stop))?;
        handlers.on("a").call(log.says("same tier"))?;
        handlers.on("a").priority(6).call(log.says("never"))?;
        let one_by_one = Emitter::new(&handlers, |job: Job| job.run());
        assert_eq!(one_by_one.current_mode(), Mode::Tiered);
        assert_eq!(one_by_one.emit("a", 1)?.called, 2);
        assert_eq!(log.take(), ["same tier"]);
        Ok(())
    })
}

#[test]
fn h2_concurrent_runs_all_numbers_together_and_monitors_after_them() -> Done {
    guarded(|| {
        let (handlers, log) = (Handlers::<u32>::new(), Log::new());
        let met = Arc::new(Barrier::new(4));
        for priority in [
            Priority::HIGHEST,
            Priority::NORMAL,
            Priority::LOW,
            77.into(),
        ] {
            let (met, said) = (Arc::clone(&met), log.clone());
            handlers.on("a").priority(priority).handle(move |_, _| {
                met.wait();
                said.add("number");
                Ok(Flow::Stop)
            })?;
        }
        handlers
            .on("a")
            .priority(Priority::MONITOR)
            .call(log.says("monitor"))?;
        let pool = ThreadPool::new(4)?;
        let emitter = Emitter::thread_pool(&handlers, &pool).mode(Mode::Concurrent);
        for round in 0..50 {
            let report = emitter.emit("a", round)?;
            assert_eq!((report.called, report.stopped), (5, true));
            assert_eq!(
                log.take(),
                ["number", "number", "number", "number", "monitor"]
            );
        }
        Ok(())
    })
}

/// Async handlers of one step are on their way together also where one thread polls them.
#[test]
fn h2_concurrent_async_handlers_share_one_thread() -> Done {
    guarded(|| {
        let handlers = Handlers::<u32>::new();
        let (give, take) = futures_channel();
        let take = Arc::new(take);
        handlers.on("a").priority(1).handle_async(move |_, _| {
            let take = Arc::clone(&take);
            async move {
                take.recv().await?;
                Ok(Flow::Continue)
            }
        })?;
        handlers.on("a").priority(2).handle_async(move |_, _| {
            let give = give.clone();
            async move {
                give.send(()).await?;
                Ok(Flow::Continue)
            }
        })?;
        let emitter = Emitter::new(&handlers, Inline).mode(Mode::Concurrent);
        let report = futures_lite::future::block_on(emitter.emit_async("a", 1))?;
        assert_eq!((report.called, report.failed), (2, 0));
        Ok(())
    })
}

fn futures_channel() -> (async_channel::Sender<()>, async_channel::Receiver<()>) {
    async_channel::bounded(1)
}

#[test]
fn h2_a_dispatcher_obeys_the_same_modes() -> Done {
    guarded(|| {
        let (handlers, log) = (Handlers::<u32>::new(), Log::new());
        let met = Arc::new(Barrier::new(2));
        for priority in [1, 2] {
            let (met, said) = (Arc::clone(&met), log.clone());
            handlers.on("a").priority(priority).call(move |_| {
                met.wait();
                said.add("met");
            })?;
        }
        handlers
            .on("a")
            .priority(Priority::MONITOR)
            .call(log.says("monitor"))?;
        let bus = Bus::new();
        let dispatcher = Dispatcher::builder(&bus, &handlers)
            .executor(ThreadPool::new(2)?)
            .mode(Mode::Concurrent)
            .build()?;
        dispatcher.start()?;
        for n in 0..10 {
            bus.emit("a", n)?;
        }
        dispatcher.stop(Drain::All)?;
        assert_eq!(log.take(), ["met", "met", "monitor"].repeat(10));
        Ok(())
    })
}
