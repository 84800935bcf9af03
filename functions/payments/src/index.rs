//! Where the open-payments index keeps a payment: its shards, by what the payment waits for.

use crate::id::PaymentId;
use crate::time::Timestamp;

/// Shards of the index of open payments. A partition of an index takes 1,000 write units a second ("DynamoDB burst and
/// adaptive capacity"), and shards fall onto partitions by chance: 105,000 units a second need 2,048 of them, so that none
/// gets more (`infra/plan`). Readers go through all of them, those of every smaller number among them; a smaller
/// number would hide payments (decision 0027).
pub const OPEN_SHARDS: u32 = 2_048;

/// Shards of what waits for people, of each kind: a provider that fails for good parks what it was sent, at its rate, and
/// 16 partitions take three times the 5,000 a second that a stack is planned for.
pub const WAITING_SHARDS: u32 = 16;

/// How the index keys begin under which parked payments stand, and the one key of before there were shards.
pub const PARKED_SHARD: &str = "parked";

/// The same of payments with an open case.
pub const CASE_SHARD: &str = "case";

/// A place in the index of open payments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OpenKey {
    /// When the payment was accepted.
    pub created_at: Timestamp,
    /// Which payment.
    pub payment_id: PaymentId,
}

/// A part of the index of open payments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shard {
    /// Open payments, spread by their ids.
    Open(u32),
    /// Parked ones, spread likewise; `None` is where all of them stood before they were spread.
    Parked(Option<u32>),
    /// Ended ones with an open case, likewise.
    Case(Option<u32>),
}

impl Shard {
    /// Its key in the index.
    pub fn key(self) -> String {
        match self {
            Self::Open(shard) => shard.to_string(),
            Self::Parked(Some(shard)) => format!("{PARKED_SHARD}-{shard}"),
            Self::Parked(None) => PARKED_SHARD.to_owned(),
            Self::Case(Some(shard)) => format!("{CASE_SHARD}-{shard}"),
            Self::Case(None) => CASE_SHARD.to_owned(),
        }
    }

    /// Every shard of open payments.
    pub fn all_open() -> impl Iterator<Item = Self> {
        (0..OPEN_SHARDS).map(Self::Open)
    }

    /// Every shard of parked payments. infra/decisions/0023 says until when the last of them is read.
    pub fn all_parked() -> impl Iterator<Item = Self> {
        waiting().map(Self::Parked)
    }

    /// Every shard of payments with an open case, likewise.
    pub fn all_cases() -> impl Iterator<Item = Self> {
        waiting().map(Self::Case)
    }
}

fn waiting() -> impl Iterator<Item = Option<u32>> {
    (0..WAITING_SHARDS).map(Some).chain([None])
}

/// The open index's key of a payment.
pub fn open_shard(id: &PaymentId) -> String {
    id.shard(OPEN_SHARDS).to_string()
}

/// The key of a parked payment in the index.
pub fn parked_shard(id: &PaymentId) -> String {
    Shard::Parked(Some(id.shard(WAITING_SHARDS))).key()
}

/// The key of a payment with an open case in the index.
pub fn case_shard(id: &PaymentId) -> String {
    Shard::Case(Some(id.shard(WAITING_SHARDS))).key()
}
