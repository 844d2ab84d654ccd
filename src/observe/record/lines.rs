//! Lines from a reader: one at a time, none kept that is too long.

use std::io::{self, BufRead, ErrorKind};

pub(super) struct Lines<R> {
    reader: R,
    pub(super) max: usize,
    /// The line at hand, without its line feed; of one that is too long, the beginning.
    buffer: Vec<u8>,
    /// How long it is.
    length: u64,
    /// How many lines were begun.
    number: u64,
    /// Whether the line at hand has its line feed.
    ended: bool,
    state: State,
}

/// What is known of the line at hand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// It was given out; the next is to be read.
    Given,
    /// An error came in the middle of it.
    Begun,
    /// It is to be given out again.
    Again,
}

/// A line, as it stands there.
pub(super) struct RawLine<'a> {
    pub(super) number: u64,
    pub(super) bytes: &'a [u8],
    /// How long it is; more than what is there, if it is too long.
    pub(super) length: u64,
    /// Whether it has its line feed.
    pub(super) ended: bool,
}

impl RawLine<'_> {
    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        !self.is_too_long() && self.bytes.trim_ascii().is_empty()
    }

    pub(super) fn is_too_long(&self) -> bool {
        self.length > self.bytes.len() as u64
    }
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(reader: R, max: usize) -> Self {
        Lines {
            reader,
            max,
            buffer: Vec::new(),
            length: 0,
            number: 0,
            ended: false,
            state: State::Given,
        }
    }

    /// The number of the line that was given out last; 0 before the first.
    pub(super) fn last(&self) -> u64 {
        self.number - u64::from(self.state != State::Given)
    }

    /// The line that was given out last comes again.
    pub(super) fn unread(&mut self) {
        if self.state == State::Given && self.number > 0 {
            self.state = State::Again;
        }
    }

    /// The next line; nothing at the end.
    ///
    /// # Errors
    ///
    /// Those of the reader. Asked again, it goes on where that came.
    pub(super) fn next(&mut self) -> io::Result<Option<RawLine<'_>>> {
        if self.state == State::Given {
            self.buffer.clear();
            self.length = 0;
        }
        while self.state != State::Again {
            let there = match self.reader.fill_buf() {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                there => there?,
            };
            if self.state == State::Given {
                if there.is_empty() {
                    return Ok(None);
                }
                self.state = State::Begun;
                self.number += 1;
            }
            let feed = there.iter().position(|byte| *byte == b'\n');
            let piece = &there[..feed.unwrap_or(there.len())];
            // Not more than the limit is kept of any line.
            let room = self.max.saturating_sub(self.buffer.len());
            self.buffer
                .extend_from_slice(&piece[..piece.len().min(room)]);
            self.length += piece.len() as u64;
            if there.is_empty() || feed.is_some() {
                self.ended = feed.is_some();
                self.state = State::Again;
            }
            let consumed = piece.len() + usize::from(feed.is_some());
            self.reader.consume(consumed);
        }
        self.state = State::Given;
        Ok(Some(RawLine {
            number: self.number,
            bytes: &self.buffer,
            length: self.length,
            ended: self.ended,
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read};

    use super::*;

    fn all<R: BufRead>(lines: &mut Lines<R>) -> Vec<(u64, String, u64, bool)> {
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            let text = String::from_utf8_lossy(line.bytes).into_owned();
            all.push((line.number, text, line.length, line.ended));
        }
        all
    }

    #[test]
    fn lines_come_one_by_one_whatever_the_size_of_the_pieces() {
        let text = b"one\n\ntwelve bytes\nlast";
        for size in 1..30 {
            let mut lines = Lines::new(BufReader::with_capacity(size, &text[..]), 6);
            assert_eq!(
                all(&mut lines),
                [
                    (1, "one".to_owned(), 3, true),
                    (2, String::new(), 0, true),
                    (3, "twelve".to_owned(), 12, true),
                    (4, "last".to_owned(), 4, false),
                ],
                "{size}"
            );
            assert!(lines.next().unwrap().is_none(), "the end stays the end");
        }
    }

    #[test]
    fn a_line_without_an_end_takes_no_more_memory_than_the_limit() {
        let mut lines = Lines::new(BufReader::new(io::repeat(b'x').take(10 << 20)), 1_000);
        let line = lines.next().unwrap().unwrap();
        assert!(line.is_too_long() && !line.ended);
        assert_eq!((line.bytes.len(), line.length), (1_000, 10 << 20));
        assert!(lines.buffer.capacity() <= 2_000);
    }

    #[test]
    fn a_reader_that_fails_loses_nothing_of_the_line() {
        /// One byte, then an error, then the next.
        struct Flaky<'a>(&'a [u8], bool);

        impl Read for Flaky<'_> {
            fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
                self.1 = !self.1;
                if self.1 {
                    return Err(ErrorKind::TimedOut.into());
                }
                let count = self.0.len().min(1);
                out[..count].copy_from_slice(&self.0[..count]);
                self.0 = &self.0[count..];
                Ok(count)
            }
        }

        let mut lines = Lines::new(BufReader::new(Flaky(b"ab\nc", false)), 100);
        let (mut errors, mut seen) = (0, Vec::new());
        loop {
            match lines.next() {
                Err(_) => errors += 1,
                Ok(None) => break,
                Ok(Some(line)) => seen.push((line.number, line.bytes.to_vec())),
            }
        }
        assert_eq!(seen, [(1, b"ab".to_vec()), (2, b"c".to_vec())]);
        assert!(errors >= 4, "{errors}");
    }
}
