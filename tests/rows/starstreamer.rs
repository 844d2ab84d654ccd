//! StarStreamer's `EventBus`: the rows about events, patterns and the process-wide bus.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chanbus::{
    Bus, Cause, Clock, Event, ManualClock, Pattern, Value, global, global_or_default, set_global,
    take_global,
};

use super::{Done, topics};

/// Which of the topics a bus delivers to a subscription of that pattern.
fn delivered(pattern: &str, emitted: &[&str]) -> Result<Vec<String>, chanbus::Error> {
    let bus = Bus::new();
    let sub = bus.subscribe(pattern)?;
    for topic in emitted {
        bus.emit(topic, ())?;
    }
    Ok(topics(&sub))
}

#[test]
fn s6_a_source_that_was_not_given_reads_unknown() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe_all()?;
    bus.emit("a", 1)?;
    bus.event("a", 2).source("obs").emit()?;
    let (without, with) = (sub.try_recv()?, sub.try_recv()?);
    assert_eq!(Event::<i32>::UNKNOWN_SOURCE, "unknown");
    assert_eq!(
        (without.source(), without.source_or_unknown()),
        (None, "unknown")
    );
    assert_eq!(
        (with.source(), with.source_or_unknown()),
        (Some("obs"), "obs")
    );
    Ok(())
}

struct Alert {
    message: &'static str,
    username: &'static str,
}

/// The documented example of `emit`.
#[test]
fn s8_the_custom_alert_example() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe("custom.*")?;
    let emitted = bus
        .event(
            "custom.alert",
            Alert {
                message: "New follower!",
                username: "viewer123",
            },
        )
        .source("custom")
        .emit()?;
    assert_eq!(emitted.delivered, 1);
    let event = sub.try_recv()?;
    assert_eq!(event.topic(), "custom.alert");
    assert_eq!(event.payload().message, "New follower!");
    assert_eq!(event.payload().username, "viewer123");
    assert_eq!(event.source(), Some("custom"));
    Ok(())
}

#[test]
fn s44_the_global_bus_is_none_until_it_is_set_or_asked_for() {
    // A payload type of its own: no other test sees its bus.
    struct Chat;
    assert!(global::<Chat>().is_none());
    let bus = global_or_default::<Chat>();
    assert!(global::<Chat>().unwrap().same_bus(&bus));
    assert!(global_or_default::<Chat>().same_bus(&bus));

    struct Other;
    assert!(global::<Other>().is_none());
}

/// The documented example of `set_event_bus`, without the container.
#[test]
fn s45_setting_the_global_bus_replaces_it_and_returns_the_old_one() -> Done {
    struct Chat;
    let custom_bus: Bus<Chat> = Bus::builder().name("custom").build()?;
    assert!(set_global(custom_bus.clone()).is_none());
    assert_eq!(global::<Chat>().unwrap().name(), Some("custom"));

    let old = set_global(Bus::<Chat>::new()).unwrap();
    assert!(old.same_bus(&custom_bus));
    assert!(!global::<Chat>().unwrap().same_bus(&custom_bus));

    // The process holds a handle; taken back, the bus closes with its last handle as any other.
    let sub = global::<Chat>().unwrap().subscribe("a")?;
    assert!(!sub.is_closed());
    drop(take_global::<Chat>());
    assert!(sub.is_closed());
    assert!(global::<Chat>().is_none());
    Ok(())
}

#[test]
fn s48_an_event_tells_its_type_by_its_topic() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe("twitch.**")?;
    bus.emit("twitch.chat.message", ())?;
    let event = sub.try_recv()?;
    assert_eq!(event.topic(), "twitch.chat.message");
    assert!(event.topic().starts_with("twitch."));
    assert!(event.topic().segments().eq(["twitch", "chat", "message"]));
    Ok(())
}

#[test]
fn s49_an_events_data_is_its_payload_and_is_not_copied() -> Done {
    // Neither `Clone` nor `Debug`.
    struct Message(&'static str);
    let bus = Bus::new();
    let (one, other) = (bus.subscribe("chat")?, bus.subscribe("chat")?);
    bus.emit("chat", Message("Hello world!"))?;
    let (one, other) = (one.try_recv()?, other.try_recv()?);
    assert_eq!(one.payload().0, "Hello world!");
    assert!(std::ptr::eq(one.payload(), other.payload()));
    Ok(())
}

#[cfg(feature = "json")]
#[test]
fn s50_nested_data_is_read_by_steps_or_by_path() -> Done {
    use chanbus::{Fields, emit};
    use serde_json::json;

    let bus: Bus<Fields> = Bus::new();
    let sub = bus.subscribe("twitch.chat.message")?;
    emit!(
        bus,
        "twitch.chat.message",
        user = json!({"username": "viewer"}),
        message = "Hello world!"
    )?;
    let event = sub.try_recv()?;
    assert_eq!(event["user"]["username"], "viewer");
    assert_eq!(event.payload().get("user.username"), Some(&json!("viewer")));
    assert_eq!(event.payload().get("user.age"), None);
    assert_eq!(event["message"], "Hello world!");
    Ok(())
}

#[test]
fn s51_the_timestamp_is_unix_seconds_as_a_float() -> Done {
    let time = ManualClock::new();
    let bus = Bus::builder().clock(Clock::manual(&time)).build()?;
    let sub = bus.subscribe("a")?;
    time.set(UNIX_EPOCH + Duration::from_millis(1_700_000_000_250));
    bus.emit("a", ())?;
    let event = sub.try_recv()?;
    assert_eq!(event.unix_seconds(), 1_700_000_000.25);
    assert_eq!(
        event.timestamp(),
        UNIX_EPOCH + Duration::from_millis(1_700_000_000_250)
    );

    // It is the time of the emit, not of the receive.
    bus.emit("a", ())?;
    time.advance(Duration::from_secs(60));
    assert_eq!(sub.try_recv()?.unix_seconds(), 1_700_000_000.25);

    // The system's clock, unless told otherwise.
    let bus = Bus::builder().clock(Clock::exact()).build()?;
    let sub = bus.subscribe("a")?;
    let before = SystemTime::now();
    bus.emit("a", ())?;
    let after = SystemTime::now();
    assert!((before..=after).contains(&sub.try_recv()?.timestamp()));
    Ok(())
}

#[test]
fn s52_the_source_says_who_emitted() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe_all()?;
    bus.event("scene.changed", ()).source("obs").emit()?;
    bus.publisher("chat.message")?
        .with_source("twitch")
        .emit(())?;
    assert_eq!(sub.try_recv()?.source(), Some("obs"));
    assert_eq!(sub.try_recv()?.source(), Some("twitch"));
    Ok(())
}

#[test]
fn s53_the_untransformed_original_goes_with_the_event() -> Done {
    #[derive(PartialEq, Debug)]
    struct Raw(Vec<u8>);
    let bus = Bus::new();
    let sub = bus.subscribe("chat")?;
    bus.event("chat", "hello")
        .extension(Raw(b"PRIVMSG #a :hello".to_vec()))
        .emit()?;
    bus.emit("chat", "without")?;
    let event = sub.try_recv()?;
    assert_eq!(
        event.extension::<Raw>(),
        Some(&Raw(b"PRIVMSG #a :hello".to_vec()))
    );
    assert!(event.extension::<String>().is_none());
    assert!(sub.try_recv()?.extension::<Raw>().is_none());
    Ok(())
}

#[test]
fn s54_the_context_is_metadata_and_the_cause() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe("**")?;
    bus.event("twitch.follow", 1)
        .metadata("trace", "a1")
        .emit()?;
    let follow = sub.try_recv()?;
    assert_eq!(follow.metadata("trace"), Some(&Value::from("a1")));
    assert!(follow.cause().is_none());

    // The trigger: what is emitted while an event is handled says which one it was.
    Cause::scope(&follow, || bus.emit("celebration.start", 2))?;
    let celebration = sub.try_recv()?;
    let cause = celebration.cause().unwrap();
    assert_eq!(
        (cause.topic().as_str(), cause.depth()),
        ("twitch.follow", 1)
    );
    Ok(())
}

#[test]
fn s55_a_star_is_a_single_segment() -> Done {
    let emitted = ["twitch.follow", "obs.follow", "twitch"];
    assert_eq!(delivered("twitch.*", &emitted)?, ["twitch.follow"]);
    Ok(())
}

#[test]
fn s56_a_star_is_not_two_segments() -> Done {
    let emitted = ["twitch.follow", "twitch.chat.message"];
    assert_eq!(delivered("twitch.*", &emitted)?, ["twitch.follow"]);
    Ok(())
}

#[test]
fn s57_two_stars_are_multiple_segments() -> Done {
    let emitted = ["twitch.follow", "twitch.chat.message", "obs.scene"];
    assert_eq!(
        delivered("twitch.**", &emitted)?,
        ["twitch.follow", "twitch.chat.message"]
    );
    Ok(())
}

#[test]
fn s58_a_question_mark_is_a_single_character() -> Done {
    let emitted = [
        "twitch.follow",
        "twitch.fallow",
        "twitch.fllow",
        "twitch.foollow",
        "twitch.f.llow",
    ];
    assert_eq!(
        delivered("twitch.f?llow", &emitted)?,
        ["twitch.follow", "twitch.fallow"]
    );
    Ok(())
}

#[test]
fn s59_a_leading_star_is_any_platform() -> Done {
    let emitted = [
        "twitch.chat.message",
        "youtube.chat.message",
        "chat.message",
        "a.b.chat.message",
        "twitch.chat.deleted",
    ];
    assert_eq!(
        delivered("*.chat.message", &emitted)?,
        ["twitch.chat.message", "youtube.chat.message"]
    );
    Ok(())
}

#[test]
fn s60_two_stars_alone_are_everything() -> Done {
    let emitted = ["a", "twitch.follow", "twitch.chat.message.deleted"];
    assert_eq!(delivered("**", &emitted)?, emitted);
    assert!(Pattern::new("**")?.matches_everything());
    Ok(())
}

/// The reference captions `twitch.*` "all Twitch events" against its own table; the table holds.
#[test]
fn s61_all_twitch_events_are_two_stars() -> Done {
    let emitted = ["twitch.follow", "twitch.chat.message", "obs.scene"];
    assert_eq!(delivered("twitch.*", &emitted)?.len(), 1);
    assert_eq!(delivered("twitch.**", &emitted)?.len(), 2);
    Ok(())
}

/// The documented example of the `Event` class, line by line.
#[cfg(feature = "json")]
#[test]
fn s48_the_event_class_example_prints_every_part() -> Done {
    use chanbus::Fields;
    use serde_json::json;

    let time = ManualClock::new();
    time.set(UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    let bus: Bus<Fields> = Bus::builder().clock(Clock::manual(&time)).build()?;
    let sub = bus.subscribe("twitch.chat.message")?;
    let data = Fields::new()
        .with("user", json!({"username": "viewer"}))
        .with("message", "Hello world!");
    bus.event("twitch.chat.message", data)
        .source("twitch")
        .emit()?;

    let event = sub.try_recv()?;
    let lines = [
        format!("Type: {}", event.topic()),
        format!("User: {}", event["user"]["username"]),
        format!("Message: {}", event["message"]),
        format!("Timestamp: {}", event.unix_seconds()),
        format!("Source: {}", event.source_or_unknown()),
    ];
    assert_eq!(
        lines,
        [
            "Type: twitch.chat.message",
            "User: \"viewer\"",
            "Message: \"Hello world!\"",
            "Timestamp: 1700000000",
            "Source: twitch",
        ]
    );
    Ok(())
}
