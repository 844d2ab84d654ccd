//! The bus's own way: a bridge at each end.

use chanbus::{Bridge, Bus, Subscription};

use super::server::Server;
use super::{HANG, Order, TOPIC, Way};

pub(super) struct Bridged {
    near: Bus<Order>,
    sub: Subscription<Order>,
    export: Bridge<Order>,
    import: Bridge<Order>,
    // Last, as it has to stay open as long as its subscription.
    _far: Bus<Order>,
}

impl Bridged {
    /// With room for so many events in each queue, as nothing is to be dropped here.
    pub(super) fn new(server: &Server, capacity: usize) -> Self {
        let bus = || Bus::builder().capacity(capacity).build().unwrap();
        let (near, far) = (bus(), bus());
        let export = Bridge::builder(&near)
            .servers([server.url()])
            .name("near")
            .prefix("bridged")
            .export("order.*")
            .capacity(capacity);
        let import = Bridge::builder(&far)
            .servers([server.url()])
            .name("far")
            .prefix("bridged")
            .import("order.*");
        let way = Bridged {
            sub: far.subscribe("order.*").unwrap(),
            export: export.start().unwrap(),
            import: import.start().unwrap(),
            near,
            _far: far,
        };
        assert!(way.export.wait_connected(HANG) && way.import.wait_connected(HANG));
        way
    }

    /// What was measured is all that was sent.
    pub(super) fn check(&self) {
        let (export, import) = (self.export.stats().export, self.import.stats().import);
        assert_eq!((export.dropped, export.in_doubt), (0, 0));
        assert_eq!((import.dropped, import.missed), (0, 0));
    }
}

impl Way for Bridged {
    fn name(&self) -> &'static str {
        "bridges"
    }

    fn send(&self, order: Order) {
        self.near.emit(TOPIC, order).unwrap();
    }

    fn next(&self) -> Order {
        self.sub.recv_timeout(HANG).unwrap().payload().clone()
    }
}
