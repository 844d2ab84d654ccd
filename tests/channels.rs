//! What a `Channel` promises: to all, to a topic, how many it reached, and its end.
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll, Waker};
use std::thread;

use chanbus::{
    Bus, Channel, DEFAULT_CAPACITY, DEFAULT_MAX_SUBSCRIBERS, Dispatcher, Drain, EmitError,
    Handlers, Overflow, SubscribeError, Subscription, Syntax, TextErrorKind, TryRecvError,
};
use common::{Census, guarded};
use futures_lite::future::block_on;

/// What waits, as topics and messages.
fn waiting<T: Copy + Send + Sync + 'static>(sub: &Subscription<T>) -> Vec<(String, T)> {
    sub.try_iter()
        .map(|event| (event.topic().to_string(), *event.payload()))
        .collect()
}

#[test]
fn publish_reaches_everybody_whatever_their_patterns_on_the_channels_name() {
    let channel = Channel::new("notifications").unwrap();
    let everything = channel.subscribe_all().unwrap();
    let users = channel.subscribe(["user.*", "system.*"]).unwrap();
    let nobody = channel.subscribe("a.topic.nobody.uses").unwrap();
    let itself = channel.subscribe("notifications").unwrap();

    let emitted = channel.publish(7).unwrap();
    assert_eq!((emitted.matched, emitted.delivered), (4, 4));
    for sub in [&everything, &users, &nobody, &itself] {
        // Once, also where a pattern matches the name.
        assert_eq!(waiting(sub), [("notifications".to_owned(), 7)]);
    }
}

#[test]
fn publish_to_reaches_those_whose_patterns_match_and_no_one_else() {
    let channel = Channel::new("events").unwrap();
    let subs = [
        "user.*",
        "user.**",
        "*.login",
        "user",
        "**",
        "user.l?gin",
        "USER.*",
    ]
    .map(|pattern| channel.subscribe(pattern).unwrap());
    let reached = |topic: &str| {
        let emitted = channel.publish_to(topic, 1).unwrap();
        let counts = subs.each_ref().map(|sub| waiting(sub).len());
        assert_eq!(emitted.delivered, counts.iter().sum::<usize>());
        counts
    };
    assert_eq!(reached("user.login"), [1, 1, 1, 0, 1, 1, 0]);
    // A star is one segment.
    assert_eq!(reached("user.login.twice"), [0, 1, 0, 0, 1, 0, 0]);
    assert_eq!(reached("user"), [0, 1, 0, 1, 1, 0, 0]);
    assert_eq!(reached("system.login"), [0, 0, 1, 0, 1, 0, 0]);
    // The channel's name is a topic like any other here.
    assert_eq!(reached("events"), [0, 0, 0, 0, 1, 0, 0]);
}

#[test]
fn a_channel_over_a_flat_bus_has_its_patterns() {
    let bus = Bus::builder().syntax(Syntax::Flat).build().unwrap();
    let channel = Channel::over("events", bus).unwrap();
    let users = channel.subscribe("user.*").unwrap();
    assert_eq!(
        channel.publish_to("user.login.twice", 1).unwrap().delivered,
        1
    );
    assert_eq!(waiting(&users).len(), 1);
}

#[test]
fn the_count_of_receivers_tells_apart_who_has_it_who_was_full_and_who_said_no() {
    let channel = Channel::new("events").unwrap();
    let roomy = channel.subscribe_all().unwrap();
    let full = channel.subscription("a").capacity(1).subscribe().unwrap();
    let picky = channel
        .subscription("b")
        .filter(|message| *message.payload() > 1)
        .subscribe()
        .unwrap();

    let first = channel.publish(1).unwrap();
    assert_eq!((first.delivered, first.filtered, first.dropped), (2, 1, 0));
    let second = channel.publish(2).unwrap();
    assert_eq!(
        (second.delivered, second.filtered, second.dropped),
        (2, 0, 1)
    );
    assert!(!second.is_complete());
    assert_eq!((roomy.len(), full.len(), picky.len()), (2, 1, 1));
    assert_eq!(full.missed(), 1);

    drop((roomy, full, picky));
    assert_eq!(channel.publish(3).unwrap().delivered, 0, "no error either");
}

#[test]
fn a_name_that_is_no_topic_is_a_typed_error() {
    let kinds = [
        ("", TextErrorKind::Empty),
        ("my events", TextErrorKind::Whitespace(' ')),
        ("events.*", TextErrorKind::Wildcard('*')),
        ("a..b", TextErrorKind::EmptySegment),
    ];
    for (name, kind) in kinds {
        let error = Channel::<u32>::new(name).unwrap_err();
        assert_eq!((error.topic(), error.kind()), (name, kind));
        assert_eq!(error.type_name(), None);
        let bus: Bus<u32> = Bus::new();
        assert_eq!(Channel::over(name, bus.clone()).unwrap_err(), error);
        assert!(!bus.is_closed(), "a refused name closes no bus");
    }
    let channel = Channel::new("progetto.è.vivo").unwrap();
    let back = channel.publish_to("a b", 7).unwrap_err();
    assert!(back.is_bad_topic());
    assert_eq!(back.into_payload(), 7);
}

#[test]
fn a_channel_has_the_defaults_of_a_bus_or_those_it_is_given() {
    let channel: Channel<u32> = Channel::new("events").unwrap();
    assert_eq!(
        (channel.name().as_str(), channel.bus().name()),
        ("events", Some("events"))
    );
    let subs: Vec<_> = (0..DEFAULT_MAX_SUBSCRIBERS)
        .map(|_| channel.subscribe_all().unwrap())
        .collect();
    assert_eq!(subs[0].capacity(), DEFAULT_CAPACITY);
    assert_eq!(channel.subscriber_count(), DEFAULT_MAX_SUBSCRIBERS);
    let limit = DEFAULT_MAX_SUBSCRIBERS;
    let refused = channel.subscribe("user.*").unwrap_err();
    assert_eq!(refused, SubscribeError::LimitReached { limit });
    drop(subs);
    assert_eq!(channel.subscriber_count(), 0);
    assert!(channel.subscribe("user.*").is_ok());

    let bus = Bus::builder();
    let bus = bus
        .max_subscribers(100)
        .capacity(2)
        .overflow(Overflow::DropOldest);
    let channel = Channel::over("events", bus.build().unwrap()).unwrap();
    let subs: Vec<_> = (0..100).map(|_| channel.subscribe("a").unwrap()).collect();
    for n in 0..3 {
        assert_eq!(channel.publish(n).unwrap().delivered, 100);
    }
    assert!(
        subs.iter()
            .all(|sub| waiting(sub).iter().map(|it| it.1).eq([1, 2]))
    );
}

#[test]
fn bad_patterns_are_errors() {
    let channel: Channel<u32> = Channel::new("events").unwrap();
    let nothing: [&str; 0] = [];
    assert_eq!(
        channel.subscribe(nothing).unwrap_err(),
        SubscribeError::NoPatterns
    );
    assert!(
        channel
            .subscribe("user.[ab]")
            .unwrap_err()
            .is_bad_patterns()
    );
    assert_eq!(channel.subscriber_count(), 0);
}

#[test]
fn p8_close_drains_and_hands_later_messages_back() {
    guarded(|| {
        let channel = Channel::new("events").unwrap();
        let sub = channel.subscribe("user.*").unwrap();
        let worker = sub.share();
        for n in 0..3 {
            channel.publish(n).unwrap();
        }
        assert!(channel.close());
        assert!(!channel.close());
        assert!(channel.is_closed() && channel.bus().is_closed());
        assert!(matches!(channel.publish(3), Err(EmitError::Closed(3))));
        assert!(matches!(
            channel.publish_to("user.a", 4),
            Err(EmitError::Closed(4))
        ));
        assert_eq!(channel.subscribe_all().unwrap_err(), SubscribeError::Closed);

        assert_eq!(*sub.receive().unwrap().payload(), 0);
        assert_eq!(*block_on(worker.receive_async()).unwrap().payload(), 1);
        assert_eq!(*sub.receive().unwrap().payload(), 2);
        for sub in [&sub, &worker] {
            assert!(sub.receive().is_err());
            assert!(block_on(sub.receive_async()).is_err());
            assert_eq!(sub.try_recv().unwrap_err(), TryRecvError::Closed);
        }
    });
}

#[test]
fn the_last_handle_closes_it_be_it_a_channel_or_the_bus() {
    guarded(|| {
        let channel = Channel::new("events").unwrap();
        let other = channel.clone();
        let sub = channel.subscribe_all().unwrap();
        let bus = other.bus().clone();
        drop(channel);
        other.publish(1).unwrap();
        drop(other);
        assert!(!sub.is_closed());
        bus.emit("a", 2).unwrap();
        drop(bus);
        assert!(sub.is_closed());
        let rest: Vec<i32> = sub.into_iter().map(|event| *event.payload()).collect();
        assert_eq!(rest, [1, 2]);
    });
}

#[test]
fn a_receiver_that_sleeps_wakes_for_a_message_and_for_the_end() {
    guarded(|| {
        let channel = Channel::new("events").unwrap();
        let sub = channel.subscribe("user.*").unwrap();
        let (tell, told) = mpsc::channel();
        let reader = thread::spawn(move || {
            while let Ok(message) = sub.receive() {
                tell.send(*message.payload()).unwrap();
            }
        });
        // The next is published when the reader has the last, so it is asleep, or about to be.
        for n in 0..10 {
            channel.publish(n).unwrap();
            assert_eq!(told.recv(), Ok(n));
        }
        drop(channel);
        reader.join().unwrap();
    });
}

#[test]
fn p14_a_receive_that_is_given_up_loses_nothing() {
    let channel = Channel::new("events").unwrap();
    let sub = channel.subscribe_all().unwrap();
    let mut context = Context::from_waker(Waker::noop());
    {
        let mut receive = pin!(sub.receive_async());
        assert!(receive.as_mut().poll(&mut context).is_pending());
        channel.publish(7).unwrap();
    }
    let mut again = pin!(sub.receive_async());
    match again.as_mut().poll(&mut context) {
        Poll::Ready(Ok(message)) => assert_eq!(*message.payload(), 7),
        other => panic!("{other:?}"),
    }
}

#[test]
fn p9_a_subscriber_that_is_dropped_leaves_and_frees_its_messages() {
    let census = Census::new();
    let channel = Channel::new("events").unwrap();
    let sub = channel.subscribe("user.*").unwrap();
    let stays = channel.subscription("b").capacity(1).subscribe().unwrap();
    channel.publish(census.born()).unwrap();
    channel.publish(census.born()).unwrap();
    assert_eq!(census.alive(), 2);
    drop(sub);
    assert_eq!((census.alive(), channel.subscriber_count()), (1, 1));
    drop(channel);
    assert_eq!(census.alive(), 1, "what waits is kept for its receiver");
    assert!(stays.receive().is_ok());
    assert_eq!(census.alive(), 0);
}

#[test]
fn sharers_compete_and_subscribers_do_not() {
    guarded(|| {
        const MESSAGES: u32 = 1_000;
        let bus = Bus::builder().capacity(MESSAGES as usize).build().unwrap();
        let channel = Channel::over("jobs", bus).unwrap();
        let jobs = channel.subscribe("job.*").unwrap();
        let audit = channel.subscribe_all().unwrap();
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let jobs = jobs.share();
                thread::spawn(move || -> Vec<u32> {
                    jobs.iter().map(|event| *event.payload()).collect()
                })
            })
            .collect();
        drop(jobs);
        for n in 0..MESSAGES {
            let emitted = match n % 2 {
                0 => channel.publish(n),
                _ => channel.publish_to("job.odd", n),
            };
            assert_eq!(emitted.unwrap().delivered, 2);
        }
        drop(channel);
        let mut done = Vec::new();
        for worker in workers {
            let own = worker.join().unwrap();
            assert!(own.is_sorted());
            done.extend(own);
        }
        assert_eq!(done.len(), MESSAGES as usize);
        assert!(BTreeSet::from_iter(done).into_iter().eq(0..MESSAGES));
        assert!(audit.iter().map(|event| *event.payload()).eq(0..MESSAGES));
    });
}

#[test]
fn channels_over_one_bus_share_its_subscribers() {
    let bus = Bus::new();
    let news = Channel::over("news", bus.clone()).unwrap();
    let alarms = Channel::over("alarms", bus.clone()).unwrap();
    let reader = news.subscribe("news.**").unwrap();
    alarms.publish(1).unwrap();
    news.publish(2).unwrap();
    alarms.publish_to("alarms.fire", 3).unwrap();
    bus.emit("news.local", 4).unwrap();
    let topics: Vec<String> = waiting(&reader).into_iter().map(|it| it.0).collect();
    assert_eq!(topics, ["alarms", "news", "news.local"]);
    alarms.close();
    assert!(news.is_closed());
}

#[test]
fn handlers_and_batches_go_by_the_bus_below() {
    guarded(|| {
        let channel = Channel::new("events").unwrap();
        let handlers = Handlers::new();
        let (tell, told) = mpsc::channel();
        handlers
            .on("user.*")
            .call(move |event| tell.send(*event.payload()).unwrap())
            .unwrap();
        let dispatcher = Dispatcher::builder(channel.bus(), &handlers)
            .build()
            .unwrap();
        dispatcher.start().unwrap();
        channel.publish_to("user.login", 1).unwrap();
        let mut batch = channel.bus().start_batch();
        batch.emit("user.login", 2).unwrap();
        batch.emit("user.logout", 3).unwrap();
        batch.commit().unwrap();
        dispatcher.stop(Drain::All).unwrap();
        assert!(told.try_iter().eq([1, 2, 3]));
    });
}

#[cfg(feature = "stream")]
#[test]
fn a_subscriber_can_become_a_stream() {
    guarded(|| {
        let channel = Channel::new("events").unwrap();
        let mut messages = channel.subscribe("user.*").unwrap().into_stream();
        channel.publish(1).unwrap();
        channel.publish_to("user.login", 2).unwrap();
        drop(channel);
        block_on(async {
            assert_eq!(*messages.next().await.unwrap().payload(), 1);
            assert_eq!(*messages.next().await.unwrap().payload(), 2);
            assert!(messages.next().await.is_none());
        });
    });
}

#[test]
fn channels_are_printed_without_their_messages() {
    let channel: Channel<Census> = Channel::new("events").unwrap();
    let _sub = channel.subscribe_all().unwrap();
    let shown = format!("{channel:?}");
    assert_eq!(
        shown,
        "Channel { name: \"events\", closed: false, subscribers: 1, .. }"
    );
}
