//! A report as text for the terminal, as Markdown and as pictures.

mod beside;
pub(crate) mod markdown;
pub(crate) mod pictures;
pub(crate) mod text;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use crate::options::Pages;
use crate::report::Report;

const BEGIN: &str = "<!-- begin: made by `compare --render`, not by hand -->\n";
const END: &str = "<!-- end -->\n";

/// Writes the generated parts of the README and of the comparison page, and the pictures beside the report.
pub(crate) fn render(json: &Path, pages: &Pages) -> Result<(), Box<dyn Error>> {
    for (path, text) in made(json, pages)? {
        fs::write(path, text)?;
    }
    Ok(())
}

/// Fails if anything of it differs from what the report gives.
pub(crate) fn check(json: &Path, pages: &Pages) -> Result<(), Box<dyn Error>> {
    let mut stale = Vec::new();
    for (path, text) in made(json, pages)? {
        if read(&path).unwrap_or_default() != text {
            stale.push(path.display().to_string());
        }
    }
    if stale.is_empty() {
        return Ok(());
    }
    Err(format!(
        "not what {json} gives: {}\nto mend it: cargo bench --bench compare -- --render {json} {readme} {comparison}",
        stale.join(", "),
        json = json.display(),
        readme = pages.readme.display(),
        comparison = pages.comparison.display(),
    )
    .into())
}

/// All that a report gives, and where it belongs.
fn made(json: &Path, pages: &Pages) -> Result<Vec<(PathBuf, String)>, Box<dyn Error>> {
    let report = load(json)?;
    let mut all = vec![
        with_section(&pages.readme, &markdown::section(&report))?,
        with_section(&pages.comparison, &markdown::comparison(&report))?,
    ];
    for (name, picture) in pictures::all(&report)? {
        all.push((json.with_file_name(name), picture));
    }
    Ok(all)
}

fn load(json: &Path) -> Result<Report, Box<dyn Error>> {
    serde_json::from_str(&read(json)?)
        .map_err(|error| format!("{}: {error}", json.display()).into())
}

fn read(path: &Path) -> Result<String, Box<dyn Error>> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()).into())
}

/// The page, with what is between the marks made anew.
fn with_section(path: &Path, section: &str) -> Result<(PathBuf, String), Box<dyn Error>> {
    let text = read(path)?;
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let Some((before, after)) = parts else {
        return Err(format!("{}: no line {BEGIN}or none {END}", path.display()).into());
    };
    let text = format!("{before}{BEGIN}\n{section}\n{END}{after}");
    Ok((path.to_owned(), text))
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
