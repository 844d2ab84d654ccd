//! A player takes no more memory for a long recording than for a short one.

use std::io::{BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chanbus::{Bus, Player, Speed};

use super::common::counting::live;
use super::{HEADER, line};

/// The same text over and over, so many bytes of it.
struct Endless {
    text: Vec<u8>,
    place: usize,
    left: usize,
}

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let rest = &self.text[self.place..];
        let count = out.len().min(rest.len()).min(self.left);
        out[..count].copy_from_slice(&rest[..count]);
        self.place = (self.place + count) % self.text.len();
        self.left -= count;
        Ok(count)
    }
}

/// The most that was alive on this thread during a play of so many bytes.
fn most(bytes: usize) -> (i64, u64) {
    // Good lines, damaged ones, ones that are too long, and ones of ever the same new topics.
    let mut text = HEADER.to_owned();
    for n in 0..50 {
        text.push_str(&line(1, &format!("topic.{n}"), n));
        text.push_str("\nno line\n");
    }
    text.push_str(&"x".repeat(100_000));
    text.push('\n');
    let reader = Endless {
        text: text.into_bytes(),
        place: 0,
        left: bytes,
    };
    let bus: Bus<u32> = Bus::new();
    let most = Arc::new(AtomicI64::new(0));
    let seen = Arc::clone(&most);
    let _tap = bus
        .tap("**", move |_| {
            seen.fetch_max(live(), Ordering::Relaxed);
        })
        .unwrap();
    let before = live();
    let mut player = Player::new(BufReader::new(reader))
        .speed(Speed::Fast)
        .max_line(10_000);
    let played = player.play(&bus).unwrap();
    assert!(played.damaged > 100 && played.damage.len() == 100);
    (most.load(Ordering::Relaxed) - before, played.emitted)
}

#[test]
fn p13_memory_does_not_grow_with_the_recording() {
    let (short, few) = most(1 << 20);
    let (long, many) = most(32 << 20);
    assert!(many > 20 * few);
    assert!(long < short + 4_096, "{short} and {long} bytes");
    assert!(long < 200_000, "{long} bytes");
}
