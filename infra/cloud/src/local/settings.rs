//! The demo's numbers: those of a deployment scaled down to a minute, each with its reason.

use std::time::Duration;

use data_encoding::HEXLOWER;
use pacing::admission::AdmissionSettings;
use pacing::brake::BrakeSettings;
use pacing::breaker::BreakerSettings;
use pacing::gate::GateSettings;
use payments::history::{HistoryKey, HistoryKeys};
use payments::policy::Policy;
use payments::provider::ProviderKind;

use crate::sandbox::Fault;

/// The provider's name, under which its gate stands.
pub const PROVIDER_NAME: &str = "sandbox";
/// The day that all retention is counted in, in ms.
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// Time that an answer takes without a fault, in ms.
pub const LATENCY_MS: (u64, u64) = (50, 400);
/// What a slow answer takes longer: beyond the call's time-out, so that it is a charge whose answer nobody read.
pub const SLOW_MS: u64 = 1_800;
/// From accepted to approved.
pub const PENDING_MS: u64 = 3_000;
/// When a late payment lands: after the call's time-out and after its lease, within the absence bound.
pub const LATE_MS: u64 = 3_500;
/// Kept free of each second. A single machine's scheduler is jumpier than a network, so more than a deployment's 10.
pub const MARGIN_MS: u32 = 50;

/// The gate's rate for a provider that allows so many calls a second: a twentieth less. The margin makes up for a call
/// that is written late; this makes up for one that the provider, a busy process beside us, reads late.
pub const fn gate_rate(limit_per_second: u32) -> u32 {
    let less = limit_per_second - limit_per_second.div_ceil(20);
    if less == 0 { 1 } else { less }
}

/// What the rate and the margin leave to be used, in calls in 1,000 s.
pub fn calls_per_1000_s(limit_per_second: u32) -> u64 {
    u64::from(gate_rate(limit_per_second)) * u64::from(1_000 - MARGIN_MS)
}

/// A function's time-out.
pub const FUNCTION_TIMEOUT_MS: u64 = 20_000;
/// Six times the function's time-out and the window ("Configuring a queue to use with Lambda").
pub const VISIBILITY_SECONDS: u32 = 121;
/// Receives before the DLQ: ordinary waiting (a look every few seconds until an absence is proved) stays below it.
pub const MAX_RECEIVES: u32 = 20;
/// Receives in the DLQ before a message goes on to people.
pub const DEAD_LETTER_MAX_RECEIVES: u32 = MAX_RECEIVES + 5;
/// Share of the messages that are delivered twice.
pub const DUPLICATE_SHARE: f64 = 0.05;
/// Share of the requests that are made twice at once.
pub const REPEAT_SHARE: f64 = 0.15;
/// Connections that the merchants' requests come on.
pub const CONNECTIONS: usize = 6;
/// How long an idle connection to the provider is kept.
pub const IDLE_TIMEOUT_MS: u64 = 10_000;
/// Calls side by side in one invocation.
pub const MAX_IN_FLIGHT: u32 = 20;

/// Payments a second that a merchant may send whose record says nothing: more than a machine's clients bring.
pub const MERCHANT_RATE: u32 = 5_000;
/// Messages that a lane may hold before it takes no more: more than this memory is meant for.
pub const QUEUE_DEPTH_MAX: u64 = 1_000_000;
/// Batches of the standard lane at once: room in flight for the rate times the slowest answer. 8 × 20 is more than three
/// seconds of 50.
pub const STANDARD_CONCURRENCY: u32 = 8;
/// Batches of the high lane at once.
pub const HIGH_CONCURRENCY: u32 = 2;

/// How the provider misbehaves, by share of calls.
pub const FAULTS: [(Fault, f64); 10] = [
    (Fault::Slow, 0.05),
    (Fault::RateLimited, 0.01),
    (Fault::ErrorBefore, 0.03),
    (Fault::DropBefore, 0.02),
    (Fault::Decline, 0.04),
    (Fault::Pending, 0.04),
    (Fault::ErrorAfter, 0.03),
    (Fault::DropAfter, 0.05),
    (Fault::Unreadable, 0.01),
    (Fault::Late, 0.02),
];

/// The same for a provider of this kind: what signs its answers signs some of them wrongly.
pub fn faults(kind: ProviderKind) -> Vec<(Fault, f64)> {
    let signed = match kind {
        ProviderKind::Open => &[][..],
        ProviderKind::Alipay => &[(Fault::WronglySigned, 0.04), (Fault::Callback, 0.3), (Fault::CallbackTwice, 0.2)],
        // It signs its events.
        ProviderKind::Stripe => &[
            (Fault::WronglySigned, 0.04),
            (Fault::Callback, 0.3),
            (Fault::CallbackTwice, 0.2),
            (Fault::CallbackLate, 0.2),
        ],
    };
    FAULTS.into_iter().chain(signed.iter().copied()).collect()
}

/// How long the demo's provider remembers a key, in ms: as long as the policy has it, but where the documents state a window,
/// so short that keys are forgotten during the run. Whoever sent again then would charge twice.
pub fn demo_key_window_ms(kind: ProviderKind) -> u64 {
    match kind {
        ProviderKind::Open => policy().key_window_ms,
        // A number is known for ever.
        ProviderKind::Alipay => policy().key_window_ms,
        ProviderKind::Stripe => 20_000,
    }
}

/// The policy. What a deployment waits for hours is waited for seconds here, because the sandbox says so of itself.
pub fn policy() -> Policy {
    Policy {
        connect_timeout_ms: 500,
        call_timeout_ms: 1_500,
        // An unoptimised build on a busy machine takes its time for a write.
        claim_lead_ms: 500,
        settle_allowance_ms: 1_000,
        // The sandbox lands nothing later than LATE_MS after its request.
        absence_bound_ms: 4_500,
        key_window_ms: 10 * 60 * 1_000,
        // One machine has one clock.
        clock_skew_ms: 1_000,
        max_attempts: 5,
        backoff_base_ms: 500,
        backoff_cap_ms: 4_000,
        pending_backoff_base_ms: 500,
        pending_backoff_cap_ms: 4_000,
        max_heals: 10,
        missing_item_grace_ms: 30_000,
        newer_version_grace_ms: 60_000,
        retention_ms: 400 * DAY_MS,
        overdue_after_ms: 5 * 60 * 1_000,
        park_overdue_after_ms: 15 * 60 * 1_000,
        history_keys: history_keys(),
    }
}

/// What histories are linked under here. It protects nothing: everybody may know it.
const HISTORY_KEY: &[u8; 32] = b"cargo dev's key, known to anyone";

/// The keys of histories here.
pub fn history_keys() -> HistoryKeys {
    HistoryKeys::one(HistoryKey::of(HISTORY_KEY))
}

/// The same as a deployment's secret has them.
pub fn history_keys_text() -> String {
    HEXLOWER.encode(HISTORY_KEY)
}

/// The breaker's and the brake's numbers: a deployment's, with waits of seconds instead of minutes.
pub fn gate() -> GateSettings {
    let policy = policy();
    // As long as a call may take: what was sent before has been answered by then.
    let call_ms = policy.connect_timeout_ms + policy.call_timeout_ms;
    let breaker = BreakerSettings {
        // A fifth of the calls fails on purpose; ten in a row are then one in ten million.
        failures: 10,
        failing_percent: 50,
        calls_min: 40,
        window_ms: 5_000,
        open_ms: call_ms,
        open_max_ms: 4 * call_ms,
        ramp_percent: 20,
        ramp_step_ms: call_ms,
        probe_lease_ms: policy.lease_ms(),
    };
    // The sandbox's 429s are drawn and say nothing about its rate: soon back, or the demo would mostly wait.
    GateSettings { breaker, brake: BrakeSettings { hold_max_ms: 5_000, recovery_ms: 2_000 } }
}

/// What admission goes by.
pub fn admission(queue_depth_max: u64) -> AdmissionSettings {
    AdmissionSettings {
        gate: gate(),
        high_concurrency: HIGH_CONCURRENCY,
        standard_concurrency: STANDARD_CONCURRENCY,
        queue_depth_max,
    }
}

/// Between two sweeps of the open payments. A deployment sweeps every minute.
pub const SWEEP_EVERY: Duration = Duration::from_secs(15);
/// Messages that a sweep puts back at most.
pub const MAX_HEALS_PER_SWEEP: u32 = 20;

/// The sandbox's arguments for this rate, seed and faults.
pub fn sandbox_arguments(
    rate_per_second: u32,
    key_window_ms: u64,
    seed: u64,
    faults: impl IntoIterator<Item = (Fault, f64)>,
) -> Vec<String> {
    let mut arguments: Vec<String> = [
        ("--rate", rate_per_second.to_string()),
        ("--latency-min-ms", LATENCY_MS.0.to_string()),
        ("--latency-max-ms", LATENCY_MS.1.to_string()),
        ("--slow-ms", SLOW_MS.to_string()),
        ("--pending-ms", PENDING_MS.to_string()),
        ("--late-ms", LATE_MS.to_string()),
        // As long as we believe that it remembers, and no longer.
        ("--key-window-ms", key_window_ms.to_string()),
        ("--seed", seed.to_string()),
    ]
    .into_iter()
    .flat_map(|(name, value)| [name.to_owned(), value])
    .collect();
    for (fault, share) in faults {
        arguments.extend(["--fault".to_owned(), format!("{}={share}", fault.name())]);
    }
    arguments
}

/// One line that says what is scaled down.
pub fn scale() -> String {
    let policy = policy();
    format!(
        "scaled down to a minute: call time-out {} ms, absence proved {} s after the lease, backoff {} s at most, one \
         clock ({} s of skew)",
        policy.call_timeout_ms,
        policy.absence_proof_ms().div_ceil(1_000),
        policy.backoff_cap_ms / 1_000,
        policy.clock_skew_ms / 1_000,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_lands_after_its_absence_was_proved() {
        let policy = policy();
        // The lease begins with the slot at the latest; the request is written before it ends.
        assert!(LATE_MS < policy.absence_bound_ms);
        assert!(LATE_MS > policy.lease_ms(), "or it would not be late");
        assert!(SLOW_MS + LATENCY_MS.0 > policy.call_timeout_ms);
    }

    #[test]
    fn the_shares_are_ones_that_the_sandbox_takes() {
        let mut faults = crate::sandbox::Faults::default();
        for (fault, share) in FAULTS {
            faults.set(fault, share);
        }
        assert_eq!(faults.check(), Ok(()));
    }

    #[test]
    fn an_absence_is_proved_while_its_key_is_known() {
        let policy = policy();
        for kind in ProviderKind::ALL {
            let sure_ms = demo_key_window_ms(kind) - policy.clock_skew_ms;
            assert!(sure_ms > policy.absence_proof_ms() + policy.lease_ms(), "{kind:?}: nothing could be sent again");
        }
    }

    #[test]
    fn the_gate_keeps_below_the_limit() {
        assert_eq!(gate_rate(50), 47);
        assert_eq!(gate_rate(500), 475);
        assert_eq!(gate_rate(1), 1);
        assert_eq!(gate_rate(2), 1);
    }

    #[test]
    fn a_call_fits_into_an_invocation_many_times() {
        assert!(policy().lease_ms() * 4 < FUNCTION_TIMEOUT_MS);
        const { assert!(dead_letter::MESSAGE_ALLOWANCE_MS < FUNCTION_TIMEOUT_MS) };
        assert!(u64::from(VISIBILITY_SECONDS) * 1_000 > FUNCTION_TIMEOUT_MS * 6);
    }
}
