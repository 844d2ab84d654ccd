//! Times as seconds since the Unix epoch, in decimals.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seconds with as many decimals as it takes, at most nine.
pub(super) fn write(time: SystemTime) -> String {
    let (sign, since) = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => ("", since),
        Err(before) => ("-", before.duration()),
    };
    // Ten digits, a dot and nine more, in today's times.
    let mut text = String::with_capacity(20);
    text.push_str(sign);
    push_digits(since.as_secs(), 1, &mut text);
    let nanos = since.subsec_nanos();
    if nanos > 0 {
        text.push('.');
        push_digits(nanos.into(), 9, &mut text);
        text.truncate(text.trim_end_matches('0').len());
    }
    text
}

/// Appends a number with at least so many digits; several times faster than `write!`, and there is one for each message.
pub(super) fn push_digits(mut number: u64, least: usize, out: &mut String) {
    // No number has more.
    let mut digits = [b'0'; 20];
    let mut first = digits.len();
    while number > 0 {
        first -= 1;
        // Less than ten.
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
    }
    let first = first.min(digits.len() - least);
    out.extend(digits[first..].iter().map(|digit| char::from(*digit)));
}

/// The time; nothing if the text is no such number, or one that a [`SystemTime`] cannot show.
pub(super) fn read(text: &str) -> Option<SystemTime> {
    let (before, text) = match text.strip_prefix('-') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let (seconds, decimals) = match text.split_once('.') {
        Some((seconds, decimals)) => (seconds, Some(decimals)),
        None => (text, None),
    };
    let mut nanos = 0;
    if let Some(decimals) = decimals {
        let places = u32::try_from(decimals.len()).ok()?;
        let missing = 9_u32.checked_sub(places)?;
        nanos = u32::try_from(digits(decimals)?).ok()? * 10_u32.pow(missing);
    }
    let since = Duration::new(digits(seconds)?, nanos);
    if before {
        UNIX_EPOCH.checked_sub(since)
    } else {
        UNIX_EPOCH.checked_add(since)
    }
}

/// A number of digits alone; `parse` would also take a sign.
pub(super) fn digits(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().ok()
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_as_they_were_written() {
        for (text, seconds, nanos) in [
            ("0", 0, 0),
            ("0.000000001", 0, 1),
            ("1700000000.25", 1_700_000_000, 250_000_000),
            ("1700000000.999999999", 1_700_000_000, 999_999_999),
        ] {
            let since = Duration::new(seconds, nanos);
            assert_eq!(write(UNIX_EPOCH + since), text);
            assert_eq!(read(text), Some(UNIX_EPOCH + since));
            if since > Duration::ZERO {
                let text = format!("-{text}");
                assert_eq!(write(UNIX_EPOCH - since), text);
                assert_eq!(read(&text), Some(UNIX_EPOCH - since));
            }
        }
    }

    #[test]
    fn other_spellings_of_a_time_are_read() {
        let half = UNIX_EPOCH + Duration::from_millis(1_500);
        for text in ["1.5", "01.500", "1.500000000"] {
            assert_eq!(read(text), Some(half), "{text}");
        }
        assert_eq!(read("-0"), Some(UNIX_EPOCH));
    }

    #[test]
    fn what_is_no_number_of_seconds_is_refused() {
        for text in [
            "",
            "-",
            ".",
            ".5",
            "1.",
            "+1",
            "1.+5",
            "1.-5",
            "--1",
            "1e9",
            "1,5",
            " 1",
            "1 ",
            "0x1",
            "NaN",
            "1.0000000000",
            "18446744073709551616",
            "99999999999999999999999",
            "٣",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        // More than the type of the system's time can show.
        assert_eq!(read("18446744073709551615"), None);
        assert_eq!(read("-18446744073709551615.999999999"), None);
    }
}
