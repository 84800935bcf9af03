//! What the functions of these tests are told by their environment, by the template's names.

use std::collections::BTreeMap;

use cloud::embedded::{ADMISSION_TABLE, GATES_TABLE, MERCHANTS_TABLE, PAYMENTS_TABLE, Queues};
use cloud::local::settings::{self, PROVIDER_NAME};
use pacing::gate::GateSettings;
use payments::limit::Limit;
use payments::policy::Policy;

/// The API key of the one merchant.
pub(crate) const API_KEY: &str = "demo_key_united_kingdom_000001";
/// Who that is.
pub(crate) const MERCHANT: &str = "united-kingdom";
/// What the provider knows us by.
pub(crate) const PROVIDER_KEY: &str = "provider_key_for_these_tests";
/// What the provider signs its callbacks with, and signed with before.
pub(crate) const CALLBACK_KEY: &str = "callback_key_for_these_tests_0123456789";
pub(crate) const CALLBACK_KEY_PREVIOUS: &str = "callback_key_before_these_tests_9876543210";
/// What histories are linked under: the key of `contract::samples`.
pub(crate) const HISTORY_KEYS: &str = "3031323334353637383961626364656630313233343536373839616263646566";
/// What the deployment is stamped with.
pub(crate) const DEPLOYMENT: &str = "20260131T120000Z";
/// Whatever no log may show.
pub(crate) const SECRETS: [&str; 5] = [API_KEY, PROVIDER_KEY, CALLBACK_KEY, CALLBACK_KEY_PREVIOUS, HISTORY_KEYS];

/// The provider's numbers: those of the demo, with the shortest waits that its sandbox allows without faults.
pub(crate) fn policy() -> Policy {
    // The functions refuse less for the write that settles than the SDK may take for it.
    let settle_allowance_ms = 8_001;
    Policy {
        call_timeout_ms: 2_500,
        settle_allowance_ms,
        absence_bound_ms: 3_000,
        clock_skew_ms: 500,
        ..settings::policy()
    }
}

/// A function's environment variables, by the template's names.
pub(crate) fn variables(
    function: &str,
    queues: &Queues,
    provider_url: &str,
    rate_per_second: u32,
) -> BTreeMap<String, String> {
    let policy = policy();
    let mut numbers = vec![
        ("CONNECT_TIMEOUT_MS", policy.connect_timeout_ms),
        ("CALL_TIMEOUT_MS", policy.call_timeout_ms),
        ("CLAIM_LEAD_MS", policy.claim_lead_ms),
        ("SETTLE_ALLOWANCE_MS", policy.settle_allowance_ms),
        ("ABSENCE_BOUND_MS", policy.absence_bound_ms),
        ("KEY_WINDOW_MS", policy.key_window_ms),
        ("CLOCK_SKEW_MS", policy.clock_skew_ms),
        ("MAX_ATTEMPTS", policy.max_attempts.into()),
        ("BACKOFF_BASE_MS", policy.backoff_base_ms),
        ("BACKOFF_CAP_MS", policy.backoff_cap_ms),
        ("PENDING_BACKOFF_BASE_MS", policy.pending_backoff_base_ms),
        ("PENDING_BACKOFF_CAP_MS", policy.pending_backoff_cap_ms),
        ("MAX_HEALS", policy.max_heals.into()),
        ("MISSING_ITEM_GRACE_MS", policy.missing_item_grace_ms),
        ("NEWER_VERSION_GRACE_MS", policy.newer_version_grace_ms),
        ("RETENTION_MS", policy.retention_ms),
        ("OVERDUE_AFTER_MS", policy.overdue_after_ms),
        ("PARK_OVERDUE_AFTER_MS", policy.park_overdue_after_ms),
    ];
    let mut texts = vec![
        ("PAYMENTS_TABLE", PAYMENTS_TABLE),
        ("HIGH_QUEUE_URL", &queues.high),
        ("STANDARD_QUEUE_URL", &queues.standard),
        ("HISTORY_KEYS", HISTORY_KEYS),
        ("DEPLOYMENT", DEPLOYMENT),
    ];
    match function {
        "ingest" => {
            texts.extend([
                ("MERCHANTS_TABLE", MERCHANTS_TABLE),
                ("GATES_TABLE", GATES_TABLE),
                ("ADMISSION_TABLE", ADMISSION_TABLE),
                ("PROVIDER_NAME", PROVIDER_NAME),
                ("PROVIDER_KIND", "open"),
                ("CALLBACK_KEY", CALLBACK_KEY),
                ("CALLBACK_KEY_PREVIOUS", CALLBACK_KEY_PREVIOUS),
            ]);
            numbers.extend(gate());
            let limit = Limit::usual(settings::MERCHANT_RATE);
            numbers.extend([
                ("MERCHANT_RATE_PER_SECOND", limit.rate_per_second().into()),
                ("MERCHANT_BURST", limit.burst().into()),
                ("HIGH_CONCURRENCY", settings::HIGH_CONCURRENCY.into()),
                ("STANDARD_CONCURRENCY", settings::STANDARD_CONCURRENCY.into()),
                ("QUEUE_DEPTH_MAX", settings::QUEUE_DEPTH_MAX),
                ("RECOVERY_POINT_MS", 0),
                ("RECOVERED_AT_MS", 0),
            ]);
        }
        "consumer" => {
            texts.extend([
                ("GATES_TABLE", GATES_TABLE),
                ("PROVIDER_NAME", PROVIDER_NAME),
                ("PROVIDER_KIND", "open"),
                ("PROVIDER_URL", provider_url),
                ("PROVIDER_KEY", PROVIDER_KEY),
            ]);
            numbers.extend(gate());
            numbers.extend([
                ("PROVIDER_RATE_PER_SECOND", settings::gate_rate(rate_per_second).into()),
                ("RATE_MARGIN_MS", settings::MARGIN_MS.into()),
                ("POOL_SIZE", settings::MAX_IN_FLIGHT.into()),
                ("POOL_IDLE_TIMEOUT_MS", settings::IDLE_TIMEOUT_MS),
                ("MAX_IN_FLIGHT", settings::MAX_IN_FLIGHT.into()),
                // The sandbox has no limit of calls under way.
                ("PROVIDER_MAX_IN_FLIGHT", 0),
                ("CONSUMER_CONCURRENCY", (settings::HIGH_CONCURRENCY + settings::STANDARD_CONCURRENCY).into()),
            ]);
        }
        "dead_letter" => texts.push(("DEAD_LETTER_QUEUE_URL", &queues.dead_letter)),
        "reconcile" => {
            texts.extend([("GATES_TABLE", GATES_TABLE), ("PROVIDER_NAME", PROVIDER_NAME)]);
            numbers.push(("MAX_HEALS_PER_SWEEP", 20));
        }
        other => panic!("{other} is no function"),
    }
    let numbers = numbers.into_iter().map(|(name, value)| (name.to_owned(), value.to_string()));
    numbers.chain(texts.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()))).collect()
}

/// Breaker and brake, as everybody who looks at the gate is told: those of the demo, for the longer calls of [`policy`].
fn gate() -> [(&'static str, u64); 10] {
    let GateSettings { breaker, brake } = settings::gate();
    let policy = policy();
    let call_ms = policy.connect_timeout_ms + policy.call_timeout_ms;
    [
        ("BREAKER_FAILURES", breaker.failures),
        ("BREAKER_FAILING_PERCENT", breaker.failing_percent),
        ("BREAKER_CALLS_MIN", breaker.calls_min),
        ("BREAKER_WINDOW_MS", breaker.window_ms),
        ("BREAKER_OPEN_MS", call_ms),
        ("BREAKER_OPEN_MAX_MS", 4 * call_ms),
        ("BREAKER_RAMP_PERCENT", breaker.ramp_percent.into()),
        ("BREAKER_RAMP_STEP_MS", call_ms),
        ("GATE_HOLD_MAX_MS", brake.hold_max_ms),
        ("RATE_RECOVERY_MS", brake.recovery_ms),
    ]
}
