//! Counts of two moments as rates.

use std::fmt;
use std::time::Duration;

use super::{BusNode, Topology};
use crate::bus::SubscriptionStats;

/// What happened per second between two topologies; made by [`Topology::since`].
///
/// What was not there at the earlier one counts from zero; so does what was [reset](crate::Bus::reset) since.
///
/// ```
/// # use chanbus::Bus;
/// let bus: Bus<u32> = Bus::new();
/// let before = bus.topology();
/// assert!(before.rates.is_none());
/// # std::thread::sleep(std::time::Duration::from_millis(1));
/// let now = bus.topology().since(&before);
/// assert_eq!(now.rates.unwrap().buses[0].emitted, 0.0);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Rates {
    /// How much time there was between the two.
    pub elapsed: Duration,
    /// Of each bus of the later one, in its order.
    pub buses: Vec<BusRates>,
}

/// The rates of one bus, in events per second; part of [`Rates`].
///
/// ```
/// # use chanbus::Bus;
/// # let bus: Bus<u32> = Bus::new();
/// # let before = bus.topology();
/// # std::thread::sleep(std::time::Duration::from_millis(1));
/// let now = bus.topology().since(&before);
/// for rates in &now.rates.unwrap().buses {
///     println!("{} emitted and {} dropped per second", rates.emitted, rates.dropped);
/// }
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BusRates {
    /// The bus's number.
    pub id: u64,
    /// Emitted events.
    pub emitted: f64,
    /// Dropped ones, over all its subscriptions.
    pub dropped: f64,
    /// Of each of its subscriptions, in their order.
    pub subscriptions: Vec<SubscriptionRates>,
    /// Of each of its publishers, in their order: what it emitted.
    pub publishers: Vec<f64>,
}

/// The rates of one subscription, in events per second; part of [`BusRates`].
///
/// A queue fills where `received` is more than `taken`, and drops what comes when it is full.
///
/// ```
/// # use chanbus::Bus;
/// # let bus: Bus<u32> = Bus::new();
/// # let before = bus.topology();
/// # let sub = bus.subscribe("a")?;
/// # std::thread::sleep(std::time::Duration::from_millis(1));
/// let now = bus.topology().since(&before);
/// let rates = &now.rates.unwrap().buses[0].subscriptions[0];
/// assert!(rates.taken <= rates.received);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct SubscriptionRates {
    /// The subscription's number.
    pub id: u64,
    /// Events that matched.
    pub matched: f64,
    /// Events that were accepted and not lost since.
    pub received: f64,
    /// Events that its consumers took.
    pub taken: f64,
    /// Events that were refused for want of room, or pushed out.
    pub dropped: f64,
    /// Events that its filter rejected.
    pub filtered: f64,
    /// Events that were replaced by newer ones.
    pub conflated: f64,
}

impl fmt::Display for SubscriptionRates {
    /// Without those that are zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}/s in, {}/s taken",
            Short(self.matched),
            Short(self.taken)
        )?;
        let losses = [
            (self.dropped, "DROPPED"),
            (self.filtered, "filtered"),
            (self.conflated, "conflated"),
        ];
        for (rate, what) in losses {
            if rate > 0.0 {
                write!(f, ", {}/s {what}", Short(rate))?;
            }
        }
        Ok(())
    }
}

/// A rate with as many digits as one reads.
pub(super) struct Short(pub(super) f64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.0 == 0.0 || self.0 >= 100.0 {
            0
        } else {
            1
        };
        write!(f, "{:.digits$}", self.0)
    }
}

/// How many events its consumers took.
pub(in crate::observe) fn taken(sub: &SubscriptionStats) -> u64 {
    sub.received.saturating_sub(sub.depth as u64)
}

pub(super) fn rates_of(later: &Topology, earlier: &Topology) -> Option<Rates> {
    let same = later.buses.first()?.id == earlier.buses.first()?.id;
    let elapsed = later.at.checked_sub(earlier.at)?;
    if !same || elapsed.is_zero() {
        return None;
    }
    let seconds = elapsed.as_secs_f64();
    let rates = |bus: &BusNode| bus_rates(bus, earlier.bus(bus.id), seconds);
    Some(Rates {
        elapsed,
        buses: later.buses.iter().map(rates).collect(),
    })
}

fn bus_rates(bus: &BusNode, before: Option<&BusNode>, seconds: f64) -> BusRates {
    // Less than before, it was reset meanwhile.
    let rate = |now: u64, before: Option<u64>| {
        let before = before.filter(|before| *before <= now).unwrap_or(0);
        (now - before) as f64 / seconds
    };
    let subscription = |sub: &SubscriptionStats| {
        let subs = before.map(|before| &before.stats.subscriptions);
        // Both lists are in the order of these numbers.
        let was = subs.and_then(|subs| {
            let at = subs.binary_search_by_key(&sub.id, |was| was.id).ok()?;
            subs.get(at)
        });
        let rate = |count: fn(&SubscriptionStats) -> u64| rate(count(sub), was.map(count));
        SubscriptionRates {
            id: sub.id,
            matched: rate(SubscriptionStats::matched),
            received: rate(|sub| sub.received),
            taken: rate(taken),
            dropped: rate(|sub| sub.dropped),
            filtered: rate(|sub| sub.filtered),
            conflated: rate(|sub| sub.conflated),
        }
    };
    let publisher = |id: u64, emitted: u64| {
        let publishers = before.map(|before| &before.publishers);
        let was = publishers.and_then(|all| {
            let at = all.binary_search_by_key(&id, |was| was.id).ok()?;
            all.get(at)
        });
        rate(emitted, was.map(|was| was.emitted))
    };
    let was = before.map(|before| &before.stats);
    BusRates {
        id: bus.id,
        emitted: rate(bus.stats.emitted, was.map(|was| was.emitted)),
        dropped: rate(bus.stats.dropped, was.map(|was| was.dropped)),
        subscriptions: bus.stats.subscriptions.iter().map(subscription).collect(),
        publishers: bus
            .publishers
            .iter()
            .map(|one| publisher(one.id, one.emitted))
            .collect(),
    }
}
