//! Writes all mutants of a crate into one copy of it, each behind a switch.
//!
//! `mutants-at-once SOURCE COPY LIST LEFT-OUT PLACES`: `LIST` is what `cargo mutants --list --json` says of `SOURCE`. A mutant
//! has its place in that list as its number. Those whose numbers `LEFT-OUT` lists are not written. `PLACES` gets what became
//! of the others: where each is in the copy, which cannot compile, and which can only be had by a build of their own.

mod lines;
mod units;
mod weave;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use lines::Lines;

#[derive(Deserialize)]
struct Listed {
    file: String,
    genre: String,
    replacement: String,
    span: Span,
}

/// Lines and columns are counted from one, in characters.
#[derive(Deserialize)]
struct Span {
    start: Point,
    end: Point,
}

#[derive(Deserialize)]
struct Point {
    line: usize,
    column: usize,
}

/// A change of a text: what replaces its bytes from `start` to `end`.
struct Mutant<'a> {
    number: usize,
    genre: &'a str,
    start: usize,
    end: usize,
    replacement: &'a str,
}

#[derive(Default, Serialize)]
struct Places {
    /// In which bytes of which file of the copy a mutant's own text is.
    written: Vec<(String, usize, usize, usize)>,
    /// What cannot be parsed.
    broken: Vec<usize>,
    /// What no switch can choose, as it is evaluated when the crate is built, or is part of a type.
    alone: Vec<usize>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [source, copy, list, left_out, places] = arguments.as_slice() else {
        return Err("wanted: SOURCE COPY LIST LEFT-OUT PLACES".into());
    };
    let listed: Vec<Listed> = serde_json::from_str(&fs::read_to_string(list)?)?;
    let left_out: Vec<usize> = serde_json::from_str(&fs::read_to_string(left_out)?)?;

    let mut files: BTreeMap<&str, Vec<(usize, &Listed)>> = BTreeMap::new();
    for (number, mutant) in listed.iter().enumerate() {
        files
            .entry(&mutant.file)
            .or_default()
            .push((number, mutant));
    }
    let mut all = Places::default();
    for (file, listed) in files {
        let text = fs::read_to_string(Path::new(source).join(file))?;
        let lines = Lines::of(&text);
        let mutants: Vec<Mutant<'_>> = listed
            .iter()
            .filter(|(number, _)| !left_out.contains(number))
            .map(|(number, mutant)| Mutant {
                number: *number,
                genre: &mutant.genre,
                start: lines.at(mutant.span.start.line, mutant.span.start.column - 1),
                end: lines.at(mutant.span.end.line, mutant.span.end.column - 1),
                replacement: &mutant.replacement,
            })
            .collect();
        let woven = weave::weave(&text, &mutants)?;
        let written = woven.written.into_iter();
        all.written
            .extend(written.map(|(start, end, number)| (file.to_owned(), start, end, number)));
        all.broken.extend(woven.broken);
        all.alone.extend(woven.alone);
        let path = Path::new(copy).join(file);
        // An old time of change spares a build.
        if fs::read_to_string(&path)? != woven.text {
            fs::write(path, woven.text)?;
        }
    }
    fs::write(places, serde_json::to_string(&all)?)?;
    Ok(())
}
