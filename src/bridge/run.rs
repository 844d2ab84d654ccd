//! The bridge's thread: its runtime, its client, and the two ways.

use std::io;
use std::time::Duration;

use async_nats::{Client, ConnectOptions, ServerAddr};
use tokio::runtime;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::control::ControlSubjects;
use super::inbound::{Inbound, Streams};
use super::jetstream::{Consumers, Durable, Recent, StreamPlan};
use super::losses::Losses;
use super::outbound::{Left, Outbound, State};
use super::shared::Shared;
use super::stop::Order;
use super::subject::SubjectFilter;
use super::wire::{Wire, watch_events};
use crate::shield::{caught, told};
use crate::sync::{Arc, Mutex, Sender};

/// What the client may hold of what came, for each subscription, before it drops.
const HELD: usize = 131_072;
/// What the client may hold of what is to go.
const GOING: usize = 2_048;
/// How often a server that says nothing is asked whether it is there; at the third time without an answer it is not.
const PINGED_EVERY: Duration = Duration::from_secs(10);
/// How long the last bytes may take to the system.
const FLUSHED_WITHIN: Duration = Duration::from_secs(1);

/// How long after a client that failed the next one begins; the pause doubles, up to the other.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// All that the thread begins with.
pub(super) struct Plan {
    pub(super) addresses: Vec<ServerAddr>,
    pub(super) options: ConnectOptions,
    pub(super) filters: Vec<SubjectFilter>,
    pub(super) group: Option<String>,
    pub(super) control: ControlSubjects,
    pub(super) in_flight: usize,
    pub(super) durable: Option<StreamPlan>,
}

/// Runs a bridge to its end. The runtime is made here, not by the caller, who may be inside of another one, where
/// none may be dropped; `begun` says whether there is one.
pub(super) fn run<T: Send + Sync + 'static>(
    shared: &Arc<Shared<T>>,
    plan: Plan,
    begun: &Sender<io::Result<()>>,
) {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .thread_name("chanbus-bridge-blocking")
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            // Whoever starts a bridge waits for this.
            let _ = begun.send(Err(error));
            return;
        }
    };
    let _ = begun.send(Ok(()));
    shared.ending.inside(|| {
        let ran = caught(|| runtime.block_on(drive(shared, plan)));
        if let Err(thrown) = ran {
            shared
                .link
                .trouble(format!("the bridge panicked: {}", told(thrown)));
        }
        // Nothing of the client's is waited for.
        runtime.shutdown_background();
        if let Some(queue) = &shared.queue {
            queue.close();
        }
        shared.link.ended();
    });
    shared.ending.ended();
}

/// Works by one client after the other. There is one for all of a bridge's life, unless it fails: then
/// another one goes on where it was.
async fn drive<T: Send + Sync + 'static>(shared: &Arc<Shared<T>>, plan: Plan) {
    let durable = plan.durable.as_ref();
    let durable = durable.map(|stream| Durable::new(stream.clone(), shared.origin.as_str()));
    let mut state = State::new(shared, plan.in_flight, durable);
    // In a group others have what does not come here, and a stream gives all, sooner or later.
    let counted = plan.group.is_none() && plan.durable.is_none();
    let mut losses = counted.then(|| Losses::new(shared.imports.clone()));
    let recent = Arc::default();
    let mut failures = 0;
    loop {
        let began = Instant::now();
        match work(shared, &plan, &recent, state, losses).await {
            Ok(None) => return,
            Ok(Some((left, counted))) => (state, losses) = (left, counted),
            // It is about what was given, and the next client would say the same.
            Err(reason) => return shared.link.trouble(reason),
        }
        shared
            .link
            .trouble("the client of the server failed, and another one takes over");
        failures = if began.elapsed() > LONGEST_PAUSE {
            0
        } else {
            failures + 1
        };
        let pause = FIRST_PAUSE * 2_u32.saturating_pow(failures);
        let mut orders = shared.ending.orders();
        let now = orders.wait_for(|order| *order == Order::Now);
        let _ = timeout(pause.min(LONGEST_PAUSE), now).await;
    }
}

/// What a client that failed leaves to the next.
type Rest<T> = Option<(State<T>, Option<Losses>)>;

/// Works by a client, to the bridge's end or to the client's.
async fn work<T: Send + Sync + 'static>(
    shared: &Arc<Shared<T>>,
    plan: &Plan,
    recent: &Arc<Mutex<Recent>>,
    mut state: State<T>,
    losses: Option<Losses>,
) -> Result<Rest<T>, String> {
    let options = plan
        .options
        .clone()
        .retry_on_initial_connect()
        .ping_interval(PINGED_EVERY)
        .client_capacity(GOING)
        .subscription_capacity(HELD);
    let (options, wire) = watch_events(options, Arc::clone(&shared.link));
    // It does not wait for a server.
    let client = options.connect(&plan.addresses[..]).await.map_err(text)?;
    state.join(&client).await.map_err(text)?;
    // A durable bridge is subscribed to nothing: its consumers are.
    let filters = if plan.durable.is_some() {
        &[]
    } else {
        &plan.filters[..]
    };
    let streams = Streams::subscribe(&client, filters, plan.group.as_deref(), &plan.control);
    let streams = streams.await.map_err(text)?;
    let (returned, returns) = watch::channel(None);
    let (died, dead) = watch::channel(false);
    let (drained, imports) = watch::channel(false);
    let (prepared, ready) = watch::channel(false);
    let asked = Arc::new(Notify::new());
    let mut inbound = Inbound {
        shared: Arc::clone(shared),
        wire: wire.clone(),
        orders: shared.ending.orders(),
        returned,
        asked: Arc::clone(&asked),
        drained,
        streams,
        losses,
        recent: Arc::clone(recent),
    };
    let outbound = Outbound {
        shared: Arc::clone(shared),
        client: client.clone(),
        subjects: plan.control.clone(),
        wire: wire.clone(),
        returned: returns,
        asked,
        orders: shared.ending.orders(),
        prepared,
        dead,
        state,
    };
    let mut tasks = JoinSet::new();
    if let Some(stream) = &plan.durable {
        // They are who imports, and say when they have.
        let drained = std::mem::replace(&mut inbound.drained, watch::Sender::new(false));
        let consumers = Consumers {
            shared: Arc::clone(shared),
            client: client.clone(),
            plan: stream.clone(),
            recent: Arc::clone(recent),
            prepared: ready,
            wire: wire.clone(),
            orders: shared.ending.orders(),
            drained,
        };
        tasks.spawn(consumers.run());
    }
    let mut inbound = tokio::spawn(inbound.run());
    let mut outbound = tokio::spawn(outbound.run());
    let (left, counted) = tokio::select! {
        biased;
        left = &mut outbound => (left, None),
        counted = &mut inbound => {
            died.send_replace(true);
            (outbound.await, counted.map_err(text)?)
        }
    };
    match left.map_err(text)? {
        // It does not return that unless it was told of the client's death, which says the way in.
        Left::Dead(state) => Ok(Some((*state, counted))),
        Left::Ended => {
            end(shared, &client, imports, &wire).await;
            inbound.abort();
            Ok(None)
        }
    }
}

/// All is sent; waits until all is imported, and the last bytes are with the system.
async fn end<T: Send + Sync + 'static>(
    shared: &Shared<T>,
    client: &Client,
    mut imports: watch::Receiver<bool>,
    wire: &watch::Receiver<Wire>,
) {
    let mut orders = shared.ending.orders();
    tokio::select! {
        _ = orders.wait_for(|order| *order == Order::Now) => {}
        // A way in that is gone has imported what it will.
        _ = imports.wait_for(|drained| *drained) => {}
    }
    if wire.borrow().up {
        let _ = timeout(FLUSHED_WITHIN, client.flush()).await;
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
