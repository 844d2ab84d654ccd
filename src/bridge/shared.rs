//! What the bridge's thread and its owner both have.

use super::link::Link;
use super::origin::Origin;
use super::stats::BridgeStats;
use super::stop::Ending;
use super::subject::SubjectMapping;
use crate::bus::{Subscription, WeakBus};
use crate::codec::Codec;
use crate::pattern::Pattern;
use crate::sync::{Arc, Mutex};

pub(super) struct Shared<T: Send + Sync + 'static> {
    /// Not a `Bus`: a bridge does not keep its bus open.
    pub(super) bus: WeakBus<T>,
    pub(super) codec: Box<dyn Codec<T>>,
    pub(super) mapping: SubjectMapping,
    pub(super) origin: Origin,
    pub(super) exports: Vec<Pattern>,
    pub(super) imports: Vec<Pattern>,
    /// The export queue. None for a bridge that only imports.
    pub(super) queue: Option<Subscription<T>>,
    /// Its messages go by a stream.
    pub(super) durable: bool,
    pub(super) link: Arc<Link>,
    pub(super) ending: Ending,
    /// Written by the bridge's thread, at the end of each step.
    pub(super) books: Mutex<BridgeStats>,
}

impl<T: Send + Sync + 'static> Shared<T> {
    pub(super) fn stats(&self) -> BridgeStats {
        let mut stats = *self.books.lock();
        if !self.durable {
            // What a server denies it has heard all the same, and so have we that it did. By a stream it is sent again.
            let export = &mut stats.export;
            export.denied = self.link.denied().min(export.confirmed);
            export.confirmed -= export.denied;
        }
        if let Some(queue) = &self.queue {
            let export = &mut stats.export;
            let gone = export.skipped + export.refused + export.sent;
            export.matched = queue.matched();
            export.skipped += queue.filtered();
            export.dropped = queue.dropped();
            export.conflated = queue.conflated();
            // Not by looking where they wait: on their way from one place to the next they are in none.
            export.waiting = (queue.received()).saturating_sub(gone);
        }
        stats
    }
}
