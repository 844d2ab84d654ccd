//! A bus as those see it who look from outside, whatever its payload: nothing here is on the way of an event.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use super::Bus;
use super::core::Core;
use super::listeners::TapKind;
use super::panics::{PanicPlace, shield};
use super::role::Consumer;
use super::routing::Table;
use super::stats::{BusStats, Span};
use crate::pattern::{Pattern, Syntax};
use crate::sync::Arc;
use crate::topic::Topic;

/// The numbers of one [`Publisher`](crate::Publisher); made by [`BusView::publishers`].
///
/// ```
/// # use chanbus::Bus;
/// let bus = Bus::new();
/// let ticks = bus.publisher("tick")?;
/// ticks.emit_batch([1, 2])?;
/// let publishers = bus.view().publishers();
/// assert_eq!((publishers[0].topic.as_str(), publishers[0].emitted), ("tick", 2));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublisherStats {
    /// Its number on its bus. A clone has one of its own.
    pub id: u64,
    /// What it emits on.
    pub topic: Topic,
    /// Where in the source it was made; a clone has the place of the first.
    pub location: &'static Location<'static>,
    /// How many events it has emitted, ever: a [`reset`](Bus::reset) leaves that as it is.
    pub emitted: u64,
}

/// Where a tap leads to; part of [`TapStats`].
///
/// ```
/// # use chanbus::{Bus, TapTarget};
/// let (bus, other) = (Bus::<u32>::new(), Bus::new());
/// let _pipe = bus.pipe_to(&other, "**")?;
/// assert_eq!(bus.view().taps()[0].target, TapTarget::Pipe { to: other.view().id() });
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TapTarget {
    /// Code of the program is called: [`Bus::tap`].
    Callback,
    /// Events are passed on to a bus that is there anyway: [`Bus::pipe_to`], [`Bus::pass_on`].
    Pipe {
        /// The [number](BusView::id) of that bus.
        to: u64,
    },
    /// Events are passed on to a bus that is made of this one: [`Bus::derive`] and its kin.
    Derived {
        /// The [number](BusView::id) of that bus.
        to: u64,
    },
}

impl TapTarget {
    /// The number of the bus that it leads to.
    ///
    /// ```
    /// assert_eq!(chanbus::TapTarget::Callback.bus(), None);
    /// ```
    #[must_use]
    pub fn bus(self) -> Option<u64> {
        match self {
            TapTarget::Callback => None,
            TapTarget::Pipe { to } | TapTarget::Derived { to } => Some(to),
        }
    }
}

/// One tap, pipe or derived bus that a bus feeds; made by [`BusView::taps`].
///
/// ```
/// # use chanbus::Bus;
/// let bus: Bus<u32> = Bus::new();
/// let _guard = bus.tap("audit.**", |_| {})?;
/// assert_eq!(bus.view().taps()[0].patterns[0].as_str(), "audit.**");
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TapStats {
    /// Its number on its bus.
    pub id: u64,
    /// Where in the source it was made.
    pub location: &'static Location<'static>,
    /// Which events it takes.
    pub patterns: Vec<Pattern>,
    /// Where it leads to.
    pub target: TapTarget,
}

/// A topic that a bus knows, and who would hear an event on it now; part of [`KnownTopics`].
///
/// ```
/// # use chanbus::Bus;
/// let bus = Bus::new();
/// bus.emit("nobody.listens", 1)?;
/// let topics = bus.view().topics().topics;
/// assert_eq!((topics[0].topic.as_str(), topics[0].subscriptions, topics[0].taps), ("nobody.listens", 0, 0));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TopicStats {
    /// The topic.
    pub topic: Topic,
    /// How many subscriptions have a pattern that matches it.
    pub subscriptions: usize,
    /// How many taps, pipes and derived buses have one.
    pub taps: usize,
    /// Whether its latest event is [retained](Bus::retained).
    pub retained: bool,
}

/// The topics that a bus knows; made by [`BusView::topics`].
///
/// ```
/// # use chanbus::Bus;
/// let bus = Bus::builder().observe_topics(1_000).build()?;
/// bus.emit("a", 1)?;
/// let _sub = bus.subscribe("b")?;
/// let known = bus.view().topics();
/// assert_eq!((known.topics.len(), known.observed, known.full), (1, Some(1_000), false));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct KnownTopics {
    /// The topics, by name.
    pub topics: Vec<TopicStats>,
    /// How many topics the bus was [asked to remember](crate::BusBuilder::observe_topics) since it was made. `None`: it
    /// was not asked, and these are the ones of emits and new publishers since subscriptions last changed.
    pub observed: Option<usize>,
    /// There may be more, for which there was no room.
    pub full: bool,
}

/// A bus seen from outside, whatever its payload: for monitors, and for those who follow the way of events from
/// bus to bus. Made by [`Bus::view`]; a clone is a view of the same bus.
///
/// It does not keep the bus open. What it says is of this moment, takes a lock that changes of subscriptions take
/// too, and holds up no emit. (With [`observe_topics`](crate::BusBuilder::observe_topics) the first emit on a topic takes
/// the lock of the topics, which [`topics`](BusView::topics) holds for no longer than a copy of 64 of them takes.)
///
/// ```
/// use chanbus::Bus;
///
/// let (numbers, names) = (Bus::<u32>::new(), Bus::<String>::new());
/// let views = [numbers.view(), names.view()];
/// numbers.emit("n", 7)?;
/// let emitted: Vec<u64> = views.iter().map(|view| view.stats().emitted).collect();
/// assert_eq!(emitted, [1, 0]);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Clone)]
pub struct BusView(Arc<dyn Visible>);

/// What can be asked of a bus without its type.
pub(super) trait Visible: Send + Sync {
    fn number(&self) -> u64;
    fn payload_type(&self) -> &'static str;
    fn location(&self) -> &'static Location<'static>;
    fn age(&self) -> Duration;
    fn syntax(&self) -> Syntax;
    fn stats(&self) -> BusStats;
    fn publishers(&self) -> Vec<PublisherStats>;
    fn taps(&self) -> Vec<TapStats>;
    fn fed(&self) -> Vec<BusView>;
    fn topics(&self) -> KnownTopics;
    fn consumers(&self) -> Vec<(u64, Vec<Consumer>)>;
}

/// The most topics that are told where the bus was not asked to remember any.
const TOLD: usize = 1_024;

impl BusView {
    /// A number that no other bus of this process has.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// assert_eq!(bus.view().id(), bus.clone().view().id());
    /// assert_ne!(bus.view().id(), Bus::<u32>::new().view().id());
    /// ```
    #[must_use]
    pub fn id(&self) -> u64 {
        self.0.number()
    }

    /// The name of its payload's type, as [`std::any::type_name`] has it.
    ///
    /// ```
    /// assert_eq!(chanbus::Bus::<u32>::new().view().payload_type(), "u32");
    /// ```
    #[must_use]
    pub fn payload_type(&self) -> &'static str {
        self.0.payload_type()
    }

    /// Where in the source the bus was made; of a derived one, where it was derived.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new(); let line = line!();
    /// assert_eq!(bus.view().location().line(), line);
    /// ```
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        self.0.location()
    }

    /// How long ago the bus was made.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let view = Bus::<u32>::new().view();
    /// assert!(view.age() <= view.age());
    /// ```
    #[must_use]
    pub fn age(&self) -> Duration {
        self.0.age()
    }

    /// How it reads patterns that are given as text.
    ///
    /// ```
    /// # use chanbus::{Bus, Syntax};
    /// assert_eq!(Bus::<u32>::new().view().syntax(), Syntax::Segmented);
    /// ```
    #[must_use]
    pub fn syntax(&self) -> Syntax {
        self.0.syntax()
    }

    /// [`Bus::stats`].
    ///
    /// ```
    /// # use chanbus::Bus;
    /// assert_eq!(Bus::<u32>::new().view().stats().emitted, 0);
    /// ```
    #[must_use]
    pub fn stats(&self) -> BusStats {
        self.0.stats()
    }

    /// The publishers that there are, oldest first.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let ticks = bus.publisher("tick")?;
    /// let more = ticks.clone();
    /// assert_eq!(bus.view().publishers().len(), 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn publishers(&self) -> Vec<PublisherStats> {
        self.0.publishers()
    }

    /// The taps that there are, oldest first, pipes and derived buses included.
    ///
    /// ```
    /// # use chanbus::{Bus, TapTarget};
    /// let bus: Bus<u32> = Bus::new();
    /// let even = bus.filtered(|event| event.payload() % 2 == 0);
    /// assert_eq!(bus.view().taps()[0].target, TapTarget::Derived { to: even.view().id() });
    /// ```
    #[must_use]
    pub fn taps(&self) -> Vec<TapStats> {
        self.0.taps()
    }

    /// The buses that this one passes events on to, each once.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let texts = bus.mapped(|event| event.map_payload(u32::to_string));
    /// let _sub = texts.subscribe("a")?;
    /// let fed = bus.view().feeds();
    /// assert_eq!(fed[0].payload_type(), "alloc::string::String");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn feeds(&self) -> Vec<BusView> {
        self.0.fed()
    }

    /// The topics that it knows, at most 1,024 unless it was asked to remember more: see [`KnownTopics`].
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// bus.emit("a", 1)?;
    /// assert_eq!(bus.view().topics().topics[0].topic, "a");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn topics(&self) -> KnownTopics {
        self.0.topics()
    }

    /// Who takes from its open subscriptions in the name of others, by the number of the subscription. A panic of who
    /// [says so](crate::SubscriptionBuilder::served_by) is caught and reported, and leaves that subscription out.
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Handlers};
    /// let (bus, handlers) = (Bus::<u32>::new(), Handlers::new());
    /// handlers.on("a").call(|_| {})?;
    /// let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
    /// assert_eq!(bus.view().consumers()[0].1.len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn consumers(&self) -> Vec<(u64, Vec<Consumer>)> {
        self.0.consumers()
    }
}

impl<T: Send + Sync + 'static> Bus<T> {
    /// The bus as it is seen from outside, whatever its payload.
    ///
    /// ```
    /// # use chanbus::{Bus, BusView};
    /// let views: Vec<BusView> = vec![Bus::<u32>::new().view(), Bus::<String>::new().view()];
    /// ```
    #[must_use]
    pub fn view(&self) -> BusView {
        let core = Arc::clone(self.core());
        BusView(core)
    }
}

impl fmt::Debug for BusView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BusView")
            .field("id", &self.id())
            .field("payload_type", &self.payload_type())
            .finish_non_exhaustive()
    }
}

impl<T: Send + Sync + 'static> Visible for Core<T> {
    fn number(&self) -> u64 {
        Core::number(self)
    }

    fn payload_type(&self) -> &'static str {
        std::any::type_name::<T>()
    }

    fn location(&self) -> &'static Location<'static> {
        self.settings.location
    }

    fn age(&self) -> Duration {
        self.born.elapsed()
    }

    fn syntax(&self) -> Syntax {
        self.settings.syntax
    }

    fn stats(&self) -> BusStats {
        self.counted(Span::SinceReset)
    }

    fn publishers(&self) -> Vec<PublisherStats> {
        let mut publishers = self.registry.frozen(|_, ledger| ledger.publishers());
        publishers.sort_unstable_by_key(|publisher| publisher.id);
        publishers
    }

    fn taps(&self) -> Vec<TapStats> {
        let version = self.registry.load();
        let taps = version.content.taps().into_iter();
        taps.map(|seat| TapStats {
            id: seat.listener.id,
            location: seat.listener.location,
            patterns: seat.patterns.to_vec(),
            target: match &seat.listener.kind {
                TapKind::Call(_) => TapTarget::Callback,
                TapKind::Pass(_, there) if there.derived => TapTarget::Derived { to: there.number },
                TapKind::Pass(_, there) => TapTarget::Pipe { to: there.number },
            },
        })
        .collect()
    }

    fn fed(&self) -> Vec<BusView> {
        let version = self.registry.load();
        let mut numbers = Vec::new();
        let mut views = Vec::new();
        for seat in version.content.taps() {
            if let TapKind::Pass(_, there) = &seat.listener.kind
                && !numbers.contains(&there.number)
                && let Some(bus) = there.bus.upgrade()
            {
                numbers.push(there.number);
                views.push(BusView(bus));
            }
        }
        views
    }

    fn topics(&self) -> KnownTopics {
        let version = self.registry.load();
        let table = &version.content;
        let stats = |topic: Topic| table.topic_stats(topic);
        let (topics, observed, full) = match &table.observed {
            Some(observed) => {
                let (topics, full) = observed.known();
                (topics, Some(observed.limit()), full)
            }
            None => {
                let topics = self.registry.known_topics(&version, TOLD);
                let full = topics.len() >= TOLD;
                (topics, None, full)
            }
        };
        let mut topics: Vec<TopicStats> = topics.into_iter().map(stats).collect();
        topics.sort_unstable_by(|one, other| one.topic.as_str().cmp(other.topic.as_str()));
        topics.dedup_by(|one, other| one.topic == other.topic);
        KnownTopics {
            topics,
            observed,
            full,
        }
    }

    fn consumers(&self) -> Vec<(u64, Vec<Consumer>)> {
        let version = self.registry.load();
        let members: Vec<_> = version.content.members().into_iter().collect();
        let members = members.into_iter().map(|seat| Arc::clone(&seat.listener));
        let members: Vec<_> = members
            .filter(|member| member.served_by.is_some())
            .collect();
        // No snapshot is held while the program's code runs.
        drop(version);
        let asked = members.into_iter().filter_map(|member| {
            let ask = || member.served_by.as_ref()?.with(|ask| ask());
            let place = PanicPlace::Consumers;
            let told = shield(self.on_panic(), place, None, Some(&*member), ask).flatten();
            Some((member.id, told?))
        });
        asked.collect()
    }
}

impl<T> Table<T> {
    fn topic_stats(&self, topic: Topic) -> TopicStats {
        let (subscriptions, taps, retained) = self.counts_of(&topic);
        TopicStats {
            topic,
            subscriptions,
            taps,
            retained,
        }
    }
}
