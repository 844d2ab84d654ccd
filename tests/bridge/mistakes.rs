//! What is asked for wrongly is said at the start, with what is wrong and how to mend it. No server is needed.

use chanbus::{Bridge, BridgeBuilder, Bus, JetStream};

/// What the start of such a bridge says.
#[track_caller]
fn said(ask: impl FnOnce(BridgeBuilder<u32>) -> BridgeBuilder<u32>) -> String {
    let bus: Bus<u32> = Bus::new();
    let error = ask(Bridge::builder(&bus)).start().unwrap_err();
    chanbus::Error::from(error).to_string()
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

#[test]
fn each_mistake_is_named_with_its_mend() {
    has(
        &said(|it| it),
        &["BridgeBuilder::export", "BridgeBuilder::import"],
    );
    has(&said(|it| it.export("a..b")), &["a..b"]);
    has(&said(|it| it.export("order.>")), &["order.>", "`**`"]);
    has(&said(|it| it.import(">")), &["\">\"", "`**`"]);
    has(&said(|it| it.export("a").prefix("b.")), &["prefix", "b."]);
    has(
        &said(|it| it.export("a").in_flight(0)),
        &["BridgeBuilder::in_flight"],
    );
    has(&said(|it| it.export("a").capacity(0)), &["capacity"]);
    has(
        &said(|it| it.export("a").name("till 1")),
        &["till 1", "name"],
    );
    has(&said(|it| it.import("a").queue_group("")), &["queue group"]);
    has(
        &said(|it| it.export("a").queue_group("till")),
        &["BridgeBuilder::queue_group", "BridgeBuilder::import"],
    );
    has(
        &said(|it| it.export("a").nkey("SUNOSEED")),
        &["nkey", "`SU`"],
    );
    has(&said(|it| it.export("a").name("x".repeat(201))), &["200"]);
    let none: [&str; 0] = [];
    has(
        &said(|it| it.export("a").servers(none)),
        &["BridgeBuilder::servers"],
    );
    for server in ["", "nats://", "http://host", "nats://host:port"] {
        has(
            &said(|it| it.export("a").servers([server])),
            &["address", server],
        );
    }
    let stream = || JetStream::stream("N");
    has(
        &said(|it| it.export("a").jetstream(stream())),
        &["BridgeBuilder::name"],
    );
    has(
        &said(|it| it.import("*.a").name("n").jetstream(stream())),
        &["\"*.a\"", "BridgeBuilder::prefix"],
    );
    has(
        &said(|it| it.export("a").name("n").jetstream(JetStream::stream("a.b"))),
        &["a.b", "stream"],
    );
    let no_time = std::time::Duration::from_nanos(1);
    for (stream, setting) in [
        (stream().replicas(0), "JetStream::replicas"),
        (stream().replicas(6), "JetStream::replicas"),
        (stream().max_bytes(0), "JetStream::max_bytes"),
        (stream().ack_wait(no_time), "JetStream::ack_wait"),
        (
            stream().duplicate_window(no_time),
            "JetStream::duplicate_window",
        ),
        (stream().max_age(no_time), "JetStream::max_age"),
    ] {
        has(
            &said(|it| it.export("a").name("n").jetstream(stream)),
            &[setting, "wants"],
        );
    }
    has(
        &said(|it| it.export("a").credentials_file("/no/such.creds")),
        &["/no/such.creds"],
    );
}

#[test]
fn a_bus_without_room_for_a_bridge_says_so() {
    let bus: Bus<u32> = Bus::builder().max_subscribers(1).build().unwrap();
    let _sub = bus.subscribe("a").unwrap();
    let error = Bridge::builder(&bus).export("a").start().unwrap_err();
    has(&error.to_string(), &["BusBuilder::max_subscribers"]);
    assert!(
        Bridge::builder(&bus).import("a").start().is_ok(),
        "it takes none"
    );
    bus.close();
    assert!(Bridge::builder(&bus).export("a").start().is_err());
}
