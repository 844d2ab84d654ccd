//! When the next event is due, and who stops the wait for it.
//!
//! # Protocol
//!
//! One thread plays, any may stop it. A stop is a flag that stays on until a play has ended by it: so one that comes
//! before the play, or between two, ends the next. Who is to sleep looks at the flag under the lock under which it is
//! set, and sleeps by giving that lock up: so either he sees the stop, or it finds him asleep and wakes him.

use std::fmt;
use std::time::{Duration, Instant};

use crate::sync::{Arc, AtomicBool, Condvar, Mutex, Ordering};

/// How fast a [`Player`](crate::Player) plays.
///
/// ```
/// use chanbus::{Bus, Fields, Player, Speed};
///
/// let bus: Bus<Fields> = Bus::new();
/// Player::new(&b""[..]).speed(Speed::Times(60.0)).play(&bus)?;
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Speed {
    /// With the pauses that there were.
    #[default]
    Real,
    /// So many times faster; slower, by a factor below 1. It wants to be more than zero, and finite.
    Times(f64),
    /// Without pauses.
    Fast,
}

impl Speed {
    /// What is no speed.
    pub(super) fn check(self) -> Result<(), f64> {
        match self {
            Speed::Times(factor) if !(factor > 0.0 && factor.is_finite()) => Err(factor),
            _ => Ok(()),
        }
    }

    /// A pause of the recording, as it is played.
    fn played(self, pause: Duration) -> Duration {
        match self {
            Speed::Real => pause,
            // What is longer than any duration is as good as for ever.
            Speed::Times(factor) => {
                Duration::try_from_secs_f64(pause.as_secs_f64() / factor).unwrap_or(Duration::MAX)
            }
            Speed::Fast => Duration::ZERO,
        }
    }
}

/// What waits in the place of the clock.
pub(super) type Wait = Box<dyn FnMut(Duration) + Send>;

/// The pauses of one play.
pub(super) struct Pace {
    speed: Speed,
    longest: Duration,
    /// When the first event was due, and how much later the last was.
    began: Option<Instant>,
    passed: Duration,
    /// The time of the last event, in nanoseconds.
    last: Option<u64>,
}

impl Pace {
    pub(super) fn new(speed: Speed, longest: Duration) -> Self {
        Pace {
            speed,
            longest,
            began: None,
            passed: Duration::ZERO,
            last: None,
        }
    }

    /// How long after the last event one of that time comes. The first is due at once, and so is one that is older than
    /// the last: the times of several threads, or of a clock that was set.
    pub(super) fn pause(&mut self, nanos: u64) -> Duration {
        let last = self.last.replace(nanos).unwrap_or(nanos);
        let pause = Duration::from_nanos(nanos.saturating_sub(last));
        self.speed.played(pause).min(self.longest)
    }

    /// Waits for so long, by what is given or by the clock; whether it was stopped. By the clock pauses count
    /// from the first event, so that what emits take does not add up.
    pub(super) fn wait(&mut self, pause: Duration, by: Option<&mut Wait>, brake: &Brake) -> bool {
        if self.speed == Speed::Fast {
            return brake.is_on();
        }
        if let Some(wait) = by {
            if !pause.is_zero() {
                wait(pause);
            }
            return brake.is_on();
        }
        self.passed = self.passed.saturating_add(pause);
        let began = *self.began.get_or_insert_with(Instant::now);
        brake.wait(began.checked_add(self.passed))
    }
}

/// Stops a play from elsewhere.
#[derive(Default)]
pub(super) struct Brake {
    on: AtomicBool,
    /// Held where the flag is set, and where somebody looks at it before he sleeps: no stop falls between.
    asleep: Mutex<()>,
    told: Condvar,
}

impl Brake {
    fn pull(&self) {
        let asleep = self.asleep.lock();
        // Relaxed: a sleeper sees it by the lock, and to others it says nothing but itself.
        self.on.store(true, Ordering::Relaxed);
        drop(asleep);
        self.told.notify_all();
    }

    pub(super) fn is_on(&self) -> bool {
        // Relaxed: who looks before he sleeps has the lock, and sees it by that; a look in between that is too early is
        // made again at the next event.
        self.on.load(Ordering::Relaxed)
    }

    /// Whether it was on; it is not any more.
    pub(super) fn release(&self) -> bool {
        // Relaxed: only the flag itself is decided, and by one step, so that a stop is either seen here or left for later.
        self.on.swap(false, Ordering::Relaxed)
    }

    /// Sleeps until then, or for ever; whether it was stopped.
    fn wait(&self, until: Option<Instant>) -> bool {
        let mut asleep = self.asleep.lock();
        while !self.is_on() {
            match until {
                None => self.told.wait(&mut asleep),
                Some(until) if Instant::now() >= until => return false,
                Some(until) => {
                    self.told.wait_until(&mut asleep, until);
                }
            }
        }
        true
    }
}

/// Stops a play, from another thread or from a tap of the bus; made by [`Player::stopper`](crate::Player::stopper).
///
/// ```
/// use chanbus::{Bus, Fields, PlayStopper, Player};
///
/// let recording = "\
/// {\"chanbus\":\"recording\",\"version\":1}
/// {\"time\":0,\"topic\":\"a\",\"json\":{}}
/// {\"time\":3600000000000,\"topic\":\"b\",\"json\":{}}
/// ";
/// let bus: Bus<Fields> = Bus::new();
/// let sub = bus.subscribe_all()?;
/// let mut player = Player::new(recording.as_bytes());
/// let stopper: PlayStopper = player.stopper();
/// let playing = std::thread::spawn(move || player.play(&bus));
/// sub.recv()?;
/// stopper.stop();   // in the hour between the two events
/// let played = playing.join().unwrap()?;
/// assert!(played.stopped && played.emitted == 1);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Clone)]
pub struct PlayStopper(pub(super) Arc<Brake>);

impl PlayStopper {
    /// Stops the play at hand, or the next one if there is none: before the next event. A read that waits for a pipe, and
    /// an emit that waits for room, come to their end first.
    ///
    /// ```
    /// # use chanbus::{Bus, Fields, Player};
    /// # let bus: Bus<Fields> = Bus::new();
    /// let mut player = Player::new(&b""[..]);
    /// player.stopper().stop();
    /// assert!(player.play(&bus)?.stopped);
    /// assert!(!player.play(&bus)?.stopped, "it goes on");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn stop(&self) {
        self.0.pull();
    }
}

impl fmt::Debug for PlayStopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PlayStopper").field(&self.0.is_on()).finish()
    }
}
