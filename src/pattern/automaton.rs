//! Patterns as automata over characters, on which [`algebra`](super::algebra) compares them.

use super::{Pattern, Segment, Shape};

/// Stands for every character that neither pattern spells out: wildcards cannot tell those apart, and
/// no pattern spells out a control character.
const FRESH: char = '\0';

/// What a state may read on its way to another.
#[derive(Clone, Copy)]
pub(super) enum Label {
    /// Nothing: the other state can be taken for this one.
    Empty,
    Char(char),
    /// Any character but the dot.
    Letter,
    Any,
}

impl Label {
    pub(super) fn reads(self, character: char) -> bool {
        match self {
            Self::Empty => false,
            Self::Char(own) => own == character,
            Self::Letter => character != '.',
            Self::Any => true,
        }
    }

    /// The characters that stand for all that this label reads, seen against any other label.
    pub(super) fn samples(self) -> impl Iterator<Item = char> + Clone {
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
pub(super) struct Automaton {
    pub(super) edges: Vec<Vec<(Label, usize)>>,
    /// For a state in a loop: the first of the states that it makes needless. All ways from there on
    /// lead through the loop, and what they read on the way to it the loop reads too.
    pub(super) outdoes: Vec<Option<usize>>,
}

impl Automaton {
    pub(super) fn new(pattern: &Pattern) -> Self {
        let mut automaton = Self {
            edges: vec![Vec::new()],
            outdoes: vec![None],
        };
        match pattern.shape() {
            Shape::Exact => automaton.glob(pattern.as_str(), Label::Any),
            Shape::Flat(glob) => automaton.glob(glob.text(), Label::Any),
            Shape::Segments(segments) => automaton.segments(segments),
        }
        automaton
    }

    pub(super) fn accepting(&self) -> usize {
        self.edges.len() - 1
    }

    /// Adds a state that follows the last one by `label`.
    fn then(&mut self, label: Label) {
        let last = self.accepting();
        self.edges[last].push((label, last + 1));
        self.edges.push(Vec::new());
        self.outdoes.push(None);
    }

    /// Adds text in which `*` and `?` read what `wildcard` reads.
    fn glob(&mut self, text: &str, wildcard: Label) {
        let first = self.accepting();
        for character in text.chars() {
            match character {
                '?' => self.then(wildcard),
                '*' => {
                    let last = self.accepting();
                    self.edges[last].push((wildcard, last));
                    self.outdoes[last] = Some(first);
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
        let inside = start + 1;
        self.then(Label::Letter);
        self.edges[inside].push((Label::Letter, inside));
        self.edges[inside].push((Label::Char('.'), start));
        // Whatever comes before stands at the same dot, and passes here after some whole segments.
        self.outdoes[start] = Some(0);
        // A state of its own, so that what follows adds nothing to the loop.
        self.edges[start].push((Label::Empty, inside + 1));
        self.edges.push(Vec::new());
        self.outdoes.push(None);
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
