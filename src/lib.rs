//! chanbus: an event bus inside one process.

mod bus;
mod cause;
mod clock;
#[cfg(doctest)]
mod doctests;
mod draft;
mod error;
mod event;
mod pattern;
mod sync;
mod topic;
mod value;

#[cfg(feature = "json")]
pub use bus::Fields;
pub use bus::{
    Batch, Batched, Beat, Bus, BusBuilder, BusStats, CaughtPanic, Closer, DEFAULT_CAPACITY,
    DEFAULT_HEARTBEAT, DEFAULT_MAX_CHAIN, DEFAULT_MAX_SUBSCRIBERS, DEFAULT_ROUTE_CACHE, Emitted,
    Heartbeats, IntoIter, Iter, MAX_CAPACITY, Overflow, PanicPlace, Publisher, Subscription,
    SubscriptionBuilder, SubscriptionStats, TapGuard, TryIter, WeakBus, global, global_or_default,
    set_global, take_global,
};
pub use cause::Cause;
pub use clock::{Clock, ManualClock};
pub use draft::{EventDraft, Unbound};
pub use error::{
    BatchError, BuildError, EmitError, Error, PatternError, PatternsError, RecvError,
    RecvTimeoutError, SubscribeError, TextErrorKind, TopicError, TryRecvError, WaitError,
};
pub use event::Event;
pub use pattern::{IntoPatterns, Pattern, Syntax};
pub use topic::Topic;
pub use value::Value;
