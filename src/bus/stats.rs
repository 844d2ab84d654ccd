//! What can be seen of a bus from outside, in numbers.

use std::fmt;
use std::panic::Location;

use super::Bus;
use super::core::Core;
use super::ledger::Counts;
use super::listeners::{Member, Seat};
use super::overflow::Overflow;
use super::role::{Consumer, Role};
use crate::pattern::Pattern;
use crate::stats_reader::StatsReader;
use crate::sync::{Arc, Ordering};

/// The numbers of a bus at one moment; made by [`Bus::stats`].
///
/// The sums cover every subscription since the bus was made or [`reset`](Bus::reset), also those
/// that are closed or gone. Once publishers are joined they add up:
/// `matched = received + dropped + filtered + conflated`. Its `Display` is a table, in which a subscription
/// without a name has the place where it was made.
///
/// ```
/// use chanbus::Bus;
///
/// let bus = Bus::builder().name("ui").build()?;
/// let _sub = bus.subscription("a").name("panel").capacity(1).subscribe()?;
/// bus.publisher("a")?.emit_batch([1, 2, 3])?;
/// let stats = bus.stats();
/// assert_eq!((stats.emitted, stats.received, stats.dropped), (3, 1, 2));
/// assert_eq!(stats.subscriptions[0].name.as_deref(), Some("panel"));
/// println!("{stats}");
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BusStats {
    /// The bus's name.
    pub name: Option<Arc<str>>,
    /// Whether it is closed.
    pub closed: bool,
    /// How many events were emitted, also those that nobody matched.
    pub emitted: u64,
    /// How many events subscriptions accepted and did not lose since.
    pub received: u64,
    /// How many were refused for want of room, or pushed out.
    pub dropped: u64,
    /// How many were rejected by filters.
    pub filtered: u64,
    /// How many were replaced by newer ones of their topic.
    pub conflated: u64,
    /// How many times a filter panicked, or what a derived bus filters or maps by.
    pub filter_panics: u64,
    /// How many events other buses did not pass on to it, as a predicate or a mapping left them out.
    pub left_out: u64,
    /// How many events other buses did not pass on to it, as it had them before, or is on their way.
    pub repeated: u64,
    /// How many events other buses passed on that it did not take: it was closed, or they had come by too
    /// many buses, or of too long a chain of causes.
    pub refused: u64,
    /// How many events wait in the queues of subscriptions.
    pub depth: usize,
    /// How many subscriptions are open.
    pub subscribers: usize,
    /// How many may be open.
    pub max_subscribers: usize,
    /// How many taps there are, derived buses and pipes that it feeds included.
    pub taps: usize,
    /// How many publishers there are.
    pub publishers: usize,
    /// How many events the history holds.
    pub history: usize,
    /// How many events are [retained](Bus::retained) as the latest of their topic, over all who asked for it.
    pub retained: usize,
    /// The subscriptions that are held, oldest first: the open ones, and those that were closed and not
    /// dropped yet. A thread that owns its subscription drops it when its loop ends: to see its row after
    /// that, keep a handle of it, made by [`share`](crate::Subscription::share).
    pub subscriptions: Vec<SubscriptionStats>,
}

/// The numbers of one subscription at one moment; part of [`BusStats`].
///
/// ```
/// # use chanbus::Bus;
/// let bus = Bus::new();
/// let _sub = bus.subscription("a").name("panel").subscribe()?;
/// bus.emit("a", 1)?;
/// let stats = &bus.stats().subscriptions[0];
/// assert_eq!((stats.depth, stats.received), (1, 1));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SubscriptionStats {
    /// Its number on its bus.
    pub id: u64,
    /// Its name.
    pub name: Option<Arc<str>>,
    /// Where in the source it was made: where [`subscribe`](Bus::subscribe), or what stands on that, was called.
    pub location: &'static Location<'static>,
    /// What it is for.
    pub role: Role,
    /// What it asks for, or asked for when it was closed.
    pub patterns: Vec<Pattern>,
    /// Whether it has a filter of its own.
    pub has_filter: bool,
    /// Whether it was closed.
    pub closed: bool,
    /// How many events its queue holds at most.
    pub capacity: usize,
    /// What it does when full.
    pub overflow: Overflow,
    /// How many events wait.
    pub depth: usize,
    /// Its [high-water mark](crate::SubscriptionBuilder::high_water), if it has one.
    pub high_water: Option<usize>,
    /// Whether it has come to that mark, and is not back at its low one.
    pub behind: bool,
    /// How many events it accepted and did not lose since.
    pub received: u64,
    /// How many were refused for want of room, or pushed out.
    pub dropped: u64,
    /// How many its filter rejected.
    pub filtered: u64,
    /// How many were replaced by newer ones of their topic.
    pub conflated: u64,
    /// How many times its filter panicked.
    pub filter_panics: u64,
    /// Who takes from it in the name of others, such as the handlers behind a dispatcher. Only
    /// [`topology`](Bus::topology) asks for that; here it is empty.
    pub consumers: Vec<Consumer>,
}

impl BusStats {
    /// How many times an event matched a subscription.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// assert_eq!(bus.stats().matched(), 0);
    /// ```
    #[must_use]
    pub fn matched(&self) -> u64 {
        self.received + self.dropped + self.filtered + self.conflated
    }
}

impl SubscriptionStats {
    /// How many events matched its patterns.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let _sub = bus.subscribe("a")?;
    /// bus.emit("a", 1)?;
    /// assert_eq!(bus.stats().subscriptions[0].matched(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn matched(&self) -> u64 {
        self.received + self.dropped + self.filtered + self.conflated
    }

    pub(super) fn of<T>(seat: &Seat<Member<T>>) -> Self {
        let member = &seat.listener;
        let losses = member.mailbox.losses();
        SubscriptionStats {
            id: member.id,
            name: member.name.clone(),
            location: member.location,
            role: member.role,
            has_filter: member.filter.is_some(),
            consumers: Vec::new(),
            patterns: seat.patterns.to_vec(),
            closed: member.mailbox.is_closed(),
            capacity: member.mailbox.capacity(),
            overflow: member.mailbox.overflow(),
            depth: member.mailbox.len(),
            high_water: member.mailbox.high_water(),
            behind: member.mailbox.is_behind(),
            received: member.mailbox.received(),
            // Relaxed: statistics; who joined the publishers sees all that they counted.
            dropped: losses.dropped.load(Ordering::Relaxed),
            filtered: losses.filtered.load(Ordering::Relaxed),
            conflated: losses.conflated.load(Ordering::Relaxed),
            filter_panics: losses.filter_panics.load(Ordering::Relaxed),
        }
    }
}

impl<T: Send + Sync + 'static> Bus<T> {
    /// Its numbers now. Emits do not wait for this; new subscriptions do, for a moment.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// bus.emit("nobody.listens", 1)?;
    /// assert_eq!(bus.stats().emitted, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> BusStats {
        self.core().counted(Span::SinceReset)
    }

    /// Reads its numbers without keeping it open, also when it has closed.
    ///
    /// Its sums are those of the bus's whole life, where [`stats`](Bus::stats) begins anew at a
    /// [`reset`](Bus::reset): they never go down but for what is on its way. A publisher that emits
    /// meanwhile, or a consumer between taking an event and counting it, may be missing in one reading, and
    /// is in a later one.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let reader = bus.stats_reader();
    /// bus.emit("a", 1)?;
    /// bus.reset();
    /// bus.emit("a", 2)?;
    /// assert_eq!(bus.stats().emitted, 1);
    /// assert_eq!(reader.read().unwrap().emitted, 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn stats_reader(&self) -> StatsReader<BusStats> {
        let core = Arc::clone(self.core());
        StatsReader::new(move || Some(core.counted(Span::Ever)))
    }
}

/// From when on to count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    SinceReset,
    Ever,
}

impl<T> Core<T> {
    pub(super) fn counted(&self, span: Span) -> BusStats {
        let core = self;
        let ever = span == Span::Ever;
        let fed = core
            .was_fed()
            .map(|fed| if ever { fed.sums_ever() } else { fed.sums() })
            .unwrap_or_default();
        let (history, retained) = core.past.lens();
        core.registry.frozen(|table, ledger| {
            let mut departed = ledger.departed();
            if ever {
                departed.add(&ledger.before());
            }
            let unbound = core.unbound.sum();
            let Counts {
                mut received,
                mut dropped,
                mut filtered,
                mut conflated,
                mut filter_panics,
            } = departed;
            let open = table.members().into_iter().map(SubscriptionStats::of);
            let closed = ledger.leaving();
            let mut subscriptions: Vec<_> = open
                .chain(closed.map(|seat| SubscriptionStats::of(&seat)))
                .collect();
            subscriptions.sort_unstable_by_key(|stats| stats.id);
            for stats in &subscriptions {
                received += stats.received;
                dropped += stats.dropped;
                filtered += stats.filtered;
                conflated += stats.conflated;
                filter_panics += stats.filter_panics;
            }
            BusStats {
                name: core.settings.name.clone(),
                closed: table.closed,
                emitted: if ever {
                    ledger.emitted_ever(unbound)
                } else {
                    ledger.emitted(unbound)
                },
                received,
                dropped,
                filtered,
                conflated,
                filter_panics: filter_panics + fed.panics,
                left_out: fed.left_out,
                repeated: fed.repeated,
                refused: fed.refused,
                depth: subscriptions.iter().map(|stats| stats.depth).sum(),
                subscribers: table.member_count(),
                max_subscribers: core.settings.max_subscribers,
                taps: table.tap_count(),
                publishers: ledger.publisher_count(),
                history,
                retained,
                subscriptions,
            }
        })
    }
}

impl fmt::Display for BusStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "bus {}: {} emitted, {} matched = {} received + {} dropped + {} filtered + {} conflated",
            self.name.as_deref().unwrap_or("(unnamed)"),
            self.emitted,
            self.matched(),
            self.received,
            self.dropped,
            self.filtered,
            self.conflated,
        )?;
        if self.left_out + self.repeated + self.refused > 0 {
            writeln!(
                f,
                "from other buses: {} left out, {} repeated, {} refused",
                self.left_out, self.repeated, self.refused,
            )?;
        }
        if self.subscriptions.is_empty() {
            return write!(f, "no subscription");
        }
        write!(
            f,
            "{:<16} {:>11} {:>11} {:>11} {:>9} {:>9} {:>9}  patterns",
            "subscription", "depth", "matched", "received", "dropped", "filtered", "conflated"
        )?;
        for stats in &self.subscriptions {
            let name = match &stats.name {
                Some(name) => name.to_string(),
                None => format!("#{}", stats.id),
            };
            let patterns: Vec<&str> = stats.patterns.iter().map(Pattern::as_str).collect();
            let closed = if stats.closed { " (closed)" } else { "" };
            let place = match &stats.name {
                Some(_) => String::new(),
                None => format!("  at {}:{}", stats.location.file(), stats.location.line()),
            };
            write!(
                f,
                "\n{:<16} {:>11} {:>11} {:>11} {:>9} {:>9} {:>9}  {}{closed}{place}",
                name,
                format!("{}/{}", stats.depth, stats.capacity),
                stats.matched(),
                stats.received,
                stats.dropped,
                stats.filtered,
                stats.conflated,
                patterns.join(" "),
            )?;
        }
        Ok(())
    }
}
