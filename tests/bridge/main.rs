//! The bridge against a real server: `nats-server`, started by each test on a port of its own.
//!
//! Without that program the tests say so and pass, unless `CHANBUS_NATS=required`, as in CI.

// Helpers of tests may end a test, and what is skipped is said.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod basics;
mod codecs;
mod directory;
mod foreign;
mod groups;
mod hostile;
mod jetstream;
mod jwt;
mod kill;
mod loops;
mod mistakes;
mod never_in_the_way;
mod patterns;
mod plain;
mod plain_client;
mod python;
mod relay;
mod review;
mod secrets;
mod states;
mod stopping;
mod support;
mod tiny;
mod tls;
