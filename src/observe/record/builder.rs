//! A recorder in the making.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::line::{self, END_ROOM};
use super::run::{Work, run};
use super::shared::Shared;
use super::sink::Sink;
use super::{DEFAULT_MAX_LINE, DEFAULT_RECORDER_CAPACITY, RecordError, Recorder};
use crate::bus::{Bus, Overflow};
use crate::codec::{Codec, Json};
use crate::error::{PatternsError, shortened};
use crate::pattern::{IntoPatterns, Pattern};
use crate::sync::Arc;

/// The shortest lines that can be asked for: the longest topic and a reason have room, whatever is to be escaped.
const LEAST_LINE: usize = 4_096;

/// A recorder in the making: made by [`Recorder::builder`], ended by [`to`](RecorderBuilder::to) or
/// [`to_file`](RecorderBuilder::to_file), which start it.
///
/// | Setting | Default |
/// |---|---|
/// | [`patterns`](RecorderBuilder::patterns) | everything |
/// | [`codec`](RecorderBuilder::codec) | [`Json`] |
/// | [`capacity`](RecorderBuilder::capacity) of its queue | [`DEFAULT_RECORDER_CAPACITY`], 10,000 events |
/// | [`overflow`](RecorderBuilder::overflow) | [`Overflow::DropNewest`] |
/// | [`flush_every`](RecorderBuilder::flush_every) | one second |
/// | [`max_bytes`](RecorderBuilder::max_bytes) | none |
/// | [`max_line`](RecorderBuilder::max_line) | [`DEFAULT_MAX_LINE`], 1 MiB |
/// | [`linger`](RecorderBuilder::linger) | five seconds |
///
/// ```
/// # use chanbus::{Bus, Recorder};
/// # let bus: Bus<u32> = Bus::new();
/// let recorder = Recorder::builder(&bus)
///     .patterns(["scan.**", "error.*"])
///     .capacity(50_000)
///     .max_bytes(1 << 30)
///     .to(std::io::sink())?;
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "a recorder only records when it was started"]
pub struct RecorderBuilder<T: Send + Sync + 'static, C = Json> {
    bus: Bus<T>,
    codec: C,
    patterns: Vec<Pattern>,
    bad_patterns: Option<PatternsError>,
    name: Arc<str>,
    capacity: usize,
    overflow: Overflow,
    flush_every: Duration,
    max_bytes: u64,
    max_line: usize,
    linger: Duration,
}

impl<T: Send + Sync + 'static> RecorderBuilder<T> {
    pub(super) fn new(bus: &Bus<T>) -> Self {
        RecorderBuilder {
            bus: bus.clone(),
            codec: Json,
            patterns: Vec::new(),
            bad_patterns: None,
            name: "recorder".into(),
            capacity: DEFAULT_RECORDER_CAPACITY,
            overflow: Overflow::default(),
            flush_every: Duration::from_secs(1),
            max_bytes: u64::MAX,
            max_line: DEFAULT_MAX_LINE,
            linger: Duration::from_secs(5),
        }
    }
}

impl<T: Send + Sync + 'static, C> RecorderBuilder<T, C> {
    /// Which events are recorded: those whose topics match one of these patterns, in the bus's
    /// [syntax](crate::BusBuilder::syntax). Called again, it adds.
    ///
    /// ```
    /// # use chanbus::{Bus, Recorder};
    /// # let bus: Bus<u32> = Bus::new();
    /// let recorder = Recorder::builder(&bus).patterns("scan.**").patterns(["error.*"]).to(std::io::sink())?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn patterns(mut self, patterns: impl IntoPatterns) -> Self {
        match patterns.into_patterns(self.bus.syntax()) {
            Ok(patterns) => self.patterns.extend(patterns),
            Err(error) => self.bad_patterns = self.bad_patterns.or(Some(error)),
        }
        self
    }

    /// How payloads become bytes.
    ///
    /// ```
    /// use chanbus::{BoxError, Bus, Codec, Event, Recorder, Topic};
    ///
    /// struct Plain;
    ///
    /// impl Codec<String> for Plain {
    ///     fn encode(&self, event: &Event<String>, out: &mut Vec<u8>) -> Result<(), BoxError> {
    ///         out.extend_from_slice(event.payload().as_bytes());
    ///         Ok(())
    ///     }
    ///
    ///     fn decode(&self, _: &Topic, bytes: &[u8]) -> Result<String, BoxError> {
    ///         Ok(std::str::from_utf8(bytes)?.to_owned())
    ///     }
    /// }
    ///
    /// let bus: Bus<String> = Bus::new();
    /// let recorder = Recorder::builder(&bus).codec(Plain).to(std::io::sink())?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn codec<D>(self, codec: D) -> RecorderBuilder<T, D> {
        RecorderBuilder {
            bus: self.bus,
            codec,
            patterns: self.patterns,
            bad_patterns: self.bad_patterns,
            name: self.name,
            capacity: self.capacity,
            overflow: self.overflow,
            flush_every: self.flush_every,
            max_bytes: self.max_bytes,
            max_line: self.max_line,
            linger: self.linger,
        }
    }

    /// The name of its subscription, in statistics; `recorder` unless told otherwise.
    ///
    /// ```
    /// # use chanbus::{Bus, Recorder};
    /// # let bus: Bus<u32> = Bus::new();
    /// let recorder = Recorder::builder(&bus).name("flight recorder").to(std::io::sink())?;
    /// assert_eq!(bus.stats().subscriptions[0].name.as_deref(), Some("flight recorder"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    /// How many events wait for the recorder's thread, exactly.
    ///
    /// ```
    /// # use chanbus::{Bus, Recorder};
    /// # let bus: Bus<u32> = Bus::new();
    /// let recorder = Recorder::builder(&bus).capacity(100_000).to(std::io::sink())?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn capacity(mut self, events: usize) -> Self {
        self.capacity = events;
        self
    }

    /// What is done with an event when as many wait. Whatever it is, the recording has a line that says how many it
    /// misses there.
    ///
    /// ```
    /// # use chanbus::{Bus, Overflow, Recorder};
    /// # let bus: Bus<u32> = Bus::new();
    /// let recorder = Recorder::builder(&bus).overflow(Overflow::DropOldest).to(std::io::sink())?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// How long a line waits for others before it is handed to the writer, which is then flushed. 64 KiB of them do not
    /// wait. With zero, every event is written and flushed by itself: slow, and the least is lost in a crash.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use chanbus::{Bus, Recorder};
    /// # let bus: Bus<u32> = Bus::new();
    /// let recorder = Recorder::builder(&bus).flush_every(Duration::from_millis(50)).to(std::io::sink())?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn flush_every(mut self, time: Duration) -> Self {
        self.flush_every = time;
        self
    }

    /// How many bytes this recorder writes at most, its first and last lines included. With the first event
    /// that has no room the recording is full: the recorder ends, and leaves the bus.
    ///
    /// ```
    /// # use chanbus::{Bus, Drain, Recorder};
    /// let bus = Bus::new();
    /// let recorder = Recorder::builder(&bus).max_bytes(1_000).to(std::io::sink())?;
    /// bus.publisher("n")?.emit_batch(0..100)?;
    /// let recorded = recorder.stop(Drain::All)?;
    /// assert!(recorded.full && recorded.bytes <= 1_000);
    /// assert_eq!(recorded.written + recorded.lost, 100);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// How long a line may be, in bytes; 4,096 at least. An event whose line would be longer is refused: a player has
    /// [such a limit](crate::Player::max_line), too.
    ///
    /// ```
    /// # use chanbus::{Bus, Recorder};
    /// # let bus: Bus<String> = Bus::new();
    /// let recorder = Recorder::builder(&bus).max_line(64 << 20).to(std::io::sink())?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn max_line(mut self, bytes: usize) -> Self {
        self.max_line = bytes;
        self
    }

    /// How long a recorder that is dropped goes on writing what is queued.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use chanbus::{Bus, Recorder};
    /// # let bus: Bus<u32> = Bus::new();
    /// let recorder = Recorder::builder(&bus).linger(Duration::from_secs(60)).to(std::io::sink())?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn linger(mut self, time: Duration) -> Self {
        self.linger = time;
        self
    }

    /// Starts a recorder that writes there, on a thread of its own. It hands over whole chunks of lines, so the writer
    /// needs no buffer. It is dropped when the recorder has ended.
    ///
    /// # Errors
    ///
    /// A text that is no pattern, a capacity out of range, a bus that is closed or full, a limit that is too small, or
    /// no thread.
    ///
    /// ```
    /// # use chanbus::{Bus, Drain, Recorder};
    /// let bus = Bus::new();
    /// let recorder = Recorder::builder(&bus).to(std::io::sink())?;
    /// bus.emit("a", 1)?;
    /// assert_eq!(recorder.stop(Drain::All)?.written, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn to(self, writer: impl Write + Send + 'static) -> Result<Recorder<T>, RecordError>
    where
        C: Codec<T>,
    {
        self.start(|| Ok(writer), false)
    }

    /// Starts a recorder that writes a file. What was in it is gone.
    ///
    /// # Errors
    ///
    /// As [`to`](RecorderBuilder::to), and if the file cannot be made. It is not touched if anything else is wrong.
    ///
    /// ```
    /// # use chanbus::{Bus, Drain, Recorder};
    /// let path = std::env::temp_dir().join(format!("chanbus-{}.ndjson", std::process::id()));
    /// let bus = Bus::new();
    /// let recorder = Recorder::builder(&bus).to_file(&path)?;
    /// bus.emit("a", 1)?;
    /// recorder.stop(Drain::All)?;
    /// assert!(std::fs::read_to_string(&path)?.contains(r#""topic":"a","json":1}"#));
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_file(self, path: impl AsRef<Path>) -> Result<Recorder<T>, RecordError>
    where
        C: Codec<T>,
    {
        let path = path.as_ref();
        self.start(|| File::create(path).map_err(bad_file(path)), false)
    }

    /// Starts a recorder that goes on in a file, behind what other recorders wrote there; a line that one of them could
    /// not finish stays a damaged line by itself.
    ///
    /// # Errors
    ///
    /// As [`to_file`](RecorderBuilder::to_file).
    ///
    /// ```
    /// # use chanbus::{Bus, Drain, Player, Recorder};
    /// let path = std::env::temp_dir().join(format!("chanbus-append-{}.ndjson", std::process::id()));
    /// # let _ = std::fs::remove_file(&path);
    /// let bus = Bus::new();
    /// for run in 0..3 {
    ///     let recorder = Recorder::builder(&bus).append_to_file(&path)?;
    ///     bus.emit("run", run)?;
    ///     recorder.stop(Drain::All)?;
    /// }
    /// assert_eq!(Player::open(&path)?.play(&bus)?.emitted, 3);
    /// # std::fs::remove_file(&path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn append_to_file(self, path: impl AsRef<Path>) -> Result<Recorder<T>, RecordError>
    where
        C: Codec<T>,
    {
        let path = path.as_ref();
        let open = || OpenOptions::new().append(true).create(true).open(path);
        self.start(|| open().map_err(bad_file(path)), true)
    }

    /// The file is opened last, so that a recorder that cannot start destroys nothing.
    fn start<W: Write + Send + 'static>(
        self,
        open: impl FnOnce() -> Result<W, RecordError>,
        append: bool,
    ) -> Result<Recorder<T>, RecordError>
    where
        C: Codec<T>,
    {
        if let Some(error) = self.bad_patterns {
            return Err(error.into());
        }
        let content_type = self.codec.content_type().map(shortened);
        let mut header = Vec::new();
        if append {
            // The line before may have been cut. Empty lines say nothing.
            header.push(b'\n');
        }
        line::header(content_type.as_deref(), &mut header);
        let least = (header.len() + END_ROOM) as u64;
        if self.max_bytes < least {
            let bytes = self.max_bytes;
            return Err(RecordError::MaxBytes { bytes, least });
        }
        if self.max_line < LEAST_LINE {
            return Err(RecordError::MaxLine {
                bytes: self.max_line,
                least: LEAST_LINE,
            });
        }
        let patterns = match self.patterns.is_empty() {
            true => vec![Pattern::everything()],
            false => self.patterns,
        };
        let sub = self
            .bus
            .subscription(patterns)
            .name(self.name)
            .capacity(self.capacity)
            .overflow(self.overflow)
            .subscribe()?;
        let mut sink = Sink::new(Box::new(open()?));
        sink.push(&header);
        let shared = Arc::new(Shared::new());
        let work = Work {
            sub: sub.share(),
            codec: Box::new(self.codec),
            shared: Arc::clone(&shared),
            sink,
            is_json: content_type.is_some_and(|name| is_json(&name)),
            flush_every: self.flush_every,
            max_line: self.max_line,
            max_bytes: self.max_bytes,
        };
        let thread = thread::Builder::new()
            .name("chanbus-record".to_owned())
            .spawn(move || run(work))
            .map_err(|error| RecordError::Thread {
                error: Arc::new(error),
            })?;
        Ok(Recorder::new(sub, shared, thread, self.linger))
    }
}

/// `application/json`, or one of those that are made of it.
fn is_json(content_type: &str) -> bool {
    let name = content_type.split(';').next().unwrap_or_default().trim();
    name.eq_ignore_ascii_case("application/json") || name.to_ascii_lowercase().ends_with("+json")
}

fn bad_file(path: &Path) -> impl FnOnce(io::Error) -> RecordError + '_ {
    |error| RecordError::File {
        path: path.to_owned(),
        error: Arc::new(error),
    }
}

impl<T: Send + Sync + 'static, C> fmt::Debug for RecorderBuilder<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecorderBuilder")
            .field("patterns", &self.patterns)
            .field("name", &self.name)
            .field("capacity", &self.capacity)
            .field("overflow", &self.overflow)
            .field("flush_every", &self.flush_every)
            .field("max_bytes", &self.max_bytes)
            .field("max_line", &self.max_line)
            .field("linger", &self.linger)
            .finish_non_exhaustive()
    }
}
