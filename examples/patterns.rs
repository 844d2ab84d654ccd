//! Which pattern matches which topic, in both syntaxes, as tables.
//!
//! ```text
//! cargo run --example patterns
//! ```
//!
//! Segmented patterns (the default) respect dots: `*` is one segment, `**` any number of them. Flat
//! patterns do not: `*` is any text at all, as in a shell. The program also emits every topic on a
//! bus and checks that each subscription got exactly what its pattern says.

#![allow(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

use chanbus::{Bus, Pattern, Syntax};

const TOPICS: [&str; 6] = [
    "scan",
    "scan.started",
    "scan.file",
    "scan.file.found",
    "scanner.started",
    "ui.click",
];

/// Each pattern with the topics of the list above that it should match.
const SEGMENTED: [(&str, &[&str]); 6] = [
    ("scan.file", &["scan.file"]),
    // One whole segment, no more and no less.
    ("scan.*", &["scan.started", "scan.file"]),
    // Any number of segments, also none.
    (
        "scan.**",
        &["scan", "scan.started", "scan.file", "scan.file.found"],
    ),
    ("**.started", &["scan.started", "scanner.started"]),
    // Inside a segment `*` is any text and `?` one character, never a dot.
    ("scan*.?????*", &["scan.started", "scanner.started"]),
    ("**", &TOPICS),
];

const FLAT: [(&str, &[&str]); 4] = [
    ("scan.file", &["scan.file"]),
    // The star runs across the dot of "scan.file.found".
    ("scan.*", &["scan.started", "scan.file", "scan.file.found"]),
    (
        "scan*",
        &[
            "scan",
            "scan.started",
            "scan.file",
            "scan.file.found",
            "scanner.started",
        ],
    ),
    ("*", &TOPICS),
];

fn main() -> Result<(), chanbus::Error> {
    show(Syntax::Segmented, &SEGMENTED)?;
    show(Syntax::Flat, &FLAT)?;

    // A pattern that is none says what is wrong with it, and where.
    let Err(error) = Pattern::new("scan.[ab]") else {
        panic!("brackets are reserved");
    };
    println!("{error}");

    // Spellings with one meaning are one pattern.
    assert_eq!(Pattern::new("scan.**.**")?, Pattern::new("scan.**")?);

    // Patterns can be compared without any topic at hand.
    let (all, some) = (Pattern::new("scan.**")?, Pattern::new("scan.*")?);
    assert!(all.includes(&some) && !some.includes(&all) && some.overlaps(&all));
    Ok(())
}

fn show(syntax: Syntax, patterns: &[(&str, &[&str])]) -> Result<(), chanbus::Error> {
    print!("{:<14}", format!("{syntax:?}"));
    for topic in TOPICS {
        print!(" {topic:<15}");
    }
    println!();
    for (text, expected) in patterns {
        let pattern = Pattern::with_syntax(text, syntax)?;
        print!("{text:<14}");
        for topic in TOPICS {
            let mark = if pattern.matches(topic) { "yes" } else { "-" };
            print!(" {mark:<15}");
        }
        println!();
        assert_eq!(delivered(&pattern)?, *expected, "{pattern:?}");
    }
    println!();
    Ok(())
}

/// The topics that a subscription with that pattern gets, of all that are emitted.
fn delivered(pattern: &Pattern) -> Result<Vec<String>, chanbus::Error> {
    let bus = Bus::new();
    let sub = bus.subscribe(pattern)?;
    for topic in TOPICS {
        bus.emit(topic, ())?;
    }
    let topics = sub.try_iter().map(|event| event.topic().to_string());
    Ok(topics.collect())
}
