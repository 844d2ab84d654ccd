//! Two threads, each pinned to a core.
//!
//! Each question is asked in both regimes, as a figure that holds in one only is luck: *on the heels*,
//! queues nearly empty, what was written last is read next; and *a burst behind*, queues fill, and are
//! emptied off the clock.

mod publishers;
mod shuttle;

use super::Spec;

pub(super) fn rows() -> Vec<Spec> {
    let mut rows = publishers::rows();
    rows.extend(shuttle::rows());
    rows
}
