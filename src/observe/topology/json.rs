//! A topology as JSON.

use std::panic::Location;

use serde_json::{Value, json};

use super::rates::{BusRates, SubscriptionRates, taken};
use super::{BusNode, Topology};
use crate::bus::{Consumer, PublisherStats, SubscriptionStats, TapStats, TapTarget, TopicStats};
use crate::observe::words::overflow_called;
use crate::pattern::{Pattern, Syntax};

impl Topology {
    /// The topology as JSON (feature `json`).
    ///
    /// The schema is stable: fields may be added, none is renamed or taken away, but for a new version of the schema.
    ///
    /// | Object | Fields |
    /// |---|---|
    /// | the whole | `schema` (1), `at_seconds`, `rates_over_seconds` (or null), `buses` |
    /// | of `buses` | `id`, `name`, `payload_type`, `location`, `syntax` (`segmented`, `flat`), `closed`, `emitted`, `received`, `dropped`, `filtered`, `conflated`, `filter_panics`, `left_out`, `repeated`, `refused`, `depth`, `max_subscribers`, `history`, `retained`, `publishers`, `subscriptions`, `taps`, `topics`, `topics_observed` (or null), `topics_full`, `rates` (or null: `emitted`, `dropped`) |
    /// | of `publishers` | `id`, `topic`, `location`, `emitted`, `rate` (or null) |
    /// | of `subscriptions` | `id`, `name`, `role` (`subscriber`, `waiter`, `dispatcher`, `bridge`), `location`, `patterns`, `has_filter`, `closed`, `depth`, `capacity`, `high_water` (or null), `behind`, `overflow` (`DropNewest`, `DropOldest`, `Latest`), `matched`, `received`, `taken`, `dropped`, `filtered`, `conflated`, `filter_panics`, `consumers`, `rates` (or null: `matched`, `received`, `taken`, `dropped`, `filtered`, `conflated`) |
    /// | of `consumers` | `name`, `location` (or null), `patterns`, `called`, `failed`, `skipped`, `mean` and `max` (of a call, in seconds) |
    /// | of `taps` | `id`, `location`, `patterns`, `kind` (`callback`, `pipe`, `derived`), `to` (the `id` of a bus, or null) |
    /// | of `topics` | `topic`, `subscriptions`, `taps`, `retained` |
    /// | a `location` | `file`, `line`, `column` |
    ///
    /// A `name` that was not given is null. Rates are in events per second.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::builder().name("ui").build()?;
    /// let _sub = bus.subscription("scan.*").name("panel").subscribe()?;
    /// bus.emit("scan.started", 1)?;
    /// let json = bus.topology().to_json();
    /// assert_eq!(json["buses"][0]["name"], "ui");
    /// assert_eq!(json["buses"][0]["subscriptions"][0]["depth"], 1);
    /// println!("{json:#}");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn to_json(&self) -> Value {
        let rates = |place: usize| self.rates.as_ref()?.buses.get(place);
        let buses = self.buses.iter().enumerate();
        let buses: Vec<Value> = buses.map(|(place, it)| bus(it, rates(place))).collect();
        json!({
            "schema": 1,
            "at_seconds": self.at.as_secs_f64(),
            "rates_over_seconds": self.rates.as_ref().map(|rates| rates.elapsed.as_secs_f64()),
            "buses": buses,
        })
    }
}

fn location(place: &Location<'_>) -> Value {
    json!({ "file": place.file(), "line": place.line(), "column": place.column() })
}

fn patterns(patterns: &[Pattern]) -> Vec<&str> {
    patterns.iter().map(Pattern::as_str).collect()
}

fn bus(bus: &BusNode, rates: Option<&BusRates>) -> Value {
    let stats = &bus.stats;
    let subs = stats.subscriptions.iter().enumerate();
    let sub_rates = |at: usize| rates?.subscriptions.get(at);
    let publishers = bus.publishers.iter().enumerate();
    let publisher_rate = |at: usize| rates?.publishers.get(at).copied();
    let syntax = match bus.syntax {
        Syntax::Segmented => "segmented",
        Syntax::Flat => "flat",
    };
    json!({
        "id": bus.id,
        "name": stats.name.as_deref(),
        "payload_type": bus.payload_type,
        "location": location(bus.location),
        "syntax": syntax,
        "closed": stats.closed,
        "emitted": stats.emitted,
        "received": stats.received,
        "dropped": stats.dropped,
        "filtered": stats.filtered,
        "conflated": stats.conflated,
        "filter_panics": stats.filter_panics,
        "left_out": stats.left_out,
        "repeated": stats.repeated,
        "refused": stats.refused,
        "depth": stats.depth,
        "max_subscribers": stats.max_subscribers,
        "history": stats.history,
        "retained": stats.retained,
        "publishers": publishers.map(|(at, it)| publisher(it, publisher_rate(at))).collect::<Vec<_>>(),
        "subscriptions": subs.map(|(at, it)| subscription(it, sub_rates(at))).collect::<Vec<_>>(),
        "taps": bus.taps.iter().map(tap).collect::<Vec<_>>(),
        "topics": bus.topics.topics.iter().map(topic).collect::<Vec<_>>(),
        "topics_observed": bus.topics.observed,
        "topics_full": bus.topics.full,
        "rates": rates.map(|rates| json!({ "emitted": rates.emitted, "dropped": rates.dropped })),
    })
}

fn publisher(publisher: &PublisherStats, rate: Option<f64>) -> Value {
    json!({
        "id": publisher.id,
        "topic": publisher.topic.as_str(),
        "location": location(publisher.location),
        "emitted": publisher.emitted,
        "rate": rate,
    })
}

fn subscription(sub: &SubscriptionStats, rates: Option<&SubscriptionRates>) -> Value {
    json!({
        "id": sub.id,
        "name": sub.name.as_deref(),
        "role": sub.role.as_str(),
        "location": location(sub.location),
        "patterns": patterns(&sub.patterns),
        "has_filter": sub.has_filter,
        "closed": sub.closed,
        "depth": sub.depth,
        "capacity": sub.capacity,
        "high_water": sub.high_water,
        "behind": sub.behind,
        "overflow": overflow_called(sub.overflow),
        "matched": sub.matched(),
        "received": sub.received,
        "taken": taken(sub),
        "dropped": sub.dropped,
        "filtered": sub.filtered,
        "conflated": sub.conflated,
        "filter_panics": sub.filter_panics,
        "consumers": sub.consumers.iter().map(consumer).collect::<Vec<_>>(),
        "rates": rates.map(rates_of),
    })
}

fn rates_of(rates: &SubscriptionRates) -> Value {
    json!({
        "matched": rates.matched,
        "received": rates.received,
        "taken": rates.taken,
        "dropped": rates.dropped,
        "filtered": rates.filtered,
        "conflated": rates.conflated,
    })
}

fn consumer(consumer: &Consumer) -> Value {
    json!({
        "name": consumer.name.as_deref(),
        "location": consumer.location.map(location),
        "patterns": patterns(&consumer.patterns),
        "called": consumer.called,
        "failed": consumer.failed,
        "skipped": consumer.skipped,
        "mean": consumer.mean.as_secs_f64(),
        "max": consumer.max.as_secs_f64(),
    })
}

fn tap(tap: &TapStats) -> Value {
    let kind = match tap.target {
        TapTarget::Callback => "callback",
        TapTarget::Pipe { .. } => "pipe",
        TapTarget::Derived { .. } => "derived",
    };
    json!({
        "id": tap.id,
        "location": location(tap.location),
        "patterns": patterns(&tap.patterns),
        "kind": kind,
        "to": tap.target.bus(),
    })
}

fn topic(topic: &TopicStats) -> Value {
    json!({
        "topic": topic.topic.as_str(),
        "subscriptions": topic.subscriptions,
        "taps": topic.taps,
        "retained": topic.retained,
    })
}
