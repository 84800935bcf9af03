//! Whose payments wait, as one environment sees it.
//!
//! Requests come to environments at random, so what came to one is a sample of what came to all: no call is made for it.
//! A fair queue passes a merchant's messages by those of a merchant that has many ("Amazon SQS fair queues"), so that the
//! whole lane is what only they wait for who fill it.

use std::collections::BTreeMap;

use crate::id::MerchantId;

/// A merchant with less than this share of what is under way is passed on first ("Amazon SQS fair queues": a group is
/// noisy with more than 10 % of what is in flight).
const QUIET_PERCENT: u64 = 10;
/// Payments of a lane that an environment must have seen before it says anything of their merchants.
const SAMPLE_MIN: u64 = 20;
/// Most merchants that are counted; others are nobody's share.
const MERCHANTS_MAX: usize = 4_096;

/// How a merchant's payments go through a lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// It brings little: its payments are passed on before those of others.
    Quiet,
    /// It brings much: its payments wait for the whole lane, at the longest.
    Noisy,
    /// Too little has been seen.
    Unknown,
}

/// What came into one lane since it was all but empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Crowd {
    all: u64,
    by_merchant: BTreeMap<MerchantId, u64>,
}

impl Crowd {
    pub(super) fn count(&mut self, merchant: &MerchantId) {
        self.all = self.all.saturating_add(1);
        if self.by_merchant.len() < MERCHANTS_MAX || self.by_merchant.contains_key(merchant) {
            let count = self.by_merchant.entry(merchant.clone()).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// The lane is all but empty: whoever filled it before fills it no more.
    pub(super) fn begin_anew(&mut self) {
        *self = Self::default();
    }

    /// Whether a merchant's payments, its share of all that came in the time in which so many have gathered, stay under its
    /// share of the rate.
    pub(super) fn pace(&self, merchant: &MerchantId, waiting: u64, rate_per_second: u64, gathered_ms: u64) -> Pace {
        if self.all < SAMPLE_MIN {
            return Pace::Unknown;
        }
        let seconds = (gathered_ms / 1_000).max(1);
        // What waits has come and was not sent; what was sent in the same time came as well.
        let came_per_second = (waiting / seconds).saturating_add(rate_per_second);
        let own = self.by_merchant.get(merchant).copied().unwrap_or(0);
        let own_per_second = came_per_second.saturating_mul(own) / self.all;
        if own_per_second.saturating_mul(100) <= rate_per_second.saturating_mul(QUIET_PERCENT) {
            Pace::Quiet
        } else {
            Pace::Noisy
        }
    }
}
