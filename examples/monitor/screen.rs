//! What the person at the keys has asked for: which view, sorted how, filtered by what.

use crate::lines;
use crate::numbers::{Numbers, Sort};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum View {
    #[default]
    Subscriptions,
    Topology,
    Lint,
}

#[derive(Debug, Default)]
pub(crate) struct Screen {
    pub(crate) view: View,
    pub(crate) sort: Sort,
    /// What lines must have in them.
    pub(crate) filter: String,
    /// The filter is being typed.
    pub(crate) typing: bool,
    pub(crate) help: bool,
    /// The row that details are shown of, by its name: rows change their places.
    pub(crate) chosen: Option<String>,
    /// How many lines of text are above the screen.
    pub(crate) scroll: usize,
    /// What is shown while new numbers are not wanted.
    pub(crate) frozen: Option<Numbers>,
}

impl View {
    pub(crate) const ALL: [View; 3] = [View::Subscriptions, View::Topology, View::Lint];

    pub(crate) fn title(self) -> &'static str {
        match self {
            View::Subscriptions => "Subscriptions",
            View::Topology => "Topology",
            View::Lint => "Lint",
        }
    }

    /// The one so many places further on.
    fn on(self, by: usize) -> Self {
        let place = Self::ALL.iter().position(|view| *view == self);
        Self::ALL[(place.unwrap_or(0) + by) % Self::ALL.len()]
    }
}

impl Screen {
    pub(crate) fn is_paused(&self) -> bool {
        self.frozen.is_some()
    }

    /// The numbers to show: the newest, or those of the moment of the pause.
    pub(crate) fn shown<'a>(&'a self, newest: &'a Numbers) -> &'a Numbers {
        self.frozen.as_ref().unwrap_or(newest)
    }

    pub(crate) fn pause_or_go_on(&mut self, newest: &Numbers) {
        self.frozen = match self.frozen {
            Some(_) => None,
            None => Some(newest.clone()),
        };
    }

    pub(crate) fn show(&mut self, view: View) {
        self.view = view;
        self.scroll = 0;
    }

    pub(crate) fn next_view(&mut self) {
        self.show(self.view.on(1));
    }

    pub(crate) fn previous_view(&mut self) {
        self.show(self.view.on(View::ALL.len() - 1));
    }

    /// Chooses another row, or scrolls, by so many lines; in a list from its end when nothing was chosen.
    pub(crate) fn move_by(&mut self, by: isize, newest: &Numbers) {
        if self.view != View::Subscriptions {
            let all = lines::of(self.view, self.shown(newest), &self.filter).len();
            let scroll = self.scroll.saturating_add_signed(by);
            self.scroll = scroll.min(all.saturating_sub(1));
            return;
        }
        let rows = self.shown(newest).rows(&self.filter, self.sort);
        let chosen = rows.iter().position(|row| Some(row.name()) == self.chosen);
        let last = rows.len().saturating_sub(1);
        let place = match chosen {
            Some(place) => place.saturating_add_signed(by).min(last),
            None if by < 0 => last,
            None => 0,
        };
        self.chosen = rows.get(place).map(|row| row.name());
    }

    /// One step back; whether there was one.
    pub(crate) fn back(&mut self) -> bool {
        if self.help {
            self.help = false;
        } else if !self.filter.is_empty() {
            self.filter.clear();
        } else {
            return self.chosen.take().is_some();
        }
        true
    }
}
