//! The functions' settings: all of them, or a start that names what is wrong.

use std::collections::BTreeMap;

use aws::settings::{ConsumerSettings, DeadLetterSettings, IngestSettings, ReconcileSettings, Secret};
use payments::limit::Limit;

const SETTINGS: [(&str, &str); 57] = [
    ("DEPLOYMENT", "20260131T120000Z"),
    ("PAYMENTS_TABLE", "payments"),
    ("MERCHANTS_TABLE", "merchants"),
    ("GATES_TABLE", "gates"),
    ("ADMISSION_TABLE", "admission"),
    ("MERCHANT_RATE_PER_SECOND", "1000"),
    ("MERCHANT_BURST", "4000"),
    ("HIGH_CONCURRENCY", "30"),
    ("STANDARD_CONCURRENCY", "70"),
    ("QUEUE_DEPTH_MAX", "10000000"),
    ("RECOVERY_POINT_MS", "0"),
    ("RECOVERED_AT_MS", "0"),
    ("HIGH_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/high"),
    ("STANDARD_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/standard"),
    ("DEAD_LETTER_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/dead-letter"),
    ("PROVIDER_NAME", "acme"),
    ("PROVIDER_KIND", "open"),
    ("PROVIDER_URL", "https://api.acme.example/v1"),
    ("PROVIDER_KEY", "key_0123456789"),
    ("PROVIDER_RATE_PER_SECOND", "5000"),
    ("RATE_MARGIN_MS", "10"),
    ("POOL_SIZE", "50"),
    ("POOL_IDLE_TIMEOUT_MS", "30000"),
    ("MAX_IN_FLIGHT", "200"),
    ("PROVIDER_MAX_IN_FLIGHT", "20000"),
    ("CONSUMER_CONCURRENCY", "100"),
    ("BREAKER_FAILURES", "50"),
    ("BREAKER_FAILING_PERCENT", "50"),
    ("BREAKER_CALLS_MIN", "200"),
    ("BREAKER_WINDOW_MS", "10000"),
    ("BREAKER_OPEN_MS", "15000"),
    ("BREAKER_OPEN_MAX_MS", "60000"),
    ("BREAKER_RAMP_PERCENT", "10"),
    ("BREAKER_RAMP_STEP_MS", "15000"),
    ("GATE_HOLD_MAX_MS", "60000"),
    ("RATE_RECOVERY_MS", "60000"),
    ("CONNECT_TIMEOUT_MS", "2000"),
    ("CALL_TIMEOUT_MS", "10000"),
    ("CLAIM_LEAD_MS", "200"),
    ("SETTLE_ALLOWANCE_MS", "9000"),
    ("ABSENCE_BOUND_MS", "900000"),
    ("KEY_WINDOW_MS", "86400000"),
    ("CLOCK_SKEW_MS", "600000"),
    ("MAX_ATTEMPTS", "5"),
    ("BACKOFF_BASE_MS", "1000"),
    ("BACKOFF_CAP_MS", "60000"),
    ("PENDING_BACKOFF_BASE_MS", "5000"),
    ("PENDING_BACKOFF_CAP_MS", "900000"),
    ("MAX_HEALS", "20"),
    ("MAX_HEALS_PER_SWEEP", "50"),
    ("MISSING_ITEM_GRACE_MS", "600000"),
    ("NEWER_VERSION_GRACE_MS", "3600000"),
    ("RETENTION_MS", "34560000000"),
    ("OVERDUE_AFTER_MS", "3600000"),
    ("PARK_OVERDUE_AFTER_MS", "259200000"),
    ("HISTORY_KEYS", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="),
    ("UNRELATED", "whatever"),
];

fn with(changes: &[(&str, Option<&str>)]) -> impl Fn(&str) -> Option<String> {
    let mut settings: BTreeMap<String, String> =
        SETTINGS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    for (name, value) in changes {
        match value {
            Some(value) => settings.insert((*name).to_owned(), (*value).to_owned()),
            None => settings.remove(*name),
        };
    }
    move |name| settings.get(name).cloned()
}

#[test]
fn each_function_reads_what_it_needs_and_no_more() {
    let consumer = ConsumerSettings::from(with(&[("MERCHANTS_TABLE", None), ("DEAD_LETTER_QUEUE_URL", None)])).unwrap();
    assert_eq!(consumer.provider_rate_per_second, 5_000);
    assert_eq!(consumer.policy.retention_ms, 34_560_000_000);
    let ingest = IngestSettings::from(with(&[("PROVIDER_URL", None), ("PROVIDER_KEY", None)])).unwrap();
    assert_eq!(ingest.queues.dead_letter, None);
    assert_eq!((ingest.merchant_limit, ingest.admission.queue_depth_max), (Limit::usual(1_000), 10_000_000));
    assert_eq!(ingest.admission.gate.breaker.ramp_percent, consumer.gate_settings.breaker.ramp_percent);
    assert_eq!(ingest.recovery, None);
    let dead_letter = DeadLetterSettings::from(with(&[("PROVIDER_URL", None)])).unwrap();
    assert!(dead_letter.queues.dead_letter.unwrap().ends_with("/dead-letter"));
    let reconcile = ReconcileSettings::from(with(&[("PROVIDER_URL", None), ("MERCHANTS_TABLE", None)])).unwrap();
    assert_eq!(reconcile.max_heals_per_sweep, 50);
}

#[test]
fn every_setting_that_is_missing_is_named_at_once() {
    let problems = ConsumerSettings::from(|_| None).unwrap_err().problems;
    assert_eq!(problems.len(), 45, "{problems:#?}");
    for (name, _) in SETTINGS {
        let others = ["MERCHANTS_TABLE", "DEAD_LETTER_QUEUE_URL", "MAX_HEALS_PER_SWEEP", "UNRELATED"];
        let of_ingest = [
            "ADMISSION_TABLE",
            "MERCHANT_RATE_PER_SECOND",
            "MERCHANT_BURST",
            "HIGH_CONCURRENCY",
            "STANDARD_CONCURRENCY",
            "QUEUE_DEPTH_MAX",
            "RECOVERY_POINT_MS",
            "RECOVERED_AT_MS",
        ];
        let needed = !others.contains(&name) && !of_ingest.contains(&name);
        let named = problems.iter().any(|problem| problem.starts_with(&format!("{name} is missing: expected ")));
        assert_eq!(named, needed, "{name}");
    }
}

#[test]
fn a_wrong_value_stops_the_start_and_says_what_is_expected() {
    for (name, value, expected) in [
        ("RATE_MARGIN_MS", "901", "RATE_MARGIN_MS is \"901\": expected a whole number of ms from 0 to 900"),
        ("RATE_MARGIN_MS", "-1", "expected a whole number"),
        ("MAX_ATTEMPTS", "0", "MAX_ATTEMPTS is \"0\""),
        ("MAX_ATTEMPTS", "five", "MAX_ATTEMPTS is \"five\""),
        ("MAX_HEALS", " ", "MAX_HEALS is empty"),
        ("PAYMENTS_TABLE", "pay ments", "PAYMENTS_TABLE is \"pay ments\""),
        ("PROVIDER_KIND", "paypal", "PROVIDER_KIND is \"paypal\": expected one of open, alipay, stripe"),
        ("PROVIDER_KIND", "", "PROVIDER_KIND is empty"),
        ("PROVIDER_URL", "api.acme.example", "PROVIDER_URL is not a URL"),
        ("PROVIDER_URL", "https://user:password@acme.example", "PROVIDER_URL is not a URL"),
        ("HIGH_QUEUE_URL", "https://sqs.eu-central-1.amazonaws.com/123456789012/standard", "the same queue twice"),
        ("POOL_SIZE", "201", "POOL_SIZE is above MAX_IN_FLIGHT"),
        ("PROVIDER_MAX_IN_FLIGHT", "19999", "CONSUMER_CONCURRENCY times MAX_IN_FLIGHT is above PROVIDER_MAX_IN_FLIGHT"),
        ("PROVIDER_MAX_IN_FLIGHT", "0", ""),
        ("CONSUMER_CONCURRENCY", "101", "CONSUMER_CONCURRENCY times MAX_IN_FLIGHT is above PROVIDER_MAX_IN_FLIGHT"),
        ("BREAKER_OPEN_MS", "11999", "BREAKER_OPEN_MS or BREAKER_RAMP_STEP_MS is below"),
        ("BREAKER_RAMP_STEP_MS", "11999", "BREAKER_OPEN_MS or BREAKER_RAMP_STEP_MS is below"),
        ("BREAKER_OPEN_MS", "60001", "BREAKER_OPEN_MS is above BREAKER_OPEN_MAX_MS"),
        ("BREAKER_FAILING_PERCENT", "101", "BREAKER_FAILING_PERCENT is \"101\""),
        ("KEY_WINDOW_MS", "2000000", "KEY_WINDOW_MS less CLOCK_SKEW_MS is not above ABSENCE_BOUND_MS"),
        ("BACKOFF_CAP_MS", "500", "BACKOFF_BASE_MS is above BACKOFF_CAP_MS"),
        ("PENDING_BACKOFF_CAP_MS", "500", "PENDING_BACKOFF_BASE_MS is above PENDING_BACKOFF_CAP_MS"),
        ("RETENTION_MS", "86400000", ""),
        ("KEY_WINDOW_MS", "34560000001", "RETENTION_MS is below KEY_WINDOW_MS"),
        ("CALL_TIMEOUT_MS", "900000", "longer than a function may run"),
    ] {
        let read = ConsumerSettings::from(with(&[(name, Some(value))]));
        match (expected, read) {
            ("", read) => assert!(read.is_ok(), "{name}={value}"),
            (expected, Err(error)) => {
                assert_eq!(error.problems.len(), 1, "{name}={value}: {error}");
                assert!(error.to_string().contains(expected), "{name}={value}: {error}");
            }
            (_, Ok(_)) => panic!("{name}={value} was taken"),
        }
    }
}

#[test]
fn a_merchants_default_holds_a_seconds_worth_at_least() {
    let problems = IngestSettings::from(with(&[("MERCHANT_BURST", Some("999"))])).unwrap_err().problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].starts_with("MERCHANT_BURST is below MERCHANT_RATE_PER_SECOND"), "{problems:?}");
    for (name, value) in [("MERCHANT_RATE_PER_SECOND", "0"), ("QUEUE_DEPTH_MAX", "0"), ("HIGH_CONCURRENCY", "1")] {
        let problems = IngestSettings::from(with(&[(name, Some(value))])).unwrap_err().problems;
        assert!(problems.len() == 1 && problems[0].starts_with(&format!("{name} is \"{value}\"")), "{problems:?}");
    }
}

#[test]
fn a_secret_is_never_shown() {
    let error = ConsumerSettings::from(with(&[("PROVIDER_KEY", Some("sec ret"))])).unwrap_err();
    assert!(!error.to_string().contains("sec ret") && error.to_string().contains("PROVIDER_KEY"));
    for (keys, says) in [("sec ret", "key 1 is neither base64 nor hex"), ("c2VjcmV0", "key 1 has fewer than 32 bytes")]
    {
        let error = IngestSettings::from(with(&[("HISTORY_KEYS", Some(keys))])).unwrap_err().to_string();
        assert!(error.contains(&format!("HISTORY_KEYS cannot be used: {says}; expected keys")), "{error}");
        assert!(!error.contains(keys), "{error}");
    }
    let settings = ConsumerSettings::from(with(&[])).unwrap();
    assert!(!format!("{settings:?}").contains("key_0123456789"));
    assert!(!format!("{settings:?}").contains("MDEyMzQ1"));
    assert_eq!(settings.provider_key, Secret::new("key_0123456789"));
}

/// What `--secret-string file://…` makes of a file that an editor wrote.
#[test]
fn the_end_of_a_line_is_no_part_of_a_secret() {
    const CALLBACK_KEY: &str = "callback_key_0123456789abcdefghij";
    let history_keys = "0123456789abcdef".repeat(4);
    for end in ["\n", "\r\n", "\n\n"] {
        let settings =
            ConsumerSettings::from(with(&[("PROVIDER_KEY", Some(&format!("key_0123456789{end}")))])).unwrap();
        assert_eq!(settings.provider_key.reveal(), "key_0123456789");
        let (key, keys) = (format!("{CALLBACK_KEY}{end}"), format!("{history_keys}{end}"));
        let settings =
            IngestSettings::from(with(&[("CALLBACK_KEY", Some(&key)), ("HISTORY_KEYS", Some(&keys))])).unwrap();
        assert_eq!(settings.callbacks.unwrap().key.reveal(), CALLBACK_KEY);
        let plain = IngestSettings::from(with(&[("HISTORY_KEYS", Some(&history_keys))])).unwrap();
        assert_eq!(settings.policy, plain.policy);
    }
    // Within a secret it is a mistake: two lines were pasted.
    for wrong in ["key_01234\n56789", "\nkey_0123456789", "\n"] {
        assert!(ConsumerSettings::from(with(&[("PROVIDER_KEY", Some(wrong))])).is_err(), "{wrong:?}");
    }
}

#[test]
fn callbacks_need_a_key_that_nobody_can_guess_and_are_off_without_one() {
    const KEY: &str = "callback_key_0123456789abcdefghij";
    let none = IngestSettings::from(with(&[])).unwrap();
    assert_eq!(none.callbacks, None);
    let callbacks = IngestSettings::from(with(&[("CALLBACK_KEY", Some(KEY))])).unwrap().callbacks.unwrap();
    assert_eq!((callbacks.provider_name.as_str(), callbacks.key.reveal()), ("acme", KEY));
    assert_eq!(callbacks.previous_key, None);
    let refused = |changes: &[(&str, Option<&str>)]| {
        let problems = IngestSettings::from(with(changes)).unwrap_err().problems;
        assert!(!format!("{problems:?}").contains("0123456789"), "{problems:?}");
        problems.len()
    };
    assert_eq!(refused(&[("CALLBACK_KEY_PREVIOUS", Some(KEY))]), 1, "the previous one alone");
    assert_eq!(refused(&[("CALLBACK_KEY", Some("0123456789"))]), 1, "too short");
    assert_eq!(
        refused(&[("CALLBACK_KEY", Some(KEY)), ("CALLBACK_KEY_PREVIOUS", Some("0123456789 0123456789 0123456789"))]),
        1
    );
    assert!(refused(&[("CALLBACK_KEY", Some(""))]) > 0, "empty is a mistake, not a choice");
}

#[test]
fn a_restore_is_named_by_both_of_its_moments_or_not_at_all() {
    let read = |point: &str, at: &str| {
        IngestSettings::from(with(&[("RECOVERY_POINT_MS", Some(point)), ("RECOVERED_AT_MS", Some(at))]))
    };
    let recovery = read("1764000000000", "1764003600000").unwrap().recovery.unwrap();
    assert_eq!((recovery.point.ms(), recovery.at.ms()), (1_764_000_000_000, 1_764_003_600_000));
    for (point, at) in [("1764000000000", "0"), ("0", "1764003600000"), ("1764003600000", "1764000000000")] {
        let problems = read(point, at).unwrap_err().problems;
        assert!(problems.len() == 1 && problems[0].contains("do not agree"), "{problems:?}");
    }
}

/// What is sent again under a forgotten key is another payment.
#[test]
fn a_key_window_that_the_providers_documents_do_not_allow_stops_the_start() {
    let read =
        |kind, window| ConsumerSettings::from(with(&[("PROVIDER_KIND", Some(kind)), ("KEY_WINDOW_MS", Some(window))]));
    assert_eq!(read("stripe", "86400000").map(|settings| settings.policy.key_window_ms), Ok(86_400_000));
    let error = read("stripe", "86400001").unwrap_err().to_string();
    assert!(error.contains("KEY_WINDOW_MS is longer than the provider's documents"), "{error}");
    for kind in ["open", "alipay"] {
        assert!(read(kind, "86400001").is_ok(), "{kind}");
    }
}
