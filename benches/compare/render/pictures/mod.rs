//! Pictures, as SVG: bars here, everybody beside the bus in `peers.rs`. The same figures give the same bytes.

mod peers;

use std::error::Error;

use plotters::prelude::*;

use super::{beside, number, target};
use crate::report::{Figure, Goal, Report, Row, Verdict};
use crate::rows::ONE_THREAD;

type Drawn = Result<String, Box<dyn Error>>;

const WIDTH: u32 = 900;
const FONT: &str = "sans-serif";
const TEXT: RGBColor = RGBColor(40, 40, 40);
const FAINT: RGBColor = RGBColor(150, 150, 150);

/// File names, and what is in them. A report without the rows of a picture has no such picture.
pub(crate) fn all(report: &Report) -> Result<Vec<(&'static str, String)>, Box<dyn Error>> {
    let mut all = Vec::new();
    let rows: Vec<&Row> = report
        .rows
        .iter()
        .filter(|row| row.name.starts_with(ONE_THREAD))
        .collect();
    if !rows.is_empty() {
        all.push(("one-thread.svg", bars(&rows)?));
    }
    let goals: Vec<(&Row, &Goal)> = report
        .rows
        .iter()
        .flat_map(|row| row.goals.iter().map(move |goal| (row, goal)))
        .filter(|(_, goal)| goal.must.is_some())
        .collect();
    if !goals.is_empty() {
        all.push(("aims.svg", aims(&goals)?));
    }
    let peers = beside::peers(report);
    if !peers.is_empty() {
        all.push(("peers.svg", peers::draw(&peers)?));
    }
    Ok(all)
}

/// Nanoseconds for each contender, a block for each number of subscribers.
fn bars(rows: &[&Row]) -> Drawn {
    const LINE: i32 = 18;
    const LEFT: i32 = 140;
    const RIGHT: i32 = 90;
    let lines: usize = rows.iter().map(|row| row.figures.len() + 3).sum();
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, lines as u32 * LINE as u32))
            .into_drawing_area();
        area.fill(&WHITE)?;
        let mut top = LINE;
        for row in rows {
            let title = format!("{}: {} for an event with its takes", row.name, row.unit);
            area.draw(&label(&title, 14, (10, top)))?;
            top += LINE + 4;
            // By length, so that neither 1 nor 512 subscribers dwarf the others.
            let longest = row
                .figures
                .iter()
                .map(|figure| figure.value.median)
                .fold(0.0, f64::max);
            for Figure { of, value } in &row.figures {
                area.draw(&label(of, 12, (20, top + 2)))?;
                let room = f64::from(WIDTH.cast_signed() - LEFT - RIGHT);
                let end = LEFT + (room * value.median / longest).round().max(1.0) as i32;
                let corners = [(LEFT, top), (end, top + LINE - 5)];
                area.draw(&Rectangle::new(corners, colour(of).filled()))?;
                area.draw(&label(&number(value.median), 12, (end + 5, top + 2)))?;
                top += LINE;
            }
            top += 2 * LINE - 4;
        }
        area.present()?;
    }
    Ok(svg)
}

/// The bus, what people write by hand, and the rest.
fn colour(contender: &str) -> RGBColor {
    match contender {
        "Publisher" | "emit(&str)" => RGBColor(31, 119, 180),
        "Arc loop" | "raw value" => RGBColor(90, 90, 90),
        _ => RGBColor(190, 190, 190),
    }
}

/// Each aim in relation to its `must`: a bar that stays left of the line has met it.
fn aims(goals: &[(&Row, &Goal)]) -> Drawn {
    const LINE: i32 = 34;
    const LEFT: i32 = 20;
    const MUST: i32 = 520;
    let height = (goals.len() as u32 + 1) * LINE as u32 + 10;
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        area.fill(&WHITE)?;
        area.draw(&label("must", 12, (MUST - 13, 8)))?;
        area.draw(&PathElement::new(
            [(MUST, 22), (MUST, height.cast_signed() - 5)],
            FAINT,
        ))?;
        let mut top = LINE - 6;
        for (row, goal) in goals {
            let Some(must) = goal.must else { continue };
            let title = match &goal.against {
                Some(against) => format!("{}: {} / {against}", row.name, goal.of),
                None => format!("{}: {}", row.name, goal.of),
            };
            area.draw(&label(&title, 11, (LEFT, top)))?;
            let at = |value: f64| {
                let length = f64::from(MUST - LEFT) * value / must;
                // Far beyond the line it makes no difference how far.
                (LEFT + length.round() as i32).clamp(LEFT + 1, WIDTH.cast_signed() - 260)
            };
            let (end, bar) = (at(goal.value.median), top + 14);
            let corners = [(LEFT, bar), (end, bar + 12)];
            area.draw(&Rectangle::new(corners, verdict(goal.verdict).filled()))?;
            if let Some(beyond) = goal.beyond {
                let mark = at(beyond);
                area.draw(&PathElement::new([(mark, bar - 2), (mark, bar + 14)], TEXT))?;
            }
            let text = format!(
                "{}  (must {}, beyond {}: {})",
                number(goal.value.median),
                target(goal.must),
                target(goal.beyond),
                goal.verdict.name(),
            );
            area.draw(&label(&text, 11, (end.max(MUST) + 8, bar + 1)))?;
            top += LINE;
        }
        area.present()?;
    }
    Ok(svg)
}

fn verdict(verdict: Verdict) -> RGBColor {
    match verdict {
        Verdict::BeyondReached => RGBColor(44, 140, 70),
        Verdict::Ok => RGBColor(31, 119, 180),
        Verdict::MustMissed => RGBColor(200, 60, 50),
        Verdict::Shown => FAINT,
    }
}

fn label(text: &str, size: u32, at: (i32, i32)) -> Text<'static, (i32, i32), String> {
    Text::new(text.to_owned(), at, (FONT, size).into_font().color(&TEXT))
}
