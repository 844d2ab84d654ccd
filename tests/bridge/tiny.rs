//! The smallest settings, and ends in every order.

use std::thread;

use chanbus::{Bridge, BridgeBuilder, Bus, Drain, JetStream};

use crate::directory::Directory;
use crate::support::{HANG, Server, alone, bus, connected, installed, until};

/// Sends so many by a bridge that has one message in flight, and waits until all have come.
fn one_at_a_time(
    server: &Server,
    with: impl Fn(BridgeBuilder<u64>, &'static str) -> BridgeBuilder<u64>,
) {
    let (near, far) = (bus::<u64>(), bus::<u64>());
    let import = connected(with(Bridge::builder(&far).import("n.*"), "far"), server);
    let export = with(Bridge::builder(&near).export("n.*").in_flight(1), "near");
    let export = connected(export, server);
    let sub = far.subscribe_all().unwrap();
    for n in 0..200 {
        near.emit("n.a", n).unwrap();
    }
    for n in 0..200 {
        assert_eq!(*sub.recv_timeout(HANG).unwrap().payload(), n);
    }
    until("all is confirmed", || {
        export.stats().export.confirmed == 200
    });
    assert_eq!(export.stop(Drain::All).unwrap().left, 0);
    until("all is counted", || import.stats().import.imported == 200);
    assert_eq!(import.stats().import.missed, 0);
}

#[test]
fn one_message_in_flight_is_enough() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let server = Server::start_with_jetstream(directory.path()).unwrap();
    one_at_a_time(&server, |builder, _| builder);
    one_at_a_time(&server, |builder, name| {
        builder.name(name).jetstream(JetStream::stream("N"))
    });
}

#[test]
fn a_queue_of_one_drops_and_counts_what_it_has_no_room_for() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let (near, far) = (bus::<u64>(), bus::<u64>());
    let import = connected(Bridge::builder(&far).import("n.*"), &server);
    let export = Bridge::builder(&near)
        .export("n.*")
        .capacity(1)
        .in_flight(1);
    let export = connected(export, &server);
    for n in 0..5_000 {
        near.emit("n.a", n).unwrap();
    }
    until("nothing moves", || {
        let export = export.stats().export;
        export.waiting == 0 && export.dropped + export.confirmed == 5_000
    });
    let stats = export.stats().export;
    assert!(stats.dropped > 0 && stats.confirmed > 0, "{stats:?}");
    until("all that was sent has come", || {
        import.stats().import.imported == stats.confirmed
    });
}

/// A bus, and a bridge of it that exports and imports the same, by a stream or not.
fn both(server: &Server, stream: bool, name: &str) -> (Bus<u64>, Bridge<u64>) {
    let bus = bus::<u64>();
    let builder = Bridge::builder(&bus).export("n.*").import("n.*");
    let builder = if stream {
        builder.name(name).jetstream(JetStream::stream("N"))
    } else {
        builder
    };
    let bridge = connected(builder, server);
    (bus, bridge)
}

#[test]
fn bus_bridge_states_and_server_end_in_any_order_under_load() {
    if !installed() {
        return;
    }
    let _alone = alone();
    for stream in [false, true] {
        for order in 0..6 {
            let directory = Directory::new();
            let mut server = Server::start_with_jetstream(directory.path()).unwrap();
            let (bus, bridge) = both(&server, stream, "one");
            let (_other, _peer) = both(&server, stream, "two");
            let states = bridge.states().subscription("bridge.*").replay(64);
            let states = states.subscribe().unwrap();
            let weak = bus.downgrade();
            let load = thread::spawn(move || {
                let mut n = 0;
                while let Some(bus) = weak.upgrade() {
                    if bus.emit("n.a", n).is_err() {
                        break;
                    }
                    n += 1;
                }
            });
            until("events flow", || bridge.stats().export.sent > 100);
            let mut bus = Some(bus);
            let mut bridge = Some(bridge);
            let orders = [
                [0, 1, 2],
                [0, 2, 1],
                [1, 0, 2],
                [1, 2, 0],
                [2, 0, 1],
                [2, 1, 0],
            ];
            for what in orders[order] {
                match what {
                    0 => {
                        if let Some(bus) = bus.take() {
                            bus.close();
                        }
                    }
                    1 => drop(bridge.take()),
                    _ => server.kill().unwrap(),
                }
            }
            load.join().unwrap();
            // The end of the states is the end of the bridge.
            while states.recv_timeout(HANG).is_ok() {}
            assert!(states.is_closed());
        }
    }
}
