//! Each setting reaches the field that it is named after, and no other; each is taken at its bounds and not beyond them.
//!
//! Every value is another one, and every struct is written out in full: two settings that are read into each other's
//! field differ here, and a new field does not compile until its setting stands in the list.

use std::collections::{BTreeMap, BTreeSet};

use aws::queue::QueueUrls;
use aws::settings::{
    CallbackSettings, ConsumerSettings, DeadLetterSettings, IngestSettings, ReconcileSettings, Secret, SettingsError,
};
use consumer::Limits;
use pacing::admission::AdmissionSettings;
use pacing::brake::BrakeSettings;
use pacing::breaker::BreakerSettings;
use pacing::gate::{GateSettings, GateState};
use payments::history::HistoryKeys;
use payments::limit::Limit;
use payments::policy::Policy;
use payments::provider::ProviderKind;
use payments::time::Timestamp;
use payments::transition::Recovery;
use providers::callback::{NotTaken, Received};
use providers::http::HttpSettings;
use providers::open::callback::{Distrust, sign};

const KEYS: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const CALLBACK_KEY: &str = "callback_key_0123456789abcdefghij";
const CALLBACK_KEY_BEFORE: &str = "callback_key_before_9876543210zyx";

const TEXTS: [(&str, &str); 15] = [
    ("DEPLOYMENT", "20260131T120000Z"),
    ("PAYMENTS_TABLE", "the-payments"),
    ("MERCHANTS_TABLE", "the-merchants"),
    ("GATES_TABLE", "the-gates"),
    ("ADMISSION_TABLE", "the-admission"),
    ("HIGH_QUEUE_URL", "https://sqs.example/1/high"),
    ("STANDARD_QUEUE_URL", "https://sqs.example/1/standard"),
    ("DEAD_LETTER_QUEUE_URL", "https://sqs.example/1/dead-letter"),
    ("PROVIDER_NAME", "acme"),
    ("PROVIDER_KIND", "open"),
    ("PROVIDER_URL", "https://api.acme.example/v1"),
    ("PROVIDER_KEY", "key_0123456789"),
    ("CALLBACK_KEY", CALLBACK_KEY),
    ("CALLBACK_KEY_PREVIOUS", CALLBACK_KEY_BEFORE),
    ("HISTORY_KEYS", KEYS),
];

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;
/// Longest run of a function ("Lambda quotas") and longest life of a message ("Amazon SQS message quotas"), in ms.
const RUN: u64 = 900_000;
const RETENTION: u64 = 14 * DAY;
const LAST_MS: u64 = 253_402_300_799_999;

/// Name, value, least and most. No two values are the same.
const NUMBERS: [(&str, u64, u64, u64); 39] = [
    ("PROVIDER_RATE_PER_SECOND", 5_062, 1, 1_000_000),
    ("RATE_MARGIN_MS", 63, 0, 900),
    ("POOL_SIZE", 64, 0, 10_000),
    ("POOL_IDLE_TIMEOUT_MS", 30_065, 0, HOUR),
    ("MAX_IN_FLIGHT", 206, 1, 10_000),
    ("PROVIDER_MAX_IN_FLIGHT", 20_967, 0, 10_000_000),
    ("CONSUMER_CONCURRENCY", 98, 1, 10_000),
    ("BREAKER_FAILURES", 51, 1, 1_000_000),
    ("BREAKER_FAILING_PERCENT", 52, 1, 100),
    ("BREAKER_CALLS_MIN", 253, 1, 1_000_000),
    ("BREAKER_WINDOW_MS", 10_054, 1_000, HOUR),
    ("BREAKER_OPEN_MS", 15_055, 1, HOUR),
    ("BREAKER_OPEN_MAX_MS", 60_056, 1, HOUR),
    ("BREAKER_RAMP_PERCENT", 57, 1, 100),
    ("BREAKER_RAMP_STEP_MS", 15_058, 1, HOUR),
    ("GATE_HOLD_MAX_MS", 60_059, 0, HOUR),
    ("RATE_RECOVERY_MS", 60_061, 1_000, HOUR),
    ("MERCHANT_RATE_PER_SECOND", 1_069, 1, payments::limit::RATE_MAX as u64),
    ("MERCHANT_BURST", 4_070, 1, payments::limit::BURST_MAX as u64),
    ("HIGH_CONCURRENCY", 31, 2, 1_000),
    ("STANDARD_CONCURRENCY", 72, 2, 1_000),
    ("QUEUE_DEPTH_MAX", 10_000_073, 1, 1_000_000_000),
    ("RECOVERY_POINT_MS", 1_764_000_000_074, 0, LAST_MS),
    ("RECOVERED_AT_MS", 1_764_003_600_075, 0, LAST_MS),
    ("CONNECT_TIMEOUT_MS", 2_001, 1, RUN),
    ("CALL_TIMEOUT_MS", 10_002, 1, RUN),
    ("CLAIM_LEAD_MS", 203, 0, RUN),
    ("SETTLE_ALLOWANCE_MS", 9_004, 1, RUN),
    ("ABSENCE_BOUND_MS", 900_005, 1, 30 * DAY),
    ("KEY_WINDOW_MS", 86_400_006, 1, 3_650 * DAY),
    ("CLOCK_SKEW_MS", 600_007, 0, DAY),
    ("MAX_ATTEMPTS", 8, 1, 100),
    ("MAX_HEALS", 11, 1, 10_000),
    ("MAX_HEALS_PER_SWEEP", 17, 1, 100_000),
    ("MISSING_ITEM_GRACE_MS", 600_012, 0, RETENTION),
    ("NEWER_VERSION_GRACE_MS", 3_600_013, 0, RETENTION),
    ("RETENTION_MS", 34_560_000_014, DAY, 36_500 * DAY),
    ("OVERDUE_AFTER_MS", 3_600_015, 60_000, 365 * DAY),
    ("PARK_OVERDUE_AFTER_MS", 259_200_016, 60_000, 365 * DAY),
];

/// Their upper bound is what SQS hides a message for, which is held where that is.
const WAITS: [(&str, u64); 4] = [
    ("BACKOFF_BASE_MS", 1_009),
    ("BACKOFF_CAP_MS", 60_010),
    ("PENDING_BACKOFF_BASE_MS", 5_076),
    ("PENDING_BACKOFF_CAP_MS", 900_077),
];

fn all() -> BTreeMap<String, String> {
    let texts = TEXTS.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let numbers = NUMBERS.iter().map(|(name, value, ..)| ((*name).to_owned(), value.to_string()));
    let waits = WAITS.iter().map(|(name, value)| ((*name).to_owned(), value.to_string()));
    texts.chain(numbers).chain(waits).collect()
}

fn with(changes: &[(&str, u64)]) -> impl Fn(&str) -> Option<String> + use<> {
    let mut settings = all();
    for (name, value) in changes {
        settings.insert((*name).to_owned(), value.to_string());
    }
    move |name| settings.get(name).cloned()
}

fn policy() -> Policy {
    Policy {
        connect_timeout_ms: 2_001,
        call_timeout_ms: 10_002,
        claim_lead_ms: 203,
        settle_allowance_ms: 9_004,
        absence_bound_ms: 900_005,
        key_window_ms: 86_400_006,
        clock_skew_ms: 600_007,
        max_attempts: 8,
        backoff_base_ms: 1_009,
        backoff_cap_ms: 60_010,
        pending_backoff_base_ms: 5_076,
        pending_backoff_cap_ms: 900_077,
        max_heals: 11,
        missing_item_grace_ms: 600_012,
        newer_version_grace_ms: 3_600_013,
        retention_ms: 34_560_000_014,
        overdue_after_ms: 3_600_015,
        park_overdue_after_ms: 259_200_016,
        history_keys: HistoryKeys::parse(KEYS).unwrap(),
    }
}

fn gate_settings(probe_lease_ms: u64) -> GateSettings {
    GateSettings {
        breaker: BreakerSettings {
            failures: 51,
            failing_percent: 52,
            calls_min: 253,
            window_ms: 10_054,
            open_ms: 15_055,
            open_max_ms: 60_056,
            ramp_percent: 57,
            ramp_step_ms: 15_058,
            probe_lease_ms,
        },
        brake: BrakeSettings { hold_max_ms: 60_059, recovery_ms: 60_061 },
    }
}

fn queues(dead_letter: Option<&str>) -> QueueUrls {
    QueueUrls {
        high: "https://sqs.example/1/high".to_owned(),
        standard: "https://sqs.example/1/standard".to_owned(),
        dead_letter: dead_letter.map(str::to_owned),
    }
}

fn consumer_settings() -> ConsumerSettings {
    ConsumerSettings {
        deployment: "20260131T120000Z".to_owned(),
        payments_table: "the-payments".to_owned(),
        gates_table: "the-gates".to_owned(),
        queues: queues(None),
        provider_name: "acme".to_owned(),
        provider_kind: ProviderKind::Open,
        provider_url: "https://api.acme.example/v1".to_owned(),
        provider_key: Secret::new("key_0123456789"),
        provider_rate_per_second: 5_062,
        rate_margin_ms: 63,
        pool_size: 64,
        pool_idle_timeout_ms: 30_065,
        max_in_flight: 206,
        provider_max_in_flight: 20_967,
        consumer_concurrency: 98,
        // Connecting, calling and settling.
        gate_settings: gate_settings(2_001 + 10_002 + 9_004),
        policy: policy(),
    }
}

#[test]
fn no_two_values_are_the_same() {
    let all = all();
    assert_eq!(all.len(), TEXTS.len() + NUMBERS.len() + WAITS.len(), "each name once");
    assert_eq!(all.values().collect::<BTreeSet<_>>().len(), all.len(), "each value once");
}

#[test]
fn each_setting_of_the_consumer_reaches_its_field() {
    assert_eq!(ConsumerSettings::from(with(&[])), Ok(consumer_settings()));
}

#[test]
fn each_setting_of_ingest_reaches_its_field() {
    let expected = IngestSettings {
        deployment: "20260131T120000Z".to_owned(),
        payments_table: "the-payments".to_owned(),
        merchants_table: "the-merchants".to_owned(),
        gates_table: "the-gates".to_owned(),
        admission_table: "the-admission".to_owned(),
        queues: queues(None),
        provider_name: "acme".to_owned(),
        provider_kind: ProviderKind::Open,
        merchant_limit: Limit::new(1_069, 4_070),
        admission: AdmissionSettings {
            // It makes no probes.
            gate: gate_settings(0),
            high_concurrency: 31,
            standard_concurrency: 72,
            queue_depth_max: 10_000_073,
        },
        callbacks: Some(CallbackSettings {
            provider_name: "acme".to_owned(),
            provider_kind: ProviderKind::Open,
            key: Secret::new(CALLBACK_KEY),
            previous_key: Some(Secret::new(CALLBACK_KEY_BEFORE)),
        }),
        recovery: Some(Recovery {
            point: Timestamp::from_ms(1_764_000_000_074),
            at: Timestamp::from_ms(1_764_003_600_075),
        }),
        policy: policy(),
    };
    assert_eq!(IngestSettings::from(with(&[])), Ok(expected));
}

#[test]
fn each_setting_of_dead_letter_and_of_reconcile_reaches_its_field() {
    let expected = DeadLetterSettings {
        deployment: "20260131T120000Z".to_owned(),
        payments_table: "the-payments".to_owned(),
        queues: queues(Some("https://sqs.example/1/dead-letter")),
        policy: policy(),
    };
    assert_eq!(DeadLetterSettings::from(with(&[])), Ok(expected));
    let expected = ReconcileSettings {
        deployment: "20260131T120000Z".to_owned(),
        payments_table: "the-payments".to_owned(),
        gates_table: "the-gates".to_owned(),
        queues: queues(None),
        provider_name: "acme".to_owned(),
        max_heals_per_sweep: 17,
        policy: policy(),
    };
    assert_eq!(ReconcileSettings::from(with(&[])), Ok(expected));
}

/// What the consumer and `ingest` hand on of their settings.
#[test]
fn what_is_wired_from_the_settings_is_what_they_say() {
    let settings = consumer_settings();
    let HttpSettings { kind, base_url, key, connect_timeout_ms, pool_size, idle_timeout_ms } =
        consumer::wiring::provider_settings(&settings);
    assert_eq!(kind, ProviderKind::Open);
    assert_eq!((base_url.as_str(), key.as_str()), ("https://api.acme.example/v1", "key_0123456789"));
    assert_eq!((connect_timeout_ms, pool_size, idle_timeout_ms), (2_001, 64, 30_065));
    let expected = Limits { max_in_flight: 206, gate: gate_settings(21_007) };
    assert_eq!(consumer::wiring::limits(&settings), expected);
    assert_eq!(settings.gate(), GateState::new("acme", 5_062, 63));

    let callbacks = IngestSettings::from(with(&[])).unwrap().callbacks.map(ingest::wiring::callbacks).unwrap().unwrap();
    assert_eq!(callbacks.provider, "acme");
    let now = Timestamp::from_ms(1_764_000_000_000);
    for (key, is_known) in [(CALLBACK_KEY, true), (CALLBACK_KEY_BEFORE, true), ("another", false)] {
        let signature = sign(key, now, b"{}");
        let verdict = callbacks.known.read(&Received { signature: Some(&signature), body: b"{}", at: now });
        // What is believed is looked at, and says nothing.
        let expected = if is_known { NotTaken::Unreadable } else { NotTaken::Untrusted(Distrust::Forged) };
        assert_eq!(verdict, Err(expected), "{key}");
    }
}

fn problems(name: &str, value: u64) -> Vec<String> {
    let of = |error: SettingsError| error.problems;
    let changed = || with(&[(name, value)]);
    let read = [
        ConsumerSettings::from(changed()).err().map(of),
        IngestSettings::from(changed()).err().map(of),
        DeadLetterSettings::from(changed()).err().map(of),
        ReconcileSettings::from(changed()).err().map(of),
    ];
    read.into_iter().flatten().flatten().collect()
}

#[test]
fn each_number_is_taken_at_its_bounds_and_not_beyond_them() {
    for (name, _, least, most) in NUMBERS {
        let refused = |value| {
            let start = format!("{name} is \"{value}\": expected a whole number of ");
            problems(name, value).iter().any(|problem| problem.starts_with(&start))
        };
        assert!(!refused(least), "{name}={least}");
        assert!(!refused(most), "{name}={most}");
        assert!(refused(most + 1), "{name}={}", most + 1);
        if let Some(below) = least.checked_sub(1) {
            assert!(refused(below), "{name}={below}");
        }
    }
}

/// What two settings must be to each other: at the edge, and one beyond it.
#[test]
fn what_settings_must_be_to_one_another_holds_to_the_number() {
    type Changes<'a> = &'a [(&'a str, u64)];
    let lease = 2_001 + 10_002 + 9_004;
    let key_window = 900_005 + 600_007 + lease + 600_007;
    let cases: [(Changes<'_>, Changes<'_>, &str); 12] = [
        (&[("KEY_WINDOW_MS", key_window + 1)], &[("KEY_WINDOW_MS", key_window)], "KEY_WINDOW_MS less CLOCK_SKEW_MS"),
        (&[("SETTLE_ALLOWANCE_MS", 8_001)], &[("SETTLE_ALLOWANCE_MS", 8_000)], "SETTLE_ALLOWANCE_MS is not above"),
        (&[("BACKOFF_BASE_MS", 60_010)], &[("BACKOFF_BASE_MS", 60_011)], "BACKOFF_BASE_MS is above"),
        (
            &[("PENDING_BACKOFF_BASE_MS", 900_077)],
            &[("PENDING_BACKOFF_BASE_MS", 900_078)],
            "PENDING_BACKOFF_BASE_MS is above",
        ),
        (&[("OVERDUE_AFTER_MS", 259_200_016)], &[("OVERDUE_AFTER_MS", 259_200_017)], "OVERDUE_AFTER_MS is above"),
        (&[("RETENTION_MS", 86_400_006)], &[("RETENTION_MS", 86_400_005)], "RETENTION_MS is below KEY_WINDOW_MS"),
        (&[("POOL_SIZE", 206)], &[("POOL_SIZE", 207)], "POOL_SIZE is above MAX_IN_FLIGHT"),
        (
            &[("PROVIDER_MAX_IN_FLIGHT", 98 * 206)],
            &[("PROVIDER_MAX_IN_FLIGHT", 98 * 206 - 1)],
            "CONSUMER_CONCURRENCY times MAX_IN_FLIGHT",
        ),
        (&[("BREAKER_OPEN_MS", 12_003)], &[("BREAKER_OPEN_MS", 12_002)], "BREAKER_OPEN_MS or BREAKER_RAMP_STEP_MS"),
        (
            &[("BREAKER_RAMP_STEP_MS", 12_003)],
            &[("BREAKER_RAMP_STEP_MS", 12_002)],
            "BREAKER_OPEN_MS or BREAKER_RAMP_STEP_MS",
        ),
        (&[("BREAKER_OPEN_MS", 60_056)], &[("BREAKER_OPEN_MS", 60_057)], "BREAKER_OPEN_MS is above"),
        (
            // One less than a function runs, and as much.
            &[("SETTLE_ALLOWANCE_MS", RUN - 12_004)],
            &[("SETTLE_ALLOWANCE_MS", RUN - 12_003)],
            "longer than a function may run",
        ),
    ];
    for (fits, does_not, problem) in cases {
        assert!(ConsumerSettings::from(with(fits)).is_ok(), "{fits:?}");
        let problems = ConsumerSettings::from(with(does_not)).unwrap_err().problems;
        assert!(problems.len() == 1 && problems[0].contains(problem), "{does_not:?}: {problems:?}");
    }
    for (burst, fits) in [(1_069, true), (1_068, false)] {
        assert_eq!(IngestSettings::from(with(&[("MERCHANT_BURST", burst)])).is_ok(), fits, "{burst}");
    }
    // A restore to the very moment at which the consumers were off loses nothing, and is one.
    let at = 1_764_003_600_075;
    for (point, fits) in [(at, true), (at + 1, false), (0, false)] {
        assert_eq!(IngestSettings::from(with(&[("RECOVERY_POINT_MS", point)])).is_ok(), fits, "{point}");
    }
}
