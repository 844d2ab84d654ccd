//! Names and places as people read them: a name that somebody chose cannot pass for a line of ours.

use std::fmt;
use std::panic::Location;

use super::topology::{BusNode, Topology};
use crate::bus::{Consumer, Overflow, SubscriptionStats};
pub(crate) use crate::error::Plain;
use crate::pattern::Pattern;

/// `file:line`.
pub(crate) struct Place(pub(crate) &'static Location<'static>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", Plain(self.0.file()), self.0.line())
    }
}

/// Patterns, one after the other.
pub(super) struct Patterns<'a>(pub(super) &'a [Pattern]);

impl fmt::Display for Patterns<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, pattern) in self.0.iter().enumerate() {
            let space = if place > 0 { " " } else { "" };
            write!(f, "{space}{pattern}")?;
        }
        Ok(())
    }
}

/// A name, or what is said for want of one, and the place.
pub(crate) fn called(name: Option<&str>, number: u64, place: &'static Location<'static>) -> String {
    match name {
        Some(name) => format!("`{}` ({})", Plain(name), Place(place)),
        None => format!("#{number} ({})", Place(place)),
    }
}

pub(crate) fn sub_called(sub: &SubscriptionStats) -> String {
    let called = called(sub.name.as_deref(), sub.id, sub.location);
    format!("{} {called}", sub.role)
}

/// As [`sub_called`], and on which bus, where there are several.
pub(super) fn sub_on_bus(topology: &Topology, bus: &BusNode, sub: &SubscriptionStats) -> String {
    let called = sub_called(sub);
    match (&topology.buses[..], bus.stats.name.as_deref()) {
        ([_], _) => called,
        (_, Some(name)) => format!("{called} on bus `{}`", Plain(name)),
        (_, None) => format!("{called} on bus #{}", bus.id),
    }
}

pub(super) fn bus_called(bus: &BusNode) -> String {
    called(bus.stats.name.as_deref(), bus.id, bus.location)
}

pub(super) fn consumer_called(consumer: &Consumer) -> String {
    match (&consumer.name, consumer.location) {
        (Some(name), Some(place)) => format!("`{}` ({})", Plain(name), Place(place)),
        (Some(name), None) => format!("`{}`", Plain(name)),
        (None, Some(place)) => format!("at {}", Place(place)),
        (None, None) => "without a name".to_owned(),
    }
}

/// As its variant is called.
pub(super) fn overflow_called(overflow: Overflow) -> &'static str {
    match overflow {
        Overflow::DropNewest => "DropNewest",
        Overflow::DropOldest => "DropOldest",
        Overflow::Latest => "Latest",
    }
}

/// `1 event`, `2 events`.
pub(crate) fn count(number: impl Into<u64>, what: &str) -> String {
    let number = number.into();
    let s = if number == 1 { "" } else { "s" };
    format!("{number} {what}{s}")
}
