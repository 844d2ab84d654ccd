//! Buses and events that misbehave.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use chanbus::{
    ApplyErrorOf, ApplyEvent, BasicBus, BoxError, Collected, Commit, Deferred, DeferredBus, Effect,
    Later, Publish, PublishError,
};
use parking_lot::Mutex;

/// What a panic said; fails if there was none.
pub(crate) fn panic_of<R>(act: impl FnOnce() -> R) -> String {
    let Err(thrown) = catch_unwind(AssertUnwindSafe(act)) else {
        panic!("it did not panic");
    };
    match thrown.downcast::<String>() {
        Ok(text) => *text,
        Err(thrown) => thrown.downcast::<&str>().unwrap().to_string(),
    }
}

/// Panics when it is dropped.
pub(crate) struct Bomb(pub(crate) &'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

/// An effect that does nothing.
pub(crate) fn nothing(label: &str) -> Effect {
    Effect::new(label, |_| Ok(()))
}

pub(crate) fn labels(effects: &[Effect]) -> Vec<&str> {
    effects.iter().map(Effect::label).collect()
}

/// A bus of numbers that does nothing with them.
pub(crate) fn numbers() -> Deferred<Numbers> {
    Deferred::by(Numbers)
}

pub(crate) struct Numbers;

impl ApplyEvent for Numbers {
    type Event = u32;
    type Error = BoxError;

    fn apply_event(&self, _: &u32, _: Commit) -> Result<(), BoxError> {
        Ok(())
    }
}

type Label = fn(&u32) -> Option<Arc<str>>;
type Collect = Box<dyn Fn(&u32) -> Later<u32, BoxError> + Send + Sync>;

/// Numbers, whose applier does as it is told wherever it can.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) label: Option<Label>,
    pub(crate) collect: Option<Collect>,
    #[expect(dead_code, reason = "it goes with the applier")]
    pub(crate) captured: Option<Bomb>,
}

impl ApplyEvent for Told {
    type Event = u32;
    type Error = BoxError;

    fn apply_event(&self, _: &u32, _: Commit) -> Result<(), BoxError> {
        Ok(())
    }

    fn collect_event(self: Arc<Self>, event: &u32) -> Later<u32, BoxError> {
        match &self.collect {
            Some(collect) => collect(event),
            None => Box::new(|_, _| Ok(())),
        }
    }

    fn label(&self, event: &u32) -> Option<Arc<str>> {
        self.label.and_then(|label| label(event))
    }
}

/// What a bus of one's own does before it collects.
pub(crate) type Before = Arc<Mutex<Option<Box<dyn FnMut() + Send>>>>;

/// A bus of effects written by hand, on another.
pub(crate) struct ByHand {
    pub(crate) inner: BasicBus,
    pub(crate) before: Before,
}

impl ByHand {
    /// One whose next collecting begins with `act`.
    pub(crate) fn new(act: impl FnMut() + Send + 'static) -> Self {
        ByHand {
            inner: BasicBus::new(),
            before: Arc::new(Mutex::new(Some(Box::new(act)))),
        }
    }
}

impl Publish for ByHand {
    type Event = Effect;

    fn publish(&self, event: Effect) -> Result<(), PublishError<Effect>> {
        self.inner.publish(event)
    }
}

impl DeferredBus for ByHand {
    type Error = BoxError;
    type Applied = Vec<Effect>;

    fn apply(&self, commit: Commit) -> Result<Vec<Effect>, ApplyErrorOf<Self>> {
        Collected::run_all(self.collect(), commit)
    }

    fn collect(&self) -> Vec<Collected<Effect, BoxError>> {
        let before = self.before.lock().take();
        if let Some(mut act) = before {
            act();
        }
        self.inner.collect()
    }
}
