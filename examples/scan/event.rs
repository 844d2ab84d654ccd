//! What travels on the bus, and how names from a disk are shown to people.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

pub(crate) const STARTED: &str = "scan.started";
pub(crate) const DIR: &str = "scan.dir";
pub(crate) const FILE: &str = "scan.file";
pub(crate) const ERROR: &str = "scan.error";
pub(crate) const FINISHED: &str = "scan.finished";

/// The payload of every event; its variants stand for the topics above, in their order.
#[derive(Debug)]
pub(crate) enum Scan {
    Started {
        root: PathBuf,
    },
    Dir {
        path: PathBuf,
    },
    /// Whatever is no directory.
    File {
        path: PathBuf,
        kind: Kind,
        /// What `find -printf %s` calls the size: the content's length, not the room on the disk.
        bytes: u64,
    },
    Error {
        /// Ready to be shown.
        message: String,
    },
    /// The last event of all.
    Finished,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Regular,
    /// A symbolic link, whether it leads anywhere or not; links are not followed.
    Link,
    /// A pipe, a socket, a device.
    Other,
}

/// A path in one line, whatever its name: bytes that are not UTF-8 become U+FFFD, and control
/// characters, which could fool a terminal, their escapes.
pub(crate) fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            // Writing to a string cannot fail.
            let _ = write!(line, "{}", character.escape_default());
        } else {
            line.push(character);
        }
    }
    line
}
