//! Messages as events.

use async_nats::HeaderMap;

use super::envelope::Envelope;
use super::origin::Imported;
use super::shared::Shared;
use crate::codec::shielded;
use crate::event::Event;
use crate::sync::Arc;

/// The number of a message, and whose it is.
pub(super) struct Numbered {
    pub(super) origin: Arc<str>,
    pub(super) stream: Arc<str>,
    pub(super) number: u64,
}

/// What a message is.
pub(super) enum Verdict<T> {
    Event(Event<T>),
    /// This bridge sent it itself.
    Own,
    /// No import pattern asks for it.
    Unwanted,
    Undecodable(String),
}

impl<T: Send + Sync + 'static> Shared<T> {
    /// The user's codec runs here, behind a shield.
    pub(super) fn decode(
        &self,
        subject: &str,
        headers: Option<&HeaderMap>,
        payload: &[u8],
    ) -> (Verdict<T>, Option<Numbered>) {
        let mut envelope = match headers.map(Envelope::from_headers).transpose() {
            Ok(envelope) => envelope.unwrap_or_default(),
            Err(error) => return (Verdict::Undecodable(error.to_string()), None),
        };
        let origin = envelope.origin.take();
        if origin.as_deref().is_some_and(|it| self.origin.is_own(it)) {
            return (Verdict::Own, None);
        }
        let numbered = match (&origin, envelope.number.take()) {
            (Some(origin), Some((number, stream))) => Some(Numbered {
                origin: Arc::clone(origin),
                stream,
                number,
            }),
            _ => None,
        };
        (self.read(subject, envelope, payload, origin), numbered)
    }

    fn read(
        &self,
        subject: &str,
        envelope: Envelope,
        payload: &[u8],
        origin: Option<Arc<str>>,
    ) -> Verdict<T> {
        let topic = match self.mapping.topic(subject) {
            Ok(topic) => topic,
            // What the server sends and is sent is none of ours, where there is no prefix to keep it apart.
            Err(error) if error.is_foreign() => return Verdict::Unwanted,
            Err(error) => return Verdict::Undecodable(error.to_string()),
        };
        if !self.imports.iter().any(|wanted| wanted.matches(&topic)) {
            return Verdict::Unwanted;
        }
        let payload = match shielded(|| self.codec.decode(&topic, payload)) {
            Ok(payload) => payload,
            Err(reason) => return Verdict::Undecodable(reason),
        };
        // Its text is read once, above.
        let draft = envelope.draft("", payload);
        Verdict::Event(draft.extension(Imported { origin }).build_on(topic))
    }
}
