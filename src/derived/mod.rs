//! Views of other buses, on the public side of the core only.

mod filtered;
mod mapped;
mod merged;
mod pipe;
