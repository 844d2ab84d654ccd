//! What a recorder's owner holds.

use std::fmt;
use std::io;
use std::thread::{self, JoinHandle, ThreadId};
use std::time::Duration;

use super::shared::{Order, Shared};
use super::{RecordIncomplete, RecorderBuilder};
use crate::bus::{Bus, Subscription};
use crate::codec::Json;
use crate::handlers::Drain;
use crate::shield::drop_shielded;
use crate::sync::{Arc, Mutex, Ordering};

/// How long a stop that does not drain waits for what the recorder's thread does just now.
const GRACE: Duration = Duration::from_secs(1);

/// Writes down what is emitted on a [`Bus`], line by line, for a [`Player`](crate::Player) to emit it again.
///
/// To the bus it is one more subscriber, with a queue and a thread (`chanbus-record`) of its own: emits never wait
/// for it, nor for its disk. Dropping it stops it.
///
/// ```
/// use std::io::BufReader;
/// use chanbus::{Bus, Drain, Player, Recorder, Speed};
///
/// let (reader, writer) = std::io::pipe()?;   // or a file: `to_file(path)`, `Player::open(path)`
/// let bus = Bus::new();
/// let recorder = Recorder::builder(&bus).patterns("scan.**").to(writer)?;
/// bus.event("scan.started", 7).source("walker").metadata("depth", 2).emit()?;
/// let recorded = recorder.stop(Drain::All)?;
/// assert_eq!((recorded.written, recorded.dropped), (1, 0));
///
/// let again: Bus<u32> = Bus::new();
/// let sub = again.subscribe_all()?;
/// let played = Player::new(BufReader::new(reader)).speed(Speed::Fast).play(&again)?;
/// assert!(played.emitted == 1 && played.whole);
/// let event = sub.recv()?;
/// assert_eq!((event.topic().as_str(), *event.payload(), event.source()), ("scan.started", 7, Some("walker")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # What a recording looks like
///
/// Lines of JSON, each an object, in UTF-8, each with a line feed at its end ([NDJSON](https://github.com/ndjson/ndjson-spec)):
///
/// ```json
/// {"chanbus":"recording","version":1,"time":1700000000000000000,"codec":"application/json"}
/// {"time":1700000000250000000,"topic":"order.placed","source":"shop","metadata":{"trace":17,"ratio":1.0},"json":{"item":"book"}}
/// {"time":1700000000250000001,"topic":"mail.sent","cause":["order.placed"],"json":null}
/// {"missed":12,"why":"queue"}
/// {"end":"done","written":2,"missed":12}
/// ```
///
/// | Line | Has | |
/// |---|---|---|
/// | the first | `chanbus`, `version` | also `time`, when it was begun, and `codec`, a media type. Where recordings were put together, there are several |
/// | an event | `time` | nanoseconds since 1970 (UTC), a whole number |
/// | | `topic` | |
/// | | `source`, `metadata` | if it has them; an object of texts, numbers, `true` and `false` in their order, at most 1,024 |
/// | | `cause` | if it has one: topics, oldest first |
/// | | `json`, `text` or `base64` | one of them, the payload |
/// | a gap | `missed`, `why` | so many events are not there: `"queue"`, it was full; `"conflated"`, newer ones replaced them ([`Overflow::Latest`](crate::Overflow::Latest)); `"refused"`, one that could not be written, with its `topic` and the `reason` |
/// | the last | `end` | `"done"`, or `"full"` by [`max_bytes`](RecorderBuilder::max_bytes); with `written` and `missed` in all. Without such a line the recorder was killed, or its writer failed |
///
/// Further fields are left alone by a player, and so are empty lines.
///
/// - *Payload.* What the codec makes of it is JSON if its [`content_type`](crate::Codec::content_type) says so, and it is one
///   value without a line break and without white space around it: then it stands there as it is. Otherwise it is a `text` if it is UTF-8, and
///   else `base64` (RFC 4648, with padding). In each form the codec gets back the very bytes that it wrote.
/// - *Metadata* keep their types: numbers with a dot or an exponent are floats, whole ones are integers. What plain
///   JSON cannot say is an object with one field: `{"uint":7}` is a [`Value::UInt`](crate::Value::UInt) that an `i64` could
///   hold, `{"float":"NaN"}` (or `"inf"`, `"-inf"`) is no number of JSON's.
/// - *Not recorded* are [extensions](crate::EventDraft::extension), which are objects of this process, which events were
///   one batch, and that one was a [broadcast](Bus::broadcast).
///
/// # What is missed
///
/// A recording never pretends to be complete. What its queue had no room for is counted, and has a line where it was
/// missed: exact in sum, and in place when nothing else happens at that moment. So have events that the codec refuses
/// (or panics over), or whose line is [too long](RecorderBuilder::max_line).
///
/// # When the writer fails
///
/// The recorder keeps what the writer did not take, tries again every second, from the byte where it stopped, and its
/// queue fills meanwhile: a disk that is full for a while costs what the queue has no room for, and that is a gap like
/// others. [`stats`](Recorder::stats) has the last error. When it ends, by a [stop](Recorder::stop), by its bus or for good, by a
/// writer that panicked, the last attempt counts: what that does not take is lost, counted and said. A write that
/// cannot end (to a pipe that nobody reads) is left behind by `Drain::Within`, with its thread.
///
/// Written means that the writer took it, and was flushed. When that is on the disk is between the system and the disk.
///
/// # What it costs
///
/// An emit pays what it pays for any subscription: a push into a queue. By
/// `cargo bench --features json --bench record`, on a virtual machine with two cores that others used at the same time
/// (401 rounds, medians; compare within the table):
///
/// | An emit on a bus with | takes |
/// |---|---|
/// | nobody | 71 ns |
/// | one subscription, which a thread takes from | 111 ns |
/// | a recorder to a file | 124 ns: 1.06 times as much as with that subscription, 1.71 times as much as with nobody |
///
/// The recorder's thread takes one core while events come that fast.
pub struct Recorder<T: Send + Sync + 'static> {
    /// For its counts, and to close it.
    sub: Subscription<T>,
    shared: Arc<Shared>,
    /// Until it has ended, and been waited for.
    thread: Mutex<Option<JoinHandle<()>>>,
    thread_id: ThreadId,
    linger: Duration,
}

/// What a recorder has done so far; made by [`Recorder::stats`].
///
/// Once publishers are joined, what matched its patterns is
/// `written + waiting + lost + refused + dropped + conflated`.
///
/// ```
/// # use chanbus::{Bus, Recorder};
/// let bus = Bus::new();
/// let recorder = Recorder::builder(&bus).to(std::io::sink())?;
/// bus.emit("a", 1)?;
/// let stats = recorder.stats();
/// assert_eq!(stats.written + stats.waiting, 1);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RecorderStats {
    /// Events whose line the writer has.
    pub written: u64,
    /// Events that wait, in the queue or for the writer.
    pub waiting: u64,
    /// Events that waited when it ended, and never will be written.
    pub lost: u64,
    /// Events that its queue had no room for.
    pub dropped: u64,
    /// Events that newer ones of their topics replaced.
    pub conflated: u64,
    /// Events that the codec refused or panicked over, with too long a line, or with too much metadata.
    pub refused: u64,
    /// Bytes that the writer has.
    pub bytes: u64,
    /// Whether it runs.
    pub running: bool,
    /// Whether it ended as the recording was [full](RecorderBuilder::max_bytes).
    pub full: bool,
    /// Whether the writer failed when it was last tried.
    pub failing: bool,
    /// What the writer said when it failed the last time.
    pub last_error: Option<Arc<io::Error>>,
    /// Why the last event that was refused was refused.
    pub last_refusal: Option<Arc<str>>,
}

/// What a recorder has done in all; made by [`Recorder::stop`] and [`Recorder::wait`].
///
/// ```
/// # use chanbus::{Bus, Drain, Recorder};
/// let bus = Bus::new();
/// let recorder = Recorder::builder(&bus).to(std::io::sink())?;
/// bus.emit("a", 1)?;
/// let recorded = recorder.stop(Drain::All)?;
/// assert_eq!((recorded.written, recorded.lost), (1, 0));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recorded {
    /// Events whose line the writer has.
    pub written: u64,
    /// Events that it took from the bus, and did not write: the writer failed, the recording was full, or nobody
    /// waited for them.
    pub lost: u64,
    /// Events that its queue had no room for.
    pub dropped: u64,
    /// Events that newer ones of their topics replaced.
    pub conflated: u64,
    /// Events that the codec refused or panicked over, with too long a line, or with too much metadata.
    pub refused: u64,
    /// Bytes that the writer has.
    pub bytes: u64,
    /// Whether it ended as the recording was [full](RecorderBuilder::max_bytes).
    pub full: bool,
    /// It was called on the recorder's own thread, by the codec or the writer, for whose end it cannot wait: the
    /// recorder stops after that.
    pub pending: bool,
}

impl<T: Send + Sync + 'static> Recorder<T> {
    /// Begins a recorder of that bus. It does not keep the bus open, and takes one of its slots for subscriptions.
    ///
    /// ```
    /// # use chanbus::{Bus, Recorder};
    /// # let bus: Bus<u32> = Bus::new();
    /// let recorder = Recorder::builder(&bus).to(std::io::sink())?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn builder(bus: &Bus<T>) -> RecorderBuilder<T, Json> {
        RecorderBuilder::new(bus)
    }

    pub(super) fn new(
        sub: Subscription<T>,
        shared: Arc<Shared>,
        thread: JoinHandle<()>,
        linger: Duration,
    ) -> Self {
        Recorder {
            sub,
            shared,
            thread_id: thread.thread().id(),
            thread: Mutex::new(Some(thread)),
            linger,
        }
    }

    /// What it has done so far.
    ///
    /// ```
    /// # use chanbus::{Bus, Recorder};
    /// # let bus: Bus<u32> = Bus::new();
    /// let recorder = Recorder::builder(&bus).to(std::io::sink())?;
    /// assert!(recorder.stats().running);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> RecorderStats {
        let running = !self.shared.has_ended();
        let told = self.shared.told();
        let all = self.recorded();
        RecorderStats {
            written: all.written,
            waiting: if running { all.lost } else { 0 },
            lost: if running { 0 } else { all.lost },
            dropped: all.dropped,
            conflated: all.conflated,
            refused: all.refused,
            bytes: all.bytes,
            running,
            full: all.full,
            // Relaxed: a figure of this moment.
            failing: self.shared.failing.load(Ordering::Relaxed),
            last_error: told.error,
            last_refusal: told.refusal,
        }
    }

    /// Stops, for good.
    ///
    /// Draining, it takes nothing more from the bus, writes what is queued, and returns when the writer has been flushed and
    /// dropped. With [`Drain::Now`] it writes the lines that it has made, and no more. Called again, it says the same
    /// again. Called on the recorder's own thread, by the codec or the writer, it does not wait.
    ///
    /// # Errors
    ///
    /// The writer failed, and something is lost; or the deadline has passed. The recorder has stopped then, too. A
    /// writer that is in the middle of a write is left alone with it.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use chanbus::{Bus, Drain, Recorder};
    /// # let bus = Bus::new();
    /// let recorder = Recorder::builder(&bus).to(std::io::sink())?;
    /// bus.emit("a", 1)?;
    /// assert_eq!(recorder.stop(Drain::Within(Duration::from_secs(5)))?.written, 1);
    /// bus.emit("a", 2)?;
    /// assert_eq!(recorder.stop(Drain::Now)?.written, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn stop(&self, drain: Drain) -> Result<Recorded, RecordIncomplete> {
        self.shared.order(match drain {
            Drain::All | Drain::Within(_) => Order::Drain,
            Drain::Now => Order::Now,
        });
        // The end of the queue wakes the thread.
        self.sub.close();
        if self.is_inside() {
            return Ok(Recorded {
                pending: true,
                ..self.recorded()
            });
        }
        let in_time = match drain {
            Drain::All => self.shared.wait_ended(None),
            Drain::Within(time) => self.shared.wait_ended(Some(time)),
            Drain::Now => self.shared.wait_ended(Some(GRACE)),
        };
        if in_time {
            return self.outcome();
        }
        self.shared.order(Order::Now);
        // So that what is reported is the end of it.
        if self.shared.wait_ended(Some(GRACE)) {
            self.join();
        } else {
            // The thread is inside the writer, or the codec. What is queued need not wait for that.
            while let Ok(event) = self.sub.try_recv() {
                drop_shielded(event);
            }
        }
        Err(RecordIncomplete::new(
            self.recorded(),
            self.shared.failure(),
        ))
    }

    /// Waits until it has ended by itself: with its bus, or when the recording is full.
    ///
    /// # Errors
    ///
    /// The writer failed, and something is lost.
    ///
    /// ```
    /// # use chanbus::{Bus, Recorder};
    /// let bus = Bus::new();
    /// let recorder = Recorder::builder(&bus).to(std::io::sink())?;
    /// bus.emit("a", 1)?;
    /// drop(bus);
    /// assert_eq!(recorder.wait()?.written, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn wait(&self) -> Result<Recorded, RecordIncomplete> {
        if self.is_inside() {
            return Ok(Recorded {
                pending: true,
                ..self.recorded()
            });
        }
        self.shared.wait_ended(None);
        self.outcome()
    }

    fn is_inside(&self) -> bool {
        thread::current().id() == self.thread_id
    }

    fn outcome(&self) -> Result<Recorded, RecordIncomplete> {
        self.join();
        let recorded = self.recorded();
        match self.shared.failure() {
            None => Ok(recorded),
            Some(error) => Err(RecordIncomplete::new(recorded, Some(error))),
        }
    }

    /// The thread has done its work.
    fn join(&self) {
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            // It catches what panics; whatever is left is not the caller's.
            let _ = thread.join();
        }
    }

    fn recorded(&self) -> Recorded {
        let shared = &self.shared;
        // What was written is read before what was taken, as each event is taken first. Relaxed: figures. Where that lets
        // the two be seen the other way round, fewer are counted as lost or waiting, for a moment, and never less than
        // none; once the thread has ended, all are exact by the lock (see `Shared`).
        let written = shared.written.load(Ordering::Relaxed);
        let refused = shared.refused.load(Ordering::Relaxed);
        Recorded {
            written,
            lost: self.sub.received().saturating_sub(written + refused),
            dropped: self.sub.dropped(),
            conflated: self.sub.conflated(),
            refused,
            bytes: shared.bytes.load(Ordering::Relaxed),
            full: shared.full.load(Ordering::Relaxed),
            pending: false,
        }
    }
}

/// Stops: what is queued is written, for five seconds at most unless told otherwise ([`RecorderBuilder::linger`]).
impl<T: Send + Sync + 'static> Drop for Recorder<T> {
    fn drop(&mut self) {
        // What it was too late for is in the counts.
        let _ = self.stop(Drain::Within(self.linger));
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Recorder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("sub", &self.sub)
            .field("recorded", &self.recorded())
            .finish_non_exhaustive()
    }
}
