//! The values of an event's metadata.

use std::fmt;
use std::sync::Arc;

/// A value in an event's metadata: small, printable, comparable.
///
/// Objects of your own types go with an event as extensions:
/// [`EventDraft::extension`](crate::EventDraft::extension).
///
/// ```
/// use chanbus::Value;
///
/// assert_eq!(Value::from(3), Value::Int(3));
/// assert_eq!(Value::from("ab").as_str(), Some("ab"));
/// assert_eq!(Value::from(true).to_string(), "true");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number, for those above [`i64::MAX`].
    UInt(u64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    Text(Arc<str>),
}

impl Value {
    /// The text, if it is one.
    ///
    /// ```
    /// # use chanbus::Value;
    /// assert_eq!(Value::from("x").as_str(), Some("x"));
    /// assert_eq!(Value::from(1).as_str(), None);
    /// ```
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number, if it is one that fits.
    ///
    /// ```
    /// # use chanbus::Value;
    /// assert_eq!(Value::from(7_u64).as_i64(), Some(7));
    /// assert_eq!(Value::from(u64::MAX).as_i64(), None);
    /// ```
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Value::Int(number) => Some(number),
            Value::UInt(number) => i64::try_from(number).ok(),
            _ => None,
        }
    }

    /// The number as a float, if it is a number.
    ///
    /// ```
    /// # use chanbus::Value;
    /// assert_eq!(Value::from(2).as_f64(), Some(2.0));
    /// ```
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Value::Int(number) => Some(number as f64),
            Value::UInt(number) => Some(number as f64),
            Value::Float(number) => Some(number),
            _ => None,
        }
    }

    /// Yes or no, if it is one of them.
    ///
    /// ```
    /// # use chanbus::Value;
    /// assert_eq!(Value::from(true).as_bool(), Some(true));
    /// ```
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match *self {
            Value::Bool(value) => Some(value),
            _ => None,
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Bool(value) => value.fmt(f),
            Value::Int(value) => value.fmt(f),
            Value::UInt(value) => value.fmt(f),
            Value::Float(value) => value.fmt(f),
            Value::Text(value) => value.fmt(f),
        }
    }
}

macro_rules! value_from {
    ($($from:ty => $variant:ident as $to:ty),* $(,)?) => {
        $(impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Value::$variant(<$to>::from(value))
            }
        })*
    };
}

value_from! {
    bool => Bool as bool,
    i8 => Int as i64, i16 => Int as i64, i32 => Int as i64, i64 => Int as i64,
    u8 => Int as i64, u16 => Int as i64, u32 => Int as i64,
    f32 => Float as f64, f64 => Float as f64,
    &str => Text as Arc<str>, String => Text as Arc<str>, Arc<str> => Text as Arc<str>,
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or(Value::UInt(value), Value::Int)
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        Value::from(value as u64)
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Value::from(value.as_str())
    }
}
