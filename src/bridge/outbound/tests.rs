use tokio::task::yield_now;

use super::*;
use crate::bridge::link::Link;
use crate::bridge::origin::Origin;
use crate::bridge::stats::BridgeStats;
use crate::bridge::stop::Ending;
use crate::bridge::subject::{Escape, SubjectMapping};
use crate::bus::Bus;
use crate::codec::Json;
use crate::sync::Mutex;

/// One whose client takes no more: it has room for one command, and no server.
async fn clogged() -> Outbound<u64> {
    let outbound = with_room(1).await;
    let client = &outbound.client;
    client.publish("a", "b".into()).await.unwrap();
    outbound
}

/// One whose client has room for so many commands, and no server.
async fn with_room(commands: usize) -> Outbound<u64> {
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
        .client_capacity(commands);
    let client = options.connect("127.0.0.1:1").await.unwrap();
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

#[test]
fn a_question_whose_answer_is_lost_is_asked_again() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut outbound = with_room(10).await;
        let returned = watch::Sender::new(None);
        outbound.returned = returned.subscribe();
        outbound.state.flight.send();
        outbound.ask().await;
        assert_eq!(outbound.state.flight.unasked(), 0);
        assert!(outbound.state.due.is_some_and(|due| due > Instant::now()));
        // It came after all.
        returned.send_replace(Some(Sent {
            origin: "x".into(),
            epoch: 0,
            all: 1,
            streams: Vec::new(),
        }));
        outbound.read_answer();
        assert_eq!(outbound.state.flight.unconfirmed(), 0);
        assert_eq!(outbound.state.due, None);
        // With nothing on its way there is nothing to ask for twice.
        outbound.ask().await;
        assert_eq!(outbound.state.due, None);
    });
}
