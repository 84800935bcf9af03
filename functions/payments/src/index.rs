//! Where the open-payments index keeps a payment: its shards, by what the payment waits for.

use crate::id::PaymentId;
use crate::payment::{CASE_SHARD, OPEN_SHARDS, PARKED_SHARD, WAITING_SHARDS};
use crate::time::Timestamp;

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
