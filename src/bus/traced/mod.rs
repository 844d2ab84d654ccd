//! What a bus tells `tracing` of itself, target `chanbus::bus`.
//!
//! | Level | What |
//! |---|---|
//! | `WARN` | a subscription begins to drop events, after it had dropped none for ten seconds; one falls behind, by its high-water mark; code of the program's begins to panic, as drops begin |
//! | `INFO` | that one is back |
//! | `DEBUG` | a subscription dropped events; code of the program's panicked; subscriptions come, close and go; the bus is reset, and closes |
//! | `TRACE` | each emit (or batch), with what became of it |
//!
//! What listens is the user's code, so all of this runs where taps may: after the event is in all queues,
//! under no lock, behind a shield. (But a panic is told where it was caught, as it is told to the hook: that of a
//! filter before the event is in any queue.) While nobody listens it costs an emit one relaxed load; without the
//! feature `tracing`, nothing.

#[cfg(feature = "tracing")]
mod panicked;
#[cfg(feature = "tracing")]
mod told;

use std::panic::Location;

use super::backlog::Backlog;
use super::core::Core;
use super::emitted::Emitted;
use super::listeners::Member;
use super::panics::PanicHook;
use super::routing::Route;
use crate::error::{EmitError, SubscribeError};
use crate::event::Event;
use crate::pattern::Pattern;
use crate::topic::Topic;

#[cfg(feature = "tracing")]
pub(super) use self::panicked::{Panics, tell_panic};
#[cfg(feature = "tracing")]
pub(super) use self::told::{Told, tell_backlog, tell_losses};

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
        pub(in crate::bus) fn tell_not_subscribed(
            &self,
            _: Option<&str>,
            _: &'static Location<'static>,
            _: &SubscribeError,
        ) {
        }
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
