//! Numbers for the `metrics` facade, read now and then: no emit pays for them.
//!
//! | File | Its one job |
//! |---|---|
//! | `mod.rs`, `builder.rs` | what the owner holds; what is asked for |
//! | `report.rs` | one reporter: reads, adds up, tells the recorder |
//! | `source.rs` | what is read, and what of it is new |
//! | `sheet.rs` | what all reporters to one recorder say together |
//! | `table.rs`, `label.rs` | the metrics; names as values of labels |

mod builder;
mod label;
mod report;
mod sheet;
mod source;
mod table;

use std::fmt;

use crate::bus::Bus;
use crate::sync::{Arc, Sender};

use self::report::Reporter;

pub use self::builder::{BusMetricsBuilder, DEFAULT_METRIC_NAMES};

/// Reports the numbers of buses, handlers and dispatchers to a recorder of the [`metrics` facade](https://docs.rs/metrics),
/// until it is dropped. Feature `metrics`.
///
/// It reads [`Bus::stats`] and its kin and tells the recorder what it found, when [asked](BusMetrics::update), say
/// before each scrape, or every so often by [a thread](BusMetricsBuilder::every). So emits, takes and handlers do
/// nothing for it, and cost what they cost without.
///
/// ```
/// use chanbus::{Bus, BusMetrics};
///
/// let bus = Bus::builder().name("ui").build()?;
/// let metrics = BusMetrics::of(&bus);     // to the recorder of the process
/// let _panel = bus.subscription("a").name("panel").subscribe()?;
/// bus.emit("a", 1)?;
/// metrics.update();                       // chanbus_delivered_total{bus="ui",subscription="panel"} 1
/// # Ok::<(), chanbus::Error>(())
/// ```
///
/// A bus that is made of others, by [`filtered`](Bus::filtered) and its kin, is not found by itself: it is added by hand, and
/// under a name, as it has none: [`bus_as`](BusMetricsBuilder::bus_as).
///
/// # What it reports
///
/// | Name | Kind | Unit | Labels | From |
/// |---|---|---|---|---|
/// | `chanbus_emitted_total` | counter | events | `bus` | [`BusStats::emitted`](crate::BusStats::emitted) |
/// | `chanbus_delivered_total` | counter | events | `bus`, `subscription` | [`SubscriptionStats::received`](crate::SubscriptionStats::received) |
/// | `chanbus_dropped_total` | counter | events | `bus`, `subscription` | [`dropped`](crate::SubscriptionStats::dropped) |
/// | `chanbus_filtered_total` | counter | events | `bus`, `subscription` | [`filtered`](crate::SubscriptionStats::filtered) |
/// | `chanbus_conflated_total` | counter | events | `bus`, `subscription` | [`conflated`](crate::SubscriptionStats::conflated) |
/// | `chanbus_filter_panics_total` | counter | panics | `bus`, `subscription` | [`filter_panics`](crate::SubscriptionStats::filter_panics) |
/// | `chanbus_left_out_total` | counter | events | `bus` | [`BusStats::left_out`](crate::BusStats::left_out) |
/// | `chanbus_repeated_total` | counter | events | `bus` | [`BusStats::repeated`](crate::BusStats::repeated) |
/// | `chanbus_refused_total` | counter | events | `bus` | [`BusStats::refused`](crate::BusStats::refused) |
/// | `chanbus_depth` | gauge | events | `bus`, `subscription` | [`depth`](crate::SubscriptionStats::depth) |
/// | `chanbus_capacity` | gauge | events | `bus`, `subscription` | [`capacity`](crate::SubscriptionStats::capacity), of open ones |
/// | `chanbus_subscribers` | gauge | subscriptions | `bus` | [`BusStats::subscribers`](crate::BusStats::subscribers) |
/// | `chanbus_handler_events_total` | counter | events | `handlers` | [`HandlersStats::events`](crate::HandlersStats::events) |
/// | `chanbus_handler_calls_total` | counter | calls | `handlers` | [`called`](crate::HandlersStats::called) |
/// | `chanbus_handler_failures_total` | counter | failures | `handlers` | [`failed`](crate::HandlersStats::failed) |
/// | `chanbus_handler_skips_total` | counter | matches | `handlers` | [`skipped`](crate::HandlersStats::skipped) |
/// | `chanbus_handler_blocked_total` | counter | events | `handlers` | [`blocked`](crate::HandlersStats::blocked) |
/// | `chanbus_handlers` | gauge | handlers | `handlers` | [`handlers`](crate::HandlersStats::handlers) |
/// | `chanbus_dispatched_total` | counter | events | `dispatcher` | [`DispatcherStats::dispatch`](crate::DispatcherStats::dispatch), its count |
/// | `chanbus_dispatch_nanoseconds_total` | counter | nanoseconds | `dispatcher` | its [total](crate::Times::total) |
/// | `chanbus_dispatch_seconds` | gauge | seconds | `dispatcher`, `quantile` | its 50th (`0.5`) and 99th (`0.99`) percentile, and its maximum (`1`) |
/// | `chanbus_dispatch_queued` | gauge | events | `dispatcher` | [`queued`](crate::DispatcherStats::queued) |
/// | `chanbus_dispatch_in_flight` | gauge | events | `dispatcher` | [`in_flight`](crate::DispatcherStats::in_flight) |
/// | `chanbus_dispatch_stuck` | gauge | handlers | `dispatcher` | [`stuck`](crate::DispatcherStats::stuck) |
///
/// **Sums.** For each bus, the sums over `subscription` are those of the bus: what a subscription counted between
/// the last update and its end, or all that one counted that came and went in between, is under
/// `subscription="(other)"`. `delivered + dropped + filtered + conflated` is how often an event matched.
///
/// **Counters never go down**: not when subscriptions or buses go, not by [`Bus::reset`], and not when a reporter
/// is dropped and another made. (A second reporter of the same bus counts it again.) A bus that has closed and
/// whose subscriptions have gone is read once more, and let go of.
/// Handlers and dispatchers are gone when they are dropped: what they did since the last update is not
/// reported then, so [`update`](BusMetrics::update) before.
///
/// **Gauges** of what has gone are zero, and so are those of a reporter that was dropped.
///
/// **Labels are bounded.** A label takes [so many](BusMetricsBuilder::max_names) names, the first that
/// come: of buses, and of subscriptions for each of these; all further ones are `(other)`. What has no name, or an empty
/// one, is `(unnamed)`: all unnamed subscriptions of a bus are one line, as numbers and places would make ever new
/// lines as subscriptions come and go. To tell them apart give them [names](crate::SubscriptionBuilder::name). Names are cut after 100 characters, and control characters replaced. Several of one name, buses or
/// subscriptions, are added up, also those of several reporters to one recorder; only of quantiles, which
/// have no sum, the last told stands.
///
/// **Times** are quantiles over the dispatcher's life, as the facade has no way to hand over a histogram. For those of
/// the last minutes divide the rates: `rate(chanbus_dispatch_nanoseconds_total) / rate(chanbus_dispatched_total)`
/// is the mean.
///
/// It holds the buses' numbers only: it keeps no bus open and no handler alive. A recorder that panics is
/// caught, and [counted](BusMetrics::recorder_panics); one that calls [`update`](BusMetrics::update) itself is not told again
/// inside of that. No lock is held while the recorder is told.
#[must_use = "dropping it ends the reporting"]
pub struct BusMetrics {
    reporter: Arc<Reporter>,
    /// Ends the thread when it is dropped.
    _thread: Option<Sender<()>>,
}

impl BusMetrics {
    /// Reports one bus, when [asked](BusMetrics::update), to the recorder of the process.
    ///
    /// ```
    /// # use chanbus::{Bus, BusMetrics};
    /// let bus: Bus<u32> = Bus::new();
    /// BusMetrics::of(&bus).update();
    /// ```
    pub fn of<T: Send + Sync + 'static>(bus: &Bus<T>) -> Self {
        Self::builder().bus(bus).build()
    }

    /// Begins with nothing to report.
    ///
    /// ```
    /// # use chanbus::{Bus, BusMetrics};
    /// let (ui, jobs): (Bus<u32>, Bus<String>) = (Bus::new(), Bus::new());
    /// let metrics = BusMetrics::builder().bus_as("ui", &ui).bus_as("jobs", &jobs).build();
    /// ```
    pub fn builder() -> BusMetricsBuilder {
        BusMetricsBuilder::new()
    }

    /// Reads all numbers and tells the recorder: when it returns, the recorder has them.
    ///
    /// It takes time in proportion to the number of subscriptions and handlers, and new subscriptions wait for
    /// a moment of it: for every second or every scrape, not for every event.
    ///
    /// ```
    /// # use chanbus::{Bus, BusMetrics};
    /// let bus: Bus<u32> = Bus::new();
    /// let metrics = BusMetrics::of(&bus);
    /// metrics.update();
    /// ```
    pub fn update(&self) {
        self.reporter.update();
    }

    /// How many updates a panic of the recorder cut short.
    ///
    /// ```
    /// # use chanbus::{Bus, BusMetrics};
    /// assert_eq!(BusMetrics::of(&Bus::<u32>::new()).recorder_panics(), 0);
    /// ```
    #[must_use]
    pub fn recorder_panics(&self) -> u64 {
        self.reporter.panics()
    }

    /// How many buses, registries and dispatchers it still reports.
    ///
    /// ```
    /// # use chanbus::{Bus, BusMetrics};
    /// let bus: Bus<u32> = Bus::new();
    /// let metrics = BusMetrics::of(&bus);
    /// assert_eq!(metrics.source_count(), 1);
    /// drop(bus);
    /// metrics.update();
    /// assert_eq!(metrics.source_count(), 0);
    /// ```
    #[must_use]
    pub fn source_count(&self) -> usize {
        self.reporter.source_count()
    }
}

/// Tells the last numbers, and takes back the gauges.
impl Drop for BusMetrics {
    fn drop(&mut self) {
        self.reporter.end();
    }
}

impl fmt::Debug for BusMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BusMetrics")
            .field("recorder_panics", &self.recorder_panics())
            .finish_non_exhaustive()
    }
}
