//! Topics that a bus was asked to remember.

use std::collections::HashSet;

use crate::sync::Mutex;
use crate::topic::Topic;

/// The first topics of a bus, up to a limit.
///
/// Asked only where an emit looks a topic's route up anew, which it does once for each topic after each change
/// of subscriptions: so emits whose route is known pay nothing. The lock is held for one look; no code of the
/// user's runs under it.
pub(super) struct Observed {
    limit: usize,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    topics: HashSet<Topic, foldhash::fast::RandomState>,
    full: bool,
}

impl Observed {
    pub(super) fn new(limit: usize) -> Self {
        Observed {
            limit,
            seen: Mutex::default(),
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn note(&self, topic: &Topic) {
        let mut seen = self.seen.lock();
        if seen.topics.contains(topic) {
            return;
        }
        if seen.topics.len() < self.limit {
            seen.topics.insert(topic.clone());
        } else {
            seen.full = true;
        }
    }

    /// The topics, and whether there were more than it keeps.
    pub(super) fn known(&self) -> (Vec<Topic>, bool) {
        let seen = self.seen.lock();
        (seen.topics.iter().cloned().collect(), seen.full)
    }
}
