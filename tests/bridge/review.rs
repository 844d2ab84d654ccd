//! What a reviewer asked of the bridge.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use async_nats::jetstream::stream::{Config, DiscardPolicy};
use chanbus::{Bridge, BridgeState, Drain, JetStream};
use serde::{Deserialize, Serialize};

use crate::directory::Directory;
use crate::plain_client::PlainClient;
use crate::relay::Relay;
use crate::support::{HANG, Server, alone, bus, connected, installed, until};

fn create(server: &Server, config: Config) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = async_nats::connect(server.url()).await.unwrap();
        let context = async_nats::jetstream::new(client);
        context.create_stream(config).await.unwrap();
    });
}

/// The stream N, of `n.*`.
fn stream() -> Config {
    Config {
        name: "N".to_owned(),
        subjects: vec!["n.*".to_owned()],
        ..Config::default()
    }
}

fn delete(server: &Server) {
    let mut plain = PlainClient::connect(server);
    plain.publish("$JS.API.STREAM.DELETE.N", "");
    plain.settle();
}

#[test]
fn a_connection_that_breaks_while_the_stream_is_refused_is_said_to_be_lost() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let mut server = Server::start_with_jetstream(directory.path()).unwrap();
    create(&server, stream());
    let near = bus::<u64>();
    let export = Bridge::builder(&near).export("n.*").name("near");
    let export = connected(export.jetstream(JetStream::stream("N").existing()), &server);
    let states = export.states().subscribe("bridge.trouble").unwrap();
    delete(&server);
    near.emit("n.a", 1).unwrap();
    loop {
        let said = states.recv_timeout(HANG).unwrap().payload().to_string();
        // Not that nobody has answered: that it has looked for the stream, and found none.
        if said.starts_with("no stream \"N\"") {
            break;
        }
    }
    server.kill().unwrap();
    until("it is lost", || export.state() == BridgeState::Lost);
    server.restart().unwrap();
    create(&server, stream());
    until("it is back, with what it kept", || {
        export.state().is_connected() && export.stats().export.confirmed == 1
    });
}

#[test]
fn the_sums_hold_while_a_server_reads_nothing() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let relay = Relay::start(&server);
    let near = bus::<String>();
    let builder = Bridge::builder(&near).export("n").in_flight(1_000_000);
    let export = builder.servers([relay.url()]).start().unwrap();
    assert!(export.wait_connected(HANG));
    relay.hold();
    let text = "x".repeat(4_000);
    let mut emitted = 0;
    // Until the client takes no more, and more waits than is taken at once.
    until("nothing moves", || {
        for _ in 0..100 {
            near.emit("n", text.clone()).unwrap();
            emitted += 1;
        }
        // Time enough to take these, for a client that takes any.
        thread::sleep(Duration::from_millis(50));
        export.stats().export.waiting > 1_000
    });
    let mut before = export.stats();
    until("it stands still", || {
        thread::sleep(Duration::from_millis(100));
        let now = export.stats();
        std::mem::replace(&mut before, now) == now
    });
    let it = export.stats().export;
    assert_eq!(it.matched, emitted);
    assert_eq!(
        it.matched,
        it.skipped + it.dropped + it.conflated + it.waiting + it.refused + it.sent,
        "{it:?}"
    );
    relay.release();
    until("all is there", || {
        export.stats().export.confirmed == emitted
    });
}

#[test]
fn headers_that_no_stream_takes_hold_up_no_other_event() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let server = Server::start_with_jetstream(directory.path()).unwrap();
    let near = bus::<u64>();
    let export = Bridge::builder(&near).export("n.*").name("near");
    let export = connected(export.jetstream(JetStream::stream("N")), &server);
    let trace = "x".repeat(70_000);
    near.event("n.a", 1)
        .metadata("trace", trace)
        .emit()
        .unwrap();
    near.emit("n.a", 2).unwrap();
    assert_eq!(export.stop(Drain::All).unwrap().left, 0);
    let export = export.stats().export;
    assert_eq!((export.refused, export.sent, export.confirmed), (1, 1, 1));
}

#[test]
fn a_stream_that_is_full_is_said_once_however_much_waits_for_it() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let server = Server::start_with_jetstream(directory.path()).unwrap();
    let config = Config {
        max_messages: 1,
        discard: DiscardPolicy::New,
        ..stream()
    };
    create(&server, config);
    let near = bus::<u64>();
    let export = Bridge::builder(&near).export("n.*").name("near");
    let export = connected(export.jetstream(JetStream::stream("N").existing()), &server);
    let states = export.states().subscribe("bridge.trouble").unwrap();
    for n in 0..500 {
        near.emit("n.a", n).unwrap();
    }
    until("they are tried again and again", || {
        export.stats().export.resent > 1_000
    });
    let said: Vec<String> = states
        .try_iter()
        .map(|event| event.payload().to_string())
        .collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("maximum messages"), "{said:?}");
    assert_eq!(export.stats().export.confirmed, 1);
}

#[test]
fn a_bridge_that_only_imports_makes_a_stream_anew_that_was_taken_away() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let server = Server::start_with_jetstream(directory.path()).unwrap();
    let far = bus::<u64>();
    let import = Bridge::builder(&far).import("n.*").name("far");
    let import = connected(import.jetstream(JetStream::stream("N")), &server);
    let sub = far.subscribe_all().unwrap();
    let mut plain = PlainClient::connect(&server);
    plain.publish("n.a", "1");
    assert_eq!(*sub.recv_timeout(HANG).unwrap().payload(), 1);
    let states = import.states().subscribe("bridge.trouble").unwrap();
    delete(&server);
    // Not silently.
    states.recv_timeout(HANG).unwrap();
    until("messages come again", || {
        plain.publish("n.a", "2");
        sub.recv_timeout(Duration::from_millis(50)).is_ok()
    });
}

#[test]
fn after_a_stop_at_once_nothing_more_is_imported() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let server = Server::start_with_jetstream(directory.path()).unwrap();
    create(&server, stream());
    let mut plain = PlainClient::connect(&server);
    for n in 0..50 {
        plain.publish("n.a", n.to_string());
    }
    plain.settle();
    let far = bus::<u64>();
    let (inside, goes_on) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (theirs, also_theirs) = (Arc::clone(&inside), Arc::clone(&goes_on));
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let _tap = far
        .tap("**", move |_| {
            if count.fetch_add(1, Ordering::Relaxed) == 0 {
                theirs.wait();
                also_theirs.wait();
            }
        })
        .unwrap();
    let import = Bridge::builder(&far).import("n.*").name("far");
    let stream = JetStream::stream("N").from_the_beginning();
    let import = connected(import.jetstream(stream), &server);
    inside.wait();
    assert!(import.stop(Drain::Now).is_ok());
    goes_on.wait();
    thread::sleep(Duration::from_millis(300));
    assert_eq!(calls.load(Ordering::Relaxed), 1);
}

/// A payload whose destructor panics, if it is armed; it is not when it comes elsewhere.
#[derive(Serialize, Deserialize)]
struct Bomb {
    n: u64,
    #[serde(skip)]
    armed: bool,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.armed {
            panic!("a bomb");
        }
    }
}

#[test]
fn a_payload_whose_destructor_panics_goes_out_and_so_does_the_next() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let (near, far) = (bus::<Bomb>(), bus::<Bomb>());
    let export = connected(Bridge::builder(&near).export("n"), &server);
    let _import = connected(Bridge::builder(&far).import("n"), &server);
    let sub = far.subscribe_all().unwrap();
    for n in 0..4 {
        let armed = n % 2 == 0;
        near.emit("n", Bomb { n, armed }).unwrap();
    }
    for n in 0..4 {
        assert_eq!(sub.recv_timeout(HANG).unwrap().payload().n, n);
    }
    assert!(export.state().is_connected());
    assert_eq!(export.stop(Drain::All).unwrap().left, 0);
}

#[test]
fn bridges_that_wait_for_their_own_first_word_do_not_answer_each_other_without_end() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let config = directory.path().join("nats.conf");
    let text = "authorization { users = [
        { user: ann, password: word, permissions: { publish: { deny: \"_CHANBUS.sent\" } } }
        { user: all, password: word } ] }";
    std::fs::write(&config, text).unwrap();
    let server = Server::start_with(&["-c", &config.to_string_lossy()]).unwrap();
    let mut plain = PlainClient::connect_as(&server, r#""user":"all","pass":"word","#);
    plain.subscribe("_CHANBUS.who");
    let bus = bus::<u64>();
    let start = || {
        let builder = Bridge::builder(&bus)
            .export("a")
            .user_and_password("ann", "word");
        builder.servers([server.url()]).start().unwrap()
    };
    let _bridges = [start(), start()];
    let hellos = [plain.next(), plain.next()];
    let began = Instant::now();
    thread::sleep(Duration::from_millis(500));
    // One more each, if this machine stood still for five seconds.
    let more = plain.all().len();
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap();
    assert!(more <= 2 * (seconds / 5 + 1), "{more} after {hellos:?}");
}

#[test]
fn a_plain_clients_id_that_the_stream_has_forgotten_is_another_message() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let server = Server::start_with_jetstream(directory.path()).unwrap();
    let far = bus::<u64>();
    let import = Bridge::builder(&far).import("n.*").name("far");
    let stream = JetStream::stream("N").duplicate_window(Duration::from_millis(100));
    let _import = connected(import.jetstream(stream), &server);
    let sub = far.subscribe_all().unwrap();
    let mut plain = PlainClient::connect(&server);
    for n in 1..=2 {
        plain.publish_with("n.a", &["Nats-Msg-Id: daily"], n.to_string());
        assert_eq!(*sub.recv_timeout(HANG).unwrap().payload(), n);
        // Longer than the stream remembers.
        thread::sleep(Duration::from_millis(500));
    }
}
