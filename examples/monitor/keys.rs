//! What keys do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::numbers::Numbers;
use crate::screen::{Screen, View};

/// How many characters a filter has at most.
const LONGEST: usize = 60;

/// As the help shows them.
pub(crate) const HELP: [(&str, &str); 9] = [
    ("Tab, Shift-Tab, 1 2 3", "another view"),
    (
        "p, Space",
        "pause: the numbers stand still, the bus goes on",
    ),
    ("/", "filter by a text; Enter keeps it, Esc clears it"),
    ("s", "sort: as made, depth, rate, drops, latency"),
    ("Up, Down, k, j", "choose a subscription, or scroll"),
    ("PageUp, PageDown", "by ten"),
    ("Esc", "one step back; where there is none, quit"),
    ("q, Ctrl-C", "quit"),
    ("?, h", "this"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    GoOn,
    Quit,
}

pub(crate) fn press(key: KeyEvent, screen: &mut Screen, newest: &Numbers) -> Then {
    // Some terminals tell when a key is let go.
    if key.kind == KeyEventKind::Release {
        return Then::GoOn;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Then::Quit,
            _ => Then::GoOn,
        };
    }
    if screen.typing {
        type_filter(key.code, screen);
        return Then::GoOn;
    }
    match key.code {
        KeyCode::Char('q') => return Then::Quit,
        KeyCode::Esc if !screen.back() => return Then::Quit,
        KeyCode::Char('?' | 'h') => screen.help = !screen.help,
        KeyCode::Char('p' | ' ') => screen.pause_or_go_on(newest),
        KeyCode::Char('s') => screen.sort = screen.sort.next(),
        KeyCode::Char('/') => screen.typing = true,
        KeyCode::Tab => screen.next_view(),
        KeyCode::BackTab => screen.previous_view(),
        KeyCode::Char('1') => screen.show(View::Subscriptions),
        KeyCode::Char('2') => screen.show(View::Topology),
        KeyCode::Char('3') => screen.show(View::Lint),
        KeyCode::Up | KeyCode::Char('k') => screen.move_by(-1, newest),
        KeyCode::Down | KeyCode::Char('j') => screen.move_by(1, newest),
        KeyCode::PageUp => screen.move_by(-10, newest),
        KeyCode::PageDown => screen.move_by(10, newest),
        _ => {}
    }
    Then::GoOn
}

fn type_filter(code: KeyCode, screen: &mut Screen) {
    match code {
        KeyCode::Enter => screen.typing = false,
        KeyCode::Esc => {
            screen.typing = false;
            screen.filter.clear();
        }
        KeyCode::Backspace => {
            screen.filter.pop();
        }
        KeyCode::Char(c) if screen.filter.chars().count() < LONGEST && !c.is_control() => {
            screen.filter.push(c);
        }
        _ => {}
    }
    screen.scroll = 0;
}
