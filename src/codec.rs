//! Payloads as bytes.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::event::Event;
use crate::handlers::BoxError;
use crate::shield::{caught, drop_shielded, told};
use crate::topic::Topic;

/// Runs a codec; if it fails, in its words. Not only the codec is the user's own, but its errors, too: what they say,
/// and how they end.
pub(crate) fn shielded<R>(act: impl FnOnce() -> Result<R, BoxError>) -> Result<R, String> {
    let said = match caught(act) {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(error)) => {
            let said = caught(|| error.to_string());
            drop_shielded(error);
            said
        }
        Err(thrown) => Err(thrown),
    };
    Err(said.unwrap_or_else(|thrown| format!("the codec panicked: {}", told(thrown))))
}

/// Turns payloads into the bytes of a message or of a line in a recording, and back.
///
/// Only the payload: topic, time, source, metadata and cause go beside it. [`Json`] serves whatever `serde` can write
/// and read. Both ways run on the threads of the bridge or recorder (and where a [`Player`](crate::Player) plays), so a
/// codec may take its time; an error, like a panic, costs the one event, which is counted and reported.
///
/// ```
/// use chanbus::{BoxError, Codec, Event, Topic};
///
/// /// Texts as they are, as `nats pub` sends them.
/// struct Utf8;
///
/// impl Codec<String> for Utf8 {
///     fn encode(&self, event: &Event<String>, out: &mut Vec<u8>) -> Result<(), BoxError> {
///         out.extend_from_slice(event.payload().as_bytes());
///         Ok(())
///     }
///
///     fn decode(&self, _: &Topic, bytes: &[u8]) -> Result<String, BoxError> {
///         Ok(std::str::from_utf8(bytes)?.to_owned())
///     }
/// }
///
/// let topic = Topic::new("greeting")?;
/// assert_eq!(Utf8.decode(&topic, b"hello")?, "hello");
/// # Ok::<(), BoxError>(())
/// ```
pub trait Codec<T>: Send + Sync + 'static {
    /// Appends the payload's bytes to `out`.
    ///
    /// The whole event is at hand, as the topic may decide how its payload is written.
    ///
    /// # Errors
    ///
    /// The payload has no such form. What stands in `out` by then is thrown away.
    ///
    /// ```
    /// use chanbus::{Codec, Event, Json};
    ///
    /// let mut out = Vec::new();
    /// Json.encode(&Event::new("n", [1, 2])?, &mut out)?;
    /// assert_eq!(out, b"[1,2]");
    /// # Ok::<(), chanbus::BoxError>(())
    /// ```
    fn encode(&self, event: &Event<T>, out: &mut Vec<u8>) -> Result<(), BoxError>;

    /// Reads a payload from all the bytes of a message on that topic.
    ///
    /// The bytes come from outside: anybody who may publish to the server, or write the file, chose them.
    ///
    /// # Errors
    ///
    /// The bytes are no such payload.
    ///
    /// ```
    /// use chanbus::{Codec, Json, Topic};
    ///
    /// let topic = Topic::new("n")?;
    /// let numbers: Vec<i32> = Json.decode(&topic, b"[1, 2]")?;
    /// assert_eq!(numbers, [1, 2]);
    /// let refused: Result<Vec<i32>, _> = Json.decode(&topic, b"[1, 2");
    /// assert!(refused.is_err());
    /// # Ok::<(), chanbus::BoxError>(())
    /// ```
    fn decode(&self, topic: &Topic, bytes: &[u8]) -> Result<T, BoxError>;

    /// What the bytes are, as a media type for the header `Content-Type`; nothing unless it is overridden. A bridge
    /// does not write it for `application/json`, which is what a message is taken for that says nothing; a recorder
    /// puts that into its lines as it is.
    ///
    /// ```
    /// use chanbus::{Codec, Json};
    ///
    /// assert_eq!(Codec::<String>::content_type(&Json), Some("application/json"));
    /// ```
    fn content_type(&self) -> Option<&str> {
        None
    }
}

/// A shared codec is one, too: several bridges and recorders may use the same.
impl<T, C: Codec<T> + ?Sized> Codec<T> for Arc<C> {
    fn encode(&self, event: &Event<T>, out: &mut Vec<u8>) -> Result<(), BoxError> {
        (**self).encode(event, out)
    }

    fn decode(&self, topic: &Topic, bytes: &[u8]) -> Result<T, BoxError> {
        (**self).decode(topic, bytes)
    }

    fn content_type(&self) -> Option<&str> {
        (**self).content_type()
    }
}

/// Payloads as JSON, by `serde`; for `Bus<Fields>` without further ado.
///
/// - A message without bytes reads as `null`, as plain clients send such for "it happened": `()` and `Option`
///   take that, and [`Fields`](crate::Fields) do not.
/// - Floats arrive as they were sent, to the last bit. JSON has no `NaN` and no infinities: `serde_json` writes
///   them as `null`.
/// - How deep values may nest is bounded by `serde_json`, at 128.
///
/// ```
/// use chanbus::{Codec, Event, Fields, Json, Topic};
///
/// let event = Event::new("scan.progress", Fields::new().with("count", 42))?;
/// let mut out = Vec::new();
/// Json.encode(&event, &mut out)?;
/// assert_eq!(out, br#"{"count":42}"#);
///
/// let back: Fields = Json.decode(event.topic(), &out)?;
/// assert_eq!(&back, event.payload());
/// let nothing: Option<Fields> = Json.decode(event.topic(), b"")?;
/// assert_eq!(nothing, None);
/// # Ok::<(), chanbus::BoxError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Json;

/// The media type of that.
pub(crate) const JSON: &str = "application/json";

impl<T: Serialize + DeserializeOwned> Codec<T> for Json {
    fn encode(&self, event: &Event<T>, out: &mut Vec<u8>) -> Result<(), BoxError> {
        Ok(serde_json::to_writer(out, event.payload())?)
    }

    fn decode(&self, _: &Topic, bytes: &[u8]) -> Result<T, BoxError> {
        let bytes = if bytes.is_empty() { b"null" } else { bytes };
        Ok(serde_json::from_slice(bytes)?)
    }

    fn content_type(&self) -> Option<&str> {
        Some(JSON)
    }
}
