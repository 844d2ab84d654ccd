//! The kinds of bus.

use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::sync::{Arc, Mutex};

use chanbus::{Bus, Channel, Event, Topic, TypedBus};

use crate::kind::{Ends, Load, Settings, Sink, Source, TOPICS};
use crate::sinks::{Carries, Channels, Mapped, OneType, Reach, Subscribes};
use crate::sources::{ByBatch, ByOutbox, ByPublisher, ByType, Emits, InTurn, Piped, Publishes};

fn ends(from: impl Source + 'static, to: Arc<dyn Sink>) -> Ends {
    Ends {
        from: Arc::new(from),
        to,
    }
}

fn direct(settings: &Settings, keep_batches: bool) -> Ends {
    let bus = settings.build();
    let to = Arc::new(Subscribes {
        bus: Reach::Weak(bus.downgrade()),
        stem: "t",
        keep_batches,
    });
    let from = Emits {
        bus,
        direct: true,
        noise: None,
    };
    ends(from, to)
}

fn derived<T: Carries>(
    settings: &Settings,
    noisy: bool,
    stem: &'static str,
    derive: impl FnOnce(&Bus<Load>) -> Bus<T>,
) -> Ends {
    let bus = settings.build();
    let to = Arc::new(Subscribes {
        bus: Reach::Own(derive(&bus)),
        stem,
        keep_batches: false,
    });
    let from = Emits {
        bus,
        direct: false,
        noise: noisy.then(AtomicU64::default),
    };
    ends(from, to)
}

fn is_signal(event: &Event<Load>) -> bool {
    !event.payload().noise
}

fn wrapped(event: &Event<Load>) -> Event<Mapped> {
    event.map_payload(|load| Mapped(Arc::clone(load)))
}

/// On another topic of the same number.
fn moved(event: &Event<Load>) -> Event<Mapped> {
    let topic = Topic::new(event.topic().replace("t.", "moved.")).unwrap();
    event.with_topic(topic, Mapped(Arc::clone(event.payload())))
}

pub(crate) fn plain(settings: &Settings) -> Ends {
    direct(settings, false)
}

pub(crate) fn keeping_batches(settings: &Settings) -> Ends {
    direct(settings, true)
}

pub(crate) fn by_publisher(settings: &Settings) -> Ends {
    let bus = settings.build();
    let to = Subscribes::sink(Reach::Weak(bus.downgrade()));
    let idle = Mutex::default();
    ends(ByPublisher { bus, idle }, to)
}

pub(crate) fn by_batch(settings: &Settings) -> Ends {
    let bus = settings.build();
    let to = Subscribes::sink(Reach::Weak(bus.downgrade()));
    ends(ByBatch(bus), to)
}

pub(crate) fn by_outbox(settings: &Settings) -> Ends {
    let bus = settings.build();
    let to = Subscribes::sink(Reach::Weak(bus.downgrade()));
    ends(ByOutbox(bus), to)
}

pub(crate) fn filtered(settings: &Settings) -> Ends {
    derived(settings, true, "t", |bus| bus.filtered(is_signal))
}

pub(crate) fn mapped(settings: &Settings) -> Ends {
    derived(settings, false, "t", |bus| bus.mapped(wrapped))
}

pub(crate) fn mapped_to_other_topics(settings: &Settings) -> Ends {
    derived(settings, false, "moved", |bus| bus.mapped(moved))
}

pub(crate) fn filter_mapped(settings: &Settings) -> Ends {
    derived(settings, true, "t", |bus| {
        bus.filter_mapped(|event| is_signal(event).then(|| wrapped(event)))
    })
}

pub(crate) fn chain_of_four(settings: &Settings) -> Ends {
    derived(settings, true, "moved", |bus| {
        // What is left out counts where it happens, so the last one does.
        bus.filtered(|event| !event.topic().is_empty())
            .mapped(|event| event.with_payload(Arc::clone(event.payload())))
            .mapped(moved)
            .filtered(|event| !event.payload().0.noise)
    })
}

pub(crate) fn derived_by_hand(settings: &Settings) -> Ends {
    derived(settings, true, "t", |bus| {
        bus.derive(|inlet| {
            let pass = |event: &Event<Load>| is_signal(event).then(|| wrapped(event));
            bus.pass_on_mapped(TOPICS, inlet, pass).unwrap()
        })
    })
}

pub(crate) fn merged_of_one(settings: &Settings) -> Ends {
    derived(settings, false, "t", |bus| Bus::merged([bus]))
}

pub(crate) fn merged_of_two(settings: &Settings) -> Ends {
    let buses = vec![settings.build(), settings.build()];
    let to = Subscribes::sink(Reach::Own(Bus::merged(&buses)));
    let turn = AtomicUsize::new(0);
    ends(InTurn { buses, turn }, to)
}

pub(crate) fn piped(settings: &Settings) -> Ends {
    let (bus, target) = (settings.build(), settings.build());
    let to = Subscribes::sink(Reach::Weak(target.downgrade()));
    let from = Piped {
        _pipe: bus.pipe_to(&target, "t.*").unwrap(),
        bus: Emits {
            bus,
            direct: false,
            noise: None,
        },
        target,
    };
    ends(from, to)
}

fn publishes(settings: &Settings, to_all: bool) -> Ends {
    // What goes to all comes also to those who did not ask for its name.
    let channel = Channel::over("room.0", settings.build()).unwrap();
    let to = Arc::new(Channels(channel.bus().downgrade()));
    ends(Publishes { channel, to_all }, to)
}

pub(crate) fn channel(settings: &Settings) -> Ends {
    publishes(settings, false)
}

pub(crate) fn channel_to_all(settings: &Settings) -> Ends {
    publishes(settings, true)
}

pub(crate) fn typed(settings: &Settings) -> Ends {
    let bus = TypedBus::over(settings.build());
    let to = Arc::new(OneType(bus.bus().downgrade()));
    ends(ByType { bus, types: 1 }, to)
}

/// Emitted by type, and seen by who asks for all types.
pub(crate) fn typed_and_watched(settings: &Settings) -> Ends {
    let bus = TypedBus::over(settings.build());
    let to = Subscribes::sink(Reach::Weak(bus.bus().downgrade()));
    ends(ByType { bus, types: 4 }, to)
}
