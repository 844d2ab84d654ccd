//! What looks wrong: losses and their cause, patterns that match nothing, topics that nobody hears.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::explain::{consumer_of, matching, what_full_means};
use super::near::NearMiss;
use super::rates::{SubscriptionRates, taken};
use super::topology::{BusNode, Topology};
use super::words::{bus_called, count, sub_called};
use crate::bus::{Bus, Consumer, Role, SubscriptionStats, TapStats, TopicStats};
use crate::pattern::Pattern;
use crate::topic::Topic;

/// How many near ones are told with each finding.
const NEAR: usize = 3;
/// How many pairs of a pattern and a topic are compared, over all.
const WORK: usize = 50_000;
/// For how many pairs it is looked which patterns of a subscription never matched, of which others did.
const LOOKS: usize = 5_000_000;

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
/// [knows](crate::KnownTopics), and who hears them is who would now. Neither is told of a bus on which nothing was
/// emitted yet. Near ones are looked for in at most 50,000 pairs of a pattern and a topic; [`cut`](Lint::cut)
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
        let mut work = Work {
            left: WORK,
            cut: false,
        };
        let (mut losses, mut unheard, mut unmatched) = (Vec::new(), Vec::new(), Vec::new());
        for (place, bus) in self.buses.iter().enumerate() {
            let rates = self.rates.as_ref().and_then(|rates| rates.buses.get(place));
            for (at, sub) in bus.stats.subscriptions.iter().enumerate() {
                let rates = rates.and_then(|rates| rates.subscriptions.get(at));
                losses.extend(losses_of(bus, sub, rates));
            }
            if bus.stats.emitted > 0 {
                let topics = topics_of(bus);
                let seen = topics.iter().map(|(topic, known)| (*topic, *known));
                unheard.extend(seen.filter_map(|seen| nobody_hears(bus, seen, &mut work)));
                let topics: Vec<&Topic> = topics.into_keys().collect();
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

/// What may still be compared.
struct Work {
    left: usize,
    cut: bool,
}

impl Work {
    fn take(&mut self, pairs: usize) -> bool {
        match self.left.checked_sub(pairs) {
            Some(left) => self.left = left,
            None => self.cut = true,
        }
        !self.cut
    }
}

fn losses_of(
    bus: &BusNode,
    sub: &SubscriptionStats,
    rates: Option<&SubscriptionRates>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if sub.dropped > 0 {
        let full = sub.depth >= sub.capacity;
        // A slow consumer takes one now and then, and is no less behind for that moment.
        let nearly = sub.depth >= sub.capacity - sub.capacity / 8;
        let cause = match (taken(sub), nearly) {
            (0, _) if sub.depth > 0 => DropCause::NeverTaken,
            (_, true) => DropCause::Behind,
            (_, false) => DropCause::Bursts,
        };
        let mut state = format!(
            "{} of {} wait; {}full, {}",
            sub.depth,
            sub.capacity,
            if full { "" } else { "when " },
            what_full_means(sub)
        );
        if let Some(rates) = rates {
            state.push_str(&format!("; {rates}"));
        }
        findings.push(Finding::Drops {
            bus: bus.id,
            subscription: sub.id,
            name: sub.name.clone(),
            called: sub_called(sub),
            dropped: sub.dropped,
            matched: sub.matched(),
            cause,
            state,
        });
    }
    if sub.filter_panics > 0 {
        findings.push(Finding::FilterPanics {
            bus: bus.id,
            subscription: sub.id,
            called: sub_called(sub),
            panics: sub.filter_panics,
        });
    }
    findings
}

/// A topic with events, and what the bus knows of it.
type Seen<'a> = (&'a Topic, Option<&'a TopicStats>);

/// The topics of events: those that the bus knows, and those of publishers that have emitted.
fn topics_of(bus: &BusNode) -> BTreeMap<&Topic, Option<&TopicStats>> {
    let mut emitted: BTreeMap<&Topic, u64> = BTreeMap::new();
    for publisher in &bus.publishers {
        *emitted.entry(&publisher.topic).or_default() += publisher.emitted;
    }
    let known = bus.topics.topics.iter().map(|it| (&it.topic, Some(it)));
    let published = emitted.keys().map(|topic| (*topic, None));
    // What is known of a topic goes before that it has a publisher.
    let mut topics: BTreeMap<_, _> = published.chain(known).collect();
    // That a publisher was made makes its topic known, without any event. One of others cannot be told from it,
    // and is left out with it.
    topics.retain(|topic, _| emitted.get(topic).is_none_or(|emitted| *emitted > 0));
    topics
}

fn nobody_hears(bus: &BusNode, (topic, known): Seen<'_>, work: &mut Work) -> Option<Finding> {
    let open = || bus.stats.subscriptions.iter().filter(|sub| !sub.closed);
    let mut unhandled_by = None;
    if known.is_none_or(|it| it.subscriptions > 0 || it.taps > 0 || it.retained) {
        let tapped = |tap: &TapStats| matching(&tap.patterns, topic).is_some();
        if known.is_some_and(|it| it.retained) || bus.taps.iter().any(tapped) {
            return None;
        }
        for sub in open().filter(|sub| matching(&sub.patterns, topic).is_some()) {
            let wants = |it: &Consumer| matching(&it.patterns, topic).is_some();
            if sub.role != Role::Dispatcher || sub.consumers.iter().any(wants) {
                return None;
            }
            unhandled_by.get_or_insert_with(|| sub_called(sub));
        }
    }
    let asked = open().flat_map(|sub| {
        let consumers = sub.consumers.iter().flat_map(|it| &it.patterns);
        sub.patterns.iter().chain(consumers)
    });
    let near = nearest(asked, |pattern| NearMiss::between(pattern, topic), work);
    Some(Finding::NobodyHears {
        bus: bus.id,
        called: bus_called(bus),
        topic: topic.clone(),
        unhandled_by,
        near,
    })
}

fn never_matched(bus: &BusNode, topics: &[&Topic], work: &mut Work) -> Vec<Finding> {
    let open = || {
        let subs = bus.stats.subscriptions.iter();
        subs.filter(|sub| !sub.closed && sub.role != Role::Waiter)
    };
    // Cheap looks, each: a pattern against a text.
    let looks = open().map(|sub| sub.patterns.len()).sum::<usize>() * topics.len();
    let all_known = bus.topics.observed.is_some() && !bus.topics.full && looks < LOOKS;
    let mut findings = Vec::new();
    let mut add = |subscription: u64, called: String, pattern: &Pattern| {
        let near = nearest(topics, |topic| NearMiss::between(pattern, topic), work);
        findings.push(Finding::NeverMatched {
            bus: bus.id,
            subscription,
            called,
            pattern: pattern.clone(),
            near,
        });
    };
    for sub in open() {
        for pattern in &sub.patterns {
            let unseen = || !topics.iter().any(|topic| pattern.matches(topic));
            if sub.matched() == 0 || all_known && unseen() {
                add(sub.id, sub_called(sub), pattern);
            }
        }
        // Where nothing came to the dispatcher, that was said.
        let idle = |it: &&Consumer| it.called + it.skipped + it.failed == 0;
        for consumer in sub
            .consumers
            .iter()
            .filter(idle)
            .filter(|_| sub.matched() > 0)
        {
            for pattern in &consumer.patterns {
                add(sub.id, consumer_of(consumer, sub), pattern);
            }
        }
    }
    findings
}

/// The nearest misses among these, each text once.
fn nearest<I>(
    all: impl IntoIterator<Item = I>,
    miss: impl Fn(I) -> Option<NearMiss>,
    work: &mut Work,
) -> Vec<NearMiss> {
    let mut found: Vec<NearMiss> = Vec::new();
    for one in all {
        if !work.take(1) {
            break;
        }
        if let Some(miss) = miss(one)
            && !found.contains(&miss)
        {
            found.push(miss);
        }
    }
    found.sort_by_key(|miss| miss.reason.rank());
    // One that is really near says more than many that share all but a segment.
    if found.first().is_some_and(|miss| !miss.reason.is_other()) {
        found.retain(|miss| !miss.reason.is_other());
    }
    found.truncate(NEAR);
    found
}
