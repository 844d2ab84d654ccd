//! H4: `once` is claimed before the call, by one emit.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use chanbus::{Bus, Dispatcher, Drain, Emitter, Flow, Handlers, Job, Mode, ThreadPool};

use super::Done;
use super::common::guarded;

const THREADS: usize = 8;

#[derive(Clone, Copy, Debug)]
enum Shape {
    Call,
    Panics,
    Fails,
    Async,
    AsyncFails,
}

/// One once-handler with several overlapping patterns, and 8 threads that emit at the same moment.
fn race(shape: Shape, make: impl Fn(&Handlers<usize>) -> Emitter<usize>) -> Done {
    let handlers = Handlers::<usize>::new();
    let emitter = make(&handlers);
    for round in 0..200 {
        let calls = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&calls);
        let once = handlers.on(["a.b", "a.*", "**", "*.b", "a.?"]).once();
        let id = match shape {
            Shape::Call => once.call(move |_| {
                let _ = count.fetch_add(1, Ordering::SeqCst);
            }),
            Shape::Panics => once.call(move |_| {
                count.fetch_add(1, Ordering::SeqCst);
                panic!("once");
            }),
            Shape::Fails => once.handle(move |_, _| {
                count.fetch_add(1, Ordering::SeqCst);
                Err("once".into())
            }),
            Shape::Async | Shape::AsyncFails => once.handle_async(move |_, _| {
                count.fetch_add(1, Ordering::SeqCst);
                async move {
                    futures_lite::future::yield_now().await;
                    match shape {
                        Shape::Async => Ok(Flow::Continue),
                        _ => Err("once".into()),
                    }
                }
            }),
        }?;
        let start = Barrier::new(THREADS);
        let (called, skipped, failed) = thread::scope(|scope| {
            let emits: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        emitter.emit("a.b", round).unwrap()
                    })
                })
                .collect();
            emits.into_iter().fold((0, 0, 0), |sums, emit| {
                let report = emit.join().unwrap();
                assert_eq!(report.matched, report.called + report.skipped);
                (
                    sums.0 + report.called,
                    sums.1 + report.skipped,
                    sums.2 + report.failed,
                )
            })
        });
        assert_eq!(calls.load(Ordering::SeqCst), 1, "{shape:?}, round {round}");
        assert_eq!(called, 1, "{shape:?}, round {round}");
        assert!(skipped < THREADS);
        let fails = matches!(shape, Shape::Panics | Shape::Fails | Shape::AsyncFails);
        assert_eq!(failed, usize::from(fails), "{shape:?}");
        assert!(!handlers.contains(id), "with its call it is removed");
        assert_eq!(emitter.emit("a.b", round)?.matched, 0);
    }
    Ok(())
}

#[test]
fn h4_once_is_one_call_under_eight_emitting_threads() -> Done {
    guarded(|| {
        for shape in [
            Shape::Call,
            Shape::Panics,
            Shape::Fails,
            Shape::Async,
            Shape::AsyncFails,
        ] {
            race(shape, Emitter::blocking)?;
        }
        Ok(())
    })
}

#[test]
fn h4_once_is_one_call_on_a_pool_in_every_mode() -> Done {
    guarded(|| {
        let pool = ThreadPool::new(4)?;
        for mode in [Mode::Sequential, Mode::Tiered, Mode::Concurrent] {
            for shape in [Shape::Call, Shape::Fails, Shape::Async] {
                race(shape, |handlers| {
                    Emitter::thread_pool(handlers, &pool).mode(mode)
                })?;
            }
        }
        Ok(())
    })
}

#[test]
fn h4_once_is_one_call_for_an_emitter_and_two_dispatchers_together() -> Done {
    guarded(|| {
        let (bus, other, handlers) = (Bus::new(), Bus::new(), Handlers::<usize>::new());
        let dispatchers = [
            Dispatcher::builder(&bus, &handlers).build()?,
            Dispatcher::builder(&other, &handlers)
                .executor(ThreadPool::new(2)?)
                .build()?,
        ];
        let calls = Arc::new(AtomicUsize::new(0));
        for round in 1..=100 {
            let count = Arc::clone(&calls);
            handlers.on("**").once().call(move |_| {
                let _ = count.fetch_add(1, Ordering::SeqCst);
            })?;
            for dispatcher in &dispatchers {
                dispatcher.start()?;
            }
            let start = Barrier::new(3);
            thread::scope(|scope| {
                scope.spawn(|| {
                    start.wait();
                    bus.emit("a", round).unwrap();
                });
                scope.spawn(|| {
                    start.wait();
                    other.emit("b", round).unwrap();
                });
                start.wait();
                assert!(Emitter::inline(&handlers).emit("c", round).unwrap().is_ok());
            });
            for dispatcher in &dispatchers {
                dispatcher.stop(Drain::All)?;
            }
            assert_eq!(calls.load(Ordering::SeqCst), round);
        }
        Ok(())
    })
}

/// The claim comes before the call: a handler that emits its own topic is not called again.
#[test]
fn h4_once_does_not_call_itself_again_from_inside() -> Done {
    let handlers = Handlers::<usize>::new();
    handlers.on("**").once().handle(|event, ctx| {
        assert!(
            !ctx.handlers().contains(ctx.id()),
            "claimed, so removed, before the call"
        );
        let emitted = ctx.emit("again", event.payload() + 1)?;
        assert_eq!(emitted.delivered, 0);
        Ok(Flow::Continue)
    })?;
    let report = Emitter::inline(&handlers).emit("a", 0)?;
    assert_eq!((report.called, report.failed), (1, 0));
    Ok(())
}

#[test]
fn h4_events_that_a_filter_keeps_away_do_not_count() -> Done {
    let handlers = Handlers::<usize>::new();
    let id = handlers
        .on("a")
        .once()
        .filter(|event| *event.payload() > 1)
        .call(|_| {})?;
    let emitter = Emitter::inline(&handlers);
    assert_eq!(emitter.emit("a", 0)?.skipped, 1);
    assert!(handlers.contains(id));
    assert_eq!(emitter.emit("a", 2)?.called, 1);
    assert!(!handlers.contains(id));
    Ok(())
}

/// A handler that was stopped, or that its executor refused, has not had its call yet.
#[test]
fn h4_a_call_that_was_never_made_is_still_to_come() -> Done {
    let handlers = Handlers::<usize>::new();
    handlers.on("a").priority(1).handle(|event, _| {
        Ok(if *event.payload() == 0 {
            Flow::Stop
        } else {
            Flow::Continue
        })
    })?;
    let id = handlers.on("a").once().call(|_| {})?;
    let emitter = Emitter::inline(&handlers);
    assert_eq!(emitter.emit("a", 0)?.called, 1);
    assert!(handlers.contains(id));
    let drops = Emitter::new(&handlers, |job: Job| drop(job));
    assert_eq!(drops.emit("a", 1)?.called, 0);
    assert!(handlers.contains(id));
    assert_eq!(emitter.emit("a", 1)?.called, 2);
    assert!(!handlers.contains(id));
    Ok(())
}
