//! How fast a merchant may bring payments: a token bucket for each, shared by every environment of `ingest`.
//!
//! The bucket is one item with one number, the time of a [`crate::schedule`]: when it is full again. Taking `n` tokens moves it
//! on by `n` ÷ rate, and is refused where it would lie further ahead than the burst takes to refill.
//!
//! An environment takes a second's worth of tokens at a time, a *lease*, and hands them out by itself, so that an
//! ordinary payment adds no call. What it does not hand out lapses. When the bucket is empty it asks again only after a
//! pause, so that a merchant who knocks too often costs no more calls than one who does not.

mod limiter;

use serde::{Deserialize, Serialize};

use crate::schedule::Advance;
use payments::id::MerchantId;
use payments::limit::Limit;

pub use limiter::{Admitted, Asked, Decision, LEASE_US, Limiter};

/// What a bucket's tokens are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Allowance {
    /// To bring payments, and cancelations of orders that are not here, which are written as payments are.
    #[default]
    Payments,
    /// To look payments up, and to cancel those that are here.
    Looks,
}

/// Microseconds in which so many tokens come, rounded up so that the rate is never exceeded.
pub fn span_us(limit: Limit, tokens: u32) -> u64 {
    u64::from(tokens).saturating_mul(1_000_000).div_ceil(u64::from(limit.rate_per_second()))
}

/// Tokens in a bucket that is full again at `full_us`.
pub fn room(limit: Limit, full_us: u64, now_us: u64) -> u32 {
    let missing_us = full_us.saturating_sub(now_us);
    let left_us = span_us(limit, limit.burst()).saturating_sub(missing_us);
    let tokens = left_us.saturating_mul(u64::from(limit.rate_per_second())) / 1_000_000;
    u32::try_from(tokens).unwrap_or(u32::MAX).min(limit.burst())
}

/// When the first token is there of a bucket that is full again at `full_us`.
pub fn free_us(limit: Limit, full_us: u64) -> u64 {
    full_us.saturating_sub(span_us(limit, limit.burst().saturating_sub(1)))
}

/// A merchant's bucket as its item has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    /// When it is full again, in microseconds since the epoch.
    pub full_us: u64,
}

/// One conditional update of a bucket. When its answer is lost, tokens are wasted and none is handed out twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Take {
    /// Whose bucket.
    pub merchant: MerchantId,
    /// Which of its buckets.
    pub allowance: Allowance,
    /// How far its time moves: idle while it is full, or not there yet.
    pub advance: Advance,
}

impl Take {
    /// Takes so many tokens, at most a burst, of a bucket that was last seen as it is here.
    pub fn new(merchant: &MerchantId, limit: Limit, tokens: u32, seen: Bucket, now_us: u64) -> Self {
        let tokens = tokens.min(limit.burst());
        let (taken_us, full_us) = (span_us(limit, tokens), span_us(limit, limit.burst()));
        Self {
            merchant: merchant.clone(),
            allowance: Allowance::Payments,
            advance: Advance {
                form: Advance::form_for(seen.full_us, now_us),
                now_us,
                span_us: taken_us,
                at_most_us: now_us.saturating_add(full_us).saturating_sub(taken_us),
            },
        }
    }

    /// What the update makes of the bucket, or `None` when its condition fails. The AWS adapter writes the same as an
    /// update expression; the contract suite holds the two together.
    pub fn apply(&self, bucket: Option<Bucket>) -> Option<Bucket> {
        let full_us = bucket.unwrap_or_default().full_us;
        self.advance.apply(full_us).map(|full_us| Bucket { full_us })
    }
}

/// What became of an update of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Done; this is the bucket now.
    Done(Bucket),
    /// The condition failed; this is the bucket.
    Refused(Bucket),
}
