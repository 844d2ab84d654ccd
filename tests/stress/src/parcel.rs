//! What is sent, captured and called: each counted while it is alive, and some of it explosive.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::task::{Wake, Waker};

use chanbus::{Event, PanicPlace};

use crate::dice::chance;
use crate::world::{Lane, TOPICS, World};

/// What a parcel does when it is dropped.
pub(crate) enum Fuse {
    None,
    Panics,
    Emits,
}

pub(crate) struct Parcel {
    world: Arc<World>,
    /// The lane of its emitter, and its number there.
    pub(crate) id: u64,
    pub(crate) topic: usize,
    pub(crate) broadcast: bool,
    fuse: Fuse,
}

impl Parcel {
    pub(crate) fn new(
        world: Arc<World>,
        id: u64,
        topic: usize,
        broadcast: bool,
        fuse: Fuse,
    ) -> Self {
        world.parcels.fetch_add(1, Relaxed);
        Parcel {
            world,
            id,
            topic,
            broadcast,
            fuse,
        }
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        self.world.parcels.fetch_sub(1, Relaxed);
        match self.fuse {
            Fuse::None => {}
            Fuse::Panics => self.world.provoke(PanicPlace::Destructor),
            Fuse::Emits => self.world.nested(Lane::Destructor, self.topic),
        }
    }
}

/// What a filter or a tap captures.
pub(crate) struct Capture {
    world: Arc<World>,
    explosive: bool,
}

impl Capture {
    pub(crate) fn new(world: &Arc<World>, explosive: bool) -> Self {
        world.captures.fetch_add(1, Relaxed);
        Capture {
            world: Arc::clone(world),
            explosive: explosive && world.odds.panic > 0,
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.world.captures.fetch_sub(1, Relaxed);
        if self.explosive {
            self.world.provoke(PanicPlace::Destructor);
        }
    }
}

/// A filter that takes two events in three, panics now and then, and emits now and then.
pub(crate) fn filter(
    world: &Arc<World>,
    salt: u64,
    explosive: bool,
) -> impl Fn(&Event<Parcel>) -> bool + Send + Sync + 'static {
    let capture = Capture::new(world, explosive);
    move |event| {
        let (world, id) = (&capture.world, event.payload().id ^ salt << 16);
        if chance(id, 3, world.odds.nested) {
            world.nested(Lane::Filter, (salt % TOPICS.len() as u64) as usize);
        }
        if chance(id, 4, world.odds.panic) {
            world.provoke(PanicPlace::Filter);
        }
        !chance(id, 5, 3)
    }
}

/// A tap that panics now and then, and emits now and then.
pub(crate) fn tap(
    world: &Arc<World>,
    explosive: bool,
) -> impl Fn(&Event<Parcel>) + Send + Sync + 'static {
    let capture = Capture::new(world, explosive);
    move |event| {
        let (world, id) = (&capture.world, event.payload().id);
        if chance(id, 6, world.odds.nested) {
            world.nested(Lane::Tap, event.payload().topic);
        }
        if chance(id, 7, world.odds.panic) {
            world.provoke(PanicPlace::Tap);
        }
    }
}

/// A waker that does its duty, and then panics or emits now and then; also when it is dropped.
struct Nervous {
    world: Arc<World>,
    inner: Waker,
    number: u64,
    calls: AtomicU32,
}

pub(crate) fn nervous(world: &Arc<World>, inner: &Waker, number: u64) -> Waker {
    world.wakers.fetch_add(1, Relaxed);
    Waker::from(Arc::new(Nervous {
        world: Arc::clone(world),
        inner: inner.clone(),
        number,
        calls: AtomicU32::new(0),
    }))
}

impl Wake for Nervous {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.inner.wake_by_ref();
        let id = self.number << 8 | u64::from(self.calls.fetch_add(1, Relaxed));
        if chance(id, 8, self.world.odds.nested) {
            self.world.nested(Lane::Waker, 0);
        }
        if chance(id, 9, self.world.odds.panic) {
            self.world.provoke(PanicPlace::Waker);
        }
    }
}

impl Drop for Nervous {
    fn drop(&mut self) {
        self.world.wakers.fetch_sub(1, Relaxed);
        if chance(self.number, 10, self.world.odds.panic) {
            self.world.provoke(PanicPlace::Waker);
        }
    }
}
