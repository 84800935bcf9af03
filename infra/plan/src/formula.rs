//! What follows from a deployment's numbers, each with its reason: the gate's pace, the time for slots, the looks that
//! waiting takes.

use super::deployment::{Deployment, QueueName, Times};
use super::{cost, quota};
use pacing::gate::GateState;
use payments::policy::{ANSWER_ALLOWANCE_MS, MISSING_ITEM_LOOK_SECONDS, NEWER_VERSION_LOOK_SECONDS};

/// Receives of a dead letter beyond its looks for a missing item: a table that does not answer.
pub const DEAD_LETTER_SPARE_RECEIVES: u64 = 5;

/// Seconds between two sweeps: the template's schedule.
pub const SWEEP_SECONDS: u64 = 60;

/// A provider's calls in 1,000 seconds, which is what its gate hands out: the rate less the margin's share.
pub fn pace_per_1000_seconds(rate_per_second: u32, margin_ms: u32) -> u64 {
    let gate = GateState::new("", rate_per_second, margin_ms);
    u64::from(gate.rate_per_second).saturating_mul(1_000_u64.saturating_sub(u64::from(gate.margin_ms)))
}

/// How long within one invocation slots can begin, in ms: after the first claim's lead, and early enough that a whole
/// lease and the answer to Lambda still fit before the time-out.
pub fn slot_room_ms(timeout_seconds: u64, lease_ms: u64, claim_lead_ms: u64) -> u64 {
    let taken_ms = lease_ms.saturating_add(claim_lead_ms).saturating_add(ANSWER_ALLOWANCE_MS);
    timeout_seconds.saturating_mul(1_000).saturating_sub(taken_ms)
}

/// Receives that a payment takes while its absence is being proved: the waits double from the base to the cap and are
/// then, by full jitter, half the cap on average.
pub fn looks_until(proof_ms: u64, base_ms: u64, cap_ms: u64) -> u64 {
    let mut looks = 0_u64;
    let mut waited_ms = 0_u64;
    let mut bound_ms = base_ms.max(1);
    while bound_ms < cap_ms && waited_ms < proof_ms {
        looks = looks.saturating_add(1);
        waited_ms = waited_ms.saturating_add(bound_ms / 2);
        bound_ms = bound_ms.saturating_mul(2);
    }
    looks.saturating_add(proof_ms.saturating_sub(waited_ms).div_ceil((cap_ms / 2).max(1)))
}

/// Receives before a lane's message may be taken for one that failed. Waiting is receiving too: the code of a newer
/// version, a proof of absence, a throttled batch. What SQS cannot count to, `dead_letter` puts back.
pub fn receives_needed(deployment: &Deployment) -> u64 {
    let times = &deployment.times;
    let newer = times.newer_version_grace_ms.div_ceil(u64::from(NEWER_VERSION_LOOK_SECONDS).saturating_mul(1_000));
    let absence =
        times.absence_proof_ms.map_or(0, |proof| looks_until(proof, times.backoff_base_ms, times.backoff_cap_ms));
    // What the dead-letter queue has to allow on top is counted by the same counter.
    let looks = missing_item_looks(times).saturating_add(DEAD_LETTER_SPARE_RECEIVES);
    let most = quota::RECEIVES_MAX.saturating_sub(looks).max(quota::RECEIVES_MIN);
    newer.max(absence).clamp(quota::RECEIVES_MIN, most)
}

/// Receives of a dead letter while its item is still looked for.
pub fn missing_item_looks(times: &Times) -> u64 {
    times.missing_item_grace_ms.div_ceil(u64::from(MISSING_ITEM_LOOK_SECONDS).saturating_mul(1_000))
}

/// Receives that the dead-letter queue has to allow. AWS's pages do not say whether `ApproximateReceiveCount` goes on or
/// begins anew when a redrive policy moves a message: where it goes on, a message comes with one receive more than its lane
/// allows, and a smaller number here would take it straight to `parked`, unseen.
pub fn dead_letter_receives_needed(deployment: &Deployment) -> u64 {
    let lanes = [QueueName::High, QueueName::Standard].into_iter().filter_map(|lane| deployment.queues.get(&lane));
    let carried = lanes.filter_map(|lane| lane.redrive).map(|redrive| redrive.receives_max);
    // One that SQS does not take is a breach of its own.
    let carried = carried.filter(|receives| *receives <= quota::RECEIVES_MAX).max().unwrap_or(0);
    let least = carried.saturating_add(missing_item_looks(&deployment.times));
    least.clamp(quota::RECEIVES_MIN, quota::RECEIVES_MAX)
}

/// Messages that one sweep may put back: 1 % of what the provider takes until the next.
pub fn heals_per_sweep_max(rate_per_second: u32) -> u64 {
    (u64::from(rate_per_second).saturating_mul(SWEEP_SECONDS) / 100).max(1)
}

/// Requests that an API has to let in at once above its rate: API Gateway's bucket holds what is under way ("Throttle
/// requests to your HTTP APIs for better throughput in API Gateway"), which is what comes in while one request is answered,
/// and as much again, because requests do not come evenly.
pub fn api_burst(api_per_second: u64) -> u64 {
    api_per_second.saturating_mul(cost::INGEST_MS).saturating_mul(2).div_ceil(1_000).max(1)
}

/// Updates of the gate's item at worst: a consumer reserves at least half a batch at a time.
pub fn gate_updates_per_second(rate_per_second: u32, batch: u64) -> u64 {
    u64::from(rate_per_second).div_ceil(batch.div_ceil(2).max(1))
}
