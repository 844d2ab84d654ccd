//! Topics that a bus was asked to remember.

use std::collections::HashSet;

use crate::sync::Mutex;
use crate::topic::Topic;

/// How many topics are copied under the lock at once, for those who look.
const CHUNK: usize = 64;

/// The first topics of a bus, up to a limit.
///
/// Asked only where an emit looks a topic's route up anew, which it does once for each topic after each change
/// of subscriptions: so emits whose route is known pay nothing. The lock is held for one look, or for a copy of a
/// few topics; no code of the user's runs under it.
pub(super) struct Observed {
    limit: usize,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    topics: HashSet<Topic, foldhash::fast::RandomState>,
    /// The same in the order in which they came. None ever goes, so that they can be read in parts.
    order: Vec<Topic>,
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
            seen.order.push(topic.clone());
        } else {
            seen.full = true;
        }
    }

    /// The topics, and whether there were more than it keeps. An emit beside it waits for the copy of a few of them
    /// at most, however many there are.
    pub(super) fn known(&self) -> (Vec<Topic>, bool) {
        let mut topics = Vec::new();
        loop {
            // Room is made before the lock is taken, which may be for all so far.
            topics.reserve(CHUNK);
            let seen = self.seen.lock();
            let rest = &seen.order[topics.len()..];
            topics.extend(rest.iter().take(CHUNK).cloned());
            if rest.len() <= CHUNK {
                return (topics, seen.full);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Copied in parts, it is whole: in order, without a hole or a topic twice, and told to be full only where it is.
    #[test]
    fn all_topics_come_back_however_many_there_are() {
        for count in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 3 * CHUNK + 1] {
            let topics: Vec<Topic> = (0..count)
                .map(|n| Topic::new(format!("t{n}")).unwrap())
                .collect();
            let observed = Observed::new(count);
            for topic in topics.iter().chain(&topics) {
                observed.note(topic);
            }
            assert_eq!(observed.known(), (topics.clone(), false));
            observed.note(&Topic::new("more").unwrap());
            assert_eq!(observed.known(), (topics, true));
        }
    }
}
