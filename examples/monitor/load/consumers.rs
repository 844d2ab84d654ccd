//! Who takes: at once, slowly, or now and then. Each ends when its subscription does.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use chanbus::{Event, Subscription};

use super::{Item, Probes};
use crate::latency::Probe;

/// All of them, each with what it measures.
#[derive(Default)]
pub(super) struct Crew {
    pub(super) probes: Probes,
    pub(super) threads: Vec<JoinHandle<()>>,
}

impl Crew {
    /// What is measured by the name of that subscription.
    pub(super) fn probe(&mut self, name: &'static str) -> Arc<Probe> {
        let probe = Arc::new(Probe::new());
        self.probes.push((name, Arc::clone(&probe)));
        probe
    }

    /// Takes each event as it comes.
    pub(super) fn fast(&mut self, name: &'static str, sub: Subscription<Item>) -> io::Result<()> {
        let probe = self.probe(name);
        self.spawn(name, move || {
            for event in &sub {
                seen(&probe, &event);
            }
        })
    }

    /// Works on each event for so long.
    pub(super) fn slow(
        &mut self,
        name: &'static str,
        sub: Subscription<Item>,
        work: Duration,
    ) -> io::Result<()> {
        let probe = self.probe(name);
        self.spawn(name, move || {
            for event in &sub {
                // Who stops the load does not wait for all that slow ones have left.
                if sub.is_closed() {
                    return;
                }
                seen(&probe, &event);
                thread::sleep(work);
            }
        })
    }

    /// Sleeps, then takes all that waits.
    pub(super) fn in_turns(
        &mut self,
        name: &'static str,
        sub: Subscription<Item>,
        pause: Duration,
    ) -> io::Result<()> {
        let probe = self.probe(name);
        self.spawn(name, move || {
            while let Ok(event) = sub.recv() {
                seen(&probe, &event);
                sub.try_iter().for_each(|event| seen(&probe, &event));
                if sub.is_closed() {
                    return;
                }
                thread::sleep(pause);
            }
        })
    }

    /// As a slow one, of texts.
    pub(super) fn pager(
        &mut self,
        name: &'static str,
        sub: Subscription<(String, Instant)>,
        work: Duration,
    ) -> io::Result<()> {
        let probe = self.probe(name);
        self.spawn(name, move || {
            for event in &sub {
                let (_, at) = event.payload();
                probe.record(at.elapsed());
                thread::sleep(work);
            }
        })
    }

    fn spawn(&mut self, name: &'static str, run: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let thread = thread::Builder::new().name(name.to_owned()).spawn(run)?;
        self.threads.push(thread);
        Ok(())
    }
}

fn seen(probe: &Probe, event: &Event<Item>) {
    probe.record(event.payload().at.elapsed());
}
