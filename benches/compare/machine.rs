//! Where and from what a report was made.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::options::Measure;
use crate::rounds::Effort;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Whose versions make the figures.
const CRATES: [&str; 9] = [
    "arc-swap",
    "async-broadcast",
    "async-channel",
    "bus",
    "chanbus",
    "crossbeam-channel",
    "flume",
    "kanal",
    "tokio",
];

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) cpu: String,
    pub(crate) cores: usize,
    pub(crate) os: String,
    pub(crate) rustc: String,
    /// Of this crate; "-dirty" if tracked files differ from it.
    pub(crate) commit: String,
    pub(crate) crates: BTreeMap<String, String>,
}

impl Machine {
    pub(crate) fn here() -> Self {
        Machine {
            cpu: field("/proc/cpuinfo", "model name")
                .unwrap_or_else(|| std::env::consts::ARCH.into()),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            os: os(),
            rustc: said("rustc", &["-V"]).unwrap_or_else(unknown),
            commit: commit().unwrap_or_else(unknown),
            crates: versions(),
        }
    }
}

pub(crate) fn today() -> String {
    said("date", &["-u", "+%Y-%m-%d"]).unwrap_or_else(unknown)
}

/// How the report can be had again; without paths, which differ from machine to machine.
pub(crate) fn command(measure: &Measure) -> String {
    let mut command = String::from("cargo bench --bench compare");
    let mut options = Vec::new();
    match measure.effort {
        Effort::Quick => options.push("--quick".to_owned()),
        Effort::Full => options.push("--full".to_owned()),
        Effort::Smoke | Effort::Normal => {}
    }
    if !measure.rows.is_empty() {
        options.push(format!("--rows \"{}\"", measure.rows));
    }
    if !options.is_empty() {
        command = format!("{command} -- {}", options.join(" "));
    }
    command
}

fn unknown() -> String {
    String::from("unknown")
}

fn os() -> String {
    let name = fs::read_to_string("/etc/os-release").ok().and_then(|text| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
        Some(line.trim_matches('"').to_owned())
    });
    let name = name.unwrap_or_else(|| std::env::consts::OS.to_owned());
    match said("uname", &["-sr"]) {
        Some(kernel) => format!("{name}, {kernel}"),
        None => name,
    }
}

fn commit() -> Option<String> {
    let commit = said("git", &["-C", ROOT, "rev-parse", "--short", "HEAD"])?;
    let changed = said("git", &["-C", ROOT, "status", "--porcelain", "-uno"])?;
    Some(if changed.is_empty() {
        commit
    } else {
        format!("{commit}-dirty")
    })
}

/// From the lock file: the versions that were linked.
fn versions() -> BTreeMap<String, String> {
    let lock = fs::read_to_string(Path::new(ROOT).join("Cargo.lock")).unwrap_or_default();
    let mut lines = lock.lines();
    let mut versions = BTreeMap::new();
    while let Some(line) = lines.next() {
        if let Some(name) = quoted(line, "name = ")
            && CRATES.contains(&name)
            && let Some(version) = lines.next().and_then(|line| quoted(line, "version = "))
        {
            versions.insert(name.to_owned(), version.to_owned());
        }
    }
    versions
}

fn quoted<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    Some(line.strip_prefix(key)?.trim_matches('"'))
}

fn field(path: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn said(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
