//! A topology as people read it.

use std::fmt;

use super::rates::{BusRates, Short, taken};
use super::{BusNode, Topology};
use crate::bus::{SubscriptionStats, TapTarget};
use crate::observe::words::{
    Patterns, Place, Plain, bus_called, consumer_called, count, overflow_called, sub_called,
};

/// How many topics of a bus are shown.
const SHOWN: usize = 20;

impl fmt::Display for Topology {
    /// A paragraph for each bus, a line for each that is attached to it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, bus) in self.buses.iter().enumerate() {
            if place > 0 {
                writeln!(f)?;
                writeln!(f)?;
            }
            let rates = self.rates.as_ref().and_then(|rates| rates.buses.get(place));
            show_bus(f, self, bus, rates)?;
        }
        Ok(())
    }
}

fn show_bus(
    f: &mut fmt::Formatter<'_>,
    topology: &Topology,
    bus: &BusNode,
    rates: Option<&BusRates>,
) -> fmt::Result {
    let stats = &bus.stats;
    let closed = if stats.closed { ", closed" } else { "" };
    write!(
        f,
        "bus {} of {}{closed}: {} emitted, {} dropped",
        bus_called(bus),
        bus.payload_type,
        stats.emitted,
        stats.dropped,
    )?;
    let from_others = [
        (stats.left_out, "left out"),
        (stats.repeated, "repeated"),
        (stats.refused, "refused"),
    ];
    for (number, what) in from_others {
        if number > 0 {
            write!(f, ", {number} {what}")?;
        }
    }
    if let Some(rates) = rates {
        write!(
            f,
            " ({}/s emitted, {}/s dropped)",
            Short(rates.emitted),
            Short(rates.dropped)
        )?;
    }
    for (at, publisher) in bus.publishers.iter().enumerate() {
        write!(
            f,
            "\n  publisher of {} ({}): {} emitted",
            publisher.topic,
            Place(publisher.location),
            publisher.emitted,
        )?;
        if let Some(rate) = rates.and_then(|rates| rates.publishers.get(at)) {
            write!(f, " ({}/s)", Short(*rate))?;
        }
    }
    for (at, sub) in stats.subscriptions.iter().enumerate() {
        show_subscription(f, sub)?;
        if let Some(rates) = rates.and_then(|rates| rates.subscriptions.get(at)) {
            write!(f, " ({rates})")?;
        }
        for consumer in &sub.consumers {
            write!(
                f,
                "\n    {} <- {}: {} called, {} failed, {} skipped",
                consumer_called(consumer),
                Patterns(&consumer.patterns),
                consumer.called,
                consumer.failed,
                consumer.skipped,
            )?;
            if !consumer.max.is_zero() {
                write!(
                    f,
                    "; {:.1?} a call, {:.1?} at most",
                    consumer.mean, consumer.max
                )?;
            }
        }
    }
    for tap in &bus.taps {
        let (what, to) = match tap.target {
            TapTarget::Callback => ("tap", None),
            TapTarget::Pipe { to } => ("pipe", Some(to)),
            TapTarget::Derived { to } => ("derived bus", Some(to)),
        };
        write!(
            f,
            "\n  {what} ({}) <- {}",
            Place(tap.location),
            Patterns(&tap.patterns)
        )?;
        if let Some(to) = to {
            let name = topology.bus(to).and_then(|bus| bus.stats.name.as_deref());
            match name {
                Some(name) => write!(f, " -> bus `{}`", Plain(name))?,
                None => write!(f, " -> bus #{to}")?,
            }
        }
    }
    show_topics(f, bus)
}

fn show_subscription(f: &mut fmt::Formatter<'_>, sub: &SubscriptionStats) -> fmt::Result {
    let state = match (sub.closed, sub.depth >= sub.capacity) {
        (true, _) => ", closed",
        (false, true) => ", FULL",
        (false, false) => "",
    };
    write!(
        f,
        "\n  {} <- {}: {} of {} waiting{state}, {}; {} accepted, {} taken",
        sub_called(sub),
        Patterns(&sub.patterns),
        sub.depth,
        sub.capacity,
        overflow_called(sub.overflow),
        sub.received,
        taken(sub),
    )?;
    let losses = [
        (sub.dropped, "DROPPED"),
        (sub.filtered, "filtered"),
        (sub.conflated, "conflated"),
        (sub.filter_panics, "panics of its filter"),
    ];
    for (number, what) in losses {
        if number > 0 {
            write!(f, ", {number} {what}")?;
        }
    }
    Ok(())
}

fn show_topics(f: &mut fmt::Formatter<'_>, bus: &BusNode) -> fmt::Result {
    let known = &bus.topics;
    if known.topics.is_empty() {
        return Ok(());
    }
    let since = match known.observed {
        Some(_) => "since it was made",
        None => "since subscriptions last changed",
    };
    write!(f, "\n  topics {since}:")?;
    for topic in known.topics.iter().take(SHOWN) {
        let taps = match topic.taps {
            0 => String::new(),
            taps => format!(", {}", count(taps as u64, "tap")),
        };
        let heard = match topic.subscriptions {
            0 if topic.taps == 0 && !topic.retained => "NOBODY LISTENS".to_owned(),
            subscriptions => count(subscriptions as u64, "subscription"),
        };
        write!(f, "\n    {}: {heard}{taps}", topic.topic)?;
    }
    match known.topics.len().saturating_sub(SHOWN) {
        0 if known.full => write!(f, "\n    and perhaps more"),
        0 => Ok(()),
        more => write!(f, "\n    and {more} more"),
    }
}
