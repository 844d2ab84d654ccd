//! Orders whose effects are collected while they are placed, tried, and then done as one.
//!
//! ```text
//! cargo run --release --example orders
//! ```
//!
//! An order reserves stock, mails the buyer, and is announced on a live bus. None of that happens while it is placed:
//! each part publishes to a bus of its own, and whoever owns the whole applies it. So it can be tried first, refused
//! without a trace, and, if it fails in the middle, undone by what is known to have been done.

#![allow(
    clippy::print_stdout,
    reason = "an example talks to the person who runs it"
)]

mod shop;

use std::error::Error;

use chanbus::{Commit, DeferredBus, MultiBus, Publish};

use self::shop::{Line, Order, Shop};

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let shop = Shop::open([("violin", 3), ("bow", 5), ("piano", 0)]);
    let announced = shop.bus.subscribe("order.*")?;
    let ann = Order::new("ann", [("violin", 1), ("bow", 2)]);

    println!("1. A dry run: everything is checked, nothing is done.");
    let tried = shop.place(&ann, None, Commit::DryRun)?;
    println!("   {tried} effects would run; {shop}");
    agree("after the dry run", shop.state(), ([3, 5, 0], 0))?;

    println!("2. The same for real.");
    shop.place(&ann, None, Commit::Real)?;
    println!("   {shop}");
    agree("after the order", shop.state(), ([2, 3, 0], 1))?;

    println!("3. An order that cannot be: a dry run says so, and nothing was done.");
    let bob = Order::new("bob", [("violin", 1), ("piano", 1), ("bow", 1)]);
    match shop.place(&bob, None, Commit::DryRun) {
        Ok(_) => return Err("there is no piano, and yet it was promised".into()),
        Err(error) => println!("   refused: {error}"),
    }
    agree("after the refusal", shop.state(), ([2, 3, 0], 1))?;

    println!(
        "4. A failure in the middle: the stock is reserved, and then the mail does not go out."
    );
    shop.mail_server(false)?;
    let eve = Order::new("eve", [("violin", 1), ("bow", 1)]);
    let multi = MultiBus::new();
    let parts = shop.wrap(&multi.orchestrator());
    parts.publish(&eve)?;
    let Err(error) = multi.apply(Commit::Real) else {
        return Err("the mail server is down, and yet the mail went out".into());
    };
    println!("   {error}");
    let done: Vec<Line> = error
        .applied
        .events_of(&parts.stock)
        .into_iter()
        .cloned()
        .collect();
    let labels: Vec<&str> = error
        .applied
        .iter()
        .filter_map(|event| event.label())
        .collect();
    println!("   done: {}; {shop}", labels.join(", "));
    println!(
        "   not done: {} effects, with the one that failed",
        error.remaining.len() + 1
    );
    agree("in the middle", shop.state(), ([1, 2, 0], 1))?;

    println!("   Outcome one: undo what was done.");
    parts.stock.publish_all(done.iter().map(Line::undone))?;
    multi.apply(Commit::Real)?;
    println!("   {shop}");
    agree("after undoing", shop.state(), ([2, 3, 0], 1))?;

    println!("   Outcome two: the same failure once more, then go on with what is left to do.");
    parts.publish(&eve)?;
    let Err(error) = multi.apply(Commit::Real) else {
        return Err("the mail server is down, and yet the mail went out".into());
    };
    shop.mail_server(true)?;
    multi.publish_all(error.into_unapplied())?;
    println!(
        "   {} more effects; {shop}",
        multi.apply(Commit::Real)?.len()
    );
    agree("after going on", shop.state(), ([1, 2, 0], 2))?;

    println!(
        "5. Three orders as one; the one that is refused as it is placed takes only itself along."
    );
    let multi = MultiBus::new();
    let owner = multi.orchestrator();
    for order in [
        Order::new("dan", [("bow", 1)]),
        Order::new("", [("bow", 1)]),
        Order::new("fay", [("bow", 1)]),
    ] {
        match shop.place(&order, Some(&owner), Commit::default()) {
            Ok(_) => println!("   placed: {order}"),
            Err(error) => println!("   refused: {order}: {error}"),
        }
    }
    agree("before the owner applies", shop.state(), ([1, 2, 0], 2))?;
    println!("   {} effects; {shop}", multi.apply(Commit::Real)?.len());
    agree("after all", shop.state(), ([1, 0, 0], 4))?;

    let names: Vec<String> = announced
        .try_iter()
        .map(|event| event.payload().clone())
        .collect();
    println!("On the bus: {}.", names.join(", "));
    agree(
        "announced",
        names,
        ["ann", "eve", "dan", "fay"].map(String::from).to_vec(),
    )
}

/// Ends the program with an error unless both are the same.
fn agree<V: PartialEq<W> + std::fmt::Debug, W: std::fmt::Debug>(
    when: &str,
    is: V,
    should: W,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    if is != should {
        return Err(format!("{when}: {is:?}, but it should be {should:?}").into());
    }
    Ok(())
}
