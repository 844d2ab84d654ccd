//! A client that is not ours: the text protocol of NATS over a socket, and no more of it than tests need.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;

use crate::support::{HANG, Server};

/// A message as it came off the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) subject: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) payload: Vec<u8>,
}

impl Message {
    /// What that header says. Once, or it is none.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(it, _)| it == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert_eq!(found.next(), None, "{name} stands there twice");
        value
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.payload).unwrap()
    }
}

/// A connection.
pub(crate) struct PlainClient {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    subscriptions: usize,
    came: VecDeque<Message>,
}

impl PlainClient {
    pub(crate) fn connect(server: &Server) -> Self {
        Self::connect_as(server, "")
    }

    /// `identity` is what `CONNECT` says beside the rest: `"user":"..","pass":"..",`.
    pub(crate) fn connect_as(server: &Server, identity: &str) -> Self {
        let writer = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        writer.set_read_timeout(Some(HANG)).unwrap();
        writer.set_nodelay(true).unwrap();
        let mut client = PlainClient {
            reader: BufReader::new(writer.try_clone().unwrap()),
            writer,
            subscriptions: 0,
            came: VecDeque::new(),
        };
        client.write(
            format!(
                "CONNECT {{{identity}\"verbose\":false,\"headers\":true,\"lang\":\"test\"}}\r\n"
            )
            .as_bytes(),
        );
        client.settle();
        client
    }

    fn write(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).unwrap();
    }

    /// Waits until the server has done all that was asked of it.
    pub(crate) fn settle(&mut self) {
        self.write(b"PING\r\n");
        while !self.read().expect("the server answers") {}
    }

    pub(crate) fn subscribe(&mut self, subject: &str) {
        self.subscriptions += 1;
        let line = format!("SUB {subject} {}\r\n", self.subscriptions);
        self.write(line.as_bytes());
        self.settle();
    }

    pub(crate) fn publish(&mut self, subject: &str, payload: impl AsRef<[u8]>) {
        let payload = payload.as_ref();
        let mut bytes = format!("PUB {subject} {}\r\n", payload.len()).into_bytes();
        bytes.extend_from_slice(payload);
        bytes.extend_from_slice(b"\r\n");
        self.write(&bytes);
    }

    /// With headers, each a whole line: `Name: value`.
    pub(crate) fn publish_with(
        &mut self,
        subject: &str,
        headers: &[&str],
        payload: impl AsRef<[u8]>,
    ) {
        let mut block = b"NATS/1.0\r\n".to_vec();
        for header in headers {
            block.extend_from_slice(header.as_bytes());
            block.extend_from_slice(b"\r\n");
        }
        block.extend_from_slice(b"\r\n");
        self.publish_raw(subject.as_bytes(), &block, payload.as_ref());
    }

    /// With whatever bytes for headers, and for a subject.
    pub(crate) fn publish_raw(&mut self, subject: &[u8], headers: &[u8], payload: &[u8]) {
        let mut bytes = b"HPUB ".to_vec();
        bytes.extend_from_slice(subject);
        let total = headers.len() + payload.len();
        bytes.extend_from_slice(format!(" {} {total}\r\n", headers.len()).as_bytes());
        bytes.extend_from_slice(headers);
        bytes.extend_from_slice(payload);
        bytes.extend_from_slice(b"\r\n");
        self.write(&bytes);
    }

    /// The next message.
    pub(crate) fn next(&mut self) -> Message {
        loop {
            if let Some(message) = self.came.pop_front() {
                return message;
            }
            self.read().expect("a message comes");
        }
    }

    /// All that has come to the server so far.
    pub(crate) fn all(&mut self) -> Vec<Message> {
        self.settle();
        self.came.drain(..).collect()
    }

    /// Reads one thing that the server says; whether it was the answer to `settle`.
    fn read(&mut self) -> Option<bool> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) => return None,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return None;
            }
            Err(error) => panic!("{error}"),
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["PONG"] => return Some(true),
            ["PING"] => self.write(b"PONG\r\n"),
            ["MSG", subject, _, .., length] => {
                let payload = self.take(length.parse().unwrap());
                self.came.push_back(Message {
                    subject: (*subject).to_owned(),
                    headers: Vec::new(),
                    payload,
                });
            }
            ["HMSG", subject, _, .., head, total] => {
                let head: usize = head.parse().unwrap();
                let mut bytes = self.take(total.parse().unwrap());
                let payload = bytes.split_off(head);
                let text = String::from_utf8(bytes).unwrap();
                let headers = text.lines().skip(1).filter_map(|line| line.split_once(':'));
                self.came.push_back(Message {
                    subject: (*subject).to_owned(),
                    headers: headers
                        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                        .collect(),
                    payload,
                });
            }
            [] | ["INFO" | "+OK", ..] => {}
            _ => panic!("the server says {line:?}"),
        }
        Some(false)
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length + 2];
        self.reader.read_exact(&mut bytes).unwrap();
        bytes.truncate(length);
        bytes
    }
}
