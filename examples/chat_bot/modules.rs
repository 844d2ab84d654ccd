//! The handlers: those that stay, and the modules that come and go.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chanbus::{BoxError, Context, Event, Flow, Handlers, Module, PatternsError, Priority};
use futures_lite::future::yield_now;

use crate::live::{self, Live};

/// A service: who has written how often.
#[derive(Default)]
pub(crate) struct Scoreboard(Mutex<HashMap<String, u64>>);

impl Scoreboard {
    pub(crate) fn scores(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A service: what the camera shows.
#[derive(Default)]
struct Stage(Mutex<&'static str>);

impl Stage {
    fn scene(&self) -> MutexGuard<'_, &'static str> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A service: what handlers did by their own count, to be held against everybody else's.
#[derive(Default)]
pub(crate) struct Books {
    pub(crate) firsts: AtomicU64,
    pub(crate) scenes: AtomicU64,
    pub(crate) greeted: AtomicU64,
    pub(crate) not_greeted: AtomicU64,
    pub(crate) answered: AtomicU64,
    pub(crate) logged: AtomicU64,
    pub(crate) failing: AtomicU64,
    pub(crate) witnessed: AtomicU64,
    pub(crate) emitted: AtomicU64,
    pub(crate) told: AtomicU64,
}

/// Adds one. Relaxed: read when all have ended.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

/// Emits on the bus, with the event at hand as the cause.
fn emit(ctx: &Context<Live>, topic: &str, payload: Live) -> Result<(), BoxError> {
    ctx.emit(topic, payload)?;
    count(&ctx.service::<Books>()?.emitted);
    Ok(())
}

fn say(ctx: &Context<Live>, text: impl Into<String>) -> Result<(), BoxError> {
    emit(ctx, live::REPLY, Live::Reply(text.into()))
}

/// What stays for as long as the bot runs.
pub(crate) fn house(handlers: &Handlers<Live>) -> Result<(), PatternsError> {
    handlers.services().insert(Stage::default().into());
    let house = handlers.in_group("house");

    // Before the usual, so that who asks for a score finds this line counted.
    house
        .on("twitch.chat.*")
        .name("score")
        .priority(Priority::HIGH)
        .handle(|event, ctx| {
            if let Live::Chat { user, .. } = event.payload() {
                let board = ctx.service::<Scoreboard>()?;
                *board.scores().entry(user.clone()).or_default() += 1;
            }
            Ok(Flow::Continue)
        })?;

    // One call, whatever the threads.
    house
        .on("twitch.chat.*")
        .name("first")
        .once()
        .handle(|event, ctx| {
            count(&ctx.service::<Books>()?.firsts);
            if let Live::Chat { user, .. } = event.payload() {
                say(ctx, format!("{user} is the first today"))?;
            }
            Ok(Flow::Continue)
        })?;

    house
        .on(live::MESSAGE)
        .name("questions")
        .filter(|event| matches!(event.payload(), Live::Chat { text, .. } if text.ends_with('?')))
        .handle(|event, ctx| {
            if let Live::Chat { user, .. } = event.payload() {
                say(ctx, format!("{user}: good question"))?;
            }
            Ok(Flow::Continue)
        })?;

    // Async, on the pool's threads: while it waits, it occupies none.
    house
        .on("obs.**")
        .name("overlay")
        .handle_async(|event, ctx| async move {
            yield_now().await;
            if let Live::Scene(scene) = event.payload() {
                *ctx.service::<Stage>()?.scene() = *scene;
            }
            count(&ctx.service::<Books>()?.scenes);
            Ok(Flow::Continue)
        })?;

    // After the alerts, which stop whom they have greeted.
    house
        .on(live::FOLLOW)
        .name("not greeted")
        .priority(Priority::LOWEST)
        .handle(|_, ctx| {
            count(&ctx.service::<Books>()?.not_greeted);
            Ok(Flow::Continue)
        })?;

    house.on(live::PARTY).name("party").handle(|event, ctx| {
        if let (Live::Party(user), Some(cause)) = (event.payload(), event.cause()) {
            say(
                ctx,
                format!("welcome {user}! (because of {})", cause.topic()),
            )?;
        }
        Ok(Flow::Continue)
    })?;

    house
        .on("bot.**")
        .name("screen")
        .call(|event| match event.payload() {
            Live::Reply(text) => println!("  {text}"),
            Live::Failed(text) => println!("! {text}"),
            other => println!("? {other:?}"),
        })?;

    // Sees everything that middleware passed, stopped or not, and can stop nothing.
    house
        .on("**")
        .name("witness")
        .priority(Priority::MONITOR)
        .handle(|_, ctx| {
            count(&ctx.service::<Books>()?.witnessed);
            Ok(Flow::Continue)
        })?;
    Ok(())
}

/// Greets followers; at times it is not there.
pub(crate) struct Alerts;

impl Module<Live> for Alerts {
    fn name(&self) -> &str {
        "alerts"
    }

    fn register(&self, handlers: &Handlers<Live>) -> Result<(), PatternsError> {
        handlers
            .on(live::FOLLOW)
            .name("greet")
            .handle(|event, ctx| {
                if let Live::Follow(user) = event.payload() {
                    count(&ctx.service::<Books>()?.greeted);
                    emit(ctx, live::PARTY, Live::Party(user.clone()))?;
                }
                Ok(Flow::Stop)
            })?;
        Ok(())
    }
}

/// Answers commands; is swapped for its next version while they come.
pub(crate) struct Commands {
    pub(crate) version: u64,
}

impl Module<Live> for Commands {
    fn name(&self) -> &str {
        "commands"
    }

    fn register(&self, handlers: &Handlers<Live>) -> Result<(), PatternsError> {
        let version = self.version;
        handlers
            .on(live::COMMAND)
            .name("answer")
            .handle(move |event, ctx| answer(event, ctx, version))?;
        handlers.on(live::COMMAND).name("log").handle(|_, ctx| {
            count(&ctx.service::<Books>()?.logged);
            Ok(Flow::Continue)
        })?;
        Ok(())
    }
}

fn answer(event: &Event<Live>, ctx: &Context<Live>, version: u64) -> Result<Flow, BoxError> {
    let Live::Chat { user, text } = event.payload() else {
        return Ok(Flow::Continue);
    };
    let books = ctx.service::<Books>()?;
    count(&books.answered);
    let words: Vec<&str> = text.split(' ').collect();
    let reply = match words[..] {
        ["!hello"] => format!("hello {user}"),
        ["!version"] => format!("{user}: these are commands, version {version}"),
        ["!scene"] => format!("{user}: on stage is {:?}", *ctx.service::<Stage>()?.scene()),
        ["!score"] => {
            let board = ctx.service::<Scoreboard>()?;
            let score = board.scores().get(user).copied().unwrap_or(0);
            format!("{user}: lines so far: {score}")
        }
        ["!add", a, b] => match (a.parse::<i64>(), b.parse::<i64>()) {
            (Ok(a), Ok(b)) => format!("{user}: {}", i128::from(a) + i128::from(b)),
            (Err(error), _) | (_, Err(error)) => {
                count(&books.failing);
                return Err(error.into());
            }
        },
        ["!crash"] => {
            count(&books.failing);
            panic!("{user} wanted it so");
        }
        _ => {
            count(&books.failing);
            return Err(format!("{user}: there is no {text}").into());
        }
    };
    say(ctx, reply)?;
    Ok(Flow::Continue)
}
