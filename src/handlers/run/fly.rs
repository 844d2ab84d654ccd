//! The steps of an event's way, one after the other, each handed to an executor.
//!
//! The future does not care who polls it: one who waits for the emit, a task that awaits it, or, for
//! emits that nobody waits for, whichever thread ended a step last ([`detach`](super::detach)).

use std::ops::Range;
use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};

use super::Run;
use super::batch_call::BatchCall;
use super::step::{Step, Task, TaskFuture, Work};
use crate::handlers::executor::{Executor, Job, Mode, Waiting};
use crate::handlers::roster::Route;
use crate::shield::{caught, discard};
use crate::sync::Arc;

/// Who waits for an event's handlers, and how.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::handlers) enum Wait {
    /// A thread, asleep.
    Asleep,
    /// A task, which is not to be held up.
    Awaited,
    /// Nobody, so the executor runs all. The polls are inside of wakers, on whichever thread, where the
    /// user's code has no place.
    Nobody,
}

/// Runs all handlers of an event. Without an executor, whoever polls runs them; a worker of the executor
/// that waits helps.
pub(in crate::handlers) fn fly<T: Send + Sync + 'static>(
    run: Arc<Run<T>>,
    executor: Option<Arc<dyn Executor>>,
    mode: Mode,
    wait: Wait,
) -> impl Future<Output = ()> + Send {
    let all = 0..run.route.entries.len();
    fly_part(run, all, executor, mode, wait)
}

/// Runs those in these places, likewise.
pub(super) async fn fly_part<T: Send + Sync + 'static>(
    run: Arc<Run<T>>,
    places: Range<usize>,
    executor: Option<Arc<dyn Executor>>,
    mode: Mode,
    wait: Wait,
) {
    let mut left = places;
    while let Some(places) = next_step(&run.route, left.clone(), mode) {
        left.start = places.end;
        Flight::new(&run, executor.clone(), places, mode, wait).await;
    }
}

/// The first of these handlers that run together.
fn next_step<T: Send + Sync + 'static>(
    route: &Route<T>,
    left: Range<usize>,
    mode: Mode,
) -> Option<Range<usize>> {
    let from = left.start;
    let rest = &route.entries[left];
    let first = rest.first()?;
    let rest = rest.iter();
    let together = match mode {
        // An async one by itself; others in a row are one task, and each looks whether to go on.
        Mode::Sequential if first.is_async() => 1,
        Mode::Sequential => rest.take_while(|entry| !entry.is_async()).count(),
        // By itself for one event as for a batch, so that it makes no difference who came alone.
        _ if first.is_batch() => 1,
        Mode::Tiered => rest
            .take_while(|entry| entry.terms.priority == first.terms.priority && !entry.is_batch())
            .count(),
        Mode::Concurrent => {
            let monitors = first.terms.priority.is_monitor();
            rest.take_while(|entry| {
                entry.terms.priority.is_monitor() == monitors && !entry.is_batch()
            })
            .count()
        }
    };
    Some(from..from + together)
}

/// One step on its way.
pub(super) struct Flight<T: Send + Sync + 'static> {
    step: Arc<Step>,
    executor: Option<Arc<dyn Executor>>,
    /// Handed out when the step is first polled.
    tasks: Vec<Arc<Task<T>>>,
    handed: bool,
    wait: Wait,
    /// What whoever polls runs itself.
    own: Vec<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<T: Send + Sync + 'static> Flight<T> {
    fn new(
        run: &Arc<Run<T>>,
        executor: Option<Arc<dyn Executor>>,
        places: Range<usize>,
        mode: Mode,
        wait: Wait,
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
        Self::of(step, tasks, executor, wait)
    }

    /// A step of one batch handler with all its events.
    pub(super) fn together(
        call: &Arc<BatchCall<T>>,
        executor: Option<Arc<dyn Executor>>,
        wait: Wait,
    ) -> Self {
        let step = Step::new(1);
        let task = Task::together(call, &step);
        Self::of(step, vec![task], executor, wait)
    }

    fn of(
        step: Arc<Step>,
        tasks: Vec<Arc<Task<T>>>,
        executor: Option<Arc<dyn Executor>>,
        wait: Wait,
    ) -> Self {
        Flight {
            step,
            executor,
            tasks,
            handed: false,
            wait,
            own: Vec::new(),
        }
    }

    fn hand_out(&mut self) {
        self.handed = true;
        let Some(executor) = &self.executor else {
            return;
        };
        let mut back = Vec::new();
        for task in &self.tasks {
            let is_async = task.is_async();
            let work: Arc<dyn Work> = Arc::clone(task) as Arc<dyn Work>;
            let job = Job::new(work, is_async);
            // Who awaits the emit is not to be held up; a thread that waits may as well run a job.
            let taken = caught(|| match self.wait {
                Wait::Awaited => executor.offer(job),
                Wait::Asleep | Wait::Nobody => executor.execute(job).map(|()| None),
            });
            match taken {
                Ok(Ok(None)) => {}
                Ok(Ok(Some(job))) => back.push(job),
                Ok(Err(error)) => error.settle(),
                // It has dropped the job, or has it still; either way that tells its end.
                Err(thrown) => discard(thrown),
            }
        }
        // What there was no room for, when all others are on their way.
        for job in back {
            match job {
                Job::Sync(job) => job.run(),
                Job::Async(job) => self.own.push(Box::pin(job)),
            }
        }
    }

    /// What this thread may do while it waits.
    fn waiting(&self) -> Waiting {
        match &self.executor {
            // Nobody waits, so nobody is missed.
            _ if self.wait == Wait::Nobody => Waiting::Block,
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
            for task in asyncs {
                self.own.push(Box::pin(TaskFuture::new(task)));
            }
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
            .retain_mut(|task| task.as_mut().poll(cx).is_pending());
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
