//! Which figures of others stand beside which of the bus's own.

use crate::report::{Report, Row};

/// One figure of the bus, and those of everybody else in its row that measure the same.
pub(super) struct Beside<'a> {
    pub(super) row: &'a Row,
    /// What follows `Publisher` in the figure's name: nothing, or as in `, p50`.
    pub(super) measure: &'a str,
    pub(super) own: f64,
    pub(super) others: Vec<(&'a str, f64)>,
}

/// Ways of the bus alone, which others have no figure of: each is held against what the others measure.
const WAYS: [&str; 3] = [", stream", ", recv_async", ", handed"];

pub(super) fn all(report: &Report) -> impl Iterator<Item = Beside<'_>> {
    report.rows.iter().flat_map(|row| {
        row.figures.iter().filter_map(move |figure| {
            let measure = figure.of.strip_prefix("Publisher")?;
            if !(measure.is_empty() || measure.starts_with(", ")) {
                return None;
            }
            let shared = WAYS.iter().find_map(|way| measure.strip_prefix(way));
            let shared = shared.unwrap_or(measure);
            let others = row.figures.iter().filter(|other| other.of != figure.of);
            Some(Beside {
                row,
                measure,
                own: figure.value.median,
                others: others
                    .filter_map(|other| {
                        let name = other.of.strip_suffix(shared)?;
                        Some((name, other.value.median))
                    })
                    .collect(),
            })
        })
    })
}

/// Whoever has a page of their own to be compared on, with the letter that marks them in a picture.
pub(super) const PEERS: [(&str, &str); 9] = [
    ("raw value", "R"),
    ("Arc loop", "L"),
    ("tokio broadcast", "T"),
    ("async-broadcast", "A"),
    ("jonhoo's bus", "B"),
    ("flume", "F"),
    ("kanal", "K"),
    ("async-channel", "C"),
    ("tokio mpsc", "M"),
];

/// The usual way of the bus, and its peers beside it.
pub(super) struct Peers<'a> {
    pub(super) name: String,
    pub(super) unit: &'a str,
    pub(super) own: f64,
    /// For each peer that was measured, its share of the bus's figure.
    pub(super) shares: [Option<f64>; PEERS.len()],
}

/// Rows with any peer in them. Tails are left out, as they are the machine's for the most part.
pub(super) fn peers(report: &Report) -> Vec<Peers<'_>> {
    const LEFT_OUT: [&str; 4] = ["p99", "worst", "recv_async", "handed"];
    all(report)
        .filter(|beside| !LEFT_OUT.iter().any(|other| beside.measure.contains(other)))
        .map(|beside| Peers {
            name: format!(
                "{}{}",
                beside.row.name,
                beside.measure.replace(", stream", "")
            ),
            unit: &beside.row.unit,
            own: beside.own,
            shares: PEERS.map(|(peer, _)| {
                let found = beside.others.iter().find(|(name, _)| *name == peer);
                found.map(|(_, figure)| figure / beside.own)
            }),
        })
        .filter(|row| row.shares.iter().any(Option::is_some))
        .collect()
}
