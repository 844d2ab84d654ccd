//! What the parts of the program say of themselves while they work.

use std::fmt;
use std::sync::Arc;

/// Something has just been done, with the number of the order, or of the outbox's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The shop has written the rows of an order, and has not committed.
    Written(i64),
    /// The shop has committed an order, and has told nobody.
    Committed(i64),
    /// The relay has read a row, and has not emitted it.
    Read(i64),
    /// The relay has emitted a row, which the mailer may or may not have taken.
    Emitted(i64),
    /// The mailer has committed its work on all rows up to this one, which is new, and has not acknowledged it.
    Booked(i64),
    /// The relay has marked all rows up to this one.
    Marked(i64),
}

/// Hears of each step on the thread that took it, which waits meanwhile: so it can count, and it can
/// hold a thread at a certain place, as crash tests want.
pub(crate) type Watch = Arc<dyn Fn(Step) + Send + Sync>;

/// Who looks at nothing.
pub(crate) fn nobody() -> Watch {
    Arc::new(|_| {})
}

impl Step {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Step::Written(_) => "written",
            Step::Committed(_) => "committed",
            Step::Read(_) => "read",
            Step::Emitted(_) => "emitted",
            Step::Booked(_) => "booked",
            Step::Marked(_) => "marked",
        }
    }

    pub(crate) fn number(self) -> i64 {
        match self {
            Step::Written(number)
            | Step::Committed(number)
            | Step::Read(number)
            | Step::Emitted(number)
            | Step::Booked(number)
            | Step::Marked(number) => number,
        }
    }

    /// The step of a line as `Display` writes it.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (name, number) = line.split_once(' ')?;
        let number = number.parse().ok()?;
        Some(match name {
            "written" => Step::Written(number),
            "committed" => Step::Committed(number),
            "read" => Step::Read(number),
            "emitted" => Step::Emitted(number),
            "booked" => Step::Booked(number),
            "marked" => Step::Marked(number),
            _ => return None,
        })
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name(), self.number())
    }
}
