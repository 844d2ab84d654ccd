//! The results as plain values: what the JSON holds, and all that tables and pictures are made from.

use serde::{Deserialize, Serialize};

use crate::machine::{self, Machine};
use crate::options::Measure;
use crate::rounds::Series;
use crate::rows::Spec;
use crate::stats::Spread;

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) date: String,
    pub(crate) command: String,
    pub(crate) rows: Vec<Row>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) what: String,
    /// Of the figures.
    pub(crate) unit: String,
    pub(crate) rounds: usize,
    pub(crate) figures: Vec<Figure>,
    pub(crate) goals: Vec<Goal>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) of: String,
    #[serde(flatten)]
    pub(crate) value: Spread,
}

/// A comparison, and what was aimed at.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Goal {
    pub(crate) of: String,
    /// Nothing if the figure itself is judged.
    pub(crate) against: Option<String>,
    #[serde(flatten)]
    pub(crate) value: Spread,
    pub(crate) must: Option<f64>,
    pub(crate) beyond: Option<f64>,
    pub(crate) verdict: Verdict,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    BeyondReached,
    Ok,
    MustMissed,
    /// Shown, with no aim.
    Shown,
}

impl Verdict {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Verdict::BeyondReached => "beyond reached",
            Verdict::Ok => "ok",
            Verdict::MustMissed => "must missed",
            Verdict::Shown => "",
        }
    }
}

/// What a row measured, and which of it is compared.
pub(crate) struct Outcome {
    pub(crate) series: Vec<Series>,
    pub(crate) aims: Vec<Aim>,
}

/// One figure, or one in relation to another, smaller being better.
pub(crate) struct Aim {
    of: String,
    against: Option<String>,
    targets: Option<(f64, f64)>,
}

impl Aim {
    pub(crate) fn ratio(of: impl Into<String>, against: impl Into<String>) -> Self {
        Aim {
            of: of.into(),
            against: Some(against.into()),
            targets: None,
        }
    }

    pub(crate) fn figure(of: impl Into<String>) -> Self {
        Aim {
            of: of.into(),
            against: None,
            targets: None,
        }
    }

    pub(crate) fn at_most(mut self, must: f64, beyond: f64) -> Self {
        self.targets = Some((must, beyond));
        self
    }

    /// Ratios are taken within each round, then their median.
    fn judged(&self, series: &[Series]) -> Goal {
        let figures = |name: &str| {
            let found = series.iter().find(|series| series.name == name);
            found.map_or(&[][..], |series| &series.figures)
        };
        let of = figures(&self.of);
        let value = Spread::of(match &self.against {
            None => of.to_vec(),
            Some(against) => of
                .iter()
                .zip(figures(against))
                .map(|(a, b)| a / b)
                .collect(),
        });
        Goal {
            of: self.of.clone(),
            against: self.against.clone(),
            value,
            must: self.targets.map(|(must, _)| must),
            beyond: self.targets.map(|(_, beyond)| beyond),
            verdict: match self.targets {
                None => Verdict::Shown,
                Some((_, beyond)) if value.median <= beyond => Verdict::BeyondReached,
                Some((must, _)) if value.median <= must => Verdict::Ok,
                // Also if there is no figure, which would be a fault of the row.
                Some(_) => Verdict::MustMissed,
            },
        }
    }
}

impl Row {
    pub(crate) fn of(spec: &Spec, outcome: Outcome) -> Self {
        let rounds = outcome.series.first();
        Row {
            name: spec.name.clone(),
            what: spec.what.to_owned(),
            unit: spec.unit.to_owned(),
            rounds: rounds.map_or(0, |series| series.figures.len()),
            goals: outcome
                .aims
                .iter()
                .map(|aim| aim.judged(&outcome.series))
                .collect(),
            figures: outcome
                .series
                .into_iter()
                .map(|series| Figure {
                    of: series.name,
                    value: Spread::of(series.figures),
                })
                .collect(),
        }
    }
}

impl Report {
    pub(crate) fn begin(measure: &Measure) -> Self {
        Report {
            machine: Machine::here(),
            date: machine::today(),
            command: machine::command(measure),
            rows: Vec::new(),
        }
    }
}
