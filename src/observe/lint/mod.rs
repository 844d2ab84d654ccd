//! What looks wrong: losses and their cause, patterns that match nothing, topics that nobody hears.

mod faults;
mod finding;
mod losses;
mod nearest;
mod unheard;
mod unmatched;

use std::cmp::Reverse;
use std::fmt;

use super::topology::Topology;
use crate::bus::Bus;
use crate::topic::Topic;

use faults::faults_of;
pub use finding::{DropCause, Finding};
use losses::losses_of;
use nearest::Work;
use unheard::{Topics, topics_of, unheard};
use unmatched::never_matched;

/// What looks wrong about a bus and those that it feeds; made by [`Bus::lint`]. Its `Display` is a list for people,
/// worst first.
///
/// ```
/// use chanbus::{Bus, Finding};
///
/// let bus = Bus::new();
/// let _panel = bus.subscription("scan.strated").name("panel").subscribe()?;
/// let _log = bus.subscription("**.found").name("log").capacity(1).subscribe()?;
/// bus.emit("scan.started", 1)?;
/// bus.publisher("file.found")?.emit_batch([2, 3, 4])?;
///
/// let lint = bus.lint();
/// assert!(matches!(&lint.findings[0], Finding::Drops { dropped: 2, .. }));
/// assert!(matches!(&lint.findings[1], Finding::NobodyHears { topic, .. } if topic == "scan.started"));
/// assert!(matches!(&lint.findings[2], Finding::NeverMatched { pattern, .. } if pattern.as_str() == "scan.strated"));
/// println!("{lint}");
/// # Ok::<(), chanbus::Error>(())
/// ```
///
/// Worst first: losses, those with most dropped events before others; then what fails or is rejected each time; then
/// topics that nobody hears; then patterns that nothing matches.
///
/// # What it can know
///
/// Losses are exact, and counted, as all else here, since the bus was made or [reset](Bus::reset). Their [cause](DropCause) is taken from one moment, so that a look at another one may find another:
/// ask several times, or ask a topology that has [rates](Topology::since), which knows what happened in between. A
/// subscription that nothing ever matched is told exactly; so is a handler that was never called or skipped. Of several
/// patterns of one subscription of which some match, the others are told only where the bus knows all its topics:
/// [`observe_topics`](crate::BusBuilder::observe_topics). What handlers and filters do wrong is told only where they do
/// nothing else.
///
/// Topics are those that the bus [knows](crate::KnownTopics), and who hears them is who would now: on the bus itself, or
/// on one that it passes them on to, by a pipe or a derived bus; a topic that comes from another bus is told there. What
/// a mapping makes of topics it cannot see: a bus with topics that none has which leads to it is believed to hear those
/// that it has under other names. Neither is told of a bus on which nothing was emitted yet. Near ones are looked for
/// in at most 50,000 pairs of a pattern and a topic; [`cut`](Lint::cut) says that there were more.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Lint {
    /// What was found, worst first.
    pub findings: Vec<Finding>,
    /// There was too much to compare, so that near ones may be missing.
    pub cut: bool,
}

impl Lint {
    /// The losses that go on: of a topology that has [rates](Topology::since), the subscriptions that dropped since the
    /// earlier one; else all that ever dropped.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let _sub = bus.subscription("n").capacity(1).subscribe()?;
    /// bus.publisher("n")?.emit_batch([1, 2, 3])?;
    /// let before = bus.topology();
    /// assert_eq!(before.lint().losing().count(), 1);
    ///
    /// std::thread::sleep(std::time::Duration::from_millis(1));
    /// assert_eq!(bus.topology().since(&before).lint().losing().count(), 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn losing(&self) -> impl Iterator<Item = &Finding> {
        let goes_on =
            |it: &&Finding| matches!(it, Finding::Drops { lately, .. } if *lately != Some(0));
        self.findings.iter().filter(goes_on)
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.findings.is_empty() {
            return f.write_str("nothing looks wrong");
        }
        for (place, finding) in self.findings.iter().enumerate() {
            let line = if place > 0 { "\n" } else { "" };
            write!(f, "{line}- {finding}")?;
        }
        if self.cut {
            write!(f, "\n(there was too much to look for all that is near)")?;
        }
        Ok(())
    }
}

impl Topology {
    /// What looks wrong: [`Bus::lint`] on what was seen before. With [rates](Topology::since) it says how fast queues are
    /// filled and emptied.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// assert_eq!(bus.topology().lint().to_string(), "nothing looks wrong");
    /// ```
    #[must_use]
    pub fn lint(&self) -> Lint {
        let mut work = Work::new();
        // Before anything was emitted, nothing is said of topics and patterns.
        let topics: Vec<Topics<'_>> = self
            .buses
            .iter()
            .map(|bus| match bus.stats.emitted {
                0 => Topics::new(),
                _ => topics_of(bus),
            })
            .collect();
        let (mut losses, mut faults, mut unmatched) = (Vec::new(), Vec::new(), Vec::new());
        let mut unheard = unheard(&self.buses, &topics, &mut work);
        for (place, (bus, topics)) in self.buses.iter().zip(&topics).enumerate() {
            let rates = self.rates.as_ref();
            let window = rates.and_then(|it| Some((it.elapsed, it.buses.get(place)?)));
            losses.extend(losses_of(self, bus, window));
            faults.extend(faults_of(self, bus));
            if bus.stats.emitted > 0 {
                let topics: Vec<&Topic> = topics.keys().copied().collect();
                unmatched.extend(never_matched(self, bus, &topics, &mut work));
            }
        }
        // What goes on before what is over.
        losses.sort_by_key(|finding| match finding {
            Finding::Drops {
                dropped, lately, ..
            } => Reverse((*lately, *dropped)),
            _ => Reverse((None, 0)),
        });
        losses.append(&mut faults);
        losses.append(&mut unheard);
        losses.append(&mut unmatched);
        Lint {
            findings: losses,
            cut: work.cut,
        }
    }
}

impl<T: Send + Sync + 'static> Bus<T> {
    /// What looks wrong with the bus and those that it feeds: subscriptions that drop events, and why; topics that
    /// nobody hears; patterns that never matched, with what they nearly match. See [`Lint`].
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus = Bus::new();
    /// let _sub = bus.subscription("Scan.*").name("panel").subscribe()?;
    /// bus.emit("scan.started", 1)?;
    /// let lint = bus.lint().to_string();
    /// assert!(lint.contains("nobody listens to `scan.started`"));
    /// assert!(lint.contains("differ in capital and small letters"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[must_use]
    pub fn lint(&self) -> Lint {
        self.topology().lint()
    }
}
