//! What all reporters to one recorder have to say, added up.
//!
//! Two buses may have one name, and each its reporter. A recorder has one series for both; so what each
//! counts is added up here, and the recorder is told the sum.
//!
//! # Protocol
//!
//! A reporter adds what is new under the lock, copies the sums, and tells the recorder without the lock, as a
//! recorder is the user's code. Two that do so at once may tell the older sums last. Counters cope with that by
//! their contract (`CounterFn::absolute`). For gauges each looks, when it has told, whether the sheet has
//! changed since its copy, and if so tells again: so the last to tell anything told the newest.

use std::collections::{HashMap, HashSet};

use smallvec::SmallVec;

use super::label;
use super::table::Metric;
use crate::sync::{Arc, Mutex, OnceLock, Weak};

/// What a recorder is handed in as.
pub(super) type SharedRecorder = Arc<dyn ::metrics::Recorder + Send + Sync>;

/// One line of a recorder.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Series {
    pub(super) metric: &'static Metric,
    pub(super) values: SmallVec<[Arc<str>; 2]>,
}

impl Series {
    pub(super) fn new(metric: &'static Metric, values: &[&Arc<str>]) -> Self {
        debug_assert_eq!(metric.labels.len(), values.len(), "{}", metric.name);
        let values = values.iter().copied().cloned().collect();
        Series { metric, values }
    }
}

/// The names that one label has, for one value of the label before it.
type Names = HashMap<(&'static str, Option<Arc<str>>), HashSet<Arc<str>>>;

/// The sums.
#[derive(Default)]
pub(super) struct Sheet {
    counters: HashMap<Series, u64>,
    gauges: HashMap<Series, f64>,
    /// Never fewer, as a recorder keeps its series, too.
    names: Names,
    version: u64,
}

impl Sheet {
    /// The sheet of that recorder, or of the one that is found when it is told.
    pub(super) fn of(recorder: Option<&SharedRecorder>) -> Arc<Mutex<Sheet>> {
        type Given = Mutex<
            Vec<(
                Weak<dyn ::metrics::Recorder + Send + Sync>,
                Arc<Mutex<Sheet>>,
            )>,
        >;
        static GLOBAL: OnceLock<Arc<Mutex<Sheet>>> = OnceLock::new();
        static GIVEN: OnceLock<Given> = OnceLock::new();

        let Some(recorder) = recorder else {
            return Arc::clone(GLOBAL.get_or_init(Arc::default));
        };
        let mut given = GIVEN.get_or_init(Mutex::default).lock();
        // A weak handle's memory is not used again, so an address stands for one recorder.
        given.retain(|(weak, _)| weak.strong_count() > 0);
        let address = Arc::as_ptr(recorder).cast::<()>();
        let known = given
            .iter()
            .find(|(weak, _)| weak.as_ptr().cast::<()>() == address);
        if let Some((_, sheet)) = known {
            return Arc::clone(sheet);
        }
        let sheet = Arc::<Mutex<Sheet>>::default();
        given.push((Arc::downgrade(recorder), Arc::clone(&sheet)));
        sheet
    }

    /// What a name is called in a label: itself, while there are not more than `limit` of them.
    pub(super) fn name(
        &mut self,
        label: &'static str,
        before: Option<&Arc<str>>,
        name: Option<&str>,
        limit: usize,
    ) -> Arc<str> {
        let shown = label::shown(name);
        if label::is_reserved(&shown) {
            return shown;
        }
        let names = self.names.entry((label, before.cloned())).or_default();
        if names.contains(&shown) {
            return shown;
        }
        if names.len() >= limit {
            return label::other();
        }
        names.insert(Arc::clone(&shown));
        shown
    }

    /// Adds to a counter; also nothing, so that it is there.
    pub(super) fn count(&mut self, series: &Series, more: u64) {
        let sum = self.counters.entry(series.clone()).or_default();
        *sum = sum.saturating_add(more);
    }

    /// Moves a gauge.
    pub(super) fn shift(&mut self, series: &Series, by: f64) {
        *self.gauges.entry(series.clone()).or_default() += by;
    }

    /// Sets a gauge that is not summed up.
    pub(super) fn put(&mut self, series: &Series, value: f64) {
        self.gauges.insert(series.clone(), value);
    }

    pub(super) fn changed(&mut self) {
        self.version += 1;
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn counter(&self, series: &Series) -> Option<u64> {
        self.counters.get(series).copied()
    }

    pub(super) fn gauge(&self, series: &Series) -> Option<f64> {
        self.gauges.get(series).copied()
    }
}
