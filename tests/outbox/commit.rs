//! Commit, rollback and drop; a bus that closes in between.

use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use chanbus::{
    BoxError, Bus, Cause, Clock, CommitError, Committed, EmitError, Error, Event, ManualClock,
    Outbox, Savepoint, Value,
};

use crate::common::soaked;
use crate::{Done, payloads, payloads_of};

#[test]
fn d8_a_commit_emits_all_in_order_and_reports() -> Done {
    let bus = Bus::new();
    let all = bus.subscribe("**")?;
    let even = bus
        .subscription("order.*")
        .filter(|event| event.payload() % 2 == 0)
        .subscribe()?;
    let small = bus.subscription("order.paid").capacity(1).subscribe()?;
    let mut outbox = bus.outbox();
    outbox.emit("order.placed", 1)?;
    outbox
        .event("order.paid", 2)
        .source("till")
        .metadata("trace", 7)
        .emit()?;
    outbox.emit("mail.sent", 3)?;
    outbox.push(Event::new("order.paid", 4)?);
    assert_eq!((outbox.len(), outbox.is_empty()), (4, false));
    assert_eq!(payloads_of(outbox.events()), [1, 2, 3, 4]);

    let committed = outbox.commit()?;
    assert_eq!((committed.events, committed.failed.len()), (4, 0));
    let emitted = committed.emitted;
    assert_eq!((emitted.matched, emitted.delivered), (9, 7));
    assert_eq!((emitted.dropped, emitted.filtered), (1, 1));
    // One queue was too small.
    assert!(!committed.is_complete());
    assert_eq!(payloads(&even), [2, 4]);
    assert_eq!(payloads(&small), [2]);
    let events: Vec<Event<u32>> = all.try_iter().collect();
    assert_eq!(payloads_of(&events), [1, 2, 3, 4]);
    assert_eq!(events[1].source(), Some("till"));
    assert_eq!(events[1].metadata("trace"), Some(&Value::Int(7)));
    assert_eq!(bus.stats().emitted, 4);
    Ok(())
}

#[test]
fn d8_nobody_hears_of_it_before_the_commit() -> Done {
    let bus: Bus<u32> = Bus::builder().history(10).build()?;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let _tap = bus.tap("**", move |event| {
        hears.lock().unwrap().push(*event.payload());
    })?;
    let sub = bus.subscribe("**")?;
    let retained = bus.retained("**")?;
    let derived = bus.mapped(|event| event.clone());
    let far = derived.subscribe("**")?;
    let replayed = || -> Result<Vec<u32>, Error> {
        Ok(payloads(&bus.subscription("**").replay(10).subscribe()?))
    };
    let mut outbox = bus.outbox();
    let mut inner = outbox.savepoint();
    inner.emit("a", 1)?;
    inner.commit();
    outbox.emit("b", 2)?;
    assert!(sub.is_empty() && far.is_empty() && retained.is_empty());
    assert!(heard.lock().unwrap().is_empty() && replayed()?.is_empty());
    assert_eq!(bus.stats().emitted, 0);

    assert!(outbox.commit()?.is_complete());
    assert_eq!((payloads(&sub), payloads(&far)), (vec![1, 2], vec![1, 2]));
    assert_eq!(*heard.lock().unwrap(), [1, 2]);
    assert_eq!((retained.len(), replayed()?), (2, vec![1, 2]));
    Ok(())
}

#[test]
fn d8_a_rollback_or_a_drop_discards() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe("**")?;
    let filled = || -> Result<Outbox<Arc<()>>, BoxError> {
        let mut outbox = bus.outbox();
        outbox.emit("a", Arc::new(()))?;
        outbox.emit("b", Arc::new(()))?;
        Ok(outbox)
    };
    let outbox = filled()?;
    let payload = Arc::downgrade(outbox.events()[0].payload());
    let rolled_back = outbox.rollback();
    assert_eq!((rolled_back.discarded, rolled_back.failed.len()), (2, 0));
    assert!(payload.upgrade().is_none());
    let outbox = filled()?;
    let payload = Arc::downgrade(outbox.events()[1].payload());
    drop(outbox);
    assert!(payload.upgrade().is_none());
    assert_eq!((sub.matched(), bus.stats().emitted), (0, 0));
    Ok(())
}

#[test]
fn d8_a_bus_that_closes_in_between_hands_all_back_in_order() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe("**")?;
    let mut outbox = bus.outbox();
    outbox.event("a", 1).source("till").emit()?;
    let mut inner = outbox.savepoint();
    inner.emit("b", 2)?;
    inner.commit();
    assert!(!outbox.is_closed());
    bus.close();
    assert!(outbox.is_closed());
    // Collecting goes on; the commit says it.
    outbox.emit("c", 3)?;
    let error = outbox.commit().unwrap_err();
    assert!(error.is_closed() && !error.is_refused() && !error.is_chain_too_deep());
    assert_eq!(payloads_of(error.events()), [1, 2, 3]);
    let events = error.into_events();
    assert_eq!(payloads_of(&events), [1, 2, 3]);
    assert_eq!(events[0].source(), Some("till"));
    assert_eq!((sub.iter().count(), bus.stats().emitted), (0, 0));
    // Also when there is nothing to hand back.
    assert!(bus.outbox().commit().unwrap_err().is_closed());
    Ok(())
}

#[test]
fn d8_it_does_not_keep_the_bus_open() -> Done {
    let bus = Bus::new();
    let derived = bus.filtered(|_| true);
    let (mut near, mut far) = (bus.outbox(), derived.outbox());
    near.emit("a", 1)?;
    far.emit("a", 1)?;
    drop(derived);
    assert!(far.is_closed() && !near.is_closed());
    drop(bus);
    assert!(near.is_closed());
    assert_eq!(near.commit().unwrap_err().into_events().len(), 1);
    assert_eq!(far.commit().unwrap_err().into_events().len(), 1);
    Ok(())
}

#[test]
fn d8_a_bus_that_closes_at_the_same_moment_gets_all_or_none() -> Done {
    for _ in 0..soaked(300) {
        let bus = Bus::new();
        let sub = bus.subscribe("**")?;
        let mut outbox = bus.outbox();
        for number in 0..5 {
            outbox.emit("n", number)?;
        }
        let barrier = Barrier::new(2);
        let result = thread::scope(|scope| {
            scope.spawn(|| {
                barrier.wait();
                bus.close();
            });
            barrier.wait();
            outbox.commit()
        });
        match result {
            Ok(committed) => {
                // All were emitted; a subscription that ended meanwhile has what it counted.
                let got: Vec<u32> = sub.iter().map(|event| *event.payload()).collect();
                assert_eq!((committed.events, bus.stats().emitted), (5, 5));
                assert_eq!(got.len(), committed.emitted.delivered);
                assert!(got.is_sorted());
            }
            Err(error) => {
                assert_eq!(payloads_of(error.events()), [0, 1, 2, 3, 4]);
                assert_eq!((sub.iter().count(), bus.stats().emitted), (0, 0));
            }
        }
    }
    Ok(())
}

#[test]
fn d8_events_are_stamped_and_get_their_cause_when_they_are_added() -> Done {
    let clock = ManualClock::new();
    clock.set(UNIX_EPOCH + Duration::from_secs(1));
    let bus = Bus::builder().clock(Clock::manual(&clock)).build()?;
    let sub = bus.subscribe("**")?;
    let mut outbox = bus.outbox();
    let request = Event::new("request", 0)?;
    Cause::scope(&request, || outbox.emit("order.placed", 1))?;
    clock.advance(Duration::from_secs(9));
    outbox.emit("order.paid", 2)?;
    clock.advance(Duration::from_secs(90));
    assert!(outbox.commit()?.is_complete());
    let events: Vec<Event<u32>> = sub.try_iter().collect();
    assert_eq!(
        (events[0].unix_seconds(), events[1].unix_seconds()),
        (1.0, 10.0)
    );
    assert_eq!(events[0].cause().unwrap().topic(), "request");
    assert!(events[1].cause().is_none());
    Ok(())
}

#[test]
fn d8_an_emit_that_is_refused_leaves_the_outbox_as_it_was() -> Done {
    let bus = Bus::builder().max_chain(0).build()?;
    let mut outbox = bus.outbox();
    outbox.emit("a", 1)?;
    let bad = outbox.emit("a..b", 2).unwrap_err();
    assert!(bad.is_bad_topic());
    assert_eq!(bad.into_payload(), 2);
    let deep = Cause::scope(&Event::new("x", 0)?, || outbox.emit("a", 3).unwrap_err());
    assert!(deep.is_chain_too_deep());
    assert_eq!(deep.into_payload(), 3);
    assert_eq!(outbox.event("b.", 4).emit().unwrap_err().into_payload(), 4);
    assert_eq!(payloads_of(outbox.events()), [1]);
    // A commit at the end of too long a chain: all come back, and can be committed from elsewhere.
    let error = Cause::scope(&Event::new("x", 0)?, || outbox.commit().unwrap_err());
    assert!(error.is_chain_too_deep() && !error.is_closed());
    let mut again = bus.outbox();
    let caused = Event::draft("c", 5).cause(Cause::of(&Event::new("x", 0)?));
    let late = caused.build()?;
    error
        .into_events()
        .into_iter()
        .for_each(|event| again.push(event));
    again.push(late);
    // So does one that brings its own.
    let error = again.commit().unwrap_err();
    assert!(error.is_chain_too_deep());
    assert_eq!(payloads_of(error.events()), [1, 5]);
    assert_eq!(bus.stats().emitted, 0);
    Ok(())
}

#[test]
fn d8_all_events_come_as_one_batch_to_the_subscriptions_of_the_commit() -> Done {
    let bus = Bus::new();
    let mut outbox = bus.outbox();
    outbox.emit("a", 1)?;
    let kept = bus.subscription("**").keep_batches().subscribe()?;
    outbox.emit("b", 2)?;
    assert!(outbox.commit()?.is_complete());
    let mut batch = Vec::new();
    kept.try_recv_batch(&mut batch, usize::MAX)?;
    assert_eq!(payloads_of(&batch), [1, 2]);
    Ok(())
}

#[test]
fn d8_an_empty_one_commits_and_rolls_back() -> Done {
    let bus: Bus<u32> = Bus::new();
    let committed = bus.outbox().commit()?;
    assert_eq!((committed.events, committed.is_complete()), (0, true));
    assert_eq!(bus.outbox().rollback().discarded, 0);
    assert_eq!(bus.stats().emitted, 0);
    Ok(())
}

#[test]
fn d8_it_may_be_sent_and_shared() -> Done {
    fn send_sync<V: Send + Sync>() {}
    send_sync::<Outbox<u32>>();
    send_sync::<Savepoint<'_, u32>>();
    send_sync::<CommitError<u32>>();
    send_sync::<Committed>();

    let bus = Bus::new();
    let sub = bus.subscribe("**")?;
    let mut outbox = bus.outbox();
    outbox.emit("a", 1)?;
    let committed = thread::spawn(move || {
        outbox.emit("b", 2).unwrap();
        outbox.commit().unwrap()
    });
    assert_eq!(committed.join().unwrap().events, 2);
    assert_eq!(payloads(&sub), [1, 2]);
    Ok(())
}

#[test]
fn d8_a_derived_bus_has_outboxes_too() -> Done {
    let bus = Bus::new();
    let derived = bus.filtered(|_| true);
    let (near, far) = (bus.subscribe("**")?, derived.subscribe("**")?);
    let mut outbox = derived.outbox();
    outbox.emit("a", 1)?;
    assert_eq!(outbox.commit()?.emitted.delivered, 1);
    assert_eq!((near.len(), payloads(&far)), (0, vec![1]));
    Ok(())
}

/// A payload that is not `Debug`.
struct Opaque;

#[test]
fn d8_its_errors_name_the_culprit_and_how_to_mend_it() -> Done {
    let bus = Bus::new();
    let closed = |label: &'static str| -> Result<CommitError<Opaque>, BoxError> {
        let other = Bus::new();
        let mut outbox = other.outbox();
        outbox.emit("a", Opaque)?;
        outbox.after_rollback(label, || Err("nothing was reserved".into()));
        other.close();
        Ok(outbox.commit().unwrap_err())
    };
    let refused = || -> Result<CommitError<Opaque>, BoxError> {
        let mut outbox = bus.outbox();
        outbox.emit("a", Opaque)?;
        outbox.emit("a", Opaque)?;
        outbox.before_commit("stock", |_| Err("out of stock".into()));
        Ok(outbox.commit().unwrap_err())
    };
    let text = closed("release")?.to_string();
    assert!(
        text.starts_with("none of the outbox's 1 events was emitted: the bus is closed"),
        "{text}"
    );
    assert!(text.contains("keep a `Bus` handle"), "{text}");
    assert!(
        text.ends_with("the after-rollback hook `release` failed: nothing was reserved"),
        "{text}"
    );
    let text = refused()?.to_string();
    assert!(
        text.starts_with(
            "none of the outbox's 2 events was emitted: the before-commit hook `stock` failed: \
             out of stock"
        ),
        "{text}"
    );
    assert!(text.contains("`into_events`"), "{text}");
    let debug = format!("{:?}", refused()?);
    assert!(
        debug.contains("stock") && debug.contains("events: 2"),
        "{debug}"
    );
    assert!(format!("{:?}", bus.outbox()).contains("len: 0"));

    assert!(matches!(Error::from(closed("x")?), Error::Closed));
    let Error::Refused(text) = Error::from(refused()?) else {
        panic!("another error");
    };
    assert_eq!(*text, *refused()?.to_string());
    // By `?`, as any error.
    let boxed: BoxError = refused()?.into();
    assert!(boxed.downcast_ref::<CommitError<Opaque>>().is_some());
    Ok(())
}

#[test]
fn d8_an_error_of_a_hook_is_found_behind_the_commits() -> Done {
    let bus = Bus::<u32>::new();
    let mut outbox = bus.outbox();
    outbox.before_commit("parse", |_| {
        let _: u32 = "x".parse()?;
        Ok(())
    });
    let CommitError::Refused { hook, .. } = outbox.commit().unwrap_err() else {
        panic!("another error");
    };
    assert!(hook.downcast_ref::<std::num::ParseIntError>().is_some());
    assert!(hook.downcast_ref::<EmitError<u32>>().is_none() && !hook.is_panic());
    Ok(())
}
