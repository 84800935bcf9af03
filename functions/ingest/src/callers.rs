//! Remembers who a key belongs to, so that a merchant's record is read once a minute and a wrong key costs nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use payments::backoff::Dice;
use payments::merchant::{ApiKeyHash, Merchant};
use payments::time::Timestamp;

/// How long a merchant's record is believed at the most; a revoked key works no longer than that.
pub(crate) const KNOWN_MS: u64 = 60_000;
/// How long a key is believed to be nobody's at the most; a new key works after that at the latest.
pub(crate) const UNKNOWN_MS: u64 = 10_000;
/// Most keys remembered, so that a flood of invented ones does not fill the memory.
const KEYS_MAX: usize = 4_096;

/// Whose key it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    Merchant(Merchant),
    Nobody,
    NotKnown,
}

/// Whose keys one environment knows.
#[derive(Debug)]
pub(crate) struct Callers {
    known: Mutex<HashMap<ApiKeyHash, Known>>,
    /// What this environment believes a record of the most, in thousandths: from half of it to all.
    life_permille: u64,
}

#[derive(Debug)]
struct Known {
    merchant: Option<Merchant>,
    until: Timestamp,
}

impl Callers {
    /// None yet. `dice` are the environment's own: those that read one record together, as a sale begins, are not to read it
    /// together again a minute later, because an item gives 3,000 reads a second ("DynamoDB burst and adaptive capacity").
    pub(crate) fn new(dice: Dice) -> Self {
        Self { known: Mutex::default(), life_permille: dice.up_to(500).saturating_add(500) }
    }

    /// What is known of a key.
    pub(crate) fn get(&self, key: &ApiKeyHash, now: Timestamp) -> Caller {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(key).filter(|known| known.until > now) {
            Some(Known { merchant: Some(merchant), .. }) => Caller::Merchant(merchant.clone()),
            Some(Known { merchant: None, .. }) => Caller::Nobody,
            None => Caller::NotKnown,
        }
    }

    pub(crate) fn remember(&self, key: ApiKeyHash, merchant: Option<Merchant>, now: Timestamp) {
        let most_ms = if merchant.is_some() { KNOWN_MS } else { UNKNOWN_MS };
        let life_ms = most_ms.saturating_mul(self.life_permille) / 1_000;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEYS_MAX {
            known.retain(|_, known| known.until > now && known.merchant.is_some());
        }
        if known.len() >= KEYS_MAX {
            known.clear();
        }
        known.insert(key, Known { merchant, until: now.plus_ms(life_ms) });
    }
}
