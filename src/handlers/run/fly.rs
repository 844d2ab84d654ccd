//! The steps of an event's way, one after the other, each handed to an executor.
//!
//! The future does not care who polls it: one who waits for the emit, a task that awaits it, or, for
//! emits that nobody waits for, whichever thread ended a step last ([`detach`](super::detach)).

use std::ops::Range;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use super::Run;
use super::step::{Step, Task, TaskFuture, Work};
use crate::handlers::executor::{Executor, Job, Mode, Waiting};
use crate::handlers::roster::Route;
use crate::shield::{caught, discard};
use crate::sync::Arc;

/// Runs all handlers of an event. Without an executor, whoever polls runs them; a worker of the executor
/// that polls helps.
pub(in crate::handlers) async fn fly<T: Send + Sync + 'static>(
    run: Arc<Run<T>>,
    executor: Option<Arc<dyn Executor>>,
    mode: Mode,
) {
    let mut from = 0;
    while let Some(places) = next_step(&run.route, from, mode) {
        from = places.end;
        Flight::new(&run, executor.clone(), places, mode).await;
    }
}

/// The same for [`detach`](super::detach): nobody waits, so the executor runs all. Its polls are inside
/// of wakers, on whichever thread, where the user's code has no place.
pub(in crate::handlers) async fn fly_detached<T: Send + Sync + 'static>(
    run: Arc<Run<T>>,
    executor: Arc<dyn Executor>,
    mode: Mode,
) {
    let mut from = 0;
    while let Some(places) = next_step(&run.route, from, mode) {
        from = places.end;
        let executor = Some(Arc::clone(&executor));
        let mut flight = Flight::new(&run, executor, places, mode);
        flight.detached = true;
        flight.await;
    }
}

/// The handlers that run together, from this place on.
fn next_step<T: Send + Sync + 'static>(
    route: &Route<T>,
    from: usize,
    mode: Mode,
) -> Option<Range<usize>> {
    let first = route.entries.get(from)?;
    let rest = route.entries[from..].iter();
    let together = match mode {
        // An async one by itself; others in a row are one task, and each looks whether to go on.
        Mode::Sequential if first.is_async() => 1,
        Mode::Sequential => rest.take_while(|entry| !entry.is_async()).count(),
        Mode::Tiered => {
            let same = |entry: &&Arc<_>| same_tier(first, entry);
            rest.take_while(same).count()
        }
        Mode::Concurrent => {
            let monitors = first.priority.is_monitor();
            rest.take_while(|entry| entry.priority.is_monitor() == monitors)
                .count()
        }
    };
    Some(from..from + together)
}

fn same_tier<T: Send + Sync + 'static>(
    one: &crate::handlers::entry::Entry<T>,
    other: &crate::handlers::entry::Entry<T>,
) -> bool {
    one.priority == other.priority
}

/// One step on its way.
struct Flight<T: Send + Sync + 'static> {
    step: Arc<Step>,
    executor: Option<Arc<dyn Executor>>,
    /// Handed out when the step is first polled.
    tasks: Vec<Arc<Task<T>>>,
    handed: bool,
    /// Nobody waits for it, so nobody has to help.
    detached: bool,
    /// What whoever polls runs itself.
    own: Vec<TaskFuture<T>>,
}

impl<T: Send + Sync + 'static> Flight<T> {
    fn new(
        run: &Arc<Run<T>>,
        executor: Option<Arc<dyn Executor>>,
        places: Range<usize>,
        mode: Mode,
    ) -> Self {
        let (step, tasks) = if mode == Mode::Sequential {
            let step = Step::new(1);
            let task = Task::new(run, places, None, &step);
            (step, vec![task])
        } else {
            let step = Step::new(places.len());
            let stopped = Some(run.is_stopped());
            let task = |place| Task::new(run, place..place + 1, stopped, &step);
            let tasks = places.map(task).collect();
            (step, tasks)
        };
        Flight {
            step,
            executor,
            tasks,
            handed: false,
            detached: false,
            own: Vec::new(),
        }
    }

    fn hand_out(&mut self) {
        self.handed = true;
        let Some(executor) = &self.executor else {
            return;
        };
        for task in &self.tasks {
            let is_async = task.is_async();
            let work: Arc<dyn Work> = Arc::clone(task) as Arc<dyn Work>;
            let job = Job::new(work, is_async);
            match caught(|| executor.execute(job)) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => error.settle(),
                // It has dropped the job, or has it still; either way that tells its end.
                Err(thrown) => discard(thrown),
            }
        }
    }

    /// What this thread may do while it waits.
    fn waiting(&self) -> Waiting {
        match &self.executor {
            // Nobody waits, so nobody is missed.
            _ if self.detached => Waiting::Block,
            None => Waiting::Help,
            Some(executor) => caught(|| executor.waiting()).unwrap_or(Waiting::Block),
        }
    }

    /// Runs what nobody has begun.
    fn help(&mut self, with_async: bool, cx: &mut TaskContext<'_>) {
        let tasks = std::mem::take(&mut self.tasks);
        // Async ones first, so that they are on their way while this thread is in the others.
        let (asyncs, syncs): (Vec<_>, Vec<_>) = tasks.into_iter().partition(|task| task.is_async());
        if with_async {
            self.own.extend(asyncs.into_iter().map(TaskFuture::new));
            self.poll_own(cx);
        }
        for task in syncs {
            task.run();
        }
        // While it was in those, others may have become ready; their wakers were called, so this is
        // polled again.
    }

    fn poll_own(&mut self, cx: &mut TaskContext<'_>) {
        self.own
            .retain_mut(|task| Pin::new(task).poll(cx).is_pending());
    }
}

impl<T: Send + Sync + 'static> Future for Flight<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let this = &mut *self;
        if !this.handed {
            this.hand_out();
        }
        if this.step.is_done() {
            return Poll::Ready(());
        }
        this.step.wake_by(cx.waker());
        if !this.own.is_empty() {
            this.poll_own(cx);
        }
        if !this.tasks.is_empty() {
            match this.waiting() {
                Waiting::Help => this.help(true, cx),
                Waiting::HelpSync => this.help(false, cx),
                Waiting::Block | Waiting::Refuse => {}
            }
        }
        if this.step.is_done() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}
