//! A dispatcher without a thread, one event at a time.

use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use chanbus::{Bus, Dispatcher, Drain, Flow, Handlers, Priority, StartError, StepExecutor};

use crate::common::guarded;

#[test]
fn a_step_handles_one_event_on_this_thread_in_the_order_of_the_queue() {
    let (bus, handlers) = (Bus::new(), Handlers::new());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (here, see) = (thread::current().id(), Arc::clone(&seen));
    handlers
        .on("n")
        .call(move |event| {
            assert_eq!(thread::current().id(), here);
            see.lock().unwrap().push(*event.payload());
        })
        .unwrap();
    let dispatcher = Dispatcher::builder(&bus, &handlers).build().unwrap();
    assert_eq!(dispatcher.step(), Ok(0));
    for n in 0..3 {
        bus.emit("n", n).unwrap();
    }
    for n in 1..=3 {
        assert_eq!(dispatcher.step(), Ok(1));
        assert!((0..n).eq(seen.lock().unwrap().iter().copied()));
        assert_eq!(dispatcher.stats().queued, 3 - n);
    }
    assert_eq!(dispatcher.step(), Ok(0));
    let stats = dispatcher.stats();
    assert_eq!((stats.handled, stats.called, stats.failed), (3, 3, 0));
    assert!(!dispatcher.is_running());
}

#[test]
fn priorities_middleware_stops_and_failures_are_as_ever() {
    let (bus, handlers) = (Bus::new(), Handlers::new());
    handlers
        .on("n")
        .priority(Priority::HIGH)
        .handle(|event, _| match event.payload() {
            0 => Ok(Flow::Stop),
            1 => Err("one".into()),
            _ => Ok(Flow::Continue),
        })
        .unwrap();
    handlers.on("n").call(|_| {}).unwrap();
    handlers
        .on("n")
        .handle_async(|_, _| async { Ok(Flow::Continue) })
        .unwrap();
    let _guard = handlers.middleware(|event| (*event.payload() != 3).then_some(event));
    let dispatcher = Dispatcher::builder(&bus, &handlers).build().unwrap();
    for n in 0..4 {
        bus.emit("n", n).unwrap();
    }
    assert_eq!(dispatcher.step_all(), Ok(4));
    let stats = dispatcher.stats();
    assert_eq!(
        (stats.called, stats.skipped, stats.failed, stats.blocked),
        (7, 2, 1, 1)
    );
}

#[test]
fn a_batch_is_one_step_where_a_handler_takes_batches() {
    let (bus, handlers) = (Bus::new(), Handlers::new());
    handlers
        .on("n")
        .handle_batch(|events| {
            assert_eq!(events.len(), 5);
            Ok(Flow::Continue)
        })
        .unwrap();
    let dispatcher = Dispatcher::builder(&bus, &handlers).build().unwrap();
    bus.publisher("n").unwrap().emit_batch(0..5).unwrap();
    assert_eq!(dispatcher.step(), Ok(5));
    assert_eq!(
        (dispatcher.stats().handled, handlers.stats().failed),
        (5, 0)
    );
}

#[test]
fn what_handlers_emit_has_its_cause_and_comes_in_a_later_step() {
    let (bus, handlers) = (Bus::new(), Handlers::new());
    handlers
        .on("ping")
        .handle(|event, ctx| {
            ctx.emit("pong", *event.payload())?;
            Ok(Flow::Continue)
        })
        .unwrap();
    handlers
        .on("pong")
        .call(|event| assert_eq!(event.cause().unwrap().depth(), 1))
        .unwrap();
    let dispatcher = Dispatcher::builder(&bus, &handlers).build().unwrap();
    bus.emit("ping", 1).unwrap();
    assert_eq!(dispatcher.step(), Ok(1));
    assert_eq!(dispatcher.stats().queued, 1);
    assert_eq!(dispatcher.step_all(), Ok(1));
    assert_eq!(handlers.stats().failed, 0);
}

#[test]
fn handlers_that_answer_themselves_end_by_the_limit_of_chains() {
    let (bus, handlers) = (Bus::new(), Handlers::new());
    handlers
        .on("a")
        .handle(|_, ctx| {
            ctx.emit("a", ())?;
            Ok(Flow::Continue)
        })
        .unwrap();
    let dispatcher = Dispatcher::builder(&bus, &handlers).build().unwrap();
    bus.emit("a", ()).unwrap();
    let handled = dispatcher.step_all().unwrap();
    assert_eq!(handled, chanbus::DEFAULT_MAX_CHAIN + 1);
    assert_eq!(handlers.stats().failed, 1);
}

#[test]
fn a_thread_and_steps_take_turns() {
    guarded(|| {
        let (bus, handlers) = (Bus::new(), Handlers::new());
        handlers.on("n").call(|_| {}).unwrap();
        let dispatcher = Dispatcher::builder(&bus, &handlers).build().unwrap();
        for round in 1..=50 {
            bus.emit("n", 1).unwrap();
            assert_eq!(dispatcher.step(), Ok(1));
            dispatcher.start().unwrap();
            assert_eq!(dispatcher.step(), Err(StartError::Running));
            bus.emit("n", 2).unwrap();
            dispatcher.stop(Drain::All).unwrap();
            assert_eq!(dispatcher.stats().handled, round * 2);
        }
    });
}

#[test]
fn inside_of_a_step_another_is_refused_and_a_stop_does_not_wait() {
    guarded(|| {
        let (bus, handlers) = (Bus::new(), Handlers::new());
        let cell: Arc<OnceLock<Dispatcher<u32>>> = Arc::default();
        let inside = Arc::downgrade(&cell);
        handlers
            .on("n")
            .handle(move |_, _| {
                let cell = inside.upgrade().ok_or("gone")?;
                let dispatcher = cell.get().ok_or("not yet")?;
                assert_eq!(dispatcher.step(), Err(StartError::Running));
                assert!(dispatcher.start().is_err());
                dispatcher.wait();
                assert!(dispatcher.stop(Drain::All)?.pending);
                Ok(Flow::Continue)
            })
            .unwrap();
        let _ = cell.set(Dispatcher::builder(&bus, &handlers).build().unwrap());
        let dispatcher = cell.get().unwrap();
        bus.emit("n", 1).unwrap();
        bus.emit("n", 2).unwrap();
        assert_eq!(dispatcher.step(), Ok(1));
        assert_eq!(handlers.stats().failed, 0, "{:?}", handlers.last_failures());
        assert_eq!(dispatcher.step(), Ok(1), "and the next goes on");
    });
}

#[test]
fn with_jobs_that_wait_the_next_step_is_refused_until_they_have_ended() {
    let (bus, handlers, steps) = (Bus::new(), Handlers::new(), StepExecutor::new());
    handlers
        .on("n")
        .priority(Priority::HIGH)
        .call(|_| {})
        .unwrap();
    handlers
        .on("n")
        .priority(Priority::LOW)
        .call(|_| {})
        .unwrap();
    let dispatcher = Dispatcher::builder(&bus, &handlers).executor(steps.handle());
    let dispatcher = dispatcher.build().unwrap();
    bus.emit("n", 1).unwrap();
    bus.emit("n", 2).unwrap();
    assert_eq!(dispatcher.step(), Ok(1));
    assert_eq!(dispatcher.step(), Err(StartError::Stopping));
    steps.step().unwrap();
    assert_eq!(dispatcher.step(), Err(StartError::Stopping));
    steps.step().unwrap();
    assert_eq!(dispatcher.step(), Ok(1));
    assert_eq!(steps.run_all().len(), 2);
    assert_eq!(dispatcher.stats().handled, 2);
}

#[test]
fn a_stop_gives_up_on_a_step_whose_handlers_do_not_end_and_names_nobody_who_did_not_run() {
    guarded(|| {
        let (bus, handlers, steps) = (Bus::new(), Handlers::new(), StepExecutor::new());
        handlers.on("n").call(|_| {}).unwrap();
        let dispatcher = Dispatcher::builder(&bus, &handlers).executor(steps.handle());
        let dispatcher = dispatcher.build().unwrap();
        bus.emit("n", 1).unwrap();
        bus.emit("n", 2).unwrap();
        assert_eq!(dispatcher.step(), Ok(1));
        let timeout = dispatcher
            .stop(Drain::Within(Duration::from_millis(1)))
            .unwrap_err();
        assert_eq!((timeout.stuck.len(), timeout.left), (0, 1));
        assert_eq!(dispatcher.step(), Ok(1), "on to the next");
        steps.run_all();
        assert_eq!(
            handlers.stats().called,
            1,
            "what was given up is not called"
        );
    });
}

#[test]
fn a_closed_bus_is_handled_to_its_end_and_then_says_so() {
    let (bus, handlers) = (Bus::new(), Handlers::new());
    handlers.on("n").call(|_| {}).unwrap();
    let dispatcher = Dispatcher::builder(&bus, &handlers).build().unwrap();
    bus.emit("n", 1).unwrap();
    bus.emit("n", 2).unwrap();
    drop(bus);
    assert_eq!(dispatcher.step(), Ok(1));
    assert_eq!(dispatcher.step_all(), Ok(1));
    assert_eq!(dispatcher.step(), Err(StartError::Closed));
    assert_eq!(dispatcher.step_all(), Ok(0));
}

#[test]
fn a_panic_in_a_handler_or_in_a_payloads_destructor_ends_in_its_step() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("boom"));
        }
    }
    let (bus, handlers) = (Bus::new(), Handlers::new());
    handlers
        .on("n")
        .handle(chanbus::Fault::panic().handler())
        .unwrap();
    let dispatcher = Dispatcher::builder(&bus, &handlers).build().unwrap();
    bus.emit("n", Bomb).unwrap();
    bus.emit("quiet", Bomb).unwrap();
    assert_eq!((dispatcher.step(), dispatcher.step()), (Ok(1), Ok(1)));
    assert_eq!((dispatcher.step(), dispatcher.stats().failed), (Ok(0), 1));
}

#[test]
fn steps_of_several_threads_exclude_each_other() {
    guarded(|| {
        let (bus, handlers) = (Bus::new(), Handlers::new());
        let inside = Arc::new(Mutex::new(()));
        let alone = Arc::clone(&inside);
        handlers
            .on("n")
            .call(move |_| drop(alone.try_lock().expect("one at a time")))
            .unwrap();
        let dispatcher = Arc::new(
            Dispatcher::builder(&bus, &handlers)
                .capacity(1_000)
                .build()
                .unwrap(),
        );
        bus.publisher("n").unwrap().emit_batch(0..1_000).unwrap();
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let dispatcher = Arc::clone(&dispatcher);
                thread::spawn(move || {
                    let mut handled = 0;
                    loop {
                        match dispatcher.step() {
                            Ok(0) => return handled,
                            Ok(events) => handled += events,
                            Err(_) => thread::yield_now(),
                        }
                    }
                })
            })
            .collect();
        let handled: usize = threads.into_iter().map(|it| it.join().unwrap()).sum();
        assert_eq!(handled, 1_000);
        assert_eq!(handlers.stats().failed, 0);
    });
}
