//! H14: handlers that take all events of a batch in one call.

mod commits;
mod failures;
mod taking_part;

use std::thread;

use chanbus::{
    Bus, Dispatcher, Drain, Emitter, EmitterBatch, Error, Event, FailurePlace, Flow, Handlers, Job,
    Mode, Priority, Report, ThreadPool,
};
use futures_lite::future::block_on;

use super::common::guarded;
use super::{Done, Log};

/// Emits these in one batch.
fn send<T: Send + Sync + 'static>(
    emitter: &Emitter<T>,
    events: impl IntoIterator<Item = (&'static str, T)>,
) -> Result<Report<T>, Error> {
    Ok(filled(emitter, events)?.commit()?)
}

fn filled<T: Send + Sync + 'static>(
    emitter: &Emitter<T>,
    events: impl IntoIterator<Item = (&'static str, T)>,
) -> Result<EmitterBatch<T>, Error> {
    let mut batch = emitter.start_batch();
    for (topic, payload) in events {
        batch.emit(topic, payload)?;
    }
    Ok(batch)
}

fn told(name: &str, events: &[Event<u32>]) -> String {
    let events = events.iter();
    let all: Vec<_> = events
        .map(|event| format!("{}{}", event.topic(), event.payload()))
        .collect();
    format!("{name}[{}]", all.join(" "))
}

/// A batch handler that writes its events down.
fn lists(
    log: &Log,
    name: &'static str,
) -> impl Fn(&[Event<u32>]) -> Outcome + Send + Sync + 'static {
    let log = log.clone();
    move |events| {
        log.add(told(name, events));
        Ok(Flow::Continue)
    }
}

type Outcome = Result<Flow, chanbus::BoxError>;

/// A plain handler that writes its event down.
fn notes(log: &Log, name: &'static str) -> impl Fn(&Event<u32>) + Send + Sync + 'static {
    let log = log.clone();
    move |event| log.add(format!("{name}:{}{}", event.topic(), event.payload()))
}

/// Emitters on all executors, in all modes, and how to have a batch handled to its end by each way.
fn everywhere(
    check: impl Fn(&Emitter<u32>, &dyn Fn(EmitterBatch<u32>) -> Report<u32>) -> Done,
) -> Done {
    let pool = ThreadPool::new(2)?;
    let handlers = Handlers::new();
    let mut emitters = vec![
        Emitter::inline(&handlers),
        Emitter::blocking(&handlers),
        Emitter::new(&handlers, |job: Job| job.run()),
        Emitter::new(&handlers, |job: Job| {
            thread::spawn(move || job.run());
        }),
    ];
    for mode in [Mode::Sequential, Mode::Tiered, Mode::Concurrent] {
        emitters.push(Emitter::thread_pool(&handlers, &pool).mode(mode));
    }
    #[cfg(feature = "tokio")]
    let runtime = ::tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()?;
    #[cfg(feature = "tokio")]
    emitters.push(Emitter::new(
        &handlers,
        chanbus::Tokio::new(runtime.handle().clone()),
    ));
    for emitter in &emitters {
        check(emitter, &|batch| batch.commit().unwrap())?;
        check(emitter, &|batch| block_on(batch.commit_async()).unwrap())?;
        assert!(handlers.is_empty(), "a check takes its handlers away");
    }
    Ok(())
}

#[test]
fn h14_a_batch_handler_is_called_once_with_the_events_that_match_in_order() -> Done {
    guarded(|| {
        everywhere(|emitter, commit| {
            let (handlers, log) = (emitter.handlers(), Log::new());
            handlers.on("a").handle_batch(lists(&log, "a"))?;
            handlers
                .on(["a", "b.*", "**"])
                .handle_batch(lists(&log, "all"))?;
            handlers.on("none").handle_batch(lists(&log, "none"))?;
            let batch = filled(emitter, [("a", 1), ("b.c", 2), ("a", 3), ("d", 4)])?;
            let report = commit(batch);
            assert_eq!(
                log.take(),
                ["a[a1 a3]", "all[a1 b.c2 a3 d4]"],
                "{emitter:?}"
            );
            assert_eq!((report.matched, report.called, report.skipped), (6, 6, 0));
            assert!(report.is_ok());
            // Nobody is called with nothing.
            assert_eq!(commit(emitter.start_batch()).matched, 0);
            assert_eq!(log.take(), [""; 0]);
            handlers.clear();
            Ok(())
        })
    })
}

/// Also beside others of the same priority, in every mode.
#[test]
fn h14_all_events_go_through_the_handlers_before_a_batch_handler_then_to_it_then_on() -> Done {
    guarded(|| {
        everywhere(|emitter, commit| {
            let (handlers, log) = (emitter.handlers(), Log::new());
            handlers
                .on("**")
                .priority(Priority::MONITOR)
                .handle_batch(lists(&log, "seen"))?;
            handlers.on("**").call(notes(&log, "p"))?;
            handlers.on("a").handle_batch(lists(&log, "B"))?;
            handlers.on("**").call(notes(&log, "q"))?;
            handlers
                .on("**")
                .priority(Priority::HIGH)
                .handle_batch(lists(&log, "A"))?;
            handlers
                .on("b")
                .priority(Priority::HIGHEST)
                .call(notes(&log, "first"))?;
            let batch = filled(emitter, [("a", 1), ("b", 2), ("a", 3)])?;
            let report = commit(batch);
            assert_eq!(
                log.take(),
                [
                    "first:b2",
                    "A[a1 b2 a3]",
                    "p:a1",
                    "p:b2",
                    "p:a3",
                    "B[a1 a3]",
                    "q:a1",
                    "q:b2",
                    "q:a3",
                    "seen[a1 b2 a3]"
                ],
                "{emitter:?}"
            );
            assert_eq!((report.matched, report.called), (15, 15));
            handlers.clear();
            Ok(())
        })
    })
}

#[test]
fn h14_without_a_batch_handler_a_batch_is_event_by_event_as_single_emits_are() -> Done {
    guarded(|| {
        everywhere(|emitter, commit| {
            if emitter.current_mode() == Mode::Concurrent {
                return Ok(()); // No order there, and none who stops.
            }
            let (handlers, log) = (emitter.handlers(), Log::new());
            handlers
                .on("**")
                .priority(Priority::LOW)
                .call(notes(&log, "late"))?;
            let add = log.clone();
            handlers.on("**").handle(move |event, _| {
                add.add(format!("mid:{}", event.payload()));
                match event.payload() {
                    2 => Ok(Flow::Stop),
                    3 => Err("three".into()),
                    _ => Ok(Flow::Continue),
                }
            })?;
            let events = [("a", 1), ("b", 2), ("a", 3)];
            let mut singles = (0, 0, 0, 0);
            for (topic, payload) in events {
                let report = emitter.emit(topic, payload)?;
                singles.0 += report.matched;
                singles.1 += report.called;
                singles.2 += report.skipped;
                singles.3 += report.failed;
            }
            let by_one = log.take();
            let report = commit(filled(emitter, events)?);
            assert_eq!(log.take(), by_one);
            assert_eq!(by_one, ["mid:1", "late:a1", "mid:2", "mid:3", "late:a3"]);
            let sums = (report.matched, report.called, report.skipped, report.failed);
            assert_eq!(sums, singles);
            assert_eq!((sums, report.stopped), ((6, 5, 1, 1), true));
            handlers.clear();
            Ok(())
        })
    })
}

#[test]
fn h14_a_single_emit_calls_a_batch_handler_with_a_slice_of_one() -> Done {
    guarded(|| {
        everywhere(|emitter, _| {
            let (handlers, log) = (emitter.handlers(), Log::new());
            let id = handlers.on("a").handle_batch(lists(&log, "B"))?;
            handlers.on("a").call(notes(&log, "p"))?;
            assert_eq!(emitter.emit("a", 1)?.called, 2);
            assert_eq!(block_on(emitter.emit_async("a", 2))?.called, 2);
            assert_eq!(
                log.take(),
                ["B[a1]", "p:a1", "B[a2]", "p:a2"],
                "{emitter:?}"
            );
            assert_eq!(handlers.get(id).unwrap().called, 2);
            handlers.clear();
            Ok(())
        })
    })
}

#[test]
fn h14_a_dispatcher_hands_a_batch_over_in_one_call() -> Done {
    everywhere_dispatched(|builder| {
        let (bus, handlers, log) = (Bus::new(), Handlers::new(), Log::new());
        handlers.on(["a", "b"]).handle_batch(lists(&log, "B"))?;
        handlers
            .on("**")
            .priority(Priority::LOW)
            .call(notes(&log, "p"))?;
        let derived = bus.filtered(|event| *event.payload() != 3);
        let dispatcher = builder(Dispatcher::builder(&derived, &handlers)).build()?;
        bus.emit("a", 1)?;
        let mut batch = bus.start_batch();
        for (topic, payload) in [("a", 2), ("a", 3), ("c", 4), ("b", 5)] {
            batch.emit(topic, payload)?;
        }
        batch.commit()?;
        dispatcher.start()?;
        bus.publisher("b")?.emit_batch([6, 7])?;
        dispatcher.stop(Drain::All)?;
        let order = [
            "B[a1]", "p:a1", "B[a2 b5]", "p:a2", "p:c4", "p:b5", "B[b6 b7]", "p:b6", "p:b7",
        ];
        assert_eq!(log.take(), order);
        let stats = dispatcher.stats();
        assert_eq!((stats.handled, stats.called), (6, 11));
        // Stopped in the middle of a batch, it handles the whole of it, or nothing.
        bus.publisher("a")?.emit_batch([8, 9])?;
        dispatcher.start()?;
        dispatcher.stop(Drain::All)?;
        assert_eq!(log.take(), ["B[a8 a9]", "p:a8", "p:a9"]);
        Ok(())
    })
}

/// What makes a dispatcher of a builder.
type Built = fn(chanbus::DispatcherBuilder<'_, u32>) -> chanbus::DispatcherBuilder<'_, u32>;

/// On the dispatcher's own thread, and on a pool.
fn everywhere_dispatched(test: impl Fn(Built) -> Done + Send + Sync + 'static) -> Done {
    guarded(move || {
        test(|builder| builder)?;
        test(|builder| builder.executor(ThreadPool::new(2).unwrap()))
    })
}

#[test]
fn h14_a_dispatcher_calls_a_batch_handler() -> Done {
    guarded(|| {
        let (bus, handlers, log) = (Bus::new(), Handlers::new(), Log::new());
        handlers.on("a").handle_batch(lists(&log, "B"))?;
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        bus.emit("a", 1)?;
        dispatcher.start()?;
        dispatcher.stop(Drain::All)?;
        assert_eq!(log.take(), ["B[a1]"]);
        let stats = dispatcher.stats();
        assert_eq!((stats.handled, stats.called), (1, 1));
        Ok(())
    })
}

#[test]
fn h14_middleware_has_passed_all_events_before_any_handler() -> Done {
    guarded(|| {
        everywhere(|emitter, commit| {
            let (handlers, log) = (emitter.handlers(), Log::new());
            let note = notes(&log, "mid");
            let hook = handlers.middleware(move |event| {
                note(&event);
                match event.payload() {
                    2 => None,
                    3 => Some(event.with_payload(30)),
                    4 => Some(Event::new("b", 40).unwrap()),
                    5 => panic!("five"),
                    _ => Some(event),
                }
            });
            handlers.on("a").handle_batch(lists(&log, "A"))?;
            handlers.on("b").handle_batch(lists(&log, "B"))?;
            handlers.on("**").call(notes(&log, "p"))?;
            let report = commit(filled(emitter, (1..=5).map(|n| ("a", n)))?);
            assert_eq!(
                log.take(),
                [
                    "mid:a1",
                    "mid:a2",
                    "mid:a3",
                    "mid:a4",
                    "mid:a5",
                    "A[a1 a30]",
                    "B[b40]",
                    "p:a1",
                    "p:a30",
                    "p:b40"
                ]
            );
            assert!(report.blocked);
            assert_eq!((report.matched, report.called, report.failed), (6, 6, 1));
            assert_eq!(report.errors[0].place(), FailurePlace::Middleware);
            drop(hook);
            handlers.clear();
            Ok(())
        })
    })
}
