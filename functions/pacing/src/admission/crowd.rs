//! Whose payments come into a lane: a sample.
//!
//! Requests come to environments at random, so what came to one is a sample of what came to all, and no call is made for
//! it. Whoever measures the lanes adds what it has seen to the figure, and everybody reads that.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use payments::id::MerchantId;

/// Most merchants that an environment counts; others are nobody's share.
const MERCHANTS_MAX: usize = 4_096;
/// Merchants that the figure names. No more than nine can have over a tenth of what is in flight each.
const LARGEST: usize = 10;

/// Payments that came into one lane, by merchant, as far as they were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crowd {
    all: u64,
    by_merchant: BTreeMap<MerchantId, u64>,
}

impl Crowd {
    /// Counts a payment.
    pub fn count(&mut self, merchant: &MerchantId) {
        self.all = self.all.saturating_add(1);
        self.add(merchant, 1);
    }

    fn add(&mut self, merchant: &MerchantId, payments: u64) {
        if self.by_merchant.len() < MERCHANTS_MAX || self.by_merchant.contains_key(merchant) {
            let count = self.by_merchant.entry(merchant.clone()).or_default();
            *count = count.saturating_add(payments);
        }
    }

    /// This sample and another.
    #[must_use]
    pub fn with(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.all = both.all.saturating_add(other.all);
        for (merchant, payments) in &other.by_merchant {
            both.add(merchant, *payments);
        }
        both
    }

    /// The same with the merchants by name that brought most.
    #[must_use]
    pub fn largest(mut self) -> Self {
        if self.by_merchant.len() > LARGEST {
            let mut by_count: Vec<_> = std::mem::take(&mut self.by_merchant).into_iter().collect();
            by_count.sort_by_key(|(_, payments)| Reverse(*payments));
            self.by_merchant = by_count.into_iter().take(LARGEST).collect();
        }
        self
    }

    /// How many were seen.
    pub const fn all(&self) -> u64 {
        self.all
    }

    /// How many of a merchant's.
    pub fn of(&self, merchant: &MerchantId) -> u64 {
        self.by_merchant.get(merchant).copied().unwrap_or(0)
    }

    /// How many of each of the merchants that brought at least this many in a hundred.
    pub fn with_percent(&self, percent: u64) -> impl Iterator<Item = u64> {
        let least = self.all.saturating_mul(percent).div_ceil(100).max(1);
        self.by_merchant.values().copied().filter(move |payments| *payments >= least)
    }
}
