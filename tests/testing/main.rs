//! The promises of the test kit, and that its reports say what they should.
// Helpers of tests may fail at once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod capture;
mod faults;
mod hostile;
mod probe;
mod reports;
mod single;
mod steps;
mod time;

#[path = "../common/mod.rs"]
mod common;
