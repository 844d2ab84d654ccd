//! The recorder's thread: from the queue to lines.

use std::io;
use std::time::{Duration, Instant};

use super::line::{self, END_ROOM, Why};
use super::shared::{Order, Shared};
use super::sink::Sink;
use crate::bus::{Beat, Overflow, Subscription};
use crate::cause::Cause;
use crate::codec::{Codec, shielded};
use crate::error::shortened;
use crate::event::Event;
use crate::shield::{caught, drop_shielded, told};
use crate::sync::{Arc, Ordering};

/// So many bytes are handed to the writer at once, when as many have come.
const CHUNK: usize = 64 << 10;

/// How long a writer that failed is left alone.
const RETRY: Duration = Duration::from_secs(1);

/// All that the thread has.
pub(super) struct Work<T: Send + Sync + 'static> {
    pub(super) sub: Subscription<T>,
    pub(super) codec: Box<dyn Codec<T>>,
    pub(super) shared: Arc<Shared>,
    pub(super) sink: Sink,
    pub(super) is_json: bool,
    pub(super) flush_every: Duration,
    pub(super) max_line: usize,
    pub(super) max_bytes: u64,
}

/// The thread's whole life.
pub(super) fn run<T: Send + Sync + 'static>(work: Work<T>) {
    let shared = Arc::clone(&work.shared);
    let mut recording = Recording {
        payload: Vec::new(),
        line: Vec::new(),
        due: None,
        conflated: 0,
        work,
    };
    let failure = match caught(|| recording.run()) {
        Ok(failure) => failure,
        // Nothing in there is left to panic; if it does, nobody waits for ever.
        Err(thrown) => Some(Arc::new(io::Error::other(told(thrown)))),
    };
    recording.work.sub.close();
    // Writer and codec go before anybody hears of the end: who waited finds the file closed.
    let Work {
        sub, codec, sink, ..
    } = recording.work;
    drop(sink);
    drop_shielded(codec);
    while let Ok(event) = sub.try_recv() {
        drop_shielded(event);
    }
    shared.end(failure);
}

struct Recording<T: Send + Sync + 'static> {
    work: Work<T>,
    /// Where payloads and lines are made, one after the other.
    payload: Vec<u8>,
    line: Vec<u8>,
    /// When what waits is handed to the writer.
    due: Option<Instant>,
    /// How many conflated events the recording knows of.
    conflated: u64,
}

/// No more fits into the recording.
struct Full;

impl<T: Send + Sync + 'static> Recording<T> {
    /// What kept the writer from taking all.
    fn run(&mut self) -> Option<Arc<io::Error>> {
        let full = self.record().is_err();
        self.work.sub.close();
        // Relaxed: see `Shared`.
        self.work.shared.full.store(full, Ordering::Relaxed);
        if !full {
            // What was dropped after the last event that was taken.
            let missed = self.work.sub.missed();
            let _ = self.gap(missed, &Why::Queue);
        }
        self.end_line(full);
        if self.put() {
            return None;
        }
        self.work.shared.told().error
    }

    /// Until there is no more, or an order says so.
    fn record(&mut self) -> Result<(), Full> {
        loop {
            let order = self.work.shared.ordered();
            if order == Order::Now {
                return Ok(());
            }
            let wait = self.due.map_or(Duration::MAX, |due| {
                due.saturating_duration_since(Instant::now())
            });
            if (wait.is_zero() || self.work.sink.waiting() >= CHUNK) && !self.put() {
                if order != Order::Run || self.work.sub.is_closed() || self.work.sink.is_broken() {
                    // It would be asked again and again, and somebody waits for the end.
                    return Ok(());
                }
                self.work.shared.wait_ordered(RETRY);
                continue;
            }
            // Made anew each time, as it waits for another time each time. It holds nothing.
            let beat = self.work.sub.heartbeats(wait).next();
            if let Err(full) = self.conflations() {
                // It may hold an event, whose payload is the user's.
                drop_shielded(beat);
                return Err(full);
            }
            match beat {
                Some(Beat::Event(event)) => {
                    let done = self.event(&event);
                    drop_shielded(event);
                    done?;
                }
                Some(Beat::Missed(missed)) => self.gap(missed, &Why::Queue)?,
                Some(Beat::Keepalive) => {}
                None => return Ok(()),
            }
        }
    }

    fn event(&mut self, event: &Event<T>) -> Result<(), Full> {
        self.payload.clear();
        self.line.clear();
        let (codec, payload) = (&self.work.codec, &mut self.payload);
        // What a codec emits carries the event at hand, so that it cannot record itself for ever.
        let encoded = shielded(|| Cause::scope(event, || codec.encode(event, payload)));
        let written = encoded
            .and_then(|()| line::event(event, &self.payload, self.work.is_json, &mut self.line));
        let length = self.line.len();
        let written = written.and_then(|()| match length > self.work.max_line {
            true => Err(format!(
                "a line of {length} bytes, more than {}: raise RecorderBuilder::max_line",
                self.work.max_line
            )),
            false => Ok(()),
        });
        if let Err(reason) = written {
            let reason = shortened(&reason);
            self.work.shared.refuse(&reason);
            self.shrink();
            let topic = event.topic();
            return self.gap(
                1,
                &Why::Refused {
                    topic,
                    reason: &reason,
                },
            );
        }
        if !self.fits() {
            return Err(Full);
        }
        self.work.sink.push_event(&self.line);
        self.shrink();
        self.is_due();
        Ok(())
    }

    /// One huge event does not keep its memory for ever.
    fn shrink(&mut self) {
        for scratch in [&mut self.payload, &mut self.line] {
            if scratch.capacity() > CHUNK {
                *scratch = Vec::new();
            }
        }
    }

    fn gap(&mut self, missed: u64, why: &Why<'_>) -> Result<(), Full> {
        if missed == 0 {
            return Ok(());
        }
        self.line.clear();
        line::gap(missed, why, &mut self.line);
        if !self.fits() {
            return Err(Full);
        }
        self.work.sink.push(&self.line);
        self.is_due();
        Ok(())
    }

    /// What was replaced by newer events since this last looked.
    fn conflations(&mut self) -> Result<(), Full> {
        if self.work.sub.overflow() != Overflow::Latest {
            return Ok(());
        }
        let conflated = self.work.sub.conflated();
        let missed = conflated - self.conflated;
        self.conflated = conflated;
        self.gap(missed, &Why::Conflated)
    }

    fn end_line(&mut self, full: bool) {
        let (sub, shared) = (&self.work.sub, &self.work.shared);
        // Relaxed: this thread alone writes them.
        let refused = shared.refused.load(Ordering::Relaxed);
        let lines = shared.written.load(Ordering::Relaxed) + self.work.sink.events_waiting();
        let left = sub.received().saturating_sub(lines + refused);
        let missed = sub.dropped() + sub.conflated() + refused + left;
        self.line.clear();
        line::end(full, lines, missed, &mut self.line);
        self.work.sink.push(&self.line);
    }

    /// Whether the line may be written, and the last one after it.
    fn fits(&self) -> bool {
        let after = self.work.sink.offered() + (self.line.len() + END_ROOM) as u64;
        after <= self.work.max_bytes
    }

    fn is_due(&mut self) {
        if self.due.is_none() {
            self.due = Instant::now().checked_add(self.work.flush_every);
        }
    }

    /// Hands all that waits to the writer; whether that took it.
    fn put(&mut self) -> bool {
        let shared = &self.work.shared;
        let sink = &mut self.work.sink;
        let written = sink.write_out(|taken| {
            // Relaxed: see `Shared`.
            shared.written.fetch_add(taken.events, Ordering::Relaxed);
            shared.bytes.fetch_add(taken.bytes, Ordering::Relaxed);
        });
        match written.and_then(|()| sink.flush()) {
            Ok(()) => {
                // Relaxed: see `Shared`.
                shared.failing.store(false, Ordering::Relaxed);
                self.due = None;
                true
            }
            Err(error) => {
                shared.failed(&Arc::new(error));
                false
            }
        }
    }
}
