//! What a bridge's owner holds.

use std::fmt;
use std::thread::JoinHandle;
use std::time::Duration;

use super::builder::BridgeBuilder;
use super::shared::Shared;
use super::state::{BridgeEvent, BridgeState};
use super::stats::BridgeStats;
use super::stop::{BridgeStopTimeout, BridgeStopped, Order};
use crate::bus::Bus;
use crate::codec::Json;
use crate::handlers::Drain;
use crate::sync::{Arc, Mutex};

/// How long a stop that does not drain waits for what the bridge's thread does just now.
const GRACE: Duration = Duration::from_secs(1);

/// A bridge between a [`Bus`] and other processes, by a [NATS](https://nats.io) server.
///
/// What it [exports](BridgeBuilder::export) goes to the server, and on to all who ask for it; what it
/// [imports](BridgeBuilder::import) is emitted on its bus. Others may be bridges like it, in other processes, or
/// plain NATS clients in any language. Dropping it stops it.
///
/// ```no_run
/// use std::time::Duration;
/// use chanbus::{Bridge, Bus, Drain};
///
/// let bus: Bus<String> = Bus::new();
/// let bridge = Bridge::builder(&bus)
///     .servers(["nats://127.0.0.1:4222"])
///     .prefix("shop.eu")
///     .export("order.*")
///     .import(["stock.**", "price.*"])
///     .start()?;
///
/// if !bridge.wait_connected(Duration::from_secs(5)) {
///     eprintln!("no server yet; what is emitted waits for it");
/// }
/// bus.emit("order.placed", "one book".to_owned())?; // on NATS: shop.eu.order.placed
///
/// bridge.stop(Drain::Within(Duration::from_secs(5)))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # On the wire
///
/// A topic becomes a NATS subject: see [`SubjectMapping`](crate::SubjectMapping). The payload becomes bytes by a
/// [`Codec`](crate::Codec), JSON unless told otherwise. Timestamp, source, metadata and cause go in headers: see
/// [`Envelope`](crate::Envelope). A message without them is an event, too: one of now. Extensions stay here.
///
/// # Never in the way
///
/// A bridge is a subscription as any other, with a thread of its own that reads it: an emit does no more for it than
/// for any subscriber, whether the server is there, slow, or away. What cannot go waits in the queue, up to its
/// [capacity](BridgeBuilder::capacity); then the queue's [overflow](BridgeBuilder::overflow) decides, and counts. A
/// connection that breaks is made again, at once and then at growing intervals; one on which nothing is heard for half a
/// minute, though the bridge asks, counts as broken.
/// What comes faster than it can be imported waits in the client, up to 131,072 messages for each import; what is beyond is
/// dropped there, told as [`Trouble`](crate::BridgeEvent::Trouble), and counted as [missed](crate::ImportStats::missed) if a
/// bridge sent it.
///
/// Filters, taps and destructors on the bus run on the bridge's threads for the events that it imports. One that
/// blocks holds up the bridge, and nobody else.
///
/// # What is guaranteed
///
/// | | Plain | With [JetStream](BridgeBuilder::jetstream) |
/// |---|---|---|
/// | An event that is exported arrives | at most once | at least once, if the process lives until it is confirmed |
/// | It is lost | when the connection breaks while it is on its way; when the one who imports is not connected at that moment; when his queues are full | when the process ends before it is confirmed; when his queues stay full for longer than [the bridge's patience](crate::JetStream::patience); when his process ends while it waits in his queues, or nobody there has subscribed to it |
/// | Losses are counted | by the one who exports as [in doubt](crate::ExportStats::in_doubt), exactly by the one who imports as [missed](crate::ImportStats::missed), as long as his bridge lives: while nobody imports, nobody counts | queues that are full, as always |
/// | It is emitted twice | never | when a process, or a bridge that was stopped at once, ended after the emit and before its acknowledgement; in a group, once by each of two, also when a connection broke in between; see below |
/// | The order of one thread's events | kept between bridges; of messages of plain clients, for each import pattern | kept for each import pattern while the connection lasts; what is sent again comes late |
///
/// *Confirmed* means: the server said that it has the message. It does not say that anybody read it.
///
/// What a process has in its queue is gone with the process. Events that must survive it belong into a database
/// first: see [`Outbox`](crate::Outbox).
///
/// *Arrives* means: it is emitted on the other bus, and in the queues of all who have subscribed there by then. Of what
/// they do with it a bridge knows nothing. So subscribe before the bridge is started: what it imports for nobody is
/// counted as imported, and gone.
///
/// **Sums.** When nothing moves, [`stats`](Bridge::stats) add up: every event that matched was skipped, dropped,
/// conflated, refused, confirmed, denied, is in doubt, or waits. Between two bridges whose import pattern includes the other's
/// export pattern, what one sent is what the other received and missed, counted from when they first heard of each
/// other. A loss is seen when the next message or the next control message comes: bridges exchange these when one of
/// them connects, and some milliseconds after the last event. What is lost with the very last words of a process that
/// ends is not known to anyone.
///
/// # No loops
///
/// A bridge exports no event that came by a bridge, this or another; [`Imported`](crate::Imported) marks them. It
/// imports no message that it sent itself: each carries its sender, the bridge's [origin](Bridge::origin). So two or
/// ten processes may export and import the same patterns, and each has each event once.
///
/// The server returns to a bridge what it sends and is subscribed to itself, which is dropped at once; where traffic
/// is dear, keep what is exported and what is imported apart.
///
/// # JetStream
///
/// With [`BridgeBuilder::jetstream`] messages go by a stream that the server keeps, on its disk unless told otherwise.
///
/// - The one who exports keeps each message until the server has acknowledged it, and sends it again until
///   then, by the same `Nats-Msg-Id`: the stream knows it again for two minutes
///   ([`duplicate_window`](crate::JetStream::duplicate_window)).
/// - The one who imports has a durable consumer for each subject it imports, by its [name](BridgeBuilder::name), or
///   the group's: it goes on where it stopped, after a restart of either side. A message is acknowledged after it
///   was emitted here and not before, that is, when it is in the queues of all subscriptions that match. What is in
///   those queues when the process is killed does not come again: keep them short, if that hurts.
/// - A bridge with another name, prefix or import has another consumer, and begins as one that comes for the first time
///   ([`from_the_beginning`](crate::JetStream::from_the_beginning)). The old one stays on the server, as it was, until
///   somebody deletes it; so does one that is in use keep the [`ack_wait`](crate::JetStream::ack_wait) it was made with.
/// - A message that comes twice while the bridge lives is emitted once. One whose acknowledgement the server had not
///   heard when the process ended, or had not written down when it was killed itself in between, is emitted again by
///   the next. Who cannot have that keeps what he
///   did in mind, by a number of his own in the payload or in the metadata.
/// - *Stored* is what the server means by it: a server that is killed keeps what it has acknowledged; a machine that
///   loses its power may lose the last of it, unless the stream has [replicas](crate::JetStream::replicas).
/// - Bridges that extend the same stream at the same moment may take each other's subjects off it again. One that exports
///   sees that the stream does not take its messages, and adds them; one that only imports notices late. So make a stream for
///   many beforehand, or start them one after the other.
/// - Bridges with and without a stream, and plain clients, hear each other, if the subjects are the same: the stream
///   takes what anybody publishes there, and the server gives what goes to the stream to plain subscribers, too. What is
///   sent again comes to these again: a plain bridge knows it by its id, of which it has the last some thousands in mind,
///   and others have to do the same.
///
/// # Groups
///
/// Of bridges with the same [queue group](BridgeBuilder::queue_group) and the same imports, one gets each message. The
/// bus that an event was emitted on has it in any case, and if the server picks the very bridge that sent it, no
/// other has: keep those who emit and those who share the work apart.
///
/// A plain member that stops loses what is on its way to it at that moment, and nobody counts that: the server has
/// given it to this member and to no other. With JetStream it comes to another one.
///
/// With JetStream each bridge of a group still has a [name](BridgeBuilder::name) of its own. What a bridge with
/// JetStream sends again may go to another member of a plain group than at first, which then has it, too.
///
/// # Whom it trusts
///
/// Whoever may publish on the subjects may make up events, with any time, source and cause; and numbers, so that
/// [`missed`](crate::ImportStats::missed) counts losses that were none; and in a stream take the next id of another
/// bridge, so that the server holds that one's message for a copy. None of this ends a bridge or makes it grow without
/// bounds. Secrets are given to the client and never logged; give users permissions no wider than they need.
///
/// # Permissions
///
/// Beside the mapped subjects a bridge publishes and subscribes to `_CHANBUS.>`, where bridges tell each
/// other how far they have come; with JetStream also to `$JS.API.>`, `$JS.ACK.>` and `_INBOX.>`.
///
/// What the server refuses for lack of one is told as [`Trouble`](crate::BridgeEvent::Trouble). A bridge whose import is
/// refused is connected all the same. A plain message that is refused counts as
/// [denied](crate::ExportStats::denied); one for a stream is sent again until it may be. Where permissions are narrow,
/// look at [`states`](Bridge::states).
///
/// # When the bus closes
///
/// The bridge sends what waits, once it has its server, and stops. One that only imports stops when the next message
/// comes, which in JetStream mode is left to the next bridge of that name.
///
/// # Not a wire of its own
///
/// Who wants requests and replies, key-value stores or another server than NATS has the bus: a task that reads a
/// subscription, and one that emits, are a bridge, too.
pub struct Bridge<T: Send + Sync + 'static> {
    pub(super) shared: Arc<Shared<T>>,
    pub(super) linger: Duration,
    /// Until it has ended, and been waited for.
    pub(super) thread: Mutex<Option<JoinHandle<()>>>,
}

impl<T: Send + Sync + 'static> Bridge<T> {
    /// Begins a bridge of that bus. It does not keep the bus open, and takes one of its slots for subscriptions if it
    /// exports anything.
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// let bridge = Bridge::builder(&bus).export("order.*").start()?;
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    #[track_caller]
    pub fn builder(bus: &Bus<T>) -> BridgeBuilder<T, Json> {
        BridgeBuilder::new(bus)
    }

    /// Whether it has its server, as far as is known: a connection that breaks is noticed at once, and a server that has
    /// stopped answering, or a cable that was pulled, after half a minute. Until then
    /// [`unconfirmed`](crate::ExportStats::unconfirmed) stands still, and the queue fills.
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// let nowhere = ["nats://127.0.0.1:1"];
    /// let bridge = Bridge::builder(&bus).servers(nowhere).export("order.*").start()?;
    /// assert!(!bridge.state().is_connected());
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    #[must_use]
    pub fn state(&self) -> BridgeState {
        self.shared.link.state()
    }

    /// Waits until the server answers and has the bridge's subscriptions, and the stream and its consumers, if there
    /// is to be one; `false` when the time is over, or when the bridge has stopped.
    ///
    /// Nothing depends on it: events that are emitted before wait in the queue.
    ///
    /// ```
    /// use std::time::Duration;
    /// # use chanbus::{Bridge, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// let nowhere = ["nats://127.0.0.1:1"];
    /// let bridge = Bridge::builder(&bus).servers(nowhere).export("order.*").start()?;
    /// assert!(!bridge.wait_connected(Duration::from_millis(10)));
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    #[must_use]
    pub fn wait_connected(&self, timeout: Duration) -> bool {
        self.shared.link.wait_up(timeout)
    }

    /// The bus on which the bridge says what happens to it: [`BridgeEvent`] lists the topics.
    ///
    /// Its last 64 events are kept for a [replay](crate::SubscriptionBuilder::replay). It is closed when the bridge
    /// has stopped, and cannot be subscribed to any more: who wants its last words subscribes before. Its taps and filters
    /// run on the bridge's thread.
    ///
    /// What is dropped or missed is not told here, only counted: look at [`stats`](Bridge::stats) from time to time.
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// let bridge = Bridge::builder(&bus).export("order.*").start()?;
    /// let states = bridge.states().subscription("bridge.*").replay(64).subscribe()?;
    /// std::thread::spawn(move || {
    ///     for event in &states {
    ///         println!("{}", event.payload());
    ///     }
    /// });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn states(&self) -> &Bus<BridgeEvent> {
        self.shared.link.states()
    }

    /// What it has counted.
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// let bridge = Bridge::builder(&bus).import("stock.*").start()?;
    /// assert_eq!(bridge.stats().import.imported, 0);
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    #[must_use]
    pub fn stats(&self) -> BridgeStats {
        self.shared.stats()
    }

    /// By what others know its messages: its [name](BridgeBuilder::name), if it has one, a slash, and a number of
    /// this start of it.
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// let bridge = Bridge::builder(&bus).name("till-1").export("order.*").start()?;
    /// assert!(bridge.origin().starts_with("till-1/"));
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    #[must_use]
    pub fn origin(&self) -> &str {
        self.shared.origin.as_str()
    }

    /// Stops, for good: a new bridge is a new start.
    ///
    /// Draining, it takes nothing more from the bus, sends what waits, waits until the server has confirmed all,
    /// unsubscribes, emits what had come, and returns. Without a server that takes as long as the server is away:
    /// use [`Drain::Within`]. With [`Drain::Now`] it does none of this. In JetStream mode one event that waits for room
    /// in a full queue just then is still emitted, within the bridge's [patience](crate::JetStream::patience); it and
    /// the few before it are not acknowledged, and come to the next bridge of that name again.
    ///
    /// Called by a filter or tap for an event that the bridge itself emits, it does not wait, and the bridge
    /// stops after that. Stops at the same time wait for one end, the hastiest of them. One that has
    /// stopped says so at once.
    ///
    /// # Errors
    ///
    /// The deadline has passed. The bridge has stopped then, too, and what is left is not sent.
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus, Drain};
    /// # let bus: Bus<u32> = Bus::new();
    /// let bridge = Bridge::builder(&bus).import("stock.*").start()?;
    /// let stopped = bridge.stop(Drain::Now)?;
    /// assert_eq!(stopped.left, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn stop(&self, drain: Drain) -> Result<BridgeStopped, BridgeStopTimeout> {
        let ending = &self.shared.ending;
        ending.order(match drain {
            Drain::All | Drain::Within(_) => Order::Drain,
            Drain::Now => Order::Now,
        });
        if ending.is_inside() {
            return Ok(self.stopped(true));
        }
        match drain {
            Drain::All => {
                ending.wait(None);
            }
            Drain::Now => {
                let ended = ending.wait(Some(GRACE));
                if ended {
                    self.join();
                }
                return Ok(self.stopped(!ended));
            }
            Drain::Within(time) => {
                if !ending.wait(Some(time)) {
                    ending.order(Order::Now);
                    // So that what is reported is the end of it.
                    if ending.wait(Some(GRACE)) {
                        self.join();
                    }
                    let export = self.stats().export;
                    return Err(BridgeStopTimeout {
                        left: export.waiting,
                        in_doubt: export.in_doubt + export.unconfirmed,
                    });
                }
            }
        }
        self.join();
        Ok(self.stopped(false))
    }

    /// The thread has done its work; what it holds of the user's goes now.
    fn join(&self) {
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            // It catches what panics; whatever is left is not the caller's.
            let _ = thread.join();
        }
    }

    fn stopped(&self, pending: bool) -> BridgeStopped {
        BridgeStopped {
            left: self.stats().export.waiting,
            pending,
        }
    }
}

/// Stops: a bridge that is connected sends what waits, for one second at most unless told otherwise
/// ([`BridgeBuilder::linger`]).
impl<T: Send + Sync + 'static> Drop for Bridge<T> {
    fn drop(&mut self) {
        let drain = if self.state().is_connected() {
            Drain::Within(self.linger)
        } else {
            Drain::Now
        };
        // What it was too late for is in the counts.
        let _ = self.stop(drain);
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Bridge<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge")
            .field("origin", &self.origin())
            .field("state", &self.state())
            .field("export", &self.shared.exports)
            .field("import", &self.shared.imports)
            .finish_non_exhaustive()
    }
}
