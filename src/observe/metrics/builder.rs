//! What is to be reported, to whom, and when.

use std::fmt;
use std::io;
use std::thread;
use std::time::Duration;

use super::BusMetrics;
use super::report::Reporter;
use super::sheet::SharedRecorder;
use super::source::Source;
use crate::bus::Bus;
use crate::handlers::{Dispatcher, Handlers};
use crate::sync::{Arc, RecvTimeoutError, bounded};

/// How many names a label takes, unless told otherwise: [`BusMetricsBuilder::max_names`].
///
/// ```
/// assert_eq!(chanbus::DEFAULT_METRIC_NAMES, 100);
/// ```
pub const DEFAULT_METRIC_NAMES: usize = 100;

/// A [`BusMetrics`] in the making.
///
/// ```
/// use std::time::Duration;
/// use chanbus::{Bus, BusMetrics, Dispatcher, Handlers};
///
/// let bus = Bus::<u32>::builder().name("chat").build()?;
/// let handlers = Handlers::new();
/// let dispatcher = Dispatcher::builder(&bus, &handlers).name("chat").build()?;
/// let metrics = BusMetrics::builder()
///     .bus(&bus)
///     .handlers("chat", &handlers)
///     .dispatcher(&dispatcher)
///     .max_names(20)
///     .every(Duration::from_secs(10))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a builder reports only by `build` or `every`"]
pub struct BusMetricsBuilder {
    recorder: Option<SharedRecorder>,
    max_names: usize,
    sources: Vec<(Source, Option<String>)>,
}

impl BusMetricsBuilder {
    pub(super) fn new() -> Self {
        BusMetricsBuilder {
            recorder: None,
            max_names: DEFAULT_METRIC_NAMES,
            sources: Vec::new(),
        }
    }

    /// Reports a bus under its own name.
    ///
    /// ```
    /// # use chanbus::{Bus, BusMetrics};
    /// let bus: Bus<u32> = Bus::builder().name("ui").build()?;
    /// let metrics = BusMetrics::builder().bus(&bus).build();
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn bus<T: Send + Sync + 'static>(mut self, bus: &Bus<T>) -> Self {
        self.sources.push((Source::Bus(bus.stats_reader()), None));
        self
    }

    /// Reports a bus under another name, such as a derived one, which has none of its own.
    ///
    /// ```
    /// # use chanbus::{Bus, BusMetrics};
    /// let bus: Bus<u32> = Bus::new();
    /// let even = bus.filtered(|event| event.payload() % 2 == 0);
    /// let metrics = BusMetrics::builder().bus(&bus).bus_as("even", &even).build();
    /// ```
    pub fn bus_as<T: Send + Sync + 'static>(
        mut self,
        name: impl Into<String>,
        bus: &Bus<T>,
    ) -> Self {
        let source = Source::Bus(bus.stats_reader());
        self.sources.push((source, Some(name.into())));
        self
    }

    /// Reports a registry of handlers: calls, failures, and events that middleware blocked.
    ///
    /// ```
    /// # use chanbus::{BusMetrics, Handlers};
    /// let handlers = Handlers::<u32>::new();
    /// let metrics = BusMetrics::builder().handlers("chat", &handlers).build();
    /// ```
    pub fn handlers<T: Send + Sync + 'static>(
        mut self,
        name: impl Into<String>,
        handlers: &Handlers<T>,
    ) -> Self {
        let source = Source::Handlers(handlers.stats_reader());
        self.sources.push((source, Some(name.into())));
        self
    }

    /// Reports a dispatcher under its name, with the times that its handlers take. What it drops is
    /// reported by its bus, under the same name.
    ///
    /// ```
    /// # use chanbus::{Bus, BusMetrics, Dispatcher, Handlers};
    /// # let bus = Bus::<u32>::new();
    /// let dispatcher = Dispatcher::builder(&bus, &Handlers::new()).name("chat").build()?;
    /// let metrics = BusMetrics::builder().dispatcher(&dispatcher).build();
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn dispatcher<T: Send + Sync + 'static>(mut self, dispatcher: &Dispatcher<T>) -> Self {
        let source = Source::Dispatcher(dispatcher.stats_reader());
        self.sources
            .push((source, Some(dispatcher.name().to_owned())));
        self
    }

    /// How many names each label takes; what comes after them is reported as `(other)`. The default is
    /// [`DEFAULT_METRIC_NAMES`]. For several reporters to one recorder the names count together, each reporter
    /// adding none beyond its own limit.
    ///
    /// ```
    /// # use chanbus::{Bus, BusMetrics};
    /// # let bus: Bus<u32> = Bus::new();
    /// let metrics = BusMetrics::builder().bus(&bus).max_names(1_000).build();
    /// ```
    pub fn max_names(mut self, names: usize) -> Self {
        self.max_names = names;
        self
    }

    /// Reports to this recorder. The default is the one that is installed, for the process or for the thread,
    /// when an update runs; while there is none, what is counted is kept for the one that comes.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use chanbus::{Bus, BusMetrics};
    ///
    /// let bus: Bus<u32> = Bus::new();
    /// let recorder = Arc::new(metrics::NoopRecorder);
    /// let metrics = BusMetrics::builder().bus(&bus).recorder(recorder).build();
    /// ```
    pub fn recorder(mut self, recorder: Arc<dyn ::metrics::Recorder + Send + Sync>) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// The reporter, which reports when [asked](BusMetrics::update).
    ///
    /// ```
    /// # use chanbus::{Bus, BusMetrics};
    /// # let bus: Bus<u32> = Bus::new();
    /// BusMetrics::builder().bus(&bus).build().update();
    /// ```
    pub fn build(self) -> BusMetrics {
        BusMetrics {
            reporter: Arc::new(self.reporter()),
            _thread: None,
        }
    }

    /// The reporter, which reports now, then at this interval, on a thread of its own (`chanbus-metrics`), and when
    /// asked as well. An interval of less than a millisecond counts as one. The thread ends when the
    /// reporter is dropped, which does not wait for it.
    ///
    /// # Errors
    ///
    /// The system would not start a thread.
    ///
    /// ```
    /// # use chanbus::{Bus, BusMetrics};
    /// # let bus: Bus<u32> = Bus::new();
    /// let metrics = BusMetrics::builder().bus(&bus).every(std::time::Duration::from_secs(10))?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn every(self, interval: Duration) -> io::Result<BusMetrics> {
        let interval = interval.max(Duration::from_millis(1));
        let reporter = Arc::new(self.reporter());
        let (owner, ended) = bounded::<()>(0);
        let theirs = Arc::clone(&reporter);
        thread::Builder::new()
            .name("chanbus-metrics".to_owned())
            .spawn(move || {
                theirs.update();
                while let Err(RecvTimeoutError::Timeout) = ended.recv_timeout(interval) {
                    theirs.update();
                }
            })?;
        Ok(BusMetrics {
            reporter,
            _thread: Some(owner),
        })
    }

    fn reporter(self) -> Reporter {
        Reporter::new(self.recorder, self.max_names, self.sources)
    }
}

impl fmt::Debug for BusMetricsBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BusMetricsBuilder")
            .field("recorder", &self.recorder.as_ref().map(|_| "given"))
            .field("max_names", &self.max_names)
            .field("sources", &self.sources.len())
            .finish()
    }
}
