//! What each function is told by its environment. A setting that is missing or wrong stops the start and is named;
//! nothing falls back silently, because a wrong number here is a payment made twice.

mod admission;
mod gate;
mod reader;

use std::fmt;

use pacing::admission::AdmissionSettings;
use pacing::gate::{GateSettings, GateState};
use payments::limit::Limit;
use payments::policy::{OPERATION_TIMEOUT_MS, Policy};
use payments::provider::ProviderKind;
use payments::time::Timestamp;
use payments::transition::Recovery;

use crate::queue::QueueUrls;
use reader::Reader;
pub use reader::SettingsError;

/// A minute, an hour and a day, in ms.
const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Longest time that a function runs, in ms ("Lambda quotas"); no call can take longer.
const FUNCTION_TIMEOUT_MS: u64 = 15 * MINUTE_MS;
/// Longest time for which a message is hidden, in ms: 12 hours that SQS counts from the receive ("Amazon SQS visibility
/// timeout"), less the 5 minutes that a mapping may have waited for a batch and the time that a function may run.
const HIDE_MS_MAX: u64 = 12 * HOUR_MS - 5 * MINUTE_MS - FUNCTION_TIMEOUT_MS;
/// Longest time that SQS keeps a message, in ms ("Amazon SQS message quotas").
const MESSAGE_RETENTION_MS: u64 = 14 * DAY_MS;

/// A text that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(not shown)")
    }
}

/// What `ingest` needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IngestSettings {
    /// `DEPLOYMENT`: what its deployment was stamped with, for the log.
    pub deployment: String,
    /// `PAYMENTS_TABLE`.
    pub payments_table: String,
    /// `MERCHANTS_TABLE`.
    pub merchants_table: String,
    /// `GATES_TABLE`: only read.
    pub gates_table: String,
    /// `ADMISSION_TABLE`: the merchants' buckets and the lanes' figure.
    pub admission_table: String,
    /// `HIGH_QUEUE_URL` and `STANDARD_QUEUE_URL`.
    pub queues: QueueUrls,
    /// `PROVIDER_NAME`: the key of its gate, and part of the path that it calls back.
    pub provider_name: String,
    /// `PROVIDER_KIND`: whose contract it follows, and so which orders are taken.
    pub provider_kind: ProviderKind,
    /// `MERCHANT_RATE_PER_SECOND` and `MERCHANT_BURST`: for merchants whose record says nothing.
    pub merchant_limit: Limit,
    /// What the wait is estimated by.
    pub admission: AdmissionSettings,
    /// How the provider's callbacks are known, if it makes any.
    pub callbacks: Option<CallbackSettings>,
    /// `RECOVERY_POINT_MS` and `RECOVERED_AT_MS`, in ms since the epoch: a restore that new payments have to beware of; both
    /// 0 when there is none.
    pub recovery: Option<Recovery>,
    /// The provider's numbers.
    pub policy: Policy,
}

/// How a provider's callbacks are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackSettings {
    /// `PROVIDER_NAME`: part of the path that it calls.
    pub provider_name: String,
    /// `PROVIDER_KIND`: whose contract its callbacks follow.
    pub provider_kind: ProviderKind,
    /// `CALLBACK_KEY`: what it signs with. Without it no callback is taken.
    pub key: Secret,
    /// `CALLBACK_KEY_PREVIOUS`: what it signed with before, while the key is being changed.
    pub previous_key: Option<Secret>,
}

/// Fewest characters of a callback's key: as many as HMAC-SHA256's output has bytes (RFC 2104, section 3).
const CALLBACK_KEY_CHARS_MIN: usize = 32;

/// What `consumer` needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerSettings {
    /// `DEPLOYMENT`: what its deployment was stamped with, for the log.
    pub deployment: String,
    /// `PAYMENTS_TABLE`.
    pub payments_table: String,
    /// `GATES_TABLE`.
    pub gates_table: String,
    /// `HIGH_QUEUE_URL` and `STANDARD_QUEUE_URL`.
    pub queues: QueueUrls,
    /// `PROVIDER_NAME`: the key of its gate.
    pub provider_name: String,
    /// `PROVIDER_KIND`: whose contract it follows.
    pub provider_kind: ProviderKind,
    /// `PROVIDER_URL`.
    pub provider_url: String,
    /// `PROVIDER_KEY`.
    pub provider_key: Secret,
    /// `PROVIDER_RATE_PER_SECOND`, for a gate that does not exist yet; afterwards the gate's own item says.
    pub provider_rate_per_second: u32,
    /// `RATE_MARGIN_MS`: how much of each second is kept free, likewise.
    pub rate_margin_ms: u32,
    /// `POOL_SIZE`: idle connections kept.
    pub pool_size: usize,
    /// `POOL_IDLE_TIMEOUT_MS`: how long an idle connection is kept; less than the provider keeps it.
    pub pool_idle_timeout_ms: u64,
    /// `MAX_IN_FLIGHT`: calls side by side in one environment.
    pub max_in_flight: u32,
    /// `PROVIDER_MAX_IN_FLIGHT`: calls side by side that the provider takes from all environments; 0 when it has no such
    /// limit. Held by arithmetic and no counter: `CONSUMER_CONCURRENCY` × `MAX_IN_FLIGHT` may not be more, and Lambda
    /// runs no more environments than are reserved. A counter in the gate's item would cost an update a call, and leak
    /// with each environment that dies.
    pub provider_max_in_flight: u32,
    /// `CONSUMER_CONCURRENCY`: the function's reserved concurrency.
    pub consumer_concurrency: u32,
    /// The breaker's and the brake's numbers.
    pub gate_settings: GateSettings,
    /// The provider's numbers.
    pub policy: Policy,
}

/// What `dead_letter` needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetterSettings {
    /// `DEPLOYMENT`: what its deployment was stamped with, for the log.
    pub deployment: String,
    /// `PAYMENTS_TABLE`.
    pub payments_table: String,
    /// `HIGH_QUEUE_URL`, `STANDARD_QUEUE_URL` and `DEAD_LETTER_QUEUE_URL`.
    pub queues: QueueUrls,
    /// The provider's numbers.
    pub policy: Policy,
}

/// What `reconcile` needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReconcileSettings {
    /// `DEPLOYMENT`: what its deployment was stamped with, for the log.
    pub deployment: String,
    /// `PAYMENTS_TABLE`.
    pub payments_table: String,
    /// `GATES_TABLE`: only read.
    pub gates_table: String,
    /// `HIGH_QUEUE_URL` and `STANDARD_QUEUE_URL`.
    pub queues: QueueUrls,
    /// `PROVIDER_NAME`: the key of its gate.
    pub provider_name: String,
    /// `MAX_HEALS_PER_SWEEP`: messages put back in one sweep, a small share of what the provider takes meanwhile.
    pub max_heals_per_sweep: u32,
    /// The provider's numbers.
    pub policy: Policy,
}

impl ReconcileSettings {
    /// Reads the settings from a lookup by name.
    pub fn from(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(&lookup);
        let settings = Self {
            deployment: reader.name("DEPLOYMENT"),
            payments_table: reader.name("PAYMENTS_TABLE"),
            gates_table: reader.name("GATES_TABLE"),
            queues: queues(&mut reader, false),
            provider_name: reader.name("PROVIDER_NAME"),
            max_heals_per_sweep: reader.number("MAX_HEALS_PER_SWEEP", 1..=100_000, "messages"),
            policy: policy(&mut reader),
        };
        reader.finish(settings)
    }

    /// Reads the settings from this process's environment.
    pub fn from_environment() -> Result<Self, SettingsError> {
        Self::from(environment)
    }
}

impl IngestSettings {
    /// Reads the settings from a lookup by name.
    pub fn from(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(&lookup);
        let settings = Self {
            deployment: reader.name("DEPLOYMENT"),
            payments_table: reader.name("PAYMENTS_TABLE"),
            merchants_table: reader.name("MERCHANTS_TABLE"),
            gates_table: reader.name("GATES_TABLE"),
            admission_table: reader.name("ADMISSION_TABLE"),
            queues: queues(&mut reader, false),
            provider_name: reader.name("PROVIDER_NAME"),
            provider_kind: reader.provider_kind("PROVIDER_KIND"),
            merchant_limit: admission::default_limit(&mut reader),
            admission: admission::admission(&mut reader),
            callbacks: None,
            recovery: recovery(&mut reader),
            policy: policy(&mut reader),
        };
        let callbacks = callbacks(&mut reader, &settings.provider_name, settings.provider_kind);
        reader.finish(Self { callbacks, ..settings })
    }

    /// Reads the settings from this process's environment.
    pub fn from_environment() -> Result<Self, SettingsError> {
        Self::from(environment)
    }
}

impl ConsumerSettings {
    /// Reads the settings from a lookup by name.
    pub fn from(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(&lookup);
        let provider_kind = reader.provider_kind("PROVIDER_KIND");
        let settings = Self {
            deployment: reader.name("DEPLOYMENT"),
            payments_table: reader.name("PAYMENTS_TABLE"),
            gates_table: reader.name("GATES_TABLE"),
            queues: queues(&mut reader, false),
            provider_name: reader.name("PROVIDER_NAME"),
            provider_kind,
            provider_url: reader.url("PROVIDER_URL", "the address of the provider's API"),
            provider_key: Secret::new(reader.provider_secret("PROVIDER_KEY", provider_kind)),
            provider_rate_per_second: reader.number("PROVIDER_RATE_PER_SECOND", 1..=1_000_000, "calls a second"),
            // The gate itself takes no more.
            rate_margin_ms: reader.number("RATE_MARGIN_MS", 0..=900, "ms"),
            pool_size: reader.number("POOL_SIZE", 0..=10_000, "connections"),
            pool_idle_timeout_ms: reader.number("POOL_IDLE_TIMEOUT_MS", 0..=HOUR_MS, "ms"),
            max_in_flight: reader.number("MAX_IN_FLIGHT", 1..=10_000, "calls"),
            provider_max_in_flight: reader.number("PROVIDER_MAX_IN_FLIGHT", 0..=10_000_000, "calls"),
            consumer_concurrency: reader.number("CONSUMER_CONCURRENCY", 1..=10_000, "environments"),
            gate_settings: gate::gate_settings(&mut reader),
            policy: policy(&mut reader),
        };
        let settings = settings.with_probe_lease();
        settings.check_gate(&mut reader);
        reader.require(
            provider_kind.key_window_ms().is_none_or(|stated_ms| settings.policy.key_window_ms <= stated_ms),
            "KEY_WINDOW_MS is longer than the provider's documents let anybody believe that a key is known (Stripe: \
             86400000): what is sent again after that is another payment there; lower it",
        );
        reader.require(
            // Zero stands for a setting that is missing or wrong, and has been named already.
            settings.max_in_flight == 0
                || u32::try_from(settings.pool_size).is_ok_and(|size| size <= settings.max_in_flight),
            "POOL_SIZE is above MAX_IN_FLIGHT: connections beyond the calls side by side are never used; lower it",
        );
        reader.finish(settings)
    }

    /// Reads the settings from this process's environment.
    pub fn from_environment() -> Result<Self, SettingsError> {
        Self::from(environment)
    }
}

impl ConsumerSettings {
    /// The gate that is created if the provider has none yet.
    pub fn gate(&self) -> GateState {
        GateState::new(&self.provider_name, self.provider_rate_per_second, self.rate_margin_ms)
    }
}

impl DeadLetterSettings {
    /// Reads the settings from a lookup by name.
    pub fn from(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(&lookup);
        let settings = Self {
            deployment: reader.name("DEPLOYMENT"),
            payments_table: reader.name("PAYMENTS_TABLE"),
            queues: queues(&mut reader, true),
            policy: policy(&mut reader),
        };
        reader.finish(settings)
    }

    /// Reads the settings from this process's environment.
    pub fn from_environment() -> Result<Self, SettingsError> {
        Self::from(environment)
    }
}

fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn queues(reader: &mut Reader<'_>, with_dead_letter: bool) -> QueueUrls {
    let mut url = |name| reader.url(name, "the queue's URL");
    let urls = QueueUrls {
        high: url("HIGH_QUEUE_URL"),
        standard: url("STANDARD_QUEUE_URL"),
        dead_letter: with_dead_letter.then(|| url("DEAD_LETTER_QUEUE_URL")),
    };
    let different = (urls.high.is_empty() || urls.high != urls.standard)
        && urls.dead_letter.as_ref().is_none_or(|url| url.is_empty() || (*url != urls.high && *url != urls.standard));
    reader.require(
        different,
        "HIGH_QUEUE_URL, STANDARD_QUEUE_URL and DEAD_LETTER_QUEUE_URL name the same queue twice: each needs its own",
    );
    urls
}

fn recovery(reader: &mut Reader<'_>) -> Option<Recovery> {
    // The last millisecond that RFC 3339 can say.
    const LAST_MS: u64 = 253_402_300_799_999;
    let mut ms = |name| reader.number::<u64>(name, 0..=LAST_MS, "ms since the epoch, or 0 for no restore");
    let (point_ms, at_ms) = (ms("RECOVERY_POINT_MS"), ms("RECOVERED_AT_MS"));
    reader.require(
        (point_ms == 0) == (at_ms == 0) && point_ms <= at_ms,
        "RECOVERY_POINT_MS and RECOVERED_AT_MS do not agree: the first is the moment that the table was restored to, the \
         second is when the consumers were off, later than that; give both, or 0 for both",
    );
    (at_ms > 0).then(|| Recovery { point: Timestamp::from_ms(point_ms), at: Timestamp::from_ms(at_ms) })
}

fn callbacks(reader: &mut Reader<'_>, provider_name: &str, provider_kind: ProviderKind) -> Option<CallbackSettings> {
    let mut key = |name| reader.optional_secret(name, provider_kind, CALLBACK_KEY_CHARS_MIN).map(Secret::new);
    let (key, previous_key) = (key("CALLBACK_KEY"), key("CALLBACK_KEY_PREVIOUS"));
    reader.require(
        key.is_some() || previous_key.is_none(),
        "CALLBACK_KEY_PREVIOUS is given without CALLBACK_KEY: give the key in use, or neither",
    );
    key.map(|key| CallbackSettings { provider_name: provider_name.to_owned(), provider_kind, key, previous_key })
}

/// Each field's setting has the field's name in upper case.
fn policy(reader: &mut Reader<'_>) -> Policy {
    let history_keys = reader.history_keys("HISTORY_KEYS");
    let mut ms = |name: &str, min: u64, max: u64| -> u64 { reader.number(name, min..=max, "ms") };
    let mut policy = Policy {
        connect_timeout_ms: ms("CONNECT_TIMEOUT_MS", 1, FUNCTION_TIMEOUT_MS),
        call_timeout_ms: ms("CALL_TIMEOUT_MS", 1, FUNCTION_TIMEOUT_MS),
        claim_lead_ms: ms("CLAIM_LEAD_MS", 0, FUNCTION_TIMEOUT_MS),
        settle_allowance_ms: ms("SETTLE_ALLOWANCE_MS", 1, FUNCTION_TIMEOUT_MS),
        absence_bound_ms: ms("ABSENCE_BOUND_MS", 1, 30 * DAY_MS),
        key_window_ms: ms("KEY_WINDOW_MS", 1, 3_650 * DAY_MS),
        clock_skew_ms: ms("CLOCK_SKEW_MS", 0, DAY_MS),
        max_attempts: 0,
        backoff_base_ms: ms("BACKOFF_BASE_MS", 1, HIDE_MS_MAX),
        backoff_cap_ms: ms("BACKOFF_CAP_MS", 1, HIDE_MS_MAX),
        pending_backoff_base_ms: ms("PENDING_BACKOFF_BASE_MS", 1, HIDE_MS_MAX),
        pending_backoff_cap_ms: ms("PENDING_BACKOFF_CAP_MS", 1, HIDE_MS_MAX),
        max_heals: 0,
        missing_item_grace_ms: ms("MISSING_ITEM_GRACE_MS", 0, MESSAGE_RETENTION_MS),
        newer_version_grace_ms: ms("NEWER_VERSION_GRACE_MS", 0, MESSAGE_RETENTION_MS),
        retention_ms: ms("RETENTION_MS", DAY_MS, 36_500 * DAY_MS),
        overdue_after_ms: ms("OVERDUE_AFTER_MS", MINUTE_MS, 365 * DAY_MS),
        park_overdue_after_ms: ms("PARK_OVERDUE_AFTER_MS", MINUTE_MS, 365 * DAY_MS),
        history_keys,
    };
    policy.max_attempts = reader.number("MAX_ATTEMPTS", 1..=100, "attempts");
    policy.max_heals = reader.number("MAX_HEALS", 1..=10_000, "heals");
    consistent(reader, &policy);
    policy
}

/// What the numbers must be to one another. One that is missing stands at zero and has been named already.
fn consistent(reader: &mut Reader<'_>, policy: &Policy) {
    let given = |values: &[u64]| values.iter().all(|value| *value > 0);
    if given(&[policy.key_window_ms, policy.absence_bound_ms]) {
        reader.require(
            policy.sure_key_window_ms() > policy.absence_proof_ms().saturating_add(policy.lease_ms()),
            "KEY_WINDOW_MS less CLOCK_SKEW_MS is not above ABSENCE_BOUND_MS plus CLOCK_SKEW_MS plus one lease \
             (CONNECT_TIMEOUT_MS, CALL_TIMEOUT_MS and SETTLE_ALLOWANCE_MS): by the time that an absence is proved, the \
             provider may have forgotten the key and nothing could be sent again; ask the provider for its real \
             window and bound",
        );
    }
    if given(&[policy.settle_allowance_ms]) {
        reader.require(
            policy.settle_allowance_ms > OPERATION_TIMEOUT_MS,
            "SETTLE_ALLOWANCE_MS is not above 8000 ms, which the SDK's attempts at one write may take together: the answer of \
             a call could be written down after its lease, when another consumer asks already; raise it",
        );
    }
    if given(&[policy.backoff_base_ms, policy.backoff_cap_ms]) {
        reader.require(
            policy.backoff_base_ms <= policy.backoff_cap_ms,
            "BACKOFF_BASE_MS is above BACKOFF_CAP_MS: the first wait would be the longest; raise the cap",
        );
    }
    if given(&[policy.pending_backoff_base_ms, policy.pending_backoff_cap_ms]) {
        reader.require(
            policy.pending_backoff_base_ms <= policy.pending_backoff_cap_ms,
            "PENDING_BACKOFF_BASE_MS is above PENDING_BACKOFF_CAP_MS: the first wait would be the longest; raise the cap",
        );
    }
    if given(&[policy.overdue_after_ms, policy.park_overdue_after_ms]) {
        reader.require(
            policy.overdue_after_ms <= policy.park_overdue_after_ms,
            "OVERDUE_AFTER_MS is above PARK_OVERDUE_AFTER_MS: people would be told of a payment after it was parked; \
             tell them sooner",
        );
    }
    if given(&[policy.retention_ms, policy.key_window_ms]) {
        reader.require(
            policy.retention_ms >= policy.key_window_ms,
            "RETENTION_MS is below KEY_WINDOW_MS: details could be forgotten here while the provider may still act on them; \
             keep ended payments longer",
        );
    }
    reader.require(
        policy.lease_ms() < FUNCTION_TIMEOUT_MS,
        "CONNECT_TIMEOUT_MS, CALL_TIMEOUT_MS and SETTLE_ALLOWANCE_MS together are longer than a function may run \
         (15 minutes): no call could be settled; lower them",
    );
}
