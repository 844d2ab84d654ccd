//! What can go wrong with recording, and with playing.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;

use super::Recorded;
use crate::error::{PatternsError, SubscribeError};
use crate::sync::Arc;

/// A recorder that did not start.
///
/// ```
/// use chanbus::{Bus, RecordError, Recorder};
///
/// let bus: Bus<u32> = Bus::new();
/// let error = Recorder::builder(&bus).to_file("/no/such/folder/a.ndjson").unwrap_err();
/// assert!(matches!(&error, RecordError::File { path, .. } if path.ends_with("a.ndjson")));
/// assert!(error.to_string().contains("/no/such/folder/a.ndjson"));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RecordError {
    /// A text is no pattern, or a list of patterns is empty.
    Patterns(PatternsError),
    /// The bus is closed or has no room for one more subscription, or the queue's capacity is out of range.
    Subscribe(SubscribeError),
    /// The file could not be opened.
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: Arc<io::Error>,
    },
    /// So few bytes that not even the first line and the last have room.
    MaxBytes {
        /// What was asked for.
        bytes: u64,
        /// The least that does.
        least: u64,
    },
    /// Lines so short that not even all topics have room.
    MaxLine {
        /// What was asked for.
        bytes: usize,
        /// The least that does.
        least: usize,
    },
    /// The system would not start a thread.
    Thread {
        /// What it said.
        error: Arc<io::Error>,
    },
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Its own text names what only subscriptions have.
            RecordError::Patterns(PatternsError::Empty) => f.write_str(
                "a list of patterns is empty: name the topics that RecorderBuilder::patterns is to match, or leave it \
                 away for everything",
            ),
            RecordError::Patterns(error) => error.fmt(f),
            RecordError::Subscribe(error) => error.fmt(f),
            RecordError::File { path, error } => {
                write!(f, "the recording {} could not be opened: {error}", path.display())
            }
            RecordError::MaxBytes { bytes, least } => write!(
                f,
                "a recording of {bytes} bytes has no room for an event: RecorderBuilder::max_bytes wants {least} at least"
            ),
            RecordError::MaxLine { bytes, least } => write!(
                f,
                "lines of {bytes} bytes have no room for all topics: RecorderBuilder::max_line wants {least} at least"
            ),
            RecordError::Thread { error } => {
                write!(f, "the recorder's thread could not be started: {error}; free some threads")
            }
        }
    }
}

impl Error for RecordError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            RecordError::File { error, .. } | RecordError::Thread { error } => Some(error),
            _ => None,
        }
    }
}

impl From<PatternsError> for RecordError {
    fn from(error: PatternsError) -> Self {
        RecordError::Patterns(error)
    }
}

impl From<SubscribeError> for RecordError {
    fn from(error: SubscribeError) -> Self {
        RecordError::Subscribe(error)
    }
}

/// A recorder that ended without having written all that it took: the writer failed, or the time was over.
///
/// ```
/// use chanbus::{Bus, Drain, Recorder};
///
/// /// A disk without any room.
/// struct Full;
///
/// impl std::io::Write for Full {
///     fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
///         Err(std::io::ErrorKind::StorageFull.into())
///     }
///     fn flush(&mut self) -> std::io::Result<()> {
///         Ok(())
///     }
/// }
///
/// let bus = Bus::new();
/// let recorder = Recorder::builder(&bus).to(Full)?;
/// bus.emit("a", 1)?;
/// let error = recorder.stop(Drain::All).unwrap_err();
/// assert_eq!((error.recorded.written, error.recorded.lost), (0, 1));
/// assert_eq!(error.error.unwrap().kind(), std::io::ErrorKind::StorageFull);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RecordIncomplete {
    /// What was written, and how much was not.
    pub recorded: Recorded,
    /// What the writer said; nothing if the time was over.
    pub error: Option<Arc<io::Error>>,
}

impl RecordIncomplete {
    pub(super) fn new(recorded: Recorded, error: Option<Arc<io::Error>>) -> Self {
        RecordIncomplete { recorded, error }
    }
}

impl fmt::Display for RecordIncomplete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Recorded { written, lost, .. } = self.recorded;
        write!(
            f,
            "the recording is not complete: {written} events were written, and {lost} were not"
        )?;
        match &self.error {
            Some(error) => write!(f, ", as the writer failed: {error}"),
            None => f.write_str(
                ", as the time was over: stop with more of it, or look what the writer waits for",
            ),
        }
    }
}

impl Error for RecordIncomplete {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let error = self.error.as_ref()?;
        Some(error)
    }
}

/// Playing came to an end before the recording did. What was played until then is told by
/// [`Player::played`](crate::Player::played); a player can go on from there.
///
/// ```
/// use chanbus::{Bus, Fields, PlayError, Player};
///
/// let bus: Bus<Fields> = Bus::new();
/// let recording = "{\"chanbus\":\"recording\",\"version\":7}\n";
/// let error = Player::new(recording.as_bytes()).play(&bus).unwrap_err();
/// assert!(matches!(error, PlayError::Version { line: 1, found: 7 }));
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PlayError {
    /// The recording could not be read further. Once what it is read from is mended, the player goes on there.
    Read {
        /// The line that was to be read.
        line: u64,
        /// What the reader said.
        error: Arc<io::Error>,
    },
    /// The recording is of a version that this one does not know.
    Version {
        /// The line that says so.
        line: u64,
        /// Its version.
        found: u64,
    },
    /// The bus is closed. On a new one the player goes on.
    Closed {
        /// The last line that was read.
        line: u64,
    },
    /// A text is no pattern, or a list of patterns is empty.
    Patterns(PatternsError),
    /// A factor that no speed has: it wants to be more than zero, and finite.
    Speed {
        /// The factor.
        factor: f64,
    },
}

impl PlayError {
    /// Whether the bus is closed.
    ///
    /// ```
    /// # use chanbus::{Bus, Fields, Player};
    /// let bus: Bus<Fields> = Bus::new();
    /// bus.close();
    /// assert!(Player::new(&b""[..]).play(&bus).unwrap_err().is_closed());
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, PlayError::Closed { .. })
    }
}

impl fmt::Display for PlayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlayError::Read { line, error } => {
                write!(
                    f,
                    "line {line} of the recording could not be read: {error}: mend what it is read from, then play on: \
                     the player goes on where it stopped"
                )
            }
            PlayError::Version { line, found } => write!(
                f,
                "line {line} begins a recording of version {found}, of which this player knows nothing: \
                 it wants version {}, or a newer chanbus",
                super::line::VERSION
            ),
            PlayError::Closed { line } => {
                write!(
                    f,
                    "the bus is closed, and stays so; the recording was played up to line {line}: play on to a new \
                     bus, and the player goes on where it stopped"
                )
            }
            PlayError::Patterns(PatternsError::Empty) => f.write_str(
                "a list of patterns is empty: name the topics that Player::patterns is to match, or leave it away \
                 for everything",
            ),
            PlayError::Patterns(error) => error.fmt(f),
            PlayError::Speed { factor } => write!(
                f,
                "{factor} is no speed: Speed::Times wants a factor above zero, and Speed::Fast is as fast as possible"
            ),
        }
    }
}

impl Error for PlayError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            PlayError::Read { error, .. } => Some(error),
            _ => None,
        }
    }
}
