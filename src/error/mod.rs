//! The crate's errors: one small type per operation.

mod any;
mod emit;
mod recv;
mod subscribe;
mod text;
mod words;

pub use any::Error;
pub use emit::{BatchError, EmitError};
pub use recv::{RecvError, RecvTimeoutError, TryRecvError, WaitError};
pub(crate) use subscribe::BadCapacity;
pub use subscribe::{BuildError, SubscribeError};
pub(crate) use text::Fault;
pub use text::{PatternError, PatternsError, TextErrorKind, TopicError};
#[cfg(feature = "nats")]
pub(crate) use words::Excerpt;
#[cfg(feature = "json")]
pub(crate) use words::shortened;
pub(crate) use words::{Plain, boundary_before};
