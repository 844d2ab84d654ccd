//! What may be found, as a value and in words.

use std::fmt;

use crate::observe::near::NearMiss;
use crate::observe::words::count;
use crate::pattern::Pattern;
use crate::sync::Arc;
use crate::topic::Topic;

/// One thing that looks wrong; part of a [`Lint`](crate::Lint). Its `Display` is a line, with a few below it that say more.
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
        /// What it is, its name, and where it was made; where there are several buses, its bus, too.
        called: String,
        /// How many events it dropped.
        dropped: u64,
        /// How many of these since the earlier topology, if this is of one that has [rates](crate::Topology::since).
        lately: Option<u64>,
        /// How many matched.
        matched: u64,
        /// Why.
        cause: DropCause,
        /// The cause in words, and what helps.
        why: String,
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
        /// How many events matched.
        matched: u64,
    },
    /// A filter has rejected every event that matched, without a panic.
    RejectsAll {
        /// The number of its bus.
        bus: u64,
        /// The number of the subscription.
        subscription: u64,
        /// What it is, its name, and where it was made.
        called: String,
        /// How many events it has rejected.
        filtered: u64,
    },
    /// A handler has failed whenever it was called.
    AlwaysFails {
        /// The number of the bus.
        bus: u64,
        /// The number of its dispatcher's subscription.
        subscription: u64,
        /// What it is called, and by which dispatcher.
        called: String,
        /// How often.
        failed: u64,
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
        /// It is a handler's: the dispatcher has had events, and none for this.
        handler: bool,
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
    /// Its queue is full, or has not an eighth of its room left; or, by [rates](crate::Topology::since), it lost as much as
    /// was taken: its consumer is behind.
    Behind,
    /// Its queue is full, and nobody has taken an event since the earlier topology, but some before: only told by
    /// [rates](crate::Topology::since).
    Stuck,
    /// It keeps the [latest](crate::Overflow::Latest) of each topic, and more topics wait than it holds.
    Topics,
    /// It has room now: more came at once than it holds.
    Bursts,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Drops {
                called,
                dropped,
                lately,
                matched,
                why,
                state,
                ..
            } => {
                let of = count(*matched, "event");
                write!(f, "{called} has DROPPED {dropped} of {of}")?;
                match lately {
                    Some(0) => write!(f, ", none of them lately")?,
                    Some(lately) => write!(f, ", {lately} of them lately")?,
                    None => {}
                }
                write!(f, "\n    why: {why}\n    now: {state}")
            }
            Finding::FilterPanics {
                called,
                panics,
                matched,
                ..
            } => {
                let of = count(*matched, "event");
                write!(
                    f,
                    "the filter of {called} has panicked for {panics} of {of}, and so rejected them"
                )
            }
            Finding::RejectsAll {
                called, filtered, ..
            } => {
                let all = count(*filtered, "event");
                write!(
                    f,
                    "the filter of {called} has rejected all that matched: {all}"
                )
            }
            Finding::AlwaysFails { called, failed, .. } => {
                let times = count(*failed, "time");
                write!(f, "{called} has failed whenever it was called: {times}")
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
                handler,
                pattern,
                near,
                ..
            } => {
                let event = match handler {
                    true => "no event that was handled",
                    false => "no event",
                };
                write!(f, "{event} has ever matched `{pattern}` of {called}")?;
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
