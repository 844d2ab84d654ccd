//! A bus with many subscriptions, four of which want what is emitted: for what it costs to find them.

use chanbus::{Bus, BusBuilder, Subscription};

use super::{CAPACITY, Payload, must};

/// What is emitted on matches these, whichever feed it is.
pub(crate) const WANTED: [&str; 4] = ["feed.**", "feed.*.tick", "**", "**.tick"];

pub(crate) struct Scene {
    pub(crate) bus: Bus<Payload>,
    pub(crate) wanted: Vec<Subscription<Payload>>,
    /// Subscriptions that match none of the topics that are emitted on.
    _others: Vec<Subscription<Payload>>,
}

impl Scene {
    pub(crate) fn new(subscriptions: usize) -> Self {
        Self::on(Bus::builder(), subscriptions)
    }

    pub(crate) fn on(builder: BusBuilder<Payload>, subscriptions: usize) -> Self {
        // One slot for those that get nothing: should they get something, it is soon seen.
        let builder = builder.capacity(1).max_subscribers(subscriptions);
        let bus = must(builder.build());
        let wanted = WANTED
            .iter()
            .map(|pattern| must(bus.subscription(*pattern).capacity(CAPACITY).subscribe()))
            .collect();
        let others = (WANTED.len()..subscriptions)
            .map(|number| {
                // Exact, with a wildcard behind, and with one in front: each is found differently.
                must(bus.subscribe(match number % 4 {
                    0 => format!("user.{number}.name"),
                    1 => format!("user.{number}.*"),
                    2 => format!("user.{number}.**"),
                    _ => format!("*.{number}.name"),
                }))
            })
            .collect();
        Scene {
            bus,
            wanted,
            _others: others,
        }
    }

    pub(crate) fn drain(&self) {
        for subscription in &self.wanted {
            subscription.try_iter().for_each(drop);
        }
    }
}
