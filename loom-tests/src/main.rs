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
// The library names a crate for its hashes. Those are random, while loom wants all executions alike.
extern crate self as foldhash;
mod fast;
// In a module that stands for the folder, so that the file finds those of its own.
#[allow(
    dead_code,
    reason = "the library's source; models need not call all of it"
)]
#[path = "../../src"]
mod folder {
    pub(crate) mod registry;
    pub(crate) mod tally;
}
pub(crate) use self::folder::{registry, tally};
mod models;
mod sync;

use std::fs;
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Three finds every fault in `mutants`; five is for milestones.
const PREEMPTIONS: usize = 3;

/// How often each model runs, to be held.
const EXECUTIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/executions.txt");

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
///
/// Each must run as often as `executions.txt` says, if it is explored as far: one that has fewer
/// executions has stopped to look. `COMMIT=1` writes that file anew.
fn run_each() -> ExitCode {
    let myself = std::env::current_exe().expect("the path of this program");
    let commit = std::env::var_os("COMMIT").is_some();
    let as_usual = std::env::var_os("PREEMPTIONS").is_none();
    let expected = fs::read_to_string(EXECUTIONS).unwrap_or_default();
    let (mut failed, mut seen) = (Vec::new(), String::new());
    for model in models::all() {
        let ran = Command::new(&myself)
            .arg(model.name)
            .stderr(Stdio::inherit())
            .output();
        let said = ran.as_ref().map(|ran| String::from_utf8_lossy(&ran.stdout));
        let said = said.unwrap_or_default();
        print!("{said}");
        if !ran.as_ref().is_ok_and(|ran| ran.status.success()) {
            failed.push(model.name.to_owned());
            continue;
        }
        let now = executions_in(&said, model.name);
        seen += &format!("{}: {now} executions\n", model.name);
        let before = executions_in(&expected, model.name);
        if as_usual && !commit && (now < before || before == 0) {
            let name = model.name;
            failed.push(format!("{name} ({now} executions, {before} expected)"));
        }
    }
    if commit && failed.is_empty() {
        fs::write(EXECUTIONS, seen).expect("a file that can be written");
    }
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("failed: {}", failed.join(", "));
    ExitCode::FAILURE
}

/// The number in "NAME: NUMBER executions".
fn executions_in(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.strip_prefix(": ")?.split(' ').next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}
