//! A bus of what a mapping makes of the events of another.

use crate::{Bus, Event, Pattern};

impl<T: Send + Sync + 'static> Bus<T> {
    /// A bus of what `map` makes of each event, also of another type or on another topic.
    ///
    /// What an event carries goes along if the new one is made from it: by
    /// [`with_payload`](Event::with_payload) or [`map_payload`](Event::map_payload), which keep
    /// topic, timestamp, source, metadata, extensions and cause (so for the payload alone:
    /// `|event| event.map_payload(|payload| ..)`), or by
    /// [`with_topic`](Event::with_topic), which keeps all but the topic. Otherwise as
    /// [`filtered`](Bus::filtered).
    ///
    /// ```
    /// # use chanbus::{Bus, Topic};
    /// let bus: Bus<&str> = Bus::new();
    /// let lengths = bus.mapped(|event| event.map_payload(|text| text.len()));
    /// let sub = lengths.subscribe("text.read")?;
    /// bus.event("text.read", "four").source("disk").emit()?;
    /// let event = sub.recv()?;
    /// assert_eq!((*event.payload(), event.source()), (4, Some("disk")));
    ///
    /// let counted = Topic::new("text.counted")?;
    /// let moved = bus.mapped(move |event| event.with_topic(counted.clone(), event.payload().len()));
    /// let sub = moved.subscribe("text.counted")?;
    /// bus.emit("text.read", "seven")?;
    /// assert_eq!(*sub.recv()?.payload(), 5);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use = "a derived bus ends when nobody uses it"]
    #[track_caller]
    pub fn mapped<U: Send + Sync + 'static>(
        &self,
        map: impl Fn(&Event<T>) -> Event<U> + Send + Sync + 'static,
    ) -> Bus<U> {
        self.filter_mapped(move |event| Some(map(event)))
    }

    /// A bus of what `map` makes of those events for which it makes something:
    /// [`filtered`](Bus::filtered) and [`mapped`](Bus::mapped) in one step. A topic that is made of the event
    /// may be none: `Topic::new(..).ok()?` leaves the event out, and that is counted.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<String> = Bus::new();
    /// let numbers = bus.filter_mapped(|event| {
    ///     let number: i32 = event.payload().parse().ok()?;
    ///     Some(event.with_payload(number))
    /// });
    /// let sub = numbers.subscribe_all()?;
    /// bus.emit("line", "no number".to_owned())?;
    /// bus.emit("line", "42".to_owned())?;
    /// assert_eq!(*sub.recv()?.payload(), 42);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use = "a derived bus ends when nobody uses it"]
    #[track_caller]
    pub fn filter_mapped<U: Send + Sync + 'static>(
        &self,
        map: impl Fn(&Event<T>) -> Option<Event<U>> + Send + Sync + 'static,
    ) -> Bus<U> {
        // An error says that this bus is closed; then nothing feeds the new one, and it is, too.
        self.derive(|inlet| self.pass_on_mapped(Pattern::everything(), inlet, map).ok())
    }
}
