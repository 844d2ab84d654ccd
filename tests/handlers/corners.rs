//! Where two promises meet: what holds when things happen at the same time, or to the same event again.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use chanbus::{
    Bus, Dispatcher, Drain, Emitter, Event, FailurePlace, Flow, Handlers, Overflow, StartError,
    ThreadPool,
};
use futures_lite::future::{block_on, poll_once, yield_now};

use super::Done;
use crate::common::guarded;

/// Keeps whoever calls the second until the first is dropped.
fn gate() -> (Sender<()>, impl Fn() + Send + Sync + 'static) {
    let (leave, left) = channel::<()>();
    let left: Mutex<Receiver<()>> = Mutex::new(left);
    (leave, move || {
        let _ = left.lock().unwrap().recv();
    })
}

/// A started dispatcher that is inside of a handler called `slow`, on the first of its events.
fn held(bus: &Bus<u32>) -> Result<(Arc<Dispatcher<u32>>, Sender<()>), chanbus::Error> {
    let handlers = Handlers::new();
    let (leave, hold) = gate();
    handlers.on("a").name("slow").call(move |_| hold())?;
    let dispatcher = Arc::new(Dispatcher::builder(bus, &handlers).build()?);
    dispatcher.start()?;
    bus.emit("a", 1)?;
    while dispatcher.running().is_empty() {
        thread::yield_now();
    }
    Ok((dispatcher, leave))
}

#[test]
fn h7_a_handler_that_its_own_filter_removes_is_not_called() -> Done {
    let handlers = Handlers::<()>::new();
    let registry = handlers.clone();
    let id = Arc::new(Mutex::new(None));
    let mine = Arc::clone(&id);
    let on = handlers.on("a").filter(move |_| {
        let mine = mine.lock().unwrap().take();
        mine.is_some_and(|id| registry.remove(id))
    });
    *id.lock().unwrap() = Some(on.call(|_| unreachable!())?);
    let report = Emitter::inline(&handlers).emit("a", ())?;
    assert_eq!((report.called, report.skipped), (0, 1));
    handlers.clear();
    Ok(())
}

#[test]
fn h10_an_event_that_is_passed_on_as_it_is_comes_to_the_limit() -> Done {
    guarded(|| {
        let handlers = Handlers::<()>::new();
        let registry = handlers.clone();
        let refused = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&refused);
        handlers.on("**").call(move |event: &Event<()>| {
            let again = Emitter::inline(&registry).emit_event(event.clone());
            told.fetch_or(again.is_err_and(|error| error.is_chain_too_deep()), SeqCst);
        })?;
        assert!(Emitter::inline(&handlers).emit("a", ())?.is_ok());
        assert!(refused.load(SeqCst));
        handlers.clear();
        Ok(())
    })
}

#[test]
fn h3_a_report_has_a_failure_before_that_of_the_callback_that_was_told_of_it() -> Done {
    let handlers = Handlers::<()>::new();
    let on = handlers.on("a").on_failure(|_| panic!("second"));
    on.handle(|_, _| Err("first".into()))?;
    let report = Emitter::inline(&handlers).emit("a", ())?;
    let places: Vec<_> = report
        .errors
        .iter()
        .map(|failure| failure.place())
        .collect();
    assert_eq!(places, [FailurePlace::Handler, FailurePlace::Callback]);
    Ok(())
}

/// The handler waits for another task of the thread that awaits the emit.
#[test]
fn h8_an_emit_that_is_awaited_is_not_held_up_by_a_full_pool() -> Done {
    guarded(|| {
        let pool = ThreadPool::builder(1).queue(1).build()?;
        let handlers = Handlers::<()>::new();
        let emitter = Emitter::thread_pool(&handlers, &pool);
        let (leave, hold) = gate();
        let (entered, enter) = channel();
        handlers.on("busy").call(move |_| {
            let _ = entered.send(());
            hold();
        })?;
        emitter.emit_detached("busy", ())?;
        enter.recv()?;
        handlers.on("fill").call(|_| {})?;
        emitter.emit_detached("fill", ())?;
        let told = Arc::new(AtomicBool::new(false));
        let waits = Arc::clone(&told);
        handlers.on("x").handle_async(move |_, _| {
            let waits = Arc::clone(&waits);
            async move {
                while !waits.load(SeqCst) {
                    yield_now().await;
                }
                Ok(Flow::Continue)
            }
        })?;
        let report = block_on(futures_lite::future::zip(
            emitter.emit_async("x", ()),
            async {
                yield_now().await;
                told.store(true, SeqCst);
            },
        ));
        assert_eq!(report.0?.called, 1);
        drop(leave);
        pool.shutdown();
        Ok(())
    })
}

/// Also one that was ended before it was polled: by middleware, or by a bad topic.
#[test]
fn h8_an_emit_that_is_polled_after_its_end_stays_pending() -> Done {
    let handlers = Handlers::<()>::new();
    handlers.on("a").call(|_| {})?;
    let emitter = Emitter::inline(&handlers);
    for topic in ["a", "a..b"] {
        let mut emit = emitter.emit_async(topic, ());
        assert_eq!(block_on(&mut emit).is_ok(), topic == "a");
        assert!(block_on(poll_once(&mut emit)).is_none());
    }
    Ok(())
}

#[test]
fn h8_a_shutdown_hears_of_the_end_that_another_one_made() -> Done {
    guarded(|| {
        let pool = ThreadPool::new(1)?;
        let handlers = Handlers::<()>::new();
        let (entered, enter) = channel();
        handlers.on("a").handle_async(move |_, _| {
            let _ = entered.send(());
            std::future::pending()
        })?;
        Emitter::thread_pool(&handlers, &pool).emit_detached("a", ())?;
        enter.recv()?;
        let other = pool.clone();
        let patient = thread::spawn(move || other.shutdown());
        // Until the patient one has begun, jobs are taken; after that they are refused.
        let emitter = Emitter::thread_pool(&handlers, &pool);
        handlers.on("b").call(|_| {})?;
        while emitter.emit("b", ())?.is_ok() {
            thread::yield_now();
        }
        assert!(!pool.shutdown_timeout(Duration::from_millis(1)));
        patient.join().unwrap();
        Ok(())
    })
}

#[test]
fn h9_a_stop_does_not_wait_for_the_next_start() -> Done {
    guarded(|| {
        let bus = Bus::<()>::new();
        let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).build()?;
        dispatcher.start()?;
        for _ in 0..200 {
            let stop = dispatcher.stop_async(Drain::All);
            while dispatcher.start().is_err() {
                std::hint::spin_loop();
            }
            // Hangs if it waits for the end of what was just started.
            block_on(stop)?;
        }
        Ok(())
    })
}

#[test]
fn h9_of_two_stops_the_one_that_drains_more_counts() -> Done {
    guarded(|| {
        let bus = Bus::new();
        let (dispatcher, leave) = held(&bus)?;
        let stop = |drain| {
            let dispatcher = Arc::clone(&dispatcher);
            thread::spawn(move || dispatcher.stop(drain))
        };
        let first = stop(Drain::Now);
        while dispatcher.is_running() {
            thread::yield_now();
        }
        bus.emit("a", 2)?;
        let second = dispatcher.stop_async(Drain::All);
        bus.emit("a", 3)?;
        drop(leave);
        assert_eq!(block_on(second)?.left, 1);
        first.join().unwrap()?;
        assert_eq!(dispatcher.stats().handled, 2);
        Ok(())
    })
}

/// What was queued was pushed out, and what came instead waits.
#[test]
fn h9_events_that_push_out_what_a_stop_is_to_handle_are_not_handled_in_its_place() -> Done {
    guarded(|| {
        let bus = Bus::builder()
            .capacity(2)
            .overflow(Overflow::DropOldest)
            .build()?;
        let (dispatcher, leave) = held(&bus)?;
        for n in 2..=3 {
            bus.emit("a", n)?;
        }
        let stop = dispatcher.stop_async(Drain::All);
        for n in 4..=5 {
            bus.emit("a", n)?;
        }
        drop(leave);
        assert_eq!(block_on(stop)?.left, 2);
        assert_eq!(dispatcher.stats().handled, 1);
        Ok(())
    })
}

#[test]
fn h9_who_is_stuck_is_said_to_be_detached_and_only_once() -> Done {
    guarded(|| {
        let bus = Bus::new();
        let (dispatcher, leave) = held(&bus)?;
        let short = Drain::Within(Duration::from_millis(1));
        let first = dispatcher.stop(short).unwrap_err();
        assert!(first.stuck[0].detached);
        dispatcher.start()?;
        bus.emit("a", 2)?;
        while dispatcher.running().len() < 2 {
            thread::yield_now();
        }
        let second = dispatcher.stop(short).unwrap_err();
        assert_eq!(second.stuck.len(), 1, "{second}");
        assert_eq!(dispatcher.stats().stuck, 2);
        drop(leave);
        Ok(())
    })
}

#[test]
fn h9_a_stuck_filter_is_named() -> Done {
    guarded(|| {
        let bus = Bus::new();
        let handlers = Handlers::new();
        let (leave, hold) = gate();
        let on = handlers.on("a").name("x").filter(move |_| {
            hold();
            true
        });
        on.call(|_| {})?;
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        dispatcher.start()?;
        bus.emit("a", ())?;
        while dispatcher.running().is_empty() {
            thread::yield_now();
        }
        let error = dispatcher.stop(Drain::Within(Duration::from_millis(1)));
        assert_eq!(error.unwrap_err().stuck[0].name.as_deref(), Some("x"));
        drop(leave);
        // It is asked too late: nobody is called after a stop has given up.
        while !dispatcher.running().is_empty() {
            thread::yield_now();
        }
        assert_eq!(dispatcher.stats().handlers.called, 0);
        Ok(())
    })
}

/// The dispatcher's handler waits for others, on threads of the same pool and of another.
#[test]
fn h9_a_handler_that_a_handler_waits_for_stops_the_dispatcher_without_waiting() -> Done {
    guarded(|| {
        for awaited in [false, true] {
            for same in [true, false] {
                let (bus, handlers) = (Bus::new(), Handlers::new());
                let pool = ThreadPool::new(2)?;
                let builder = Dispatcher::builder(&bus, &handlers).executor(pool.clone());
                let dispatcher = Arc::new(builder.build()?);
                // Both at once, so that one of them is on another thread than the outer one.
                let both = Arc::new(Barrier::new(2));
                for _ in 0..2 {
                    let (weak, both) = (Arc::downgrade(&dispatcher), Arc::clone(&both));
                    handlers.on("inner").handle(move |_, _| {
                        both.wait();
                        let stopped = weak.upgrade().map(|it| it.stop(Drain::All));
                        assert!(stopped.is_some_and(|it| it.is_ok_and(|it| it.pending)));
                        Ok(Flow::Continue)
                    })?;
                }
                let pool = if same { pool } else { ThreadPool::new(2)? };
                let emitter = Emitter::thread_pool(&handlers, &pool);
                let on = handlers.on("outer");
                if awaited {
                    on.handle_async(move |_, _| {
                        let emitter = emitter.clone();
                        async move {
                            emitter.emit_async("inner", 1).await?.into_result()?;
                            Ok(Flow::Continue)
                        }
                    })?;
                } else {
                    on.handle(move |_, _| {
                        emitter.emit("inner", 1)?.into_result()?;
                        Ok(Flow::Continue)
                    })?;
                }
                dispatcher.start()?;
                bus.emit("outer", 1)?;
                dispatcher.wait();
                let stats = dispatcher.stats();
                assert_eq!((stats.handled, stats.failed), (1, 0), "{stats}");
                assert!(handlers.last_failures().is_empty());
                handlers.clear();
            }
        }
        Ok(())
    })
}

#[test]
fn what_a_handler_emits_by_an_emitter_is_summed_up() -> Done {
    let handlers = Handlers::<u32>::new();
    let sums = Arc::new(Mutex::new(None));
    let told = Arc::clone(&sums);
    handlers.on("a").handle(move |_, ctx| {
        *told.lock().unwrap() = Some(ctx.event("b", 8).emit()?);
        Ok(Flow::Continue)
    })?;
    handlers.on("b").call(|_| {})?;
    for _ in 0..2 {
        handlers.on("b").filter(|_| false).call(|_| {})?;
    }
    assert!(Emitter::inline(&handlers).emit("a", 7)?.is_ok());
    let sums = sums.lock().unwrap().unwrap();
    assert_eq!((sums.matched, sums.delivered, sums.filtered), (3, 1, 2));
    Ok(())
}

#[test]
fn a_failure_leads_to_what_caused_the_error() -> Done {
    /// An error, and what caused it.
    #[derive(Debug)]
    struct Outer(std::fmt::Error);

    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("outer")
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    let handlers = Handlers::<u32>::new();
    handlers
        .on("a")
        .handle(|_, _| Err(Outer(std::fmt::Error).into()))?;
    let report = Emitter::inline(&handlers).emit("a", 7)?;
    assert!(report.errors[0].source().unwrap().is::<std::fmt::Error>());
    let errors = report.into_result().unwrap_err();
    assert!(errors.source().unwrap().is::<std::fmt::Error>());
    Ok(())
}

#[test]
fn why_a_dispatcher_does_not_start_is_one_thing_or_the_other() {
    let (running, closed) = (StartError::Running, StartError::Closed);
    assert!(running.is_running() && !running.is_closed());
    assert!(closed.is_closed() && !closed.is_running());
}
