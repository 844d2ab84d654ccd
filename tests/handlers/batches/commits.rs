//! How a batch is begun and ended: by a closure, a guard, awaited, detached.

use std::thread;

use chanbus::{
    BlockOn, Cause, Emitter, Error, Event, Flow, HandlerKind, Handlers, Priority, ThreadPool,
};
use futures_lite::future::{block_on, poll_once, yield_now};

use super::super::common::{Census, Counted, Gate, guarded};
use super::super::{Done, Log};
use super::{filled, lists, notes, send, told};

#[test]
fn h14_a_batch_handler_may_emit_a_batch_on_the_same_emitter() -> Done {
    guarded(|| {
        for threads in [0, 1] {
            let (handlers, log) = (Handlers::new(), Log::new());
            let pool = ThreadPool::new(1)?;
            let emitter = match threads {
                0 => Emitter::inline(&handlers),
                _ => Emitter::thread_pool(&handlers, &pool),
            };
            let (again, add) = (emitter.clone(), log.clone());
            handlers.on("a").handle_batch(move |events| {
                add.add(told("in", events));
                let inner = events.iter().map(|event| ("b", event.payload() * 10));
                assert_eq!(send(&again, inner)?.called, 2);
                add.add("out");
                Ok(Flow::Continue)
            })?;
            let add = log.clone();
            handlers.on("b").handle_batch(move |events| {
                let cause = events[1].cause().map(Cause::to_string);
                add.add(format!("{} of {cause:?}", told("B", events)));
                Ok(Flow::Continue)
            })?;
            send(&emitter, [("a", 1), ("a", 2)])?;
            let expected = ["in[a1 a2]", "B[b10 b20] of Some(\"a\")", "out"];
            assert_eq!(log.take(), expected);
            // The registry holds its own emitter.
            handlers.clear();
        }
        Ok(())
    })
}

#[test]
fn h14_the_context_is_that_of_the_first_event_it_was_given() -> Done {
    let (handlers, log) = (Handlers::new(), Log::new());
    let add = log.clone();
    handlers
        .on(["a", "b"])
        .name("x")
        .filter(|event| *event.payload() > 1)
        .handle_batch_with(move |events, ctx| {
            add.add(told(ctx.topic(), events));
            assert_eq!(ctx.handler(), Some("x"));
            assert!(!ctx.is_stopped());
            ctx.emit("c", 0)?;
            assert_eq!(Cause::current().unwrap().to_string(), "b");
            Ok(Flow::Continue)
        })?;
    let add = log.clone();
    handlers
        .on("c")
        .call(move |event| add.add(event.cause().unwrap().to_string()))?;
    assert!(send(&Emitter::inline(&handlers), [("a", 1), ("b", 2), ("a", 3)])?.is_ok());
    assert_eq!(log.take(), ["b[b2 a3]", "b"]);
    Ok(())
}

#[test]
fn h14_a_batch_keeps_sources_metadata_timestamps_and_events_as_they_are() -> Done {
    let (handlers, log) = (Handlers::new(), Log::new());
    let add = log.clone();
    handlers.on("**").handle_batch(move |events| {
        for event in events {
            let metadata = event.metadata("n");
            add.add(format!("{:?} {metadata:?}", event.source()));
        }
        Ok(Flow::Continue)
    })?;
    let mut batch = Emitter::inline(&handlers).start_batch();
    batch.event("a", 1).source("one").metadata("n", 7).emit()?;
    let event = Event::draft("a", 2).source("two").build()?;
    batch.push(event.clone());
    assert_eq!(batch.len(), 2);
    assert!(!batch.is_empty());
    assert!(format!("{batch:?}").contains('2'));
    batch.commit()?;
    let lines = log.take();
    assert!(lines[0].starts_with("Some(\"one\") Some("), "{lines:?}");
    assert_eq!(lines[1], "Some(\"two\") None");
    Ok(())
}

#[test]
fn h14_the_guard_is_send_and_lives_across_awaits() -> Done {
    fn is_send<V: Send>(value: V) -> V {
        value
    }
    guarded(|| {
        let (handlers, log) = (Handlers::new(), Log::new());
        handlers.on("a").handle_batch(lists(&log, "B"))?;
        let add = log.clone();
        handlers.on("a").handle_async(move |event, _| {
            let add = add.clone();
            async move {
                yield_now().await;
                add.add(format!("async:{}", event.payload()));
                Ok(Flow::Continue)
            }
        })?;
        handlers.on("a").handle_batch(lists(&log, "C"))?;
        let emitter = Emitter::inline(&handlers);
        let work = is_send(async move {
            let mut batch = emitter.start_batch();
            for n in 1..=2 {
                yield_now().await;
                batch.emit("a", n)?;
            }
            Ok::<_, Error>(batch.commit_async().await?)
        });
        assert_eq!(block_on(work)?.called, 6);
        assert_eq!(log.take(), ["B[a1 a2]", "async:1", "async:2", "C[a1 a2]"]);
        Ok(())
    })
}

#[test]
fn h14_a_commit_that_is_awaited_and_dropped_counts_what_was_done() -> Done {
    guarded(|| {
        let (handlers, log) = (Handlers::new(), Log::new());
        handlers.on("a").handle_batch(lists(&log, "B"))?;
        handlers
            .on("a")
            .handle_async(|_, _| std::future::pending())?;
        handlers.on("a").handle_batch(|_| unreachable!())?;
        let emitter = Emitter::inline(&handlers);
        let batch = filled(&emitter, [("a", 1), ("a", 2)])?;
        let mut commit = batch.commit_async();
        assert_eq!(log.take(), [""; 0], "not yet polled");
        assert!(block_on(poll_once(&mut commit)).is_none());
        drop(commit);
        assert_eq!(log.take(), ["B[a1 a2]"]);
        let stats = handlers.stats();
        assert_eq!((stats.events, stats.called, stats.failed), (2, 3, 1));
        // One that has ended may be polled again.
        handlers.clear();
        let mut commit = filled(&emitter, [("a", 1)])?.commit_async();
        assert!(block_on(poll_once(&mut commit)).is_some());
        assert!(block_on(poll_once(&mut commit)).is_none());
        Ok(())
    })
}

#[test]
fn h14_a_detached_batch_stays_together() -> Done {
    guarded(|| {
        let (handlers, log, gate) = (Handlers::new(), Log::new(), Gate::new());
        let held = gate.clone();
        handlers
            .on("a")
            .priority(Priority::HIGH)
            .call(move |_| held.pass())?;
        handlers.on("a").handle_batch(lists(&log, "B"))?;
        handlers.on("a").call(notes(&log, "p"))?;
        let pool = ThreadPool::new(2)?;
        let emitter = Emitter::thread_pool(&handlers, &pool);
        filled(&emitter, [("a", 1), ("a", 2)])?.commit_detached()?;
        gate.wait_held();
        assert_eq!(log.take(), [""; 0]);
        gate.open();
        while handlers.stats().events < 2 {
            thread::yield_now();
        }
        assert_eq!(log.take(), ["B[a1 a2]", "p:a1", "p:a2"]);
        pool.shutdown();
        // Where nobody else runs them, they have ended.
        filled(&Emitter::new(&handlers, BlockOn), [("a", 3)])?.commit_detached()?;
        assert_eq!(log.take(), ["B[a3]", "p:a3"]);
        Ok(())
    })
}

#[test]
fn h14_statistics_count_events_and_the_kind_is_batch() -> Done {
    let handlers = Handlers::new();
    let id = handlers.on("a").handle_batch(|_| Ok(Flow::Continue))?;
    handlers
        .on("b")
        .once()
        .handle_batch(|_| Ok(Flow::Continue))?;
    handlers.on("a").call(|_| {})?;
    assert_eq!(handlers.get(id).unwrap().kind, HandlerKind::Batch);
    let kinds = handlers.stats().by_kind;
    assert_eq!(
        (kinds.sync, kinds.r#async, kinds.batch, kinds.once),
        (1, 0, 2, 1)
    );
    assert!(handlers.stats().to_string().contains("2 batch"));
    let report = send(&Emitter::inline(&handlers), [("a", 1), ("a", 2), ("x", 3)])?;
    assert_eq!((report.matched, report.called), (4, 4));
    let stats = handlers.stats();
    assert_eq!((stats.events, stats.called, stats.skipped), (3, 4, 0));
    let info = handlers.get(id).unwrap();
    assert_eq!((info.called, info.skipped), (2, 0));
    Ok(())
}

#[test]
fn h14_a_batch_lets_go_of_all_its_events() -> Done {
    guarded(|| {
        let pool = ThreadPool::new(2)?;
        let (handlers, census) = (Handlers::<Counted>::new(), Census::new());
        handlers.on("a").handle_batch(|_| Ok(Flow::Continue))?;
        handlers.on("b").handle_batch(|_| Ok(Flow::Stop))?;
        handlers.on("**").call(|_| {})?;
        let hook = handlers.middleware(|event| (event.topic() != "c").then_some(event));
        for emitter in [
            Emitter::inline(&handlers),
            Emitter::thread_pool(&handlers, &pool),
        ] {
            let events = || ["a", "b", "c", "a", "d"].map(|topic| (topic, census.born()));
            assert_eq!(send(&emitter, events())?.called, 6);
            assert_eq!(
                block_on(filled(&emitter, events())?.commit_async())?.called,
                6
            );
            drop(filled(&emitter, events())?.commit_async());
            drop(filled(&emitter, events())?);
        }
        pool.shutdown();
        assert_eq!(census.alive(), 0);
        drop(hook);
        Ok(())
    })
}
