//! Holds the counts of all sides against each other: whatever the threads did, they add up.

use std::sync::atomic::Ordering::Relaxed;

use chanbus::{BusStats, DispatcherStats};

use crate::modules::{Books, Scoreboard};
use crate::sources::Sent;

/// Everybody's counts, when all have ended.
pub(crate) struct Accounts<'a> {
    pub(crate) sent: &'a Sent,
    pub(crate) books: &'a Books,
    pub(crate) board: &'a Scoreboard,
    pub(crate) bus: &'a BusStats,
    pub(crate) bot: &'a DispatcherStats,
    pub(crate) screen: &'a DispatcherStats,
    /// Failures that were made events.
    pub(crate) error_events: u64,
    /// Ticks that the operator took.
    pub(crate) ticks: u64,
}

impl Accounts<'_> {
    /// Prints every sum; whether all are right.
    pub(crate) fn audit(&self) -> bool {
        let Self {
            sent, books, board, ..
        } = self;
        let (bot, screen) = (self.bot, self.screen);
        // The registry's own sums are the same seen from both.
        let all = &screen.handlers;
        let points: u64 = board.scores().values().sum();
        let emitted = books.emitted.load(Relaxed) + self.error_events;
        let handled = bot.handled + screen.handled;
        let greeted = books.greeted.load(Relaxed) + books.not_greeted.load(Relaxed);
        let failed = books.failing.load(Relaxed);
        let sums = [
            (
                "emitted, by sources and handlers",
                sent.all() + emitted,
                self.bus.emitted,
            ),
            (
                "handled or dropped",
                handled + bot.dropped + screen.dropped,
                self.bus.emitted,
            ),
            ("went through the registry", all.events, handled),
            (
                "seen by the witness, or blocked",
                books.witnessed.load(Relaxed) + all.blocked,
                all.events,
            ),
            ("spam, and what was blocked", sent.spam, all.blocked),
            (
                "points, and chat that passed",
                points,
                sent.chat - sent.spam,
            ),
            (
                "the first of the day",
                books.firsts.load(Relaxed),
                points.min(1),
            ),
            ("scenes", books.scenes.load(Relaxed), sent.scenes),
            ("follows: greeted, or not", greeted, sent.follows),
            (
                "commands: answered, by any version",
                books.answered.load(Relaxed),
                sent.commands,
            ),
            (
                "commands: logged, by any version",
                books.logged.load(Relaxed),
                sent.commands,
            ),
            ("failures: seen by the registry", all.failed, failed),
            (
                "failures: told to the error handler",
                books.told.load(Relaxed),
                failed,
            ),
            ("failures: made events", self.error_events, failed),
            ("ticks", self.ticks, sent.ticks),
        ];
        let mut right = true;
        for (what, one, other) in sums {
            let verdict = if one == other {
                ""
            } else {
                "  <- do not agree"
            };
            println!("  {what:<36} {one:>8} {other:>8}{verdict}");
            right &= one == other;
        }
        right
    }
}
