//! The buffer before the writer.
//!
//! It keeps what the writer has not taken yet, byte for byte, so that an error costs nothing as long as the writer goes
//! on where it stopped: by the contract of [`Write`], an error means that nothing of that call was written.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Write};
use std::mem;

use crate::shield::{caught, drop_shielded, told};

/// Where all goes in the end.
pub(super) type Writer = Box<dyn Write + Send>;

/// The user's writer; or what it said when it panicked, as nobody knows what it has written then.
enum Door {
    Open(Writer),
    Broken(String),
}

pub(super) struct Sink {
    writer: Door,
    buffer: Vec<u8>,
    /// How much of the buffer the writer has taken.
    taken: usize,
    /// Where lines of events end in the buffer, of those that the writer has not taken whole.
    ends: VecDeque<usize>,
    /// Whether the writer was given something since it was last flushed.
    unflushed: bool,
    /// All bytes that ever came here.
    offered: u64,
}

/// What a writer has taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) bytes: u64,
    /// Events whose lines it has whole.
    pub(super) events: u64,
}

impl Sink {
    pub(super) fn new(writer: Writer) -> Self {
        Sink {
            writer: Door::Open(writer),
            buffer: Vec::new(),
            taken: 0,
            ends: VecDeque::new(),
            unflushed: false,
            offered: 0,
        }
    }

    /// Takes a line that is about a recording.
    pub(super) fn push(&mut self, line: &[u8]) {
        self.buffer.extend_from_slice(line);
        self.offered += line.len() as u64;
    }

    /// Takes the line of an event.
    pub(super) fn push_event(&mut self, line: &[u8]) {
        self.push(line);
        self.ends.push_back(self.buffer.len());
    }

    /// How many bytes wait for the writer.
    pub(super) fn waiting(&self) -> usize {
        self.buffer.len() - self.taken
    }

    /// How many events are among them, whole or in part.
    pub(super) fn events_waiting(&self) -> u64 {
        self.ends.len() as u64
    }

    /// How many bytes came here, written or not.
    pub(super) fn offered(&self) -> u64 {
        self.offered
    }

    /// Hands over what waits, and tells after each step what the writer took.
    ///
    /// # Errors
    ///
    /// The writer failed, or panicked. What it has not taken stays.
    pub(super) fn write_out(&mut self, mut on_taken: impl FnMut(Taken)) -> io::Result<()> {
        while self.taken < self.buffer.len() {
            let rest = &self.buffer[self.taken..];
            let count = match self.writer.call(|writer| writer.write(rest)) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                // A writer that says more than it was given is broken; it does not break this.
                Ok(count) => count.min(rest.len()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            self.taken += count;
            self.unflushed = true;
            let mut taken = Taken {
                bytes: count as u64,
                events: 0,
            };
            while self.ends.front().is_some_and(|end| *end <= self.taken) {
                self.ends.pop_front();
                taken.events += 1;
            }
            on_taken(taken);
        }
        self.buffer.clear();
        self.taken = 0;
        Ok(())
    }

    /// # Errors
    ///
    /// The writer failed, or panicked.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        if self.unflushed {
            loop {
                match self.writer.call(|writer| writer.flush()) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    done => break done?,
                }
            }
            self.unflushed = false;
        }
        Ok(())
    }

    /// Whether it is of no use to try again.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self.writer, Door::Broken(_))
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.writer.shut(String::new());
    }
}

impl Door {
    /// Calls the user's writer; one that panics is not called again.
    fn call<R>(&mut self, act: impl FnOnce(&mut Writer) -> io::Result<R>) -> io::Result<R> {
        if let Door::Open(writer) = self {
            match caught(|| act(writer)) {
                Ok(result) => return result,
                Err(thrown) => self.shut(told(thrown)),
            }
        }
        let said = match self {
            Door::Open(_) => "",
            Door::Broken(said) => said,
        };
        Err(io::Error::other(format!("the writer panicked: {said}")))
    }

    /// Drops the writer, whose destructor is the user's.
    fn shut(&mut self, said: String) {
        drop_shielded(mem::replace(self, Door::Broken(said)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::{Arc, Mutex};

    /// Takes at most so many bytes a call, and fails at every other one.
    struct Stubborn {
        taken: Arc<Mutex<Vec<u8>>>,
        step: usize,
        calls: usize,
    }

    impl Write for Stubborn {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.calls += 1;
            match self.calls % 4 {
                0 => Err(ErrorKind::StorageFull.into()),
                1 => Err(ErrorKind::Interrupted.into()),
                2 => Ok(0),
                _ => {
                    let count = bytes.len().min(self.step);
                    self.taken.lock().extend_from_slice(&bytes[..count]);
                    Ok(count)
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_writer_that_fails_all_the_time_gets_every_byte_once() {
        for step in 1..20 {
            let taken = Arc::default();
            let mut sink = Sink::new(Box::new(Stubborn {
                taken: Arc::clone(&taken),
                step,
                calls: 0,
            }));
            let mut events = 0;
            for line in ["one\n", "two and more\n", "\n", "4\n"] {
                sink.push_event(line.as_bytes());
                sink.push(b"about\n");
                while sink.write_out(|taken| events += taken.events).is_err() {
                    assert!(!sink.is_broken());
                }
            }
            assert_eq!(events, 4);
            assert_eq!(
                String::from_utf8(taken.lock().clone()).unwrap(),
                "one\nabout\ntwo and more\nabout\n\nabout\n4\nabout\n"
            );
            assert_eq!(sink.offered(), taken.lock().len() as u64);
        }
    }

    #[test]
    fn only_lines_that_were_taken_whole_count() {
        struct Seven;

        impl Write for Seven {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                // The rest of the disk: all of the second line but its line feed.
                match bytes.len() {
                    12 => Ok(7),
                    _ => Err(ErrorKind::StorageFull.into()),
                }
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        let mut sink = Sink::new(Box::new(Seven));
        for line in ["abc\n", "def\n", "ghi\n"] {
            sink.push_event(line.as_bytes());
        }
        let mut taken = Vec::new();
        let error = sink.write_out(|part| taken.push(part)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        assert_eq!(
            taken,
            [Taken {
                bytes: 7,
                events: 1
            }]
        );
        assert_eq!(sink.waiting(), 5);
    }
}
