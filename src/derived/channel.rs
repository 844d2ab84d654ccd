//! A named view over a bus, for those who publish messages to whoever is there.

use std::fmt;

use crate::bus::{Bus, Emitted, RecvFuture, Subscription, SubscriptionBuilder};
use crate::error::{EmitError, RecvError, SubscribeError, TopicError};
use crate::event::Event;
use crate::pattern::IntoPatterns;
use crate::topic::Topic;

/// A named view over a [`Bus`], in the words of channels: messages are published to everybody who
/// has subscribed, or to a topic.
///
/// | | Reaches |
/// |---|---|
/// | [`publish`](Channel::publish) | every subscription, whatever its patterns; its events have the channel's name as their topic |
/// | [`publish_to`](Channel::publish_to) | the subscriptions with a pattern that matches the topic, and those to everything |
///
/// Filters of subscriptions apply to both, and handlers behind a [`Dispatcher`](crate::Dispatcher) are found
/// by the topic either way. What a subscriber has is a [`Subscription`]: it unsubscribes
/// when it is dropped, and messages come out of it in every way that events do, also by
/// [`receive`](Subscription::receive) and [`receive_async`](Subscription::receive_async).
///
/// It is a handle, like the bus: clones share it, and when the last handle of channel and bus is
/// dropped the channel closes. [`new`](Channel::new) takes the defaults of a bus: at most 64
/// subscribers, one more is an error, and 200 messages in the queue of each, beyond which new ones are
/// dropped and counted. [`over`](Channel::over) takes a bus that was built with other settings. Whatever
/// a channel has no word for is asked of its [`bus`](Channel::bus).
///
/// ```
/// use chanbus::Channel;
///
/// let channel = Channel::new("notifications")?;
/// let everything = channel.subscribe_all()?;
/// let users = channel.subscribe(["user.*", "system.*"])?;
///
/// assert_eq!(channel.publish("Hello subscribers!")?.delivered, 2);
/// assert_eq!(channel.publish_to("user.login", "User logged in")?.delivered, 2);
/// assert_eq!(channel.publish_to("disk.full", "Disk full")?.delivered, 1);
///
/// let message = users.receive()?;
/// assert_eq!((message.topic().as_str(), *message.payload()), ("notifications", "Hello subscribers!"));
/// assert_eq!(*users.receive()?.payload(), "User logged in");
/// assert_eq!((users.len(), everything.len()), (0, 3));
/// # Ok::<(), chanbus::Error>(())
/// ```
pub struct Channel<T: Send + Sync + 'static> {
    name: Topic,
    bus: Bus<T>,
}

impl<T: Send + Sync + 'static> Channel<T> {
    /// A channel over a bus of its own, which has the default settings and the same name.
    ///
    /// # Errors
    ///
    /// A name that is no [topic](Topic): what [`publish`](Channel::publish) sends has it for one.
    ///
    /// ```
    /// # use chanbus::Channel;
    /// let channel: Channel<String> = Channel::new("notifications")?;
    /// assert_eq!(channel.bus().name(), Some("notifications"));
    /// assert!(Channel::<String>::new("my notifications").unwrap_err().to_string().contains("white space"));
    /// # Ok::<(), chanbus::TopicError>(())
    /// ```
    #[track_caller]
    pub fn new(name: impl AsRef<str>) -> Result<Self, TopicError> {
        let name = Topic::new(name)?;
        let bus = Bus::builder().name(name.as_str()).build();
        // The defaults are none that a bus refuses.
        let bus = bus.unwrap_or_default();
        Ok(Channel { name, bus })
    }

    /// A channel over that bus: for other settings, or for a bus that others emit on, too.
    ///
    /// All channels over one bus share its subscriptions: what one of them publishes to all reaches
    /// the subscribers of the others.
    ///
    /// # Errors
    ///
    /// As [`new`](Channel::new).
    ///
    /// ```
    /// use chanbus::{Bus, Channel, Overflow};
    ///
    /// let bus = Bus::builder().capacity(1).overflow(Overflow::DropOldest).max_subscribers(1_000).build()?;
    /// let channel = Channel::over("prices", bus)?;
    /// let sub = channel.subscribe_all()?;
    /// channel.publish(3)?;
    /// channel.publish(4)?;
    /// assert_eq!(*sub.receive()?.payload(), 4);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn over(name: impl AsRef<str>, bus: Bus<T>) -> Result<Self, TopicError> {
        let name = Topic::new(name)?;
        Ok(Channel { name, bus })
    }

    /// Its name, and the topic of what is published to all.
    ///
    /// ```
    /// # use chanbus::Channel;
    /// let channel: Channel<u32> = Channel::new("prices")?;
    /// assert_eq!(channel.name(), "prices");
    /// # Ok::<(), chanbus::TopicError>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> &Topic {
        &self.name
    }

    /// The bus below: for statistics, taps, publishers, batches, a
    /// [`Dispatcher`](crate::Dispatcher), and to [wait](Bus::wait_for) for a message.
    ///
    /// ```
    /// # use chanbus::Channel;
    /// let channel = Channel::new("prices")?;
    /// let sub = channel.subscribe("stock.*")?;
    /// channel.bus().publisher("stock.acme")?.emit_batch([3, 4])?;
    /// assert_eq!(sub.len(), 2);
    /// assert_eq!(channel.bus().stats().emitted, 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn bus(&self) -> &Bus<T> {
        &self.bus
    }

    /// Publishes to every subscriber, whatever its patterns; only filters may say no. Never waits.
    ///
    /// The event's topic is the channel's name. How many subscribers have it is
    /// [`Emitted::delivered`]; those whose queue was full are counted in [`Emitted::dropped`].
    ///
    /// # Errors
    ///
    /// A closed channel, or a [chain](crate::Cause) that is too deep; the message comes back.
    ///
    /// ```
    /// # use chanbus::Channel;
    /// let channel = Channel::new("notifications")?;
    /// let users = channel.subscribe("user.*")?;
    /// assert_eq!(channel.publish("maintenance at noon")?.delivered, 1);
    /// assert_eq!(users.receive()?.topic(), "notifications");
    ///
    /// channel.close();
    /// assert_eq!(channel.publish("too late").unwrap_err().into_payload(), "too late");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn publish(&self, message: T) -> Result<Emitted, EmitError<T>> {
        self.bus.broadcast(&self.name, message)
    }

    /// Publishes to those who asked for that topic. Never waits.
    ///
    /// # Errors
    ///
    /// A text that is no topic, a closed channel, or a chain that is too deep; the message comes back.
    ///
    /// ```
    /// # use chanbus::Channel;
    /// let channel = Channel::new("events")?;
    /// let users = channel.subscribe(["user.*", "system.*"])?;
    /// assert_eq!(channel.publish_to("user.login", "ann")?.delivered, 1);
    /// assert_eq!(channel.publish_to("disk.full", "sda")?.delivered, 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn publish_to(&self, topic: impl AsRef<str>, message: T) -> Result<Emitted, EmitError<T>> {
        self.bus.emit(topic, message)
    }

    /// Subscribes to topics by patterns, as [`Bus::subscribe`] does. What is published to all comes,
    /// too.
    ///
    /// # Errors
    ///
    /// A text that is no pattern, an empty list, a channel with as many subscribers as it may have, or
    /// a closed one.
    ///
    /// ```
    /// # use chanbus::Channel;
    /// let channel: Channel<u32> = Channel::new("events")?;
    /// let sub = channel.subscribe(["user.**", "system.*"])?;
    /// assert!(channel.subscribe("user.[ab]").is_err());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn subscribe(
        &self,
        patterns: impl IntoPatterns,
    ) -> Result<Subscription<T>, SubscribeError> {
        self.bus.subscribe(patterns)
    }

    /// Subscribes to everything that is published, on any topic or to all.
    ///
    /// # Errors
    ///
    /// As [`subscribe`](Channel::subscribe), patterns aside.
    ///
    /// ```
    /// # use chanbus::Channel;
    /// let channel = Channel::new("events")?;
    /// let sub = channel.subscribe_all()?;
    /// channel.publish_to("any.topic", 1)?;
    /// assert_eq!(*sub.receive()?.payload(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn subscribe_all(&self) -> Result<Subscription<T>, SubscribeError> {
        self.bus.subscribe_all()
    }

    /// Begins a subscription with options of its own, as [`Bus::subscription`] does.
    ///
    /// ```
    /// # use chanbus::Channel;
    /// let channel = Channel::new("events")?;
    /// let sub = channel.subscription("user.*").capacity(8).filter(|message| *message.payload() > 1).subscribe()?;
    /// assert_eq!(channel.publish(1)?.filtered, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[track_caller]
    pub fn subscription(&self, patterns: impl IntoPatterns) -> SubscriptionBuilder<'_, T> {
        self.bus.subscription(patterns)
    }

    /// How many subscribers there are.
    ///
    /// ```
    /// # use chanbus::Channel;
    /// let channel: Channel<u32> = Channel::new("events")?;
    /// let _sub = channel.subscribe_all()?;
    /// assert_eq!(channel.subscriber_count(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn subscriber_count(&self) -> usize {
        self.bus.subscriber_count()
    }

    /// Closes the channel, and its bus, for good. Returns `false` if it was closed before.
    /// Subscribers keep what waits for them, and then see the end.
    ///
    /// ```
    /// # use chanbus::Channel;
    /// let channel = Channel::new("events")?;
    /// let sub = channel.subscribe_all()?;
    /// channel.publish(1)?;
    /// assert!(channel.close());
    /// assert!(sub.receive().is_ok());
    /// assert!(sub.receive().is_err());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn close(&self) -> bool {
        self.bus.close()
    }

    /// Whether it, or its bus, was closed.
    ///
    /// ```
    /// # use chanbus::Channel;
    /// let channel: Channel<u32> = Channel::new("events")?;
    /// assert!(!channel.is_closed());
    /// # Ok::<(), chanbus::TopicError>(())
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.bus.is_closed()
    }
}

/// What subscribers of a [`Channel`] call receiving.
impl<T: Send + Sync + 'static> Subscription<T> {
    /// [`recv`](Subscription::recv) in the words of a [`Channel`]: takes the next message, asleep until
    /// there is one.
    ///
    /// # Errors
    ///
    /// As `recv`: the subscription is closed and empty.
    ///
    /// ```
    /// # use chanbus::Channel;
    /// let channel = Channel::new("events")?;
    /// let sub = channel.subscribe_all()?;
    /// channel.publish("hello")?;
    /// assert_eq!(*sub.receive()?.payload(), "hello");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[inline]
    pub fn receive(&self) -> Result<Event<T>, RecvError> {
        self.recv()
    }

    /// [`recv_async`](Subscription::recv_async) in the words of a [`Channel`].
    ///
    /// # Errors
    ///
    /// As `recv_async`: the subscription is closed and empty.
    ///
    /// ```
    /// # use chanbus::Channel;
    /// # use futures_lite::future::block_on;
    /// let channel = Channel::new("events")?;
    /// let sub = channel.subscribe_all()?;
    /// channel.publish("hello")?;
    /// assert_eq!(*block_on(sub.receive_async())?.payload(), "hello");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[inline]
    pub fn receive_async(&self) -> RecvFuture<'_, T> {
        self.recv_async()
    }
}

impl<T: Send + Sync + 'static> Clone for Channel<T> {
    fn clone(&self) -> Self {
        Channel {
            name: self.name.clone(),
            bus: self.bus.clone(),
        }
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Channel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Channel")
            .field("name", &self.name.as_str())
            .field("closed", &self.is_closed())
            .field("subscribers", &self.subscriber_count())
            .finish_non_exhaustive()
    }
}
