//! The test kit (feature `testing`): for tests of programs that use buses and handlers.
//!
//! It stands on the public side alone. Two things that need more are in the core, behind the same feature: events for one
//! subscription (`bus/inject.rs`), and a dispatcher that handles one event at a time (`handlers/dispatcher/single.rs`).
//!
//! | File | Its one job |
//! |---|---|
//! | `log.rs` | what a tap has heard, in order, and who waits for more of it |
//! | `capture.rs`, `difference.rs` | that log, to be asked; two lists of topics side by side |
//! | `probe.rs`, `expect.rs` | what is expected of it, and the waits for that |
//! | `pick.rs` | which events answer which patterns; pure |
//! | `unmet.rs`, `account.rs` | the report where they do not come; what the bus itself tells of that |
//! | `fault.rs` | panics, errors and what else you like, at the n-th event |
//! | `steps.rs` | an executor that runs one job at a time |
//! | `time.rs` | time that stands still |
//!
//! Assertions panic, as that is what tests want; each has a twin that returns its report as an error.

mod account;
mod ask;
mod capture;
mod difference;
mod expect;
mod fault;
mod log;
mod pick;
mod probe;
mod steps;
mod time;
mod unmet;

pub use self::capture::Capture;
pub use self::difference::TopicsDiffer;
pub use self::expect::{Expect, ExpectMany};
pub use self::fault::Fault;
pub use self::probe::Probe;
pub use self::steps::{Ran, StepExecutor, StepHandle};
pub use self::time::{TestSleep, TestTime};
pub use self::unmet::{Unmet, UnmetReason};
