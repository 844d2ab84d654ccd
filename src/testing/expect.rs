//! What a test says of what it expects: one event, or several.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use super::ask::{Ask, Want};
use super::probe::Probe;
use super::unmet::Unmet;
use crate::error::PatternsError;
use crate::event::Event;

/// One event is expected; made by [`Probe::expect`]. It does nothing until it is told for how long.
///
/// ```
/// # use chanbus::{Bus, Probe};
/// # let bus = Bus::new();
/// # let probe = Probe::on(&bus)?;
/// bus.emit("order.placed", 7)?;
/// let event = probe.expect(["order.*", "offer.*"]).where_(|event| *event.payload() > 5).now();
/// assert_eq!(*event.payload(), 7);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "an expectation does nothing until it is told for how long: `within`, `now`, `before` or `none`"]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub struct Expect<'p, T: Send + Sync + 'static>(Ask<'p, T>);

/// Several events are expected; made by [`Expect::count`], [`Probe::expect_in_order`] and [`Probe::expect_each`]. It does
/// nothing until it is told for how long.
///
/// ```
/// # use chanbus::{Bus, Probe};
/// # let bus = Bus::new();
/// # let probe = Probe::on(&bus)?;
/// bus.publisher("row")?.emit_batch([1, 2, 3])?;
/// let rows = probe.expect("row").count(2).now();
/// assert_eq!(*rows[1].payload(), 2);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "an expectation does nothing until it is told for how long: `within`, `now` or `before`"]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub struct ExpectMany<'p, T: Send + Sync + 'static>(Ask<'p, T>);

impl<'p, T: Send + Sync + 'static> Expect<'p, T> {
    pub(super) fn new(probe: &'p Probe<T>, want: Result<Want, PatternsError>) -> Self {
        Expect(Ask::new(probe, want.map(|want| vec![want]), true, None))
    }

    /// Expects so many of them, and takes the first so many: more may come. Of none, nothing is expected, and it is met at
    /// once.
    ///
    /// ```
    /// # use chanbus::{Bus, Probe};
    /// # let bus = Bus::new();
    /// # let probe = Probe::on(&bus)?;
    /// bus.publisher("row")?.emit_batch(0..10)?;
    /// assert_eq!(probe.expect("row").count(9).now().len(), 9);
    /// assert!(probe.expect("row").count(2).try_now().is_err(), "there is one more");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn count(self, events: usize) -> ExpectMany<'p, T> {
        let wants = self.0.wants.map(|wants| match wants.first() {
            Some(want) => vec![want.clone(); events],
            None => Vec::new(),
        });
        ExpectMany(Ask::new(self.0.probe, wants, true, self.0.condition))
    }

    /// Only events for which that holds, in addition to what was asked before. It is called on the thread that waits, under
    /// no lock, once for an event or more often; a panic of it is one of the test.
    ///
    /// ```
    /// # use chanbus::{Bus, Probe};
    /// # let bus = Bus::new();
    /// # let probe = Probe::on(&bus)?;
    /// bus.publisher("row")?.emit_batch(0..10)?;
    /// let event = probe.expect("row").where_(|row| row.payload() % 7 == 6).now();
    /// assert_eq!(*event.payload(), 6);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn where_(self, condition: impl Fn(&Event<T>) -> bool + Send + 'p) -> Self {
        Expect(self.0.and(condition))
    }

    /// The event, which may come within that time. If the bus closes, the wait is over.
    ///
    /// # Panics
    ///
    /// It does not come, or a text is no pattern; the message is that of [`Unmet`].
    ///
    /// ```
    /// use std::time::Duration;
    /// # use chanbus::{Bus, Probe};
    /// # let bus = Bus::new();
    /// let probe = Probe::on(&bus)?;
    /// let program = std::thread::spawn(move || bus.emit("done", ()).is_ok());
    /// probe.expect("done").within(Duration::from_secs(10));
    /// # program.join().unwrap();
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn within(self, time: Duration) -> Event<T> {
        let place = Location::caller();
        one(self.0.within(time, place)).unwrap_or_else(|unmet| panic!("{unmet}"))
    }

    /// [`within`](Expect::within), which returns an error rather than panic.
    ///
    /// # Errors
    ///
    /// It does not come, or a text is no pattern.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use chanbus::{Bus, Probe};
    /// let bus: Bus<u32> = Bus::new();
    /// let probe = Probe::on(&bus)?;
    /// assert!(probe.expect("a").try_within(Duration::from_millis(1)).is_err());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn try_within(self, time: Duration) -> Result<Event<T>, Unmet> {
        one(self.0.within(time, Location::caller()))
    }

    /// The event, which has come already.
    ///
    /// # Panics
    ///
    /// It has not, or a text is no pattern.
    ///
    /// ```
    /// # use chanbus::{Bus, Probe};
    /// # let bus = Bus::new();
    /// # let probe = Probe::on(&bus)?;
    /// bus.emit("a", 7)?;
    /// assert_eq!(*probe.expect("a").now().payload(), 7);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn now(self) -> Event<T> {
        let place = Location::caller();
        one(self.0.now(place)).unwrap_or_else(|unmet| panic!("{unmet}"))
    }

    /// [`now`](Expect::now), which returns an error rather than panic.
    ///
    /// # Errors
    ///
    /// It has not come, or a text is no pattern.
    ///
    /// ```
    /// # use chanbus::{Bus, Probe};
    /// let bus: Bus<u32> = Bus::new();
    /// let probe = Probe::on(&bus)?;
    /// assert!(probe.expect("a").try_now().is_err());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn try_now(self) -> Result<Event<T>, Unmet> {
        one(self.0.now(Location::caller()))
    }

    /// The event, awaited, which is to come before that timer ends: by whatever clock, such as
    /// `tokio::time::sleep(limit)`, or that of a [`TestTime`](crate::TestTime). It may be dropped at any point, and has
    /// taken nothing then.
    ///
    /// # Panics
    ///
    /// When it is awaited: it does not come, or a text is no pattern. The message names the place of this call.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use chanbus::{Bus, Probe};
    /// # use futures_lite::future::block_on;
    /// # let bus = Bus::new();
    /// let probe = Probe::on(&bus)?;
    /// let program = std::thread::spawn(move || bus.emit("done", 7).is_ok());
    /// let event = block_on(probe.expect("done").before(smol::Timer::after(Duration::from_secs(10))));
    /// assert_eq!(*event.payload(), 7);
    /// # program.join().unwrap();
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn before<F: Future>(self, timer: F) -> impl Future<Output = Event<T>> + use<'p, T, F> {
        let asked = self.0.before(timer, Location::caller());
        async { one(asked.await).unwrap_or_else(|unmet| panic!("{unmet}")) }
    }

    /// [`before`](Expect::before), which yields an error rather than panic.
    ///
    /// # Errors
    ///
    /// When it is awaited: it does not come, or a text is no pattern.
    ///
    /// ```
    /// # use chanbus::{Bus, Probe};
    /// # use futures_lite::future::{block_on, ready};
    /// let bus: Bus<u32> = Bus::new();
    /// let probe = Probe::on(&bus)?;
    /// assert!(block_on(probe.expect("a").try_before(ready(()))).is_err());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn try_before<F: Future>(
        self,
        timer: F,
    ) -> impl Future<Output = Result<Event<T>, Unmet>> + use<'p, T, F> {
        let asked = self.0.before(timer, Location::caller());
        async { one(asked.await) }
    }

    /// Asserts that no such event came so far, but for those that expectations have taken: see [`Probe::expect_none`].
    ///
    /// # Panics
    ///
    /// One came, or a text is no pattern.
    ///
    /// ```
    /// # use chanbus::{Bus, Probe};
    /// # let bus = Bus::new();
    /// # let probe = Probe::on(&bus)?;
    /// bus.emit("order.placed", 7)?;
    /// probe.expect("order.*").where_(|event| *event.payload() < 0).none();
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn none(self) {
        if let Err(unmet) = self.0.none(Location::caller()) {
            panic!("{unmet}");
        }
    }

    /// [`none`](Expect::none), which returns an error rather than panic.
    ///
    /// # Errors
    ///
    /// One came, or a text is no pattern.
    ///
    /// ```
    /// # use chanbus::{Bus, Probe};
    /// # let bus = Bus::new();
    /// # let probe = Probe::on(&bus)?;
    /// bus.emit("order.placed", 7)?;
    /// assert!(probe.expect("order.*").where_(|event| *event.payload() > 0).try_none().is_err());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn try_none(self) -> Result<(), Unmet> {
        self.0.none(Location::caller())
    }
}

impl<'p, T: Send + Sync + 'static> ExpectMany<'p, T> {
    pub(super) fn new(
        probe: &'p Probe<T>,
        wants: Result<Vec<Want>, PatternsError>,
        ordered: bool,
    ) -> Self {
        ExpectMany(Ask::new(probe, wants, ordered, None))
    }

    /// Only events for which that holds: see [`Expect::where_`].
    ///
    /// ```
    /// # use chanbus::{Bus, Probe};
    /// # let bus = Bus::new();
    /// # let probe = Probe::on(&bus)?;
    /// bus.publisher("row")?.emit_batch(0..10)?;
    /// let even = probe.expect("row").count(5).where_(|row| row.payload() % 2 == 0).now();
    /// assert_eq!(*even[4].payload(), 8);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn where_(self, condition: impl Fn(&Event<T>) -> bool + Send + 'p) -> Self {
        ExpectMany(self.0.and(condition))
    }

    /// The events, in the order in which they were asked for, which may come within that time: see [`Expect::within`].
    ///
    /// # Panics
    ///
    /// Not all of them come, or a text is no pattern.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use chanbus::{Bus, Probe};
    /// # let bus = Bus::new();
    /// let probe = Probe::on(&bus)?;
    /// let program = std::thread::spawn(move || bus.publisher("row").unwrap().emit_batch(0..3).is_ok());
    /// assert_eq!(probe.expect("row").count(3).within(Duration::from_secs(10)).len(), 3);
    /// assert!(program.join().unwrap());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn within(self, time: Duration) -> Vec<Event<T>> {
        let place = Location::caller();
        let events = self.0.within(time, place);
        events.unwrap_or_else(|unmet| panic!("{unmet}"))
    }

    /// [`within`](ExpectMany::within), which returns an error rather than panic.
    ///
    /// # Errors
    ///
    /// Not all of them come, or a text is no pattern.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use chanbus::{Bus, Probe};
    /// # let bus = Bus::new();
    /// let probe = Probe::on(&bus)?;
    /// bus.emit("row", 1)?;
    /// let unmet = probe.expect("row").count(2).try_within(Duration::from_millis(1)).unwrap_err();
    /// assert_eq!((unmet.met, unmet.wanted), (1, 2));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn try_within(self, time: Duration) -> Result<Vec<Event<T>>, Unmet> {
        self.0.within(time, Location::caller())
    }

    /// The events, which have come already.
    ///
    /// # Panics
    ///
    /// Not all of them have, or a text is no pattern.
    ///
    /// ```
    /// # use chanbus::{Bus, Probe};
    /// # let bus = Bus::new();
    /// # let probe = Probe::on(&bus)?;
    /// bus.publisher("row")?.emit_batch(0..3)?;
    /// assert_eq!(probe.expect("row").count(3).now().len(), 3);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn now(self) -> Vec<Event<T>> {
        let place = Location::caller();
        let events = self.0.now(place);
        events.unwrap_or_else(|unmet| panic!("{unmet}"))
    }

    /// [`now`](ExpectMany::now), which returns an error rather than panic.
    ///
    /// # Errors
    ///
    /// Not all of them have come, or a text is no pattern.
    ///
    /// ```
    /// # use chanbus::{Bus, Probe};
    /// let bus: Bus<u32> = Bus::new();
    /// let probe = Probe::on(&bus)?;
    /// assert!(probe.expect_each(["a", "b"]).try_now().is_err());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn try_now(self) -> Result<Vec<Event<T>>, Unmet> {
        self.0.now(Location::caller())
    }

    /// The events, awaited, which are to come before that timer ends: see [`Expect::before`].
    ///
    /// # Panics
    ///
    /// When it is awaited: not all of them come, or a text is no pattern.
    ///
    /// ```
    /// # use chanbus::{Bus, Probe};
    /// # use futures_lite::future::{block_on, pending};
    /// # let bus = Bus::new();
    /// let probe = Probe::on(&bus)?;
    /// bus.publisher("row")?.emit_batch(0..3)?;
    /// let rows = block_on(probe.expect("row").count(3).before(pending::<()>()));
    /// assert_eq!(rows.len(), 3);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn before<F: Future>(
        self,
        timer: F,
    ) -> impl Future<Output = Vec<Event<T>>> + use<'p, T, F> {
        let asked = self.0.before(timer, Location::caller());
        async { asked.await.unwrap_or_else(|unmet| panic!("{unmet}")) }
    }

    /// [`before`](ExpectMany::before), which yields an error rather than panic.
    ///
    /// # Errors
    ///
    /// When it is awaited: not all of them come, or a text is no pattern.
    ///
    /// ```
    /// # use chanbus::{Bus, Probe};
    /// # use futures_lite::future::{block_on, ready};
    /// let bus: Bus<u32> = Bus::new();
    /// let probe = Probe::on(&bus)?;
    /// assert!(block_on(probe.expect_each(["a", "b"]).try_before(ready(()))).is_err());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn try_before<F: Future>(
        self,
        timer: F,
    ) -> impl Future<Output = Result<Vec<Event<T>>, Unmet>> + use<'p, T, F> {
        self.0.before(timer, Location::caller())
    }
}

/// The one event of an expectation of one.
fn one<T>(events: Result<Vec<Event<T>>, Unmet>) -> Result<Event<T>, Unmet> {
    let mut events = events?;
    events.pop().ok_or_else(Unmet::nothing)
}

impl<T: Send + Sync + 'static> fmt::Debug for Expect<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expect").finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for ExpectMany<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExpectMany").finish_non_exhaustive()
    }
}
