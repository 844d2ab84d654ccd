//! A bus with all that is attached to it, as a plain value.
//!
//! Two of them make rates (`rates.rs`). It is shown as a table for people (`tree.rs`), as a graph (`dot.rs`) and as JSON
//! (`json.rs`).

mod dot;
#[cfg(feature = "json")]
mod json;
mod rates;
mod tree;

use std::collections::{HashSet, VecDeque};
use std::panic::Location;
use std::time::Duration;

use crate::bus::{
    Bus, BusStats, BusView, KnownTopics, PublisherStats, SubscriptionStats, TapStats,
};
use crate::pattern::Syntax;

use rates::rates_of;
pub(super) use rates::taken;
pub use rates::{BusRates, Rates, SubscriptionRates};

/// A bus and all that is attached to it at one moment: publishers, topics, subscriptions with their patterns, depths
/// and drops, handlers behind dispatchers, and the buses that it passes events on to, with the same of theirs. Made by
/// [`Bus::topology`].
///
/// It is a plain value: nothing of the bus is held. Its `Display` is for people, [`to_dot`](Topology::to_dot) for
/// Graphviz, `to_json` (feature `json`) for programs; [`explain`](Topology::explain) and [`lint`](Topology::lint) answer
/// the questions that one usually has.
///
/// ```
/// use chanbus::Bus;
///
/// let bus = Bus::builder().name("ui").build()?;
/// let _panel = bus.subscription("scan.*").name("panel").capacity(1).subscribe()?;
/// bus.publisher("scan.started")?.emit_batch([1, 2, 3])?;
///
/// let topology = bus.topology();
/// let panel = topology.subscription("panel").unwrap();
/// assert_eq!((panel.depth, panel.dropped), (1, 2));
/// println!("{topology}");
/// # Ok::<(), chanbus::Error>(())
/// ```
///
/// # Rates
///
/// Counts become rates by comparison: of two topologies of one bus, the [later since the earlier](Topology::since).
///
/// # What is exact
///
/// Each number is; but they are read one after the other while events flow, so that sums of different ones may differ
/// by what flowed meanwhile. Of topics it has those that the bus [knows](KnownTopics), and the counts of publishers are
/// the only ones by topic. A bus knows where it leads to, not what leads to it: begin at the first.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Topology {
    /// When it was taken: how long ago the first bus was made, by the monotonic clock.
    pub at: Duration,
    /// The bus that was asked, then those that it passes events on to, then those beyond; each once.
    pub buses: Vec<BusNode>,
    /// What happened [since](Topology::since) an earlier one.
    pub rates: Option<Rates>,
}

/// One bus of a [`Topology`].
///
/// ```
/// # use chanbus::Bus;
/// let bus: Bus<u32> = Bus::new(); let line = line!();
/// let node = &bus.topology().buses[0];
/// assert_eq!((node.payload_type, node.location.line()), ("u32", line));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BusNode {
    /// Its [number](BusView::id).
    pub id: u64,
    /// The type of its payload.
    pub payload_type: &'static str,
    /// Where in the source it was made.
    pub location: &'static Location<'static>,
    /// How it reads patterns that are given as text.
    pub syntax: Syntax,
    /// Its numbers and its subscriptions, each with those who [take from it](SubscriptionStats::consumers).
    pub stats: BusStats,
    /// Its publishers, oldest first.
    pub publishers: Vec<PublisherStats>,
    /// Its taps, oldest first, with pipes and derived buses.
    pub taps: Vec<TapStats>,
    /// The topics that it knows.
    pub topics: KnownTopics,
}

impl Topology {
    /// That of a bus whose payload is not known.
    ///
    /// ```
    /// # use chanbus::{Bus, Topology};
    /// let bus: Bus<u32> = Bus::new();
    /// assert_eq!(Topology::of(&bus.view()).buses[0].id, bus.view().id());
    /// ```
    #[must_use]
    pub fn of(bus: &BusView) -> Self {
        let mut seen = HashSet::from([bus.id()]);
        let mut next = VecDeque::from([bus.clone()]);
        let mut buses = Vec::new();
        while let Some(bus) = next.pop_front() {
            buses.push(BusNode::of(&bus));
            let feeds = bus.feeds().into_iter();
            next.extend(feeds.filter(|bus| seen.insert(bus.id())));
        }
        Topology {
            at: bus.age(),
            buses,
            rates: None,
        }
    }

    /// This one, with the rates since an earlier one of the same bus; without, if it is of another bus, or not earlier.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let before = bus.topology();
    /// bus.publisher("tick")?.emit_batch([1, 2, 3])?;
    /// std::thread::sleep(std::time::Duration::from_millis(1));
    ///
    /// let now = bus.topology().since(&before);
    /// let rates = now.rates.as_ref().unwrap();
    /// let per_second = 3.0 / rates.elapsed.as_secs_f64();
    /// assert!((rates.buses[0].emitted - per_second).abs() < 0.001);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn since(mut self, earlier: &Topology) -> Self {
        self.rates = rates_of(&self, earlier);
        self
    }

    /// The subscription of that name, of whichever bus; the first, if there are several.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let _sub = bus.subscription("a").name("panel").subscribe()?;
    /// assert!(bus.topology().subscription("panel").is_some());
    /// assert!(bus.topology().subscription("pannel").is_none());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn subscription(&self, name: &str) -> Option<&SubscriptionStats> {
        let mut all = self.buses.iter().flat_map(|bus| &bus.stats.subscriptions);
        all.find(|sub| sub.name.as_deref() == Some(name))
    }

    /// The bus of that number.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// assert!(bus.topology().bus(bus.view().id()).is_some());
    /// ```
    #[must_use]
    pub fn bus(&self, id: u64) -> Option<&BusNode> {
        self.buses.iter().find(|bus| bus.id == id)
    }
}

impl BusNode {
    fn of(bus: &BusView) -> Self {
        let mut stats = bus.stats();
        // Open subscriptions come and go meanwhile; what is told of one that has gone is told of nobody.
        for (id, consumers) in bus.consumers() {
            let mut subs = stats.subscriptions.iter_mut();
            if let Some(sub) = subs.find(|sub| sub.id == id) {
                sub.consumers = consumers;
            }
        }
        BusNode {
            id: bus.id(),
            payload_type: bus.payload_type(),
            location: bus.location(),
            syntax: bus.syntax(),
            stats,
            publishers: bus.publishers(),
            taps: bus.taps(),
            topics: bus.topics(),
        }
    }
}

impl<T: Send + Sync + 'static> Bus<T> {
    /// The bus and all that is attached to it, now, down to the buses that are fed by it: as a value, a table, a
    /// graph or JSON. See [`Topology`].
    ///
    /// No emit waits for it; changes of subscriptions do, for a moment (and, with
    /// [`observe_topics`](crate::BusBuilder::observe_topics), the first emit on a topic, for a shorter one). It costs what there is to tell: 2 µs
    /// for 10 subscriptions, 0.2 ms for 1,000 (`docs/performance.md`).
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let even = bus.filtered(|event| event.payload() % 2 == 0);
    /// let _sub = even.subscription("n").name("even").subscribe()?;
    /// bus.emit("n", 1)?;
    /// let topology = bus.topology();
    /// assert_eq!(topology.buses.len(), 2);
    /// assert_eq!(topology.buses[1].stats.left_out, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn topology(&self) -> Topology {
        Topology::of(&self.view())
    }
}
