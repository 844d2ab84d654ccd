//! Who hears a topic, and why others do not.

use std::collections::HashSet;
use std::fmt;

use super::near::NearMiss;
use super::topology::{BusNode, Topology, taken};
use super::words::{Place, Plain, bus_called, consumer_called, count, overflow_called, sub_called};
use crate::bus::{Bus, Consumer, Role, SubscriptionStats, TapStats, TapTarget};
use crate::error::TopicError;
use crate::pattern::Pattern;
use crate::topic::Topic;

/// How many near misses are told of each bus.
const NEAR: usize = 10;

/// Who hears an event of a topic, by which pattern, who does not and nearly would, and what may keep it from them
/// nevertheless; made by [`Bus::explain`]. Its `Display` is for people.
///
/// ```
/// use chanbus::Bus;
///
/// let bus: Bus<u32> = Bus::new();
/// let _panel = bus.subscription("scan.*").name("panel").subscribe()?;
/// let _log = bus.subscription("scan.strated").name("log").subscribe()?;
///
/// let explanation = bus.explain("scan.started")?;
/// let here = &explanation.buses[0];
/// assert_eq!(here.subscriptions.len(), 1);
/// assert_eq!(here.subscriptions[0].pattern.as_str(), "scan.*");
/// assert_eq!(here.near[0].name.as_deref(), Some("log"));
/// println!("{explanation}");
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// The topic that was asked about.
    pub topic: Topic,
    /// The bus that was asked, then those that an event of the topic is passed on to, if nothing on the way leaves it
    /// out or gives it another topic.
    pub buses: Vec<BusExplanation>,
}

/// Who hears a topic on one bus; part of an [`Explanation`].
///
/// ```
/// # use chanbus::Bus;
/// let bus: Bus<u32> = Bus::new();
/// let explanation = bus.explain("a")?;
/// assert!(explanation.buses[0].subscriptions.is_empty());
/// assert!(explanation.to_string().contains("nobody hears"));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BusExplanation {
    /// The number of the bus.
    pub bus: u64,
    /// What it is called: its name, or its number, and the place where it was made.
    pub called: String,
    /// It is closed: nothing can be emitted.
    pub closed: bool,
    /// The subscriptions that match, closed ones too, oldest first.
    pub subscriptions: Vec<Hearing>,
    /// The taps, pipes and derived buses that match.
    pub taps: Vec<TapStats>,
    /// Who nearly hears it, the nearest first; ten at most.
    pub near: Vec<NearHearing>,
    /// How many more nearly hear it.
    pub more_near: usize,
    /// How many other subscriptions do not match, and not nearly.
    pub others: usize,
}

/// A subscription that hears a topic; part of a [`BusExplanation`].
///
/// ```
/// # use chanbus::Bus;
/// let bus = Bus::new();
/// let _sub = bus.subscription("a").capacity(1).subscribe()?;
/// bus.emit("a", 1)?;
/// let explanation = bus.explain("a")?;
/// assert!(explanation.buses[0].subscriptions[0].is_full());
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hearing {
    /// Its numbers.
    pub stats: SubscriptionStats,
    /// The first of its patterns that matches.
    pub pattern: Pattern,
    /// Those who take from it in the name of others, and want the topic, too.
    pub consumers: Vec<Consumer>,
}

/// One that nearly hears a topic: a subscription, or one that takes from a subscription, as a handler does; part of a
/// [`BusExplanation`].
///
/// ```
/// # use chanbus::Bus;
/// let bus: Bus<u32> = Bus::new();
/// let _sub = bus.subscription("Scan.*").name("panel").subscribe()?;
/// let near = &bus.explain("scan.started")?.buses[0].near[0];
/// assert_eq!(near.name.as_deref(), Some("panel"));
/// println!("{}: {}", near.called, near.miss);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NearHearing {
    /// The number of the subscription.
    pub subscription: u64,
    /// The name, if there is one.
    pub name: Option<crate::sync::Arc<str>>,
    /// What it is, what it is called, and where it was made.
    pub called: String,
    /// Why it does not hear it.
    pub miss: NearMiss,
}

impl Hearing {
    /// Whether its queue has no room for one event more now.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let _sub = bus.subscribe("a")?;
    /// assert!(!bus.explain("a")?.buses[0].subscriptions[0].is_full());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.stats.depth >= self.stats.capacity
    }
}

impl Topology {
    /// Who hears an event of that topic, and who nearly does: [`Bus::explain`] on what was seen before.
    ///
    /// # Errors
    ///
    /// The text is no topic; the error says why.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let topology = bus.topology();
    /// assert!(topology.explain("scan.started").is_ok());
    /// assert!(topology.explain("scan.*").is_err());
    /// ```
    pub fn explain(&self, topic: impl AsRef<str>) -> Result<Explanation, TopicError> {
        let topic = Topic::new(topic)?;
        let mut reached: HashSet<u64> = self.buses.first().map(|bus| bus.id).into_iter().collect();
        let mut buses = Vec::new();
        // They are in an order in which each comes after one that leads to it; but a shorter way, which is the
        // one that placed it, may not match where a longer one does. So as often as that brings anything.
        let mut left: Vec<&BusNode> = self.buses.iter().collect();
        while let Some(at) = left.iter().position(|bus| reached.contains(&bus.id)) {
            let bus = explain_bus(left.remove(at), &topic);
            reached.extend(bus.taps.iter().filter_map(|tap| tap.target.bus()));
            buses.push(bus);
        }
        Ok(Explanation { topic, buses })
    }
}

impl<T: Send + Sync + 'static> Bus<T> {
    /// Who would hear an event of that topic now, by which pattern, and who nearly would: for the question "why does
    /// it not come?". It emits nothing. See [`Explanation`].
    ///
    /// # Errors
    ///
    /// The text is no topic; the error says why.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let _sub = bus.subscription("scan.*").name("panel").subscribe()?;
    /// let explanation = bus.explain("scan.file.found")?;
    /// assert_eq!(
    ///     explanation.buses[0].near[0].miss.to_string(),
    ///     "in `scan.*` a `*` stands for exactly one segment; `scan.**` would match `scan.file.found`"
    /// );
    /// assert!(bus.explain("scan..file").is_err());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn explain(&self, topic: impl AsRef<str>) -> Result<Explanation, TopicError> {
        let topic = Topic::new(topic)?;
        self.topology().explain(topic)
    }
}

impl Hearing {
    /// `false` of one that only feeds others, none of whom asks for it.
    fn is_wanted(&self) -> bool {
        let feeds = self.stats.role == Role::Dispatcher || !self.stats.consumers.is_empty();
        !feeds || !self.consumers.is_empty()
    }
}

pub(super) fn matching<'a>(patterns: &'a [Pattern], topic: &str) -> Option<&'a Pattern> {
    patterns.iter().find(|pattern| pattern.matches(topic))
}

/// The nearest of the misses.
pub(super) fn nearest(patterns: &[Pattern], topic: &str) -> Option<NearMiss> {
    let misses = patterns
        .iter()
        .filter_map(|it| NearMiss::between(it, topic));
    misses.min_by_key(|miss| miss.reason.rank())
}

fn explain_bus(bus: &BusNode, topic: &Topic) -> BusExplanation {
    let (mut subscriptions, mut near, mut others) = (Vec::new(), Vec::new(), 0);
    for sub in &bus.stats.subscriptions {
        if let Some(pattern) = matching(&sub.patterns, topic) {
            let mut hearing = Hearing {
                stats: sub.clone(),
                pattern: pattern.clone(),
                consumers: Vec::new(),
            };
            for consumer in &sub.consumers {
                if matching(&consumer.patterns, topic).is_some() {
                    hearing.consumers.push(consumer.clone());
                } else if let Some(miss) = nearest(&consumer.patterns, topic) {
                    near.push(NearHearing {
                        subscription: sub.id,
                        name: consumer.name.clone(),
                        called: consumer_of(consumer, sub),
                        miss,
                    });
                }
            }
            subscriptions.push(hearing);
        } else if let Some(miss) = nearest(&sub.patterns, topic) {
            near.push(NearHearing {
                subscription: sub.id,
                name: sub.name.clone(),
                called: sub_called(sub),
                miss,
            });
        } else {
            others += 1;
        }
    }
    near.sort_by_key(|near| near.miss.reason.rank());
    let more_near = near.len().saturating_sub(NEAR);
    near.truncate(NEAR);
    let taps = bus.taps.iter();
    BusExplanation {
        bus: bus.id,
        called: bus_called(bus),
        closed: bus.stats.closed,
        subscriptions,
        taps: taps
            .filter(|tap| matching(&tap.patterns, topic).is_some())
            .cloned()
            .collect(),
        near,
        more_near,
        others,
    }
}

/// What one is called that takes from a subscription.
pub(super) fn consumer_of(consumer: &Consumer, sub: &SubscriptionStats) -> String {
    let name = match sub.name.as_deref() {
        Some(name) => format!("`{}`", Plain(name)),
        None => format!("#{}", sub.id),
    };
    format!(
        "handler {} of {} {name}",
        consumer_called(consumer),
        sub.role
    )
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, bus) in self.buses.iter().enumerate() {
            if place == 0 {
                write!(f, "`{}` on bus {}", self.topic, bus.called)?;
            } else {
                write!(
                    f,
                    "\n`{}`, if it is passed on, on bus {}",
                    self.topic, bus.called
                )?;
            }
            show(f, bus)?;
        }
        Ok(())
    }
}

fn show(f: &mut fmt::Formatter<'_>, bus: &BusExplanation) -> fmt::Result {
    if bus.closed {
        return write!(f, ": the bus is closed, so nothing can be emitted");
    }
    let open = bus.subscriptions.iter().filter(|it| !it.stats.closed);
    if open.count() == 0 && bus.taps.is_empty() {
        write!(f, ": nobody hears it")?;
    }
    for hearing in &bus.subscriptions {
        write!(
            f,
            "\n  {} {} it, by `{}`",
            sub_called(&hearing.stats),
            if hearing.is_wanted() { "hears" } else { "gets" },
            hearing.pattern
        )?;
        for but in buts(hearing) {
            write!(f, "\n    but {but}")?;
        }
        for consumer in &hearing.consumers {
            write!(f, "\n    for handler {}", consumer_called(consumer))?;
        }
    }
    for tap in &bus.taps {
        let what = match tap.target {
            TapTarget::Callback => "the tap",
            TapTarget::Pipe { .. } => "the pipe",
            TapTarget::Derived { .. } => "the derived bus",
        };
        write!(f, "\n  {what} at {} gets it", Place(tap.location))?;
    }
    for near in &bus.near {
        write!(f, "\n  {} does not: {}", near.called, near.miss)?;
    }
    if bus.more_near > 0 {
        write!(f, "\n  and {} more nearly do", bus.more_near)?;
    }
    if bus.others > 0 {
        let what = match bus.others {
            1 => "asks",
            _ => "ask",
        };
        let others = count(bus.others as u64, "other subscription");
        write!(f, "\n  {others} {what} for something else")?;
    }
    Ok(())
}

/// What may keep an event from a consumer though the pattern matches.
fn buts(hearing: &Hearing) -> Vec<String> {
    let stats = &hearing.stats;
    let mut buts = Vec::new();
    if !hearing.is_wanted() {
        // Nothing else matters then.
        buts.push("none of its handlers asks for it".to_owned());
        return buts;
    }
    if stats.closed {
        buts.push("it is closed, and gets no more events".to_owned());
        return buts;
    }
    if stats.has_filter {
        let of = count(stats.matched(), "event");
        let panics = match stats.filter_panics {
            0 => String::new(),
            panics => format!(" ({panics} by a panic)"),
        };
        buts.push(format!(
            "its filter decides: it has rejected {} of {of} so far{panics}",
            stats.filtered
        ));
    }
    if hearing.is_full() {
        buts.push(format!(
            "its queue is full ({} of {}): {}",
            stats.depth,
            stats.capacity,
            what_full_means(stats)
        ));
    }
    if stats.dropped > 0 {
        let nobody = match taken(stats) {
            0 => "; nobody has taken any",
            _ => "",
        };
        buts.push(format!(
            "it has dropped {} of {} so far{nobody}",
            stats.dropped,
            count(stats.matched(), "event")
        ));
    }
    buts
}

/// What becomes of the next event.
pub(super) fn what_full_means(stats: &SubscriptionStats) -> String {
    let then = match stats.overflow {
        crate::Overflow::DropNewest => "refuses each further event",
        crate::Overflow::DropOldest => "lets go of the oldest for each further event",
        crate::Overflow::Latest => "refuses events of further topics",
    };
    format!("{} {then}", overflow_called(stats.overflow))
}
