//! Calls of `with_orchestrator`.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use chanbus::{ApplyErrorOf, Finish, MultiBus, Orchestrator, with_orchestrator};

use crate::acts::{Call, End, Ran, Said, Script};
use crate::lists::commit;
use crate::world::{Either, Real, World, publish, ran_of_multi};

/// Why a call ended; with what an apply said, if it was that.
struct Ended(Option<Ran>);

impl From<ApplyErrorOf<MultiBus>> for Ended {
    fn from(error: ApplyErrorOf<MultiBus>) -> Self {
        Ended(Some(ran_of_multi(&Err(error))))
    }
}

/// The handles of a call's buses, which may go with it.
struct Wraps<'a> {
    world: &'a World,
    leaves: Vec<usize>,
    escape: bool,
}

impl Drop for Wraps<'_> {
    fn drop(&mut self) {
        for leaf in &self.leaves {
            if !self.escape {
                let handle = self.world.leaf(*leaf).lock().handle.take();
                drop(handle);
            }
        }
    }
}

impl Real {
    pub(crate) fn call(&mut self, call: &Call) -> Option<Said> {
        let given = match call.given {
            Some(given) => Some(self.multi(given)?.orchestrator()),
            None => None,
        };
        self.add_call();
        let mut finished = None;
        let work = |buses: &Orchestrator, finish: &Finish<'_>| {
            work(&self.world, call, buses, finish, &mut finished)
        };
        let said = catch_unwind(AssertUnwindSafe(|| {
            with_orchestrator(given.as_ref(), commit(call.real), work)
        }));
        Some(match said {
            Ok(result) => Said::Call(finished, result.map_err(|Ended(ran)| ran)),
            Err(_) => Said::Panicked(finished),
        })
    }
}

fn work(
    world: &Arc<World>,
    call: &Call,
    buses: &Orchestrator,
    finish: &Finish<'_>,
    finished: &mut Option<Vec<u32>>,
) -> Result<(), Ended> {
    let wrap = |numbers: &bool| world.wrap(buses, *numbers, false);
    let wraps = Wraps {
        world,
        leaves: call.wraps.iter().map(wrap).collect(),
        escape: call.escape,
    };
    let publish_all = |scripts: &[(usize, Script)]| {
        for (leaf, script) in scripts {
            let tickets = vec![world.ticket(script)];
            let leaf = wraps.leaves[leaf % wraps.leaves.len()];
            let back = match world.handle(leaf).unwrap() {
                Either::Effects(to) => publish(&to, tickets, false),
                Either::Numbers(to) => publish(&to, tickets, false),
            };
            assert!(back.is_empty(), "the owner lives");
        }
    };
    publish_all(&call.first);
    if call.finish {
        *finished = Some(Vec::new());
        let result = finish.run();
        if result.is_ok() {
            *finished = Some(ran_of_multi(&result).applied);
        }
        result?;
    }
    publish_all(&call.second);
    match call.end {
        End::Fine => Ok(()),
        End::Error => Err(Ended(None)),
        End::Panic => resume_unwind(Box::new("told to")),
    }
}
