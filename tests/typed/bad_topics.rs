//! A type whose topic is none: a typed error everywhere, which names the type, and never a panic.

use std::time::Duration;

use chanbus::{
    AnyPayload, BatchError, EmitError, Error, SubscribeError, TextErrorKind, TopicError, Typed,
    TypedBus, WaitError,
};
use futures_lite::future::block_on;

use super::typed;

#[derive(Debug, PartialEq)]
struct Spaced(u32);
#[derive(Debug, PartialEq)]
struct Empty(u32);
/// A fine pattern, and no topic.
#[derive(Debug, PartialEq)]
struct Wild(u32);

typed! {
    Spaced => "user created",
    Empty => "",
    Wild => "user.*",
}

/// Every way in, tried with a type whose topic is none.
fn is_refused_everywhere<E: Typed + std::fmt::Debug + PartialEq>(
    make: fn(u32) -> E,
    kind: TextErrorKind,
) {
    let check = |error: &TopicError| {
        assert_eq!((error.topic(), error.kind()), (E::TOPIC, kind));
        let name = error.type_name().unwrap();
        assert_eq!(name, std::any::type_name::<E>());
        let text = error.to_string();
        assert!(
            text.contains(name) && text.contains("`Typed::TOPIC`"),
            "{text}"
        );
        assert!(text.contains(&format!("{:?}", E::TOPIC)), "{text}");
        text
    };
    let check_emit = |error: EmitError<E>| match error {
        EmitError::BadTopic { error, payload } => {
            assert_eq!(payload, make(7), "it comes back");
            check(&error);
        }
        other => panic!("{other:?}"),
    };
    let check_subscribe = |error: SubscribeError| match &error {
        SubscribeError::BadTopic(inner) => {
            assert!(error.is_bad_topic() && !error.is_bad_patterns());
            assert_eq!(error.to_string(), check(inner));
            assert_eq!(Error::from(error.clone()).to_string(), error.to_string());
        }
        other => panic!("{other:?}"),
    };

    let bus = TypedBus::new();
    let everything = bus.bus().subscribe_all().unwrap();
    check_emit(bus.emit(make(7)).unwrap_err());
    check_emit(
        bus.emit_within(make(7), Duration::from_secs(1))
            .unwrap_err(),
    );
    check_emit(bus.event(make(7)).source("x").emit().unwrap_err());
    check(&bus.publisher::<E>().unwrap_err());
    check_subscribe(bus.subscribe::<E>().unwrap_err());
    let builder = bus.subscription::<E>().name("x").capacity(0).replay(3);
    check_subscribe(builder.filter(|_| true).subscribe().unwrap_err());
    check_subscribe(bus.tap::<E>(|_| {}).unwrap_err());
    let soon = Duration::from_millis(1);
    for waited in [
        bus.wait_for::<E>(soon, |_| true),
        block_on(bus.wait_for_async::<E>(|_| true)),
    ] {
        match waited.unwrap_err() {
            WaitError::Subscribe(error) => check_subscribe(error),
            other => panic!("{other:?}"),
        }
    }
    let mut batch = bus.start_batch();
    check_emit(batch.emit(make(7)).unwrap_err());
    assert!(batch.is_empty());
    let refused = bus.batch(|batch| {
        batch.emit(make(7))?;
        Ok::<_, BatchError<AnyPayload, Error>>(())
    });
    match refused.unwrap_err() {
        BatchError::Event(EmitError::BadTopic { error, payload }) => {
            check(&error);
            assert_eq!(payload.downcast::<E>().unwrap(), make(7));
        }
        other => panic!("{other:?}"),
    }

    assert_eq!(bus.bus().stats().emitted, 0);
    assert_eq!((everything.len(), bus.subscriber_count()), (0, 1));
}

#[test]
fn a_topic_that_is_none_is_refused_everywhere() {
    is_refused_everywhere(Spaced, TextErrorKind::Whitespace(' '));
    is_refused_everywhere(Empty, TextErrorKind::Empty);
    is_refused_everywhere(Wild, TextErrorKind::Wildcard('*'));
}

#[test]
fn the_text_of_the_error_says_what_to_mend_and_where() {
    let error = TypedBus::new().emit(Spaced(7)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid topic \"user created\" of the type `typed::bad_topics::Spaced` at byte 4: \
         expected no white space, found ' '; remove it or write `_` instead; \
         the text stands in that type's `Typed::TOPIC`"
    );
}
