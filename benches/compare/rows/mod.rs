//! What is measured. Each file holds the rows of one question.

mod churn;
mod derived;
mod handlers;
mod memory;
mod one_thread;
mod parked;
mod routing;
mod tails;
mod tasks;
mod two_threads;
mod unmatched;
mod wake_up;

pub(crate) use one_thread::PREFIX as ONE_THREAD;

use crate::report::Outcome;
use crate::rounds::Run;

/// A row of the report.
pub(crate) struct Spec {
    pub(crate) name: String,
    /// One or two sentences for the reader of the table.
    pub(crate) what: &'static str,
    /// Of its figures; smaller is better.
    pub(crate) unit: &'static str,
    pub(crate) run: Box<dyn Fn(&Run) -> Outcome>,
}

impl Spec {
    fn new(
        name: impl Into<String>,
        what: &'static str,
        unit: &'static str,
        run: impl Fn(&Run) -> Outcome + 'static,
    ) -> Self {
        Spec {
            name: name.into(),
            what,
            unit,
            run: Box::new(run),
        }
    }
}

const NANOS: &str = "ns";
const BYTES: &str = "bytes";

/// All rows, in the order of the report.
pub(crate) fn all() -> Vec<Spec> {
    let mut rows = one_thread::rows();
    rows.extend(two_threads::rows());
    rows.extend(unmatched::rows());
    rows.extend(routing::rows());
    rows.extend(churn::rows());
    rows.extend(wake_up::rows());
    rows.extend(tasks::rows());
    rows.extend(parked::rows());
    rows.extend(derived::rows());
    rows.extend(handlers::rows());
    rows.extend(memory::rows());
    rows.extend(tails::rows());
    rows
}
