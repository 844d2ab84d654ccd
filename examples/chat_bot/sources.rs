//! Where events come from: a chat, a studio program and a timer, each on a thread of its own.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use chanbus::{BoxError, Bus, Publisher};

use crate::live::{self, Live};

/// How long a source waits for room before it gives up: a lost line would be an answer that is missing.
const PATIENCE: Duration = Duration::from_secs(60);

const SCRIPT: &str = "\
ada: hello everybody
grace: !hello
+linus
ada:   is   this   the   late   show?
spammer: BUY   followers at example.org
linus: !score
ada: !add 20 22
+margaret
grace: !add 20 x
margaret: what a nice overlay
ada: !scene
+ken
ken: !dance
spammer: no, really: buy followers
ken: is there a version 2?
grace: !version
+dennis
dennis: !crash
ada: still there?
margaret: !hello
+barbara
barbara: !version
linus: !score
ada: good night
";

/// What a source has emitted, by its own count.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) chat: u64,
    /// Of them, what a middleware is to block, and what is a command.
    pub(crate) spam: u64,
    pub(crate) commands: u64,
    pub(crate) follows: u64,
    pub(crate) scenes: u64,
    pub(crate) ticks: u64,
}

impl Sent {
    pub(crate) fn all(&self) -> u64 {
        self.chat + self.follows + self.scenes + self.ticks
    }

    pub(crate) fn add(&mut self, other: &Sent) {
        self.chat += other.chat;
        self.spam += other.spam;
        self.commands += other.commands;
        self.follows += other.follows;
        self.scenes += other.scenes;
        self.ticks += other.ticks;
    }
}

fn emit(publisher: &Publisher<Live>, payload: Live) -> Result<(), BoxError> {
    let emitted = publisher.emit_within(payload, PATIENCE)?;
    if emitted.is_complete() {
        Ok(())
    } else {
        Err("nobody made room for an event".into())
    }
}

/// Chat lines: of a file, of the standard input if that is piped, or of the script.
pub(crate) fn twitch(bus: &Bus<Live>, file: Option<PathBuf>) -> Result<Sent, BoxError> {
    let messages = bus.publisher(live::MESSAGE)?.with_source("twitch");
    let follows = bus.publisher(live::FOLLOW)?.with_source("twitch");
    let mut sent = Sent::default();
    let mut say = |line: &str| {
        match live::read(line) {
            None => return Ok(false),
            Some(chat @ Live::Chat { .. }) => {
                if let Live::Chat { text, .. } = &chat {
                    let text = live::normal(text);
                    let spam = live::is_spam(&text);
                    sent.spam += u64::from(spam);
                    sent.commands += u64::from(!spam && live::is_command(&text));
                }
                sent.chat += 1;
                emit(&messages, chat)?;
            }
            Some(follow) => {
                sent.follows += 1;
                emit(&follows, follow)?;
            }
        }
        Ok::<bool, BoxError>(true)
    };
    let input: Option<Box<dyn BufRead>> = match file {
        Some(path) => {
            let file = File::open(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            Some(Box::new(BufReader::new(file)))
        }
        None if io::stdin().is_terminal() => None,
        None => Some(Box::new(io::stdin().lock())),
    };
    let mut any = false;
    if let Some(input) = input {
        for line in input.split(b'\n') {
            any |= say(&String::from_utf8_lossy(&line?))?;
        }
    }
    if !any {
        for line in SCRIPT.lines() {
            say(line)?;
            // People type more slowly still.
            thread::sleep(Duration::from_millis(4));
        }
    }
    Ok(sent)
}

pub(crate) fn obs(bus: &Bus<Live>) -> Result<Sent, BoxError> {
    let scenes = bus.publisher(live::SCENE)?.with_source("obs");
    let mut sent = Sent::default();
    for scene in ["starting soon", "camera", "game", "camera", "goodbye"] {
        emit(&scenes, Live::Scene(scene))?;
        sent.scenes += 1;
        thread::sleep(Duration::from_millis(20));
    }
    Ok(sent)
}

pub(crate) fn timer(bus: &Bus<Live>, ticks: u64) -> Result<Sent, BoxError> {
    let tick = bus.publisher(live::TICK)?.with_source("timer");
    let mut sent = Sent::default();
    for _ in 0..ticks {
        emit(&tick, Live::Tick)?;
        sent.ticks += 1;
        thread::sleep(Duration::from_millis(5));
    }
    Ok(sent)
}
