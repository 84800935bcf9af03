//! How a sale's payments flow: what heaps up, how long it takes to drain, and who waits how long.
//!
//! Arrivals come evenly for the length of the sale and leave at the gate's pace, in the order in which they came. SQS
//! keeps that order only about (a standard queue), so the percentiles are those of the line as a whole.

/// A sale against a pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Payments a second while it lasts.
    pub peak_per_second: u64,
    /// How long it lasts.
    pub sale_ms: u64,
    /// What leaves, in calls in 1,000 seconds.
    pub pace_per_1000_seconds: u64,
    /// What every payment takes: the batching window, the claim's lead and the provider's ordinary answer.
    pub service_ms: u64,
    /// The same with the provider's slowest ordinary answer, which one in a hundred meets.
    pub slow_service_ms: u64,
}

impl Flow {
    /// Payments that come in.
    pub fn payments(&self) -> u64 {
        self.peak_per_second.saturating_mul(self.sale_ms).div_ceil(1_000)
    }

    /// Payments that wait when the sale ends.
    pub fn backlog(&self) -> u64 {
        self.payments().saturating_sub(self.pace_per_1000_seconds.saturating_mul(self.sale_ms) / 1_000_000)
    }

    /// From the sale's end until the last call begins.
    pub fn drain_ms(&self) -> u64 {
        self.backlog().saturating_mul(1_000_000).div_ceil(self.pace_per_1000_seconds.max(1))
    }

    /// From a payment's acceptance to its end, for this percentile.
    ///
    /// The line grows evenly while the sale lasts, so that the time in it is spread evenly from nothing to the drain.
    pub fn wait_ms(&self, percentile: u64) -> u64 {
        let percentile = percentile.min(100);
        let in_line_ms = self.drain_ms().saturating_mul(percentile).div_ceil(100);
        in_line_ms.saturating_add(if percentile < 99 { self.service_ms } else { self.slow_service_ms })
    }
}
