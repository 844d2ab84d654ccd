//! Which servers, and as whom: passed through to the client, and shown to nobody.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use async_nats::{Auth, ConnectOptions, ServerAddr};

use super::credentials::Signer;
use super::error::BridgeError;
use super::hush::identified;

const DEFAULT_SERVER: &str = "nats://127.0.0.1:4222";

#[derive(Clone, Default)]
enum Identity {
    #[default]
    Nobody,
    User {
        name: String,
        password: String,
    },
    Token(String),
    Nkey(String),
    File(PathBuf),
}

#[derive(Clone)]
pub(super) struct Access {
    servers: Vec<String>,
    identity: Identity,
    roots: Vec<PathBuf>,
    certificate: Option<(PathBuf, PathBuf)>,
    require_tls: bool,
    tls_first: bool,
    max_backoff: Duration,
}

impl Default for Access {
    fn default() -> Self {
        Access {
            servers: vec![DEFAULT_SERVER.to_owned()],
            identity: Identity::Nobody,
            roots: Vec::new(),
            certificate: None,
            require_tls: false,
            tls_first: false,
            max_backoff: Duration::from_secs(2),
        }
    }
}

impl Access {
    pub(super) fn servers(&mut self, servers: Vec<String>) {
        self.servers = servers;
    }

    pub(super) fn user(&mut self, name: String, password: String) {
        self.identity = Identity::User { name, password };
    }

    pub(super) fn token(&mut self, token: String) {
        self.identity = Identity::Token(token);
    }

    pub(super) fn nkey(&mut self, seed: String) {
        self.identity = Identity::Nkey(seed);
    }

    pub(super) fn file(&mut self, path: PathBuf) {
        self.identity = Identity::File(path);
    }

    pub(super) fn root(&mut self, path: PathBuf) {
        self.roots.push(path);
    }

    pub(super) fn certificate(&mut self, certificate: PathBuf, key: PathBuf) {
        self.certificate = Some((certificate, key));
    }

    pub(super) fn require_tls(&mut self) {
        self.require_tls = true;
    }

    pub(super) fn tls_first(&mut self) {
        self.tls_first = true;
    }

    pub(super) fn max_backoff(&mut self, most: Duration) {
        self.max_backoff = most;
    }

    /// The servers' addresses, without what they say of who is asking, and the client's options with it.
    pub(super) fn resolve(&self) -> Result<(Vec<ServerAddr>, ConnectOptions), BridgeError> {
        if self.servers.is_empty() {
            return Err(BridgeError::NoServers);
        }
        let mut identity = self.identity.clone();
        let mut addresses = Vec::with_capacity(self.servers.len());
        for server in &self.servers {
            let (address, inside) = parse(server)?;
            if let Some(inside) = inside
                && matches!(self.identity, Identity::Nobody)
            {
                match &identity {
                    Identity::Nobody => identity = inside,
                    known if !known.is(&inside) => return Err(BridgeError::TwoIdentities),
                    _ => {}
                }
            }
            addresses.push(address);
        }
        let options = identity.options()?;
        Ok((addresses, self.secure(options)))
    }

    fn secure(&self, mut options: ConnectOptions) -> ConnectOptions {
        for root in &self.roots {
            options = options.add_root_certificates(root.clone());
        }
        if let Some((certificate, key)) = &self.certificate {
            options = options.add_client_certificate(certificate.clone(), key.clone());
        }
        if self.require_tls {
            options = options.require_tls(true);
        }
        if self.tls_first {
            options = options.tls_first();
        }
        let most = self.max_backoff;
        options.reconnect_delay_callback(move |attempts| backoff(attempts, most))
    }
}

/// At once, then 2, 4, 8 .. ms.
fn backoff(attempts: usize, most: Duration) -> Duration {
    match attempts {
        0 | 1 => Duration::ZERO,
        _ => most.min(Duration::from_millis(
            1 << attempts.min(20).saturating_sub(1),
        )),
    }
}

impl Identity {
    fn is(&self, other: &Identity) -> bool {
        match (self, other) {
            (
                Identity::User { name, password },
                Identity::User {
                    name: other,
                    password: word,
                },
            ) => name == other && password == word,
            (Identity::Token(token), Identity::Token(other)) => token == other,
            _ => false,
        }
    }

    fn options(self) -> Result<ConnectOptions, BridgeError> {
        let options = ConnectOptions::new();
        Ok(match self {
            Identity::Nobody => options,
            Identity::User { name, password } => {
                let mut auth = Auth::new();
                (auth.username, auth.password) = (Some(name), Some(password));
                identified(move |_| Ok(auth.clone()))
            }
            Identity::Token(token) => {
                let mut auth = Auth::new();
                auth.token = Some(token);
                identified(move |_| Ok(auth.clone()))
            }
            Identity::Nkey(seed) => {
                let signer =
                    Signer::of_seed(&seed).map_err(|reason| BridgeError::Nkey { reason })?;
                identified(move |nonce| signer.sign(nonce))
            }
            Identity::File(path) => {
                let unreadable = |error: std::io::Error| BridgeError::Credentials {
                    path: path.clone(),
                    reason: error.to_string(),
                };
                let text = std::fs::read_to_string(&path).map_err(unreadable)?;
                let signer = Signer::of_file(&text).map_err(unreadable)?;
                identified(move |nonce| signer.sign(nonce))
            }
        })
    }
}

/// Whom an address names would be in the client's log, so that goes another way.
fn parse(server: &str) -> Result<(ServerAddr, Option<Identity>), BridgeError> {
    let bad = |reason: String| BridgeError::BadServer {
        server: without_identity(server).to_owned(),
        reason,
    };
    let address: ServerAddr = server
        .parse()
        .map_err(|error: std::io::Error| bad(error.to_string()))?;
    let mut url = address.into_inner();
    if !matches!(url.scheme(), "nats" | "tls") {
        return Err(bad(format!(
            "its scheme is {:?}, and `nats` or `tls` is wanted",
            url.scheme()
        )));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(bad("it names no host".to_owned()));
    }
    let (name, password) = (decoded(url.username()), url.password().map(decoded));
    let identity = match (name, password) {
        (name, None) if name.is_empty() => None,
        (token, None) => Some(Identity::Token(token)),
        (name, Some(password)) => Some(Identity::User { name, password }),
    };
    if identity.is_some() && (url.set_username("").is_err() || url.set_password(None).is_err()) {
        return Err(bad("it has a user and no host".to_owned()));
    }
    let address = ServerAddr::from_url(url).map_err(|error| bad(error.to_string()))?;
    Ok((address, identity))
}

fn without_identity(server: &str) -> &str {
    server.rsplit_once('@').map_or(server, |(_, host)| host)
}

/// A URL has names and passwords with `%` and two digits for what it cannot carry.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let digits = text.get(at + 1..at + 3).filter(|_| byte == b'%');
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(meant) => {
                out.push(meant);
                at += 3;
            }
            None => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let identity = match self.identity {
            Identity::Nobody => "none",
            Identity::User { .. } => "user and password",
            Identity::Token(_) => "token",
            Identity::Nkey(_) => "nkey",
            Identity::File(_) => "file",
        };
        let servers: Vec<&str> = self.servers.iter().map(|at| without_identity(at)).collect();
        f.debug_struct("Access")
            .field("servers", &servers)
            .field("identity", &identity)
            .field("require_tls", &self.require_tls)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(servers: &[&str]) -> Access {
        Access {
            servers: servers.iter().map(|&server| server.to_owned()).collect(),
            ..Access::default()
        }
    }

    #[test]
    fn whom_an_address_names_is_taken_out_of_it() {
        let (address, identity) = parse("nats://ann:s%40cret@example.org:4333").unwrap();
        assert_eq!(
            address.as_url_str().trim_end_matches('/'),
            "nats://example.org:4333"
        );
        let wanted = Identity::User {
            name: "ann".into(),
            password: "s@cret".into(),
        };
        assert!(identity.unwrap().is(&wanted));
        let (_, token) = parse("nats://t0ken@example.org").unwrap();
        assert!(token.unwrap().is(&Identity::Token("t0ken".into())));
        assert!(parse("example.org").unwrap().1.is_none());
        assert!(parse("127.0.0.1:4222").unwrap().1.is_none());
    }

    #[test]
    fn no_secret_is_in_an_error_or_in_what_is_printed() {
        let mut ours = access(&["nats://ann:secret@example.org", "http://bob:secret@host"]);
        let error = ours.resolve().unwrap_err();
        assert!(!format!("{error} {error:?} {ours:?}").contains("secret"));
        ours.user("ann".into(), "secret".into());
        assert!(!format!("{ours:?}").contains("secret"));
        ours.token("secret".into());
        assert!(!format!("{ours:?}").contains("secret"));
        ours.nkey("secret".into());
        assert!(!format!("{ours:?}").contains("secret"));
        let unparsable = access(&["nats://ann:secret@host:notaport"]);
        let error = unparsable.resolve().unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }

    #[test]
    fn two_servers_that_name_two_users_are_refused_unless_one_is_given() {
        let mut two = access(&["nats://ann:a@one", "nats://bob:b@two"]);
        assert!(matches!(two.resolve(), Err(BridgeError::TwoIdentities)));
        two.user("carl".into(), "c".into());
        assert!(two.resolve().is_ok());
        assert!(
            access(&["nats://ann:a@one", "nats://ann:a@two", "three"])
                .resolve()
                .is_ok()
        );
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let mut ours = Access::default();
        ours.file("/no/such/file.creds".into());
        let error = ours.resolve().unwrap_err().to_string();
        assert!(error.contains("/no/such/file.creds"), "{error}");
        assert!(matches!(access(&[]).resolve(), Err(BridgeError::NoServers)));
    }

    #[test]
    fn waits_between_attempts_grow_to_the_most() {
        let most = Duration::from_millis(100);
        let waits: Vec<u128> = (0..12).map(|n| backoff(n, most).as_millis()).collect();
        assert_eq!(waits, [0, 0, 2, 4, 8, 16, 32, 64, 100, 100, 100, 100]);
        assert_eq!(backoff(usize::MAX, most), most);
    }
}
