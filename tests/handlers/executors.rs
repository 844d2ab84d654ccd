//! H8: who runs handlers, and how emits wait for them.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, SystemTime};

use chanbus::{
    BlockOn, Bus, Dispatcher, Drain, Emitter, Event, ExecuteError, Executor, FailureKind, Flow,
    Handlers, Inline, Job, Mode, Refusal, ThreadPool,
};
use futures_lite::future::{block_on, poll_once, yield_now};

use super::common::{Census, guarded};
use super::{Done, Log};

/// A registry with one sync and one async handler that say on which thread they were.
fn where_run() -> (Handlers<u32>, impl Fn() -> Vec<ThreadId>) {
    let handlers = Handlers::<u32>::new();
    let (ran, rans) = std::sync::mpsc::channel();
    let sync = ran.clone();
    handlers
        .on("a")
        .call(move |_| sync.send(thread::current().id()).unwrap())
        .unwrap();
    let on = handlers.on("a").handle_async(move |_, _| {
        let ran = ran.clone();
        async move {
            yield_now().await;
            ran.send(thread::current().id())?;
            Ok(Flow::Continue)
        }
    });
    on.unwrap();
    (handlers, move || rans.try_iter().collect())
}

#[test]
fn h8_inline_runs_here_and_refuses_async_handlers_with_a_typed_error() -> Done {
    let (handlers, threads) = where_run();
    let here = thread::current().id();
    for emitter in [Emitter::inline(&handlers), Emitter::new(&handlers, Inline)] {
        let report = emitter.emit("a", 1)?;
        assert_eq!((report.called, report.skipped, report.failed), (1, 1, 1));
        let kind = report.errors[0].kind();
        assert!(
            matches!(
                kind,
                FailureKind::Refused(Refusal::AsyncUnsupported { executor: "Inline" })
            ),
            "{kind:?}"
        );
        assert_eq!(threads(), [here]);
        // As part of a future they run.
        assert_eq!(block_on(emitter.emit_async("a", 1))?.called, 2);
        assert_eq!(threads(), [here, here]);
    }
    // The same where it is somebody else's executor.
    let report = Emitter::new(&handlers, |job: Job| Inline.execute(job)).emit("a", 1)?;
    assert!(matches!(
        report.errors[0].kind(),
        FailureKind::Refused(Refusal::AsyncUnsupported { .. })
    ));
    Ok(())
}

#[test]
fn h8_block_on_runs_async_handlers_to_their_end_here_without_a_runtime() -> Done {
    guarded(|| {
        let (handlers, threads) = where_run();
        let here = thread::current().id();
        let shared: Arc<dyn Executor> = Arc::new(BlockOn);
        for emitter in [
            Emitter::blocking(&handlers),
            Emitter::new(&handlers, BlockOn),
            Emitter::new(&handlers, shared),
            Emitter::new(&handlers, |job: Job| job.run()),
        ] {
            assert_eq!(emitter.emit("a", 1)?.called, 2);
            assert_eq!(threads(), [here, here]);
        }
        Ok(())
    })
}

/// The wake comes from another thread, while this one sleeps.
#[cfg(target_os = "linux")]
#[test]
fn h8_block_on_sleeps_until_it_is_woken() -> Done {
    guarded(|| {
        let handlers = Handlers::<u32>::new();
        let (give, take) = async_channel::bounded::<u32>(1);
        handlers.on("a").handle_async(move |_, _| {
            let take = take.clone();
            async move {
                assert_eq!(take.recv().await?, 7);
                Ok(Flow::Continue)
            }
        })?;
        let emitter = Emitter::blocking(&handlers);
        let emit = super::common::spawn_asleep(move || emitter.emit("a", 1).unwrap());
        give.send_blocking(7)?;
        assert!(emit.join().unwrap().is_ok());
        Ok(())
    })
}

#[test]
fn h8_one_function_takes_any_emitter_and_emitters_come_and_go() -> Done {
    fn one(emitter: &Emitter<u32>) -> usize {
        emitter.emit("a", 1).unwrap().called
    }

    guarded(|| {
        let (handlers, threads) = where_run();
        let pool = ThreadPool::new(1)?;
        assert_eq!(one(&Emitter::inline(&handlers)), 1);
        assert_eq!(one(&Emitter::blocking(&handlers)), 2);
        assert_eq!(one(&Emitter::thread_pool(&handlers, &pool)), 2);
        let other: Handlers<u32> = Handlers::new();
        other.on("a").call(|_| {})?;
        assert_eq!(
            one(&Emitter::thread_pool(&other, &pool)),
            1,
            "a pool of several emitters"
        );
        assert_eq!(threads().len(), 5);
        assert_eq!(handlers.len(), 2);
        pool.shutdown();
        Ok(())
    })
}

#[test]
fn h8_a_closure_may_refuse_hand_on_or_run_elsewhere() -> Done {
    guarded(|| {
        let (handlers, threads) = where_run();
        let here = thread::current().id();
        let refusing = Emitter::new(&handlers, |job: Job| -> Result<(), ExecuteError> {
            Err(job.refuse(Refusal::Other("not today".into())))
        });
        let report = refusing.emit("a", 1)?;
        assert_eq!((report.called, report.skipped, report.failed), (0, 2, 2));
        assert!(
            report
                .errors
                .iter()
                .all(|failure| failure.to_string().contains("not today"))
        );

        let full = ThreadPool::new(1)?;
        full.shutdown();
        let spilling = Emitter::new(&handlers, move |job: Job| {
            if let Err(refused) = full.execute(job) {
                assert!(matches!(refused.reason(), Refusal::ShutDown));
                refused.into_job().run();
            }
        });
        assert_eq!(spilling.emit("a", 1)?.called, 2);
        assert_eq!(threads(), [here, here]);

        let elsewhere = Emitter::new(&handlers, |job: Job| {
            thread::spawn(move || match job {
                Job::Async(job) => block_on(job),
                job => job.run(),
            });
        });
        assert_eq!(elsewhere.emit("a", 1)?.called, 2);
        assert!(threads().iter().all(|thread| *thread != here));
        Ok(())
    })
}

/// Ready at the n-th poll, woken at once.
struct After(usize);

impl Future for After {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Dropped before its n-th poll, for every n: what has begun is told as lost, later steps are not
/// called, nothing is left behind, and the next emit works.
#[test]
fn h8_emit_async_may_be_dropped_at_every_point() -> Done {
    guarded(|| {
        for mode in [Mode::Sequential, Mode::Tiered, Mode::Concurrent] {
            let (handlers, log) = (Handlers::new(), Log::new());
            for n in 0..3 {
                let said = log.clone();
                handlers.on("a").priority(n).handle_async(move |_, _| {
                    let said = said.clone();
                    async move {
                        said.add(format!("{n} begins"));
                        After(2).await;
                        said.add(format!("{n} ends"));
                        Ok(Flow::Continue)
                    }
                })?;
                handlers
                    .on("a")
                    .priority(n)
                    .call(log.says(&format!("{n} sync")))?;
            }
            let emitter = Emitter::inline(&handlers).mode(mode);
            let census = Census::new();
            let (mut polls, mut done) = (0, false);
            while !done {
                let before = handlers.stats();
                let mut emit = emitter.emit_async("a", census.born());
                let mut cx = Context::from_waker(Waker::noop());
                for _ in 0..polls {
                    if Pin::new(&mut emit).poll(&mut cx).is_ready() {
                        done = true;
                        break;
                    }
                }
                drop(emit);
                let said = log.take();
                let after = handlers.stats();
                let count =
                    |end: &str| said.iter().filter(|what| what.ends_with(end)).count() as u64;
                let lost = count("begins") - count("ends");
                assert_eq!(
                    after.failed - before.failed,
                    lost,
                    "{mode:?} after {polls} polls"
                );
                assert_eq!(
                    after.called - before.called,
                    count("begins") + count("sync")
                );
                assert_eq!(after.events - before.events, 1);
                if polls == 0 {
                    assert_eq!(said, [""; 0], "nothing is called before it is polled");
                }
                for failure in handlers.last_failures() {
                    assert!(matches!(failure.kind(), FailureKind::Lost), "{failure}");
                }
                polls += 1;
            }
            assert!(polls > 3, "{mode:?}: it was cut off in between");
            drop((emitter, handlers));
            assert_eq!(census.alive(), 0);
        }
        Ok(())
    })
}

/// The same on a pool: what a thread has begun goes on.
#[test]
fn h8_emit_async_on_a_pool_may_be_dropped_and_what_has_begun_goes_on() -> Done {
    guarded(|| {
        let handlers = Handlers::<u32>::new();
        let (begun, begin) = std::sync::mpsc::channel();
        let (go, gone) = async_channel::bounded::<()>(1);
        let ended = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&ended);
        handlers.on("a").priority(1).handle_async(move |_, _| {
            begun.send(()).unwrap();
            let (gone, count) = (gone.clone(), Arc::clone(&count));
            async move {
                gone.recv().await?;
                count.fetch_add(1, Ordering::SeqCst);
                Ok(Flow::Continue)
            }
        })?;
        handlers
            .on("a")
            .priority(2)
            .call(|_| panic!("a later step"))?;
        let pool = ThreadPool::new(1)?;
        let mut emit = Emitter::thread_pool(&handlers, &pool).emit_async("a", 1);
        assert!(block_on(poll_once(&mut emit)).is_none());
        begin.recv()?;
        drop(emit);
        go.send_blocking(())?;
        pool.shutdown();
        assert_eq!(ended.load(Ordering::SeqCst), 1);
        let stats = handlers.stats();
        assert_eq!((stats.called, stats.failed, stats.events), (1, 0, 1));
        Ok(())
    })
}

#[test]
fn h8_emit_detached_returns_before_its_handlers_have_ended() -> Done {
    guarded(|| {
        let (handlers, gate) = (Handlers::<u32>::new(), super::common::Gate::new());
        let (held, (late, later)) = (gate.clone(), std::sync::mpsc::channel());
        handlers.on("a").priority(1).call(move |_| held.pass())?;
        handlers
            .on("a")
            .priority(2)
            .call(move |_| late.send(()).unwrap())?;
        let pool = ThreadPool::new(1)?;
        Emitter::thread_pool(&handlers, &pool).emit_detached("a", 1)?;
        gate.wait_held();
        assert!(later.try_recv().is_err());
        gate.open();
        later.recv_timeout(super::common::HANG)?;
        Ok(())
    })
}

#[test]
fn executors_that_call_where_they_are_called_have_the_names_of_their_types() {
    assert_eq!((Inline.name(), BlockOn.name()), ("Inline", "BlockOn"));
}

#[test]
fn events_of_a_batch_are_of_the_time_at_which_they_were_added() -> Done {
    let (handlers, times) = (Handlers::new(), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&times);
    handlers
        .on("a")
        .call(move |event: &Event<u32>| seen.lock().unwrap().push(event.timestamp()))?;
    let mut batch = Emitter::inline(&handlers).start_batch();
    // The clock is coarse, by some milliseconds.
    let began = SystemTime::now() - Duration::from_secs(1);
    batch.emit("a", 1)?;
    batch.event("a", 2).emit()?;
    assert!(batch.commit()?.is_ok());
    let times = times.lock().unwrap();
    assert_eq!(times.len(), 2);
    assert!(times.iter().all(|time| *time >= began));
    Ok(())
}

#[test]
fn an_executor_without_tasks_refuses_async_handlers_of_batches_and_of_dispatched_events_too() -> Done
{
    let handlers = Handlers::<u32>::new();
    handlers
        .on("a")
        .handle_async(|_, _| async { Ok(Flow::Continue) })?;
    let mut batch = Emitter::inline(&handlers).start_batch();
    batch.emit("a", 1)?;
    batch.emit("a", 2)?;
    let report = batch.commit()?;
    assert_eq!((report.called, report.failed), (0, 2));
    let refused =
        |kind: &FailureKind| matches!(kind, FailureKind::Refused(Refusal::AsyncUnsupported { .. }));
    assert!(report.errors.iter().all(|error| refused(error.kind())));

    let bus = Bus::new();
    let dispatcher = Dispatcher::builder(&bus, &handlers)
        .executor(Inline)
        .build()?;
    dispatcher.start()?;
    bus.emit("a", 1)?;
    dispatcher.stop(Drain::All)?;
    let last = handlers.last_failures();
    assert_eq!(last.len(), 3);
    assert!(last.iter().all(|error| refused(error.kind())));
    Ok(())
}
