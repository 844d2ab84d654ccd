use tokio::task::yield_now;

use super::*;
use crate::bridge::codec::Json;
use crate::bridge::link::Link;
use crate::bridge::origin::Origin;
use crate::bridge::stats::BridgeStats;
use crate::bridge::stop::Ending;
use crate::bridge::subject::{Escape, SubjectMapping};
use crate::bus::Bus;
use crate::sync::Mutex;

/// One whose client takes no more: it has room for one command, and no server.
async fn clogged() -> Outbound<u64> {
    let mapping = SubjectMapping::new(None, Escape::default()).unwrap();
    let subjects = ControlSubjects::new(&mapping);
    let shared = Arc::new(Shared {
        bus: Bus::<u64>::new().downgrade(),
        codec: Box::new(Json),
        mapping,
        origin: Origin::new(None),
        exports: Vec::new(),
        imports: Vec::new(),
        queue: None,
        durable: false,
        link: Arc::new(Link::new()),
        ending: Ending::new(),
        books: Mutex::new(BridgeStats::default()),
    });
    let options = async_nats::ConnectOptions::new()
        .retry_on_initial_connect()
        .client_capacity(1);
    let client = options.connect("127.0.0.1:1").await.unwrap();
    client.publish("a", "b".into()).await.unwrap();
    let (wire, returned, dead) = (
        watch::Sender::new(Wire::default()),
        watch::Sender::new(None),
        watch::Sender::new(false),
    );
    let outbound = Outbound {
        client,
        subjects,
        wire: wire.subscribe(),
        returned: returned.subscribe(),
        asked: Arc::new(Notify::new()),
        orders: shared.ending.orders(),
        prepared: watch::Sender::new(false),
        dead: dead.subscribe(),
        state: State::new(&shared, 10, None),
        shared,
    };
    // They last as long as the test.
    std::mem::forget((wire, returned, dead));
    outbound
}

#[test]
fn a_question_that_the_client_did_not_take_is_asked_again() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut outbound = clogged().await;
        outbound.state.flight.send();
        let shared = Arc::clone(&outbound.shared);
        let order = async {
            yield_now().await;
            shared.ending.order(Order::Drain);
        };
        tokio::join!(outbound.ask(), order);
        assert_eq!(outbound.state.flight.unasked(), 1);
        assert!(outbound.state.due.is_some());
    });
}
