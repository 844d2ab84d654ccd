//! The receiving threads: every way there is to receive, to the end and past it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use chanbus::{Beat, PanicPlace, Subscription};
use crossbeam_channel::Select;
use futures_lite::future::block_on;
use futures_lite::{Stream, StreamExt};

use crate::dice::Dice;
use crate::parcel::{Parcel, nervous};
use crate::reader::Reader;

type Sub = Subscription<Parcel>;

/// The ways to receive; all but the last few block a thread.
pub(crate) const WAYS: u64 = 13;
pub(crate) const BLOCKING: u64 = 7;

/// Receives in one way until the end, or until the reader is full; and checks that the end is one.
pub(crate) fn consume(sub: &Sub, way: u64, reader: &mut Reader, dice: &mut Dice) {
    match way {
        0 => {
            for event in sub {
                reader.take(event);
                if reader.is_full() {
                    return;
                }
            }
        }
        1 => timeouts(sub, reader, dice),
        2 => heartbeats(sub, reader, dice),
        3 => batches(sub, reader, dice),
        4 => tries(sub, reader, dice),
        5 => select(sub, reader),
        6 => blocking_with_gaps(sub, reader),
        7 => receives(sub, reader, dice),
        8 => async_batches(sub, reader, dice),
        9 => stream(sub, reader, dice),
        10 => gaps(sub, reader, dice),
        11 => async_heartbeats(sub, reader, dice),
        _ => cancelled(sub, reader, dice),
    }
    if !reader.is_full() {
        end_is_for_ever(sub, reader);
    }
}

/// To be called when this handle saw the end (P8).
pub(crate) fn end_is_for_ever(sub: &Sub, reader: &Reader) {
    for _ in 0..2 {
        let ended = sub.try_recv().is_err_and(|error| error.is_closed())
            && sub.recv().is_err()
            && sub
                .recv_timeout(Duration::ZERO)
                .is_err_and(|error| error.is_closed())
            && sub.iter().next().is_none()
            && block_on(sub.recv_async()).is_err()
            && sub.recv_batch(&mut Vec::new(), 2).is_err();
        reader.world.check(ended, || {
            "P8: an event, or a wait, after the end".to_owned()
        });
    }
}

/// Short, or longer than a round may take: who is to be woken, and is not, then hangs.
fn patience(dice: &mut Dice) -> Duration {
    match dice.below(3) {
        0 => Duration::from_secs(600),
        _ => Duration::from_micros(50 + dice.below(600)),
    }
}

fn timeouts(sub: &Sub, reader: &mut Reader, dice: &mut Dice) {
    while !reader.is_full() {
        match sub.recv_timeout(patience(dice)) {
            Ok(event) => reader.take(event),
            Err(error) if error.is_closed() => return,
            Err(_) => reader.told += sub.missed(),
        }
    }
}

fn heartbeats(sub: &Sub, reader: &mut Reader, dice: &mut Dice) {
    let mut beats = sub.heartbeats(patience(dice));
    for beat in &mut beats {
        reader.beat(beat);
        if reader.is_full() {
            return;
        }
    }
    reader.world.check(beats.next().is_none(), || {
        "P8: heartbeats go on after their end".to_owned()
    });
}

fn batches(sub: &Sub, reader: &mut Reader, dice: &mut Dice) {
    let mut buffer = Vec::new();
    while !reader.is_full() {
        let Ok(count) = sub.recv_batch(&mut buffer, 1 + dice.below(5) as usize) else {
            return;
        };
        reader.world.check(count == buffer.len(), || {
            format!("a batch of {count} brought {}", buffer.len())
        });
        buffer.drain(..).for_each(|event| reader.take(event));
    }
}

fn tries(sub: &Sub, reader: &mut Reader, dice: &mut Dice) {
    while !reader.is_full() {
        match sub.try_recv() {
            Ok(event) => reader.take(event),
            Err(error) if error.is_closed() => return,
            Err(_) => std::thread::sleep(Duration::from_micros(dice.below(100))),
        }
    }
}

fn select(sub: &Sub, reader: &mut Reader) {
    let (_alive, never) = crossbeam_channel::bounded::<()>(0);
    while !reader.is_full() {
        let mut select = Select::new();
        let ours = sub.register(&mut select);
        select.recv(&never);
        reader.world.check(select.ready() == ours, || {
            "ready, and nothing is".to_owned()
        });
        match sub.try_recv() {
            Ok(event) => reader.take(event),
            Err(error) if error.is_closed() => return,
            Err(_) => {}
        }
    }
}

fn blocking_with_gaps(sub: &Sub, reader: &mut Reader) {
    while let Ok(event) = sub.recv() {
        reader.take(event);
        reader.told += sub.missed();
        if reader.is_full() {
            return;
        }
    }
}

/// Waits for a future with wakers that change, panic and emit.
fn wait<F: Future>(reader: &Reader, dice: &mut Dice, future: F) -> F::Output {
    let mut future = pin!(future);
    let mut waker: Option<Waker> = None;
    let result = block_on(poll_fn(|context| {
        if waker.is_none() || dice.one_in(2) {
            let next = nervous(&reader.world, context.waker(), dice.below(1 << 40));
            let last = waker.replace(next);
            reader.world.catch(PanicPlace::Waker, || drop(last));
        }
        match &waker {
            Some(waker) => future.as_mut().poll(&mut Context::from_waker(waker)),
            None => Poll::Pending,
        }
    }));
    reader.world.catch(PanicPlace::Waker, || drop(waker));
    result
}

fn receives(sub: &Sub, reader: &mut Reader, dice: &mut Dice) {
    while !reader.is_full() {
        match wait(reader, dice, sub.recv_async()) {
            Ok(event) => reader.take(event),
            Err(_) => return,
        }
    }
}

fn async_batches(sub: &Sub, reader: &mut Reader, dice: &mut Dice) {
    let mut buffer = Vec::new();
    while !reader.is_full() {
        let max = 1 + dice.below(5) as usize;
        let received = wait(reader, dice, sub.recv_batch_async(&mut buffer, max));
        if received.is_err() {
            return;
        }
        buffer.drain(..).for_each(|event| reader.take(event));
    }
}

/// Reads a stream to its end, or until the reader is full.
fn drain<S: Stream + Unpin>(
    mut stream: S,
    reader: &mut Reader,
    dice: &mut Dice,
    mut take: impl FnMut(&mut Reader, S::Item),
) {
    while !reader.is_full() {
        match wait(reader, dice, stream.next()) {
            Some(item) => take(reader, item),
            None => {
                let more = block_on(stream.next()).is_some();
                reader
                    .world
                    .check(!more, || "P8: a stream goes on after its end".to_owned());
                return;
            }
        }
    }
}

fn stream(sub: &Sub, reader: &mut Reader, dice: &mut Dice) {
    drain(sub.stream(), reader, dice, Reader::take);
    the_rest(sub, reader);
}

fn gaps(sub: &Sub, reader: &mut Reader, dice: &mut Dice) {
    drain(sub.stream().with_gaps(), reader, dice, Reader::beat);
    the_rest(sub, reader);
}

fn async_heartbeats(sub: &Sub, reader: &mut Reader, dice: &mut Dice) {
    // Idle for as long as it takes to be polled twice. The waker that it calls is explosive.
    let world = Arc::clone(&reader.world);
    let idle = || {
        let (world, mut polled) = (Arc::clone(&world), false);
        poll_fn(move |context| {
            if std::mem::replace(&mut polled, true) {
                return Poll::Ready(());
            }
            world.catch(PanicPlace::Waker, || context.waker().wake_by_ref());
            Poll::Pending
        })
    };
    let beats = sub.stream().with_gaps().keepalive(idle);
    let take = |reader: &mut Reader, beat| {
        if matches!(beat, Beat::Keepalive) {
            std::thread::sleep(Duration::from_micros(20));
        }
        reader.beat(beat);
    };
    drain(beats, reader, dice, take);
    the_rest(sub, reader);
}

/// A stream is a handle of its own: this one has yet to see the end, and may be the one to find what
/// came late.
fn the_rest(sub: &Sub, reader: &mut Reader) {
    if !reader.is_full() {
        sub.iter().for_each(|event| reader.take(event));
    }
}

/// Futures and streams that are polled once or twice and dropped (P14), among some that are awaited.
fn cancelled(sub: &Sub, reader: &mut Reader, dice: &mut Dice) {
    while !reader.is_full() {
        let mut future = Some(Box::pin(sub.recv_async()));
        for _ in 0..dice.below(3) {
            let Some(polled) = &mut future else { break };
            if let Poll::Ready(found) = once(reader, dice, polled.as_mut()) {
                future = None;
                match found {
                    Ok(event) => reader.take(event),
                    Err(_) => return,
                }
            }
            dice.dawdle();
        }
        // Dropped while it waits, and perhaps just when it is called.
        drop(future);
        if dice.one_in(3) {
            let mut gaps = sub.stream().with_gaps();
            let mut next = gaps.next();
            if let Poll::Ready(Some(beat)) = once(reader, dice, Pin::new(&mut next)) {
                reader.beat(beat);
            }
        }
        match wait(reader, dice, sub.recv_async()) {
            Ok(event) => reader.take(event),
            Err(_) => return,
        }
    }
}

fn once<F: Future>(reader: &Reader, dice: &mut Dice, future: Pin<&mut F>) -> Poll<F::Output> {
    let waker = nervous(&reader.world, Waker::noop(), dice.below(1 << 40));
    let polled = future.poll(&mut Context::from_waker(&waker));
    reader.world.catch(PanicPlace::Waker, || drop(waker));
    polled
}
