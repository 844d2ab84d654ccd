//! The program that is looked at: a shop under load, with a few faults to find. It knows nothing of the dashboard.
//!
//! - `fraud-check` takes much longer for an order than there is time for: it falls behind, and loses.
//! - `mailer` falls behind at each burst of orders, and catches up.
//! - `refunds` waits for `order.payed`, which nobody emits; `web.beacon` is emitted, and nobody hears it.
//! - `pager`, two buses further down, has a small queue, and bursts come.
//! - A handler fails now and then, and another one panics.

mod consumers;
mod emitters;

use std::error::Error;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use chanbus::{
    Backlog, BoxError, Bus, Dispatcher, Drain, Event, Flow, Handlers, Overflow, Subscription,
    TapGuard,
};

use self::consumers::Crew;
use crate::latency::Probe;

/// What goes over the bus.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) number: u64,
    /// When it was emitted: a latency wants a clock that never goes back.
    pub(crate) at: Instant,
}

/// What a consumer measures, by the name of its subscription.
pub(crate) type Probes = Vec<(&'static str, Arc<Probe>)>;

pub(crate) struct Load {
    bus: Bus<Item>,
    /// Some of the orders: a bus of its own, fed by the first.
    large: Bus<Item>,
    _pipe: TapGuard<Item>,
    dispatcher: Dispatcher<Item>,
    _refunds: Subscription<Item>,
    pub(crate) probes: Probes,
    pub(crate) news: Vec<Subscription<Backlog>>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    pub(crate) fn start() -> Result<Self, Box<dyn Error>> {
        let bus = Bus::builder().name("shop").observe_topics(100).build()?;
        let large = Bus::builder().name("large").build()?;
        let texts = large.filter_mapped(|event: &Event<Item>| {
            let item = event.payload();
            let text = || (item.number.to_string(), item.at);
            item.number
                .is_multiple_of(7)
                .then(|| event.with_payload(text()))
        });
        let news = vec![
            bus.backlogs().subscribe("**")?,
            large.backlogs().subscribe("**")?,
            texts.backlogs().subscribe("**")?,
        ];
        let mut crew = Crew::default();

        let search = bus.subscription(["web.click", "web.search", "stock.*"]);
        let search = search.name("search-index").capacity(2_000);
        crew.fast("search-index", search.high_water(1_500).subscribe()?)?;

        let mailer = bus.subscription(["order.*", "mail.sent"]).name("mailer");
        let mailer = mailer.capacity(400).high_water(200).low_water(20);
        crew.slow("mailer", mailer.subscribe()?, Duration::from_millis(2))?;

        let fraud = bus.subscription("order.*").name("fraud-check");
        let fraud = fraud.capacity(300).high_water(240).subscribe()?;
        crew.slow("fraud-check", fraud, Duration::from_millis(25))?;

        let ticker = bus.subscription("price.*").name("ticker").capacity(16);
        let ticker = ticker.overflow(Overflow::Latest).subscribe()?;
        crew.in_turns("ticker", ticker, Duration::from_millis(100))?;

        let audit = bus
            .subscription(["order.*", "audit.**", "stock.*"])
            .name("audit");
        let audit = audit
            .overflow(Overflow::DropOldest)
            .capacity(2_000)
            .subscribe()?;
        crew.in_turns("audit", audit, Duration::from_millis(1_000))?;

        // It is fed from here on.
        let pipe = bus.pipe_to(&large, "order.*")?;
        let alarms = large.subscription("order.*").name("alarms").capacity(500);
        crew.fast("alarms", alarms.subscribe()?)?;
        let pager = texts
            .subscription("**")
            .name("pager")
            .capacity(8)
            .high_water(6);
        crew.pager("pager", pager.subscribe()?, Duration::from_millis(15))?;

        let refunds = bus
            .subscription("order.payed")
            .name("refunds")
            .subscribe()?;
        let dispatcher = dispatcher(&bus, crew.probe("jobs"))?;
        dispatcher.start()?;

        let Crew {
            probes,
            mut threads,
        } = crew;
        threads.extend(emitters::start(&bus)?);
        Ok(Load {
            bus,
            large,
            _pipe: pipe,
            dispatcher,
            _refunds: refunds,
            probes,
            news,
            threads,
        })
    }

    pub(crate) fn bus(&self) -> &Bus<Item> {
        &self.bus
    }

    /// Ends all of it: a closed bus ends its emitters, and its consumers when they have taken what they want of what is
    /// left.
    pub(crate) fn stop(self) -> Result<(), Box<dyn Error>> {
        self.bus.close();
        self.large.close();
        let stopped = self.dispatcher.stop(Drain::Within(Duration::from_secs(5)));
        let panicked = self.threads.into_iter().map(JoinHandle::join);
        let panicked = panicked.filter(Result::is_err).count();
        stopped?;
        match panicked {
            0 => Ok(()),
            threads => Err(format!("{threads} threads of the load panicked").into()),
        }
    }
}

/// Handlers behind one queue: one that fails now and then, one that panics, one with a slip of the pen.
fn dispatcher(bus: &Bus<Item>, probe: Arc<Probe>) -> Result<Dispatcher<Item>, Box<dyn Error>> {
    let handlers = Handlers::<Item>::new();
    handlers
        .on("order.paid")
        .name("invoice")
        .handle(move |event, _| {
            probe.record(event.payload().at.elapsed());
            match event.payload().number % 500 {
                2 => Err(BoxError::from("the printer is out of paper")),
                _ => Ok(Flow::Continue),
            }
        })?;
    let reorder = handlers.on("stock.low").name("reorder");
    reorder.call(|event| assert!(event.payload().number % 2_000 != 1_999, "nobody sells that"))?;
    handlers.on("order.returnd").name("returns").call(|_| {})?;
    let patterns = ["order.paid", "order.returned", "stock.low"];
    let dispatcher = Dispatcher::builder(bus, &handlers)
        .name("jobs")
        .patterns(patterns);
    Ok(dispatcher.capacity(1_000).build()?)
}
