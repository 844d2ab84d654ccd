//! A codec that fails costs the event at hand, and nothing more.

use std::error::Error;
use std::fmt;

use chanbus::{BoxError, Bridge, BridgeEvent, BridgeState, Codec, Event, JetStream, Topic};

use crate::directory::Directory;
use crate::plain_client::PlainClient;
use crate::support::{HANG, Server, alone, bus, connected, installed, until};

/// Texts as they are, with words that it stumbles over.
struct Words;

impl Codec<String> for Words {
    fn encode(&self, event: &Event<String>, out: &mut Vec<u8>) -> Result<(), BoxError> {
        out.extend_from_slice(event.payload().as_bytes());
        match event.payload().as_str() {
            "error" => Err("I cannot write that".into()),
            "panic" => panic!("I cannot even try"),
            _ => Ok(()),
        }
    }

    fn decode(&self, _: &Topic, bytes: &[u8]) -> Result<String, BoxError> {
        match bytes {
            b"bad" => Err("I cannot read that".into()),
            b"worse" => panic!("I cannot even look"),
            _ => Ok(std::str::from_utf8(bytes)?.to_owned()),
        }
    }

    fn content_type(&self) -> Option<&str> {
        Some("text/plain")
    }
}

#[test]
fn a_codec_that_fails_or_panics_costs_that_event_which_is_counted_and_reported() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    let (near, far) = (bus::<String>(), bus::<String>());
    let export = connected(Bridge::builder(&near).export("n").codec(Words), &server);
    let import = connected(Bridge::builder(&far).import("n").codec(Words), &server);
    let sub = far.subscribe_all().unwrap();
    let refused = export.states().subscribe("event.refused").unwrap();
    let undecodable = import.states().subscribe("message.undecodable").unwrap();
    let mut client = PlainClient::connect(&server);
    client.subscribe("n");
    for (text, why) in [("error", "cannot write"), ("panic", "cannot even try")] {
        near.emit("n", text.to_owned()).unwrap();
        let report = refused.recv_timeout(HANG).unwrap();
        let said = report.payload().to_string();
        assert!(matches!(report.payload(), BridgeEvent::Refused { topic, .. } if topic == "n"));
        assert!(said.contains(why), "{said}");
    }
    for (text, why) in [("bad", "cannot read"), ("worse", "cannot even look")] {
        near.emit("n", text.to_owned()).unwrap();
        let report = undecodable.recv_timeout(HANG).unwrap();
        let said = report.payload().to_string();
        assert!(said.contains("\"n\"") && said.contains(why), "{said}");
    }
    near.emit("n", "good".to_owned()).unwrap();
    assert_eq!(sub.recv_timeout(HANG).unwrap().payload(), "good");
    until("all is counted", || import.stats().import.received == 3);
    let import = import.stats().import;
    assert_eq!(
        (import.imported, import.undecodable, import.missed),
        (1, 2, 0)
    );
    let export = export.stats().export;
    assert_eq!((export.matched, export.refused, export.sent), (5, 2, 3));
    let sent = [client.next(), client.next(), client.next()];
    assert_eq!(
        sent.each_ref().map(|it| it.text()),
        ["bad", "worse", "good"]
    );
    assert_eq!(sent[2].header("Content-Type"), Some("text/plain"));
}

/// It says of its bytes what no header can carry, or nothing, in the worst way.
struct Odd(bool);

impl Codec<u64> for Odd {
    fn encode(&self, _: &Event<u64>, _: &mut Vec<u8>) -> Result<(), BoxError> {
        Ok(())
    }

    fn decode(&self, _: &Topic, _: &[u8]) -> Result<u64, BoxError> {
        Ok(0)
    }

    fn content_type(&self) -> Option<&str> {
        assert!(self.0, "there is no type");
        Some("a\r\nb")
    }
}

#[test]
fn a_content_type_that_is_none_costs_no_more_either() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let server = Server::start().unwrap();
    for (says, why) in [(true, "header"), (false, "there is no type")] {
        let bus = bus::<u64>();
        let builder = Bridge::builder(&bus).export("n").codec(Odd(says));
        let bridge = connected(builder, &server);
        let refused = bridge.states().subscribe("event.refused").unwrap();
        for _ in 0..2 {
            bus.emit("n", 1).unwrap();
            let said = refused.recv_timeout(HANG).unwrap().payload().to_string();
            assert!(said.contains(why), "{said}");
        }
        assert!(bridge.state().is_connected());
    }
}

/// An error that panics when it is asked what it is, or when it is let go of.
#[derive(Debug)]
enum Worse {
    Said,
    Dropped,
}

impl fmt::Display for Worse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Worse::Said => panic!("I cannot say that"),
            Worse::Dropped => f.write_str("a word"),
        }
    }
}

impl Error for Worse {}

impl Drop for Worse {
    fn drop(&mut self) {
        if matches!(self, Worse::Dropped) {
            panic!("I cannot let go");
        }
    }
}

struct Errors;

fn fail(number: u64) -> Result<u64, BoxError> {
    match number {
        1 => Err(Worse::Said.into()),
        2 => Err(Worse::Dropped.into()),
        number => Ok(number),
    }
}

impl Codec<u64> for Errors {
    fn encode(&self, event: &Event<u64>, out: &mut Vec<u8>) -> Result<(), BoxError> {
        out.extend(fail(*event.payload())?.to_string().bytes());
        Ok(())
    }

    fn decode(&self, _: &Topic, bytes: &[u8]) -> Result<u64, BoxError> {
        fail(std::str::from_utf8(bytes)?.parse()?)
    }
}

#[test]
fn an_error_of_a_codec_that_panics_itself_costs_no_more_than_its_event() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let server = Server::start_with_jetstream(directory.path()).unwrap();
    for stream in [false, true] {
        let bus = bus::<u64>();
        let builder = Bridge::builder(&bus).export("out.*").import("in.*");
        let mut builder = builder.codec(Errors).name("one");
        if stream {
            builder = builder.jetstream(JetStream::stream("N"));
        }
        let bridge = connected(builder, &server);
        let mut client = PlainClient::connect(&server);
        for number in [1, 2, 3] {
            bus.emit("out.a", number).unwrap();
            client.publish("in.a", number.to_string());
        }
        until("the good ones came through", || {
            let stats = bridge.stats();
            stats.export.confirmed == 1 && stats.import.imported == 1
        });
        let stats = bridge.stats();
        assert_eq!((stats.export.refused, stats.import.undecodable), (2, 2));
        assert_eq!(bridge.state(), BridgeState::Connected);
    }
}
