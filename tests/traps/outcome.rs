//! What an emit says, patterns asked of a bus, and time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chanbus::{Beat, Bus, EmitError, RecvTimeoutError, SubscribeError, Syntax, TextErrorKind};

use super::watch::watched;
use super::*;

/// An outbox that is dropped without a commit delivers nothing; a commit on a closed bus delivers nothing
/// and hands all back.
#[test]
fn trap38_an_outbox_delivers_by_a_commit_or_not_at_all() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe("**")?;
    let mut outbox = bus.outbox();
    outbox.emit("n", 1)?;
    outbox.emit("n", 2)?;
    drop(outbox);
    assert_eq!((sub.matched(), bus.stats().emitted), (0, 0));

    let mut outbox = bus.outbox();
    outbox.emit("n", 3)?;
    let mut part = outbox.savepoint();
    part.emit("m", 4)?;
    part.commit();
    bus.close();
    let error = outbox.commit().unwrap_err();
    assert!(error.is_closed());
    let back = error.into_events();
    let back: Vec<_> = back
        .iter()
        .map(|it| (it.topic().as_str(), *it.payload()))
        .collect();
    assert_eq!(back, [("n", 3), ("m", 4)]);
    assert_eq!((sub.iter().count(), bus.stats().emitted), (0, 0));
    Ok(())
}

/// An emit beside an open outbox is an emit, whatever becomes of the outbox, and an error on a closed bus
/// (spring#23276).
#[test]
fn trap39_an_emit_outside_of_an_outbox_is_never_discarded() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe("n")?;
    let mut outbox = bus.outbox();
    outbox.emit("n", 1)?;
    let mut part = outbox.savepoint();
    part.emit("n", 2)?;
    assert_eq!(bus.emit("n", 3)?.delivered, 1);
    assert_eq!(payloads(&sub), [3]);
    drop(part);
    assert_eq!(bus.emit("n", 4)?.delivered, 1);
    drop(outbox);
    assert_eq!(payloads(&sub), [4]);
    assert_eq!(bus.stats().emitted, 2);
    let outbox = bus.outbox();
    bus.close();
    assert!(matches!(bus.emit("n", 5), Err(EmitError::Closed(5))));
    assert!(outbox.rollback().failed.is_empty());
    Ok(())
}

/// An emit beside an open batch is an emit; one that reaches nobody is counted, and one on a closed
/// bus is an error with its payload: none is silently discarded (spring#23276).
#[test]
fn trap39_an_emit_outside_of_a_batch_is_never_discarded() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe("n")?;
    let mut batch = bus.start_batch();
    batch.emit("n", 1)?;
    assert_eq!(bus.emit("n", 2)?.delivered, 1);
    assert_eq!(payloads(&sub), [2]);
    drop(batch);
    assert!(sub.is_empty());
    assert_eq!(bus.emit("nobody", 3)?.matched, 0);
    assert_eq!(bus.stats().emitted, 2);

    let batch = {
        let mut batch = bus.start_batch();
        batch.emit("n", 4)?;
        batch
    };
    bus.close();
    assert!(matches!(bus.emit("n", 5), Err(EmitError::Closed(5))));
    let back = batch.commit().unwrap_err().into_payload();
    assert_eq!(back.len(), 1);
    Ok(())
}

/// When every subscriber dropped the event, the result does not say that it was delivered
/// (reactor#2340, #3715).
#[test]
fn trap42_what_everybody_dropped_was_not_delivered() -> Done {
    let bus = Bus::builder().capacity(1).build()?;
    let _full = (bus.subscribe("n")?, bus.subscribe("*")?);
    bus.emit("n", 0)?;
    let publisher = bus.publisher("n")?;
    for emitted in [
        bus.emit("n", 1)?,
        bus.event("n", 1).source("test").emit()?,
        bus.emit_within("n", 1, Duration::from_millis(1))?,
        bus.broadcast("n", 1)?,
        publisher.emit(1)?,
        publisher.emit_batch([1])?,
    ] {
        assert_eq!((emitted.matched, emitted.delivered), (2, 0));
        assert_eq!((emitted.dropped, emitted.filtered), (2, 0));
        assert!(!emitted.is_complete());
    }
    Ok(())
}

/// Two stars anywhere; one star needs its segment; spellings of the same are the same (EE2 6.4.9).
#[test]
fn trap43_double_stars_match_anywhere() -> Done {
    let bus = Bus::new();
    for (pattern, topic, expected) in [
        ("**.a", "a.b.a", 1),
        ("**.a", "a", 1),
        ("**.a", "a.b", 0),
        ("a.*.**", "a", 0),
        ("a.*.**", "a.b", 1),
        ("a.**.b", "a.b", 1),
        ("**.**", "a", 1),
        ("**.**", "a.b.c", 1),
    ] {
        let sub = bus.subscribe(pattern)?;
        assert_eq!(
            bus.emit(topic, ())?.delivered,
            expected,
            "{pattern} {topic}"
        );
        assert_eq!(sub.len(), expected, "{pattern} {topic}");
    }
    Ok(())
}

/// An exact pattern and wildcards on one topic: all of them fire, whichever came first, before and
/// after the route is known (EE2#278).
#[test]
fn trap44_exact_and_wildcard_both_fire() -> Done {
    let patterns = ["a.b", "a.*", "*.b", "a.**", "**", "?.b", "a.b*"];
    for turn in 0..patterns.len() {
        let bus = Bus::new();
        let publisher = bus.publisher("a.b")?;
        let mut subs = Vec::new();
        for place in 0..patterns.len() {
            let pattern = patterns[(turn + place) % patterns.len()];
            subs.push(bus.subscribe(pattern)?);
            assert_eq!(bus.emit("a.b", 0)?.delivered, subs.len());
            assert_eq!(publisher.emit(1)?.delivered, subs.len());
        }
        let flat = Bus::builder().syntax(Syntax::Flat).build()?;
        let _both = (flat.subscribe("a.b")?, flat.subscribe("a*b")?);
        assert_eq!(flat.emit("a.b", 0)?.delivered, 2);
    }
    Ok(())
}

/// A pattern of many stars against a topic that almost matches: no emit takes exponential time
/// (bpo-40480).
#[test]
fn trap45_a_hostile_pattern_does_not_stall_an_emit() -> Done {
    watched(|| {
        for syntax in [Syntax::Segmented, Syntax::Flat] {
            let bus = Bus::builder().syntax(syntax).build()?;
            let hostile = bus.subscribe(format!("{}b", "*a".repeat(500)))?;
            let segments = bus.subscribe(format!("{}b", "*a.".repeat(200)))?;
            let long = "a".repeat(1_000);
            assert_eq!(bus.emit(&long, ())?.matched, 0);
            assert_eq!(bus.emit(format!("{}c", "a.".repeat(400)), ())?.matched, 0);
            assert_eq!(bus.emit(format!("{long}b"), ())?.matched, 1);
            assert_eq!((hostile.len(), segments.len()), (1, 0));
        }
        Ok(())
    })
}

/// `?` is one character, not one byte (globset's run of a multi-byte one).
#[test]
fn trap46_a_question_mark_is_one_character() -> Done {
    for syntax in [Syntax::Segmented, Syntax::Flat] {
        let bus = Bus::builder().syntax(syntax).build()?;
        let sub = bus.subscribe("caf?")?;
        for topic in ["café", "cafe", "caf🎉", "cafe\u{301}", "caf", "caféé"] {
            bus.emit(topic, ())?;
        }
        assert_eq!(topics(&sub), ["café", "cafe", "caf🎉"]);
    }
    Ok(())
}

/// Empty segments have one answer for topics and patterns, on every way in.
#[test]
fn trap47_empty_segments_are_refused_everywhere() -> Done {
    for text in ["", ".", "a..b", ".a", "a."] {
        let expected = match text {
            "" => TextErrorKind::Empty,
            _ => TextErrorKind::EmptySegment,
        };
        let bus = Bus::new();
        let emits = [
            bus.emit(text, 1),
            bus.event(text, 1).source("test").emit(),
            bus.broadcast(text, 1),
            bus.emit_within(text, 1, Duration::ZERO),
        ];
        for emit in emits {
            match emit {
                Err(EmitError::BadTopic { error, payload: 1 }) => {
                    assert_eq!(error.kind(), expected);
                }
                other => panic!("{text:?}: {other:?}"),
            }
        }
        assert_eq!(bus.publisher(text).unwrap_err().kind(), expected);
        for syntax in [Syntax::Segmented, Syntax::Flat] {
            let bus = Bus::<i32>::builder().syntax(syntax).build()?;
            match bus.subscribe(["a", text]) {
                Err(SubscribeError::BadPattern(error)) => assert_eq!(error.kind(), expected),
                other => panic!("{text:?}: {other:?}"),
            }
        }
        assert_eq!(bus.stats().emitted, 0);
    }
    Ok(())
}

/// The interval of heartbeats, and a timeout, begin anew with each event: more time than that goes
/// by in all, and nothing runs out while something comes (codechu-events).
#[test]
fn trap48_an_idle_interval_begins_anew_with_each_event() -> Done {
    watched(|| {
        let bus = Bus::new();
        let sub = bus.subscribe("n")?;
        let idle = Duration::from_millis(30);
        let begin = Instant::now();
        let mut beats = sub.heartbeats(idle);
        let mut n = 0;
        while begin.elapsed() < 4 * idle {
            // Always there before it is asked for, so no pause of this thread can run it out.
            bus.emit("n", n)?;
            assert!(matches!(beats.next(), Some(Beat::Event(_))));
            bus.emit("n", n)?;
            assert!(sub.recv_timeout(idle).is_ok());
            thread::sleep(idle / 10);
            n += 1;
        }
        // And a whole interval once nothing comes.
        for _ in 0..2 {
            let begin = Instant::now();
            assert!(matches!(beats.next(), Some(Beat::Keepalive)));
            assert!(begin.elapsed() >= idle);
        }
        Ok(())
    })
}

/// A deadline is for all receives together: it comes though events keep coming.
#[test]
fn trap48_a_deadline_is_for_all_receives_together() -> Done {
    watched(|| {
        let bus = Bus::new();
        let sub = bus.subscribe("n")?;
        let stop = Arc::new(AtomicUsize::new(0));
        let (emitting, stopped) = (bus.clone(), Arc::clone(&stop));
        let publisher = thread::spawn(move || {
            while stopped.load(Ordering::Relaxed) == 0 {
                emitting.emit("n", ()).unwrap();
                thread::sleep(Duration::from_millis(5));
            }
        });
        let total = Duration::from_millis(60);
        let begin = Instant::now();
        let end = loop {
            match sub.recv_deadline(begin + total) {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(end, RecvTimeoutError::Timeout);
        assert!(begin.elapsed() >= total);
        // They were still coming.
        assert!(sub.recv().is_ok());
        stop.store(1, Ordering::Relaxed);
        publisher.join().unwrap();
        Ok(())
    })
}
