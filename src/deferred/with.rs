//! One's own bus, or that of the caller (D6).

use std::fmt;
use std::sync::Arc;

use super::collected::Collected;
use super::commit::Commit;
use super::error::{ApplyError, ApplyErrorOf, EffectError, Failed};
use super::multi::{Applied, MultiBus, Orchestrator};
use super::publish::DeferredBus;
use super::queue::drop_all;

/// For functions that work by themselves, and as a part of something larger: with the caller's orchestrator if there
/// is one, else with a [`MultiBus`] for this call.
///
/// `work` is given an [`Orchestrator`], to wrap buses, and a [`Finish`].
///
/// - *Given one*: when `work` returns `Ok`, what it published is handed over as one, and the orchestrator's owner
///   applies it. `commit` and `finish` have no effect: it is the owner who says.
/// - *Given none*: `finish.run()` applies what was published so far, at that moment; what is left is applied when `work`
///   returns `Ok`, and so is what its effects publish, until nothing is left: effects that always publish more would
///   never come to an end.
/// - *In both cases* an `Err` or a panic of `work` discards what this call published by the handles of what it wrapped, and
///   what was not applied. What the caller or others published stays (but on a bus that cannot be had
///   [apart](DeferredBus::apart), where it cannot be told from the rest).
///
/// What `finish.run()` has applied stays applied. What it returns is all that is told of what was applied: to report
/// it, call it last, and look at [`is_mine`](Finish::is_mine).
///
/// # Errors
///
/// What `work` says; or, given none, the [`ApplyError`] of what was left. Given one whose owner went
/// while `work` ran, an `ApplyError` hands back all that it published. An error type of your own takes it by an
/// `impl From<ApplyErrorOf<MultiBus>>`.
///
/// By then this call's own `MultiBus` has gone, so the events in the error can be looked at, and be published one
/// by one where their types are known ([`AnyEvent::downcast`](crate::AnyEvent::downcast)). Who wants to retry the whole
/// makes a `MultiBus`, gives its orchestrator, and applies it.
///
/// ```
/// use chanbus::{BasicBus, BoxError, Commit, DeferredBus, Effect, MultiBus, Orchestrator, Publish, with_orchestrator};
///
/// // The closure is the tail, so its error type is known; before a `?`, end it by `Ok::<_, BoxError>(..)`.
/// fn place_order(name: &str, owner: Option<&Orchestrator>, commit: Commit) -> Result<u32, BoxError> {
///     with_orchestrator(owner, commit, |buses, finish| {
///         let effects = buses.wrap(BasicBus::new());
///         effects.publish(Effect::new(format!("reserve for {name}"), |_| Ok(())))?;
///         finish.run()?;
///         effects.publish(Effect::new(format!("mail {name}"), |_| Ok(())))?;
///         Ok(7)
///     })
/// }
///
/// // By itself:
/// assert_eq!(place_order("ann", None, Commit::Real)?, 7);
///
/// // As parts of something larger, which is applied as one:
/// let multi = MultiBus::new();
/// place_order("ann", Some(&multi.orchestrator()), Commit::default())?;
/// place_order("bob", Some(&multi.orchestrator()), Commit::default())?;
/// assert_eq!(multi.apply(Commit::Real)?.len(), 4);
/// # Ok::<(), BoxError>(())
/// ```
pub fn with_orchestrator<R, E>(
    given: Option<&Orchestrator>,
    commit: Commit,
    work: impl FnOnce(&Orchestrator, &Finish<'_>) -> Result<R, E>,
) -> Result<R, E>
where
    E: From<ApplyErrorOf<MultiBus>>,
{
    // Whose owner has gone says so to those who publish.
    if let Some(orphan) = given.filter(|given| given.is_orphan()) {
        return work(orphan, &Finish { own: None, commit });
    }
    // Dropped on every way out, which discards what is left, but for what the owner was given.
    let own = MultiBus::new();
    let finish = Finish {
        own: given.is_none().then_some(&own),
        commit,
    };
    let result = work(&own.orchestrator(), &finish)?;
    match given {
        Some(given) => hand_over(own, given)?,
        None => loop {
            let applied: Vec<_> = own.apply(commit)?.into_iter().collect();
            if applied.is_empty() {
                break;
            }
            drop_all(applied);
        },
    }
    Ok(result)
}

/// Gives all that was published to the owner of an orchestrator; back, if he went meanwhile.
fn hand_over(own: MultiBus, given: &Orchestrator) -> Result<(), ApplyErrorOf<MultiBus>> {
    let Err(own) = given.adopt(own) else {
        return Ok(());
    };
    let mut left = own.collect().into_iter();
    let Some(first) = left.next() else {
        return Ok(());
    };
    let label = first.label().map(Arc::from);
    let error = EffectError::Failed("its owner has gone, and nobody applies it".into());
    let failed = Failed::new(first.into_event(), label, error);
    let remaining = left.map(Collected::into_event).collect();
    Err(ApplyError::new(Vec::new(), failed, remaining).map_applied(|_| Applied::default()))
}

/// The moment to apply, if it is the callee's to choose: see [`with_orchestrator`].
///
/// ```
/// use chanbus::{BasicBus, BoxError, Commit, Effect, MultiBus, Publish, with_orchestrator};
///
/// let applied = with_orchestrator(None, Commit::Real, |buses, finish| {
///     buses.wrap(BasicBus::new()).publish(Effect::new("write", |_| Ok(())))?;
///     assert!(finish.is_mine());
///     Ok::<_, BoxError>(finish.run()?.len())
/// })?;
/// assert_eq!(applied, 1);
/// # Ok::<(), BoxError>(())
/// ```
pub struct Finish<'a> {
    /// What to apply, unless somebody else does.
    own: Option<&'a MultiBus>,
    commit: Commit,
}

impl Finish<'_> {
    /// Applies what this call has published so far, and returns it; nothing if the orchestrator has another owner. More
    /// may be published after it.
    ///
    /// # Errors
    ///
    /// As [`DeferredBus::apply`].
    ///
    /// ```
    /// use chanbus::{BoxError, Commit, MultiBus, with_orchestrator};
    ///
    /// let multi = MultiBus::new();
    /// with_orchestrator(Some(&multi.orchestrator()), Commit::Real, |_, finish| {
    ///     assert!(finish.run()?.is_empty());
    ///     Ok::<_, BoxError>(())
    /// })?;
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn run(&self) -> Result<Applied, ApplyErrorOf<MultiBus>> {
        match self.own {
            Some(own) => own.apply(self.commit),
            None => Ok(Applied::default()),
        }
    }

    /// Whether it is this call that applies.
    ///
    /// ```
    /// use chanbus::{BoxError, Commit, with_orchestrator};
    ///
    /// let mine = with_orchestrator(None, Commit::DryRun, |_, finish| Ok::<_, BoxError>(finish.is_mine()))?;
    /// assert!(mine);
    /// # Ok::<(), BoxError>(())
    /// ```
    #[must_use]
    pub fn is_mine(&self) -> bool {
        self.own.is_some()
    }
}

impl fmt::Debug for Finish<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finish")
            .field("is_mine", &self.is_mine())
            .field("commit", &self.commit)
            .finish()
    }
}
