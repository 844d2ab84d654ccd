//! Any text as one that every NATS client can carry in a header.
//!
//! The server takes a header's bytes as they are. Clients do not: async-nats cuts white space off both ends, hangs up
//! over bytes that are no UTF-8, and panics over a carriage return; others read headers as they would those of a
//! mail. So what is written is printable ASCII, and all else is `%` and two digits for each byte, as in addresses of
//! the web, where every language has a function for it.

use std::borrow::Cow;

const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// Appends `text`; blanks inside of it stay if `blanks` says so, never those at its ends.
pub(super) fn escape(text: &str, blanks: bool, out: &mut String) {
    if text
        .bytes()
        .all(|byte| byte != b'%' && byte.is_ascii_graphic())
    {
        return out.push_str(text);
    }
    out.reserve(text.len());
    let last = text.len().saturating_sub(1);
    for (place, byte) in text.bytes().enumerate() {
        let inside = blanks && place > 0 && place < last;
        match byte {
            b'%' => out.push_str("%25"),
            b'!'..=b'~' => out.push(char::from(byte)),
            b' ' if inside => out.push(' '),
            _ => {
                out.push('%');
                for digit in [byte >> 4, byte & 15] {
                    out.push(char::from(DIGITS[usize::from(digit)]));
                }
            }
        }
    }
}

/// The text that was escaped; nothing if a `%` is not followed by two digits, or the bytes are no UTF-8.
/// What is not escaped stays, also what would have been.
pub(super) fn unescape(text: &str) -> Option<Cow<'_, str>> {
    let Some(first) = text.find('%') else {
        return Some(Cow::Borrowed(text));
    };
    let mut bytes = Vec::with_capacity(text.len());
    bytes.extend_from_slice(&text.as_bytes()[..first]);
    let mut rest = text.as_bytes()[first..].iter();
    while let Some(&byte) = rest.next() {
        bytes.push(match byte {
            b'%' => digit(rest.next())? << 4 | digit(rest.next())?,
            _ => byte,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn digit(byte: Option<&u8>) -> Option<u8> {
    let value = char::from(*byte?).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(text: &str, blanks: bool) -> String {
        let mut out = String::new();
        escape(text, blanks, &mut out);
        out
    }

    #[test]
    fn what_a_header_carries_stays_and_the_rest_is_escaped() {
        for (text, expected) in [
            ("", ""),
            ("obs", "obs"),
            ("a b  c", "a b  c"),
            (" ", "%20"),
            ("  ", "%20%20"),
            (" a ", "%20a%20"),
            ("100%", "100%25"),
            ("a\r\nb\t\u{0}\u{7f}", "a%0D%0Ab%09%00%7F"),
            ("é\u{a0}€", "%C3%A9%C2%A0%E2%82%AC"),
        ] {
            assert_eq!(escaped(text, true), expected);
            assert_eq!(unescape(expected).as_deref(), Some(text));
        }
        assert_eq!(escaped("a b", false), "a%20b");
    }

    #[test]
    fn what_need_not_be_escaped_reads_either_way() {
        for (text, expected) in [
            ("%61%7a%7A", "azz"),
            ("é", "é"),
            ("%c3%A9", "é"),
            ("+", "+"),
        ] {
            assert_eq!(unescape(text).as_deref(), Some(expected));
        }
    }

    #[test]
    fn half_an_escape_and_bytes_that_are_no_text_are_refused() {
        for text in ["%", "a%2", "%2G", "%é0", "%%25", "%FF", "%C3", "%+1"] {
            assert_eq!(unescape(text), None, "{text}");
        }
    }
}
