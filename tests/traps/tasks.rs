//! Consumers that are tasks.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};
use std::thread;

use chanbus::Bus;
use futures_lite::future::block_on;

use super::watch::watched;
use super::*;

/// `close()`, then an async loop: the same items as a loop of a thread (codechu).
#[test]
fn trap4_a_close_before_an_async_loop_loses_nothing() -> Done {
    let bus = Bus::new();
    let (by_thread, by_task) = (bus.subscribe("n")?, bus.subscribe("n")?);
    bus.publisher("n")?.emit_batch(0..10)?;
    bus.close();
    let expected: Vec<i32> = by_thread.iter().map(|event| *event.payload()).collect();
    let mut got = Vec::new();
    block_on(async {
        while let Ok(event) = by_task.recv_async().await {
            got.push(*event.payload());
        }
    });
    assert_eq!((got, expected.len()), (expected, 10));
    Ok(())
}

/// Emits race with tasks that go to sleep: nobody sleeps on a queue that is not empty
/// (event-listener#138).
#[test]
fn trap14_no_call_of_a_task_is_lost() -> Done {
    watched(|| {
        const ROUNDS: u32 = 20_000;
        let bus = Bus::new();
        let (pings, pongs) = (bus.subscribe("ping")?, bus.subscribe("pong")?);
        let answering = bus.clone();
        let other = thread::spawn(move || {
            let pong = answering.publisher("pong").unwrap();
            block_on(async {
                for n in 0..ROUNDS {
                    let event = pings.recv_async().await.unwrap();
                    assert_eq!(*event.payload(), n);
                    pong.emit(n).unwrap();
                }
            });
        });
        let ping = bus.publisher("ping")?;
        block_on(async {
            for n in 0..ROUNDS {
                ping.emit(n)?;
                assert_eq!(*pongs.recv_async().await?.payload(), n);
            }
            Done::Ok(())
        })?;
        other.join().unwrap();
        Ok(())
    })
}

#[derive(Default)]
struct Calls(AtomicUsize);

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A future is dropped after it was woken and before it is polled: the event stays in the queue, and the
/// next who waits is woken (kanal#24, flume#104).
#[test]
fn trap16_a_future_dropped_between_wake_and_poll_passes_it_on() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe("n")?;
    let [first, second] = [(); 2].map(|()| Arc::new(Calls::default()));
    let wakers = [&first, &second].map(|calls| Waker::from(Arc::clone(calls)));
    let mut dropped = Box::pin(sub.recv_async());
    let mut next = pin!(sub.recv_async());
    assert!(
        dropped
            .as_mut()
            .poll(&mut Context::from_waker(&wakers[0]))
            .is_pending()
    );
    assert!(
        next.as_mut()
            .poll(&mut Context::from_waker(&wakers[1]))
            .is_pending()
    );
    bus.emit("n", 1)?;
    assert_eq!(first.0.load(Ordering::SeqCst), 1);
    drop(dropped);
    assert_eq!((sub.len(), second.0.load(Ordering::SeqCst)), (1, 1));
    assert!(
        next.as_mut()
            .poll(&mut Context::from_waker(&wakers[1]))
            .is_ready()
    );
    Ok(())
}

/// A waker whose call and whose destructor emit, subscribe and close: no deadlock (tokio#5429).
#[test]
fn trap17_a_waker_that_comes_back_to_the_bus_does_not_lock_it() -> Done {
    struct Meddles(chanbus::WeakBus<u32>, AtomicUsize);
    impl Meddles {
        fn meddle(&self) {
            if let Some(bus) = self.0.upgrade() {
                let sub = bus.subscribe("n").unwrap();
                bus.emit("n", 2).unwrap();
                sub.close();
                let _ = bus.stats();
            }
            self.1.fetch_add(1, Ordering::SeqCst);
        }
    }
    impl Wake for Meddles {
        fn wake(self: Arc<Self>) {
            self.meddle();
        }
    }
    impl Drop for Meddles {
        fn drop(&mut self) {
            self.meddle();
        }
    }
    watched(|| {
        let bus = Bus::new();
        let sub = bus.subscribe("n")?;
        let meddles = Arc::new(Meddles(bus.downgrade(), AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&meddles));
        let mut waits = Box::pin(sub.recv_async());
        assert!(
            waits
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        bus.emit("n", 1)?;
        assert_eq!((meddles.1.load(Ordering::SeqCst), sub.len()), (1, 2));
        // Again, with the waker's last reference in the bus.
        let mut again = Box::pin(sub.share().into_iter());
        assert!(again.next().is_some() && again.next().is_some());
        drop((waker, waits));
        let waker = Waker::from(meddles);
        let mut waits = Box::pin(sub.recv_async());
        assert!(
            waits
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        drop(waker);
        drop(waits);
        bus.close();
        Ok(())
    })
}

/// A waker that panics does not strand who waits beside it (tokio#5578).
#[test]
fn trap17_a_waker_that_panics_strands_nobody() -> Done {
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("a waker");
        }
    }
    let bus = Bus::new();
    let (bad, good) = (bus.subscribe("n")?, bus.subscribe("n")?);
    let calls = Arc::new(Calls::default());
    let (panics, counts) = (
        Waker::from(Arc::new(Panics)),
        Waker::from(Arc::clone(&calls)),
    );
    let mut first = pin!(bad.recv_async());
    let mut second = pin!(good.recv_async());
    assert!(
        first
            .as_mut()
            .poll(&mut Context::from_waker(&panics))
            .is_pending()
    );
    assert!(
        second
            .as_mut()
            .poll(&mut Context::from_waker(&counts))
            .is_pending()
    );
    assert_eq!(bus.emit("n", 1)?.delivered, 2);
    assert_eq!(calls.0.load(Ordering::SeqCst), 1);
    Ok(())
}
