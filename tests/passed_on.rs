//! Who was called for an event and goes without it passes its call on, through however many.

// Helpers of tests may stop at the first surprise, as tests may.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;

use chanbus::{Bus, Cause, Event, PanicPlace, Subscription};
use common::{HANG, guarded};

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A task's waker that has the task itself, and does something to it at its call.
struct Host<F> {
    task: Mutex<Option<Task>>,
    at_call: F,
}

impl<F: Fn(Task) + Send + Sync + 'static> Wake for Host<F> {
    fn wake(self: Arc<Self>) {
        let task = self.task.lock().unwrap().take();
        if let Some(task) = task {
            (self.at_call)(task);
        }
    }
}

/// One more that waits for an event of the subscription; what is to be done when it is called.
fn join(sub: &Subscription<u64>, at_call: impl Fn(Task) + Send + Sync + 'static) {
    let sub = sub.share();
    let mut task: Task = Box::pin(async move {
        let _ = sub.recv_async().await;
    });
    let host = Arc::new(Host {
        task: Mutex::new(None),
        at_call,
    });
    let waker = Waker::from(Arc::clone(&host));
    assert!(
        task.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    *host.task.lock().unwrap() = Some(task);
}

fn poll(task: &mut Task) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    task.as_mut().poll(&mut context).is_ready()
}

/// More than a stack of this size has room for, if each call stands on the one before.
const CROWD: usize = 20_000;
const STACK: usize = 512 << 10;

fn on_small_stack(body: impl FnOnce() + Send + 'static) {
    guarded(|| {
        let thread = thread::Builder::new().stack_size(STACK);
        thread.spawn(body).unwrap().join().unwrap();
    });
}

#[test]
fn p14_a_call_goes_through_a_crowd_that_goes() {
    on_small_stack(|| {
        let bus = Bus::new();
        let sub = bus.subscribe("n").unwrap();
        let calls = Arc::new(AtomicUsize::new(0));
        for _ in 0..CROWD {
            let calls = Arc::clone(&calls);
            join(&sub, move |task| {
                calls.fetch_add(1, Ordering::SeqCst);
                drop(task);
            });
        }
        bus.emit("n", 1).unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), CROWD);
        assert_eq!(sub.len(), 1);
    });
}

#[test]
fn p8_a_close_goes_through_a_crowd_that_comes() {
    on_small_stack(|| {
        let bus = Bus::new();
        let sub = bus.subscribe("n").unwrap();
        let calls = Arc::new(AtomicUsize::new(0));
        for _ in 0..CROWD {
            let calls = Arc::clone(&calls);
            join(&sub, move |mut task| {
                calls.fetch_add(1, Ordering::SeqCst);
                assert!(poll(&mut task));
            });
        }
        bus.close();
        assert_eq!(calls.load(Ordering::SeqCst), CROWD);
    });
}

#[test]
fn p11_wakers_that_panic_do_not_stop_a_call() {
    on_small_stack(|| {
        let panics = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&panics);
        let bus = Bus::builder().on_panic(move |panic| {
            assert_eq!(panic.place(), PanicPlace::Waker);
            counted.fetch_add(1, Ordering::SeqCst);
        });
        let bus = bus.build().unwrap();
        let sub = bus.subscribe("n").unwrap();
        // Many more than stand on one another.
        const MANY: usize = 200;
        let calls = Arc::new(AtomicUsize::new(0));
        for _ in 0..MANY {
            let calls = Arc::clone(&calls);
            join(&sub, move |task| {
                let nth = calls.fetch_add(1, Ordering::SeqCst);
                drop(task);
                assert!(nth.is_multiple_of(2), "a waker");
            });
        }
        bus.emit("n", 1).unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), MANY);
        assert_eq!(panics.load(Ordering::SeqCst), MANY / 2);
        // The thread is as it was: another crowd is called through as well.
        assert!(sub.try_recv().is_ok());
        for _ in 0..MANY {
            let calls = Arc::clone(&calls);
            join(&sub, move |_| {
                calls.fetch_add(1, Ordering::SeqCst);
            });
        }
        bus.emit("n", 2).unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), 2 * MANY);
    });
}

/// Destructors of thread-locals run when much of the thread has gone already.
#[test]
fn p14_a_call_goes_through_a_crowd_from_the_end_of_a_thread() {
    thread_local!(static LAST: RefCell<Option<Task>> = const { RefCell::new(None) });

    let bus = Bus::new();
    let sub = bus.subscribe("n").unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let (crowd, counted) = (sub.share(), Arc::clone(&calls));
    on_small_stack(move || {
        let mut first: Task = Box::pin({
            let sub = crowd.share();
            async move {
                let _ = sub.recv_async().await;
            }
        });
        assert!(!poll(&mut first));
        for _ in 0..CROWD {
            let calls = Arc::clone(&counted);
            join(&crowd, move |_| {
                calls.fetch_add(1, Ordering::SeqCst);
            });
        }
        // For the first of them, which goes with the thread.
        bus.emit("n", 1).unwrap();
        assert_eq!(counted.load(Ordering::SeqCst), 0);
        LAST.set(Some(first));
    });
    assert_eq!(calls.load(Ordering::SeqCst), CROWD);
    assert_eq!(sub.len(), 1);
}

/// A call that is passed on inside of another is not put off until that one's waker returns.
#[test]
fn p14_a_waker_may_wait_for_who_is_called_next() {
    guarded(|| {
        let bus = Bus::new();
        let sub = bus.subscribe("n").unwrap();
        join(&sub, drop);
        let (took, taken) = channel();
        let (taken, waited) = (Mutex::new(taken), Arc::new(AtomicUsize::new(0)));
        let served = Arc::clone(&waited);
        join(&sub, move |task| {
            drop(task);
            // The last one's thread has to go on for this.
            if taken.lock().unwrap().recv_timeout(HANG / 2).is_ok() {
                served.fetch_add(1, Ordering::SeqCst);
            }
        });
        let (tasks, called) = channel::<Task>();
        let tasks = Mutex::new(tasks);
        join(&sub, move |task| tasks.lock().unwrap().send(task).unwrap());
        let last = thread::spawn(move || {
            assert!(poll(&mut called.recv().unwrap()));
            let _ = took.send(());
        });
        bus.emit("n", 1).unwrap();
        last.join().unwrap();
        assert_eq!(waited.load(Ordering::SeqCst), 1);
        assert!(sub.is_empty());
    });
}

#[test]
fn calls_that_were_put_off_have_the_cause_that_they_had() {
    let bus = Bus::new();
    let sub = bus.subscribe("n").unwrap();
    let causes = Arc::new(Mutex::new(Vec::new()));
    for n in 0..100 {
        let causes = Arc::clone(&causes);
        join(&sub, move |task| {
            let cause = Cause::current().map(|cause| cause.topic().to_string());
            causes.lock().unwrap().push(cause);
            let event = Event::new(format!("t{n}"), ()).unwrap();
            Cause::scope(&event, || drop(task));
        });
    }
    bus.emit("n", 1).unwrap();
    let before = (0..99).map(|n| Some(format!("t{n}")));
    let expected: Vec<_> = std::iter::once(None).chain(before).collect();
    assert_eq!(*causes.lock().unwrap(), expected);
}
