//! The ways to emit and to receive, and what they cost.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::thread;
use std::time::{Duration, Instant};

use chanbus::{
    AnyPayload, BatchError, Bus, Clock, Dispatcher, Drain, Flow, Handlers, ManualClock, Overflow,
    Typed, TypedBatch, TypedBus, TypedEvent, TypedPublisher, TypedSubscription, TypedWaitFuture,
    Value,
};
use futures_lite::future::{block_on, or, ready};

use super::common::counting::allocations;
use super::common::guarded;
use super::{Shutdown, Tracked, UserCreated, UserRenamed, typed};

fn user(id: u32) -> UserCreated {
    UserCreated { id }
}

#[test]
fn an_event_has_all_that_an_event_has() {
    let clock = ManualClock::default();
    let below = Bus::builder().clock(Clock::manual(&clock)).build().unwrap();
    let bus = TypedBus::over(below);
    let sub = bus.subscribe::<UserCreated>().unwrap();
    clock.advance(Duration::from_secs(5));
    bus.event(user(1))
        .source("import")
        .metadata("trace", 17)
        .extension("raw")
        .emit()
        .unwrap();
    let publisher = bus.publisher::<UserCreated>().unwrap().with_source("own");
    publisher.emit(user(2)).unwrap();
    publisher.event(user(3)).metadata("n", 3).emit().unwrap();

    let event = sub.recv().unwrap();
    assert_eq!(event.id, 1);
    let event = event.as_event();
    assert_eq!(event.topic(), UserCreated::TOPIC);
    assert_eq!(event.source(), Some("import"));
    assert_eq!(event.metadata("trace"), Some(&Value::Int(17)));
    assert_eq!(event.extension::<&str>(), Some(&"raw"));
    assert_eq!(event.timestamp(), clock.now());
    assert_eq!(sub.recv().unwrap().as_event().source(), Some("own"));
    let event = sub.recv().unwrap();
    assert_eq!(event.as_event().source(), Some("own"));
    assert_eq!(event.as_event().metadata("n"), Some(&Value::Int(3)));
    assert_eq!(
        format!("{event:?}"),
        "TypedEvent { topic: \"user.created\", payload: UserCreated { id: 3 }, .. }"
    );
    // From one bus to another, as it is.
    let far = TypedBus::new();
    let there = far.subscribe::<UserCreated>().unwrap();
    far.bus().emit_event(event.clone().into_event()).unwrap();
    assert!(there.recv().unwrap().as_event().ptr_eq(event.as_event()));
}

#[test]
fn what_a_tap_emits_carries_its_cause() {
    let bus = TypedBus::new();
    let weak = bus.bus().downgrade();
    let _tap = bus
        .tap::<UserCreated>(move |event| {
            let bus = TypedBus::over(weak.upgrade().unwrap());
            let (id, name) = (event.id, "new".to_owned());
            bus.emit(UserRenamed { id, name }).unwrap();
        })
        .unwrap();
    let sub = bus.subscribe::<UserRenamed>().unwrap();
    bus.emit(user(7)).unwrap();
    let event = sub.recv().unwrap();
    assert_eq!(
        event.as_event().cause().unwrap().topic(),
        UserCreated::TOPIC
    );
}

/// One allocation more than an emit of a known type makes, for the box; and none for nothing.
#[test]
fn p1_an_emit_allocates_one_box_more() {
    let plain: Bus<UserCreated> = Bus::new();
    let typed = TypedBus::new();
    let (by_plain, by_typed) = (
        plain.publisher(UserCreated::TOPIC).unwrap(),
        typed.publisher::<UserCreated>().unwrap(),
    );
    let shutdown = typed.publisher::<Shutdown>().unwrap();
    let plain_sub = plain.subscribe(UserCreated::TOPIC).unwrap();
    let sub = typed.subscribe::<UserCreated>().unwrap();
    let stops = typed.subscribe::<Shutdown>().unwrap();
    let round = || {
        let counted = [
            allocations(|| by_plain.emit(user(1)).unwrap()),
            allocations(|| by_typed.emit(user(1)).unwrap()),
            allocations(|| shutdown.emit(Shutdown).unwrap()),
            allocations(|| plain.emit(UserCreated::TOPIC, user(1)).unwrap()),
            allocations(|| typed.emit(user(1)).unwrap()),
            allocations(|| typed.emit(Shutdown).unwrap()),
        ];
        let taken = (
            plain_sub.try_iter().count(),
            sub.try_iter().count(),
            stops.try_iter().count(),
        );
        assert_eq!(taken, (2, 2, 2));
        counted
    };
    // Routes, queues and blocks come with the first.
    for _ in 0..3 {
        round();
    }
    for _ in 0..100 {
        assert_eq!(round(), [0, 1, 0, 1, 2, 1]);
    }
    // Taking and reading allocate nothing.
    typed.emit(user(7)).unwrap();
    assert_eq!(allocations(|| assert_eq!(sub.recv().unwrap().id, 7)), 0);
}

#[test]
fn a_builders_settings_hold() {
    let bus = TypedBus::over(Bus::builder().history(10).build().unwrap());
    for id in 0..5 {
        bus.emit(user(id)).unwrap();
    }
    let sub = bus
        .subscription::<UserCreated>()
        .name("panel")
        .capacity(2)
        .overflow(Overflow::DropOldest)
        .filter(|event| event.id != 3)
        .replay(2)
        .subscribe()
        .unwrap();
    for id in 5..9 {
        bus.emit(user(id)).unwrap();
    }
    let below = sub.as_subscription();
    assert_eq!((below.name(), below.capacity()), (Some("panel"), 2));
    assert_eq!(below.overflow(), Overflow::DropOldest);
    let ids: Vec<u32> = sub.try_iter().map(|event| event.id).collect();
    assert_eq!(ids, [2, 4, 7, 8]);
    assert_eq!((sub.dropped(), sub.missed(), sub.received()), (2, 2, 2));
    let refused = bus.subscription::<UserCreated>().capacity(0).subscribe();
    assert!(refused.unwrap_err().is_bad_capacity());

    let latest = bus
        .subscription::<UserCreated>()
        .overflow(Overflow::Latest)
        .subscribe()
        .unwrap();
    let publisher = bus.publisher().unwrap();
    publisher.emit_batch((0..4).map(user)).unwrap();
    assert!(latest.try_iter().map(|event| event.id).eq([3]));
    assert_eq!(latest.as_subscription().conflated(), 3);
}

#[test]
fn a_batch_is_emitted_whole_and_in_order_over_types() {
    let bus = TypedBus::new();
    let created = bus.subscribe::<UserCreated>().unwrap();
    let all = bus.bus().subscribe_all().unwrap();
    let batched = bus
        .batch(|batch| {
            batch.emit(user(1))?;
            let name = "ann".to_owned();
            batch.emit(UserRenamed { id: 1, name })?;
            batch.emit(user(2))?;
            assert_eq!((batch.len(), all.len()), (3, 0));
            Ok::<_, BatchError<AnyPayload, chanbus::Error>>("done")
        })
        .unwrap();
    assert_eq!((batched.result, batched.emitted.delivered), ("done", 5));
    let topics: Vec<String> = all.try_iter().map(|it| it.topic().to_string()).collect();
    assert_eq!(topics, ["user.created", "user.renamed", "user.created"]);
    let ids: Vec<TypedEvent<UserCreated>> = created.try_iter().collect();
    assert!(ids.iter().map(|event| event.id).eq([1, 2]));

    let mut again: TypedBatch = bus.start_batch();
    for event in ids {
        again.push(event);
    }
    assert_eq!(again.commit().unwrap().delivered, 4);
    assert!(created.try_iter().map(|event| event.id).eq([1, 2]));
}

#[test]
fn a_batch_kept_together_is_that_of_its_type() {
    let bus = TypedBus::new();
    let sub = bus
        .subscription::<UserCreated>()
        .keep_batches()
        .subscribe()
        .unwrap();
    for first in [1, 11] {
        let mut batch = bus.start_batch();
        batch.emit(user(first)).unwrap();
        batch.emit(Shutdown).unwrap();
        batch
            .as_batch_mut()
            .emit(UserCreated::TOPIC, AnyPayload::new("wrong"))
            .unwrap();
        batch.emit(user(first + 1)).unwrap();
        batch.commit().unwrap();
    }
    let mut buffer = Vec::new();
    assert_eq!(sub.recv_batch(&mut buffer, 100).unwrap(), 2);
    assert_eq!(sub.recv_batch(&mut buffer, 100).unwrap(), 2);
    assert!(buffer.iter().map(|event| event.id).eq([1, 2, 11, 12]));
    assert_eq!(sub.filtered(), 2);
}

#[test]
fn a_view_over_a_derived_bus_sees_what_that_lets_through() {
    let bus = TypedBus::new();
    let known = TypedBus::over(
        bus.bus()
            .filtered(|event| !event.payload().is::<Shutdown>()),
    );
    let created = known.subscribe::<UserCreated>().unwrap();
    let stops = known.subscribe::<Shutdown>().unwrap();
    bus.emit(user(7)).unwrap();
    bus.emit(Shutdown).unwrap();
    bus.bus()
        .emit(UserCreated::TOPIC, AnyPayload::new("wrong"))
        .unwrap();
    assert!(created.try_iter().map(|event| event.id).eq([7]));
    assert_eq!((created.filtered(), stops.len()), (1, 0));
    drop(bus);
    assert!(
        created.recv().is_err(),
        "it ends with what it was derived from"
    );
}

#[test]
fn sharers_get_each_event_once() {
    guarded(|| {
        const EVENTS: u32 = 2_000;
        let bus = TypedBus::new();
        let sub = bus
            .subscription::<UserCreated>()
            .capacity(EVENTS as usize)
            .subscribe()
            .unwrap();
        let workers: Vec<_> = (0..3)
            .map(|which| {
                let sub = sub.share();
                thread::spawn(move || -> Vec<u32> {
                    match which {
                        // A task among threads.
                        0 => block_on(async {
                            let mut ids = Vec::new();
                            while let Ok(event) = sub.recv_async().await {
                                ids.push(event.id);
                            }
                            ids
                        }),
                        _ => sub.into_iter().map(|event| event.id).collect(),
                    }
                })
            })
            .collect();
        drop(sub);
        let publisher = bus.publisher::<UserCreated>().unwrap();
        for id in 0..EVENTS {
            assert_eq!(publisher.emit(user(id)).unwrap().delivered, 1);
        }
        drop(bus);
        let mut all = Vec::new();
        for worker in workers {
            let ids = worker.join().unwrap();
            assert!(ids.is_sorted());
            all.extend(ids);
        }
        assert_eq!(all.len(), EVENTS as usize);
        assert!(BTreeSet::from_iter(all).into_iter().eq(0..EVENTS));
    });
}

#[test]
fn p14_a_receive_that_is_given_up_loses_nothing() {
    let bus = TypedBus::new();
    let sub = bus.subscribe::<UserCreated>().unwrap();
    let given_up = block_on(or(async { sub.recv_async().await.ok() }, ready(None)));
    assert!(given_up.is_none());
    bus.emit(user(7)).unwrap();
    assert_eq!(block_on(sub.recv_async()).unwrap().id, 7);
    assert!(sub.recv_deadline(Instant::now()).is_err());
}

#[test]
fn emit_within_waits_for_a_reader() {
    guarded(|| {
        let bus = TypedBus::new();
        let rows = bus
            .subscription::<UserCreated>()
            .capacity(1)
            .subscribe()
            .unwrap();
        let reader = thread::spawn(move || rows.into_iter().map(|event| event.id).collect());
        let publisher = bus.publisher::<UserCreated>().unwrap();
        let patience = Duration::from_secs(30);
        for id in 0..100 {
            let emitted = match id % 2 {
                0 => bus.emit_within(user(id), patience),
                _ => publisher.emit_within(user(id), patience),
            };
            assert!(emitted.unwrap().is_complete());
        }
        drop(bus);
        let ids: Vec<u32> = reader.join().unwrap();
        assert!(ids.into_iter().eq(0..100));
    });
}

#[test]
fn handlers_of_the_bus_below_downcast() {
    guarded(|| {
        let bus = TypedBus::new();
        let handlers = Handlers::<AnyPayload>::new();
        let (tell, told) = std::sync::mpsc::channel();
        handlers
            .on(UserCreated::TOPIC)
            .handle(move |event, _ctx| {
                if let Some(UserCreated { id }) = event.payload().downcast_ref() {
                    tell.send(*id)?;
                }
                Ok(Flow::Continue)
            })
            .unwrap();
        let dispatcher = Dispatcher::builder(bus.bus(), &handlers).build().unwrap();
        dispatcher.start().unwrap();
        bus.emit(user(7)).unwrap();
        bus.emit(Shutdown).unwrap();
        bus.bus()
            .emit(UserCreated::TOPIC, AnyPayload::new(8))
            .unwrap();
        dispatcher.stop(Drain::All).unwrap();
        assert!(told.try_iter().eq([7]));
    });
}

#[test]
fn a_typed_topic_is_exact_on_a_flat_bus_too() {
    let below = Bus::builder()
        .syntax(chanbus::Syntax::Flat)
        .build()
        .unwrap();
    let bus = TypedBus::from(below);
    let sub = bus.subscribe::<UserCreated>().unwrap();
    bus.emit(user(7)).unwrap();
    let renamed = UserRenamed {
        id: 7,
        name: "ann".to_owned(),
    };
    assert_eq!(bus.emit(renamed).unwrap().matched, 0);
    assert_eq!(sub.len(), 1);
}

/// What is of no use to the payload's own methods hides none of them.
#[test]
fn an_event_leaves_its_payloads_methods_alone() {
    struct Named;

    impl Named {
        fn topic(&self) -> &'static str {
            "the payload's own"
        }
    }

    typed! { Named => "named" }

    let bus = TypedBus::new();
    let sub = bus.subscribe::<Named>().unwrap();
    bus.emit(Named).unwrap();
    assert_eq!(sub.recv().unwrap().topic(), "the payload's own");
}

#[test]
fn handles_go_from_thread_to_thread_and_can_be_printed() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send + Unpin>(_: &T) {}
    shared::<TypedBus>();
    shared::<AnyPayload>();
    shared::<TypedEvent<Tracked>>();
    shared::<TypedSubscription<Tracked>>();
    let bus = TypedBus::new();
    let publisher: TypedPublisher<Tracked> = bus.publisher().unwrap();
    sent(&publisher);
    let wait: TypedWaitFuture<Tracked> = bus.wait_for_async(|_| true);
    sent(&wait);
    let sub = bus.subscribe::<Tracked>().unwrap();
    sent(&sub.iter());
    sent(&std::pin::pin!(sub.recv_async()));

    let shown: [(&dyn Debug, &str); 7] = [
        (&bus, "TypedBus"),
        (&publisher, "TypedPublisher"),
        (&wait, "TypedWaitFuture"),
        (&sub, "TypedSubscription"),
        (&sub.iter(), "TypedIter"),
        (&bus.subscription::<Tracked>(), "TypedSubscriptionBuilder"),
        (&bus.start_batch(), "TypedBatch"),
    ];
    for (value, name) in shown {
        assert!(format!("{value:?}").starts_with(name));
    }
    assert_eq!(format!("{:?}", AnyPayload::new(7)), "AnyPayload(i32)");
}
