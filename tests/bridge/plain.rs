//! A plain client reads what bridges write, and writes what they read. What it writes wrongly disturbs nothing.

use std::time::{Duration, UNIX_EPOCH};

use chanbus::{
    Bridge, BridgeEvent, Bus, Cause, Clock, Event, Imported, ManualClock, Subscription, Topic,
    Value,
};
use serde_json::{Value as Any, json};

use crate::plain_client::PlainClient;
use crate::support::{HANG, Server, alone, bus, connected, installed, until};

fn next<T: Send + Sync>(sub: &Subscription<T>) -> Event<T> {
    sub.recv_timeout(HANG).unwrap()
}

/// A server, a bridge that imports `n.**` into a bus, and a plain client.
struct Listening {
    bus: Bus<Any>,
    bridge: Bridge<Any>,
    client: PlainClient,
    _server: Server,
}

fn listening() -> Listening {
    let server = Server::start().unwrap();
    let bus = bus::<Any>();
    let bridge = connected(Bridge::builder(&bus).import("n.**"), &server);
    let client = PlainClient::connect(&server);
    Listening {
        bus,
        bridge,
        client,
        _server: server,
    }
}

#[test]
fn a_plain_client_reads_what_a_bridge_sends() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let mut client = PlainClient::connect(&server);
    client.subscribe("shop.eu.>");
    let time = ManualClock::new();
    time.advance(Duration::from_millis(1_700_000_000_250));
    let bus: Bus<Any> = Bus::builder().clock(Clock::manual(&time)).build().unwrap();
    let builder = Bridge::builder(&bus)
        .export("n.**")
        .prefix("shop.eu")
        .name("ui");
    let bridge = connected(builder, &server);

    bus.emit("n.bare", json!({"count": 42})).unwrap();
    let cause = Cause::of_topics(["order.placed", "mail.è"].map(|it| Topic::new(it).unwrap()));
    cause.unwrap().enter(|| {
        bus.event("n.%.>", json!([1.0, null, "é"]))
            .source(" 100% sûr")
            .metadata("trace", 17)
            .metadata("ratio", 1.0)
            .emit()
            .unwrap();
    });
    bus.emit("elsewhere", json!(1)).unwrap();
    bus.emit("n", json!(null)).unwrap();

    let bare = client.next();
    assert_eq!(
        (bare.subject.as_str(), bare.text()),
        ("shop.eu.n.bare", r#"{"count":42}"#)
    );
    assert_eq!(bare.header("Chanbus-Time"), Some("1700000000.25"));
    let origin = |number| format!("{} {number} n.**", bridge.origin());
    assert!(bridge.origin().starts_with("ui/"));
    assert_eq!(bare.header("Chanbus-Origin"), Some(&*origin(1)));
    for absent in [
        "Chanbus-Source",
        "Chanbus-Metadata",
        "Chanbus-Cause",
        "Content-Type",
    ] {
        assert_eq!(bare.header(absent), None);
    }
    let full = client.next();
    assert_eq!(
        (full.subject.as_str(), full.text()),
        ("shop.eu.n.%25.%3E", r#"[1.0,null,"é"]"#)
    );
    assert_eq!(full.header("Chanbus-Source"), Some("%20100%25 s%C3%BBr"));
    assert_eq!(
        full.header("Chanbus-Metadata"),
        Some(r#"{"trace":17,"ratio":1.0}"#)
    );
    assert_eq!(
        full.header("Chanbus-Cause"),
        Some("order.placed mail.%C3%A8")
    );
    assert_eq!(full.header("Chanbus-Origin"), Some(&*origin(2)));
    let last = client.next();
    assert_eq!((last.subject.as_str(), last.text()), ("shop.eu.n", "null"));
    assert_eq!(last.header("Chanbus-Origin"), Some(&*origin(3)));
}

#[test]
fn a_bridge_reads_what_a_plain_client_writes() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let mut it = listening();
    let sub = it.bus.subscribe_all().unwrap();

    it.client.publish("n.bare", r#"{"count": 42}"#);
    let bare = next(&sub);
    assert_eq!(
        (bare.topic().as_str(), bare.payload()),
        ("n.bare", &json!({"count": 42}))
    );
    assert_eq!((bare.source(), bare.metadata_iter().count()), (None, 0));
    assert!(bare.cause().is_none());
    assert_eq!(bare.extension::<Imported>().unwrap().origin(), None);

    it.client.publish("n", "");
    assert_eq!((next(&sub).payload()), &Any::Null);

    it.client.publish_with(
        "n.full",
        &[
            "Chanbus-Time: 1700000000.25",
            "Chanbus-Source: scanner 2",
            r#"Chanbus-Metadata: {"trace":17,"ratio":1.0,"late":true,"who":"ann"}"#,
            "Chanbus-Cause: order.placed mail.sent",
            "Chanbus-Origin: my-client 42 orders.**",
            "Traceparent: 00-0af7-01",
            "Traceparent: a second one, which is not ours to judge",
        ],
        "7",
    );
    let full = next(&sub);
    assert_eq!(
        (full.topic().as_str(), full.payload()),
        ("n.full", &json!(7))
    );
    let stamped = UNIX_EPOCH + Duration::from_millis(1_700_000_000_250);
    assert_eq!(full.timestamp(), stamped);
    assert_eq!(full.source(), Some("scanner 2"));
    assert_eq!(full.metadata("trace"), Some(&Value::Int(17)));
    assert_eq!(full.metadata("ratio"), Some(&Value::Float(1.0)));
    assert_eq!(full.metadata("late"), Some(&Value::Bool(true)));
    assert_eq!(full.metadata("who"), Some(&Value::from("ann")));
    assert_eq!(
        full.cause().unwrap().to_string(),
        "order.placed > mail.sent"
    );
    assert_eq!(
        full.extension::<Imported>().unwrap().origin(),
        Some("my-client")
    );

    // A request: whoever asks may wait in vain, but the event is there.
    it.client.publish_with("n.none", &[], "1");
    assert_eq!(next(&sub).payload(), &json!(1));
    until("all is counted", || it.bridge.stats().import.imported == 4);
    assert_eq!(it.bridge.stats().import.received, 4);
}

/// A subject, headers and a payload of which one is wrong, and what the report says of it.
type Junk = (&'static str, Vec<&'static str>, &'static [u8], &'static str);

fn junk() -> Vec<Junk> {
    vec![
        ("n.a", vec![], b"{", "EOF"),
        ("n.b", vec![], b"\xff\xfe", "expected value"),
        ("n.c", vec![], b"1 2", "trailing"),
        ("n.d", vec!["Chanbus-Time: yesterday"], b"1", "Chanbus-Time"),
        ("n.e", vec!["Chanbus-Source: 100%"], b"1", "Chanbus-Source"),
        (
            "n.f",
            vec!["Chanbus-Metadata: [1]"],
            b"1",
            "Chanbus-Metadata",
        ),
        (
            "n.g",
            vec!["Chanbus-Metadata: {\"a\":{}}"],
            b"1",
            "Chanbus-Metadata",
        ),
        ("n.h", vec!["Chanbus-Cause: a..b"], b"1", "Chanbus-Cause"),
        ("n.i", vec!["Chanbus-Cause:"], b"1", "Chanbus-Cause"),
        ("n.j", vec!["Chanbus-Origin: a b"], b"1", "Chanbus-Origin"),
        ("n.k", vec!["Chanbus-Origin:"], b"1", "Chanbus-Origin"),
        (
            "n.l",
            vec!["Chanbus-Origin: a many b"],
            b"1",
            "Chanbus-Origin",
        ),
        (
            "n.m",
            vec!["Chanbus-Origin: a -1 b"],
            b"1",
            "Chanbus-Origin",
        ),
        (
            "n.n",
            vec!["Chanbus-Time: 1", "Chanbus-Time: 1"],
            b"1",
            "Chanbus-Time",
        ),
        ("n.[o]", vec![], b"1", "n.[o]"),
        ("n.{p}", vec![], b"1", "n.{p}"),
        ("n.q?", vec![], b"1", "n.q?"),
        ("n.\u{1}", vec![], b"1", "invalid topic"),
    ]
}

#[test]
fn junk_is_counted_and_reported_by_its_subject_and_the_next_good_message_arrives() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let mut it = listening();
    let sub = it.bus.subscribe_all().unwrap();
    let reports = it.bridge.states().subscribe("message.undecodable").unwrap();
    for (count, (subject, headers, payload, named)) in junk().into_iter().enumerate() {
        if headers.is_empty() {
            it.client.publish(subject, payload);
        } else {
            it.client.publish_with(subject, &headers, payload);
        }
        it.client.publish("n.good", count.to_string());
        assert_eq!(next(&sub).payload(), &json!(count), "after {subject}");
        let report = next(&reports);
        let BridgeEvent::Undecodable {
            subject: told,
            reason,
        } = report.payload()
        else {
            panic!("{report:?}");
        };
        assert_eq!(&**told, subject);
        assert!(reason.contains(named), "{subject}: {reason}");
        assert!(
            report
                .payload()
                .to_string()
                .contains(&format!("{subject:?}"))
        );
        let so_many = count as u64 + 1;
        // An event can be taken before it is counted.
        until("it is counted", || {
            it.bridge.stats().import.received == 2 * so_many
        });
        let import = it.bridge.stats().import;
        assert_eq!((import.undecodable, import.imported), (so_many, so_many));
    }
    assert!(reports.try_recv().is_err());
    assert_eq!(it.bridge.stats().connects, 1);
}

/// The client of the bridge hangs up on these; nothing of ours ever sees them.
#[test]
fn what_breaks_the_connection_costs_no_more_than_that() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let mut it = listening();
    let sub = it.bus.subscribe_all().unwrap();
    let states = it
        .bridge
        .states()
        .subscribe(["bridge.lost", "bridge.back"])
        .unwrap();
    let broken: [(&[u8], &[u8]); 6] = [
        // The client of the server panics on this, and the bridge goes on by another one.
        (b"n.d", b"NATS/1.0\r\nA: a\rb\r\n\r\n"),
        (b"n.\xff", b"NATS/1.0\r\n\r\n"),
        (b"n.a", b"NATS/1.0\r\nno colon\r\n\r\n"),
        (b"n.b", b"NATS/1.0\r\nA: \xff\r\n\r\n"),
        (b"n.c", b"NATS/1.0\r\nbad name: 1\r\n\r\n"),
        (b"n.d", b"NATS/1.0\r\nA: a\rb\r\n\r\n"),
    ];
    for (count, (subject, headers)) in broken.into_iter().enumerate() {
        it.client.publish_raw(subject, headers, b"1");
        it.client.settle();
        until("it is back", || {
            it.bridge.stats().connects == count as u64 + 2
        });
        assert!(matches!(next(&states).payload(), BridgeEvent::Lost { .. }));
        assert_eq!(next(&states).payload(), &BridgeEvent::Back);
        it.client.publish("n.good", count.to_string());
        assert_eq!(next(&sub).payload(), &json!(count));
    }
}

#[test]
fn control_messages_that_others_make_up_are_reported_and_change_nothing() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let bus = bus::<Any>();
    let bridge = connected(Bridge::builder(&bus).import("n.**").export("out"), &server);
    let mut client = PlainClient::connect(&server);
    let sub = bus.subscribe("n.**").unwrap();
    let reports = bridge.states().subscribe("message.undecodable").unwrap();
    client.publish("_CHANBUS.sent", "what?");
    client.publish("_CHANBUS.who", [0xff; 3]);
    assert!(matches!(
        next(&reports).payload(),
        BridgeEvent::Undecodable { subject, .. } if &**subject == "_CHANBUS.sent"
    ));
    // Its own, with more than it ever sent.
    let forged =
        json!({"origin": bridge.origin(), "epoch": 1, "all": 99, "streams": [["out", 99]]});
    client.publish("_CHANBUS.sent", forged.to_string());
    client.publish("n.good", "1");
    assert_eq!(next(&sub).payload(), &json!(1));
    bus.emit("out", json!(1)).unwrap();
    until("it is confirmed", || bridge.stats().export.confirmed == 1);
    until("it is counted", || bridge.stats().import.imported == 1);
    let stats = bridge.stats();
    assert_eq!((stats.export.sent, stats.import.missed), (1, 0));
    assert_eq!((stats.import.received, stats.import.undecodable), (1, 0));
}
