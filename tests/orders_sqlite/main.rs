//! The example `orders_sqlite`: an order and its events are one, and each event arrives at least once, in
//! order, wherever the process is killed.
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(
    clippy::print_stdout,
    reason = "the crash test says where its kills fell"
)]

#[path = "../common/mod.rs"]
mod common;

#[path = "../../examples/orders_sqlite/audit.rs"]
mod audit;
#[path = "../../examples/orders_sqlite/crash.rs"]
mod crash;
#[path = "../../examples/orders_sqlite/database.rs"]
mod database;
#[path = "../../examples/orders_sqlite/mailer.rs"]
mod mailer;
#[path = "../../examples/orders_sqlite/notice.rs"]
mod notice;
#[path = "../../examples/orders_sqlite/outbox.rs"]
mod outbox;
#[path = "../../examples/orders_sqlite/relay.rs"]
mod relay;
// The example can be given a directory; the tests make their own.
#[allow(dead_code)]
#[path = "../../examples/orders_sqlite/room.rs"]
mod room;
#[path = "../../examples/orders_sqlite/shop.rs"]
mod shop;
#[path = "../../examples/orders_sqlite/step.rs"]
mod step;
#[path = "../../examples/orders_sqlite/works.rs"]
mod works;

mod audits;
mod consumers;
mod kills;
mod relaying;
mod transactions;

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use chanbus::{Bus, Commit, Event, Publisher, Subscription};
use rusqlite::Connection;

use crate::audit::Books;
use crate::database::Durability;
use crate::notice::Notice;
use crate::relay::{COMMITTED, DONE, ID, Relay, Signal};
use crate::room::Room;
use crate::shop::{Order, Shop};

pub(crate) type Failure = Box<dyn Error + Send + Sync>;

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(600);

/// What there is to sell.
const STOCK: u32 = 100;

/// An order that is taken.
const ORDER: Order<'static> = Order {
    customer: "ada",
    item: "apple",
    count: 2,
};

/// A directory with databases, and the two buses, without a thread.
struct Scene {
    room: Room,
    bus: Bus<Notice>,
    signals: Bus<Signal>,
}

impl Scene {
    fn new() -> Self {
        let scene = Scene {
            room: Room::new().unwrap(),
            bus: Bus::new(),
            signals: relay::signals().unwrap(),
        };
        scene.shop().deliver(ORDER.item, STOCK).unwrap();
        scene
    }

    fn dir(&self) -> &Path {
        self.room.path()
    }

    fn books(&self) -> Books {
        let books = Books::read(self.dir()).unwrap();
        assert_eq!(books.complaints(), [""; 0]);
        books
    }

    fn database(&self) -> Connection {
        database::shop(self.dir(), Durability::Normal).unwrap()
    }

    fn shop(&self) -> Shop {
        let committed = self.signals.publisher(COMMITTED).unwrap();
        Shop::new(self.database(), committed, step::nobody())
    }

    /// So many orders, each with two events.
    fn orders(&self, count: usize) {
        let mut shop = self.shop();
        for _ in 0..count {
            shop.place(&ORDER, Commit::Real).unwrap();
        }
    }

    fn relay(&self) -> Relay {
        self.impatient_relay(LONG)
    }

    fn impatient_relay(&self, patience: Duration) -> Relay {
        let (database, watch) = (self.database(), step::nobody());
        Relay::new(database, &self.bus, &self.signals, patience, watch).unwrap()
    }

    fn consumer(&self, capacity: usize) -> Subscription<Notice> {
        self.bus
            .subscription("**")
            .capacity(capacity)
            .subscribe()
            .unwrap()
    }

    fn done(&self) -> Publisher<Signal> {
        self.signals.publisher(DONE).unwrap()
    }
}

fn id(event: &Event<Notice>) -> i64 {
    event.metadata(ID).unwrap().as_i64().unwrap()
}

/// The numbers of what is in the queue.
fn ids(sub: &Subscription<Notice>) -> Vec<i64> {
    sub.try_iter().map(|event| id(&event)).collect()
}
