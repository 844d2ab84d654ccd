//! What a bus of one's own has to say: how an event is applied.

use std::fmt;
use std::sync::Arc;

use super::collected::Later;
use super::commit::Commit;
use crate::BoxError;

/// What applies the events of a [`Deferred`](crate::Deferred) bus: one method to write.
///
/// ```
/// use chanbus::{ApplyEvent, Commit, Deferred, DeferredBus, Publish};
/// use std::sync::Mutex;
///
/// /// Keeps accounts.
/// struct Ledger(Mutex<i64>);
///
/// impl ApplyEvent for Ledger {
///     type Event = i64;
///     type Error = String;
///
///     fn apply_event(&self, amount: &i64, commit: Commit) -> Result<(), String> {
///         let mut balance = self.0.lock().unwrap();
///         if *balance + amount < 0 {
///             return Err(format!("{amount} is more than there is"));
///         }
///         if commit.is_real() {
///             *balance += amount;
///         }
///         Ok(())
///     }
/// }
///
/// let ledger = Deferred::by(Ledger(Mutex::new(10)));
/// ledger.publish_all([5, -12])?;
/// assert_eq!(ledger.apply(Commit::Real)?, [5, -12]);
/// assert_eq!(*ledger.applier().0.lock().unwrap(), 3);
/// # Ok::<(), chanbus::Error>(())
/// ```
pub trait ApplyEvent: Send + Sync + 'static {
    /// What is published.
    type Event: Send + Sync + 'static;

    /// What is wrong when an event cannot be applied; [`BoxError`] takes any.
    type Error: Into<BoxError> + fmt::Debug + fmt::Display + Send + Sync + 'static;

    /// Does what the event says, or, in a dry run, checks whether it could.
    ///
    /// # Errors
    ///
    /// As you like; it stops the apply.
    ///
    /// ```
    /// # use chanbus::{ApplyEvent, BoxError, Commit};
    /// struct Printer;
    ///
    /// impl ApplyEvent for Printer {
    ///     type Event = String;
    ///     type Error = BoxError;
    ///
    ///     fn apply_event(&self, text: &String, commit: Commit) -> Result<(), BoxError> {
    ///         if commit.is_real() {
    ///             println!("{text}");
    ///         }
    ///         Ok(())
    ///     }
    /// }
    /// # Printer.apply_event(&"hi".to_owned(), Commit::DryRun).unwrap();
    /// ```
    fn apply_event(&self, event: &Self::Event, commit: Commit) -> Result<(), Self::Error>;

    /// What is to run later when an event is [collected](crate::DeferredBus::collect): unless you say otherwise,
    /// [`apply_event`](ApplyEvent::apply_event). For what should be fixed at that moment.
    ///
    /// A panic in it comes when the event is run, as its failure.
    ///
    /// ```
    /// use chanbus::{ApplyEvent, BoxError, Commit, Deferred, DeferredBus, Later, Publish};
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicU32, Ordering};
    ///
    /// /// Sells at the price of the moment in which the sale is collected.
    /// struct Shop {
    ///     price: AtomicU32,
    ///     earned: AtomicU32,
    /// }
    ///
    /// impl ApplyEvent for Shop {
    ///     type Event = u32;
    ///     type Error = BoxError;
    ///
    ///     fn apply_event(&self, pieces: &u32, _: Commit) -> Result<(), BoxError> {
    ///         self.earned.fetch_add(pieces * self.price.load(Ordering::Relaxed), Ordering::Relaxed);
    ///         Ok(())
    ///     }
    ///
    ///     fn collect_event(self: Arc<Self>, _: &u32) -> Later<u32, BoxError> {
    ///         let price = self.price.load(Ordering::Relaxed);
    ///         Box::new(move |pieces, _| {
    ///             self.earned.fetch_add(pieces * price, Ordering::Relaxed);
    ///             Ok(())
    ///         })
    ///     }
    /// }
    ///
    /// let shop = Deferred::by(Shop { price: 10.into(), earned: 0.into() });
    /// shop.publish(3)?;
    /// let mut sales = shop.collect();
    /// shop.applier().price.store(99, Ordering::Relaxed);
    /// sales[0].run(Commit::Real).unwrap();
    /// assert_eq!(shop.applier().earned.load(Ordering::Relaxed), 30);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    fn collect_event(self: Arc<Self>, event: &Self::Event) -> Later<Self::Event, Self::Error> {
        // Only for those who would rather look first.
        let _ = event;
        Box::new(move |event, commit| self.apply_event(event, commit))
    }

    /// What to call an event in errors; nothing unless you say otherwise.
    ///
    /// ```
    /// use chanbus::{ApplyEvent, BoxError, Commit, Deferred, DeferredBus, Publish};
    /// use std::sync::Arc;
    ///
    /// struct Mails;
    ///
    /// impl ApplyEvent for Mails {
    ///     type Event = String;
    ///     type Error = BoxError;
    ///
    ///     fn apply_event(&self, _: &String, _: Commit) -> Result<(), BoxError> {
    ///         Err("no network".into())
    ///     }
    ///
    ///     fn label(&self, to: &String) -> Option<Arc<str>> {
    ///         Some(format!("mail to {to}").into())
    ///     }
    /// }
    ///
    /// let mails = Deferred::by(Mails);
    /// mails.publish("ann".to_owned())?;
    /// let error = mails.apply(Commit::Real).unwrap_err();
    /// assert_eq!(error.to_string(), "effect `mail to ann`, number 1 of 1, failed: no network");
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    fn label(&self, event: &Self::Event) -> Option<Arc<str>> {
        let _ = event;
        None
    }
}
