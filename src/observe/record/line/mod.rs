//! The lines of a recording, written.

mod base64;
mod metadata;
mod read;

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::value::RawValue;

use super::MAX_METADATA;
use crate::cause::Cause;
use crate::event::Event;

pub(super) use self::read::{Fault, Line, RawEvent, read};

/// What the first line names, and the reader asks for.
pub(super) const FORMAT: &str = "recording";
pub(super) const VERSION: u64 = 1;

/// More bytes than any line that ends a recording has.
pub(super) const END_ROOM: usize = 128;

/// Why events are missing.
pub(super) enum Why<'a> {
    /// The recorder's queue was full.
    Queue,
    /// Newer ones of their topics came before they were written.
    Conflated,
    /// This one could not be written.
    Refused { topic: &'a str, reason: &'a str },
}

/// The line that every recording begins with.
pub(super) fn header(content_type: Option<&str>, out: &mut Vec<u8>) {
    put(out, "{\"chanbus\":");
    text(FORMAT, out);
    put(out, ",\"version\":");
    number(VERSION, out);
    put(out, ",\"time\":");
    number(nanos(SystemTime::now()), out);
    if let Some(content_type) = content_type {
        put(out, ",\"codec\":");
        text(content_type, out);
    }
    put(out, "}\n");
}

/// An event, whose payload was encoded before.
///
/// # Errors
///
/// It has more metadata than are read.
pub(super) fn event<T>(
    event: &Event<T>,
    payload: &[u8],
    is_json: bool,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    put(out, "{\"time\":");
    number(nanos(event.timestamp()), out);
    put(out, ",\"topic\":");
    text(event.topic(), out);
    if let Some(source) = event.source() {
        put(out, ",\"source\":");
        text(source, out);
    }
    let pieces = metadata::write(event, out);
    if pieces > MAX_METADATA {
        return Err(format!(
            "{pieces} pieces of metadata, more than {MAX_METADATA}: put long data into the payload"
        ));
    }
    if let Some(cause) = event.cause() {
        causes(cause, out);
    }
    body(payload, is_json, out);
    put(out, "}\n");
    Ok(())
}

/// The payload's bytes, in the first of three forms that gives them back to the last one.
fn body(payload: &[u8], is_json: bool, out: &mut Vec<u8>) {
    let Ok(plain) = std::str::from_utf8(payload) else {
        put(out, ",\"base64\":\"");
        base64::write(payload, out);
        return put(out, "\"");
    };
    if is_json && is_one_value(plain) {
        put(out, ",\"json\":");
        put(out, plain);
    } else {
        put(out, ",\"text\":");
        text(plain, out);
    }
}

/// Whether a text is one JSON value on one line with nothing around it. A codec of the user's may say so of anything.
fn is_one_value(plain: &str) -> bool {
    let in_one_line = !plain.bytes().any(|byte| matches!(byte, b'\n' | b'\r'));
    in_one_line
        && serde_json::from_str::<&RawValue>(plain).is_ok_and(|raw| raw.get().len() == plain.len())
}

/// So many events are not in the recording, here.
pub(super) fn gap(missed: u64, why: &Why<'_>, out: &mut Vec<u8>) {
    put(out, "{\"missed\":");
    number(missed, out);
    put(out, ",\"why\":");
    match why {
        Why::Queue => put(out, "\"queue\""),
        Why::Conflated => put(out, "\"conflated\""),
        Why::Refused { topic, reason } => {
            put(out, "\"refused\",\"topic\":");
            text(topic, out);
            put(out, ",\"reason\":");
            text(reason, out);
        }
    }
    put(out, "}\n");
}

/// The line that a recording ends with: how many events it has, and how many it has not.
pub(super) fn end(full: bool, written: u64, missed: u64, out: &mut Vec<u8>) {
    put(out, "{\"end\":");
    text(if full { "full" } else { "done" }, out);
    put(out, ",\"written\":");
    number(written, out);
    put(out, ",\"missed\":");
    number(missed, out);
    put(out, "}\n");
}

/// Oldest first.
fn causes(cause: &Cause, out: &mut Vec<u8>) {
    let mut topics: Vec<_> = cause.chain().collect();
    topics.reverse();
    put(out, ",\"cause\":[");
    for (place, topic) in topics.into_iter().enumerate() {
        if place > 0 {
            put(out, ",");
        }
        text(topic, out);
    }
    put(out, "]");
}

fn put(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// With its quotes; all control characters escaped, so that it stays in its line.
fn text(text: &str, out: &mut Vec<u8>) {
    // Writing to memory cannot fail.
    let _ = serde_json::to_writer(out, text);
}

fn number(number: u64, out: &mut Vec<u8>) {
    let _ = write!(out, "{number}");
}

/// An event's time is one that 64 bits hold.
fn nanos(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
