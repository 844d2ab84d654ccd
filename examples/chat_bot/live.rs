//! What happens on a stream: the payload of every event, and the topics.

/// One thing that happened.
#[derive(Debug)]
pub(crate) enum Live {
    Chat {
        user: String,
        text: String,
    },
    Follow(String),
    Scene(&'static str),
    Tick,
    /// Something to celebrate.
    Party(String),
    /// What the bot says.
    Reply(String),
    /// A handler failed.
    Failed(String),
}

pub(crate) const MESSAGE: &str = "twitch.chat.message";
/// A message that begins with `!`; the normaliser moves it here.
pub(crate) const COMMAND: &str = "twitch.chat.command";
pub(crate) const FOLLOW: &str = "twitch.follow";
pub(crate) const SCENE: &str = "obs.scene.changed";
pub(crate) const TICK: &str = "timer.tick";
pub(crate) const PARTY: &str = "celebration.start";
pub(crate) const REPLY: &str = "bot.reply";
pub(crate) const ERROR: &str = "bot.error";

/// Reads `+user` as a follow and `user: text` as chat; who is not named is anonymous.
pub(crate) fn read(line: &str) -> Option<Live> {
    let line = line.trim();
    if line.is_empty() {
        return None;
    }
    if let Some(user) = line.strip_prefix('+') {
        return Some(Live::Follow(user.trim().to_owned()));
    }
    let (user, text) = line.split_once(':').unwrap_or(("anonymous", line));
    Some(Live::Chat {
        user: user.trim().to_owned(),
        text: text.to_owned(),
    })
}

/// One blank between words, none around them.
pub(crate) fn normal(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

pub(crate) fn is_spam(normal: &str) -> bool {
    normal.to_lowercase().contains("buy followers")
}

pub(crate) fn is_command(normal: &str) -> bool {
    normal.starts_with('!')
}
