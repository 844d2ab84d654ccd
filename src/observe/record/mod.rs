//! Recordings of a bus: what was emitted, as lines of JSON, and the way back onto a bus.
//!
//! An event walks down this list once, onto the disk and, some day, back:
//!
//! | File | Its one job |
//! |---|---|
//! | `builder.rs`, `recorder.rs`, `error.rs` | what is asked for; what the owner holds; what is wrong |
//! | `run.rs` | the recorder's thread: from the queue to lines |
//! | `shared.rs` | what that thread and the owner both have: orders, the end, the counts |
//! | `sink.rs` | the buffer before the writer, which knows what the writer has taken |
//! | `line/` | one line: written (`mod.rs`) and read (`read.rs`), its metadata, its bytes that are no text |
//! | `lines.rs` | lines from a reader, one at a time and none too long |
//! | `player.rs`, `play.rs` | what is asked of a player; line after line onto a bus |
//! | `pace.rs` | when the next event is due, and who stops the wait for it |
//! | `damage.rs`, `played.rs` | what was wrong with lines; what was played |
//!
//! The recorder's thread alone writes, and alone encodes; its owner sees atomic counts, and gives orders under a lock
//! that is held for nothing else. No code of the user's (codec, writer, destructors) runs under it.

mod builder;
mod damage;
mod error;
mod line;
mod lines;
mod pace;
mod play;
mod played;
mod player;
mod recorder;
mod run;
mod shared;
mod sink;

pub use self::builder::RecorderBuilder;
pub use self::damage::{Damage, DamageKind};
pub use self::error::{PlayError, RecordError, RecordIncomplete};
pub use self::pace::{PlayStopper, Speed};
pub use self::played::Played;
pub use self::player::Player;
pub use self::recorder::{Recorded, Recorder, RecorderStats};

/// How many events wait for a [`Recorder`]'s thread unless told otherwise: 10,000.
///
/// ```
/// assert_eq!(chanbus::DEFAULT_RECORDER_CAPACITY, 10_000);
/// ```
pub const DEFAULT_RECORDER_CAPACITY: usize = 10_000;

/// How long a line of a recording may be unless told otherwise, in bytes: 1,048,576. A [`Recorder`] writes no longer one,
/// and a [`Player`] reads none.
///
/// ```
/// assert_eq!(chanbus::DEFAULT_MAX_LINE, 1 << 20);
/// ```
pub const DEFAULT_MAX_LINE: usize = 1 << 20;

/// How many pieces of metadata a line may have: what finds them by name looks at each.
const MAX_METADATA: usize = 1_024;
