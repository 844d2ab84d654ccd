//! Who sent a message: how a bridge knows its own again.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::sync::{Arc, unique_number};

/// The mark of an event that came by a [`Bridge`](crate::Bridge): an extension of it.
///
/// Bridges send on no event that has it, so that nothing goes round in circles; nor do they what was made
/// of such an event by [`Event::with_payload`](crate::Event::with_payload) and its kin, which keep extensions. An
/// event of your own that you emit *because of* one that came goes out as any other.
///
/// ```
/// # use chanbus::{Event, Imported};
/// fn from_elsewhere<T>(event: &Event<T>) -> bool {
///     event.extension::<Imported>().is_some()
/// }
/// assert!(!from_elsewhere(&Event::new("a", 1)?));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    pub(super) origin: Option<Arc<str>>,
}

impl Imported {
    /// Which bridge sent it: what its [`Bridge::origin`](crate::Bridge::origin) says. `None` for a message of a
    /// plain client.
    ///
    /// ```
    /// # use chanbus::{Event, Imported};
    /// fn sender<T>(event: &Event<T>) -> Option<&str> {
    ///     event.extension::<Imported>()?.origin()
    /// }
    /// assert_eq!(sender(&Event::new("a", 1)?), None);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }
}

/// A bridge's own name, in this life of it: `name/life`, or only `life` for one that has no name.
#[derive(Clone)]
pub(super) struct Origin {
    text: Arc<str>,
    /// As much of the text as is the name, with the slash behind it; nothing without a name.
    name: usize,
}

impl Origin {
    pub(super) fn new(name: Option<&str>) -> Self {
        let life = life();
        match name {
            Some(name) => Origin {
                text: Arc::from(format!("{name}/{life}")),
                name: name.len() + 1,
            },
            None => Origin {
                text: Arc::from(life),
                name: 0,
            },
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.text)
    }

    /// Whether a message of that origin is one's own: of this life, or of an earlier one by the same name.
    pub(super) fn is_own(&self, other: &str) -> bool {
        if self.name == 0 {
            return *self.text == *other;
        }
        let named = other.strip_prefix(&self.text[..self.name]);
        // A life is hexadecimal, so the last slash ends the name.
        named.is_some_and(|life| !life.contains('/'))
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A text that no other bridge has, in any process on any machine.
///
/// The standard library's hash seeds come from the system's randomness once for each thread, and are then counted
/// up; time and process number are added for systems that have none, the running number for bridges of one thread.
fn life() -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos());
    let own = (now, std::process::id(), unique_number());
    let (one, two) = (RandomState::new(), RandomState::new());
    format!("{:016x}{:08x}", one.hash_one(own), two.hash_one(own) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_lives_are_the_same() {
        let lives: std::collections::HashSet<String> = (0..1_000).map(|_| life()).collect();
        assert_eq!(lives.len(), 1_000);
    }

    #[test]
    fn a_named_bridge_knows_its_earlier_lives_and_nobody_else() {
        let (first, second) = (Origin::new(Some("a/b")), Origin::new(Some("a/b")));
        assert!(first.is_own(second.as_str()) && second.is_own(second.as_str()));
        assert!(!first.is_own(Origin::new(Some("a")).as_str()));
        assert!(!first.is_own(Origin::new(None).as_str()));
        assert!(!first.is_own("a/b") && !first.is_own(""));
    }

    #[test]
    fn a_bridge_without_a_name_knows_this_life_only() {
        let (first, second) = (Origin::new(None), Origin::new(None));
        assert!(first.is_own(first.as_str()));
        assert!(!first.is_own(second.as_str()));
    }
}
