//! Who may ask. Only the hash of an API key is ever stored.

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::id::{MerchantId, lower};
use crate::limit::Limit;

/// Fewest characters of an API key; what is shorter is not looked up.
pub const API_KEY_MIN: usize = 24;
/// Most characters of an API key.
pub const API_KEY_MAX: usize = 128;

/// SHA-256 of an API key. Keys are drawn, not chosen, so a plain hash keeps them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApiKeyHash(String);

impl ApiKeyHash {
    /// The hash of a key, or `None` when the text cannot be one.
    pub fn of(key: &str) -> Option<Self> {
        let fits = (API_KEY_MIN..=API_KEY_MAX).contains(&key.len())
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        fits.then(|| Self(lower(&BASE32_NOPAD, &Sha256::digest(key.as_bytes()))))
    }

    /// The key of the merchant's item.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A merchant as its API key's item says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merchant {
    /// The hash of the API key that the record stands under.
    pub key_hash: ApiKeyHash,
    /// Who this is.
    pub merchant: MerchantId,
    /// May refund without naming the charge.
    #[serde(default)]
    pub unlinked_refunds: bool,
    /// May use the `high` lane.
    #[serde(default)]
    pub high_priority: bool,
    /// How fast it may bring payments; without it the deployment's own default holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
}
