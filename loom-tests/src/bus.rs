//! The library's files, under the paths that they expect of each other.

#[path = "../../src/bus/conflate.rs"]
pub(crate) mod conflate;
#[path = "../../src/bus/gaps.rs"]
mod gaps;
#[path = "../../src/bus/overflow.rs"]
pub(crate) mod overflow;
#[path = "../../src/bus/subscriber/mod.rs"]
pub(crate) mod subscriber;
#[path = "../../src/bus/tally.rs"]
pub(crate) mod tally;

// In a module that stands for the folder, so that the file finds those of its own.
#[path = "../../src/bus"]
mod folder {
    pub(crate) mod registry;
}
pub(crate) use self::folder::registry;
