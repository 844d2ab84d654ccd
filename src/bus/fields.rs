//! Payloads of named JSON fields, and the field-style emit.

use std::fmt;
use std::ops::Index;

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::event::Event;

/// A payload of named JSON fields; what [`emit!`](crate::emit) makes.
///
/// It converts from and to `serde_json`'s map, and keeps that map's order: by name, unless the program
/// turns on `preserve_order` of `serde_json`.
///
/// ```
/// use chanbus::Fields;
///
/// let fields = Fields::new()
///     .with("path", "/home")
///     .with("user", serde_json::json!({"name": "ann"}));
/// assert_eq!(fields["path"], "/home");
/// assert_eq!(fields.get("user.name").unwrap(), "ann");
/// assert!(fields["nothing"].is_null());
/// assert_eq!(fields.to_string(), r#"{"path":"/home","user":{"name":"ann"}}"#);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// No fields.
    ///
    /// ```
    /// assert!(chanbus::Fields::new().is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one field more; the same name again replaces it.
    ///
    /// ```
    /// assert_eq!(chanbus::Fields::new().with("count", 42)["count"], 42);
    /// ```
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// The field of that name, or, if there is none, the value at that path: names of nested
    /// objects and positions in arrays, joined by dots.
    ///
    /// ```
    /// let fields = chanbus::Fields::new().with("tags", serde_json::json!([{"name": "new"}]));
    /// assert_eq!(fields.get("tags.0.name").unwrap(), "new");
    /// assert!(fields.get("tags.1").is_none());
    /// ```
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&Value> {
        if let Some(value) = self.0.get(path) {
            return Some(value);
        }
        let mut steps = path.split('.');
        let first = self.0.get(steps.next()?)?;
        steps.try_fold(first, |value, step| match value {
            Value::Object(fields) => fields.get(step),
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }

    /// How many fields there are.
    ///
    /// ```
    /// assert_eq!(chanbus::Fields::new().with("a", 1).len(), 1);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    ///
    /// ```
    /// assert!(chanbus::Fields::new().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values.
    ///
    /// ```
    /// let fields = chanbus::Fields::new().with("a", 1);
    /// assert_eq!(fields.iter().next().unwrap().0, "a");
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }
}

// By hand: the derive macros would be a heavy dependency for two lines each.
impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::deserialize(deserializer).map(Fields)
    }
}

/// What [`get`](Fields::get) finds, [`null`](Value::Null) if that is nothing, as `serde_json` has it.
impl Index<&str> for Fields {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        self.get(name).unwrap_or(&Value::Null)
    }
}

/// As JSON.
impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `Value`'s own `Display` wants a `Value`; this writes the same without a copy.
        f.write_str("{")?;
        for (place, (name, value)) in self.0.iter().enumerate() {
            let comma = if place > 0 { "," } else { "" };
            write!(f, "{comma}{}:{value}", Quoted(name))?;
        }
        f.write_str("}")
    }
}

/// A text as JSON writes it.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Writing a text to a string cannot fail.
        f.write_str(&serde_json::to_string(self.0).unwrap_or_default())
    }
}

impl From<Map<String, Value>> for Fields {
    fn from(fields: Map<String, Value>) -> Self {
        Fields(fields)
    }
}

impl From<Fields> for Map<String, Value> {
    fn from(fields: Fields) -> Self {
        fields.0
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(fields: I) -> Self {
        fields
            .into_iter()
            .fold(Fields::new(), |all, (name, value)| all.with(name, value))
    }
}

/// `event["path"]` is the field, and `event["event"]` stays a field of that name: the topic is
/// [`event.topic()`](Event::topic).
///
/// ```
/// use chanbus::{Event, Fields};
///
/// let event = Event::new("scan.started", Fields::new().with("path", "/home"))?;
/// assert_eq!(event["path"], "/home");
/// # Ok::<(), chanbus::Error>(())
/// ```
impl Index<&str> for Event<Fields> {
    type Output = Value;

    fn index(&self, name: &str) -> &Value {
        &self.payload()[name]
    }
}

/// As JSON: `{"event":topic, ..fields}`.
impl fmt::Display for Event<Fields> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{\"event\":{}", Quoted(self.topic()))?;
        for (name, value) in self.payload().iter().filter(|(name, _)| *name != "event") {
            write!(f, ",{}:{value}", Quoted(name))?;
        }
        f.write_str("}")
    }
}

/// As a map: `"event"`, then the fields; a field named `event` gives way to the topic.
impl Serialize for Event<Fields> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("event", self.topic().as_str())?;
        for (name, value) in self.payload().iter().filter(|(name, _)| *name != "event") {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

/// Emits an event of named fields: on a bus, or, with a topic alone, on the process-wide one
/// ([`global_or_default::<Fields>()`](crate::global_or_default)). Without a bus the topic has to be a
/// literal.
///
/// Values are whatever is `Into<serde_json::Value>`: numbers, booleans, texts, lists, options,
/// `serde_json::json!(..)`. Fields may also be named by literals: `"content-type" = 1`. The result
/// is that of [`Bus::emit`](crate::Bus::emit).
///
/// ```
/// use chanbus::{Bus, Fields, emit};
///
/// let bus: Bus<Fields> = Bus::new();
/// let sub = bus.subscribe("scan.*")?;
/// emit!(bus, "scan.started", path = "/home", count = 42)?;
/// emit!(bus, "scan.finished")?;
///
/// let event = sub.recv()?;
/// assert_eq!(event["path"], "/home");
/// assert_eq!(event.to_string(), r#"{"event":"scan.started","count":42,"path":"/home"}"#);
/// assert!(sub.recv()?.payload().is_empty());
///
/// // Without a bus: the process-wide one.
/// emit!("scan.started", path = "/home")?;
/// # Ok::<(), chanbus::Error>(())
/// ```
#[macro_export]
macro_rules! emit {
    ($topic:literal $(, $($fields:tt)*)?) => {
        $crate::global_or_default::<$crate::Fields>()
            .emit($topic, $crate::__fields!($($($fields)*)?))
    };
    ($bus:expr, $topic:expr $(, $($fields:tt)*)?) => {
        $bus.emit($topic, $crate::__fields!($($($fields)*)?))
    };
}

/// The fields of an `emit!`, one by one.
#[doc(hidden)]
#[macro_export]
macro_rules! __fields {
    () => { $crate::Fields::new() };
    ($($name:tt = $value:expr),+ $(,)?) => {
        $crate::Fields::new()$(.with($crate::__field_name!($name), $value))+
    };
}

/// A field's name: an identifier, raw or not, or a literal.
#[doc(hidden)]
#[macro_export]
macro_rules! __field_name {
    ($name:ident) => {{
        let name = stringify!($name);
        name.strip_prefix("r#").unwrap_or(name)
    }};
    ($name:literal) => {
        $name
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_maps_become_one_another() {
        let fields: Fields = [("a", 1), ("b", 2), ("a", 3)].into_iter().collect();
        assert_eq!(fields, Fields::new().with("b", 2).with("a", 3));
        assert!(!fields.is_empty());
        let map: Map<String, Value> = fields.clone().into();
        assert_eq!((map.len(), &map["a"]), (2, &Value::from(3)));
        assert_eq!(Fields::from(map), fields);
    }
}
