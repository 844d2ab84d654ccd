//! mtaio's events: the rows about the event itself and about errors.

use std::time::Duration;

use chanbus::{BatchError, Bus, EmitError, Error, Event, Pattern, SubscribeError, Topic, Value};

use super::Done;

#[test]
fn m12_metadata_are_named_values_and_objects_go_as_extensions() -> Done {
    struct Session {
        user: &'static str,
    }

    let bus = Bus::new();
    let sub = bus.subscribe("user_login")?;
    bus.event("user_login", "John")
        .metadata("attempt", 2)
        .metadata("trusted", true)
        .metadata_all([("load", 0.5), ("limit", 1.5)])
        .metadata("agent", "curl")
        .metadata("attempt", 3)
        .extension(Session { user: "John" })
        .emit()?;
    bus.emit("user_login", "Jane")?;

    let event = sub.try_recv()?;
    assert_eq!(event.metadata("attempt"), Some(&Value::Int(3)));
    assert_eq!(
        event.metadata("trusted").and_then(Value::as_bool),
        Some(true)
    );
    assert_eq!(event.metadata("load").and_then(Value::as_f64), Some(0.5));
    assert_eq!(
        event.metadata("agent").and_then(Value::as_str),
        Some("curl")
    );
    assert_eq!(event.metadata("other"), None);
    let names: Vec<&str> = event.metadata_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["attempt", "trusted", "load", "limit", "agent"]);
    assert_eq!(event.extension::<Session>().map(|it| it.user), Some("John"));

    // The default is none at all.
    assert_eq!(sub.try_recv()?.metadata_iter().count(), 0);
    Ok(())
}

#[test]
fn m13_an_event_can_be_made_and_mapped_and_keeps_the_rest() -> Done {
    #[derive(Debug, PartialEq)]
    struct Data {
        id: u32,
        processed: bool,
    }

    let plain = Event::new("data_event", 7)?;
    assert_eq!(
        (plain.topic().as_str(), *plain.payload()),
        ("data_event", 7)
    );
    assert!(Event::new("data event", 7).is_err());

    let event = Event::draft(
        "data_event",
        Data {
            id: 7,
            processed: false,
        },
    )
    .source("import")
    .metadata("trace", 1)
    .build()?;
    // The documented example: the same name, the data with one field changed.
    let mapped = event.map_payload(|data| Data {
        processed: true,
        ..*data
    });
    assert_eq!(
        *mapped.payload(),
        Data {
            id: 7,
            processed: true
        }
    );
    let other = event.with_payload("another type");
    for (topic, source, trace, time) in [
        (
            mapped.topic(),
            mapped.source(),
            mapped.metadata("trace"),
            mapped.timestamp(),
        ),
        (
            other.topic(),
            other.source(),
            other.metadata("trace"),
            other.timestamp(),
        ),
    ] {
        assert_eq!(topic, "data_event");
        assert_eq!(source, Some("import"));
        assert_eq!(trace, Some(&Value::Int(1)));
        assert_eq!(time, event.timestamp());
    }
    assert!(!event.payload().processed);

    // What was made by hand can be emitted, as it is.
    let bus = Bus::new();
    let sub = bus.subscribe("data_event")?;
    bus.emit_event(mapped.clone())?;
    assert!(sub.try_recv()?.ptr_eq(&mapped));
    Ok(())
}

#[test]
fn m34_one_base_error_takes_every_error_of_the_crate() -> Done {
    fn base(result: Result<(), impl Into<Error>>) -> Error {
        result.err().map(Into::into).unwrap()
    }
    let bus: Bus<u32> = Bus::builder().max_subscribers(1).build()?;
    let sub = bus.subscribe("a")?;
    let soon = Duration::from_millis(1);
    let nothing: [&str; 0] = [];

    let topic = base(Topic::new("a..b").map(drop));
    assert!(matches!(topic, Error::Topic(_)));
    assert!(matches!(
        base(Pattern::new("[a]").map(drop)),
        Error::Pattern(_)
    ));
    let build = Bus::<u32>::builder().capacity(0).build();
    assert!(matches!(base(build.map(drop)), Error::Build(_)));
    assert!(matches!(
        base(bus.subscribe("b").map(drop)),
        Error::Subscribe(SubscribeError::LimitReached { limit: 1 })
    ));
    assert!(matches!(
        base(bus.subscribe(nothing).map(drop)),
        Error::Subscribe(SubscribeError::NoPatterns)
    ));
    assert!(matches!(
        base(bus.emit("a..b", 1).map(drop)),
        Error::Topic(_)
    ));
    let refused = bus.batch(|_| Err::<(), _>(BatchError::Refused("no")));
    assert!(matches!(base(refused.map(drop)), Error::Batch(reason) if &*reason == "no"));
    assert!(matches!(base(sub.try_recv().map(drop)), Error::TryRecv(_)));
    assert!(matches!(
        base(sub.recv_timeout(soon).map(drop)),
        Error::RecvTimeout(_)
    ));
    assert!(matches!(
        base(bus.wait_for("a", soon, |_| true).map(drop)),
        Error::Wait(_)
    ));
    bus.close();
    assert!(matches!(base(bus.emit("a", 1).map(drop)), Error::Closed));
    assert!(matches!(base(sub.recv().map(drop)), Error::Recv(_)));

    // It says what the operation's own error says, and is an error for `Box<dyn Error>`, too.
    assert_eq!(
        topic.to_string(),
        Topic::new("a..b").unwrap_err().to_string()
    );
    let boxed: Box<dyn std::error::Error + Send + Sync> = topic.into();
    assert!(boxed.source().is_none());
    Ok(())
}

/// The documented example of errors: an emission error is told apart, and nothing is lost.
#[test]
fn m34_an_emission_error_can_be_matched() -> Done {
    let bus = Bus::new();
    bus.emit("event", "data")?;
    bus.close();
    let back = match bus.emit("event", "data") {
        Err(EmitError::Closed(payload)) => payload,
        other => panic!("{other:?}"),
    };
    assert_eq!(back, "data");
    Ok(())
}
