//! mtaio's events: the rows about channels, topics, and emitters that are made of others.

use chanbus::{
    Bus, Channel, Dispatcher, Drain, Emitted, Event, Handlers, RecvError, Subscription, Topic,
    Typed, TypedBus,
};
use futures_lite::future::{block_on, poll_once};

use super::watch::watched;
use super::{Done, payloads, topics};

/// The documented example, word for word: subscribe, publish, receive.
#[test]
fn m27_a_channel_has_a_type_and_a_name() -> Done {
    let channel = Channel::<&str>::new("notifications")?;
    assert_eq!(channel.name(), "notifications");
    let subscriber = channel.subscribe_all()?;
    channel.publish("Hello subscribers!")?;
    let message = block_on(subscriber.receive_async())?;
    assert_eq!(*message.payload(), "Hello subscribers!");
    assert!(Channel::<&str>::new("no name").is_err());
    Ok(())
}

#[test]
fn m28_a_subscriber_that_names_nothing_gets_everything() -> Done {
    let channel = Channel::new("notifications")?;
    channel.publish(0)?;
    let subscriber = channel.subscribe_all()?;
    channel.publish(1)?;
    channel.publish_to("user.login", 2)?;
    channel.publish_to("disk.sda.full", 3)?;
    assert_eq!(payloads(&subscriber), [1, 2, 3]);
    drop(subscriber);
    assert_eq!(channel.subscriber_count(), 0);
    Ok(())
}

#[test]
fn m29_publish_reaches_all_and_says_how_many() -> Done {
    let channel = Channel::new("notifications")?;
    assert_eq!(channel.publish("to nobody")?.delivered, 0);
    let subscribers = [
        channel.subscribe_all()?,
        channel.subscribe("user.*")?,
        channel.subscribe("notifications")?,
    ];
    let emitted: Emitted = channel.publish("Hello subscribers!")?;
    assert_eq!(emitted.delivered, 3);
    for subscriber in &subscribers {
        // One message, and all have that very one.
        assert_eq!(topics(subscriber), ["notifications"]);
    }
    channel.close();
    let back = channel.publish("too late").unwrap_err();
    assert_eq!(back.into_payload(), "too late");
    Ok(())
}

#[test]
fn m30_receive_waits_for_the_next_message_awaited_or_not() {
    watched(|| -> Done {
        let channel = Channel::new("notifications")?;
        let subscriber = channel.subscribe_all()?;
        block_on(async {
            let mut receive = subscriber.receive_async();
            assert!(poll_once(&mut receive).await.is_none(), "it waits");
            channel.publish("first")?;
            assert_eq!(*receive.await?.payload(), "first");
            Ok::<_, chanbus::Error>(())
        })?;

        let thread = std::thread::spawn(move || -> Result<&str, RecvError> {
            let message = *subscriber.receive()?.payload();
            // And the end, for this one and for the awaited one.
            assert_eq!(subscriber.receive().unwrap_err(), RecvError);
            assert_eq!(block_on(subscriber.receive_async()).unwrap_err(), RecvError);
            Ok(message)
        });
        channel.publish("second")?;
        channel.close();
        assert_eq!(thread.join().unwrap()?, "second");
        Ok(())
    })
    .unwrap();
}

#[test]
fn m31_a_subscriber_is_a_subscription() -> Done {
    let channel = Channel::new("notifications")?;
    let subscriber: Subscription<u32> = channel.subscribe_all()?;
    let colleague = subscriber.share();
    for n in 0..4 {
        channel.publish(n)?;
    }
    channel.close();
    assert_eq!(*subscriber.receive()?.payload(), 0);
    assert_eq!(*colleague.receive()?.payload(), 1);
    let mut rest = Vec::new();
    for message in &subscriber {
        rest.push(*message.payload());
    }
    assert_eq!(rest, [2, 3]);
    assert_eq!((subscriber.received(), subscriber.dropped()), (4, 0));
    Ok(())
}

/// The documented example of topics.
#[test]
fn m32_a_subscriber_to_patterns_gets_the_topics_that_match() -> Done {
    let channel = Channel::new("events")?;
    let subscriber = channel.subscribe(["user.*", "system.*"])?;
    let reached = |topic: &str| channel.publish_to(topic, "x").map(|it| it.delivered);
    assert_eq!(reached("user.login")?, 1);
    assert_eq!(reached("system.boot")?, 1);
    assert_eq!(reached("disk.full")?, 0);
    assert_eq!(reached("user")?, 0);
    assert_eq!(reached("user.login.failed")?, 0, "a star is one segment");
    assert_eq!(topics(&subscriber), ["user.login", "system.boot"]);
    assert!(channel.subscribe(["user.*", "system..*"]).is_err());
    Ok(())
}

#[test]
fn m33_publish_to_a_topic_reaches_its_subscribers_and_publish_reaches_these_too() -> Done {
    let channel = Channel::<String>::new("events")?;
    let users = channel.subscribe(["user.*", "system.*"])?;
    let disks = channel.subscribe("disk.*")?;
    let login = channel.publish_to("user.login", "User logged in".to_owned())?;
    assert_eq!((login.matched, login.delivered), (1, 1));
    assert_eq!(*users.receive()?.payload(), "User logged in");
    assert!(disks.is_empty());

    // Without a topic: to all, those of topics as well.
    let all = channel.publish("Hello".to_owned())?;
    assert_eq!(all.delivered, 2);
    let (one, other) = (users.receive()?, disks.receive()?);
    assert!(one.ptr_eq(&other));
    assert_eq!(
        (one.topic().as_str(), one.payload().as_str()),
        ("events", "Hello")
    );

    let back = channel.publish_to("user.*", "x".to_owned()).unwrap_err();
    assert!(back.is_bad_topic());
    Ok(())
}

/// Error events with the error itself as the payload, whatever its type: by a bus of typed events.
#[test]
fn m37_an_error_can_be_an_event_of_its_own_type() -> Done {
    #[derive(Debug)]
    struct ImportFailed(std::num::ParseIntError);

    impl Typed for ImportFailed {
        const TOPIC: &'static str = "error";
    }

    let bus = TypedBus::new();
    let errors = bus.subscribe::<ImportFailed>()?;
    if let Err(error) = "x".parse::<u32>() {
        bus.emit(ImportFailed(error))?;
    }
    let event = errors.try_recv()?;
    assert!(event.0.to_string().contains("invalid digit"));
    Ok(())
}

/// `ChangeType` is imported by the documents and described nowhere: here a payload says it.
#[test]
fn m14_a_kind_of_change_is_a_payload_of_the_application() -> Done {
    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Change {
        Added(u32),
        Removed(u32),
    }

    let bus = Bus::new();
    let sub = bus.subscribe("rows.changed")?;
    bus.emit("rows.changed", Change::Added(7))?;
    bus.emit("rows.changed", Change::Removed(7))?;
    let kept = sub
        .try_iter()
        .fold(0, |kept, event: Event<Change>| match event.payload() {
            Change::Added(_) => kept + 1,
            Change::Removed(_) => kept - 1,
        });
    assert_eq!(kept, 0);
    assert_eq!(sub.received(), 2);
    Ok(())
}

/// The documented alert: a priority, and a message.
struct Alert {
    priority: &'static str,
    message: &'static str,
}

/// `emitter.filter(..)`, then `@filtered.on("alert")`.
#[test]
fn m17_handlers_hear_of_a_filtered_bus() -> Done {
    let bus = Bus::new();
    let filtered = bus.filtered(|event: &Event<Alert>| event.payload().priority == "high");
    let handlers = Handlers::new();
    let (messages, heard) = std::sync::mpsc::channel();
    handlers.on("alert").call(move |event: &Event<Alert>| {
        let _ = messages.send(event.payload().message);
    })?;
    let dispatcher = Dispatcher::builder(&filtered, &handlers).build()?;
    dispatcher.start()?;
    for (topic, priority, message) in [
        ("alert", "low", "coffee is out"),
        ("alert", "high", "water is rising"),
        ("other", "high", "not asked for"),
    ] {
        bus.emit(topic, Alert { priority, message })?;
    }
    dispatcher.stop(Drain::All)?;
    assert_eq!(heard.try_iter().collect::<Vec<_>>(), ["water is rising"]);
    Ok(())
}

/// `lambda event: event.data.get("priority") == "high"`: the predicate is given the event, data and all.
#[test]
fn m18_a_filter_sees_the_whole_event() -> Done {
    let bus = Bus::new();
    let filtered = bus.filtered(|event: &Event<Alert>| {
        event.payload().priority == "high"
            && event.topic().starts_with("house.")
            && event.source() == Some("sensor")
    });
    let sub = filtered.subscribe("**")?;
    for (topic, source) in [
        ("house.cellar", "sensor"),
        ("garden", "sensor"),
        ("house.roof", "test"),
    ] {
        let alert = Alert {
            priority: "high",
            message: "water",
        };
        bus.event(topic, alert).source(source).emit()?;
    }
    assert_eq!(topics(&sub), ["house.cellar"]);
    Ok(())
}

/// `emitter.map(lambda event: Event(name=.., data={**event.data, "processed": True}))`.
#[test]
fn m19_events_are_transformed_before_they_are_heard_of() -> Done {
    let bus = Bus::new();
    let transformed = bus.mapped(|event: &Event<u32>| event.with_payload((*event.payload(), true)));
    let sub = transformed.subscribe("data_event")?;
    bus.emit("data_event", 7)?;
    assert_eq!(*sub.recv()?.payload(), (7, true));
    // The untouched one is where it was.
    let plain = bus.subscribe("data_event")?;
    bus.emit("data_event", 8)?;
    assert_eq!(payloads(&plain), [8]);
    Ok(())
}

/// `name=event.name`: kept, with all else that the event carries; or changed.
#[test]
fn m20_a_mapping_keeps_the_name() -> Done {
    let bus = Bus::new();
    let same = bus
        .mapped(|event: &Event<u32>| event.map_payload(|n| n + 1))
        .subscribe("**")?;
    let other = Topic::new("renamed")?;
    let renamed = bus
        .mapped(move |event| event.with_topic(other.clone(), ()))
        .subscribe("**")?;
    bus.event("named", 1).source("a").metadata("k", 2).emit()?;
    let (same, renamed) = (same.recv()?, renamed.recv()?);
    assert_eq!(
        (same.topic().as_str(), renamed.topic().as_str()),
        ("named", "renamed")
    );
    assert_eq!(same.timestamp(), renamed.timestamp());
    assert_eq!((same.source(), renamed.source()), (Some("a"), Some("a")));
    assert_eq!(same.metadata("k"), renamed.metadata("k"));
    Ok(())
}

/// "Filter events early": what a predicate leaves out takes no slot of any queue.
#[test]
fn m21_a_filter_comes_before_the_queues() -> Done {
    let bus = Bus::new();
    let important = bus.filtered(|event: &Event<bool>| *event.payload());
    let sub = important.subscription("event").capacity(1).subscribe()?;
    for _ in 0..100 {
        bus.emit("event", false)?;
    }
    bus.emit("event", true)?;
    assert_eq!((sub.matched(), sub.dropped(), sub.len()), (1, 0, 1));
    assert_eq!(important.stats().left_out, 100);
    // So does a filter of one subscription, which counts for itself.
    let picky = bus
        .subscription("event")
        .capacity(1)
        .filter(|event| *event.payload())
        .subscribe()?;
    bus.emit("event", false)?;
    assert_eq!((picky.filtered(), picky.dropped()), (1, 0));
    Ok(())
}
