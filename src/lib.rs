//! chanbus: an event bus inside one process.

mod error;
mod pattern;
mod topic;

pub use error::{PatternError, PatternsError, TextErrorKind, TopicError};
pub use pattern::{IntoPatterns, Pattern, Syntax};
pub use topic::Topic;
