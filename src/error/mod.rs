//! The crate's errors: one small type per operation.

mod text;
mod words;

pub(crate) use text::Fault;
pub use text::{PatternError, PatternsError, TextErrorKind, TopicError};
pub(crate) use words::boundary_before;
