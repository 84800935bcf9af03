//! What a sale has to reach.

use crate::sale::measure::ratio;
use crate::sale::provider::Trouble;
use crate::sale::report::{Course, QuotaUse};
use crate::sale::settings::Settings;
use crate::sale::shop::Size;

/// The drain, over the ideal one.
pub const DRAIN_OVER_IDEAL_MAX: f64 = 1.015;
/// The share of the rate that is used while it can be.
pub const SHARE_USED_MIN: f64 = 0.989;
/// The same beside stray 429s.
pub const STRAY_SHARE_USED_MIN: f64 = 0.97;
/// The drain, over the ideal one in which they are made once more, beside stray 429s: at one in two hundred 1.03 of the
/// ideal without them.
pub const STRAY_DRAIN_OVER_IDEAL_MAX: f64 = 1.0248;
/// Calls in any second, over what a provider takes that takes less than it says, from two seconds after that began.
pub const OVER_THE_LIMIT_MAX: f64 = 1.02;
/// Calls that may be more than that: whoever looks for a limit that nobody tells touches it from above, and five 429s where
/// there were none are the first that are no chance. At 125 calls a second they are 4 %, at 2,500 a five-hundredth. Beside
/// stray ones it takes more, by what chance brings of those.
pub const OVER_THE_LIMIT_CALLS: f64 = 5.0;
/// Messages of a batch from which on that holds: with fewer no environment meets a storm (`STORM_LIMITED`) by itself, and what
/// everybody has met is known a second later.
pub const OVER_THE_LIMIT_BATCH: u64 = 10;
/// The coefficient of variation of calls a window, with clocks that agree. Clocks that do not move calls across a window's
/// edges: by as much of a window as they are apart.
pub const VARIATION_MAX: f64 = 0.005;
/// Payments that succeed, whatever the provider does in the burst.
pub const SUCCESS_MIN: f64 = 0.995;
/// A small merchant's p99 beside a whale's backlog of twenty minutes, in ms.
pub const SMALL_P99_MAX_MS: u64 = 10_000;
/// The share of a quota of its own that a merchant uses from its first call to its last, while its consumers grow included.
pub const QUOTA_USED_MIN: f64 = 0.985;
/// The waits told to each size of merchant that come true: what is told in the first seconds cannot.
pub const TOLD_MIN: f64 = 0.9;

/// What our course of a sale missed, one line each; none when it is good. Charging twice, exceeding the rate, dead
/// letters and lost payments are misses whatever the provider does; the figures of the pace hold for one that works.
pub fn missed(settings: &Settings, course: &Course) -> Vec<String> {
    let mut missed = Vec::new();
    let mut miss = |is_missed: bool, what: String| {
        if is_missed {
            missed.push(what);
        }
    };
    let Course { most_in_a_second, rate, double_charged, charged_unknown, dead_letters, .. } = *course;
    miss(most_in_a_second > rate, format!("{most_in_a_second} calls in one second, and the rate is {rate}"));
    miss(double_charged > 0, format!("{double_charged} payments were charged more than once"));
    miss(charged_unknown > 0, format!("{charged_unknown} payments were charged and did not end as succeeded"));
    miss(dead_letters > 0, format!("{dead_letters} messages were dead-lettered"));
    let ended = course.succeeded + course.failed + course.parked;
    miss(ended < course.payments, format!("{} payments came to no end", course.payments - ended));
    let success = course.success();
    miss(success < SUCCESS_MIN, format!("{:.2} % of the payments succeeded, less than 99.5 %", 100.0 * success));
    if let Some(quota) = course.quota {
        let QuotaUse { per_second, most_in_a_second, .. } = quota;
        let over = format!("{most_in_a_second} calls for the whale in one second, and its quota is {per_second}");
        miss(most_in_a_second > per_second, over);
        let used = quota.share_used();
        let less = format!("{:.2} % of the whale's quota was used, less than 98.5 %", 100.0 * used);
        miss(used < QUOTA_USED_MIN, less);
        // The others have the rest of the rate, as if the whale were not there.
        let others: u64 = [Size::Large, Size::Small].iter().map(|size| course.waits_of(*size).all.payments).sum();
        let ideal_ms = others * 1_000 / rate.saturating_sub(per_second).max(1);
        let large_ms = course.waits_of(Size::Large).worst_p99_ms;
        let within_ms = ideal_ms.saturating_sub(settings.sale_ms) + SMALL_P99_MAX_MS;
        miss(large_ms > within_ms, format!("a large merchant's p99 was {large_ms} ms, more than {within_ms} ms"));
    }
    if settings.trouble == Trouble::NONE && course.quota.is_none() {
        let drain = course.drain_over_ideal();
        miss(drain > DRAIN_OVER_IDEAL_MAX, format!("drained in {drain:.4} of the ideal, more than 1.015"));
        let used = course.share_used;
        miss(used < SHARE_USED_MIN, format!("{:.2} % of the rate was used, less than 98.9 %", 100.0 * used));
        let variation = course.variation;
        // Without calls it is no number.
        let variation_max = VARIATION_MAX + ratio(settings.clock_skew_us, settings.window_ms() * 1_000);
        let is_even = variation <= variation_max;
        miss(!is_even, format!("calls a window vary by {variation:.4}, more than {variation_max:.4}"));
    }
    let Trouble { limit, stray, .. } = settings.trouble;
    if stray > 0.0 && settings.trouble.takes_its_rate() {
        let (drain, most) = (course.drain_over_ideal(), STRAY_DRAIN_OVER_IDEAL_MAX / (1.0 - stray));
        miss(drain > most, format!("drained in {drain:.4} of the ideal, more than {most:.4}"));
        let used = course.share_used;
        miss(used < STRAY_SHARE_USED_MIN, format!("{:.2} % of the rate was used, less than 97 %", 100.0 * used));
    }
    if limit < 1.0 {
        let (most, calls) = (course.most_while_less, ratio(course.most_while_less, 1));
        let taken = ratio(rate, 1) * limit;
        let chance = 3.0 * (taken * stray).sqrt();
        let is_over = calls > taken * OVER_THE_LIMIT_MAX + OVER_THE_LIMIT_CALLS + chance;
        let is_judged = settings.scale.of(settings.batch) >= OVER_THE_LIMIT_BATCH;
        miss(is_judged && is_over, format!("{most} calls in a second of {rate} times {limit}, two seconds after"));
    }
    if settings.trouble == Trouble::NONE {
        // With less of the rate what is under way takes longer.
        let left = rate.saturating_sub(course.quota.map_or(0, |quota| quota.per_second)).max(1);
        let within_ms = SMALL_P99_MAX_MS * rate / left;
        let small_ms = course.waits_of(Size::Small).worst_p99_ms;
        miss(small_ms > within_ms, format!("a small merchant's p99 was {small_ms} ms, more than {within_ms} ms"));
        for merchants in &course.merchants {
            let told = merchants.told_standard;
            let (right, size) = (ratio(told.right, told.payments.max(1)), merchants.size.as_str());
            miss(right < TOLD_MIN, format!("{:.2} % of the {size} merchants' told waits came true", 100.0 * right));
        }
    }
    missed
}
