//! The table of subscriptions, the latency below it, and details of the one that is chosen.

use std::time::Duration;

use chanbus::Finding;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{
    Block, Borders, Cell, Paragraph, Row as TableRow, Sparkline, Table, TableState, Wrap,
};

use super::Palette;
use crate::figures;
use crate::numbers::{Health, Numbers, Row};
use crate::screen::Screen;

/// How many cells a depth bar has.
const BAR: usize = 12;
/// How many samples are in a row of the table.
const SPARKS: usize = 12;

/// A column: its heading, how wide it is, and what is in it.
type Column = (
    &'static str,
    u16,
    fn(&Row<'_>, &Numbers, Palette) -> Line<'static>,
);

/// As they stand from left to right; with their places in the order in which they are given up for want of room.
const COLUMNS: [(usize, Column); 9] = [
    (0, ("  subscription", 16, name)),
    (1, ("depth", BAR as u16 + 11, depth)),
    (
        3,
        ("in/s", 8, |row, _, _| {
            right(figures::rate(row.rate(|it| it.matched)))
        }),
    ),
    (
        4,
        ("taken/s", 8, |row, _, _| {
            right(figures::rate(row.rate(|it| it.taken)))
        }),
    ),
    (2, ("drop/s", 8, drops)),
    (
        5,
        ("dropped", 9, |row, _, _| {
            right(figures::count(row.sub.dropped))
        }),
    ),
    (6, ("latency", 10, latency)),
    (7, ("", SPARKS as u16, sparks)),
    (
        8,
        ("patterns", 20, |row, _, palette| {
            Line::styled(row.patterns(), palette.quiet())
        }),
    ),
];

pub(super) fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    numbers: &Numbers,
    screen: &Screen,
    palette: Palette,
) {
    let rows = numbers.rows(&screen.filter, screen.sort);
    let chosen = rows
        .iter()
        .position(|row| Some(row.name()) == screen.chosen);
    let details = if chosen.is_some() && area.height >= 14 {
        5
    } else {
        0
    };
    let sparkline = if area.height >= 10 { 5 } else { 0 };
    let [table, details, sparkline] = Layout::vertical([
        Constraint::Fill(1),
        Constraint::Length(details),
        Constraint::Length(sparkline),
    ])
    .areas(area);
    draw_table(frame, table, &rows, chosen, numbers, palette);
    if let Some(row) = chosen.and_then(|place| rows.get(place)) {
        draw_details(frame, details, row, numbers, palette);
    }
    let name = chosen
        .and_then(|place| rows.get(place))
        .and_then(|row| row.sub.name.as_deref());
    draw_latency(frame, sparkline, name, numbers, palette);
}

fn draw_table(
    frame: &mut Frame<'_>,
    area: Rect,
    rows: &[Row<'_>],
    chosen: Option<usize>,
    numbers: &Numbers,
    palette: Palette,
) {
    let fits = |place: usize| {
        let before = COLUMNS
            .iter()
            .filter(|(importance, _)| *importance <= place);
        let wide: u16 = before.map(|(_, (_, wide, _))| wide + 1).sum();
        place == 0 || wide <= area.width + 1
    };
    let columns: Vec<Column> = COLUMNS
        .iter()
        .filter(|(place, _)| fits(*place))
        .map(|(_, column)| *column)
        .collect();
    let last = columns.len().saturating_sub(1);
    let widths = columns
        .iter()
        .enumerate()
        .map(|(place, (_, wide, _))| match place == last {
            true => Constraint::Min(*wide),
            false => Constraint::Length(*wide),
        });
    let heading = |(title, _, _): &Column| match *title {
        "in/s" | "taken/s" | "drop/s" | "dropped" | "latency" => {
            Cell::from(right((*title).to_owned()))
        }
        title => Cell::from(title),
    };
    let heading = TableRow::new(columns.iter().map(heading)).style(palette.quiet());
    let shown = rows.iter().map(|row| {
        TableRow::new(
            columns
                .iter()
                .map(|(_, _, cell)| Cell::from(cell(row, numbers, palette))),
        )
    });
    let table = Table::new(shown, widths)
        .header(heading)
        .row_highlight_style(palette.chosen());
    let mut state = TableState::new().with_selected(chosen);
    frame.render_stateful_widget(table, area, &mut state);
    if rows.is_empty() && area.height > 1 {
        let below = Rect {
            y: area.y + 1,
            height: 1,
            ..area
        };
        frame.render_widget(
            Span::styled("  nobody by that name or pattern", palette.quiet()),
            below,
        );
    }
}

fn name(row: &Row<'_>, _: &Numbers, palette: Palette) -> Line<'static> {
    let sign = match row.health() {
        Health::Well => "  ",
        Health::Behind => "▲ ",
        Health::Losing => "✗ ",
    };
    Line::from(vec![
        Span::styled(sign, palette.health(row.health())),
        Span::raw(row.name()),
    ])
}

fn depth(row: &Row<'_>, _: &Numbers, palette: Palette) -> Line<'static> {
    let mark = row
        .sub
        .high_water
        .map(|mark| mark * 1_000 / row.sub.capacity.max(1));
    let bar = figures::bar(row.permille(), mark, BAR);
    let of = format!(" {}/{}", row.sub.depth, row.sub.capacity);
    Line::from(vec![
        Span::styled(bar, palette.health(row.health())),
        Span::raw(of),
    ])
}

fn drops(row: &Row<'_>, _: &Numbers, palette: Palette) -> Line<'static> {
    let dropped = row.rate(|it| it.dropped);
    let line = right(figures::rate(dropped));
    if dropped > 0.0 {
        line.style(palette.health(Health::Losing))
    } else {
        line
    }
}

fn latency(row: &Row<'_>, _: &Numbers, _: Palette) -> Line<'static> {
    right(
        row.latency
            .map_or(String::new(), |it| figures::time(it.p99)),
    )
}

fn sparks(row: &Row<'_>, numbers: &Numbers, palette: Palette) -> Line<'static> {
    let Some(name) = row.sub.name.as_deref() else {
        return Line::default();
    };
    let latencies = numbers.latencies(Some(name));
    let from = latencies.len().saturating_sub(SPARKS);
    Line::styled(figures::sparks(&latencies[from..]), palette.head())
}

fn right(text: String) -> Line<'static> {
    Line::from(text).right_aligned()
}

/// What it is, where it was made, what it has lost, and why.
fn draw_details(
    frame: &mut Frame<'_>,
    area: Rect,
    row: &Row<'_>,
    numbers: &Numbers,
    palette: Palette,
) {
    let sub = row.sub;
    let finding = numbers.lint().findings.iter().find(|finding| {
        matches!(finding, Finding::Drops { bus, subscription, .. }
            if *bus == row.bus.id && *subscription == sub.id)
    });
    let place = format!("{}:{}", sub.location.file(), sub.location.line());
    let bus = row.bus.stats.name.as_deref().unwrap_or("a derived bus");
    let counts = [
        (sub.received, "received"),
        (sub.dropped, "dropped"),
        (sub.filtered, "filtered"),
        (sub.conflated, "conflated"),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let counts = counts.map(|(count, what)| format!(", {} {what}", figures::count(count)));
    let counts: String = counts.collect();
    let (role, overflow) = (sub.role, sub.overflow);
    let what = format!("{role} of {bus}, made at {place}, {overflow:?}{counts}");
    let mut lines = vec![Line::raw(what)];
    match finding.map(Finding::to_string) {
        // The first line says what has been said.
        Some(finding) => {
            let more = finding.lines().skip(1).map(|line| line.trim().to_owned());
            lines.extend(more.map(|line| Line::styled(line, palette.health(row.health()))));
        }
        None => lines.push(Line::raw(format!("hears {}", row.patterns()))),
    }
    let block = Block::new()
        .borders(Borders::TOP)
        .border_style(palette.quiet());
    let block = block.title(Span::styled(format!(" {} ", row.name()), palette.head()));
    frame.render_widget(
        Paragraph::new(lines).wrap(Wrap { trim: true }).block(block),
        area,
    );
}

fn draw_latency(
    frame: &mut Frame<'_>,
    area: Rect,
    name: Option<&str>,
    numbers: &Numbers,
    palette: Palette,
) {
    let latencies = numbers.latencies(name);
    let from = latencies.len().saturating_sub(area.width.into());
    let shown = &latencies[from..];
    let max = shown.iter().max().copied().unwrap_or_default();
    let last = latencies
        .iter()
        .rev()
        .find(|it| !it.is_zero())
        .copied()
        .unwrap_or_default();
    let of = name.map_or("all, the slowest".to_owned(), |name| format!("`{name}`"));
    let title = format!(
        " latency of {of}: {} now, {} at most ",
        figures::time(last),
        figures::time(max)
    );
    let block = Block::new()
        .borders(Borders::TOP)
        .border_style(palette.quiet());
    let block = block.title(Span::styled(title, palette.head()));
    let steps = u64::from(area.height.saturating_sub(1)) * 8;
    let bars: Vec<Option<u64>> = shown.iter().map(|took| bar(*took, max, steps)).collect();
    let sparkline = Sparkline::default().block(block).style(palette.head());
    frame.render_widget(
        sparkline.max(steps).absent_value_symbol(" ").data(bars),
        area,
    );
}

/// How high a bar is.
fn bar(took: Duration, max: Duration, steps: u64) -> Option<u64> {
    if took.is_zero() {
        return None;
    }
    let share = took.as_secs_f64() / max.as_secs_f64();
    Some(((share * steps as f64).round() as u64).max(1))
}
