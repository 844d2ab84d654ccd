//! What a subscription is for, and who takes from it: what it says of itself to those who look.

use std::fmt;
use std::panic::Location;
use std::time::Duration;

use crate::pattern::Pattern;
use crate::sync::Arc;

/// What a subscription is for: see [`SubscriptionBuilder::role`](crate::SubscriptionBuilder::role).
///
/// ```
/// use chanbus::{Bus, Dispatcher, Handlers, Role};
///
/// let bus: Bus<u32> = Bus::new();
/// let _sub = bus.subscribe("a")?;
/// let _dispatcher = Dispatcher::builder(&bus, &Handlers::new()).build()?;
/// let roles: Vec<Role> = bus.stats().subscriptions.iter().map(|sub| sub.role).collect();
/// assert_eq!(roles, [Role::Subscriber, Role::Dispatcher]);
/// assert_eq!(Role::Dispatcher.to_string(), "dispatcher");
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Role {
    /// The program takes from it.
    #[default]
    Subscriber,
    /// It waits for one event: [`wait_for`](crate::Bus::wait_for).
    Waiter,
    /// It feeds handlers: [`Dispatcher`](crate::Dispatcher).
    Dispatcher,
    /// It takes events to other processes: `Bridge`.
    Bridge,
}

impl Role {
    /// In one word, in lower case.
    ///
    /// ```
    /// assert_eq!(chanbus::Role::Bridge.as_str(), "bridge");
    /// ```
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Subscriber => "subscriber",
            Role::Waiter => "waiter",
            Role::Dispatcher => "dispatcher",
            Role::Bridge => "bridge",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One of those who take from a subscription in the name of others, such as a handler behind a dispatcher: see
/// [`SubscriptionBuilder::served_by`](crate::SubscriptionBuilder::served_by).
///
/// ```
/// use chanbus::{Bus, Dispatcher, Handlers};
///
/// let (bus, handlers) = (Bus::<u32>::new(), Handlers::new());
/// handlers.on("chat.*").name("greet").call(|_| {})?;
/// let _dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
///
/// let topology = bus.topology();
/// let consumer = &topology.buses[0].stats.subscriptions[0].consumers[0];
/// assert_eq!(consumer.name.as_deref(), Some("greet"));
/// assert_eq!(consumer.patterns[0].as_str(), "chat.*");
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Consumer {
    /// What it is called.
    pub name: Option<Arc<str>>,
    /// Where in the source it was made.
    pub location: Option<&'static Location<'static>>,
    /// Which of the subscription's events it wants.
    pub patterns: Vec<Pattern>,
    /// How many events it was given.
    pub called: u64,
    /// How many of these failed.
    pub failed: u64,
    /// How many matched it and were not given to it.
    pub skipped: u64,
    /// How long a call took, on average; zero if that is not known.
    pub mean: Duration,
    /// How long the longest one took.
    pub max: Duration,
}

/// Says who takes from a subscription.
pub(super) type ServedBy = dyn Fn() -> Vec<Consumer> + Send + Sync;
