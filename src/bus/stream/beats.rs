//! Streams that also say what is missing, and that they are alive.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::stream::{FusedStream, Stream};

use super::next::Waiting;
use super::{EventStream, NextFuture};
use crate::bus::Subscription;
use crate::bus::iter::Beat;
use crate::bus::panics::{PanicPlace, shield};
use crate::bus::subscriber::Popped;

/// Events and the gaps between them; made by [`EventStream::with_gaps`].
///
/// The sum of the gaps is exact; their place is as with
/// [`Subscription::heartbeats`](crate::Subscription::heartbeats). Without a timer it yields no
/// keepalives.
///
/// ```
/// use futures_lite::{StreamExt, future::block_on};
/// use chanbus::{Beat, Bus, Overflow};
///
/// let bus = Bus::new();
/// let sub = bus.subscription("n").capacity(1).overflow(Overflow::DropOldest).subscribe()?;
/// let mut beats = sub.into_stream().with_gaps();
/// bus.publisher("n")?.emit_batch(0..3)?;
/// block_on(async {
///     assert!(matches!(beats.next().await, Some(Beat::Missed(2))));
///     assert!(matches!(beats.next().await, Some(Beat::Event(event)) if *event.payload() == 2));
/// });
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "streams do nothing unless polled, and dropping one unsubscribes"]
#[cfg_attr(docsrs, doc(cfg(feature = "stream")))]
pub struct GapStream<T: Send + Sync + 'static> {
    stream: EventStream<T>,
    /// It said that there is no more. A late publisher may still count a drop after that, which
    /// `missed` tells.
    ended: bool,
}

impl<T: Send + Sync + 'static> GapStream<T> {
    pub(super) fn new(stream: EventStream<T>) -> Self {
        GapStream {
            stream,
            ended: false,
        }
    }

    /// The next beat, or `None` for the end. Under the name of `StreamExt::next`, in whose place it comes, as
    /// it may be dropped at any point without holding up who shares the subscription: see
    /// [`NextFuture`].
    ///
    /// ```
    /// # use chanbus::Bus;
    /// # use futures_lite::future::block_on;
    /// let bus = Bus::new();
    /// let mut beats = bus.subscribe("a")?.into_stream().with_gaps();
    /// bus.emit("a", 1)?;
    /// assert!(block_on(beats.next()).is_some());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[allow(clippy::should_implement_trait, reason = "it is not an iterator's")]
    pub fn next(&mut self) -> NextFuture<'_, Self> {
        NextFuture::new(self)
    }

    /// The subscription, as [`EventStream::subscription`] has it.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// let bus: Bus<u32> = Bus::new();
    /// let beats = bus.subscribe("a")?.into_stream().with_gaps();
    /// assert!(beats.subscription().is_empty());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn subscription(&self) -> &Subscription<T> {
        self.stream.subscription()
    }

    /// Adds [`Beat::Keepalive`] wherever the timer runs out before anything else comes.
    ///
    /// The timer is any closure that begins to wait and returns the future: `async_io`'s
    /// `|| Timer::after(idle)`, tokio's `|| sleep(idle)` (which stays with the runtime that began it, see
    /// [`IdleTimer::renew`]), or a test's own. One is begun when the stream has nothing to say, and dropped
    /// when it has. It runs on while a [`next`](HeartbeatStream::next) was dropped and there is no other
    /// yet: the idle time is not over because somebody looked away, and the timer may call the task that
    /// began it.
    ///
    /// A timer that panics does so into who polls, and the next poll begins another one. What its destructor
    /// panics with goes to [`BusBuilder::on_panic`](crate::BusBuilder::on_panic).
    ///
    /// ```
    /// use std::time::Duration;
    /// use futures_lite::{StreamExt, future::block_on};
    /// use chanbus::{Beat, Bus};
    ///
    /// let bus: Bus<u32> = Bus::new();
    /// let idle = || smol::Timer::after(Duration::from_millis(1));
    /// let mut beats = bus.subscribe("a")?.into_stream().with_gaps().keepalive(idle);
    /// assert!(matches!(block_on(beats.next()), Some(Beat::Keepalive)));
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn keepalive<I: IdleTimer>(self, timer: I) -> HeartbeatStream<T, I> {
        HeartbeatStream {
            beats: self,
            timer,
            running: Box::pin(None),
        }
    }

    fn poll_beat(&mut self, context: &mut Context<'_>) -> Poll<Option<Beat<T>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let EventStream { sub, waiter } = &mut self.stream;
        let (core, member) = (&sub.shared.core, &sub.member);
        let mailbox = &member.mailbox;
        let mut spent = |spent| core.see_to(member, spent);
        let mut enrolled = false;
        let beat = loop {
            // Replayed events come before all that could be missing among the live ones.
            if !mailbox.has_front() {
                match mailbox.due_gap() {
                    0 => {}
                    count => break Some(Beat::Missed(count)),
                }
            }
            match mailbox.try_pop(&sub.finished) {
                Popped::Message(event) => break Some(Beat::Event(event)),
                Popped::Ended => {
                    // Whatever is not reported yet is due before the end.
                    let count = sub.missed();
                    self.ended = count == 0;
                    break (count > 0).then_some(Beat::Missed(count));
                }
                Popped::Empty if enrolled => return Poll::Pending,
                // Then all over: a gap that comes up meanwhile goes before its event.
                Popped::Empty => {
                    mailbox.enrol(waiter, context.waker(), &mut spent);
                    enrolled = true;
                }
            }
        };
        mailbox.leave(waiter, &mut spent);
        Poll::Ready(beat)
    }
}

impl<T: Send + Sync + 'static> Stream for GapStream<T> {
    type Item = Beat<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Beat<T>>> {
        self.poll_beat(context)
    }
}

impl<T: Send + Sync + 'static> Waiting for GapStream<T> {
    fn give_up(&mut self) {
        self.stream.give_up();
    }
}

impl<T: Send + Sync + 'static> FusedStream for GapStream<T> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for GapStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GapStream")
            .field(self.subscription())
            .finish()
    }
}

/// Begins the waits after which a stream says that it is alive: see [`GapStream::keepalive`].
///
/// Closures that return a future are timers.
///
/// ```
/// use std::future::{Ready, ready};
/// use futures_lite::{StreamExt, future::block_on};
/// use chanbus::{Beat, Bus, IdleTimer};
///
/// /// Runs out at once.
/// struct Impatient;
///
/// impl IdleTimer for Impatient {
///     type Sleep = Ready<()>;
///
///     fn start(&mut self) -> Ready<()> {
///         ready(())
///     }
/// }
///
/// let bus: Bus<u32> = Bus::new();
/// let mut beats = bus.subscribe("a")?.into_stream().with_gaps().keepalive(Impatient);
/// assert!(matches!(block_on(beats.next()), Some(Beat::Keepalive)));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[cfg_attr(docsrs, doc(cfg(feature = "stream")))]
pub trait IdleTimer {
    /// A wait; what it yields does not matter.
    type Sleep: Future;

    /// Begins to wait.
    fn start(&mut self) -> Self::Sleep;

    /// Asked before a wait that is under way is polled: another one for the rest of the time, in its
    /// place, if this one will not do. By default it goes on.
    ///
    /// Some waits belong to what began them, as tokio's do to their runtime; a stream does not, and may
    /// be polled elsewhere.
    ///
    /// ```
    /// use std::time::Duration;
    /// use chanbus::IdleTimer;
    /// use tokio::time::{Instant, Sleep, sleep, sleep_until};
    ///
    /// struct Idle(Duration);
    ///
    /// impl IdleTimer for Idle {
    ///     type Sleep = Sleep;
    ///
    ///     fn start(&mut self) -> Sleep {
    ///         sleep(self.0)
    ///     }
    ///
    ///     fn renew(&mut self, running: &Sleep) -> Option<Sleep> {
    ///         Some(sleep_until(running.deadline()))
    ///     }
    /// }
    /// ```
    fn renew(&mut self, running: &Self::Sleep) -> Option<Self::Sleep> {
        let _ = running;
        None
    }
}

impl<F: FnMut() -> S, S: Future> IdleTimer for F {
    type Sleep = S;

    fn start(&mut self) -> S {
        self()
    }
}

/// Events, gaps, and keepalives after each idle time; made by [`GapStream::keepalive`] and, with the
/// feature `tokio`, [`EventStream::heartbeats`].
///
/// It allocates once, when it is made. The timer runs on while a [`next`](HeartbeatStream::next) was
/// dropped and there is no other yet, so that a `select!` does not put the keepalives off.
///
/// ```
/// use std::time::Duration;
/// use futures_lite::{StreamExt, future::block_on};
/// use chanbus::{Beat, Bus};
///
/// let bus = Bus::new();
/// let idle = || smol::Timer::after(Duration::from_secs(60));
/// let mut beats = bus.subscribe("a")?.into_stream().with_gaps().keepalive(idle);
/// bus.emit("a", 1)?;
/// assert!(matches!(block_on(beats.next()), Some(Beat::Event(_))));
/// # Ok::<(), chanbus::Error>(())
/// ```
#[must_use = "streams do nothing unless polled, and dropping one unsubscribes"]
#[cfg_attr(docsrs, doc(cfg(feature = "stream")))]
pub struct HeartbeatStream<T: Send + Sync + 'static, I: IdleTimer> {
    beats: GapStream<T>,
    timer: I,
    /// Its place stays where it is, so that no wait allocates.
    running: Pin<Box<Option<I::Sleep>>>,
}

// Nothing in it is pinned but what is in the box.
impl<T: Send + Sync + 'static, I: IdleTimer> Unpin for HeartbeatStream<T, I> {}

impl<T: Send + Sync + 'static, I: IdleTimer> HeartbeatStream<T, I> {
    /// The next beat, or `None` for the end. Under the name of `StreamExt::next`, in whose place it comes, as
    /// it may be dropped at any point without holding up who shares the subscription: see
    /// [`NextFuture`].
    ///
    /// ```
    /// # use chanbus::Bus;
    /// # use futures_lite::future::block_on;
    /// let bus = Bus::new();
    /// let mut beats = bus.subscribe("a")?.into_stream().with_gaps().keepalive(std::future::pending::<()>);
    /// bus.emit("a", 1)?;
    /// assert!(block_on(beats.next()).is_some());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    #[allow(clippy::should_implement_trait, reason = "it is not an iterator's")]
    pub fn next(&mut self) -> NextFuture<'_, Self> {
        NextFuture::new(self)
    }

    /// The subscription, as [`EventStream::subscription`] has it.
    ///
    /// ```
    /// # use chanbus::Bus;
    /// # use std::future::pending;
    /// let bus: Bus<u32> = Bus::new();
    /// let beats = bus.subscribe("a")?.into_stream().with_gaps().keepalive(pending::<()>);
    /// assert!(beats.subscription().is_empty());
    /// # Ok::<(), chanbus::Error>(())
    /// ```
    pub fn subscription(&self) -> &Subscription<T> {
        self.beats.subscription()
    }

    /// Waits for the timer, which is begun if none runs.
    fn poll_timer(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Self {
            beats,
            timer,
            running,
        } = self;
        // AssertUnwindSafe: the timer is the user's own, and its wait is not polled again.
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let begun = match running.as_ref().get_ref() {
                None => Some(timer.start()),
                Some(sleep) => timer.renew(sleep),
            };
            if begun.is_some() {
                end_wait(beats.subscription(), running);
                running.set(begun);
            }
            match running.as_mut().as_pin_mut() {
                Some(sleep) => sleep.poll(context),
                None => Poll::Pending,
            }
        }));
        match polled {
            Ok(polled) => polled.map(|outcome| beats.subscription().shared.core.discard(outcome)),
            Err(thrown) => {
                // It is for who polls. The next one begins another wait: a future that panicked is not
                // to be polled any more.
                end_wait(beats.subscription(), running);
                resume_unwind(thrown)
            }
        }
    }
}

/// Drops the wait that runs, if there is one. Its destructor is the user's, and must not take along what
/// the stream is about to say.
fn end_wait<T: Send + Sync + 'static, S>(sub: &Subscription<T>, running: &mut Pin<Box<Option<S>>>) {
    if running.is_some() {
        let hook = sub.shared.core.on_panic();
        shield(hook, PanicPlace::Destructor, None, None, || {
            running.set(None);
        });
    }
}

impl<T: Send + Sync + 'static, I: IdleTimer> Stream for HeartbeatStream<T, I> {
    type Item = Beat<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Beat<T>>> {
        let beat = match self.beats.poll_beat(context) {
            Poll::Ready(beat) => beat,
            Poll::Pending => {
                ready!(self.poll_timer(context));
                // It has something to say, and does not wait while that is heard.
                let EventStream { sub, waiter } = &mut self.beats.stream;
                sub.leave(waiter);
                Some(Beat::Keepalive)
            }
        };
        let Self { beats, running, .. } = &mut *self;
        end_wait(beats.subscription(), running);
        Poll::Ready(beat)
    }
}

impl<T: Send + Sync + 'static, I: IdleTimer> Waiting for HeartbeatStream<T, I> {
    /// The timer runs on: the idle time is not over because somebody looked away.
    fn give_up(&mut self) {
        self.beats.give_up();
    }
}

impl<T: Send + Sync + 'static, I: IdleTimer> FusedStream for HeartbeatStream<T, I> {
    fn is_terminated(&self) -> bool {
        self.beats.is_terminated()
    }
}

impl<T: Send + Sync + 'static, I: IdleTimer> fmt::Debug for HeartbeatStream<T, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HeartbeatStream")
            .field(self.subscription())
            .finish()
    }
}
