//! What an emit costs while there is no server.

use std::hint::black_box;
use std::net::TcpListener;
use std::time::Instant;

use chanbus::{Bridge, Bus, DEFAULT_BRIDGE_CAPACITY};

use super::{Effort, Order, TOPIC, print, rounds};

/// Emits to a queue that overflows: that of a bridge which has no server, and that of a subscription whose
/// consumer does not come. The payload is made by both.
pub(super) fn measure(effort: &Effort, smoke: bool) {
    let bridged: Bus<Order> = Bus::new();
    let bridge = Bridge::builder(&bridged)
        .servers([nobody_there()])
        .export("order.*")
        .start()
        .unwrap();
    let plain: Bus<Order> = Bus::new();
    let sub = plain
        .subscription("order.*")
        .capacity(DEFAULT_BRIDGE_CAPACITY)
        .subscribe()
        .unwrap();
    let rows = rounds(effort, smoke, &[&bridged, &plain], |bus| {
        let start = Instant::now();
        for id in 0..effort.emits {
            bus.emit(black_box(TOPIC), Order::new(id)).unwrap();
        }
        vec![start.elapsed().as_nanos() as f64 / effort.emits as f64]
    });
    let names = ["a bridge, server away", "a subscription"];
    print(
        "an emit while the server is away",
        &["ns"],
        &names,
        &rows,
        smoke,
    );
    assert_eq!(bridge.stats().export.sent, 0);
    drop(sub);
}

/// A port that was free a moment ago.
fn nobody_there() -> String {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
    format!("nats://{}", port.unwrap())
}
