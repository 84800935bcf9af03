//! The clock and the dice of the machine.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use payments::ports::{Clock, Entropy};

/// The machine's clock, which AWS keeps in step with UTC.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_us(&self) -> u64 {
        // A clock before 1970 reads as 1970: every lease is then over and nothing is sent on its account.
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX)
    }
}

/// Dice from the operating system's seed.
///
/// Two environments that draw the same nonces would take each other's writes for their own. The general generators
/// that seed themselves from the time since boot are therefore no choice here: environments are started from the same
/// image. `RandomState` takes 128 bits from the operating system; its keyed hash of a counter yields the rest.
#[derive(Debug)]
pub struct SystemEntropy {
    high: RandomState,
    low: RandomState,
    draws: AtomicU64,
}

impl SystemEntropy {
    /// Dice with a seed of their own.
    pub fn new() -> Self {
        Self { high: RandomState::new(), low: RandomState::new(), draws: AtomicU64::new(0) }
    }
}

impl Default for SystemEntropy {
    fn default() -> Self {
        Self::new()
    }
}

impl Entropy for SystemEntropy {
    fn bits(&self) -> u128 {
        let draw = self.draws.fetch_add(1, Ordering::Relaxed);
        (u128::from(self.high.hash_one(draw)) << 64) | u128::from(self.low.hash_one(draw))
    }
}
