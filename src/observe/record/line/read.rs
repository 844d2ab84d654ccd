//! The lines of a recording, read. They may hold anything.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;

use super::metadata::Metadata;
use super::{FORMAT, base64};

/// What a line says.
#[derive(Debug)]
pub(in super::super) enum Line<'a> {
    Header { version: u64 },
    Event(RawEvent<'a>),
    Gap { missed: u64 },
    End,
}

/// An event whose topics were not looked at, and whose payload was not decoded.
#[derive(Debug)]
pub(in super::super) struct RawEvent<'a> {
    pub(in super::super) nanos: u64,
    pub(in super::super) topic: String,
    pub(in super::super) source: Option<String>,
    pub(in super::super) metadata: Metadata,
    /// Oldest first.
    pub(in super::super) cause: Vec<String>,
    pub(in super::super) payload: Payload<'a>,
}

/// The payload's bytes, in the form in which they stand there.
#[derive(Debug)]
pub(in super::super) enum Payload<'a> {
    Json(&'a RawValue),
    Text(String),
    Bytes(Vec<u8>),
}

impl Payload<'_> {
    pub(in super::super) fn bytes(&self) -> &[u8] {
        match self {
            Payload::Json(raw) => raw.get().as_bytes(),
            Payload::Text(text) => text.as_bytes(),
            Payload::Bytes(bytes) => bytes,
        }
    }
}

/// What is wrong with a line.
#[derive(Debug)]
pub(in super::super) enum Fault {
    /// It is no JSON.
    Json(String),
    /// It is JSON, but no line of a recording.
    Shape(String),
}

pub(in super::super) fn read(text: &str) -> Result<Line<'_>, Fault> {
    let fields: Fields<'_> = serde_json::from_str(text).map_err(|error| {
        // Its line is always the first.
        let said = error
            .to_string()
            .replace(" at line 1 column ", " at column ");
        match error.classify() {
            Category::Data => Fault::Shape(said),
            Category::Syntax | Category::Eof | Category::Io => Fault::Json(said),
        }
    })?;
    fields
        .line()
        .map_err(|reason| Fault::Shape(reason.to_owned()))
}

/// All that a line may hold; what else it holds is left to versions to come.
#[derive(Default)]
struct Fields<'a> {
    chanbus: Option<String>,
    version: Option<u64>,
    time: Option<u64>,
    topic: Option<String>,
    source: Option<String>,
    metadata: Option<Metadata>,
    cause: Option<Vec<String>>,
    json: Option<&'a RawValue>,
    text: Option<String>,
    base64: Option<String>,
    missed: Option<u64>,
    end: Option<String>,
}

impl<'a> Fields<'a> {
    fn line(self) -> Result<Line<'a>, &'static str> {
        if let Some(format) = self.chanbus {
            return match self.version {
                Some(version) if format == FORMAT => Ok(Line::Header { version }),
                _ => Err("a first line wants `\"chanbus\":\"recording\"` and a `version`"),
            };
        }
        if self.end.is_some() {
            return Ok(Line::End);
        }
        if let Some(missed) = self.missed {
            return Ok(Line::Gap { missed });
        }
        let payload = match (self.json, self.text, self.base64) {
            (Some(raw), None, None) => Payload::Json(raw),
            (None, Some(text), None) => Payload::Text(text),
            (None, None, Some(text)) => Payload::Bytes(
                base64::read(&text)
                    .ok_or("`base64` wants the alphabet of RFC 4648, with padding")?,
            ),
            _ => return Err("an event wants one of `json`, `text` and `base64`"),
        };
        Ok(Line::Event(RawEvent {
            nanos: self
                .time
                .ok_or("an event wants a `time`, in nanoseconds since 1970")?,
            topic: self.topic.ok_or("an event wants a `topic`")?,
            source: self.source,
            metadata: self.metadata.unwrap_or_default(),
            cause: self.cause.unwrap_or_default(),
            payload,
        }))
    }
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object, a line of a recording")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields::default();
        while let Some(Key(key)) = map.next_key()? {
            match key {
                Some("chanbus") => once(&mut fields.chanbus, "chanbus", &mut map)?,
                Some("version") => once(&mut fields.version, "version", &mut map)?,
                Some("time") => once(&mut fields.time, "time", &mut map)?,
                Some("topic") => once(&mut fields.topic, "topic", &mut map)?,
                Some("source") => once(&mut fields.source, "source", &mut map)?,
                Some("metadata") => once(&mut fields.metadata, "metadata", &mut map)?,
                Some("cause") => once(&mut fields.cause, "cause", &mut map)?,
                Some("json") => once(&mut fields.json, "json", &mut map)?,
                Some("text") => once(&mut fields.text, "text", &mut map)?,
                Some("base64") => once(&mut fields.base64, "base64", &mut map)?,
                Some("missed") => once(&mut fields.missed, "missed", &mut map)?,
                Some("end") => once(&mut fields.end, "end", &mut map)?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(fields)
    }
}

fn once<'de, V: Deserialize<'de>, A: MapAccess<'de>>(
    place: &mut Option<V>,
    name: &'static str,
    map: &mut A,
) -> Result<(), A::Error> {
    if place.is_some() {
        return Err(A::Error::duplicate_field(name));
    }
    *place = Some(map.next_value()?);
    Ok(())
}

/// A field that is known, or any other.
struct Key(Option<&'static str>);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor).map(Key)
    }
}

struct KeyVisitor;

impl Visitor<'_> for KeyVisitor {
    type Value = Option<&'static str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Self::Value, E> {
        const KNOWN: [&str; 12] = [
            "time", "topic", "source", "metadata", "cause", "json", "text", "base64", "missed",
            "end", "chanbus", "version",
        ];
        Ok(KNOWN.into_iter().find(|known| *known == key))
    }
}
