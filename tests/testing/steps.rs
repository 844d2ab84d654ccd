//! Handlers that run one at a time, when they are told to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use chanbus::{
    Bus, Dispatcher, Drain, EmitError, Emitter, FailureKind, Flow, Handlers, Mode, Priority,
    Refusal, StepExecutor, TestTime,
};
use futures_lite::future::{block_on, poll_once, yield_now};

use crate::common::{Census, HANG, guarded};

type Said = Arc<Mutex<Vec<String>>>;

fn says(handlers: &Handlers<u32>, said: &Said, name: &'static str, priority: Priority) {
    let said = Arc::clone(said);
    let call = move |event: &chanbus::Event<u32>| {
        said.lock()
            .unwrap()
            .push(format!("{name} {}", event.payload()));
    };
    handlers
        .on("a")
        .name(name)
        .priority(priority)
        .call(call)
        .unwrap();
}

#[test]
fn nothing_runs_before_its_step_and_then_one_job_on_this_thread() {
    let (steps, handlers) = (StepExecutor::new(), Handlers::new());
    let here = thread::current().id();
    let ran = Arc::new(AtomicUsize::new(0));
    for _ in 0..3 {
        let ran = Arc::clone(&ran);
        let call = move |_: &chanbus::Event<u32>| {
            assert_eq!(thread::current().id(), here);
            ran.fetch_add(1, Ordering::SeqCst);
        };
        handlers.on("a").call(call).unwrap();
    }
    let emitter = Emitter::new(&handlers, steps.handle());
    emitter.emit_detached("a", 1).unwrap();
    assert_eq!((steps.pending(), ran.load(Ordering::SeqCst)), (3, 0));
    for n in 1..=3 {
        assert!(steps.step().unwrap().ended);
        assert_eq!(ran.load(Ordering::SeqCst), n);
    }
    assert!(steps.step().is_none());
    assert_eq!((handlers.stats().called, handlers.stats().failed), (3, 0));
}

#[test]
fn a_step_of_lower_priority_comes_when_the_one_before_has_ended() {
    let (steps, handlers, said) = (StepExecutor::new(), Handlers::new(), Said::default());
    says(&handlers, &said, "low", Priority::LOW);
    says(&handlers, &said, "one", Priority::HIGH);
    says(&handlers, &said, "two", Priority::HIGH);
    Emitter::new(&handlers, steps.handle())
        .emit_detached("a", 7)
        .unwrap();
    assert_eq!(steps.pending(), 2);
    assert!(steps.step_named("low").is_none());
    steps.step_named("two").unwrap();
    steps.step_named("one").unwrap();
    assert_eq!(steps.run_all()[0].handler.as_deref(), Some("low"));
    assert_eq!(*said.lock().unwrap(), ["two 7", "one 7", "low 7"]);
}

#[test]
fn the_same_steps_give_the_same_order_each_time() {
    let order = || {
        let (steps, handlers, said) = (StepExecutor::new(), Handlers::new(), Said::default());
        for name in ["a", "b", "c"] {
            says(&handlers, &said, name, Priority::NORMAL);
        }
        let emitter = Emitter::new(&handlers, steps.handle()).mode(Mode::Concurrent);
        for n in 0..20 {
            emitter.emit_detached("a", n).unwrap();
        }
        while steps.step_named("c").is_some() {}
        steps.run_all();
        said.lock().unwrap().clone()
    };
    assert_eq!(order(), order());
    assert_eq!(order().len(), 60);
}

#[test]
fn who_would_wait_for_himself_is_refused_rather_than_hang() {
    guarded(|| {
        let (steps, handlers) = (StepExecutor::new(), Handlers::new());
        handlers.on("a").call(|_| {}).unwrap();
        let emitter = Emitter::new(&handlers, steps.handle());
        match emitter.emit("a", 1) {
            Err(EmitError::WouldBlock {
                executor,
                payload: 1,
            }) => {
                assert_eq!(&*executor, "StepExecutor");
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn an_emit_from_inside_a_step_runs_its_handlers_there_and_then() {
    guarded(|| {
        let (steps, handlers) = (StepExecutor::new(), Handlers::new());
        let emitter = Emitter::new(&handlers, steps.handle());
        let inner = emitter.clone();
        handlers
            .on("outer")
            .handle(move |event, _| {
                let report = inner.emit("inner", *event.payload())?;
                assert_eq!(report.called, 2);
                Ok(Flow::Continue)
            })
            .unwrap();
        handlers.on("inner").call(|_| {}).unwrap();
        handlers
            .on("inner")
            .handle_async(|_, _| async { Ok(Flow::Continue) })
            .unwrap();
        emitter.emit_detached("outer", 1).unwrap();
        assert!(steps.step().is_some());
        assert_eq!((handlers.stats().called, handlers.stats().failed), (3, 0));
        assert_eq!(steps.pending(), 0, "what others have run is no step");
        assert!(steps.step().is_none());
    });
}

#[test]
fn an_emit_that_is_awaited_has_its_report_when_all_steps_are_done() {
    let (steps, handlers, said) = (StepExecutor::new(), Handlers::new(), Said::default());
    says(&handlers, &said, "x", Priority::NORMAL);
    says(&handlers, &said, "y", Priority::NORMAL);
    let emitter = Emitter::new(&handlers, steps.handle());
    block_on(async {
        let mut emit = Box::pin(emitter.emit_async("a", 1));
        assert!(poll_once(&mut emit).await.is_none());
        steps.step().unwrap();
        assert!(poll_once(&mut emit).await.is_none());
        steps.step().unwrap();
        assert_eq!(poll_once(&mut emit).await.unwrap().unwrap().called, 2);
    });
}

#[test]
fn an_async_handler_is_polled_once_a_step_and_waits_for_its_waker() {
    let (steps, handlers, time) = (StepExecutor::new(), Handlers::new(), TestTime::new());
    let clock = time.clone();
    handlers
        .on("a")
        .name("slow")
        .handle_async(move |_, _| {
            let sleep = clock.sleep(Duration::from_secs(60));
            async move {
                sleep.await;
                yield_now().await;
                Ok(Flow::Continue)
            }
        })
        .unwrap();
    Emitter::new(&handlers, steps.handle())
        .emit_detached("a", 1)
        .unwrap();
    let ran = steps.step().unwrap();
    assert!(ran.is_async && !ran.ended && ran.handler.as_deref() == Some("slow"));
    assert_eq!((steps.pending(), steps.asleep()), (0, 1));
    assert!(steps.step().is_none());
    time.advance(Duration::from_secs(60));
    assert_eq!((steps.pending(), steps.asleep()), (1, 0));
    assert!(!steps.step().unwrap().ended, "it yields, awake");
    assert_eq!(steps.pending(), 1);
    assert!(steps.step().unwrap().ended);
    assert_eq!(handlers.stats().called, 1);
}

#[test]
fn one_that_wakes_itself_for_ever_can_be_stepped_so_many_times() {
    let (steps, handlers) = (StepExecutor::new(), Handlers::new());
    handlers
        .on("a")
        .handle_async(|_, _| async {
            loop {
                yield_now().await;
            }
        })
        .unwrap();
    Emitter::new(&handlers, steps.handle())
        .emit_detached("a", 1)
        .unwrap();
    assert_eq!(steps.run_up_to(1_000).len(), 1_000);
    drop(steps);
    assert_eq!(handlers.stats().failed, 1);
}

#[test]
fn wakers_of_other_threads_lose_no_wake_up() {
    guarded(|| {
        let (steps, handlers, time) = (StepExecutor::new(), Handlers::new(), TestTime::new());
        let clock = time.clone();
        handlers
            .on("a")
            .handle_async(move |_, _| {
                let clock = clock.clone();
                async move {
                    for _ in 0..50 {
                        clock.sleep(Duration::from_secs(1)).await;
                    }
                    Ok(Flow::Continue)
                }
            })
            .unwrap();
        let emitter = Emitter::new(&handlers, steps.handle());
        for n in 0..20 {
            emitter.emit_detached("a", n).unwrap();
        }
        let clock = time.clone();
        let (done, over) = std::sync::mpsc::channel::<()>();
        let mover = thread::spawn(move || {
            while over.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                clock.advance_to_next();
            }
        });
        let mut ended = 0;
        while ended < 20 {
            if steps.wait_for(1, HANG) {
                ended += steps.run_up_to(3).iter().filter(|ran| ran.ended).count();
            }
        }
        drop(done);
        mover.join().unwrap();
        assert_eq!((handlers.stats().called, time.sleepers()), (20, 0));
    });
}

#[test]
fn a_panic_is_a_failure_of_its_handler_and_the_next_step_goes_on() {
    let (steps, handlers) = (StepExecutor::new(), Handlers::new());
    handlers
        .on("a")
        .handle(chanbus::Fault::panic().handler())
        .unwrap();
    handlers
        .on("a")
        .handle_async(|_, _| async { panic!("async") })
        .unwrap();
    handlers.on("a").call(|_| {}).unwrap();
    Emitter::new(&handlers, steps.handle())
        .emit_detached("a", 1)
        .unwrap();
    assert!(steps.run_all().iter().all(|ran| ran.ended));
    assert_eq!((handlers.stats().called, handlers.stats().failed), (3, 2));
}

#[test]
fn what_waits_when_it_is_dropped_is_lost_and_told_and_nothing_leaks() {
    let (census, handlers) = (Census::new(), Handlers::new());
    let failures = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&failures);
    let _guard = handlers.on_error(move |failure| {
        tell.lock().unwrap().push(failure.to_string());
    });
    handlers.on("a").call(|_| {}).unwrap();
    handlers
        .on("a")
        .handle_async(|_, _| async {
            std::future::pending::<()>().await;
            Ok(Flow::Continue)
        })
        .unwrap();
    handlers
        .on("a")
        .priority(Priority::LOW)
        .call(|_| {})
        .unwrap();
    let steps = StepExecutor::new();
    let emitter = Emitter::new(&handlers, steps.handle());
    emitter.emit_detached("a", census.born()).unwrap();
    emitter.emit_detached("a", census.born()).unwrap();
    assert!(steps.step().is_some() && steps.step().is_some());
    assert_eq!(steps.asleep(), 1);
    drop(steps);
    assert!(failures.lock().unwrap().len() >= 4, "{failures:?}");
    emitter.emit_detached("a", census.born()).unwrap();
    let last = handlers.last_failures();
    let refused =
        |it: &chanbus::Failure<_>| matches!(it.kind(), FailureKind::Refused(Refusal::ShutDown));
    assert!(last.iter().any(refused));
    // Beside what the last failures keep, nothing holds an event: no job holds itself.
    drop((emitter, handlers, last, _guard));
    assert_eq!(census.alive(), 0);
}

#[test]
fn a_dispatcher_with_a_thread_brings_jobs_that_wait_for_steps() {
    guarded(|| {
        let (bus, handlers, steps) = (Bus::new(), Handlers::new(), StepExecutor::new());
        handlers.on("a").call(|_| {}).unwrap();
        let dispatcher = Dispatcher::builder(&bus, &handlers).executor(steps.handle());
        let dispatcher = dispatcher.max_in_flight(10).build().unwrap();
        dispatcher.start().unwrap();
        bus.publisher("a").unwrap().emit_batch(0..10).unwrap();
        assert!(steps.wait_for(10, HANG));
        assert!(!steps.wait_for(11, Duration::from_millis(1)));
        assert_eq!(handlers.stats().called, 0);
        assert_eq!(steps.run_all().len(), 10);
        dispatcher.stop(Drain::All).unwrap();
        assert_eq!(dispatcher.stats().handled, 10);
    });
}
