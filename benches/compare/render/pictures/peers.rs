//! Everybody in relation to the bus, row by row: left of the line they take less (time, bytes), right of it more.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::super::beside::{PEERS, Peers};
use super::{Drawn, FONT, TEXT, WIDTH, label};

const LEFT: i32 = 340;
const RIGHT: i32 = 20;
const TOP: i32 = 106;
const RADIUS: i32 = 8;
const LANE: i32 = 2 * RADIUS + 2;
/// Shares, on a logarithmic scale; what is beyond stands at its end.
const SCALE: (f64, f64) = (0.1, 10.0);
const MARKS: [f64; 7] = [0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0];

/// Colours that people with any kind of sight can tell apart; the letters say the same.
const COLOURS: [RGBColor; PEERS.len()] = [
    RGBColor(70, 70, 70),
    RGBColor(120, 120, 120),
    RGBColor(0, 95, 160),
    RGBColor(35, 140, 200),
    RGBColor(0, 125, 90),
    RGBColor(180, 70, 0),
    RGBColor(150, 30, 90),
    RGBColor(140, 100, 0),
    RGBColor(95, 60, 150),
];

pub(super) fn draw(rows: &[Peers<'_>]) -> Drawn {
    let placed: Vec<Vec<Dot>> = rows.iter().map(|row| place(&row.shares)).collect();
    let lanes = |dots: &[Dot]| dots.iter().map(|dot| dot.lane + 1).max().unwrap_or(1);
    let height = TOP
        + placed
            .iter()
            .map(|dots| lanes(dots) * LANE + 8)
            .sum::<i32>()
        + 10;
    let mut svg = String::new();
    {
        let area =
            SVGBackend::with_string(&mut svg, (WIDTH, height.unsigned_abs())).into_drawing_area();
        area.fill(&WHITE)?;
        let faster = [(at(SCALE.0), TOP - 6), (at(1.0), height - 8)];
        area.draw(&Rectangle::new(faster, RGBColor(252, 236, 233).filled()))?;
        legend(&area)?;
        area.draw(&label("less than chanbus", 14, (at(0.25) - 40, TOP - 42)))?;
        area.draw(&label("more", 14, (at(4.0) - 40, TOP - 42)))?;
        for mark in MARKS {
            let line = [(at(mark), TOP - 6), (at(mark), height - 8)];
            let colour = if mark == 1.0 {
                TEXT
            } else {
                RGBColor(215, 215, 215)
            };
            area.draw(&PathElement::new(line, colour))?;
            let text = if mark == 1.0 {
                "as chanbus".to_owned()
            } else {
                format!("{mark}")
            };
            area.draw(&centred(&text, 12, (at(mark), TOP - 16), TEXT))?;
        }
        let mut top = TOP;
        for (row, dots) in rows.iter().zip(&placed) {
            area.draw(&label(&row.name, 14, (10, top + 2)))?;
            for dot in dots {
                let centre = (dot.x, top + RADIUS + dot.lane * LANE);
                mark(&area, centre, dot.peer)?;
            }
            top += lanes(dots) * LANE + 8;
            let below = [(10, top - 5), (WIDTH.cast_signed() - RIGHT, top - 5)];
            area.draw(&PathElement::new(below, RGBColor(235, 235, 235)))?;
        }
        area.present()?;
    }
    Ok(svg)
}

struct Dot {
    peer: usize,
    x: i32,
    lane: i32,
}

/// From left to right, each in the first lane where it covers nobody.
fn place(shares: &[Option<f64>; PEERS.len()]) -> Vec<Dot> {
    let mut dots: Vec<(usize, i32)> = shares
        .iter()
        .enumerate()
        .filter_map(|(peer, share)| Some((peer, at((*share)?))))
        .collect();
    dots.sort_by_key(|(_, x)| *x);
    let mut ends: Vec<i32> = Vec::new();
    dots.into_iter()
        .map(|(peer, x)| {
            let free = ends.iter().position(|end| *end < x - RADIUS);
            let lane = free.unwrap_or_else(|| {
                ends.push(0);
                ends.len() - 1
            });
            ends[lane] = x + RADIUS;
            Dot {
                peer,
                x,
                lane: lane as i32,
            }
        })
        .collect()
}

fn at(share: f64) -> i32 {
    let (low, high) = SCALE;
    let room = f64::from(WIDTH.cast_signed() - LEFT - RIGHT - 2 * RADIUS);
    let place = (share.clamp(low, high) / low).ln() / (high / low).ln();
    LEFT + RADIUS + (room * place).round() as i32
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

fn legend(area: &Area<'_>) -> Result<(), Box<dyn std::error::Error>> {
    const COLUMNS: usize = 5;
    for (peer, (name, _)) in PEERS.iter().enumerate() {
        let (column, line) = ((peer % COLUMNS) as i32, (peer / COLUMNS) as i32);
        let (x, y) = (20 + column * 175, 16 + line * 22);
        mark(area, (x, y), peer)?;
        area.draw(&label(name, 14, (x + 14, y - 7)))?;
    }
    Ok(())
}

fn mark(
    area: &Area<'_>,
    centre: (i32, i32),
    peer: usize,
) -> Result<(), Box<dyn std::error::Error>> {
    area.draw(&Circle::new(centre, RADIUS, COLOURS[peer].filled()))?;
    area.draw(&centred(PEERS[peer].1, 12, centre, WHITE))?;
    Ok(())
}

fn centred(
    text: &str,
    size: u32,
    at: (i32, i32),
    colour: RGBColor,
) -> Text<'static, (i32, i32), String> {
    let style = (FONT, size).into_font().color(&colour);
    Text::new(
        text.to_owned(),
        at,
        style.pos(Pos::new(HPos::Center, VPos::Center)),
    )
}
