//! What is read, and what of it is new since it was read last.

use std::collections::HashMap;

use super::label;
use super::sheet::{Series, Sheet};
use super::table::{self, Metric};
use crate::bus::{BusStats, SubscriptionStats};
use crate::handlers::{DispatcherStats, HandlersStats};
use crate::stats_reader::StatsReader;
use crate::sync::Arc;

/// What is reported on.
#[derive(Clone)]
pub(super) enum Source {
    Bus(StatsReader<BusStats>),
    Handlers(StatsReader<HandlersStats>),
    Dispatcher(StatsReader<DispatcherStats>),
}

/// Its numbers at one moment.
pub(super) enum Reading {
    Bus(BusStats),
    Handlers(HandlersStats),
    Dispatcher(DispatcherStats),
    Gone,
}

impl Source {
    pub(super) fn read(&self) -> Reading {
        let reading = match self {
            Source::Bus(reader) => reader.read().map(Reading::Bus),
            Source::Handlers(reader) => reader.read().map(Reading::Handlers),
            Source::Dispatcher(reader) => reader.read().map(Reading::Dispatcher),
        };
        reading.unwrap_or(Reading::Gone)
    }
}

impl Reading {
    /// Whether the numbers will not change any more.
    pub(super) fn is_last(&self) -> bool {
        match self {
            Reading::Bus(stats) => stats.closed && stats.subscriptions.is_empty(),
            Reading::Gone => true,
            Reading::Handlers(_) | Reading::Dispatcher(_) => false,
        }
    }
}

/// What subscriptions count each.
const COUNTED: [&Metric; 5] = [
    &table::DELIVERED,
    &table::DROPPED,
    &table::FILTERED,
    &table::CONFLATED,
    &table::FILTER_PANICS,
];

fn counts_of(stats: &SubscriptionStats) -> [u64; 5] {
    [
        stats.received,
        stats.dropped,
        stats.filtered,
        stats.conflated,
        stats.filter_panics,
    ]
}

fn sums_of(stats: &BusStats) -> [u64; 5] {
    [
        stats.received,
        stats.dropped,
        stats.filtered,
        stats.conflated,
        stats.filter_panics,
    ]
}

/// One subscription, as it was read last.
struct Known {
    label: Arc<str>,
    counts: [u64; 5],
}

/// What was reported of one source.
pub(super) struct Account {
    /// The name that was asked for, else its own.
    name: Option<String>,
    label: Option<Arc<str>>,
    counters: HashMap<&'static str, u64>,
    subscriptions: HashMap<u64, Known>,
    /// How much of the bus's sums went to one subscription or another.
    attributed: [u64; 5],
    /// Its share of each gauge.
    gauges: HashMap<Series, f64>,
    /// Gauges that are not summed up.
    quantiles: Vec<Series>,
}

/// What is told of a source: under which limit, to which sheet, and which series it touches.
pub(super) struct Page<'a> {
    pub(super) sheet: &'a mut Sheet,
    pub(super) limit: usize,
    pub(super) touched: &'a mut Vec<Series>,
}

impl Page<'_> {
    fn count(&mut self, series: Series, more: u64) {
        self.sheet.count(&series, more);
        self.touched.push(series);
    }
}

impl Account {
    pub(super) fn new(name: Option<String>) -> Self {
        Account {
            name,
            label: None,
            counters: HashMap::new(),
            subscriptions: HashMap::new(),
            attributed: [0; 5],
            gauges: HashMap::new(),
            quantiles: Vec::new(),
        }
    }

    /// Adds what is new to the sheet.
    pub(super) fn post(&mut self, reading: &Reading, page: &mut Page<'_>) {
        match reading {
            Reading::Bus(stats) => self.post_bus(stats, page),
            Reading::Handlers(stats) => self.post_handlers(stats, page),
            Reading::Dispatcher(stats) => self.post_dispatcher(stats, page),
            Reading::Gone => {}
        }
        if reading.is_last() {
            self.end(page.sheet);
        }
    }

    /// Takes its share of the gauges back; what was counted stays.
    pub(super) fn end(&mut self, sheet: &mut Sheet) {
        for (series, share) in self.gauges.drain() {
            sheet.shift(&series, -share);
        }
        for series in self.quantiles.drain(..) {
            sheet.put(&series, 0.0);
        }
    }

    fn label(&mut self, label: &'static str, own: Option<&str>, page: &mut Page<'_>) -> Arc<str> {
        let name = self.name.as_deref().or(own);
        let sheet = &mut page.sheet;
        let named = || sheet.name(label, None, name, page.limit);
        Arc::clone(self.label.get_or_insert_with(named))
    }

    /// A counter of the source itself. What was read may dip, as several words make one number.
    fn count(&mut self, metric: &'static Metric, of: &Arc<str>, now: u64, page: &mut Page<'_>) {
        let before = self.counters.entry(metric.name).or_default();
        let more = now.saturating_sub(*before);
        *before = now.max(*before);
        page.count(Series::new(metric, &[of]), more);
    }

    /// Moves the gauges to where they are now, and those that are not there any more to nothing.
    fn set_gauges(&mut self, now: HashMap<Series, f64>, page: &mut Page<'_>) {
        for (series, share) in &now {
            let before = self.gauges.remove(series).unwrap_or(0.0);
            page.sheet.shift(series, share - before);
            page.touched.push(series.clone());
        }
        for (series, share) in self.gauges.drain() {
            page.sheet.shift(&series, -share);
        }
        self.gauges = now;
    }

    fn post_bus(&mut self, stats: &BusStats, page: &mut Page<'_>) {
        let bus = self.label("bus", stats.name.as_deref(), page);
        self.count(&table::EMITTED, &bus, stats.emitted, page);
        self.count(&table::LEFT_OUT, &bus, stats.left_out, page);
        self.count(&table::REPEATED, &bus, stats.repeated, page);
        self.count(&table::REFUSED, &bus, stats.refused, page);

        let mut gauges = HashMap::new();
        gauges.insert(
            Series::new(&table::SUBSCRIBERS, &[&bus]),
            stats.subscribers as f64,
        );
        let mut subscriptions = HashMap::with_capacity(stats.subscriptions.len());
        for sub in &stats.subscriptions {
            let mut known = self.subscriptions.remove(&sub.id).unwrap_or_else(|| Known {
                label: page
                    .sheet
                    .name("subscription", Some(&bus), sub.name.as_deref(), page.limit),
                counts: [0; 5],
            });
            for (at, now) in counts_of(sub).into_iter().enumerate() {
                let more = now.saturating_sub(known.counts[at]);
                known.counts[at] += more;
                self.attributed[at] += more;
                page.count(Series::new(COUNTED[at], &[&bus, &known.label]), more);
            }
            let mut add = |metric, value: usize| {
                *gauges
                    .entry(Series::new(metric, &[&bus, &known.label]))
                    .or_insert(0.0) += value as f64;
            };
            add(&table::DEPTH, sub.depth);
            add(&table::CAPACITY, if sub.closed { 0 } else { sub.capacity });
            subscriptions.insert(sub.id, known);
        }
        // Those that have gone since.
        self.subscriptions = subscriptions;
        self.post_rest(stats, &bus, page);
        self.set_gauges(gauges, page);
    }

    /// What the bus has counted and no subscription that can be read: those that have gone since they were
    /// read last, or came and went in between.
    fn post_rest(&mut self, stats: &BusStats, bus: &Arc<str>, page: &mut Page<'_>) {
        for (at, sum) in sums_of(stats).into_iter().enumerate() {
            let rest = sum.saturating_sub(self.attributed[at]);
            if rest > 0 {
                self.attributed[at] += rest;
                page.count(Series::new(COUNTED[at], &[bus, &label::other()]), rest);
            }
        }
    }

    fn post_handlers(&mut self, stats: &HandlersStats, page: &mut Page<'_>) {
        let label = self.label("handlers", None, page);
        self.count(&table::HANDLED, &label, stats.events, page);
        self.count(&table::CALLED, &label, stats.called, page);
        self.count(&table::FAILED, &label, stats.failed, page);
        self.count(&table::SKIPPED, &label, stats.skipped, page);
        self.count(&table::BLOCKED, &label, stats.blocked, page);
        let handlers = Series::new(&table::HANDLERS, &[&label]);
        self.set_gauges([(handlers, stats.handlers as f64)].into(), page);
    }

    fn post_dispatcher(&mut self, stats: &DispatcherStats, page: &mut Page<'_>) {
        let label = self.label("dispatcher", None, page);
        let times = &stats.dispatch;
        let nanos = u64::try_from(times.total().as_nanos()).unwrap_or(u64::MAX);
        self.count(&table::DISPATCHED, &label, times.count(), page);
        self.count(&table::DISPATCH_NANOS, &label, nanos, page);
        let gauges = [
            (&table::DISPATCH_QUEUED, stats.queued),
            (&table::DISPATCH_RUNNING, stats.in_flight),
            (&table::DISPATCH_STUCK, stats.stuck),
        ];
        let gauges = gauges.map(|(metric, value)| (Series::new(metric, &[&label]), value as f64));
        self.set_gauges(gauges.into(), page);
        self.quantiles.clear();
        for (quantile, time) in [
            ("0.5", times.p50()),
            ("0.99", times.p99()),
            ("1", times.max()),
        ] {
            let series = Series::new(&table::DISPATCH_TIME, &[&label, &quantile.into()]);
            page.sheet.put(&series, time.as_secs_f64());
            page.touched.push(series.clone());
            self.quantiles.push(series);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bus;

    /// What a reporter would tell of these readings.
    fn posted(readings: &[BusStats]) -> Sheet {
        let (mut sheet, mut account) = (Sheet::default(), Account::new(None));
        for stats in readings {
            let mut page = Page {
                sheet: &mut sheet,
                limit: 10,
                touched: &mut Vec::new(),
            };
            account.post(&Reading::Bus(stats.clone()), &mut page);
        }
        sheet
    }

    #[test]
    fn a_number_that_dips_between_two_readings_is_counted_once() {
        let bus: Bus<u32> = Bus::builder().name("ui").build().unwrap();
        let sub = bus.subscription("n").name("s").subscribe().unwrap();
        // A consumer between taking and counting is missing in a reading; and a publisher that emits.
        let reading = |received, emitted| {
            let mut stats = bus.stats();
            (stats.received, stats.emitted) = (received, emitted);
            stats.subscriptions[0].received = received;
            stats
        };
        let sheet = posted(&[reading(5, 5), reading(4, 4), reading(6, 7)]);
        let (ui, s) = ("ui".into(), "s".into());
        let delivered = |name| sheet.counter(&Series::new(&table::DELIVERED, &[&ui, name]));
        assert_eq!(delivered(&s), Some(6));
        assert_eq!(delivered(&label::other()), None);
        assert_eq!(
            sheet.counter(&Series::new(&table::EMITTED, &[&ui])),
            Some(7)
        );
        drop(sub);
    }
}
