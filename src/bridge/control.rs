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
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // Numbers and texts always are JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }

    pub(super) fn is_of(&self, origin: &Origin) -> bool {
        *self.origin == *origin.as_str()
    }
}
