//! A user service whose parts talk by types: no topic is written twice, and nothing is cast but by the
//! auditor, which watches everything.
//!
//! ```text
//! cargo run --example typed
//! ```
//!
//! The service emits what it did. A mailer greets who is new; a directory keeps names; an auditor
//! subscribes to `user.**` on the bus below and downcasts. At the end their books must agree.

#![allow(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

use std::collections::BTreeMap;
use std::error::Error;
use std::thread;

use chanbus::{
    AnyPayload, BatchError, EmitError, Subscription, Typed, TypedBus, TypedSubscription,
};

struct UserCreated {
    id: u32,
    name: String,
}

struct UserRenamed {
    id: u32,
    name: String,
}

struct UserDeleted {
    id: u32,
}

impl Typed for UserCreated {
    const TOPIC: &'static str = "user.created";
}

impl Typed for UserRenamed {
    const TOPIC: &'static str = "user.renamed";
}

impl Typed for UserDeleted {
    const TOPIC: &'static str = "user.deleted";
}

/// What emits: it knows types, and nobody who listens.
struct Users {
    bus: TypedBus,
    next: u32,
}

impl Users {
    fn create(&mut self, name: &str) -> Result<u32, EmitError<UserCreated>> {
        self.next += 1;
        let (id, name) = (self.next, name.to_owned());
        // With metadata, where that is of use.
        self.bus
            .event(UserCreated { id, name })
            .source("sign-up form")
            .metadata("trace", i64::from(id))
            .emit()?;
        Ok(id)
    }

    fn rename(&self, id: u32, name: &str) -> Result<(), EmitError<UserRenamed>> {
        let name = name.to_owned();
        self.bus.emit(UserRenamed { id, name }).map(drop)
    }

    /// All or none: one name goes over from one user to another.
    fn merge(&self, gone: u32, id: u32, name: &str) -> Result<(), chanbus::Error> {
        self.bus.batch(|batch| {
            batch.emit(UserDeleted { id: gone })?;
            if gone == id {
                return Err(BatchError::Refused("a user cannot be merged with itself"));
            }
            let name = name.to_owned();
            batch.emit(UserRenamed { id, name })?;
            Ok(())
        })?;
        Ok(())
    }
}

/// Greets who is new: one type, and its fields at hand.
fn mailer(created: &TypedSubscription<UserCreated>) -> Vec<String> {
    let mut sent = Vec::new();
    for user in created {
        let source = user.as_event().source_or_unknown();
        sent.push(format!("Welcome, {} (by {source})", user.name));
    }
    sent
}

/// Who there is by now, from everything that was said of users, in order.
fn auditor(users: &Subscription<AnyPayload>) -> (BTreeMap<u32, String>, u32) {
    let (mut names, mut strange) = (BTreeMap::new(), 0);
    for event in users {
        let payload = event.payload();
        if let Some(UserCreated { id, name }) = payload.downcast_ref() {
            names.insert(*id, name.clone());
        } else if let Some(UserRenamed { id, name }) = payload.downcast_ref() {
            names.insert(*id, name.clone());
        } else if let Some(UserDeleted { id }) = payload.downcast_ref() {
            names.remove(id);
        } else {
            println!("audit: {} carries a {}", event.topic(), payload.type_name());
            strange += 1;
        }
    }
    (names, strange)
}

fn main() -> Result<(), Box<dyn Error>> {
    let bus = TypedBus::new();
    let created = bus.subscribe::<UserCreated>()?;
    let short = bus
        .subscription::<UserRenamed>()
        .filter(|user| user.name.len() <= 3)
        .subscribe()?;
    let everything = bus.bus().subscribe("user.**")?;

    let mailer = thread::spawn(move || {
        let sent = mailer(&created);
        (sent, created.filtered())
    });
    let auditor = thread::spawn(move || auditor(&everything));

    let mut users = Users {
        bus: bus.clone(),
        next: 0,
    };
    let ann = users.create("Ann")?;
    let bob = users.create("Robert")?;
    let eve = users.create("Eve")?;
    users.rename(bob, "Bob")?;
    users.rename(eve, "Evelyn")?;
    assert!(
        users.merge(ann, ann, "Ann").is_err(),
        "and nothing was emitted"
    );
    users.merge(eve, ann, "Ann-Eve")?;

    // Somebody who knows the topic and not the type. Only those who downcast ever see it.
    let stray = bus.bus().emit("user.created", AnyPayload::new("Mallory"))?;
    assert_eq!((stray.delivered, stray.filtered), (1, 1));

    drop((users, bus));
    let (sent, filtered) = mailer.join().map_err(|_| "the mailer panicked")?;
    let (names, strange) = auditor.join().map_err(|_| "the auditor panicked")?;
    for mail in &sent {
        println!("mail: {mail}");
    }
    println!("users: {names:?}");

    assert_eq!(sent.len(), 3);
    assert!(sent[1] == "Welcome, Robert (by sign-up form)");
    assert_eq!((filtered, strange), (1, 1), "the stray one, on both sides");
    let expected = [(ann, "Ann-Eve".to_owned()), (bob, "Bob".to_owned())];
    assert_eq!(names, BTreeMap::from(expected));
    let short: Vec<String> = short.iter().map(|user| user.name.clone()).collect();
    assert_eq!(short, ["Bob"]);
    Ok(())
}
