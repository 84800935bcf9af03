//! What a sale is: how much comes, how much the provider takes, and how both are scaled.

use pacing::gate::GateSettings;
use payments::policy::Policy;

use crate::sale::provider::Trouble;

/// How much smaller than the real one a simulated sale is. Rates, arrivals, batches and what SQS holds in flight shrink
/// by it; times, environments and their growth do not, so that everything that takes time takes the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scale(u32);

impl Scale {
    /// One to this many; `None` where rates and batches would not stay whole numbers.
    pub const fn one_to(parts: u32) -> Option<Self> {
        match parts {
            1 | 2 | 4 | 5 | 10 | 20 | 25 | 40 | 50 | 100 => Some(Self(parts)),
            _ => None,
        }
    }

    /// The whole sale.
    pub const WHOLE: Self = Self(1);
    /// A tenth of it.
    pub const TENTH: Self = Self(10);

    /// How many of it make a whole.
    pub const fn parts(self) -> u32 {
        self.0
    }

    /// A whole number at this scale, at least one.
    pub fn of(self, whole: u64) -> u64 {
        (whole / u64::from(self.0)).max(1)
    }
}

/// The sale that is simulated.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Everything that is drawn follows from it.
    pub seed: u64,
    /// How much smaller than the numbers below it is played.
    pub scale: Scale,
    /// Payments a second while it lasts.
    pub arrivals_per_second: u64,
    /// How long it lasts.
    pub sale_ms: u64,
    /// Calls a second that the provider takes.
    pub rate_per_second: u32,
    /// Calls a second of these that are the whale's alone, if its account has a limit of its own: then it has a deployment
    /// of its own, and the others' rate is what is left.
    pub quota_per_second: Option<u32>,
    /// What the provider does beside answering.
    pub trouble: Trouble,
    /// Payments of any merchant that are marked as urgent, in thousandths.
    pub high_permille: u64,
    /// Messages that one invocation gets.
    pub batch: u64,
    /// How many of them it calls side by side.
    pub calls_each: u64,
    /// `MaximumConcurrency` of the high lane's mapping.
    pub high: u64,
    /// `MaximumConcurrency` of the standard lane's mapping.
    pub standard: u64,
    /// How far an environment's clock is from the true time at most, in microseconds. Lambda's are set by the Amazon Time
    /// Sync Service.
    pub clock_skew_us: u64,
    /// Gives up after this long.
    pub at_most_ms: u64,
}

impl Settings {
    /// The flash sale: a minute of 100,000 payments a second against 5,000, with what `cargo dev plan` says for it.
    pub const fn new(seed: u64, scale: Scale) -> Self {
        Self {
            seed,
            scale,
            arrivals_per_second: 100_000,
            sale_ms: 60_000,
            rate_per_second: 5_000,
            quota_per_second: None,
            trouble: Trouble::NONE,
            high_permille: 10,
            batch: 200,
            calls_each: 200,
            high: 66,
            standard: 66,
            clock_skew_us: 1_000,
            at_most_ms: 12 * 60 * 60 * 1_000,
        }
    }

    /// The same on so many environments of the consumer, half of them for each lane.
    #[must_use]
    pub const fn with_environments(self, environments: u64) -> Self {
        let high = environments / 2;
        Self { high, standard: environments - high, ..self }
    }

    /// Payments in the sale, at its scale.
    pub fn payments(&self) -> u64 {
        self.scale.of(self.arrivals_per_second) * self.sale_ms / 1_000
    }

    /// Calls a second that the provider takes, at this scale.
    pub fn rate(&self) -> u32 {
        (self.rate_per_second / self.scale.parts()).max(1)
    }

    /// The whale's calls a second at this scale, if they are its own.
    pub fn quota(&self) -> Option<u32> {
        self.quota_per_second.map(|per_second| (per_second / self.scale.parts()).max(1))
    }

    /// How long it takes at the provider's whole rate, from the sale's end on, in ms: nobody can be faster.
    pub fn ideal_drain_ms(&self) -> u64 {
        let whole_ms = self.payments() * 1_000 / u64::from(self.rate());
        whole_ms.saturating_sub(self.sale_ms)
    }

    /// The windows in which calls are counted, in ms: as many calls as 100 ms hold at the whole scale. At a tenth of the
    /// rate 100 ms hold 49 or 50 calls, whose variation says nothing but that calls are whole.
    pub fn window_ms(&self) -> u64 {
        100 * u64::from(self.scale.parts())
    }
}

/// The template's policy, for a provider whose stated bound is two minutes.
pub(super) fn policy() -> Policy {
    Policy {
        connect_timeout_ms: 2_000,
        call_timeout_ms: 10_000,
        claim_lead_ms: 200,
        settle_allowance_ms: 9_000,
        ..crate::run::policy()
    }
}

/// The template's numbers for pace and breaker.
pub(super) fn gate_settings() -> GateSettings {
    let mut settings = crate::run::gate_settings();
    settings.breaker.failures = 50;
    settings.breaker.failing_percent = 50;
    settings.breaker.calls_min = 200;
    settings.breaker.window_ms = 10_000;
    settings.breaker.open_ms = 15_000;
    settings.breaker.open_max_ms = 60_000;
    settings.breaker.ramp_percent = 10;
    settings.breaker.ramp_step_ms = 15_000;
    settings.breaker.probe_lease_ms = policy().lease_ms();
    settings.brake.hold_max_ms = 60_000;
    settings.brake.recovery_ms = 60_000;
    settings
}
