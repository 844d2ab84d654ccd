//! Who loses events, and why.

use std::fmt::Write as _;
use std::time::Duration;

use super::{DropCause, Finding};
use crate::bus::{Consumer, Overflow, Role, SubscriptionStats};
use crate::observe::explain::what_full_means;
use crate::observe::topology::{BusNode, BusRates, SubscriptionRates, Topology, taken};
use crate::observe::words::{consumer_called, sub_on_bus};

/// So much longer than usual a call is held up rather than slow.
const HELD_UP: u32 = 20;
/// And takes at least so long.
const LONG: Duration = Duration::from_millis(1);

/// `window`: how long it is, and the bus's rates in it.
pub(super) fn losses_of(
    topology: &Topology,
    bus: &BusNode,
    window: Option<(Duration, &BusRates)>,
) -> Vec<Finding> {
    let subs = bus.stats.subscriptions.iter().enumerate();
    let losing = subs.filter(|(_, sub)| sub.dropped > 0);
    losing
        .map(|(at, sub)| {
            let rates = window.and_then(|(_, rates)| rates.subscriptions.get(at));
            let cause = cause_of(sub, rates);
            Finding::Drops {
                bus: bus.id,
                subscription: sub.id,
                name: sub.name.clone(),
                called: sub_on_bus(topology, bus, sub),
                dropped: sub.dropped,
                // A rate times its window is the count that it was made of.
                lately: window.zip(rates).map(|((elapsed, _), rates)| {
                    (rates.dropped * elapsed.as_secs_f64()).round() as u64
                }),
                matched: sub.matched(),
                cause,
                why: why(cause, sub),
                state: state_of(sub, rates),
            }
        })
        .collect()
}

fn cause_of(sub: &SubscriptionStats, rates: Option<&SubscriptionRates>) -> DropCause {
    let full = sub.depth >= sub.capacity;
    // A slow consumer takes one now and then, and is no less behind for that moment.
    let nearly = sub.depth >= sub.capacity - sub.capacity / 8;
    // Whoever catches up between two bursts does not lose as much as it takes.
    let overwhelmed =
        rates.is_some_and(|rates| rates.dropped > 0.0 && rates.dropped >= rates.taken);
    if taken(sub) == 0 && sub.depth > 0 {
        DropCause::NeverTaken
    } else if full && rates.is_some_and(|rates| rates.taken <= 0.0) {
        DropCause::Stuck
    } else if sub.overflow == Overflow::Latest {
        DropCause::Topics
    } else if nearly || overwhelmed {
        DropCause::Behind
    } else {
        DropCause::Bursts
    }
}

/// The cause, and what helps.
fn why(cause: DropCause, sub: &SubscriptionStats) -> String {
    let (several, slow) = match sub.role {
        Role::Dispatcher => (
            "run them on an executor, several at once (`max_in_flight`)",
            "its handlers are behind: make them faster",
        ),
        _ => (
            "share it among several (`share`)",
            "its consumer is behind: make that faster",
        ),
    };
    let mut why = match (cause, sub.role) {
        (DropCause::NeverTaken, Role::Dispatcher) => {
            "nobody has taken any event from it: it was never started (`Dispatcher::start`)".to_owned()
        }
        (DropCause::NeverTaken, _) => {
            "nobody has taken any event from it: its thread or task does not run, does not receive, or waits elsewhere, \
             as on another subscription"
                .to_owned()
        }
        (DropCause::Stuck, Role::Dispatcher) => {
            "it has stopped taking events, though it took some before: it was stopped, or a handler does not end, as it \
             waits for something"
                .to_owned()
        }
        (DropCause::Stuck, _) => {
            "nobody takes events from it any more, though somebody did before: its thread or task has ended, or waits for \
             something"
                .to_owned()
        }
        (DropCause::Topics, _) => {
            "more topics wait than it holds, of each the latest event: a capacity for all topics that match ends that, or \
             narrower patterns"
                .to_owned()
        }
        (DropCause::Behind, _) => {
            format!("{slow}, {several}, narrow its patterns, or let another policy say what is lost")
        }
        (DropCause::Bursts, _) => {
            "it has room now, so events come in bursts that its queue does not hold: a larger capacity helps".to_owned()
        }
    };
    if matches!(cause, DropCause::Behind | DropCause::Stuck)
        && let Some(slowest) = sub.consumers.iter().max_by_key(|it| it.max)
        && !slowest.max.is_zero()
    {
        let _ = write!(why, "\n    slowest: {}", in_time(slowest));
    }
    why
}

fn in_time(consumer: &Consumer) -> String {
    let held_up = match consumer.max >= LONG && consumer.max / HELD_UP >= consumer.mean {
        true => {
            ", so it is usually quick and sometimes held up: by a lock, or by what it reads or writes?"
        }
        false => "",
    };
    format!(
        "handler {}, with {:.1?} a call, and {:.1?} at most{held_up}",
        consumer_called(consumer),
        consumer.mean,
        consumer.max
    )
}

fn state_of(sub: &SubscriptionStats, rates: Option<&SubscriptionRates>) -> String {
    let when = match sub.depth >= sub.capacity {
        true => "",
        false => "when ",
    };
    let mut state = format!(
        "{} of {} wait; {when}full, {}",
        sub.depth,
        sub.capacity,
        what_full_means(sub)
    );
    if sub.closed {
        state.push_str("; it is closed, and gets no more");
    }
    if let Some(rates) = rates {
        let _ = write!(state, "; {rates}");
    }
    state
}
