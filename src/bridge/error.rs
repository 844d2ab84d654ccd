//! What can go wrong with starting a bridge.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;

use super::subject::SubjectError;
use crate::error::{PatternsError, SubscribeError};

/// A bridge that did not start.
///
/// A server that is not there is no error: the bridge tries until it is. See [`Bridge::state`](crate::Bridge::state).
///
/// ```
/// # use chanbus::{Bridge, BridgeError, Bus};
/// # let bus: Bus<u32> = Bus::new();
/// let error = Bridge::builder(&bus).start().unwrap_err();
/// assert_eq!(error, BridgeError::NothingToDo);
/// assert!(error.to_string().contains("BridgeBuilder::export"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BridgeError {
    /// It is to export nothing, and to import nothing.
    NothingToDo,
    /// A text is no pattern, or a list of patterns is empty.
    Patterns(PatternsError),
    /// A pattern whose last segment is `>`, which is what NATS says for `**`. Here it would be a segment like others.
    NatsWildcard {
        /// The pattern.
        pattern: String,
    },
    /// A prefix or a pattern that NATS has no subject for.
    Subject(SubjectError),
    /// The bus is closed or has no room for one more subscription, or the queue's capacity is out of range.
    Subscribe(SubscribeError),
    /// No more than zero messages might be in flight: nothing would ever be sent.
    ZeroInFlight,
    /// A name, a queue group, a stream that NATS cannot carry.
    BadName {
        /// What it names: `"name"`, `"queue group"`, `"stream"`.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A bridge with JetStream that has no name: after a restart it would not know its own messages.
    NoName,
    /// A bridge with JetStream and a pattern whose first segment is a wildcard, without a prefix: its stream would
    /// take what the server itself sends and is sent.
    NoPrefix {
        /// The pattern, as a NATS subject.
        subject: String,
    },
    /// The list of servers is empty.
    NoServers,
    /// A server whose address is none. User, password and token are left out.
    BadServer {
        /// The address.
        server: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The addresses of two servers name two users.
    TwoIdentities,
    /// A file of credentials that cannot be read.
    Credentials {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// An nkey that is no seed of a user.
    Nkey {
        /// What is wrong with it; not the seed.
        reason: String,
    },
    /// A queue group, and nothing to import by it.
    GroupWithoutImports,
    /// A setting of [`JetStream`](crate::JetStream) that the server would take for another one, or refuse.
    BadStream {
        /// Which: the name of its method.
        setting: &'static str,
        /// What it wants.
        wants: &'static str,
    },
    /// The system would not start a thread.
    Thread {
        /// What it said.
        reason: String,
    },
}

impl fmt::Display for BridgeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BridgeError::NothingToDo => f.write_str(
                "a bridge that exports nothing and imports nothing: give it patterns, by \
                 BridgeBuilder::export or BridgeBuilder::import",
            ),
            // Its own text names what only subscriptions have.
            BridgeError::Patterns(PatternsError::Empty) => f.write_str(
                "a list of patterns is empty: name the topics that BridgeBuilder::export or BridgeBuilder::import \
                 is to match, or write `**` for everything",
            ),
            BridgeError::Patterns(error) => error.fmt(f),
            BridgeError::NatsWildcard { pattern } => write!(
                f,
                "the pattern {pattern:?} ends with `>`, which is NATS' own wildcard: here that is `**`"
            ),
            BridgeError::Subject(error) => error.fmt(f),
            BridgeError::Subscribe(error) => error.fmt(f),
            BridgeError::ZeroInFlight => f.write_str(
                "a bridge with no message in flight never sends: BridgeBuilder::in_flight wants one at least",
            ),
            BridgeError::BadName { what, name } => write!(
                f,
                "{name:?} is no {what}: it wants 1 to 200 printable characters of ASCII, without blanks and without \
                 `.`, `*`, `>`, `/` and `\\`"
            ),
            BridgeError::NoName => f.write_str(
                "a bridge with JetStream wants a name, by which it knows its own after a restart: \
                 BridgeBuilder::name",
            ),
            BridgeError::NoPrefix { subject } => write!(
                f,
                "a stream on {subject:?} would take what the server itself sends: a bridge with JetStream and a \
                 pattern that begins with a wildcard wants a prefix, by BridgeBuilder::prefix"
            ),
            BridgeError::NoServers => {
                f.write_str("the list of servers is empty: BridgeBuilder::servers wants one at least")
            }
            BridgeError::BadServer { server, reason } => {
                write!(f, "{server:?} is no address of a NATS server: {reason}")
            }
            BridgeError::TwoIdentities => f.write_str(
                "the addresses of the servers name different users: leave them out, and name one by \
                 BridgeBuilder::user_and_password or BridgeBuilder::token",
            ),
            BridgeError::Credentials { path, reason } => {
                write!(f, "the credentials in {} cannot be used: {reason}", path.display())
            }
            BridgeError::Nkey { reason } => write!(
                f,
                "the nkey is no seed of a user ({reason}): BridgeBuilder::nkey wants the text that begins with `SU`"
            ),
            BridgeError::GroupWithoutImports => f.write_str(
                "a queue group shares what is imported, and nothing is: leave BridgeBuilder::queue_group out, or \
                 give patterns by BridgeBuilder::import",
            ),
            BridgeError::BadStream { setting, wants } => {
                write!(f, "JetStream::{setting} wants {wants}")
            }
            BridgeError::Thread { reason } => {
                write!(f, "the system would not start the bridge's thread: {reason}")
            }
        }
    }
}

impl Error for BridgeError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            BridgeError::Patterns(error) => error.source(),
            BridgeError::Subject(error) => error.source(),
            BridgeError::Subscribe(error) => error.source(),
            _ => None,
        }
    }
}

impl From<PatternsError> for BridgeError {
    fn from(error: PatternsError) -> Self {
        BridgeError::Patterns(error)
    }
}

impl From<SubjectError> for BridgeError {
    fn from(error: SubjectError) -> Self {
        BridgeError::Subject(error)
    }
}

impl From<SubscribeError> for BridgeError {
    fn from(error: SubscribeError) -> Self {
        BridgeError::Subscribe(error)
    }
}
