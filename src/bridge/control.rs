//! What bridges tell each other: how many messages each has sent.
//!
//! | Subject | Says |
//! |---|---|
//! | `_CHANBUS.sent`, and the prefix | how many messages a bridge has sent, for each of its export patterns |
//! | `_CHANBUS.who`, and the prefix | a bridge that has just come asks all others to say that |

use serde::{Deserialize, Serialize};

use super::origin::Origin;
use super::subject::SubjectMapping;

#[derive(Debug, Clone)]
pub(super) struct ControlSubjects {
    pub(super) sent: String,
    pub(super) who: String,
}

impl ControlSubjects {
    pub(super) fn new(mapping: &SubjectMapping) -> Self {
        let below = match mapping.prefix() {
            None => String::new(),
            Some(prefix) => format!(".{prefix}"),
        };
        ControlSubjects {
            sent: format!("_CHANBUS.sent{below}"),
            who: format!("_CHANBUS.who{below}"),
        }
    }
}

/// How far a bridge has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sent {
    pub(super) origin: Box<str>,
    /// The connection of the one who sent, counted: only for himself.
    pub(super) epoch: u64,
    /// Of all patterns: only for himself.
    pub(super) all: u64,
    /// Of each export pattern.
    pub(super) streams: Vec<(Box<str>, u64)>,
}

impl Sent {
    fn to_bytes(&self) -> Vec<u8> {
        // Numbers and texts always are JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// As one message, or as several, if a server takes none of that size. Each says the same of all patterns together.
    pub(super) fn to_payloads(&self, most: usize) -> Vec<Vec<u8>> {
        let bytes = self.to_bytes();
        let (one, other) = self.streams.split_at(self.streams.len() / 2);
        if bytes.len() <= most || one.is_empty() {
            return vec![bytes];
        }
        let half = |streams: &[(Box<str>, u64)]| Sent {
            streams: streams.to_vec(),
            ..self.clone()
        };
        let halves = [half(one), half(other)];
        halves.iter().flat_map(|it| it.to_payloads(most)).collect()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    pub(super) fn is_of(&self, origin: &Origin) -> bool {
        *self.origin == *origin.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_for_a_server_is_said_in_parts() {
        let streams: Vec<(Box<str>, u64)> =
            (0..100).map(|n| (format!("a.{n}").into(), n)).collect();
        let sent = Sent {
            origin: "x".into(),
            epoch: 1,
            all: 4_950,
            streams: streams.clone(),
        };
        assert_eq!(sent.to_payloads(10_000), [sent.to_bytes()]);
        let parts = sent.to_payloads(200);
        assert!(parts.iter().all(|part| part.len() <= 200));
        let parts: Vec<Sent> = parts
            .iter()
            .map(|it| Sent::from_bytes(it).unwrap())
            .collect();
        assert!(
            parts
                .iter()
                .all(|part| (part.epoch, part.all) == (1, 4_950))
        );
        let said: Vec<_> = parts.into_iter().flat_map(|part| part.streams).collect();
        assert_eq!(said, streams);
        // What cannot be said shorter is said all the same.
        assert_eq!(sent.to_payloads(1).len(), 100);
    }
}
