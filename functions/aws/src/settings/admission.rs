//! The settings of admission.

use pacing::admission::AdmissionSettings;
use payments::limit::{BURST_MAX, Limit, RATE_MAX};

use super::gate::gate_settings;
use super::reader::Reader;

/// What a merchant may bring whose record says nothing.
pub(super) fn default_limit(reader: &mut Reader<'_>) -> Limit {
    let rate: u32 = reader.number("MERCHANT_RATE_PER_SECOND", 1..=u64::from(RATE_MAX), "payments a second");
    let burst: u32 = reader.number("MERCHANT_BURST", 1..=u64::from(BURST_MAX), "payments");
    // What is missing stands at zero and has been named already.
    reader.require(
        burst >= rate || burst == 0,
        "MERCHANT_BURST is below MERCHANT_RATE_PER_SECOND: a bucket that holds less than a second's worth overflows \
         between two looks at it; raise it",
    );
    Limit::new(rate, burst)
}

/// What the wait is estimated by.
pub(super) fn admission(reader: &mut Reader<'_>) -> AdmissionSettings {
    AdmissionSettings {
        gate: gate_settings(reader),
        high_concurrency: reader.number("HIGH_CONCURRENCY", 2..=1_000, "environments"),
        standard_concurrency: reader.number("STANDARD_CONCURRENCY", 2..=1_000, "environments"),
        queue_depth_max: reader.number("QUEUE_DEPTH_MAX", 1..=1_000_000_000, "messages"),
    }
}
