//! What is on the screen, for whatever numbers, wishes and sizes.

use chanbus::{Bus, Dispatcher, Handlers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Color;

use crate::Shop;
use crate::lines;
use crate::numbers::{Numbers, Sample};
use crate::screen::{Screen, View};
use crate::view::{self, Palette};

fn draw(numbers: &Numbers, screen: &Screen, palette: Palette, (wide, high): (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(wide, high)).unwrap();
    terminal
        .draw(|frame| view::draw(frame, numbers, screen, palette))
        .unwrap();
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let wide = usize::from(buffer.area.width);
    let rows = buffer.content.chunks(wide);
    let row = |row: &[ratatui::buffer::Cell]| row.iter().map(|cell| cell.symbol()).collect();
    rows.map(row).collect::<Vec<String>>().join("\n")
}

fn drawn(numbers: &Numbers, screen: &Screen) -> String {
    text(&draw(numbers, screen, Palette::new(true), (120, 30)))
}

fn tree(numbers: &Numbers, filter: &str) -> Vec<String> {
    let lines = lines::of(View::Topology, numbers, filter);
    lines.into_iter().map(|line| line.text).collect()
}

/// One that loses, and has told of it.
fn losing() -> Shop {
    let mut shop = Shop::open();
    shop.look(0, &[]);
    shop.emit("order.paid", 12);
    shop.look(1_000, &[("mailer", 12), ("audit", 0)]);
    shop
}

#[test]
fn who_loses_is_seen_by_sign_bar_rate_and_news() {
    let shop = losing();
    let seen = drawn(&shop.numbers, &Screen::default());
    let mailer = seen.lines().find(|line| line.contains("✗ mailer")).unwrap();
    for part in ["████████████ 4/4", " 12 ", " 8 ", "12.0 ms"] {
        assert!(mailer.contains(part), "{part} in {mailer}");
    }
    let audit = seen.lines().find(|line| line.contains("audit")).unwrap();
    assert!(!audit.contains('✗') && audit.contains("12/200"), "{audit}");
    for part in [
        "bus shop  12/s emitted",
        "8.0/s dropped",
        "3 Lint (1)",
        "0 s ago: mailer fell behind: 2 of 4",
    ] {
        assert!(seen.contains(part), "{part} in {seen}");
    }
}

#[test]
fn details_of_the_chosen_say_why_and_where() {
    let shop = losing();
    let screen = Screen {
        chosen: Some("mailer".to_owned()),
        ..Screen::default()
    };
    let seen = drawn(&shop.numbers, &screen);
    let line = shop.mailer.location().line();
    for part in [
        &format!(
            "subscriber of shop, made at tests/monitor/main.rs:{line}, DropNewest, 4 received, 8 dropped"
        ),
        "why: nobody has taken any event from it",
        "latency of `mailer`: 12.0 ms now",
    ] {
        assert!(seen.contains(part), "{part} in {seen}");
    }
}

#[test]
fn losses_are_red_and_marks_yellow_or_nothing_has_a_colour() {
    let shop = losing();
    let colours = |palette| {
        let buffer = draw(&shop.numbers, &Screen::default(), palette, (120, 30));
        let bar = buffer
            .content
            .iter()
            .find(|cell| cell.symbol() == "█")
            .unwrap()
            .fg;
        let any = buffer
            .content
            .iter()
            .any(|cell| (cell.fg, cell.bg) != (Color::Reset, Color::Reset));
        (bar, any)
    };
    assert_eq!(colours(Palette::new(true)), (Color::LightRed, true));
    assert_eq!(colours(Palette::new(false)), (Color::Reset, false));
}

#[test]
fn it_fits_any_size() {
    let shop = losing();
    let sides = || (0..9).chain([13, 24, 40, 100, 250]);
    let sizes = sides().flat_map(|wide| sides().map(move |high| (wide, high)));
    for (place, size) in sizes.enumerate() {
        for (turn, view) in View::ALL.into_iter().enumerate() {
            let place = place + turn;
            let screen = Screen {
                view,
                help: place % 5 == 0,
                typing: place % 7 == 0,
                filter: "mail".repeat(usize::from(place % 4 == 0)),
                chosen: (place % 2 == 0).then(|| "mailer".to_owned()),
                scroll: place % 11,
                ..Screen::default()
            };
            for numbers in [&Numbers::default(), &shop.numbers] {
                let buffer = draw(numbers, &screen, Palette::new(true), size);
                assert_eq!((buffer.area.width, buffer.area.height), size);
            }
        }
    }
    let small = text(&draw(
        &shop.numbers,
        &Screen::default(),
        Palette::new(true),
        (40, 10),
    ));
    for part in ["bus shop", "✗ mailer", "4/4", "q quit"] {
        assert!(small.contains(part), "{part} in {small}");
    }
    let least = text(&draw(
        &shop.numbers,
        &Screen::default(),
        Palette::new(true),
        (1, 1),
    ));
    assert_eq!(least, "b", "of `bus`");
}

#[test]
fn hostile_names_stay_in_their_cells() {
    let bus: Bus<u32> = Bus::builder().name("\x1b[2J\u{7}shop\n").build().unwrap();
    let long = "e\u{301}宽👩\u{200d}👩\u{200d}👧\u{202e}".repeat(100);
    let names = ["\x1b]0;owned\x07", "a\nb\tc\rd", long.as_str(), ""];
    let _subs = names.map(|name| {
        let sub = bus.subscription("x.*").name(name).capacity(1).high_water(1);
        sub.subscribe().unwrap()
    });
    let news = bus
        .backlogs()
        .subscription("**")
        .replay(9)
        .subscribe()
        .unwrap();
    bus.publisher("x.y").unwrap().emit_batch([1, 2]).unwrap();
    let mut numbers = Numbers::default();
    numbers.add(Sample {
        topology: bus.topology(),
        latencies: Vec::new(),
        news: news.try_iter().map(|told| told.payload().clone()).collect(),
    });
    assert_eq!(numbers.news().count(), 4);
    for view in View::ALL {
        for name in names {
            for size in [(30, 20), (131, 40)] {
                let screen = Screen {
                    view,
                    chosen: Some(name.to_owned()),
                    ..Screen::default()
                };
                let buffer = draw(&numbers, &screen, Palette::new(true), size);
                let control =
                    |cell: &&ratatui::buffer::Cell| cell.symbol().contains(char::is_control);
                assert_eq!(
                    buffer.content.iter().find(control),
                    None,
                    "{view:?} {name:?}"
                );
            }
        }
    }
}

#[test]
fn the_tree_shows_who_feeds_whom() {
    let bus: Bus<u32> = Bus::builder().name("shop").build().unwrap();
    let other = Bus::builder().name("other").build().unwrap();
    let _orders = bus.publisher("order.paid").unwrap();
    let _sub = bus
        .subscription("order.*")
        .name("mailer")
        .subscribe()
        .unwrap();
    let _far = other.subscription("**").name("far").subscribe().unwrap();
    let handlers = Handlers::new();
    handlers.on("a").name("greet").call(|_| {}).unwrap();
    let _jobs = Dispatcher::builder(&bus, &handlers)
        .name("jobs")
        .build()
        .unwrap();
    let _there = bus.pipe_to(&other, "order.*").unwrap();
    // In a circle.
    let _back = other.pipe_to(&bus, "**").unwrap();
    bus.emit("order.paid", 1).unwrap();
    let mut numbers = Numbers::default();
    numbers.add(Sample {
        topology: bus.topology(),
        latencies: Vec::new(),
        news: Vec::new(),
    });

    let all = tree(&numbers, "");
    let mut starts = all.iter();
    for start in [
        "bus shop of u32  0/s",
        "├─ → order.paid  0/s",
        "├─ subscriber mailer ← order.*  ",
        "├─ dispatcher jobs ← **  ",
        "│  └─ greet ← a  0 called, 0 failed",
        "└─ pipe ← order.*  (tests/monitor/drawing.rs:",
        "   └─ bus other of u32  0/s",
        "      ├─ subscriber far ← **  ",
        "      └─ pipe ← **  (tests/monitor/drawing.rs:",
        "         └─ bus shop of u32, as above",
    ] {
        let line = starts.next().unwrap();
        assert!(line.starts_with(start), "{start} begins {line} of {all:#?}");
    }
    assert_eq!(starts.next(), None);
    let found = tree(&numbers, "FAR");
    let starts: Vec<&str> = found
        .iter()
        .map(|line| &line[..line.len().min(24)])
        .collect();
    assert_eq!(
        starts.len(),
        4,
        "what it hangs on is there, and nothing else: {found:#?}"
    );
    assert!(
        found[3].trim_start().starts_with("└─ subscriber far"),
        "{found:#?}"
    );
    assert_eq!(tree(&numbers, "nothing has this"), Vec::<String>::new());
}

#[test]
fn the_lint_is_whole_findings_of_those_that_have_the_text() {
    let shop = losing();
    let lint = |text| {
        let lines = lines::of(View::Lint, &shop.numbers, text);
        lines.into_iter().map(|line| line.text).collect::<Vec<_>>()
    };
    let all = lint("");
    assert!(
        all[0].starts_with("• subscriber `mailer`") && all[0].contains("has DROPPED 8 of 12"),
        "{all:?}"
    );
    assert!(all[1].contains("why: "), "{all:?}");
    assert_eq!(lint("nobody has TAKEN"), all);
    assert_eq!(lint("zebra"), ["no finding has `zebra`"]);
    assert_eq!(
        lines::of(View::Lint, &Numbers::default(), "")[0].text,
        "nothing looks wrong"
    );
}

#[test]
fn a_pause_keeps_the_numbers_until_it_ends() {
    let mut shop = losing();
    let mut screen = Screen::default();
    screen.pause_or_go_on(&shop.numbers);
    shop.emit("order.paid", 500);
    shop.look(2_000, &[]);
    let seen = drawn(&shop.numbers, &screen);
    assert!(
        seen.contains("PAUSED") && seen.contains("12/s emitted"),
        "{seen}"
    );
    screen.pause_or_go_on(&shop.numbers);
    let seen = drawn(&shop.numbers, &screen);
    assert!(
        !seen.contains("PAUSED") && seen.contains("500/s emitted"),
        "{seen}"
    );
}

#[test]
fn help_lies_over_all_else() {
    let shop = losing();
    let screen = Screen {
        help: true,
        ..Screen::default()
    };
    let seen = drawn(&shop.numbers, &screen);
    for (keys, what) in crate::keys::HELP {
        assert!(
            seen.contains(keys) && seen.contains(what),
            "{keys} in {seen}"
        );
    }
}
