//! Asking a registry who there is.

use std::panic::Location;
use std::time::Duration;

use super::Handlers;
use super::core::Core;
use super::entry::{Entry, HandlerId, HandlerKind};
use super::priority::Priority;
use super::roster::Seat;
use crate::bus::Consumer;
use crate::pattern::{IntoPatterns, Pattern};
use crate::sync::Arc;
use crate::sync::Ordering::Relaxed;

/// One registered handler, as it was when it was asked for.
///
/// ```
/// # use chanbus::{Handlers, Priority};
/// # let handlers = Handlers::<u32>::new();
/// let id = handlers.on(["a", "b.*"]).name("x").group("chat").call(|_| {})?;
/// let info = handlers.get(id).unwrap();
/// assert_eq!(info.name.as_deref(), Some("x"));
/// assert_eq!(info.patterns.len(), 2);
/// assert_eq!(info.priority, Priority::NORMAL);
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HandlerInfo {
    /// Its id.
    pub id: HandlerId,
    /// Its name, if it has one.
    pub name: Option<Arc<str>>,
    /// Its group, if it is in one.
    pub group: Option<Arc<str>>,
    /// The module that registered it, if that was said.
    pub module: Option<&'static str>,
    /// When it is called, relative to others.
    pub priority: Priority,
    /// What it asks for.
    pub patterns: Vec<Pattern>,
    /// Whether it is sync or async, or takes batches.
    pub kind: HandlerKind,
    /// Whether it is called once at all.
    pub once: bool,
    /// How many filters it has.
    pub filters: usize,
    /// Where in the source it was registered.
    pub location: &'static Location<'static>,
    /// How often it was called; a batch handler, with how many events.
    pub called: u64,
    /// How often it, its filters or its callbacks failed.
    pub failed: u64,
    /// How often an event matched it and it was not called: see [`Report::skipped`](crate::Report::skipped).
    pub skipped: u64,
    /// How long its calls took, on average. Only calls by dispatchers are timed; zero if there was none.
    pub mean: Duration,
    /// How long the longest of these took.
    pub max: Duration,
}

impl HandlerInfo {
    fn new<T: Send + Sync + 'static>(entry: &Entry<T>, patterns: &[Pattern]) -> Self {
        HandlerInfo {
            id: entry.id,
            name: entry.terms.name.clone(),
            group: entry.terms.group.clone(),
            module: entry.terms.module,
            priority: entry.terms.priority,
            patterns: patterns.to_vec(),
            kind: entry.kind(),
            once: entry.terms.once,
            filters: entry.terms.filters.len(),
            location: entry.terms.location,
            // Relaxed: statistics.
            called: entry.counts.called.sum(),
            failed: entry.counts.failed.load(Relaxed),
            skipped: entry.counts.skipped.load(Relaxed),
            mean: entry.counts.mean(),
            max: entry.counts.max(),
        }
    }

    fn consumer(self) -> Consumer {
        Consumer {
            name: self.name,
            location: Some(self.location),
            patterns: self.patterns,
            called: self.called,
            failed: self.failed,
            skipped: self.skipped,
            mean: self.mean,
            max: self.max,
        }
    }

    fn of<T: Send + Sync + 'static>(seat: &Seat<T>) -> Self {
        HandlerInfo::new(&seat.entry, &seat.patterns)
    }
}

/// Says who the handlers are, as long as there is their registry, to those who look at a bus that feeds them.
pub(super) fn consumers_of<T: Send + Sync + 'static>(
    core: &Arc<Core<T>>,
) -> impl Fn() -> Vec<Consumer> + Send + Sync + 'static {
    let core = Arc::downgrade(core);
    move || {
        let Some(core) = core.upgrade() else {
            return Vec::new();
        };
        core.read(|roster| {
            let infos = roster.seats().into_iter().map(HandlerInfo::of);
            infos.map(HandlerInfo::consumer).collect()
        })
    }
}

/// # Asking
impl<T: Send + Sync + 'static> Handlers<T> {
    /// How many handlers there are.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// assert_eq!(Handlers::<u32>::new().len(), 0);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.core.read(|roster| roster.len())
    }

    /// Whether there are none.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// assert!(Handlers::<u32>::new().is_empty());
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether that handler is there.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// let id = handlers.on("a").call(|_| {})?;
    /// assert!(handlers.contains(id));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn contains(&self, id: HandlerId) -> bool {
        self.core.read(|roster| roster.get(id).is_some())
    }

    /// Whether any handler has this very pattern, or, of several, one of them.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.on("a.*").call(|_| {})?;
    /// assert!(handlers.contains_pattern("a.*"));
    /// assert!(!handlers.contains_pattern("a.b"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn contains_pattern(&self, pattern: impl IntoPatterns) -> bool {
        let wanted = self.read(pattern);
        self.core.read(|roster| {
            let seats = roster.seats();
            let mut all = seats.iter().flat_map(|seat| &*seat.patterns);
            all.any(|pattern| wanted.contains(pattern))
        })
    }

    /// That handler.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// let id = handlers.on("a").call(|_| {})?;
    /// assert!(!handlers.get(id).unwrap().once);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn get(&self, id: HandlerId) -> Option<HandlerInfo> {
        self.core.read(|roster| roster.get(id).map(HandlerInfo::of))
    }

    /// All handlers, in the order in which they were registered.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.on("a").name("x").call(|_| {})?;
    /// assert_eq!(handlers.list()[0].name.as_deref(), Some("x"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn list(&self) -> Vec<HandlerInfo> {
        self.listed(|_| true)
    }

    /// The handlers that an event of that topic would call, in calling order; none if it is no topic.
    ///
    /// ```
    /// # use chanbus::{Handlers, Priority};
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.on("**").name("log").priority(Priority::MONITOR).call(|_| {})?;
    /// handlers.on("a.*").name("work").call(|_| {})?;
    /// let names: Vec<_> = handlers.of_topic("a.b").into_iter().filter_map(|info| info.name).collect();
    /// assert_eq!(names, ["work".into(), "log".into()] as [std::sync::Arc<str>; 2]);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn of_topic(&self, topic: &str) -> Vec<HandlerInfo> {
        if crate::topic::Topic::new(topic).is_err() {
            return Vec::new();
        }
        self.core.read(|roster| {
            let listed = roster.of_topic(topic);
            let seats = listed.0.iter();
            let seats = seats.filter_map(|entry| roster.get(entry.id));
            seats.map(HandlerInfo::of).collect()
        })
    }

    /// How many handlers an event of that topic would call.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.on(["a.*", "a.b"]).call(|_| {})?;
    /// assert_eq!(handlers.count_of("a.b"), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn count_of(&self, topic: &str) -> usize {
        let topic = crate::topic::Topic::new(topic).ok();
        let count = |topic: &crate::topic::Topic| self.core.read(|all| all.of_topic(topic).0.len());
        topic.as_ref().map_or(0, count)
    }

    /// The handlers of that name.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.on("a").name("x").call(|_| {})?;
    /// assert_eq!(handlers.named("x").len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn named(&self, name: &str) -> Vec<HandlerInfo> {
        self.listed(|entry| entry.terms.name.as_deref() == Some(name))
    }

    /// The handlers of a group.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.on("a").group("chat").call(|_| {})?;
    /// assert_eq!(handlers.group("chat").len(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn group(&self, group: &str) -> Vec<HandlerInfo> {
        self.listed(|entry| entry.terms.group.as_deref() == Some(group))
    }

    /// All groups that have handlers, by name.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.on("a").group("chat").call(|_| {})?;
    /// assert_eq!(&*handlers.groups()[0], "chat");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn groups(&self) -> Vec<Arc<str>> {
        self.core.registry.frozen(|_, names| names.groups())
    }

    /// All patterns that handlers have, each once, in the order in which they came.
    ///
    /// ```
    /// # use chanbus::Handlers;
    /// # let handlers = Handlers::<u32>::new();
    /// handlers.on(["a", "b"]).call(|_| {})?;
    /// handlers.on("a").call(|_| {})?;
    /// let patterns = handlers.patterns();
    /// assert_eq!(patterns.iter().map(|p| p.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn patterns(&self) -> Vec<Pattern> {
        let counts = self.count_by_pattern();
        counts.into_iter().map(|(pattern, _)| pattern).collect()
    }

    /// How many handlers each pattern has, in the order in which patterns came.
    pub(super) fn count_by_pattern(&self) -> Vec<(Pattern, usize)> {
        self.core.read(|roster| {
            let mut places = std::collections::HashMap::new();
            let mut counts: Vec<(Pattern, usize)> = Vec::new();
            let seats = roster.seats().into_iter();
            for pattern in seats.flat_map(|seat| &*seat.patterns) {
                let place = *places.entry(pattern.clone()).or_insert(counts.len());
                match counts.get_mut(place) {
                    Some((_, count)) => *count += 1,
                    None => counts.push((pattern.clone(), 1)),
                }
            }
            counts
        })
    }

    fn listed(&self, which: impl Fn(&Entry<T>) -> bool) -> Vec<HandlerInfo> {
        self.core.read(|roster| {
            let seats = roster.seats().into_iter();
            let wanted = seats.filter(|seat| which(&seat.entry));
            wanted.map(HandlerInfo::of).collect()
        })
    }
}
