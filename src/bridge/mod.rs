//! Events to and from other processes, by a NATS server.
//!
//! An event walks: the bus, the export queue (a subscription as any other), `outbound`, the client, the server;
//! then the client, `inbound`, the other bus. Everything between queue and bus runs on one thread of the bridge's
//! own, with a runtime of its own, so that nothing here can hold up an emit:
//!
//! - `outbound` is the only one who publishes, counts what is in flight (`flight`) and says whether the link is
//!   up. It takes from the queue only while the link is up: what cannot go waits in the queue, where the
//!   queue's own overflow counts it.
//! - `inbound` is the only one who emits here what came from elsewhere, and who counts what did not come
//!   (`losses`).
//! - `control` is what bridges tell each other: how many messages each has sent. One's own such message, come
//!   back by the server, proves that the server has all that was sent before it.

mod access;
mod arrivals;
mod builder;
mod control;
mod credentials;
mod decode;
mod encode;
mod envelope;
mod error;
mod flight;
mod handle;
mod hush;
mod inbound;
mod jetstream;
mod link;
mod losses;
mod origin;
mod outbound;
mod run;
mod shared;
mod state;
mod stats;
mod stop;
mod subject;
mod wire;

pub use builder::BridgeBuilder;
pub use envelope::{Envelope, EnvelopeError, EnvelopeErrorKind};
pub use error::BridgeError;
pub use handle::Bridge;
pub use jetstream::JetStream;
pub use origin::Imported;
pub use state::{BridgeEvent, BridgeState};
pub use stats::{BridgeStats, ExportStats, ImportStats};
pub use stop::{BridgeStopTimeout, BridgeStopped};
pub use subject::{Escape, SubjectError, SubjectFilter, SubjectMapping};

/// How many events wait for the server unless told otherwise: see [`BridgeBuilder::capacity`].
///
/// ```
/// assert_eq!(chanbus::DEFAULT_BRIDGE_CAPACITY, 10_000);
/// ```
pub const DEFAULT_BRIDGE_CAPACITY: usize = 10_000;
/// How many messages may be on their way, not yet confirmed by the server, unless told otherwise: see
/// [`BridgeBuilder::in_flight`].
///
/// ```
/// assert_eq!(chanbus::DEFAULT_IN_FLIGHT, 8_192);
/// ```
pub const DEFAULT_IN_FLIGHT: usize = 8_192;
