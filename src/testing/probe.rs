//! What is expected of a bus.

use std::fmt;

use super::account::Account;
use super::ask::Want;
use super::capture::Capture;
use super::expect::{Expect, ExpectMany};
use super::unmet::Unmet;
use crate::bus::Bus;
use crate::error::{PatternsError, SubscribeError};
use crate::event::Event;
use crate::pattern::IntoPatterns;
use crate::shield::{caught, discard};

/// Hears every event of a bus from now on, and says whether those came that a test expects: at once, or after a wait;
/// and if not, what came instead.
///
/// | To expect | Use |
/// |---|---|
/// | one event, of any of these patterns | [`expect`](Probe::expect) |
/// | several of a kind | [`count`](Expect::count) |
/// | only those that | [`where_`](Expect::where_) |
/// | several kinds, one after the other | [`expect_in_order`](Probe::expect_in_order) |
/// | several kinds, in any order | [`expect_each`](Probe::expect_each) |
/// | none | [`expect_none`](Probe::expect_none) |
///
/// | And then | If it does not come |
/// |---|---|
/// | [`within`](Expect::within) a time that the thread waits | it panics; [`try_within`](Expect::try_within) returns an [`Unmet`] |
/// | [`now`](Expect::now): it has come already | it panics; [`try_now`](Expect::try_now) returns that |
/// | [`before`](Expect::before) a timer ends, awaited | it panics; [`try_before`](Expect::try_before) returns that |
///
/// An event is the answer to one expectation at most: the next one takes a later event, or an earlier one that nobody
/// took. So `expect_none` at the end of a test asks for what was not expected. It hears as a [`Capture`] does, which it
/// [has](Probe::capture): an emit that has returned was heard, so a test on one thread, or one that has joined its threads,
/// needs no waiting, for `now` and for `expect_none`.
///
/// ```
/// use std::time::Duration;
/// use chanbus::{Bus, Probe};
///
/// let bus = Bus::new();
/// let probe = Probe::on(&bus)?;
///
/// let shop = bus.clone();
/// let program = std::thread::spawn(move || {
///     shop.emit("order.placed", 7).unwrap();
///     shop.emit("order.paid", 7).unwrap();
/// });
/// let paid = probe.expect("*.paid").where_(|event| *event.payload() == 7).within(Duration::from_secs(10));
/// assert_eq!(paid.topic(), "order.paid");
///
/// program.join().unwrap();
/// probe.expect("order.placed").now();
/// probe.expect_none("order.*");
/// # Ok::<(), chanbus::Error>(())
/// ```
///
/// # What a failure says
///
/// ```text
/// expected an event of `order.paid` within 10s, and it did not come
///   asked at tests/shop.rs:14
///   what came, the last 2 of 2 events since the probe was made:
///     #1 order.placed
///     #2 Order.paid
///   nearly:
///     `order.paid` and `Order.paid` differ in capital and small letters, which count
///   meanwhile on bus `shop` (src/shop.rs:30):
///     subscriber `mailer` (src/shop.rs:41) has dropped 3 events: 8 of 8 wait
/// ```
///
/// Payloads are in it, too, if [asked for](Probe::showing_payloads).
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub struct Probe<T: Send + Sync + 'static> {
    capture: Capture<T>,
    pub(super) account: Account,
    show: Option<fn(&T) -> String>,
}

impl<T: Send + Sync + 'static> Probe<T> {
    /// Begins to listen to all of that bus.
    ///
    /// # Errors
    ///
    /// The bus is closed.
    ///
    /// ```
    /// # use chanbus::{Bus, Probe};
    /// let bus: Bus<u32> = Bus::new();
    /// let probe = Probe::on(&bus)?;
    /// bus.emit("a", 1)?;
    /// probe.expect("a").now();
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn on(bus: &Bus<T>) -> Result<Self, SubscribeError> {
        Ok(Probe {
            account: Account::of(bus.view()),
            capture: Capture::of(bus)?,
            show: None,
        })
    }

    /// Shows payloads in reports, as their `Debug` has them, on one line and cut where they are long.
    ///
    /// ```
    /// # use chanbus::{Bus, Probe};
    /// let bus: Bus<&str> = Bus::new();
    /// let probe = Probe::on(&bus)?.showing_payloads();
    /// bus.emit("order.placed", "a bicycle")?;
    /// let unmet = probe.expect("order.paid").try_now().unwrap_err();
    /// assert!(unmet.to_string().contains("#1 order.placed \"a bicycle\""), "{unmet}");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn showing_payloads(mut self) -> Self
    where
        T: fmt::Debug,
    {
        self.show = Some(shown);
        self
    }

    /// All that it has heard.
    ///
    /// ```
    /// # use chanbus::{Bus, Probe};
    /// let bus = Bus::new();
    /// let probe = Probe::on(&bus)?;
    /// bus.emit("a", 1)?;
    /// probe.capture().assert_topics(["a"]);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn capture(&self) -> &Capture<T> {
        &self.capture
    }

    /// Expects one event that matches; texts are read in the syntax of the bus. It is the first that no expectation has
    /// taken.
    ///
    /// ```
    /// # use chanbus::{Bus, Probe};
    /// # let bus = Bus::new();
    /// let probe = Probe::on(&bus)?;
    /// bus.emit("order.placed", 1)?;
    /// bus.emit("order.placed", 2)?;
    /// assert_eq!(*probe.expect("order.*").now().payload(), 1);
    /// assert_eq!(*probe.expect("order.*").now().payload(), 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn expect(&self, patterns: impl IntoPatterns) -> Expect<'_, T> {
        Expect::new(self, self.want(patterns))
    }

    /// Expects one event for each of these, each after the one before it; others may come in between.
    ///
    /// ```
    /// # use chanbus::{Bus, Probe};
    /// # let bus = Bus::new();
    /// let probe = Probe::on(&bus)?;
    /// for topic in ["order.placed", "ui.click", "order.paid", "order.placed"] {
    ///     bus.emit(topic, ())?;
    /// }
    /// probe.expect_in_order(["order.placed", "order.paid", "order.placed"]).now();
    /// assert!(probe.expect_in_order(["order.paid", "order.placed"]).try_now().is_err());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn expect_in_order<P: IntoPatterns>(
        &self,
        patterns: impl IntoIterator<Item = P>,
    ) -> ExpectMany<'_, T> {
        let wants = patterns.into_iter().map(|patterns| self.want(patterns));
        ExpectMany::new(self, wants.collect(), true)
    }

    /// Expects one event for each of these, in any order. Where one event would do for several of them, it finds who needs
    /// it most.
    ///
    /// ```
    /// # use chanbus::{Bus, Probe};
    /// # let bus = Bus::new();
    /// let probe = Probe::on(&bus)?;
    /// bus.emit("order.paid", 1)?;
    /// bus.emit("order.placed", 2)?;
    /// let events = probe.expect_each(["order.*", "order.paid"]).now();
    /// assert_eq!((*events[0].payload(), *events[1].payload()), (2, 1));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn expect_each<P: IntoPatterns>(
        &self,
        patterns: impl IntoIterator<Item = P>,
    ) -> ExpectMany<'_, T> {
        let wants = patterns.into_iter().map(|patterns| self.want(patterns));
        ExpectMany::new(self, wants.collect(), false)
    }

    /// Asserts that nothing came so far that matches, but for what expectations have taken. It does not wait: whoever might
    /// emit is to be joined before.
    ///
    /// # Panics
    ///
    /// Something came, or a text is no pattern: [`try_expect_none`](Probe::try_expect_none) returns that. With a condition:
    /// [`Expect::none`].
    ///
    /// ```
    /// # use chanbus::{Bus, Probe};
    /// # let bus = Bus::new();
    /// let probe = Probe::on(&bus)?;
    /// bus.emit("order.placed", 1)?;
    /// probe.expect_none("*.failed");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn expect_none(&self, patterns: impl IntoPatterns) {
        self.expect(patterns).none();
    }

    /// [`expect_none`](Probe::expect_none), which returns an error rather than panic.
    ///
    /// # Errors
    ///
    /// Something came, or a text is no pattern.
    ///
    /// ```
    /// # use chanbus::{Bus, Probe};
    /// # let bus = Bus::new();
    /// let probe = Probe::on(&bus)?;
    /// bus.emit("order.failed", 1)?;
    /// let unmet = probe.try_expect_none("*.failed").unwrap_err();
    /// assert!(unmet.to_string().contains("#1 order.failed"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn try_expect_none(&self, patterns: impl IntoPatterns) -> Result<(), Unmet> {
        self.expect(patterns).try_none()
    }

    fn want(&self, patterns: impl IntoPatterns) -> Result<Want, PatternsError> {
        Ok(Want(patterns.into_patterns(self.capture.syntax)?.into()))
    }

    /// The payload as a report has it.
    pub(super) fn payload(&self, event: &Event<T>) -> Option<String> {
        let show = self.show?;
        Some(match caught(|| show(event.payload())) {
            Ok(text) => text,
            Err(thrown) => {
                discard(thrown);
                "(its `Debug` panicked)".to_owned()
            }
        })
    }
}

fn shown<T: fmt::Debug>(payload: &T) -> String {
    format!("{payload:?}")
}

impl<T: Send + Sync + 'static> fmt::Debug for Probe<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe")
            .field("capture", &self.capture)
            .finish_non_exhaustive()
    }
}
