//! The middle of many figures, and how far they spread.

use serde::{Deserialize, Serialize};

/// A median between its quartiles.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Spread {
    pub(crate) fn of(mut figures: Vec<f64>) -> Self {
        figures.sort_by(f64::total_cmp);
        Spread {
            low: short(at(&figures, 0.25)),
            median: short(at(&figures, 0.5)),
            high: short(at(&figures, 0.75)),
        }
    }
}

/// The figure below which that share of them lies; they are in order.
pub(crate) fn at(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let index = (last as f64 * share).round() as usize;
    sorted.get(index).copied().unwrap_or(f64::NAN)
}

/// Four digits: more are noise, here and in the diffs of reports.
fn short(figure: f64) -> f64 {
    if figure == 0.0 || !figure.is_finite() {
        return figure;
    }
    let digits = 3 - figure.abs().log10().floor() as i32;
    if digits <= 0 {
        return figure.round();
    }
    let scale = 10f64.powi(digits);
    (figure * scale).round() / scale
}
