//! Views of other buses, on the public side of the core only.

mod channel;
mod filtered;
mod mapped;
mod merged;
mod pipe;
mod typed;

pub use channel::Channel;
#[cfg(feature = "stream")]
pub use typed::TypedStream;
pub use typed::{
    AnyPayload, Typed, TypedBatch, TypedBus, TypedEvent, TypedIter, TypedPublisher,
    TypedSubscription, TypedSubscriptionBuilder, TypedWaitFuture,
};
