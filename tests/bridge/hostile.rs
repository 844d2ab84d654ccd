//! What those do to a bridge who mean it harm, and servers that fail it.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, RetentionPolicy};
use chanbus::{BoxError, Bridge, BridgeState, Codec, Drain, Event, JetStream, Topic};
use serde_json::json;

use crate::directory::Directory;
use crate::plain_client::PlainClient;
use crate::relay::Relay;
use crate::support::{HANG, Server, alone, bus, connected, installed, until};

/// A server with these lines in its configuration.
fn configured(lines: &str, directory: &Directory) -> Server {
    let config = directory.path().join("nats.conf");
    std::fs::write(&config, lines).unwrap();
    Server::start_with(&["-c", &config.to_string_lossy()]).unwrap()
}

#[test]
fn counts_that_others_make_up_end_no_bridge() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let bus = bus::<u64>();
    let bridge = connected(Bridge::builder(&bus).import("n.*"), &server);
    let mut client = PlainClient::connect(&server);
    for origin in ["x", "y"] {
        for count in [0, u64::MAX] {
            let told =
                json!({"origin": origin, "epoch": 1, "all": count, "streams": [["n.*", count]]});
            client.publish("_CHANBUS.sent", told.to_string());
        }
    }
    until("they are counted", || {
        bridge.stats().import.missed == u64::MAX
    });
    client.publish("n.a", "7");
    until("it imports on", || bridge.stats().import.imported == 1);
}

#[test]
fn more_export_patterns_than_fit_a_servers_messages_are_told_in_parts() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let server = configured("max_payload: 2048\n", &directory);
    let (near, far) = (bus::<u64>(), bus::<u64>());
    let import = connected(Bridge::builder(&far).import("**"), &server);
    let exports: Vec<String> = (0..100).map(|n| format!("a.longer.topic.{n}.*")).collect();
    let export = connected(Bridge::builder(&near).export(exports), &server);
    for n in 0..100 {
        near.emit(format!("a.longer.topic.{n}.x"), n).unwrap();
    }
    until("all is confirmed", || {
        export.stats().export.confirmed == 100
    });
    until("all has come", || import.stats().import.imported == 100);
    assert_eq!(import.stats().import.missed, 0);
}

#[test]
fn control_messages_that_were_denied_are_no_events_that_were() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let denied = "authorization { users = [{ user: ann, password: word, \
         permissions: { publish: { deny: \"_CHANBUS.>\" } } }] }\n";
    let mut server = configured(denied, &directory);
    let bus = bus::<u64>();
    let builder = Bridge::builder(&bus).export("a");
    let builder = builder.user_and_password("ann", "word");
    let bridge = builder.servers([server.url()]).start().unwrap();
    let states = bridge.states().subscription("bridge.trouble").replay(64);
    let states = states.subscribe().unwrap();
    let said = states.recv_timeout(HANG).unwrap().payload().to_string();
    assert!(
        said.to_lowercase().contains("permissions violation"),
        "{said}"
    );
    server.kill().unwrap();
    let allowed = "authorization { users = [{ user: ann, password: word }] }\n";
    std::fs::write(directory.path().join("nats.conf"), allowed).unwrap();
    server.restart().unwrap();
    for n in 0..3 {
        bus.emit("a", n).unwrap();
    }
    until("the server has all", || {
        let export = bridge.stats().export;
        export.sent == 3 && export.unconfirmed == 0
    });
    let export = bridge.stats().export;
    assert_eq!((export.confirmed, export.denied), (3, 0));
}

#[test]
fn what_a_durable_bridge_sends_again_is_emitted_once_by_a_plain_one() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let server = Server::start_with_jetstream(directory.path()).unwrap();
    let relay = Relay::start(&server);
    let (near, far) = (bus::<u64>(), bus::<u64>());
    let sub = far.subscribe_all().unwrap();
    let import = connected(Bridge::builder(&far).import("n.*"), &server);
    let export = Bridge::builder(&near).export("n.*").name("near");
    let export = export.jetstream(JetStream::stream("N"));
    let export = export.servers([relay.url()]).start().unwrap();
    assert!(export.wait_connected(HANG));
    let mut emitted = 0;
    // Some of the acknowledgements are lost with the connection.
    until("what had arrived is sent again", || {
        for _ in 0..100 {
            near.emit("n.a", emitted).unwrap();
            emitted += 1;
        }
        let last = import.stats().import.imported;
        until("something comes", || import.stats().import.imported > last);
        relay.cut();
        until("it is back", || {
            let export = export.stats().export;
            export.waiting == 0 && export.unconfirmed == 0
        });
        import.stats().import.duplicates > 0
    });
    until("all is confirmed", || {
        export.stats().export.confirmed == emitted
    });
    until("all has come", || import.stats().import.imported == emitted);
    let mut came: Vec<u64> = sub.try_iter().map(|event| *event.payload()).collect();
    came.sort_unstable();
    assert_eq!(came, (0..emitted).collect::<Vec<_>>());
    assert_eq!(import.stats().import.missed, 0);
}

#[test]
fn a_stream_with_room_for_a_few_gets_all_in_the_end() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let server = Server::start_with_jetstream(directory.path()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = async_nats::connect(server.url()).await.unwrap();
        let few = Config {
            name: "N".to_owned(),
            subjects: vec!["n.*".to_owned()],
            retention: RetentionPolicy::WorkQueue,
            max_messages: 20,
            discard: DiscardPolicy::New,
            ..Config::default()
        };
        let context = async_nats::jetstream::new(client);
        context.create_stream(few).await.unwrap();
    });
    let (near, far) = (bus::<u64>(), bus::<u64>());
    let sub = far.subscribe_all().unwrap();
    let stream = || JetStream::stream("N").existing().from_the_beginning();
    let import = Bridge::builder(&far).import("n.*").name("far");
    let _import = connected(import.jetstream(stream()), &server);
    let export = Bridge::builder(&near).export("n.*").name("near");
    let export = connected(export.jetstream(stream()).in_flight(64), &server);
    for n in 0..200 {
        near.emit("n.a", n).unwrap();
    }
    let next = |_| *sub.recv_timeout(HANG).unwrap().payload();
    let mut came: Vec<u64> = (0..200).map(next).collect();
    came.sort_unstable();
    assert_eq!(came, (0..200).collect::<Vec<_>>());
    until("all is confirmed", || {
        export.stats().export.confirmed == 200
    });
    assert!(export.stats().export.resent > 0 && sub.is_empty());
}

#[test]
fn members_of_a_durable_group_come_and_go_and_each_event_comes_once() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let server = Server::start_with_jetstream(directory.path()).unwrap();
    let (near, far) = (bus::<u64>(), bus::<u64>());
    let sub = far.subscribe_all().unwrap();
    let stream = || JetStream::stream("N").from_the_beginning();
    let export = Bridge::builder(&near).export("n.*").name("near");
    let _export = connected(export.jetstream(stream()), &server);
    let member = |n: u64| {
        let member = Bridge::builder(&far).import("n.*").queue_group("g");
        connected(member.name(format!("m{n}")).jetstream(stream()), &server)
    };
    let mut here = member(0);
    for round in 0..5 {
        for n in 0..200 {
            near.emit("n.a", round * 200 + n).unwrap();
        }
        let gone = std::mem::replace(&mut here, member(round + 1));
        assert!(!gone.stop(Drain::All).unwrap().pending);
    }
    let next = |_| *sub.recv_timeout(HANG).unwrap().payload();
    let mut came: Vec<u64> = (0..1_000).map(next).collect();
    came.sort_unstable();
    assert_eq!(came, (0..1_000).collect::<Vec<_>>());
    here.stop(Drain::All).unwrap();
    assert!(sub.is_empty());
}

/// Says that to each who comes, and hangs up.
fn says(text: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    // It ends with the process, as nobody can wake it.
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            // Whoever came may have gone.
            let _ = stream.write_all(&text);
            let _ = stream.set_read_timeout(Some(Duration::from_millis(50)));
            let _ = stream.read(&mut [0; 4_096]);
        }
    });
    url
}

#[test]
fn what_is_no_server_is_left_for_one_that_is() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let info = r#"INFO {"server_id":"x","server_name":"x","version":"2.10.0","proto":1,"go":"go","host":"127.0.0.1","port":1,"headers":true,"max_payload":1048576,"client_id":1,"client_ip":"127.0.0.1"}"#;
    let huge = u64::MAX;
    for text in [
        String::new(),
        "HTTP/1.1 400 Bad Request\r\n\r\n".to_owned(),
        "x".repeat(100_000),
        info.replace("1048576", "-5") + "\r\n",
        format!("{info}\r\nwhat?\r\n"),
        format!("{info}\r\nPONG\r\nMSG n 1 {huge}\r\nx"),
        format!("{info}\r\nPONG\r\nHMSG n 1 {huge} {huge}\r\nx"),
        format!("{info}\r\nPONG\r\nHMSG n 1 20 5\r\n{}\r\n", "x".repeat(20)),
    ] {
        let server = Server::start().unwrap();
        let bus = bus::<u64>();
        let builder = Bridge::builder(&bus).export("n");
        let urls = [says(text.into_bytes()), server.url()];
        let bridge = builder.servers(urls).start().unwrap();
        bus.emit("n", 1).unwrap();
        until("it is sent", || {
            let export = bridge.stats().export;
            export.sent == 1 && export.unconfirmed == 0
        });
        assert_ne!(bridge.state(), BridgeState::Stopped);
    }
}

/// Ends its own bridge when it is asked for the first time.
struct Ends(Arc<Mutex<Option<Bridge<u64>>>>);

impl Codec<u64> for Ends {
    fn encode(&self, _: &Event<u64>, out: &mut Vec<u8>) -> Result<(), BoxError> {
        drop(self.0.lock().unwrap().take());
        out.push(b'1');
        Ok(())
    }

    fn decode(&self, _: &Topic, _: &[u8]) -> Result<u64, BoxError> {
        Ok(1)
    }
}

#[test]
fn a_codec_that_drops_its_own_bridge_ends_it() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let bus = bus::<u64>();
    let place = Arc::default();
    let builder = Bridge::builder(&bus).export("n");
    let bridge = connected(builder.codec(Ends(Arc::clone(&place))), &server);
    let states = bridge.states().subscribe("bridge.stopped").unwrap();
    *place.lock().unwrap() = Some(bridge);
    bus.emit("n", 1).unwrap();
    states.recv_timeout(HANG).unwrap();
    until("it has ended", || states.is_closed());
}

#[test]
fn a_stream_taken_away_while_nothing_is_asked_of_it_is_made_anew() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let server = Server::start_with_jetstream(directory.path()).unwrap();
    let far = bus::<u64>();
    let (inside, goes_on) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (theirs, also_theirs) = (Arc::clone(&inside), Arc::clone(&goes_on));
    // It holds up the last of the first that are delivered; the bridge has asked for as many as it holds.
    let _tap = far
        .tap("**", move |event| {
            if *event.payload() == 63 {
                theirs.wait();
                also_theirs.wait();
            }
        })
        .unwrap();
    let import = Bridge::builder(&far).import("n.*").name("far");
    let import = connected(import.jetstream(JetStream::stream("N")), &server);
    let mut plain = PlainClient::connect(&server);
    for n in 0..256 {
        plain.publish("n.a", n.to_string());
    }
    plain.settle();
    inside.wait();
    plain.publish("$JS.API.STREAM.DELETE.N", "");
    plain.settle();
    goes_on.wait();
    until("it imports on", || {
        plain.publish("n.a", "1000");
        plain.settle();
        import.stats().import.imported > 256
    });
}
