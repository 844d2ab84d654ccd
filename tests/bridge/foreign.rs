//! A client that is not ours, in another language, reads what a bridge writes, and writes what a bridge reads.

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use chanbus::{
    Bridge, BridgeEvent, Bus, Cause, Drain, Event, Imported, JetStream, Overflow, Topic,
    Value as Scalar,
};
use serde_json::{Value, json};

use crate::python::{Python, interpreter};
use crate::support::{HANG, Server, alone, bus, connected, installed, until};

/// A server and the other client; nothing where one of them is not installed.
fn foreign(start: impl FnOnce() -> Server) -> Option<(Server, Python)> {
    let python = interpreter().filter(|_| installed())?;
    let server = start();
    let python = Python::start(&python, &server);
    Some((server, python))
}

fn plain() -> Server {
    Server::start().unwrap()
}

fn topics(texts: &[&str]) -> Vec<Topic> {
    texts.iter().map(|text| Topic::new(text).unwrap()).collect()
}

#[test]
fn a_foreign_client_reads_all_that_a_bridge_writes() {
    let _alone = alone();
    let Some((server, mut python)) = foreign(plain) else {
        return;
    };
    let bus = bus::<Value>();
    let bridge = connected(
        Bridge::builder(&bus)
            .name("till")
            .prefix("shop")
            .export("order.**"),
        &server,
    );
    python.order(&json!({"do": "subscribe", "subject": "shop.>"}));

    let payload = json!({"total": 12.5, "items": ["a", "é😀"], "paid": null});
    let full = Event::draft("order.100%.è", payload.clone())
        .timestamp(UNIX_EPOCH + Duration::new(1_700_000_000, 1))
        .source(" till 2, 100% \u{20ac}\n")
        .metadata("trace", u64::MAX)
        .metadata("least", i64::MIN)
        .metadata("ratio", 1.0)
        .metadata("tenth", 0.1)
        .metadata("again", true)
        .metadata("naïve \"name\"", "a\\b\r\n\u{1f600}")
        .cause(Cause::of_topics(topics(&["cart.filled", "pay.100%.è"])).unwrap())
        .build()
        .unwrap();
    bus.emit_event(full).unwrap();
    bus.emit("order", json!([])).unwrap();

    let first = python.message();
    assert_eq!(first["subject"], "shop.order.100%25.è");
    assert_eq!(first["payload"], payload);
    assert_eq!(
        first["envelope"],
        json!({
            "time": [1_700_000_000, 1],
            "source": " till 2, 100% \u{20ac}\n",
            "metadata": {
                "trace": u64::MAX, "least": i64::MIN, "ratio": 1.0, "tenth": 0.1, "again": true,
                "naïve \"name\"": "a\\b\r\n\u{1f600}",
            },
            "cause": ["cart.filled", "pay.100%.è"],
            "origin": bridge.origin(),
            "number": [1, "order.**"],
            "others": {},
        })
    );
    let second = python.message();
    assert_eq!(
        (&second["subject"], &second["payload"]),
        (&json!("shop.order"), &json!([]))
    );
    let envelope = second["envelope"].as_object().unwrap();
    let headers: Vec<&str> = envelope.keys().map(String::as_str).collect();
    assert_eq!(headers, ["number", "origin", "others", "time"]);
    assert_eq!(envelope["number"], json!([2, "order.**"]));
}

#[test]
fn a_bridge_imports_all_that_a_foreign_client_writes() {
    let _alone = alone();
    let Some((server, mut python)) = foreign(plain) else {
        return;
    };
    let bus = bus::<Value>();
    let bridge = connected(
        Bridge::builder(&bus)
            .prefix("shop")
            .import("order.**")
            .import("load.*"),
        &server,
    );
    // What comes by one subject filter comes in order; between two, order is not kept.
    let sub = bus.subscribe("order.**").unwrap();
    let loads = bus.subscribe("load.*").unwrap();
    let before = std::time::SystemTime::now() - Duration::from_secs(1);
    python.order(&json!({"do": "publish", "messages": [
        {"subject": "shop.order.placed", "bytes": "{\"total\": 12.5}"},
        {"subject": "shop.load.100%", "bytes": ""},
        {"subject": "shop.order.100%25.è", "bytes": "[1, \"é\"]",
            "time": [1_700_000_000, 999_999_999],
            "source": " a plain client, 100% \u{20ac}\n",
            "metadata": {"trace": u64::MAX, "least": i64::MIN, "ratio": 1.0, "again": false, "è": "é\n"},
            "cause": ["cart.filled", "pay.100%.è"],
            "origin": "python",
            "others": {"Traceparent": "00-0af7-01", "X-Empty": ""}},
        {"subject": "shop.other", "bytes": "not wanted"},
    ]}));

    let bare = sub.recv_timeout(HANG).unwrap();
    assert_eq!(bare.topic(), "order.placed");
    assert_eq!(*bare.payload(), json!({"total": 12.5}));
    assert!(bare.timestamp() > before);
    assert!(bare.source().is_none() && bare.cause().is_none());
    assert_eq!(bare.metadata_iter().count(), 0);
    assert_eq!(bare.extension::<Imported>().unwrap().origin(), None);

    let empty = loads.recv_timeout(HANG).unwrap();
    assert_eq!(
        (empty.topic().as_str(), empty.payload()),
        ("load.100%", &Value::Null)
    );

    let full = sub.recv_timeout(HANG).unwrap();
    assert_eq!(full.topic(), "order.100%.è");
    assert_eq!(*full.payload(), json!([1, "é"]));
    let time = UNIX_EPOCH + Duration::new(1_700_000_000, 999_999_999);
    assert_eq!(full.timestamp(), time);
    assert_eq!(full.source(), Some(" a plain client, 100% \u{20ac}\n"));
    let metadata: Vec<(&str, &Scalar)> = full.metadata_iter().collect();
    assert_eq!(
        metadata,
        [
            ("again", &Scalar::Bool(false)),
            ("least", &Scalar::Int(i64::MIN)),
            ("ratio", &Scalar::Float(1.0)),
            ("trace", &Scalar::UInt(u64::MAX)),
            ("è", &Scalar::from("é\n")),
        ]
    );
    let chain: Vec<&Topic> = full.cause().unwrap().chain().collect();
    assert_eq!(chain, ["pay.100%.è", "cart.filled"]);
    let origin = full.extension::<Imported>().unwrap().origin();
    assert_eq!(origin, Some("python"));

    until("all is counted", || bridge.stats().import.received == 3);
    let import = bridge.stats().import;
    assert_eq!((import.imported, import.missed), (3, 0));
}

#[test]
fn what_a_foreign_client_gets_wrong_is_reported_and_disturbs_nothing() {
    let _alone = alone();
    let Some((server, mut python)) = foreign(plain) else {
        return;
    };
    let bus = bus::<Value>();
    let bridge = connected(Bridge::builder(&bus).import("order.**"), &server);
    let told = bridge.states().subscribe("message.*").unwrap();
    let sub = bus.subscribe_all().unwrap();
    python.order(&json!({"do": "publish", "messages": [
        {"subject": "order.a", "bytes": "{\"half\":"},
        {"subject": "order.b", "bytes": "1", "others": {"Chanbus-Time": "yesterday"}},
        {"subject": "order.c?", "bytes": "1"},
        {"subject": "order.d", "bytes": "1", "metadata": {"nested": []}},
        {"subject": "order.good", "bytes": "1"},
    ]}));
    assert_eq!(sub.recv_timeout(HANG).unwrap().topic(), "order.good");
    for (expected, part) in [
        ("order.a", "EOF"),
        ("order.b", "yesterday"),
        ("order.c?", "order.c?"),
        ("order.d", "nested"),
    ] {
        match told.recv_timeout(HANG).unwrap().payload() {
            BridgeEvent::Undecodable { subject, reason } => {
                assert_eq!(&**subject, expected);
                assert!(reason.contains(part), "{reason}");
            }
            other => panic!("{other:?}"),
        }
    }
    until("all is counted", || bridge.stats().import.received == 5);
    let import = bridge.stats().import;
    assert_eq!((import.undecodable, import.imported), (4, 1));
}

#[test]
fn each_event_goes_to_one_of_a_group_of_bridges_and_a_foreign_client() {
    const EVENTS: u64 = 3_000;

    let _alone = alone();
    let Some((server, mut python)) = foreign(plain) else {
        return;
    };
    let near = bus::<u64>();
    let export = connected(Bridge::builder(&near).export("job.*"), &server);
    let workers: Vec<(Bus<u64>, Bridge<u64>)> = (0..2)
        .map(|_| {
            let bus = bus();
            let import = Bridge::builder(&bus).import("job.*").queue_group("workers");
            let bridge = connected(import, &server);
            (bus, bridge)
        })
        .collect();
    let subs: Vec<_> = workers
        .iter()
        .map(|(bus, _)| bus.subscribe_all().unwrap())
        .collect();
    python.order(&json!({"do": "subscribe", "subject": "job.*", "group": "workers"}));
    for n in 0..EVENTS {
        near.emit("job.new", n).unwrap();
    }
    let imported = || -> Vec<u64> {
        let stats = workers.iter().map(|(_, bridge)| bridge.stats());
        stats.map(|stats| stats.import.imported).collect()
    };
    until("all is with the server", || {
        export.stats().export.confirmed == EVENTS
    });
    let mut by_python = Vec::new();
    until("each has gone to somebody", || {
        // What it answers comes behind what it got.
        let (_, messages) = python.order(&json!({"do": "publish", "messages": []}));
        by_python.extend(messages);
        imported().iter().sum::<u64>() + by_python.len() as u64 >= EVENTS
    });
    let shares = imported();
    let mut seen = BTreeSet::new();
    let taken = subs.iter().flat_map(|sub| sub.try_iter());
    for n in taken.map(|event| *event.payload()) {
        assert!(seen.insert(n), "{n} went to two");
    }
    for n in by_python.iter().map(|it| it["payload"].as_u64().unwrap()) {
        assert!(seen.insert(n), "{n} went to two");
    }
    assert_eq!(seen.len() as u64, EVENTS);
    // The server chooses by lot: that one of three gets none of 3,000 does not happen.
    assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
    assert!(!by_python.is_empty());
}

#[test]
fn a_foreign_client_and_a_bridge_share_a_stream() {
    let _alone = alone();
    let place = concat!(env!("CARGO_TARGET_TMPDIR"), "/foreign-stream");
    let _ = std::fs::remove_dir_all(place);
    let start = || Server::start_with_jetstream(place.as_ref()).unwrap();
    let Some((server, mut python)) = foreign(start) else {
        return;
    };
    let bus = bus::<Value>();
    let builder = Bridge::builder(&bus).name("till").prefix("shop");
    let builder = builder.export("order.*").import("stock.*");
    let bridge = connected(builder.jetstream(JetStream::stream("SHOP")), &server);
    let sub = bus
        .subscription("stock.*")
        .overflow(Overflow::DropNewest)
        .subscribe()
        .unwrap();
    for n in 0..100 {
        bus.emit("order.placed", json!(n)).unwrap();
    }
    until("the stream has all", || {
        bridge.stats().export.confirmed == 100
    });

    let (stream, _) = python
        .order(&json!({"do": "stream", "stream": "SHOP", "subject": "shop.order.*", "count": 100}));
    assert_eq!(stream["subjects"], json!(["shop.order.*", "shop.stock.*"]));
    assert_eq!(stream["count"], 100);
    assert_eq!(stream["window"], 120.0);
    let mut ids = BTreeSet::new();
    for (n, message) in stream["messages"].as_array().unwrap().iter().enumerate() {
        assert_eq!(message["subject"], "shop.order.placed");
        assert_eq!(message["payload"], n);
        let id = message["envelope"]["others"]["Nats-Msg-Id"].as_str();
        assert!(ids.insert(id.unwrap().to_owned()), "{id:?} twice");
    }

    // The second is the first again, so the stream keeps one of them.
    let sent = |payload: &str, id: &str| json!({"subject": "shop.stock.low", "bytes": payload, "others": {"Nats-Msg-Id": id}});
    let messages = [sent("1", "a"), sent("1", "a"), sent("2", "b")];
    let (stored, _) = python.order(&json!({"do": "store", "messages": messages}));
    let acks = json!([["SHOP", false], ["SHOP", true], ["SHOP", false]]);
    assert_eq!(stored["acks"], acks);
    for n in [1, 2] {
        let event = sub.recv_timeout(HANG).unwrap();
        assert_eq!(
            (event.topic().as_str(), event.payload()),
            ("stock.low", &json!(n))
        );
    }
    assert_eq!(bridge.stop(Drain::All).unwrap().left, 0);
    assert_eq!(bridge.stats().import.imported, 2);
}
