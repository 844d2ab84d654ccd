//! Payloads and what they carry may panic when they are dropped, wherever batches and derivations let go of them (P11).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use chanbus::{BatchError, Bus, Handlers, Inlet, Overflow};

use crate::common::guarded;
use crate::{Done, emit};

struct Bomb(Arc<AtomicBool>);

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.0.load(Ordering::SeqCst) {
            panic!("a destructor");
        }
    }
}

#[test]
fn p11_a_batch_that_nobody_wants_may_panic_when_dropped() -> Done {
    let armed = Arc::new(AtomicBool::new(true));
    let bus: Bus<Option<Bomb>> = Bus::new();
    let sub = bus.subscribe("b")?;
    emit(
        &bus,
        vec![("a", Some(Bomb(Arc::clone(&armed)))), ("b", None)],
    );
    assert_eq!(sub.len(), 1);
    bus.publisher("a")?
        .emit_batch([Some(Bomb(Arc::clone(&armed)))])?;
    // With a reason to go the full way.
    let _tap = bus.tap("b", |_| {})?;
    emit(
        &bus,
        vec![("a", Some(Bomb(Arc::clone(&armed)))), ("b", None)],
    );
    assert_eq!(sub.len(), 2);
    Ok(())
}

#[test]
fn p11_what_a_derivation_leaves_out_or_refuses_may_panic_when_dropped() -> Done {
    let armed = Arc::new(AtomicBool::new(true));
    let bus: Bus<u32> = Bus::new();
    let made = Arc::clone(&armed);
    let mapped = bus.mapped(move |event| event.with_payload(Bomb(Arc::clone(&made))));
    let near = bus.subscribe_all()?;
    bus.emit("a", 1)?;
    bus.publisher("a")?.emit_batch([2, 3])?;
    mapped.close();
    bus.emit("a", 4)?;
    assert_eq!(near.len(), 4);
    let other: Bus<Bomb> = Bus::new();
    other.close();
    let _guard = bus.pass_on_mapped("**", &Inlet::to(&other), move |event| {
        Some(event.with_payload(Bomb(Arc::clone(&armed))))
    })?;
    bus.emit("a", 5)?;
    bus.publisher("a")?.emit_batch([6, 7])?;
    Ok(())
}

#[test]
fn p11_what_a_batch_draft_carries_may_panic_when_a_topic_is_refused() {
    let armed = Arc::new(AtomicBool::new(true));
    let bus: Bus<u32> = Bus::new();
    let mut batch = bus.start_batch();
    assert!(
        batch
            .event("a..b", 1)
            .extension(Bomb(Arc::clone(&armed)))
            .emit()
            .is_err()
    );
    let handlers = Handlers::<u32>::new();
    let mut batch = chanbus::Emitter::inline(&handlers).start_batch();
    assert!(
        batch
            .event("a..b", 1)
            .extension(Bomb(armed))
            .emit()
            .is_err()
    );
}

#[test]
fn p11_a_batch_that_is_refused_by_its_closure_may_panic_when_dropped() {
    let armed = Arc::new(AtomicBool::new(true));
    let bus: Bus<Bomb> = Bus::new();
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        bus.batch(|batch| {
            batch.emit("a", Bomb(Arc::clone(&armed)))?;
            Err::<(), _>(BatchError::Refused("no"))
        })
        .is_err()
    }));
    assert!(
        matches!(failed, Ok(true)),
        "a destructor's panic came out of `batch`"
    );
}

/// Panics at its destruction, always.
struct Always;

impl Drop for Always {
    fn drop(&mut self) {
        panic!("a destructor");
    }
}

#[test]
fn p11_panics_everywhere_among_derived_buses_and_batches() {
    guarded(|| {
        let reports = Arc::new(AtomicUsize::new(0));
        let told = Arc::clone(&reports);
        let bus: Bus<Option<Always>> = Bus::builder()
            .capacity(2)
            .overflow(Overflow::DropOldest)
            .on_panic(move |_| {
                told.fetch_add(1, Ordering::SeqCst);
                std::panic::panic_any(Always);
            })
            .build()
            .unwrap();
        let bomb = Always;
        let one = bus.filtered(move |_| {
            let _ = &bomb;
            true
        });
        let bomb = Always;
        let two = one.mapped(move |event| {
            let _ = &bomb;
            event.map_payload(|_| Some(Always))
        });
        let broken = bus.filtered(|_| std::panic::panic_any(Always));
        let kept = bus
            .retention("**")
            .capacity(1)
            .when_full(chanbus::Retention::ForgetOldest);
        let kept = kept.retain().unwrap();
        let far_kept = two.retained("**").unwrap();
        let sub = two.subscription("**").keep_batches().subscribe().unwrap();
        let near = one.subscribe("**").unwrap();
        let _tap = one.tap("**", |_| std::panic::panic_any(Always)).unwrap();
        for round in 0..5 {
            let mut batch = bus.start_batch();
            for it in 0..5 {
                batch
                    .emit(format!("n.{}", (it + round) % 3), Some(Always))
                    .unwrap();
            }
            assert!(batch.commit().is_ok());
            assert!(bus.emit("n.0", Some(Always)).is_ok());
        }
        assert_eq!(broken.stats().filter_panics, 30);
        assert!(sub.len() == 2 && near.len() == 2);
        kept.clear();
        drop(far_kept);
        drop(kept);
        drop((sub, near));
        drop((one, two, broken));
        bus.close();
        assert!(reports.load(Ordering::SeqCst) > 0);
    });
}
