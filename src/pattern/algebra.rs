//! How two patterns relate: is there a topic that both match, does one match whatever the other does.
//!
//! Both patterns, whichever their syntax, become automata that read a topic character by character.
//! Wildcards cannot tell apart the characters that neither pattern spells out, so one stand-in serves
//! for all of them; together with the dot and the characters that the patterns do spell out, it makes
//! the search finite.
//!
//! - `overlaps` walks pairs of states, one of each automaton, to a pair that accepts. There are no
//!   more pairs than the product of the lengths.
//! - `includes` walks the narrow automaton together with the *set* of states in which the wide one
//!   may be meanwhile, to a place where the narrow one accepts and the wide one does not. A set
//!   forgets the states that one further on makes needless, which leaves few sets as long as there
//!   are few `?`. Many `?` behind a `*` can make exponentially many, so the search has a budget, and
//!   without an answer by then it says no.
//!
//! The limit on a topic's length is not looked at: a topic of any length counts as one.

use std::collections::HashSet;
use std::rc::Rc;

use super::automaton::{Automaton, Label};
use super::{Pattern, Shape};

/// How many moves of single states `includes` makes before it gives up: about the product of the
/// lengths of two patterns of full length, which is what such patterns need at worst when they have
/// few `?`. That takes some tenths of a second; common patterns need microseconds.
const BUDGET: usize = 1 << 20;

impl Pattern {
    /// Whether some topic matches both patterns.
    ///
    /// The answer is exact, also between a flat and a segmented pattern, but for one thing: it does
    /// not look at the limit on a topic's length, so it also says yes when all topics in common would
    /// be longer than [`Topic::MAX_LEN`](crate::Topic::MAX_LEN). It takes time bounded by the product
    /// of the patterns' lengths.
    ///
    /// ```
    /// # use chanbus::Pattern;
    /// let errors = Pattern::new("*.error")?;
    /// assert!(errors.overlaps(&Pattern::new("disk.**")?));
    /// assert!(!errors.overlaps(&Pattern::new("disk.sda.*")?));
    /// assert!(errors.overlaps(&Pattern::flat("d*r")?));
    /// # Ok::<(), chanbus::PatternError>(())
    /// ```
    pub fn overlaps(&self, other: &Pattern) -> bool {
        match (self.shape(), other.shape()) {
            (Shape::Exact, _) => other.matches_checked(self.as_str()),
            (_, Shape::Exact) => self.matches_checked(other.as_str()),
            _ => meet(&Automaton::new(self), &Automaton::new(other)),
        }
    }

    /// Whether this pattern matches every topic that `other` matches.
    ///
    /// A yes is always right, also between a flat and a segmented pattern. A no may be wrong in two
    /// corners: when only topics longer than [`Topic::MAX_LEN`](crate::Topic::MAX_LEN) speak against
    /// it, and when this pattern has so many `?` among `*` that settling the question would cost
    /// exponential time; then the search is given up after a fixed number of steps.
    ///
    /// ```
    /// # use chanbus::Pattern;
    /// let scans = Pattern::new("scan.**")?;
    /// assert!(scans.includes(&Pattern::new("scan.*.started")?));
    /// assert!(scans.includes(&scans));
    /// assert!(!scans.includes(&Pattern::new("*.started")?));
    /// assert!(!scans.includes(&Pattern::flat("scan*")?));
    /// assert!(Pattern::flat("scan*")?.includes(&scans));
    /// # Ok::<(), chanbus::PatternError>(())
    /// ```
    pub fn includes(&self, other: &Pattern) -> bool {
        if self == other || self.matches_everything() {
            return true;
        }
        match (self.shape(), other.shape()) {
            (_, Shape::Exact) => self.matches_checked(other.as_str()),
            // A pattern with a wildcard matches more than one topic.
            (Shape::Exact, _) => false,
            _ => contains(&Automaton::new(self), &Automaton::new(other), BUDGET).unwrap_or(false),
        }
    }
}

/// Follows the one rule of topics that wildcards could break: no segment is empty. Returns whether a
/// segment has begun after reading `character`, or `None` if it must not come here.
fn segment_begun(begun: bool, character: char) -> Option<bool> {
    match character {
        '.' => begun.then_some(false),
        _ => Some(true),
    }
}

/// Whether some topic is accepted by both.
fn meet(left: &Automaton, right: &Automaton) -> bool {
    let index =
        |a: usize, b: usize, begun: bool| (a * right.edges.len() + b) * 2 + usize::from(begun);
    let mut seen = vec![false; left.edges.len() * right.edges.len() * 2];
    let mut open = Vec::new();
    let mut visit = |open: &mut Vec<_>, a, b, begun| {
        let seen = &mut seen[index(a, b, begun)];
        if !std::mem::replace(seen, true) {
            open.push((a, b, begun));
        }
    };
    visit(&mut open, 0, 0, false);
    while let Some((a, b, begun)) = open.pop() {
        if begun && a == left.accepting() && b == right.accepting() {
            return true;
        }
        for &(mine, to) in &left.edges[a] {
            if let Label::Empty = mine {
                visit(&mut open, to, b, begun);
            }
        }
        for &(theirs, to_b) in &right.edges[b] {
            if let Label::Empty = theirs {
                visit(&mut open, a, to_b, begun);
            }
            for &(mine, to_a) in &left.edges[a] {
                for character in mine.samples().chain(theirs.samples()) {
                    if mine.reads(character)
                        && theirs.reads(character)
                        && let Some(begun) = segment_begun(begun, character)
                    {
                        visit(&mut open, to_a, to_b, begun);
                    }
                }
            }
        }
    }
    false
}

/// Whether `wide` accepts every topic that `narrow` accepts; `None` if the budget ran out.
fn contains(wide: &Automaton, narrow: &Automaton, mut budget: usize) -> Option<bool> {
    let mut reader = Reader {
        automaton: wide,
        met: vec![false; wide.edges.len()],
    };
    let mut seen = HashSet::new();
    let mut open = vec![(0, false, reader.close([0]))];
    while let Some(place) = open.pop() {
        if !seen.insert(place.clone()) {
            continue;
        }
        let (state, begun, set) = place;
        if begun && state == narrow.accepting() && !set.contains(&wide.accepting()) {
            return Some(false);
        }
        for &(label, to) in &narrow.edges[state] {
            budget = budget.checked_sub(set.len() + 1)?;
            if let Label::Empty = label {
                open.push((to, begun, set.clone()));
            }
            for character in label.samples() {
                if let Some(begun) = segment_begun(begun, character) {
                    open.push((to, begun, reader.read(&set, character)));
                }
            }
        }
    }
    Some(true)
}

/// Follows all the ways that an automaton may go at once.
struct Reader<'a> {
    automaton: &'a Automaton,
    /// Scratch space, all false between calls.
    met: Vec<bool>,
}

impl Reader<'_> {
    /// The states in which the automaton may be after one more character.
    fn read(&mut self, from: &[usize], character: char) -> Rc<[usize]> {
        let automaton = self.automaton;
        let edges = from.iter().flat_map(|&state| &automaton.edges[state]);
        self.close(
            edges
                .filter(|(label, _)| label.reads(character))
                .map(|&(_, to)| to),
        )
    }

    /// The given states and those that empty edges lead to, in order, without the needless ones.
    fn close(&mut self, states: impl IntoIterator<Item = usize>) -> Rc<[usize]> {
        let mut open: Vec<usize> = states.into_iter().collect();
        let mut all = Vec::with_capacity(open.len());
        while let Some(state) = open.pop() {
            if !std::mem::replace(&mut self.met[state], true) {
                all.push(state);
                let edges = self.automaton.edges[state].iter();
                open.extend(
                    edges
                        .filter(|(label, _)| matches!(label, Label::Empty))
                        .map(|&(_, to)| to),
                );
            }
        }
        for &state in &all {
            self.met[state] = false;
        }
        all.sort_unstable();
        let mut needless = 0..0;
        let mut kept = Vec::with_capacity(all.len());
        for &state in all.iter().rev() {
            if needless.contains(&state) {
                continue;
            }
            kept.push(state);
            if let Some(first) = self.automaton.outdoes[state] {
                needless = first..state;
            }
        }
        kept.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(wide: &str, narrow: &str, budget: usize) -> Option<bool> {
        let automaton = |text| Automaton::new(&Pattern::new(text).unwrap());
        contains(&automaton(wide), &automaton(narrow), budget)
    }

    #[test]
    fn without_question_marks_the_product_of_the_lengths_is_budget_enough() {
        for (wide, narrow, expected) in [
            ("*a".repeat(60), "*a".repeat(61), true),
            ("*a".repeat(61), "*a".repeat(60), false),
            ("**.a.".repeat(30) + "b", "**.a.".repeat(31) + "b", true),
            (
                "*.".repeat(60) + "**",
                "**".to_owned() + &".a".repeat(60),
                true,
            ),
            (
                "*.".repeat(61) + "**",
                "**".to_owned() + &".a".repeat(60),
                false,
            ),
        ] {
            let found = search(&wide, &narrow, wide.len() * narrow.len());
            assert_eq!(found, Some(expected), "{wide} {narrow}");
        }
    }

    #[test]
    fn a_search_that_would_take_too_long_is_given_up() {
        let wide = format!("*a{}b*", "?".repeat(40));
        let narrow = format!("{}*", "*a?b".repeat(20));
        assert_eq!(search(&wide, &narrow, 1_000), None);
    }

    #[test]
    fn flat_and_segmented_patterns_compare_too() {
        let (flat, segmented) = (
            Pattern::flat("a.*").unwrap(),
            Pattern::new("a.*.**").unwrap(),
        );
        assert_ne!(flat, segmented);
        assert!(flat.includes(&segmented) && segmented.includes(&flat));
        assert!(!Pattern::new("a.*").unwrap().includes(&flat));
        assert!(
            !Pattern::flat("a?")
                .unwrap()
                .overlaps(&Pattern::new("*.*").unwrap())
        );
    }
}
