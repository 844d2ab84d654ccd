//! H14: handlers that take all events of a batch in one call.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use chanbus::{
    BatchError, BlockOn, Bus, Cause, Dispatcher, Drain, EmitError, Emitter, EmitterBatch, Error,
    Event, FailureKind, FailurePlace, Flow, HandlerKind, Handlers, Job, Mode, Priority, Refusal,
    Report, ThreadPool,
};
use futures_lite::future::{block_on, poll_once, yield_now};

use super::common::{Census, Counted, Gate, guarded, hooked};
use super::{Done, Log, throw_grenade};

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
fn h14_filters_are_asked_about_each_event_and_none_left_is_no_call() -> Done {
    guarded(|| {
        everywhere(|emitter, commit| {
            let (handlers, log) = (emitter.handlers(), Log::new());
            let id = handlers
                .on("**")
                .filter(|event| *event.payload() != 2)
                .filter(|event| match event.payload() {
                    3 => panic!("three"),
                    _ => true,
                })
                .handle_batch(lists(&log, "B"))?;
            let report = commit(filled(emitter, [("a", 1), ("b", 2), ("c", 3), ("d", 4)])?);
            assert_eq!(log.take(), ["B[a1 d4]"]);
            assert_eq!((report.matched, report.called, report.skipped), (4, 2, 2));
            let [failure] = &*report.errors else {
                panic!("{report:?}")
            };
            assert_eq!(failure.place(), FailurePlace::Filter);
            assert_eq!((failure.topic().as_str(), failure.events().len()), ("c", 1));
            let report = commit(filled(emitter, [("b", 2), ("b", 2)])?);
            assert_eq!(log.take(), [""; 0]);
            assert_eq!((report.called, report.skipped), (0, 2));
            let info = handlers.get(id).unwrap();
            assert_eq!((info.called, info.skipped, info.failed), (2, 4, 1));
            handlers.clear();
            Ok(())
        })
    })
}

#[test]
fn h14_once_is_one_call_with_the_whole_batch() -> Done {
    guarded(|| {
        everywhere(|emitter, commit| {
            let (handlers, log) = (emitter.handlers(), Log::new());
            let id = handlers
                .on("a")
                .once()
                .filter(|event| *event.payload() > 1)
                .handle_batch(lists(&log, "B"))?;
            // What a filter keeps away claims nothing.
            assert_eq!(commit(filled(emitter, [("a", 0), ("a", 1)])?).skipped, 2);
            assert!(handlers.contains(id));
            let report = commit(filled(emitter, [("a", 1), ("a", 2), ("a", 3)])?);
            assert_eq!((report.called, report.skipped), (2, 1));
            assert!(!handlers.contains(id));
            assert_eq!(commit(filled(emitter, [("a", 4)])?).matched, 0);
            assert_eq!(log.take(), ["B[a2 a3]"]);
            Ok(())
        })
    })
}

#[test]
fn h14_once_is_claimed_once_by_threads_that_race() -> Done {
    guarded(|| {
        for _ in 0..50 {
            let (handlers, calls) = (Handlers::new(), Arc::new(AtomicUsize::new(0)));
            let count = Arc::clone(&calls);
            handlers.on("a").once().handle_batch(move |events| {
                count.fetch_add(events.len(), Ordering::SeqCst);
                Ok(Flow::Continue)
            })?;
            let barrier = Arc::new(std::sync::Barrier::new(3));
            let threads = [0, 1, 2].map(|_| {
                let (emitter, barrier) = (Emitter::inline(&handlers), Arc::clone(&barrier));
                thread::spawn(move || {
                    let batch = filled(&emitter, [("a", 1), ("a", 2)]).unwrap();
                    barrier.wait();
                    batch.commit().unwrap().called
                })
            });
            let called: usize = threads.map(|it| it.join().unwrap()).iter().sum();
            assert_eq!((called, calls.load(Ordering::SeqCst)), (2, 2));
        }
        Ok(())
    })
}

#[test]
fn h14_a_plain_handler_stops_its_event_and_a_batch_handler_all_that_it_was_given() -> Done {
    guarded(|| {
        everywhere(|emitter, commit| {
            for by_context in [false, true] {
                let (handlers, log) = (emitter.handlers(), Log::new());
                handlers
                    .on("**")
                    .priority(Priority::HIGHEST)
                    .handle(|event, _| match event.payload() {
                        2 => Ok(Flow::Stop),
                        _ => Ok(Flow::Continue),
                    })?;
                let add = log.clone();
                handlers
                    .on("a")
                    .priority(Priority::HIGH)
                    .handle_batch_with(move |events, ctx| {
                        add.add(told("stops", events));
                        if by_context {
                            ctx.stop_propagation();
                            assert!(ctx.is_stopped());
                            return Err("and fails".into());
                        }
                        Ok(Flow::Stop)
                    })?;
                handlers.on("**").call(notes(&log, "p"))?;
                handlers.on("**").handle_batch(lists(&log, "B"))?;
                handlers
                    .on("**")
                    .priority(Priority::MONITOR)
                    .handle_batch(lists(&log, "seen"))?;
                let events = [("a", 1), ("a", 2), ("b", 3), ("a", 4)];
                let report = commit(filled(emitter, events)?);
                assert_eq!(
                    log.take(),
                    ["stops[a1 a4]", "p:b3", "B[b3]", "seen[a1 a2 b3 a4]"],
                    "{emitter:?}"
                );
                assert!(report.stopped);
                assert_eq!(report.failed, usize::from(by_context));
                let matched = 4 + 3 + 4 + 4 + 4;
                let skipped = 1 + 3 + 3;
                assert_eq!((report.matched, report.skipped), (matched, skipped));
                assert_eq!(report.called, matched - skipped);
                handlers.clear();
            }
            Ok(())
        })
    })
}

#[test]
fn h14_a_batch_monitor_stops_nothing() -> Done {
    let (handlers, log) = (Handlers::new(), Log::new());
    handlers
        .on("a")
        .priority(Priority::MONITOR)
        .handle_batch_with(|_, ctx| {
            ctx.stop_propagation();
            Ok(Flow::Stop)
        })?;
    handlers
        .on("a")
        .priority(Priority::MONITOR)
        .handle_batch(lists(&log, "next"))?;
    let report = send(&Emitter::inline(&handlers), [("a", 1), ("a", 2)])?;
    assert!(!report.stopped);
    assert_eq!(log.take(), ["next[a1 a2]"]);
    Ok(())
}

#[test]
fn h14_an_error_or_a_panic_is_one_failure_with_all_events_and_the_others_run() -> Done {
    guarded(|| {
        everywhere(|emitter, commit| {
            let (handlers, log) = (emitter.handlers(), Log::new());
            let heard = log.clone();
            let hook = handlers.on_error(move |failure| heard.add(told("all", failure.events())));
            let own = log.clone();
            handlers
                .on("a")
                .name("err")
                .on_failure(move |failure| own.add(told("own", failure.events())))
                .on_success(|_| unreachable!("it fails"))
                .handle_batch(|_| Err("disk full".into()))?;
            handlers.on("**").handle_batch(|_| panic!("oh"))?;
            handlers.on("**").handle_batch(|_| throw_grenade())?;
            handlers.on("**").call(notes(&log, "p"))?;
            let report = commit(filled(emitter, [("b", 1), ("a", 2), ("a", 3)])?);
            assert_eq!(
                log.take(),
                [
                    "own[a2 a3]",
                    "all[a2 a3]",
                    "all[b1 a2 a3]",
                    "all[b1 a2 a3]",
                    "p:b1",
                    "p:a2",
                    "p:a3"
                ]
            );
            assert_eq!((report.matched, report.called, report.failed), (11, 11, 3));
            let first = &report.errors[0];
            assert_eq!(
                (first.handler(), *first.event().payload()),
                (Some("err"), 2)
            );
            let text = first.to_string();
            assert!(
                text.contains("on `a` and one more event: disk full"),
                "{text}"
            );
            let text = report.errors[1].to_string();
            assert!(
                text.contains("panicked on `b` and 2 more events: oh"),
                "{text}"
            );
            assert!(report.errors[2].is_panic());
            drop(hook);
            handlers.clear();
            Ok(())
        })
    })
}

/// Not by event, as each event's own report would have them.
#[test]
fn h14_the_failures_of_a_batch_are_in_the_order_in_which_they_came() -> Done {
    guarded(|| {
        everywhere(|emitter, commit| {
            let handlers = emitter.handlers();
            let fails = |event: &Event<u32>| Err(format!("p{}", event.payload()).into());
            handlers.on("**").handle(move |event, _| fails(event))?;
            handlers.on("b").handle_batch(|_| Err("B".into()))?;
            handlers
                .on("**")
                .handle(|event, _| Err(format!("q{}", event.payload()).into()))?;
            let report = commit(filled(emitter, [("a", 1), ("b", 2), ("b", 3)])?);
            let errors = report.errors.iter().map(|failure| match failure.kind() {
                FailureKind::Error(error) => error.to_string(),
                other => panic!("{other:?}"),
            });
            let errors: Vec<_> = errors.collect();
            assert_eq!(errors, ["p1", "p2", "p3", "B", "q1", "q2", "q3"]);
            assert_eq!(report.failed, 7);
            handlers.clear();
            Ok(())
        })
    })
}

#[test]
fn h14_on_success_hears_of_each_event_and_its_panics_are_reported_one_by_one() -> Done {
    let (handlers, log) = (Handlers::new(), Log::new());
    let note = notes(&log, "done");
    handlers
        .on("a")
        .on_success(move |event| {
            note(event);
            assert_ne!(*event.payload(), 2, "two");
        })
        .handle_batch(lists(&log, "B"))?;
    let report = send(&Emitter::inline(&handlers), [("a", 1), ("a", 2), ("a", 3)])?;
    assert_eq!(log.take(), ["B[a1 a2 a3]", "done:a1", "done:a2", "done:a3"]);
    let [failure] = &*report.errors else {
        panic!("{report:?}")
    };
    assert_eq!(failure.place(), FailurePlace::Callback);
    assert_eq!(*failure.event().payload(), 2);
    Ok(())
}

#[test]
fn h14_an_executor_that_refuses_or_drops_the_call_is_one_failure() -> Done {
    guarded(|| {
        let handlers = Handlers::new();
        handlers.on("a").handle_batch(|_| unreachable!())?;
        handlers.on("a").once().handle_batch(|_| unreachable!())?;
        let refuses = Emitter::new(&handlers, |job: Job| Err(job.refuse(Refusal::ShutDown)));
        let drops = Emitter::new(&handlers, |job: Job| drop(job));
        let panics = Emitter::new(&handlers, |_: Job| -> () { panic!("no") });
        for emitter in [refuses, drops, panics] {
            let report = send(&emitter, [("a", 1), ("a", 2)])?;
            assert_eq!((report.matched, report.called, report.skipped), (4, 0, 4));
            assert_eq!(report.failed, 2, "{report:?}");
            for failure in &report.errors {
                assert_eq!(failure.events().len(), 2);
                assert!(matches!(
                    failure.kind(),
                    FailureKind::Refused(Refusal::ShutDown) | FailureKind::Lost
                ));
            }
        }
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

#[test]
fn h14_a_batch_handler_that_is_removed_before_its_turn_is_not_called() -> Done {
    guarded(|| {
        everywhere(|emitter, commit| {
            if emitter.current_mode() == Mode::Concurrent {
                return Ok(()); // Who removes and who is removed run together there.
            }
            let (handlers, log) = (emitter.handlers(), Log::new());
            handlers
                .on("a")
                .priority(Priority::HIGH)
                .handle(|event, ctx| {
                    if *event.payload() == 2 {
                        assert_eq!(ctx.handlers().remove_named("gone"), 2);
                        ctx.handlers().on("a").call(|_| unreachable!("too late"))?;
                    }
                    Ok(Flow::Continue)
                })?;
            let gone = handlers.on("a").name("gone");
            gone.handle_batch(|_| unreachable!("it was removed"))?;
            handlers.on("a").handle_batch(lists(&log, "B"))?;
            let gone = handlers.on("a").name("gone");
            gone.priority(Priority::HIGHEST).call(notes(&log, "p"))?;
            let report = commit(filled(emitter, [("a", 1), ("a", 2), ("a", 3)])?);
            // The first goes through all up to the first batch handler, removed or not, before the second.
            assert_eq!(log.take(), ["p:a1", "p:a2", "B[a1 a2 a3]"]);
            assert_eq!((report.matched, report.called, report.skipped), (12, 8, 4));
            handlers.clear();
            Ok(())
        })
    })
}

#[test]
fn h14_a_filter_that_removes_its_handler_keeps_the_whole_batch_from_it() -> Done {
    let handlers = Handlers::new();
    let weak = handlers.clone();
    handlers
        .on("a")
        .name("x")
        .filter(move |event| *event.payload() != 2 || weak.remove_named("x") == 1)
        .handle_batch(|_| unreachable!("it was removed"))?;
    let report = send(&Emitter::inline(&handlers), [("a", 1), ("a", 2), ("a", 3)])?;
    assert_eq!((report.called, report.skipped), (0, 3));
    Ok(())
}

#[test]
fn h14_a_batch_handler_may_emit_a_batch_on_the_same_emitter() -> Done {
    guarded(|| {
        for threads in [0, 1] {
            let (handlers, log) = (Handlers::new(), Log::new());
            let pool = ThreadPool::new(1)?;
            let emitter = match threads {
                0 => Emitter::inline(&handlers),
                _ => Emitter::thread_pool(&handlers, &pool),
            };
            let (again, add) = (emitter.clone(), log.clone());
            handlers.on("a").handle_batch(move |events| {
                add.add(told("in", events));
                let inner = events.iter().map(|event| ("b", event.payload() * 10));
                assert_eq!(send(&again, inner)?.called, 2);
                add.add("out");
                Ok(Flow::Continue)
            })?;
            let add = log.clone();
            handlers.on("b").handle_batch(move |events| {
                let cause = events[1].cause().map(Cause::to_string);
                add.add(format!("{} of {cause:?}", told("B", events)));
                Ok(Flow::Continue)
            })?;
            send(&emitter, [("a", 1), ("a", 2)])?;
            let expected = ["in[a1 a2]", "B[b10 b20] of Some(\"a\")", "out"];
            assert_eq!(log.take(), expected);
            // The registry holds its own emitter.
            handlers.clear();
        }
        Ok(())
    })
}

#[test]
fn h14_a_batch_that_leads_to_itself_ends_at_the_limit_of_chains() -> Done {
    guarded(|| {
        let handlers = Handlers::new();
        let emitter = Emitter::inline(&handlers).max_chain(3);
        let (again, calls) = (emitter.clone(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&calls);
        handlers.on("a").handle_batch(move |events| {
            count.fetch_add(1, Ordering::SeqCst);
            let mut batch = again.start_batch();
            match batch.emit("a", 1) {
                Err(error) => assert!(error.is_chain_too_deep()),
                Ok(()) => drop(batch.commit()?),
            }
            assert_eq!(events.len(), 1);
            Ok(Flow::Continue)
        })?;
        assert!(send(&emitter, [("a", 0)])?.is_ok());
        assert_eq!(calls.load(Ordering::SeqCst), 4);
        handlers.clear();

        // An event of too long a chain that was pushed; a commit that is too deep, though its events are not.
        let mut deep = Event::new("a", 0)?;
        for n in 1..=4 {
            deep = Event::draft("a", n).cause(Cause::of(&deep)).build()?;
        }
        let cause = Cause::of(&deep);
        let mut batch = emitter.start_batch();
        batch.emit("a", 1)?;
        assert!(batch.event("a", 2).cause(cause.clone()).emit().is_err());
        batch.push(deep);
        assert_eq!(batch.len(), 2);
        let error = batch.commit().unwrap_err();
        assert!(error.is_chain_too_deep());
        assert_eq!(error.into_payload().len(), 2);
        let committed = cause.enter(|| filled(&emitter, []).unwrap().commit());
        assert!(committed.unwrap_err().is_chain_too_deep());
        let batch = filled(&emitter, [("a", 1)])?;
        let detached = cause.enter(|| batch.commit_detached());
        assert_eq!(detached.unwrap_err().into_payload().len(), 1);
        let batch = filled(&emitter, [("a", 1)])?;
        let future = cause.enter(|| batch.commit_async());
        assert!(block_on(future).unwrap_err().is_chain_too_deep());
        Ok(())
    })
}

#[test]
fn h14_the_context_is_that_of_the_first_event_it_was_given() -> Done {
    let (handlers, log) = (Handlers::new(), Log::new());
    let add = log.clone();
    handlers
        .on(["a", "b"])
        .name("x")
        .filter(|event| *event.payload() > 1)
        .handle_batch_with(move |events, ctx| {
            add.add(told(ctx.topic(), events));
            assert_eq!(ctx.handler(), Some("x"));
            assert!(!ctx.is_stopped());
            ctx.emit("c", 0)?;
            assert_eq!(Cause::current().unwrap().to_string(), "b");
            Ok(Flow::Continue)
        })?;
    let add = log.clone();
    handlers
        .on("c")
        .call(move |event| add.add(event.cause().unwrap().to_string()))?;
    assert!(send(&Emitter::inline(&handlers), [("a", 1), ("b", 2), ("a", 3)])?.is_ok());
    assert_eq!(log.take(), ["b[b2 a3]", "b"]);
    Ok(())
}

#[test]
fn h14_an_err_or_a_panic_of_the_closure_emits_nothing() -> Done {
    let handlers = Handlers::new();
    handlers.on("**").handle_batch(|_| unreachable!())?;
    let emitter = Emitter::<u32>::inline(&handlers);
    let refused = emitter.batch(|batch| {
        batch.emit("a", 1)?;
        Err(BatchError::Refused("no"))
    });
    assert!(matches!(refused, Err(BatchError::Refused("no"))));
    let bad = emitter.batch(|batch| {
        batch.emit("a", 1)?;
        batch.emit("a..b", 2)?;
        Ok::<_, BatchError<u32, Error>>(())
    });
    match bad {
        Err(BatchError::Event(EmitError::BadTopic { payload: 2, .. })) => {}
        other => panic!("{other:?}"),
    }
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        emitter.batch(|batch| -> Result<(), BatchError<u32, Error>> {
            batch.emit("a", 1)?;
            panic!("in the closure")
        })
    }));
    assert!(panicked.is_err());
    drop(filled(&emitter, [("a", 1)])?);
    assert_eq!(handlers.stats().events, 0);
    Ok(())
}

#[test]
fn h14_a_batch_keeps_sources_metadata_timestamps_and_events_as_they_are() -> Done {
    let (handlers, log) = (Handlers::new(), Log::new());
    let add = log.clone();
    handlers.on("**").handle_batch(move |events| {
        for event in events {
            let metadata = event.metadata("n");
            add.add(format!("{:?} {metadata:?}", event.source()));
        }
        Ok(Flow::Continue)
    })?;
    let mut batch = Emitter::inline(&handlers).start_batch();
    batch.event("a", 1).source("one").metadata("n", 7).emit()?;
    let event = Event::draft("a", 2).source("two").build()?;
    batch.push(event.clone());
    assert_eq!(batch.len(), 2);
    assert!(!batch.is_empty());
    assert!(format!("{batch:?}").contains('2'));
    batch.commit()?;
    let lines = log.take();
    assert!(lines[0].starts_with("Some(\"one\") Some("), "{lines:?}");
    assert_eq!(lines[1], "Some(\"two\") None");
    Ok(())
}

#[test]
fn h14_the_guard_is_send_and_lives_across_awaits() -> Done {
    fn is_send<V: Send>(value: V) -> V {
        value
    }
    guarded(|| {
        let (handlers, log) = (Handlers::new(), Log::new());
        handlers.on("a").handle_batch(lists(&log, "B"))?;
        let add = log.clone();
        handlers.on("a").handle_async(move |event, _| {
            let add = add.clone();
            async move {
                yield_now().await;
                add.add(format!("async:{}", event.payload()));
                Ok(Flow::Continue)
            }
        })?;
        handlers.on("a").handle_batch(lists(&log, "C"))?;
        let emitter = Emitter::inline(&handlers);
        let work = is_send(async move {
            let mut batch = emitter.start_batch();
            for n in 1..=2 {
                yield_now().await;
                batch.emit("a", n)?;
            }
            Ok::<_, Error>(batch.commit_async().await?)
        });
        assert_eq!(block_on(work)?.called, 6);
        assert_eq!(log.take(), ["B[a1 a2]", "async:1", "async:2", "C[a1 a2]"]);
        Ok(())
    })
}

#[test]
fn h14_a_commit_that_is_awaited_and_dropped_counts_what_was_done() -> Done {
    guarded(|| {
        let (handlers, log) = (Handlers::new(), Log::new());
        handlers.on("a").handle_batch(lists(&log, "B"))?;
        handlers
            .on("a")
            .handle_async(|_, _| std::future::pending())?;
        handlers.on("a").handle_batch(|_| unreachable!())?;
        let emitter = Emitter::inline(&handlers);
        let batch = filled(&emitter, [("a", 1), ("a", 2)])?;
        let mut commit = batch.commit_async();
        assert_eq!(log.take(), [""; 0], "not yet polled");
        assert!(block_on(poll_once(&mut commit)).is_none());
        drop(commit);
        assert_eq!(log.take(), ["B[a1 a2]"]);
        let stats = handlers.stats();
        assert_eq!((stats.events, stats.called, stats.failed), (2, 3, 1));
        // One that has ended may be polled again.
        handlers.clear();
        let mut commit = filled(&emitter, [("a", 1)])?.commit_async();
        assert!(block_on(poll_once(&mut commit)).is_some());
        assert!(block_on(poll_once(&mut commit)).is_none());
        Ok(())
    })
}

#[test]
fn h14_a_detached_batch_stays_together() -> Done {
    guarded(|| {
        let (handlers, log, gate) = (Handlers::new(), Log::new(), Gate::new());
        let held = gate.clone();
        handlers
            .on("a")
            .priority(Priority::HIGH)
            .call(move |_| held.pass())?;
        handlers.on("a").handle_batch(lists(&log, "B"))?;
        handlers.on("a").call(notes(&log, "p"))?;
        let pool = ThreadPool::new(2)?;
        let emitter = Emitter::thread_pool(&handlers, &pool);
        filled(&emitter, [("a", 1), ("a", 2)])?.commit_detached()?;
        gate.wait_held();
        assert_eq!(log.take(), [""; 0]);
        gate.open();
        while handlers.stats().events < 2 {
            thread::yield_now();
        }
        assert_eq!(log.take(), ["B[a1 a2]", "p:a1", "p:a2"]);
        pool.shutdown();
        // Where nobody else runs them, they have ended.
        filled(&Emitter::new(&handlers, BlockOn), [("a", 3)])?.commit_detached()?;
        assert_eq!(log.take(), ["B[a3]", "p:a3"]);
        Ok(())
    })
}

#[test]
fn h14_a_commit_on_the_thread_that_its_handlers_need_is_refused_with_all_events() -> Done {
    struct NeedsThis;
    impl chanbus::Executor for NeedsThis {
        fn execute(&self, job: Job) -> Result<(), chanbus::ExecuteError> {
            job.run();
            Ok(())
        }
        fn waiting(&self) -> chanbus::Waiting {
            chanbus::Waiting::Refuse
        }
    }
    let handlers = Handlers::new();
    handlers.on("a").handle_batch(|_| Ok(Flow::Continue))?;
    let emitter = Emitter::new(&handlers, NeedsThis);
    let error = filled(&emitter, [("a", 1), ("a", 2)])?
        .commit()
        .unwrap_err();
    assert!(error.is_would_block());
    let mut batch = emitter.start_batch();
    for event in error.into_payload() {
        batch.push(event);
    }
    assert_eq!(block_on(batch.commit_async())?.called, 2);
    Ok(())
}

#[test]
fn h14_statistics_count_events_and_the_kind_is_batch() -> Done {
    let handlers = Handlers::new();
    let id = handlers.on("a").handle_batch(|_| Ok(Flow::Continue))?;
    handlers
        .on("b")
        .once()
        .handle_batch(|_| Ok(Flow::Continue))?;
    handlers.on("a").call(|_| {})?;
    assert_eq!(handlers.get(id).unwrap().kind, HandlerKind::Batch);
    let kinds = handlers.stats().by_kind;
    assert_eq!(
        (kinds.sync, kinds.r#async, kinds.batch, kinds.once),
        (1, 0, 2, 1)
    );
    assert!(handlers.stats().to_string().contains("2 batch"));
    let report = send(&Emitter::inline(&handlers), [("a", 1), ("a", 2), ("x", 3)])?;
    assert_eq!((report.matched, report.called), (4, 4));
    let stats = handlers.stats();
    assert_eq!((stats.events, stats.called, stats.skipped), (3, 4, 0));
    let info = handlers.get(id).unwrap();
    assert_eq!((info.called, info.skipped), (2, 0));
    Ok(())
}

/// Whoever registers in mid-batch is called from the next batch on, also by its later events.
#[test]
fn h14_all_events_of_a_batch_see_the_same_handlers() -> Done {
    for with_batch_handler in [false, true] {
        let (handlers, log) = (Handlers::new(), Log::new());
        if with_batch_handler {
            handlers.on("other").handle_batch(|_| Ok(Flow::Continue))?;
        }
        let note = log.clone();
        handlers.on("a").handle(move |_, ctx| {
            let handlers = ctx.handlers();
            if handlers.groups().is_empty() {
                handlers.on("a").group("late").call(notes(&note, "late"))?;
            }
            Ok(Flow::Continue)
        })?;
        let emitter = Emitter::inline(&handlers);
        send(&emitter, [("a", 1), ("other", 2), ("a", 3)])?;
        assert_eq!(log.take(), [""; 0]);
        send(&emitter, [("a", 4)])?;
        assert_eq!(log.take(), ["late:a4"]);
    }
    Ok(())
}

#[test]
fn h14_a_batch_lets_go_of_all_its_events() -> Done {
    guarded(|| {
        let pool = ThreadPool::new(2)?;
        let (handlers, census) = (Handlers::<Counted>::new(), Census::new());
        handlers.on("a").handle_batch(|_| Ok(Flow::Continue))?;
        handlers.on("b").handle_batch(|_| Ok(Flow::Stop))?;
        handlers.on("**").call(|_| {})?;
        let hook = handlers.middleware(|event| (event.topic() != "c").then_some(event));
        for emitter in [
            Emitter::inline(&handlers),
            Emitter::thread_pool(&handlers, &pool),
        ] {
            let events = || ["a", "b", "c", "a", "d"].map(|topic| (topic, census.born()));
            assert_eq!(send(&emitter, events())?.called, 6);
            assert_eq!(
                block_on(filled(&emitter, events())?.commit_async())?.called,
                6
            );
            drop(filled(&emitter, events())?.commit_async());
            drop(filled(&emitter, events())?);
        }
        pool.shutdown();
        assert_eq!(census.alive(), 0);
        drop(hook);
        Ok(())
    })
}

/// Those of the failure that is kept, too.
#[test]
fn h14_a_destructor_that_panics_reaches_nobody() -> Done {
    let handlers = Handlers::new();
    handlers.on("a").handle_batch(|_| Err("no".into()))?;
    handlers.on("a").handle_batch(|_| Ok(Flow::Continue))?;
    let bombs = [0, 1].map(|_| ("a", hooked(|| panic!("the payload's destructor"))));
    let report = send(&Emitter::inline(&handlers), bombs)?;
    assert_eq!((report.called, report.failed), (4, 1));
    drop(report);
    drop(handlers);
    Ok(())
}
