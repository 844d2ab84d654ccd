//! What is wrong with lines of a recording.

use std::fmt;

/// What is wrong with a line of a recording.
///
/// ```
/// use chanbus::{Bus, DamageKind, Fields, Player};
///
/// let bus: Bus<Fields> = Bus::new();
/// let played = Player::new(&b"{\"chanbus\":\"recording\",\"version\":1}\nhello\n"[..]).play(&bus)?;
/// assert_eq!(played.damage[0].kind, DamageKind::Json);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DamageKind {
    /// The recording does not begin with the line that says that it is one. The line itself is read all the same.
    Header,
    /// The recording breaks off in the middle of the line.
    Cut,
    /// The line is longer than [`Player::max_line`](crate::Player::max_line).
    Long,
    /// It is no UTF-8.
    Utf8,
    /// It is no JSON.
    Json,
    /// It is JSON, and no line of a recording: something is missing, is there twice, or is of another type.
    Shape,
    /// The topic, or one of the causes, is none.
    Topic,
    /// The codec refused the payload, or panicked over it.
    Payload,
}

/// A line of a recording that could not be played, and why; one of [`Played::damage`](crate::Played::damage).
///
/// ```
/// use chanbus::{Bus, Fields, Player};
///
/// let bus: Bus<Fields> = Bus::new();
/// let recording = b"{\"chanbus\":\"recording\",\"version\":1}\n{\"time\":1,\"topic\":\"a..b\",\"json\":{}}\n";
/// let played = Player::new(&recording[..]).play(&bus)?;
/// let damage = &played.damage[0];
/// assert_eq!(damage.line, 2);
/// assert!(damage.to_string().starts_with("line 2: no topic: "));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Damage {
    /// Its number; the first line has number 1.
    pub line: u64,
    /// What is wrong with it.
    pub kind: DamageKind,
    /// More of that, for people; of a long text, the beginning and `…`.
    pub detail: Box<str>,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            DamageKind::Header => "no beginning of a recording",
            DamageKind::Cut => "cut off",
            DamageKind::Long => "too long",
            DamageKind::Utf8 => "no UTF-8",
            DamageKind::Json => "no JSON",
            DamageKind::Shape => "no line of a recording",
            DamageKind::Topic => "no topic",
            DamageKind::Payload => "no payload",
        };
        write!(f, "line {}: {kind}: {}", self.line, self.detail)
    }
}
