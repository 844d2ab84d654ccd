//! Metadata as one JSON object in printable ASCII.

use std::fmt::{self, Write};
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value as Read;

use super::EnvelopeErrorKind as Kind;
use super::MAX_METADATA;
use super::error::Fault;
use crate::value::Value;

pub(super) type Metadata = Vec<(Arc<str>, Value)>;

/// By hand, as it cannot fail and every character beyond ASCII becomes an escape.
pub(super) fn write(metadata: &[(Arc<str>, Value)]) -> String {
    let mut out = String::with_capacity(32 * metadata.len());
    for (place, (name, value)) in metadata.iter().enumerate() {
        out.push(if place == 0 { '{' } else { ',' });
        write_text(name, &mut out);
        out.push(':');
        // Writing to a text cannot fail.
        let _ = match value {
            Value::Bool(value) => write!(out, "{value}"),
            Value::Int(value) => write!(out, "{value}"),
            Value::UInt(value) => write!(out, "{value}"),
            // The shortest digits that read as this very float, always with a dot or an exponent.
            Value::Float(value) if value.is_finite() => write!(out, "{value:?}"),
            // JSON has no such numbers.
            Value::Float(value) => write!(out, "\"{value}\""),
            Value::Text(value) => {
                write_text(value, &mut out);
                Ok(())
            }
        };
    }
    out.push('}');
    out
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            ' '..='~' => out.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

/// The pieces in their order; of those with one name, the last, in the place of the first.
pub(super) fn read(text: &str) -> Result<Metadata, Fault> {
    let Object(read) =
        serde_json::from_str(text).map_err(|error| Fault::with(Kind::Json, error))?;
    let Some(pieces) = read else {
        return Err(Kind::TooMany.into());
    };
    let mut metadata = Metadata::with_capacity(pieces.len());
    for (name, read) in pieces {
        let Some(value) = scalar(read) else {
            return Err(Fault::with(Kind::Scalar, format_args!("see {name:?}")));
        };
        match metadata.iter_mut().find(|(there, _)| **there == *name) {
            Some(piece) => piece.1 = value,
            None => metadata.push((name.into(), value)),
        }
    }
    Ok(metadata)
}

/// By way of `serde_json`'s own value, which reads numbers also where a program turns on its
/// `arbitrary_precision`.
fn scalar(read: Read) -> Option<Value> {
    Some(match read {
        Read::Bool(value) => Value::Bool(value),
        Read::String(value) => Value::from(value),
        Read::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Value::Int(value),
            (None, Some(value)) => Value::UInt(value),
            (None, None) => Value::Float(number.as_f64()?),
        },
        Read::Null | Read::Array(_) | Read::Object(_) => return None,
    })
}

/// Names and values in their order; nothing if there are too many, which are not kept.
struct Object(Option<Vec<(String, Read)>>);

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Pieces).map(Object)
    }
}

struct Pieces;

impl<'de> Visitor<'de> for Pieces {
    type Value = Option<Vec<(String, Read)>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pieces = Vec::new();
        let mut many = false;
        while let Some(piece) = map.next_entry()? {
            many = many || pieces.len() == MAX_METADATA;
            if !many {
                pieces.push(piece);
            }
        }
        Ok((!many).then_some(pieces))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_are_written_in_ascii_and_read_as_the_same_types() {
        let metadata: Metadata = vec![
            ("b".into(), Value::Bool(true)),
            ("i".into(), Value::Int(i64::MIN)),
            ("u".into(), Value::UInt(u64::MAX)),
            ("f".into(), Value::Float(1.0)),
            ("z".into(), Value::Float(-0.0)),
            ("e".into(), Value::Float(1e300)),
            ("".into(), Value::from("\"\\\u{7f}\r\né😀")),
        ];
        let text = write(&metadata);
        assert_eq!(
            text,
            "{\"b\":true,\"i\":-9223372036854775808,\"u\":18446744073709551615,\"f\":1.0,\"z\":-0.0,\
             \"e\":1e300,\"\":\"\\\"\\\\\\u007f\\u000d\\u000a\\u00e9\\ud83d\\ude00\"}"
        );
        assert_eq!(read(&text).unwrap(), metadata);
    }
}
