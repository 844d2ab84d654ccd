//! One reporter: reads its sources, and tells the recorder.

use std::cell::Cell;
use std::collections::HashSet;

use ::metrics::{Key, KeyName, Label, Level, Metadata, Recorder, SharedString};

use super::sheet::{Series, SharedRecorder, Sheet};
use super::source::{Account, Page, Reading, Source};
use super::table::{ALL, Kind};
use crate::shield::{caught, discard};
use crate::sync::Ordering::Relaxed;
use crate::sync::{Arc, AtomicU64, Mutex};

/// How often a recorder is told again, as others changed the sums meanwhile. Each round means that another
/// reporter was at work, who tells the recorder himself.
const ROUNDS: usize = 16;

thread_local! {
    /// This thread is telling a recorder.
    static TELLING: Cell<bool> = const { Cell::new(false) };
}

/// What the owner and the thread share.
pub(super) struct Reporter {
    recorder: Option<SharedRecorder>,
    sheet: Arc<Mutex<Sheet>>,
    limit: usize,
    state: Mutex<State>,
    panics: AtomicU64,
}

struct State {
    sources: Vec<(Arc<Source>, Account)>,
    /// All that the recorder was ever told, in order.
    touched: Vec<Series>,
    known: HashSet<Series>,
    /// Readings are numbered when they begin, so that an older one does not come after a newer.
    begun: u64,
    posted: u64,
    ended: bool,
}

impl Reporter {
    pub(super) fn new(
        recorder: Option<SharedRecorder>,
        limit: usize,
        sources: Vec<(Source, Option<String>)>,
    ) -> Self {
        let with_account = |(source, name)| (Arc::new(source), Account::new(name));
        Reporter {
            sheet: Sheet::of(recorder.as_ref()),
            recorder,
            limit,
            state: Mutex::new(State {
                sources: sources.into_iter().map(with_account).collect(),
                touched: Vec::new(),
                known: HashSet::new(),
                begun: 0,
                posted: 0,
                ended: false,
            }),
            panics: AtomicU64::new(0),
        }
    }

    pub(super) fn panics(&self) -> u64 {
        // Relaxed: a statistic.
        self.panics.load(Relaxed)
    }

    pub(super) fn source_count(&self) -> usize {
        self.state.lock().sources.len()
    }

    /// Reads, adds up, and tells the recorder. From inside of a recorder it does nothing.
    pub(super) fn update(&self) {
        if TELLING.get() {
            return;
        }
        let (turn, sources) = {
            let mut state = self.state.lock();
            if state.ended {
                return;
            }
            state.begun += 1;
            let sources = state.sources.iter().map(|(source, _)| Arc::clone(source));
            (state.begun, sources.collect::<Vec<_>>())
        };
        // Under no lock of ours: the last handle of a dispatcher may go here, with what is the user's.
        let read = |source: Arc<Source>| {
            let reading = source.read();
            (source, reading)
        };
        let readings: Vec<_> = sources.into_iter().map(read).collect();
        let over = self.post(turn, &readings);
        drop((over, readings));
        self.publish();
    }

    /// Adds what is new to the sheet. Sources that are at their end come back, to be dropped elsewhere.
    fn post(&self, turn: u64, readings: &[(Arc<Source>, Reading)]) -> Vec<Arc<Source>> {
        let mut state = self.state.lock();
        if state.ended || turn < state.posted {
            return Vec::new();
        }
        state.posted = turn;
        let mut touched = Vec::new();
        let mut over = Vec::new();
        {
            let mut sheet = self.sheet.lock();
            let mut page = Page {
                sheet: &mut sheet,
                limit: self.limit,
                touched: &mut touched,
            };
            for (source, reading) in readings {
                let place = state
                    .sources
                    .iter()
                    .position(|(it, _)| Arc::ptr_eq(it, source));
                let Some(place) = place else { continue };
                state.sources[place].1.post(reading, &mut page);
                if reading.is_last() {
                    over.push(state.sources.remove(place).0);
                }
            }
            sheet.changed();
        }
        for series in touched {
            if state.known.insert(series.clone()) {
                state.touched.push(series);
            }
        }
        over
    }

    /// The end: the last numbers, and no share of any gauge any more.
    pub(super) fn end(&self) {
        self.update();
        let sources = {
            let mut state = self.state.lock();
            state.ended = true;
            let mut sources = std::mem::take(&mut state.sources);
            let mut sheet = self.sheet.lock();
            for (_, account) in &mut sources {
                account.end(&mut sheet);
            }
            sheet.changed();
            sources
        };
        drop(sources);
        self.publish();
    }

    /// Tells the recorder all sums, until they are those of the sheet: see `sheet.rs`.
    fn publish(&self) {
        if TELLING.replace(true) {
            return;
        }
        let series = self.state.lock().touched.clone();
        for _ in 0..ROUNDS {
            let (version, sums) = {
                let sheet = self.sheet.lock();
                let sum_of = |series| match sheet.counter(series) {
                    Some(sum) => Sum::Counter(sum),
                    None => Sum::Gauge(sheet.gauge(series).unwrap_or(0.0)),
                };
                let sums: Vec<Sum> = series.iter().map(sum_of).collect();
                (sheet.version(), sums)
            };
            if let Err(thrown) = caught(|| self.tell(&series, &sums)) {
                discard(thrown);
                // Relaxed: a statistic.
                self.panics.fetch_add(1, Relaxed);
                break;
            }
            if self.sheet.lock().version() == version {
                break;
            }
        }
        TELLING.set(false);
    }

    fn tell(&self, series: &[Series], sums: &[Sum]) {
        match &self.recorder {
            Some(recorder) => tell(&**recorder, series, sums),
            None => ::metrics::with_recorder(|recorder| tell(recorder, series, sums)),
        }
    }
}

#[derive(Clone, Copy)]
enum Sum {
    Counter(u64),
    Gauge(f64),
}

/// Handles are asked for each time: a recorder may have come, or forgotten what was idle.
fn tell(recorder: &dyn Recorder, series: &[Series], sums: &[Sum]) {
    for metric in ALL {
        let name = KeyName::from_const_str(metric.name);
        let help = SharedString::const_str(metric.help);
        match metric.kind {
            Kind::Counter => recorder.describe_counter(name, Some(metric.unit), help),
            Kind::Gauge => recorder.describe_gauge(name, Some(metric.unit), help),
        }
    }
    let metadata = Metadata::new("chanbus", Level::INFO, Some(module_path!()));
    for (series, sum) in series.iter().zip(sums) {
        let names = series.metric.labels.iter().zip(&series.values);
        let labels: Vec<Label> = names
            .map(|(name, value)| Label::new(*name, SharedString::from_shared(Arc::clone(value))))
            .collect();
        let key = Key::from_parts(series.metric.name, labels);
        match *sum {
            Sum::Counter(sum) => recorder.register_counter(&key, &metadata).absolute(sum),
            Sum::Gauge(value) => recorder.register_gauge(&key, &metadata).set(value),
        }
    }
}
