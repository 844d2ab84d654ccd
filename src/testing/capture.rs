//! All events of a bus, to be asked.

use std::fmt;

use super::difference::TopicsDiffer;
use super::log::{Log, Mouth};
use crate::bus::{Bus, TapGuard};
use crate::error::{PatternsError, SubscribeError};
use crate::event::Event;
use crate::pattern::{IntoPatterns, Pattern, Syntax};
use crate::sync::Arc;
use crate::topic::Topic;

/// Keeps every event of a bus from now on, in order: for tests, as it grows without bounds.
///
/// It is a [tap](Bus::tap), not a subscription: it has no queue that could overflow, takes no slot, changes no
/// [`Emitted`](crate::Emitted), and an emit that has returned is in it. Events of one thread are in the order in which it
/// emitted them; those of several threads in the order in which their taps came to be called, which is not the order
/// of any queue. It does not keep the bus open (but for a [derived](Bus::derive) one, as every tap does), and goes on
/// being readable when the bus has closed. What [`inject`](crate::Subscription::inject) brings it does not see.
///
/// What it holds, it keeps alive: payloads are not dropped before it is, or is [cleared](Capture::clear), and
/// [`try_into_payload`](Event::try_into_payload) of others finds that they share it.
///
/// ```
/// use chanbus::{Bus, Capture};
///
/// let bus = Bus::new();
/// let capture = Capture::of(&bus)?;
/// bus.emit("order.placed", 1)?;
/// bus.emit("order.paid", 1)?;
///
/// capture.assert_topics(["order.placed", "order.paid"]);
/// assert_eq!(capture.payloads(), [1, 1]);
/// assert_eq!(capture.matching("*.paid").len(), 1);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub struct Capture<T: Send + Sync + 'static> {
    pub(super) log: Arc<Log<T>>,
    /// How texts are read as patterns.
    pub(super) syntax: Syntax,
    _tap: TapGuard<T>,
}

impl<T: Send + Sync + 'static> Capture<T> {
    /// Begins to keep all events of that bus.
    ///
    /// # Errors
    ///
    /// The bus is closed.
    ///
    /// ```
    /// # use chanbus::{Bus, Capture};
    /// let bus: Bus<u32> = Bus::new();
    /// assert!(Capture::of(&bus)?.is_empty());
    /// bus.close();
    /// assert!(Capture::of(&bus).is_err());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn of(bus: &Bus<T>) -> Result<Self, SubscribeError> {
        Self::only(bus, Pattern::everything())
    }

    /// Begins to keep the events that match.
    ///
    /// # Errors
    ///
    /// A text that is no pattern, an empty list, or a closed bus.
    ///
    /// ```
    /// # use chanbus::{Bus, Capture};
    /// let bus = Bus::new();
    /// let orders = Capture::only(&bus, "order.*")?;
    /// bus.emit("order.placed", 1)?;
    /// bus.emit("ui.click", 2)?;
    /// assert_eq!(orders.payloads(), [1]);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn only(bus: &Bus<T>, patterns: impl IntoPatterns) -> Result<Self, SubscribeError> {
        let log = Log::new();
        let mouth = Mouth(Arc::clone(&log));
        let tap = bus.tap(patterns, move |event| mouth.tell(event))?;
        Ok(Capture {
            log,
            syntax: bus.syntax(),
            _tap: tap,
        })
    }

    /// How many events it has.
    ///
    /// ```
    /// # use chanbus::{Bus, Capture};
    /// let bus = Bus::new();
    /// let capture = Capture::of(&bus)?;
    /// bus.emit("a", 1)?;
    /// assert_eq!(capture.len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.log.len()
    }

    /// Whether nothing came so far.
    ///
    /// ```
    /// # use chanbus::{Bus, Capture};
    /// let bus: Bus<u32> = Bus::new();
    /// assert!(Capture::of(&bus)?.is_empty());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether no more will come, as the bus has closed. An emit that is under way as it closes may be in no tap, though
    /// a queue has its event.
    ///
    /// ```
    /// # use chanbus::{Bus, Capture};
    /// let bus: Bus<u32> = Bus::new();
    /// let capture = Capture::of(&bus)?;
    /// assert!(!capture.is_complete());
    /// drop(bus);
    /// assert!(capture.is_complete());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.log.is_closed()
    }

    /// All events so far.
    ///
    /// ```
    /// # use chanbus::{Bus, Capture};
    /// let bus = Bus::new();
    /// let capture = Capture::of(&bus)?;
    /// bus.event("a", 1).source("test").emit()?;
    /// assert_eq!(capture.events()[0].source(), Some("test"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn events(&self) -> Vec<Event<T>> {
        self.log.events()
    }

    /// The topics of all events so far, each as often as it came.
    ///
    /// ```
    /// # use chanbus::{Bus, Capture};
    /// let bus = Bus::new();
    /// let capture = Capture::of(&bus)?;
    /// bus.emit("a", 1)?;
    /// bus.emit("a", 2)?;
    /// assert_eq!(capture.topics(), ["a", "a"]);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn topics(&self) -> Vec<Topic> {
        let events = self.events();
        events.iter().map(|event| event.topic().clone()).collect()
    }

    /// Copies of the payloads of all events so far.
    ///
    /// ```
    /// # use chanbus::{Bus, Capture};
    /// let bus = Bus::new();
    /// let capture = Capture::of(&bus)?;
    /// bus.publisher("n")?.emit_batch([1, 2, 3])?;
    /// assert_eq!(capture.payloads(), [1, 2, 3]);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn payloads(&self) -> Vec<T>
    where
        T: Clone,
    {
        let events = self.events();
        events.iter().map(|event| event.payload().clone()).collect()
    }

    /// The events so far that match; texts are read in the syntax of the bus.
    ///
    /// # Panics
    ///
    /// A text is no pattern, or the list is empty: [`try_matching`](Capture::try_matching) returns that.
    ///
    /// ```
    /// # use chanbus::{Bus, Capture};
    /// let bus = Bus::new();
    /// let capture = Capture::of(&bus)?;
    /// bus.emit("order.placed", 1)?;
    /// bus.emit("ui.click", 2)?;
    /// assert_eq!(*capture.matching(["order.*", "stock.*"])[0].payload(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    #[track_caller]
    pub fn matching(&self, patterns: impl IntoPatterns) -> Vec<Event<T>> {
        match self.try_matching(patterns) {
            Ok(events) => events,
            Err(error) => panic!("{error}"),
        }
    }

    /// [`matching`](Capture::matching), which returns an error rather than panic.
    ///
    /// # Errors
    ///
    /// A text is no pattern, or the list is empty.
    ///
    /// ```
    /// # use chanbus::{Bus, Capture};
    /// let bus: Bus<u32> = Bus::new();
    /// assert!(Capture::of(&bus)?.try_matching("a..b").is_err());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn try_matching(
        &self,
        patterns: impl IntoPatterns,
    ) -> Result<Vec<Event<T>>, PatternsError> {
        let patterns = patterns.into_patterns(self.syntax)?;
        let mut events = self.events();
        events.retain(|event| patterns.iter().any(|it| it.matches(event.topic())));
        Ok(events)
    }

    /// All events so far, which it forgets. An expectation that waits meanwhile begins anew.
    ///
    /// ```
    /// # use chanbus::{Bus, Capture};
    /// let bus = Bus::new();
    /// let capture = Capture::of(&bus)?;
    /// bus.emit("a", 1)?;
    /// assert_eq!(capture.take().len(), 1);
    /// assert!(capture.is_empty());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn take(&self) -> Vec<Event<T>> {
        self.log.drain()
    }

    /// Forgets all events so far, and lets go of their payloads.
    ///
    /// ```
    /// # use chanbus::{Bus, Capture};
    /// let bus = Bus::new();
    /// let capture = Capture::of(&bus)?;
    /// bus.emit("a", 1)?;
    /// capture.clear();
    /// assert!(capture.is_empty());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn clear(&self) {
        drop(self.take());
    }

    /// Asserts that events of these topics came, in this order, and no others.
    ///
    /// # Panics
    ///
    /// It is not so; the message has both lists side by side.
    ///
    /// ```should_panic
    /// # use chanbus::{Bus, Capture};
    /// let bus = Bus::new();
    /// let capture = Capture::of(&bus).unwrap();
    /// bus.emit("order.placed", 1).unwrap();
    /// capture.assert_topics(["order.placed", "order.paid"]);
    /// ```
    ///
    /// ```text
    /// other events than expected came:
    ///     order.placed
    ///   - order.paid      expected, and did not come
    /// ```
    #[track_caller]
    pub fn assert_topics<S: AsRef<str>>(&self, expected: impl IntoIterator<Item = S>) {
        if let Err(difference) = self.try_topics(expected) {
            panic!("{difference}");
        }
    }

    /// [`assert_topics`](Capture::assert_topics), which returns an error rather than panic.
    ///
    /// # Errors
    ///
    /// Other events came; the error shows the difference.
    ///
    /// ```
    /// # use chanbus::{Bus, Capture};
    /// let bus = Bus::new();
    /// let capture = Capture::of(&bus)?;
    /// bus.emit("a", 1)?;
    /// assert!(capture.try_topics(["a"]).is_ok());
    /// assert_eq!(capture.try_topics(["b"]).unwrap_err().came, ["a"]);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn try_topics<S: AsRef<str>>(
        &self,
        expected: impl IntoIterator<Item = S>,
    ) -> Result<(), TopicsDiffer> {
        let expected = expected.into_iter().map(|it| it.as_ref().to_owned());
        TopicsDiffer::between(expected.collect(), self.topics())
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Capture<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture")
            .field("len", &self.len())
            .field("is_complete", &self.is_complete())
            .finish_non_exhaustive()
    }
}
