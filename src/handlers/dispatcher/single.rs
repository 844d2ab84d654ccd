//! One event at a time, on the thread at hand: what tests drive a dispatcher by.

use super::serve::Desk;
use super::{Dispatcher, Fate, Nudge, Phase, Shared, StartError};
use crate::handlers::run::Scene;
use crate::sync::Arc;

impl<T: Send + Sync + 'static> Dispatcher<T> {
    /// Takes the next event, or a batch, and has it handled, on the calling thread, where its own thread would have done
    /// so: how many events that were, and 0 if none waits. All that is promised of a dispatcher holds, but that there is
    /// no thread, and nothing happens in between.
    ///
    /// With the default executor, and with [`Inline`](crate::Inline), handlers have ended when it returns; with a
    /// [`StepExecutor`](crate::StepExecutor) they wait there for their own steps. It counts as a start and a stop: for the
    /// time of the call, and while its handlers run, [`start`](Dispatcher::start) is refused.
    ///
    /// # Errors
    ///
    /// It runs by a thread of its own, or inside of another step; handlers of the last step have not ended; the bus has
    /// closed, and all is handled.
    ///
    /// ```
    /// use chanbus::{Bus, Dispatcher, Handlers};
    ///
    /// let (bus, handlers) = (Bus::new(), Handlers::new());
    /// handlers.on("order.*").call(|event| println!("{event:?}"))?;
    /// let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
    /// bus.emit("order.placed", 1)?;
    /// bus.emit("order.paid", 1)?;
    ///
    /// assert_eq!(dispatcher.step()?, 1);
    /// assert_eq!(handlers.stats().called, 1);      // and not one more
    /// assert_eq!(dispatcher.step()?, 1);
    /// assert_eq!(dispatcher.step()?, 0);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn step(&self) -> Result<usize, StartError> {
        self.shared.step()
    }

    /// [Steps](Dispatcher::step) until nothing waits; how many events that were. Events that handlers emit meanwhile are among
    /// them: handlers that answer themselves for ever end by the limit of [chains](crate::Cause).
    ///
    /// # Errors
    ///
    /// As [`step`](Dispatcher::step), but for a bus that has closed, which ends it. What was handled before is counted in
    /// [`stats`](Dispatcher::stats).
    ///
    /// ```
    /// # use chanbus::{Bus, Dispatcher, Handlers};
    /// let (bus, handlers) = (Bus::new(), Handlers::new());
    /// handlers.on("ping").handle(|event, ctx| {
    ///     ctx.emit("pong", *event.payload())?;
    ///     Ok(chanbus::Flow::Continue)
    /// })?;
    /// let dispatcher = Dispatcher::builder(&bus, &handlers).build()?;
    /// bus.emit("ping", 1)?;
    /// assert_eq!(dispatcher.step_all()?, 2);
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
    pub fn step_all(&self) -> Result<usize, StartError> {
        let mut handled = 0;
        loop {
            match self.shared.step() {
                Ok(0) | Err(StartError::Closed) => return Ok(handled),
                Ok(events) => handled += events,
                Err(error) => return Err(error),
            }
        }
    }
}

impl<T: Send + Sync + 'static> Shared<T> {
    /// An epoch of one event: what `start`, a thread and a stop that drains nothing more do.
    fn step(self: &Arc<Self>) -> Result<usize, StartError> {
        let mut state = self.state.lock();
        self.may_start(&state)?;
        let (nudge, nudges) = Nudge::new();
        let fate = Arc::new(Fate::default());
        let desk = Desk {
            epoch: state.epoch + 1,
            nudge: nudge.clone(),
            nudges,
            scene: Scene {
                fate: Some(Arc::clone(&fate)),
                ..self.scene.clone()
            },
        };
        state.begin(desk.epoch, nudge, fate);
        drop(state);
        let handled = self.serve_one(&desk);
        let mut state = self.state.lock();
        // Otherwise a stop gave up on it meanwhile, or it was dropped.
        if state.epoch == desk.epoch {
            let limit = self.passed(&state);
            state.phase = Phase::Stopping { limit };
        }
        self.leave(&desk, &mut state);
        Ok(handled)
    }
}
