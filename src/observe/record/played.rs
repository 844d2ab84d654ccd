//! What was played.

use super::{Damage, DamageKind};
use crate::error::shortened;

/// How many damaged lines are kept; all are counted.
const KEPT: usize = 100;

/// What a [`Player`](crate::Player) has done since it was made, in all its plays and steps.
///
/// ```
/// use chanbus::{Bus, Fields, Player};
///
/// let recording = "\
/// {\"chanbus\":\"recording\",\"version\":1}
/// {\"time\":1700000000000000000,\"topic\":\"a\",\"json\":{\"n\":1}}
/// {\"time\":170000000";
/// let bus: Bus<Fields> = Bus::new();
/// let played = Player::new(recording.as_bytes()).play(&bus)?;
/// assert_eq!((played.lines, played.emitted, played.damaged), (3, 1, 1));
/// assert_eq!(played.damage[0].line, 3);
/// assert!(!played.whole, "whoever recorded it was killed");
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Played {
    /// Lines that were read, or skipped as they were too long; the last one of a recording that was cut counts.
    pub lines: u64,
    /// Events that were emitted.
    pub emitted: u64,
    /// Events that were left out: of other [topics](crate::Player::patterns), or before
    /// [`from_time`](crate::Player::from_time).
    pub skipped: u64,
    /// Events that the bus did not take, as their chain of causes is too long for it.
    pub refused: u64,
    /// Lines that say nothing that could be played.
    pub damaged: u64,
    /// The first 100 of them.
    pub damage: Vec<Damage>,
    /// Events that the recording itself says it misses.
    pub missed: u64,
    /// How many times an event that was emitted found a queue full: emits do not wait, and a player is fast. See
    /// [`Player::wait_for_room`](crate::Player::wait_for_room).
    pub dropped: u64,
    /// Older events that events which were emitted pushed out of full queues, or replaced there.
    pub evicted: u64,
    /// Whether the last line that was read is one with which a recorder ends. If it is not, at the end, then the
    /// recording was cut.
    pub whole: bool,
    /// Whether the last play was [stopped](crate::PlayStopper).
    pub stopped: bool,
}

impl Played {
    pub(super) fn damaged(&mut self, line: u64, kind: DamageKind, detail: &str) {
        self.damaged += 1;
        if self.damage.len() < KEPT {
            self.damage.push(Damage {
                line,
                kind,
                detail: shortened(detail),
            });
        }
    }
}
