//! A NATS server of one's own: started on a free port, killed the hard way, started again.

use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Far more than a server takes to start, on the busiest machine.
const STARTED_WITHIN: Duration = Duration::from_secs(30);

/// A server that ends with this value.
pub(crate) struct Server {
    child: Child,
    port: u16,
    arguments: Vec<String>,
}

/// Where the server's program is, if it is installed. Debian has it where only root looks.
pub(crate) fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/bin".into()])
        .map(|place| place.join("nats-server"))
        .find(|program| program.is_file())
}

impl Server {
    /// Starts one that keeps nothing.
    #[allow(dead_code, reason = "tests want it")]
    pub(crate) fn start() -> io::Result<Self> {
        Self::start_with(&[])
    }

    /// Starts one with JetStream, which keeps its streams in that directory.
    pub(crate) fn start_with_jetstream(directory: &Path) -> io::Result<Self> {
        let directory = directory.to_string_lossy();
        Self::start_with(&["-js", "-sd", &directory])
    }

    /// Starts one with these arguments, on a port that is free.
    pub(crate) fn start_with(arguments: &[&str]) -> io::Result<Self> {
        let arguments: Vec<String> = arguments.iter().map(|&it| it.to_owned()).collect();
        loop {
            let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
            let child = spawn(port, &arguments)?;
            let mut server = Server {
                child,
                port,
                arguments: arguments.clone(),
            };
            match server.wait_started() {
                // Another program took the port in between: another port.
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                started => return started.map(|()| server),
            }
        }
    }

    #[allow(dead_code, reason = "tests ask for it")]
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Kills it as the system would: nothing is flushed, no client is told.
    pub(crate) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// Has it stand still, with all that it was sent unread, until it is killed.
    #[allow(
        dead_code,
        reason = "for the tests, which share this module with the example"
    )]
    pub(crate) fn freeze(&self) -> io::Result<()> {
        let stopped = Command::new("kill")
            .args(["-STOP", &self.child.id().to_string()])
            .status()?;
        if stopped.success() {
            return Ok(());
        }
        Err(io::Error::other("the server cannot be stopped"))
    }

    /// Starts it again, on the same port and with the same directory.
    pub(crate) fn restart(&mut self) -> io::Result<()> {
        self.child = spawn(self.port, &self.arguments)?;
        self.wait_started()
    }

    /// A server says who it is to each who comes.
    fn wait_started(&mut self) -> io::Result<()> {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let deadline = Instant::now() + STARTED_WITHIN;
        loop {
            if let Ok(mut stream) = TcpStream::connect(address) {
                stream.set_read_timeout(Some(Duration::from_secs(1)))?;
                let mut said = [0; 4];
                if stream.read_exact(&mut said).is_ok() && said == *b"INFO" {
                    return Ok(());
                }
            }
            if let Some(status) = self.child.try_wait()? {
                let text = format!("the server ended as it started: {status}");
                return Err(io::Error::new(ErrorKind::AddrInUse, text));
            }
            if Instant::now() > deadline {
                return Err(io::Error::new(
                    ErrorKind::TimedOut,
                    "the server does not answer",
                ));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn spawn(port: u16, arguments: &[String]) -> io::Result<Child> {
    let Some(program) = program() else {
        let text =
            "there is no `nats-server`: install it (on Debian, `apt-get install nats-server`)";
        return Err(io::Error::new(ErrorKind::NotFound, text));
    };
    Command::new(program)
        .args(["-a", "127.0.0.1", "-p", &port.to_string()])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may be dead already.
        let _ = self.kill();
    }
}
