//! The settings of breaker and brake, and what they must be to the others.

use pacing::brake::BrakeSettings;
use pacing::breaker::BreakerSettings;
use pacing::gate::GateSettings;

use super::reader::Reader;
use super::{ConsumerSettings, FUNCTION_TIMEOUT_MS, HOUR_MS};

/// The probe's lease follows from the policy.
pub(super) fn gate_settings(reader: &mut Reader<'_>) -> GateSettings {
    let breaker = BreakerSettings {
        failures: reader.number("BREAKER_FAILURES", 1..=1_000_000, "failures"),
        failing_percent: reader.number("BREAKER_FAILING_PERCENT", 1..=100, "percent"),
        calls_min: reader.number("BREAKER_CALLS_MIN", 1..=1_000_000, "calls"),
        window_ms: reader.number("BREAKER_WINDOW_MS", 1_000..=HOUR_MS, "ms"),
        open_ms: reader.number("BREAKER_OPEN_MS", 1..=HOUR_MS, "ms"),
        open_max_ms: reader.number("BREAKER_OPEN_MAX_MS", 1..=HOUR_MS, "ms"),
        ramp_percent: reader.number("BREAKER_RAMP_PERCENT", 1..=100, "percent"),
        ramp_step_ms: reader.number("BREAKER_RAMP_STEP_MS", 1..=HOUR_MS, "ms"),
        probe_lease_ms: 0,
    };
    let brake = BrakeSettings {
        hold_max_ms: reader.number("GATE_HOLD_MAX_MS", 0..=HOUR_MS, "ms"),
        recovery_ms: reader.number("RATE_RECOVERY_MS", 1_000..=HOUR_MS, "ms"),
    };
    GateSettings { breaker, brake }
}

impl ConsumerSettings {
    /// A probe is a call: it may take as long as one.
    pub(super) fn with_probe_lease(mut self) -> Self {
        self.gate_settings.breaker.probe_lease_ms = self.policy.lease_ms();
        self
    }

    /// What the gate's numbers must be to the others.
    pub(super) fn check_gate(&self, reader: &mut Reader<'_>) {
        let side_by_side = u64::from(self.consumer_concurrency).saturating_mul(u64::from(self.max_in_flight));
        reader.require(
            self.provider_max_in_flight == 0 || side_by_side <= u64::from(self.provider_max_in_flight),
            "CONSUMER_CONCURRENCY times MAX_IN_FLIGHT is above PROVIDER_MAX_IN_FLIGHT: together the environments could \
             have more calls under way than the provider takes; lower either, and the mappings' MaximumConcurrency with \
             the first",
        );
        let call_ms = self.policy.connect_timeout_ms.saturating_add(self.policy.call_timeout_ms);
        let BreakerSettings { open_ms, open_max_ms, ramp_step_ms, .. } = self.gate_settings.breaker;
        // What is missing stands at zero, and it and a call that is too long have been named already.
        let is_given = open_ms > 0 && open_max_ms > 0 && ramp_step_ms > 0;
        if is_given && self.policy.lease_ms() < FUNCTION_TIMEOUT_MS {
            reader.require(
                open_ms >= call_ms && ramp_step_ms >= call_ms,
                "BREAKER_OPEN_MS or BREAKER_RAMP_STEP_MS is below CONNECT_TIMEOUT_MS plus CALL_TIMEOUT_MS: calls from \
                 before would be judged as if they were made after; raise it",
            );
            reader.require(
                open_ms <= open_max_ms,
                "BREAKER_OPEN_MS is above BREAKER_OPEN_MAX_MS: the first wait would be the longest; raise the latter",
            );
        }
    }
}
