//! How the shards of the index of open payments fall onto its partitions, and how often one partition gets more of them
//! than it can carry.
//!
//! DynamoDB places each key by a hash of its own ("Partitions and data distribution in DynamoDB"): shards are balls, and
//! partitions are bins. As many shards as partitions leave a third of the bins empty and give others two and three. So a
//! partition's load is counted here by the binomial distribution, with partitions of one size.

use super::quota::{NEW_TABLE_WRITE_UNITS, PARTITION_WRITE_UNITS};

/// What a weight of one is counted as: tails are exact to a millionth of a millionth of a millionth.
const ONE: u128 = 1_000_000_000_000_000_000;
const MILLION: u128 = 1_000_000;

/// Shards over partitions, at so many write units a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// Shards, each with the same part of the writes.
    pub shards: u64,
    /// Partitions of the index, each with the same part of the keys.
    pub partitions: u64,
    /// Write units a second of the whole index.
    pub write_units: u64,
}

impl Spread {
    /// The probability, in millionths and rounded up, that any partition at all gets more than its
    /// [`PARTITION_WRITE_UNITS`]: at most the sum over all partitions, whatever they have to do with one another.
    pub fn risk_per_million(&self) -> u64 {
        let weights = self.weights();
        let all = total(&weights);
        let over = weights.iter().filter(|(shards, _)| self.over(*shards) > 0).map(|(_, weight)| *weight).sum::<u128>();
        let one = over.saturating_mul(MILLION).saturating_mul(u128::from(self.partitions)).div_ceil(all);
        u64::try_from(one.min(MILLION)).unwrap_or(u64::MAX)
    }

    /// The share of all writes, in millionths and rounded up, that comes to a partition above what it takes, in the mean.
    pub fn over_per_million(&self) -> u64 {
        let weights = self.weights();
        let whole = total(&weights).saturating_mul(u128::from(self.write_units.saturating_mul(self.shards).max(1)));
        let over = weights.iter().map(|(shards, weight)| weight.saturating_mul(self.over(*shards)));
        let over = over.fold(0_u128, u128::saturating_add).saturating_mul(u128::from(self.partitions));
        // Divided first in part: the whole is some 10²⁸.
        let share = over.div_ceil((whole / MILLION).max(1));
        u64::try_from(share.min(MILLION)).unwrap_or(u64::MAX)
    }

    /// What so many shards bring beyond a partition's units, in units times shards.
    fn over(&self, shards: u64) -> u128 {
        let brought = u128::from(shards).saturating_mul(u128::from(self.write_units));
        brought.saturating_sub(u128::from(PARTITION_WRITE_UNITS).saturating_mul(u128::from(self.shards)))
    }

    /// How likely it is that a partition has so many shards, for each number of them, to a common factor: from the likeliest
    /// number outward, so that nothing that matters is rounded away.
    fn weights(&self) -> Vec<(u64, u128)> {
        let others = u128::from(self.partitions.saturating_sub(1));
        if others == 0 {
            return vec![(self.shards, ONE)];
        }
        let middle = self.shards.saturating_add(1) / self.partitions;
        let mut weights = vec![(middle, ONE)];
        let (mut shards, mut weight) = (middle, ONE);
        while shards < self.shards && weight > 0 {
            let left = u128::from(self.shards.saturating_sub(shards));
            shards = shards.saturating_add(1);
            weight = weight.saturating_mul(left) / u128::from(shards).saturating_mul(others);
            weights.push((shards, weight));
        }
        (shards, weight) = (middle, ONE);
        while shards > 0 && weight > 0 {
            let left = u128::from(self.shards.saturating_sub(shards).saturating_add(1));
            weight = weight.saturating_mul(u128::from(shards)).saturating_mul(others) / left;
            shards = shards.saturating_sub(1);
            weights.push((shards, weight));
        }
        weights
    }
}

fn total(weights: &[(u64, u128)]) -> u128 {
    weights.iter().map(|(_, weight)| *weight).sum::<u128>().max(1)
}

/// The most that the risk may be: in one index of a thousand some partition takes a little more than it can.
pub const RISK_PER_MILLION_MAX: u64 = 1_000;
/// Warm throughput in times of what is written at the most. Twice of it leaves each partition half idle in the mean; more
/// than four times is paid for better by more shards.
pub const WARM_TIMES_MAX: u64 = 4;

/// The least warm throughput, in write units a second, at which no partition of an index with so many shards goes over:
/// a whole multiple of what is written, and no less than what a new index has. `None` where four times are not enough.
pub fn warm_write_units(shards: u64, write_units: u64) -> Option<u64> {
    (1..=WARM_TIMES_MAX)
        .map(|times| write_units.saturating_mul(times).max(NEW_TABLE_WRITE_UNITS))
        .find(|warm| at(shards, write_units, *warm).risk_per_million() <= RISK_PER_MILLION_MAX)
}

/// The least shards for which there is such a warm throughput, as a power of two.
pub fn shards_needed(write_units: u64) -> u64 {
    let powers = std::iter::successors(Some(1_u64), |shards| shards.checked_mul(2));
    powers.into_iter().take(40).find(|shards| warm_write_units(*shards, write_units).is_some()).unwrap_or(u64::MAX)
}

/// An index that is warm for so many write units: at least a partition for each thousand.
pub fn at(shards: u64, write_units: u64, warm_write_units: u64) -> Spread {
    Spread { shards, partitions: (warm_write_units / PARTITION_WRITE_UNITS).max(1), write_units }
}
