//! What a bridge says of itself: connected, lost, back, stopped, and what troubles it.

use std::time::{Duration, Instant};

use chanbus::{
    Bridge, BridgeEvent, BridgeState, Bus, Drain, RecvTimeoutError, Subscription, TryRecvError,
};

use crate::directory::Directory;
use crate::plain_client::PlainClient;
use crate::relay::Relay;
use crate::support::{HANG, Server, alone, bus, connected, installed, until};

fn next(states: &Subscription<BridgeEvent>) -> BridgeEvent {
    states.recv_timeout(HANG).unwrap().payload().clone()
}

/// The next that is no complaint of a server that is not there.
fn next_state(states: &Subscription<BridgeEvent>) -> BridgeEvent {
    loop {
        match next(states) {
            BridgeEvent::Trouble { .. } => {}
            state => return state,
        }
    }
}

/// A server that is not there yet, and will be on this port.
fn absent() -> Server {
    let mut server = Server::start().unwrap();
    server.kill().unwrap();
    server
}

#[test]
fn connected_lost_back_and_stopped_come_in_this_order_and_then_the_end() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let mut server = absent();
    let bus = bus::<u64>();
    let builder = Bridge::builder(&bus).export("a").servers([server.url()]);
    let bridge = builder.start().unwrap();
    let states = bridge.states().subscribe("bridge.*").unwrap();
    assert_eq!(bridge.state(), BridgeState::Connecting);
    assert!(!bridge.wait_connected(Duration::from_millis(20)));
    server.restart().unwrap();
    assert!(bridge.wait_connected(HANG));
    assert_eq!(bridge.state(), BridgeState::Connected);
    assert_eq!(next_state(&states), BridgeEvent::Connected);
    for _ in 0..2 {
        server.kill().unwrap();
        assert_eq!(next_state(&states), BridgeEvent::Lost { in_doubt: 0 });
        assert_eq!(bridge.state(), BridgeState::Lost);
        assert!(!bridge.wait_connected(Duration::from_millis(20)));
        server.restart().unwrap();
        assert!(bridge.wait_connected(HANG));
        assert_eq!(next_state(&states), BridgeEvent::Back);
    }
    assert_eq!(bridge.stats().connects, 3);
    bridge.stop(Drain::All).unwrap();
    assert_eq!(bridge.state(), BridgeState::Stopped);
    assert!(!bridge.wait_connected(HANG));
    // No loss is reported of a connection that the bridge itself gave up.
    assert_eq!(next(&states), BridgeEvent::Stopped);
    assert_eq!(states.try_recv().unwrap_err(), TryRecvError::Closed);
    let late = bridge
        .states()
        .subscription("bridge.*")
        .replay(64)
        .subscribe();
    assert!(late.is_err(), "the bus of states is closed");
}

#[test]
fn who_comes_late_has_the_states_by_replay() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let bus = bus::<u64>();
    let bridge = connected(Bridge::builder(&bus).export("a"), &server);
    let relay = bridge.states().subscription("bridge.*").replay(1);
    let states = relay.subscribe().unwrap();
    assert_eq!(next(&states), BridgeEvent::Connected);
    drop(bridge);
    assert_eq!(next(&states), BridgeEvent::Stopped);
    let ended = states.recv_timeout(HANG).unwrap_err();
    assert_eq!(ended, RecvTimeoutError::Closed);
}

#[test]
fn what_was_in_flight_when_the_connection_broke_is_said_and_what_waited_goes_out_after() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let relay = Relay::start(&server);
    let (near, far) = (bus::<u64>(), bus::<u64>());
    let builder = Bridge::builder(&near).export("a").in_flight(10);
    let export = builder.servers([relay.url()]).start().unwrap();
    assert!(export.wait_connected(HANG));
    let import = connected(Bridge::builder(&far).import("a"), &server);
    let states = export.states().subscribe("bridge.*").unwrap();
    let sub = far.subscribe_all().unwrap();
    near.emit("a", 0).unwrap();
    sub.recv_timeout(HANG).unwrap();
    until("it is confirmed", || export.stats().export.confirmed == 1);
    relay.hold();
    for n in 1..=100 {
        near.emit("a", n).unwrap();
    }
    until("as many as may be are in flight", || {
        export.stats().export.unconfirmed == 10
    });
    assert_eq!(export.stats().export.waiting, 90);
    relay.cut();
    assert_eq!(next(&states), BridgeEvent::Lost { in_doubt: 10 });
    relay.release();
    assert_eq!(next_state(&states), BridgeEvent::Back);
    until("all is settled", || export.stats().export.confirmed == 91);
    let export = export.stats().export;
    assert_eq!((export.sent, export.in_doubt, export.dropped), (101, 10, 0));
    until("it is known what is missing", || {
        let import = import.stats().import;
        import.imported + import.missed == 101
    });
    // In order, with the gap where it was.
    let came: Vec<u64> = sub.try_iter().map(|event| *event.payload()).collect();
    let missed = import.stats().import.missed;
    assert!(missed <= 10);
    assert_eq!(came.len() as u64, 100 - missed);
    assert!(came.is_sorted());
    assert_eq!(came[came.len() - 90..], (11..=100).collect::<Vec<_>>());
}

/// A bridge to a server that will not have it.
fn refused(
    server: &Server,
    bus: &Bus<u64>,
    access: impl FnOnce(chanbus::BridgeBuilder<u64>) -> chanbus::BridgeBuilder<u64>,
) -> (Bridge<u64>, BridgeEvent) {
    let builder = Bridge::builder(bus).export("a").servers([server.url()]);
    let bridge = access(builder).start().unwrap();
    let states = bridge
        .states()
        .subscription("bridge.*")
        .replay(64)
        .subscribe()
        .unwrap();
    let trouble = next(&states);
    assert!(!bridge.wait_connected(Duration::from_millis(100)));
    // It is said once, however often it is tried.
    assert!(states.try_recv().is_err());
    assert_eq!(bridge.state(), BridgeState::Connecting);
    (bridge, trouble)
}

#[test]
fn a_server_that_refuses_the_bridge_is_said_so_once() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let bus = bus::<u64>();
    let user = Server::start_with(&["--user", "ann", "--pass", "right"]).unwrap();
    let token = Server::start_with(&["--auth", "right"]).unwrap();
    for (server, word) in [(&user, "wrong-word"), (&token, "wrong-token")] {
        let (bridge, trouble) = refused(server, &bus, |builder| match word {
            "wrong-word" => builder.user_and_password("ann", word),
            _ => builder.token(word),
        });
        let text = trouble.to_string();
        assert!(text.contains("authorization violation"), "{text}");
        assert!(!format!("{text} {trouble:?}").contains("wrong"));
        bus.emit("a", 1).unwrap();
        assert_eq!(bridge.stats().export.waiting, 1);
    }
    let (_, trouble) = refused(&user, &bus, |builder| builder);
    assert!(trouble.to_string().contains("authorization violation"));
}

fn with_permissions(permissions: &str) -> (Server, Directory) {
    let directory = Directory::new();
    let config = directory.path().join("nats.conf");
    let text = format!(
        "authorization {{ users = [\n  {{ user: ann, password: word, permissions: {{ {permissions} }} }}\n  \
         {{ user: all, password: word }} ] }}\n"
    );
    std::fs::write(&config, text).unwrap();
    let server = Server::start_with(&["-c", &config.to_string_lossy()]).unwrap();
    (server, directory)
}

#[test]
fn a_bridge_that_may_not_use_its_control_subjects_says_which_permissions_it_wants() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let (server, _directory) =
        with_permissions(r#"publish: { deny: "_CHANBUS.>" }, subscribe: { deny: "_CHANBUS.>" }"#);
    let bus = bus::<u64>();
    let builder = Bridge::builder(&bus)
        .export("a")
        .user_and_password("ann", "word");
    let bridge = builder.servers([server.url()]).start().unwrap();
    let states = bridge
        .states()
        .subscription("bridge.*")
        .replay(64)
        .subscribe()
        .unwrap();
    bus.emit("a", 1).unwrap();
    let until = Instant::now() + HANG;
    let mut said = Vec::new();
    while !said
        .iter()
        .any(|text: &String| text.contains("wants permission"))
    {
        assert!(Instant::now() < until, "{said:?}");
        said.push(next(&states).to_string());
    }
    assert!(
        said[0].to_lowercase().contains("permissions violation"),
        "{said:?}"
    );
    assert!(
        said.iter().any(|text| text.contains("_CHANBUS.sent")),
        "{said:?}"
    );
    // It sends nothing of which it would never know.
    assert_eq!(bridge.state(), BridgeState::Connecting);
    assert_eq!(bridge.stats().export.waiting, 1);
    assert!(
        bridge
            .stop(Drain::Within(Duration::from_millis(50)))
            .is_err()
    );
}

/// The server takes it for sent, and drops it; who imports it knows that it is missing.
#[test]
fn a_subject_that_may_not_be_published_on_is_said_and_counted_where_it_is_missing() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let (server, _directory) = with_permissions(r#"publish: { deny: "a.secret" }"#);
    let (near, far) = (bus::<u64>(), bus::<u64>());
    let builder = Bridge::builder(&near)
        .export("a.*")
        .user_and_password("ann", "word");
    let export = connected(builder, &server);
    let states = export.states().subscribe("bridge.trouble").unwrap();
    let builder = Bridge::builder(&far)
        .import("a.*")
        .user_and_password("all", "word");
    let import = connected(builder, &server);
    near.emit("a.b", 1).unwrap();
    near.emit("a.secret", 2).unwrap();
    let text = next(&states).to_string();
    assert!(
        text.to_lowercase().contains("permissions violation"),
        "{text}"
    );
    assert!(text.contains("a.secret"), "{text}");
    until("it is known to be missing", || {
        let import = import.stats().import;
        (import.imported, import.missed) == (1, 1)
    });
    until("the other is confirmed", || {
        export.stats().export.confirmed == 1
    });
    let export = export.stats().export;
    assert_eq!((export.sent, export.denied, export.in_doubt), (2, 1, 0));
    assert_eq!(export.unconfirmed, 0);
}

#[test]
fn a_bridge_that_may_not_import_says_so() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let (server, _directory) = with_permissions(r#"subscribe: { deny: "a.secret" }"#);
    let bus = bus::<u64>();
    let builder = Bridge::builder(&bus).import(["a.secret", "a.b"]);
    let builder = builder
        .user_and_password("ann", "word")
        .servers([server.url()]);
    let bridge = builder.start().unwrap();
    let states = bridge
        .states()
        .subscription("bridge.trouble")
        .replay(64)
        .subscribe()
        .unwrap();
    let text = next(&states).to_string();
    assert!(
        text.to_lowercase().contains("permissions violation"),
        "{text}"
    );
    assert!(text.contains("a.secret"), "{text}");
    // The others it has.
    assert!(bridge.wait_connected(HANG));
    let sub = bus.subscribe_all().unwrap();
    let mut client = PlainClient::connect_as(&server, r#""user":"all","pass":"word","#);
    client.publish("a.secret", "1");
    client.publish("a.b", "2");
    assert_eq!(sub.recv_timeout(HANG).unwrap().payload(), &2);
}
