//! The views that are text: the topology as a tree, and what looks wrong. Pure.

use chanbus::{BusNode, BusRates, Finding, SubscriptionStats, TapTarget, Topology};

use crate::figures;
use crate::numbers::{Health, Numbers, Row, Sort, contains};
use crate::screen::View;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) tone: Tone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Head,
    Quiet,
    Of(Health),
}

/// What a view of text shows, of what has this text.
pub(crate) fn of(view: View, numbers: &Numbers, text: &str) -> Vec<Line> {
    match view {
        View::Subscriptions => Vec::new(),
        View::Topology => topology(numbers, text),
        View::Lint => lint(numbers, text),
    }
}

/// A part of the tree.
struct Node {
    depth: usize,
    line: Line,
}

/// From the bus down to whom it feeds; of parts that have the text, and what these hang on.
fn topology(numbers: &Numbers, text: &str) -> Vec<Line> {
    let Some(topology) = numbers.now() else {
        return Vec::new();
    };
    let mut tree = Tree {
        topology,
        rows: numbers.rows("", Sort::Made),
        shown: Vec::new(),
        nodes: Vec::new(),
    };
    if let Some(first) = topology.buses.first() {
        tree.bus(first, 0);
    }
    drawn(kept(tree.nodes, text))
}

struct Tree<'a> {
    topology: &'a Topology,
    rows: Vec<Row<'a>>,
    /// Buses that are in it: pipes may lead back.
    shown: Vec<u64>,
    nodes: Vec<Node>,
}

impl<'a> Tree<'a> {
    fn push(&mut self, depth: usize, tone: Tone, text: String) {
        let line = Line { text, tone };
        self.nodes.push(Node { depth, line });
    }

    fn bus(&mut self, bus: &'a BusNode, depth: usize) {
        self.shown.push(bus.id);
        let rates = self.topology.rates.as_ref();
        let rates = rates.and_then(|rates| rates.buses.iter().find(|rates| rates.id == bus.id));
        let emitted = rates.map_or(0.0, |rates| rates.emitted);
        let closed = if bus.stats.closed { ", closed" } else { "" };
        let text = format!("bus {}{closed}  {}/s", called(bus), figures::rate(emitted));
        self.push(depth, Tone::Head, text);
        self.topics(bus, rates, depth + 1);
        for sub in &bus.stats.subscriptions {
            self.subscription(bus, sub, depth + 1);
        }
        for tap in &bus.taps {
            let (what, to) = match tap.target {
                TapTarget::Pipe { to } => ("pipe", Some(to)),
                TapTarget::Derived { to } => ("derived", Some(to)),
                _ => ("tap", None),
            };
            let patterns: Vec<&str> = tap
                .patterns
                .iter()
                .map(|pattern| pattern.as_str())
                .collect();
            let text = format!("{what} ← {}  ({})", patterns.join(" "), place(tap.location));
            self.push(depth + 1, Tone::Quiet, text);
            match to.and_then(|to| self.topology.bus(to)) {
                Some(to) if self.shown.contains(&to.id) => {
                    let text = format!("bus {}, as above", called(to));
                    self.push(depth + 2, Tone::Quiet, text);
                }
                Some(to) => self.bus(to, depth + 2),
                None => {}
            }
        }
    }

    /// Its publishers, by topic, and who hears them.
    fn topics(&mut self, bus: &BusNode, rates: Option<&BusRates>, depth: usize) {
        for (place, publisher) in bus.publishers.iter().enumerate() {
            let rate = rates.and_then(|rates| rates.publishers.get(place));
            let topics = &bus.topics.topics;
            let known = topics.iter().find(|known| known.topic == publisher.topic);
            let heard = match known {
                Some(known) if known.subscriptions + known.taps == 0 => ", nobody listens",
                _ => "",
            };
            let tone = if heard.is_empty() {
                Tone::Plain
            } else {
                Tone::Of(Health::Behind)
            };
            let rate = figures::rate(rate.copied().unwrap_or(0.0));
            self.push(
                depth,
                tone,
                format!("→ {}  {rate}/s{heard}", publisher.topic),
            );
        }
    }

    fn subscription(&mut self, bus: &BusNode, sub: &SubscriptionStats, depth: usize) {
        let mut rows = self.rows.iter();
        let Some(row) = rows
            .find(|row| row.bus.id == bus.id && row.sub.id == sub.id)
            .copied()
        else {
            return;
        };
        let lost = match row.sub.dropped {
            0 => String::new(),
            dropped => format!(", {} DROPPED", figures::count(dropped)),
        };
        let text = format!(
            "{} {} ← {}  {}/s in, {}/s taken, {} of {} wait{lost}",
            sub.role,
            row.name(),
            row.patterns(),
            figures::rate(row.rate(|it| it.matched)),
            figures::rate(row.rate(|it| it.taken)),
            figures::count(sub.depth as u64),
            figures::count(sub.capacity as u64),
        );
        let tone = match row.health() {
            Health::Well => Tone::Plain,
            health => Tone::Of(health),
        };
        self.push(depth, tone, text);
        for consumer in &sub.consumers {
            let name = consumer
                .name
                .as_deref()
                .unwrap_or("a handler without a name");
            let patterns: Vec<&str> = consumer.patterns.iter().map(|it| it.as_str()).collect();
            let (called, failed) = (
                figures::count(consumer.called),
                figures::count(consumer.failed),
            );
            let text = format!(
                "{name} ← {}  {called} called, {failed} failed",
                patterns.join(" ")
            );
            self.push(depth + 1, Tone::Quiet, text);
        }
    }
}

fn called(bus: &BusNode) -> String {
    let kind = bus.payload_type;
    match &bus.stats.name {
        Some(name) => format!("{name} of {kind}"),
        None => format!("#{} of {kind}", bus.id),
    }
}

fn place(location: &std::panic::Location<'_>) -> String {
    format!("{}:{}", location.file(), location.line())
}

/// Those that have the text, and those above them.
fn kept(nodes: Vec<Node>, text: &str) -> Vec<Node> {
    // How deep the last one was that is kept: only who is less deep is above it.
    let mut depth = 0;
    let mut kept: Vec<Node> = Vec::new();
    for node in nodes.into_iter().rev() {
        if node.depth < depth || contains(&node.line.text, text) {
            depth = node.depth;
            kept.push(node);
        }
    }
    kept.reverse();
    kept
}

/// With the lines of the tree before them.
fn drawn(nodes: Vec<Node>) -> Vec<Line> {
    // For each depth, whether more comes there further down.
    let mut more: Vec<bool> = Vec::new();
    let mut lines = Vec::new();
    for node in nodes.into_iter().rev() {
        let Node { depth, line } = node;
        more.resize(depth + 1, false);
        let mut text = String::new();
        for above in more.iter().take(depth).skip(1) {
            text.push_str(if *above { "│  " } else { "   " });
        }
        if depth > 0 {
            text.push_str(if more[depth] { "├─ " } else { "└─ " });
        }
        more[depth] = true;
        text.push_str(&line.text);
        lines.push(Line {
            text,
            tone: line.tone,
        });
    }
    lines.reverse();
    lines
}

/// What looks wrong, worst first.
fn lint(numbers: &Numbers, text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    for finding in &numbers.lint().findings {
        let told = finding.to_string();
        if !contains(&told, text) {
            continue;
        }
        let tone = match finding {
            Finding::Drops { .. } | Finding::FilterPanics { .. } => Tone::Of(Health::Losing),
            _ => Tone::Of(Health::Behind),
        };
        for (place, line) in told.lines().enumerate() {
            lines.push(Line {
                text: if place == 0 {
                    format!("• {line}")
                } else {
                    line.to_owned()
                },
                tone: if place == 0 { tone } else { Tone::Plain },
            });
        }
    }
    if lines.is_empty() {
        let text = match text {
            "" => "nothing looks wrong".to_owned(),
            text => format!("no finding has `{text}`"),
        };
        lines.push(Line {
            text,
            tone: Tone::Quiet,
        });
    }
    lines
}
