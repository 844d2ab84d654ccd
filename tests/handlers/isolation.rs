//! H3, H5, H6: what fails stays where it is, filters, and middleware.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use chanbus::{
    Bus, Dispatcher, Drain, Emitter, Event, Executor, FailureKind, FailurePlace, Flow, Handlers,
    Job, Priority, ThreadPool, Waiting,
};

use super::common::{Hooked, guarded, hooked};
use super::{Done, Log, throw_grenade};

/// Every way to fail, with others around each; run by every kind of executor.
#[test]
fn h3_whatever_fails_the_others_run_and_every_error_handler_is_told() -> Done {
    guarded(|| {
        let (handlers, log) = (Handlers::<u32>::new(), Log::new());
        handlers.on("a").priority(1).call(log.says("first"))?;
        let fails = |name: &str| handlers.on("a").name(name.to_owned()).group("bad");
        fails("error").handle(|_, _| Err("disk full".into()))?;
        fails("panic").call(|_| panic!("oh"))?;
        fails("grenade").call(|_| throw_grenade())?;
        fails("filter")
            .filter(|_| throw_grenade())
            .call(log.says("never"))?;
        fails("success")
            .on_success(|_| throw_grenade())
            .call(|_| {})?;
        let twice = fails("failure").on_failure(|_| throw_grenade());
        twice.handle(|_, _| Err("and its callback".into()))?;
        fails("async error").handle_async(|_, _| async { Err("async".into()) })?;
        fails("async panic").handle_async(|_, _| async { throw_grenade() })?;
        fails("async closure").handle_async(|_, _| {
            if true {
                throw_grenade()
            }
            async { Ok(Flow::Continue) }
        })?;
        handlers.on("a").priority(9).call(log.says("last"))?;
        handlers
            .on("a")
            .priority(Priority::MONITOR)
            .call(log.says("monitor"))?;

        let told: Arc<[Mutex<Vec<String>>; 2]> = Arc::default();
        for n in [0, 1] {
            let told = Arc::clone(&told);
            handlers
                .on_error(move |failure| {
                    assert_eq!(failure.group(), Some("bad"));
                    assert_eq!(
                        (failure.topic().as_str(), *failure.event().payload()),
                        ("a", 7)
                    );
                    assert!(failure.location().file().ends_with("isolation.rs"));
                    let place = match failure.place() {
                        FailurePlace::Handler => "",
                        FailurePlace::Filter => " filter",
                        FailurePlace::Callback => " callback",
                        _ => " middleware",
                    };
                    let name = failure.handler().unwrap();
                    told[n].lock().unwrap().push(format!("{name}{place}"));
                })
                .keep();
            if n == 0 {
                // One that fails itself, between the two.
                handlers.on_error(|_| throw_grenade()).keep();
            }
        }
        let wanted = [
            "async closure",
            "async error",
            "async panic",
            "error",
            "failure",
            "failure callback",
            "filter filter",
            "grenade",
            "panic",
            "success callback",
        ];
        let pool = ThreadPool::new(2)?;
        let threads = |job: Job| drop(std::thread::spawn(move || job.run()));
        let emitters = [
            Emitter::blocking(&handlers),
            Emitter::thread_pool(&handlers, &pool),
            Emitter::new(&handlers, |job: Job| job.run()),
            Emitter::new(&handlers, threads),
        ];
        for (round, emitter) in emitters.iter().enumerate() {
            let report = emitter.emit("a", 7)?;
            assert_eq!(
                (report.matched, report.called, report.skipped),
                (12, 11, 1),
                "{emitter:?}"
            );
            assert_eq!(
                (report.failed, report.errors.len()),
                (10, 10),
                "{emitter:?}"
            );
            assert_eq!(log.take(), ["first", "last", "monitor"]);
            for told in &*told {
                let mut told = std::mem::take(&mut *told.lock().unwrap());
                told.sort();
                assert_eq!(told, wanted, "{emitter:?}");
            }
            let stats = handlers.stats();
            let rounds = round as u64 + 1;
            assert_eq!((stats.failed, stats.called), (10 * rounds, 11 * rounds));
            assert_eq!(stats.panicked_error_handlers, 10 * rounds);
            let error = report.into_result().unwrap_err();
            assert_eq!(error.failures().len(), 10);
        }
        Ok(())
    })
}

#[test]
fn h3_a_failure_names_the_place_of_registration_where_there_is_no_name() -> Done {
    let handlers = Handlers::<u32>::new();
    let id = handlers.on("a").handle(|_, _| Err("no".into()))?;
    let line = line!() - 1;
    let report = Emitter::inline(&handlers).emit("a", 1)?;
    let failure = &report.errors[0];
    assert_eq!(
        (failure.handler(), failure.group(), failure.id()),
        (None, None, Some(id))
    );
    assert_eq!(failure.location().line(), line);
    assert!(
        failure
            .to_string()
            .contains(&format!("isolation.rs:{line}")),
        "{failure}"
    );
    Ok(())
}

#[test]
fn h3_failures_are_counted_and_the_last_ones_kept_where_nobody_is_told() -> Done {
    let handlers = Handlers::<u32>::builder().kept_failures(3).build();
    handlers
        .on("a")
        .handle(|event, _| Err(event.payload().to_string().into()))?;
    let emitter = Emitter::inline(&handlers);
    for n in 0..10 {
        assert_eq!(emitter.emit("a", n)?.failed, 1);
    }
    let last: Vec<_> = handlers
        .last_failures()
        .iter()
        .map(|f| *f.event().payload())
        .collect();
    assert_eq!(last, [7, 8, 9]);
    assert_eq!(handlers.stats().failed, 10);
    let default = Handlers::<u32>::new();
    default.on("a").handle(|_, _| Err("no".into()))?;
    for n in 0..40 {
        assert_eq!(Emitter::inline(&default).emit("a", n)?.failed, 1);
    }
    assert_eq!(default.last_failures().len(), 16);
    let none = Handlers::<u32>::builder().kept_failures(0).build();
    none.on("a").handle(|_, _| Err("no".into()))?;
    assert_eq!(Emitter::inline(&none).emit("a", 1)?.failed, 1);
    assert!(none.last_failures().is_empty());
    Ok(())
}

#[test]
fn h3_a_failing_error_handler_cannot_recurse() -> Done {
    guarded(|| {
        let handlers = Handlers::<u32>::new();
        let tells = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&tells);
        handlers
            .on_error(move |_| {
                count.fetch_add(1, Ordering::SeqCst);
                throw_grenade()
            })
            .keep();
        handlers
            .errors_as_events("error", |_| throw_grenade())?
            .keep();
        handlers.on("**").call(|_| panic!("everything fails"))?;
        let emitter = Emitter::inline(&handlers);
        assert_eq!(emitter.emit("a", 1)?.failed, 1);
        assert_eq!(tells.load(Ordering::SeqCst), 1);
        assert_eq!(handlers.stats().panicked_error_handlers, 2);
        // Errors about errors end, too.
        handlers.errors_as_events("error", |_| 9)?.keep();
        assert_eq!(emitter.emit("a", 1)?.failed, 1);
        let topics: Vec<_> = handlers
            .last_failures()
            .iter()
            .map(|f| f.topic().to_string())
            .collect();
        assert_eq!(topics, ["a", "a", "error"]);
        Ok(())
    })
}

#[test]
fn h3_error_handlers_come_and_go_while_events_flow() -> Done {
    let (handlers, told) = (Handlers::<u32>::new(), Arc::new(AtomicUsize::new(0)));
    handlers.on("a").handle(|_, _| Err("no".into()))?;
    let emitter = Emitter::inline(&handlers);
    let count = Arc::clone(&told);
    let guard = handlers.on_error(move |_| {
        let _ = count.fetch_add(1, Ordering::SeqCst);
    });
    assert_eq!(emitter.emit("a", 1)?.failed, 1);
    drop(guard);
    assert_eq!(Arc::strong_count(&told), 1, "and what it captured has gone");
    assert_eq!(emitter.emit("a", 1)?.failed, 1);
    assert_eq!(told.load(Ordering::SeqCst), 1);
    Ok(())
}

/// Executors are the user's code too: those that panic before, after and instead of running a job, or
/// drop it, or refuse it late, or panic when they are asked who may wait.
#[test]
fn h3_executors_that_panic_or_drop_jobs_fail_their_handlers_and_nobody_hangs() -> Done {
    struct Rude;

    impl Executor for Rude {
        fn execute(&self, job: Job) -> Result<(), chanbus::ExecuteError> {
            job.run();
            Ok(())
        }

        fn waiting(&self) -> Waiting {
            panic!("who asks?")
        }
    }

    guarded(|| {
        let handlers = Handlers::<u32>::new();
        handlers.on("a").call(|_| {})?;
        handlers.on("a").handle_async(|_, _| async {
            futures_lite::future::yield_now().await;
            Ok(Flow::Continue)
        })?;
        let lost = |emitter: Emitter<u32>| -> Done {
            let report = emitter.emit("a", 1)?;
            assert_eq!((report.matched, report.called, report.failed), (2, 0, 2));
            assert_eq!(report.skipped, 2);
            for failure in &report.errors {
                assert!(matches!(failure.kind(), FailureKind::Lost), "{failure}");
            }
            emitter.emit_detached("a", 1)?;
            let report = futures_lite::future::block_on(emitter.emit_async("a", 1))?;
            assert_eq!(report.failed, 2);
            Ok(())
        };
        lost(Emitter::new(&handlers, |job: Job| drop(job)))?;
        lost(Emitter::new(&handlers, |job: Job| {
            let _gone = job;
            if true {
                throw_grenade()
            }
        }))?;
        lost(Emitter::new(&handlers, |job: Job| {
            drop(std::thread::spawn(move || drop(job)));
        }))?;
        let after = Emitter::new(&handlers, |job: Job| {
            job.run();
            if true {
                throw_grenade()
            }
        });
        let report = after.emit("a", 1)?;
        assert_eq!((report.called, report.failed), (2, 0));
        assert_eq!(Emitter::new(&handlers, Rude).emit("a", 1)?.called, 2);
        // An async job that is polled a little, then dropped.
        let polled = Emitter::new(&handlers, |job: Job| match job {
            Job::Async(job) => drop(futures_lite::future::block_on(
                futures_lite::future::poll_once(job),
            )),
            job => job.run(),
        });
        let report = polled.emit("a", 1)?;
        assert_eq!((report.called, report.skipped, report.failed), (2, 0, 1));
        assert!(matches!(report.errors[0].kind(), FailureKind::Lost));
        Ok(())
    })
}

#[test]
fn h3_payloads_that_panic_as_they_go_throw_nothing_at_anyone() -> Done {
    guarded(|| {
        let handlers = Handlers::<Hooked>::new();
        let calls = Arc::new(AtomicUsize::new(0));
        let bombs = Arc::new(AtomicUsize::new(0));
        let bomb = || {
            let bombs = Arc::clone(&bombs);
            hooked(move || {
                bombs.fetch_add(1, Ordering::SeqCst);
                throw_grenade()
            })
        };
        let extension = || Mutex::new(bomb());
        let count = Arc::clone(&calls);
        handlers.on("**").call(move |_| {
            let _ = count.fetch_add(1, Ordering::SeqCst);
        })?;
        let pool = ThreadPool::new(2)?;
        let emitters = |handlers: &Handlers<Hooked>| {
            [
                Emitter::inline(handlers),
                Emitter::blocking(handlers),
                Emitter::thread_pool(handlers, &pool),
                Emitter::new(handlers, |job: Job| job.run()),
            ]
        };
        let mut sent = 0;
        let mut all_ways = |emitter: &Emitter<Hooked>| -> Done {
            let with = || {
                emitter
                    .event("a", bomb())
                    .extension(extension())
                    .extension(Box::new(extension()))
            };
            drop(with().emit()?);
            with().emit_detached()?;
            drop(futures_lite::future::block_on(with().emit_async())?);
            drop(with().emit_async());
            drop(emitter.emit_event(Event::new("a", bomb())?)?);
            sent += 13;
            Ok(())
        };
        for emitter in emitters(&handlers) {
            all_ways(&emitter)?;
        }
        // Not plain, failing, with replaced and with blocked events.
        let failing = handlers
            .on("a")
            .filter(|_| true)
            .handle(|_, _| Err("no".into()))?;
        for emitter in emitters(&handlers) {
            all_ways(&emitter)?;
        }
        handlers.remove(failing);
        let guard = handlers.middleware(|_| Event::new("b", None).ok());
        for emitter in emitters(&handlers) {
            all_ways(&emitter)?;
        }
        drop(guard);
        let guard = handlers.middleware(|_| None);
        for emitter in emitters(&handlers) {
            all_ways(&emitter)?;
        }
        drop(guard);
        let guard = handlers.middleware(|_| throw_grenade());
        for emitter in emitters(&handlers) {
            all_ways(&emitter)?;
        }
        drop(guard);
        // By a dispatcher.
        for executor in [None, Some(pool.clone())] {
            let bus = Bus::new();
            let builder = Dispatcher::builder(&bus, &handlers);
            let dispatcher = match executor {
                Some(pool) => builder.executor(pool).build()?,
                None => builder.build()?,
            };
            dispatcher.start()?;
            for _ in 0..5 {
                bus.event("a", bomb()).extension(extension()).emit()?;
                sent += 2;
            }
            dispatcher.stop(Drain::All)?;
            assert_eq!(dispatcher.stats().handled, 5);
        }
        pool.shutdown();
        drop(handlers);
        assert_eq!(bombs.load(Ordering::SeqCst), sent);
        assert!(calls.load(Ordering::SeqCst) > 0);
        Ok(())
    })
}

/// Two errors of one report whose destructors panic would end the process, were they let go of together.
#[test]
fn h3_errors_that_panic_as_they_go_throw_nothing_at_anyone() -> Done {
    #[derive(Debug)]
    struct Bomb;

    impl std::fmt::Display for Bomb {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("bomb")
        }
    }

    impl std::error::Error for Bomb {}

    impl Drop for Bomb {
        fn drop(&mut self) {
            throw_grenade()
        }
    }

    guarded(|| {
        let handlers = Handlers::<u32>::builder().kept_failures(0).build();
        for _ in 0..3 {
            handlers.on("a").handle(|_, _| Err(Bomb.into()))?;
        }
        let pool = ThreadPool::new(2)?;
        for emitter in [
            Emitter::inline(&handlers),
            Emitter::thread_pool(&handlers, &pool),
        ] {
            let report = emitter.emit("a", 1)?;
            assert!(report.errors[0].downcast_ref::<Bomb>().is_some());
            drop(report);
            emitter.emit_detached("a", 1)?;
        }
        let bus = Bus::new();
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        dispatcher.start()?;
        bus.emit("a", 1)?;
        bus.emit("a", 2)?;
        dispatcher.stop(Drain::All)?;
        assert_eq!(dispatcher.stats().failed, 6);
        Ok(())
    })
}

#[test]
fn h3_closures_whose_captures_panic_as_they_go_can_be_removed() -> Done {
    guarded(|| {
        let (handlers, gone) = (Handlers::<u32>::new(), Arc::new(AtomicUsize::new(0)));
        let bomb = || {
            let gone = Arc::clone(&gone);
            Mutex::new(hooked(move || {
                gone.fetch_add(1, Ordering::SeqCst);
                throw_grenade()
            }))
        };
        let add = || {
            let (one, two, three, four) = (bomb(), bomb(), bomb(), bomb());
            handlers
                .on("a")
                .group("g")
                .filter(move |_| one.lock().is_ok())
                .on_success(move |_| drop(two.lock()))
                .on_failure(move |_| drop(three.lock()))
                .call(move |_| drop(four.lock()))
        };
        let id = add()?;
        assert!(handlers.remove(id));
        assert_eq!(gone.load(Ordering::SeqCst), 4);
        add()?;
        add()?;
        assert_eq!(handlers.remove_group("g"), 2);
        assert_eq!(gone.load(Ordering::SeqCst), 12);
        add()?;
        drop(handlers.guard(add()?));
        assert_eq!(
            handlers
                .replace_group("g", |_| Ok::<_, ()>(()))
                .unwrap()
                .removed,
            1
        );
        assert_eq!(gone.load(Ordering::SeqCst), 20);
        let (pass, tell) = (bomb(), bomb());
        drop(handlers.middleware(move |event| pass.lock().is_ok().then_some(event)));
        drop(handlers.on_error(move |_| drop(tell.lock())));
        assert_eq!(gone.load(Ordering::SeqCst), 22);
        add()?;
        add()?;
        drop(handlers);
        assert_eq!(gone.load(Ordering::SeqCst), 30);
        Ok(())
    })
}

#[test]
fn h5_all_filters_must_pass_and_no_further_one_is_asked() -> Done {
    let (handlers, log) = (Handlers::<u32>::new(), Log::new());
    let filter = |bit: u32| {
        let log = log.clone();
        move |event: &Event<u32>| {
            log.add(bit.to_string());
            event.payload() & bit > 0
        }
    };
    let three = handlers
        .on("a")
        .filter(filter(1))
        .filter(filter(2))
        .filter(filter(4));
    let id = three.call(log.says("called"))?;
    for (payload, wanted) in [
        (7, vec!["1", "2", "4", "called"]),
        (3, vec!["1", "2", "4"]),
        (5, vec!["1", "2"]),
        (6, vec!["1"]),
    ] {
        let report = Emitter::inline(&handlers).emit("a", payload)?;
        assert_eq!(report.called + report.skipped, 1);
        assert_eq!(log.take(), wanted);
    }
    let info = handlers.get(id).unwrap();
    assert_eq!((info.called, info.skipped, info.failed), (1, 3, 0));
    Ok(())
}

#[test]
fn h5_a_filter_that_panics_skips_its_handler_and_is_reported() -> Done {
    let (handlers, log) = (Handlers::<u32>::new(), Log::new());
    let id = handlers
        .on("a")
        .name("x")
        .filter(|_| panic!("filter"))
        .call(log.says("never"))?;
    handlers.on("a").call(log.says("sibling"))?;
    let report = Emitter::inline(&handlers).emit("a", 1)?;
    assert_eq!((report.called, report.skipped, report.failed), (1, 1, 1));
    assert_eq!(report.errors[0].place(), FailurePlace::Filter);
    assert_eq!(
        (report.errors[0].handler(), report.errors[0].id()),
        (Some("x"), Some(id))
    );
    assert!(report.errors[0].is_panic());
    assert_eq!(log.take(), ["sibling"]);
    Ok(())
}

#[test]
fn h6_middleware_runs_in_order_of_registration_before_any_handler_in_emitter_and_dispatcher() -> Done
{
    guarded(|| {
        let (handlers, log) = (Handlers::<u32>::new(), Log::new());
        handlers
            .on("**")
            .priority(i32::MIN)
            .call(log.says("handler"))?;
        let pass = |name: &'static str| {
            let log = log.clone();
            handlers.middleware(move |event| {
                log.add(name);
                Some(event)
            })
        };
        let (one, two, three) = (pass("1"), pass("2"), pass("3"));
        assert!(Emitter::inline(&handlers).emit("a", 1)?.is_ok());
        assert_eq!(log.take(), ["1", "2", "3", "handler"]);
        drop(two);
        let bus = Bus::new();
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        dispatcher.start()?;
        bus.emit("a", 1)?;
        dispatcher.stop(Drain::All)?;
        assert_eq!(log.take(), ["1", "3", "handler"]);
        drop((one, three));
        assert!(Emitter::inline(&handlers).emit("a", 1)?.is_ok());
        assert_eq!(log.take(), ["handler"]);
        Ok(())
    })
}

#[test]
fn h6_a_changed_topic_is_routed_anew_and_later_middleware_sees_what_earlier_made() -> Done {
    let (handlers, log) = (Handlers::<u32>::new(), Log::new());
    handlers.on("old").call(log.says("old"))?;
    let said = log.clone();
    handlers
        .on("new")
        .call(move |event| said.add(format!("new {}", event.payload())))?;
    let one = handlers.middleware(|event| Event::new("new", event.payload() * 2).ok());
    let two = handlers.middleware(|event| {
        assert_eq!(event.topic(), "new");
        Some(event.map_payload(|n| n + 1))
    });
    assert_eq!(Emitter::inline(&handlers).emit("old", 7)?.called, 1);
    assert_eq!(log.take(), ["new 15"]);
    drop((one, two));
    Ok(())
}

#[test]
fn h6_blocked_events_are_counted_and_a_panic_blocks_and_is_reported() -> Done {
    guarded(|| {
        let (handlers, log) = (Handlers::<u32>::new(), Log::new());
        handlers.on("**").call(log.says("handler"))?;
        let later = log.clone();
        let guards = [
            handlers.middleware(|event| (*event.payload() != 1).then_some(event)),
            handlers.middleware(|event| {
                assert_ne!(*event.payload(), 2, "no twos");
                Some(event)
            }),
            handlers.middleware(move |event| {
                later.add("later");
                Some(event)
            }),
        ];
        let emitter = Emitter::inline(&handlers);
        let report = emitter.emit("a", 1)?;
        assert!(report.blocked && report.is_ok());
        assert_eq!((report.matched, report.called), (0, 0));
        let report = emitter.emit("a", 2)?;
        assert!(report.blocked);
        let failure = &report.errors[0];
        assert_eq!(
            (report.failed, failure.place(), failure.id()),
            (1, FailurePlace::Middleware, None)
        );
        assert!(failure.to_string().contains("no twos"));
        assert_eq!(log.take(), [""; 0]);
        assert_eq!(emitter.emit("a", 3)?.called, 1);
        assert_eq!(log.take(), ["later", "handler"]);
        let stats = handlers.stats();
        assert_eq!(
            (stats.blocked, stats.failed, stats.called, stats.events),
            (2, 1, 1, 3)
        );
        let bus = Bus::new();
        let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
        dispatcher.start()?;
        for n in [1, 2, 3] {
            bus.emit("a", n)?;
        }
        dispatcher.stop(Drain::All)?;
        let stats = dispatcher.stats();
        assert_eq!(
            (stats.handled, stats.blocked, stats.called, stats.failed),
            (3, 2, 1, 1)
        );
        drop(guards);
        Ok(())
    })
}
