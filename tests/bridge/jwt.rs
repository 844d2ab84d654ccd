//! Users of a server with accounts: an operator vouches for an account, and that for a user, by signed tokens (JWT).
//! What `nsc` would make is made here, so that no token runs out.

use nkeys::KeyPair;
use serde_json::{Value, json};

/// What such a server and a user of it want to have.
pub(crate) struct Realm {
    /// The server's settings.
    pub(crate) config: String,
    /// The user's file.
    pub(crate) credentials: String,
    /// What in it proves the user.
    pub(crate) secrets: [String; 2],
}

pub(crate) fn realm() -> Realm {
    let (operator, account, user) = (
        KeyPair::new_operator(),
        KeyPair::new_account(),
        KeyPair::new_user(),
    );
    let of_operator = token(&operator, &operator, json!({"type": "operator"}));
    let limits = json!({
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
        "conn": -1, "leaf": -1,
    });
    let of_account = token(
        &operator,
        &account,
        json!({"type": "account", "limits": limits, "default_permissions": {"pub": {}, "sub": {}}}),
    );
    let of_user = token(
        &account,
        &user,
        json!({"type": "user", "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1}),
    );
    let seed = user.seed().unwrap();
    Realm {
        config: format!(
            "operator: {of_operator}\nresolver: MEMORY\nresolver_preload: {{ {}: {of_account} }}\n",
            account.public_key()
        ),
        credentials: format!(
            "-----BEGIN NATS USER JWT-----\n{of_user}\n------END NATS USER JWT------\n\n\
             ************************* IMPORTANT *************************\n\
             NKEY Seed printed below can be used to sign and prove identity.\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        ),
        secrets: [of_user, seed],
    }
}

/// What the issuer says of the subject.
fn token(issuer: &KeyPair, subject: &KeyPair, mut claims: Value) -> String {
    claims["version"] = json!(2);
    let said = json!({
        "jti": "chanbus", "iat": 1_700_000_000, "name": "chanbus", "iss": issuer.public_key(),
        "sub": subject.public_key(), "nats": claims,
    });
    let header = json!({"typ": "JWT", "alg": "ed25519-nkey"});
    let text = format!(
        "{}.{}",
        base64(header.to_string().as_bytes()),
        base64(said.to_string().as_bytes())
    );
    let signature = issuer.sign(text.as_bytes()).unwrap();
    format!("{text}.{}", base64(&signature))
}

/// As URLs have it, without an end that fills up.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let bits = three
            .iter()
            .zip([16, 8, 0])
            .fold(0_usize, |bits, (&byte, at)| bits | usize::from(byte) << at);
        for at in [18, 12, 6, 0].into_iter().take(three.len() + 1) {
            out.push(char::from(DIGITS[bits >> at & 63]));
        }
    }
    out
}
