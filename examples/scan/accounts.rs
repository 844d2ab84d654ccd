//! The audit: nothing may vanish between what the walkers say, what the bus says, and what the
//! subscribers say.

use chanbus::{BusStats, SubscriptionStats};

use crate::walk::Tally;

/// What a subscriber itself knows of the events that it took.
pub(crate) struct Witness {
    pub(crate) name: &'static str,
    pub(crate) taken: u64,
    /// How many it lost as far as it was told; none for those who must not lose any.
    pub(crate) missed: u64,
    /// How many it may find replaced by newer ones.
    pub(crate) conflates: bool,
}

/// Everything that does not add up, a sentence each. Empty is as it should be.
pub(crate) fn audit(stats: &BusStats, tally: &Tally, witnesses: &[Witness]) -> Vec<String> {
    let mut audit = Audit::default();

    let sent: u64 = tally.sent.iter().map(|(_, sent)| sent).sum();
    audit.equal("events emitted", stats.emitted, "events sent", sent);

    // The bus's sums over all subscriptions against those of what each emit returned. An event that
    // was pushed out or replaced had been delivered before.
    let did = &tally.did;
    let (delivered, evicted) = (did.delivered as u64, did.evicted as u64);
    let dropped = did.dropped as u64;
    audit.equal("matched", stats.matched(), "by emits", did.matched as u64);
    audit.equal("filtered", stats.filtered, "by emits", did.filtered as u64);
    audit.equal(
        "received",
        stats.received + evicted,
        "plus evicted, by emits",
        delivered,
    );
    audit.equal(
        "dropped and conflated",
        stats.dropped + stats.conflated,
        "by emits",
        dropped + evicted,
    );

    for witness in witnesses {
        let named = |sub: &&SubscriptionStats| sub.name.as_deref() == Some(witness.name);
        match stats.subscriptions.iter().find(named) {
            Some(sub) => audit.subscription(sub, tally, witness),
            None => audit.complain(format!("{} is gone", witness.name)),
        }
    }
    audit.complaints
}

#[derive(Default)]
struct Audit {
    complaints: Vec<String>,
}

impl Audit {
    fn subscription(&mut self, sub: &SubscriptionStats, tally: &Tally, witness: &Witness) {
        let name = witness.name;
        let wanted = |topic: &str| sub.patterns.iter().any(|pattern| pattern.matches(topic));
        let matching = tally.sent.iter().filter(|(topic, _)| wanted(topic));
        let sent: u64 = matching.map(|(_, sent)| sent).sum();

        // What was sent on the topics that it asked for is what matched, and each of those was
        // received, dropped, filtered or conflated.
        self.equal(&format!("{name}: sent"), sent, "matched", sub.matched());
        let sum = sub.received + sub.dropped + sub.filtered + sub.conflated;
        self.equal(&format!("{name}: matched"), sent, "sum", sum);
        self.equal(&format!("{name}: depth"), sub.depth as u64, "none", 0);
        let taken = witness.taken;
        self.equal(&format!("{name}: received"), sub.received, "taken", taken);
        let missed = witness.missed;
        self.equal(&format!("{name}: dropped"), sub.dropped, "missed", missed);
        if !witness.conflates {
            self.equal(&format!("{name}: conflated"), sub.conflated, "none", 0);
        }
    }

    fn equal(&mut self, what: &str, a: u64, against: &str, b: u64) {
        if a != b {
            self.complain(format!("{what} {a}, {against} {b}"));
        }
    }

    fn complain(&mut self, complaint: String) {
        self.complaints.push(complaint);
    }
}
