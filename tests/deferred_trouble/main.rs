//! Deferred buses where the user's code panics, calls back, drops things meanwhile, or comes by many threads.
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../common/mod.rs"]
mod common;

mod inside;
mod kit;
mod lives;
mod panics;
mod sums;
