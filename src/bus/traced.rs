//! What a bus tells `tracing` of itself, target `chanbus::bus`.
//!
//! | Level | What |
//! |---|---|
//! | `WARN` | a subscription begins to drop events, after it had dropped none for ten seconds; one falls behind, by its high-water mark |
//! | `INFO` | that one is back |
//! | `DEBUG` | a subscription dropped events; subscriptions come, close and go; the bus is reset, and closes |
//! | `TRACE` | each emit (or batch), with what became of it |
//!
//! What listens is the user's code, so all of this runs where taps may: after the event is in all queues,
//! under no lock, behind a shield. While nobody listens it costs an emit one relaxed load; without the
//! feature `tracing`, nothing.

use super::backlog::Backlog;
use super::core::Core;
use super::emitted::Emitted;
use super::panics::PanicHook;
use super::routing::{Member, Route};
use crate::error::{EmitError, SubscribeError};
use crate::event::Event;
use crate::pattern::Pattern;
use crate::topic::Topic;

#[cfg(feature = "tracing")]
pub(super) use self::told::{Told, tell_backlog};

/// Whether somebody may listen to emits, so that the slower way is worth while.
#[inline(always)]
pub(super) fn is_on() -> bool {
    #[cfg(feature = "tracing")]
    return ::tracing::level_enabled!(::tracing::Level::TRACE) && is_heard();
    #[cfg(not(feature = "tracing"))]
    return false;
}

/// Whether it is this that somebody listens to, and not something else at the same level. That may be
/// the user's to say, so it is behind the shield, too.
#[cfg(feature = "tracing")]
#[cold]
#[inline(never)]
fn is_heard() -> bool {
    let mut heard = false;
    crate::traced::tell_quietly(|| {
        heard = ::tracing::event_enabled!(target: "chanbus::bus", ::tracing::Level::TRACE);
    });
    heard
}

/// What a batch is told by: its topic, or its first ones.
pub(super) fn topics_of<T>(events: &[Event<T>]) -> String {
    const SOME: usize = 4;
    let mut topics: Vec<&str> = Vec::new();
    for event in events {
        let topic = event.topic().as_str();
        if topics.contains(&topic) {
            continue;
        }
        if topics.len() == SOME {
            return format!("{}, ...", topics.join(", "));
        }
        topics.push(topic);
    }
    topics.join(", ")
}

impl<T> Core<T> {
    /// Emits, and tells what came of it: for when [`is_on`].
    #[cold]
    #[inline(never)]
    pub(super) fn told<P>(
        &self,
        topic: &str,
        events: usize,
        act: impl FnOnce() -> Result<Emitted, EmitError<P>>,
    ) -> Result<Emitted, EmitError<P>> {
        let result = act();
        self.tell_of_emit(topic, events, result.as_ref());
        result
    }
}

/// Nobody can listen.
#[cfg(not(feature = "tracing"))]
mod silent {
    use super::*;

    impl<T> Core<T> {
        #[inline]
        pub(super) fn tell_of_emit<P>(
            &self,
            _: &str,
            _: usize,
            _: Result<&Emitted, &EmitError<P>>,
        ) {
        }
        #[inline]
        pub(in crate::bus) fn tell_subscribed(&self, _: &Member<T>, _: &[Pattern]) {}
        #[inline]
        pub(in crate::bus) fn tell_not_subscribed(&self, _: Option<&str>, _: &SubscribeError) {}
        #[inline]
        pub(in crate::bus) fn tell_closed(&self, _: &Member<T>) {}
        #[inline]
        pub(in crate::bus) fn tell_gone(&self, _: &Member<T>) {}
        #[inline]
        pub(in crate::bus) fn tell_end(&self, _: usize) {}
        #[inline]
        pub(in crate::bus) fn tell_reset(&self, _: usize) {}
    }

    #[inline]
    pub(in crate::bus) fn tell_losses<T>(_: &Topic, _: &Route<T>, _: Option<&PanicHook>) {}
    #[inline]
    pub(in crate::bus) fn tell_backlog(_: &Backlog, _: Option<&PanicHook>) {}
}
#[cfg(not(feature = "tracing"))]
pub(super) use self::silent::{tell_backlog, tell_losses};

#[cfg(feature = "tracing")]
mod told {
    use std::time::Duration;

    use ::tracing::{Level, debug, info, level_enabled, trace, warn};

    use super::super::backlog::BacklogLevel;
    use super::super::builder::Settings;
    use super::super::panics::{PanicPlace, shield};
    use super::*;
    use crate::clock::Clock;
    use crate::shield::Thrown;
    use crate::sync::Ordering::Relaxed;
    use crate::sync::{Arc, AtomicU64};
    use crate::traced::{is_telling, tell};

    /// A subscription that dropped nothing for so long begins anew to drop.
    const QUIET: Duration = Duration::from_secs(10);

    /// How much of a text that was not checked yet is told.
    const LONGEST: usize = 256;

    /// What was told of a subscription's losses.
    pub(in crate::bus) struct Told {
        bus: Option<Arc<str>>,
        clock: Clock,
        /// How many of its drops. Never more than there are, so each is told once.
        dropped: AtomicU64,
        /// When it dropped last, in nanoseconds; zero if it never did.
        last: AtomicU64,
    }

    impl Told {
        pub(in crate::bus) fn new(settings: &Settings) -> Self {
            Told {
                bus: settings.name.clone(),
                clock: settings.clock.clone(),
                dropped: AtomicU64::new(0),
                last: AtomicU64::new(0),
            }
        }

        /// How many of so many drops have not been told, which now count as told.
        fn news(&self, dropped: u64) -> u64 {
            // Relaxed throughout: it decides only who tells, and of two the exchange chooses one.
            if self.dropped.load(Relaxed) >= dropped {
                return 0;
            }
            dropped.saturating_sub(self.dropped.fetch_max(dropped, Relaxed))
        }

        /// Whether it had dropped none for long. Of several threads at once, one is told so.
        fn begins(&self) -> bool {
            // Zero is kept for "never", which a clock made by hand may show.
            let now = self.clock.now_nanos().max(1);
            // Relaxed as in `news`.
            let last = self.last.swap(now, Relaxed);
            last == 0 || u128::from(now.saturating_sub(last)) >= QUIET.as_nanos()
        }
    }

    /// Runs what listens; its panic ends here, reported.
    fn say(
        on_panic: Option<&PanicHook>,
        topic: Option<&Topic>,
        name: Option<&str>,
        act: impl FnOnce(),
    ) {
        if let Err(thrown) = tell(act) {
            report(on_panic, topic, name, thrown);
        }
    }

    #[cold]
    fn report(
        on_panic: Option<&PanicHook>,
        topic: Option<&Topic>,
        name: Option<&str>,
        thrown: Thrown,
    ) {
        shield(on_panic, PanicPlace::Tracing, topic, name, || {
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
            let begins = member.told.begins();
            let (bus, name) = (member.told.bus.as_deref(), member.name.as_deref());
            say(on_panic, Some(topic), name, || {
                if begins {
                    warn!(
                        target: "chanbus::bus",
                        bus, subscription = name, id = member.id, topic = topic.as_str(), dropped = sum,
                        depth = mailbox.len(), capacity = mailbox.capacity(), overflow = ?mailbox.overflow(),
                        "a subscription begins to drop events"
                    );
                }
                debug!(
                    target: "chanbus::bus",
                    bus, subscription = name, id = member.id, topic = topic.as_str(), count, dropped = sum,
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
        say(on_panic, None, name, || match it.level {
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
        fn say(&self, name: Option<&str>, act: impl FnOnce()) {
            say(self.on_panic(), None, name, act);
        }

        fn bus_name(&self) -> Option<&str> {
            self.settings.name.as_deref()
        }

        pub(super) fn tell_of_emit<P>(
            &self,
            topic: &str,
            events: usize,
            result: Result<&Emitted, &EmitError<P>>,
        ) {
            let (bus, topic) = (self.bus_name(), shortened(topic));
            self.say(None, || match result {
                Ok(emitted) => trace!(
                    target: "chanbus::bus",
                    bus, topic, events,
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
                    trace!(target: "chanbus::bus", bus, topic, events, outcome, %error, "an emit was refused");
                }
            });
        }

        pub(in crate::bus) fn tell_subscribed(&self, member: &Member<T>, patterns: &[Pattern]) {
            let (bus, name) = (self.bus_name(), member.name.as_deref());
            let mailbox = &member.mailbox;
            self.say(name, || {
                debug!(
                    target: "chanbus::bus",
                    bus, subscription = name, id = member.id, ?patterns, capacity = mailbox.capacity(),
                    overflow = ?mailbox.overflow(),
                    "subscribed"
                );
            });
        }

        pub(in crate::bus) fn tell_not_subscribed(
            &self,
            name: Option<&str>,
            error: &SubscribeError,
        ) {
            let bus = self.bus_name();
            self.say(
                name,
                || debug!(target: "chanbus::bus", bus, subscription = name, %error, "a subscription was refused"),
            );
        }

        pub(in crate::bus) fn tell_closed(&self, member: &Member<T>) {
            let (bus, name) = (self.bus_name(), member.name.as_deref());
            let depth = member.mailbox.len();
            self.say(name, || {
                debug!(
                    target: "chanbus::bus",
                    bus, subscription = name, id = member.id, depth, "a subscription was closed"
                );
            });
        }

        pub(in crate::bus) fn tell_gone(&self, member: &Member<T>) {
            let (bus, name) = (self.bus_name(), member.name.as_deref());
            let losses = member.mailbox.losses();
            self.say(name, || {
                debug!(
                    target: "chanbus::bus",
                    bus, subscription = name, id = member.id, received = member.mailbox.taken(),
                    // Relaxed: statistics.
                    dropped = losses.dropped.load(Relaxed), filtered = losses.filtered.load(Relaxed),
                    conflated = losses.conflated.load(Relaxed),
                    "unsubscribed"
                );
            });
        }

        pub(in crate::bus) fn tell_end(&self, subscribers: usize) {
            let bus = self.bus_name();
            self.say(
                None,
                || debug!(target: "chanbus::bus", bus, subscribers, "the bus was closed"),
            );
        }

        pub(in crate::bus) fn tell_reset(&self, subscribers: usize) {
            let bus = self.bus_name();
            self.say(
                None,
                || debug!(target: "chanbus::bus", bus, subscribers, "the bus was reset"),
            );
        }
    }
}
#[cfg(feature = "tracing")]
pub(super) use self::told::tell_losses;
