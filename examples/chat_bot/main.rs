//! A chat bot for a live stream: three sources emit on threads of their own, handlers answer.
//!
//! ```text
//! cargo run --example chat_bot                   # plays a script
//! cargo run --example chat_bot -- chat.txt       # reads chat lines from a file
//! some-program | cargo run --example chat_bot    # or from the standard input
//! ```
//!
//! A line is `user: text`, or `+user` for a new follower. The bot knows `!hello`, `!score`, `!scene`,
//! `!add 1 2`, `!version` and `!crash`; what else begins with `!` is an error.
//!
//! | To be seen | Where |
//! |---|---|
//! | a dispatcher on a bus, with a pool of threads; another on a thread of its own; one registry for both | here |
//! | middleware that replaces events, and one that blocks them | here |
//! | every failure told to an error handler, and made an event | here |
//! | wildcards, priorities, filters, a `once` and an async handler, services, chains, a monitor | `modules.rs` |
//! | a module swapped for its next version, another unloaded and loaded again, while events flow | here, `modules.rs` |
//! | statistics, and that everybody's counts agree | here, `accounts.rs` |
//!
//! It ends with 1 if the counts do not agree, and with 2 if the chat could not be read.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example talks to the person who runs it"
)]

mod accounts;
mod live;
mod modules;
mod sources;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use chanbus::{
    BoxError, Bus, Dispatcher, Drain, Event, Handlers, HookGuard, Module, Services, Subscription,
    ThreadPool,
};

use crate::accounts::Accounts;
use crate::live::Live;
use crate::modules::{Alerts, Books, Commands, Scoreboard, count, house};
use crate::sources::Sent;

const TICKS: u64 = 24;

fn main() -> ExitCode {
    quiet_handlers();
    match run(std::env::args_os().nth(1).map(PathBuf::from)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("chat_bot: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(chat: Option<PathBuf>) -> Result<bool, BoxError> {
    let bus = Bus::builder().name("stream").build()?;
    let (books, board) = (Arc::new(Books::default()), Arc::new(Scoreboard::default()));
    let services = Services::new();
    services.insert(Arc::clone(&books));
    services.insert(Arc::clone(&board));
    let handlers = Handlers::with_services(&services);

    let _middleware = middleware(&handlers);
    let told = Arc::clone(&books);
    let _on_error = handlers.on_error(move |_failure| count(&told.told));
    let error_events = Arc::new(AtomicU64::new(0));
    let made = Arc::clone(&error_events);
    let _as_events = handlers.errors_as_events(live::ERROR, move |failure| {
        count(&made);
        Live::Failed(failure.to_string())
    })?;
    house(&handlers)?;
    handlers.load(&Alerts)?;
    handlers.load(&Commands { version: 1 })?;
    print_order(&handlers, live::COMMAND);

    // What the sources emit: up to eight events at once, on the threads of a pool. And what handlers emit
    // because of it: one after the other, on a thread. The sources wait for room in the first queue;
    // handlers never wait, so theirs is another, and long.
    let pool = ThreadPool::builder(3).name("bot").build()?;
    let bot = Dispatcher::builder(&bus, &handlers)
        .name("bot")
        .patterns(["twitch.**", "obs.**", "timer.**"])
        .executor(pool.clone())
        .max_in_flight(8)
        .build()?;
    let screen = Dispatcher::builder(&bus, &handlers)
        .name("screen")
        .patterns(["bot.**", "celebration.**"])
        .capacity(10_000)
        .build()?;
    bot.start()?;
    screen.start()?;

    let ticks = bus
        .subscription(live::TICK)
        .name("operator")
        .capacity(TICKS as usize)
        .subscribe()?;
    let timer_ended = ticks.closer();
    let (sent, ticks) = thread::scope(|scope| {
        let bus = &bus;
        let twitch = scope.spawn(|| sources::twitch(bus, chat));
        let obs = scope.spawn(|| sources::obs(bus));
        let timer = scope.spawn(move || {
            let sent = sources::timer(bus, TICKS);
            timer_ended.close();
            sent
        });
        let ticks = operate(&handlers, &ticks);
        let mut sent = Sent::default();
        for source in [twitch, obs, timer] {
            sent.add(&source.join().map_err(|_| "a source panicked")??);
        }
        Ok::<_, BoxError>((sent, ticks?))
    })?;

    settle(&bot)?;
    settle(&screen)?;
    pool.shutdown();

    let (bot, screen) = (bot.stats(), screen.stats());
    println!("\nbot: {bot}");
    println!(
        "screen: {} events handled, {} dropped, dispatch {}",
        screen.handled, screen.dropped, screen.dispatch
    );
    println!("\n  handler        group      called failed skipped");
    for it in handlers.list() {
        let (name, group) = (it.name.unwrap_or_default(), it.group.unwrap_or_default());
        println!(
            "  {name:<14} {group:<10} {:>6} {:>6} {:>7}",
            it.called, it.failed, it.skipped
        );
    }
    println!("\n{}\nsums:", bus.stats());
    let right = Accounts {
        sent: &sent,
        books: &books,
        board: &board,
        bus: &bus.stats(),
        bot: &bot,
        screen: &screen,
        error_events: error_events.load(Relaxed),
        ticks,
    }
    .audit();
    Ok(right)
}

/// One that tidies chat up and moves commands to their own topic, then one that keeps spam out.
fn middleware(handlers: &Handlers<Live>) -> [HookGuard<Live>; 2] {
    let normaliser = handlers.middleware(|event| {
        let Live::Chat { user, text } = event.payload() else {
            return Some(event);
        };
        let (user, text) = (user.clone(), live::normal(text));
        let topic = if live::is_command(&text) {
            live::COMMAND
        } else {
            live::MESSAGE
        };
        // A changed topic finds its own handlers. Its cause is the event as it came.
        Event::draft(topic, Live::Chat { user, text })
            .source(event.source_or_unknown())
            .build()
            .ok()
    });
    let spam_block = handlers.middleware(|event| {
        let spam = matches!(event.payload(), Live::Chat { text, .. } if live::is_spam(text));
        (!spam).then_some(event)
    });
    [normaliser, spam_block]
}

/// At each tick swaps the commands for their next version, in one moment: every command is answered by
/// one of them. Alerts are unloaded and loaded again, with a time without them in between.
fn operate(handlers: &Handlers<Live>, ticks: &Subscription<Live>) -> Result<u64, BoxError> {
    let mut seen = 0;
    for _tick in ticks {
        seen += 1;
        let version = seen + 1;
        let swapped = handlers.load(&Commands { version })?;
        if (swapped.removed, swapped.added) != (2, 2) {
            return Err(format!("version {version}: {swapped:?}").into());
        }
        match seen % 6 {
            3 => drop(handlers.unload(&Alerts)),
            5 => drop(handlers.load(&Alerts)?),
            _ => {}
        }
    }
    println!(
        "  (commands are at version {}, alerts are {})",
        seen + 1,
        if handlers.group(Alerts.name()).is_empty() {
            "unloaded"
        } else {
            "loaded"
        }
    );
    Ok(seen)
}

/// Stops a dispatcher when nothing is left. What handlers emit during a stop waits for the next start.
fn settle(dispatcher: &Dispatcher<Live>) -> Result<(), BoxError> {
    loop {
        let stopped = dispatcher.stop(Drain::Within(Duration::from_secs(60)))?;
        if stopped.left == 0 {
            return Ok(());
        }
        dispatcher.start()?;
    }
}

fn print_order(handlers: &Handlers<Live>, topic: &str) {
    let order: Vec<_> = handlers
        .of_topic(topic)
        .into_iter()
        .map(|it| format!("{} ({:?})", it.name.unwrap_or_default(), it.priority))
        .collect();
    println!("{topic} calls {}\n", order.join(", "));
}

/// Panics of handlers are told as failures; the usual message would tell them twice.
fn quiet_handlers() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let thread = thread::current();
        if !thread.name().is_some_and(|name| name.starts_with("bot-")) {
            usual(panic);
        }
    }));
}
