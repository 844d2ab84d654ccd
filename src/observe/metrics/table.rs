//! Every metric: its name, kind, unit, labels and help. The table in the docs of [`BusMetrics`](super::BusMetrics)
//! says the same; a test holds one against the other.

use std::hash::{Hash, Hasher};

use ::metrics::Unit;

/// What a metric is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

/// One metric.
pub(super) struct Metric {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) unit: Unit,
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
}

/// Known by its name.
impl PartialEq for Metric {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Metric {}

impl Hash for Metric {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

macro_rules! metrics {
    ($($place:ident = $kind:ident $name:literal, $unit:ident, [$($label:literal),*], $help:literal;)*) => {
        $(pub(super) static $place: Metric = Metric {
            name: $name,
            kind: Kind::$kind,
            unit: Unit::$unit,
            labels: &[$($label),*],
            help: $help,
        };)*

        /// All of them, in the order of the docs.
        pub(super) static ALL: &[&Metric] = &[$(&$place),*];
    };
}

metrics! {
    EMITTED = Counter "chanbus_emitted_total", Count, ["bus"],
        "Events emitted, also those that nobody matched.";
    DELIVERED = Counter "chanbus_delivered_total", Count, ["bus", "subscription"],
        "Events that subscriptions accepted and did not lose since, taken or not.";
    DROPPED = Counter "chanbus_dropped_total", Count, ["bus", "subscription"],
        "Events that found no room, or were pushed out by newer ones.";
    FILTERED = Counter "chanbus_filtered_total", Count, ["bus", "subscription"],
        "Events that filters rejected.";
    CONFLATED = Counter "chanbus_conflated_total", Count, ["bus", "subscription"],
        "Events that were replaced by newer ones of their topic.";
    FILTER_PANICS = Counter "chanbus_filter_panics_total", Count, ["bus", "subscription"],
        "Panics of filters, or of what a derived bus filters or maps by.";
    LEFT_OUT = Counter "chanbus_left_out_total", Count, ["bus"],
        "Events that other buses did not pass on, as a predicate or a mapping left them out.";
    REPEATED = Counter "chanbus_repeated_total", Count, ["bus"],
        "Events that other buses did not pass on, as they had been here before.";
    REFUSED = Counter "chanbus_refused_total", Count, ["bus"],
        "Events that other buses passed on and that were not taken.";
    DEPTH = Gauge "chanbus_depth", Count, ["bus", "subscription"],
        "Events that wait in queues.";
    CAPACITY = Gauge "chanbus_capacity", Count, ["bus", "subscription"],
        "Events that queues hold at most.";
    SUBSCRIBERS = Gauge "chanbus_subscribers", Count, ["bus"],
        "Open subscriptions.";
    HANDLED = Counter "chanbus_handler_events_total", Count, ["handlers"],
        "Events that came to their end in a registry of handlers, blocked ones included.";
    CALLED = Counter "chanbus_handler_calls_total", Count, ["handlers"],
        "Calls of handlers.";
    FAILED = Counter "chanbus_handler_failures_total", Count, ["handlers"],
        "Failures and panics of handlers, their filters and middleware.";
    SKIPPED = Counter "chanbus_handler_skips_total", Count, ["handlers"],
        "Matches of handlers without a call.";
    BLOCKED = Counter "chanbus_handler_blocked_total", Count, ["handlers"],
        "Events that middleware blocked.";
    HANDLERS = Gauge "chanbus_handlers", Count, ["handlers"],
        "Registered handlers.";
    DISPATCHED = Counter "chanbus_dispatched_total", Count, ["dispatcher"],
        "Events that a dispatcher took and brought to their end.";
    DISPATCH_NANOS = Counter "chanbus_dispatch_nanoseconds_total", Nanoseconds, ["dispatcher"],
        "Time from an event's leaving the queue until its last handler had ended, summed over events.";
    DISPATCH_TIME = Gauge "chanbus_dispatch_seconds", Seconds, ["dispatcher", "quantile"],
        "Quantiles of that time since the dispatcher was made; 1 is the longest.";
    DISPATCH_QUEUED = Gauge "chanbus_dispatch_queued", Count, ["dispatcher"],
        "Events that wait for a dispatcher.";
    DISPATCH_RUNNING = Gauge "chanbus_dispatch_in_flight", Count, ["dispatcher"],
        "Events, or batches, that are at their handlers.";
    DISPATCH_STUCK = Gauge "chanbus_dispatch_stuck", Count, ["dispatcher"],
        "Handlers that a stop gave up on, and that still run.";
}
