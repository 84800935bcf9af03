//! The sizes themselves: how a plan is made, and its numbers as a deployment has them.

use std::collections::BTreeMap;

use super::deployment::{
    Deployment, Evidence, Function, FunctionName, Mapping, Queue, QueueName, Rates, Redrive, Times, Warm,
};
use super::{Demand, Infeasible, Plan, formula, quota};
use payments::policy::ANSWER_ALLOWANCE_MS;

/// Calls side by side in one environment at most: as many TLS connections and as many answers to settle as the
/// template's 1,024 MB are given for.
const CALLS_PER_ENVIRONMENT_MAX: u64 = 200;
/// Environments at least: each of the two lanes needs two (`MaximumConcurrency`).
const ENVIRONMENTS_MIN: u64 = 2 * quota::MAPPING_CONCURRENCY_MIN;
/// The high lane's share of the environments where few calls fit side by side, and a place that stands empty in one lane
/// is missed in the other.
const HIGH_LANE_PERCENT_FEW: u64 = 30;
/// Most messages are answered sooner than the slowest: so many eighths of what the slowest would ask for.
const SLACK_EIGHTHS: u64 = 5;
/// A fifth more than the slowest asks for: environments are replaced, and their clocks and stalls are no model's.
const SLACK_FIFTHS: u64 = 6;
/// Calls side by side in one environment where a provider takes few in all.
const CALLS_PER_ENVIRONMENT_FEW: u64 = 50;
/// Then an environment gets messages for so many ms of its calls at the most: places stand empty while a batch's last call
/// is answered, the shorter the batch the more of them; but what is high waits behind a batch, too.
const ROUNDS_MS: u64 = 8_000;
/// Messages of a batch at most: half a kilobyte each, of the six megabytes that an event may have.
const BATCH_MAX: u64 = 1_000;
/// Kept free of each second, in ms: 1 % for the network's jitter.
const MARGIN_MS: u32 = 10;
/// The consumer's time-out at least: a batch is kept through a short pause of the provider, and one that is lost with
/// its environment is back after six of these.
const TIMEOUT_SECONDS_MIN: u64 = 60;
/// A call's time-out: five times the provider's slowest ordinary answer, between these bounds.
const CALL_TIMEOUT_MS: std::ops::RangeInclusive<u64> = 10_000..=30_000;
/// Longest time to open a connection.
pub(super) const CONNECT_TIMEOUT_MS: u64 = 2_000;
/// Kept for the write that settles; above the 8 s that the SDK's attempts may take together.
const SETTLE_ALLOWANCE_MS: u64 = 9_000;
/// How long before its slot a payment is claimed.
pub(super) const CLAIM_LEAD_MS: u64 = 200;
/// How far apart clocks may be.
const CLOCK_SKEW_MS: u64 = 600_000;
/// Messages that one sweep puts back at most.
const HEALS_PER_SWEEP_MAX: u64 = 50;
/// SQS keeps a message for 14 days at most ("Amazon SQS message quotas").
const RETENTION_SECONDS: u64 = 1_209_600;
/// Environments, batch and time-out of `dead_letter`: one message after the other, all of it waiting.
pub(super) const DEAD_LETTER: (u64, u64, u64) = (5, 10, 60);
/// Environments of `reconcile`: one sweep at a time.
pub(super) const RECONCILE_ENVIRONMENTS: u64 = 1;
/// A time-out of ingest below the HTTP API's.
const INGEST_TIMEOUT_SECONDS: u64 = 25;

impl Plan {
    /// Sizes a deployment.
    pub fn of(demand: &Demand) -> Result<Self, Infeasible> {
        let in_lane = in_lane_needed(demand);
        let batch = in_lane.div_ceil(quota::MAPPING_CONCURRENCY_MIN).clamp(1, CALLS_PER_ENVIRONMENT_MAX);
        // The gate gives all of the rate to whichever lane asks for it: each has the environments to take it.
        let lane = in_lane.div_ceil(batch).max(quota::MAPPING_CONCURRENCY_MIN);
        // Each environment makes a call at least.
        let calls_max = demand.calls_max.map_or(u64::MAX, |most| most.get().into());
        if calls_max < ENVIRONMENTS_MIN {
            return Err(Infeasible::CallsMax { calls_max, least: ENVIRONMENTS_MIN });
        }
        let (high, standard) = if calls_max / batch >= lane.saturating_mul(2) {
            (lane, lane)
        } else {
            // Few calls side by side are made from few environments: each has enough of them to keep busy.
            let few = (calls_max / CALLS_PER_ENVIRONMENT_FEW).clamp(ENVIRONMENTS_MIN, lane.saturating_mul(2));
            let high = few.saturating_mul(HIGH_LANE_PERCENT_FEW).div_ceil(100).max(quota::MAPPING_CONCURRENCY_MIN);
            (high, few.saturating_sub(high).max(quota::MAPPING_CONCURRENCY_MIN))
        };
        let batch = batch_for_calls(demand, batch, high, standard);
        let window_seconds = u64::from(batch > quota::BATCH_WITHOUT_WINDOW_MAX);
        let held_in_lane = high.max(standard).saturating_mul(batch);
        if held_in_lane >= quota::IN_FLIGHT_MAX {
            return Err(Infeasible::InFlight { calls: in_lane, in_lane: held_in_lane });
        }
        let call_timeout_ms = demand
            .tail_ms
            .saturating_mul(5)
            .clamp(*CALL_TIMEOUT_MS.start(), *CALL_TIMEOUT_MS.end())
            .max(demand.tail_ms);
        let times = times(call_timeout_ms, demand.absence_bound_ms);
        let held = high.saturating_add(standard).saturating_mul(batch);
        let pace = formula::pace_per_1000_seconds(demand.rate_per_second.get(), MARGIN_MS);
        let timeout_seconds = timeout_needed(held, pace, &times);
        if timeout_seconds > quota::FUNCTION_SECONDS_MAX {
            return Err(Infeasible::Timeout { needed: timeout_seconds });
        }
        let visibility_seconds =
            timeout_seconds.saturating_mul(quota::VISIBILITY_IN_TIMEOUTS).saturating_add(window_seconds);
        // Lambda runs ten requests a second for each environment; a call of ingest is far shorter than a tenth of a
        // second, so that this and not Little's law decides.
        let ingest = u64::from(demand.peak_per_second.get()).div_ceil(quota::REQUESTS_PER_CONCURRENCY);
        let mut plan = Self {
            demand: *demand,
            batch,
            window_seconds,
            high,
            standard,
            timeout_seconds,
            call_timeout_ms,
            visibility_seconds,
            receives_max: quota::RECEIVES_MAX,
            margin_ms: MARGIN_MS,
            heals_per_sweep: formula::heals_per_sweep_max(demand.rate_per_second.get()).min(HEALS_PER_SWEEP_MAX),
            ingest,
        };
        plan.receives_max = formula::receives_needed(&plan.deployment());
        Ok(plan)
    }

    /// All its numbers, for the rules.
    pub fn deployment(&self) -> Deployment {
        let lane = |concurrency| Mapping {
            batch: self.batch,
            window_seconds: self.window_seconds,
            concurrency: Some(concurrency),
            fails_in_part: true,
        };
        let (dead_letters, dead_batch, dead_timeout) = DEAD_LETTER;
        let dead_letter =
            Mapping { batch: dead_batch, window_seconds: 0, concurrency: Some(dead_letters), fails_in_part: true };
        let times = times(self.call_timeout_ms, self.demand.absence_bound_ms);
        let queue = |visibility_seconds, redrive: Option<(QueueName, u64)>| Queue {
            visibility_seconds,
            retention_seconds: RETENTION_SECONDS,
            redrive: redrive.map(|(to, receives_max)| Redrive { to, receives_max }),
        };
        let to_dead_letters = Some((QueueName::DeadLetter, self.receives_max));
        let function = |timeout_seconds, reserved| Function { timeout_seconds, reserved: Some(reserved) };
        Deployment {
            queues: BTreeMap::from([
                (QueueName::High, queue(self.visibility_seconds, to_dead_letters)),
                (QueueName::Standard, queue(self.visibility_seconds, to_dead_letters)),
                (
                    QueueName::DeadLetter,
                    queue(
                        dead_timeout.saturating_mul(quota::VISIBILITY_IN_TIMEOUTS),
                        Some((QueueName::Parked, self.dead_letter_receives_max())),
                    ),
                ),
                (QueueName::Parked, queue(30, None)),
            ]),
            mappings: BTreeMap::from([
                (QueueName::High, lane(self.high)),
                (QueueName::Standard, lane(self.standard)),
                (QueueName::DeadLetter, dead_letter),
            ]),
            functions: BTreeMap::from([
                (FunctionName::Ingest, function(INGEST_TIMEOUT_SECONDS, self.ingest)),
                (FunctionName::Consumer, function(self.timeout_seconds, self.reserved())),
                (FunctionName::DeadLetter, function(dead_timeout, dead_letters)),
            ]),
            times,
            evidence: Evidence { log_days: Some(400), retention_ms: 34_560_000_000 },
            rates: Rates {
                gate_per_second: Some(self.demand.rate_per_second.get()),
                provider_per_second: Some(self.demand.rate_per_second.get()),
                margin_ms: self.margin_ms,
                heals_per_sweep: self.heals_per_sweep,
                api_per_second: u64::from(self.demand.peak_per_second.get()),
                api_burst: self.api_burst(),
                calls_each: self.calls_each(),
                calls_max: self.demand.calls_max.map(|most| most.get().into()),
            },
            warm: Warm {
                table: self.table_warm_throughput().unwrap_or(0),
                index: self.index_warm_throughput().unwrap_or(0),
            },
            loop_is_allowed: true,
        }
    }
}

/// Calls in 1,000 seconds with so many side by side in each environment: a batch is through when each of its messages has
/// had its place, from the claim to the answer, and the last has had the slowest.
///
/// Where a place is taken again, slots are reserved for half of the places at once, so that one that is free waits for
/// others: with a time L in a place and a reservation every T, half of them are taken again in T, after T ÷ 2 in the mean,
/// which makes T = ⅔ L and a place's turn 4⁄3 L.
pub(super) fn calls_per_1000_seconds(demand: &Demand, environments: u64, calls_each: u64, batch: u64) -> u64 {
    let held_ms = demand.latency_ms.saturating_add(CLAIM_LEAD_MS);
    let place_ms = if (2..batch).contains(&calls_each) { held_ms.saturating_mul(4).div_ceil(3) } else { held_ms };
    let in_turn_ms = batch.saturating_mul(place_ms).div_ceil(calls_each.max(1));
    let takes_ms = in_turn_ms.saturating_add(demand.tail_ms.saturating_sub(demand.latency_ms));
    environments.saturating_mul(batch).saturating_mul(1_000_000) / takes_ms.max(1)
}

/// The least batch, from this one on, with which a provider's calls side by side suffice for its rate, or the largest that
/// is of use. The standard lane's have to: those of the other lane are there for what is urgent, and mostly idle.
fn batch_for_calls(demand: &Demand, batch: u64, high: u64, standard: u64) -> u64 {
    let Some(calls_max) = demand.calls_max else { return batch };
    let calls_each = (u64::from(calls_max.get()) / high.saturating_add(standard).max(1)).max(1);
    if calls_each >= batch {
        return batch;
    }
    let rounds = ROUNDS_MS / demand.latency_ms.saturating_add(CLAIM_LEAD_MS);
    let fits_in_flight = quota::IN_FLIGHT_MAX.saturating_sub(1) / high.max(standard).max(1);
    let largest = calls_each.saturating_mul(rounds).min(BATCH_MAX).min(fits_in_flight).max(batch);
    let wanted = u64::from(demand.rate_per_second.get()).saturating_mul(1_000);
    let suffices = |batch| calls_per_1000_seconds(demand, standard, calls_each, batch) >= wanted;
    (1..=largest / batch.max(1))
        .map(|times| times.saturating_mul(batch))
        .find(|batch| suffices(*batch))
        .unwrap_or(largest)
}

/// Messages that one lane has to have in hand for the whole rate, by Little's law: the rate times how long a message is
/// held. That is from the claim to the provider's slowest ordinary answer, since an invocation ends with its slowest call,
/// and a fifth more; or five eighths of that with the batch's filling, which is more where answers are quick.
fn in_lane_needed(demand: &Demand) -> u64 {
    let called_ms = demand.tail_ms.saturating_add(CLAIM_LEAD_MS);
    let held_ms = called_ms.saturating_add(1_000);
    let rate = u64::from(demand.rate_per_second.get());
    let called = rate.saturating_mul(called_ms).saturating_mul(SLACK_FIFTHS).div_ceil(5_000);
    called.max(rate.saturating_mul(held_ms).saturating_mul(SLACK_EIGHTHS).div_ceil(8_000))
}

/// A time-out in which each message in hand can have its slot twice over and still a whole call, and at least two calls.
fn timeout_needed(held: u64, pace_per_1000_seconds: u64, times: &Times) -> u64 {
    let slots_ms = held.saturating_mul(2_000_000).div_ceil(pace_per_1000_seconds.max(1));
    let taken_ms =
        times.lease_ms.saturating_add(times.claim_lead_ms).saturating_add(ANSWER_ALLOWANCE_MS).saturating_add(slots_ms);
    let two_calls_ms = times.lease_ms.saturating_mul(2).saturating_add(1);
    taken_ms.max(two_calls_ms).div_ceil(1_000).max(TIMEOUT_SECONDS_MIN)
}

/// The template's times, with this call's.
pub(super) fn times(call_timeout_ms: u64, absence_bound_ms: Option<u64>) -> Times {
    Times {
        lease_ms: CONNECT_TIMEOUT_MS.saturating_add(call_timeout_ms).saturating_add(SETTLE_ALLOWANCE_MS),
        claim_lead_ms: CLAIM_LEAD_MS,
        backoff_base_ms: 1_000,
        backoff_cap_ms: 60_000,
        pending_backoff_base_ms: 5_000,
        pending_backoff_cap_ms: 900_000,
        park_overdue_after_ms: 259_200_000,
        missing_item_grace_ms: 600_000,
        newer_version_grace_ms: 3_600_000,
        heals_max: 20,
        absence_proof_ms: absence_bound_ms.map(|bound| bound.saturating_add(CLOCK_SKEW_MS)),
    }
}
