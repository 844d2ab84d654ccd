//! What can be seen of a running program from inside: who made what, and where.
// Helper functions are no tests to clippy: here an `unwrap` that fails is a test that fails.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod explain;
mod lint;
mod places;
mod topology;
