//! Passwords, tokens and keys get to the server, and nowhere else.

use std::fmt::{self, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use chanbus::{Bridge, BridgeBuilder, Bus};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::directory::Directory;
use crate::jwt::realm;
use crate::support::{HANG, Server, alone, bus, installed, until};

const PASSWORD: &str = "s3cret-word";
const TOKEN: &str = "s3cret-token";
/// A user's key, as `nk` makes them.
const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
const PUBLIC: &str = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";

/// All that anything in this process logs by `tracing`, at the finest level, while somebody listens.
struct Log;

static LISTENING: AtomicBool = AtomicBool::new(false);
static SAID: Mutex<String> = Mutex::new(String::new());

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Log {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        LISTENING.load(Ordering::SeqCst)
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut said = SAID.lock().unwrap();
        span.record(&mut Line(&mut said));
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Line(&mut SAID.lock().unwrap()));
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut said = SAID.lock().unwrap();
        write!(said, "\n{}:", event.metadata().target()).unwrap();
        event.record(&mut Line(&mut said));
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// Runs that with somebody listening; what was logged.
fn logged(act: impl FnOnce()) -> String {
    static LOG: std::sync::Once = std::sync::Once::new();
    LOG.call_once(|| tracing::subscriber::set_global_default(Log).unwrap());
    SAID.lock().unwrap().clear();
    LISTENING.store(true, Ordering::SeqCst);
    act();
    LISTENING.store(false, Ordering::SeqCst);
    std::mem::take(&mut *SAID.lock().unwrap())
}

/// A connection by such access works, also after the server was away, and nothing that can be seen of it has a secret.
fn is_kept(
    server: &mut Server,
    access: impl Fn(BridgeBuilder<u64>, &Server) -> BridgeBuilder<u64>,
    secrets: &[&str],
) {
    let bus: Bus<u64> = bus();
    let mut seen = String::new();
    let log = logged(|| {
        let builder = Bridge::builder(&bus).export("n").servers([server.url()]);
        let builder = access(builder, server);
        write!(seen, "{builder:?}").unwrap();
        let bridge = builder.start().unwrap();
        let states = bridge
            .states()
            .subscription("**")
            .replay(64)
            .subscribe()
            .unwrap();
        assert!(bridge.wait_connected(HANG), "{:?}", states.try_recv());
        bus.emit("n", 1).unwrap();
        until("it is confirmed", || bridge.stats().export.confirmed == 1);
        server.kill().unwrap();
        until("it is lost", || !bridge.state().is_connected());
        server.restart().unwrap();
        assert!(bridge.wait_connected(HANG));
        write!(seen, "{bridge:?}").unwrap();
        for event in states.try_iter() {
            write!(seen, "{:?} {}", event.payload(), event.payload()).unwrap();
        }
    });
    // The client says much: this is listening to the right thing.
    assert!(log.contains("write operation: PUB"), "{log}");
    for secret in secrets {
        assert!(!seen.contains(secret), "{seen}");
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None);
    }
}

#[test]
fn a_user_and_a_password_get_to_the_server_and_nowhere_else() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let mut server = Server::start_with(&["--user", "ann", "--pass", PASSWORD]).unwrap();
    let given =
        |builder: BridgeBuilder<u64>, _: &Server| builder.user_and_password("ann", PASSWORD);
    is_kept(&mut server, given, &[PASSWORD]);
    // In the address.
    let given = |builder: BridgeBuilder<u64>, server: &Server| {
        builder.servers([format!("nats://ann:{PASSWORD}@127.0.0.1:{}", server.port())])
    };
    is_kept(&mut server, given, &[PASSWORD]);
}

#[test]
fn a_token_gets_to_the_server_and_nowhere_else() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let mut server = Server::start_with(&["--auth", TOKEN]).unwrap();
    is_kept(&mut server, |builder, _| builder.token(TOKEN), &[TOKEN]);
    let given = |builder: BridgeBuilder<u64>, server: &Server| {
        builder.servers([format!("nats://{TOKEN}@127.0.0.1:{}", server.port())])
    };
    is_kept(&mut server, given, &[TOKEN]);
}

#[test]
fn an_nkey_signs_and_stays_here() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let config = directory.path().join("nats.conf");
    std::fs::write(
        &config,
        format!("authorization {{ users = [ {{ nkey: {PUBLIC} }} ] }}\n"),
    )
    .unwrap();
    let mut server = Server::start_with(&["-c", &config.to_string_lossy()]).unwrap();
    is_kept(&mut server, |builder, _| builder.nkey(SEED), &[SEED]);
}

#[test]
fn what_a_file_of_credentials_says_gets_to_the_server_and_nowhere_else() {
    if !installed() {
        return;
    }
    let _alone = alone();
    let directory = Directory::new();
    let realm = realm();
    let (config, file) = (
        directory.path().join("nats.conf"),
        directory.path().join("user.creds"),
    );
    std::fs::write(&config, &realm.config).unwrap();
    std::fs::write(&file, &realm.credentials).unwrap();
    let mut server = Server::start_with(&["-c", &config.to_string_lossy()]).unwrap();
    let secrets = realm.secrets.each_ref().map(String::as_str);
    is_kept(
        &mut server,
        |builder, _| builder.credentials_file(&file),
        &secrets,
    );
    // Another realm's user does not get in, so the server did look.
    std::fs::write(&file, crate::jwt::realm().credentials).unwrap();
    let bus = bus::<u64>();
    let builder = Bridge::builder(&bus).export("n").credentials_file(&file);
    let bridge = builder.servers([server.url()]).start().unwrap();
    let states = bridge.states().subscription("**").replay(64);
    let told = states.subscribe().unwrap().recv_timeout(HANG).unwrap();
    let told = told.payload().to_string();
    assert!(told.contains("authorization violation"), "{told}");
}

#[test]
fn a_secret_that_is_wrong_is_in_no_error() {
    let bus = bus::<u64>();
    let builder = || Bridge::builder(&bus).export("n");
    let address = format!("nats://ann:{PASSWORD}@host:port");
    for builder in [
        builder().servers([address]),
        builder().servers([format!("ftp://{TOKEN}@host")]),
        builder().servers([
            format!("nats://a:{PASSWORD}@one"),
            format!("nats://b:{TOKEN}@two"),
        ]),
        builder().token(TOKEN).servers(Vec::<String>::new()),
        builder().nkey(SEED).name("no name"),
        builder().nkey(&SEED[..50]),
        builder().nkey(PUBLIC),
        builder()
            .credentials_file("/no/such/file")
            .user_and_password("ann", PASSWORD)
            .name("*"),
    ] {
        let seen = format!("{builder:?}");
        let error = builder.start().unwrap_err();
        let seen = format!("{seen} {error} {error:?}");
        for secret in [PASSWORD, TOKEN, SEED] {
            assert!(!seen.contains(secret), "{seen}");
        }
    }
}
