//! Metadata as one JSON object that keeps the types of values.
//!
//! Most values are plain: `true`, `7`, `7.0`, `"seven"`; of numbers, those with a dot or an exponent are floats, and whole
//! ones above [`i64::MAX`] are [`Value::UInt`]. What that cannot say is an object with one field: `{"uint":7}` for a
//! [`Value::UInt`] that an `i64` could hold, `{"float":"NaN"}`, `"inf"` or `"-inf"` for what JSON has no number for.

use std::fmt;
use std::io::Write as _;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::Value as Read;

use super::{MAX_METADATA, number, put, text};
use crate::event::Event;
use crate::value::Value;

/// How many pieces there are.
pub(super) fn write<T>(event: &Event<T>, out: &mut Vec<u8>) -> usize {
    let mut pieces = 0;
    for (name, value) in event.metadata_iter() {
        put(out, if pieces == 0 { ",\"metadata\":{" } else { "," });
        pieces += 1;
        text(name, out);
        put(out, ":");
        write_value(value, out);
    }
    if pieces > 0 {
        put(out, "}");
    }
    pieces
}

fn write_value(value: &Value, out: &mut Vec<u8>) {
    // Writing to memory cannot fail.
    let _ = match value {
        Value::Bool(value) => write!(out, "{value}"),
        Value::Int(value) => write!(out, "{value}"),
        Value::UInt(value) if i64::try_from(*value).is_err() => write!(out, "{value}"),
        Value::UInt(value) => {
            put(out, "{\"uint\":");
            number(*value, out);
            write!(out, "}}")
        }
        // The shortest digits that read as this very float, always with a dot or an exponent.
        Value::Float(value) if value.is_finite() => write!(out, "{value:?}"),
        Value::Float(value) => write!(out, "{{\"float\":\"{value}\"}}"),
        Value::Text(value) => {
            text(value, out);
            Ok(())
        }
    };
}

fn value(read: Read) -> Option<Value> {
    Some(match read {
        Read::Bool(value) => Value::Bool(value),
        Read::String(value) => Value::from(value),
        Read::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Value::Int(value),
            (None, Some(value)) => Value::UInt(value),
            (None, None) => Value::Float(number.as_f64()?),
        },
        Read::Object(fields) if fields.len() == 1 => {
            let (name, value) = fields.into_iter().next()?;
            match (&*name, value) {
                ("uint", value) => Value::UInt(value.as_u64()?),
                ("float", Read::String(text)) => Value::Float(match &*text {
                    "NaN" => f64::NAN,
                    "inf" => f64::INFINITY,
                    "-inf" => f64::NEG_INFINITY,
                    _ => return None,
                }),
                _ => return None,
            }
        }
        Read::Null | Read::Array(_) | Read::Object(_) => return None,
    })
}

/// Names and values, in their order.
#[derive(Debug, Default)]
pub(in super::super) struct Metadata(pub(in super::super) Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Pieces).map(Metadata)
    }
}

struct Pieces;

impl<'de> Visitor<'de> for Pieces {
    type Value = Vec<(String, Value)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of metadata")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pieces = Vec::new();
        while let Some((name, read)) = map.next_entry::<String, Read>()? {
            if pieces.len() == MAX_METADATA {
                return Err(A::Error::custom(format_args!(
                    "more than {MAX_METADATA} pieces of metadata"
                )));
            }
            let Some(value) = value(read) else {
                let name = crate::error::shortened(&name);
                return Err(A::Error::custom(format_args!(
                    "the metadata {name:?} is no text, number, `true` or `false`"
                )));
            };
            pieces.push((name, value));
        }
        Ok(pieces)
    }
}
