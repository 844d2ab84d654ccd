//! Events come over, whole, in order, and once.

use chanbus::{Bridge, BridgeState, Drain};

use crate::support::{HANG, Server, alone, bus, connected, installed, until};

#[test]
fn events_come_over_in_order_and_add_up() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let (near, far) = (bus::<u64>(), bus::<u64>());
    let export = connected(Bridge::builder(&near).export("n.*"), &server);
    let import = connected(Bridge::builder(&far).import("n.*"), &server);
    let sub = far.subscribe_all().unwrap();
    for n in 0..10_000 {
        near.emit("n.a", n).unwrap();
    }
    for n in 0..10_000 {
        let event = sub.recv_timeout(HANG).unwrap();
        assert_eq!((event.topic().as_str(), *event.payload()), ("n.a", n));
    }
    until("all is confirmed", || {
        export.stats().export.confirmed == 10_000
    });
    let stopped = export.stop(Drain::All).unwrap();
    assert_eq!(stopped.left, 0);
    assert_eq!(export.state(), BridgeState::Stopped);
    let import = import.stats().import;
    assert_eq!(
        (import.received, import.imported, import.missed),
        (10_000, 10_000, 0)
    );
}

#[test]
fn a_bridge_is_started_and_dropped_inside_of_a_runtime_as_anywhere() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (near, far) = (bus::<u64>(), bus::<u64>());
        let export = connected(Bridge::builder(&near).export("n.*"), &server);
        let _import = connected(Bridge::builder(&far).import("n.*"), &server);
        let sub = far.subscribe_all().unwrap();
        near.emit("n.a", 1).unwrap();
        drop(export);
        assert_eq!(*sub.recv_async().await.unwrap().payload(), 1);
    });
}

#[test]
fn a_bridge_knows_its_own_messages_whatever_its_name() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let bus = bus::<u64>();
    // Headers carry a percent sign as an escape.
    let builder = Bridge::builder(&bus).name("100%").export("n").import("n");
    let bridge = connected(builder, &server);
    let sub = bus.subscribe_all().unwrap();
    bus.emit("n", 1).unwrap();
    until("it has come back", || bridge.stats().import.received == 1);
    assert_eq!(bridge.stats().import.own, 1);
    assert_eq!(sub.len(), 1);
}
