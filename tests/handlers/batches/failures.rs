//! What fails in a batch, and whom it reaches.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chanbus::{
    BatchError, Cause, EmitError, Emitter, Error, Event, FailureKind, FailurePlace, Flow, Handlers,
    Job, Refusal,
};
use futures_lite::future::block_on;

use super::super::common::{guarded, hooked};
use super::super::{Done, Log, throw_grenade};
use super::{everywhere, filled, lists, notes, send, told};

#[test]
fn h14_an_error_or_a_panic_is_one_failure_with_all_events_and_the_others_run() -> Done {
    guarded(|| {
        everywhere(|emitter, commit| {
            let (handlers, log) = (emitter.handlers(), Log::new());
            let heard = log.clone();
            let hook = handlers.on_error(move |failure| heard.add(told("all", failure.events())));
            let own = log.clone();
            handlers
                .on("a")
                .name("err")
                .on_failure(move |failure| own.add(told("own", failure.events())))
                .on_success(|_| unreachable!("it fails"))
                .handle_batch(|_| Err("disk full".into()))?;
            handlers.on("**").handle_batch(|_| panic!("oh"))?;
            handlers.on("**").handle_batch(|_| throw_grenade())?;
            handlers.on("**").call(notes(&log, "p"))?;
            let report = commit(filled(emitter, [("b", 1), ("a", 2), ("a", 3)])?);
            assert_eq!(
                log.take(),
                [
                    "own[a2 a3]",
                    "all[a2 a3]",
                    "all[b1 a2 a3]",
                    "all[b1 a2 a3]",
                    "p:b1",
                    "p:a2",
                    "p:a3"
                ]
            );
            assert_eq!((report.matched, report.called, report.failed), (11, 11, 3));
            let first = &report.errors[0];
            assert_eq!(
                (first.handler(), *first.event().payload()),
                (Some("err"), 2)
            );
            let text = first.to_string();
            assert!(
                text.contains("on `a` and one more event: disk full"),
                "{text}"
            );
            let text = report.errors[1].to_string();
            assert!(
                text.contains("panicked on `b` and 2 more events: oh"),
                "{text}"
            );
            assert!(report.errors[2].is_panic());
            drop(hook);
            handlers.clear();
            Ok(())
        })
    })
}

/// Not by event, as each event's own report would have them.
#[test]
fn h14_the_failures_of_a_batch_are_in_the_order_in_which_they_came() -> Done {
    guarded(|| {
        everywhere(|emitter, commit| {
            let handlers = emitter.handlers();
            let fails = |event: &Event<u32>| Err(format!("p{}", event.payload()).into());
            handlers.on("**").handle(move |event, _| fails(event))?;
            handlers.on("b").handle_batch(|_| Err("B".into()))?;
            handlers
                .on("**")
                .handle(|event, _| Err(format!("q{}", event.payload()).into()))?;
            let report = commit(filled(emitter, [("a", 1), ("b", 2), ("b", 3)])?);
            let errors = report.errors.iter().map(|failure| match failure.kind() {
                FailureKind::Error(error) => error.to_string(),
                other => panic!("{other:?}"),
            });
            let errors: Vec<_> = errors.collect();
            assert_eq!(errors, ["p1", "p2", "p3", "B", "q1", "q2", "q3"]);
            assert_eq!(report.failed, 7);
            handlers.clear();
            Ok(())
        })
    })
}

#[test]
fn h14_on_success_hears_of_each_event_and_its_panics_are_reported_one_by_one() -> Done {
    let (handlers, log) = (Handlers::new(), Log::new());
    let note = notes(&log, "done");
    handlers
        .on("a")
        .on_success(move |event| {
            note(event);
            assert_ne!(*event.payload(), 2, "two");
        })
        .handle_batch(lists(&log, "B"))?;
    let report = send(&Emitter::inline(&handlers), [("a", 1), ("a", 2), ("a", 3)])?;
    assert_eq!(log.take(), ["B[a1 a2 a3]", "done:a1", "done:a2", "done:a3"]);
    let [failure] = &*report.errors else {
        panic!("{report:?}")
    };
    assert_eq!(failure.place(), FailurePlace::Callback);
    assert_eq!(*failure.event().payload(), 2);
    Ok(())
}

#[test]
fn h14_an_executor_that_refuses_or_drops_the_call_is_one_failure() -> Done {
    guarded(|| {
        let handlers = Handlers::new();
        handlers.on("a").handle_batch(|_| unreachable!())?;
        handlers.on("a").once().handle_batch(|_| unreachable!())?;
        let refuses = Emitter::new(&handlers, |job: Job| Err(job.refuse(Refusal::ShutDown)));
        let drops = Emitter::new(&handlers, |job: Job| drop(job));
        let panics = Emitter::new(&handlers, |_: Job| -> () { panic!("no") });
        for emitter in [refuses, drops, panics] {
            let report = send(&emitter, [("a", 1), ("a", 2)])?;
            assert_eq!((report.matched, report.called, report.skipped), (4, 0, 4));
            assert_eq!(report.failed, 2, "{report:?}");
            for failure in &report.errors {
                assert_eq!(failure.events().len(), 2);
                assert!(matches!(
                    failure.kind(),
                    FailureKind::Refused(Refusal::ShutDown) | FailureKind::Lost
                ));
            }
        }
        Ok(())
    })
}

#[test]
fn h14_a_batch_that_leads_to_itself_ends_at_the_limit_of_chains() -> Done {
    guarded(|| {
        let handlers = Handlers::new();
        let emitter = Emitter::inline(&handlers).max_chain(3);
        let (again, calls) = (emitter.clone(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&calls);
        handlers.on("a").handle_batch(move |events| {
            count.fetch_add(1, Ordering::SeqCst);
            let mut batch = again.start_batch();
            match batch.emit("a", 1) {
                Err(error) => assert!(error.is_chain_too_deep()),
                Ok(()) => drop(batch.commit()?),
            }
            assert_eq!(events.len(), 1);
            Ok(Flow::Continue)
        })?;
        assert!(send(&emitter, [("a", 0)])?.is_ok());
        assert_eq!(calls.load(Ordering::SeqCst), 4);
        handlers.clear();

        // An event of too long a chain that was pushed; a commit that is too deep, though its events are not.
        let mut deep = Event::new("a", 0)?;
        for n in 1..=4 {
            deep = Event::draft("a", n).cause(Cause::of(&deep)).build()?;
        }
        let cause = Cause::of(&deep);
        let mut batch = emitter.start_batch();
        batch.emit("a", 1)?;
        assert!(batch.event("a", 2).cause(cause.clone()).emit().is_err());
        batch.push(deep);
        assert_eq!(batch.len(), 2);
        let error = batch.commit().unwrap_err();
        assert!(error.is_chain_too_deep());
        assert_eq!(error.into_payload().len(), 2);
        let committed = cause.enter(|| filled(&emitter, []).unwrap().commit());
        assert!(committed.unwrap_err().is_chain_too_deep());
        let batch = filled(&emitter, [("a", 1)])?;
        let detached = cause.enter(|| batch.commit_detached());
        assert_eq!(detached.unwrap_err().into_payload().len(), 1);
        let batch = filled(&emitter, [("a", 1)])?;
        let future = cause.enter(|| batch.commit_async());
        assert!(block_on(future).unwrap_err().is_chain_too_deep());
        Ok(())
    })
}

#[test]
fn h14_an_err_or_a_panic_of_the_closure_emits_nothing() -> Done {
    let handlers = Handlers::new();
    handlers.on("**").handle_batch(|_| unreachable!())?;
    let emitter = Emitter::<u32>::inline(&handlers);
    let refused = emitter.batch(|batch| {
        batch.emit("a", 1)?;
        Err(BatchError::Refused("no"))
    });
    assert!(matches!(refused, Err(BatchError::Refused("no"))));
    let bad = emitter.batch(|batch| {
        batch.emit("a", 1)?;
        batch.emit("a..b", 2)?;
        Ok::<_, BatchError<u32, Error>>(())
    });
    match bad {
        Err(BatchError::Event(EmitError::BadTopic { payload: 2, .. })) => {}
        other => panic!("{other:?}"),
    }
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        emitter.batch(|batch| -> Result<(), BatchError<u32, Error>> {
            batch.emit("a", 1)?;
            panic!("in the closure")
        })
    }));
    assert!(panicked.is_err());
    drop(filled(&emitter, [("a", 1)])?);
    assert_eq!(handlers.stats().events, 0);
    Ok(())
}

#[test]
fn h14_a_commit_on_the_thread_that_its_handlers_need_is_refused_with_all_events() -> Done {
    struct NeedsThis;
    impl chanbus::Executor for NeedsThis {
        fn execute(&self, job: Job) -> Result<(), chanbus::ExecuteError> {
            job.run();
            Ok(())
        }
        fn waiting(&self) -> chanbus::Waiting {
            chanbus::Waiting::Refuse
        }
    }
    let handlers = Handlers::new();
    handlers.on("a").handle_batch(|_| Ok(Flow::Continue))?;
    let emitter = Emitter::new(&handlers, NeedsThis);
    let error = filled(&emitter, [("a", 1), ("a", 2)])?
        .commit()
        .unwrap_err();
    assert!(error.is_would_block());
    let mut batch = emitter.start_batch();
    for event in error.into_payload() {
        batch.push(event);
    }
    assert_eq!(block_on(batch.commit_async())?.called, 2);
    Ok(())
}

/// Those of the failure that is kept, too.
#[test]
fn h14_a_destructor_that_panics_reaches_nobody() -> Done {
    let handlers = Handlers::new();
    handlers.on("a").handle_batch(|_| Err("no".into()))?;
    handlers.on("a").handle_batch(|_| Ok(Flow::Continue))?;
    let bombs = [0, 1].map(|_| ("a", hooked(|| panic!("the payload's destructor"))));
    let report = send(&Emitter::inline(&handlers), bombs)?;
    assert_eq!((report.called, report.failed), (4, 1));
    drop(report);
    drop(handlers);
    Ok(())
}
