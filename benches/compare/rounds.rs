//! Rounds in which each contender has its turn, and each round another one begins.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use crate::report::Row;
use crate::rows::Spec;

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    /// To see that everything runs.
    Smoke,
    Quick,
    Normal,
    Full,
}

impl Effort {
    /// One of three counts.
    pub(crate) fn pick(self, smoke: usize, quick: usize, normal: usize) -> usize {
        match self {
            Effort::Smoke => smoke,
            Effort::Quick => quick,
            Effort::Normal | Effort::Full => normal,
        }
    }

    /// How many subscriptions stand for "100,000": in a smoke run fewer, as making them takes longest.
    pub(crate) fn many(self) -> usize {
        self.pick(1_000, 100_000, 100_000)
    }
}

/// Somebody who is measured.
pub(crate) struct Contender<'a> {
    name: String,
    /// One round; a figure for each of the row's measures.
    round: Box<dyn FnMut() -> Vec<f64> + 'a>,
}

impl<'a> Contender<'a> {
    pub(crate) fn new(name: impl Into<String>, mut round: impl FnMut() -> f64 + 'a) -> Self {
        Contender::several(name, move || vec![round()])
    }

    pub(crate) fn several(name: impl Into<String>, round: impl FnMut() -> Vec<f64> + 'a) -> Self {
        Contender {
            name: name.into(),
            round: Box::new(round),
        }
    }
}

/// All figures of one contender and one measure, by round.
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) figures: Vec<f64>,
}

/// A run of the program, and how far it is.
pub(crate) struct Run {
    pub(crate) effort: Effort,
    /// On stderr, and nowhere if that is no terminal. It is drawn between rounds, by no thread of its own.
    pub(crate) bar: ProgressBar,
}

impl Run {
    pub(crate) fn new(effort: Effort, rows: usize) -> Self {
        let bar = ProgressBar::new(rows as u64);
        if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len}  {wide_msg}") {
            bar.set_style(style);
        }
        Run { effort, bar }
    }

    pub(crate) fn row(&self, spec: &Spec) -> Row {
        self.bar.set_message(spec.name.clone());
        let row = Row::of(spec, (spec.run)(self));
        self.bar.inc(1);
        row
    }

    /// As many rounds as are usual.
    pub(crate) fn rounds(&self, contenders: Vec<Contender<'_>>) -> Vec<Series> {
        self.rounds_of(self.effort.pick(1, 7, 31), &[""], contenders)
    }

    /// So many rounds of contenders with so many measures each.
    pub(crate) fn rounds_of(
        &self,
        rounds: usize,
        measures: &[&str],
        mut contenders: Vec<Contender<'_>>,
    ) -> Vec<Series> {
        let mut all: Vec<Series> = contenders
            .iter()
            .flat_map(|contender| {
                measures
                    .iter()
                    .map(|measure| named(&contender.name, measure))
            })
            .collect();
        // Caches, allocator and branch predictors meet everybody once before it counts.
        if self.effort != Effort::Smoke {
            for contender in &mut contenders {
                (contender.round)();
            }
        }
        for round in 0..rounds {
            for turn in 0..contenders.len() {
                let index = (round + turn) % contenders.len();
                let figures = (contenders[index].round)();
                let series = &mut all[index * measures.len()..][..measures.len()];
                for (series, figure) in series.iter_mut().zip(figures) {
                    series.figures.push(figure);
                }
            }
            self.bar.tick();
        }
        all
    }
}

fn named(contender: &str, measure: &str) -> Series {
    Series {
        name: if measure.is_empty() {
            contender.to_owned()
        } else {
            format!("{contender}, {measure}")
        },
        figures: Vec::new(),
    }
}

/// Nanoseconds for each of so many acts.
pub(crate) fn nanos_each(acts: usize, mut act: impl FnMut()) -> f64 {
    let start = Instant::now();
    for _ in 0..acts {
        act();
    }
    start.elapsed().as_nanos() as f64 / acts as f64
}
