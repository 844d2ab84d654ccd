//! The bus beside other ways to do the same, in one process: `cargo bench --bench compare`.
//!
//! For each row of the table in `benches/README.md` the contenders run in turn, round after round, and
//! each round begins with another of them. What is reported is the median over rounds of the ratio
//! *within* a round: a noisy machine disturbs neighbours alike, so ratios hold where times do not.
//!
//! | Place | Its one job |
//! |---|---|
//! | `options.rs` | the command line |
//! | `contenders/` | the bus and its peers, behind one interface |
//! | `rounds.rs`, `stats.rs` | rounds in rotation, and their medians |
//! | `threads.rs`, `heap.rs` | pinned threads and where they meet; bytes allocated |
//! | `rows/` | what is measured, with what is aimed at |
//! | `report.rs`, `machine.rs` | the results as plain values, and where they were made |
//! | `render/` | the same as Markdown and pictures |

// Cargo gives benches no other way to print than to print.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for the terminal: results on stdout, complaints on stderr"
)]

mod contenders;
mod heap;
mod machine;
mod options;
mod render;
mod report;
mod rounds;
mod rows;
mod stats;
#[path = "../support/mod.rs"]
mod support;
mod threads;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use options::{Measure, Task};
use report::Report;
use rounds::{Effort, Run};

fn main() -> ExitCode {
    let done = options::parse(std::env::args_os().skip(1)).and_then(|task| match task {
        Task::Measure(measure) => run(&measure),
        Task::Render { json, pages } => render::render(&json, &pages),
        Task::Check { json, pages } => render::check(&json, &pages),
        Task::Nothing(why) => {
            println!("{why}");
            Ok(())
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(measure: &Measure) -> Result<(), Box<dyn Error>> {
    let rows: Vec<rows::Spec> = rows::all()
        .into_iter()
        .filter(|row| row.name.contains(&measure.rows))
        .collect();
    if rows.is_empty() {
        return Err(format!("no row's name contains \"{}\"", measure.rows).into());
    }

    let progress = Run::new(measure.effort, rows.len());
    // Nobody should take figures from a smoke run, nor lose better ones to it.
    if measure.effort == Effort::Smoke {
        for spec in &rows {
            progress.row(spec);
            println!("runs: {}", spec.name);
        }
        return Ok(());
    }

    let mut report = Report::begin(measure);
    for spec in &rows {
        let row = progress.row(spec);
        // On a terminal the bar steps aside for a moment.
        progress
            .bar
            .suspend(|| print!("{}", render::text::row(&row)));
        report.rows.push(row);
    }
    progress.bar.finish_and_clear();
    println!("{}", render::text::summary(&report));

    write(
        &measure.json,
        &(serde_json::to_string_pretty(&report)? + "\n"),
    )?;
    write(&measure.markdown, &render::markdown::section(&report))?;
    println!(
        "written: {} and {}",
        measure.json.display(),
        measure.markdown.display()
    );
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Box<dyn Error>> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()).into())
}
