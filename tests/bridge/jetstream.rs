//! By a stream: at least once, over restarts of either side.

use std::collections::HashSet;
use std::time::Duration;

use chanbus::{Bridge, BridgeBuilder, Bus, Drain, JetStream};

use crate::directory::Directory;
use crate::plain_client::PlainClient;
use crate::support::{HANG, Server, alone, bus, connected, installed, until};

#[test]
fn events_come_by_the_stream_in_order_and_add_up() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let server = Server::start_with_jetstream(directory.path()).unwrap();
    let (near, far) = (bus::<u64>(), bus::<u64>());
    let import = Bridge::builder(&far).import("n.*").name("far");
    let import = connected(
        import.jetstream(JetStream::stream("N").ack_wait(Duration::from_secs(1))),
        &server,
    );
    let export = Bridge::builder(&near).export("n.*").name("near");
    let export = connected(export.jetstream(JetStream::stream("N")), &server);
    let sub = far.subscribe_all().unwrap();
    for n in 0..5_000 {
        near.emit("n.a", n).unwrap();
    }
    for n in 0..5_000 {
        let event = sub.recv_timeout(HANG).unwrap();
        assert_eq!((event.topic().as_str(), *event.payload()), ("n.a", n));
    }
    assert_eq!(export.stop(Drain::All).unwrap().left, 0);
    let export = export.stats().export;
    assert_eq!(
        (export.confirmed, export.in_doubt, export.resent),
        (5_000, 0, 0)
    );
    until("all is counted", || import.stats().import.imported == 5_000);
    assert_eq!(import.stats().import.received, 5_000);
}

#[test]
fn nothing_is_missing_though_the_server_is_killed_again_and_again() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let mut server = Server::start_with_jetstream(directory.path()).unwrap();
    let (near, far) = (bus::<u64>(), bus::<u64>());
    let import = Bridge::builder(&far).import("n.*").name("far");
    let import = connected(
        import.jetstream(JetStream::stream("N").ack_wait(Duration::from_secs(1))),
        &server,
    );
    let export = Bridge::builder(&near)
        .export("n.*")
        .name("near")
        .capacity(1_000_000);
    let export = connected(export.jetstream(JetStream::stream("N")), &server);
    let sub = far
        .subscription("**")
        .capacity(1_000_000)
        .subscribe()
        .unwrap();
    let mut emitted = 0;
    for kills in 0..20 {
        let before = export.stats().export.confirmed;
        let mut emit = |events: u64| {
            for _ in 0..events {
                near.emit("n.a", emitted).unwrap();
                emitted += 1;
            }
        };
        emit(2_900);
        // By the connection to this server, not by what the last one had said before it was killed.
        until("some are through", || {
            let stats = export.stats();
            stats.connects > kills
                && export.state().is_connected()
                && stats.export.confirmed > before
        });
        // A server that stands still acknowledges nothing: what comes now is on its way when it is killed.
        server.freeze().unwrap();
        emit(100);
        until("some are on their way", || {
            export.stats().export.unconfirmed > 0
        });
        server.kill().unwrap();
        server.restart().unwrap();
    }
    until("all is stored", || {
        export.stats().export.confirmed == emitted
    });
    let mut seen = vec![0; usize::try_from(emitted).unwrap()];
    for _ in 0..emitted {
        seen[usize::try_from(*sub.recv_timeout(HANG).unwrap().payload()).unwrap()] += 1;
    }
    let lost: Vec<_> = seen
        .iter()
        .enumerate()
        .filter(|(_, n)| **n == 0)
        .map(|(at, _)| at)
        .collect();
    let twice: Vec<_> = seen.iter().enumerate().filter(|(_, n)| **n > 1).collect();
    assert!(
        lost.is_empty() && twice.is_empty(),
        "lost {lost:?}, twice {twice:?}, {:?}",
        import.stats()
    );
    drop(export);
    drop(import);
    assert!(sub.try_recv().is_err(), "and nothing else");
}

#[test]
fn nothing_is_missing_though_the_client_fails() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let server = Server::start_with_jetstream(directory.path()).unwrap();
    let (near, far) = (bus::<u64>(), bus::<u64>());
    let stream = || JetStream::stream("N").ack_wait(Duration::from_secs(1));
    let import = Bridge::builder(&far).import("n.*").name("far");
    let import = connected(import.jetstream(stream()), &server);
    // It imports, too, by which it can be struck.
    let export = Bridge::builder(&near)
        .export("n.*")
        .import("x")
        .name("near");
    let export = connected(export.jetstream(stream()), &server);
    let sub = far.subscribe_all().unwrap();
    let mut plain = PlainClient::connect(&server);
    let mut emitted = 0;
    for round in 1..=5 {
        for _ in 0..500 {
            near.emit("n.a", emitted).unwrap();
            emitted += 1;
        }
        // No client of ours writes this, and the client of both panics on it.
        plain.publish_raw(b"_CHANBUS.who", b"NATS/1.0\r\nA: a\rb\r\n\r\n", b"");
        until("both are back", || {
            let is_back =
                |it: &Bridge<u64>| it.stats().connects > round && it.state().is_connected();
            is_back(&export) && is_back(&import)
        });
    }
    until("all is stored", || {
        export.stats().export.confirmed == emitted
    });
    let mut seen = vec![0; usize::try_from(emitted).unwrap()];
    for _ in 0..emitted {
        seen[usize::try_from(*sub.recv_timeout(HANG).unwrap().payload()).unwrap()] += 1;
    }
    assert!(seen.iter().all(|&times| times == 1), "each once");
    let export = export.stats().export;
    assert_eq!(
        (export.sent, export.in_doubt, export.unconfirmed),
        (emitted, 0, 0)
    );
}

/// What the server knows of the only consumer of the stream `N`: handed out and not acknowledged, and not handed out yet.
fn left_on(server: &Server) -> (usize, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let client = async_nats::connect(server.url()).await.unwrap();
        let context = async_nats::jetstream::new(client);
        let stream = context.get_stream("N").await.unwrap();
        let mut names = stream.consumer_names();
        let name = std::future::poll_fn(|cx| {
            futures_core::Stream::poll_next(std::pin::Pin::new(&mut names), cx)
        });
        let name = name.await.unwrap().unwrap();
        let info = stream.consumer_info(name).await.unwrap();
        (info.num_ack_pending, info.num_pending)
    })
}

fn durable(bus: &Bus<u64>, name: &str) -> BridgeBuilder<u64> {
    let stream = JetStream::stream("N").ack_wait(Duration::from_secs(1));
    Bridge::builder(bus).name(name).jetstream(stream)
}

#[test]
fn who_imports_goes_on_where_it_stopped() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let mut server = Server::start_with_jetstream(directory.path()).unwrap();
    let near = bus::<u64>();
    let first = bus::<u64>();
    let sub = first.subscribe_all().unwrap();
    let import = connected(durable(&first, "far").import("n.*"), &server);
    let export = connected(durable(&near, "near").export("n.*"), &server);
    for n in 0..100 {
        near.emit("n.a", n).unwrap();
    }
    for n in 0..100 {
        assert_eq!(*sub.recv_timeout(HANG).unwrap().payload(), n);
    }
    import.stop(Drain::All).unwrap();
    for n in 100..200 {
        near.emit("n.a", n).unwrap();
    }
    until("all is stored", || export.stats().export.confirmed == 200);
    let second = bus::<u64>();
    let sub = second.subscribe_all().unwrap();
    let import = connected(durable(&second, "far").import("n.*"), &server);
    for n in 100..200 {
        assert_eq!(*sub.recv_timeout(HANG).unwrap().payload(), n);
    }
    until("all is counted", || import.stats().import.received == 100);
    until("all is acknowledged", || left_on(&server) == (0, 0));
    assert!(sub.try_recv().is_err());
    import.stop(Drain::All).unwrap();

    // And the server, killed, which may have forgotten what was acknowledged just now: at least once.
    for n in 200..300 {
        near.emit("n.a", n).unwrap();
    }
    until("all is stored", || export.stats().export.confirmed == 300);
    server.kill().unwrap();
    server.restart().unwrap();
    let third = bus::<u64>();
    let sub = third.subscribe_all().unwrap();
    let _import = connected(durable(&third, "far").import("n.*"), &server);
    let mut missing: HashSet<u64> = (200..300).collect();
    while !missing.is_empty() {
        missing.remove(sub.recv_timeout(HANG).unwrap().payload());
    }
    until("all is acknowledged", || left_on(&server) == (0, 0));
}

#[test]
fn a_bridge_knows_its_own_of_an_earlier_life() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let server = Server::start_with_jetstream(directory.path()).unwrap();
    let all = || JetStream::stream("N").from_the_beginning();
    let bus = bus::<u64>();
    let sub = bus.subscribe_all().unwrap();
    let first = connected(durable(&bus, "near").export("n.*"), &server);
    for n in 0..10 {
        bus.emit("n.a", n).unwrap();
    }
    first.stop(Drain::All).unwrap();
    assert_eq!(first.stats().export.confirmed, 10);
    let again = Bridge::builder(&bus).export("n.*").import("n.*");
    let again = connected(again.name("near").jetstream(all()), &server);
    until("all has come", || again.stats().import.received == 10);
    assert_eq!(
        (again.stats().import.own, again.stats().import.imported),
        (10, 0)
    );
    let other = crate::support::bus::<u64>();
    let other_sub = other.subscribe_all().unwrap();
    let import = Bridge::builder(&other).import("n.*").name("other");
    let import = connected(import.jetstream(all()), &server);
    for n in 0..10 {
        assert_eq!(*other_sub.recv_timeout(HANG).unwrap().payload(), n);
    }
    until("all is counted", || import.stats().import.imported == 10);
    assert_eq!(sub.len(), 10, "only what was emitted here");
}

#[test]
fn what_is_not_delivered_is_not_acknowledged_and_comes_again() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let server = Server::start_with_jetstream(directory.path()).unwrap();
    let near = bus::<u64>();
    let far = bus::<u64>();
    let full = far.subscription("n.*").capacity(1).subscribe().unwrap();
    let patient = JetStream::stream("N")
        .ack_wait(Duration::from_secs(60))
        .patience(Duration::from_secs(20));
    let import = Bridge::builder(&far).import("n.*").name("far");
    let import = connected(import.jetstream(patient), &server);
    let export = connected(durable(&near, "near").export("n.*"), &server);
    near.emit("n.a", 0).unwrap();
    until("the first is delivered", || full.len() == 1);
    until("and acknowledged", || left_on(&server) == (0, 0));
    near.emit("n.a", 1).unwrap();
    until("the second is handed out", || left_on(&server) == (1, 0));
    assert_eq!(import.stats().import.imported, 1, "there is no room for it");
    // Room comes, and it is delivered and acknowledged.
    assert_eq!(*full.recv_timeout(HANG).unwrap().payload(), 0);
    assert_eq!(*full.recv_timeout(HANG).unwrap().payload(), 1);
    until("the second is acknowledged", || left_on(&server) == (0, 0));
    assert_eq!((full.dropped(), import.stats().import.dropped), (0, 0));
    until("all is confirmed", || export.stats().export.confirmed == 2);
}

#[test]
fn a_message_that_is_no_event_is_reported_once_and_given_up() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let server = Server::start_with_jetstream(directory.path()).unwrap();
    let far = bus::<u64>();
    let sub = far.subscribe_all().unwrap();
    let import = connected(durable(&far, "far").import("n.*"), &server);
    let reports = import.states().subscribe("message.undecodable").unwrap();
    let mut plain = PlainClient::connect(&server);
    plain.publish("n.a", "no number");
    plain.publish("n.a", "7");
    assert_eq!(*sub.recv_timeout(HANG).unwrap().payload(), 7);
    until("both are settled", || left_on(&server) == (0, 0));
    assert_eq!(reports.len(), 1);
    let import = import.stats().import;
    assert_eq!((import.received, import.undecodable), (2, 1));
}

#[test]
fn of_a_durable_group_each_event_goes_to_one() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let server = Server::start_with_jetstream(directory.path()).unwrap();
    let near = bus::<u64>();
    let export = connected(durable(&near, "near").export("n.*"), &server);
    let far: Vec<_> = (0..3).map(|_| bus::<u64>()).collect();
    let subs: Vec<_> = far.iter().map(|bus| bus.subscribe_all().unwrap()).collect();
    let imports: Vec<_> = far
        .iter()
        .zip(["a", "b", "c"])
        .map(|(bus, name)| durable(bus, name).import("n.*").queue_group("workers"))
        .map(|import| connected(import, &server))
        .collect();
    for n in 0..3_000 {
        near.emit("n.a", n).unwrap();
    }
    let imported = || {
        imports
            .iter()
            .map(|it| it.stats().import.imported)
            .sum::<u64>()
    };
    until("all has come", || imported() == 3_000);
    until("all is acknowledged", || left_on(&server) == (0, 0));
    let mut seen: Vec<u64> = subs
        .iter()
        .flat_map(|sub| sub.try_iter())
        .map(|it| *it.payload())
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, (0..3_000).collect::<Vec<_>>());
    until("all is confirmed", || {
        export.stats().export.confirmed == 3_000
    });
}

#[test]
fn a_stream_that_is_not_there_is_said_and_waited_for() {
    if !installed() {
        return;
    }
    let _alone = alone();
    // Without JetStream.
    let server = Server::start().unwrap();
    let near = bus::<u64>();
    let export = durable(&near, "near").export("n.*").servers([server.url()]);
    let export = export.start().unwrap();
    let states = export.states().subscription("bridge.trouble").replay(10);
    let states = states.subscribe().unwrap();
    let trouble = states.recv_timeout(HANG).unwrap().payload().to_string();
    assert!(trouble.contains("\"N\""), "{trouble}");
    assert!(!export.state().is_connected());
    near.emit("n.a", 1).unwrap();
    until("it waits", || export.stats().export.waiting == 1);
}

#[test]
fn a_message_that_the_stream_will_never_have_holds_up_no_other() {
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
        let config = async_nats::jetstream::stream::Config {
            name: "N".to_owned(),
            subjects: vec!["n.*".to_owned()],
            max_message_size: 1_000,
            ..Default::default()
        };
        let context = async_nats::jetstream::new(client);
        context.create_stream(config).await.unwrap();
    });
    let near = bus::<String>();
    let export = Bridge::builder(&near).export("n.*").name("near");
    let export = connected(export.jetstream(JetStream::stream("N").existing()), &server);
    let states = export.states().subscribe("bridge.trouble").unwrap();
    for size in [10, 2_000, 20, 3_000, 30] {
        near.emit("n.a", "x".repeat(size)).unwrap();
    }
    until("those that fit are stored", || {
        export.stats().export.confirmed == 3
    });
    until("the others are refused", || {
        export.stats().export.refused == 2
    });
    let stats = export.stats().export;
    assert_eq!((stats.matched, stats.sent, stats.unconfirmed), (5, 3, 0));
    let trouble = states.recv_timeout(HANG).unwrap().payload().to_string();
    assert!(trouble.contains("n.a"), "{trouble}");
    assert_eq!(export.stop(Drain::All).unwrap().left, 0);
}

#[test]
fn each_event_waits_for_room_by_itself_and_none_is_handed_out_twice_meanwhile() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let server = Server::start_with_jetstream(directory.path()).unwrap();
    let (near, far) = (bus::<u64>(), bus::<u64>());
    // All together they wait for longer than either time, each for itself for less than its patience.
    let stream = || {
        JetStream::stream("N")
            .ack_wait(Duration::from_secs(1))
            .patience(Duration::from_secs(30))
    };
    let slow = far.subscription("n.*").capacity(2).subscribe().unwrap();
    let import = Bridge::builder(&far).import("n.*").name("far");
    let import = connected(import.jetstream(stream()), &server);
    let export = Bridge::builder(&near).export("n.*").name("near");
    let export = connected(export.jetstream(stream()), &server);
    for n in 0..300 {
        near.emit("n.a", n).unwrap();
    }
    until("all is stored", || export.stats().export.confirmed == 300);
    for n in 0..300 {
        assert_eq!(*slow.recv_timeout(HANG).unwrap().payload(), n);
        std::thread::sleep(Duration::from_millis(10));
    }
    until("all is acknowledged", || left_on(&server) == (0, 0));
    let stats = import.stats().import;
    assert_eq!(
        (stats.imported, stats.dropped, stats.duplicates),
        (300, 0, 0)
    );
}
