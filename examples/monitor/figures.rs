//! Numbers as people read them.

use std::time::Duration;

/// `12,345`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Per second: `0`, `3.2`, `1,234`.
pub(crate) fn rate(per_second: f64) -> String {
    if per_second > 0.0 && per_second < 9.95 {
        format!("{per_second:.1}")
    } else {
        count(per_second.round() as u64)
    }
}

/// `850 µs`, `12.3 ms`, `1.25 s`, `2 min 5 s`.
pub(crate) fn time(took: Duration) -> String {
    let micros = took.as_micros();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..100_000 => format!("{:.1} ms", micros as f64 / 1e3),
        100_000..1_000_000 => format!("{:.0} ms", micros as f64 / 1e3),
        1_000_000..60_000_000 => format!("{:.2} s", took.as_secs_f64()),
        _ => format!("{} min {} s", took.as_secs() / 60, took.as_secs() % 60),
    }
}

/// A line of bars, one for each latency, by their order of magnitude: from 10 µs to ten seconds, so that those of
/// different subscriptions compare. Blank where nothing was measured.
pub(crate) fn sparks(latencies: &[Duration]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const DECADES: f64 = 6.0;
    let spark = |took: &Duration| {
        if took.is_zero() {
            return ' ';
        }
        let decades = (took.as_secs_f64() / 1e-5).max(1.0).log10();
        let last = (BARS.len() - 1) as f64;
        BARS[(decades / DECADES * last).round().min(last) as usize]
    };
    latencies.iter().map(spark).collect()
}

/// A bar that is so many thousandths full, over so many cells, with a mark where it is not filled yet.
pub(crate) fn bar(permille: usize, mark: Option<usize>, cells: usize) -> String {
    const PARTS: [char; 8] = ['·', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let eighths = permille.min(1_000) * cells * 8 / 1_000;
    // What is not empty does not look so.
    let eighths = if permille > 0 { eighths.max(1) } else { 0 };
    let mark = mark.map(|mark| (mark.min(1_000) * cells / 1_000).min(cells.saturating_sub(1)));
    let cell = |cell: usize| match eighths.saturating_sub(cell * 8) {
        8.. => '█',
        0 if mark == Some(cell) => '┊',
        parts => PARTS[parts],
    };
    (0..cells).map(cell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_go_in_groups_of_three() {
        let told = [0, 999, 1_000, 1_234_567].map(count);
        assert_eq!(told, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn small_rates_keep_a_digit() {
        let told = [0.0, 0.04, 3.21, 9.94, 9.96, 1_234.5].map(rate);
        assert_eq!(told, ["0", "0.0", "3.2", "9.9", "10", "1,235"]);
    }

    #[test]
    fn times_have_a_unit_that_suits() {
        let told = [999, 1_000, 99_949, 250_000, 1_250_000, 125_000_000];
        let told = told.map(|micros| time(Duration::from_micros(micros)));
        assert_eq!(
            told,
            [
                "999 µs",
                "1.0 ms",
                "99.9 ms",
                "250 ms",
                "1.25 s",
                "2 min 5 s"
            ]
        );
    }

    #[test]
    fn a_bar_is_as_long_as_its_share_and_shows_a_mark_that_is_not_reached() {
        assert_eq!(bar(0, None, 4), "····");
        assert_eq!(bar(1, None, 4), "▏···");
        assert_eq!(bar(500, Some(750), 4), "██·┊");
        assert_eq!(bar(1_000, Some(750), 4), "████");
        assert_eq!(bar(5_000, Some(5_000), 4), "████");
        assert_eq!(bar(500, Some(500), 0), "");
    }

    #[test]
    fn latencies_are_drawn_by_their_order_of_magnitude() {
        let millis = [0, 1, 100, 10_000, 100_000].map(Duration::from_millis);
        assert_eq!(sparks(&millis), " ▃▆██");
        assert_eq!(sparks(&[Duration::from_nanos(1)]), "▁");
    }
}
