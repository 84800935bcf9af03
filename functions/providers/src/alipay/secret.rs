//! What Alipay's secrets hold: a JSON object of texts. Nothing of a value is ever repeated.

use super::rsa::{SigningKey, VerifyingKey};
use crate::secret::Members;
pub use crate::secret::SecretError;

/// Longest address that Alipay calls back ("alipay.trade.pay": `notify_url`, 256 characters).
const NOTIFY_URL_MAX: usize = 256;
/// Longest `app_id` ("alipay.trade.pay": 32 characters).
const APP_ID_MAX: usize = 32;

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
    /// The serials of certificate mode; without them the mode is that of public keys.
    pub certificates: Option<Certificates>,
}

/// What names the certificates that both sides' keys are in ("公钥证书签名"), each as Alipay's tool shows it.
#[derive(Debug)]
pub struct Certificates {
    /// The application's (`app_cert_sn`).
    pub app: String,
    /// The roots that Alipay's is under (`alipay_root_cert_sn`).
    pub root: String,
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
        let mut members = Members::read(
            text,
            "app_id, private_key, alipay_public_key and, if it is to call back, notify_url; in certificate mode \
                 app_cert_sn and alipay_root_cert_sn",
        )?;
        let account = Self {
            app_id: app_id(&mut members)?,
            private_key: SigningKey::parse(&members.take("private_key")?).ok_or(SecretError::Wrong {
                name: "private_key",
                expected: "an RSA private key of 2048 bits or more, PKCS #8 or PKCS #1, as PEM or its base64 alone",
            })?,
            alipay_public_key: public_key(&mut members)?,
            notify_url: notify_url(&mut members)?,
            certificates: certificates(&mut members)?,
        };
        members.end(account)
    }
}

impl Notified {
    /// Reads `CALLBACK_KEY`. The private key does not belong there: whoever takes notices signs nothing.
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let mut members = Members::read(text, "app_id, seller_id and alipay_public_key")?;
        let notified = Self {
            app_id: app_id(&mut members)?,
            seller_id: digits(&mut members, "seller_id", 16)?,
            alipay_public_key: public_key(&mut members)?,
        };
        members.end(notified)
    }
}

fn digits(members: &mut Members, name: &'static str, most: usize) -> Result<String, SecretError> {
    let text = members.take(name)?;
    let is_right = !text.is_empty() && text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_right { Ok(text) } else { Err(SecretError::Wrong { name, expected: "the digits that Alipay gave" }) }
}

fn app_id(members: &mut Members) -> Result<String, SecretError> {
    digits(members, "app_id", APP_ID_MAX)
}

fn public_key(members: &mut Members) -> Result<VerifyingKey, SecretError> {
    VerifyingKey::parse(&members.take("alipay_public_key")?).ok_or(SecretError::Wrong {
        name: "alipay_public_key",
        expected: "Alipay's RSA public key of 2048 bits or more, as PEM or its base64 alone",
    })
}

fn certificates(members: &mut Members) -> Result<Option<Certificates>, SecretError> {
    match (members.optional("app_cert_sn"), members.optional("alipay_root_cert_sn")) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(SecretError::Missing("alipay_root_cert_sn")),
        (None, Some(_)) => Err(SecretError::Missing("app_cert_sn")),
        (Some(app), Some(root)) => {
            // One MD5 in hex, and one for each root.
            let is_serial = |text: &str| text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            let wrong =
                |name| SecretError::Wrong { name, expected: "the serial that Alipay's tool shows, 32 hex digits" };
            if !is_serial(&app) {
                return Err(wrong("app_cert_sn"));
            }
            if !root.split('_').all(is_serial) {
                return Err(wrong("alipay_root_cert_sn"));
            }
            Ok(Some(Certificates { app, root }))
        }
    }
}

fn notify_url(members: &mut Members) -> Result<Option<String>, SecretError> {
    let Some(url) = members.optional("notify_url") else { return Ok(None) };
    let is_right =
        url.starts_with("https://") && url.len() <= NOTIFY_URL_MAX && url.chars().all(|c| c.is_ascii_graphic());
    let wrong = SecretError::Wrong { name: "notify_url", expected: "an https address of at most 256 characters" };
    if is_right { Ok(Some(url)) } else { Err(wrong) }
}
