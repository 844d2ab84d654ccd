//! The same numbers as lines, for a log, a pipe, or a check.

use std::fmt::Write;

use crate::figures;
use crate::numbers::{Health, Numbers, Sort};

/// What is known now.
pub(crate) fn snapshot(numbers: &Numbers) -> String {
    let mut text = String::new();
    let Some(now) = numbers.now() else {
        return text;
    };
    let rates = now.rates.as_ref().and_then(|rates| rates.buses.first());
    let emitted = figures::rate(rates.map_or(0.0, |bus| bus.emitted));
    // Writing to a string cannot fail.
    let _ = writeln!(text, "after {} s, {emitted}/s emitted", now.at.as_secs());
    let _ = writeln!(
        text,
        "  {:<14} {:>11} {:>8} {:>8} {:>8} {:>9} {:>9}",
        "subscription", "depth", "in/s", "taken/s", "drop/s", "dropped", "latency"
    );
    for row in numbers.rows("", Sort::Made) {
        let state = match row.health() {
            Health::Well => "",
            Health::Behind => "  behind",
            Health::Losing => "  LOSING",
        };
        let _ = writeln!(
            text,
            "  {:<14} {:>11} {:>8} {:>8} {:>8} {:>9} {:>9}{state}",
            row.name(),
            format!("{}/{}", row.sub.depth, row.sub.capacity),
            figures::rate(row.rate(|it| it.matched)),
            figures::rate(row.rate(|it| it.taken)),
            figures::rate(row.rate(|it| it.dropped)),
            figures::count(row.sub.dropped),
            row.latency
                .map_or(String::new(), |it| figures::time(it.p99)),
        );
    }
    if let Some(news) = numbers.news().next() {
        let _ = writeln!(text, "  {}", news.line());
    }
    text
}
