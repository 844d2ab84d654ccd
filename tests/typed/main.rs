//! What typed buses promise: events by type, never of a wrong one, and all that the bus below promises.
// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../common/mod.rs"]
mod common;

mod bad_topics;
mod lives;
mod ways;
mod wrong_types;

use chanbus::Typed;
use common::counting::Counting;
use common::{Counted, Hooked};

#[global_allocator]
static COUNTING: Counting = Counting;

#[derive(Debug, Clone, PartialEq, Eq)]
struct UserCreated {
    id: u32,
}

#[derive(Debug, PartialEq, Eq)]
struct UserRenamed {
    id: u32,
    name: String,
}

/// Claims the topic of another type.
#[derive(Debug, PartialEq, Eq)]
struct Impostor(u32);

/// Of size zero.
#[derive(Debug)]
struct Shutdown;

/// Lives until it is dropped, as its census sees.
struct Tracked(Counted);

/// Runs a closure when it is dropped.
struct Bomb(#[allow(dead_code, reason = "for its destructor")] Hooked);

macro_rules! typed {
    ($($type:ty => $topic:literal),* $(,)?) => {
        $(impl Typed for $type {
            const TOPIC: &'static str = $topic;
        })*
    };
}
pub(crate) use typed;

typed! {
    UserCreated => "user.created",
    UserRenamed => "user.renamed",
    Impostor => "user.created",
    Shutdown => "shutdown",
    Tracked => "tracked",
    Bomb => "bomb",
}
