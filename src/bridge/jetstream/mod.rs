//! By a stream that the server keeps: at least once, across restarts of either side.
//!
//! - `options`: what the owner chooses, and the names that follow from it.
//! - `stream`: the stream and the consumers on the server, made where they are missing.
//! - `export`: messages that were sent and that the stream has not acknowledged yet: they are kept, and sent again.
//! - `import`: the consumers' messages, acknowledged when they were emitted here, which is what `delivery` does.
//! - `recent`: what came lately, so that what comes twice is emitted once.

mod delivery;
mod export;
mod import;
mod options;
mod recent;
mod stream;

pub(super) use delivery::id_of;
pub(super) use export::{Answered, Durable};
pub(super) use import::Consumers;
pub use options::JetStream;
pub(super) use recent::Recent;
pub(super) use stream::StreamPlan;
