//! The report where what was expected did not come.

use std::collections::HashSet;
use std::fmt::{self, Write};
use std::panic::Location;
use std::time::Duration;

use super::ask::{Ask, Want};
use crate::error::{PatternsError, boundary_before};
use crate::event::Event;
use crate::observe::{NearMiss, Place, Plain, count};

/// How many events are listed.
const LISTED: usize = 12;
/// How many wants are told one by one.
const WANTS: usize = 20;
/// How many near misses are told.
const NEAR: usize = 5;
/// How many topics are asked whether they nearly match, the last ones.
const TOPICS: usize = 200;
/// How many wants they are asked for.
const ASKED: usize = 20;
/// How much of a payload is shown, in bytes.
const SHOWN: usize = 160;

/// Why an expectation was not met; part of an [`Unmet`].
///
/// ```
/// use chanbus::{Bus, Probe, UnmetReason};
///
/// let bus: Bus<u32> = Bus::new();
/// let probe = Probe::on(&bus)?;
/// assert_eq!(probe.expect("a").try_now().unwrap_err().reason, UnmetReason::Missing);
/// assert_eq!(probe.expect("a..b").try_now().unwrap_err().reason, UnmetReason::BadPattern);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub enum UnmetReason {
    /// A text is no pattern, or there is none.
    BadPattern,
    /// It has not come, and nobody waited.
    Missing,
    /// It did not come in time.
    TimedOut,
    /// It did not come, and no more will: the bus has closed.
    Closed,
    /// It came, and was not to.
    Unexpected,
}

/// What a test expected did not come, or what it did not expect did; made by the `try_` forms of [`Expect`](crate::Expect)
/// and [`ExpectMany`](crate::ExpectMany), whose other forms panic with it. Its `Display`, and its `Debug`, are a
/// report: what was asked and where, what came instead, which topics nearly match, and who lost events meanwhile.
///
/// ```
/// use chanbus::{Bus, Probe, Unmet};
///
/// let bus: Bus<u32> = Bus::new();
/// let probe = Probe::on(&bus)?;
/// bus.emit("order.payed", 7)?;
/// let unmet: Unmet = probe.expect("order.paid").try_now().unwrap_err();
/// assert_eq!((unmet.met, unmet.wanted), (0, 1));
/// let report = unmet.to_string();
/// assert!(report.contains("expected an event of `order.paid`, and it has not come"), "{report}");
/// assert!(report.contains("#1 order.payed"), "{report}");
/// assert!(report.contains("a slip of the pen?"), "{report}");
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub struct Unmet {
    /// Why.
    pub reason: UnmetReason,
    /// How many of the expected events came. Of what was [not to come](UnmetReason::Unexpected), how many did.
    pub met: usize,
    /// How many events were expected.
    pub wanted: usize,
    /// Where in the source that was asked.
    pub location: &'static Location<'static>,
    report: Box<str>,
}

/// How long was waited.
#[derive(Clone, Copy)]
pub(super) enum Limit {
    Now,
    Within(Duration),
    Before,
}

impl Unmet {
    pub(super) fn of<T: Send + Sync + 'static>(
        ask: &Ask<'_, T>,
        reason: UnmetReason,
        limit: Limit,
        location: &'static Location<'static>,
    ) -> Self {
        let events = ask.probe.capture().log.marked();
        let mut report = String::new();
        // Writing into a string does not fail.
        let _ = missing(&mut report, ask, limit, location, &events);
        Unmet {
            reason,
            met: ask.pick().met(),
            wanted: ask.wants().len(),
            location,
            report: report.into(),
        }
    }

    pub(super) fn unexpected<T: Send + Sync + 'static>(
        ask: &Ask<'_, T>,
        found: &[usize],
        location: &'static Location<'static>,
    ) -> Self {
        let events = ask.probe.capture().log.marked();
        let mut report = String::new();
        let _ = too_many(&mut report, ask, found, location, &events);
        Unmet {
            reason: UnmetReason::Unexpected,
            met: found.len(),
            wanted: 0,
            location,
            report: report.into(),
        }
    }

    pub(super) fn bad_patterns(
        error: &PatternsError,
        location: &'static Location<'static>,
    ) -> Self {
        let report = format!("{error}\n  asked at {}", Place(location));
        Unmet {
            reason: UnmetReason::BadPattern,
            met: 0,
            wanted: 0,
            location,
            report: report.into(),
        }
    }

    /// An expectation of one was met by none, which cannot be.
    #[track_caller]
    pub(super) fn nothing() -> Self {
        Unmet {
            reason: UnmetReason::Missing,
            met: 0,
            wanted: 1,
            location: Location::caller(),
            report: "expected an event, and none came".into(),
        }
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report)
    }
}

/// As `Display`, so that an `unwrap`, or a test that returns it, shows the report.
impl fmt::Debug for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.report)
    }
}

impl std::error::Error for Unmet {}

/// `a`, or `b`.
impl fmt::Display for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, pattern) in self.0.iter().enumerate() {
            let or = if place > 0 { " or " } else { "" };
            write!(f, "{or}`{pattern}`")?;
        }
        Ok(())
    }
}

impl<T: Send + Sync + 'static> Ask<'_, T> {
    /// All wants are the same.
    fn is_uniform(&self) -> bool {
        let first = self.wants().first();
        self.wants()
            .iter()
            .all(|want| first.is_some_and(|first| first.0 == want.0))
    }

    fn write_asked(&self, out: &mut String) -> fmt::Result {
        let number = self.wants().len();
        match self.wants().first() {
            Some(want) if number == 1 => write!(out, "an event of {want}")?,
            Some(want) if self.is_uniform() => write!(out, "{number} events of {want}")?,
            _ if self.ordered => write!(out, "{}, in this order", count(number as u64, "event"))?,
            _ => write!(out, "{}, in any order", count(number as u64, "event"))?,
        }
        if self.has_condition() {
            out.push_str(" for which a condition holds");
        }
        Ok(())
    }
}

type Marked<T> = [(Event<T>, bool)];

fn missing<T: Send + Sync + 'static>(
    out: &mut String,
    ask: &Ask<'_, T>,
    limit: Limit,
    location: &'static Location<'static>,
    events: &Marked<T>,
) -> fmt::Result {
    out.push_str("expected ");
    ask.write_asked(out)?;
    let (met, wanted) = (ask.pick().met(), ask.wants().len());
    match limit {
        Limit::Now => out.push_str(", and "),
        Limit::Within(time) => write!(out, " within {time:?}, and ")?,
        Limit::Before => out.push_str(" before the timer ended, and "),
    }
    match (wanted, met, limit) {
        (1, _, Limit::Now) => out.push_str("it has not come"),
        (1, ..) => out.push_str("it did not come"),
        (_, 0, _) => out.push_str("none came"),
        _ => write!(out, "{met} came")?,
    }
    write!(out, "\n  asked at {}", Place(location))?;
    if !ask.is_uniform() {
        wants(out, ask, events)?;
    }
    rejected(out, ask, events)?;
    if events.is_empty() {
        out.push_str("\n  no event came at all since the probe was made");
    } else {
        let from = events.len().saturating_sub(LISTED);
        write!(
            out,
            "\n  what came, the last {} of {} since the probe was made:",
            events.len() - from,
            count(events.len() as u64, "event")
        )?;
        for place in from..events.len() {
            listed(out, ask, events, place)?;
        }
    }
    near(out, ask, events)?;
    ask.probe.account.write(out)
}

fn too_many<T: Send + Sync + 'static>(
    out: &mut String,
    ask: &Ask<'_, T>,
    found: &[usize],
    location: &'static Location<'static>,
    events: &Marked<T>,
) -> fmt::Result {
    let came = found.len();
    let Some(want) = ask.wants().first() else {
        return Ok(());
    };
    write!(out, "expected no event of {want}")?;
    if ask.has_condition() {
        out.push_str(" for which a condition holds");
    }
    write!(out, ", and {came} came\n  asked at {}", Place(location))?;
    out.push_str("\n  what came, and no expectation has taken:");
    for place in found.iter().take(LISTED) {
        listed(out, ask, events, *place)?;
    }
    match came.saturating_sub(LISTED) {
        0 => Ok(()),
        more => write!(out, "\n    ... and {more} more"),
    }
}

/// What became of each want.
fn wants<T: Send + Sync + 'static>(
    out: &mut String,
    ask: &Ask<'_, T>,
    events: &Marked<T>,
) -> fmt::Result {
    let mut last = None;
    for (n, want) in ask.wants().iter().enumerate().take(WANTS) {
        match ask.pick().answers().get(n).copied().flatten() {
            Some(place) => {
                last = Some(place);
                write!(out, "\n    {want} came: #{}", place + 1)?;
            }
            None if ask.ordered && n > ask.pick().met() => {
                write!(out, "\n    {want} was to come after that")?;
            }
            None => {
                write!(out, "\n    {want} did not come")?;
                let before = last.filter(|_| ask.ordered).and_then(|last| {
                    let before = events.get(..last)?;
                    before
                        .iter()
                        .rposition(|(event, taken)| !taken && want.matches(event.topic()))
                });
                match (last, before) {
                    (Some(_), Some(place)) => {
                        write!(out, " after that, but before it: #{}", place + 1)?;
                    }
                    (Some(_), None) if ask.ordered => out.push_str(" after that"),
                    _ => {}
                }
            }
        }
    }
    match ask.wants().len().saturating_sub(WANTS) {
        0 => Ok(()),
        more => write!(out, "\n    ... and {more} more"),
    }
}

/// Events that matched, and were not wanted.
fn rejected<T: Send + Sync + 'static>(
    out: &mut String,
    ask: &Ask<'_, T>,
    events: &Marked<T>,
) -> fmt::Result {
    let rejected = ask.rejected();
    let Some(from) = rejected.len().checked_sub(1) else {
        return Ok(());
    };
    let from = (from + 1).saturating_sub(NEAR);
    write!(
        out,
        "\n  the condition did not hold for {} that matched:",
        count(rejected.len() as u64, "event")
    )?;
    for place in &rejected[from..] {
        listed(out, ask, events, *place)?;
    }
    Ok(())
}

fn listed<T: Send + Sync + 'static>(
    out: &mut String,
    ask: &Ask<'_, T>,
    events: &Marked<T>,
    place: usize,
) -> fmt::Result {
    let Some((event, taken)) = events.get(place) else {
        return Ok(());
    };
    write!(out, "\n    #{} {}", place + 1, event.topic())?;
    if let Some(payload) = ask.probe.payload(event) {
        let kept = &payload[..boundary_before(&payload, SHOWN)];
        let cut = if kept.len() < payload.len() {
            "…"
        } else {
            ""
        };
        write!(out, " {}{cut}", Plain(kept))?;
    }
    if *taken {
        out.push_str(" (an expectation before has taken it)");
    }
    Ok(())
}

/// Topics that nearly match what did not come.
fn near<T: Send + Sync + 'static>(
    out: &mut String,
    ask: &Ask<'_, T>,
    events: &Marked<T>,
) -> fmt::Result {
    let mut topics = HashSet::new();
    let recent = events.iter().rev().map(|(event, _)| event.topic());
    let recent: Vec<_> = recent
        .filter(|topic| topics.insert((*topic).clone()))
        .take(TOPICS)
        .collect();
    let mut asked = HashSet::new();
    let open = ask.wants().iter().zip(ask.pick().answers());
    let open = open
        .filter(|(_, answer)| answer.is_none())
        .map(|(want, _)| want);
    let patterns = open.flat_map(|want| want.0.iter());
    let mut misses = Vec::new();
    for pattern in patterns
        .filter(|pattern| asked.insert(pattern.as_str()))
        .take(ASKED)
    {
        let between = |topic| NearMiss::between(pattern, topic);
        misses.extend(recent.iter().filter_map(|topic| between(topic)));
    }
    misses.sort_by_key(|miss| miss.reason.rank());
    if !misses.is_empty() {
        out.push_str("\n  nearly:");
    }
    for miss in misses.iter().take(NEAR) {
        write!(out, "\n    {miss}")?;
    }
    match misses.len().saturating_sub(NEAR) {
        0 => Ok(()),
        more => write!(out, "\n    ... and {more} more"),
    }
}
