//! What a process has counted, and whether both agree.

use serde::{Deserialize, Serialize};

/// What one process has counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Books {
    /// Events that it emitted itself.
    pub(crate) emitted: u64,
    /// Of these: the queue was full,
    pub(crate) dropped: u64,
    pub(crate) refused: u64,
    /// waiting to be sent,
    pub(crate) waiting: u64,
    /// sent,
    pub(crate) sent: u64,
    /// and of those: the server has them, it may have them, nobody knows yet.
    pub(crate) confirmed: u64,
    pub(crate) in_doubt: u64,
    pub(crate) unconfirmed: u64,
    /// Messages of the other that came, that did not come, and that came again.
    pub(crate) imported: u64,
    pub(crate) missed: u64,
    pub(crate) duplicates: u64,
    /// What the subscriber of those has seen, and what its queue had no room for.
    pub(crate) seen: u64,
    pub(crate) unseen: u64,
    /// It saw one twice, or one before an earlier one.
    pub(crate) twice: u64,
    pub(crate) connects: u64,
}

impl Books {
    pub(crate) fn is_quiet(&self) -> bool {
        self.waiting == 0 && self.unconfirmed == 0
    }

    /// Whether this one has had, or missed, all that the other sent.
    pub(crate) fn knows(&self, other: &Books) -> bool {
        self.imported + self.missed >= other.sent && self.seen + self.unseen == self.imported
    }

    /// Everything that does not add up.
    pub(crate) fn faults(ann: &Books, bob: &Books, mode: &str) -> Vec<String> {
        let mut faults = Vec::new();
        for (from, to, way) in [(ann, bob, "ann to bob"), (bob, ann, "bob to ann")] {
            let mut hold = |what: &str, one: u64, other: u64| {
                if one != other {
                    faults.push(format!("{way}: {what}: {one}, not {other}"));
                }
            };
            let gone = from.dropped + from.refused + from.waiting;
            hold("emitted = dropped + sent", from.emitted, gone + from.sent);
            let known = from.confirmed + from.in_doubt + from.unconfirmed;
            hold("sent = confirmed + in doubt", from.sent, known);
            hold(
                "sent = imported + missed",
                from.sent,
                to.imported + to.missed,
            );
            hold(
                "imported = seen + dropped there",
                to.imported,
                to.seen + to.unseen,
            );
            hold("seen twice", to.twice, 0);
            if mode == "jetstream" {
                hold("missed by JetStream", to.missed + from.in_doubt, 0);
            }
        }
        faults
    }
}

pub(crate) fn print_table(ann: &Books, bob: &Books) {
    let heads = [
        "",
        "emitted",
        "dropped",
        "sent",
        "confirmed",
        "in doubt",
        "received",
        "missed",
        "again",
        "connects",
    ];
    println!("{}", heads.map(|head| format!("{head:>10}")).concat());
    for (way, from, to) in [("ann > bob", ann, bob), ("bob > ann", bob, ann)] {
        let sums = [
            from.emitted,
            from.dropped,
            from.sent,
            from.confirmed,
            from.in_doubt,
            to.imported,
            to.missed,
            to.duplicates,
            from.connects,
        ];
        println!("{way:>10}{}", sums.map(|sum| format!("{sum:>10}")).concat());
    }
}
