//! How two patterns relate: is there a topic that both match, does one match whatever the other does.
//!
//! Both patterns, whichever their syntax, become automata that read a topic character by character.
//! Wildcards cannot tell apart the characters that neither pattern spells out, so one stand-in,
//! [`FRESH`], serves for all of them; together with the dot and the characters that the patterns do
//! spell out, it makes the search finite.
//!
//! - `overlaps` walks pairs of states, one of each automaton, to a pair that accepts. There are no
//!   more pairs than the product of the lengths.
//! - `includes` walks the narrow automaton together with the *set* of states in which the wide one may
//!   be meanwhile, to a place where the narrow one accepts and the wide one does not. Such sets
//!   can be exponentially many when the wide pattern has many `?` behind a `*`, so the search has a
//!   budget, and without an answer by then it says no.
//!
//! The limit on a topic's length is not looked at: a topic of any length counts as one.

use super::{Pattern, Segment, Shape};

/// A character that no pattern spells out, since none holds control characters.
const FRESH: char = '\0';

/// How many moves of single states `includes` makes before it gives up. Patterns of full length whose
/// `?` are few need a fraction of it; it takes some tens of milliseconds.
const BUDGET: usize = 1 << 22;

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

/// What a state may read on its way to another.
#[derive(Clone, Copy)]
enum Label {
    /// Nothing: the other state can be taken for this one.
    Empty,
    Char(char),
    /// Any character but the dot.
    Letter,
    Any,
}

impl Label {
    fn reads(self, character: char) -> bool {
        match self {
            Self::Empty => false,
            Self::Char(own) => own == character,
            Self::Letter => character != '.',
            Self::Any => true,
        }
    }

    /// The characters that stand for all that this label reads, seen against any other label.
    fn samples(self) -> impl Iterator<Item = char> + Clone {
        let (first, second) = match self {
            Self::Empty => (None, None),
            Self::Char(own) => (Some(own), None),
            Self::Letter => (Some(FRESH), None),
            Self::Any => (Some(FRESH), Some('.')),
        };
        first.into_iter().chain(second)
    }
}

/// A nondeterministic automaton; it starts in state 0 and accepts in the last one.
struct Automaton {
    edges: Vec<Vec<(Label, usize)>>,
}

impl Automaton {
    fn new(pattern: &Pattern) -> Self {
        let mut automaton = Self {
            edges: vec![Vec::new()],
        };
        match pattern.shape() {
            Shape::Exact => automaton.glob(pattern.as_str(), Label::Any),
            Shape::Flat(glob) => automaton.glob(glob.text(), Label::Any),
            Shape::Segments(segments) => automaton.segments(segments),
        }
        automaton
    }

    fn accepting(&self) -> usize {
        self.edges.len() - 1
    }

    /// Adds a state that follows the last one by `label`.
    fn then(&mut self, label: Label) {
        let last = self.accepting();
        self.edges[last].push((label, last + 1));
        self.edges.push(Vec::new());
    }

    /// Adds text in which `*` and `?` read what `wildcard` reads.
    fn glob(&mut self, text: &str, wildcard: Label) {
        for character in text.chars() {
            match character {
                '?' => self.then(wildcard),
                '*' => {
                    let last = self.accepting();
                    self.edges[last].push((wildcard, last));
                    self.then(Label::Empty);
                }
                _ => self.then(Label::Char(character)),
            }
        }
    }

    fn segments(&mut self, segments: &[Segment]) {
        for (index, segment) in segments.iter().enumerate() {
            let (is_first, is_last) = (index == 0, index + 1 == segments.len());
            let after_double_star = !is_first && matches!(segments[index - 1], Segment::DoubleStar);
            if let Segment::DoubleStar = segment {
                match (is_first, is_last) {
                    // One segment, and then any number.
                    (true, true) => {
                        self.segment("?*");
                        self.more_segments();
                    }
                    (false, true) => self.more_segments(),
                    (_, false) => {
                        if !is_first {
                            self.then(Label::Char('.'));
                        }
                        self.leading_segments();
                    }
                }
                continue;
            }
            if !is_first && !after_double_star {
                self.then(Label::Char('.'));
            }
            match segment {
                Segment::Literal(text) => self.segment(text),
                Segment::Glob(glob) => self.segment(glob.text()),
                Segment::Star | Segment::DoubleStar => self.segment("?*"),
            }
        }
    }

    fn segment(&mut self, text: &str) {
        self.glob(text, Label::Letter);
    }

    /// Adds any number of segments, each with a dot behind it.
    fn leading_segments(&mut self) {
        let start = self.accepting();
        self.then(Label::Letter);
        let inside = self.accepting();
        self.edges[inside].push((Label::Letter, inside));
        self.edges[inside].push((Label::Char('.'), start));
        // A state of its own, so that what follows adds nothing to the loop.
        self.edges.push(Vec::new());
        self.edges[start].push((Label::Empty, inside + 1));
    }

    /// Adds any number of segments, each with a dot before it.
    fn more_segments(&mut self) {
        let start = self.accepting();
        self.then(Label::Char('.'));
        self.segment("?*");
        let end = self.accepting();
        self.edges[end].push((Label::Empty, start));
        self.then(Label::Empty);
        let accepting = self.accepting();
        self.edges[start].push((Label::Empty, accepting));
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
    // The sets met in each state of `narrow`. A set that holds another met there accepts whatever
    // that one does, so only what is not a superset needs a look.
    let mut seen: Vec<Vec<StateSet>> = vec![Vec::new(); narrow.edges.len() * 2];
    let mut open = vec![(0, false, StateSet::start(wide))];
    while let Some((state, begun, set)) = open.pop() {
        let met = &mut seen[state * 2 + usize::from(begun)];
        budget = budget.checked_sub(set.states.len() + met.len() * set.bits.len() + 1)?;
        if met.iter().any(|smaller| smaller.is_within(&set)) {
            continue;
        }
        if begun && state == narrow.accepting() && !set.has(wide.accepting()) {
            return Some(false);
        }
        for &(label, to) in &narrow.edges[state] {
            if let Label::Empty = label {
                open.push((to, begun, set.clone()));
            }
            for character in label.samples() {
                if let Some(begun) = segment_begun(begun, character) {
                    open.push((to, begun, set.step(wide, character)));
                }
            }
        }
        met.push(set);
    }
    Some(true)
}

/// The states in which an automaton may be, with those that empty edges lead to.
#[derive(Clone)]
struct StateSet {
    bits: Vec<u64>,
    states: Vec<usize>,
}

impl StateSet {
    fn start(automaton: &Automaton) -> Self {
        let mut set = Self::empty(automaton);
        set.add(automaton, 0);
        set
    }

    fn empty(automaton: &Automaton) -> Self {
        Self {
            bits: vec![0; automaton.edges.len().div_ceil(64)],
            states: Vec::new(),
        }
    }

    fn step(&self, automaton: &Automaton, character: char) -> Self {
        let mut next = Self::empty(automaton);
        for &state in &self.states {
            for &(label, to) in &automaton.edges[state] {
                if label.reads(character) {
                    next.add(automaton, to);
                }
            }
        }
        next
    }

    fn add(&mut self, automaton: &Automaton, state: usize) {
        let mut open = vec![state];
        while let Some(state) = open.pop() {
            if self.has(state) {
                continue;
            }
            self.bits[state / 64] |= 1 << (state % 64);
            self.states.push(state);
            for &(label, to) in &automaton.edges[state] {
                if let Label::Empty = label {
                    open.push(to);
                }
            }
        }
    }

    fn has(&self, state: usize) -> bool {
        self.bits[state / 64] & 1 << (state % 64) != 0
    }

    fn is_within(&self, other: &Self) -> bool {
        self.bits
            .iter()
            .zip(&other.bits)
            .all(|(mine, theirs)| mine & !theirs == 0)
    }
}
