//! Parts of an outbox that are kept or given up by themselves.

use chanbus::{Bus, EmitError, Outbox};

use crate::{Done, Log, labels, panics, payloads, payloads_of, silent_panic};

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Commit,
    Rollback,
    Drop,
    Unwind,
}

const ENDS: [End; 4] = [End::Commit, End::Rollback, End::Drop, End::Unwind];

/// Three savepoints, one in the other, each with an event before the inner one and one after it.
fn nest(outbox: &mut Outbox<u32>, log: &Log, ends: &[End], base: u32) {
    let Some((end, inner)) = ends.split_first() else {
        return;
    };
    let names = ["one", "two", "three"];
    let name = names[base as usize - 1];
    let run = |outbox: &mut Outbox<u32>| {
        let mut part = outbox.savepoint();
        part.emit("n", base * 10).unwrap();
        log.on_all(&mut part, name);
        nest(&mut part, log, inner, base + 1);
        part.emit("n", base * 10 + 1).unwrap();
        match end {
            End::Commit => part.commit(),
            End::Rollback => assert!(part.rollback().failed.is_empty()),
            End::Drop => drop(part),
            End::Unwind => silent_panic(),
        }
    };
    match end {
        End::Unwind => assert!(panics(|| run(outbox))),
        _ => run(outbox),
    }
}

#[test]
fn d8_savepoints_nest_three_deep_and_end_in_every_way() -> Done {
    for first in ENDS {
        for second in ENDS {
            for third in ENDS {
                let ends = [first, second, third];
                let bus = Bus::new();
                let sub = bus.subscribe("**")?;
                let log = Log::default();
                let mut outbox = bus.outbox();
                outbox.emit("n", 1)?;
                nest(&mut outbox, &log, &ends, 1);
                outbox.emit("n", 2)?;

                // What is kept is what all around it kept.
                let kept = ends.iter().take_while(|&&end| end == End::Commit).count();
                let mut expected = vec![1];
                expected.extend((1..=kept as u32).map(|depth| depth * 10));
                expected.extend((1..=kept as u32).rev().map(|depth| depth * 10 + 1));
                expected.push(2);
                assert_eq!(payloads_of(outbox.events()), expected, "{ends:?}");

                // Each that was given up, innermost first; those within one that it had kept go with it, before it.
                let names = ["one", "two", "three"];
                let mut undone = Vec::new();
                let mut open: Vec<&str> = Vec::new();
                for (name, end) in names.into_iter().zip(ends).rev() {
                    open.push(name);
                    if end != End::Commit {
                        undone.append(&mut open);
                    }
                }
                assert_eq!(log.take(), undone, "{ends:?}");
                assert!(outbox.commit()?.is_complete());
                assert_eq!(payloads(&sub), expected);
                let ran = names[..kept].iter();
                let before = ran.clone().map(|name| format!("before {name}"));
                let after = ran.map(|name| format!("after {name}"));
                assert_eq!(log.take(), before.chain(after).collect::<Vec<_>>());
            }
        }
    }
    Ok(())
}

/// As an application would have it: it does not know how deep it is.
fn place(outbox: &mut Outbox<u32>, order: u32) -> Result<(), EmitError<u32>> {
    outbox.emit("order.placed", order)?;
    let mut gift = outbox.savepoint();
    gift.emit("gift.added", order)?;
    if order == 13 {
        gift.emit("no topic", order)?;
    }
    gift.commit();
    Ok(())
}

#[test]
fn d8_one_function_takes_an_outbox_or_a_savepoint_and_an_error_drops_its_part() -> Done {
    let bus = Bus::new();
    let mut outbox = bus.outbox();
    place(&mut outbox, 1)?;
    for order in [2, 13, 3] {
        let mut part = outbox.savepoint();
        match place(&mut part, order) {
            Ok(()) => part.commit(),
            Err(error) => {
                assert_eq!((order, error.into_payload()), (13, 13));
                // Its own inner part is gone already.
                assert_eq!(part.rollback().discarded, 1);
            }
        }
    }
    assert_eq!(payloads_of(outbox.events()), [1, 1, 2, 2, 3, 3]);
    Ok(())
}

#[test]
fn d8_hooks_belong_to_the_part_in_which_they_were_registered() -> Done {
    let bus = Bus::new();
    let log = Log::default();
    let mut outbox = bus.outbox();
    log.on_all(&mut outbox, "first");
    let mut kept = outbox.savepoint();
    log.on_all(&mut kept, "kept");
    kept.commit();
    let mut given_up = outbox.savepoint();
    log.on_all(&mut given_up, "given up");
    given_up.after_rollback("fails", || Err("no".into()));
    log.on_rollback(&mut given_up, "also");
    assert!(log.take().is_empty());
    let rolled_back = given_up.rollback();
    assert_eq!(labels(&rolled_back.failed), ["fails"]);
    assert_eq!(log.take(), ["also", "given up"]);
    log.on_all(&mut outbox, "last");
    // The last registered first, whatever part they came from.
    assert!(outbox.commit()?.is_complete());
    let expected = ["before", "after"]
        .map(|when| ["first", "kept", "last"].map(|who| format!("{when} {who}")));
    assert_eq!(log.take(), expected.concat());
    Ok(())
}

#[test]
fn d8_the_outbox_rolls_back_what_its_savepoints_kept() -> Done {
    let bus = Bus::new();
    let log = Log::default();
    let mut outbox = bus.outbox();
    log.on_all(&mut outbox, "first");
    let mut kept = outbox.savepoint();
    let mut deeper = kept.savepoint();
    log.on_all(&mut deeper, "kept");
    deeper.emit("a", 1)?;
    deeper.commit();
    kept.commit();
    log.on_all(&mut outbox, "last");
    assert_eq!(outbox.rollback().discarded, 1);
    assert_eq!(log.take(), ["last", "kept", "first"]);
    Ok(())
}

#[test]
fn d8_another_outbox_in_its_place_goes_with_the_savepoint() -> Done {
    let bus = Bus::new();
    let log = Log::default();
    let mut outbox = bus.outbox();
    outbox.emit("a", 1)?;
    outbox.emit("a", 2)?;
    let mut other = bus.outbox();
    other.emit("b", 10)?;
    other.emit("b", 11)?;
    other.emit("b", 12)?;
    log.on_all(&mut other, "other");

    let mut part = outbox.savepoint();
    part.emit("a", 3)?;
    let taken = std::mem::replace(&mut *part, other);
    part.emit("b", 13)?;
    assert!(format!("{part:?}").contains("len: 4"));
    assert_eq!(part.rollback().discarded, 4);
    assert_eq!(log.take(), ["other"]);
    // What was taken out is whole, and its owner's.
    assert_eq!(payloads_of(taken.events()), [1, 2, 3]);
    assert!(outbox.is_empty());
    outbox.emit("c", 20)?;
    let sub = bus.subscribe("**")?;
    assert!(outbox.commit()?.is_complete());
    assert!(taken.commit()?.is_complete());
    assert_eq!(payloads(&sub), [20, 1, 2, 3]);

    // Kept, it is there as it was put there; and put back, the savepoint knows its own.
    let mut outbox = bus.outbox();
    outbox.emit("a", 1)?;
    let mut part = outbox.savepoint();
    part.emit("a", 2)?;
    let mut taken = std::mem::replace(&mut *part, bus.outbox());
    part.emit("b", 10)?;
    std::mem::swap(&mut *part, &mut taken);
    assert_eq!(payloads_of(part.events()), [1, 2]);
    drop(part);
    assert_eq!(payloads_of(outbox.events()), [1]);
    let mut part = outbox.savepoint();
    let first = std::mem::replace(&mut *part, taken);
    part.commit();
    assert_eq!(payloads_of(outbox.events()), [10]);
    assert_eq!(payloads_of(first.events()), [1]);
    Ok(())
}

#[test]
fn d8_a_savepoint_that_is_forgotten_keeps_its_part() -> Done {
    let bus = Bus::new();
    let mut outbox = bus.outbox();
    let mut part = outbox.savepoint();
    part.emit("a", 1)?;
    std::mem::forget(part);
    assert_eq!(outbox.commit()?.events, 1);
    Ok(())
}

#[test]
fn d8_a_savepoint_outlives_a_bus_that_closes() -> Done {
    let bus = Bus::new();
    let log = Log::default();
    let mut outbox = bus.outbox();
    outbox.emit("a", 1)?;
    let mut part = outbox.savepoint();
    part.emit("a", 2)?;
    log.on_rollback(&mut part, "part");
    bus.close();
    assert_eq!(part.rollback().discarded, 1);
    assert_eq!(log.take(), ["part"]);
    assert_eq!(
        payloads_of(&outbox.commit().unwrap_err().into_events()),
        [1]
    );
    Ok(())
}
