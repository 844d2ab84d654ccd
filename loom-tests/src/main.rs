//! Models of the library's concurrent source, run by loom over all interleavings.
//!
//! `cargo run` runs all, each in a process of its own; `cargo run -- NAME` runs one.
#![allow(
    clippy::arc_with_non_send_sync,
    reason = "loom runs one thread at a time, and its threads ask for neither"
)]

#[allow(
    dead_code,
    reason = "the library's source; models need not call all of it"
)]
#[path = "../../src/event/block/mod.rs"]
mod block;
#[allow(
    dead_code,
    reason = "the library's source; models need not call all of it"
)]
mod bus;
mod models;
mod sync;

use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Three finds every fault in `mutants`; five is for milestones.
const PREEMPTIONS: usize = 3;

fn main() -> ExitCode {
    match std::env::args().nth(1) {
        Some(name) => run(&name),
        None => run_each(),
    }
}

fn run(name: &str) -> ExitCode {
    let Some(model) = models::all().find(|model| model.name == name) else {
        eprintln!("no model of that name: {name}");
        return ExitCode::from(2);
    };
    let mut builder = loom::model::Builder::new();
    let bound = std::env::var("PREEMPTIONS").ok();
    let bound = bound.and_then(|b| b.parse().ok()).unwrap_or(PREEMPTIONS);
    builder.preemption_bound = Some(bound.saturating_sub(model.fewer));
    // loom would stop early, and pass.
    builder.max_duration = None;
    builder.max_permutations = None;
    let began = Instant::now();
    let executions = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&executions);
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        sync::begin();
        (model.run)();
    });
    let executions = executions.load(Ordering::Relaxed);
    println!("{name}: {executions} executions, {:.1?}", began.elapsed());
    ExitCode::SUCCESS
}

/// A deadlock found by loom may panic twice and abort, which must not hide the other models.
fn run_each() -> ExitCode {
    let myself = std::env::current_exe().expect("the path of this program");
    let mut failed = Vec::new();
    for model in models::all() {
        let status = Command::new(&myself).arg(model.name).status();
        if !status.is_ok_and(|status| status.success()) {
            failed.push(model.name);
        }
    }
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("failed: {}", failed.join(", "));
    ExitCode::FAILURE
}
