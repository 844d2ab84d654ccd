//! The consumers' messages.
//!
//! One task for each consumer. It asks the server for so many messages, and for the next when it has nearly done with those.
//! What comes it holds at once; what it holds it has emitted, some at a time, on a thread that may wait for room
//! (`delivery`); it acknowledges after that, and not before. For all that it still holds it tells the server in time that
//! it has not forgotten them, so that none is handed out again only because others take long.

use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::consumer::pull::Batch;
use async_nats::jetstream::{self, Context, Message};
use futures_core::Stream;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep};

use super::delivery::{Delivered, Delivery};
use super::recent::{Place, Recent};
use super::stream::StreamPlan;
use crate::bridge::shared::Shared;
use crate::bridge::stop::Order;
use crate::bridge::wire::Wire;
use crate::sync::{Arc, Mutex};

/// So many messages the server is asked for at once,
const ASKED_FOR: usize = 256;
/// and so many by one of a group: what one holds, no other can have.
const ASKED_FOR_IN_GROUP: usize = 16;
/// How long the server may take to have that many; then it is asked again.
const ASKED_WITHIN: Duration = Duration::from_secs(10);
/// What says that a message is not forgotten.
const IN_PROGRESS: &str = "+WPI";
/// How long after a server that would not have it the bridge tries again.
const WAIT: Duration = Duration::from_millis(250);

pub(in crate::bridge) struct Consumers<T: Send + Sync + 'static> {
    pub(in crate::bridge) shared: Arc<Shared<T>>,
    pub(in crate::bridge) client: Client,
    pub(in crate::bridge) plan: StreamPlan,
    pub(in crate::bridge) recent: Arc<Mutex<Recent>>,
    pub(in crate::bridge) wire: watch::Receiver<Wire>,
    /// Whether the way out has seen to the stream and the consumers.
    pub(in crate::bridge) prepared: watch::Receiver<bool>,
    pub(in crate::bridge) orders: watch::Receiver<Order>,
    /// Set when nothing more will be imported.
    pub(in crate::bridge) drained: watch::Sender<bool>,
}

impl<T: Send + Sync + 'static> Consumers<T> {
    /// Imports until the order to end. What was taken is delivered and acknowledged before that.
    pub(in crate::bridge) async fn run(self) {
        let context = jetstream::new(self.client.clone());
        let mut tasks = JoinSet::new();
        for at in 0..self.plan.imports.len() {
            let one = Consumer {
                delivery: Delivery {
                    shared: Arc::clone(&self.shared),
                    recent: Arc::clone(&self.recent),
                    patience: self.plan.options.patience,
                    orders: self.orders.clone(),
                },
                at,
                client: self.client.clone(),
                context: context.clone(),
                plan: self.plan.clone(),
                wire: self.wire.clone(),
                prepared: self.prepared.clone(),
                held: VecDeque::new(),
                work: None,
                in_work: Vec::new(),
            };
            tasks.spawn(one.run(self.orders.clone()));
        }
        while tasks.join_next().await.is_some() {}
        self.drained.send_replace(true);
    }
}

struct Consumer<T: Send + Sync + 'static> {
    /// Which of the imports.
    at: usize,
    delivery: Delivery<T>,
    client: Client,
    context: Context,
    plan: StreamPlan,
    wire: watch::Receiver<Wire>,
    prepared: watch::Receiver<bool>,
    /// Handed out to us, oldest first.
    held: VecDeque<Message>,
    /// Being emitted,
    work: Option<JoinHandle<Delivered>>,
    /// and where those are acknowledged.
    in_work: Vec<async_nats::Subject>,
}

/// What a round of a consumer came to.
enum Round {
    Again,
    /// The messages that were asked for have come, or will not.
    Over,
    /// The connection broke, or is another one.
    Moved,
    Amiss(String),
    /// There is no bus any more.
    Closed,
    Ended,
}

impl<T: Send + Sync + 'static> Consumer<T> {
    async fn run(mut self, mut orders: watch::Receiver<Order>) {
        let every = (self.plan.options.ack_wait / 3).max(Duration::from_millis(10));
        let mut reminders = interval_at(Instant::now() + every, every);
        reminders.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = None;
        // It takes the server some answers: whatever else happens meanwhile, it goes on where it was.
        let mut asking: Option<Asking> = None;
        let mut consumer = None;
        // So many messages are still to come of those that were asked for.
        let mut lacking = 0;
        loop {
            let draining = *orders.borrow_and_update() >= Order::Drain;
            if draining && self.held.is_empty() && self.work.is_none() {
                return;
            }
            if self.work.is_none() && !self.held.is_empty() {
                self.deliver();
            }
            if draining {
                // What has not come yet is handed out to the next.
                (batch, asking) = (None, None);
            } else if batch.is_none() && asking.is_none() && self.held.len() <= self.asked_for() / 4
            {
                asking = Some(Box::pin(self.ask(consumer.take())));
            }
            let round = tokio::select! {
                biased;
                _ = orders.changed() => Round::Again,
                done = worked(&mut self.work) => self.delivered(done).await,
                _ = reminders.tick() => { self.remind().await; Round::Again }
                asked = answered(&mut asking) => {
                    asking = None;
                    match asked {
                        Ok((asked, of)) => {
                            (batch, consumer) = (Some(asked), Some(of));
                            lacking = self.asked_for();
                            Round::Again
                        }
                        Err(reason) => Round::Amiss(reason),
                    }
                }
                came = take(&mut batch, &mut self.held, &mut lacking) => came,
                // Whoever was asked has gone. What had come before is taken first, and kept.
                changed = self.wire.changed() => if changed.is_ok() { Round::Moved } else { Round::Ended },
            };
            match round {
                Round::Again => {}
                Round::Over => {
                    batch = None;
                    // Of a consumer that was deleted when nothing was asked of it the server says nothing, ever: whether
                    // it is there is looked at again.
                    if lacking > 0 {
                        consumer = None;
                    }
                }
                Round::Moved => (batch, asking, consumer) = (None, None, None),
                Round::Amiss(reason) => {
                    (batch, asking, consumer) = (None, None, None);
                    // A server that is away is no news: the link says so.
                    if self.wire.borrow().up {
                        self.delivery.shared.link.trouble(reason);
                    }
                    self.pause(&mut reminders).await;
                }
                Round::Closed => {
                    self.delivery.shared.ending.order(Order::Drain);
                    return;
                }
                Round::Ended => return,
            }
        }
    }

    fn asked_for(&self) -> usize {
        self.plan.asked_for()
    }

    /// Asks the server for messages, of that consumer if it is known to be there.
    fn ask(
        &self,
        consumer: Option<PullConsumer>,
    ) -> impl Future<Output = Result<(Batch, PullConsumer), String>> + Send + use<T> {
        let (context, plan) = (self.context.clone(), self.plan.clone());
        let (at, mut prepared) = (self.at, self.prepared.clone());
        async move {
            // The other side of the channel lives as long as the client.
            let _ = prepared.wait_for(|prepared| *prepared).await;
            let Some(filter) = plan.imports.get(at) else {
                return pending().await;
            };
            let consumer = match consumer {
                Some(consumer) => consumer,
                None => {
                    // The stream, too: it may have been taken away since the bridge saw to it, and there is nobody
                    // else to do so in a bridge that only imports.
                    plan.ensure_stream(&context).await?;
                    plan.ensure_consumer(&context, filter).await?
                }
            };
            let batch = consumer
                .batch()
                .max_messages(plan.asked_for())
                .expires(ASKED_WITHIN)
                .messages();
            let batch = batch.await.map_err(|error| error.to_string())?;
            Ok((batch, consumer))
        }
    }

    fn deliver(&mut self) {
        let some = self.held.len().min(Delivery::<T>::TOGETHER);
        let messages: Vec<Message> = self.held.drain(..some).collect();
        let replies = messages.iter().filter_map(|it| it.message.reply.clone());
        self.in_work = replies.collect();
        self.work = Some(self.delivery.begin(messages));
    }

    async fn delivered(&mut self, done: Option<Delivered>) -> Round {
        self.work = None;
        self.in_work.clear();
        let Some(mut done) = done else {
            return Round::Closed;
        };
        while let Some(message) = done.rest.pop() {
            self.held.push_front(message);
        }
        self.acknowledge(done.places, done.answers).await;
        if done.closed {
            Round::Closed
        } else {
            Round::Again
        }
    }

    /// Tells the server of all that is not delivered yet that it will be.
    async fn remind(&self) {
        let held = self.held.iter().filter_map(|it| it.message.reply.as_ref());
        for reply in held.chain(&self.in_work) {
            // If it does not arrive, the message comes again, and is known.
            let _ = self.client.publish(reply.clone(), IN_PROGRESS.into()).await;
        }
    }

    /// A moment, in which what is held is not forgotten.
    async fn pause(&mut self, reminders: &mut Interval) {
        tokio::select! {
            () = sleep(WAIT) => {}
            _ = reminders.tick() => self.remind().await,
        }
    }

    /// Acknowledges all, and asks the server to confirm the last: when it does, and the connection was the same
    /// all the time, it has heard of all.
    async fn acknowledge(
        &self,
        places: Vec<Place>,
        mut answers: Vec<(async_nats::Subject, &'static str)>,
    ) {
        let connects = connects_of(&self.client);
        let Some((last, kind)) = answers.pop() else {
            return;
        };
        for (reply, kind) in answers {
            // If it does not arrive, the message comes again, and is known.
            let _ = self.client.publish(reply, kind.into()).await;
        }
        let (client, recent) = (self.client.clone(), Arc::clone(&self.delivery.recent));
        // The next messages need not wait for that.
        tokio::spawn(async move {
            let confirmed = client.request(last, kind.into()).await;
            if confirmed.is_ok() && connects_of(&client) == connects {
                let mut recent = recent.lock();
                for place in places {
                    recent.confirm(place);
                }
            }
        });
    }
}

impl StreamPlan {
    fn asked_for(&self) -> usize {
        if self.shared {
            ASKED_FOR_IN_GROUP
        } else {
            ASKED_FOR
        }
    }
}

/// The server is being asked for messages, of a consumer that it may have to make first.
type Asking = Pin<Box<dyn Future<Output = Result<(Batch, PullConsumer), String>> + Send>>;

/// Waits for the server's answer; for ever, if it was not asked.
async fn answered(asking: &mut Option<Asking>) -> Result<(Batch, PullConsumer), String> {
    match asking {
        Some(asking) => asking.await,
        None => pending().await,
    }
}

/// Waits for what is being emitted; for ever, if nothing is.
async fn worked(work: &mut Option<JoinHandle<Delivered>>) -> Option<Delivered> {
    match work {
        Some(work) => work.await.ok(),
        None => pending().await,
    }
}

/// Takes what has come, at least one message, unless no more will come.
async fn take(
    batch: &mut Option<Batch>,
    held: &mut VecDeque<Message>,
    lacking: &mut usize,
) -> Round {
    let Some(batch) = batch else {
        return pending().await;
    };
    let before = held.len();
    poll_fn(|context| {
        loop {
            match Pin::new(&mut *batch).poll_next(context) {
                Poll::Ready(Some(Ok(message))) => {
                    held.push_back(message);
                    *lacking = lacking.saturating_sub(1);
                }
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Round::Amiss(error.to_string()));
                }
                Poll::Ready(None) => return Poll::Ready(Round::Over),
                Poll::Pending if held.len() > before => return Poll::Ready(Round::Again),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await
}

/// How often the client was connected.
fn connects_of(client: &Client) -> u64 {
    // Relaxed: the client counts on this very thread.
    client
        .statistics()
        .connects
        .load(std::sync::atomic::Ordering::Relaxed)
}
