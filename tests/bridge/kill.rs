//! The sums, with the server killed under load, again and again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use chanbus::{Bridge, BridgeEvent, Bus, Subscription};

use crate::support::{HANG, Server, alone, connected, installed, until};

const KILLS: usize = 20;

/// One of two processes that send each other all they emit.
struct Side {
    bus: Bus<u64>,
    bridge: Bridge<u64>,
    /// What came from the other.
    came: Subscription<u64>,
    lost: Subscription<BridgeEvent>,
}

impl Side {
    fn new(server: &Server, others: &str) -> Self {
        let bus = Bus::builder().capacity(1_000_000).build().unwrap();
        let came = bus.subscribe(others).unwrap();
        // So few wait here that some are dropped while the server is away.
        let builder = Bridge::builder(&bus)
            .export(["left.**", "right.**"])
            .import(["left.**", "right.**"])
            .capacity(300)
            .in_flight(400)
            .max_backoff(Duration::from_millis(10));
        let bridge = connected(builder, server);
        let lost = bridge.states().subscribe("bridge.lost").unwrap();
        Side {
            bus,
            bridge,
            came,
            lost,
        }
    }
}

/// Emits until told otherwise, as fast as the machine's other work lets it go on.
fn emit(bus: &Bus<u64>, topic: &str, over: &AtomicBool) -> u64 {
    let mut count = 0;
    while !over.load(Ordering::Relaxed) {
        for _ in 0..20 {
            count += 1;
            bus.emit(topic, count).unwrap();
        }
        thread::sleep(Duration::from_micros(200));
    }
    count
}

/// All of one direction, from the emits there to the events here.
fn add_up(from: &Side, to: &Side, emitted: u64) {
    let (export, import) = (from.bridge.stats().export, to.bridge.stats().import);
    // What came from the other side matched, too, and was left out.
    assert_eq!(export.skipped, from.bridge.stats().import.imported);
    assert_eq!(export.matched - export.skipped, emitted);
    assert_eq!(
        export.matched,
        export.skipped + export.dropped + export.waiting + export.refused + export.sent
    );
    assert_eq!(
        (export.waiting, export.refused, export.unconfirmed),
        (0, 0, 0)
    );
    assert_eq!(export.sent, export.confirmed + export.in_doubt);
    assert_eq!(
        import.received,
        import.imported + import.own + import.unwanted
    );
    // Each message that was sent is there, or is known to be missing.
    assert_eq!(
        export.sent,
        import.imported + import.missed,
        "{export:?} {import:?}"
    );
    // So of all that was emitted.
    assert_eq!(emitted, import.imported + import.missed + export.dropped);
    assert_eq!(import.dropped, 0);
    assert_eq!(to.came.received(), import.imported);
    assert!(import.missed > 0 && export.dropped > 0 && export.confirmed > 0);
}

#[test]
fn twenty_kills_under_load_and_every_event_is_there_or_counted() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let mut server = Server::start().unwrap();
    let left = Side::new(&server, "right.**");
    let right = Side::new(&server, "left.**");
    let sides = [&left, &right];
    // A bridge counts what it misses of another from the first that it hears of it: that is to be the first event.
    left.bus.emit("left.first", 0).unwrap();
    right.bus.emit("right.first", 0).unwrap();
    for side in sides {
        side.came.recv_timeout(HANG).unwrap();
    }
    let over = AtomicBool::new(false);
    let emitted = thread::scope(|scope| {
        let threads = [(&left.bus, "left.n"), (&right.bus, "right.n")]
            .map(|(bus, topic)| scope.spawn(|| emit(bus, topic, &over)));
        for kill in 0..KILLS {
            for side in sides {
                let imported = side.bridge.stats().import.imported;
                until("it goes well", || {
                    side.bridge.stats().import.imported > imported + 20
                });
            }
            // A server that stands still confirms nothing more; so what is in flight now stays there.
            server.freeze().unwrap();
            for side in sides {
                until("something is in flight", || {
                    side.bridge.stats().export.unconfirmed > 0
                });
            }
            server.kill().unwrap();
            for side in sides {
                let lost = side.lost.recv_timeout(HANG).unwrap();
                assert!(
                    matches!(lost.payload(), BridgeEvent::Lost { in_doubt: 1.. }),
                    "kill {kill}: {}",
                    lost.payload()
                );
            }
            server.restart().unwrap();
            for side in sides {
                assert!(side.bridge.wait_connected(HANG), "kill {kill}");
            }
        }
        over.store(true, Ordering::Relaxed);
        threads.map(|thread| thread.join().unwrap())
    });
    until("nothing moves any more", || {
        let (left, right) = (left.bridge.stats(), right.bridge.stats());
        let done = |export: chanbus::ExportStats| export.waiting == 0 && export.unconfirmed == 0;
        done(left.export)
            && done(right.export)
            && left.export.sent == right.import.imported + right.import.missed
            && right.export.sent == left.import.imported + left.import.missed
    });
    assert!(left.lost.try_recv().is_err() && right.lost.try_recv().is_err());
    add_up(&left, &right, emitted[0] + 1);
    add_up(&right, &left, emitted[1] + 1);
    for side in sides {
        assert_eq!(side.bridge.stats().connects, KILLS as u64 + 1);
    }
}
