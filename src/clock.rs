//! Where timestamps come from.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::sync::{Arc, AtomicU64, Ordering};

/// Where a bus takes the timestamps of its events from.
///
/// | Clock | Reads | Lags by | Goes back when |
/// |---|---|---|---|
/// | [`Clock::coarse`] (default) | the time of the kernel's last tick on Linux and Android; elsewhere as `exact` | up to one tick (1 to 10 ms, by the kernel's build) | the system's time is set back |
/// | [`Clock::exact`] | [`SystemTime::now`] | nothing | the system's time is set back |
/// | [`Clock::manual`] | what a [`ManualClock`] was set to | as you say | you set it back |
///
/// A timestamp is for people and logs: events of one topic may carry equal ones, and their order
/// in a subscription, not their timestamps, is the order in which they were emitted.
///
/// ```
/// use chanbus::{Bus, Clock};
///
/// let bus: Bus<u32> = Bus::builder().clock(Clock::exact()).build()?;
/// # Ok::<(), chanbus::BuildError>(())
/// ```
#[derive(Clone, Default)]
pub struct Clock(Kind);

#[derive(Clone, Default)]
enum Kind {
    #[default]
    Coarse,
    Exact,
    Manual(ManualClock),
}

impl Clock {
    /// The cheap clock, and the default: it may lag by one tick of the kernel.
    ///
    /// ```
    /// # use chanbus::Clock;
    /// let clock = Clock::coarse();
    /// ```
    #[must_use]
    pub fn coarse() -> Self {
        Clock(Kind::Coarse)
    }

    /// The system's clock at its full resolution.
    ///
    /// ```
    /// # use chanbus::Clock;
    /// let clock = Clock::exact();
    /// ```
    #[must_use]
    pub fn exact() -> Self {
        Clock(Kind::Exact)
    }

    /// A clock that stands still until it is moved, for tests and replays.
    ///
    /// ```
    /// use std::time::Duration;
    /// use chanbus::{Bus, Clock, ManualClock};
    ///
    /// let time = ManualClock::new();
    /// let bus = Bus::builder().clock(Clock::manual(&time)).build()?;
    /// let sub = bus.subscribe("tick")?;
    /// time.advance(Duration::from_millis(1_500));
    /// bus.emit("tick", ())?;
    /// assert_eq!(sub.recv()?.unix_seconds(), 1.5);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn manual(clock: &ManualClock) -> Self {
        Clock(Kind::Manual(clock.clone()))
    }

    /// Nanoseconds since the Unix epoch: eight bytes in every event, good until the year 2554.
    #[inline]
    pub(crate) fn now_nanos(&self) -> u64 {
        match &self.0 {
            Kind::Coarse => coarse_nanos(),
            Kind::Exact => to_nanos(SystemTime::now()),
            Kind::Manual(clock) => clock.0.load(Ordering::Relaxed),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Kind::Coarse => "Clock::coarse",
            Kind::Exact => "Clock::exact",
            Kind::Manual(_) => "Clock::manual",
        })
    }
}

/// The hand of a [`Clock::manual`]; clones share it. It starts at the Unix epoch.
///
/// ```
/// use std::time::{Duration, UNIX_EPOCH};
/// use chanbus::ManualClock;
///
/// let time = ManualClock::new();
/// time.advance(Duration::from_secs(5));
/// assert_eq!(time.now(), UNIX_EPOCH + Duration::from_secs(5));
/// ```
#[derive(Clone, Default)]
pub struct ManualClock(
    // Relaxed throughout: the clock orders nothing but itself.
    Arc<AtomicU64>,
);

impl ManualClock {
    /// A clock that stands at the Unix epoch.
    ///
    /// ```
    /// assert_eq!(chanbus::ManualClock::new().now(), std::time::UNIX_EPOCH);
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What it shows.
    ///
    /// ```
    /// assert_eq!(chanbus::ManualClock::new().now(), std::time::UNIX_EPOCH);
    /// ```
    #[must_use]
    pub fn now(&self) -> SystemTime {
        from_nanos(self.0.load(Ordering::Relaxed))
    }

    /// Sets it, also back. Times before the epoch count as the epoch.
    ///
    /// ```
    /// # use std::time::{Duration, UNIX_EPOCH};
    /// let time = chanbus::ManualClock::new();
    /// time.set(UNIX_EPOCH + Duration::from_secs(9));
    /// assert_eq!(time.now(), UNIX_EPOCH + Duration::from_secs(9));
    /// ```
    pub fn set(&self, time: SystemTime) {
        self.0.store(to_nanos(time), Ordering::Relaxed);
    }

    /// Moves it on; it stops, in the year 2554, at the last time that it can show.
    ///
    /// ```
    /// # use std::time::{Duration, UNIX_EPOCH};
    /// let time = chanbus::ManualClock::new();
    /// time.advance(Duration::from_secs(1));
    /// time.advance(Duration::from_secs(1));
    /// assert_eq!(time.now(), UNIX_EPOCH + Duration::from_secs(2));
    /// ```
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        let moved = |now: u64| Some(now.saturating_add(by));
        // Never fails, as it never says `None`.
        let _ = self
            .0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, moved);
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock").field(&self.now()).finish()
    }
}

pub(crate) fn to_nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

pub(crate) fn from_nanos(nanos: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(nanos)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
fn coarse_nanos() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::RealtimeCoarse);
    // A clock before 1970 reads as 1970.
    let seconds = time.tv_sec.max(0) as u64;
    // Past 2554 it begins anew.
    seconds.wrapping_mul(1_000_000_000) + time.tv_nsec as u64
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
#[inline]
fn coarse_nanos() -> u64 {
    to_nanos(SystemTime::now())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_stops_at_its_end_rather_than_begin_anew() {
        let time = ManualClock::new();
        time.advance(Duration::MAX);
        let last = time.now();
        time.advance(Duration::from_secs(1));
        assert_eq!(time.now(), last);
    }
}
