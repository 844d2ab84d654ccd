//! All parts at work: shop, relay and mailer, for one life of the process.

use std::path::Path;
use std::thread::{self, JoinHandle};

use chanbus::{Bus, BusStats};

use crate::Failure;
use crate::database::{self, Durability};
use crate::mailer::{Booked, Mailer};
use crate::notice::Notice;
use crate::relay::{self, COMMITTED, PATIENCE, Relay, Relayed, STOP, Signal};
use crate::shop::Shop;
use crate::step::Watch;

pub(crate) struct Works {
    pub(crate) shop: Shop,
    bus: Bus<Notice>,
    signals: Bus<Signal>,
    relay: JoinHandle<Result<Relayed, Failure>>,
    mailer: JoinHandle<Result<Booked, Failure>>,
}

/// What was done in one life.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) relayed: Relayed,
    pub(crate) booked: Booked,
    pub(crate) stats: BusStats,
}

impl Works {
    /// Begins where the process before has left off. `capacity` is that of the mailer's queue.
    pub(crate) fn start(dir: &Path, capacity: usize, watch: &Watch) -> Result<Self, Failure> {
        let signals = relay::signals()?;
        let bus = Bus::builder().name("notices").build()?;
        let shop = Shop::new(
            database::shop(dir, Durability::Full)?,
            signals.publisher(COMMITTED)?,
            watch.clone(),
        );
        // It listens before the relay says anything.
        let ledger = database::ledger(dir)?;
        let mailer = Mailer::new(ledger, &bus, &signals, capacity, watch.clone())?;
        let marks = database::shop(dir, Durability::Normal)?;
        let relay = Relay::new(marks, &bus, &signals, PATIENCE, watch.clone())?;
        Ok(Works {
            shop,
            bus,
            signals,
            mailer: thread::spawn(move || mailer.run()),
            relay: thread::spawn(move || relay.run()),
        })
    }

    /// Relays and books what is left, and ends.
    pub(crate) fn finish(self) -> Result<Done, Failure> {
        self.signals.emit(STOP, Signal::Stop)?;
        let relayed = self.relay.join().map_err(|_| "the relay panicked")?;
        let stats = self.bus.stats();
        self.bus.close();
        // If it failed, it is why the relay did.
        let booked = self.mailer.join().map_err(|_| "the mailer panicked")??;
        Ok(Done {
            relayed: relayed?,
            booked,
            stats,
        })
    }
}
