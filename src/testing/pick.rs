//! Which events answer which wants. Pure.
//!
//! Events are offered once each, in order, with what wants they would answer. In order, each want takes the first event
//! after that of the want before it. In any order, an event that finds its wants taken may move others on to other
//! wants (an augmenting path); one that finds no such way will never find one, so each is looked at once, and the earliest
//! events that do are the answers.

/// A want and the events that it has.
pub(super) struct Pick {
    ordered: bool,
    /// The place of the event that each want has.
    answers: Vec<Option<usize>>,
    /// In any order: for each event that was offered and has a want, its place and the wants that it would answer.
    offered: Vec<(usize, Vec<usize>)>,
    /// In any order: which of the offered a want has.
    owners: Vec<Option<usize>>,
    met: usize,
}

impl Pick {
    pub(super) fn new(wants: usize, ordered: bool) -> Self {
        Pick {
            ordered,
            answers: vec![None; wants],
            offered: Vec::new(),
            owners: vec![None; wants],
            met: 0,
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.met == self.answers.len()
    }

    /// How many wants have their event.
    pub(super) fn met(&self) -> usize {
        self.met
    }

    /// The places of the events, by want.
    pub(super) fn answers(&self) -> &[Option<usize>] {
        &self.answers
    }

    /// Offers the event at that place, which would answer the wants that `answers` says.
    pub(super) fn offer(&mut self, place: usize, answers: impl Fn(usize) -> bool) {
        if self.is_done() {
            return;
        }
        if self.ordered {
            if answers(self.met) {
                self.answers[self.met] = Some(place);
                self.met += 1;
            }
            return;
        }
        let wants: Vec<usize> = (0..self.answers.len()).filter(|it| answers(*it)).collect();
        if wants.is_empty() {
            return;
        }
        self.offered.push((place, wants));
        if self.augment(self.offered.len() - 1) {
            self.met += 1;
        } else {
            self.offered.pop();
        }
    }

    /// Finds a want for an event, moving others if need be. Breadth first, so that nothing grows with the stack.
    fn augment(&mut self, event: usize) -> bool {
        // By which event each want was reached.
        let mut reached: Vec<Option<usize>> = vec![None; self.owners.len()];
        let mut queue = std::collections::VecDeque::from([event]);
        while let Some(at) = queue.pop_front() {
            for want in &self.offered[at].1 {
                if reached[*want].is_some() {
                    continue;
                }
                reached[*want] = Some(at);
                match self.owners[*want] {
                    Some(owner) => queue.push_back(owner),
                    None => {
                        self.shift(*want, &reached, event);
                        return true;
                    }
                }
            }
        }
        false
    }

    /// Gives a free want to the event that reached it, that one's want to the event that reached that, and so on.
    fn shift(&mut self, free: usize, reached: &[Option<usize>], event: usize) {
        let mut want = free;
        while let Some(by) = reached[want] {
            let left = self.owners.iter().position(|owner| *owner == Some(by));
            self.owners[want] = Some(by);
            self.answers[want] = Some(self.offered[by].0);
            match left {
                Some(next) if by != event => want = next,
                _ => break,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pick;

    fn picked(ordered: bool, wants: &[&str], events: &[char]) -> (bool, Vec<Option<usize>>) {
        let mut pick = Pick::new(wants.len(), ordered);
        for (place, event) in events.iter().enumerate() {
            pick.offer(place, |want| wants[want].contains(*event));
        }
        (pick.is_done(), pick.answers().to_vec())
    }

    #[test]
    fn in_order_each_want_takes_the_first_event_after_the_one_before() {
        let (done, answers) = picked(true, &["a", "b", "a"], &['b', 'a', 'a', 'b', 'c', 'a']);
        assert!(done);
        assert_eq!(answers, [Some(1), Some(3), Some(5)]);
    }

    #[test]
    fn in_any_order_an_event_moves_on_where_another_needs_its_want() {
        // The first could answer all; the last only the first want.
        let (done, answers) = picked(false, &["ab", "ac", "ad"], &['a', 'a', 'b', 'd']);
        assert!(done);
        assert_eq!(answers[0], Some(2));
        assert!(answers[1].is_some() && answers[2].is_some());
    }

    #[test]
    fn in_any_order_it_finds_whatever_a_search_of_all_ways_finds() {
        let letters = ['a', 'b', 'c', 'd'];
        let mut seed = 7u64;
        let mut next = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) as usize % below
        };
        for _ in 0..5_000 {
            let wants: Vec<String> = (0..next(5))
                .map(|_| letters.iter().filter(|_| next(2) == 0).collect())
                .collect();
            let events: Vec<char> = (0..next(7)).map(|_| letters[next(4)]).collect();
            let wants: Vec<&str> = wants.iter().map(String::as_str).collect();
            let (done, answers) = picked(false, &wants, &events);
            assert_eq!(done, all_ways(&wants, &events), "{wants:?} {events:?}");
            let mut had: Vec<usize> = answers.iter().copied().flatten().collect();
            for (want, place) in answers.iter().enumerate() {
                let fits = |place: usize| wants[want].contains(events[place]);
                assert!(place.is_none_or(fits));
            }
            had.sort_unstable();
            had.dedup();
            assert_eq!(had.len(), answers.iter().flatten().count(), "each once");
        }
    }

    fn all_ways(wants: &[&str], events: &[char]) -> bool {
        let Some((want, rest)) = wants.split_first() else {
            return true;
        };
        (0..events.len()).any(|place| {
            let mut others = events.to_vec();
            let event = others.remove(place);
            want.contains(event) && all_ways(rest, &others)
        })
    }
}
