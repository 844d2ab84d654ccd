//! Filters and handlers that do nothing but reject, fail or panic.

use super::Finding;
use crate::observe::explain::consumer_of;
use crate::observe::topology::{BusNode, Topology};
use crate::observe::words::sub_on_bus;

pub(super) fn faults_of(topology: &Topology, bus: &BusNode) -> Vec<Finding> {
    let mut findings = Vec::new();
    for sub in &bus.stats.subscriptions {
        let matched = sub.matched();
        if sub.filter_panics > 0 {
            findings.push(Finding::FilterPanics {
                bus: bus.id,
                subscription: sub.id,
                called: sub_on_bus(topology, bus, sub),
                panics: sub.filter_panics,
                matched,
            });
        } else if sub.filtered > 0 && sub.filtered == matched {
            findings.push(Finding::RejectsAll {
                bus: bus.id,
                subscription: sub.id,
                called: sub_on_bus(topology, bus, sub),
                filtered: sub.filtered,
            });
        }
        for consumer in &sub.consumers {
            if consumer.failed > 0 && consumer.failed >= consumer.called {
                findings.push(Finding::AlwaysFails {
                    bus: bus.id,
                    subscription: sub.id,
                    called: consumer_of(consumer, sub),
                    failed: consumer.failed,
                });
            }
        }
    }
    findings
}
