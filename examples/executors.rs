//! One registry of handlers, and every executor: which thread runs what.
//!
//! ```text
//! cargo run --example executors --features tokio
//! ```
//!
//! The handlers do not know who runs them. `plan` comes first by its priority; `left` and `right` are
//! equal, so executors with several threads run them together; `fetch` is async, and comes after them.

#![allow(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::thread;

use chanbus::{
    Context, EmitError, Emitter, Flow, Handlers, Job, Priority, Services, ThreadPool, Tokio,
};

/// Which handler ran where, in the order in which they ended.
#[derive(Default)]
struct Log(Mutex<Vec<(String, String)>>);

impl Log {
    fn add(&self, handler: Option<&str>) {
        let thread = thread::current();
        let ran = (
            handler.unwrap_or_default().to_owned(),
            thread.name().unwrap_or("?").to_owned(),
        );
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        log.push(ran);
    }

    fn take(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn register(handlers: &Handlers<u32>) -> Result<(), chanbus::Error> {
    let note = |_: &_, ctx: &Context<u32>| {
        ctx.service::<Log>()?.add(ctx.handler());
        Ok(Flow::Continue)
    };
    let plan = handlers.on("job.*").name("plan").priority(Priority::HIGH);
    plan.handle(note)?;
    for name in ["left", "right"] {
        handlers.on("job.*").name(name).handle(note)?;
    }
    let fetch = handlers.on("job.*").name("fetch").priority(Priority::LOW);
    fetch.handle_async(|_event, ctx| async move {
        // What stands for a request over the network. Nothing here needs a runtime.
        futures_lite::future::yield_now().await;
        ctx.service::<Log>()?.add(ctx.handler());
        Ok(Flow::Continue)
    })?;
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let services = Services::new().with(Log::default());
    let handlers = Handlers::with_services(&services);
    register(&handlers)?;
    let log = services.get::<Log>()?;

    let pool = ThreadPool::builder(2).name("pool").build()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("tokio")
        .build()?;
    // Any closure is an executor; this one starts a thread for each job.
    let threads = |job: Job| {
        let name = format!("for {}", job.handler().unwrap_or_default());
        // A job that is not run counts as a failure of its handler, so nobody waits in vain.
        let _ = thread::Builder::new().name(name).spawn(move || job.run());
    };

    // With each, the beginning of the names of its threads, and how many of the four it can run.
    let emitters = [
        (Emitter::inline(&handlers), "main", 3),
        (Emitter::blocking(&handlers), "main", 4),
        (Emitter::thread_pool(&handlers, &pool), "pool-", 4),
        (
            Emitter::new(&handlers, Tokio::new(runtime.handle().clone())),
            "tokio",
            4,
        ),
        (Emitter::new(&handlers, threads), "for ", 4),
    ];
    for (emitter, place, runs) in &emitters {
        println!("{emitter:?}");
        let report = emitter.emit("job.one", 1)?;
        let ran = show(&log);
        for failure in &report.errors {
            println!("  {failure}");
        }
        assert_eq!(
            (report.called, report.failed, ran.len()),
            (*runs, 4 - runs, *runs)
        );
        assert_eq!(ran[0].0, "plan");
        assert!(ran.iter().all(|(_, thread)| thread.starts_with(place)));
    }
    let [(inline, ..), _, (pooled, ..), (tokio, ..), _] = &emitters;

    println!("in a task, emit_async on Inline: the task itself runs them, also async ones");
    let report = runtime.block_on(inline.emit_async("job.two", 2))?;
    assert_eq!((report.called, report.failed), (4, 0));
    assert!(show(&log).iter().all(|(_, thread)| thread == "main"));

    println!("in a task, emit on Tokio: it would need the thread that waits");
    let refused = runtime.block_on(async { tokio.emit("job.three", 3) });
    assert!(matches!(
        refused,
        Err(EmitError::WouldBlock { payload: 3, .. })
    ));
    let report = runtime.block_on(tokio.emit_async("job.three", 3))?;
    assert_eq!((report.called, show(&log).len()), (4, 4));

    println!("emit_detached on the pool: handed over; its owner's shutdown waits for the end");
    pooled.emit_detached("job.four", 4)?;
    pool.shutdown();
    assert_eq!(show(&log).len(), 4);
    let report = pooled.emit("job.five", 5)?;
    assert_eq!((report.called, report.failed), (0, 4));
    println!("  after its shutdown: {}", report.errors[0]);

    // Executors come and go; the handlers stay.
    println!("\n{}", handlers.stats());
    assert_eq!((handlers.stats().called, handlers.stats().failed), (31, 5));
    Ok(())
}

fn show(log: &Log) -> Vec<(String, String)> {
    let ran = log.take();
    for (handler, thread) in &ran {
        println!("  {handler:<6} on `{thread}`");
    }
    ran
}
