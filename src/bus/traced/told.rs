//! What is told of subscriptions, emits and the bus, where somebody may listen.

use ::tracing::{Level, debug, info, level_enabled, trace, warn};

use super::super::backlog::BacklogLevel;
use super::super::panics::{Owner, PanicPlace, Whose, shield};
use super::panicked::{Last, Panics};
use super::*;
use crate::shield::Thrown;
use crate::sync::AtomicU64;
use crate::sync::Ordering::Relaxed;
use crate::traced::{is_telling, tell};

/// How much of a text that was not checked yet is told.
const LONGEST: usize = 256;

/// What was told of a subscription's losses, and of its panics.
pub(in crate::bus) struct Told {
    /// How many of its drops. Never more than there are, so each is told once.
    dropped: AtomicU64,
    /// When it dropped last.
    last: Last,
    panics: Panics,
}

impl Told {
    pub(in crate::bus) fn of<T>(core: &Core<T>) -> Self {
        Told {
            dropped: AtomicU64::new(0),
            last: Last::new(),
            panics: Panics::of(core),
        }
    }

    pub(in crate::bus) fn panics(&self) -> &Panics {
        &self.panics
    }

    /// How many of so many drops have not been told, which now count as told.
    fn news(&self, dropped: u64) -> u64 {
        // Relaxed throughout: it decides only who tells, and of two the exchange chooses one.
        if self.dropped.load(Relaxed) >= dropped {
            return 0;
        }
        dropped.saturating_sub(self.dropped.fetch_max(dropped, Relaxed))
    }
}

/// Runs what listens; its panic ends here, reported.
pub(super) fn say(
    on_panic: Option<&PanicHook>,
    topic: Option<&Topic>,
    of: Option<&dyn Owner>,
    act: impl FnOnce(),
) {
    if let Err(thrown) = tell(act) {
        report(on_panic, topic, of, thrown);
    }
}

#[cold]
fn report(
    on_panic: Option<&PanicHook>,
    topic: Option<&Topic>,
    of: Option<&dyn Owner>,
    thrown: Thrown,
) {
    shield(on_panic, PanicPlace::Tracing, topic, of, || {
        std::panic::resume_unwind(thrown)
    });
}

fn shortened(text: &str) -> &str {
    match text.char_indices().nth(LONGEST) {
        None => text,
        Some((end, _)) => &text[..end],
    }
}

/// Tells of drops among a route's subscriptions that nobody was told of yet, after an emit that caused
/// some: each drop once, though perhaps together with those of other threads.
#[cold]
pub(in crate::bus) fn tell_losses<T>(
    topic: &Topic,
    route: &Route<T>,
    on_panic: Option<&PanicHook>,
) {
    if !level_enabled!(Level::WARN) || is_telling() {
        return;
    }
    for member in &route.members {
        let mailbox = &member.mailbox;
        // Relaxed: a statistic.
        let sum = mailbox.losses().dropped.load(Relaxed);
        let count = member.told.news(sum);
        if count == 0 {
            continue;
        }
        let teller = &member.told.panics.teller;
        let begins = member.told.last.begins(&teller.clock);
        let (bus, bus_id, name) = (teller.bus.as_deref(), teller.number, member.name.as_deref());
        let place = member.location;
        say(on_panic, Some(topic), Some(&**member), || {
            if begins {
                warn!(
                    target: "chanbus::bus",
                    bus, bus_id, subscription = name, id = member.id, %place, topic = topic.as_str(), dropped = sum,
                    depth = mailbox.len(), capacity = mailbox.capacity(), overflow = ?mailbox.overflow(),
                    "a subscription begins to drop events"
                );
            }
            debug!(
                target: "chanbus::bus",
                bus, bus_id, subscription = name, id = member.id, %place, topic = topic.as_str(), count, dropped = sum,
                "a subscription dropped events"
            );
        });
    }
}

/// A subscription with a high-water mark fell behind, or is back.
#[cold]
pub(in crate::bus) fn tell_backlog(it: &Backlog, on_panic: Option<&PanicHook>) {
    let (bus, name) = (it.bus.as_deref(), it.name.as_deref());
    let place = it.location;
    let whose = Whose {
        subscription: Some(it.subscription),
        name,
        location: Some(place),
        ..Whose::default()
    };
    say(on_panic, None, Some(&whose), || match it.level {
        BacklogLevel::High => warn!(
            target: "chanbus::bus",
            bus, subscription = name, id = it.subscription, depth = it.depth, capacity = it.capacity,
            high = it.high, dropped = it.dropped, %place,
            "a subscription falls behind"
        ),
        BacklogLevel::Low => info!(
            target: "chanbus::bus",
            bus, subscription = name, id = it.subscription, depth = it.depth, capacity = it.capacity,
            low = it.low, dropped = it.dropped, %place,
            "a subscription is back"
        ),
    });
}

impl<T> Core<T> {
    fn say(&self, of: Option<&dyn Owner>, act: impl FnOnce()) {
        say(self.on_panic(), None, of, act);
    }

    /// Its name and number.
    fn called(&self) -> (Option<&str>, u64) {
        (self.settings.name.as_deref(), self.number())
    }

    pub(super) fn tell_of_emit<P>(
        &self,
        topic: &str,
        events: usize,
        result: Result<&Emitted, &EmitError<P>>,
    ) {
        let ((bus, bus_id), topic) = (self.called(), shortened(topic));
        self.say(None, || match result {
            Ok(emitted) => trace!(
                target: "chanbus::bus",
                bus, bus_id, topic, events,
                matched = emitted.matched, delivered = emitted.delivered, dropped = emitted.dropped,
                filtered = emitted.filtered, evicted = emitted.evicted,
                "emitted"
            ),
            Err(error) => {
                let outcome = match error {
                    EmitError::Closed(_) => "closed",
                    EmitError::BadTopic { .. } => "bad topic",
                    EmitError::ChainTooDeep { .. } => "chain too deep",
                    EmitError::WouldBlock { .. } => "would block",
                };
                trace!(target: "chanbus::bus", bus, bus_id, topic, events, outcome, %error, "an emit was refused");
            }
        });
    }

    pub(in crate::bus) fn tell_subscribed(&self, member: &Member<T>, patterns: &[Pattern]) {
        let ((bus, bus_id), name) = (self.called(), member.name.as_deref());
        let place = member.location;
        let mailbox = &member.mailbox;
        self.say(Some(member), || {
            debug!(
                target: "chanbus::bus",
                bus, bus_id, subscription = name, id = member.id, %place, ?patterns, capacity = mailbox.capacity(),
                overflow = ?mailbox.overflow(),
                "subscribed"
            );
        });
    }

    pub(in crate::bus) fn tell_not_subscribed(
        &self,
        name: Option<&str>,
        location: &'static Location<'static>,
        error: &SubscribeError,
    ) {
        let (bus, bus_id) = self.called();
        let place = location;
        let whose = Whose {
            name,
            location: Some(location),
            ..Whose::default()
        };
        self.say(Some(&whose), || {
            debug!(
                target: "chanbus::bus",
                bus, bus_id, subscription = name, %place, %error,
                "a subscription was refused"
            );
        });
    }

    pub(in crate::bus) fn tell_closed(&self, member: &Member<T>) {
        let ((bus, bus_id), name) = (self.called(), member.name.as_deref());
        let place = member.location;
        let depth = member.mailbox.len();
        self.say(Some(member), || {
            debug!(
                target: "chanbus::bus",
                bus, bus_id, subscription = name, id = member.id, %place, depth,
                "a subscription was closed"
            );
        });
    }

    pub(in crate::bus) fn tell_gone(&self, member: &Member<T>) {
        let ((bus, bus_id), name) = (self.called(), member.name.as_deref());
        let place = member.location;
        let losses = member.mailbox.losses();
        self.say(Some(member), || {
            debug!(
                target: "chanbus::bus",
                bus, bus_id, subscription = name, id = member.id, %place, received = member.mailbox.taken(),
                // Relaxed: statistics.
                dropped = losses.dropped.load(Relaxed), filtered = losses.filtered.load(Relaxed),
                conflated = losses.conflated.load(Relaxed),
                "unsubscribed"
            );
        });
    }

    pub(in crate::bus) fn tell_end(&self, subscribers: usize) {
        let (bus, bus_id) = self.called();
        self.say(
            None,
            || debug!(target: "chanbus::bus", bus, bus_id, subscribers, "the bus was closed"),
        );
    }

    pub(in crate::bus) fn tell_reset(&self, subscribers: usize) {
        let (bus, bus_id) = self.called();
        self.say(
            None,
            || debug!(target: "chanbus::bus", bus, bus_id, subscribers, "the bus was reset"),
        );
    }
}
