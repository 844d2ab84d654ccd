//! Messages that were sent, and what is known of them.

use super::stats::ExportStats;

/// What was sent and is not confirmed, of plain NATS, which tells a sender nothing.
///
/// So the bridge asks: its control message goes out on the same connection, behind what was sent
/// before, and comes back by way of the server. If that was the same connection all the time, the server has had all
/// before it. When a connection breaks, whatever was not confirmed on it stays in doubt.
#[derive(Debug)]
pub(super) struct Flight {
    /// The connection, counted.
    epoch: u64,
    /// What was sent, on all connections.
    sent: u64,
    /// Up to where the fate of what was sent is known: confirmed, or in doubt for ever.
    settled: u64,
    confirmed: u64,
    in_doubt: u64,
    /// Up to where a control message has asked.
    asked: u64,
    limit: u64,
}

impl Flight {
    pub(super) fn new(limit: usize) -> Self {
        Flight {
            epoch: 0,
            sent: 0,
            settled: 0,
            confirmed: 0,
            in_doubt: 0,
            asked: 0,
            limit: limit as u64,
        }
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    pub(super) fn unconfirmed(&self) -> u64 {
        self.sent - self.settled
    }

    /// What was sent since the last question.
    pub(super) fn unasked(&self) -> u64 {
        self.sent - self.asked.max(self.settled)
    }

    /// How many more may be sent before the server says something.
    pub(super) fn room(&self) -> usize {
        usize::try_from(self.limit.saturating_sub(self.unconfirmed())).unwrap_or(usize::MAX)
    }

    pub(super) fn send(&mut self) {
        self.sent += 1;
    }

    pub(super) fn ask(&mut self) {
        self.asked = self.sent;
    }

    /// The connection broke, or is another. What was not confirmed will never be; how many that are.
    pub(super) fn broke(&mut self) -> u64 {
        let lost = self.unconfirmed();
        self.epoch += 1;
        self.in_doubt += lost;
        self.settled = self.sent;
        lost
    }

    /// A question has come back, that was asked on that connection when so many had been sent.
    pub(super) fn confirm(&mut self, epoch: u64, sent: u64) {
        if epoch == self.epoch && sent > self.settled && sent <= self.sent {
            self.confirmed += sent - self.settled;
            self.settled = sent;
        }
    }

    /// The connection is another. What was sent on the old one is not given up: it is sent again.
    pub(super) fn moved(&mut self) {
        self.epoch += 1;
    }

    /// So many of the oldest have reached the server.
    pub(super) fn settle(&mut self, count: u64) {
        let count = count.min(self.unconfirmed());
        self.confirmed += count;
        self.settled += count;
    }

    /// So many of those that were sent turned out to be refused for ever: they were not sent, then.
    pub(super) fn take_back(&mut self, count: u64) {
        self.sent -= count.min(self.unconfirmed());
    }

    pub(super) fn write_to(&self, stats: &mut ExportStats) {
        stats.sent = self.sent;
        stats.confirmed = self.confirmed;
        stats.in_doubt = self.in_doubt;
        stats.unconfirmed = self.unconfirmed();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sums(flight: &Flight) -> (u64, u64, u64, u64) {
        let mut stats = ExportStats::default();
        flight.write_to(&mut stats);
        assert_eq!(
            stats.sent,
            stats.confirmed + stats.in_doubt + stats.unconfirmed
        );
        (
            stats.sent,
            stats.confirmed,
            stats.in_doubt,
            stats.unconfirmed,
        )
    }

    fn send(flight: &mut Flight, count: usize) {
        for _ in 0..count {
            flight.send();
        }
    }

    #[test]
    fn what_was_asked_for_on_the_same_connection_is_confirmed() {
        let mut flight = Flight::new(8);
        send(&mut flight, 3);
        let asked = flight.sent();
        flight.ask();
        send(&mut flight, 2);
        assert_eq!((flight.room(), flight.unasked()), (3, 2));
        flight.confirm(0, asked);
        assert_eq!(sums(&flight), (5, 3, 0, 2));
        assert_eq!(flight.room(), 6);
        // Twice, or an older one: nothing new.
        flight.confirm(0, asked);
        flight.confirm(0, 1);
        assert_eq!(sums(&flight), (5, 3, 0, 2));
    }

    #[test]
    fn what_a_broken_connection_had_stays_in_doubt_whatever_comes_back_later() {
        let mut flight = Flight::new(8);
        send(&mut flight, 4);
        assert_eq!(flight.broke(), 4);
        assert_eq!(flight.room(), 8);
        flight.confirm(0, 4);
        assert_eq!(sums(&flight), (4, 0, 4, 0));
        send(&mut flight, 2);
        flight.confirm(0, 6);
        assert_eq!(sums(&flight), (6, 0, 4, 2));
        flight.confirm(1, 6);
        assert_eq!(sums(&flight), (6, 2, 4, 0));
        assert_eq!(flight.broke(), 0);
    }

    #[test]
    fn a_message_that_claims_more_than_was_sent_confirms_nothing() {
        let mut flight = Flight::new(8);
        send(&mut flight, 1);
        flight.confirm(0, u64::MAX);
        assert_eq!(sums(&flight), (1, 0, 0, 1));
    }
}
