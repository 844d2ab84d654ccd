//! Destructors of what an outbox lets go of may panic: payloads, what hooks captured, errors, and what
//! panics were thrown with (P11).

use std::fmt;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use chanbus::{Bus, BusBuilder, Error, Outbox, PanicPlace};

use crate::{Done, let_go, panics, silent_panic};

/// Counts that it goes, and panics.
struct Bomb(Arc<AtomicUsize>);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
        silent_panic();
    }
}

impl fmt::Debug for Bomb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bomb")
    }
}

impl fmt::Display for Bomb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tick")
    }
}

impl std::error::Error for Bomb {}

/// How many bombs went, and how many panics the bus heard of.
#[derive(Clone, Default)]
struct Counts {
    gone: Arc<AtomicUsize>,
    heard: Arc<AtomicUsize>,
}

impl Counts {
    fn bomb(&self) -> Bomb {
        Bomb(Arc::clone(&self.gone))
    }

    fn take(&self) -> (usize, usize) {
        let take = |count: &AtomicUsize| count.swap(0, Ordering::SeqCst);
        (take(&self.gone), take(&self.heard))
    }

    fn bus(&self) -> Result<Bus<Bomb>, chanbus::BuildError> {
        let heard = Arc::clone(&self.heard);
        let builder: BusBuilder<Bomb> = Bus::builder();
        builder
            .on_panic(move |panic| {
                let of_destructor = panic.place() == PanicPlace::Destructor;
                heard.fetch_add(usize::from(of_destructor), Ordering::SeqCst);
            })
            .build()
    }

    /// Two events, one with an extension, and hooks of every kind: seven bombs.
    fn fill(&self, outbox: &mut Outbox<Bomb>) {
        outbox.emit("a", self.bomb()).unwrap();
        let draft = outbox.event("b", self.bomb());
        draft.extension(self.bomb()).emit().unwrap();
        let bombs = [(); 3].map(|()| self.bomb());
        let [before, after, undo] = bombs;
        outbox.before_commit("x", move |_| let_go(before));
        outbox.after_commit("x", move |_| let_go(after));
        outbox.after_rollback("x", move || Err(Box::new(undo)));
    }
}

#[test]
fn p11_a_rollback_survives_every_destructor() -> Done {
    let counts = Counts::default();
    let bus = counts.bus()?;
    let mut outbox = bus.outbox();
    counts.fill(&mut outbox);
    let mut part = outbox.savepoint();
    counts.fill(&mut part);
    let rolled_back = part.rollback();
    assert_eq!((rolled_back.discarded, rolled_back.failed.len()), (2, 1));
    // All but the error, which the report holds, and which goes quietly.
    assert_eq!(counts.take(), (5, 5));
    drop(rolled_back);
    assert_eq!(counts.take(), (1, 0));
    assert_eq!(outbox.rollback().discarded, 2);
    assert_eq!(counts.take(), (6, 5));
    Ok(())
}

#[test]
fn p11_a_drop_survives_every_destructor_also_amid_another_panic() -> Done {
    let counts = Counts::default();
    let bus = counts.bus()?;
    let mut outbox = bus.outbox();
    let mut part = outbox.savepoint();
    counts.fill(&mut part);
    drop(part);
    assert_eq!(counts.take(), (6, 6));
    counts.fill(&mut outbox);
    drop(outbox);
    assert_eq!(counts.take(), (6, 6));

    let amid = panics(|| {
        let mut outbox = bus.outbox();
        counts.fill(&mut outbox);
        let mut part = outbox.savepoint();
        counts.fill(&mut part);
        part.after_rollback("bursts", || silent_panic());
        let mut deeper = part.savepoint();
        counts.fill(&mut deeper);
        resume_unwind(Box::new("the first panic"));
    });
    assert!(amid);
    assert_eq!(counts.take(), (18, 18));
    Ok(())
}

#[test]
fn p11_a_commit_that_is_refused_survives_every_destructor() -> Done {
    let counts = Counts::default();
    let bus = counts.bus()?;
    let mut outbox = bus.outbox();
    outbox.emit("a", counts.bomb())?;
    let (hold, half) = (counts.clone(), counts.clone());
    outbox.before_commit("refuses", move |outbox| {
        half.fill(outbox);
        Err(Box::new(hold.bomb()))
    });
    let error = outbox.commit().unwrap_err();
    assert_eq!((error.events().len(), error.failed().len()), (1, 1));
    // Half done were three in events and two in hooks that never run; the errors are held.
    assert_eq!(counts.take(), (5, 5));
    let text = error.to_string();
    assert!(text.contains("`refuses` failed: tick"), "{text}");
    // In an application's error nobody holds the payloads.
    let Error::Refused(said) = Error::from(error) else {
        panic!("another error");
    };
    assert_eq!((&*said, counts.take()), (&*text, (3, 0)));
    Ok(())
}

#[test]
fn p11_payloads_that_an_applications_error_lets_go_of_may_panic() -> Done {
    let counts = Counts::default();
    let bus = counts.bus()?;
    let mut outbox = bus.outbox();
    for _ in 0..3 {
        outbox
            .event("a", counts.bomb())
            .extension(counts.bomb())
            .emit()?;
    }
    bus.close();
    let error = outbox.commit().unwrap_err();
    assert!(matches!(Error::from(error), Error::Closed));
    assert_eq!(counts.take().0, 6);
    Ok(())
}

#[test]
fn p11_a_commit_survives_every_destructor() -> Done {
    let counts = Counts::default();
    let bus = counts.bus()?;
    let mut outbox = bus.outbox();
    let [after, undo] = [counts.bomb(), counts.bomb()];
    outbox.emit("nobody", counts.bomb())?;
    outbox.after_rollback("never", move || let_go(undo));
    outbox.after_commit("error", move |_| Err(Box::new(after)));
    let thrown = counts.bomb();
    outbox.after_commit("panic", move |_| throw(thrown));
    let committed = outbox.commit()?;
    assert_eq!((committed.events, committed.failed.len()), (1, 2));
    assert_eq!(
        committed.failed[1].to_string(),
        "the after-commit hook `panic` panicked: a value that is no text"
    );
    // The payload that nobody wanted and the hook that never runs, heard; what was thrown, unheard.
    assert_eq!(counts.take(), (3, 2));
    let copy = committed.clone();
    drop(committed);
    assert_eq!(counts.take(), (0, 0));
    drop(copy);
    assert_eq!(counts.take(), (1, 0));
    Ok(())
}

/// Panics with a value whose destructor panics, too.
fn throw(bomb: Bomb) -> ! {
    resume_unwind(Box::new(bomb))
}

#[test]
fn p11_a_hook_before_the_commit_whose_captures_panic_refuses() -> Done {
    let counts = Counts::default();
    let bus: Bus<u32> = Bus::new();
    let mut outbox = bus.outbox();
    outbox.emit("a", 1)?;
    let held = counts.bomb();
    outbox.before_commit("captures", move |_| {
        let _held = &held;
        Ok(())
    });
    let error = outbox.commit().unwrap_err();
    assert!(error.is_refused() && bus.stats().emitted == 0);
    assert_eq!((error.events().len(), counts.take().0), (1, 1));
    Ok(())
}
