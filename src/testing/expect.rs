//! The waits for what is expected.

use std::fmt;
use std::future::poll_fn;
use std::panic::Location;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::log::Log;
use super::pick::Pick;
use super::probe::Probe;
use super::unmet::{Limit, Unmet, UnmetReason};
use crate::error::PatternsError;
use crate::event::Event;
use crate::pattern::Pattern;
use crate::sync::Arc;

/// The patterns of which one event is to have one.
#[derive(Clone)]
pub(super) struct Want(pub(super) Arc<[Pattern]>);

impl Want {
    pub(super) fn matches(&self, topic: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(topic))
    }
}

/// Whether an event will do, by the user's own code.
type Condition<'p, T> = Box<dyn Fn(&Event<T>) -> bool + Send + 'p>;

/// What is expected, and how far that is met.
pub(super) struct Ask<'p, T: Send + Sync + 'static> {
    pub(super) probe: &'p Probe<T>,
    wants: Result<Vec<Want>, PatternsError>,
    pub(super) ordered: bool,
    condition: Option<Condition<'p, T>>,
    pick: Pick,
    /// Places of events that matched, and for which the condition did not hold.
    rejected: Vec<usize>,
    seen: usize,
    cleared: u64,
}

impl<'p, T: Send + Sync + 'static> Ask<'p, T> {
    fn new(
        probe: &'p Probe<T>,
        wants: Result<Vec<Want>, PatternsError>,
        ordered: bool,
        condition: Option<Condition<'p, T>>,
    ) -> Self {
        let count = wants.as_ref().map_or(0, Vec::len);
        Ask {
            probe,
            wants,
            ordered,
            condition,
            pick: Pick::new(count, ordered),
            rejected: Vec::new(),
            seen: 0,
            cleared: 0,
        }
    }

    pub(super) fn wants(&self) -> &[Want] {
        self.wants.as_deref().unwrap_or_default()
    }

    pub(super) fn has_condition(&self) -> bool {
        self.condition.is_some()
    }

    pub(super) fn pick(&self) -> &Pick {
        &self.pick
    }

    pub(super) fn rejected(&self) -> &[usize] {
        &self.rejected
    }

    fn log(&self) -> &'p Log<T> {
        &self.probe.capture().log
    }

    fn begin_anew(&mut self, cleared: u64) {
        self.pick = Pick::new(self.wants().len(), self.ordered);
        self.rejected.clear();
        self.seen = 0;
        self.cleared = cleared;
    }

    /// Looks at what is new: the answer, if that is all; whether more may come.
    fn look(&mut self) -> Result<Vec<Event<T>>, bool> {
        loop {
            let news = self.log().from(self.seen);
            if news.cleared != self.cleared {
                self.begin_anew(news.cleared);
                continue;
            }
            for (place, event) in &news.events {
                self.offer(*place, event);
            }
            self.seen = news.next;
            if !self.pick.is_done() {
                return Err(!news.closed);
            }
            let places: Vec<usize> = self.pick.answers().iter().copied().flatten().collect();
            match self.log().take(&places, self.cleared) {
                Some(events) => return Ok(events),
                // Somebody else, who asks the same probe, was quicker.
                None => self.begin_anew(self.cleared),
            }
        }
    }

    fn offer(&mut self, place: usize, event: &Event<T>) {
        let topic = event.topic();
        if self.pick.is_done() || !self.could_answer(topic) {
            return;
        }
        if self.condition.as_ref().is_some_and(|holds| !holds(event)) {
            self.rejected.push(place);
            return;
        }
        let Self { wants, pick, .. } = self;
        let wants = wants.as_deref().unwrap_or_default();
        pick.offer(place, |want| wants[want].matches(topic));
    }

    /// Whether an event of that topic would do now, if the condition holds.
    fn could_answer(&self, topic: &str) -> bool {
        let wants = self.wants();
        let open = match self.ordered {
            true => wants
                .get(self.pick.met())
                .map_or(&[][..], std::slice::from_ref),
            false => wants,
        };
        open.iter().any(|want| want.matches(topic))
    }

    fn unmet(&self, reason: UnmetReason, limit: Limit, place: &'static Location<'static>) -> Unmet {
        Unmet::of(self, reason, limit, place)
    }

    fn check(&self, place: &'static Location<'static>) -> Result<(), Unmet> {
        match &self.wants {
            Ok(_) => Ok(()),
            Err(error) => Err(Unmet::bad_patterns(error, place)),
        }
    }

    fn now(mut self, place: &'static Location<'static>) -> Result<Vec<Event<T>>, Unmet> {
        self.check(place)?;
        let found = self.look();
        found.map_err(|_| self.unmet(UnmetReason::Missing, Limit::Now, place))
    }

    fn within(
        mut self,
        time: Duration,
        place: &'static Location<'static>,
    ) -> Result<Vec<Event<T>>, Unmet> {
        self.check(place)?;
        let limit = Limit::Within(time);
        // A time that no clock can hold is for ever.
        let deadline = Instant::now().checked_add(time);
        loop {
            match self.look() {
                Ok(events) => return Ok(events),
                Err(false) => return Err(self.unmet(UnmetReason::Closed, limit, place)),
                Err(true) => {}
            }
            if !self.log().wait(self.seen, self.cleared, deadline) {
                return Err(self.unmet(UnmetReason::TimedOut, limit, place));
            }
        }
    }

    fn poll<F: Future>(
        &mut self,
        mut timer: Pin<&mut F>,
        place: &'static Location<'static>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Vec<Event<T>>, Unmet>> {
        self.check(place)?;
        let limit = Limit::Before;
        loop {
            match self.look() {
                Ok(events) => return Poll::Ready(Ok(events)),
                Err(false) => {
                    return Poll::Ready(Err(self.unmet(UnmetReason::Closed, limit, place)));
                }
                Err(true) => {}
            }
            if self.log().wake_by(self.seen, self.cleared, cx.waker()) {
                break;
            }
        }
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        // What came after the look above came before the timer ended: whoever emits, and then moves the time on, is heard.
        let late = self.look();
        Poll::Ready(late.map_err(|_| self.unmet(UnmetReason::TimedOut, limit, place)))
    }

    async fn before<F: Future>(
        mut self,
        timer: F,
        place: &'static Location<'static>,
    ) -> Result<Vec<Event<T>>, Unmet> {
        let mut timer = pin!(timer);
        poll_fn(|cx| self.poll(timer.as_mut(), place, cx)).await
    }

    /// Nothing that was not taken answers it.
    fn none(mut self, place: &'static Location<'static>) -> Result<(), Unmet> {
        self.check(place)?;
        let (news, mut found) = (self.log().from(0), Vec::new());
        for (n, event) in &news.events {
            let met = self.pick.met();
            self.offer(*n, event);
            if self.pick.met() > met {
                found.push(*n);
                self.begin_anew(news.cleared);
            }
        }
        if found.is_empty() {
            return Ok(());
        }
        Err(Unmet::unexpected(&self, &found, place))
    }
}

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

impl<'p, T: Send + Sync + 'static> Ask<'p, T> {
    fn and(self, condition: impl Fn(&Event<T>) -> bool + Send + 'p) -> Self {
        let both: Condition<'p, T> = match self.condition {
            None => Box::new(condition),
            Some(before) => Box::new(move |event| before(event) && condition(event)),
        };
        Ask::new(self.probe, self.wants, self.ordered, Some(both))
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
