//! Subscriptions that fall behind, and come back: told on a bus of its own.

use std::fmt;
use std::panic::Location;

use super::Bus;
use super::builder::Settings;
use super::core::Core;
use super::subscriber::{Mailbox, Mark};
use super::subscription::Subscription;
use super::traced::tell_backlog;
use crate::error::SubscribeError;
use crate::event::Event;
use crate::sync::{Arc, Ordering};

/// So many of the last are kept, for those who subscribe later with a replay.
const KEPT: usize = 64;

/// A subscription that fell behind, or is back: the payload of [`Bus::backlogs`].
///
/// Its `Display` is a line for people.
///
/// ```
/// use chanbus::Bus;
///
/// let bus: Bus<u32> = Bus::builder().name("shop").build()?;
/// let news = bus.backlogs().subscribe("**")?;
/// let slow = bus.subscription("order.*").name("mailer").capacity(4).high_water(3).subscribe()?;
/// bus.publisher("order.placed")?.emit_batch(0..3)?;
///
/// let told = news.recv()?;
/// let line = told.payload().to_string();
/// assert!(line.starts_with("subscription `mailer` of bus `shop`, made at "));
/// assert!(line.ends_with(": 3 of 4 events wait, at its high-water mark of 3 or above; 0 dropped"));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Backlog {
    /// Whether it fell behind, or is back.
    pub level: BacklogLevel,
    /// The bus's name.
    pub bus: Option<Arc<str>>,
    /// The subscription's number on its bus.
    pub subscription: u64,
    /// The subscription's name.
    pub name: Option<Arc<str>>,
    /// Where in the source it was made.
    pub location: &'static Location<'static>,
    /// How many events wait, a moment after the mark was crossed.
    pub depth: usize,
    /// How many its queue holds.
    pub capacity: usize,
    /// Its high-water mark.
    pub high: usize,
    /// Its low-water mark.
    pub low: usize,
    /// How many events it has lost for want of room so far.
    pub dropped: u64,
}

/// Whether a subscription fell behind, or is back.
///
/// ```
/// # use chanbus::BacklogLevel;
/// assert_eq!(BacklogLevel::High.topic(), "backlog.high");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BacklogLevel {
    /// As many events wait as its high-water mark says, or more: topic `backlog.high`.
    High,
    /// No more wait than its low-water mark says, after more did: topic `backlog.low`.
    Low,
}

impl BacklogLevel {
    /// The topic on [`Bus::backlogs`].
    ///
    /// ```
    /// # use chanbus::BacklogLevel;
    /// assert_eq!(BacklogLevel::Low.topic(), "backlog.low");
    /// ```
    #[must_use]
    pub const fn topic(self) -> &'static str {
        match self {
            BacklogLevel::High => "backlog.high",
            BacklogLevel::Low => "backlog.low",
        }
    }
}

impl fmt::Display for Backlog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "subscription `{name}`")?,
            None => write!(f, "subscription {}", self.subscription)?,
        }
        if let Some(bus) = &self.bus {
            write!(f, " of bus `{bus}`")?;
        }
        let (depth, capacity, dropped) = (self.depth, self.capacity, self.dropped);
        write!(
            f,
            ", made at {}: {depth} of {capacity} events wait, ",
            self.location
        )?;
        match self.level {
            BacklogLevel::High => write!(f, "at its high-water mark of {} or above", self.high),
            BacklogLevel::Low => write!(f, "back at its low-water mark of {} or below", self.low),
        }?;
        write!(f, "; {dropped} dropped")
    }
}

impl<T: Send + Sync + 'static> Bus<T> {
    /// The bus on which it is told that a subscription with a [high-water
    /// mark](crate::SubscriptionBuilder::high_water) has fallen behind (topic `backlog.high`), and that it is back
    /// (`backlog.low`).
    ///
    /// The last 64 are kept for a [replay](crate::SubscriptionBuilder::replay). It is lent: it closes when
    /// the bus that lends it and all its subscriptions are gone. What is told comes from the thread that crossed the
    /// mark: an emitter's, after its event is in all queues, or a consumer's; filters and taps of this bus run
    /// there. Like any bus it is never waited for. So that no thread tells for ever, what comes and goes while one crossing
    /// is told is not told: the next that is told says how it is then.
    ///
    /// Each bus has its own: what falls behind on a [derived](Bus::derive) bus is told on that one's.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let news = bus.backlogs().subscribe("**")?;
    /// std::thread::spawn(move || {
    ///     for told in &news {
    ///         eprintln!("{}", told.payload());
    ///     }
    /// });
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn backlogs(&self) -> &Bus<Backlog> {
        self.core().backlogs()
    }
}

/// A bus for what is told of another.
pub(super) fn bus(of: &Settings) -> Bus<Backlog> {
    let name = match &of.name {
        Some(name) => format!("{name}.backlogs"),
        None => "backlogs".to_owned(),
    };
    // Told in the midst of anything, so however long the chain of causes there is.
    let bus = Bus::builder()
        .name(name)
        .history(KEPT)
        .max_chain(usize::MAX);
    // Its settings are constants that are in range.
    bus.build().unwrap_or_default()
}

/// The marks of a subscription in the making.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks {
    pub(super) high: usize,
    pub(super) low: Option<usize>,
}

impl<T: Send + Sync + 'static> Subscription<T> {
    /// Holds what waits against the mark, where takes do not: see
    /// [`look_at_marks_by_hand`](crate::SubscriptionBuilder::look_at_marks_by_hand). Runs the user's code.
    pub(crate) fn look_at_marks(&self) {
        self.member().mailbox.see_mark();
    }
}

impl Marks {
    fn low(self) -> usize {
        self.low.unwrap_or(self.high / 2)
    }

    pub(super) fn check(self, capacity: usize) -> Result<(), SubscribeError> {
        let Marks { high, low } = self;
        match low {
            Some(low) if low >= high => Err(SubscribeError::BadLowWater { low, high }),
            _ if !(1..=capacity).contains(&high) => {
                Err(SubscribeError::BadHighWater { high, capacity })
            }
            _ => Ok(()),
        }
    }

    /// Puts them on a mailbox, so that this bus tells of it.
    pub(super) fn on<T: Send + Sync + 'static>(
        self,
        mailbox: Mailbox<Event<T>>,
        core: &Core<T>,
        (subscription, name, location): (u64, &Option<Arc<str>>, &'static Location<'static>),
        by_hand: bool,
    ) -> Mailbox<Event<T>> {
        let (high, low) = (self.high, self.low());
        let losses = Arc::clone(mailbox.losses());
        let told = Backlog {
            level: BacklogLevel::High,
            bus: core.settings.name.clone(),
            subscription,
            name: name.clone(),
            location,
            depth: 0,
            capacity: mailbox.capacity(),
            high,
            low,
            dropped: 0,
        };
        // Weak: a route may keep the mailbox longer than the bus, which ends when it does.
        let bus = core.backlogs().downgrade();
        let on_panic = core.settings.on_panic.clone();
        let tell = move |above: bool, depth: usize| {
            let Some(bus) = bus.upgrade() else { return };
            let mut told = told.clone();
            told.level = match above {
                true => BacklogLevel::High,
                false => BacklogLevel::Low,
            };
            told.depth = depth;
            // Relaxed: a statistic.
            told.dropped = losses.dropped.load(Ordering::Relaxed);
            tell_backlog(&told, on_panic.as_ref());
            // It is closed by those to whom it is lent, or not at all.
            let _ = bus.emit(told.level.topic(), told);
        };
        let mark = Mark::new(high, low, Box::new(tell));
        mailbox.with_mark(match by_hand {
            true => mark.by_hand(),
            false => mark,
        })
    }
}
