//! What Alipay's secrets hold: a JSON object of texts. Nothing of a value is ever repeated.

use std::collections::BTreeMap;

use super::rsa::{SigningKey, VerifyingKey};

/// Longest address that Alipay calls back ("alipay.trade.pay": `notify_url`, 256 characters).
const NOTIFY_URL_MAX: usize = 256;
/// Longest `app_id` ("alipay.trade.pay": 32 characters).
const APP_ID_MAX: usize = 32;

/// Why a secret cannot be used. No case repeats anything of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// Not JSON, or not an object of texts.
    #[error("the provider's secret must be a JSON object whose values are texts; it takes {0}")]
    NotTexts(&'static str),
    /// Something is not there.
    #[error("the provider's secret lacks {0}")]
    Missing(&'static str),
    /// Something is there that does not belong there.
    #[error("the provider's secret holds a member that is not taken; it takes {0}")]
    Foreign(&'static str),
    /// A value has not the form that it needs.
    #[error("{name} in the provider's secret must be {expected}")]
    Wrong {
        /// The member.
        name: &'static str,
        /// Its form.
        expected: &'static str,
    },
}

/// What requests are made with.
#[derive(Debug)]
pub struct Account {
    /// The application's number.
    pub app_id: String,
    /// What requests are signed with.
    pub private_key: SigningKey,
    /// What answers are verified with.
    pub alipay_public_key: VerifyingKey,
    /// Where Alipay sends its notices; without it there are none.
    pub notify_url: Option<String>,
}

/// What notices are believed by.
#[derive(Clone, Debug)]
pub struct Notified {
    /// The application's number.
    pub app_id: String,
    /// The merchant's number at Alipay.
    pub seller_id: String,
    /// What notices are verified with.
    pub alipay_public_key: VerifyingKey,
}

impl Account {
    /// Reads `PROVIDER_KEY`.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let mut members =
            Members::read(text, "app_id, private_key, alipay_public_key and, if it is to call back, notify_url")?;
        let account = Self {
            app_id: members.app_id()?,
            private_key: SigningKey::parse(&members.take("private_key")?).ok_or(SecretError::Wrong {
                name: "private_key",
                expected: "an RSA private key of 2048 bits or more, PKCS #8 or PKCS #1, as PEM or its base64 alone",
            })?,
            alipay_public_key: members.public_key()?,
            notify_url: members.notify_url()?,
        };
        members.end(account)
    }
}

impl Notified {
    /// Reads `CALLBACK_KEY`. The private key does not belong there: whoever takes notices signs nothing.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let mut members = Members::read(text, "app_id, seller_id and alipay_public_key")?;
        let notified = Self {
            app_id: members.app_id()?,
            seller_id: members.digits("seller_id", 16)?,
            alipay_public_key: members.public_key()?,
        };
        members.end(notified)
    }
}

struct Members {
    texts: BTreeMap<String, String>,
    takes: &'static str,
}

impl Members {
    fn read(text: &str, takes: &'static str) -> Result<Self, SecretError> {
        let texts = serde_json::from_str(text).map_err(|_| SecretError::NotTexts(takes))?;
        Ok(Self { texts, takes })
    }

    fn take(&mut self, name: &'static str) -> Result<String, SecretError> {
        self.texts.remove(name).ok_or(SecretError::Missing(name))
    }

    fn digits(&mut self, name: &'static str, most: usize) -> Result<String, SecretError> {
        let text = self.take(name)?;
        let is_right = !text.is_empty() && text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_right { Ok(text) } else { Err(SecretError::Wrong { name, expected: "the digits that Alipay gave" }) }
    }

    fn app_id(&mut self) -> Result<String, SecretError> {
        self.digits("app_id", APP_ID_MAX)
    }

    fn public_key(&mut self) -> Result<VerifyingKey, SecretError> {
        VerifyingKey::parse(&self.take("alipay_public_key")?).ok_or(SecretError::Wrong {
            name: "alipay_public_key",
            expected: "Alipay's RSA public key of 2048 bits or more, as PEM or its base64 alone",
        })
    }

    fn notify_url(&mut self) -> Result<Option<String>, SecretError> {
        let Some(url) = self.texts.remove("notify_url") else { return Ok(None) };
        let is_right =
            url.starts_with("https://") && url.len() <= NOTIFY_URL_MAX && url.chars().all(|c| c.is_ascii_graphic());
        let wrong = SecretError::Wrong { name: "notify_url", expected: "an https address of at most 256 characters" };
        if is_right { Ok(Some(url)) } else { Err(wrong) }
    }

    fn end<T>(self, read: T) -> Result<T, SecretError> {
        if self.texts.is_empty() { Ok(read) } else { Err(SecretError::Foreign(self.takes)) }
    }
}
