//! How a bridge ends: with all that waits, with what fits in a time, or at once; and nothing of it stays.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use chanbus::{Bridge, BridgeState, Bus, Drain, Subscription};

use crate::plain_client::PlainClient;
use crate::relay::Relay;
use crate::support::{HANG, Server, alone, bus, connected, installed, until};

/// Nobody listens there: the system gives out no such port.
const NOBODY: &str = "nats://127.0.0.1:1";
/// What takes no longer than this has not waited for anybody.
const PROMPT: Duration = Duration::from_secs(10);

/// How many threads of bridges there are in this process.
#[cfg(target_os = "linux")]
fn threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names
        .filter(|name| name.starts_with("chanbus-bridge"))
        .count()
}

#[cfg(not(target_os = "linux"))]
fn threads() -> usize {
    0
}

fn nothing_lingers() {
    until("the threads of the bridges end", || threads() == 0);
}

fn next<T: Send + Sync>(sub: &Subscription<T>) -> chanbus::Event<T> {
    sub.recv_timeout(HANG).unwrap()
}

#[test]
fn drain_all_sends_what_waits_and_returns_when_the_server_has_it() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let mut client = PlainClient::connect(&server);
    client.subscribe("n");
    let bus = bus::<u64>();
    let bridge = connected(Bridge::builder(&bus).export("n").import("m"), &server);
    for n in 0..5_000 {
        bus.emit("n", n).unwrap();
    }
    let stopped = bridge.stop(Drain::All).unwrap();
    assert_eq!((stopped.left, stopped.pending), (0, false));
    assert_eq!(bridge.state(), BridgeState::Stopped);
    let export = bridge.stats().export;
    assert_eq!(
        (export.sent, export.confirmed, export.in_doubt),
        (5_000, 5_000, 0)
    );
    // It is with the server by now.
    assert_eq!(client.all().len(), 5_000);
    // What is emitted later matches nothing any more, and the slot on the bus is free.
    assert_eq!(bus.emit("n", 0).unwrap().matched, 0);
    assert_eq!(bus.subscriber_count(), 0);
    assert_eq!(bridge.stats().export.matched, 5_000);
    nothing_lingers();
    // Again, in all ways.
    for drain in [Drain::All, Drain::Now, Drain::Within(Duration::ZERO)] {
        let stopped = bridge.stop(drain).unwrap();
        assert_eq!((stopped.left, stopped.pending), (0, false));
    }
}

#[test]
fn drain_all_waits_for_a_server_that_is_not_there() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let mut server = Server::start().unwrap();
    server.kill().unwrap();
    let bus = bus::<u64>();
    let builder = Bridge::builder(&bus).export("n").servers([server.url()]);
    let bridge = builder.start().unwrap();
    for n in 0..100 {
        bus.emit("n", n).unwrap();
    }
    thread::scope(|scope| {
        let (told, stopped) = mpsc::channel();
        let bridge = &bridge;
        scope.spawn(move || told.send(bridge.stop(Drain::All).unwrap()).unwrap());
        until("the queue is closed", || {
            bus.emit("n", 0).unwrap().matched == 0
        });
        assert!(stopped.try_recv().is_err());
        server.restart().unwrap();
        assert_eq!(stopped.recv_timeout(HANG).unwrap().left, 0);
    });
    let export = bridge.stats().export;
    assert_eq!(export.matched, export.confirmed);
    nothing_lingers();
}

#[test]
fn drain_within_gives_up_in_time_and_says_what_is_left_and_in_doubt() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let relay = Relay::start(&server);
    let bus = bus::<u64>();
    let builder = Bridge::builder(&bus).export("n").in_flight(10);
    let bridge = builder.servers([relay.url()]).start().unwrap();
    assert!(bridge.wait_connected(HANG));
    relay.hold();
    for n in 0..100 {
        bus.emit("n", n).unwrap();
    }
    until("some are in flight", || {
        bridge.stats().export.unconfirmed == 10
    });
    let start = Instant::now();
    let error = bridge
        .stop(Drain::Within(Duration::from_millis(50)))
        .unwrap_err();
    assert!(start.elapsed() < PROMPT);
    assert_eq!((error.left, error.in_doubt), (90, 10));
    assert!(
        error
            .to_string()
            .contains("90 events are left, 10 more are in doubt")
    );
    until("it has stopped", || bridge.state() == BridgeState::Stopped);
    let export = bridge.stats().export;
    assert_eq!((export.sent, export.in_doubt, export.waiting), (10, 10, 90));
    assert_eq!((export.matched, export.unconfirmed), (100, 0));
    assert_eq!(bus.subscriber_count(), 0);
    nothing_lingers();
}

#[test]
fn drain_within_returns_as_soon_as_all_is_done() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let bus = bus::<u64>();
    let bridge = connected(Bridge::builder(&bus).export("n"), &server);
    for n in 0..100 {
        bus.emit("n", n).unwrap();
    }
    assert_eq!(bridge.stop(Drain::Within(HANG)).unwrap().left, 0);
    assert_eq!(bridge.stats().export.confirmed, 100);
    nothing_lingers();
}

#[test]
fn drain_now_leaves_what_waits_where_a_server_is_and_where_none_is() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let relay = Relay::start(&server);
    for url in [relay.url(), NOBODY.to_owned()] {
        let bus = bus::<u64>();
        let builder = Bridge::builder(&bus).export("n").import("m").in_flight(10);
        let bridge = builder.servers([url.clone()]).start().unwrap();
        let sent = if url == NOBODY { 0 } else { 10 };
        if sent > 0 {
            assert!(bridge.wait_connected(HANG));
            relay.hold();
        }
        for n in 0..100 {
            bus.emit("n", n).unwrap();
        }
        until("nothing moves", || {
            bridge.stats().export.unconfirmed == sent
        });
        let start = Instant::now();
        let stopped = bridge.stop(Drain::Now).unwrap();
        assert!(start.elapsed() < PROMPT);
        assert_eq!((stopped.left, stopped.pending), (100 - sent, false));
        assert_eq!(bridge.state(), BridgeState::Stopped);
        assert_eq!(bridge.stats().export.in_doubt, sent);
        nothing_lingers();
    }
}

#[test]
fn dropped_it_sends_on_for_a_moment_with_a_server_and_not_at_all_without() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let mut client = PlainClient::connect(&server);
    client.subscribe("n");
    let with = bus::<u64>();
    let bridge = connected(Bridge::builder(&with).export("n").linger(HANG), &server);
    for n in 0..1_000 {
        with.emit("n", n).unwrap();
    }
    drop(bridge);
    assert_eq!(client.all().len(), 1_000);
    assert_eq!(with.subscriber_count(), 0);
    nothing_lingers();

    let without = bus::<u64>();
    let builder = Bridge::builder(&without).export("n").linger(HANG);
    let bridge = builder.servers([NOBODY]).start().unwrap();
    without.emit("n", 1).unwrap();
    let start = Instant::now();
    drop(bridge);
    assert!(start.elapsed() < PROMPT);
    assert_eq!(without.subscriber_count(), 0);
    nothing_lingers();

    // Where the server does not answer, the moment is all it takes.
    let relay = Relay::start(&server);
    let builder = Bridge::builder(&with)
        .export("n")
        .linger(Duration::from_millis(50));
    let bridge = builder.servers([relay.url()]).start().unwrap();
    assert!(bridge.wait_connected(HANG));
    relay.hold();
    with.emit("n", 1).unwrap();
    let start = Instant::now();
    drop(bridge);
    assert!(start.elapsed() < PROMPT);
    nothing_lingers();
}

#[test]
fn several_threads_may_stop_it_at_once_each_in_its_way() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    for round in 0..10 {
        let bus = bus::<u64>();
        let bridge = connected(Bridge::builder(&bus).export("n").import("m"), &server);
        for n in 0..500 {
            bus.emit("n", n).unwrap();
        }
        thread::scope(|scope| {
            for drain in [Drain::All, Drain::Within(HANG), Drain::Now, Drain::All] {
                let bridge = &bridge;
                scope.spawn(move || {
                    // A stop that is not the last word still says what is left in the end.
                    let left = match bridge.stop(drain) {
                        Ok(stopped) => stopped.left,
                        Err(error) => error.left,
                    };
                    assert_eq!(left, bridge.stats().export.waiting, "round {round}");
                });
            }
        });
        let export = bridge.stats().export;
        assert_eq!(export.matched, export.sent + export.waiting);
        assert_eq!(export.sent, export.confirmed + export.in_doubt);
    }
    nothing_lingers();
}

#[test]
fn stopped_from_a_tap_on_its_own_thread_it_does_not_wait_for_itself() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    for drain in [
        Drain::All,
        Drain::Within(Duration::from_millis(1)),
        Drain::Now,
    ] {
        let bus = bus::<u64>();
        let bridge = connected(Bridge::builder(&bus).import("n").export("m"), &server);
        let bridge = Arc::new(Mutex::new(Some(bridge)));
        let (told, stops) = mpsc::channel();
        let ours = Arc::clone(&bridge);
        let _tap = bus
            .tap("n", move |_| {
                let bridge = ours.lock().unwrap().take().unwrap();
                told.send(bridge.stop(drain)).unwrap();
                // Dropped here, too.
            })
            .unwrap();
        let mut client = PlainClient::connect(&server);
        client.publish("n", "1");
        let stopped = stops.recv_timeout(HANG).unwrap().unwrap();
        assert_eq!((stopped.left, stopped.pending), (0, true));
        nothing_lingers();
        assert_eq!(bus.subscriber_count(), 0);
    }
    // By what it says of itself, which is told on its thread, too.
    let relay = Relay::start(&server);
    relay.hold();
    let bus = bus::<u64>();
    let builder = Bridge::builder(&bus).export("m").servers([relay.url()]);
    let bridge = builder.start().unwrap();
    let states = bridge.states().clone();
    let bridge = Mutex::new(Some(bridge));
    let (told, stops) = mpsc::channel();
    let _tap = states
        .tap("bridge.connected", move |_| {
            let bridge = bridge.lock().unwrap().take().unwrap();
            told.send(bridge.stop(Drain::All)).unwrap();
        })
        .unwrap();
    relay.release();
    assert!(stops.recv_timeout(HANG).unwrap().unwrap().pending);
    nothing_lingers();
}

#[test]
fn a_bus_that_is_closed_or_dropped_ends_its_bridge_after_what_waits() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let mut client = PlainClient::connect(&server);
    client.subscribe("n");
    for close in [true, false] {
        let bus = bus::<u64>();
        let bridge = connected(Bridge::builder(&bus).export("n").import("m"), &server);
        let states = bridge.states().subscribe("bridge.stopped").unwrap();
        for n in 0..1_000 {
            bus.emit("n", n).unwrap();
        }
        if close {
            bus.close();
        } else {
            drop(bus);
        }
        next(&states);
        assert_eq!(bridge.state(), BridgeState::Stopped);
        assert_eq!(bridge.stats().export.confirmed, 1_000);
        assert_eq!(client.all().len(), 1_000);
        assert_eq!(bridge.stop(Drain::All).unwrap().left, 0);
        nothing_lingers();
    }
    // One that only imports knows of it by the next event.
    let bus = bus::<u64>();
    let bridge = connected(Bridge::builder(&bus).import("m"), &server);
    drop(bus);
    client.publish("m", "1");
    until("it has stopped", || bridge.state() == BridgeState::Stopped);
    assert_eq!(bridge.stats().import.received, 0);
    nothing_lingers();
}

#[test]
fn what_has_come_is_imported_before_a_drain_ends() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let bus: Bus<u64> = Bus::builder().capacity(100_000).build().unwrap();
    let bridge = connected(Bridge::builder(&bus).import("n"), &server);
    let sub = bus.subscribe("n").unwrap();
    // The first holds up the bridge's thread, until all the others have come to this process.
    let (enter, entered) = mpsc::channel();
    let (leave, left) = mpsc::channel::<()>();
    let left = Mutex::new(left);
    let _tap = bus
        .tap("n", move |event| {
            if *event.payload() == 0 {
                enter.send(()).unwrap();
                left.lock().unwrap().recv().unwrap();
            }
        })
        .unwrap();
    let mut client = PlainClient::connect(&server);
    client.publish("n", "0");
    entered.recv_timeout(HANG).unwrap();
    for n in 1..=1_000 {
        client.publish("n", n.to_string());
    }
    client.settle();
    thread::scope(|scope| {
        let stopping = scope.spawn(|| bridge.stop(Drain::All).unwrap());
        leave.send(()).unwrap();
        stopping.join().unwrap();
    });
    let came: Vec<u64> = sub.try_iter().map(|event| *event.payload()).collect();
    assert_eq!(came.len(), 1_001);
    nothing_lingers();
}

#[test]
fn drain_all_waits_for_no_server_where_nothing_is_to_be_sent() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let bus = bus::<u64>();
    for builder in [
        Bridge::builder(&bus).import("n"),
        Bridge::builder(&bus).export("n"),
    ] {
        let bridge = builder.servers([NOBODY]).start().unwrap();
        let stopped = bridge.stop(Drain::Within(HANG)).unwrap();
        assert_eq!((stopped.left, stopped.pending), (0, false));
    }
    // All that was sent is settled, one way or the other, when the server is gone.
    let mut server = Server::start().unwrap();
    let bridge = connected(Bridge::builder(&bus).export("n").import("m"), &server);
    bus.emit("n", 1).unwrap();
    until("it is confirmed", || bridge.stats().export.confirmed == 1);
    server.kill().unwrap();
    until("it is lost", || bridge.state() == BridgeState::Lost);
    assert_eq!(bridge.stop(Drain::Within(HANG)).unwrap().left, 0);
    nothing_lingers();
}

#[test]
fn what_has_come_is_imported_also_when_the_connection_breaks_meanwhile() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let relay = Relay::start(&server);
    let bus: Bus<u64> = Bus::builder().capacity(100_000).build().unwrap();
    let builder = Bridge::builder(&bus).import("n").max_backoff(HANG);
    let bridge = builder.servers([relay.url()]).start().unwrap();
    assert!(bridge.wait_connected(HANG));
    let sub = bus.subscribe("n").unwrap();
    let (enter, entered) = mpsc::channel();
    let (leave, left) = mpsc::channel::<()>();
    let left = Mutex::new(left);
    let _tap = bus
        .tap("n", move |event| {
            if *event.payload() == 0 {
                enter.send(()).unwrap();
                left.lock().unwrap().recv().unwrap();
            }
        })
        .unwrap();
    relay.hold();
    let mut client = PlainClient::connect(&server);
    for n in 0..3_000 {
        client.publish("n", n.to_string());
    }
    client.settle();
    let passed = relay.passed();
    relay.release();
    entered.recv_timeout(HANG).unwrap();
    until("all has come to this process", || {
        relay.passed() >= passed + 3_000 * "MSG n 1 1\r\n0\r\n".len()
    });
    relay.hold();
    relay.cut();
    thread::scope(|scope| {
        let stopping = scope.spawn(|| bridge.stop(Drain::Within(HANG)).unwrap());
        leave.send(()).unwrap();
        stopping.join().unwrap();
    });
    let came: Vec<u64> = sub.try_iter().map(|event| *event.payload()).collect();
    assert_eq!(came.len(), 3_000);
    nothing_lingers();
}
