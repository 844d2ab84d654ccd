//! What a bridge has counted.

use std::fmt;

/// What a [`Bridge`](crate::Bridge) has counted so far.
///
/// ```
/// # use chanbus::{Bridge, Bus};
/// # let bus: Bus<u32> = Bus::new();
/// let bridge = Bridge::builder(&bus).export("order.*").start()?;
/// bus.emit("order.placed", 1)?;
/// let export = bridge.stats().export;
/// assert_eq!(export.matched, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BridgeStats {
    /// What went out.
    pub export: ExportStats,
    /// What came in.
    pub import: ImportStats,
    /// How often the bridge was connected.
    pub connects: u64,
}

/// In one line, for a log or a status bar.
///
/// ```
/// # use chanbus::BridgeStats;
/// let line = BridgeStats::default().to_string();
/// assert_eq!(line, "sent 0 (0 confirmed, 0 in doubt), 0 waiting, 0 dropped; imported 0, 0 missed, 0 dropped");
/// ```
impl fmt::Display for BridgeStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (export, import) = (&self.export, &self.import);
        write!(
            f,
            "sent {} ({} confirmed, {} in doubt), {} waiting, {} dropped",
            export.sent, export.confirmed, export.in_doubt, export.waiting, export.dropped
        )?;
        for (count, what) in [(export.refused, "refused"), (export.denied, "denied")] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        write!(
            f,
            "; imported {}, {} missed, {} dropped",
            import.imported, import.missed, import.dropped
        )?;
        for (count, what) in [
            (import.undecodable, "no events"),
            (import.refused, "refused"),
        ] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}

/// What became of the events that a bridge is to send.
///
/// When nothing moves: `matched = skipped + dropped + conflated + waiting + refused + sent`, and
/// `sent = confirmed + denied + in_doubt + unconfirmed`.
///
/// ```
/// # use chanbus::{Bridge, Bus};
/// # let bus: Bus<u32> = Bus::new();
/// let bridge = Bridge::builder(&bus).export("order.*").capacity(1).start()?;
/// let export = bridge.stats().export;
/// let known = export.confirmed + export.denied + export.in_doubt;
/// assert_eq!(export.sent, known + export.unconfirmed);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ExportStats {
    /// Events whose topics match an export pattern, and all of [`Bus::broadcast`](crate::Bus::broadcast).
    pub matched: u64,
    /// Of these, those that came by a bridge, and go out by none; and of broadcast ones, those whose topics match no
    /// export pattern.
    pub skipped: u64,
    /// Those that the queue had no room for: its [overflow](crate::BridgeBuilder::overflow).
    pub dropped: u64,
    /// Those under [`Overflow::Latest`](crate::Overflow::Latest) that a later one replaced.
    pub conflated: u64,
    /// Those that wait to be sent.
    pub waiting: u64,
    /// Those that cannot be sent: no codec made bytes of them, their topic is refused, or they are too large.
    pub refused: u64,
    /// Those that were sent.
    pub sent: u64,
    /// Those that the server has: it said so, in JetStream mode of each, else of all that it has read.
    pub confirmed: u64,
    /// Those that the server refused, as the user may not publish on their subjects; as far as the client told, which drops
    /// what it is told too fast. With JetStream they are sent again and again instead, until they may.
    pub denied: u64,
    /// Those that were on their way when the connection broke: the server may have had them, or not. In JetStream
    /// mode they are sent again, and only a bridge that has stopped has any.
    pub in_doubt: u64,
    /// Those that are on their way.
    pub unconfirmed: u64,
    /// How often a message was sent again, in JetStream mode.
    pub resent: u64,
}

/// What became of the messages that a bridge received.
///
/// `received = imported + own + unwanted + undecodable + refused + duplicates`.
///
/// ```
/// # use chanbus::ImportStats;
/// fn adds_up(import: &ImportStats) -> bool {
///     import.received
///         == import.imported
///             + import.own
///             + import.unwanted
///             + import.undecodable
///             + import.refused
///             + import.duplicates
/// }
/// assert!(adds_up(&ImportStats::default()));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ImportStats {
    /// Messages that came.
    pub received: u64,
    /// Those that were emitted here.
    pub imported: u64,
    /// Those that this bridge had sent itself.
    pub own: u64,
    /// Those that no import pattern asks for, subscribed to because NATS cannot say the pattern exactly.
    pub unwanted: u64,
    /// Those that are no events: see [`BridgeEvent::Undecodable`](crate::BridgeEvent::Undecodable).
    pub undecodable: u64,
    /// Those that the bus here refused, as their chain of causes is too deep.
    pub refused: u64,
    /// Those that had been imported before, of bridges in JetStream mode, which send until they have heard.
    pub duplicates: u64,
    /// Messages of other bridges that did not come.
    ///
    /// Each bridge numbers what it sends, for each of its export patterns. What is missing between two
    /// numbers that came, or behind the last, is counted here, for export patterns that are
    /// included in one of this bridge's import patterns. It counts from the first that was heard of
    /// the other bridge. What is still on its way may be counted for a moment. Neither in a queue group nor in JetStream mode is
    /// anything counted.
    pub missed: u64,
    /// Of events that were imported, what the queues of subscriptions here had no room for.
    pub dropped: u64,
}
