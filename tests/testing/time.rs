//! Time that stands still.

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use chanbus::{Bus, Emitter, Event, Handlers, ManualClock, TestTime};
use futures_lite::future::{block_on, poll_once};

use crate::common::{HANG, guarded};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn it_stands_still_and_stamps_events_of_buses_and_emitters() {
    let time = TestTime::new();
    let bus = Bus::builder().clock(time.clock()).build().unwrap();
    let sub = bus.subscribe("a").unwrap();
    bus.emit("a", 1).unwrap();
    time.advance(SECOND * 90);
    bus.emit("a", 2).unwrap();
    let stamps: Vec<f64> = sub.try_iter().map(|event| event.unix_seconds()).collect();
    assert_eq!(stamps, [0.0, 90.0]);

    let handlers = Handlers::new();
    let stamp = |event: &Event<u32>| assert_eq!(event.unix_seconds(), 90.0);
    handlers.on("a").call(stamp).unwrap();
    let report = Emitter::inline(&handlers)
        .clock(time.clock())
        .emit("a", 1)
        .unwrap();
    assert!(report.is_ok());
}

#[test]
fn it_moves_a_clock_that_a_program_has() {
    let clock = ManualClock::new();
    clock.set(UNIX_EPOCH + SECOND * 5);
    let time = TestTime::of(&clock);
    time.advance(SECOND);
    assert_eq!(clock.now(), UNIX_EPOCH + SECOND * 6);
}

#[test]
fn a_sleep_ends_at_its_moment_and_not_before() {
    let time = TestTime::new();
    block_on(async {
        let mut sleep = time.sleep(SECOND * 2);
        assert!(poll_once(&mut sleep).await.is_none());
        time.advance(SECOND * 2 - Duration::from_nanos(1));
        assert!(poll_once(&mut sleep).await.is_none());
        assert_eq!(time.sleepers(), 1);
        time.advance(Duration::from_nanos(1));
        assert_eq!(time.sleepers(), 0);
        assert!(poll_once(&mut sleep).await.is_some());
    });
}

#[test]
fn a_sleep_begins_when_it_is_made() {
    let time = TestTime::new();
    let mut sleep = time.sleep(SECOND);
    time.advance(SECOND);
    assert!(block_on(poll_once(&mut sleep)).is_some());
}

#[test]
fn sleepers_wake_in_the_order_in_which_they_are_due() {
    struct Notes(&'static str, Arc<Mutex<Vec<&'static str>>>);
    impl std::task::Wake for Notes {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push(self.0);
        }
    }
    let (time, woken) = (TestTime::new(), Arc::default());
    let mut sleeps: Vec<_> = [("late", 3), ("early", 1), ("early too", 1)]
        .map(|(name, seconds)| {
            let waker = Arc::new(Notes(name, Arc::clone(&woken))).into();
            let mut sleep = Box::pin(time.sleep(SECOND * seconds));
            let mut cx = std::task::Context::from_waker(&waker);
            assert!(sleep.as_mut().poll(&mut cx).is_pending());
            sleep
        })
        .into();
    drop(sleeps.pop());
    assert_eq!(time.sleepers(), 2, "one that is dropped waits no more");
    time.advance(SECOND * 10);
    assert_eq!(*woken.lock().unwrap(), ["early", "late"]);
}

#[test]
fn it_goes_on_to_the_next_who_waits() {
    let time = TestTime::new();
    let (mut one, mut two) = (time.sleep(SECOND), time.sleep(SECOND * 3));
    block_on(poll_once(&mut one));
    block_on(poll_once(&mut two));
    assert!(time.advance_to_next());
    assert_eq!(time.now(), UNIX_EPOCH + SECOND);
    assert!(time.advance_to_next());
    assert_eq!(time.now(), UNIX_EPOCH + SECOND * 3);
    assert!(!time.advance_to_next());
}

#[test]
fn a_thread_waits_until_the_time_was_moved_far_enough() {
    guarded(|| {
        let time = TestTime::new();
        let clock = time.clone();
        let thread = thread::spawn(move || {
            clock.wait(SECOND * 2);
            clock.now()
        });
        assert!(time.wait_for_sleepers(1, HANG));
        time.advance(SECOND);
        assert_eq!(time.sleepers(), 1);
        assert!(!thread.is_finished());
        time.advance(SECOND);
        assert_eq!(thread.join().unwrap(), UNIX_EPOCH + SECOND * 2);
        assert_eq!(time.sleepers(), 0);
        // Nothing to wait for.
        time.wait(Duration::ZERO);
    });
}

#[test]
fn many_who_wait_and_one_who_moves_lose_no_wake_up() {
    guarded(|| {
        let time = TestTime::new();
        let threads: Vec<_> = (0..4)
            .map(|n| {
                let clock = time.clone();
                thread::spawn(move || {
                    for _ in 0..200 {
                        match n % 2 {
                            0 => clock.wait(SECOND),
                            _ => block_on(clock.sleep(SECOND)),
                        }
                    }
                })
            })
            .collect();
        while threads.iter().any(|it| !it.is_finished()) {
            time.advance_to_next();
        }
        threads.into_iter().for_each(|it| it.join().unwrap());
        assert_eq!(time.sleepers(), 0);
    });
}

#[test]
fn the_end_of_time_is_no_overflow() {
    let time = TestTime::new();
    time.advance(Duration::MAX);
    let mut sleep = time.sleep(Duration::MAX);
    assert!(
        block_on(poll_once(&mut sleep)).is_some(),
        "there is nothing after it"
    );
}

#[cfg(feature = "stream")]
#[test]
fn it_drives_the_keepalives_of_a_stream() {
    use chanbus::Beat;
    let (bus, time) = (Bus::new(), TestTime::new());
    let beats = bus.subscribe("a").unwrap().into_stream().with_gaps();
    let mut beats = beats.keepalive(time.idle(SECOND * 5));
    block_on(async {
        for _ in 0..3 {
            assert!(poll_once(beats.next()).await.is_none());
            time.advance(SECOND * 4);
            assert!(poll_once(beats.next()).await.is_none());
            time.advance(SECOND);
            assert!(matches!(
                poll_once(beats.next()).await,
                Some(Some(Beat::Keepalive))
            ));
        }
        assert!(poll_once(beats.next()).await.is_none());
        time.advance(SECOND * 4);
        bus.emit("a", 1).unwrap();
        assert!(matches!(
            poll_once(beats.next()).await,
            Some(Some(Beat::Event(_)))
        ));
        time.advance(SECOND * 4);
        assert!(
            poll_once(beats.next()).await.is_none(),
            "the event began a new idle time"
        );
    });
}

#[cfg(feature = "json")]
#[test]
fn it_drives_the_pauses_of_a_player() {
    use chanbus::{Fields, Player, Speed};
    let recording = "\
{\"time\":1000000000,\"topic\":\"a\",\"json\":{}}
{\"time\":3000000000,\"topic\":\"a\",\"json\":{}}
{\"time\":7000000000,\"topic\":\"a\",\"json\":{}}
";
    guarded(move || {
        let time = TestTime::new();
        let bus: Bus<Fields> = Bus::new();
        let sub = bus.subscribe("a").unwrap();
        let mut player = Player::new(recording.as_bytes());
        player = player
            .speed(Speed::Times(2.0))
            .stamp(time.clock())
            .wait_by(time.waiting());
        let playing = thread::spawn(move || player.play(&bus).unwrap());
        for (n, seconds) in [(1, 1), (2, 2)] {
            assert!(time.wait_for_sleepers(1, HANG));
            assert_eq!(sub.len(), n);
            time.advance(SECOND * seconds);
        }
        assert_eq!(playing.join().unwrap().emitted, 3);
        let stamps: Vec<f64> = sub.try_iter().map(|event| event.unix_seconds()).collect();
        assert_eq!(stamps, [0.0, 1.0, 3.0]);

        let time = TestTime::new();
        let bus: Bus<Fields> = Bus::new();
        Player::new(recording.as_bytes())
            .wait_by(time.skipping())
            .play(&bus)
            .unwrap();
        assert_eq!(time.now(), UNIX_EPOCH + SECOND * 6);
    });
}
