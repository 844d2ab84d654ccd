//! Who loses events, and why.

use super::{DropCause, Finding};
use crate::bus::SubscriptionStats;
use crate::observe::explain::what_full_means;
use crate::observe::topology::{BusNode, SubscriptionRates, taken};
use crate::observe::words::sub_called;

pub(super) fn losses_of(
    bus: &BusNode,
    sub: &SubscriptionStats,
    rates: Option<&SubscriptionRates>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if sub.dropped > 0 {
        let full = sub.depth >= sub.capacity;
        // A slow consumer takes one now and then, and is no less behind for that moment.
        let nearly = sub.depth >= sub.capacity - sub.capacity / 8;
        let cause = match (taken(sub), nearly) {
            (0, _) if sub.depth > 0 => DropCause::NeverTaken,
            (_, true) => DropCause::Behind,
            (_, false) => DropCause::Bursts,
        };
        let mut state = format!(
            "{} of {} wait; {}full, {}",
            sub.depth,
            sub.capacity,
            if full { "" } else { "when " },
            what_full_means(sub)
        );
        if let Some(rates) = rates {
            state.push_str(&format!("; {rates}"));
        }
        findings.push(Finding::Drops {
            bus: bus.id,
            subscription: sub.id,
            name: sub.name.clone(),
            called: sub_called(sub),
            dropped: sub.dropped,
            matched: sub.matched(),
            cause,
            state,
        });
    }
    if sub.filter_panics > 0 {
        findings.push(Finding::FilterPanics {
            bus: bus.id,
            subscription: sub.id,
            called: sub_called(sub),
            panics: sub.filter_panics,
        });
    }
    findings
}
