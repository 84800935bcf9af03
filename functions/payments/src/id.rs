//! Identities. A payment's id follows from (merchant, kind, order id), so the same request always gets the same one.

use std::fmt;

use data_encoding::{BASE32_NOPAD, Encoding};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::state::Kind;

/// Longest merchant id, in characters.
pub const MERCHANT_ID_MAX: usize = 40;
/// Longest order id, in characters.
pub const ORDER_ID_MAX: usize = 64;

/// Why a text is not the id it was taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing there.
    #[error("must not be empty")]
    Empty,
    /// More characters than the limit.
    #[error("must have at most {0} characters")]
    TooLong(usize),
    /// A character outside the id's alphabet.
    #[error("must consist of {0}")]
    Alphabet(&'static str),
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes the text if it has this id's form.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                $check(&text)?;
                Ok(Self(text))
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id!(
    /// Who sells: lower-case letters, digits and hyphens.
    MerchantId,
    check_merchant
);
text_id!(
    /// The merchant's own number for the order; with the kind it is the idempotency key.
    OrderId,
    check_order
);
text_id!(
    /// `pay_` and 32 characters of base32: 160 bits of a SHA-256.
    PaymentId,
    check_payment
);
text_id!(
    /// Drawn anew for each write, so that a write whose answer was lost is known again.
    Nonce,
    check_drawn
);
text_id!(
    /// Drawn anew for each claim: whoever holds it may settle the payment.
    ClaimId,
    check_drawn
);

impl PaymentId {
    /// The id of the one payment that this order can have of this kind.
    ///
    /// The parts are prefixed with their lengths, so no two triples run together to the same text.
    pub fn derive(merchant: &MerchantId, kind: Kind, order_id: &OrderId) -> Self {
        let mut hash = Sha256::new();
        for part in [merchant.as_str(), kind.as_str(), order_id.as_str()] {
            hash.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(part.as_bytes());
        }
        let digest = hash.finalize();
        let mut text = lower(&BASE32_NOPAD, &digest);
        text.truncate(32);
        Self(format!("pay_{text}"))
    }

    /// Spreads payments over `shards` shards, always the same way.
    pub fn shard(&self, shards: u32) -> u32 {
        let mixed = self.0.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
        mixed.checked_rem(shards).unwrap_or(0)
    }
}

impl Nonce {
    /// A nonce from 128 drawn bits.
    pub fn from_bits(bits: u128) -> Self {
        Self(lower(&BASE32_NOPAD, &bits.to_be_bytes()))
    }
}

impl ClaimId {
    /// A claim's id from 128 drawn bits.
    pub fn from_bits(bits: u128) -> Self {
        Self(lower(&BASE32_NOPAD, &bits.to_be_bytes()))
    }
}

/// Lower-case base32 of `bytes`.
pub(crate) fn lower(encoding: &Encoding, bytes: &[u8]) -> String {
    encoding.encode(bytes).to_ascii_lowercase()
}

fn check_length(text: &str, max: usize) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.chars().count() > max {
        return Err(IdError::TooLong(max));
    }
    Ok(())
}

fn check_merchant(text: &str) -> Result<(), IdError> {
    check_length(text, MERCHANT_ID_MAX)?;
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.chars().all(allowed) { Ok(()) } else { Err(IdError::Alphabet("lower-case letters, digits and hyphens")) }
}

fn check_order(text: &str) -> Result<(), IdError> {
    check_length(text, ORDER_ID_MAX)?;
    if text.chars().all(|c| c.is_ascii_graphic()) {
        Ok(())
    } else {
        Err(IdError::Alphabet("printable ASCII characters without spaces"))
    }
}

fn check_payment(text: &str) -> Result<(), IdError> {
    const FORM: IdError = IdError::Alphabet("pay_ and 32 characters from a-z and 2-7");
    match text.strip_prefix("pay_") {
        Some(rest) if rest.len() == 32 => check_base32(rest, FORM),
        Some(_) | None => Err(FORM),
    }
}

fn check_drawn(text: &str) -> Result<(), IdError> {
    const FORM: IdError = IdError::Alphabet("26 characters from a-z and 2-7");
    if text.len() == 26 { check_base32(text, FORM) } else { Err(FORM) }
}

fn check_base32(text: &str, otherwise: IdError) -> Result<(), IdError> {
    let allowed = |b: u8| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b);
    if text.bytes().all(allowed) { Ok(()) } else { Err(otherwise) }
}
