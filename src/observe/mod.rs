//! Looking inside a running program.
//!
//! It stands on what the public core tells of a bus ([`BusView`](crate::BusView)): nothing here is on the way of an
//! event. A [`Topology`] is taken once, as a plain value, in `topology/`, which also shows it; all else is made of that
//! value, without threads or locks: who hears a topic (`explain.rs`), and what looks wrong (`lint/`). Both ask `near.rs`
//! why a pattern nearly matches. `words.rs` has names and places as all of them say them.
//!
//! `record/` writes down what goes on, and plays it again; `metrics/` reports the numbers to others.

mod explain;
mod lint;
#[cfg(feature = "metrics")]
mod metrics;
mod near;
#[cfg(feature = "json")]
mod record;
mod topology;
mod words;

pub use explain::{BusExplanation, Explanation, Hearing, NearHearing};
pub use lint::{DropCause, Finding, Lint};
#[cfg(feature = "metrics")]
pub use metrics::{BusMetrics, BusMetricsBuilder, DEFAULT_METRIC_NAMES};
pub use near::{NearMiss, NearReason};
#[cfg(feature = "json")]
pub use record::{
    DEFAULT_MAX_LINE, DEFAULT_RECORDER_CAPACITY, Damage, DamageKind, PlayError, PlayStopper,
    Played, Player, RecordError, RecordIncomplete, Recorded, Recorder, RecorderBuilder,
    RecorderStats, Speed,
};
pub use topology::{BusNode, BusRates, Rates, SubscriptionRates, Topology};
#[cfg(feature = "testing")]
pub(crate) use words::{Place, Plain, called, count, sub_called};
