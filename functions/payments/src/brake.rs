//! The brake: a provider that answers 429 is sent less, and soon as much again as its rate allows.
//!
//! Additive increase, multiplicative decrease, as TCP does it (RFC 5681, section 3.1), because it is what settles a
//! share that nobody can ask for. The increase is a function of the time since the last 429, so that recovering costs
//! no write. Never is more sent than the rate that was set.

use serde::{Deserialize, Serialize};

use crate::breaker::WHOLE_PERMILLE;

/// The least that is sent, in thousandths of the rate: enough to notice that the provider takes calls again.
pub const LEAST_PERMILLE: u32 = 10;

/// The numbers that the brake goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BrakeSettings {
    /// `GATE_HOLD_MAX_MS`: the longest that one Retry-After holds all sending.
    pub hold_max_ms: u64,
    /// `RATE_RECOVERY_MS`: how long it takes from nothing back to the whole rate.
    pub recovery_ms: u64,
}

/// The brake as the gate's item has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brake {
    /// Share of the rate that the last 429 left, in thousandths.
    pub permille: u32,
    /// When the share begins to grow again, in microseconds since the epoch. Nothing is sent before.
    pub hold_until_us: u64,
    /// The version of the gate with which it came here: a 429 to a call that was reserved under an older one says
    /// nothing about this pace.
    pub version: u64,
}

impl Default for Brake {
    fn default() -> Self {
        Self { permille: WHOLE_PERMILLE, hold_until_us: 0, version: 0 }
    }
}

impl Brake {
    /// What share of the rate it lets through, in thousandths.
    pub fn permille(&self, settings: &BrakeSettings, now_us: u64) -> u32 {
        let grown_ms = now_us.saturating_sub(self.hold_until_us) / 1_000;
        let grown = grown_ms.saturating_mul(u64::from(WHOLE_PERMILLE)) / settings.recovery_ms.max(1);
        let grown = u32::try_from(grown).unwrap_or(u32::MAX);
        self.permille.saturating_add(grown).clamp(LEAST_PERMILLE, WHOLE_PERMILLE)
    }

    /// The brake after a 429 to a call that was reserved under `reserved_version`. `version` is the one that the
    /// change will have. `None` when this 429 says nothing new: the crowd of calls that one pace sent brakes once.
    pub fn pulled(
        &self,
        reserved_version: u64,
        retry_after_ms: Option<u64>,
        settings: &BrakeSettings,
        now_us: u64,
        version: u64,
    ) -> Option<Self> {
        if reserved_version < self.version {
            return None;
        }
        let permille = (self.permille(settings, now_us) / 2).max(LEAST_PERMILLE);
        let hold_ms = retry_after_ms.unwrap_or(0).min(settings.hold_max_ms);
        let hold_until_us = now_us.saturating_add(hold_ms.saturating_mul(1_000)).max(self.hold_until_us);
        Some(Self { permille, hold_until_us, version })
    }
}
