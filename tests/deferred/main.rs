//! The promises of deferred buses, D1 to D7, sentence by sentence. Each test is named after its promise; what is said
//! of several kinds of buses is asked of each.
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../common/mod.rs"]
mod common;

mod by_hand;
mod delayed;
mod destructors;
mod emits;
mod errors;
mod inside;
mod lives;
mod multi;
mod nesting;
mod orphans;
mod own_or_given;
mod panics;
mod publish_and_apply;
mod side_effects;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chanbus::{BoxError, Commit, Deferred, Effect, Error, FromFn};

type Done = Result<(), Error>;

/// What effects did, in the order in which they did it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        // Some effects panic, and none of them inside of this.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, line: impl Into<String>) {
        self.lines().push(line.into());
    }

    /// What was written since it was last asked.
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.lines())
    }

    /// An effect that writes its label; in a dry run with a question mark.
    fn effect(&self, label: &str) -> Effect {
        let (log, line) = (self.clone(), label.to_owned());
        Effect::new(label, move |commit| {
            match commit {
                Commit::Real => log.write(line.as_str()),
                Commit::DryRun => log.write(format!("{line}?")),
            }
            Ok(())
        })
    }

    /// One that writes its label, too, and fails.
    fn failing(&self, label: &str) -> Effect {
        let (log, line) = (self.clone(), label.to_owned());
        Effect::new(label, move |_| {
            log.write(line.as_str());
            Err("no".into())
        })
    }

    /// One that writes its label, too, and panics.
    fn panicking(&self, label: &str) -> Effect {
        let (log, line) = (self.clone(), label.to_owned());
        Effect::new(label, move |_| {
            log.write(line.as_str());
            panic!("out of {line}")
        })
    }

    /// A bus whose events are numbers, which are written down when they are applied; negative ones fail.
    fn numbers(&self, name: &'static str) -> Numbers {
        let log = self.clone();
        Deferred::from_fn(Box::new(move |number: &i32, commit: Commit| {
            if *number < 0 {
                return Err("negative".into());
            }
            if commit.is_real() {
                log.write(format!("{name}{number}"));
            }
            Ok(())
        }) as Apply)
    }
}

type Apply = Box<dyn Fn(&i32, Commit) -> Result<(), BoxError> + Send + Sync>;
type Numbers = Deferred<FromFn<i32, Apply>>;

fn labels<'a>(effects: impl IntoIterator<Item = &'a Effect>) -> Vec<&'a str> {
    effects.into_iter().map(Effect::label).collect()
}
