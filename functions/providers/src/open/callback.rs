//! The provider's callback: whether it is the provider's, when it was signed, and what it says. Pure: time is an
//! argument.
//!
//! `Sluice-Signature: t=<seconds>,v1=<hex>`, where `v1` is the HMAC-SHA256 (RFC 2104) of `<seconds>.<body>`. The time is
//! signed with the body, so that what somebody has recorded is worth nothing after [`TOLERANCE_MS`]; within it a second
//! copy changes nothing, because the transition function has an answer for it.

use std::fmt;

use ::http::header::HeaderName;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use hmac::{Hmac, KeyInit, Mac};
use payments::answer::Found;
use payments::id::PaymentId;
use payments::payment::Payment;
use payments::time::Timestamp;
use sha2::Sha256;

use super::contract::{Asked, Told};
pub use crate::callback::Distrust;

/// The header that carries the time and the signatures.
pub const SIGNATURE: HeaderName = HeaderName::from_static(SIGNATURE_NAME);
/// Its name.
pub const SIGNATURE_NAME: &str = "sluice-signature";

/// How far the provider's clock may be from ours, in ms.
pub const CLOCKS_APART_MS_MAX: u64 = 5 * 60 * 1_000;

/// How far the signature's time may be from ours, in ms: the clocks, and ten seconds for a time that is stated in whole seconds
/// and for the way.
pub const TOLERANCE_MS: u64 = CLOCKS_APART_MS_MAX + 10_000;

/// Most signatures that are looked at: a provider that changes its key sends two.
const SIGNATURES_MAX: usize = 4;

/// The keys that callbacks may be signed with: the one in use and, while it is being changed, the one before.
#[derive(Clone)]
pub struct CallbackKeys(Vec<Hmac<Sha256>>);

impl CallbackKeys {
    /// Takes the keys as both sides know them.
    pub fn new(current: &str, previous: Option<&str>) -> Self {
        Self(std::iter::once(current).chain(previous).filter_map(keyed).collect())
    }

    /// Whether the body is the provider's, signed within [`TOLERANCE_MS`] of `now`.
    pub fn verify(&self, header: Option<&str>, body: &[u8], now: Timestamp) -> Result<(), Distrust> {
        let header = header.ok_or(Distrust::Unsigned)?;
        let signature = Signature::parse(header).ok_or(Distrust::Unreadable)?;
        let is_ours = self.0.iter().any(|key| signature.is_by(key, body));
        if !is_ours {
            return Err(Distrust::Forged);
        }
        let at = Timestamp::from_ms(signature.seconds.saturating_mul(1_000));
        if now.since_ms(at).max(at.since_ms(now)) > TOLERANCE_MS {
            return Err(Distrust::OutOfTime);
        }
        Ok(())
    }
}

impl fmt::Debug for CallbackKeys {
    /// Nothing of the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallbackKeys(not shown)")
    }
}

/// HMAC takes a key of any length (RFC 2104, section 2), so no key is ever left out here.
fn keyed(key: &str) -> Option<Hmac<Sha256>> {
    Hmac::new_from_slice(key.as_bytes()).ok()
}

struct Signature<'a> {
    /// As it stands in the header, which is what was signed.
    text: &'a str,
    seconds: u64,
    tags: Vec<Vec<u8>>,
}

impl<'a> Signature<'a> {
    fn parse(header: &'a str) -> Option<Self> {
        let mut time = None;
        let mut tags = Vec::new();
        for part in header.split(',') {
            let (name, value) = part.trim().split_once('=')?;
            match name {
                "t" if time.is_some() => return None,
                "t" => time = Some(value),
                "v1" if tags.len() >= SIGNATURES_MAX => return None,
                "v1" => tags.push(HEXLOWER_PERMISSIVE.decode(value.as_bytes()).ok()?),
                // A later version's signature beside ours.
                _ => {}
            }
        }
        let text = time.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))?;
        let seconds = text.parse().ok()?;
        (!tags.is_empty()).then_some(Self { text, seconds, tags })
    }

    /// Compared in constant time, so that nobody can feel their way to a signature.
    fn is_by(&self, key: &Hmac<Sha256>, body: &[u8]) -> bool {
        let signed = signed(key, self.text, body);
        self.tags.iter().any(|tag| signed.clone().verify_slice(tag).is_ok())
    }
}

fn signed(key: &Hmac<Sha256>, seconds: &str, body: &[u8]) -> Hmac<Sha256> {
    key.clone().chain_update(seconds).chain_update(".").chain_update(body)
}

/// The header's value, for whoever plays the provider.
pub fn sign(key: &str, at: Timestamp, body: &[u8]) -> String {
    let seconds = at.seconds().to_string();
    let tag = keyed(key).map(|key| signed(&key, &seconds, body).finalize().into_bytes());
    format!("t={seconds},v1={}", tag.map(|tag| HEXLOWER.encode(&tag)).unwrap_or_default())
}

/// What a callback says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callback {
    /// Whose payment it is about.
    pub payment_id: PaymentId,
    /// What became of it.
    pub found: Found,
    told: Told,
}

impl Callback {
    /// Reads a body; `None` when it does not follow the contract.
    pub fn read(body: &[u8]) -> Option<Self> {
        let told: Told = serde_json::from_slice(body).ok()?;
        let payment_id = PaymentId::new(told.payment_id.clone()).ok()?;
        let found = told.found()?;
        Some(Self { payment_id, found, told })
    }

    /// Whether it speaks of this payment, its amount and its currency. One that does not settles nothing.
    pub fn is_about(&self, payment: &Payment) -> bool {
        self.told.is_about(&Asked { id: &payment.id, money: payment.order.money })
    }
}
