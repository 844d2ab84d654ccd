//! H9: what a handler does to the dispatcher, the registry and the bus that it runs in.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use chanbus::{Bus, Dispatcher, Drain, Emitter, Flow, Handlers, Job, Stopped, ThreadPool};

use super::common::{HANG, guarded};
use super::{Done, Log};

type Own = Arc<OnceLock<Weak<Dispatcher<u32>>>>;

/// What runs the handlers: the dispatcher's thread, a pool, a pool with events at once, a thread for each.
const SETUPS: usize = 4;

fn build(
    setup: usize,
    bus: &Bus<u32>,
    handlers: &Handlers<u32>,
) -> Result<Dispatcher<u32>, chanbus::BoxError> {
    let builder = Dispatcher::builder(bus, handlers);
    Ok(match setup {
        0 => builder.build()?,
        1 => builder.executor(ThreadPool::new(1)?).build()?,
        2 => builder
            .executor(ThreadPool::new(2)?)
            .max_in_flight(4)
            .build()?,
        _ => {
            let threads = |job: Job| drop(std::thread::spawn(move || job.run()));
            builder.executor(threads).build()?
        }
    })
}

/// In which of the user's code the dispatcher is stopped.
const PLACES: [&str; 9] = [
    "call",
    "handle",
    "async",
    "async later",
    "filter",
    "success",
    "failure",
    "error handler",
    "middleware",
];

fn stop_in(place: &str, handlers: &Handlers<u32>, own: &Own, told: Sender<Stopped>) {
    let own = Arc::clone(own);
    let stop = move || {
        let dispatcher = own.get().unwrap().upgrade().unwrap();
        let stopped = dispatcher.stop(Drain::All).unwrap();
        assert!(dispatcher.stop(Drain::Now).is_ok(), "and once more");
        dispatcher.wait();
        let _ = told.send(stopped);
    };
    let on = handlers.on("stop");
    let added = match place {
        "call" => on.call(move |_| stop()),
        "handle" => on.handle(move |_, _| {
            stop();
            Ok(Flow::Stop)
        }),
        "async" => on.handle_async(move |_, _| {
            stop();
            async { Ok(Flow::Continue) }
        }),
        "async later" => {
            let stop = Arc::new(stop);
            on.handle_async(move |_, _| {
                let stop = Arc::clone(&stop);
                async move {
                    futures_lite::future::yield_now().await;
                    stop();
                    Err("and it fails".into())
                }
            })
        }
        "filter" => on
            .filter(move |_| {
                stop();
                false
            })
            .call(|_| {}),
        "success" => on.on_success(move |_| stop()).call(|_| {}),
        "failure" => on
            .on_failure(move |_| stop())
            .handle(|_, _| Err("no".into())),
        "error handler" => {
            handlers.on_error(move |_| stop()).keep();
            on.handle(|_, _| Err("no".into()))
        }
        _ => {
            let pass = handlers.middleware(move |event| {
                if event.topic() == "stop" {
                    stop();
                }
                Some(event)
            });
            pass.keep();
            on.call(|_| {})
        }
    };
    added.unwrap();
}

#[test]
fn h9_a_dispatcher_that_is_stopped_from_inside_does_not_wait_for_itself() -> Done {
    for setup in 0..SETUPS {
        for place in PLACES {
            guarded(move || -> Done {
                let (bus, handlers, log) = (Bus::new(), Handlers::<u32>::new(), Log::new());
                let (own, (told, tell)) = (Own::default(), channel());
                stop_in(place, &handlers, &own, told);
                handlers.on("a").call(log.says("a"))?;
                let dispatcher = Arc::new(build(setup, &bus, &handlers)?);
                own.set(Arc::downgrade(&dispatcher)).unwrap();
                bus.emit("stop", 0)?;
                bus.emit("a", 0)?;
                dispatcher.start()?;
                let stopped = tell
                    .recv_timeout(HANG)
                    .map_err(|_| format!("{setup} {place}"))?;
                assert!(stopped.pending, "{setup} {place}");
                dispatcher.wait();
                assert!(!dispatcher.is_running());
                bus.emit("a", 0)?;
                assert_eq!(dispatcher.stats().in_flight, 0);
                // `Now` came last: what was queued may have been begun before, not after.
                let handled = log.take().len();
                assert!(handled <= 1, "{setup} {place}");
                assert_eq!(dispatcher.stats().queued, 2 - handled);
                dispatcher.start()?;
                dispatcher.stop(Drain::All)?;
                assert_eq!(log.take().len(), 2 - handled, "{setup} {place}");
                Ok(())
            })?;
        }
    }
    Ok(())
}

/// The executor drops or refuses a job on a thread of its own, and an error handler stops the dispatcher.
#[test]
fn h9_an_error_handler_may_stop_it_where_a_job_is_dropped() -> Done {
    for place in ["failure", "error handler"] {
        guarded(move || -> Done {
            let (bus, handlers) = (Bus::new(), Handlers::<u32>::new());
            let (own, (told, tell)) = (Own::default(), channel());
            stop_in(place, &handlers, &own, told);
            let drops = |job: Job| drop(std::thread::spawn(move || drop(job)));
            let dispatcher = Arc::new(
                Dispatcher::builder(&bus, &handlers)
                    .executor(drops)
                    .build()?,
            );
            own.set(Arc::downgrade(&dispatcher)).unwrap();
            dispatcher.start()?;
            bus.emit("stop", 0)?;
            assert!(tell.recv_timeout(HANG)?.pending);
            dispatcher.wait();
            Ok(())
        })?;
    }
    Ok(())
}

/// The dispatcher's last handle, and the bus's, go inside of a handler.
#[test]
fn h9_a_handler_may_drop_the_dispatcher_or_the_last_bus_handle() -> Done {
    // One event after the other: which of them acts, and which comes after it, is known.
    for setup in [0, 1, 3] {
        for is_async in [false, true] {
            for what in ["dispatcher", "bus", "both"] {
                guarded(move || -> Done {
                    type Held = Arc<Mutex<(Option<Bus<u32>>, Option<Dispatcher<u32>>)>>;
                    let (bus, handlers) = (Bus::new(), Handlers::<u32>::new());
                    let (held, (told, tell)) = (Held::default(), channel());
                    let own = Arc::clone(&held);
                    let act = move || {
                        let (mut bus, mut dispatcher) = (None, None);
                        {
                            let mut held = own.lock().unwrap();
                            if what != "bus" {
                                dispatcher = held.1.take();
                            }
                            if what != "dispatcher" {
                                bus = held.0.take();
                            }
                        }
                        drop((dispatcher, bus));
                    };
                    let later = told.clone();
                    if is_async {
                        let act = Arc::new(act);
                        handlers.on("a").once().handle_async(move |_, _| {
                            let act = Arc::clone(&act);
                            async move {
                                futures_lite::future::yield_now().await;
                                act();
                                Ok(Flow::Continue)
                            }
                        })?;
                    } else {
                        handlers.on("a").once().call(move |_| act())?;
                    }
                    handlers
                        .on("a")
                        .priority(9)
                        .call(move |event| later.send(*event.payload()).unwrap())?;
                    let dispatcher = build(setup, &bus, &handlers)?;
                    bus.emit("a", 1)?;
                    bus.emit("a", 2)?;
                    let weak = bus.downgrade();
                    *held.lock().unwrap() = (Some(bus), Some(dispatcher));
                    {
                        let held = held.lock().unwrap();
                        held.1.as_ref().unwrap().start()?;
                    }
                    assert_eq!(
                        tell.recv_timeout(HANG)?,
                        1,
                        "the event at hand comes to its end"
                    );
                    if what == "bus" {
                        // What was queued is handled; then it has ended.
                        assert_eq!(tell.recv_timeout(HANG)?, 2);
                        let dispatcher = held.lock().unwrap().1.take().unwrap();
                        dispatcher.wait();
                        assert!(dispatcher.start().unwrap_err().is_closed());
                    }
                    assert_eq!(weak.upgrade().is_some(), what == "dispatcher");
                    drop(told);
                    handlers.clear();
                    Ok(())
                })?;
            }
        }
    }
    Ok(())
}

/// A handler emits on the bus that feeds it, into its own queue, which may be full.
#[test]
fn h9_a_handler_may_emit_into_its_own_full_queue() -> Done {
    // One event at a time, so that nothing is taken from the queue meanwhile.
    for setup in [0, 1, 3] {
        guarded(move || -> Done {
            let (bus, handlers) = (Bus::builder().capacity(2).build()?, Handlers::<u32>::new());
            let (told, tell) = channel();
            handlers.on("a").handle(move |_, ctx| {
                let emitted: Vec<_> = (0..4)
                    .map(|n| ctx.emit("b", n).unwrap().delivered)
                    .collect();
                told.send(emitted)?;
                Ok(Flow::Continue)
            })?;
            let dispatcher = build(setup, &bus, &handlers)?;
            dispatcher.start()?;
            bus.emit("a", 0)?;
            assert_eq!(tell.recv_timeout(HANG)?, [1, 1, 0, 0]);
            dispatcher.stop(Drain::All)?;
            assert_eq!(dispatcher.stats().dropped, 2);
            Ok(())
        })?;
    }
    Ok(())
}

/// A handler registers, removes itself and a sibling, by a dispatcher.
#[test]
fn h7_a_dispatched_handler_changes_the_registry_that_it_is_in() -> Done {
    for setup in 0..SETUPS {
        guarded(move || -> Done {
            let (bus, handlers, log) = (Bus::new(), Handlers::<u32>::new(), Log::new());
            let said = log.clone();
            handlers.on("a").priority(1).handle(move |_, ctx| {
                said.add("first");
                let registry = ctx.handlers();
                assert!(registry.remove(ctx.id()));
                assert_eq!(registry.remove_named("sibling"), 1);
                registry.on("a").call(said.says("new"))?;
                Ok(Flow::Continue)
            })?;
            handlers
                .on("a")
                .priority(2)
                .name("sibling")
                .call(log.says("never"))?;
            handlers.on("a").priority(3).call(log.says("last"))?;
            let dispatcher = build(setup, &bus, &handlers)?;
            dispatcher.start()?;
            bus.emit("a", 0)?;
            dispatcher.stop(Drain::All)?;
            assert_eq!(log.take(), ["first", "last"]);
            dispatcher.start()?;
            bus.emit("a", 0)?;
            dispatcher.stop(Drain::All)?;
            assert_eq!(log.take(), ["last", "new"]);
            Ok(())
        })?;
    }
    Ok(())
}

/// An emitter's handler stops a dispatcher of the same registry: it is not one of that's own, so it waits.
#[test]
fn h9_a_stop_from_an_emitters_handler_waits() -> Done {
    guarded(|| {
        let (bus, handlers, log) = (Bus::new(), Handlers::<u32>::new(), Log::new());
        let (own, (told, tell)) = (Own::default(), channel());
        stop_in("call", &handlers, &own, told);
        handlers.on("a").call(log.says("a"))?;
        let dispatcher = Arc::new(build(0, &bus, &handlers)?);
        own.set(Arc::downgrade(&dispatcher)).unwrap();
        dispatcher.start()?;
        bus.emit("a", 0)?;
        assert!(Emitter::inline(&handlers).emit("stop", 0)?.is_ok());
        assert!(!tell.recv_timeout(HANG)?.pending);
        assert_eq!(log.take(), ["a"]);
        Ok(())
    })
}
