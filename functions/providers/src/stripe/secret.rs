//! What Stripe's secrets hold: JSON objects of texts.

use crate::secret::{Members, SecretError};

/// What requests are made with.
pub struct Account {
    /// The secret or restricted key.
    pub secret_key: String,
    /// The connected account that the requests are made for, if they are not for the key's own.
    pub account: Option<String>,
}

impl Account {
    /// Reads `PROVIDER_KEY`.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let mut members = Members::read(text, "secret_key and, for a connected account, account")?;
        let account = Self {
            secret_key: prefixed(
                members.take("secret_key")?,
                "secret_key",
                &["sk_live_", "sk_test_", "rk_live_", "rk_test_"],
                "a secret or restricted key, which begins with sk_live_, sk_test_, rk_live_ or rk_test_",
            )?,
            account: match members.optional("account") {
                None => None,
                Some(text) => {
                    Some(prefixed(text, "account", &["acct_"], "a connected account's id, which begins with acct_")?)
                }
            },
        };
        members.end(account)
    }
}

/// Reads `CALLBACK_KEY`: the signing secret of one event destination. The account's key does not belong there: whoever takes
/// events makes no requests.
pub fn signing_secret(text: &str) -> Result<String, SecretError> {
    let mut members = Members::read(text, "signing_secret")?;
    let secret = prefixed(
        members.take("signing_secret")?,
        "signing_secret",
        &["whsec_"],
        "an event destination's signing secret, which begins with whsec_",
    )?;
    members.end(secret)
}

/// A text that begins with one of these and goes on with letters, digits and `_`.
fn prefixed(
    text: String,
    name: &'static str,
    prefixes: &[&str],
    expected: &'static str,
) -> Result<String, SecretError> {
    let is_right = prefixes.iter().filter_map(|prefix| text.strip_prefix(prefix)).any(super::is_word);
    if is_right { Ok(text) } else { Err(SecretError::Wrong { name, expected }) }
}
