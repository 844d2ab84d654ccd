//! What the fuzz targets share: a slow and obvious matcher, and texts that are likely to be patterns.

pub mod model;
pub mod op;

use arbitrary::{Arbitrary, Unstructured};
use chanbus::Syntax;

/// Matches by the definition, trying everything. It reads the text as written, not the canonical one.
pub fn naive(pattern: &str, syntax: Syntax, topic: &str) -> bool {
    let characters = |text: &str| text.chars().collect::<Vec<_>>();
    match syntax {
        Syntax::Flat => glob(&characters(pattern), &characters(topic)),
        Syntax::Segmented => {
            let pattern: Vec<_> = pattern.split('.').map(characters).collect();
            let topic: Vec<_> = topic.split('.').map(characters).collect();
            segments(&pattern, &topic)
        }
    }
}

fn segments(pattern: &[Vec<char>], topic: &[Vec<char>]) -> bool {
    match pattern.split_first() {
        None => topic.is_empty(),
        Some((first, rest)) if **first == ['*', '*'] => {
            (0..=topic.len()).any(|taken| segments(rest, &topic[taken..]))
        }
        Some((first, rest)) => topic
            .split_first()
            .is_some_and(|(head, tail)| glob(first, head) && segments(rest, tail)),
    }
}

fn glob(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|taken| glob(rest, &text[taken..])),
        Some((wanted, rest)) => text
            .split_first()
            .is_some_and(|(found, tail)| (*wanted == '?' || wanted == found) && glob(rest, tail)),
    }
}

/// A short text of the letters that patterns and topics are made of.
#[derive(Debug, Clone)]
pub struct Word<const MOST: usize>(pub String);

impl<'a, const MOST: usize> Arbitrary<'a> for Word<MOST> {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        const LETTERS: [char; 8] = ['a', 'b', 'é', '.', '.', '*', '*', '?'];
        let length = input.int_in_range(1..=MOST)?;
        let letters = (0..length).map(|_| input.choose(&LETTERS).copied());
        letters.collect::<arbitrary::Result<String>>().map(Word)
    }
}

/// A text of what means something in topics, patterns and NATS subjects, and of other letters.
#[derive(Debug, Clone)]
pub struct Name(pub String);

impl<'a> Arbitrary<'a> for Name {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        const PIECES: [&str; 22] = [
            "a", "b", "é", ".", ".", ".", "*", "**", "?", ">", "$", "%", "%25", "%3E", "%3e",
            "%24", "%5F", "_", "_INBOX", "INBOX", "_CHANBUS", "$SYS",
        ];
        let length = input.int_in_range(1..=8)?;
        let pieces = (0..length).map(|_| input.choose(&PIECES).copied());
        pieces.collect::<arbitrary::Result<String>>().map(Name)
    }
}
