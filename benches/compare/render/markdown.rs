//! The generated parts of the README and of the comparison page.

use std::fmt::{Arguments, Write};

use super::beside::{self, Beside, PEERS, Peers};
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

/// Everybody beside the bus, by medians, for the page that compares.
pub(crate) fn comparison(report: &Report) -> String {
    let rows = beside::peers(report);
    let mut out = String::new();
    origin(&mut out, report);
    lost(&mut out, &rows);
    beside_all(&mut out, &rows);
    out
}

/// Where a peer is ahead, as the tables round it: the quickest of them, the largest lead first.
fn lost(out: &mut String, rows: &[Peers<'_>]) {
    let mut lost: Vec<(f64, &str, &str)> = rows
        .iter()
        .filter_map(|row| {
            let shares = PEERS.iter().zip(row.shares);
            let quickest = shares
                .filter_map(|((name, _), share)| Some((share?, *name)))
                .min_by(|a, b| a.0.total_cmp(&b.0))?;
            is_ahead(quickest.0).then_some((quickest.0, quickest.1, row.name.as_str()))
        })
        .collect();
    lost.sort_by(|a, b| a.0.total_cmp(&b.0));
    line(
        out,
        format_args!(
            "\nIn {} of {} rows somebody is ahead of chanbus, here the quickest of them:\n",
            lost.len(),
            rows.len()
        ),
    );
    line(out, format_args!("| Row | Quickest | Share of chanbus |"));
    line(out, format_args!("|---|---|---|"));
    for (share, name, row) in lost {
        line(out, format_args!("| {row} | {name} | {} |", number(share)));
    }
}

fn beside_all(out: &mut String, rows: &[Peers<'_>]) {
    let names: Vec<&str> = PEERS.iter().map(|(name, _)| *name).collect();
    line(
        out,
        format_args!("\n| Row | `Publisher` | {} |", names.join(" | ")),
    );
    line(out, format_args!("|---|---|{}", "---|".repeat(names.len())));
    for row in rows {
        let cells = row.shares.map(|share| match share {
            None => String::new(),
            Some(share) if is_ahead(share) => format!("**{}**", number(share)),
            Some(share) => number(share),
        });
        line(
            out,
            format_args!(
                "| {} | {} {} | {} |",
                row.name,
                number(row.own),
                row.unit,
                cells.join(" | ")
            ),
        );
    }
}

/// As it is rounded: nobody is ahead by a figure that reads 1.00.
fn is_ahead(share: f64) -> bool {
    share < 0.995
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
    for Beside {
        row,
        measure,
        own,
        others,
    } in beside::all(report)
    {
        let mut ahead: Vec<(f64, &str)> = others
            .iter()
            .filter(|(_, other)| *other < own)
            .map(|(name, other)| (other / own, *name))
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
