//! Ends, lives and destructors: closing, dropping, what comes back, and panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::thread;

use chanbus::{
    AnyPayload, BatchError, Bus, EmitError, Overflow, PanicPlace, RecvError, SubscribeError,
    TryRecvError, TypedBus, TypedEvent, WaitError,
};
use futures_lite::future::block_on;

use super::common::{Census, guarded, hooked};
use super::{Bomb, Impostor, Tracked, UserCreated};

#[test]
fn p8_close_drains_and_hands_events_back_as_they_were() {
    guarded(|| {
        let bus = TypedBus::new();
        let sub = bus.subscribe::<UserCreated>().unwrap();
        let worker = sub.share();
        let publisher = bus.publisher::<UserCreated>().unwrap();
        let waits = bus.wait_for_async::<UserCreated>(|event| event.id > 9);
        let mut batch = bus.start_batch();
        batch.emit(UserCreated { id: 9 }).unwrap();
        publisher
            .emit_batch([1, 2].map(|id| UserCreated { id }))
            .unwrap();
        assert!(bus.close());
        assert!(!bus.close());

        let user = |id| UserCreated { id };
        assert!(matches!(bus.emit(user(3)), Err(EmitError::Closed(back)) if back.id == 3));
        let draft = bus.event(user(4)).metadata("n", 1).emit();
        assert!(matches!(draft, Err(EmitError::Closed(back)) if back.id == 4));
        let error = publisher.emit(user(5)).unwrap_err();
        assert_eq!(error.into_payload(), user(5));
        let error = publisher.event(user(6)).emit().unwrap_err();
        assert_eq!(error.into_payload(), user(6));
        let error = publisher.emit_batch([user(7), user(8)]).unwrap_err();
        assert_eq!(error.into_payload(), [user(7), user(8)]);
        let back = batch.commit().unwrap_err().into_payload();
        let back = TypedEvent::<UserCreated>::try_from(back[0].clone()).unwrap();
        assert_eq!(*back, user(9));
        let refused = bus.subscribe::<UserCreated>().unwrap_err();
        assert_eq!(refused, SubscribeError::Closed);
        assert_eq!(block_on(waits).unwrap_err(), WaitError::Closed);

        assert_eq!(sub.recv().unwrap().id, 1);
        assert_eq!(worker.recv().unwrap().id, 2);
        for sub in [&sub, &worker] {
            assert!(sub.is_closed() && sub.is_empty());
            assert_eq!(sub.recv().unwrap_err(), RecvError);
            assert_eq!(block_on(sub.recv_async()).unwrap_err(), RecvError);
            assert_eq!(sub.try_recv().unwrap_err(), TryRecvError::Closed);
        }
    });
}

#[test]
fn a_chain_that_is_too_deep_hands_the_event_back() {
    let bus = TypedBus::over(Bus::builder().max_chain(3).build().unwrap());
    let (tell, told) = channel();
    let weak = bus.bus().downgrade();
    let _tap = bus
        .tap::<UserCreated>(move |event| {
            let bus = TypedBus::over(weak.upgrade().unwrap());
            let next = UserCreated { id: event.id + 1 };
            if let Err(error) = bus.emit(next) {
                tell.send(error).unwrap();
            }
        })
        .unwrap();
    bus.emit(UserCreated { id: 0 }).unwrap();
    let error = told.recv().unwrap();
    assert!(error.is_chain_too_deep());
    assert_eq!(error.into_payload().id, 4);
    assert!(told.try_recv().is_err());
}

#[test]
fn the_last_handle_closes_and_publishers_keep_nothing_open() {
    guarded(|| {
        let typed = TypedBus::new();
        let sub = typed.subscribe::<UserCreated>().unwrap();
        let publisher = typed.publisher::<UserCreated>().unwrap();
        let clone = typed.clone();
        let below = typed.bus().clone();
        drop((typed, clone));
        assert!(!sub.is_closed());
        publisher.emit(UserCreated { id: 7 }).unwrap();
        drop(below);
        assert!(sub.is_closed());
        assert!(publisher.emit(UserCreated { id: 8 }).is_err());
        assert!(sub.iter().map(|event| event.id).eq([7]));
    });
}

#[test]
fn a_closer_ends_a_loop_from_elsewhere() {
    guarded(|| {
        let bus = TypedBus::new();
        let sub = bus.subscribe::<UserCreated>().unwrap();
        let closer = sub.closer();
        let reader = thread::spawn(move || sub.into_iter().map(|event| event.id).sum::<u32>());
        bus.emit(UserCreated { id: 7 }).unwrap();
        assert!(closer.close());
        assert_eq!(reader.join().unwrap(), 7);
        assert_eq!(bus.subscriber_count(), 0);
    });
}

#[test]
fn p9_payloads_go_with_the_last_who_holds_them() {
    let census = Census::new();
    let bus = TypedBus::new();
    let sub = bus.subscribe::<Tracked>().unwrap();
    let all = bus.bus().subscribe_all().unwrap();
    let publisher = bus.publisher::<Tracked>().unwrap();
    for _ in 0..3 {
        publisher.emit(Tracked(census.born())).unwrap();
    }
    let kept = sub.recv().unwrap();
    let copy = kept.clone();
    drop(all);
    assert_eq!(census.alive(), 3);
    drop(sub);
    assert_eq!(census.alive(), 1);
    drop((bus, publisher));
    let kept = kept.try_into_payload().err().expect("there is a copy");
    drop(copy);
    let payload = kept.try_into_payload().ok().expect("it is the last");
    assert_eq!(census.alive(), 1);
    drop(payload);
    assert_eq!(census.alive(), 0);
}

#[test]
fn p9_what_filters_and_taps_captured_goes_with_them() {
    let census = Census::new();
    let bus = TypedBus::new();
    let (one, other, third) = (census.born(), census.born(), census.born());
    let sub = bus
        .subscription::<UserCreated>()
        .filter(move |_| std::mem::size_of_val(&one) > 0)
        .subscribe()
        .unwrap();
    let tap = bus
        .tap::<UserCreated>(move |_| assert!(std::mem::size_of_val(&other) > 0))
        .unwrap();
    let waits = bus.wait_for_async::<UserCreated>(move |_| std::mem::size_of_val(&third) == 0);
    bus.emit(UserCreated { id: 1 }).unwrap();
    assert_eq!(census.alive(), 3);
    drop(sub);
    assert_eq!(census.alive(), 2);
    drop(tap);
    assert_eq!(census.alive(), 1);
    drop(waits);
    assert_eq!(census.alive(), 0);
    assert_eq!(bus.subscriber_count(), 0);
}

#[test]
fn what_comes_back_with_an_error_was_never_dropped() {
    let census = Census::new();
    let bus = TypedBus::new();
    bus.close();
    let error = bus.emit(Tracked(census.born())).unwrap_err();
    assert_eq!(census.alive(), 1);
    let Tracked(counted) = error.into_payload();
    assert_eq!(census.alive(), 1);
    drop(counted);
    assert_eq!(census.alive(), 0);
}

#[test]
fn p11_destructors_that_panic_stay_put() {
    let (tell, told) = channel();
    let below = Bus::builder()
        .on_panic(move |panic| {
            tell.send((panic.place(), panic.message().to_owned()))
                .unwrap()
        })
        .build()
        .unwrap();
    let bus = TypedBus::over(below);
    let newest = bus
        .subscription::<Bomb>()
        .capacity(1)
        .overflow(Overflow::DropOldest)
        .subscribe()
        .unwrap();
    let bomb = || Bomb(hooked(|| panic!("boom")));
    assert_eq!(bus.emit(bomb()).unwrap().evicted, 0);
    assert_eq!(bus.emit(bomb()).unwrap().evicted, 1);
    let boom = (PanicPlace::Destructor, "boom".to_owned());
    assert_eq!(told.try_recv().as_ref(), Ok(&boom));
    // What waits when the last handle goes is dropped there, behind the same shield.
    drop(newest);
    assert_eq!(told.try_recv().as_ref(), Ok(&boom));
    // Nobody listens: it goes at once.
    assert_eq!(bus.emit(bomb()).unwrap().matched, 0);
    assert_eq!(told.try_recv(), Ok(boom));
    // A consumer's own drop is its own.
    let sub = bus.subscribe::<Bomb>().unwrap();
    bus.emit(bomb()).unwrap();
    let event = sub.recv().unwrap();
    assert!(catch_unwind(AssertUnwindSafe(|| drop(event))).is_err());
    assert!(told.try_recv().is_err());
    // And the bus goes on.
    bus.emit(Bomb(None)).unwrap();
    assert!(sub.try_recv().is_ok());
}

#[test]
fn p10_a_destructor_may_emit_on_the_very_bus() {
    guarded(|| {
        let bus = TypedBus::new();
        let created = bus.subscribe::<UserCreated>().unwrap();
        let newest = bus
            .subscription::<Bomb>()
            .capacity(1)
            .overflow(Overflow::DropOldest)
            .subscribe()
            .unwrap();
        let weak = bus.bus().downgrade();
        let emits = Bomb(hooked(move || {
            if let Some(bus) = weak.upgrade() {
                TypedBus::over(bus).emit(UserCreated { id: 7 }).unwrap();
            }
        }));
        bus.emit(emits).unwrap();
        assert_eq!(bus.emit(Bomb(None)).unwrap().evicted, 1);
        assert_eq!(created.try_recv().unwrap().id, 7);
        assert_eq!(newest.len(), 1);
    });
}

#[test]
fn p11_filters_and_taps_that_panic_stay_put() {
    let (tell, told) = channel();
    let below = Bus::builder()
        .on_panic(move |panic| tell.send(panic.place()).unwrap())
        .build()
        .unwrap();
    let bus = TypedBus::over(below);
    let bad = bus
        .subscription::<UserCreated>()
        .filter(|event| panic!("{}", event.id))
        .subscribe()
        .unwrap();
    let good = bus.subscribe::<UserCreated>().unwrap();
    let _tap = bus
        .tap::<UserCreated>(|event| panic!("{}", event.id))
        .unwrap();
    // Neither is called for another type.
    assert_eq!(bus.emit(Impostor(1)).unwrap().filtered, 2);
    assert!(told.try_recv().is_err());
    let emitted = bus.emit(UserCreated { id: 7 }).unwrap();
    assert_eq!((emitted.filtered, emitted.delivered), (1, 1));
    assert!(told.try_iter().eq([PanicPlace::Filter, PanicPlace::Tap]));
    assert_eq!(
        (bad.filtered(), bad.as_subscription().filter_panics()),
        (2, 1)
    );
    assert_eq!(good.try_recv().unwrap().id, 7);
}

#[test]
fn a_batch_that_fails_or_panics_emits_none_of_any_type() {
    let census = Census::new();
    let bus = TypedBus::new();
    let all = bus.bus().subscribe_all().unwrap();
    let refused = bus.batch(|batch| {
        batch.emit(UserCreated { id: 1 })?;
        batch.emit(Tracked(census.born()))?;
        assert_eq!((batch.len(), census.alive()), (2, 1));
        Err::<(), BatchError<AnyPayload, _>>(BatchError::Refused("no"))
    });
    assert!(matches!(refused, Err(BatchError::Refused("no"))));
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        bus.batch(|batch| -> Result<(), BatchError<AnyPayload, &str>> {
            batch.emit(Tracked(census.born()))?;
            panic!("in the batch")
        })
    }));
    assert!(panicked.is_err());
    assert_eq!((all.len(), census.alive()), (0, 0));
    assert_eq!(bus.bus().stats().emitted, 0);
}
