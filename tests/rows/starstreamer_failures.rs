//! StarStreamer's `EventBus`: the rows about handlers that fail, and about middleware.

use std::num::ParseIntError;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use chanbus::{
    Bus, Dispatcher, Drain, Emitter, Event, Failure, Flow, Handlers, Mode, Priority, ThreadPool,
};
use futures_lite::future::block_on;

use super::watch::watched;
use super::{Done, Log};

/// A registry with a handler that fails on `job`, and one after it that does not.
fn failing() -> Result<(Log, Handlers<&'static str>), chanbus::Error> {
    let (log, handlers) = (Log::default(), Handlers::new());
    handlers
        .on("job")
        .name("parser")
        .handle(|event: &Event<&'static str>, _| {
            let _: u32 = event.payload().parse()?;
            Ok(Flow::Continue)
        })?;
    handlers.on("job").call(log.line("still runs"))?;
    Ok((log, handlers))
}

#[test]
fn s25_error_handlers_are_added_for_all_and_at_any_time() -> Done {
    let (log, handlers) = failing()?;
    let bus = Bus::new();
    let emitter = Emitter::inline(&handlers);
    let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
    dispatcher.start()?;
    let tell = |name: &'static str| {
        let log = log.clone();
        handlers.on_error(move |_| log.write(name))
    };
    // Of several each hears of it, in the order in which they came.
    let (first, second) = (tell("first"), tell("second"));
    assert_eq!(emitter.emit("job", "x")?.failed, 1);
    assert_eq!(log.take(), ["first", "second", "still runs"]);
    drop(first);
    bus.emit("job", "x")?;
    dispatcher.stop(Drain::All)?;
    assert_eq!(log.take(), ["second", "still runs"]);
    drop(second);
    assert_eq!(emitter.emit("job", "x")?.failed, 1);
    assert_eq!(log.take(), ["still runs"]);
    Ok(())
}

#[test]
fn s26_an_error_handler_is_given_the_error_itself() -> Done {
    let (log, handlers) = failing()?;
    handlers.on("panics").call(|_| panic!("oh no"))?;
    let own = log.clone();
    handlers
        .on_error(move |failure| {
            let parse = failure.downcast_ref::<ParseIntError>().is_some();
            own.write(format!(
                "{parse} {} on {:?}",
                failure.is_panic(),
                failure.event().payload()
            ));
        })
        .keep();
    let emitter = Emitter::inline(&handlers);
    assert_eq!(emitter.emit("job", "x")?.failed, 1);
    assert_eq!(emitter.emit("panics", "y")?.failed, 1);
    assert_eq!(
        log.take(),
        ["true false on \"x\"", "still runs", "false true on \"y\""]
    );
    Ok(())
}

#[test]
fn s27_an_error_handler_is_told_the_handlers_name_if_it_has_one() -> Done {
    let (log, handlers) = failing()?;
    let (line, other) = (line!(), handlers.on("other"));
    other.group("chat").handle(|_, _| Err("no".into()))?;
    let own = log.clone();
    handlers
        .on_error(move |failure: &Failure<&str>| {
            own.write(format!("{:?} {:?}", failure.handler(), failure.group()));
            if failure.handler().is_none() {
                let place = failure.location();
                assert!(place.file().ends_with("starstreamer_failures.rs"));
                assert_eq!(place.line(), line);
                assert!(
                    failure.to_string().contains(&place.to_string()),
                    "{failure}"
                );
                own.write("by its place");
            }
        })
        .keep();
    let emitter = Emitter::inline(&handlers);
    assert_eq!(emitter.emit("job", "x")?.failed, 1);
    assert_eq!(emitter.emit("other", "x")?.failed, 1);
    assert_eq!(
        log.take(),
        [
            "Some(\"parser\") None",
            "still runs",
            "None Some(\"chat\")",
            "by its place"
        ]
    );
    Ok(())
}

#[test]
fn s28_an_error_handler_hands_failures_to_a_task() {
    watched(|| {
        let (_log, handlers) = failing()?;
        let (failures, failed) = async_channel::unbounded();
        let guard = handlers.on_error(move |failure| {
            // A cheap handle; the channel has room, so this does not wait.
            let _ = failures.try_send(failure.clone());
        });
        let task = thread::spawn(move || {
            block_on(async {
                let mut names = Vec::new();
                while let Ok(failure) = failed.recv().await {
                    names.extend(failure.handler().map(str::to_owned));
                }
                names
            })
        });
        let emitter = Emitter::inline(&handlers);
        for text in ["x", "7", "y"] {
            assert_eq!(emitter.emit("job", text)?.called, 2);
        }
        drop(guard);
        assert_eq!(task.join().unwrap(), ["parser"; 2]);
        Ok::<(), chanbus::Error>(())
    })
    .unwrap();
}

/// With the feature `tracing` they are logged as well: see `tests/traced_rows.rs`.
#[test]
fn s29_without_an_error_handler_failures_are_counted_and_kept() -> Done {
    let (_log, all) = failing()?;
    assert!(all.last_failures().is_empty());
    let handlers = Handlers::builder().kept_failures(2).build();
    handlers
        .on("job")
        .handle(|event: &Event<&str>, _| Err((*event.payload()).into()))?;
    let emitter = Emitter::inline(&handlers);
    for text in ["a", "b", "c"] {
        let report = emitter.emit("job", text)?;
        assert_eq!((report.failed, report.errors.len()), (1, 1));
    }
    assert_eq!((handlers.stats().failed, handlers.list()[0].failed), (3, 3));
    // The last ones, oldest first.
    let kept: Vec<_> = handlers
        .last_failures()
        .iter()
        .map(|it| *it.event().payload())
        .collect();
    assert_eq!(kept, ["b", "c"]);
    Ok(())
}

/// The documented example of a failing and a working handler.
#[test]
fn s30_other_handlers_still_run() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    handlers
        .on("test.event")
        .handle(|_, _| Err("This handler fails".into()))?;
    handlers.on("test.event").call(|_| panic!("so does this"))?;
    handlers
        .on("test.event")
        .call(log.line("This still runs"))?;
    let report = Emitter::inline(&handlers).emit("test.event", ())?;
    assert_eq!(log.take(), ["This still runs"]);
    assert_eq!((report.called, report.failed), (3, 2));

    // Also where they run together.
    let pool = ThreadPool::new(2).unwrap();
    let emitter = Emitter::thread_pool(&handlers, &pool).mode(Mode::Concurrent);
    let report = emitter.emit("test.event", ())?;
    assert_eq!(log.take(), ["This still runs"]);
    assert_eq!((report.called, report.failed), (3, 2));
    Ok(())
}

/// The documented middleware that logs, and one that blocks.
#[test]
fn s31_middleware_passes_events_on_or_blocks_them() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    handlers.on("**").call(log.line("handled"))?;
    handlers
        .on("**")
        .priority(Priority::MONITOR)
        .call(log.line("seen"))?;
    let own = log.clone();
    handlers
        .middleware(move |event: Event<u32>| {
            own.write(format!("Processing event: {}", event.topic()));
            Some(event)
        })
        .keep();
    handlers
        .middleware(|event| (*event.payload() != 13).then_some(event))
        .keep();
    let emitter = Emitter::inline(&handlers);

    let passed = emitter.emit("a", 12)?;
    assert_eq!(log.take(), ["Processing event: a", "handled", "seen"]);
    assert_eq!((passed.blocked, passed.called), (false, 2));
    let blocked = emitter.emit("b", 13)?;
    // Monitors do not see it either.
    assert_eq!(log.take(), ["Processing event: b"]);
    assert_eq!(
        (blocked.blocked, blocked.matched, blocked.called),
        (true, 0, 0)
    );
    assert_eq!(handlers.stats().blocked, 1);
    Ok(())
}

#[test]
fn s32_middleware_is_added_and_removed_while_events_flow() -> Done {
    let (log, bus, handlers) = (Log::default(), Bus::new(), Handlers::new());
    let own = log.clone();
    handlers
        .on("n")
        .call(move |event: &Event<u32>| own.write(event.payload().to_string()))?;
    let emitter = Emitter::inline(&handlers);
    let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
    let both = |n| -> Result<Vec<String>, chanbus::Error> {
        assert!(emitter.emit("n", n)?.is_ok());
        dispatcher.start()?;
        bus.emit("n", n)?;
        dispatcher.stop(Drain::All)?;
        Ok(log.take())
    };
    assert_eq!(both(1)?, ["1", "1"]);
    let double = handlers.middleware(|event| Some(event.map_payload(|n| n * 2)));
    assert_eq!(both(1)?, ["2", "2"]);
    let add = handlers.middleware(|event| Some(event.map_payload(|n| n + 5)));
    assert_eq!(both(1)?, ["7", "7"]);
    assert_eq!(handlers.stats().middleware, 2);
    drop(double);
    assert_eq!(both(1)?, ["6", "6"]);
    drop(add);
    assert_eq!(both(1)?, ["1", "1"]);
    Ok(())
}

#[test]
fn s33_middleware_is_sync_and_runs_where_the_event_is_emitted() {
    watched(|| {
        let (log, bus, handlers) = (Log::default(), Bus::new(), Handlers::new());
        let own = log.clone();
        handlers
            .middleware(move |event: Event<()>| {
                own.write(thread::current().name().unwrap_or("none"));
                Some(event)
            })
            .keep();
        let own = log.clone();
        handlers.on("a").handle_async(move |_, _| {
            let log = own.clone();
            async move {
                log.write("handled");
                Ok(Flow::Continue)
            }
        })?;
        let emitting = thread::Builder::new().name("emitting".into()).spawn({
            let handlers = handlers.clone();
            move || {
                let pool = ThreadPool::new(1).unwrap();
                let pooled = Emitter::thread_pool(&handlers, &pool);
                assert!(pooled.emit("a", ())?.is_ok());
                let inline = Emitter::inline(&handlers);
                assert!(block_on(inline.emit_async("a", ()))?.is_ok());
                Ok::<(), chanbus::Error>(())
            }
        });
        emitting.unwrap().join().unwrap()?;
        assert_eq!(log.take(), ["emitting", "handled", "emitting", "handled"]);
        let dispatcher = Dispatcher::builder(&bus, &handlers)
            .name("feeding")
            .build()?;
        dispatcher.start()?;
        bus.emit("a", ())?;
        dispatcher.stop(Drain::All)?;
        assert_eq!(log.take(), ["feeding", "handled"]);
        Ok::<(), chanbus::Error>(())
    })
    .unwrap();
}

#[test]
fn s34_middleware_may_return_another_event_which_is_routed_anew_once() -> Done {
    let (log, handlers) = (Log::default(), Handlers::new());
    handlers.on("old").call(log.line("old"))?;
    let own = log.clone();
    handlers
        .on("new")
        .call(move |event: &Event<u32>| own.write(event.payload().to_string()))?;
    let passes = Arc::new(AtomicUsize::new(0));
    let own = Arc::clone(&passes);
    handlers
        .middleware(move |event| {
            own.fetch_add(1, Ordering::SeqCst);
            let topic = if event.topic() == "old" { "new" } else { "old" };
            Event::new(topic, *event.payload() + 1).ok()
        })
        .keep();
    assert_eq!(Emitter::inline(&handlers).emit("old", 7)?.matched, 1);
    // Once: the event that came out did not go in again.
    assert_eq!(
        (log.take(), passes.load(Ordering::SeqCst)),
        (vec!["8".to_owned()], 1)
    );
    Ok(())
}

/// The documented global error handler, which sends to an external service.
#[test]
fn s64_the_global_error_handler_example() -> Done {
    #[derive(Default)]
    struct ErrorService(std::sync::Mutex<Vec<(Option<String>, String)>>);

    impl ErrorService {
        fn log(&self, handler: Option<&str>, error: &str) {
            self.0
                .lock()
                .unwrap()
                .push((handler.map(str::to_owned), error.to_owned()));
        }
    }

    let (_log, handlers) = failing()?;
    let service = Arc::new(ErrorService::default());
    let own = Arc::clone(&service);
    handlers
        .on_error(move |failure| own.log(failure.handler(), &failure.to_string()))
        .keep();
    assert_eq!(Emitter::inline(&handlers).emit("job", "x")?.failed, 1);
    let logged = service.0.lock().unwrap();
    let (handler, error) = &logged[0];
    assert_eq!((logged.len(), handler.as_deref()), (1, Some("parser")));
    assert!(
        error.contains("`parser`") && error.contains("invalid digit"),
        "{error}"
    );
    Ok(())
}
