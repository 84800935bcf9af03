//! The `Idempotency-Key` header: a merchant's own name for one order (draft-ietf-httpapi-idempotency-key-header-07).
//!
//! A payment's identity is (merchant, kind, order id), with or without a key. A key adds one promise: it belongs to one
//! order, so that a client which makes up a new order id for each try, under one key, is refused and not charged twice.

use data_encoding::BASE32_NOPAD;
use sha2::{Digest, Sha256};

use crate::id::{MerchantId, PaymentId, lower};
use crate::time::Timestamp;

/// Where a key is kept: `key_` and the SHA-256 of merchant and key in base32, so that no two merchants share one and no
/// payment's id looks like it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(String);

impl KeyId {
    /// The place of a merchant's key. The parts are prefixed with their lengths, so no two pairs run together.
    pub fn of(merchant: &MerchantId, key: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [merchant.as_str(), key] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
        Self(format!("key_{}", lower(&BASE32_NOPAD, &hash.finalize())))
    }

    /// The place as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A key and the payment that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Where the key is kept.
    pub key: KeyId,
    /// The payment of the order that came with it.
    pub payment_id: PaymentId,
    /// Seconds since the epoch after which it may be forgotten.
    pub delete_after: u64,
}

impl Binding {
    /// A merchant's key for a payment, kept for as long as an ended payment's details are.
    pub fn new(merchant: &MerchantId, key: &str, payment_id: &PaymentId, now: Timestamp, retention_ms: u64) -> Self {
        let delete_after = now.plus_ms(retention_ms).seconds();
        Self { key: KeyId::of(merchant, key), payment_id: payment_id.clone(), delete_after }
    }
}

/// Whose a key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// The payment's that was asked for: since this write, or since an earlier one.
    Here,
    /// Another payment's.
    Elsewhere(PaymentId),
}

/// Reads the header's value: a string in double quotes as the draft has it (RFC 9651, section 3.3.3), or the bare text
/// that most clients send. Both say the same.
pub fn key_of(header: &str) -> Result<String, &'static str> {
    const FORM: &str = "must be printable ASCII without spaces, or such a text in double quotes";
    let header = header.trim();
    let Some(quoted) = header.strip_prefix('"') else {
        // API Gateway joins a header that came twice by a comma.
        if header.contains(',') {
            return Err("came twice, or holds a comma; a key with a comma stands in double quotes");
        }
        return if header.chars().all(|c| c.is_ascii_graphic() && c != '"') {
            Ok(header.to_owned())
        } else {
            Err(FORM)
        };
    };
    let mut key = String::new();
    let mut rest = quoted.chars();
    loop {
        match rest.next() {
            Some('"') => break,
            Some('\\') => match rest.next() {
                Some(escaped @ ('"' | '\\')) => key.push(escaped),
                Some(_) | None => return Err(FORM),
            },
            Some(c @ ' '..='~') => key.push(c),
            Some(_) | None => return Err(FORM),
        }
    }
    match rest.as_str().trim_start().chars().next() {
        None => Ok(key),
        Some(',') => Err("came twice; a request has one key"),
        Some(_) => Err(FORM),
    }
}
