//! Where dropped events are missing in what a consumer reads.
//!
//! A plain value without threads; `subscriber.rs` keeps it behind a lock that is only ever tried.
//! The counters say how many events are missing; this log says where, as well as it can be known.

use std::collections::VecDeque;

/// Gaps by place: how many events had been taken, or will have been, when the gap comes.
///
/// Places never number more than the events that wait, so the log is bounded by the queue's
/// capacity; [`note`](Gaps::note) merges what would come at the same place or out of order.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    log: VecDeque<Gap>,
}

#[derive(Debug)]
struct Gap {
    /// The gap comes before the take with this number, counted from zero.
    before: u64,
    count: u64,
}

impl Gaps {
    /// Notes that one event is missing before take number `before`.
    pub(crate) fn note(&mut self, before: u64, limit: usize) {
        let at = self.log.partition_point(|gap| gap.before < before);
        let known = self.log.get(at).is_some_and(|gap| gap.before == before);
        if !known && self.log.len() < limit {
            self.log.insert(at, Gap { before, count: 1 });
            return;
        }
        // Known, or no room for another place: then the nearest gap takes it in.
        let at = at.min(self.log.len().saturating_sub(1));
        if let Some(gap) = self.log.get_mut(at) {
            gap.count += 1;
        }
    }

    /// Takes out the gaps that come before take number `next`, or at it; their sum.
    pub(crate) fn due(&mut self, next: u64) -> u64 {
        let mut sum = 0;
        while let Some(gap) = self.log.front()
            && gap.before <= next
        {
            sum += gap.count;
            self.log.pop_front();
        }
        sum
    }

    /// The sum of the gaps that are still to come.
    pub(crate) fn pending(&self) -> u64 {
        self.log.iter().map(|gap| gap.count).sum()
    }

    pub(crate) fn clear(&mut self) {
        self.log.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p7_gaps_come_at_their_places_and_add_up() {
        let mut gaps = Gaps::default();
        gaps.note(4, 9);
        gaps.note(4, 9);
        gaps.note(7, 9);
        gaps.note(2, 9);
        assert_eq!(gaps.due(1), 0);
        assert_eq!(gaps.due(2), 1);
        assert_eq!(gaps.pending(), 3);
        assert_eq!(gaps.due(10), 3);
        assert_eq!(gaps.pending(), 0);
    }

    #[test]
    fn p13_the_log_never_outgrows_its_limit() {
        let mut gaps = Gaps::default();
        for place in 0..1_000 {
            gaps.note(place, 3);
        }
        assert_eq!(gaps.log.len(), 3);
        assert_eq!(gaps.pending(), 1_000);
    }
}
