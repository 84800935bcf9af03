//! How fast a merchant may bring payments, as somebody stated it.

use serde::{Deserialize, Serialize};

/// The highest rate that can be set, in payments a second.
pub const RATE_MAX: u32 = 1_000_000;
/// The largest burst that can be set.
pub const BURST_MAX: u32 = 10_000_000;

/// Looks at payments that a merchant may make for each payment that it may bring. Looks have a bucket of their own, so that
/// polling takes no payment's place.
pub const LOOKS_PER_PAYMENT: u32 = 4;

/// A merchant's rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stated")]
pub struct Limit {
    rate_per_second: u32,
    burst: u32,
}

/// A limit as somebody wrote it.
#[derive(Deserialize)]
struct Stated {
    rate_per_second: u32,
    burst: u32,
}

impl From<Stated> for Limit {
    fn from(stated: Stated) -> Self {
        Self::new(stated.rate_per_second, stated.burst)
    }
}

impl Limit {
    /// A rate of at least one a second, and a burst of at least a second's worth: environments look at the bucket some
    /// times a second, and what overflows meanwhile would be lost to the merchant.
    pub fn new(rate_per_second: u32, burst: u32) -> Self {
        let rate_per_second = rate_per_second.clamp(1, RATE_MAX);
        Self { rate_per_second, burst: burst.clamp(rate_per_second, BURST_MAX) }
    }

    /// A rate with the burst that it usually has: two seconds' worth for leases that are under way, and two for clocks
    /// that are a second apart either way, since what one environment takes at its own time is missing to one whose
    /// clock is behind.
    pub fn usual(rate_per_second: u32) -> Self {
        Self::new(rate_per_second, rate_per_second.saturating_mul(4))
    }

    /// The limit of a merchant's looks, whose payments have this one.
    #[must_use]
    pub fn of_looks(self) -> Self {
        Self::new(self.rate_per_second.saturating_mul(LOOKS_PER_PAYMENT), self.burst.saturating_mul(LOOKS_PER_PAYMENT))
    }

    /// Payments a second.
    pub const fn rate_per_second(self) -> u32 {
        self.rate_per_second
    }

    /// Payments at once, after a pause.
    pub const fn burst(self) -> u32 {
        self.burst
    }

    /// Seconds in which an empty bucket is full again, rounded up.
    pub const fn window_seconds(self) -> u32 {
        self.burst.div_ceil(self.rate_per_second)
    }
}
