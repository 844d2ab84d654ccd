//! Topics and patterns as NATS subjects, and back.

mod error;
mod filter;
mod tokens;

use std::borrow::Cow;

use crate::pattern::{Pattern, Syntax};
use crate::topic::Topic;

pub use error::SubjectError;
pub use filter::SubjectFilter;

/// What becomes of topics that are no plain NATS subjects: see [`SubjectMapping`].
///
/// ```
/// use chanbus::{Escape, SubjectMapping, Topic};
///
/// let topic = Topic::new("menu.>.next")?;
/// assert_eq!(SubjectMapping::new(None, Escape::Percent)?.subject(&topic)?, "menu.%3E.next");
/// assert!(SubjectMapping::new(None, Escape::Refuse)?.subject(&topic).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Escape {
    /// They are escaped as in URLs, so that every topic has a subject.
    #[default]
    Percent,
    /// They are errors, and all others go over letter by letter.
    Refuse,
}

/// Topics as NATS subjects, and back; patterns as what to subscribe to.
///
/// # Topics
///
/// A subject is made of tokens as a topic is of segments, and mostly they are the same text. These are not, as NATS
/// reads something else in them:
///
/// | Topic | Subject, [`Escape::Percent`] | [`Escape::Refuse`] | Because |
/// |---|---|---|---|
/// | `scan.file.found` | `scan.file.found` | the same | |
/// | `progetto.è.vivo` | `progetto.è.vivo` | the same | subjects are UTF-8 |
/// | `load.100%` | `load.100%25` | `load.100%` | `%` begins escapes |
/// | `menu.>.next` | `menu.%3E.next` | an error | a token `>` is a wildcard; `a>b` is none |
/// | `$SYS.up` | `%24SYS.up` | an error | first tokens with `$` are the server's own |
/// | `_INBOX.up` | `%5FINBOX.up` | an error | replies to requests go there |
/// | `_CHANBUS.up` | `%5FCHANBUS.up` | an error | kept for bridges |
///
/// The last three rows are of first segments, without a prefix. With the prefix `shop.eu`, which is a topic itself and
/// mapped as one, they are ordinary names: `$SYS.up` is `shop.eu.$SYS.up`.
///
/// On the way back an escape is read only where it would have been written, in capitals as here; any other `%` is itself.
/// So the `100%` of a client that knows nothing of this arrives as the topic `100%`. What holds:
///
/// - *Every topic that has a subject comes back*: `topic(subject(t)) == t`. So no two topics share one.
/// - A subject that is read, then written, is the same if every `%` in it begins an escape; always under
///   [`Escape::Refuse`]. Otherwise it is the escaped spelling of the same topic: `100%` becomes `100%25`.
/// - [`filters`](Self::filters) ask for the escaped spelling. So `load.*` hears of a client's `load.100%`, and a
///   pattern that spells out the `%` does not, unless the client escapes it.
///
/// The longest subject has [`SubjectMapping::MAX_LEN`] bytes. Without a prefix all topics fit; with one, those do not
/// that are full of `%` and very long.
///
/// # Patterns
///
/// What NATS cannot say is asked for more broadly, and what is too much has to be left out here, by [`Pattern::matches`]
/// on the topic.
///
/// | Pattern | Filters, no prefix | With the prefix `p` | Decided by |
/// |---|---|---|---|
/// | `a.b` | `a.b` | `p.a.b` | NATS |
/// | `a.*.b` | `a.*.b` | `p.a.*.b` | NATS |
/// | `**` | `>` | `p.>` | NATS |
/// | `a.**` | `a`, `a.>` | `p.a`, `p.a.>` | NATS |
/// | `a.*.**` | `a.*`, `a.*.>` | `p.a.*`, `p.a.*.>` | NATS |
/// | `**.b` | `>` | `p.>` | `matches` |
/// | `a.**.b` | `a.>` | `p.a.>` | `matches` |
/// | `a.b*`, `a.?` | `a.*` | `p.a.*` | `matches` |
/// | `a*.**` | `*`, `*.>` | `p.*`, `p.*.>` | `matches` |
/// | flat `a.b` | `a.b` | `p.a.b` | NATS |
/// | flat `*` | `>` | `p.>` | NATS |
/// | flat `a.*` | `a.>` | `p.a.>` | NATS |
/// | flat `a*`, `a?b` | `>` | `p.>` | `matches` |
/// | flat `a.b*.c` | `a.>` | `p.a.>` | `matches` |
///
/// Without a prefix, a filter that begins with a wildcard also hears what is no event: requests to JetStream
/// (`$JS.API…`) and its advisories, replies (`_INBOX…`), and in the system account all of `$SYS`. Nothing in NATS keeps
/// wildcards from them. [`topic`](Self::topic) refuses such subjects as [foreign](SubjectError::is_foreign), and what is
/// sent there never becomes an event. With a prefix they do not come at all.
///
/// ```
/// use chanbus::{Escape, Pattern, SubjectMapping, Topic};
///
/// let mapping = SubjectMapping::new(Some("shop.eu"), Escape::Percent)?;
/// let subject = mapping.subject(&Topic::new("order.placed")?)?;
/// assert_eq!(subject, "shop.eu.order.placed");
/// assert_eq!(mapping.topic(&subject)?, "order.placed");
///
/// let filters = mapping.filters(&Pattern::new("order.**")?)?;
/// assert!(filters.iter().any(|filter| filter.matches(&subject)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SubjectMapping {
    /// Mapped, with a dot at its end; empty if there is none.
    prefix: Box<str>,
    escape: Escape,
}

impl SubjectMapping {
    /// The longest subject, and the longest filter, in bytes.
    ///
    /// A server hangs up on a client whose line is longer than its `max_control_line`, 4,096 bytes unless configured.
    /// On that line are the subject, a reply subject or a queue group, and numbers; 1,024 bytes are left for those.
    ///
    /// ```
    /// # use chanbus::{SubjectMapping, Topic};
    /// // The worst of topics fits.
    /// let topic = Topic::new("%".repeat(Topic::MAX_LEN))?;
    /// assert_eq!(SubjectMapping::default().subject(&topic)?.len(), SubjectMapping::MAX_LEN);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub const MAX_LEN: usize = 3_072;

    /// A mapping that puts a prefix before all subjects, or none.
    ///
    /// # Errors
    ///
    /// The prefix is no [`Topic`], is one that [`Escape::Refuse`] refuses, or leaves no room for a topic.
    ///
    /// ```
    /// use chanbus::{Escape, SubjectMapping};
    ///
    /// assert!(SubjectMapping::new(Some("shop.eu"), Escape::Refuse).is_ok());
    ///
    /// let error = SubjectMapping::new(Some("shop."), Escape::Refuse).unwrap_err();
    /// assert!(error.to_string().starts_with("invalid prefix: invalid topic \"shop.\" at byte 5"));
    /// ```
    pub fn new(prefix: Option<&str>, escape: Escape) -> Result<Self, SubjectError> {
        let mut mapping = Self {
            prefix: Box::default(),
            escape,
        };
        if let Some(text) = prefix {
            let topic = Topic::new(text).map_err(SubjectError::Prefix)?;
            let mut prefix = mapping.subject(&topic)?;
            prefix.push('.');
            // At least one token of one byte has to follow.
            if prefix.len() + 1 > Self::MAX_LEN {
                return Err(SubjectError::too_long(text, prefix.len() + 1));
            }
            mapping.prefix = prefix.into();
        }
        Ok(mapping)
    }

    /// The prefix, as it stands in subjects.
    ///
    /// ```
    /// # use chanbus::{Escape, SubjectMapping};
    /// let mapping = SubjectMapping::new(Some("$shop"), Escape::Percent)?;
    /// assert_eq!(mapping.prefix(), Some("%24shop"));
    /// assert_eq!(SubjectMapping::default().prefix(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn prefix(&self) -> Option<&str> {
        self.prefix.strip_suffix('.')
    }

    /// What becomes of topics that are no plain subjects.
    ///
    /// ```
    /// # use chanbus::{Escape, SubjectMapping};
    /// assert_eq!(SubjectMapping::default().escape(), Escape::Percent);
    /// ```
    pub fn escape(&self) -> Escape {
        self.escape
    }

    /// The subject of a topic.
    ///
    /// # Errors
    ///
    /// NATS means something else by it and [`Escape::Refuse`] was chosen, or it is longer than
    /// [`MAX_LEN`](Self::MAX_LEN) with the prefix.
    ///
    /// ```
    /// use chanbus::{Escape, SubjectMapping, Topic};
    ///
    /// let topic = Topic::new("$load.100%")?;
    /// assert_eq!(SubjectMapping::default().subject(&topic)?, "%24load.100%25");
    ///
    /// let error = SubjectMapping::new(None, Escape::Refuse)?.subject(&topic).unwrap_err();
    /// assert_eq!((error.text(), error.offset()), ("$load.100%", Some(0)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn subject(&self, topic: &Topic) -> Result<String, SubjectError> {
        let mut subject = self.begin(topic.len());
        if tokens::is_plain(topic) {
            subject.push_str(topic);
        } else {
            let mut at = 0;
            for segment in topic.segments() {
                self.push(&mut subject, topic, at, segment)?;
                at += segment.len() + 1;
            }
        }
        checked(subject, topic)
    }

    /// The topic of a subject: without the prefix, and with its escapes read.
    ///
    /// # Errors
    ///
    /// The subject has not the prefix, or is one that no topic is mapped to: one of NATS' own, a wildcard, or what is
    /// no [`Topic`] (NATS takes `?`, brackets, white space other than ASCII's, control characters).
    ///
    /// ```
    /// use chanbus::{Escape, SubjectMapping};
    ///
    /// let mapping = SubjectMapping::new(Some("shop"), Escape::Percent)?;
    /// assert_eq!(mapping.topic("shop.load.100%25")?, "load.100%");
    /// assert_eq!(mapping.topic("shop.load.100%")?, "load.100%");
    ///
    /// assert!(mapping.topic("bank.load").unwrap_err().is_outside());
    /// assert!(mapping.topic("shop.load?").unwrap_err().to_string().contains("at byte 4"));
    /// assert!(SubjectMapping::default().topic("$SYS.up").unwrap_err().is_foreign());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn topic(&self, subject: &str) -> Result<Topic, SubjectError> {
        let Some(text) = subject.strip_prefix(&*self.prefix) else {
            let prefix = self.prefix().unwrap_or_default();
            return Err(SubjectError::outside(subject, prefix));
        };
        let text = if tokens::is_plain(text) {
            Cow::Borrowed(text)
        } else {
            Cow::Owned(self.read(subject, text)?)
        };
        Topic::new(text).map_err(|error| SubjectError::not_a_topic(subject, error))
    }

    /// What to subscribe to for a pattern: one filter, or two. Together they match the subject of every topic that
    /// the pattern matches, and maybe others; the table is at [`SubjectMapping`].
    ///
    /// # Errors
    ///
    /// The pattern spells out a segment that [`subject`](Self::subject) would refuse, or is too long with the prefix.
    ///
    /// ```
    /// use chanbus::{Pattern, SubjectMapping};
    ///
    /// let filters = SubjectMapping::default().filters(&Pattern::new("twitch.**")?)?;
    /// let filters: Vec<_> = filters.iter().map(|filter| filter.as_str()).collect();
    /// assert_eq!(filters, ["twitch", "twitch.>"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filters(&self, pattern: &Pattern) -> Result<Vec<SubjectFilter>, SubjectError> {
        let text = pattern.as_str();
        let flat = pattern.syntax() == Syntax::Flat;
        let mut filter = self.begin(text.len());
        let mut at = 0;
        for segment in text.split('.') {
            let wild = segment.contains(['*', '?']);
            if segment == "**" || (flat && wild) {
                // One token or more from here on. A flat wildcard may stand for dots, so what follows is unknown, but
                // no segment is empty, so its own is there. Two stars that are the last may stand for none.
                let ends_open = segment == "**" && at > 0 && at + segment.len() == text.len();
                let parent = ends_open.then(|| filter.clone());
                push_token(&mut filter, at, ">");
                let filters = parent.into_iter().chain([filter]);
                return filters.map(|filter| filter_of(filter, text)).collect();
            }
            if wild {
                push_token(&mut filter, at, "*");
            } else {
                self.push(&mut filter, text, at, segment)?;
            }
            at += segment.len() + 1;
        }
        Ok(vec![filter_of(filter, text)?])
    }

    /// What to subscribe to for several patterns: the [`filters`](Self::filters) of all, in their order, without those
    /// that another one [includes](SubjectFilter::includes).
    ///
    /// Others may still overlap: `a.*` and `*.b` do. NATS then delivers a message once for each. Who wants it once takes
    /// it by the first filter that matches its subject, and passes over it by others; so do all of a queue group
    /// that have the same list.
    ///
    /// # Errors
    ///
    /// As [`filters`](Self::filters).
    ///
    /// ```
    /// use chanbus::{Pattern, SubjectMapping};
    ///
    /// let patterns = [Pattern::new("a.b.c")?, Pattern::new("x.*")?, Pattern::new("a.**")?];
    /// let filters = SubjectMapping::default().cover(&patterns)?;
    /// let filters: Vec<_> = filters.iter().map(|filter| filter.as_str()).collect();
    /// assert_eq!(filters, ["x.*", "a", "a.>"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cover(&self, patterns: &[Pattern]) -> Result<Vec<SubjectFilter>, SubjectError> {
        let mut cover: Vec<SubjectFilter> = Vec::new();
        for pattern in patterns {
            for filter in self.filters(pattern)? {
                if !cover.iter().any(|kept| kept.includes(&filter)) {
                    cover.retain(|kept| !filter.includes(kept));
                    cover.push(filter);
                }
            }
        }
        Ok(cover)
    }

    /// The prefix, with room for so many bytes.
    fn begin(&self, len: usize) -> String {
        let mut text = String::with_capacity(self.prefix.len() + len);
        text.push_str(&self.prefix);
        text
    }

    /// Appends a segment that begins at byte `at` of `text`.
    fn push(
        &self,
        subject: &mut String,
        text: &str,
        at: usize,
        segment: &str,
    ) -> Result<(), SubjectError> {
        match tokens::written(segment, self.is_first(at), self.escape) {
            Some(token) => {
                push_token(subject, at, &token);
                Ok(())
            }
            None => Err(SubjectError::reserved(text, at)),
        }
    }

    /// What `text`, the part of `subject` after the prefix, was before it was escaped.
    fn read(&self, subject: &str, text: &str) -> Result<String, SubjectError> {
        let mut topic = String::with_capacity(text.len());
        let mut at = 0;
        for token in text.split('.') {
            let first = self.is_first(at);
            if token == ">" {
                return Err(SubjectError::wildcard(subject, self.prefix.len() + at));
            }
            if first && tokens::is_of_nats(token) {
                return Err(SubjectError::foreign(subject));
            }
            push_token(&mut topic, at, &tokens::read(token, first, self.escape));
            at += token.len() + 1;
        }
        Ok(topic)
    }

    /// Whether a segment at byte `at` is the subject's first token.
    fn is_first(&self, at: usize) -> bool {
        at == 0 && self.prefix.is_empty()
    }
}

/// Appends a token, which is the first after the prefix if it is at byte 0.
fn push_token(subject: &mut String, at: usize, token: &str) {
    if at > 0 {
        subject.push('.');
    }
    subject.push_str(token);
}

/// The subject made of `text`, if it is not too long.
fn checked(subject: String, text: &str) -> Result<String, SubjectError> {
    if subject.len() > SubjectMapping::MAX_LEN {
        return Err(SubjectError::too_long(text, subject.len()));
    }
    Ok(subject)
}

fn filter_of(filter: String, text: &str) -> Result<SubjectFilter, SubjectError> {
    checked(filter, text).map(SubjectFilter::new)
}
