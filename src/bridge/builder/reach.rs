//! Which servers, and as whom.

use std::path::PathBuf;
use std::time::Duration;

use super::BridgeBuilder;

impl<T: Send + Sync + 'static, C> BridgeBuilder<T, C> {
    /// The servers, as `nats://host:port` or `tls://host:port`; `nats://127.0.0.1:4222` unless told otherwise. They
    /// belong to one cluster: the bridge is connected to one of them, and when that goes, to another.
    ///
    /// User and password, or a token, may stand in front of the host, as in `nats://ann:secret@host`.
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// let bridge = Bridge::builder(&bus).export("order.*").servers(["nats://a.example", "nats://b.example:4333"]).start()?;
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    pub fn servers<S: Into<String>>(mut self, servers: impl IntoIterator<Item = S>) -> Self {
        self.access
            .servers(servers.into_iter().map(Into::into).collect());
        self
    }
    /// The longest wait between two attempts to connect; two seconds unless told otherwise. The first attempt is made at
    /// once, the second after two milliseconds, and then the wait doubles.
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// # use std::time::Duration;
    /// let bridge = Bridge::builder(&bus).export("order.*").max_backoff(Duration::from_secs(10)).start()?;
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    pub fn max_backoff(mut self, time: Duration) -> Self {
        self.access.max_backoff(time);
        self
    }

    /// As which user, and with what password. Like all secrets it is given to the client, and neither
    /// printed nor logged. What is given last counts: this, a [token](BridgeBuilder::token), an
    /// [nkey](BridgeBuilder::nkey) or a [file](BridgeBuilder::credentials_file).
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// let bridge = Bridge::builder(&bus).export("order.*").user_and_password("ann", "secret").start()?;
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    pub fn user_and_password(
        mut self,
        user: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        self.access.user(user.into(), password.into());
        self
    }

    /// With what token.
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// let bridge = Bridge::builder(&bus).export("order.*").token("secret").start()?;
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.access.token(token.into());
        self
    }

    /// By which nkey: its seed, `SU..`, which signs what the server asks and never leaves the process. One that is no seed
    /// of a user is an [error](crate::BridgeError::Nkey) of the start.
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// let bridge = Bridge::builder(&bus).export("order.*").nkey("SUACH75SWCM5D2JMJM6EKLR2WDARVGZT4QC6LX3AGHSWOMVAKERABBBRWM").start()?;
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    pub fn nkey(mut self, seed: impl Into<String>) -> Self {
        self.access.nkey(seed.into());
        self
    }

    /// By the credentials in that file (`.creds`: a token, which is a JWT, and the seed that goes with it), read when the
    /// bridge starts.
    ///
    /// ```
    /// # use chanbus::{Bridge, BridgeError, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// let bridge = Bridge::builder(&bus).export("order.*").credentials_file("no/such.creds");
    /// assert!(matches!(bridge.start(), Err(BridgeError::Credentials { .. })));
    /// ```
    pub fn credentials_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.access.file(path.into());
        self
    }

    /// Only by TLS, whatever the address says. Certificates are checked against those of the system, and against
    /// [`root_certificates`](BridgeBuilder::root_certificates).
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// let bridge = Bridge::builder(&bus).export("order.*").require_tls().start()?;
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    pub fn require_tls(mut self) -> Self {
        self.access.require_tls();
        self
    }

    /// TLS from the first byte, for a server that has `handshake_first`.
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// let bridge = Bridge::builder(&bus).export("order.*").require_tls().tls_first().start()?;
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    pub fn tls_first(mut self) -> Self {
        self.access.tls_first();
        self
    }

    /// Whom to trust besides the system's own: a file of certificates (PEM), read when the bridge connects by TLS. Called
    /// again, it adds. It does not ask for TLS: [`require_tls`](BridgeBuilder::require_tls) does, or `tls://`.
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// let bridge = Bridge::builder(&bus).export("order.*").root_certificates("ca.pem").start()?;
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    pub fn root_certificates(mut self, path: impl Into<PathBuf>) -> Self {
        self.access.root(path.into());
        self
    }

    /// Who this is, by TLS: files with a certificate and its key (PEM), read when the bridge connects by TLS, for which
    /// [`require_tls`](BridgeBuilder::require_tls) asks, or `tls://`.
    ///
    /// ```
    /// # use chanbus::{Bridge, Bus};
    /// # let bus: Bus<u32> = Bus::new();
    /// let bridge = Bridge::builder(&bus).export("order.*").client_certificate("till.pem", "till.key").start()?;
    /// # Ok::<(), chanbus::BridgeError>(())
    /// ```
    pub fn client_certificate(
        mut self,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Self {
        self.access.certificate(certificate.into(), key.into());
        self
    }
}
