//! What the bus itself tells of a test that failed: who lost events since it began.

use std::collections::HashMap;
use std::fmt::{self, Write};

use crate::bus::{BusView, SubscriptionStats};
use crate::observe::{called, count, sub_called};

/// How many subscriptions are told of.
const TOLD: usize = 10;

/// A bus, and what its subscriptions had lost when it was first looked at.
pub(super) struct Account {
    bus: BusView,
    /// Dropped events and panics of filters, by subscription.
    before: HashMap<u64, (u64, u64)>,
}

impl Account {
    pub(super) fn of(bus: BusView) -> Self {
        let subs = bus.stats().subscriptions;
        let lost = |sub: &SubscriptionStats| (sub.id, (sub.dropped, sub.filter_panics));
        Account {
            before: subs.iter().map(lost).collect(),
            bus,
        }
    }

    /// What the subscriptions have lost since; nothing where they have not.
    pub(super) fn write(&self, out: &mut String) -> fmt::Result {
        let stats = self.bus.stats();
        let mut lines = Vec::new();
        for sub in &stats.subscriptions {
            let before = self.before.get(&sub.id).copied().unwrap_or_default();
            // A reset has them begin anew.
            let dropped = sub.dropped.checked_sub(before.0).unwrap_or(sub.dropped);
            let panics = sub.filter_panics.checked_sub(before.1);
            let panics = panics.unwrap_or(sub.filter_panics);
            if dropped > 0 {
                lines.push(format!(
                    "{} has dropped {}: {} of {} wait",
                    sub_called(sub),
                    count(dropped, "event"),
                    sub.depth,
                    sub.capacity
                ));
            }
            if panics > 0 {
                lines.push(format!(
                    "the filter of {} has panicked {}",
                    sub_called(sub),
                    count(panics, "time")
                ));
            }
        }
        if lines.is_empty() && !stats.closed {
            return Ok(());
        }
        let name = called(stats.name.as_deref(), self.bus.id(), self.bus.location());
        write!(out, "\n  meanwhile on bus {name}:")?;
        if stats.closed {
            out.push_str("\n    it has closed: no more events come");
        }
        for line in lines.iter().take(TOLD) {
            write!(out, "\n    {line}")?;
        }
        match lines.len().saturating_sub(TOLD) {
            0 => Ok(()),
            more => write!(out, "\n    ... and {more} more"),
        }
    }
}
