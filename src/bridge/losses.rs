//! Messages of other bridges that did not come.
//!
//! Another bridge numbers what it sends, for each of its export patterns, from one on; and tells, by
//! control messages, how far it has come. What lies between the first number heard of and the last is missing
//! unless it came. Only counts are kept, so the order in which messages come does not matter.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::pattern::Pattern;
use crate::sync::Arc;
use crate::topic::Topic;

/// So many other bridges are kept in mind; each start of a process is one. The one that was silent
/// longest goes.
const MAX_ORIGINS: usize = 1_024;
/// So many export patterns of each.
const MAX_STREAMS: usize = 256;
/// The longest name of a bridge, or of an export pattern, that is kept: there is none that is longer.
const MAX_TEXT: usize = Topic::MAX_LEN + 64;

/// The export pattern of a number, as it travels.
pub(super) fn stream_name(pattern: &Pattern) -> Arc<str> {
    match pattern.syntax() {
        // A brace is in no pattern.
        crate::Syntax::Flat if !pattern.is_exact() => Arc::from(format!("{{flat}}{pattern}")),
        _ => Arc::from(pattern.as_str()),
    }
}

fn pattern_of(stream: &str) -> Option<Pattern> {
    match stream.strip_prefix("{flat}") {
        Some(text) => Pattern::flat(text).ok(),
        None => Pattern::new(stream).ok(),
    }
}

/// One export pattern of another bridge.
struct Stream {
    /// The last number that is not counted: what came before was not for us.
    base: u64,
    highest: u64,
    came: u64,
}

impl Stream {
    fn missed(&self) -> u64 {
        (self.highest - self.base).saturating_sub(self.came)
    }
}

#[derive(Default)]
struct Sender {
    /// `None` for a pattern that no import pattern includes: its gaps mean nothing.
    streams: HashMap<Arc<str>, Option<Stream>, RandomState>,
    /// When it was last heard of, in messages.
    heard: u64,
}

pub(super) struct Losses {
    imports: Vec<Pattern>,
    senders: HashMap<Arc<str>, Sender, RandomState>,
    heard: u64,
    /// Of all streams, and of those that were forgotten. Wider than what each of them says, which anybody may make up.
    missed: u128,
}

impl Losses {
    pub(super) fn new(imports: Vec<Pattern>) -> Self {
        Losses {
            imports,
            senders: HashMap::default(),
            heard: 0,
            missed: 0,
        }
    }

    pub(super) fn missed(&self) -> u64 {
        u64::try_from(self.missed).unwrap_or(u64::MAX)
    }

    /// A message came.
    pub(super) fn came(&mut self, origin: &str, stream: &str, number: u64) {
        self.with(origin, stream, number.saturating_sub(1), |stream| {
            if number > stream.base {
                stream.came += 1;
                stream.highest = stream.highest.max(number);
            }
        });
    }

    /// The other one says how many it has sent.
    pub(super) fn told(&mut self, origin: &str, stream: &str, sent: u64) {
        self.with(origin, stream, sent, |stream| {
            stream.highest = stream.highest.max(sent);
        });
    }

    fn with(&mut self, origin: &str, name: &str, base: u64, act: impl FnOnce(&mut Stream)) {
        self.heard += 1;
        // What is known already, as almost all is, is looked up once.
        if let Some(sender) = self.senders.get_mut(origin)
            && let Some(stream) = sender.streams.get_mut(name)
        {
            sender.heard = self.heard;
            return note(stream.as_mut(), &mut self.missed, act);
        }
        // What no bridge says is not kept, for its length.
        if origin.len().max(name.len()) > MAX_TEXT {
            return;
        }
        if !self.senders.contains_key(origin) {
            self.make_room();
        }
        let sender = self.senders.entry(Arc::from(origin)).or_default();
        sender.heard = self.heard;
        if sender.streams.len() == MAX_STREAMS {
            return;
        }
        let covered = pattern_of(name)
            .is_some_and(|sent| self.imports.iter().any(|wanted| wanted.includes(&sent)));
        let stream = covered.then_some(Stream {
            base,
            highest: base,
            came: 0,
        });
        let stream = sender.streams.entry(Arc::from(name)).or_insert(stream);
        note(stream.as_mut(), &mut self.missed, act);
    }

    fn make_room(&mut self) {
        if self.senders.len() < MAX_ORIGINS {
            return;
        }
        let silent = self.senders.iter().min_by_key(|(_, sender)| sender.heard);
        if let Some(silent) = silent.map(|(origin, _)| Arc::clone(origin)) {
            self.senders.remove(&silent);
        }
    }
}

/// Acts on a stream, if its gaps mean anything, and on the sum of all.
fn note(stream: Option<&mut Stream>, missed: &mut u128, act: impl FnOnce(&mut Stream)) {
    let Some(stream) = stream else { return };
    let before = u128::from(stream.missed());
    act(stream);
    // It falls, too, when a message comes of which a control message had told.
    *missed = *missed + u128::from(stream.missed()) - before;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn losses(imports: &[&str]) -> Losses {
        Losses::new(
            imports
                .iter()
                .map(|text| Pattern::new(text).unwrap())
                .collect(),
        )
    }

    #[test]
    fn gaps_and_the_tail_are_counted_from_the_first_that_was_heard() {
        let mut losses = losses(&["a.**"]);
        for number in [5, 6, 9] {
            losses.came("x", "a.*", number);
        }
        assert_eq!(losses.missed(), 2);
        losses.told("x", "a.*", 11);
        assert_eq!(losses.missed(), 4);
        losses.told("x", "a.*", 11);
        assert_eq!(losses.missed(), 4);
    }

    #[test]
    fn what_comes_late_is_not_missed() {
        let mut losses = losses(&["**"]);
        losses.told("x", "a", 0);
        for number in [3, 1, 4] {
            losses.came("x", "a", number);
        }
        assert_eq!(losses.missed(), 1);
        losses.came("x", "a", 2);
        assert_eq!(losses.missed(), 0);
    }

    #[test]
    fn what_was_told_before_the_first_is_no_loss() {
        let mut losses = losses(&["**"]);
        losses.told("x", "a", 40);
        losses.came("x", "a", 41);
        assert_eq!(losses.missed(), 0);
        losses.came("x", "a", 43);
        assert_eq!(losses.missed(), 1);
        // Heard of only after that: it is of before.
        losses.came("x", "a", 12);
        assert_eq!(losses.missed(), 1);
    }

    #[test]
    fn gaps_of_what_is_only_partly_imported_mean_nothing() {
        let mut losses = losses(&["a.b"]);
        losses.came("x", "a.*", 1);
        losses.came("x", "a.*", 9);
        losses.came("x", "no pattern", 9);
        losses.came("x", "{flat}a*", 9);
        assert_eq!(losses.missed(), 0);
    }

    #[test]
    fn flat_patterns_travel_as_such() {
        let flat = Pattern::flat("a*").unwrap();
        assert_eq!(pattern_of(&stream_name(&flat)), Some(flat.clone()));
        let mut losses = Losses::new(vec![flat.clone()]);
        losses.came("x", &stream_name(&flat), 1);
        losses.came("x", &stream_name(&flat), 3);
        assert_eq!(losses.missed(), 1);
    }

    #[test]
    fn counts_beyond_all_measure_are_the_most_that_can_be_said() {
        let mut losses = losses(&["**"]);
        for sender in ["x", "y"] {
            losses.told(sender, "a", 0);
            losses.told(sender, "a", u64::MAX);
        }
        assert_eq!(losses.missed(), u64::MAX);
        losses.came("x", "a", u64::MAX);
        losses.came("z", "a", 1);
        losses.came("z", "a", 3);
        assert_eq!(losses.missed(), u64::MAX);
    }

    #[test]
    fn p13_texts_that_no_bridge_says_are_not_kept() {
        let mut losses = losses(&["**"]);
        let long = "x".repeat(MAX_TEXT + 1);
        losses.told(&long, "a", 1);
        losses.told("x", &long, 1);
        assert!(losses.senders.is_empty());
        losses.told(&long[1..], "a", 1);
        assert_eq!(losses.senders.len(), 1);
    }

    #[test]
    fn p13_senders_and_streams_are_bounded_and_their_losses_stay_counted() {
        let mut losses = losses(&["**"]);
        for sender in 0..MAX_ORIGINS + 100 {
            let sender = sender.to_string();
            losses.came(&sender, "a", 1);
            losses.came(&sender, "a", 3);
        }
        assert_eq!(losses.senders.len(), MAX_ORIGINS);
        assert_eq!(losses.missed(), MAX_ORIGINS as u64 + 100);
        for stream in 0..MAX_STREAMS + 100 {
            losses.came("x", &format!("s{stream}"), 1);
        }
        assert_eq!(losses.senders["x"].streams.len(), MAX_STREAMS);
    }
}
