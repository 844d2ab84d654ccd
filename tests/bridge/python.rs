//! `foreign.py`, as a child that is told what to do line by line.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::Value;

use crate::support::{HANG, Server};

/// The interpreter that has `nats-py`; if none is named, that is said, and an error where it is required.
#[allow(clippy::print_stderr, reason = "a test says that it was skipped")]
pub(crate) fn interpreter() -> Option<String> {
    let python = std::env::var("CHANBUS_NATS_PYTHON").ok();
    if python.is_none() {
        assert_ne!(
            std::env::var("CHANBUS_NATS").as_deref(),
            Ok("required"),
            "`CHANBUS_NATS_PYTHON` is to name a python that has `nats-py`"
        );
        eprintln!("skipped: `CHANBUS_NATS_PYTHON` names no python that has `nats-py`");
    }
    python
}

pub(crate) struct Python {
    child: Child,
    orders: ChildStdin,
    answers: Receiver<Value>,
}

impl Python {
    /// Connected to that server.
    pub(crate) fn start(interpreter: &str, server: &Server) -> Self {
        let mut child = Command::new(interpreter)
            .arg(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/tests/bridge/foreign.py"
            ))
            .arg(server.url())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let orders = child.stdin.take().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, answers) = channel();
        // Reading from a pipe knows no deadline; receiving does. It ends with the child.
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let answer = serde_json::from_str(&line).unwrap();
                if sender.send(answer).is_err() {
                    return;
                }
            }
        });
        let python = Python {
            child,
            orders,
            answers,
        };
        assert_eq!(python.answer()["done"], "connect");
        python
    }

    /// The next line that it says. When it has died, what it said of that stands on standard error.
    pub(crate) fn answer(&self) -> Value {
        self.answers.recv_timeout(HANG).unwrap()
    }

    /// The next message that came to it.
    pub(crate) fn message(&self) -> Value {
        let mut answer = self.answer();
        assert!(answer["message"].is_object(), "{answer}");
        answer["message"].take()
    }

    /// What it says when the order is carried out, and the messages that came meanwhile.
    pub(crate) fn order(&mut self, order: &Value) -> (Value, Vec<Value>) {
        writeln!(self.orders, "{order}").unwrap();
        let mut messages = Vec::new();
        loop {
            let mut answer = self.answer();
            if answer["done"].is_string() {
                return (answer, messages);
            }
            messages.push(answer["message"].take());
        }
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
