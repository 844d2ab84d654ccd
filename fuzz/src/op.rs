//! What the target `operations` is given: its corpus is a list of these, as bytes.

use arbitrary::Arbitrary;

use crate::Word;
use crate::model::TOPICS;

/// An operation. A place is that of a topic, a subscription or a tap, whatever its number, by remainder.
#[derive(Debug, Arbitrary)]
pub enum Op {
    Subscribe {
        patterns: [Word<5>; 2],
        capacity: u8,
        overflow: u8,
        filter: u8,
        replay: u8,
    },
    Emit(u8),
    EmitWithin(u8),
    EmitEvent(u8),
    Publish(u8),
    EmitBatch(u8, u8),
    Batch([u8; 3]),
    Broadcast(u8),
    Tap(Word<5>),
    Untap(u8),
    TryRecv(u8, u8),
    RecvBatch(u8, u8),
    Beats(u8, u8),
    Missed(u8),
    SetPatterns(u8, [Word<5>; 2]),
    Share(u8),
    Close(u8),
    Drop(u8),
    CloseBus,
    Reset,
}

/// A bus's settings, and what is done with it.
#[derive(Debug, Arbitrary)]
pub struct Input {
    pub history: u8,
    pub route_cache: u8,
    pub flat: bool,
    pub ops: Vec<Op>,
}

pub fn topic(place: u8) -> usize {
    usize::from(place) % TOPICS.len()
}

impl Op {
    /// The topics of the events that it emits, if it emits.
    pub fn topics(&self) -> Option<Vec<usize>> {
        Some(match self {
            Op::EmitBatch(place, count) => vec![topic(*place); usize::from(count % 80)],
            Op::Batch(places) => places.iter().copied().map(topic).collect(),
            Op::Emit(place)
            | Op::EmitWithin(place)
            | Op::EmitEvent(place)
            | Op::Publish(place)
            | Op::Broadcast(place) => vec![topic(*place)],
            _ => return None,
        })
    }
}
