//! A dispatcher's thread: it takes events and has them handled.

use std::thread;
use std::time::Instant;

use smallvec::SmallVec;

use super::{Fate, Nudge, Phase, Shared, StartError, State};
use crate::bus::Overflow;
use crate::error::TryRecvError;
use crate::event::Event;
use crate::handlers::executor::{Chosen, Mode};
use crate::handlers::report::Report;
use crate::handlers::run::{Convoy, Run, Scene, Wait, block_on, detach, fly, walk};
use crate::shield::{caught, discard};
use crate::sync::{Arc, Receiver, Select};

/// What is handled together. One lies in place, so that it costs no allocation.
type Events<T> = SmallVec<[Event<T>; 1]>;

/// What the thread finds when it looks for an event.
enum Taken<T> {
    /// One event, or those of a batch.
    Events(Events<T>),
    /// None there, or no more allowed in flight: sleep, and look again.
    Nothing {
        /// An event would help; otherwise only a nudge does.
        events: bool,
    },
    /// Not wanted any more.
    Leave,
}

/// What a thread has of its own epoch.
pub(super) struct Desk<T: Send + Sync + 'static> {
    pub(super) epoch: u64,
    pub(super) nudge: Nudge,
    pub(super) nudges: Receiver<()>,
    pub(super) scene: Scene<T>,
}

impl<T: Send + Sync + 'static> Shared<T> {
    pub(super) fn start(self: &Arc<Self>) -> Result<(), StartError> {
        let mut state = self.state.lock();
        self.may_start(&state)?;
        let epoch = state.epoch + 1;
        let shared = Arc::clone(self);
        let (nudge, nudges) = Nudge::new();
        let fate = Arc::new(Fate::default());
        let desk = Desk {
            epoch,
            nudge: nudge.clone(),
            nudges,
            scene: Scene {
                fate: Some(Arc::clone(&fate)),
                ..self.scene.clone()
            },
        };
        // The system's names end at a zero.
        let name = self.sub.name().unwrap_or("dispatcher").replace('\0', "");
        let thread = thread::Builder::new()
            .name(name)
            .spawn(move || shared.serve(&desk));
        match thread {
            Ok(thread) => {
                // The thread waits for the lock that this holds.
                state.begin(epoch, nudge, fate);
                state.thread = Some(thread);
                Ok(())
            }
            Err(error) => {
                let kind = error.kind();
                Err(StartError::NoThread { kind })
            }
        }
    }

    pub(super) fn may_start(&self, state: &State) -> Result<(), StartError> {
        match state.phase {
            Phase::Running => return Err(StartError::Running),
            Phase::Stopping { .. } => return Err(StartError::Stopping),
            Phase::Idle => {}
        }
        if state.ended || (self.sub.is_closed() && self.sub.is_empty()) {
            return Err(StartError::Closed);
        }
        Ok(())
    }

    fn serve(self: &Arc<Self>, desk: &Desk<T>) {
        loop {
            match self.take(desk.epoch) {
                Taken::Events(events) => self.handle(desk, events),
                Taken::Nothing { events } => self.sleep(&desk.nudges, events),
                Taken::Leave => break,
            }
        }
        self.leave(desk, &mut self.state.lock());
    }

    /// Who served this epoch has left.
    pub(super) fn leave(&self, desk: &Desk<T>, state: &mut State) {
        if state.epoch == desk.epoch {
            state.serving = false;
            self.settle(state);
        }
    }

    /// Has handled what is next, if anything waits; how many events.
    #[cfg(feature = "testing")]
    pub(super) fn serve_one(self: &Arc<Self>, desk: &Desk<T>) -> usize {
        let Taken::Events(events) = self.take(desk.epoch) else {
            return 0;
        };
        let count = events.len();
        self.handle(desk, events);
        count
    }

    fn take(&self, epoch: u64) -> Taken<T> {
        let taken = self.take_next(epoch);
        if let Taken::Events(_) = taken {
            // Not under the lock: taps of `Bus::backlogs` run here, which may stop the dispatcher as handlers may.
            let inside = self.watch.enter();
            self.sub.look_at_marks();
            drop(inside);
        }
        taken
    }

    fn take_next(&self, epoch: u64) -> Taken<T> {
        let mut state = self.state.lock();
        if state.epoch != epoch {
            return Taken::Leave;
        }
        let stopping = match state.phase {
            Phase::Idle => return Taken::Leave,
            Phase::Stopping { limit } if self.passed(&state) >= limit => return Taken::Leave,
            Phase::Stopping { .. } => true,
            Phase::Running => false,
        };
        if state.in_flight >= self.max_in_flight {
            state.held_up = true;
            return Taken::Nothing { events: false };
        }
        match self.receive() {
            Ok(events) => {
                // A batch that has begun to leave the queue leaves it whole, whatever the limit is.
                state.taken += events.len() as u64;
                state.in_flight += 1;
                Taken::Events(events)
            }
            // What was queued may have been pushed out meanwhile.
            Err(TryRecvError::Empty) if stopping => Taken::Leave,
            Err(TryRecvError::Empty) => Taken::Nothing { events: true },
            Err(_closed) => {
                state.ended = true;
                Taken::Leave
            }
        }
    }

    /// What came together, if anything is there.
    fn receive(&self) -> Result<Events<T>, TryRecvError> {
        // Where no handler takes batches, a batch is as many events, which may wait for a later start.
        let max = match self.scene.core.registry.load().content.takes_batches() {
            true => usize::MAX,
            false => 1,
        };
        let mut events = SmallVec::new();
        self.sub.try_recv_batch(&mut events, max)?;
        Ok(events)
    }

    /// How many events have left the queue: taken, or pushed out by later ones.
    pub(super) fn passed(&self, state: &State) -> u64 {
        let pushed_out = match self.sub.overflow() {
            Overflow::DropOldest => self.sub.dropped(),
            _ => 0,
        };
        state.taken + pushed_out
    }

    fn sleep(&self, nudges: &Receiver<()>, events: bool) {
        let mut select = Select::new();
        let nudged = select.recv(nudges);
        if events {
            self.sub.register(&mut select);
        }
        if select.ready() == nudged {
            let _ = nudges.try_recv();
        }
    }

    /// Has one event handled, or a batch.
    fn handle(self: &Arc<Self>, desk: &Desk<T>, mut events: Events<T>) {
        let began = Instant::now();
        let inside = self.watch.enter();
        let ended = Ended {
            shared: Arc::clone(self),
            epoch: desk.epoch,
            nudge: desk.nudge.clone(),
            began,
            events: events.len() as u64,
        };
        // Handlers are caught one by one; this is for what may come beside them, such as the destructor of
        // the event.
        let handled = caught(|| match (events.pop(), events.is_empty()) {
            (Some(event), true) => self.handle_one(desk, event, ended),
            (last, _) => self.handle_batch(desk, events.into_iter().chain(last), ended),
        });
        if let Err(thrown) = handled {
            discard(thrown);
        }
        drop(inside);
    }

    fn handle_one(&self, desk: &Desk<T>, event: Event<T>, ended: Ended<T>) {
        let Ok(routed) = desk.scene.route(event) else {
            return;
        };
        let run = Run::new(desk.scene.clone(), routed);
        match &self.executor {
            Chosen::Here { block_on: on } => {
                if *on && run.route.has_async {
                    block_on(fly(Arc::clone(&run), None, Mode::Sequential, Wait::Asleep));
                    drop(run.report());
                    drop(run);
                } else {
                    drop(walk(run).report());
                }
                drop(ended);
            }
            Chosen::There(executor) => {
                let (executor, mode) = (Arc::clone(executor), self.mode);
                detach(Box::pin(async move {
                    fly(Arc::clone(&run), Some(executor), mode, Wait::Nobody).await;
                    let _: Report<T> = run.report();
                    drop(ended);
                }));
            }
        }
    }

    fn handle_batch(
        &self,
        desk: &Desk<T>,
        events: impl IntoIterator<Item = Event<T>>,
        ended: Ended<T>,
    ) {
        let convoy = Convoy::new(&desk.scene, desk.scene.route_all(events));
        match &self.executor {
            Chosen::Here { block_on } => {
                drop(convoy.here(*block_on));
                drop(ended);
            }
            Chosen::There(executor) => {
                let (executor, mode) = (Arc::clone(executor), self.mode);
                detach(Box::pin(async move {
                    drop(convoy.fly(Some(executor), mode, Wait::Nobody).await);
                    drop(ended);
                }));
            }
        }
    }

    /// Goes to idle if nothing is left to wait for.
    pub(super) fn settle(&self, state: &mut State) {
        if !state.serving && state.in_flight == 0 {
            state.phase = Phase::Idle;
            state.fate.settle();
            self.changed.notify_all();
        }
    }
}

impl State {
    /// A new epoch, without a thread so far.
    pub(super) fn begin(&mut self, epoch: u64, nudge: Nudge, fate: Arc<Fate>) {
        self.epoch = epoch;
        self.phase = Phase::Running;
        self.in_flight = 0;
        self.serving = true;
        self.held_up = false;
        self.thread = None;
        self.nudge = Some(nudge);
        self.fate = fate;
    }
}

/// One event, or a batch, is on its way to its end; dropping it says that it has come there.
struct Ended<T: Send + Sync + 'static> {
    shared: Arc<Shared<T>>,
    epoch: u64,
    nudge: Nudge,
    began: Instant,
    events: u64,
}

impl<T: Send + Sync + 'static> Drop for Ended<T> {
    fn drop(&mut self) {
        let shared = &self.shared;
        let watch = &shared.watch;
        watch.dispatch.add(self.began.elapsed(), self.events);
        let mut state = shared.state.lock();
        if state.epoch != self.epoch {
            return;
        }
        state.in_flight -= 1;
        shared.settle(&mut state);
        let held_up = std::mem::take(&mut state.held_up);
        drop(state);
        if held_up {
            self.nudge.give();
        }
    }
}

#[cfg(test)]
mod tests;
