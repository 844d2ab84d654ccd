//! What goes wrong on purpose, at the n-th event.

use std::fmt;
use std::panic::resume_unwind;

use crate::bus::Bus;
use crate::event::Event;
use crate::handlers::{BoxError, Context, Flow};
use crate::sync::Arc;
use crate::sync::AtomicU64;
use crate::sync::Ordering::Relaxed;

/// Something that goes wrong at the event that you say, in the place that you put it: a filter, a tap, a handler, a
/// middleware. So a test sees what the program does then, each time the same.
///
/// | What | Made by |
/// |---|---|
/// | a panic | [`Fault::panic`] |
/// | an error of a handler, a no of a filter | [`Fault::error`] |
/// | the bus closes | [`Fault::close`] |
/// | whatever you like | [`Fault::run`] |
///
/// | When | By |
/// |---|---|
/// | at every event | nothing: that is the default |
/// | at the n-th | [`at`](Fault::at) |
/// | at the n-th and all after it | [`from`](Fault::from) |
///
/// | Where | As |
/// |---|---|
/// | [`SubscriptionBuilder::filter`](crate::SubscriptionBuilder::filter), [`On::filter`](crate::On::filter) | [`filter`](Fault::filter) |
/// | [`Bus::tap`], [`On::call`](crate::On::call) | [`tap`](Fault::tap) |
/// | [`On::handle`](crate::On::handle) | [`handler`](Fault::handler) |
/// | [`Handlers::middleware`](crate::Handlers::middleware) | [`middleware`](Fault::middleware) |
/// | code of your own | [`strike`](Fault::strike) |
///
/// Clones, and what is made of one, count together: the third event is the third of all of them. Where several threads
/// emit, which event is the third is theirs. A full queue needs no fault: see
/// [`Subscription::fill`](crate::Subscription::fill).
///
/// ```
/// use chanbus::{Bus, Fault};
///
/// let bus = Bus::builder().on_panic(|panic| println!("{panic:?}")).build()?;
/// let fault = Fault::panic().at(2);
/// let sub = bus.subscription("row").filter(fault.filter()).subscribe()?;
/// bus.publisher("row")?.emit_batch([1, 2, 3])?;
/// assert_eq!((sub.received(), sub.filtered(), sub.filter_panics()), (2, 1, 1));
/// assert_eq!((fault.seen(), fault.struck()), (3, 1));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a fault does nothing until it is put somewhere"]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub struct Fault {
    what: What,
    when: When,
    counts: Arc<Counts>,
}

#[derive(Clone)]
enum What {
    Panic,
    Error(Arc<str>),
    Run(Arc<dyn Fn() + Send + Sync>),
}

#[derive(Clone, Copy)]
enum When {
    From(u64),
    At(u64),
}

#[derive(Default)]
struct Counts {
    // Relaxed throughout: each is exact by itself, and they order nothing.
    seen: AtomicU64,
    struck: AtomicU64,
}

impl Fault {
    /// A panic, whose message names the event. The process's panic hook is not called, so it prints nothing.
    ///
    /// ```
    /// # use chanbus::{Emitter, Fault, Handlers};
    /// let handlers = Handlers::new();
    /// handlers.on("a").handle(Fault::panic().handler())?;
    /// let report = Emitter::inline(&handlers).emit("a", 1)?;
    /// assert!(report.errors[0].is_panic());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn panic() -> Self {
        Self::new(What::Panic)
    }

    /// An error with that text, of a handler. A filter says no, a middleware blocks the event. A tap has no way to
    /// say so, and panics.
    ///
    /// ```
    /// # use chanbus::{Emitter, Fault, Handlers};
    /// let handlers = Handlers::new();
    /// handlers.on("a").handle(Fault::error("no disk").at(2).handler())?;
    /// let emitter = Emitter::inline(&handlers);
    /// assert!(emitter.emit("a", 1)?.is_ok());
    /// assert!(emitter.emit("a", 1)?.errors[0].to_string().contains("no disk"));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn error(text: impl Into<Arc<str>>) -> Self {
        Self::new(What::Error(text.into()))
    }

    /// That bus is closed, which the event at hand does not hear of. It does not keep the bus open.
    ///
    /// ```
    /// # use chanbus::{Bus, Fault};
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("row")?;
    /// let _tap = bus.tap("row", Fault::close(&bus).at(2).tap())?;
    /// for row in 0..10 {
    ///     if bus.emit("row", row).is_err() {
    ///         break;
    ///     }
    /// }
    /// assert_eq!(sub.iter().count(), 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn close<T: Send + Sync + 'static>(bus: &Bus<T>) -> Self {
        let bus = bus.downgrade();
        Self::run(move || {
            if let Some(bus) = bus.upgrade() {
                bus.close();
            }
        })
    }

    /// What that closure does.
    ///
    /// ```
    /// # use chanbus::{Bus, Fault};
    /// let bus = Bus::new();
    /// let sub = bus.subscribe("row")?;
    /// let closer = sub.closer();
    /// let fault = Fault::run(move || drop(closer.close())).at(2);
    /// let _tap = bus.tap("row", fault.tap())?;
    /// bus.publisher("row")?.emit(1)?;
    /// bus.publisher("row")?.emit(2)?;
    /// assert_eq!(bus.emit("row", 3)?.matched, 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn run(act: impl Fn() + Send + Sync + 'static) -> Self {
        Self::new(What::Run(Arc::new(act)))
    }

    fn new(what: What) -> Self {
        Fault {
            what,
            when: When::From(1),
            counts: Arc::default(),
        }
    }

    /// At the n-th event alone; the first is 1, and 0 is never.
    ///
    /// ```
    /// # use chanbus::Fault;
    /// let fault = Fault::error("no").at(2);
    /// let results: Vec<bool> = (0..3).map(|_| fault.strike("row").is_err()).collect();
    /// assert_eq!(results, [false, true, false]);
    /// ```
    pub fn at(mut self, event: u64) -> Self {
        self.when = When::At(event);
        self
    }

    /// At the n-th event and all after it; the first is 1.
    ///
    /// ```
    /// # use chanbus::Fault;
    /// let fault = Fault::error("no").from(2);
    /// let results: Vec<bool> = (0..3).map(|_| fault.strike("row").is_err()).collect();
    /// assert_eq!(results, [false, true, true]);
    /// ```
    pub fn from(mut self, event: u64) -> Self {
        self.when = When::From(event);
        self
    }

    /// How many events it has seen.
    ///
    /// ```
    /// # use chanbus::Fault;
    /// assert_eq!(Fault::panic().seen(), 0);
    /// ```
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.counts.seen.load(Relaxed)
    }

    /// At how many of them it did what it does.
    ///
    /// ```
    /// # use chanbus::Fault;
    /// let fault = Fault::error("no").at(2);
    /// assert!(fault.strike("a").is_ok());
    /// assert_eq!((fault.seen(), fault.struck()), (1, 0));
    /// ```
    #[must_use]
    pub fn struck(&self) -> u64 {
        self.counts.struck.load(Relaxed)
    }

    /// Sees one event more, whose topic, or what else you call it, goes into the message.
    ///
    /// # Errors
    ///
    /// It is an [error](Fault::error), and this is its event.
    ///
    /// # Panics
    ///
    /// It is a [panic](Fault::panic), and this is its event.
    ///
    /// ```
    /// # use chanbus::Fault;
    /// let fault = Fault::error("no disk").at(1);
    /// let error = fault.strike("save").unwrap_err();
    /// assert_eq!(error.to_string(), "no disk (a fault at event 1, `save`)");
    /// ```
    pub fn strike(&self, what: &str) -> Result<(), BoxError> {
        let number = self.counts.seen.fetch_add(1, Relaxed).saturating_add(1);
        let strikes = match self.when {
            When::At(event) => number == event,
            When::From(event) => number >= event,
        };
        if !strikes {
            return Ok(());
        }
        self.counts.struck.fetch_add(1, Relaxed);
        match &self.what {
            What::Panic => panic_quietly(format!("a fault at event {number}, `{what}`")),
            What::Error(text) => {
                Err(format!("{text} (a fault at event {number}, `{what}`)").into())
            }
            What::Run(act) => {
                act();
                Ok(())
            }
        }
    }

    /// As a filter, which lets pass all else.
    ///
    /// ```
    /// # use chanbus::{Bus, Fault};
    /// let bus = Bus::new();
    /// let sub = bus.subscription("row").filter(Fault::error("no").at(1).filter()).subscribe()?;
    /// assert_eq!(bus.emit("row", 1)?.filtered, 1);
    /// assert_eq!(bus.emit("row", 2)?.delivered, 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn filter<T>(&self) -> impl Fn(&Event<T>) -> bool + Send + Sync + use<T> {
        let fault = self.clone();
        move |event| fault.strike(event.topic()).is_ok()
    }

    /// As a tap, or as a handler that returns nothing.
    ///
    /// ```
    /// # use chanbus::{Bus, Fault};
    /// let bus = Bus::new();
    /// let fault = Fault::panic().at(1);
    /// let _tap = bus.tap("row", fault.tap())?;
    /// assert!(bus.emit("row", 1).is_ok(), "a tap's panic stays there");
    /// assert_eq!(fault.struck(), 1);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn tap<T>(&self) -> impl Fn(&Event<T>) + Send + Sync + use<T> {
        let fault = self.clone();
        move |event| {
            if let Err(error) = fault.strike(event.topic()) {
                panic_quietly(error.to_string());
            }
        }
    }

    /// As a handler, which otherwise has events go on.
    ///
    /// ```
    /// # use chanbus::{Emitter, Fault, Handlers};
    /// let handlers = Handlers::new();
    /// handlers.on("a").handle(Fault::error("no").from(2).handler())?;
    /// let emitter = Emitter::inline(&handlers);
    /// let failed: Vec<usize> = (0..3).map(|n| emitter.emit("a", n).unwrap().failed).collect();
    /// assert_eq!(failed, [0, 1, 1]);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn handler<T: Send + Sync + 'static>(
        &self,
    ) -> impl Fn(&Event<T>, &Context<T>) -> Result<Flow, BoxError> + Send + Sync + use<T> {
        let fault = self.clone();
        move |event, _| {
            fault.strike(event.topic())?;
            Ok(Flow::Continue)
        }
    }

    /// As a middleware, which passes all else; an error blocks the event.
    ///
    /// ```
    /// # use chanbus::{Emitter, Fault, Handlers};
    /// let handlers = Handlers::new();
    /// let _guard = handlers.middleware(Fault::error("no").at(1).middleware());
    /// let emitter = Emitter::inline(&handlers);
    /// assert!(emitter.emit("a", 1)?.blocked);
    /// assert!(!emitter.emit("a", 1)?.blocked);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn middleware<T>(&self) -> impl Fn(Event<T>) -> Option<Event<T>> + Send + Sync + use<T> {
        let fault = self.clone();
        move |event| {
            let passed = fault.strike(event.topic()).is_ok();
            passed.then_some(event)
        }
    }
}

/// Panics without the process's hook, which would print what a test wants.
fn panic_quietly(text: String) -> ! {
    resume_unwind(Box::new(text))
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fault")
            .field("seen", &self.seen())
            .field("struck", &self.struck())
            .finish_non_exhaustive()
    }
}
