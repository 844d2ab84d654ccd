//! Traps about handlers and those who feed them.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Barrier, Mutex, OnceLock, Weak};
use std::thread;
use std::time::Duration;

use chanbus::{
    Bus, Dispatcher, Drain, EmitError, Emitter, Flow, HandlerId, Handlers, Priority, ThreadPool,
};

use super::watch::watched;
use super::*;

pub(crate) type Log = Arc<Mutex<Vec<String>>>;

pub(crate) fn take(log: &Log) -> Vec<String> {
    std::mem::take(&mut *log.lock().unwrap())
}

/// A handler that writes this down.
pub(crate) fn says<T: Send + Sync + 'static>(
    log: &Log,
    what: &'static str,
) -> impl Fn(&chanbus::Event<T>) + Send + Sync + 'static {
    let log = Arc::clone(log);
    move |_| log.lock().unwrap().push(what.to_owned())
}

/// A handler emits on the bus that feeds it, its own topic, while the queue is full: it returns, and the
/// event is counted as dropped (EventBus(Go)#35, #52, tailscale#18012, zenoh#2744).
#[test]
fn trap19_a_handler_emits_into_the_full_queue_that_feeds_it() -> Done {
    watched(|| {
        let bus = Bus::builder().capacity(1).build()?;
        let handlers = Handlers::new();
        let (told, tell) = channel();
        let weak = bus.downgrade();
        handlers.on("n").call(move |event| {
            if *event.payload() == 0 {
                let bus = weak.upgrade().unwrap();
                told.send([1, 2, 3].map(|n| bus.emit("n", n).unwrap().dropped))
                    .unwrap();
            }
        })?;
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        dispatcher.start()?;
        bus.emit("n", 0)?;
        assert_eq!(tell.recv().unwrap(), [0, 1, 1]);
        dispatcher.stop(Drain::All)?;
        assert_eq!(
            (dispatcher.stats().handled, dispatcher.stats().dropped),
            (2, 2)
        );
        Ok(())
    })
}

/// Handlers come and go in mid-dispatch: an added one is not called in this round, a removed one that was
/// not reached is not called, siblings are not skipped, no removal is undone (krasimir#11, wails#5578).
#[test]
fn trap20_handlers_come_and_go_in_mid_dispatch() -> Done {
    watched(|| {
        let (handlers, log) = (Handlers::<u32>::new(), Log::default());
        let (registry, said) = (handlers.clone(), Arc::clone(&log));
        let victim: Arc<OnceLock<HandlerId>> = Arc::default();
        let prey = Arc::clone(&victim);
        handlers.on("n").handle(move |_, ctx| {
            said.lock().unwrap().push("first".into());
            assert!(registry.remove(ctx.id()));
            assert!(registry.remove(*prey.get().unwrap()));
            registry.on("n").call(says(&said, "added"))?;
            Ok(Flow::Continue)
        })?;
        handlers.on("n").call(says(&log, "second"))?;
        victim
            .set(handlers.on("n").call(says(&log, "victim"))?)
            .unwrap();
        handlers.on("n").call(says(&log, "last"))?;
        let emitter = Emitter::inline(&handlers);
        assert_eq!(emitter.emit("n", 1)?.called, 3);
        assert_eq!(take(&log), ["first", "second", "last"]);
        for _ in 0..2 {
            assert_eq!(emitter.emit("n", 1)?.called, 3);
            assert_eq!(take(&log), ["second", "last", "added"]);
        }
        Ok(())
    })
}

/// No call of a removed handler starts once `remove` has returned (greenrobot#370, zenoh#1837).
#[test]
fn trap21_no_call_starts_after_remove_has_returned() -> Done {
    watched(|| {
        let handlers = Handlers::<u32>::new();
        let pool = ThreadPool::new(2).unwrap();
        for round in 0..200 {
            let removed = Arc::new(AtomicUsize::new(0));
            let (gone, start) = (Arc::clone(&removed), Barrier::new(3));
            let id = handlers.on("n").filter(|_| true).call(move |event| {
                // An event that was emitted after the removal carries a one.
                assert_eq!(*event.payload() * gone.load(Ordering::SeqCst) as u32, 0);
            })?;
            thread::scope(|scope| {
                let (handlers, start, pool, removed) = (&handlers, &start, &pool, &removed);
                for n in 0..2 {
                    scope.spawn(move || {
                        let emitter = match n {
                            0 => Emitter::inline(handlers),
                            _ => Emitter::thread_pool(handlers, pool),
                        };
                        start.wait();
                        for _ in 0..20 {
                            let after = removed.load(Ordering::SeqCst);
                            let report = emitter.emit("n", after as u32).unwrap();
                            assert!(report.is_ok(), "{report:?}");
                            assert!(after == 0 || report.called == 0);
                        }
                    });
                }
                start.wait();
                assert!(handlers.remove(id), "{round}");
                removed.store(1, Ordering::SeqCst);
            });
        }
        Ok(())
    })
}

/// A dispatcher that is stopped from inside its own handler does not wait on itself (zenoh#2801).
#[test]
fn trap21_a_dispatcher_stopped_from_inside_its_own_handler_returns() -> Done {
    watched(|| {
        let (bus, handlers) = (Bus::new(), Handlers::new());
        let own: Arc<OnceLock<Weak<Dispatcher<u32>>>> = Arc::default();
        let (weak, (told, tell)) = (Arc::clone(&own), channel());
        handlers.on("n").call(move |_| {
            let dispatcher = weak.get().unwrap().upgrade().unwrap();
            told.send(dispatcher.stop(Drain::All).unwrap().pending)
                .unwrap();
        })?;
        let dispatcher = Arc::new(Dispatcher::builder(&bus, &handlers).build()?);
        own.set(Arc::downgrade(&dispatcher)).unwrap();
        dispatcher.start()?;
        bus.emit("n", 1)?;
        assert!(tell.recv().unwrap());
        dispatcher.wait();
        assert_eq!(dispatcher.stats().handled, 1);
        Ok(())
    })
}

/// A and B emit each other for ever: it ends at the limit with one error event that names the chain, and
/// the process lives (personium-core#123).
#[test]
fn trap22_a_cycle_ends_at_the_depth_limit_with_one_error_event() -> Done {
    watched(|| {
        let handlers = Handlers::<String>::new();
        for (topic, other) in [("a", "b"), ("b", "a")] {
            handlers.on(topic).handle(move |_, ctx| {
                // The payload comes back with the error, which names the chain.
                ctx.emit(other, String::new())
                    .map_err(|error| match error {
                        EmitError::ChainTooDeep { cause, .. } => cause.to_string(),
                        _ => "another error".into(),
                    })?;
                Ok(Flow::Continue)
            })?;
        }
        let log = Log::default();
        let said = Arc::clone(&log);
        handlers
            .on("error")
            .call(move |event| said.lock().unwrap().push(event.payload().clone()))?;
        handlers
            .errors_as_events("error", |failure| failure.to_string())?
            .keep();
        let bus = Bus::builder().max_chain(5).build()?;
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        dispatcher.start()?;
        bus.emit("a", String::new())?;
        // Its events come one by one, each from the one before; the error is the last.
        while dispatcher.stats().handled < 7 {
            thread::yield_now();
        }
        dispatcher.stop(Drain::All)?;
        assert_eq!(
            (dispatcher.stats().handled, handlers.stats().failed),
            (7, 1)
        );
        let errors = take(&log);
        assert_eq!(errors.len(), 1);
        assert!(errors[0].ends_with("a > b > a > b > a > b"), "{errors:?}");
        // The same where it is emitted directly.
        let emitter = Emitter::inline(&handlers).max_chain(5);
        assert_eq!(emitter.emit("a", String::new())?.called, 1);
        assert_eq!(take(&log), errors);
        // Errors about errors end there, too, also where two kinds of them could answer each other.
        handlers
            .errors_as_events("alert", |failure| failure.to_string())?
            .keep();
        handlers
            .on(["error", "alert"])
            .handle(|_, _| Err("again".into()))?;
        assert_eq!(emitter.emit("a", String::new())?.called, 1);
        assert_eq!(take(&log), errors);
        Ok(())
    })
}

/// Direct emits nest depth-first, queued ones are breadth-first, in and outside of handlers (guava#1740).
#[test]
fn trap23_nested_emits_are_depth_first_direct_and_breadth_first_queued() -> Done {
    watched(|| {
        let (handlers, log) = (Handlers::<u32>::new(), Log::default());
        handlers.on("a").handle(|_, ctx| {
            ctx.emit("b", 1)?;
            ctx.emit("c", 1)?;
            Ok(Flow::Continue)
        })?;
        handlers.on("b").handle(|_, ctx| {
            ctx.emit("d", 1)?;
            Ok(Flow::Continue)
        })?;
        let said = Arc::clone(&log);
        handlers
            .on("**")
            .priority(9)
            .call(move |event| said.lock().unwrap().push(event.topic().to_string()))?;
        let _ = Emitter::inline(&handlers).emit("a", 1)?;
        assert_eq!(take(&log), ["d", "b", "c", "a"]);
        let bus = Bus::new();
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        bus.emit("a", 1)?;
        bus.emit("z", 1)?;
        dispatcher.start()?;
        while dispatcher.stats().handled < 5 {
            thread::yield_now();
        }
        dispatcher.stop(Drain::All)?;
        assert_eq!(take(&log), ["a", "z", "b", "c", "d"]);
        Ok(())
    })
}

/// A mutex of the application is held while emitting, and the handler takes it: no deadlock by way of a
/// queue (tailscale#17973, greenrobot#700).
#[test]
fn trap24_a_mutex_held_while_emitting_may_be_taken_by_the_handler() -> Done {
    watched(|| {
        let (bus, handlers) = (Bus::new(), Handlers::<u32>::new());
        let state = Arc::new(Mutex::new(0));
        let own = Arc::clone(&state);
        handlers
            .on("n")
            .call(move |event| *own.lock().unwrap() += event.payload())?;
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        dispatcher.start()?;
        {
            let mut state = state.lock().unwrap();
            for _ in 0..10 {
                bus.emit("n", 1)?;
            }
            *state += 100;
        }
        dispatcher.stop(Drain::All)?;
        assert_eq!(*state.lock().unwrap(), 110);
        // Handed over, likewise.
        let pool = ThreadPool::new(1).unwrap();
        {
            let _held = state.lock().unwrap();
            Emitter::thread_pool(&handlers, &pool).emit_detached("n", 1)?;
        }
        pool.shutdown();
        assert_eq!(*state.lock().unwrap(), 111);
        Ok(())
    })
}

/// `once` with 8 emits at the same moment is one call (Go EventBus#53).
#[test]
fn trap28_once_with_eight_emits_at_once_is_one_call() -> Done {
    watched(|| {
        let handlers = Handlers::<u32>::new();
        for _ in 0..200 {
            let calls = Arc::new(AtomicUsize::new(0));
            let count = Arc::clone(&calls);
            handlers.on(["n", "*"]).once().call(move |_| {
                count.fetch_add(1, Ordering::SeqCst);
            })?;
            let start = Barrier::new(8);
            thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        start.wait();
                        let _ = Emitter::inline(&handlers).emit("n", 1).unwrap();
                    });
                }
            });
            assert_eq!(calls.load(Ordering::SeqCst), 1);
        }
        Ok(())
    })
}

/// Equal priorities are in order of registration, also after one of them went (guava#1862,
/// runelite#13395).
#[test]
fn trap35_equal_priorities_keep_their_order_after_a_removal() -> Done {
    watched(|| {
        let (handlers, log) = (Handlers::<u32>::new(), Log::default());
        let mut ids = Vec::new();
        for name in ["a", "b", "c", "d", "e"] {
            ids.push(
                handlers
                    .on("n")
                    .priority(Priority::HIGH)
                    .call(says(&log, name))?,
            );
        }
        handlers
            .on("n")
            .priority(Priority::HIGHEST)
            .call(says(&log, "before"))?;
        assert!(handlers.remove(ids[1]));
        handlers
            .on("n")
            .priority(Priority::HIGH)
            .call(says(&log, "b again"))?;
        let _ = Emitter::inline(&handlers).emit("n", 1)?;
        assert_eq!(take(&log), ["before", "a", "c", "d", "e", "b again"]);
        Ok(())
    })
}

/// Stopping within a time: what was queued is handled, the running one awaited; on a timeout the stuck one
/// is detached, named and counted (watermill#304, #669, disruptor#381, guava#1817, nats.rs#1325).
#[test]
fn trap40_a_stop_drains_in_time_or_names_who_is_stuck() -> Done {
    watched(|| {
        let (bus, handlers, log) = (Bus::new(), Handlers::<u32>::new(), Log::default());
        handlers.on("n").call(says(&log, "handled"))?;
        let (leave, left) = channel::<()>();
        let left = Mutex::new(left);
        let (entered, enter) = channel();
        handlers.on("tar").name("tar").call(move |_| {
            entered.send(()).unwrap();
            let _ = left.lock().unwrap().recv();
        })?;
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        for n in 0..10 {
            bus.emit("n", n)?;
        }
        dispatcher.start()?;
        assert_eq!(dispatcher.stop(Drain::Within(LONG))?.left, 0);
        assert_eq!(take(&log).len(), 10);

        dispatcher.start()?;
        bus.emit("tar", 0)?;
        bus.emit("n", 0)?;
        enter.recv().unwrap();
        let error = dispatcher
            .stop(Drain::Within(Duration::from_millis(5)))
            .unwrap_err();
        assert_eq!(error.stuck[0].name.as_deref(), Some("tar"));
        assert_eq!((dispatcher.stats().stuck, error.left), (1, 1));
        drop(leave);
        while dispatcher.stats().stuck > 0 {
            thread::yield_now();
        }
        dispatcher.start()?;
        dispatcher.stop(Drain::All)?;
        assert_eq!(take(&log).len(), 1);
        Ok(())
    })
}
