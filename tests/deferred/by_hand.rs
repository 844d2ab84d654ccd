//! D1: buses that are made by hand, by the traits alone.

use std::sync::Mutex;

use chanbus::{
    ApplyError, ApplyErrorOf, BoxError, Collected, Commit, DeferredBus, DelayedBus, EffectError,
    Failed, MultiBus, Publish, PublishError, with_orchestrator,
};

use crate::{Done, Log};

/// Publishes nothing: it counts, and is full some time.
struct Counter {
    count: Mutex<u32>,
    limit: u32,
}

impl Publish for Counter {
    type Event = &'static str;

    fn publish(&self, event: &'static str) -> Result<(), PublishError<&'static str>> {
        let mut count = self.count.lock().unwrap();
        if *count == self.limit {
            return Err(PublishError::new(event));
        }
        *count += 1;
        Ok(())
    }
}

#[test]
fn d1_publish_all_hands_back_what_was_not_published() {
    let counter = Counter {
        count: 0.into(),
        limit: 2,
    };
    assert!(counter.publish_all(["a", "b"]).is_ok());
    *counter.count.lock().unwrap() = 1;
    let back = counter.publish_all(["c", "d", "e"]).unwrap_err();
    assert_eq!(back.into_inner(), ["d", "e"]);
    assert_eq!(*counter.count.lock().unwrap(), 2);
}

/// A stack: the last comes first. It says of an apply how many it was.
#[derive(Default)]
struct Stack {
    events: Mutex<Vec<u32>>,
    log: Log,
}

impl Publish for Stack {
    type Event = u32;

    fn publish(&self, event: u32) -> Result<(), PublishError<u32>> {
        self.events.lock().unwrap().push(event);
        Ok(())
    }
}

impl DeferredBus for Stack {
    type Error = BoxError;
    type Applied = usize;

    fn apply(&self, commit: Commit) -> Result<usize, ApplyErrorOf<Self>> {
        Collected::run_all(self.collect(), commit)
            .map(|applied| applied.len())
            .map_err(|error| error.map_applied(|applied| applied.len()))
    }

    fn collect(&self) -> Vec<Collected<u32, BoxError>> {
        let events = std::mem::take(&mut *self.events.lock().unwrap());
        events
            .into_iter()
            .rev()
            .map(|event| {
                let log = self.log.clone();
                let collected = Collected::new(
                    event,
                    Box::new(move |event: &u32, commit| {
                        if *event == 13 {
                            return Err("bad luck".into());
                        }
                        log.write(format!("{event} {commit}"));
                        Ok(())
                    }),
                );
                collected.labelled(format!("the {event}"))
            })
            .collect()
    }
}

#[test]
fn d1_a_bus_by_hand_is_as_good_as_any() -> Done {
    let stack = Stack::default();
    stack.publish_all([1, 2])?;
    assert_eq!(stack.apply(Commit::Real)?, 2);
    stack.publish_all([3, 13, 4])?;
    let error = stack.apply(Commit::DryRun).unwrap_err();
    assert_eq!(
        error.to_string(),
        "effect `the 13`, number 2 of 3, failed: bad luck"
    );
    assert_eq!((error.applied, error.remaining), (1, vec![3]));
    assert_eq!(stack.log.take(), ["2 commit", "1 commit", "4 dry run"]);

    let (delayed, log) = (DelayedBus::new(&stack), stack.log.clone());
    delayed.publish(5)?;
    assert_eq!(delayed.as_deferred().apply(Commit::Real)?, 1);
    delayed.publish_all([6, 7])?;
    assert_eq!(delayed.apply_without_delay(Commit::Real)?, [5, 7, 6]);
    assert_eq!(log.take().len(), 3);
    Ok(())
}

#[test]
fn d5_a_bus_by_hand_can_be_wrapped() -> Done {
    let (multi, log) = (MultiBus::new(), Log::default());
    let stack = Stack {
        log: log.clone(),
        ..Stack::default()
    };
    let (numbers, stack) = (multi.wrap(log.numbers("n")), multi.wrap(stack));
    stack.publish_all([1, 2])?;
    numbers.publish(3)?;
    let applied = multi.apply(Commit::Real)?;
    assert_eq!(log.take(), ["n3", "2 commit", "1 commit"]);
    assert_eq!(applied.events_of(&stack), [&2, &1]);
    stack.publish_all([3, 13])?;
    let error = multi.apply(Commit::Real).unwrap_err();
    assert_eq!(error.failed.label.as_deref(), Some("the 13"));
    multi.publish_all(error.remaining)?;
    drop((stack, numbers));
    assert_eq!(multi.apply(Commit::Real)?.len(), 1);
    assert_eq!(log.take(), ["3 commit"]);
    Ok(())
}

#[test]
fn d6_a_bus_by_hand_can_be_of_a_call() -> Done {
    let stack = std::sync::Arc::new(Stack::default());
    with_orchestrator(None, Commit::Real, |buses, finish| {
        let wrapped = buses.wrap(std::sync::Arc::clone(&stack));
        wrapped.publish(1)?;
        assert_eq!(finish.run()?.events_of(&wrapped), [&1]);
        wrapped.publish(2)?;
        Ok::<_, chanbus::Error>(())
    })?;
    assert_eq!(stack.log.take(), ["1 commit", "2 commit"]);
    Ok(())
}

/// One whose `publish` refuses: what a wrapped one says is what it says.
struct Refuses;

impl Publish for Refuses {
    type Event = u32;

    fn publish(&self, event: u32) -> Result<(), PublishError<u32>> {
        Err(PublishError::new(event))
    }
}

impl DeferredBus for Refuses {
    type Error = BoxError;
    type Applied = Vec<u32>;

    fn apply(&self, _: Commit) -> Result<Vec<u32>, ApplyErrorOf<Self>> {
        let failed = Failed::new(1, Some("one".into()), EffectError::Failed("never".into()));
        Err(ApplyError::new(vec![0], failed, vec![2, 3]))
    }

    fn collect(&self) -> Vec<Collected<u32, BoxError>> {
        vec![Collected::new(7, Box::new(|_, _| Ok(())))]
    }
}

#[test]
fn d1_a_refusal_comes_through_whatever_wraps_it() -> Done {
    let (delayed, multi) = (DelayedBus::new(Refuses), MultiBus::new());
    let wrapped = multi.wrap(Refuses);
    assert_eq!(delayed.publish(1).unwrap_err().into_inner(), 1);
    assert_eq!(
        delayed.as_deferred().publish(1).unwrap_err().into_inner(),
        1
    );
    assert_eq!(wrapped.publish(1).unwrap_err().into_inner(), 1);
    assert_eq!(
        wrapped.publish_all([1, 2]).unwrap_err().into_inner(),
        [1, 2]
    );
    let error = Refuses.apply(Commit::Real).unwrap_err();
    assert_eq!(
        error.to_string(),
        "effect `one`, number 2 of 4, failed: never"
    );
    assert_eq!(error.into_unapplied(), [1, 2, 3]);

    // What it has collected cannot go back to it, and comes back whole.
    let event = multi.apply(Commit::Real)?.into_iter().next().unwrap();
    let back = multi.publish(event).unwrap_err().into_inner();
    assert_eq!(back.downcast_ref(), Some(&7_u32));
    assert_eq!(back.downcast::<u32>().unwrap(), 7);
    Ok(())
}
