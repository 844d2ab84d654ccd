//! Every place where a bus runs code of its user's, to try each with whatever such code may do.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use chanbus::{Bus, Overflow, PanicPlace, Retention, WeakBus};

use super::{Hooked, OnDrop, hooked};

type HookSlot = Arc<Mutex<Option<Box<dyn FnMut() + Send>>>>;

/// What the user's code does.
pub(crate) type Act = Arc<dyn Fn(&WeakBus<Hooked>) + Send + Sync>;

/// A bus, and an act to do in one place of it, once.
pub(crate) struct Stage {
    pub(crate) bus: Bus<Hooked>,
    act: Act,
    done: Arc<AtomicBool>,
    hook: HookSlot,
    /// What the bus reported.
    pub(crate) reports: Arc<Mutex<Vec<PanicPlace>>>,
}

impl Stage {
    pub(crate) fn new(place: &Place, act: &Act) -> Self {
        let hook = Arc::new(Mutex::new(None::<Box<dyn FnMut() + Send>>));
        let reports = Arc::new(Mutex::new(Vec::new()));
        let (hooked, reported) = (Arc::clone(&hook), Arc::clone(&reports));
        let bus = Bus::builder()
            .capacity(8)
            .max_subscribers(8)
            .history(place.history)
            .on_panic(move |panic| {
                reported.lock().unwrap().push(panic.place());
                let act = hooked.lock().unwrap().take();
                if let Some(mut act) = act {
                    act();
                }
            })
            .build()
            .unwrap();
        let (act, done) = (Arc::clone(act), Arc::new(AtomicBool::new(false)));
        Stage {
            bus,
            act,
            done,
            hook,
            reports,
        }
    }

    /// Whether the act was done.
    pub(crate) fn is_done(&self) -> bool {
        self.done.load(Ordering::SeqCst)
    }

    /// Does the act, the first time that it is called.
    fn once(&self) -> impl Fn() + Send + Sync + 'static {
        let (act, done, bus) = (
            Arc::clone(&self.act),
            Arc::clone(&self.done),
            self.bus.downgrade(),
        );
        move || {
            if !done.swap(true, Ordering::SeqCst) {
                act(&bus);
            }
        }
    }

    /// A payload whose destructor does the act.
    fn payload(&self) -> Hooked {
        hooked(self.once())
    }

    /// A capture whose destructor does the act.
    fn capture(&self) -> OnDrop<impl Fn() + Send + Sync + 'static> {
        OnDrop(self.once())
    }

    fn emit(&self, payload: Hooked) {
        let emitted = self.bus.emit("place", payload);
        let emitted = emitted.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            emitted.matched,
            emitted.delivered + emitted.dropped + emitted.filtered
        );
    }
}

/// A waker that calls a closure.
struct Awake<F>(F);

impl<F: Fn() + Send + Sync + 'static> Wake for Awake<F> {
    fn wake(self: Arc<Self>) {
        (self.0)();
    }
}

/// A waker for its destructor.
struct Kept<F: FnMut()>(#[allow(dead_code)] OnDrop<F>);

impl<F: FnMut() + Send + Sync + 'static> Wake for Kept<F> {
    fn wake(self: Arc<Self>) {}
}

pub(crate) struct Place {
    pub(crate) name: &'static str,
    /// How long a history its bus has.
    history: usize,
    /// How a panic there is reported; `None` where it is the caller's own.
    pub(crate) caught: Option<PanicPlace>,
    /// Brings the bus to run the act there.
    pub(crate) run: fn(&Stage),
}

impl Place {
    /// Says which place a failure belongs to.
    #[allow(clippy::print_stdout)] // Shown where a test fails, and only there.
    pub(crate) fn announce(&self) {
        println!("in {}", self.name);
    }
}

const fn place(
    name: &'static str,
    history: usize,
    caught: Option<PanicPlace>,
    run: fn(&Stage),
) -> Place {
    Place {
        name,
        history,
        caught,
        run,
    }
}

const FILTER: Option<PanicPlace> = Some(PanicPlace::Filter);
const TAP: Option<PanicPlace> = Some(PanicPlace::Tap);
const DESTRUCTOR: Option<PanicPlace> = Some(PanicPlace::Destructor);

const WAKER: Option<PanicPlace> = Some(PanicPlace::Waker);

pub(crate) const PLACES: [Place; 35] = [
    place("a filter", 0, FILTER, in_a_filter),
    place("a filter, with a history", 4, FILTER, in_a_filter),
    place("a filter that a replay asks", 4, FILTER, |stage| {
        stage.emit(None);
        let once = stage.once();
        let filter = move |_: &_| {
            once();
            true
        };
        let sub = stage.bus.subscription("place").replay(4).filter(filter);
        drop(sub.subscribe());
    }),
    place(
        "a filter, on a topic that is retained",
        0,
        FILTER,
        |stage| {
            let _retained = stage.bus.retained("place").unwrap();
            in_a_filter(stage);
        },
    ),
    place("a filter that is asked for the state", 0, FILTER, |stage| {
        let _retained = stage.bus.retained("place").unwrap();
        stage.emit(None);
        let once = stage.once();
        let filter = move |_: &_| {
            once();
            true
        };
        let sub = stage.bus.subscription("place").with_retained();
        drop(sub.filter(filter).subscribe());
    }),
    place("a waker that an emit calls", 0, WAKER, |stage| {
        let sub = stage.bus.subscribe("place").unwrap();
        let waker = Waker::from(Arc::new(Awake(stage.once())));
        let mut waiting = pin!(sub.recv_async());
        assert!(
            waiting
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        stage.emit(None);
    }),
    place("a waker that a batch calls", 0, WAKER, |stage| {
        let sub = stage.bus.subscribe("place").unwrap();
        let publisher = stage.bus.publisher("place").unwrap();
        let waker = Waker::from(Arc::new(Awake(stage.once())));
        let mut waiting = pin!(sub.recv_async());
        assert!(
            waiting
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        publisher.emit_batch([None, None]).unwrap();
    }),
    place("a waker that a close calls", 0, WAKER, |stage| {
        let sub = stage.bus.subscribe("place").unwrap();
        let waker = Waker::from(Arc::new(Awake(stage.once())));
        let mut waiting = pin!(sub.recv_async());
        assert!(
            waiting
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        sub.close();
    }),
    place("a waker that the one before it calls", 0, WAKER, |stage| {
        let sub = stage.bus.subscribe("place").unwrap();
        let waker = Waker::from(Arc::new(Awake(stage.once())));
        let mut first = Box::pin(sub.recv_async());
        let mut second = pin!(sub.recv_async());
        let noop = Waker::noop();
        assert!(
            first
                .as_mut()
                .poll(&mut Context::from_waker(noop))
                .is_pending()
        );
        assert!(
            second
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        stage.emit(None);
        // It was called, and goes without taking.
        drop(first);
    }),
    place("the destructor of a waker", 0, WAKER, |stage| {
        let sub = stage.bus.subscribe("place").unwrap();
        let waker = Waker::from(Arc::new(Kept(stage.capture())));
        let mut waiting = Box::pin(sub.recv_async());
        assert!(
            waiting
                .as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        drop(waker);
        drop(waiting);
    }),
    place("a tap", 0, TAP, in_a_tap),
    place("a tap, with a history", 4, TAP, in_a_tap),
    place(
        "the destructor of an evicted payload",
        0,
        DESTRUCTOR,
        |stage| {
            let sub = stage
                .bus
                .subscription("place")
                .capacity(1)
                .overflow(Overflow::DropOldest);
            let _sub = sub.subscribe().unwrap();
            stage.emit(stage.payload());
            stage.emit(None);
        },
    ),
    place(
        "the destructor of a replaced payload",
        0,
        DESTRUCTOR,
        |stage| {
            let sub = stage.bus.subscription("place").overflow(Overflow::Latest);
            let _sub = sub.subscribe().unwrap();
            stage.emit(stage.payload());
            stage.emit(None);
        },
    ),
    place(
        "the destructor of a refused payload",
        0,
        DESTRUCTOR,
        |stage| {
            let _sub = stage
                .bus
                .subscription("place")
                .capacity(1)
                .subscribe()
                .unwrap();
            stage.emit(None);
            stage.emit(stage.payload());
        },
    ),
    place(
        "the destructor of a filtered payload",
        0,
        DESTRUCTOR,
        |stage| {
            let sub = stage
                .bus
                .subscription("place")
                .filter(|event| event.payload().is_none());
            let _sub = sub.subscribe().unwrap();
            stage.emit(stage.payload());
        },
    ),
    place(
        "the destructor of an unmatched payload",
        0,
        DESTRUCTOR,
        |stage| {
            stage.emit(stage.payload());
        },
    ),
    place(
        "the destructor of an unmatched event",
        0,
        DESTRUCTOR,
        |stage| {
            let event = chanbus::Event::new("place", stage.payload()).unwrap();
            stage.bus.emit_event(event).unwrap();
        },
    ),
    place(
        "the destructor of an unmatched broadcast",
        4,
        DESTRUCTOR,
        |stage| {
            stage.bus.broadcast("place", stage.payload()).unwrap();
            stage.bus.reset();
        },
    ),
    place(
        "the destructor of an unmatched payload of a publisher",
        0,
        DESTRUCTOR,
        |stage| {
            let publisher = stage.bus.publisher("place").unwrap();
            publisher.emit(stage.payload()).unwrap();
            publisher.emit_batch([None, None]).unwrap();
        },
    ),
    place(
        "the destructor of a payload that a publisher's batch evicts",
        0,
        DESTRUCTOR,
        |stage| {
            let sub = stage
                .bus
                .subscription("place")
                .capacity(1)
                .overflow(Overflow::DropOldest);
            let _sub = sub.subscribe().unwrap();
            let publisher = stage.bus.publisher("place").unwrap();
            publisher.emit_batch([None, stage.payload(), None]).unwrap();
        },
    ),
    place(
        "the destructor of a payload pushed out of the history",
        1,
        DESTRUCTOR,
        |stage| {
            stage.emit(stage.payload());
            stage.emit(None);
        },
    ),
    place(
        "the destructor of a payload that a reset takes from the history",
        4,
        DESTRUCTOR,
        |stage| {
            stage.emit(stage.payload());
            stage.bus.reset();
        },
    ),
    place(
        "the destructor of a payload that a close takes from the history",
        4,
        DESTRUCTOR,
        |stage| {
            stage.emit(stage.payload());
            stage.bus.close();
        },
    ),
    place(
        "the destructor of a payload queued when its subscription goes",
        0,
        DESTRUCTOR,
        |stage| {
            let sub = stage.bus.subscribe("place").unwrap();
            stage.emit(stage.payload());
            drop(sub);
        },
    ),
    place(
        "the destructor of what a filter captured",
        0,
        DESTRUCTOR,
        |stage| {
            let capture = stage.capture();
            let filter = move |_: &_| std::ptr::from_ref(&capture).is_aligned();
            drop(
                stage
                    .bus
                    .subscription("place")
                    .filter(filter)
                    .subscribe()
                    .unwrap(),
            );
        },
    ),
    place(
        "the destructor of what a filter captured that an emit is inside of",
        0,
        DESTRUCTOR,
        |stage| {
            let (capture, slot) = (stage.capture(), Arc::new(Mutex::new(None)));
            let own = Arc::clone(&slot);
            let filter = move |_: &_| {
                let sub: Option<chanbus::Subscription<Hooked>> = own.lock().unwrap().take();
                drop(sub);
                std::ptr::from_ref(&capture).is_aligned()
            };
            let sub = stage
                .bus
                .subscription("place")
                .filter(filter)
                .subscribe()
                .unwrap();
            *slot.lock().unwrap() = Some(sub);
            stage.emit(None);
        },
    ),
    place(
        "the destructor of what a tap captured",
        0,
        DESTRUCTOR,
        |stage| {
            let capture = stage.capture();
            drop(
                stage
                    .bus
                    .tap("place", move |_| {
                        assert!(std::ptr::from_ref(&capture).is_aligned())
                    })
                    .unwrap(),
            );
        },
    ),
    place(
        "the destructor of what a tap captured that an emit is inside of",
        0,
        DESTRUCTOR,
        |stage| {
            let (capture, slot) = (stage.capture(), Arc::new(Mutex::new(None)));
            let own = Arc::clone(&slot);
            let tap = stage.bus.tap("place", move |_| {
                let guard: Option<chanbus::TapGuard<Hooked>> = own.lock().unwrap().take();
                drop(guard);
                assert!(std::ptr::from_ref(&capture).is_aligned());
            });
            *slot.lock().unwrap() = Some(tap.unwrap());
            stage.emit(None);
        },
    ),
    place(
        "the destructor of what the filter of a refused subscription captured",
        0,
        None,
        |stage| {
            let all = [(); 8].map(|()| stage.bus.subscribe("x").unwrap());
            let capture = stage.capture();
            let filter = move |_: &_| std::ptr::from_ref(&capture).is_aligned();
            let refused = stage.bus.subscription("place").filter(filter).subscribe();
            assert!(refused.unwrap_err().is_limit_reached());
            drop(all);
        },
    ),
    place("the destructor of a former state", 0, DESTRUCTOR, |stage| {
        let _retained = stage.bus.retained("place").unwrap();
        stage.emit(stage.payload());
        stage.emit(None);
    }),
    place(
        "the destructor of a forgotten state",
        0,
        DESTRUCTOR,
        |stage| {
            let retention = stage.bus.retention("*").capacity(1);
            let retention = retention.when_full(Retention::ForgetOldest);
            let _retained = retention.retain().unwrap();
            stage.emit(stage.payload());
            stage.bus.emit("other", None).unwrap();
        },
    ),
    place(
        "the destructor of a state that is cleared",
        0,
        DESTRUCTOR,
        |stage| {
            let retained = stage.bus.retained("place").unwrap();
            stage.emit(stage.payload());
            retained.clear();
        },
    ),
    place(
        "the destructor of a state whose guard goes",
        0,
        DESTRUCTOR,
        |stage| {
            let retained = stage.bus.retained("place").unwrap();
            stage.emit(stage.payload());
            drop(retained);
        },
    ),
    place("the hook for panics", 0, DESTRUCTOR, |stage| {
        *stage.hook.lock().unwrap() = Some(Box::new(stage.once()));
        stage.emit(hooked(|| panic!("for the hook")));
    }),
];

fn in_a_filter(stage: &Stage) {
    let once = stage.once();
    let filter = move |_: &_| {
        once();
        true
    };
    let _sub = stage
        .bus
        .subscription("place")
        .filter(filter)
        .subscribe()
        .unwrap();
    stage.emit(None);
}

fn in_a_tap(stage: &Stage) {
    let once = stage.once();
    let _tap = stage.bus.tap("place", move |_| once()).unwrap();
    stage.emit(None);
}

/// Calls nearly everything there is on a bus, which may be full or closed.
pub(crate) fn use_all_of(bus: &WeakBus<Hooked>) {
    let Some(bus) = bus.upgrade() else { return };
    let sub = bus
        .subscription(["other.*", "place"])
        .filter(|_| true)
        .replay(3)
        .with_retained()
        .subscribe();
    let retained = bus.retained(["other.a", "place"]);
    let latest = bus
        .subscription("**")
        .capacity(1)
        .overflow(Overflow::Latest)
        .subscribe();
    let tap = bus.tap("**", |_| {});
    for topic in ["place", "other.a", "other.b"] {
        let emitted = bus.emit(topic, None);
        assert_eq!(emitted.is_err(), bus.is_closed());
        if let (Ok(emitted), Ok(_), Ok(_)) = (emitted, &sub, &latest) {
            assert!(emitted.matched >= 2, "{topic}: {emitted:?}");
        }
    }
    if let Ok(retained) = retained {
        assert!(retained.forget("other.a").is_some() || bus.is_closed());
        assert!(retained.get("place").is_some() || bus.is_closed());
        retained.clear();
    }
    let publisher = bus.publisher("other.a").unwrap();
    let _ = publisher.clone().emit_batch([None, None]);
    let _ = publisher.event(None).metadata("n", 1).emit();
    let _ = bus.broadcast("place", None);
    let _ = bus.emit_within("other.b", None, Duration::ZERO);
    let mut batch = bus.start_batch();
    let _ = batch.emit("place", None);
    let _ = batch.commit();
    if let Ok(sub) = sub {
        assert!(sub.try_iter().count() > 0 || bus.is_closed());
        let _ = sub.set_patterns("place");
        let share = sub.share();
        let _ = (
            share.missed(),
            share.matched(),
            share.len(),
            share.patterns(),
        );
        assert!(sub.close() || bus.is_closed());
        assert!(share.iter().count() < 100);
    }
    drop((latest, tap));
    let _ = bus.wait_for("other.*", Duration::ZERO, |_| true);
    let stats = bus.stats();
    assert!(stats.emitted > 0 || stats.closed);
    assert!(format!("{bus:?} {stats}").contains("Bus"));
}
