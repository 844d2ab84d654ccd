//! What the thread does with events that it takes together.

use super::*;
use crate::handlers::{BlockOn, Dispatcher, Executor, Flow, Handlers, ThreadPool};
use crate::{Bus, Event};

/// Has these handled as the thread has them that it took, and waits for their end.
fn serve(dispatcher: &Dispatcher<u32>, payloads: std::ops::Range<u32>) {
    let shared = &dispatcher.shared;
    let events: Events<u32> = payloads.map(|n| Event::new("a", n).unwrap()).collect();
    let (nudge, nudges) = Nudge::new();
    let epoch = {
        let mut state = shared.state.lock();
        state.taken += events.len() as u64;
        state.in_flight += 1;
        state.epoch
    };
    let desk = Desk {
        epoch,
        nudge,
        nudges,
        scene: shared.scene.clone(),
    };
    shared.handle(&desk, events);
    while shared.state.lock().in_flight > 0 {
        thread::yield_now();
    }
}

fn check(executor: impl Executor) {
    let (bus, handlers) = (Bus::new(), Handlers::<u32>::new());
    let calls = Arc::new(crate::sync::Mutex::new(Vec::new()));
    let (all, each, late) = (Arc::clone(&calls), Arc::clone(&calls), Arc::clone(&calls));
    let on = handlers.on("a").handle_batch_with(move |events, ctx| {
        let payloads: Vec<_> = events.iter().map(|event| *event.payload()).collect();
        all.lock().push(payloads);
        assert_eq!(ctx.emit("elsewhere", 0)?.matched, 1);
        Ok(Flow::Continue)
    });
    on.unwrap();
    let on = handlers.on("a").handle_async(move |event, _| {
        each.lock().push(vec![*event.payload()]);
        async { Ok(Flow::Continue) }
    });
    on.unwrap();
    let on = handlers.on("a").handle_batch(move |events| {
        late.lock().push(vec![100 + events.len() as u32]);
        match events.len() {
            2 => Err("two".into()),
            _ => Ok(Flow::Continue),
        }
    });
    on.unwrap();
    let hook = handlers.middleware(|event| (*event.payload() != 9).then_some(event));
    let dispatcher = Dispatcher::builder(&bus, &handlers).executor(executor);
    let dispatcher = dispatcher.build().unwrap();

    serve(&dispatcher, 0..3);
    let expected: [&[u32]; 5] = [&[0, 1, 2], &[0], &[1], &[2], &[103]];
    assert_eq!(std::mem::take(&mut *calls.lock()), expected);
    let stats = dispatcher.stats();
    assert_eq!((stats.handled, stats.in_flight), (3, 0));
    assert_eq!((stats.called, stats.skipped, stats.failed), (9, 0, 0));
    assert_eq!(stats.dispatch.count(), 3);
    assert!(dispatcher.running().is_empty());

    // One of them is blocked, and the last call fails.
    serve(&dispatcher, 7..10);
    let expected: [&[u32]; 4] = [&[7, 8], &[7], &[8], &[102]];
    assert_eq!(std::mem::take(&mut *calls.lock()), expected);
    let stats = dispatcher.stats();
    assert_eq!((stats.handled, stats.blocked), (6, 1));
    assert_eq!((stats.called, stats.failed), (15, 1));
    assert_eq!(handlers.last_failures()[0].events().len(), 2);

    // One by itself.
    serve(&dispatcher, 4..5);
    let expected: [&[u32]; 3] = [&[4], &[4], &[101]];
    assert_eq!(std::mem::take(&mut *calls.lock()), expected);
    assert_eq!(dispatcher.stats().handled, 7);
    assert_eq!(shared_taken(&dispatcher), 7);
    drop(hook);
}

fn shared_taken(dispatcher: &Dispatcher<u32>) -> u64 {
    dispatcher.shared.state.lock().taken
}

#[test]
fn h14_events_that_are_taken_together_are_handled_as_a_batch() {
    check(BlockOn);
    let pool = ThreadPool::new(2).unwrap();
    check(pool.clone());
    pool.shutdown();
}

/// None of those that were not reached is called any more, batch or not.
#[test]
fn h9_a_batch_that_a_stop_gave_up_on_goes_no_further() {
    let (bus, handlers) = (Bus::new(), Handlers::<u32>::new());
    let given_up = Arc::new(crate::sync::Mutex::new(None::<Arc<Fate>>));
    let fate = Arc::clone(&given_up);
    let on = handlers.on("a").handle_batch(move |_| {
        if let Some(fate) = &*fate.lock() {
            fate.give_up();
        }
        Ok(Flow::Continue)
    });
    on.unwrap();
    handlers.on("a").call(|_| unreachable!()).unwrap();
    let on = handlers.on("a").handle_batch(|_| unreachable!());
    on.unwrap();
    let dispatcher = Dispatcher::builder(&bus, &handlers).build().unwrap();
    let shared = &dispatcher.shared;
    shared.state.lock().in_flight += 1;
    let (nudge, nudges) = Nudge::new();
    let fate = Arc::new(Fate::default());
    *given_up.lock() = Some(Arc::clone(&fate));
    let desk = Desk {
        epoch: 0,
        nudge,
        nudges,
        scene: Scene {
            fate: Some(fate),
            ..shared.scene.clone()
        },
    };
    let events = (0..2).map(|n| Event::new("a", n).unwrap()).collect();
    shared.handle(&desk, events);
    let stats = dispatcher.stats();
    assert_eq!((stats.called, stats.skipped, stats.handled), (2, 4, 2));
}
