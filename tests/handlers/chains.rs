//! H10: events that handlers emit carry their cause, and chains end.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use chanbus::{
    BlockOn, Bus, Cause, DEFAULT_MAX_CHAIN, Dispatcher, Drain, EmitError, Emitter, Flow, Handlers,
    Job, ThreadPool,
};

use super::common::{Census, HANG, guarded};
use super::{Done, Log};

#[test]
fn h10_ctx_emit_carries_the_cause_whatever_runs_the_handler() -> Done {
    guarded(|| {
        let (handlers, log) = (Handlers::<u32>::new(), Log::new());
        handlers.on("a").handle(|_, ctx| {
            ctx.emit("b", 1)?;
            Ok(Flow::Continue)
        })?;
        handlers.on("b").handle_async(|_, ctx| async move {
            futures_lite::future::yield_now().await;
            ctx.emit_async("c", 1).await?;
            ctx.event("c", 1).source("b").emit_async().await?;
            Ok(Flow::Continue)
        })?;
        let said = log.clone();
        handlers.on("c").call(move |event| {
            let cause = event.cause().unwrap();
            said.add(format!("{cause} ({})", cause.depth()));
            // And for emits of its own, by way of its thread.
            assert_eq!(Cause::current().unwrap().to_string(), "a > b > c");
        })?;
        let pool = ThreadPool::new(2)?;
        for emitter in [
            Emitter::new(&handlers, BlockOn),
            Emitter::thread_pool(&handlers, &pool),
            Emitter::new(&handlers, |job: Job| job.run()),
        ] {
            let report = emitter.emit("a", 1)?;
            assert!(report.is_ok(), "{report:?}");
            assert_eq!(log.take(), ["a > b (2)", "a > b (2)"]);
            assert!(Cause::current().is_none(), "the emit's own thread has none");
        }
        Ok(())
    })
}

#[test]
fn h10_a_captured_or_global_bus_carries_it_too() -> Done {
    guarded(|| {
        struct Own(&'static str);
        let bus: Bus<Own> = chanbus::global_or_default();
        let handlers = Handlers::<Own>::new();
        let (weak, seen) = (bus.downgrade(), bus.subscribe("seen")?);
        handlers.on("a").call(move |_| {
            weak.upgrade().unwrap().emit("b", Own("captured")).unwrap();
        })?;
        handlers.on("b").call(|_| {
            chanbus::global::<Own>()
                .unwrap()
                .emit("seen", Own("global"))
                .unwrap();
        })?;
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        dispatcher.start()?;
        bus.emit("a", Own(""))?;
        let event = seen.recv_timeout(HANG)?;
        assert_eq!(event.cause().unwrap().to_string(), "a > b");
        assert_eq!(event.payload().0, "global");
        dispatcher.stop(Drain::All)?;
        Ok(())
    })
}

/// In the polls of an async handler it is there for a captured bus, too, and not between them.
#[test]
fn h10_an_async_handler_carries_it_while_it_is_polled() -> Done {
    guarded(|| {
        let (bus, handlers) = (Bus::<u32>::new(), Handlers::<u32>::new());
        let (seen, captured) = (bus.subscribe_all()?, bus.clone());
        handlers.on("a").handle_async(move |_, _| {
            let bus = captured.clone();
            async move {
                bus.emit("first", 1)?;
                futures_lite::future::yield_now().await;
                bus.emit("later", 1)?;
                Ok(Flow::Continue)
            }
        })?;
        let pool = ThreadPool::new(1)?;
        for emitter in [
            Emitter::blocking(&handlers),
            Emitter::thread_pool(&handlers, &pool),
        ] {
            assert!(emitter.emit("a", 1)?.is_ok());
            for topic in ["first", "later"] {
                let event = seen.try_recv()?;
                assert_eq!(event.topic(), topic);
                assert_eq!(event.cause().unwrap().to_string(), "a");
            }
            assert!(Cause::current().is_none());
        }
        Ok(())
    })
}

/// Two that answer each other for ever: refused at the same depth on a bus and by an emitter, by an error
/// that names the chain; and all else works on.
#[test]
fn h10_a_chain_deeper_than_the_limit_is_refused_with_an_error_that_names_it() -> Done {
    guarded(|| {
        for limit in [DEFAULT_MAX_CHAIN, 3] {
            let handlers = Handlers::<u32>::new();
            let (told, tell) = channel();
            for (topic, other) in [("ping", "pong"), ("pong", "ping")] {
                let told = told.clone();
                handlers.on(topic).handle(move |event, ctx| {
                    match ctx.emit(other, event.payload() + 1) {
                        Err(EmitError::ChainTooDeep {
                            cause,
                            limit,
                            payload,
                        }) => {
                            told.send((cause.to_string(), cause.depth(), limit, payload))?;
                        }
                        other => drop(other?),
                    }
                    Ok(Flow::Continue)
                })?;
            }
            let wanted_chain = |depth: usize| {
                let topics: Vec<_> = ["ping", "pong"].into_iter().cycle().take(depth).collect();
                topics.join(" > ")
            };
            let emitter = Emitter::inline(&handlers).max_chain(limit);
            assert!(emitter.emit("ping", 0)?.is_ok());
            let bus = Bus::builder().max_chain(limit).build()?;
            let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
            dispatcher.start()?;
            bus.emit("ping", 0)?;
            let pool = ThreadPool::new(1)?;
            let by_emitter = tell.try_recv()?;
            let by_dispatcher = tell.recv_timeout(HANG)?;
            let on_pool = Emitter::thread_pool(&handlers, &pool).max_chain(limit);
            assert!(on_pool.emit("ping", 0)?.is_ok());
            for (chain, depth, stated, payload) in [by_emitter, by_dispatcher, tell.try_recv()?] {
                assert_eq!(
                    (depth, stated, payload as usize),
                    (limit + 1, limit, limit + 1)
                );
                assert_eq!(chain, wanted_chain(depth));
            }
            assert!(tell.try_recv().is_err());
            dispatcher.stop(Drain::All)?;
            assert_eq!(dispatcher.stats().handled as usize, limit + 1);
        }
        Ok(())
    })
}

#[test]
fn h10_a_refused_chain_is_a_failure_that_names_it_and_hands_the_payload_back() -> Done {
    let handlers = Handlers::<u32>::new();
    handlers.on("a").name("loop").handle(|event, ctx| {
        ctx.emit("a", event.payload() + 1)?;
        Ok(Flow::Continue)
    })?;
    let report = Emitter::inline(&handlers).max_chain(2).emit("a", 0)?;
    assert!(report.is_ok(), "the outermost emitted well");
    let failures = handlers.last_failures();
    assert_eq!(failures.len(), 1);
    assert!(
        failures[0].to_string().contains("a > a > a"),
        "{}",
        failures[0]
    );
    Ok(())
}

/// A chain holds topics, never events.
#[test]
fn h10_a_cause_keeps_no_event_alive() -> Done {
    guarded(|| {
        let handlers = Handlers::new();
        let census = Census::new();
        let kept = Arc::new(Mutex::new(Vec::new()));
        let (next, keep) = (census.clone(), Arc::clone(&kept));
        handlers.on("a").handle(move |_, ctx| {
            ctx.emit("b", next.born())?;
            Ok(Flow::Continue)
        })?;
        handlers
            .on("b")
            .call(move |event| keep.lock().unwrap().push(event.cause().cloned()))?;
        assert!(Emitter::inline(&handlers).emit("a", census.born())?.is_ok());
        assert_eq!(kept.lock().unwrap()[0].as_ref().unwrap().topic(), "a");
        assert_eq!(census.alive(), 0);
        Ok(())
    })
}

#[test]
fn h10_on_a_bus_that_has_closed_ctx_emit_hands_the_payload_back() -> Done {
    guarded(|| {
        let (bus, handlers) = (Bus::new(), Handlers::<u32>::new());
        let (told, tell) = channel();
        handlers.on("a").handle(move |_, ctx| {
            told.send(ctx.emit("b", 7).map(|_| ()))?;
            Ok(Flow::Continue)
        })?;
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        bus.emit("a", 0)?;
        drop(bus);
        dispatcher.start()?;
        assert!(matches!(
            tell.recv_timeout(HANG)?,
            Err(EmitError::Closed(7))
        ));
        dispatcher.wait();
        Ok(())
    })
}
