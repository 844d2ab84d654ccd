//! H3: what fails stays where it is, and is told.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use chanbus::{
    Emitter, Executor, FailureKind, FailurePlace, Flow, Handlers, Job, Priority, ThreadPool,
    Waiting,
};

use super::common::guarded;
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
