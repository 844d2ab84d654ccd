//! Where dropped events are missing in what a consumer reads.
//!
//! A plain value without threads; `subscriber/` keeps it behind a lock that is only ever tried.
//! The counters say how many events are missing; this log says where, as well as it can be known.

use std::collections::VecDeque;

/// Gaps by place: how many events had been taken, or will have been, when the gap comes.
///
/// Places to come never number more than the events that wait, and those that were passed are one,
/// so the log is bounded by the queue's capacity; [`note`](Gaps::note) merges what would come at the
/// same place or out of order.
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
    /// Notes that one event is missing before take number `before`, when `next` is the next to come.
    pub(crate) fn note(&mut self, before: u64, next: u64, limit: usize) {
        // Places that takes have passed, without asking, are one place: right before the next.
        while self.log.get(1).is_some_and(|second| second.before <= next)
            && let Some(first) = self.log.pop_front()
        {
            self.log[0].count += first.count;
        }
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
        gaps.note(4, 0, 9);
        gaps.note(4, 0, 9);
        gaps.note(7, 0, 9);
        gaps.note(2, 0, 9);
        assert_eq!(gaps.due(1), 0);
        assert_eq!(gaps.due(2), 1);
        assert_eq!(gaps.pending(), 3);
        assert_eq!(gaps.due(10), 3);
        assert_eq!(gaps.pending(), 0);
    }

    #[test]
    fn p7_places_that_were_passed_leave_room_for_those_to_come() {
        let mut gaps = Gaps::default();
        for place in 0..4 {
            gaps.note(place, place, 2);
        }
        gaps.note(4, 3, 2);
        assert_eq!(gaps.due(3), 4);
        assert_eq!(gaps.due(4), 1);
    }

    #[test]
    fn p13_the_log_never_outgrows_its_limit() {
        let mut gaps = Gaps::default();
        for place in 0..1_000 {
            gaps.note(place, 0, 3);
        }
        assert_eq!(gaps.log.len(), 3);
        assert_eq!(gaps.pending(), 1_000);
    }
}
