//! What keys do.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use crate::Shop;
use crate::keys::{Then, press};
use crate::numbers::{Numbers, Sort};
use crate::screen::{Screen, View};

fn key(code: KeyCode, screen: &mut Screen, numbers: &Numbers) -> Then {
    press(KeyEvent::new(code, KeyModifiers::NONE), screen, numbers)
}

fn type_text(text: &str, screen: &mut Screen, numbers: &Numbers) {
    for letter in text.chars() {
        assert_eq!(key(KeyCode::Char(letter), screen, numbers), Then::GoOn);
    }
}

#[test]
fn tab_goes_through_all_views_and_back() {
    let (mut screen, numbers) = (Screen::default(), Numbers::default());
    let mut seen = |code| {
        key(code, &mut screen, &numbers);
        screen.view
    };
    assert_eq!(
        [(); 3].map(|()| seen(KeyCode::Tab)),
        [View::Topology, View::Lint, View::Subscriptions]
    );
    assert_eq!(
        [(); 2].map(|()| seen(KeyCode::BackTab)),
        [View::Lint, View::Topology]
    );
    assert_eq!(seen(KeyCode::Char('3')), View::Lint);
    assert_eq!(seen(KeyCode::Char('1')), View::Subscriptions);
}

#[test]
fn what_is_typed_into_the_filter_is_text() {
    let (mut screen, numbers) = (Screen::default(), Numbers::default());
    type_text("/q?ps2x", &mut screen, &numbers);
    key(KeyCode::Backspace, &mut screen, &numbers);
    assert_eq!(screen.filter, "q?ps2");
    key(KeyCode::Enter, &mut screen, &numbers);
    assert_eq!((screen.typing, screen.filter.as_str()), (false, "q?ps2"));
    // Esc while typing clears, and does not quit.
    type_text("/", &mut screen, &numbers);
    assert_eq!(key(KeyCode::Esc, &mut screen, &numbers), Then::GoOn);
    assert_eq!((screen.typing, screen.filter.as_str()), (false, ""));
    // It has an end.
    type_text(&format!("/{}", "é".repeat(1_000)), &mut screen, &numbers);
    assert_eq!(screen.filter.chars().count(), 60);
}

#[test]
fn q_and_ctrl_c_quit_and_a_key_let_go_does_nothing() {
    let (mut screen, numbers) = (Screen::default(), Numbers::default());
    assert_eq!(key(KeyCode::Char('q'), &mut screen, &numbers), Then::Quit);
    screen.typing = true;
    assert_eq!(key(KeyCode::Char('q'), &mut screen, &numbers), Then::GoOn);
    let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(press(ctrl_c, &mut screen, &numbers), Then::Quit);
    let release = KeyEvent::new_with_kind(
        KeyCode::Char('q'),
        KeyModifiers::NONE,
        KeyEventKind::Release,
    );
    assert_eq!(press(release, &mut Screen::default(), &numbers), Then::GoOn);
}

#[test]
fn esc_goes_back_step_by_step_then_quits() {
    let mut shop = Shop::open();
    shop.look(0, &[]);
    let mut screen = Screen::default();
    type_text("/mail", &mut screen, &shop.numbers);
    key(KeyCode::Enter, &mut screen, &shop.numbers);
    key(KeyCode::Down, &mut screen, &shop.numbers);
    key(KeyCode::Char('?'), &mut screen, &shop.numbers);
    let mut state = || {
        let then = key(KeyCode::Esc, &mut screen, &shop.numbers);
        (
            then,
            screen.help,
            screen.filter.clone(),
            screen.chosen.clone(),
        )
    };
    let mailer = Some("mailer".to_owned());
    assert_eq!(
        state(),
        (Then::GoOn, false, "mail".to_owned(), mailer.clone())
    );
    assert_eq!(state(), (Then::GoOn, false, String::new(), mailer));
    assert_eq!(state(), (Then::GoOn, false, String::new(), None));
    assert_eq!(state().0, Then::Quit);
}

#[test]
fn the_chosen_row_stays_chosen_when_rows_change_their_places() {
    let mut shop = Shop::open();
    shop.look(0, &[]);
    let mut screen = Screen::default();
    let mut chosen = |code, numbers: &Numbers| {
        key(code, &mut screen, numbers);
        screen.chosen.clone().unwrap_or_default()
    };
    assert_eq!(chosen(KeyCode::Down, &shop.numbers), "mailer");
    assert_eq!(
        chosen(KeyCode::Up, &shop.numbers),
        "mailer",
        "there is none above"
    );
    assert_eq!(chosen(KeyCode::Char('j'), &shop.numbers), "audit");
    assert_eq!(
        chosen(KeyCode::PageDown, &shop.numbers),
        "audit",
        "nor below"
    );
    // By rate, it is the first.
    shop.emit("nobody.else", 5);
    shop.look(1_000, &[]);
    assert_eq!(chosen(KeyCode::Char('s'), &shop.numbers), "audit");
    chosen(KeyCode::Char('s'), &shop.numbers);
    assert_eq!(chosen(KeyCode::Down, &shop.numbers), "mailer");
    assert_eq!(screen.sort, Sort::Rate);
    // Nothing to choose from.
    key(KeyCode::Down, &mut Screen::default(), &Numbers::default());
}

#[test]
fn text_scrolls_to_its_last_line_and_no_further() {
    let mut shop = Shop::open();
    shop.look(0, &[]);
    let mut screen = Screen::default();
    key(KeyCode::Tab, &mut screen, &shop.numbers);
    let mut scroll = |code| {
        key(code, &mut screen, &shop.numbers);
        screen.scroll
    };
    // The bus and its two subscriptions.
    assert_eq!(scroll(KeyCode::PageDown), 2);
    assert_eq!(scroll(KeyCode::Down), 2);
    assert_eq!(scroll(KeyCode::Up), 1);
    assert_eq!(scroll(KeyCode::PageUp), 0);
    scroll(KeyCode::Down);
    assert_eq!(scroll(KeyCode::Tab), 0, "another view begins at its top");
}
