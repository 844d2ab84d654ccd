//! Events as messages.

use std::mem;
use std::time::SystemTime;

use async_nats::{HeaderMap, HeaderValue};
use bytes::Bytes;

use super::envelope::Envelope;
use super::losses::stream_name;
use super::shared::Shared;
use crate::codec::{JSON, shielded};
use crate::event::Event;
use crate::handlers::BoxError;
use crate::sync::Arc;

/// Payloads up to this size are written where the last one was, and copied from there. A larger one keeps its own place.
const COPIED: usize = 16 * 1_024;

/// How many messages went out, of each export pattern.
pub(super) struct Numbers(Vec<(Arc<str>, u64)>);

impl Numbers {
    pub(super) fn new<T: Send + Sync + 'static>(shared: &Shared<T>) -> Self {
        Numbers(
            shared
                .exports
                .iter()
                .map(|pattern| (stream_name(pattern), 0))
                .collect(),
        )
    }

    pub(super) fn list(&self) -> Vec<(Box<str>, u64)> {
        let named = |(name, sent): &(Arc<str>, u64)| (Box::from(&**name), *sent);
        self.0.iter().map(named).collect()
    }

    /// The number that the next message of that stream has.
    fn next(&self, stream: usize) -> Option<(u64, Arc<str>)> {
        let (name, sent) = self.0.get(stream)?;
        Some((sent + 1, Arc::clone(name)))
    }

    /// Its place among all messages, where that is not the same number.
    fn order(&self) -> Option<u64> {
        let all = || self.0.iter().map(|(_, sent)| sent).sum::<u64>();
        (self.0.len() > 1).then(|| all() + 1)
    }

    /// That message went out.
    pub(super) fn count(&mut self, stream: usize) {
        if let Some((_, sent)) = self.0.get_mut(stream) {
            *sent += 1;
        }
    }
}

/// What is made once for many messages: the headers that are alike in each, and the place where payloads are written.
pub(super) struct Desk {
    origin: Arc<str>,
    /// What the headers say of the payload's bytes.
    kind: Option<Box<str>>,
    /// With a time in it, in whose place each message's own comes: a copy with room for all is cheaper than one that
    /// grows.
    headers: HeaderMap,
    scratch: Vec<u8>,
}

impl Desk {
    pub(super) fn new<T: Send + Sync + 'static>(shared: &Shared<T>) -> Self {
        let origin = shared.origin.shared();
        Desk {
            headers: stamped(),
            origin,
            kind: None,
            scratch: Vec::new(),
        }
    }

    /// Sees to it that the headers say that of the payload's bytes. Mostly they do. JSON is what a message is that
    /// says nothing, as each header costs as much as the rest of a small message.
    fn label(&mut self, kind: Option<&str>) -> Result<(), BoxError> {
        let kind = kind.filter(|kind| *kind != JSON);
        if self.kind.as_deref() != kind {
            let mut headers = stamped();
            if let Some(kind) = kind {
                headers.insert("Content-Type", kind.parse::<HeaderValue>()?);
            }
            self.headers = headers;
            self.kind = kind.map(Box::from);
        }
        Ok(())
    }
}

fn stamped() -> HeaderMap {
    let mut envelope = Envelope::new();
    envelope.timestamp = Some(SystemTime::UNIX_EPOCH);
    envelope.origin = Some(Arc::from("-"));
    envelope.to_headers()
}

pub(super) struct Outgoing {
    pub(super) stream: usize,
    pub(super) subject: String,
    pub(super) headers: HeaderMap,
    pub(super) payload: Bytes,
}

pub(super) enum Encoded {
    Message(Outgoing),
    /// It is here by a broadcast, and its topic is not exported.
    NotOurs,
    Refused(String),
}

impl<T: Send + Sync + 'static> Shared<T> {
    /// The user's codec runs here, behind a shield.
    pub(super) fn encode(&self, event: &Event<T>, numbers: &Numbers, desk: &mut Desk) -> Encoded {
        let topic = event.topic();
        let Some(stream) = self.exports.iter().position(|sent| sent.matches(topic)) else {
            return Encoded::NotOurs;
        };
        let Some(number) = numbers.next(stream) else {
            return Encoded::NotOurs;
        };
        let subject = match self.mapping.subject(topic) {
            Ok(subject) => subject,
            Err(error) => return Encoded::Refused(error.to_string()),
        };
        desk.scratch.clear();
        // What was refused may have been large.
        desk.scratch.shrink_to(COPIED);
        let encode = || -> Result<(), BoxError> {
            self.codec.encode(event, &mut desk.scratch)?;
            desk.label(self.codec.content_type())
        };
        if let Err(reason) = shielded(encode) {
            return Encoded::Refused(reason);
        }
        let payload = if desk.scratch.len() > COPIED {
            mem::take(&mut desk.scratch).into()
        } else {
            Bytes::copy_from_slice(&desk.scratch)
        };
        let mut envelope = Envelope::of(event);
        envelope.origin = Some(Arc::clone(&desk.origin));
        envelope.number = Some(number);
        envelope.order = numbers.order();
        let mut headers = desk.headers.clone();
        envelope.write_to(&mut headers);
        Encoded::Message(Outgoing {
            stream,
            subject,
            headers,
            payload,
        })
    }
}
