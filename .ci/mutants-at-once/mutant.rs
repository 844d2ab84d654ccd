//! Which mutant is on: in the copy of the crate, see `.ci/mutants`.
#![allow(unsafe_code, reason = "a place in the list of what runs before `main`")]

use std::fs::File;
use std::io::Write;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// None of them, and each that is asked for goes into the list of those that were reached.
const LISTED: usize = usize::MAX;
const MOST: usize = 8192;

// Relaxed throughout: it is written before `main`, when there is one thread.
static ON: AtomicUsize = AtomicUsize::new(LISTED - 1);
static SEEN: [AtomicU8; MOST] = [const { AtomicU8::new(0) }; MOST];
static LIST: OnceLock<File> = OnceLock::new();

// Before `main`, so that no test finds this at work, as those would that count allocations.
#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = {
    extern "C" fn read() {
        if let Some(path) = std::env::var_os("CHANBUS_REACHED") {
            if let Ok(file) = File::options().append(true).create(true).open(path) {
                LIST.get_or_init(|| file);
                ON.store(LISTED, Ordering::Relaxed);
            }
        } else if let Ok(number) = std::env::var("CHANBUS_MUTANT") {
            if let Ok(number) = number.parse() {
                ON.store(number, Ordering::Relaxed);
            }
        }
    }
    read
};

#[inline(always)]
pub(crate) fn on(number: usize) -> bool {
    match ON.load(Ordering::Relaxed) {
        LISTED => reached(number),
        on => on == number,
    }
}

#[cold]
fn reached(number: usize) -> bool {
    if SEEN[number].swap(1, Ordering::Relaxed) == 0 {
        // Of a fixed length and in one write, as other threads and processes write into it, too.
        if let (Some(mut list), Ok(number)) = (LIST.get(), u32::try_from(number)) {
            let _ = list.write_all(&number.to_le_bytes());
        }
    }
    false
}
