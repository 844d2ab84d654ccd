//! The shortest useful program: subscribe, emit, read.
//!
//! ```text
//! cargo run --example hello
//! ```

#![allow(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

use chanbus::Bus;

fn main() -> Result<(), chanbus::Error> {
    let bus = Bus::new();
    let greetings = bus.subscribe("greeting.*")?;

    bus.emit("greeting.casual", "hello")?;
    bus.emit("greeting.formal", "good evening")?;
    bus.emit("weather.rain", "not for this subscription")?;

    // The bus closes with its last handle; what is queued stays to be read, then the loop ends.
    drop(bus);
    for event in &greetings {
        println!("{}: {}", event.topic(), event.payload());
    }
    assert_eq!(greetings.received(), 2);
    Ok(())
}
