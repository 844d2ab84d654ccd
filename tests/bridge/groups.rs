//! Queue groups: of several processes one gets each event.

use chanbus::{Bridge, Bus};

use crate::support::{Server, alone, bus, connected, installed, until};

const EVENTS: u64 = 3_000;

fn members(count: usize, server: &Server) -> Vec<(Bus<u64>, Bridge<u64>)> {
    let one = |_| {
        let bus = bus();
        let builder = Bridge::builder(&bus)
            .export("mine.*")
            .import(["n.*", "mine.*"]);
        let bridge = connected(builder.queue_group("workers"), server);
        (bus, bridge)
    };
    (0..count).map(one).collect()
}

#[test]
fn each_event_comes_to_one_of_the_group_and_to_each_outside_of_it() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let all = members(3, &server);
    let subs: Vec<_> = all
        .iter()
        .map(|(bus, _)| bus.subscribe_all().unwrap())
        .collect();
    let (other, far) = (bus::<u64>(), bus::<u64>());
    let other_group = Bridge::builder(&other).import("n.*").queue_group("others");
    let other_group = connected(other_group, &server);
    let alone = connected(Bridge::builder(&far).import("n.*"), &server);
    let near = bus::<u64>();
    let export = connected(Bridge::builder(&near).export("n.*"), &server);
    for n in 0..EVENTS {
        near.emit(["n.a", "n.b"][n as usize % 2], n).unwrap();
    }
    let imported = |bridge: &Bridge<u64>| bridge.stats().import.imported;
    until("all has come", || {
        let group: u64 = all.iter().map(|(_, bridge)| imported(bridge)).sum();
        group == EVENTS && imported(&other_group) == EVENTS && imported(&alone) == EVENTS
    });
    let came = |sub: &chanbus::Subscription<u64>| -> Vec<u64> {
        sub.try_iter().map(|event| *event.payload()).collect()
    };
    let parts: Vec<Vec<u64>> = subs.iter().map(came).collect();
    // The server gives by chance, and three thousand times not always to the same two.
    assert!(parts.iter().all(|part| !part.is_empty()));
    let mut whole: Vec<u64> = parts.concat();
    whole.sort_unstable();
    assert_eq!(whole, (0..EVENTS).collect::<Vec<_>>());
    until("all is confirmed", || {
        export.stats().export.confirmed == EVENTS
    });
    // What others of the group have is not missing.
    assert!(
        all.iter()
            .all(|(_, bridge)| bridge.stats().import.missed == 0)
    );
}

#[test]
fn a_member_that_is_given_its_own_event_keeps_it_to_itself() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let all = members(3, &server);
    for n in 0..EVENTS {
        all[0].0.emit("mine.a", n).unwrap();
    }
    let imports = || all.iter().map(|(_, bridge)| bridge.stats().import);
    until("all is given to somebody", || {
        imports().map(|it| it.imported + it.own).sum::<u64>() == EVENTS
    });
    let own: Vec<u64> = imports().map(|it| it.own).collect();
    assert!(own[0] > 0 && own[0] < EVENTS);
    assert_eq!(own[1..], [0, 0]);
    assert_eq!(all[0].1.stats().import.imported, 0);
}
