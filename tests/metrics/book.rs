//! A recorder that keeps everything, and does what it is told while it is told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString,
    Unit,
};

type Act = Arc<dyn Fn() + Send + Sync>;

/// What was described: kind, unit, help.
pub(crate) type Described = (&'static str, Option<Unit>, String);

#[derive(Default)]
pub(crate) struct Book {
    counters: Mutex<BTreeMap<String, Arc<Count>>>,
    gauges: Mutex<BTreeMap<String, Arc<Level>>>,
    pub(crate) described: Mutex<BTreeMap<String, Described>>,
    /// Runs whenever a handle is asked for.
    act: Mutex<Option<Act>>,
}

#[derive(Default)]
struct Count(AtomicU64);

#[derive(Default)]
struct Level(AtomicU64);

impl CounterFn for Count {
    fn increment(&self, value: u64) {
        self.0.fetch_add(value, Ordering::SeqCst);
    }

    fn absolute(&self, value: u64) {
        self.0.fetch_max(value, Ordering::SeqCst);
    }
}

impl GaugeFn for Level {
    fn increment(&self, _: f64) {
        unreachable!("gauges are set");
    }
    fn decrement(&self, _: f64) {
        unreachable!("gauges are set");
    }
    fn set(&self, value: f64) {
        self.0.store(value.to_bits(), Ordering::SeqCst);
    }
}

fn locked<V>(mutex: &Mutex<V>) -> MutexGuard<'_, V> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `name{label="value",...}`, as people write it.
fn shown(key: &Key) -> String {
    let labels = key
        .labels()
        .map(|label| format!("{}={:?}", label.key(), label.value()));
    format!("{}{{{}}}", key.name(), labels.collect::<Vec<_>>().join(","))
}

impl Book {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn counter(&self, series: &str) -> u64 {
        self.find_counter(series)
            .unwrap_or_else(|| panic!("no {series} in {:#?}", self.counters()))
    }

    pub(crate) fn find_counter(&self, series: &str) -> Option<u64> {
        let counters = locked(&self.counters);
        counters
            .get(series)
            .map(|count| count.0.load(Ordering::SeqCst))
    }

    pub(crate) fn gauge(&self, series: &str) -> f64 {
        let gauges = locked(&self.gauges);
        let Some(level) = gauges.get(series) else {
            panic!("no {series} in {:#?}", gauges.keys());
        };
        f64::from_bits(level.0.load(Ordering::SeqCst))
    }

    pub(crate) fn counters(&self) -> BTreeMap<String, u64> {
        let counters = locked(&self.counters);
        counters
            .iter()
            .map(|(key, count)| (key.clone(), count.0.load(Ordering::SeqCst)))
            .collect()
    }

    /// The sum over all series that begin so.
    pub(crate) fn sum(&self, begin: &str) -> u64 {
        let counters = self.counters().into_iter();
        counters
            .filter(|(series, _)| series.starts_with(begin))
            .map(|(_, sum)| sum)
            .sum()
    }

    /// The names of all series, gauges as well.
    pub(crate) fn names(&self) -> Vec<String> {
        let gauges = locked(&self.gauges);
        let all = locked(&self.counters);
        let mut names: Vec<String> = all
            .keys()
            .chain(gauges.keys())
            .map(|series| series.split('{').next().unwrap_or_default().to_owned())
            .collect();
        names.sort();
        names.dedup();
        names
    }

    pub(crate) fn act(&self, act: impl Fn() + Send + Sync + 'static) {
        *locked(&self.act) = Some(Arc::new(act));
    }

    pub(crate) fn be_quiet(&self) {
        let act = locked(&self.act).take();
        drop(act);
    }

    fn run(&self) {
        let act = locked(&self.act).clone();
        if let Some(act) = act {
            act();
        }
    }

    fn describe(&self, kind: &'static str, key: &KeyName, unit: Option<Unit>, help: &SharedString) {
        let described = (kind, unit, help.to_string());
        locked(&self.described).insert(key.as_str().to_owned(), described);
    }
}

impl Recorder for Book {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe("counter", &key, unit, &help);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe("gauge", &key, unit, &help);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, help: SharedString) {
        self.describe("histogram", &key, unit, &help);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.run();
        let mut counters = locked(&self.counters);
        Counter::from_arc(Arc::clone(counters.entry(shown(key)).or_default()))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.run();
        let mut gauges = locked(&self.gauges);
        Gauge::from_arc(Arc::clone(gauges.entry(shown(key)).or_default()))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
