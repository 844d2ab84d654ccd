//! A bridge in the making.

mod reach;
mod start;

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use crate::bridge::access::Access;
use crate::bridge::jetstream::JetStream;
use crate::bridge::subject::Escape;
use crate::bridge::{DEFAULT_BRIDGE_CAPACITY, DEFAULT_IN_FLIGHT};
use crate::bus::{Bus, Overflow};
use crate::codec::Json;
use crate::error::PatternsError;
use crate::pattern::{IntoPatterns, Pattern};

/// How long a bridge that is dropped sends on, unless told otherwise.
const LINGER: Duration = Duration::from_secs(1);

/// A bridge in the making: made by [`Bridge::builder`](crate::Bridge::builder), ended by [`start`](BridgeBuilder::start), which says what is
/// wrong with what was given.
///
/// ```
/// # use chanbus::{Bridge, BridgeBuilder, Bus};
/// # let bus: Bus<u32> = Bus::new();
/// let builder: BridgeBuilder<u32> = Bridge::builder(&bus).prefix("shop.eu");
/// let bridge = builder.export("order.*").start()?;
/// # Ok::<(), chanbus::BridgeError>(())
/// ```
#[must_use = "a bridge is only there when it was started"]
pub struct BridgeBuilder<T: Send + Sync + 'static, C = Json> {
    bus: Bus<T>,
    codec: C,
    access: Access,
    exports: Vec<Pattern>,
    imports: Vec<Pattern>,
    bad_patterns: Option<PatternsError>,
    prefix: Option<String>,
    escape: Escape,
    name: Option<String>,
    location: &'static Location<'static>,
    group: Option<String>,
    capacity: usize,
    overflow: Overflow,
    in_flight: usize,
    linger: Duration,
    jetstream: Option<JetStream>,
}

impl<T: Send + Sync + 'static> BridgeBuilder<T, Json> {
    #[track_caller]
    pub(in crate::bridge) fn new(bus: &Bus<T>) -> Self {
        BridgeBuilder {
            bus: bus.clone(),
            codec: Json,
            access: Access::default(),
            exports: Vec::new(),
            imports: Vec::new(),
            bad_patterns: None,
            prefix: None,
            escape: Escape::default(),
            name: None,
            location: Location::caller(),
            group: None,
            capacity: DEFAULT_BRIDGE_CAPACITY,
            overflow: Overflow::default(),
            in_flight: DEFAULT_IN_FLIGHT,
            linger: LINGER,
            jetstream: None,
        }
    }
}

impl<T: Send + Sync + 'static, C> BridgeBuilder<T, C> {
    /// Which events go out: those whose topics match one of these patterns, in the bus's
    /// [syntax](crate::BusBuilder::syntax). Called again, it adds.
    ///
    /// An event that came by a bridge goes out by none; one by [`Bus::broadcast`] goes out if its topic matches.
    ///
    /// These are patterns of the bus, not NATS': all below `order` is `order.**`. In `order.>` the `>` is plain text, and
    /// matches only the topic `order.>`.
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// let bridge = Bridge::builder(&bus).export("order.*").export(["stock.**", "price.*"]).start()?;
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    pub fn export(mut self, patterns: impl IntoPatterns) -> Self {
        match patterns.into_patterns(self.bus.syntax()) {
            Ok(patterns) => add(&mut self.exports, patterns),
            Err(error) => self.bad_patterns = self.bad_patterns.or(Some(error)),
        }
        self
    }

    /// Which events come in, by patterns of the bus, too: those whose subjects are topics that match. Called again, it
    /// adds. An event that several patterns match comes once.
    ///
    /// Patterns that NATS cannot say are subscribed to more broadly, and the rest is left here: see
    /// [`SubjectMapping`](crate::SubjectMapping). Without a [prefix](BridgeBuilder::prefix) `**` asks for everything that is said on that
    /// server.
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// let bridge = Bridge::builder(&bus).export("order.*").import("stock.**").start()?;
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    pub fn import(mut self, patterns: impl IntoPatterns) -> Self {
        match patterns.into_patterns(self.bus.syntax()) {
            Ok(patterns) => add(&mut self.imports, patterns),
            Err(error) => self.bad_patterns = self.bad_patterns.or(Some(error)),
        }
        self
    }

    /// What all subjects begin with, so that several applications can use one server; nothing unless told
    /// otherwise. Bridges with the same prefix see each other's events.
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// let bridge = Bridge::builder(&bus).export("order.*").prefix("shop.eu").start()?;
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// What is done with topics that are no plain subjects; they are escaped unless told otherwise.
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus, Escape};
    /// # let bus: Bus<u32> = Bus::new();
    /// let bridge = Bridge::builder(&bus).export("order.*").escape(Escape::Refuse).start()?;
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    pub fn escape(mut self, escape: Escape) -> Self {
        self.escape = escape;
        self
    }

    /// How payloads become bytes, and back; as JSON unless told otherwise.
    ///
    /// ```
    /// use chanbus::{BoxError, Bridge, Bus, Codec, Event, Topic};
    ///
    /// struct Plain;
    ///
    /// impl Codec<String> for Plain {
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
    /// let bus: Bus<String> = Bus::new();
    /// let bridge = Bridge::builder(&bus).codec(Plain).export("log.*").start()?;
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    pub fn codec<D>(self, codec: D) -> BridgeBuilder<T, D> {
        BridgeBuilder {
            bus: self.bus,
            codec,
            access: self.access,
            exports: self.exports,
            imports: self.imports,
            bad_patterns: self.bad_patterns,
            prefix: self.prefix,
            escape: self.escape,
            name: self.name,
            location: self.location,
            group: self.group,
            capacity: self.capacity,
            overflow: self.overflow,
            in_flight: self.in_flight,
            linger: self.linger,
            jetstream: self.jetstream,
        }
    }

    /// By a stream that the server keeps: see [Bridge](crate::Bridge#jetstream). It wants a [name](BridgeBuilder::name).
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus, JetStream};
    /// # let bus: Bus<u32> = Bus::new();
    /// let stream = JetStream::stream("SHOP");
    /// let bridge = Bridge::builder(&bus).name("till-1").export("order.*").jetstream(stream).start()?;
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    pub fn jetstream(mut self, stream: JetStream) -> Self {
        self.jetstream = Some(stream);
        self
    }

    /// By what name it is known: to the server, to other bridges, and to those who look at the bus, where its subscription is
    /// called so (`bridge` without a name). Two bridges of one name take each other's
    /// messages for their own, so each process wants one of its own, the same after each start. Without
    /// one, a bridge knows its own messages of this start only, which does where the server keeps none.
    ///
    /// It has printable ASCII characters, no blanks, and none of `.`, `*`, `>`, `/` and `\`; so have a queue group and a
    /// stream.
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// let bridge = Bridge::builder(&bus).export("order.*").name("till-1").start()?;
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// With whom it shares what it imports: of all bridges of that group, one gets each message. All of them
    /// want the same imports.
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// let bridge = Bridge::builder(&bus).export("order.*").import("job.*").queue_group("workers").start()?;
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    pub fn queue_group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// How many events wait for the server; 10,000 ([`DEFAULT_BRIDGE_CAPACITY`]) unless told otherwise.
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// let bridge = Bridge::builder(&bus).export("order.*").capacity(100_000).start()?;
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    pub fn capacity(mut self, events: usize) -> Self {
        self.capacity = events;
        self
    }

    /// What is done with an event when as many wait; the new one is dropped, and counted, unless told otherwise.
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus, Overflow};
    /// # let bus: Bus<u32> = Bus::new();
    /// let bridge = Bridge::builder(&bus).export("price.*").overflow(Overflow::Latest).start()?;
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    /// How many messages may be on their way, sent and not yet confirmed; 8,192 ([`DEFAULT_IN_FLIGHT`]) unless told
    /// otherwise. So many are in doubt at most when a connection breaks; and so many, over the time that the server
    /// takes to answer, is the most that is sent in that time.
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// let bridge = Bridge::builder(&bus).export("order.*").in_flight(1_000).start()?;
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    pub fn in_flight(mut self, messages: usize) -> Self {
        self.in_flight = messages;
        self
    }

    /// How long it sends on when it is dropped while it is connected; one second unless told otherwise.
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// # use std::time::Duration;
    /// let bridge = Bridge::builder(&bus).export("order.*").linger(Duration::from_secs(5)).start()?;
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    pub fn linger(mut self, time: Duration) -> Self {
        self.linger = time;
        self
    }
}

fn add(patterns: &mut Vec<Pattern>, more: Vec<Pattern>) {
    for pattern in more {
        if !patterns.contains(&pattern) {
            patterns.push(pattern);
        }
    }
}

impl<T: Send + Sync + 'static, C> fmt::Debug for BridgeBuilder<T, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BridgeBuilder")
            .field("access", &self.access)
            .field("export", &self.exports)
            .field("import", &self.imports)
            .field("prefix", &self.prefix)
            .finish_non_exhaustive()
    }
}
