//! What is on the screen: numbers and wishes in, a frame out. It changes nothing, and fits any size.

mod palette;
mod subscriptions;

use chanbus::BacklogLevel;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph, Wrap};

pub(crate) use self::palette::Palette;
use crate::figures;
use crate::keys::HELP;
use crate::lines;
use crate::numbers::{Health, News, Numbers};
use crate::screen::{Screen, View};

pub(crate) fn draw(frame: &mut Frame<'_>, newest: &Numbers, screen: &Screen, palette: Palette) {
    let numbers = screen.shown(newest);
    let area = frame.area();
    // What is left out first where there is little room stands last here.
    let rows = |room: u16, wanted: u16| if area.height >= room { wanted } else { 0 };
    let [head, tabs, body, news, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(rows(4, 1)),
        Constraint::Fill(1),
        Constraint::Length(rows(8, 1) + rows(24, 2)),
        Constraint::Length(rows(6, 1)),
    ])
    .areas(area);
    frame.render_widget(headline(numbers, screen, palette), head);
    frame.render_widget(tab_line(numbers, screen, palette), tabs);
    match screen.view {
        View::Subscriptions => subscriptions::draw(frame, body, numbers, screen, palette),
        view => text(
            frame,
            body,
            &lines::of(view, numbers, &screen.filter),
            screen,
            palette,
        ),
    }
    frame.render_widget(Paragraph::new(news_lines(numbers, palette)), news);
    let hint = "q quit  Tab view  p pause  / filter  s sort  ↑↓ choose  ? help";
    frame.render_widget(Span::styled(hint, palette.quiet()), keys);
    if screen.help {
        help(frame, palette);
    }
}

fn headline(numbers: &Numbers, screen: &Screen, palette: Palette) -> Line<'static> {
    let mut line = Line::default();
    let Some(now) = numbers.now() else {
        line.push_span("waiting for the first numbers");
        return line;
    };
    if screen.is_paused() {
        line.push_span(Span::styled("PAUSED ", palette.title()));
    }
    if let Some(first) = now.buses.first() {
        let name = first.stats.name.as_deref().unwrap_or("(unnamed)");
        line.push_span(Span::styled(format!("bus {name}"), palette.head()));
    }
    if let Some(rates) = &now.rates {
        let emitted: f64 = rates.buses.iter().take(1).map(|bus| bus.emitted).sum();
        let subs = || rates.buses.iter().flat_map(|bus| &bus.subscriptions);
        let received: f64 = subs().map(|sub| sub.received).sum();
        let dropped: f64 = rates.buses.iter().map(|bus| bus.dropped).sum();
        let (emitted, received) = (figures::rate(emitted), figures::rate(received));
        line.push_span(format!("  {emitted}/s emitted  {received}/s received  "));
        let style = match dropped > 0.0 {
            true => palette.health(Health::Losing),
            false => palette.quiet(),
        };
        let dropped = format!("{}/s dropped", figures::rate(dropped));
        line.push_span(Span::styled(dropped, style));
    }
    let all: usize = now.buses.iter().map(|bus| bus.stats.subscribers).sum();
    let more = format!(
        "  {all} subscriptions on {} buses  up {} s",
        now.buses.len(),
        now.at.as_secs()
    );
    line.push_span(Span::styled(more, palette.quiet()));
    line
}

fn tab_line(numbers: &Numbers, screen: &Screen, palette: Palette) -> Line<'static> {
    let mut line = Line::default();
    for (place, view) in View::ALL.into_iter().enumerate() {
        let found = match (view, numbers.lint().findings.len()) {
            (View::Lint, found) if found > 0 => format!(" ({found})"),
            _ => String::new(),
        };
        let title = format!(" {} {}{found} ", place + 1, view.title());
        let style = if view == screen.view {
            palette.title()
        } else {
            palette.quiet()
        };
        line.push_span(Span::styled(title, style));
    }
    if screen.view == View::Subscriptions {
        line.push_span(Span::styled(
            format!("  sort: {}", screen.sort.as_str()),
            palette.quiet(),
        ));
    }
    if screen.typing {
        line.push_span(format!("  filter: {}▏", screen.filter));
    } else if !screen.filter.is_empty() {
        line.push_span(format!("  filter: {}", screen.filter));
    }
    line
}

/// The last news, the newest first.
fn news_lines(numbers: &Numbers, palette: Palette) -> Vec<Line<'static>> {
    let at = numbers.now().map(|now| now.at).unwrap_or_default();
    let line = |news: &News| {
        let ago = at.saturating_sub(news.at).as_secs();
        let health = match news.told.level {
            BacklogLevel::High => Health::Behind,
            BacklogLevel::Low => Health::Well,
        };
        Line::from(vec![
            Span::styled(format!("{ago} s ago: "), palette.quiet()),
            Span::styled(news.line(), palette.health(health)),
        ])
    };
    let lines: Vec<Line<'_>> = numbers.news().take(3).map(line).collect();
    match lines[..] {
        [] => vec![Line::styled(
            "nobody has fallen behind yet",
            palette.quiet(),
        )],
        _ => lines,
    }
}

/// A view that is text: from the line to which it is scrolled on.
fn text(
    frame: &mut Frame<'_>,
    area: Rect,
    lines: &[lines::Line],
    screen: &Screen,
    palette: Palette,
) {
    let shown = lines.iter().skip(screen.scroll).take(area.height.into());
    let shown = shown.map(|line| Line::styled(line.text.clone(), palette.tone(line.tone)));
    let text = Paragraph::new(shown.collect::<Vec<_>>());
    let text = match screen.view {
        // A tree would be torn.
        View::Topology => text,
        _ => text.wrap(Wrap { trim: false }),
    };
    frame.render_widget(text, area);
}

fn help(frame: &mut Frame<'_>, palette: Palette) {
    let wide = HELP
        .iter()
        .map(|(keys, _)| keys.chars().count())
        .max()
        .unwrap_or(0);
    let mut lines: Vec<Line<'_>> = Vec::new();
    for (keys, what) in HELP {
        let keys = Span::styled(format!("{keys:wide$}  "), palette.head());
        lines.push(Line::from(vec![keys, Span::raw(what)]));
    }
    lines.push(Line::raw(""));
    lines.push(Line::raw(
        "▲ at its high-water mark (┊) or nearly full   ✗ full, or losing events",
    ));
    lines.push(Line::raw(
        "Latency: emit to receipt, of the slowest of a hundred; in the table, a bar",
    ));
    lines.push(Line::raw(
        "that is one step higher is several times as long.",
    ));
    let width = lines.iter().map(Line::width).max().unwrap_or(0) as u16 + 4;
    let height = lines.len() as u16 + 2;
    let area = frame.area();
    let [area] = Layout::horizontal([Constraint::Max(width)])
        .flex(ratatui::layout::Flex::Center)
        .areas(area);
    let [area] = Layout::vertical([Constraint::Max(height)])
        .flex(ratatui::layout::Flex::Center)
        .areas(area);
    frame.render_widget(Clear, area);
    let block = Block::bordered()
        .title(" Keys ")
        .border_style(palette.quiet());
    frame.render_widget(Paragraph::new(lines).block(block), area);
}
