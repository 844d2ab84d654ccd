//! Whether the server is there: what all of a bridge's parts, and its owner, look at.

use std::time::{Duration, Instant};

use super::state::{BridgeEvent, BridgeState};
use crate::bus::Bus;
use crate::sync::{Arc, AtomicU64, Condvar, Mutex, Ordering};

/// So many of the last states are kept, for those who subscribe later with a replay.
const KEPT: usize = 64;

pub(super) struct Link {
    state: Mutex<BridgeState>,
    changed: Condvar,
    /// The trouble that was told last, unless the state has changed since.
    said: Mutex<Option<Arc<str>>>,
    states: Bus<BridgeEvent>,
    /// Messages that the server did not let this user send.
    denied: AtomicU64,
}

impl Link {
    pub(super) fn new() -> Self {
        let states = Bus::builder().name("bridge").history(KEPT).build();
        Link {
            state: Mutex::new(BridgeState::Connecting),
            changed: Condvar::new(),
            said: Mutex::new(None),
            // Its settings are constants that are in range.
            states: states.unwrap_or_default(),
            denied: AtomicU64::new(0),
        }
    }

    pub(super) fn denied(&self) -> u64 {
        // Relaxed: a count, read beside others of which none waits for it.
        self.denied.load(Ordering::Relaxed)
    }

    pub(super) fn deny(&self) {
        // Relaxed: as above.
        self.denied.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn states(&self) -> &Bus<BridgeEvent> {
        &self.states
    }

    pub(super) fn state(&self) -> BridgeState {
        *self.state.lock()
    }

    /// The link is up; whether that is news.
    pub(super) fn up(&self, first: bool) {
        let news = if first {
            BridgeEvent::Connected
        } else {
            BridgeEvent::Back
        };
        self.turn(BridgeState::Connected, news);
    }

    pub(super) fn down(&self, in_doubt: u64) {
        self.turn(BridgeState::Lost, BridgeEvent::Lost { in_doubt });
    }

    /// The end. Whoever reads the states reads the last of them, and then the end.
    pub(super) fn ended(&self) {
        self.turn(BridgeState::Stopped, BridgeEvent::Stopped);
        self.states.close();
    }

    fn turn(&self, state: BridgeState, news: BridgeEvent) {
        {
            let mut now = self.state.lock();
            if *now == state || *now == BridgeState::Stopped {
                return;
            }
            *now = state;
        }
        self.changed.notify_all();
        *self.said.lock() = None;
        self.tell(news);
    }

    /// Consumers' code, filters and taps, runs here.
    pub(super) fn tell(&self, news: BridgeEvent) {
        // It is closed only after the end.
        let _ = self.states.emit(news.topic(), news);
    }

    /// What is tried again and again fails again and again, and is told once: the bus of the states keeps
    /// its last few for those who come later.
    pub(super) fn trouble(&self, reason: impl Into<String>) {
        let reason: Arc<str> = reason.into().into();
        let told = self.said.lock().replace(Arc::clone(&reason));
        if told.as_ref() != Some(&reason) {
            self.tell(BridgeEvent::Trouble { reason });
        }
    }

    /// Waits until it is up; `false` when the time is over, or when it has ended.
    pub(super) fn wait_up(&self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.state.lock();
        loop {
            match *state {
                BridgeState::Connected => return true,
                BridgeState::Stopped => return false,
                BridgeState::Connecting | BridgeState::Lost => {}
            }
            match deadline {
                None => self.changed.wait(&mut state),
                Some(deadline) => {
                    if self.changed.wait_until(&mut state, deadline).timed_out() {
                        return state.is_connected();
                    }
                }
            }
        }
    }
}
