//! When events come: by an injected wait, by a step, by the clock; stopped, and gone on with.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, UNIX_EPOCH};

use chanbus::{Bus, Clock, ManualClock, PlayError, Player, Speed};

use super::common::guarded;
use super::{line, recording};

const SECOND: u64 = 1_000_000_000;

/// The pauses that a play of such times asks for.
fn pauses(times: &[u64], set: impl FnOnce(Player<&[u8]>) -> Player<&[u8]>) -> Vec<Duration> {
    let lines: Vec<_> = times.iter().map(|time| line(*time, "a", 1)).collect();
    let text = recording(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let bus: Bus<u32> = Bus::new();
    let told = Arc::clone(&asked);
    let player =
        Player::new(text.as_bytes()).wait_by(move |pause| told.lock().unwrap().push(pause));
    let played = set(player).play(&bus).unwrap();
    assert_eq!(played.emitted, times.len() as u64);
    let asked = asked.lock().unwrap();
    asked.clone()
}

#[test]
fn pauses_are_those_of_the_recording_by_the_factor() {
    let times = [
        5 * SECOND,
        6 * SECOND,
        6 * SECOND,
        6 * SECOND + 1,
        8 * SECOND,
    ];
    let nanos = |all: &[u64]| {
        all.iter()
            .map(|it| Duration::from_nanos(*it))
            .collect::<Vec<_>>()
    };
    let real = nanos(&[SECOND, 1, 2 * SECOND - 1]);
    assert_eq!(pauses(&times, |player| player), real);
    assert_eq!(
        pauses(&times, |player| player.speed(Speed::Times(1.0))),
        real
    );
    let four = pauses(&times, |player| player.speed(Speed::Times(4.0)));
    assert_eq!(four[0], Duration::from_millis(250));
    let half = pauses(&times, |player| player.speed(Speed::Times(0.5)));
    assert_eq!(half[0], Duration::from_secs(2));
    assert!(pauses(&times, |player| player.speed(Speed::Fast)).is_empty());
}

#[test]
fn times_that_go_back_cost_no_pause_and_long_ones_are_cut() {
    let hour = 3_600 * SECOND;
    let times = [hour, 2 * SECOND, 3 * SECOND, hour, u64::MAX];
    let cut = Duration::from_secs(5);
    let asked = pauses(&times, |player| player.longest_pause(cut));
    assert_eq!(asked, [Duration::from_secs(1), cut, cut]);
    // Slower than time can tell.
    let asked = pauses(&[0, u64::MAX], |player| player.speed(Speed::Times(1e-300)));
    assert_eq!(asked, [Duration::MAX]);
}

#[test]
fn what_is_no_speed_is_refused_before_anything_is_played() {
    for factor in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let bus: Bus<u32> = Bus::new();
        let text = recording(&[&line(1, "a", 1)]);
        let mut player = Player::new(text.as_bytes()).speed(Speed::Times(factor));
        let error = player.play(&bus).unwrap_err();
        assert!(matches!(error, PlayError::Speed { .. }));
        assert_eq!(player.played().lines, 0);
    }
}

#[test]
fn a_manual_clock_drives_and_stamps_a_play() {
    let text = recording(&[&line(10 * SECOND, "a", 1), &line(13 * SECOND, "b", 2)]);
    let time = ManualClock::new();
    time.set(UNIX_EPOCH + Duration::from_secs(1_000));
    let bus: Bus<u32> = Bus::new();
    let sub = bus.subscribe_all().unwrap();
    let hand = time.clone();
    Player::new(text.as_bytes())
        .speed(Speed::Times(3.0))
        .wait_by(move |pause| hand.advance(pause))
        .stamp(Clock::manual(&time))
        .play(&bus)
        .unwrap();
    let stamps: Vec<f64> = sub.try_iter().map(|event| event.unix_seconds()).collect();
    assert_eq!(stamps, [1_000.0, 1_001.0]);
}

#[test]
fn by_the_clock_no_event_comes_before_its_time() {
    let times: Vec<_> = (0..5_u64).map(|n| line(n * SECOND, "a", 1)).collect();
    let text = recording(&times.iter().map(String::as_str).collect::<Vec<_>>());
    let bus: Bus<u32> = Bus::new();
    let arrived = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&arrived);
    let _tap = bus
        .tap("a", move |_| told.lock().unwrap().push(Instant::now()))
        .unwrap();
    Player::new(text.as_bytes())
        .speed(Speed::Times(200.0))
        .play(&bus)
        .unwrap();
    let arrived = arrived.lock().unwrap();
    for (place, when) in arrived.iter().enumerate() {
        assert!(
            *when - arrived[0] + Duration::from_millis(4)
                >= Duration::from_millis(5) * place as u32
        );
    }
}

#[test]
fn a_play_is_stopped_in_a_pause_and_goes_on_where_it_was() {
    guarded(|| {
        let text = recording(&[
            &line(0, "a", 0),
            &line(3_600 * SECOND, "b", 1),
            &line(3_600 * SECOND, "c", 2),
        ]);
        let text: &'static [u8] = Box::leak(text.into_boxed_str().into_boxed_bytes());
        let bus: Bus<u32> = Bus::new();
        let sub = bus.subscribe_all().unwrap();
        let mut player = Player::new(text);
        let stopper = player.stopper();
        let playing = {
            let bus = bus.clone();
            std::thread::spawn(move || (player.play(&bus), player))
        };
        sub.recv().unwrap();
        stopper.clone().stop();
        let (played, mut player) = playing.join().unwrap();
        let played = played.unwrap();
        assert!(played.stopped && played.emitted == 1);
        // What waited for its time comes at once; so does what has the same time.
        let played = player.play(&bus).unwrap();
        assert!(!played.stopped);
        assert_eq!((played.emitted, played.skipped, played.lines), (3, 0, 4));
        assert!(sub.try_iter().map(|event| *event.payload()).eq([1, 2]));
    });
}

#[test]
fn a_tap_stops_the_play_that_calls_it_and_a_stop_before_counts() {
    let lines: Vec<_> = (0..10).map(|n| line(n.into(), "a", n)).collect();
    let text = recording(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let bus: Bus<u32> = Bus::new();
    let mut player = Player::new(text.as_bytes()).speed(Speed::Fast);
    let stopper = player.stopper();
    let _tap = bus
        .tap("a", move |event| {
            if event.payload() % 4 == 3 {
                stopper.stop();
            }
        })
        .unwrap();
    let emitted: Vec<_> = (0..4).map(|_| player.play(&bus).unwrap().emitted).collect();
    assert_eq!(emitted, [4, 8, 10, 10]);
    player.stopper().stop();
    assert!(player.step_until(&bus, "a").unwrap().is_none());
    assert!(player.played().stopped);
}

#[test]
fn steps_go_one_by_one_and_up_to_a_pattern_and_play_takes_the_rest() {
    let lines: Vec<_> = ["a", "b", "c.x", "d", "c.y"]
        .iter()
        .zip(0..)
        .map(|(topic, n)| line(u64::from(n) * SECOND, topic, n))
        .collect();
    let text = recording(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let bus: Bus<u32> = Bus::new();
    let sub = bus.subscribe_all().unwrap();
    let mut player = Player::new(text.as_bytes()).wait_by(|_| {});
    assert_eq!(player.step(&bus).unwrap().unwrap().topic(), "a");
    assert_eq!(
        player.step_until(&bus, "c.*").unwrap().unwrap().topic(),
        "c.x"
    );
    assert_eq!(sub.len(), 3);
    assert_eq!(player.read::<u32>().unwrap().unwrap().topic(), "d");
    assert_eq!(player.play(&bus).unwrap().emitted, 4);
    assert!(player.step(&bus).unwrap().is_none());
    assert!(
        sub.try_iter()
            .map(|event| *event.payload())
            .eq([0, 1, 2, 4])
    );
    assert!(player.step_until(&bus, "a..b").is_err());
}

#[test]
fn a_play_begins_with_a_line_or_a_time_and_leaves_out_what_is_not_asked_for() {
    let times = [5, 9, 3, 9, 1_u64];
    let lines: Vec<_> = times
        .iter()
        .zip(0..)
        .map(|(time, n)| line(*time, "a", n))
        .collect();
    let text = recording(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let play = |set: fn(Player<&[u8]>) -> Player<&[u8]>| {
        let bus: Bus<u32> = Bus::new();
        let sub = bus.subscribe_all().unwrap();
        let played = set(Player::new(text.as_bytes()).speed(Speed::Fast))
            .play(&bus)
            .unwrap();
        let seen: Vec<u32> = sub.try_iter().map(|event| *event.payload()).collect();
        assert_eq!(played.damaged, 0);
        (seen, played.skipped)
    };
    assert_eq!(play(|player| player.from_line(4)), (vec![2, 3, 4], 0));
    assert_eq!(play(|player| player.from_line(100)), (vec![], 0));
    assert_eq!(
        play(|player| player.from_time(UNIX_EPOCH + Duration::from_nanos(9))),
        (vec![1, 2, 3, 4], 1)
    );
    assert_eq!(
        play(|player| player.patterns(["b", "a.**"])),
        (vec![0, 1, 2, 3, 4], 0)
    );
    assert_eq!(play(|player| player.patterns("b")), (vec![], 5));
    let bus: Bus<u32> = Bus::new();
    assert!(Player::new(&b""[..]).patterns("a..b").play(&bus).is_err());
}
