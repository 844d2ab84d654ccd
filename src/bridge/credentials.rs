//! What proves a user who signs: the key alone, or with it what the file of credentials says of him.

use std::io;

use async_nats::{Auth, AuthError};
use nkeys::{KeyPair, KeyPairType};

/// A user's key, and his token (a JWT) if he has one.
pub(super) struct Signer {
    key: KeyPair,
    jwt: Option<String>,
}

impl Signer {
    pub(super) fn of_seed(seed: &str) -> Result<Self, String> {
        // Its own error would hold the seed.
        let key = KeyPair::from_seed(seed.trim())
            .map_err(|error| format!("{:?}", error.kind()))
            .and_then(|key| match key.key_pair_type() {
                KeyPairType::User => Ok(key),
                other => Err(format!("it is that of another kind: {other:?}")),
            })?;
        Ok(Signer { key, jwt: None })
    }

    /// Of the text of a file: a token and a seed, each behind a line that says so between hyphens.
    pub(super) fn of_file(text: &str) -> io::Result<Self> {
        let invalid = |reason: String| io::Error::new(io::ErrorKind::InvalidData, reason);
        let mut blocks = blocks(text);
        let jwt = blocks
            .next()
            .ok_or_else(|| invalid("it has no block with a token (a JWT)".to_owned()))?;
        let seed = blocks
            .next()
            .ok_or_else(|| invalid("it has no block with a seed behind the token".to_owned()))?;
        let signer = Signer::of_seed(seed)
            .map_err(|reason| invalid(format!("its seed is none of a user: {reason}")))?;
        Ok(Signer {
            jwt: Some(jwt.to_owned()),
            ..signer
        })
    }

    /// The answer to what the server asks to be signed.
    pub(super) fn sign(&self, nonce: &[u8]) -> Result<Auth, AuthError> {
        let mut auth = Auth::new();
        auth.signature = Some(self.key.sign(nonce).map_err(AuthError::new)?);
        match &self.jwt {
            Some(jwt) => auth.jwt = Some(jwt.clone()),
            None => auth.nkey = Some(self.key.public_key()),
        }
        Ok(auth)
    }
}

/// The line behind each that begins a block. Others, such as warnings, are passed over.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    let mut lines = text.lines().map(str::trim);
    std::iter::from_fn(move || {
        lines.find(|line| line.starts_with("---") && line.contains("BEGIN"))?;
        lines.find(|line| !line.is_empty())
    })
    .filter(|line| !line.starts_with("---"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEED: &str = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";

    fn file(jwt: &str, seed: &str) -> String {
        format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
             ************************* IMPORTANT *************************\n\
             NKEYs are sensitive.\n\n\
             -----BEGIN USER NKEY SEED-----\r\n{seed}\r\n------END USER NKEY SEED------\n"
        )
    }

    #[test]
    fn a_file_has_a_token_and_a_seed() {
        let signer = Signer::of_file(&file("eyJ0.eyJq.c2ln", SEED)).unwrap();
        assert_eq!(signer.jwt.as_deref(), Some("eyJ0.eyJq.c2ln"));
        let auth = signer.sign(b"nonce").unwrap();
        assert_eq!(auth.jwt, signer.jwt);
        let signature = auth.signature.unwrap();
        assert!(signer.key.verify(b"nonce", &signature).is_ok());
        assert!(auth.nkey.is_none());
    }

    #[test]
    fn a_file_without_either_is_refused_and_no_error_shows_a_seed() {
        let swapped = "SAANWFZ3JINNPERWT3ALE45U7GYT2ZDW6GJUIVPDKUF6GKAX6AISZJMAS4";
        for (text, reason) in [
            (String::new(), "no block with a token"),
            (SEED.to_owned(), "no block with a token"),
            (file("", ""), "no block with a token"),
            (file("eyJ0.eyJq.c2ln", ""), "no block with a seed"),
            (file("eyJ0.eyJq.c2ln", &SEED[..40]), "its seed is none"),
            (file("eyJ0.eyJq.c2ln", swapped), "its seed is none"),
            (file(SEED, "eyJ0.eyJq.c2ln"), "its seed is none"),
        ] {
            let error = Signer::of_file(&text).err().unwrap().to_string();
            assert!(error.contains(reason), "{error} for {text}");
            assert!(!error.contains(&SEED[2..40]), "{error}");
        }
    }
}
