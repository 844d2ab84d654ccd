//! A player: what is asked of it.

use std::fmt;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::lines::Lines;
use super::pace::{Brake, PlayStopper, Speed, Wait};
use super::{DEFAULT_MAX_LINE, Played};
use crate::clock::Clock;
use crate::codec::Json;
use crate::error::PatternsError;
use crate::pattern::{IntoPatterns, Pattern, Syntax};
use crate::sync::Arc;

/// Emits what a [`Recorder`](crate::Recorder) wrote down again, on any bus.
///
/// It reads from whatever is [`BufRead`], one line at a time, so a recording may be larger than memory, a pipe, or still be
/// written. It has no thread: [`play`](Player::play) returns when all was played, and [`step`](Player::step) after each
/// event.
///
/// ```
/// use chanbus::{Bus, Fields, Player, Speed};
///
/// let recording = "\
/// {\"chanbus\":\"recording\",\"version\":1}
/// {\"time\":1700000000000000000,\"topic\":\"scan.started\",\"json\":{\"root\":\"/home\"}}
/// {\"time\":1700000060000000000,\"topic\":\"scan.finished\",\"json\":{\"files\":42}}
/// {\"end\":\"done\",\"written\":2,\"missed\":0}
/// ";
/// let bus: Bus<Fields> = Bus::new();
/// let sub = bus.subscribe("scan.*")?;
/// let played = Player::new(recording.as_bytes()).speed(Speed::Times(6_000.0)).play(&bus)?;
/// assert_eq!((played.emitted, played.damaged), (2, 0));
/// assert_eq!(sub.iter().nth(1).unwrap().payload()["files"], 42);
/// # Ok::<(), chanbus::Error>(())
/// ```
///
/// | Setting | Default |
/// |---|---|
/// | [`codec`](Player::codec) | [`Json`] |
/// | [`speed`](Player::speed) | [`Speed::Real`] |
/// | [`longest_pause`](Player::longest_pause) | none: as long as it was |
/// | [`wait_by`](Player::wait_by) | the system's monotone clock |
/// | [`stamp`](Player::stamp) | events keep the time at which they were recorded |
/// | [`wait_for_room`](Player::wait_for_room) | no: a full queue drops |
/// | [`patterns`](Player::patterns), [`from_line`](Player::from_line), [`from_time`](Player::from_time) | everything |
/// | [`max_line`](Player::max_line) | [`DEFAULT_MAX_LINE`], 1 MiB |
///
/// # What comes back
///
/// Topic, payload, time to the nanosecond, source, metadata with their types, and cause, in the order of the recording, on the thread that
/// plays. An event that was recorded without a cause gets that of this thread, if it has [one](crate::Cause::scope).
/// A recording may be played any number of times, on several buses, and on the bus where it was recorded.
///
/// # Damaged lines
///
/// A line that is cut, no UTF-8, no JSON, of the wrong shape, or has no topic or no payload is left out, counted, and reported with its
/// number ([`Played::damage`]); all others are played. So a recording whose recorder was killed plays up to there.
///
/// # Memory
///
/// One line, of [`max_line`](Player::max_line) at most, and what is made of it. What a payload takes is the codec's
/// matter: JSON may take many times the memory of its text.
pub struct Player<R, C = Json> {
    pub(super) lines: Lines<R>,
    pub(super) codec: C,
    pub(super) speed: Speed,
    pub(super) longest: Duration,
    pub(super) wait: Option<Wait>,
    pub(super) stamp: Option<Clock>,
    pub(super) patience: Option<Duration>,
    pub(super) patterns: Vec<Pattern>,
    pub(super) bad_patterns: Option<PatternsError>,
    pub(super) from_line: u64,
    /// Until the first event of that time.
    pub(super) from_time: Option<SystemTime>,
    pub(super) brake: Arc<Brake>,
    /// Whether the line with which a recording begins was looked for.
    pub(super) begun: bool,
    pub(super) played: Played,
}

impl Player<BufReader<File>> {
    /// A player of a file.
    ///
    /// # Errors
    ///
    /// The file cannot be opened.
    ///
    /// ```
    /// # use chanbus::Player;
    /// let error = Player::open("/no/such/file").unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    /// ```
    pub fn open(path: impl AsRef<Path>) -> std::io::Result<Self> {
        Ok(Player::new(BufReader::with_capacity(
            64 << 10,
            File::open(path)?,
        )))
    }
}

impl<R: BufRead> Player<R> {
    /// A player of whatever can be read by lines.
    ///
    /// ```
    /// # use chanbus::{Bus, Fields, Player};
    /// let bus: Bus<Fields> = Bus::new();
    /// assert_eq!(Player::new(&b""[..]).play(&bus)?.lines, 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn new(reader: R) -> Self {
        Player {
            lines: Lines::new(reader, DEFAULT_MAX_LINE),
            codec: Json,
            speed: Speed::default(),
            longest: Duration::MAX,
            wait: None,
            stamp: None,
            patience: None,
            patterns: Vec::new(),
            bad_patterns: None,
            from_line: 0,
            from_time: None,
            brake: Arc::default(),
            begun: false,
            played: Played::default(),
        }
    }
}

impl<R: BufRead, C> Player<R, C> {
    /// How bytes become payloads: by what they were recorded with.
    ///
    /// ```
    /// use chanbus::{BoxError, Bus, Codec, Event, Player, Topic};
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
    /// let recording = b"{\"time\":0,\"topic\":\"log\",\"text\":\"all is well\"}\n";
    /// let mut player = Player::new(&recording[..]).codec(Plain);
    /// assert_eq!(player.read::<String>()?.unwrap().payload(), "all is well");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn codec<D>(self, codec: D) -> Player<R, D> {
        Player {
            lines: self.lines,
            codec,
            speed: self.speed,
            longest: self.longest,
            wait: self.wait,
            stamp: self.stamp,
            patience: self.patience,
            patterns: self.patterns,
            bad_patterns: self.bad_patterns,
            from_line: self.from_line,
            from_time: self.from_time,
            brake: self.brake,
            begun: self.begun,
            played: self.played,
        }
    }

    /// How fast [`play`](Player::play) is.
    ///
    /// ```
    /// # use chanbus::{Bus, Fields, Player, Speed};
    /// # let bus: Bus<Fields> = Bus::new();
    /// Player::new(&b""[..]).speed(Speed::Times(100.0)).play(&bus)?;
    /// let error = Player::new(&b""[..]).speed(Speed::Times(0.0)).play(&bus).unwrap_err();
    /// assert!(error.to_string().contains("0 is no speed"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn speed(mut self, speed: Speed) -> Self {
        self.speed = speed;
        self
    }

    /// How long a pause between two events is at most, as it is played: for recordings of nights, of machines that slept,
    /// and of several runs.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use chanbus::Player;
    /// let player = Player::new(&b""[..]).longest_pause(Duration::from_secs(1));
    /// ```
    #[must_use]
    pub fn longest_pause(mut self, pause: Duration) -> Self {
        self.longest = pause;
        self
    }

    /// Waits for the next event by this, not by the system's clock: it is called with each pause that is longer than
    /// nothing, as it is played, and returns when it is over. For tests, and for simulations with a time of their own.
    ///
    /// ```
    /// use std::time::Duration;
    /// use chanbus::{Bus, Clock, Fields, ManualClock, Player, Speed};
    ///
    /// let recording = "\
    /// {\"time\":1000000000,\"topic\":\"a\",\"json\":{}}
    /// {\"time\":3000000000,\"topic\":\"b\",\"json\":{}}
    /// ";
    /// let time = ManualClock::new();
    /// let bus = Bus::builder().clock(Clock::manual(&time)).build()?;
    /// let hand = time.clone();
    /// let mut player = Player::new(recording.as_bytes())
    ///     .speed(Speed::Times(2.0))
    ///     .wait_by(move |pause| hand.advance(pause));
    /// player.play::<Fields>(&bus)?;
    /// assert_eq!(time.now(), std::time::UNIX_EPOCH + Duration::from_secs(1));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn wait_by(mut self, wait: impl FnMut(Duration) + Send + 'static) -> Self {
        self.wait = Some(Box::new(wait));
        self
    }

    /// Stamps events by this clock as they are emitted, in the place of the time at which they were recorded.
    ///
    /// ```
    /// use chanbus::{Bus, Clock, Fields, Player};
    ///
    /// let bus: Bus<Fields> = Bus::new();
    /// let mut player = Player::new(&b"{\"time\":7,\"topic\":\"a\",\"json\":{}}\n"[..]).stamp(Clock::exact());
    /// assert!(player.step(&bus)?.unwrap().unix_seconds() > 1.0e9);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn stamp(mut self, clock: Clock) -> Self {
        self.stamp = Some(clock);
        self
    }

    /// Waits up to that time for room in the queues that have none, at each event, as
    /// [`emit_event_within`](crate::Bus::emit_event_within) does.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use chanbus::{Bus, Fields, Player, Speed};
    /// let recording = "{\"time\":1,\"topic\":\"a\",\"json\":{}}\n".repeat(1_000);
    /// let bus: Bus<Fields> = Bus::new();
    /// let slow = bus.subscription("a").capacity(1).subscribe()?;
    /// let reader = std::thread::spawn(move || slow.iter().count());
    /// let played = Player::new(recording.as_bytes()).wait_for_room(Duration::from_secs(60)).play(&bus)?;
    /// drop(bus);
    /// assert_eq!((reader.join().unwrap(), played.dropped), (1_000, 0));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn wait_for_room(mut self, timeout: Duration) -> Self {
        self.patience = Some(timeout);
        self
    }

    /// Plays only events whose topics match one of these patterns; texts are of [`Syntax::Segmented`]. Called again, it
    /// adds. Payloads of others are not decoded.
    ///
    /// ```
    /// # use chanbus::{Bus, Fields, Player};
    /// let recording = b"{\"time\":1,\"topic\":\"a\",\"json\":{}}\n{\"time\":2,\"topic\":\"b.c\",\"json\":{}}\n";
    /// let bus: Bus<Fields> = Bus::new();
    /// let played = Player::new(&recording[..]).patterns("b.*").play(&bus)?;
    /// assert_eq!((played.emitted, played.skipped), (1, 1));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn patterns(mut self, patterns: impl IntoPatterns) -> Self {
        match patterns.into_patterns(Syntax::Segmented) {
            Ok(patterns) => self.patterns.extend(patterns),
            Err(error) => self.bad_patterns = self.bad_patterns.or(Some(error)),
        }
        self
    }

    /// Begins with that line; the first has number 1. Lines before are counted as lines, and not looked at but for the
    /// first.
    ///
    /// ```
    /// # use chanbus::{Bus, Fields, Player};
    /// let recording = b"{\"time\":1,\"topic\":\"a\",\"json\":{}}\n{\"time\":2,\"topic\":\"b\",\"json\":{}}\n";
    /// let bus: Bus<Fields> = Bus::new();
    /// let event = Player::new(&recording[..]).from_line(2).step(&bus)?.unwrap();
    /// assert_eq!(event.topic(), "b");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn from_line(mut self, line: u64) -> Self {
        self.from_line = line;
        self
    }

    /// Begins with the first event that was recorded at that time or later; all after it are played, whatever their
    /// times.
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    /// # use chanbus::{Bus, Fields, Player};
    /// let recording = b"{\"time\":1,\"topic\":\"a\",\"json\":{}}\n{\"time\":2,\"topic\":\"b\",\"json\":{}}\n";
    /// let bus: Bus<Fields> = Bus::new();
    /// let start = UNIX_EPOCH + Duration::from_nanos(2);
    /// let event = Player::new(&recording[..]).from_time(start).step(&bus)?.unwrap();
    /// assert_eq!(event.topic(), "b");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn from_time(mut self, time: SystemTime) -> Self {
        self.from_time = Some(time);
        self
    }

    /// How long a line may be, in bytes. Longer ones are damaged lines, of which no more than that is ever in memory.
    ///
    /// ```
    /// # use chanbus::{Bus, DamageKind, Fields, Player};
    /// let recording = b"{\"time\":1,\"topic\":\"a\",\"json\":{}}\n{\"time\":2,\"topic\":\"b\",\"json\":{\"n\":1}}\n";
    /// let bus: Bus<Fields> = Bus::new();
    /// let played = Player::new(&recording[..]).max_line(35).play(&bus)?;
    /// assert_eq!(played.emitted, 1);
    /// assert_eq!(played.damage[1].kind, DamageKind::Long);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn max_line(mut self, bytes: usize) -> Self {
        self.lines.max = bytes;
        self
    }

    /// A handle that stops a play from elsewhere; any number of them may be about.
    ///
    /// ```
    /// # use chanbus::{Bus, Fields, Player};
    /// # let bus: Bus<Fields> = Bus::new();
    /// let mut player = Player::new(&b""[..]);
    /// let stopper = player.stopper();
    /// std::thread::spawn(move || stopper.stop());
    /// player.play(&bus)?;
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn stopper(&self) -> PlayStopper {
        PlayStopper(Arc::clone(&self.brake))
    }

    /// What it has done so far, also after an error.
    ///
    /// ```
    /// # use chanbus::Player;
    /// assert_eq!(Player::new(&b""[..]).played().emitted, 0);
    /// ```
    #[must_use]
    pub fn played(&self) -> &Played {
        &self.played
    }
}

impl<R, C> fmt::Debug for Player<R, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Player")
            .field("speed", &self.speed)
            .field("patterns", &self.patterns)
            .field("played", &self.played)
            .finish_non_exhaustive()
    }
}
