//! What becomes of samples: rates, health, order, latencies, news.

use std::time::Duration;

use chanbus::{Bus, Overflow};

use crate::Shop;
use crate::figures;
use crate::numbers::{Health, Numbers, Row, Sample, Sort};
use crate::plain;

fn names(numbers: &Numbers, text: &str, sort: Sort) -> Vec<String> {
    numbers.rows(text, sort).iter().map(Row::name).collect()
}

fn health(numbers: &Numbers, name: &str) -> Health {
    numbers.rows(name, Sort::Made)[0].health()
}

#[test]
fn rates_are_those_of_the_last_second() {
    let mut shop = Shop::open();
    let mut rates = Vec::new();
    // As many more each quarter of a second.
    for quarter in 0..=8 {
        shop.emit("a", quarter);
        shop.look(u64::from(quarter) * 250, &[]);
        rates.push(shop.numbers.rows("audit", Sort::Made)[0].rate(|it| it.matched));
    }
    // In the first second, of what there is: 1 in 1/4 s, 1 + 2 in 2/4 s, ...
    assert_eq!(rates[..5], [0.0, 4.0, 6.0, 8.0, 10.0]);
    assert_eq!(
        rates[5..],
        [2 + 3 + 4 + 5, 3 + 4 + 5 + 6, 4 + 5 + 6 + 7, 5 + 6 + 7 + 8].map(f64::from)
    );
}

#[test]
fn samples_that_come_late_still_make_rates() {
    let mut shop = Shop::open();
    shop.look(0, &[]);
    shop.emit("a", 30);
    shop.look(3_000, &[]);
    shop.emit("a", 10);
    shop.look(8_000, &[]);
    assert_eq!(
        shop.numbers.rows("audit", Sort::Made)[0].rate(|it| it.matched),
        2.0
    );
}

#[test]
fn a_subscription_is_behind_from_its_high_water_mark_to_its_low_one_and_loses_when_full() {
    let mut shop = Shop::open();
    let mut now = 0;
    let mut seen = |shop: &mut Shop| {
        now += 2_000;
        shop.look(now, &[]);
        health(&shop.numbers, "mailer")
    };
    assert_eq!(seen(&mut shop), Health::Well);
    shop.emit("order.paid", 2);
    assert_eq!(seen(&mut shop), Health::Behind);
    shop.mailer.try_recv().unwrap();
    assert_eq!(seen(&mut shop), Health::Behind, "above its low mark");
    shop.emit("order.paid", 3);
    assert_eq!(
        seen(&mut shop),
        Health::Losing,
        "full, though nothing is lost yet"
    );
    shop.emit("order.paid", 1);
    shop.mailer.try_iter().for_each(drop);
    assert_eq!(
        seen(&mut shop),
        Health::Losing,
        "it lost one in the last second"
    );
    assert_eq!(seen(&mut shop), Health::Well);
}

#[test]
fn without_a_mark_three_quarters_are_much() {
    let bus: Bus<u32> = Bus::new();
    let _sub = bus
        .subscription("a")
        .name("plain")
        .capacity(4)
        .subscribe()
        .unwrap();
    let mut numbers = Numbers::default();
    for expected in [
        Health::Well,
        Health::Well,
        Health::Well,
        Health::Behind,
        Health::Losing,
    ] {
        let (topology, latencies, news) = (bus.topology(), Vec::new(), Vec::new());
        numbers.add(Sample {
            topology,
            latencies,
            news,
        });
        assert_eq!(health(&numbers, "plain"), expected);
        bus.emit("a", 1).unwrap();
    }
}

#[test]
fn rows_are_found_by_name_pattern_bus_and_role_in_any_case() {
    let mut shop = Shop::open();
    let some = shop.bus.filtered(|_| true);
    let _alarms = some.subscription("x").name("alarms").subscribe().unwrap();
    shop.look(0, &[]);
    for (text, expected) in [
        ("", vec!["mailer", "audit", "alarms"]),
        ("MAIL", vec!["mailer"]),
        ("order.*", vec!["mailer"]),
        ("alarm", vec!["alarms"]),
        ("shop", vec!["mailer", "audit"]),
        ("subscriber", vec!["mailer", "audit", "alarms"]),
        ("nobody", vec![]),
    ] {
        assert_eq!(names(&shop.numbers, text, Sort::Made), expected, "{text}");
    }
}

#[test]
fn rows_are_sorted_worst_first_and_alike_ones_stay_as_made() {
    let mut shop = Shop::open();
    let latest = shop.bus.subscription("b").name("latest").capacity(1);
    let _latest = latest.overflow(Overflow::Latest).subscribe().unwrap();
    shop.look(0, &[]);
    shop.emit("order.paid", 6);
    shop.emit("b", 3);
    shop.look(1_000, &[("audit", 3), ("latest", 9)]);
    let by = |sort| names(&shop.numbers, "", sort);
    assert_eq!(by(Sort::Made), ["mailer", "audit", "latest"]);
    assert_eq!(by(Sort::Depth), ["mailer", "latest", "audit"]);
    assert_eq!(by(Sort::Rate), ["audit", "mailer", "latest"]);
    assert_eq!(by(Sort::Drops), ["mailer", "audit", "latest"]);
    assert_eq!(by(Sort::Latency), ["latest", "audit", "mailer"]);

    let mut sort = Sort::Made;
    let all = std::iter::from_fn(|| {
        sort = sort.next();
        (sort != Sort::Made).then_some(sort)
    });
    assert_eq!(
        all.collect::<Vec<_>>(),
        [Sort::Depth, Sort::Rate, Sort::Drops, Sort::Latency]
    );
}

#[test]
fn latencies_of_all_are_the_slowest_of_each_moment() {
    let mut shop = Shop::open();
    shop.look(0, &[("audit", 5)]);
    shop.look(250, &[("audit", 1), ("mailer", 3)]);
    shop.look(500, &[("audit", 4), ("mailer", 0)]);
    let millis = |name| {
        let all: Vec<Duration> = shop.numbers.latencies(name);
        all.iter().map(Duration::as_millis).collect::<Vec<_>>()
    };
    assert_eq!(millis(Some("audit")), [5, 1, 4]);
    assert_eq!(millis(Some("mailer")), [3, 0]);
    assert_eq!(millis(None), [5, 3, 4]);
    assert_eq!(millis(Some("nobody")), []);
    let mailer = shop.numbers.rows("mailer", Sort::Made)[0].latency.unwrap();
    assert_eq!(
        mailer.p99,
        Duration::from_millis(3),
        "the last that was measured"
    );
}

#[test]
fn what_is_kept_is_bounded() {
    let mut shop = Shop::open();
    for turn in 0..1_000 {
        // Up to its mark, and down again: two news.
        shop.emit("order.paid", 2);
        shop.mailer.try_iter().for_each(drop);
        shop.audit.try_iter().for_each(drop);
        shop.look(turn * 10, &[("audit", turn + 1)]);
    }
    assert_eq!(shop.numbers.news().count(), 100);
    let latencies = shop.numbers.latencies(None);
    assert_eq!(latencies.len(), 512);
    assert_eq!(
        latencies.last(),
        Some(&Duration::from_millis(1_000)),
        "the newest are kept"
    );
}

#[test]
fn news_are_told_newest_first_with_name_and_place() {
    let mut shop = Shop::open();
    shop.emit("order.paid", 5);
    shop.look(1_000, &[]);
    shop.mailer.try_iter().for_each(drop);
    shop.look(2_000, &[]);
    let news: Vec<_> = shop
        .numbers
        .news()
        .map(|news| (news.at.as_secs(), news.line()))
        .collect();
    let place = shop.mailer.location();
    let place = format!("({}:{})", place.file(), place.line());
    assert_eq!(
        news[0],
        (2, format!("mailer is back: 0 of 4 wait, 1 dropped {place}"))
    );
    assert_eq!(
        news[1],
        (
            1,
            format!("mailer fell behind: 2 of 4 wait, 0 dropped {place}")
        )
    );
}

#[test]
fn lines_say_the_same_without_a_terminal() {
    let mut shop = Shop::open();
    assert_eq!(plain::snapshot(&shop.numbers), "");
    shop.look(0, &[]);
    shop.emit("order.paid", 2_004);
    shop.look(1_000, &[("mailer", 7)]);
    let text = plain::snapshot(&shop.numbers);
    assert!(text.starts_with("after 1 s, 2,004/s emitted\n"), "{text}");
    let mailer = text.lines().find(|line| line.contains("mailer")).unwrap();
    let words: Vec<&str> = mailer.split_whitespace().collect();
    assert_eq!(
        words,
        [
            "mailer", "4/4", "2,004", "0", "2,000", "2,000", "7.0", "ms", "LOSING"
        ]
    );
    assert!(text.contains("mailer fell behind: "), "{text}");
    assert_eq!(figures::count(2_004), "2,004");
}
