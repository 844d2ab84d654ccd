//! What is expected, how far that is met, and the wait until it is.

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
    pub(super) wants: Result<Vec<Want>, PatternsError>,
    pub(super) ordered: bool,
    pub(super) condition: Option<Condition<'p, T>>,
    pick: Pick,
    /// Places of events that matched, and for which the condition did not hold.
    rejected: Vec<usize>,
    seen: usize,
    cleared: u64,
}

impl<'p, T: Send + Sync + 'static> Ask<'p, T> {
    pub(super) fn new(
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

    pub(super) fn now(mut self, place: &'static Location<'static>) -> Result<Vec<Event<T>>, Unmet> {
        self.check(place)?;
        let found = self.look();
        found.map_err(|_| self.unmet(UnmetReason::Missing, Limit::Now, place))
    }

    pub(super) fn within(
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

    pub(super) async fn before<F: Future>(
        mut self,
        timer: F,
        place: &'static Location<'static>,
    ) -> Result<Vec<Event<T>>, Unmet> {
        let mut timer = pin!(timer);
        poll_fn(|cx| self.poll(timer.as_mut(), place, cx)).await
    }

    /// Nothing that was not taken answers it.
    pub(super) fn none(mut self, place: &'static Location<'static>) -> Result<(), Unmet> {
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

    /// The same, on this condition as well.
    pub(super) fn and(self, condition: impl Fn(&Event<T>) -> bool + Send + 'p) -> Self {
        let both: Condition<'p, T> = match self.condition {
            None => Box::new(condition),
            Some(before) => Box::new(move |event| before(event) && condition(event)),
        };
        Ask::new(self.probe, self.wants, self.ordered, Some(both))
    }
}
