//! pyventus's event emitter: the rows about who processes an emission.

use std::sync::mpsc::channel;
use std::thread;

use chanbus::{
    BlockOn, Emitter, Event, ExecuteError, Executor, FailureKind, Flow, Handlers, Inline, Job,
    Mode, Refusal, ThreadPool,
};
use futures_lite::future::{block_on, yield_now};

use super::watch::watched;
use super::{Done, Log};

/// A sync and an async handler for `MyEvent`, which write down the thread that they run on.
fn both(log: &Log) -> Result<Handlers<&'static str>, chanbus::Error> {
    let handlers = Handlers::new();
    let own = log.clone();
    handlers
        .on("MyEvent")
        .priority(1)
        .call(move |event: &Event<&str>| {
            own.write(format!("sync {} on {}", event.payload(), here()));
        })?;
    let own = log.clone();
    handlers
        .on("MyEvent")
        .priority(2)
        .handle_async(move |event: Event<&str>, _| {
            let log = own.clone();
            async move {
                yield_now().await;
                log.write(format!("async {} on {}", event.payload(), here()));
                Ok(Flow::Continue)
            }
        })?;
    Ok(handlers)
}

fn here() -> String {
    thread::current().name().unwrap_or("a thread").to_owned()
}

#[cfg(feature = "tokio")]
#[test]
fn y6_a_runtime_of_tasks_processes_sync_and_async_handlers() {
    watched(|| {
        let log = Log::default();
        let handlers = both(&log)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("runtime")
            .build()
            .unwrap();
        let emitter = Emitter::new(&handlers, chanbus::Tokio::new(runtime.handle().clone()));
        // From outside of the runtime a plain emit may wait.
        assert_eq!(emitter.emit("MyEvent", "one")?.called, 2);
        let done = ["sync one on runtime", "async one on runtime"];
        assert_eq!(log.take(), done);
        // Inside one awaits.
        let report = runtime.block_on(async {
            assert!(emitter.emit("MyEvent", "two").is_err());
            Emitter::tokio(&handlers)
                .emit_async("MyEvent", "three")
                .await
        })?;
        assert_eq!(report.called, 2);
        assert_eq!(log.take(), done.map(|line| line.replace("one", "three")));
        Ok::<(), chanbus::Error>(())
    })
    .unwrap();
}

#[test]
fn y7_a_pool_of_threads_processes_sync_and_async_handlers() -> Done {
    let log = Log::default();
    let handlers = both(&log)?;
    let pool = ThreadPool::builder(1).name("worker").build().unwrap();
    let report = Emitter::thread_pool(&handlers, &pool).emit("MyEvent", "one")?;
    assert_eq!((report.called, report.failed), (2, 0));
    let lines = log.take();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].starts_with("sync one on worker"), "{lines:?}");
    assert!(lines[1].starts_with("async one on worker"), "{lines:?}");
    Ok(())
}

#[test]
fn y8_a_processor_of_ones_own_has_one_method() {
    /// A thread for each job.
    struct Threads;

    impl Executor for Threads {
        fn execute(&self, job: Job) -> Result<(), ExecuteError> {
            let name = format!("for {}", job.topic());
            let thread = thread::Builder::new().name(name).spawn(move || job.run());
            drop(thread.unwrap());
            Ok(())
        }
    }

    watched(|| {
        let log = Log::default();
        let handlers = both(&log)?;
        let expected = ["sync x on for MyEvent", "async x on for MyEvent"];
        let emitter = Emitter::new(&handlers, Threads);
        assert_eq!(emitter.emit("MyEvent", "x")?.called, 2);
        assert_eq!(log.take(), expected);
        assert!(format!("{emitter:?}").contains("Threads"));
        // Or a closure.
        let emitter = Emitter::new(&handlers, |job: Job| {
            let name = format!("for {}", job.topic());
            drop(
                thread::Builder::new()
                    .name(name)
                    .spawn(move || job.run())
                    .unwrap(),
            );
        });
        assert_eq!(emitter.emit("MyEvent", "x")?.called, 2);
        assert_eq!(log.take(), expected);
        Ok::<(), chanbus::Error>(())
    })
    .unwrap();
}

/// The documented factory methods.
#[test]
fn y9_each_processor_has_a_factory() {
    fn name<T: Send + Sync>(emitter: &Emitter<T>) -> String {
        format!("{emitter:?}")
    }
    let handlers = Handlers::<()>::new();
    let pool = ThreadPool::new(1).unwrap();
    let same = |factory: Emitter<()>, long: Emitter<()>| assert_eq!(name(&factory), name(&long));
    same(Emitter::inline(&handlers), Emitter::new(&handlers, Inline));
    same(
        Emitter::blocking(&handlers),
        Emitter::new(&handlers, BlockOn),
    );
    same(
        Emitter::thread_pool(&handlers, &pool),
        Emitter::new(&handlers, pool.clone()),
    );
    #[cfg(feature = "tokio")]
    {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let _inside = runtime.enter();
        let long = Emitter::new(&handlers, chanbus::Tokio::current());
        same(Emitter::tokio(&handlers), long);
    }
}

/// What an emitter has beside its factories: its registry, its mode, its settings.
#[test]
fn y10_an_emitters_utilities() -> Done {
    let handlers = Handlers::<()>::new();
    let pool = ThreadPool::new(1).unwrap();
    let pooled = Emitter::thread_pool(&handlers, &pool);
    assert_eq!(Emitter::inline(&handlers).current_mode(), Mode::Sequential);
    assert_eq!(pooled.current_mode(), Mode::Tiered);
    let changed = pooled
        .clone()
        .mode(Mode::Concurrent)
        .max_chain(3)
        .debug(false);
    assert_eq!(changed.current_mode(), Mode::Concurrent);
    assert!(!changed.is_debug());
    // The one that it was made from is as it was.
    assert_eq!(pooled.current_mode(), Mode::Tiered);
    assert!(changed.handlers().same_registry(&handlers));
    Ok(())
}

/// The documented custom service gets a callback and its arguments; here they are one job.
#[test]
fn y17_a_processor_is_submitted_jobs_that_say_what_they_are() -> Done {
    let (log, submitted) = (Log::default(), Log::default());
    let handlers = both(&log)?;
    handlers
        .on("MyEvent")
        .name("named")
        .priority(3)
        .call(|_| {})?;
    let own = submitted.clone();
    let emitter = Emitter::new(&handlers, move |job: Job| {
        own.write(format!(
            "{} {:?} {}",
            job.topic(),
            job.handler(),
            job.is_async()
        ));
        job.run();
    });
    assert_eq!(emitter.emit("MyEvent", "x")?.called, 3);
    assert_eq!(
        submitted.take(),
        [
            "MyEvent None false",
            "MyEvent None true",
            "MyEvent Some(\"named\") false"
        ]
    );
    // One that is not run is a failure, and nobody waits for it.
    let lost = Emitter::new(&handlers, |job: Job| drop(job)).emit("MyEvent", "x")?;
    assert_eq!((lost.called, lost.failed), (0, 3));
    assert!(matches!(lost.errors[0].kind(), FailureKind::Lost));
    Ok(())
}

#[test]
fn y18_a_job_is_sync_or_async_and_who_cannot_run_one_refuses_it() -> Done {
    let log = Log::default();
    let handlers = both(&log)?;
    // One that tells them apart, and runs both.
    let own = log.clone();
    let emitter = Emitter::new(&handlers, move |job: Job| match job {
        Job::Sync(job) => {
            own.write("sync");
            job.run();
        }
        Job::Async(job) => {
            own.write("async");
            block_on(job);
        }
        _ => unreachable!("there are two kinds"),
    });
    assert_eq!(emitter.emit("MyEvent", "x")?.called, 2);
    let told: Vec<_> = log
        .take()
        .into_iter()
        .filter(|line| !line.contains(' '))
        .collect();
    assert_eq!(told, ["sync", "async"]);

    // `Inline` cannot: a typed error that names the way out, and the sync handler runs.
    let report = Emitter::inline(&handlers).emit("MyEvent", "x")?;
    assert_eq!((report.called, report.skipped, report.failed), (1, 1, 1));
    let FailureKind::Refused(why) = report.errors[0].kind() else {
        panic!("{report:?}");
    };
    assert!(matches!(
        why,
        Refusal::AsyncUnsupported { executor: "Inline" }
    ));
    assert!(why.to_string().contains("emit_async"), "{why}");
    assert_eq!(log.take().len(), 1);

    // So can one of one's own.
    let only_sync = Emitter::new(&handlers, |job: Job| {
        if job.is_async() {
            return Err(job.refuse(Refusal::Other("not today".into())));
        }
        job.run();
        Ok(())
    });
    let report = only_sync.emit("MyEvent", "x")?;
    assert_eq!((report.called, report.failed), (1, 1));
    assert!(report.errors[0].to_string().contains("not today"));
    Ok(())
}

/// The documented custom service, whose `asyncio.run` runs a coroutine to its end.
#[test]
fn y19_an_async_callback_is_run_to_its_end_on_the_emitting_thread() {
    watched(|| {
        let log = Log::default();
        let handlers = both(&log)?;
        let emitting = thread::Builder::new()
            .name("emitting".into())
            .spawn(move || {
                // As it comes ..
                let ready_made = Emitter::new(&handlers, BlockOn);
                assert_eq!(ready_made.emit("MyEvent", "Hello")?.called, 2);
                // .. and written out: a job runs to its end where it is run.
                let custom = Emitter::new(&handlers, |job: Job| job.run());
                assert_eq!(custom.emit("MyEvent", "Hello")?.called, 2);
                Ok::<(), chanbus::Error>(())
            });
        emitting.unwrap().join().unwrap()?;
        let (sync, awaited) = ("sync Hello on emitting", "async Hello on emitting");
        assert_eq!(log.take(), [sync, awaited, sync, awaited]);
        Ok::<(), chanbus::Error>(())
    })
    .unwrap();
}

/// A coroutine that has to wait is waited for, without a runtime.
#[test]
fn y19_a_handler_that_waits_is_waited_for() {
    watched(|| {
        let (log, handlers) = (Log::default(), Handlers::new());
        let (answer, answered) = async_channel::bounded(1);
        let (asked, ask) = channel();
        let own = log.clone();
        handlers.on("MyEvent").handle_async(move |_, _| {
            let (log, answered, asked) = (own.clone(), answered.clone(), asked.clone());
            async move {
                asked.send(())?;
                log.write(answered.recv().await?);
                Ok(Flow::Continue)
            }
        })?;
        let other = thread::spawn(move || {
            ask.recv().unwrap();
            answer.send_blocking("answered").unwrap();
        });
        let report = Emitter::blocking(&handlers).emit("MyEvent", ())?;
        assert_eq!((report.called, report.failed), (1, 0));
        assert_eq!(log.take(), ["answered"]);
        other.join().unwrap();
        Ok::<(), chanbus::Error>(())
    })
    .unwrap();
}
