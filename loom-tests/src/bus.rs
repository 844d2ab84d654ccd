//! The library's files, under the paths that they expect of each other.

#[path = "../../src/bus/conflate.rs"]
pub(crate) mod conflate;
#[path = "../../src/bus/gaps.rs"]
mod gaps;
#[path = "../../src/bus/overflow.rs"]
pub(crate) mod overflow;
#[path = "../../src/bus/subscriber/mod.rs"]
pub(crate) mod subscriber;
