//! A topology as a graph for Graphviz.

use std::fmt::{self, Write};

use super::rates::Short;
use super::{BusNode, Topology};
use crate::bus::{SubscriptionStats, TapTarget};
use crate::observe::words::{Patterns, Place, consumer_called, overflow_called};

impl Topology {
    /// The topology as a graph in the DOT language: `dot -Tsvg` makes a picture of it.
    ///
    /// Publishers point to their bus, a bus to its subscriptions (labelled with their patterns), to those who take from
    /// these, to taps, and to the buses that it feeds. A subscription that has dropped events is filled red, one
    /// whose queue is full orange, a closed one grey; with [rates](Topology::since) red is for drops since the earlier
    /// one. Names may be any text: they are escaped.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::builder().name("ui").build()?;
    /// let _panel = bus.subscription("scan.*").name("panel").capacity(1).subscribe()?;
    /// bus.publisher("scan.started")?.emit_batch([1, 2])?;
    /// let dot = bus.topology().to_dot();
    /// assert!(dot.starts_with("digraph"));
    /// assert!(dot.contains("1 DROPPED"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn to_dot(&self) -> String {
        let mut dot = String::new();
        // Writing to a text cannot fail.
        let _ = write(self, &mut dot);
        dot
    }
}

/// The lines of a label, each escaped.
fn label(lines: &[String]) -> String {
    let mut label = String::from("\"");
    for (place, line) in lines.iter().enumerate() {
        if place > 0 {
            label.push_str("\\n");
        }
        escape(line, &mut label);
    }
    label.push('"');
    label
}

/// In quotes a backslash escapes, and `&` begins an entity.
fn escape(text: &str, to: &mut String) {
    for c in text.chars() {
        match c {
            '"' => to.push_str("\\\""),
            '\\' => to.push_str("\\\\"),
            '&' => to.push_str("&amp;"),
            c if c.is_control() => to.push('\u{FFFD}'),
            c => to.push(c),
        }
    }
}

fn write(topology: &Topology, dot: &mut String) -> fmt::Result {
    writeln!(dot, "digraph chanbus {{")?;
    writeln!(dot, "  rankdir=LR;")?;
    writeln!(
        dot,
        "  node [shape=box, style=filled, fillcolor=white, fontname=\"sans-serif\"];"
    )?;
    writeln!(dot, "  edge [fontname=\"sans-serif\"];")?;
    for (place, bus) in topology.buses.iter().enumerate() {
        write_bus(topology, place, bus, dot)?;
    }
    writeln!(dot, "}}")
}

fn write_bus(topology: &Topology, place: usize, bus: &BusNode, dot: &mut String) -> fmt::Result {
    let id = bus.id;
    let rates = topology
        .rates
        .as_ref()
        .and_then(|rates| rates.buses.get(place));
    let emitted = match rates {
        Some(rates) => format!("{} emitted, {}/s", bus.stats.emitted, Short(rates.emitted)),
        None => format!("{} emitted", bus.stats.emitted),
    };
    let name = match &bus.stats.name {
        Some(name) => format!("bus {name}"),
        None => format!("bus #{id}"),
    };
    let closed = if bus.stats.closed {
        "closed"
    } else {
        bus.payload_type
    };
    let lines = [
        name,
        closed.to_owned(),
        emitted,
        Place(bus.location).to_string(),
    ];
    let fill = if bus.stats.closed {
        "lightgrey"
    } else {
        "lightblue"
    };
    writeln!(
        dot,
        "  b{id} [label={}, fillcolor={fill}, penwidth=2];",
        label(&lines)
    )?;

    for (at, publisher) in bus.publishers.iter().enumerate() {
        let mut emitted = format!("{} emitted", publisher.emitted);
        if let Some(rate) = rates.and_then(|rates| rates.publishers.get(at)) {
            write!(emitted, ", {}/s", Short(*rate))?;
        }
        let lines = [
            publisher.topic.to_string(),
            emitted,
            Place(publisher.location).to_string(),
        ];
        let node = format!("b{id}p{}", publisher.id);
        writeln!(dot, "  {node} [shape=ellipse, label={}];", label(&lines))?;
        writeln!(dot, "  {node} -> b{id};")?;
    }
    for (at, sub) in bus.stats.subscriptions.iter().enumerate() {
        let rates = rates.and_then(|rates| rates.subscriptions.get(at));
        let mut lines = sub_lines(sub);
        lines.extend(rates.map(ToString::to_string));
        let drops = rates.map_or(sub.dropped > 0, |rates| rates.dropped > 0.0);
        let fill = match () {
            () if drops => "tomato",
            () if sub.closed => "lightgrey",
            () if sub.depth >= sub.capacity => "orange",
            () => "white",
        };
        let node = format!("b{id}s{}", sub.id);
        writeln!(dot, "  {node} [label={}, fillcolor={fill}];", label(&lines))?;
        let patterns = [Patterns(&sub.patterns).to_string()];
        let dashed = if sub.closed { ", style=dashed" } else { "" };
        writeln!(
            dot,
            "  b{id} -> {node} [label={}{dashed}];",
            label(&patterns)
        )?;
        for (number, consumer) in sub.consumers.iter().enumerate() {
            let counts = format!("{} called, {} failed", consumer.called, consumer.failed);
            let lines = [consumer_called(consumer), counts];
            let patterns = [Patterns(&consumer.patterns).to_string()];
            writeln!(
                dot,
                "  {node}c{number} [shape=component, label={}];",
                label(&lines)
            )?;
            writeln!(
                dot,
                "  {node} -> {node}c{number} [label={}];",
                label(&patterns)
            )?;
        }
    }
    for tap in &bus.taps {
        let patterns = label(&[Patterns(&tap.patterns).to_string()]);
        match tap.target.bus().filter(|to| topology.bus(*to).is_some()) {
            Some(to) => {
                let style = match tap.target {
                    TapTarget::Derived { .. } => "bold",
                    _ => "solid",
                };
                writeln!(dot, "  b{id} -> b{to} [label={patterns}, style={style}];")?;
            }
            None => {
                let node = format!("b{id}t{}", tap.id);
                let lines = ["tap".to_owned(), Place(tap.location).to_string()];
                writeln!(dot, "  {node} [shape=note, label={}];", label(&lines))?;
                writeln!(dot, "  b{id} -> {node} [label={patterns}];")?;
            }
        }
    }
    Ok(())
}

fn sub_lines(sub: &SubscriptionStats) -> Vec<String> {
    let name = match &sub.name {
        Some(name) => format!("{} {name}", sub.role),
        None => format!("{} #{}", sub.role, sub.id),
    };
    let mut lines = vec![
        name,
        Place(sub.location).to_string(),
        format!(
            "{} of {}, {}",
            sub.depth,
            sub.capacity,
            overflow_called(sub.overflow)
        ),
    ];
    if sub.depth >= sub.capacity {
        lines.push("FULL".to_owned());
    }
    if sub.dropped > 0 {
        lines.push(format!("{} DROPPED", sub.dropped));
    }
    if sub.closed {
        lines.push("closed".to_owned());
    }
    lines
}
