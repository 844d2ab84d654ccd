//! What the client says of its connection, as a value that the bridge's parts wait on.

use std::future::{Ready, ready};

use async_nats::{ClientError, ConnectOptions, Event, ServerError};
use tokio::sync::watch;

use super::link::Link;
use crate::sync::{Arc, Mutex};

/// The connection, as the client reported it last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Wire {
    /// How many connections there have been.
    pub(super) connects: u64,
    pub(super) up: bool,
}

/// Has the client's events told to the parts, and its complaints to the owner.
pub(super) fn watch_events(
    options: ConnectOptions,
    link: Arc<Link>,
) -> (ConnectOptions, watch::Receiver<Wire>) {
    let (wire, parts) = watch::channel(Wire::default());
    // A client that cannot connect says so at every attempt; once is enough.
    let said = Mutex::new(String::new());
    let options = options.event_callback(move |event| {
        let reason = match event {
            Event::Connected => {
                said.lock().clear();
                wire.send_modify(|wire| {
                    wire.connects += 1;
                    wire.up = true;
                });
                None
            }
            Event::Disconnected | Event::Closed => {
                wire.send_modify(|wire| wire.up = false);
                None
            }
            Event::ServerError(error) => {
                if is_denied(&error) {
                    link.deny();
                }
                Some(error.to_string())
            }
            Event::ClientError(ClientError::Other(reason)) => {
                let hint = hint(&reason);
                Some(format!("no connection to a server: {reason}{hint}"))
            }
            Event::SlowConsumer(_) => Some(
                "messages come faster than they can be imported, and were dropped by the client"
                    .to_owned(),
            ),
            Event::LameDuckMode | Event::Draining | Event::ClientError(_) => None,
        };
        if let Some(reason) = reason {
            let news = {
                let mut said = said.lock();
                let news = *said != reason;
                said.clone_from(&reason);
                news
            };
            if news {
                link.trouble(reason);
            }
        }
        done()
    });
    (options, parts)
}

/// Whether the server did not let the user send an event. It says so before it answers what was sent later.
fn is_denied(error: &ServerError) -> bool {
    const DENIED: &str = "permissions violation for publish";
    matches!(error, ServerError::Other(text)
        if text.get(..DENIED.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(DENIED))
            // What a bridge says to others, and it is no event.
            && !text.contains("\"_CHANBUS."))
}

/// The client names the kind of its error only, not what to look at.
fn hint(reason: &str) -> &'static str {
    match reason {
        "IO error" => {
            "; nobody listens at the address, the way there is closed, or one side wants TLS and the other does not"
        }
        "DNS error" => "; a host in BridgeBuilder::servers is not known here",
        "authorization violation" => {
            "; the server wants another user, password, token, nkey or file of credentials"
        }
        _ => "",
    }
}

fn done() -> Ready<()> {
    ready(())
}
