//! Over TLS, each side knowing the other.

use std::path::{Path, PathBuf};

use chanbus::{Bridge, BridgeBuilder, BridgeEvent, Bus};

use crate::support::{HANG, Server, alone, bus, installed};

/// Made by `tests/bridge/tls/make`.
fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/bridge/tls")
        .join(name)
}

/// A server that speaks to nobody without TLS, nor to clients that our authority does not know.
fn server() -> Server {
    let path = |name| file(name).to_str().unwrap().to_owned();
    let (cert, key, authority) = (path("server.pem"), path("server.key"), path("ca.pem"));
    let certificates = [
        "--tlscert",
        &cert,
        "--tlskey",
        &key,
        "--tlscacert",
        &authority,
    ];
    Server::start_with(&[&["--tls", "--tlsverify"][..], &certificates].concat()).unwrap()
}

fn at(bus: &Bus<u64>, server: &Server) -> BridgeBuilder<u64> {
    Bridge::builder(bus).servers([server.url()])
}

#[test]
fn events_come_over_where_each_side_knows_the_other() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = server();
    let (near, far) = (bus::<u64>(), bus::<u64>());
    let known = |builder: BridgeBuilder<u64>| {
        let builder = builder.require_tls().root_certificates(file("ca.pem"));
        let bridge = builder
            .client_certificate(file("client.pem"), file("client.key"))
            .start()
            .unwrap();
        assert!(bridge.wait_connected(HANG));
        bridge
    };
    let _import = known(at(&far, &server).import("n.*"));
    let _export = known(at(&near, &server).export("n.*"));
    let sub = far.subscribe_all().unwrap();
    near.emit("n.a", 7).unwrap();
    assert_eq!(*sub.recv_timeout(HANG).unwrap().payload(), 7);
}

#[test]
fn a_side_that_is_not_known_gets_no_connection_and_is_told() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = server();
    let bus = bus::<u64>();
    let unknown_server = at(&bus, &server).export("n.*").require_tls();
    let unknown_client = at(&bus, &server)
        .export("n.*")
        .require_tls()
        .root_certificates(file("ca.pem"));
    for builder in [unknown_server, unknown_client] {
        let bridge = builder.start().unwrap();
        let troubles = bridge.states().subscription("bridge.trouble").replay(10);
        let trouble = troubles.subscribe().unwrap().recv_timeout(HANG).unwrap();
        assert!(matches!(trouble.payload(), BridgeEvent::Trouble { .. }));
        assert!(!bridge.state().is_connected());
    }
}

#[test]
fn without_tls_on_the_other_side_a_bridge_that_wants_it_gets_no_connection() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let bus = bus::<u64>();
    let bridge = at(&bus, &server)
        .export("n.*")
        .require_tls()
        .start()
        .unwrap();
    let troubles = bridge.states().subscription("bridge.trouble").replay(10);
    let trouble = troubles.subscribe().unwrap().recv_timeout(HANG).unwrap();
    assert!(matches!(trouble.payload(), BridgeEvent::Trouble { .. }));
    assert!(!bridge.state().is_connected());
}
