//! From what was asked for to a bridge that runs.

use std::thread;

use super::BridgeBuilder;
use crate::bridge::control::ControlSubjects;
use crate::bridge::error::BridgeError;
use crate::bridge::handle::Bridge;
use crate::bridge::jetstream::StreamPlan;
use crate::bridge::link::Link;
use crate::bridge::origin::{Imported, Origin};
use crate::bridge::run::{Plan, run};
use crate::bridge::shared::Shared;
use crate::bridge::stats::BridgeStats;
use crate::bridge::stop::Ending;
use crate::bridge::subject::SubjectMapping;
use crate::bus::Role;
use crate::codec::Codec;
use crate::pattern::Pattern;
use crate::sync::{Arc, Mutex, bounded};

impl<T: Send + Sync + 'static, C> BridgeBuilder<T, C> {
    /// Starts the bridge: a thread of its own. It does not wait for a server.
    ///
    /// # Errors
    ///
    /// What was given is no use: [`BridgeError`] says what, and how to mend it. Or there are exports and the bus is closed
    /// or has no slot, or the system has no thread. What only the server can say, that a password is wrong or that two
    /// streams want the same subjects, is told later, as [`Trouble`](crate::BridgeEvent::Trouble).
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// let error = Bridge::builder(&bus).export("order..*").start().unwrap_err();
    /// assert!(error.to_string().contains("order..*"));
    /// ```
    pub fn start(self) -> Result<Bridge<T>, BridgeError>
    where
        C: Codec<T>,
    {
        if let Some(error) = self.bad_patterns {
            return Err(error.into());
        }
        let mut patterns = self.exports.iter().chain(&self.imports);
        if let Some(pattern) = patterns.find(|it| it.as_str() == ">" || it.as_str().ends_with(".>"))
        {
            return Err(BridgeError::NatsWildcard {
                pattern: pattern.as_str().to_owned(),
            });
        }
        if self.exports.is_empty() && self.imports.is_empty() {
            return Err(BridgeError::NothingToDo);
        }
        if self.in_flight == 0 {
            return Err(BridgeError::ZeroInFlight);
        }
        if self.group.is_some() && self.imports.is_empty() {
            return Err(BridgeError::GroupWithoutImports);
        }
        check_name("name", self.name.as_deref())?;
        check_name("queue group", self.group.as_deref())?;
        let mapping = SubjectMapping::new(self.prefix.as_deref(), self.escape)?;
        let control = ControlSubjects::new(&mapping);
        let filters = mapping.cover(&self.imports)?;
        // An export pattern that has no subject would refuse each of its events.
        mapping.cover(&self.exports)?;
        let durable = match self.jetstream {
            None => None,
            Some(options) => {
                check_name("stream", Some(&options.stream))?;
                options.check()?;
                let Some(name) = &self.name else {
                    return Err(BridgeError::NoName);
                };
                let all: Vec<Pattern> = self.exports.iter().chain(&self.imports).cloned().collect();
                Some(StreamPlan::new(
                    options,
                    mapping.cover(&all)?,
                    filters.clone(),
                    name,
                    self.group.as_deref(),
                )?)
            }
        };
        let (addresses, options) = self.access.resolve()?;
        let options = options.name(self.name.as_deref().unwrap_or("chanbus"));
        let queue = match self.exports.is_empty() {
            true => None,
            // A subscription as any other, of all that is exported and did not come by a bridge.
            false => Some(
                self.bus
                    .subscription(&self.exports)
                    .name(self.name.as_deref().unwrap_or("bridge"))
                    .location(self.location)
                    .role(Role::Bridge)
                    .capacity(self.capacity)
                    .overflow(self.overflow)
                    .filter(|event| event.extension::<Imported>().is_none())
                    .subscribe()?,
            ),
        };
        let shared = Arc::new(Shared {
            bus: self.bus.downgrade(),
            codec: Box::new(self.codec),
            mapping,
            origin: Origin::new(self.name.as_deref()),
            exports: self.exports,
            imports: self.imports,
            queue,
            durable: durable.is_some(),
            link: Arc::new(Link::new()),
            ending: Ending::new(),
            books: Mutex::new(BridgeStats::default()),
        });
        let plan = Plan {
            addresses,
            options,
            filters,
            group: self.group,
            control,
            in_flight: self.in_flight,
            durable,
        };
        let inside = Arc::clone(&shared);
        let (begun, begins) = bounded(1);
        let thread = thread::Builder::new()
            .name("chanbus-bridge".to_owned())
            .spawn(move || run(&inside, plan, &begun))
            .map_err(not_started)?;
        // Not heard, it has ended: whatever there is to say is in its states.
        if let Ok(Err(error)) = begins.recv() {
            return Err(not_started(error));
        }
        Ok(Bridge {
            shared,
            linger: self.linger,
            thread: Mutex::new(Some(thread)),
        })
    }
}

fn not_started(error: std::io::Error) -> BridgeError {
    BridgeError::Thread {
        reason: error.to_string(),
    }
}

/// The longest name; the server takes 255 bytes, of which some are for what tells one consumer from another.
const MAX_NAME: usize = 200;

/// Names go into subjects and headers, and into the names of files on the server.
fn check_name(what: &'static str, name: Option<&str>) -> Result<(), BridgeError> {
    let Some(name) = name else { return Ok(()) };
    let fits = |c: char| c.is_ascii_graphic() && !".*>/\\".contains(c);
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(fits) {
        return Err(BridgeError::BadName {
            what,
            name: name.to_owned(),
        });
    }
    Ok(())
}
