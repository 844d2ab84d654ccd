//! What a bridge says of itself.

use std::fmt;

use crate::sync::Arc;
use crate::topic::Topic;

/// Whether a bridge has its server.
///
/// ```
/// # use chanbus::BridgeState;
/// assert!(BridgeState::Connected.is_connected());
/// assert_eq!(BridgeState::Lost.to_string(), "lost");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BridgeState {
    /// Not connected yet; it tries.
    Connecting,
    /// The server answers, and has the bridge's subscriptions.
    Connected,
    /// The connection broke; it tries again. Events wait in the bridge's queue.
    Lost,
    /// Stopped, for good.
    Stopped,
}

impl BridgeState {
    /// Whether the server answers.
    ///
    /// ```
    /// # use chanbus::BridgeState;
    /// assert!(!BridgeState::Connecting.is_connected());
    /// ```
    #[must_use]
    pub fn is_connected(self) -> bool {
        self == BridgeState::Connected
    }
}

impl fmt::Display for BridgeState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BridgeState::Connecting => "connecting",
            BridgeState::Connected => "connected",
            BridgeState::Lost => "lost",
            BridgeState::Stopped => "stopped",
        })
    }
}

/// What happened to a bridge: the payload of its own bus, [`Bridge::states`](crate::Bridge::states).
///
/// | Topic | Payload |
/// |---|---|
/// | `bridge.connected` | [`Connected`](BridgeEvent::Connected), the first time |
/// | `bridge.lost` | [`Lost`](BridgeEvent::Lost) |
/// | `bridge.back` | [`Back`](BridgeEvent::Back), connected again |
/// | `bridge.stopped` | [`Stopped`](BridgeEvent::Stopped) |
/// | `bridge.trouble` | [`Trouble`](BridgeEvent::Trouble) |
/// | `message.undecodable` | [`Undecodable`](BridgeEvent::Undecodable) |
/// | `event.refused` | [`Refused`](BridgeEvent::Refused) |
///
/// ```
/// # use chanbus::{Bridge, BridgeEvent, Bus};
/// # let bus: Bus<u32> = Bus::new();
/// let bridge = Bridge::builder(&bus).export("order.*").start()?;
/// let states = bridge.states().subscribe("bridge.*")?;
/// drop(bridge);
/// let said: Vec<_> = states.iter().map(|event| event.payload().clone()).collect();
/// assert_eq!(said.last(), Some(&BridgeEvent::Stopped));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BridgeEvent {
    /// The server answered, and has the bridge's subscriptions.
    Connected,
    /// The connection broke.
    Lost {
        /// Messages that had been sent and not been confirmed: the server may have had them, or not.
        in_doubt: u64,
    },
    /// The server answers again, and has the subscriptions again.
    Back,
    /// The bridge has stopped, for good.
    Stopped,
    /// Something that the bridge works around, or cannot do: a server that refuses it, say, or a missing
    /// permission. What stays so is told once, until something else is told or the state changes.
    Trouble {
        /// What.
        reason: Arc<str>,
    },
    /// A message that is no event; it was counted and left.
    Undecodable {
        /// The NATS subject it came on.
        subject: Arc<str>,
        /// What is wrong with it.
        reason: Arc<str>,
    },
    /// An event that cannot be sent, or that the bus here refused; it was counted and left.
    Refused {
        /// Its topic.
        topic: Topic,
        /// Why.
        reason: Arc<str>,
    },
}

impl BridgeEvent {
    pub(super) fn topic(&self) -> &'static str {
        match self {
            BridgeEvent::Connected => "bridge.connected",
            BridgeEvent::Lost { .. } => "bridge.lost",
            BridgeEvent::Back => "bridge.back",
            BridgeEvent::Stopped => "bridge.stopped",
            BridgeEvent::Trouble { .. } => "bridge.trouble",
            BridgeEvent::Undecodable { .. } => "message.undecodable",
            BridgeEvent::Refused { .. } => "event.refused",
        }
    }
}

impl fmt::Display for BridgeEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BridgeEvent::Connected => f.write_str("connected"),
            BridgeEvent::Lost { in_doubt } => {
                write!(f, "the connection broke, with {in_doubt} messages in doubt")
            }
            BridgeEvent::Back => f.write_str("connected again"),
            BridgeEvent::Stopped => f.write_str("stopped"),
            BridgeEvent::Trouble { reason } => f.write_str(reason),
            BridgeEvent::Undecodable { subject, reason } => {
                write!(f, "a message on {subject:?} is no event: {reason}")
            }
            BridgeEvent::Refused { topic, reason } => {
                write!(f, "an event on {:?} was refused: {reason}", topic.as_str())
            }
        }
    }
}
