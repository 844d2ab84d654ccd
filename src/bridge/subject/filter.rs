//! NATS subjects with wildcards.

use std::fmt;

/// A NATS subject with wildcards, as one subscribes to: `*` is one token, a last `>` one or more.
///
/// [`SubjectMapping::filters`](crate::SubjectMapping::filters) makes them of patterns.
///
/// ```
/// use chanbus::{Pattern, SubjectMapping};
///
/// let filters = SubjectMapping::default().filters(&Pattern::new("disk.*")?)?;
/// assert_eq!(filters[0].as_str(), "disk.*");
/// assert!(filters[0].matches("disk.sda"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectFilter(Box<str>);

impl SubjectFilter {
    /// The text must obey NATS' rules: no empty token, `>` only as the last.
    pub(in crate::bridge) fn new(text: String) -> Self {
        Self(text.into())
    }

    /// The text, as NATS takes it.
    ///
    /// ```
    /// # use chanbus::{Pattern, SubjectMapping};
    /// # let mapping = SubjectMapping::default();
    /// assert_eq!(mapping.filters(&Pattern::everything())?[0].as_str(), ">");
    /// # Ok::<(), chanbus::SubjectError>(())
    /// ```
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether NATS delivers messages with this subject to who subscribes to this filter. A text with an empty token
    /// is matched by none.
    ///
    /// ```
    /// # use chanbus::{Pattern, SubjectMapping};
    /// let filter = SubjectMapping::default().filters(&Pattern::flat("a.*")?)?.remove(0);
    /// assert_eq!(filter.as_str(), "a.>");
    /// assert!(filter.matches("a.b") && filter.matches("a.b.c"));
    /// assert!(!filter.matches("a") && !filter.matches("a..b"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn matches(&self, subject: &str) -> bool {
        let mut tokens = subject.split('.');
        if tokens.clone().any(str::is_empty) {
            return false;
        }
        for wanted in self.tokens() {
            match (wanted, tokens.next()) {
                (_, None) => return false,
                (">", _) => return true,
                ("*", _) => {}
                (wanted, Some(token)) if wanted == token => {}
                _ => return false,
            }
        }
        tokens.next().is_none()
    }

    /// Whether this filter matches every subject that the other one does.
    ///
    /// ```
    /// # use chanbus::{Pattern, SubjectMapping};
    /// # let mapping = SubjectMapping::default();
    /// let one = mapping.filters(&Pattern::new("a.*")?)?.remove(0);
    /// let all = mapping.filters(&Pattern::everything())?.remove(0);
    /// assert!(all.includes(&one) && !one.includes(&all));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn includes(&self, other: &SubjectFilter) -> bool {
        let mut others = other.tokens();
        for wanted in self.tokens() {
            match (wanted, others.next()) {
                (_, None) => return false,
                (">", _) => return true,
                // One token holds less than any number of them.
                (_, Some(">")) => return false,
                ("*", _) => {}
                (wanted, Some(token)) if wanted == token => {}
                _ => return false,
            }
        }
        others.next().is_none()
    }

    fn tokens(&self) -> std::str::Split<'_, char> {
        self.0.split('.')
    }
}

impl AsRef<str> for SubjectFilter {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SubjectFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for SubjectFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SubjectFilter")
            .field(&self.as_str())
            .finish()
    }
}
