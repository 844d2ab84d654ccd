//! Colours, or what stands for them where none are wanted.

use ratatui::style::{Color, Modifier, Style};

use crate::lines::Tone;
use crate::numbers::Health;

#[derive(Debug, Clone, Copy)]
pub(crate) struct Palette {
    colour: bool,
}

impl Palette {
    pub(crate) fn new(colour: bool) -> Self {
        Palette { colour }
    }

    /// As <https://no-color.org> has it.
    pub(crate) fn from_env() -> Self {
        Palette::new(std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty()))
    }

    fn style(self, colour: Color, otherwise: Modifier) -> Style {
        match self.colour {
            true => Style::new().fg(colour),
            false => Style::new().add_modifier(otherwise),
        }
    }

    pub(crate) fn health(self, health: Health) -> Style {
        match health {
            Health::Well => self.style(Color::Green, Modifier::empty()),
            Health::Behind => self.style(Color::Yellow, Modifier::empty()),
            Health::Losing => self.style(Color::LightRed, Modifier::BOLD),
        }
    }

    pub(crate) fn tone(self, tone: Tone) -> Style {
        match tone {
            Tone::Plain => Style::new(),
            Tone::Head => self.head(),
            Tone::Quiet => self.quiet(),
            Tone::Of(health) => self.health(health),
        }
    }

    pub(crate) fn head(self) -> Style {
        self.style(Color::Cyan, Modifier::empty())
            .add_modifier(Modifier::BOLD)
    }

    pub(crate) fn quiet(self) -> Style {
        self.style(Color::DarkGray, Modifier::DIM)
    }

    pub(crate) fn title(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// A row whose own colours stay.
    pub(crate) fn chosen(self) -> Style {
        match self.colour {
            // A dark grey of the 256 that nearly every terminal has.
            true => Style::new().bg(Color::Indexed(238)),
            false => self.title(),
        }
    }
}
