//! Nothing but its own type reaches a typed subscription, whatever is tried.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use chanbus::{AnyPayload, Bus, Event, Overflow, Typed, TypedBus, TypedEvent, TypedSubscription};
use futures_lite::future::{block_on, poll_once};

use super::common::{POLICIES, guarded};
use super::{Impostor, Shutdown, UserCreated, UserRenamed};

const TOPIC: &str = UserCreated::TOPIC;

fn ids(sub: &TypedSubscription<UserCreated>) -> Vec<u32> {
    sub.try_iter().map(|event| event.id).collect()
}

#[test]
fn each_type_reaches_its_own_subscribers_and_a_wildcard_sees_all() {
    let bus = TypedBus::new();
    let created = bus.subscribe::<UserCreated>().unwrap();
    let renamed = bus.subscribe::<UserRenamed>().unwrap();
    let audit = bus.bus().subscribe("user.**").unwrap();
    let name = String::from("ann");
    assert_eq!(bus.emit(UserCreated { id: 7 }).unwrap().delivered, 2);
    assert_eq!(bus.emit(UserRenamed { id: 7, name }).unwrap().delivered, 2);
    assert_eq!(bus.emit(Shutdown).unwrap().matched, 0);

    assert_eq!(ids(&created), [7]);
    let event = renamed.try_recv().unwrap();
    assert_eq!((event.id, event.name.as_str()), (7, "ann"));
    assert!(renamed.try_recv().is_err());
    // Other topics do not even match.
    assert_eq!((created.filtered(), renamed.filtered()), (0, 0));

    let seen: Vec<String> = audit
        .try_iter()
        .map(|event| {
            let payload = event.payload();
            match (payload.downcast_ref(), payload.downcast_ref()) {
                (Some(UserCreated { id }), None) => format!("created {id}"),
                (None, Some(UserRenamed { name, .. })) => format!("renamed {name}"),
                other => panic!("{other:?}"),
            }
        })
        .collect();
    assert_eq!(seen, ["created 7", "renamed ann"]);
}

#[test]
fn no_way_to_emit_brings_a_wrong_type_in() {
    let bus = TypedBus::over(Bus::builder().history(100).build().unwrap());
    let sub = bus.subscribe::<UserCreated>().unwrap();
    let below = bus.bus();
    let wrong = || AnyPayload::new("wrong");
    let mut filtered = 0;
    let mut refused = |emitted: chanbus::Emitted| {
        filtered += emitted.filtered as u64;
        assert_eq!((emitted.delivered, emitted.filtered), (0, emitted.matched));
        assert!(emitted.matched >= 1);
    };

    refused(below.emit(TOPIC, wrong()).unwrap());
    refused(below.event(TOPIC, wrong()).source("x").emit().unwrap());
    refused(below.emit_within(TOPIC, wrong(), Duration::ZERO).unwrap());
    refused(
        below
            .emit_event(Event::new(TOPIC, wrong()).unwrap())
            .unwrap(),
    );
    refused(below.broadcast(TOPIC, wrong()).unwrap());
    refused(below.broadcast("elsewhere", wrong()).unwrap());
    let publisher = below.publisher(TOPIC).unwrap();
    refused(publisher.emit(wrong()).unwrap());
    refused(publisher.emit_batch([wrong(), wrong()]).unwrap());
    refused(publisher.emit_within(wrong(), Duration::ZERO).unwrap());
    let by_type = bus.publisher::<UserCreated>().unwrap();
    refused(by_type.as_publisher().emit(wrong()).unwrap());
    let mut batch = bus.start_batch();
    batch.as_batch_mut().emit(TOPIC, wrong()).unwrap();
    batch.emit(Impostor(1)).unwrap();
    refused(batch.commit().unwrap());
    refused(bus.emit(Impostor(2)).unwrap());
    // What comes near it: the type in a box, a handle of it, a reference.
    let near = UserCreated { id: 1 };
    refused(
        below
            .emit(TOPIC, AnyPayload::new(Box::new(near.clone())))
            .unwrap(),
    );
    refused(
        below
            .emit(TOPIC, AnyPayload::new(Arc::new(near.clone())))
            .unwrap(),
    );
    refused(
        below
            .emit(TOPIC, AnyPayload::new(Some(near.clone())))
            .unwrap(),
    );
    refused(
        below
            .emit(TOPIC, AnyPayload::new(AnyPayload::new(near)))
            .unwrap(),
    );

    assert!(sub.try_recv().is_err());
    assert_eq!((sub.filtered(), sub.received()), (filtered, 0));
    assert_eq!(sub.as_subscription().matched(), filtered);

    // Nor does the past.
    bus.emit(UserCreated { id: 7 }).unwrap();
    assert_eq!(bus.emit(Impostor(3)).unwrap().filtered, 1);
    let late = bus.subscription::<UserCreated>().replay(100).subscribe();
    assert_eq!(ids(&late.unwrap()), [7]);
    assert_eq!(ids(&sub), [7]);
}

#[test]
fn two_types_on_one_topic_each_get_their_own() {
    let bus = TypedBus::new();
    let created = bus.subscribe::<UserCreated>().unwrap();
    let impostors = bus.subscribe::<Impostor>().unwrap();
    for n in 0..10 {
        let emitted = match n % 2 {
            0 => bus.emit(UserCreated { id: n }).unwrap(),
            _ => bus.emit(Impostor(n)).unwrap(),
        };
        assert_eq!((emitted.delivered, emitted.filtered), (1, 1));
    }
    assert_eq!(ids(&created), [0, 2, 4, 6, 8]);
    let odd: Vec<u32> = impostors.try_iter().map(|event| event.0).collect();
    assert_eq!(odd, [1, 3, 5, 7, 9]);
    assert_eq!((created.filtered(), impostors.filtered()), (5, 5));
}

#[test]
fn a_wrong_type_neither_replaces_nor_pushes_out_a_right_one() {
    for policy in POLICIES {
        let bus = TypedBus::new();
        let sub = bus
            .subscription::<UserCreated>()
            .capacity(1)
            .overflow(policy)
            .subscribe()
            .unwrap();
        bus.emit(UserCreated { id: 7 }).unwrap();
        for _ in 0..3 {
            let emitted = bus.emit(Impostor(1)).unwrap();
            assert_eq!(
                (emitted.filtered, emitted.evicted, emitted.dropped),
                (1, 0, 0)
            );
        }
        assert_eq!(ids(&sub), [7], "{policy:?}");
        assert_eq!((sub.dropped(), sub.missed(), sub.filtered()), (0, 0, 3));
    }
}

#[test]
fn no_way_to_receive_yields_a_wrong_type() {
    guarded(|| {
        let bus = TypedBus::new();
        let sub = bus.subscribe::<UserCreated>().unwrap();
        let both = |id| {
            bus.emit(Impostor(id)).unwrap();
            bus.emit(UserCreated { id }).unwrap();
            bus.emit(Impostor(id)).unwrap();
        };
        let second = Duration::from_secs(1);
        both(1);
        assert_eq!(sub.recv().unwrap().id, 1);
        both(2);
        assert_eq!(sub.try_recv().unwrap().id, 2);
        assert!(sub.try_recv().unwrap_err().is_empty());
        both(3);
        assert_eq!(sub.recv_timeout(second).unwrap().id, 3);
        assert!(sub.recv_timeout(Duration::ZERO).unwrap_err().is_timeout());
        both(4);
        assert_eq!(block_on(sub.recv_async()).unwrap().id, 4);
        assert!(block_on(poll_once(sub.recv_async())).is_none());
        both(5);
        both(6);
        let mut buffer = Vec::new();
        assert_eq!(sub.recv_batch(&mut buffer, 10).unwrap(), 2);
        assert_eq!(sub.recv_batch(&mut buffer, 0).unwrap(), 0);
        assert!(buffer.iter().map(|event| event.id).eq([5, 6]));
        both(7);
        bus.close();
        assert!((&sub).into_iter().map(|event| event.id).eq([7]));
        assert_eq!(sub.into_iter().count(), 0);
    });
}

#[cfg(feature = "stream")]
#[test]
fn a_stream_yields_no_wrong_type_and_ends() {
    use futures_core::stream::FusedStream;
    use futures_lite::StreamExt;

    let bus = TypedBus::new();
    let mut stream = bus.subscribe::<UserCreated>().unwrap().into_stream();
    assert!(block_on(poll_once(stream.next())).is_none());
    for id in 0..3 {
        bus.emit(Impostor(id)).unwrap();
        bus.emit(UserCreated { id }).unwrap();
    }
    assert_eq!(block_on(stream.next()).unwrap().id, 0);
    let sub = stream.into_subscription();
    assert_eq!(sub.recv().unwrap().id, 1);
    bus.close();
    let mut stream = sub.into_stream();
    assert_eq!(stream.as_stream().subscription().filtered(), 3);
    assert_eq!(block_on(StreamExt::next(&mut stream)).unwrap().id, 2);
    assert!(!stream.is_terminated());
    assert!(block_on(stream.next()).is_none());
    assert!(stream.is_terminated());
    assert!(block_on(stream.next()).is_none());
}

#[test]
fn other_patterns_set_below_bring_other_topics_and_no_other_type() {
    let bus = TypedBus::new();
    let sub = bus.subscribe::<UserCreated>().unwrap();
    sub.as_subscription().set_patterns("**").unwrap();
    bus.emit(Shutdown).unwrap();
    bus.bus()
        .emit("elsewhere", AnyPayload::new(UserCreated { id: 8 }))
        .unwrap();
    let event = sub.try_recv().unwrap();
    assert_eq!(
        (event.id, event.as_event().topic().as_str()),
        (8, "elsewhere")
    );
    assert!(sub.try_recv().is_err());
    assert_eq!(sub.filtered(), 1);
}

#[test]
fn a_broadcast_reaches_the_subscribers_of_its_type_only() {
    let bus = TypedBus::new();
    let created = bus.subscribe::<UserCreated>().unwrap();
    let shutdown = bus.subscribe::<Shutdown>().unwrap();
    let emitted = bus
        .bus()
        .broadcast("now", AnyPayload::new(Shutdown))
        .unwrap();
    assert_eq!((emitted.delivered, emitted.filtered), (1, 1));
    assert!(created.try_recv().is_err());
    assert_eq!(shutdown.try_recv().unwrap().as_event().topic(), "now");
}

#[test]
fn filters_and_taps_and_waits_see_no_wrong_type() {
    guarded(|| {
        // Who is handed a wrong type unawares would panic.
        let (report, reported) = channel();
        let below = Bus::builder().on_panic(move |panic| report.send(panic.place()).unwrap());
        let bus = TypedBus::over(below.build().unwrap());
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let even = bus
            .subscription::<UserCreated>()
            .filter(move |event| {
                count.fetch_add(1, Ordering::SeqCst);
                event.id % 2 == 0
            })
            .filter(|event| event.id < 10)
            .subscribe()
            .unwrap();
        let (tell, told) = channel();
        let tap = bus
            .tap::<UserCreated>(move |event| tell.send(event.id).unwrap())
            .unwrap();
        let awaited = bus.wait_for_async::<UserCreated>(|event| event.id > 3);
        let waiting = bus.clone();
        let waiter = thread::spawn(move || {
            let found = waiting.wait_for::<UserCreated>(Duration::from_secs(30), |it| it.id == 4);
            found.map(|event| event.id)
        });
        // Until it waits, too.
        while bus.subscriber_count() < 3 {
            thread::yield_now();
        }
        for id in 0..5 {
            bus.emit(Impostor(id)).unwrap();
            bus.bus()
                .broadcast("x", AnyPayload::new(Impostor(id)))
                .unwrap();
            bus.emit(UserCreated { id }).unwrap();
        }
        bus.emit(UserCreated { id: 12 }).unwrap();
        drop(tap);
        bus.emit(UserCreated { id: 14 }).unwrap();

        assert_eq!(ids(&even), [0, 2, 4]);
        assert_eq!(asked.load(Ordering::SeqCst), 7);
        assert_eq!(even.filtered(), 10 + 4);
        assert!(told.try_iter().eq([0, 1, 2, 3, 4, 12]));
        assert_eq!(block_on(awaited).unwrap().id, 4);
        assert_eq!(waiter.join().unwrap(), Ok(4));
        assert!(reported.try_recv().is_err());
    });
}

#[test]
fn an_event_of_another_type_is_refused_and_comes_back() {
    let event = Event::new(TOPIC, AnyPayload::new(Impostor(7))).unwrap();
    let back = TypedEvent::<UserCreated>::try_from(event.clone()).unwrap_err();
    assert!(back.ptr_eq(&event));
    let impostor = TypedEvent::<Impostor>::try_from(back).unwrap();
    assert_eq!(*impostor, Impostor(7));
    assert_eq!(impostor.payload(), &Impostor(7));
    // The other handle is in `event`.
    let impostor = impostor.try_into_payload().unwrap_err();
    drop(event);
    assert_eq!(impostor.try_into_payload().unwrap(), Impostor(7));
}

#[test]
fn overflow_and_order_are_those_of_the_right_type_while_others_race() {
    guarded(|| {
        const EVENTS: u32 = 2_000;
        let bus = TypedBus::over(Bus::builder().capacity(EVENTS as usize).build().unwrap());
        let sub = bus.subscribe::<UserCreated>().unwrap();
        let lossy = bus
            .subscription::<UserCreated>()
            .capacity(3)
            .overflow(Overflow::DropOldest)
            .subscribe()
            .unwrap();
        let threads: Vec<_> = (0..2)
            .map(|which| {
                let bus = bus.clone();
                thread::spawn(move || {
                    for id in 0..EVENTS {
                        match which {
                            0 => bus.emit(UserCreated { id }).map(drop).unwrap(),
                            _ => bus.emit(Impostor(id)).map(drop).unwrap(),
                        }
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(ids(&sub).into_iter().eq(0..EVENTS));
        assert_eq!(ids(&lossy), [EVENTS - 3, EVENTS - 2, EVENTS - 1]);
        for sub in [&sub, &lossy] {
            assert_eq!(sub.filtered(), u64::from(EVENTS));
            assert_eq!(sub.received() + sub.dropped(), u64::from(EVENTS));
        }
    });
}
