//! Patterns that no event ever matched.

use super::Finding;
use super::nearest::{Work, nearest};
use crate::bus::{Consumer, Role};
use crate::observe::explain::consumer_of;
use crate::observe::near::NearMiss;
use crate::observe::topology::{BusNode, Topology, taken};
use crate::observe::words::sub_on_bus;
use crate::pattern::Pattern;
use crate::topic::Topic;

/// For how many pairs it is looked which patterns of a subscription never matched, of which others did.
const LOOKS: usize = 5_000_000;

pub(super) fn never_matched(
    topology: &Topology,
    bus: &BusNode,
    topics: &[&Topic],
    work: &mut Work,
) -> Vec<Finding> {
    let open = || {
        let subs = bus.stats.subscriptions.iter();
        subs.filter(|sub| !sub.closed && sub.role != Role::Waiter)
    };
    // Cheap looks, each: a pattern against a text.
    let looks = open().map(|sub| sub.patterns.len()).sum::<usize>() * topics.len();
    let all_known = bus.topics.observed.is_some() && !bus.topics.full && looks < LOOKS;
    let mut findings = Vec::new();
    let mut add = |subscription: u64, (called, handler): (String, bool), pattern: &Pattern| {
        let near = nearest(topics, |topic| NearMiss::between(pattern, topic), work);
        findings.push(Finding::NeverMatched {
            bus: bus.id,
            subscription,
            called,
            handler,
            pattern: pattern.clone(),
            near,
        });
    };
    for sub in open() {
        for pattern in &sub.patterns {
            let unseen = || !topics.iter().any(|topic| pattern.matches(topic));
            if sub.matched() == 0 || all_known && unseen() {
                add(sub.id, (sub_on_bus(topology, bus, sub), false), pattern);
            }
        }
        // Where nothing came to the dispatcher, or nothing was taken from it, that was said.
        if taken(sub) == 0 {
            continue;
        }
        let idle = |it: &&Consumer| it.called + it.skipped + it.failed == 0;
        for consumer in sub.consumers.iter().filter(idle) {
            for pattern in &consumer.patterns {
                // What matches is on its way, or was emitted before the handler was there.
                if !topics.iter().any(|topic| pattern.matches(topic)) {
                    add(sub.id, (consumer_of(consumer, sub), true), pattern);
                }
            }
        }
    }
    findings
}
