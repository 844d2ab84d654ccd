//! Time that stands still.
//!
//! # Protocol
//!
//! Waits and the hand are under one lock: who begins to wait looks at the hand under it, and who moves the hand takes those
//! that are due out under it. So none is missed. Wakers are cloned, called and dropped outside of it.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant, SystemTime};

use crate::clock::{Clock, ManualClock};
use crate::shield::{caught, discard, drop_shielded};
use crate::sync::{Arc, Condvar, Mutex};

/// Time that stands still until a test moves it, for all that can wait for it.
///
/// | It drives | By |
/// |---|---|
/// | timestamps of a bus, an emitter, a player | [`clock`](TestTime::clock), for [`BusBuilder::clock`](crate::BusBuilder::clock), [`Emitter::clock`](crate::Emitter::clock), `Player::stamp` |
/// | keepalives of a stream | [`idle`](TestTime::idle), for `GapStream::keepalive` |
/// | the pauses of a `Player` | [`skipping`](TestTime::skipping) or [`waiting`](TestTime::waiting), for `Player::wait_by` |
/// | timers of async handlers, and of [`Expect::before`](crate::Expect::before) | [`sleep`](TestTime::sleep) |
/// | threads of your own | [`wait`](TestTime::wait) |
///
/// What takes a `Duration` by itself waits by the system's clock, whatever this one shows:
/// [`recv_timeout`](crate::Subscription::recv_timeout), [`wait_for`](crate::Bus::wait_for),
/// [`heartbeats`](crate::Subscription::heartbeats) of threads (and `EventStream::heartbeats`, which is tokio's),
/// [`emit_within`](crate::Bus::emit_within), [`Drain::Within`](crate::Drain::Within), and [`Expect::within`](crate::Expect::within). So are
/// measured the times of handlers ([`Times`](crate::Times)), the ages and rates of a [`Topology`](crate::Topology), and all of the
/// bridge.
///
/// Clones share the time. Move it when those who are to wait do: [`wait_for_sleepers`](TestTime::wait_for_sleepers) knows.
///
/// ```
/// use std::time::Duration;
/// use chanbus::{Bus, TestTime};
/// use futures_lite::future::{block_on, poll_once};
///
/// let time = TestTime::new();
/// let bus = Bus::builder().clock(time.clock()).build()?;
/// let sub = bus.subscribe("tick")?;
///
/// let mut minute = time.sleep(Duration::from_secs(60));
/// assert!(block_on(poll_once(&mut minute)).is_none());
/// time.advance(Duration::from_secs(60));
/// assert!(block_on(poll_once(&mut minute)).is_some());
///
/// bus.emit("tick", ())?;
/// assert_eq!(sub.recv()?.unix_seconds(), 60.0);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Clone)]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub struct TestTime(Arc<Shared>);

struct Shared {
    hand: ManualClock,
    state: Mutex<State>,
    /// Somebody waits more or less, or the hand was moved.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    sleepers: Vec<Sleeper>,
    next: u64,
}

struct Sleeper {
    number: u64,
    due: SystemTime,
    /// A thread has none: it sleeps until something changes, and looks at the hand.
    waker: Option<Waker>,
}

impl TestTime {
    /// Time that stands at the Unix epoch.
    ///
    /// ```
    /// assert_eq!(chanbus::TestTime::new().now(), std::time::UNIX_EPOCH);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::of(&ManualClock::new())
    }

    /// Time that is shown by that clock, for programs that take one. Move it by this, then: moved by itself the clock
    /// wakes nobody before the next [`advance`](TestTime::advance).
    ///
    /// ```
    /// use std::time::Duration;
    /// # use chanbus::{ManualClock, TestTime};
    /// let clock = ManualClock::new();
    /// let time = TestTime::of(&clock);
    /// time.advance(Duration::from_secs(1));
    /// assert_eq!(clock.now(), time.now());
    /// ```
    #[must_use]
    pub fn of(clock: &ManualClock) -> Self {
        TestTime(Arc::new(Shared {
            hand: clock.clone(),
            state: Mutex::default(),
            changed: Condvar::new(),
        }))
    }

    /// For timestamps.
    ///
    /// ```
    /// # use chanbus::{Bus, TestTime};
    /// let time = TestTime::new();
    /// let bus: Bus<u32> = Bus::builder().clock(time.clock()).build()?;
    /// # Ok::<(), chanbus::BuildError>(())
    /// ```
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock::manual(&self.0.hand)
    }

    /// What it shows.
    ///
    /// ```
    /// # use chanbus::TestTime;
    /// assert_eq!(TestTime::new().now(), std::time::UNIX_EPOCH);
    /// ```
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.0.hand.now()
    }

    /// Moves it on, and wakes those whose time has come, the earliest first. They run when their threads and executors do,
    /// and find the time that it shows then.
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    /// # use chanbus::TestTime;
    /// let time = TestTime::new();
    /// time.advance(Duration::from_secs(2));
    /// assert_eq!(time.now(), UNIX_EPOCH + Duration::from_secs(2));
    /// ```
    pub fn advance(&self, by: Duration) {
        let state = self.0.state.lock();
        self.0.hand.advance(by);
        self.0.wake_due(state);
    }

    /// Moves it on to the moment at which the next of those who wait is due; `false` if nobody waits.
    ///
    /// ```
    /// use std::time::{Duration, UNIX_EPOCH};
    /// # use chanbus::TestTime;
    /// # use futures_lite::future::{block_on, poll_once};
    /// let time = TestTime::new();
    /// let mut sleep = time.sleep(Duration::from_secs(7));
    /// block_on(poll_once(&mut sleep));
    /// assert!(time.advance_to_next());
    /// assert_eq!(time.now(), UNIX_EPOCH + Duration::from_secs(7));
    /// assert!(!time.advance_to_next());
    /// ```
    pub fn advance_to_next(&self) -> bool {
        let state = self.0.state.lock();
        let Some(due) = state.sleepers.iter().map(|it| it.due).min() else {
            return false;
        };
        if due > self.now() {
            self.0.hand.set(due);
        }
        self.0.wake_due(state);
        true
    }

    /// A wait that begins now.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use chanbus::TestTime;
    /// # use futures_lite::future::block_on;
    /// let time = TestTime::new();
    /// let sleep = time.sleep(Duration::from_secs(1));
    /// time.advance(Duration::from_secs(1));
    /// block_on(sleep);
    /// ```
    pub fn sleep(&self, time: Duration) -> TestSleep {
        TestSleep {
            time: self.clone(),
            due: self.due(time),
            number: None,
        }
    }

    /// Begins such waits: a timer for `GapStream::keepalive` (feature `stream`).
    ///
    /// ```
    /// # #[cfg(feature = "stream")] {
    /// use std::time::Duration;
    /// use chanbus::{Beat, Bus, TestTime};
    /// use futures_lite::future::{block_on, poll_once};
    ///
    /// let (bus, time) = (Bus::<u32>::new(), TestTime::new());
    /// let stream = bus.subscribe("a").unwrap().into_stream();
    /// let mut beats = stream.with_gaps().keepalive(time.idle(Duration::from_secs(5)));
    /// assert!(block_on(poll_once(beats.next())).is_none());
    /// time.advance(Duration::from_secs(5));
    /// assert!(matches!(block_on(poll_once(beats.next())), Some(Some(Beat::Keepalive))));
    /// # }
    /// ```
    pub fn idle(
        &self,
        time: Duration,
    ) -> impl FnMut() -> TestSleep + Clone + Send + Sync + 'static {
        let clock = self.clone();
        move || clock.sleep(time)
    }

    /// Holds this thread up until the time has passed, which another one is to move.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use chanbus::TestTime;
    /// let time = TestTime::new();
    /// let clock = time.clone();
    /// let thread = std::thread::spawn(move || clock.wait(Duration::from_secs(3600)));
    /// assert!(time.wait_for_sleepers(1, Duration::from_secs(10)));
    /// time.advance(Duration::from_secs(3600));
    /// thread.join().unwrap();
    /// ```
    pub fn wait(&self, time: Duration) {
        let due = self.due(time);
        let mut state = self.0.state.lock();
        if self.now() >= due {
            return;
        }
        let number = state.add(due, None);
        self.0.changed.notify_all();
        // Who moved the hand far enough has taken it out, and that stands, wherever the clock was set since. The hand is
        // looked at for a clock that was moved by itself.
        while state.has(number) && self.now() < due {
            self.0.changed.wait(&mut state);
        }
        state.remove(number);
    }

    /// For `Player::wait_by`: [waits](TestTime::wait) for each pause, until a test moves the time.
    ///
    /// ```
    /// # #[cfg(feature = "json")] {
    /// use std::time::Duration;
    /// use chanbus::{Bus, Fields, Player, TestTime};
    ///
    /// let recording = "\
    /// {\"time\":0,\"topic\":\"a\",\"json\":{}}
    /// {\"time\":60000000000,\"topic\":\"b\",\"json\":{}}
    /// ";
    /// let (bus, time) = (Bus::<Fields>::new(), TestTime::new());
    /// let sub = bus.subscribe("**").unwrap();
    /// let mut player = Player::new(recording.as_bytes()).wait_by(time.waiting());
    /// let playing = std::thread::spawn(move || player.play(&bus).unwrap());
    /// assert!(time.wait_for_sleepers(1, Duration::from_secs(10)));
    /// assert_eq!(sub.len(), 1);
    /// time.advance(Duration::from_secs(60));
    /// playing.join().unwrap();
    /// assert_eq!(sub.len(), 2);
    /// # }
    /// ```
    pub fn waiting(&self) -> impl FnMut(Duration) + Clone + Send + Sync + 'static {
        let clock = self.clone();
        move |pause| clock.wait(pause)
    }

    /// For `Player::wait_by`: [moves the time on](TestTime::advance) by each pause, and waits for nobody.
    ///
    /// ```
    /// # #[cfg(feature = "json")] {
    /// use std::time::{Duration, UNIX_EPOCH};
    /// use chanbus::{Bus, Fields, Player, TestTime};
    ///
    /// let recording = "\
    /// {\"time\":0,\"topic\":\"a\",\"json\":{}}
    /// {\"time\":60000000000,\"topic\":\"b\",\"json\":{}}
    /// ";
    /// let (bus, time) = (Bus::<Fields>::new(), TestTime::new());
    /// Player::new(recording.as_bytes()).wait_by(time.skipping()).play(&bus).unwrap();
    /// assert_eq!(time.now(), UNIX_EPOCH + Duration::from_secs(60));
    /// # }
    /// ```
    pub fn skipping(&self) -> impl FnMut(Duration) + Clone + Send + Sync + 'static {
        let clock = self.clone();
        move |pause| clock.advance(pause)
    }

    /// How many waits are under way: threads, and futures that were polled and not dropped.
    ///
    /// ```
    /// # use chanbus::TestTime;
    /// assert_eq!(TestTime::new().sleepers(), 0);
    /// ```
    #[must_use]
    pub fn sleepers(&self) -> usize {
        self.0.state.lock().sleepers.len()
    }

    /// Waits, by the system's clock, until so many wait for this one, so that to move it is heard; `false` if they do not
    /// within that time.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use chanbus::TestTime;
    /// assert!(!TestTime::new().wait_for_sleepers(1, Duration::from_millis(1)));
    /// ```
    #[must_use]
    pub fn wait_for_sleepers(&self, sleepers: usize, within: Duration) -> bool {
        let deadline = Instant::now().checked_add(within);
        let mut state = self.0.state.lock();
        while state.sleepers.len() < sleepers {
            match deadline {
                None => self.0.changed.wait(&mut state),
                Some(deadline) if Instant::now() >= deadline => return false,
                Some(deadline) => {
                    self.0.changed.wait_until(&mut state, deadline);
                }
            }
        }
        true
    }

    /// When so much has passed; the last moment that the clock can show, if it cannot show that one.
    fn due(&self, time: Duration) -> SystemTime {
        let last = ManualClock::new();
        last.set(self.now());
        last.advance(time);
        last.now()
    }
}

impl Default for TestTime {
    fn default() -> Self {
        Self::new()
    }
}

impl Shared {
    /// Wakes those whose time has come.
    fn wake_due(&self, mut state: crate::sync::MutexGuard<'_, State>) {
        let now = self.hand.now();
        let mut due: Vec<Sleeper> = Vec::new();
        let mut place = 0;
        while let Some(sleeper) = state.sleepers.get(place) {
            // A thread too, which has not woken up yet: who waits for the next sleeper is not to take it for one.
            if sleeper.due <= now {
                due.push(state.sleepers.remove(place));
            } else {
                place += 1;
            }
        }
        drop(state);
        self.changed.notify_all();
        due.sort_by_key(|sleeper| (sleeper.due, sleeper.number));
        for waker in due.into_iter().filter_map(|sleeper| sleeper.waker) {
            if let Err(thrown) = caught(|| waker.wake()) {
                discard(thrown);
            }
        }
    }
}

impl State {
    fn add(&mut self, due: SystemTime, waker: Option<Waker>) -> u64 {
        let number = self.next;
        self.next += 1;
        self.sleepers.push(Sleeper { number, due, waker });
        number
    }

    fn has(&self, number: u64) -> bool {
        self.sleepers.iter().any(|it| it.number == number)
    }

    fn remove(&mut self, number: u64) -> Option<Sleeper> {
        let place = self.sleepers.iter().position(|it| it.number == number)?;
        Some(self.sleepers.remove(place))
    }
}

/// A wait for a [`TestTime`]; made by [`TestTime::sleep`]. It has begun when it was made, and may be dropped at any point.
///
/// ```
/// use std::time::Duration;
/// # use chanbus::{TestSleep, TestTime};
/// # use futures_lite::future::block_on;
/// let time = TestTime::new();
/// let none: TestSleep = time.sleep(Duration::ZERO);
/// block_on(none);
/// ```
#[must_use = "futures do nothing unless awaited"]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub struct TestSleep {
    time: TestTime,
    due: SystemTime,
    /// Its place among the sleepers, if it has one.
    number: Option<u64>,
}

impl Future for TestSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let shared = Arc::clone(&self.time.0);
        let mut state = shared.state.lock();
        let before = self.number.take().and_then(|number| state.remove(number));
        let due = self.due <= shared.hand.now();
        let mut left = None;
        if due {
            left = Some(waker);
        } else {
            self.number = Some(state.add(self.due, Some(waker)));
        }
        drop(state);
        shared.changed.notify_all();
        // Destructors of wakers are the user's.
        drop_shielded((left, before));
        match due {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

impl Drop for TestSleep {
    fn drop(&mut self) {
        if let Some(number) = self.number.take() {
            let gone = self.time.0.state.lock().remove(number);
            drop_shielded(gone);
        }
    }
}

impl fmt::Debug for TestTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestTime")
            .field("now", &self.now())
            .field("sleepers", &self.sleepers())
            .finish()
    }
}

impl fmt::Debug for TestSleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestSleep")
            .field("due", &self.due)
            .finish_non_exhaustive()
    }
}
