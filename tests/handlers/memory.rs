//! What was removed is freed, and nothing of an event's way is left behind.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier, Weak};
use std::thread;

use chanbus::{Bus, Dispatcher, Drain, Emitter, Flow, Handlers, Job, ThreadPool};

use super::Done;
use super::common::{Census, Counted, Gate, guarded};

/// Until what a thread is about to let go of has gone.
fn wait_gone<T>(weak: &Weak<T>) {
    while weak.upgrade().is_some() {
        thread::yield_now();
    }
}

#[test]
fn h7_what_a_removed_handler_captured_is_freed_at_once_when_no_event_has_it() -> Done {
    let handlers = Handlers::<u32>::new();
    let emitter = Emitter::inline(&handlers);
    for way in 0..5 {
        let captured = Arc::new(());
        let weak = Arc::downgrade(&captured);
        let id = handlers
            .on(["a", "*"])
            .name("n")
            .group("g")
            .call(move |_| assert_eq!(*captured, ()))?;
        assert_eq!(emitter.emit("a", 1)?.called, 1, "its route is remembered");
        let removed = match way {
            0 => handlers.remove(id),
            1 => handlers.remove_group("g") == 1,
            2 => handlers.remove_named("n") == 1,
            3 => handlers.off(id, "a") && handlers.off(id, "*"),
            _ => {
                handlers
                    .replace_group("g", |_| Ok::<_, ()>(()))
                    .unwrap()
                    .removed
                    == 1
            }
        };
        assert!(removed);
        assert!(weak.upgrade().is_none(), "way {way}");
    }
    let captured = Arc::new(());
    let weak = Arc::downgrade(&captured);
    handlers
        .on("a")
        .once()
        .call(move |_| assert_eq!(*captured, ()))?;
    assert_eq!(emitter.emit("a", 1)?.called, 1);
    assert!(
        weak.upgrade().is_none(),
        "a once-handler goes with its call"
    );
    Ok(())
}

#[test]
fn h7_what_it_captured_lives_until_its_last_event_has_passed_and_no_longer() -> Done {
    guarded(|| {
        for way in ["inline", "filtered", "pool", "dispatcher"] {
            let (handlers, gate) = (Handlers::<u32>::new(), Gate::new());
            let captured = Arc::new(());
            let (weak, held) = (Arc::downgrade(&captured), gate.clone());
            let on = handlers.on("a");
            let on = if way == "filtered" {
                on.filter(|_| true)
            } else {
                on
            };
            let id = on.call(move |_| {
                held.pass();
                assert_eq!(*captured, ());
            })?;
            let (bus, pool) = (Bus::new(), ThreadPool::new(1)?);
            let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
            let emitter = match way {
                "pool" => Emitter::thread_pool(&handlers, &pool),
                _ => Emitter::inline(&handlers),
            };
            let emit = if way == "dispatcher" {
                dispatcher.start()?;
                bus.emit("a", 1)?;
                None
            } else {
                Some(thread::spawn(move || {
                    assert_eq!(emitter.emit("a", 1).unwrap().called, 1)
                }))
            };
            gate.wait_held();
            assert!(handlers.remove(id));
            assert!(weak.upgrade().is_some(), "{way}: it is being called");
            gate.open();
            match emit {
                Some(emit) => emit.join().unwrap(),
                None => drop(dispatcher.stop(Drain::All)?),
            }
            pool.shutdown();
            assert!(weak.upgrade().is_none(), "{way}");
        }
        Ok(())
    })
}

/// Emits of every kind go on while a handler is removed; when they have passed, it is freed, though no
/// other change comes.
#[test]
fn h7_what_it_captured_is_freed_also_where_emits_ran_concurrently() -> Done {
    guarded(|| {
        let pool = ThreadPool::new(2)?;
        for round in 0..300 {
            let handlers = Handlers::<u32>::new();
            let captured = Arc::new(());
            let weak = Arc::downgrade(&captured);
            let id = handlers.on("**").call(move |_| assert_eq!(*captured, ()))?;
            let pass = (round % 3 == 1).then(|| handlers.middleware(Some));
            let block = (round % 3 == 2).then(|| handlers.middleware(|_| None));
            let (start, over) = (Barrier::new(4), AtomicBool::new(false));
            thread::scope(|scope| {
                for n in 0..3 {
                    let (handlers, start, over, pool) = (&handlers, &start, &over, &pool);
                    scope.spawn(move || {
                        let emitter = match n {
                            0 => Emitter::inline(handlers),
                            1 => Emitter::blocking(handlers),
                            _ => Emitter::thread_pool(handlers, pool),
                        };
                        start.wait();
                        while !over.load(Ordering::SeqCst) {
                            let _ = emitter.emit("a", 1).unwrap();
                            if n == 1 {
                                assert!(handlers.list().len() <= 1);
                                assert!(handlers.count_of("a") <= 1);
                            }
                        }
                    });
                }
                start.wait();
                for _ in 0..(round % 7) {
                    thread::yield_now();
                }
                assert!(handlers.remove(id));
                over.store(true, Ordering::SeqCst);
            });
            // A pool's thread lets go of its job a moment after the emit has seen its end.
            while pool.queued() > 0 {
                thread::yield_now();
            }
            if round % 3 != 2 {
                wait_gone(&weak);
            }
            assert!(weak.upgrade().is_none(), "round {round}");
            drop((pass, block));
        }
        Ok(())
    })
}

/// Events, runs, contexts and jobs: whatever way an event came, nothing of it is left when it has passed.
#[test]
fn h8_no_run_leaves_anything_behind() -> Done {
    guarded(|| {
        let census = Census::new();
        let handlers = Handlers::<Counted>::builder().kept_failures(0).build();
        handlers.on("a").call(|_| {})?;
        handlers
            .on("a")
            .priority(2)
            .handle(|_, _| Err("no".into()))?;
        handlers
            .on("a")
            .priority(3)
            .handle_async(|event, ctx| async move {
                futures_lite::future::yield_now().await;
                assert_eq!(event.topic(), ctx.topic());
                Ok(Flow::Continue)
            })?;
        let pool = ThreadPool::new(2)?;
        let emitters = [
            Emitter::inline(&handlers),
            Emitter::blocking(&handlers),
            Emitter::thread_pool(&handlers, &pool),
            Emitter::new(&handlers, |job: Job| drop(job)),
            Emitter::new(&handlers, |job: Job| job.run()),
        ];
        for emitter in &emitters {
            for _ in 0..20 {
                drop(emitter.emit("a", census.born())?);
                emitter.emit_detached("a", census.born())?;
                drop(futures_lite::future::block_on(
                    emitter.emit_async("a", census.born()),
                )?);
                drop(emitter.emit_async("a", census.born()));
                let mut emit = emitter.emit_async("a", census.born());
                let _ = futures_lite::future::block_on(futures_lite::future::poll_once(&mut emit));
            }
        }
        let bus = Bus::new();
        let dispatcher = Dispatcher::builder(&bus, &handlers)
            .executor(pool.clone())
            .build()?;
        dispatcher.start()?;
        for _ in 0..20 {
            bus.emit("a", census.born())?;
        }
        dispatcher.stop(Drain::All)?;
        pool.shutdown();
        assert_eq!(census.alive(), 0);
        Ok(())
    })
}

#[test]
fn h9_a_dropped_dispatcher_leaves_nothing_behind() -> Done {
    guarded(|| {
        let census = Census::new();
        let (bus, handlers) = (Bus::new(), Handlers::<Counted>::new());
        let captured = Arc::new(());
        let weak = Arc::downgrade(&captured);
        handlers.on("a").call(move |_| assert_eq!(*captured, ()))?;
        for started in [true, false] {
            let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
            if started {
                dispatcher.start()?;
            }
            for _ in 0..20 {
                bus.emit("a", census.born())?;
            }
            drop(dispatcher);
            // The event at hand is handled to its end.
            while census.alive() > 0 {
                thread::yield_now();
            }
        }
        drop(handlers);
        wait_gone(&weak);
        Ok(())
    })
}
