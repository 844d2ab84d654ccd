//! Who takes part in a batch: filters, `once`, monitors, those who stop events, those who go and come meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use chanbus::{Emitter, FailurePlace, Flow, Handlers, Mode, Priority};

use super::super::common::guarded;
use super::super::{Done, Log};
use super::{everywhere, filled, lists, notes, send, told};

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
