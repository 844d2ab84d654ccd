//! The generated part of the README.

use std::fmt::{Arguments, Write};

use super::{number, target};
use crate::report::{Report, Row, Verdict};

pub(crate) fn section(report: &Report) -> String {
    let mut out = String::new();
    origin(&mut out, report);
    aims(&mut out, report);
    faster(&mut out, report);
    figures(&mut out, report);
    // The section ends with one line end, whatever came last.
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn origin(out: &mut String, report: &Report) {
    let machine = &report.machine;
    let crates: Vec<String> = machine
        .crates
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    line(out, format_args!("| Measured | |\n|---|---|"));
    line(out, format_args!("| date | {} |", report.date));
    line(out, format_args!("| commit | {} |", machine.commit));
    line(out, format_args!("| command | `{}` |", report.command));
    line(
        out,
        format_args!("| processor | {}, {} cores |", machine.cpu, machine.cores),
    );
    line(out, format_args!("| system | {} |", machine.os));
    line(out, format_args!("| compiler | {} |", machine.rustc));
    line(out, format_args!("| crates | {} |", crates.join(", ")));
}

fn aims(out: &mut String, report: &Report) {
    line(out, format_args!("\n### Against the aims\n"));
    line(
        out,
        format_args!("| Row | Compared | Median (quartiles) | must | beyond | |"),
    );
    line(out, format_args!("|---|---|---|---|---|---|"));
    for row in &report.rows {
        for goal in &row.goals {
            let compared = match &goal.against {
                Some(against) => format!("{} / {against}", goal.of),
                None => format!("{} ({})", goal.of, row.unit),
            };
            let verdict = match goal.verdict {
                Verdict::MustMissed => format!("**{}**", goal.verdict.name()),
                other => other.name().to_owned(),
            };
            line(
                out,
                format_args!(
                    "| {} | {compared} | {} | {} | {} | {verdict} |",
                    row.name,
                    spread(row, goal.value),
                    target(goal.must),
                    target(goal.beyond),
                ),
            );
        }
    }
}

/// Where the bus loses: whoever has a smaller median, and how much smaller.
fn faster(out: &mut String, report: &Report) {
    line(out, format_args!("\n### Who is ahead of `Publisher`\n"));
    line(
        out,
        format_args!("As a share of its figure, by medians; rows that are not here have nobody.\n"),
    );
    line(out, format_args!("| Row | Ahead |\n|---|---|"));
    for row in &report.rows {
        // Rows with several measures have one figure of ours for each.
        let ours = row.figures.iter().filter_map(|figure| {
            let measure = figure.of.strip_prefix("Publisher")?;
            (measure.is_empty() || measure.starts_with(", ")).then_some((measure, figure))
        });
        for (measure, own) in ours {
            let mut ahead: Vec<(f64, &str)> = row
                .figures
                .iter()
                .filter(|other| other.value.median < own.value.median)
                .filter_map(|other| {
                    let name = other.of.strip_suffix(measure)?;
                    Some((other.value.median / own.value.median, name))
                })
                .collect();
            if ahead.is_empty() {
                continue;
            }
            ahead.sort_by(|a, b| a.0.total_cmp(&b.0));
            let ahead: Vec<String> = ahead
                .iter()
                .map(|(share, name)| format!("{name} {}", number(*share)))
                .collect();
            line(
                out,
                format_args!("| {}{measure} | {} |", row.name, ahead.join(", ")),
            );
        }
    }
}

fn figures(out: &mut String, report: &Report) {
    line(out, format_args!("\n### Figures"));
    for row in &report.rows {
        line(out, format_args!("\n#### {}\n\n{}\n", row.name, row.what));
        line(out, format_args!("| Contender | {} |\n|---|---|", row.unit));
        for figure in &row.figures {
            line(
                out,
                format_args!("| {} | {} |", figure.of, spread(row, figure.value)),
            );
        }
    }
}

/// One round has no quartiles.
fn spread(row: &Row, value: crate::stats::Spread) -> String {
    if row.rounds == 1 {
        return number(value.median);
    }
    let (low, high) = (number(value.low), number(value.high));
    format!("{} ({low} to {high})", number(value.median))
}

fn line(out: &mut String, text: Arguments<'_>) {
    // Writing into a string does not fail.
    let _ = writeln!(out, "{text}");
}
