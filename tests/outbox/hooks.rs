//! What runs before a commit, after it, and after a rollback; and what of it fails.

use std::sync::{Arc, Mutex};

use chanbus::{Bus, CommitError, HookPlace, Outbox, PanicPlace};

use crate::common::OnDrop;
use crate::{Done, Log, labels, let_go, panics, payloads, payloads_of, silent_panic};

/// Two hooks after a rollback that fail, between three that do not.
fn fragile(outbox: &mut Outbox<u32>, log: &Log) {
    log.on_rollback(outbox, "first");
    let fails = log.clone();
    outbox.after_rollback("fails", move || {
        fails.add("fails");
        Err("no".into())
    });
    log.on_rollback(outbox, "second");
    let bursts = log.clone();
    outbox.after_rollback("bursts", move || {
        bursts.add("bursts");
        silent_panic()
    });
    log.on_rollback(outbox, "third");
}

/// The last one first.
const ALL_OF_FRAGILE: [&str; 5] = ["third", "bursts", "second", "fails", "first"];

#[test]
fn d8_hooks_run_in_order_around_a_commit_and_no_other_does() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe("**")?;
    let log = Log::default();
    let mut outbox = bus.outbox();
    for name in ["one", "two"] {
        log.on_all(&mut outbox, name);
    }
    let (before, after) = (log.clone(), log.clone());
    let [ahead, behind] = [sub.share(), sub.share()];
    outbox.before_commit("looks", move |_| {
        before.add(format!("{} queued", ahead.len()));
        Ok(())
    });
    outbox.after_commit("looks", move |committed| {
        let delivered = committed.emitted.delivered;
        after.add(format!("{} queued of {delivered}", behind.len()));
        Ok(())
    });
    outbox.emit("a", 1)?;
    outbox.emit("a", 2)?;
    assert!(outbox.commit()?.is_complete());
    let all = ["before one", "before two", "0 queued"];
    let rest = ["after one", "after two", "2 queued of 2"];
    assert_eq!(log.take(), [all, rest].concat());
    Ok(())
}

#[test]
fn d8_a_hook_before_the_commit_may_refuse_the_whole() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe("**")?;
    for bursts in [false, true] {
        let log = Log::default();
        let mut outbox = bus.outbox();
        outbox.emit("a", 1)?;
        log.on_all(&mut outbox, "one");
        fragile(&mut outbox, &log);
        outbox.before_commit("stock", move |_| match bursts {
            true => silent_panic(),
            false => Err("out of stock".into()),
        });
        log.on_all(&mut outbox, "two");
        outbox.emit("a", 2)?;
        let error = outbox.commit().unwrap_err();
        assert!(error.is_refused() && !error.is_closed());
        assert_eq!(labels(error.failed()), ["bursts", "fails"]);
        let CommitError::Refused { hook, events, .. } = error else {
            panic!("another error");
        };
        assert_eq!((hook.label(), hook.is_panic()), ("stock", bursts));
        assert_eq!(hook.place(), HookPlace::BeforeCommit);
        let said = if bursts {
            "panicked: oh"
        } else {
            "failed: out of stock"
        };
        assert_eq!(
            hook.to_string(),
            format!("the before-commit hook `stock` {said}")
        );
        assert_eq!(payloads_of(&events), [1, 2]);
        // The later one was not asked, none ran after a commit, and each of the rest once.
        let ran = [&["before one", "two"][..], &ALL_OF_FRAGILE, &["one"]];
        assert_eq!(log.take(), ran.concat());
    }
    assert_eq!((sub.matched(), bus.stats().emitted), (0, 0));
    Ok(())
}

#[test]
fn d8_a_hook_before_the_commit_may_add_events_and_hooks() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe("**")?;
    let log = Log::default();
    let mut outbox = bus.outbox();
    outbox.emit("a", 1)?;
    let (late, later) = (log.clone(), log.clone());
    outbox.before_commit("adds", move |outbox| {
        outbox.emit("sum", outbox.len() as u32 * 100)?;
        let mut part = outbox.savepoint();
        part.emit("never", 7)?;
        drop(part);
        log.on_all(outbox, "added");
        outbox.before_commit("once more", |outbox| Ok(outbox.emit("last", 3)?));
        Ok(())
    });
    outbox.before_commit("looks", move |outbox| {
        late.add(format!("{:?}", payloads_of(outbox.events())));
        Ok(())
    });
    let committed = outbox.commit()?;
    assert_eq!((committed.events, committed.failed.len()), (3, 0));
    assert_eq!(payloads(&sub), [1, 100, 3]);
    assert_eq!(later.take(), ["[1, 100]", "before added", "after added"]);
    Ok(())
}

#[test]
fn d8_what_a_refusing_hook_left_half_done_is_discarded() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe("**")?;
    let log = Log::default();
    let mut outbox = bus.outbox();
    outbox.emit("a", 1)?;
    outbox.before_commit("adds", |outbox| Ok(outbox.emit("a", 2)?));
    let inner = log.clone();
    outbox.before_commit("refuses", move |outbox| {
        outbox.emit("a", 3)?;
        inner.on_all(outbox, "half done");
        let mut part = outbox.savepoint();
        part.emit("a", 4)?;
        part.commit();
        Err("no".into())
    });
    log.on_rollback(&mut outbox, "registered before");
    let error = outbox.commit().unwrap_err();
    assert_eq!(payloads_of(error.events()), [1, 2]);
    assert_eq!(log.take(), ["half done", "registered before"]);
    assert!(sub.is_empty());
    Ok(())
}

#[test]
fn d8_a_hook_that_fails_after_the_commit_is_reported_and_undoes_nothing() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe("**")?;
    let log = Log::default();
    let mut outbox = bus.outbox();
    outbox.emit("a", 1)?;
    log.on_all(&mut outbox, "one");
    outbox.after_commit("fails", |_| Err("no mail server".into()));
    outbox.after_commit("bursts", |_| silent_panic());
    let sees = log.clone();
    outbox.after_commit("sees", move |committed| {
        sees.add(labels(&committed.failed).join(" "));
        Ok(())
    });
    let committed = outbox.commit()?;
    assert_eq!(log.take(), ["before one", "after one", "fails bursts"]);
    assert_eq!(labels(&committed.failed), ["fails", "bursts"]);
    assert_eq!(
        committed.failed[0].to_string(),
        "the after-commit hook `fails` failed: no mail server"
    );
    assert!(committed.failed[1].is_panic());
    assert_eq!(committed.failed[1].place(), HookPlace::AfterCommit);
    // All was delivered, yet not all went well.
    assert!(committed.emitted.is_complete() && !committed.is_complete());
    assert_eq!(payloads(&sub), [1]);
    Ok(())
}

#[test]
fn d8_hooks_after_a_rollback_run_once_each_the_last_first_whichever_way_it_comes() -> Done {
    let bus = Bus::new();
    let log = Log::default();
    let filled = |bus: &Bus<u32>| {
        let mut outbox = bus.outbox();
        outbox.emit("a", 1).unwrap();
        outbox.after_commit("never", |_| unreachable!("nothing is committed"));
        fragile(&mut outbox, &log);
        outbox
    };
    let rolled_back = filled(&bus).rollback();
    assert_eq!(log.take(), ALL_OF_FRAGILE);
    assert_eq!(rolled_back.discarded, 1);
    assert_eq!(labels(&rolled_back.failed), ["bursts", "fails"]);
    assert_eq!(rolled_back.failed[1].place(), HookPlace::AfterRollback);

    drop(filled(&bus));
    assert_eq!(log.take(), ALL_OF_FRAGILE);

    assert!(panics(|| {
        let _outbox = filled(&bus);
        silent_panic();
    }));
    assert_eq!(log.take(), ALL_OF_FRAGILE);

    let mut outbox = filled(&bus);
    outbox.before_commit("no", |_| Err("no".into()));
    assert_eq!(
        labels(outbox.commit().unwrap_err().failed()),
        ["bursts", "fails"]
    );
    assert_eq!(log.take(), ALL_OF_FRAGILE);

    let mut outbox = bus.outbox();
    let mut part = outbox.savepoint();
    fragile(&mut part, &log);
    drop(part);
    assert_eq!(log.take(), ALL_OF_FRAGILE);
    drop(outbox);

    let outbox = filled(&bus);
    bus.close();
    assert_eq!(
        labels(outbox.commit().unwrap_err().failed()),
        ["bursts", "fails"]
    );
    assert_eq!(log.take(), ALL_OF_FRAGILE);
    Ok(())
}

#[test]
fn d8_where_nobody_hears_of_it_a_panic_goes_to_the_bus() -> Done {
    let places = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&places);
    let bus = Bus::builder()
        .on_panic(move |panic| {
            let said = panic.message().to_owned();
            told.lock().unwrap().push((panic.place(), said));
        })
        .build()?;
    let log = Log::default();
    let hook = (PanicPlace::Hook, "oh".to_owned());
    let heard = || std::mem::take(&mut *places.lock().unwrap());

    let mut outbox = bus.outbox();
    fragile(&mut outbox, &log);
    drop(outbox);
    assert_eq!(heard(), std::slice::from_ref(&hook));
    let mut outbox = bus.outbox();
    let mut part = outbox.savepoint();
    fragile(&mut part, &log);
    drop(part);
    assert_eq!(heard(), [hook]);
    // Where somebody does, it is told once.
    let mut part = outbox.savepoint();
    fragile(&mut part, &log);
    assert_eq!(part.rollback().failed.len(), 2);
    fragile(&mut outbox, &log);
    outbox.before_commit("bursts", |_| silent_panic());
    assert_eq!(outbox.commit().unwrap_err().failed().len(), 2);
    assert!(heard().is_empty());
    Ok(())
}

#[test]
fn d8_a_bus_that_is_closed_asks_no_hook_before_the_commit() -> Done {
    let bus = Bus::new();
    let log = Log::default();
    let mut outbox = bus.outbox();
    outbox.emit("a", 1)?;
    log.on_all(&mut outbox, "one");
    bus.close();
    let error = outbox.commit().unwrap_err();
    assert!(error.is_closed());
    assert_eq!(payloads_of(error.events()), [1]);
    assert_eq!(log.take(), ["one"]);
    Ok(())
}

#[test]
fn d8_a_bus_that_a_hook_closes_before_the_commit_hands_all_back() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe("**")?;
    let log = Log::default();
    let mut outbox = bus.outbox();
    outbox.emit("a", 1)?;
    log.on_all(&mut outbox, "one");
    let closes = bus.clone();
    outbox.before_commit("closes", move |outbox| {
        closes.close();
        Ok(outbox.emit("a", 2)?)
    });
    log.on_all(&mut outbox, "two");
    let error = outbox.commit().unwrap_err();
    assert!(error.is_closed());
    assert_eq!(payloads_of(error.events()), [1, 2]);
    assert_eq!(log.take(), ["before one", "two", "one"]);
    assert_eq!(sub.iter().count(), 0);
    Ok(())
}

#[test]
fn d8_a_bus_that_a_hook_closes_after_the_commit_has_its_events() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe("**")?;
    let log = Log::default();
    let mut outbox = bus.outbox();
    outbox.emit("a", 1)?;
    let closes = bus.clone();
    outbox.after_commit("closes", move |_| {
        closes.close();
        Ok(())
    });
    log.on_all(&mut outbox, "one");
    assert!(outbox.commit()?.is_complete());
    assert_eq!(log.take(), ["before one", "after one"]);
    assert_eq!(
        sub.iter().map(|event| *event.payload()).collect::<Vec<_>>(),
        [1]
    );
    Ok(())
}

#[test]
fn d8_hooks_that_will_not_run_are_dropped_before_those_that_do() -> Done {
    /// Three hooks, each of which says when it goes, and when it runs.
    fn filled(bus: &Bus<u32>, log: &Log) -> Outbox<u32> {
        let said = |what: &'static str| {
            let log = log.clone();
            OnDrop(move || log.add(format!("dropped {what}")))
        };
        let mut outbox = bus.outbox();
        log.on_all(&mut outbox, "ran");
        let [before, after, undo] = [said("before"), said("after"), said("undo")];
        outbox.before_commit("x", move |_| let_go(before));
        outbox.after_commit("x", move |_| let_go(after));
        outbox.after_rollback("x", move || let_go(undo));
        outbox
    }
    let bus = Bus::new();
    let log = Log::default();
    assert!(filled(&bus, &log).commit()?.is_complete());
    assert_eq!(
        log.take(),
        [
            "before ran",
            "dropped before",
            "dropped undo",
            "after ran",
            "dropped after"
        ]
    );
    assert!(filled(&bus, &log).rollback().failed.is_empty());
    let undone = ["dropped before", "dropped after", "dropped undo", "ran"];
    assert_eq!(log.take(), undone);
    drop(filled(&bus, &log));
    assert_eq!(log.take(), undone);
    Ok(())
}

#[test]
fn d8_a_hook_that_puts_another_outbox_in_place_commits_that() -> Done {
    let bus = Bus::new();
    let sub = bus.subscribe("**")?;
    for refuses in [false, true] {
        let mut other = bus.outbox();
        other.emit("other", 10)?;
        let mut outbox = bus.outbox();
        outbox.emit("a", 1)?;
        let log = Log::default();
        log.on_rollback(&mut outbox, "taken out");
        outbox.before_commit("swaps", move |outbox| {
            drop(std::mem::replace(outbox, other));
            if refuses { Err("no".into()) } else { Ok(()) }
        });
        match outbox.commit() {
            Ok(committed) => assert_eq!(committed.events, 1),
            Err(error) => assert!(error.is_refused() && error.events().is_empty()),
        }
        assert_eq!(log.take(), ["taken out"]);
    }
    assert_eq!(payloads(&sub), [10]);
    Ok(())
}
