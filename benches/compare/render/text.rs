//! For the terminal.

use std::fmt::Write;

use super::{number, target};
use crate::report::{Report, Row, Verdict};

/// A row as soon as it is done.
pub(crate) fn row(row: &Row) -> String {
    let mut out = format!("\n{} ({})\n", row.name, row.unit);
    for figure in &row.figures {
        line(
            &mut out,
            format_args!("  {:<44} {:>14}", figure.of, number(figure.value.median)),
        );
    }
    for goal in &row.goals {
        let what = match &goal.against {
            Some(against) => format!("{} / {against}", goal.of),
            None => goal.of.clone(),
        };
        let value = goal.value;
        line(
            &mut out,
            format_args!(
                "  = {what}: {} ({} to {}){}",
                number(value.median),
                number(value.low),
                number(value.high),
                aimed(goal.must, goal.beyond, goal.verdict),
            ),
        );
    }
    out
}

fn aimed(must: Option<f64>, beyond: Option<f64>, verdict: Verdict) -> String {
    if verdict == Verdict::Shown {
        return String::new();
    }
    let (must, beyond) = (target(must), target(beyond));
    format!("  must {must}, beyond {beyond}: {}", verdict.name())
}

/// How many aims came out how.
pub(crate) fn summary(report: &Report) -> String {
    let count = |verdict| {
        let goals = report.rows.iter().flat_map(|row| &row.goals);
        goals.filter(|goal| goal.verdict == verdict).count()
    };
    format!(
        "\n{} beyond reached, {} ok, {} must missed",
        count(Verdict::BeyondReached),
        count(Verdict::Ok),
        count(Verdict::MustMissed),
    )
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a string does not fail.
    let _ = writeln!(out, "{text}");
}
