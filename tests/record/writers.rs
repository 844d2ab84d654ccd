//! Writers that fail: in every place, for a while, for ever, by a panic, or that never come back.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chanbus::{Bus, Drain, RecordIncomplete, Recorder};

use super::common::{Census, Counted, guarded};
use super::{Tape, eventually, play};

/// A disk with so many bytes of room.
struct Small {
    tape: Tape,
    room: usize,
}

impl Write for Small {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.room == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        let count = bytes.len().min(self.room);
        self.room -= count;
        self.tape.write(&bytes[..count])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_disk_that_is_full_in_any_place_loses_what_is_counted_and_no_more() {
    // Header, three events, last line: about 330 bytes.
    for room in 0..400 {
        let bus: Bus<u32> = Bus::new();
        let tape = Tape::default();
        let small = Small {
            tape: tape.clone(),
            room,
        };
        let recorder = Recorder::builder(&bus).to(small).unwrap();
        for n in 0..3 {
            bus.emit("n", n).unwrap();
        }
        let bytes = tape.bytes();
        assert!(bytes.len() <= room);
        match recorder.stop(Drain::All) {
            Ok(recorded) => {
                assert_eq!((recorded.written, recorded.lost), (3, 0));
                assert!(tape.text().ends_with("}\n"));
            }
            Err(RecordIncomplete {
                recorded, error, ..
            }) => {
                assert_eq!(error.unwrap().kind(), ErrorKind::StorageFull);
                assert_eq!(recorded.written + recorded.lost, 3);
                assert_eq!(recorded.bytes, room as u64);
                // Written is what a player finds, but for a last line that wants only its line feed.
                let (played, events) = play::<u32>(&tape.bytes());
                let found = events.len() as u64;
                assert!(found == recorded.written || found == recorded.written + 1);
                assert!(played.damaged <= 1);
                // A last line that wants only its line feed is one, too.
                let ends = tape.text().contains("{\"end\"") && tape.text().ends_with('}');
                assert_eq!(played.whole, ends);
                let stats = recorder.stats();
                assert!(stats.failing && !stats.running && stats.last_error.is_some());
                assert_eq!(
                    (stats.written, stats.lost, stats.waiting),
                    (recorded.written, recorded.lost, 0)
                );
            }
        }
    }
}

#[test]
fn a_flush_that_fails_is_a_recording_that_failed() {
    struct NoFlush(Tape);

    impl Write for NoFlush {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(io::Error::other("cannot flush"))
        }
    }

    let bus: Bus<u32> = Bus::new();
    let recorder = Recorder::builder(&bus)
        .to(NoFlush(Tape::default()))
        .unwrap();
    bus.emit("a", 1).unwrap();
    let error = recorder.stop(Drain::All).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("as the writer failed: cannot flush"),
        "{error}"
    );
    assert_eq!(
        recorder.stop(Drain::All).unwrap_err().to_string(),
        error.to_string()
    );
}

#[test]
fn a_disk_that_was_full_for_a_while_costs_only_what_the_queue_had_no_room_for() {
    struct Full(Tape, Arc<AtomicBool>);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.1.load(Ordering::SeqCst) {
                return Err(ErrorKind::StorageFull.into());
            }
            // A little at a time, so that lines are cut.
            self.0.write(&bytes[..bytes.len().min(7)])
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let bus: Bus<u32> = Bus::new();
    let (tape, full) = (Tape::default(), Arc::new(AtomicBool::new(true)));
    let recorder = Recorder::builder(&bus)
        .capacity(10)
        .flush_every(Duration::ZERO)
        .to(Full(tape.clone(), Arc::clone(&full)))
        .unwrap();
    bus.emit("n", 0).unwrap();
    eventually(|| recorder.stats().failing);
    // One is with the writer; ten have room, and ten have not.
    for n in 1..=20 {
        bus.emit("n", n).unwrap();
    }
    let stats = recorder.stats();
    assert_eq!((stats.written, stats.waiting, stats.dropped), (0, 11, 10));
    full.store(false, Ordering::SeqCst);
    eventually(|| recorder.stats().written == 11);
    assert!(!recorder.stats().failing);
    let recorded = recorder.stop(Drain::All).unwrap();
    assert_eq!(
        (recorded.written, recorded.dropped, recorded.lost),
        (11, 10, 0)
    );
    let (played, events) = play::<u32>(&tape.bytes());
    assert!(events.iter().map(|event| *event.payload()).eq(0..=10));
    assert_eq!((played.missed, played.damaged), (10, 0));
}

#[test]
fn a_writer_that_panics_ends_the_recorder_and_nothing_else() {
    struct Bomb(Tape, u32);

    impl Write for Bomb {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1 += 1;
            assert!(self.1 < 3, "head crash");
            self.0.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("and the rest");
        }
    }

    let bus: Bus<u32> = Bus::new();
    let tape = Tape::default();
    let recorder = Recorder::builder(&bus)
        .flush_every(Duration::ZERO)
        .to(Bomb(tape.clone(), 0))
        .unwrap();
    bus.emit("n", 1).unwrap();
    eventually(|| recorder.stats().written == 1);
    bus.emit("n", 2).unwrap();
    eventually(|| bus.subscriber_count() == 0 || bus.emit("n", 3).is_err());
    let error = recorder.wait().unwrap_err();
    assert!(error.to_string().contains("head crash"), "{error}");
    assert!(error.recorded.lost > 0);
    assert_eq!(
        play::<u32>(&tape.bytes()).1.len() as u64,
        error.recorded.written
    );
}

/// Says that it is inside, and stays there until it is let go.
struct Stuck {
    inside: SyncSender<()>,
    go: Mutex<Receiver<()>>,
    _census: Counted,
}

impl Write for Stuck {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.inside.try_send(());
        let _ = self.go.lock().unwrap().recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_write_that_never_ends_holds_up_neither_a_stop_with_a_deadline_nor_a_drop() {
    guarded(|| {
        let census = Census::new();
        for dropped in [false, true] {
            let (inside, is_inside) = sync_channel(1);
            let (let_go, go) = sync_channel::<()>(1);
            let bus: Bus<u32> = Bus::new();
            let stuck = Stuck {
                inside,
                go: Mutex::new(go),
                _census: census.born(),
            };
            let recorder = Recorder::builder(&bus)
                .flush_every(Duration::ZERO)
                .linger(Duration::from_millis(1))
                .to(stuck)
                .unwrap();
            bus.emit("n", 1).unwrap();
            is_inside.recv().unwrap();
            bus.emit("n", 2).unwrap();
            if dropped {
                drop(recorder);
            } else {
                let error = recorder
                    .stop(Drain::Within(Duration::from_millis(1)))
                    .unwrap_err();
                assert_eq!((error.recorded.written, error.recorded.lost), (0, 2));
                assert!(error.error.is_none(), "{error}");
                drop(recorder);
            }
            assert_eq!(bus.subscriber_count(), 0);
            assert_eq!(census.alive(), 1, "the writer is inside");
            drop(let_go);
            eventually(|| census.alive() == 0);
        }
    });
}
