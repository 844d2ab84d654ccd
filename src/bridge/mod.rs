//! Events to and from other processes, by a NATS server.
//!
//! So far what they look like there: topics as subjects, payloads as bytes, and the rest as headers.
#![allow(dead_code, reason = "some of it is for the bridge itself")]

mod codec;
mod envelope;
mod subject;

pub use codec::{Codec, Json};
pub use envelope::{Envelope, EnvelopeError, EnvelopeErrorKind};
pub use subject::{Escape, SubjectError, SubjectFilter, SubjectMapping};
