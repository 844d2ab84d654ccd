//! A network that fails: what goes between a bridge and its server goes by here, and can be held up or cut.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use crate::support::Server;

#[derive(Default)]
struct State {
    held: Mutex<bool>,
    changed: Condvar,
    streams: Mutex<Vec<TcpStream>>,
    passed: AtomicUsize,
}

impl State {
    fn wait(&self) {
        let mut held = self.held.lock().unwrap();
        while *held {
            held = self.changed.wait(held).unwrap();
        }
    }
}

pub(crate) struct Relay {
    port: u16,
    state: Arc<State>,
}

impl Relay {
    pub(crate) fn start(server: &Server) -> Self {
        let to = SocketAddr::from(([127, 0, 0, 1], server.port()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        let ours = Arc::clone(&state);
        // It ends with the process, as nobody can wake it.
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(to) else {
                    continue;
                };
                let mut streams = ours.streams.lock().unwrap();
                for (from, to) in [(&near, &far), (&far, &near)] {
                    streams.push(from.try_clone().unwrap());
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let state = Arc::clone(&ours);
                    thread::spawn(move || pass(from, to, &state));
                }
            }
        });
        Relay { port, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Nothing gets through, either way; nobody is told.
    pub(crate) fn hold(&self) {
        *self.state.held.lock().unwrap() = true;
    }

    pub(crate) fn release(&self) {
        *self.state.held.lock().unwrap() = false;
        self.state.changed.notify_all();
    }

    /// So many bytes got through, both ways.
    pub(crate) fn passed(&self) -> usize {
        self.state.passed.load(Ordering::Relaxed)
    }

    /// Ends all connections. What was held up is lost.
    pub(crate) fn cut(&self) {
        for stream in self.state.streams.lock().unwrap().drain(..) {
            // It may be gone already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.cut();
        self.release();
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, state: &State) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        state.wait();
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
        state.passed.fetch_add(count, Ordering::Relaxed);
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
