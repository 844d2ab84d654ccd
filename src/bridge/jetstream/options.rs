//! What can be chosen of the durable mode.

use std::time::Duration;

use crate::bridge::error::BridgeError;

/// What is shorter than that may be nothing for the server.
const SHORTEST: Duration = Duration::from_millis(1);

/// The durable mode of a [`Bridge`](crate::Bridge): by a stream that the server keeps.
///
/// Given to [`BridgeBuilder::jetstream`](crate::BridgeBuilder::jetstream).
///
/// ```
/// use std::time::Duration;
/// use chanbus::{Bridge, Bus, JetStream};
///
/// let bus: Bus<u32> = Bus::new();
/// let stream = JetStream::stream("SHOP").max_age(Duration::from_secs(7 * 24 * 3600));
/// let bridge = Bridge::builder(&bus)
///     .name("till-1")
///     .export("order.*")
///     .import("stock.*")
///     .jetstream(stream)
///     .start()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JetStream {
    pub(in crate::bridge) stream: String,
    pub(super) create: bool,
    pub(super) memory: bool,
    pub(super) max_age: Duration,
    pub(super) max_bytes: i64,
    pub(super) replicas: usize,
    pub(super) duplicate_window: Duration,
    pub(super) everything: bool,
    pub(super) ack_wait: Duration,
    pub(in crate::bridge) patience: Duration,
}

impl JetStream {
    /// By the stream of that name.
    ///
    /// It is made if the server has none, in a file, with the subjects of all that the bridge exports and imports;
    /// subjects that it lacks are added. Its other settings are those of the bridge that made it.
    ///
    /// A server has each subject in one stream only. So bridges that share events name the same stream; two streams
    /// that overlap are refused, and the bridge that came second does not connect, and says why
    /// ([`Trouble`](crate::BridgeEvent::Trouble)).
    ///
    /// ```
    /// # use chanbus::JetStream;
    /// let stream = JetStream::stream("SHOP");
    /// # drop(stream);
    /// ```
    #[must_use]
    pub fn stream(name: impl Into<String>) -> Self {
        JetStream {
            stream: name.into(),
            create: true,
            memory: false,
            max_age: Duration::ZERO,
            max_bytes: -1,
            replicas: 1,
            duplicate_window: Duration::from_secs(120),
            everything: false,
            ack_wait: Duration::from_secs(10),
            patience: Duration::from_secs(3),
        }
    }

    /// The stream is there, with all subjects that are wanted: neither made nor changed. If it lacks one that is imported,
    /// the bridge does not connect; if one that is exported, it is sent in vain until the stream has it. Either is told
    /// as [`Trouble`](crate::BridgeEvent::Trouble).
    ///
    /// ```
    /// # use chanbus::JetStream;
    /// let stream = JetStream::stream("SHOP").existing();
    /// # drop(stream);
    /// ```
    #[must_use]
    pub fn existing(mut self) -> Self {
        self.create = false;
        self
    }

    /// A stream in the server's memory, which ends with the server: not durable, and faster.
    ///
    /// ```
    /// # use chanbus::JetStream;
    /// let stream = JetStream::stream("SHOP").in_memory();
    /// # drop(stream);
    /// ```
    #[must_use]
    pub fn in_memory(mut self) -> Self {
        self.memory = true;
        self
    }

    /// How long the stream keeps a message, a millisecond at least. For ever, unless told otherwise (or zero): then give
    /// [`max_bytes`](JetStream::max_bytes). The server refuses less than the
    /// [`duplicate_window`](JetStream::duplicate_window), so for less than two minutes give that, too.
    ///
    /// ```
    /// # use chanbus::JetStream;
    /// let stream = JetStream::stream("SHOP").max_age(std::time::Duration::from_secs(3600));
    /// # drop(stream);
    /// ```
    #[must_use]
    pub fn max_age(mut self, time: Duration) -> Self {
        self.max_age = time;
        self
    }

    /// How large the stream may grow, in bytes, one at least; its oldest messages go first. Without bounds unless told
    /// otherwise.
    ///
    /// ```
    /// # use chanbus::JetStream;
    /// let stream = JetStream::stream("SHOP").max_bytes(1 << 30);
    /// # drop(stream);
    /// ```
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self
    }

    /// On how many servers of a cluster it is kept, 1 to 5; on one unless told otherwise.
    ///
    /// ```
    /// # use chanbus::JetStream;
    /// let stream = JetStream::stream("SHOP").replicas(3);
    /// # drop(stream);
    /// ```
    #[must_use]
    pub fn replicas(mut self, servers: usize) -> Self {
        self.replicas = servers;
        self
    }

    /// For how long the stream knows a message again that is sent twice; two minutes unless told otherwise. A
    /// bridge sends again what was not acknowledged when the connection broke: after an outage that is longer
    /// than this, some of it may be in the stream twice.
    ///
    /// ```
    /// # use chanbus::JetStream;
    /// let stream = JetStream::stream("SHOP").duplicate_window(std::time::Duration::from_secs(600));
    /// # drop(stream);
    /// ```
    #[must_use]
    pub fn duplicate_window(mut self, time: Duration) -> Self {
        self.duplicate_window = time;
        self
    }

    /// A bridge that comes for the first time gets all that the stream has. Unless told so, it
    /// gets what comes from then on. One that was there before goes on where it stopped, either way.
    ///
    /// ```
    /// # use chanbus::JetStream;
    /// let stream = JetStream::stream("SHOP").from_the_beginning();
    /// # drop(stream);
    /// ```
    #[must_use]
    pub fn from_the_beginning(mut self) -> Self {
        self.everything = true;
        self
    }

    /// How long the server waits for the acknowledgement of a message that it has handed out, before it
    /// hands it out again; ten seconds unless told otherwise. So long, too, some messages wait after a connection
    /// broke while the server was handing them out.
    ///
    /// ```
    /// # use chanbus::JetStream;
    /// let stream = JetStream::stream("SHOP").ack_wait(std::time::Duration::from_secs(5));
    /// # drop(stream);
    /// ```
    #[must_use]
    pub fn ack_wait(mut self, time: Duration) -> Self {
        self.ack_wait = time;
        self
    }

    /// What the server would take for another setting, mostly for its default, is refused here.
    pub(in crate::bridge) fn check(&self) -> Result<(), BridgeError> {
        let bad = |setting, wants| Err(BridgeError::BadStream { setting, wants });
        if !(1..=5).contains(&self.replicas) {
            return bad("replicas", "1 to 5 servers");
        }
        if self.max_bytes == 0 {
            return bad(
                "max_bytes",
                "one byte at least; leave it out for a stream without bounds",
            );
        }
        if self.ack_wait < SHORTEST {
            return bad("ack_wait", "a millisecond at least");
        }
        if self.duplicate_window < SHORTEST {
            return bad("duplicate_window", "a millisecond at least");
        }
        if !self.max_age.is_zero() && self.max_age < SHORTEST {
            return bad("max_age", "a millisecond at least, or zero for ever");
        }
        Ok(())
    }

    /// The server refuses a stream that knows messages for longer than it keeps them.
    pub(super) fn known_for(&self) -> Duration {
        if self.max_age.is_zero() {
            self.duplicate_window
        } else {
            self.duplicate_window.min(self.max_age)
        }
    }

    /// How long an event that came waits for room in the queues of subscriptions here that are full, before it
    /// counts there as dropped; three seconds unless told otherwise. Meanwhile the bridge takes no more from the stream
    /// than it holds already, and the server is told that none of it is forgotten.
    ///
    /// ```
    /// # use chanbus::JetStream;
    /// let stream = JetStream::stream("SHOP").patience(std::time::Duration::from_secs(1));
    /// # drop(stream);
    /// ```
    #[must_use]
    pub fn patience(mut self, time: Duration) -> Self {
        self.patience = time;
        self
    }
}
