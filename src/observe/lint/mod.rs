//! What looks wrong: losses and their cause, patterns that match nothing, topics that nobody hears.

mod losses;
mod nearest;
mod unheard;
mod unmatched;

use std::fmt;

use super::near::NearMiss;
use super::topology::Topology;
use super::words::count;
use crate::bus::Bus;
use crate::pattern::Pattern;
use crate::sync::Arc;
use crate::topic::Topic;

use losses::losses_of;
use nearest::Work;
use unheard::{Topics, topics_of, unheard};
use unmatched::never_matched;

/// What looks wrong about a bus and those that it feeds; made by [`Bus::lint`]. Its `Display` is a list for people,
/// worst first.
///
/// ```
/// use chanbus::{Bus, Finding};
///
/// let bus = Bus::new();
/// let _panel = bus.subscription("scan.strated").name("panel").subscribe()?;
/// let _log = bus.subscription("**.found").name("log").capacity(1).subscribe()?;
/// bus.emit("scan.started", 1)?;
/// bus.publisher("file.found")?.emit_batch([2, 3, 4])?;
///
/// let lint = bus.lint();
/// assert!(matches!(&lint.findings[0], Finding::Drops { dropped: 2, .. }));
/// assert!(matches!(&lint.findings[1], Finding::NobodyHears { topic, .. } if topic == "scan.started"));
/// assert!(matches!(&lint.findings[2], Finding::NeverMatched { pattern, .. } if pattern.as_str() == "scan.strated"));
/// println!("{lint}");
/// # Ok::<(), chanbus::Error>(())
/// ```
///
/// # What it can know
///
/// Losses are exact. A subscription that nothing ever matched is told exactly; so is a handler that was never called
/// or skipped. Of several patterns of one subscription of which some match, the others are told only where the bus
/// knows all its topics: [`observe_topics`](crate::BusBuilder::observe_topics). Topics are those that the bus
/// [knows](crate::KnownTopics), and who hears them is who would now: on the bus itself, or on one that it passes them on
/// to, by a pipe or a derived bus; a topic that comes from another bus is told there. What a mapping makes of topics it
/// cannot see: a bus with topics that none has which leads to it is believed to hear those that it has under other
/// names. Neither is told of a bus on which nothing was emitted yet. Near ones are looked for in at most 50,000 pairs of a pattern and a topic; [`cut`](Lint::cut)
/// says that there were more.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Lint {
    /// What was found, worst first.
    pub findings: Vec<Finding>,
    /// There was too much to compare, so that near ones may be missing.
    pub cut: bool,
}

/// One thing that looks wrong; part of a [`Lint`]. Its `Display` is a line, with a few below it that say more.
///
/// ```
/// # use chanbus::Bus;
/// let bus = Bus::new();
/// let _sub = bus.subscription("n").name("panel").capacity(1).subscribe()?;
/// bus.publisher("n")?.emit_batch([1, 2, 3])?;
/// for finding in &bus.lint().findings {
///     println!("{finding}");
/// }
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Finding {
    /// A subscription has lost events.
    Drops {
        /// The number of its bus.
        bus: u64,
        /// Its number there.
        subscription: u64,
        /// Its name.
        name: Option<Arc<str>>,
        /// What it is, its name, and where it was made.
        called: String,
        /// How many events it dropped.
        dropped: u64,
        /// How many matched.
        matched: u64,
        /// Why.
        cause: DropCause,
        /// How full its queue is, what it does when full, and how fast it is filled and emptied, in words.
        state: String,
    },
    /// A filter panicked; each such event counts as filtered.
    FilterPanics {
        /// The number of its bus.
        bus: u64,
        /// The number of the subscription.
        subscription: u64,
        /// What it is, its name, and where it was made.
        called: String,
        /// How often.
        panics: u64,
    },
    /// A topic on which events are emitted, and nobody would hear one now.
    NobodyHears {
        /// The number of the bus.
        bus: u64,
        /// What the bus is called.
        called: String,
        /// The topic.
        topic: Topic,
        /// It comes to a dispatcher that has no handler for it: what that is called.
        unhandled_by: Option<String>,
        /// Patterns that nearly match it, the nearest first.
        near: Vec<NearMiss>,
    },
    /// A pattern that no event ever matched.
    NeverMatched {
        /// The number of the bus.
        bus: u64,
        /// The number of the subscription.
        subscription: u64,
        /// What asks for it, its name, and where it was made.
        called: String,
        /// The pattern.
        pattern: Pattern,
        /// Topics that it nearly matches, the nearest first.
        near: Vec<NearMiss>,
    },
}

/// Why a subscription loses events; part of a [`Finding`].
///
/// ```
/// # use chanbus::{Bus, DropCause, Finding};
/// let bus = Bus::new();
/// let _sub = bus.subscription("n").capacity(1).subscribe()?;
/// bus.publisher("n")?.emit_batch([1, 2, 3])?;
/// assert!(matches!(bus.lint().findings[0], Finding::Drops { cause: DropCause::NeverTaken, .. }));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropCause {
    /// Nobody has ever taken an event from it.
    NeverTaken,
    /// Its queue is full now, or has not an eighth of its room left: its consumer is behind.
    Behind,
    /// It has room now: more came at once than it holds.
    Bursts,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Drops {
                called,
                dropped,
                matched,
                cause,
                state,
                ..
            } => {
                let why = match cause {
                    DropCause::NeverTaken => {
                        "nobody has taken any event from it: does its thread or task run, and receive?"
                    }
                    DropCause::Behind => {
                        "its consumer is behind: make that faster, share it among several, or narrow its patterns"
                    }
                    DropCause::Bursts => {
                        "it has room now, so events come in bursts that its queue does not hold: a larger capacity helps"
                    }
                };
                let of = count(*matched, "event");
                write!(
                    f,
                    "{called} has DROPPED {dropped} of {of}\n    why: {why}\n    now: {state}"
                )
            }
            Finding::FilterPanics { called, panics, .. } => {
                let times = count(*panics, "time");
                write!(
                    f,
                    "the filter of {called} has panicked {times}; each such event was rejected"
                )
            }
            Finding::NobodyHears {
                called,
                topic,
                unhandled_by,
                near,
                ..
            } => {
                match unhandled_by {
                    Some(dispatcher) => {
                        write!(
                            f,
                            "`{topic}` on bus {called} comes to {dispatcher}, which has no handler for it"
                        )?;
                    }
                    None => write!(f, "nobody listens to `{topic}` on bus {called}")?,
                }
                hints(f, near)
            }
            Finding::NeverMatched {
                called,
                pattern,
                near,
                ..
            } => {
                write!(f, "no event has ever matched `{pattern}` of {called}")?;
                hints(f, near)
            }
        }
    }
}

fn hints(f: &mut fmt::Formatter<'_>, near: &[NearMiss]) -> fmt::Result {
    for miss in near {
        write!(f, "\n    near: {miss}")?;
    }
    Ok(())
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.findings.is_empty() {
            return f.write_str("nothing looks wrong");
        }
        for (place, finding) in self.findings.iter().enumerate() {
            let line = if place > 0 { "\n" } else { "" };
            write!(f, "{line}- {finding}")?;
        }
        if self.cut {
            write!(f, "\n(there was too much to look for all that is near)")?;
        }
        Ok(())
    }
}

impl Topology {
    /// What looks wrong: [`Bus::lint`] on what was seen before. With [rates](Topology::since) it says how fast queues are
    /// filled and emptied.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// assert_eq!(bus.topology().lint().to_string(), "nothing looks wrong");
    /// ```
    #[must_use]
    pub fn lint(&self) -> Lint {
        let mut work = Work::new();
        // Before anything was emitted, nothing is said of topics and patterns.
        let topics: Vec<Topics<'_>> = self
            .buses
            .iter()
            .map(|bus| match bus.stats.emitted {
                0 => Topics::new(),
                _ => topics_of(bus),
            })
            .collect();
        let (mut losses, mut unmatched) = (Vec::new(), Vec::new());
        let mut unheard = unheard(&self.buses, &topics, &mut work);
        for (place, (bus, topics)) in self.buses.iter().zip(&topics).enumerate() {
            let rates = self.rates.as_ref().and_then(|rates| rates.buses.get(place));
            for (at, sub) in bus.stats.subscriptions.iter().enumerate() {
                let rates = rates.and_then(|rates| rates.subscriptions.get(at));
                losses.extend(losses_of(bus, sub, rates));
            }
            if bus.stats.emitted > 0 {
                let topics: Vec<&Topic> = topics.keys().copied().collect();
                unmatched.extend(never_matched(bus, &topics, &mut work));
            }
        }
        let lost = |finding: &Finding| match finding {
            Finding::Drops { dropped, .. } => *dropped,
            _ => 0,
        };
        losses.sort_by_key(|finding| std::cmp::Reverse(lost(finding)));
        losses.append(&mut unheard);
        losses.append(&mut unmatched);
        Lint {
            findings: losses,
            cut: work.cut,
        }
    }
}

impl<T: Send + Sync + 'static> Bus<T> {
    /// What looks wrong with the bus and those that it feeds: subscriptions that drop events, and why; topics that
    /// nobody hears; patterns that never matched, with what they nearly match. See [`Lint`].
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let _sub = bus.subscription("Scan.*").name("panel").subscribe()?;
    /// bus.emit("scan.started", 1)?;
    /// let lint = bus.lint().to_string();
    /// assert!(lint.contains("nobody listens to `scan.started`"));
    /// assert!(lint.contains("differ in capital and small letters"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn lint(&self) -> Lint {
        self.topology().lint()
    }
}
