//! A report as text for the terminal, as Markdown and as pictures.

pub(crate) mod markdown;
pub(crate) mod pictures;
pub(crate) mod text;

use std::error::Error;
use std::fs;
use std::path::Path;

use crate::report::Report;

const BEGIN: &str = "<!-- begin: made by `compare --render`, not by hand -->\n";
const END: &str = "<!-- end -->\n";

/// Writes the generated part of the README, and the pictures beside the report.
pub(crate) fn render(json: &Path, readme: &Path) -> Result<(), Box<dyn Error>> {
    let report = load(json)?;
    let old = read(readme)?;
    fs::write(readme, with_section(&old, readme, &report)?)?;
    for (name, picture) in pictures::all(&report)? {
        fs::write(json.with_file_name(name), picture)?;
    }
    Ok(())
}

/// Fails if anything of it differs from what the report gives.
pub(crate) fn check(json: &Path, readme: &Path) -> Result<(), Box<dyn Error>> {
    let report = load(json)?;
    let text = read(readme)?;
    let mut stale = Vec::new();
    if with_section(&text, readme, &report)? != text {
        stale.push(readme.display().to_string());
    }
    for (name, picture) in pictures::all(&report)? {
        let path = json.with_file_name(name);
        if read(&path).unwrap_or_default() != picture {
            stale.push(path.display().to_string());
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    Err(format!(
        "not what {json} gives: {}\nto mend it: cargo bench --bench compare -- --render {json} {readme}",
        stale.join(", "),
        json = json.display(),
        readme = readme.display(),
    )
    .into())
}

fn load(json: &Path) -> Result<Report, Box<dyn Error>> {
    serde_json::from_str(&read(json)?)
        .map_err(|error| format!("{}: {error}", json.display()).into())
}

fn read(path: &Path) -> Result<String, Box<dyn Error>> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// The text, with what is between the marks made anew.
fn with_section(text: &str, path: &Path, report: &Report) -> Result<String, Box<dyn Error>> {
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let Some((before, after)) = parts else {
        return Err(format!("{}: no line {BEGIN}or none {END}", path.display()).into());
    };
    let section = markdown::section(report);
    Ok(format!("{before}{BEGIN}\n{section}\n{END}{after}"))
}

/// Three digits or all, with commas: 1.27, 15.4, 16,000.
fn number(value: f64) -> String {
    if value == 0.0 {
        return String::from("0");
    }
    match value.abs() {
        small if small < 9.995 => format!("{value:.2}"),
        medium if medium < 99.95 => format!("{value:.1}"),
        _ => {
            let digits = format!("{value:.0}");
            let mut out = String::new();
            for (index, digit) in digits.chars().enumerate() {
                if index > 0 && (digits.len() - index).is_multiple_of(3) {
                    out.push(',');
                }
                out.push(digit);
            }
            out
        }
    }
}

/// An aim: as short as it was written.
fn target(value: Option<f64>) -> String {
    match value {
        None => String::new(),
        Some(value) if value >= 100.0 => number(value),
        Some(value) => value.to_string(),
    }
}
