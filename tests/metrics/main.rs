//! What is reported to the `metrics` facade: that it is right, bounded, and stays so whatever comes and goes.
// Test code, also in helpers outside of tests.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod book;
mod labels;
mod lives;
mod numbers;
mod recorders;

use std::sync::Arc;

use chanbus::{Bus, BusMetrics};

use book::Book;

/// A bus of that name.
fn named(name: &str) -> Bus<u32> {
    Bus::builder().name(name).build().unwrap()
}

/// A reporter of these, to this recorder.
fn report(book: &Arc<Book>, buses: &[&Bus<u32>]) -> BusMetrics {
    let builder = BusMetrics::builder().recorder(Arc::<Book>::clone(book));
    buses
        .iter()
        .fold(builder, |builder, bus| builder.bus(bus))
        .build()
}
