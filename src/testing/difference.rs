//! Two lists of topics, side by side.

use std::fmt;

use crate::topic::Topic;

/// Other events came than a test [expected](crate::Capture::assert_topics). Its `Display`, and its `Debug`, show both lists
/// as one: what is in both, what did not come, and what was not expected.
///
/// ```
/// use chanbus::{Bus, Capture, TopicsDiffer};
///
/// let bus = Bus::new();
/// let capture = Capture::of(&bus)?;
/// bus.emit("a", 1)?;
/// bus.emit("c", 1)?;
/// let difference: TopicsDiffer = capture.try_topics(["a", "b"]).unwrap_err();
/// assert_eq!(
///     difference.to_string(),
///     "other events than expected came:\n    a\n  - b      expected, and did not come\n  + c      came, and was not expected"
/// );
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub struct TopicsDiffer {
    /// What was expected.
    pub expected: Vec<String>,
    /// What came.
    pub came: Vec<Topic>,
}

/// How many lines that are the same are shown before and after others.
const AROUND: usize = 3;
/// How many lines are shown.
const LINES: usize = 60;
/// The largest table that is worth its memory; beyond, what differs is shown as two blocks.
const CELLS: usize = 1 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Both,
    Expected,
    Came,
}

impl TopicsDiffer {
    pub(super) fn between(expected: Vec<String>, came: Vec<Topic>) -> Result<(), Self> {
        if came.iter().map(Topic::as_str).eq(&expected) {
            Ok(())
        } else {
            Err(TopicsDiffer { expected, came })
        }
    }

    /// Both lists as one.
    fn lines(&self) -> Vec<(Side, &str)> {
        let mut ours: Vec<&str> = self.expected.iter().map(String::as_str).collect();
        let mut theirs: Vec<&str> = self.came.iter().map(Topic::as_str).collect();
        let same = |(a, b): &(&&str, &&str)| a == b;
        let before = ours.iter().zip(&theirs).take_while(same).count();
        let head: Vec<&str> = ours.drain(..before).collect();
        theirs.drain(..before);
        let reversed = ours.iter().rev().zip(theirs.iter().rev());
        let after = reversed.take_while(same).count();
        let tail = ours.split_off(ours.len() - after);
        theirs.truncate(theirs.len() - after);

        let mut lines: Vec<(Side, &str)> = head.iter().map(|text| (Side::Both, *text)).collect();
        lines.extend(middle(&ours, &theirs));
        lines.extend(tail.iter().map(|text| (Side::Both, *text)));
        lines
    }
}

/// Where they differ: with the longest list that both have, in its places.
fn middle<'a>(ours: &[&'a str], theirs: &[&'a str]) -> Vec<(Side, &'a str)> {
    let width = theirs.len() + 1;
    let cells = (ours.len() + 1).saturating_mul(width);
    let mut lines = Vec::new();
    let (mut i, mut j) = (0, 0);
    if cells <= CELLS {
        // How much both have from here on.
        let mut common = vec![0u32; cells];
        let at = |i: usize, j: usize| i * width + j;
        for i in (0..ours.len()).rev() {
            for j in (0..theirs.len()).rev() {
                common[at(i, j)] = if ours[i] == theirs[j] {
                    common[at(i + 1, j + 1)] + 1
                } else {
                    common[at(i + 1, j)].max(common[at(i, j + 1)])
                };
            }
        }
        while i < ours.len() && j < theirs.len() {
            if ours[i] == theirs[j] {
                lines.push((Side::Both, ours[i]));
                (i, j) = (i + 1, j + 1);
            } else if common[at(i + 1, j)] >= common[at(i, j + 1)] {
                lines.push((Side::Expected, ours[i]));
                i += 1;
            } else {
                lines.push((Side::Came, theirs[j]));
                j += 1;
            }
        }
    }
    lines.extend(ours[i..].iter().map(|text| (Side::Expected, *text)));
    lines.extend(theirs[j..].iter().map(|text| (Side::Came, *text)));
    lines
}

impl fmt::Display for TopicsDiffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("other events than expected came:")?;
        let lines = self.lines();
        let near = |place: usize| {
            let from = place.saturating_sub(AROUND);
            let to = (place + AROUND + 1).min(lines.len());
            lines[from..to].iter().any(|(side, _)| *side != Side::Both)
        };
        let width = lines.iter().map(|(_, text)| text.chars().count());
        let width = width.max().unwrap_or(0).min(40);
        let (mut shown, mut left_out) = (0, 0);
        for (place, (side, text)) in lines.iter().enumerate() {
            if shown == LINES {
                return write!(f, "\n    ... and {} lines more", lines.len() - place);
            }
            if !near(place) {
                left_out += 1;
                continue;
            }
            skipped(f, &mut left_out)?;
            shown += 1;
            // What was expected is any text.
            let text = text.escape_debug().to_string();
            match side {
                Side::Both => write!(f, "\n    {text}")?,
                Side::Expected => {
                    write!(f, "\n  - {text:width$}      expected, and did not come")?;
                }
                Side::Came => write!(f, "\n  + {text:width$}      came, and was not expected")?,
            }
        }
        skipped(f, &mut left_out)
    }
}

fn skipped(f: &mut fmt::Formatter<'_>, left_out: &mut usize) -> fmt::Result {
    match std::mem::take(left_out) {
        0 => Ok(()),
        count => write!(f, "\n    ... {count} as expected"),
    }
}

/// As `Display`, so that an `unwrap`, or a test that returns it, shows the difference.
impl fmt::Debug for TopicsDiffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for TopicsDiffer {}
