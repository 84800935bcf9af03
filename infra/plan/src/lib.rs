//! What to deploy for a provider and a sale: sizes from the provider's rate and answer times, and the rules that the
//! sizes have to keep among themselves.
//!
//! Everything here is arithmetic in whole numbers. What AWS allows stands in [`quota`], what it asks in [`price`], each
//! formula with its reason in [`formula`], and what has to hold between numbers in [`rules`]. [`template`] reads the same
//! numbers out of a template and holds them to these rules; [`mod@print`] writes a plan for a person.

pub mod cost;
pub mod deployment;
pub mod flow;
pub mod formula;
pub mod parse;
pub mod price;
pub mod print;
pub mod quota;
pub mod rules;
mod size;
pub mod spread;
pub mod standing;
pub mod template;

use std::num::NonZeroU32;

use flow::Flow;
use pacing::admission::LOOK_MS;
use payments::payment::OPEN_SHARDS;
use quota::Quota;
use size::{CLAIM_LEAD_MS, DEAD_LETTER, RECONCILE_ENVIRONMENTS};

/// What is asked of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Calls a second that the provider takes.
    pub rate_per_second: NonZeroU32,
    /// Its ordinary answer.
    pub latency_ms: u64,
    /// Its slowest ordinary answer.
    pub tail_ms: u64,
    /// Payments a second during a sale.
    pub peak_per_second: NonZeroU32,
    /// How long a sale lasts.
    pub sale_ms: u64,
    /// Payments in a month, for the bill.
    pub payments_per_month: u64,
    /// The provider's stated bound for absences, once it has said it.
    pub absence_bound_ms: Option<u64>,
    /// Calls that the provider takes side by side; `None` when it states no such limit.
    pub calls_max: Option<NonZeroU32>,
}

/// Why there is no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Infeasible {
    /// Too much in hand for one queue.
    #[error(
        "{calls} calls would have to be in hand in a lane, {in_lane} with its batches, and SQS stops delivering at about {} in \
         flight: spread this provider over more lanes, or find a faster one",
        quota::IN_FLIGHT_MAX
    )]
    InFlight {
        /// That many.
        calls: u64,
        /// In the lane's batches.
        in_lane: u64,
    },
    /// Fewer calls side by side than environments are needed for two lanes.
    #[error(
        "the provider takes {calls_max} calls side by side, and two lanes need {least} environments, which call at the same \
         time: this is no provider for a queue of this kind"
    )]
    CallsMax {
        /// Those.
        calls_max: u64,
        /// The fewest environments.
        least: u64,
    },
    /// A call that no invocation can hold.
    #[error("an invocation would need {needed} s, and Lambda gives {} at most", quota::FUNCTION_SECONDS_MAX)]
    Timeout {
        /// That many seconds.
        needed: u64,
    },
}

/// What to deploy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What was asked.
    pub demand: Demand,
    /// Messages in a batch, and calls side by side in one environment.
    pub batch: u64,
    /// Seconds that a batch is waited for.
    pub window_seconds: u64,
    /// Environments of the high lane.
    pub high: u64,
    /// Environments of the standard lane.
    pub standard: u64,
    /// The consumer's time-out.
    pub timeout_seconds: u64,
    /// A call's time-out.
    pub call_timeout_ms: u64,
    /// The lanes' visibility.
    pub visibility_seconds: u64,
    /// Receives before a lane's message is a dead letter.
    pub receives_max: u64,
    /// Kept free of each second.
    pub margin_ms: u32,
    /// Messages that one sweep puts back.
    pub heals_per_sweep: u64,
    /// Reserved concurrency of ingest.
    pub ingest: u64,
}

/// What is lost while ingest's environments grow in number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// Seconds until all are there.
    pub seconds: u64,
    /// Requests that are refused until then; their merchants repeat them.
    pub refused: u64,
}

/// What single items are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HotItems {
    /// Consistent reads of the gate.
    pub gate_reads_per_second: u64,
    /// Updates of the one merchant's bucket.
    pub bucket_updates_per_second: u64,
}

/// How long a throttled write is tried: three attempts, with waits of up to 50 and 100 ms (`functions/aws/src/clients.rs`).
pub const REFUSED_AFTER_MS: u64 = 200;

/// What the index throttles in a sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bare {
    /// Its writes above what a partition takes, in millionths of all.
    pub over_per_million: u64,
    /// Payments that are refused, and asked for again by their merchants.
    pub refused: u64,
    /// Environments of ingest that try what will be refused.
    pub environments: u64,
}

impl Plan {
    /// Environments of the consumer.
    pub const fn reserved(&self) -> u64 {
        self.high.saturating_add(self.standard)
    }

    /// Messages in hand when every environment has its batch.
    pub const fn in_hand(&self) -> u64 {
        self.reserved().saturating_mul(self.batch)
    }

    /// Calls side by side in one environment (`MAX_IN_FLIGHT`): a batch, or this environment's part of what the provider
    /// takes.
    pub fn calls_each(&self) -> u64 {
        let part = self.demand.calls_max.map(|most| u64::from(most.get()) / self.reserved().max(1));
        part.map_or(self.batch, |part| part.clamp(1, self.batch))
    }

    /// Calls in 1,000 seconds that the standard lane can make with as many side by side, while nothing is urgent. `None`
    /// where the provider's rate is what bounds them.
    pub fn bounded_by_calls(&self) -> Option<u64> {
        self.demand.calls_max?;
        let calls = size::calls_per_1000_seconds(&self.demand, self.standard, self.calls_each(), self.batch);
        (calls < u64::from(self.demand.rate_per_second.get()).saturating_mul(1_000)).then_some(calls)
    }

    /// The gate's pace.
    pub fn pace_per_1000_seconds(&self) -> u64 {
        formula::pace_per_1000_seconds(self.demand.rate_per_second.get(), self.margin_ms)
    }

    /// What leaves at the most: the gate's pace, or less where fewer calls fit side by side; in calls in 1,000 seconds.
    pub fn calls_per_1000_seconds(&self) -> u64 {
        self.pace_per_1000_seconds().min(self.bounded_by_calls().unwrap_or(u64::MAX))
    }

    /// Receives before a dead letter goes to people: its lane's, because the count may go on, and its own.
    pub fn dead_letter_receives_max(&self) -> u64 {
        let own = formula::missing_item_looks(&size::times(self.call_timeout_ms, self.demand.absence_bound_ms))
            .saturating_add(formula::DEAD_LETTER_SPARE_RECEIVES);
        self.receives_max.saturating_add(own).min(quota::RECEIVES_MAX)
    }

    /// From the breaker's opening to its first probe, and between two steps of its ramp: a quarter more than a call may
    /// take, so that what was sent before has been answered by then.
    pub const fn breaker_open_ms(&self) -> u64 {
        let call_ms = size::CONNECT_TIMEOUT_MS.saturating_add(self.call_timeout_ms);
        call_ms.saturating_add(call_ms.div_ceil(4))
    }

    /// The longest that the breaker is open before a probe: twice doubled.
    pub const fn breaker_open_max_ms(&self) -> u64 {
        self.breaker_open_ms().saturating_mul(4)
    }

    /// Failures in a row that open the breaker: a quarter of an environment's calls, and never so few that chance alone
    /// would do it.
    pub fn breaker_failures(&self) -> u64 {
        self.calls_each().div_ceil(4).max(5)
    }

    /// How long an invocation takes while the standard lane has a backlog. By Little's law what that lane has in hand,
    /// divided by what leaves; but no less than one call. Environments of a lane without a backlog do not run.
    pub fn invocation_ms(&self) -> u64 {
        let in_lane = self.standard.saturating_mul(self.batch);
        let in_turn_ms = in_lane.saturating_mul(1_000_000).div_ceil(self.calls_per_1000_seconds().max(1));
        in_turn_ms.max(CLAIM_LEAD_MS.saturating_add(self.demand.tail_ms))
    }

    /// A sale against this pace, or what fits side by side.
    pub fn flow(&self) -> Flow {
        let before_ms = self.window_seconds.saturating_mul(1_000).saturating_add(CLAIM_LEAD_MS);
        Flow {
            peak_per_second: u64::from(self.demand.peak_per_second.get()),
            sale_ms: self.demand.sale_ms,
            pace_per_1000_seconds: self.calls_per_1000_seconds(),
            service_ms: before_ms.saturating_add(self.demand.latency_ms),
            slow_service_ms: before_ms.saturating_add(self.demand.tail_ms),
        }
    }

    /// Write units a second of the payments' table at the peak: a put for each that comes, a claim and a settling for
    /// each that goes.
    pub fn table_write_units(&self) -> u64 {
        let goes = u64::from(self.demand.rate_per_second.get()).saturating_mul(2);
        u64::from(self.demand.peak_per_second.get()).saturating_add(goes)
    }

    /// Write units a second of the index: one to enter it, one to leave it.
    pub fn index_write_units(&self) -> u64 {
        u64::from(self.demand.peak_per_second.get()).saturating_add(u64::from(self.demand.rate_per_second.get()))
    }

    /// Shards that the index needs, so that none of its partitions gets more than it can take ([`spread`]). The code has
    /// [`OPEN_SHARDS`].
    pub fn index_shards(&self) -> u64 {
        spread::shards_needed(self.index_write_units())
    }

    /// Whether the code's shards are enough.
    pub fn shards_suffice(&self) -> bool {
        self.index_shards() <= u64::from(OPEN_SHARDS)
    }

    /// Warm throughput of the payments' table to set before a sale, in write units a second; `None` where a new table's is
    /// enough. Payments' keys are as many as payments, and spread evenly. Set for table and index apart ("Understanding
    /// DynamoDB warm throughput"): a throttled index throttles its table.
    pub fn table_warm_throughput(&self) -> Option<u64> {
        Some(self.table_write_units()).filter(|units| *units > quota::NEW_TABLE_WRITE_UNITS)
    }

    /// The same of the index: so much that its shards find a partition each that has room for them. With too few shards
    /// the best that can be had.
    pub fn index_warm_throughput(&self) -> Option<u64> {
        let units = self.index_write_units();
        let warm = spread::warm_write_units(u64::from(OPEN_SHARDS), units);
        let warm = warm.unwrap_or_else(|| units.saturating_mul(spread::WARM_TIMES_MAX));
        Some(warm).filter(|warm| *warm > quota::NEW_TABLE_WRITE_UNITS)
    }

    /// The index at the peak, warm for so many write units a second.
    pub fn index_spread(&self, warm_write_units: u64) -> spread::Spread {
        spread::at(u64::from(OPEN_SHARDS), self.index_write_units(), warm_write_units)
    }

    /// What becomes of a sale whose index is warm for what is written, and for no more.
    pub fn bare_index(&self) -> Bare {
        let over_per_million = self.index_spread(self.index_write_units()).over_per_million();
        let share_of = |count: u64| count.saturating_mul(over_per_million).div_ceil(1_000_000);
        let refused_per_second = share_of(self.demand.peak_per_second.get().into());
        Bare {
            over_per_million,
            refused: share_of(self.flow().payments()),
            environments: refused_per_second.saturating_mul(REFUSED_AFTER_MS).div_ceil(1_000),
        }
    }

    /// Requests that the API may be sent at once above its rate (`ApiBurst`): what is on its way through ingest, twice over,
    /// because requests do not come evenly.
    pub fn api_burst(&self) -> u64 {
        formula::api_burst(self.demand.peak_per_second.get().into())
    }

    /// What a sale that begins at once loses to Lambda's growth: it starts so many environments and adds as many every ten
    /// seconds, each for ten requests a second. The template keeps none ready (decision 0028).
    pub fn growth(&self) -> Growth {
        let peak = u64::from(self.demand.peak_per_second.get());
        let step = quota::ENVIRONMENTS_IN_TEN_SECONDS;
        let steps = self.ingest.div_ceil(step).max(1);
        let mut refused = 0_u64;
        for nth in 1..steps {
            let begun_ms = nth.saturating_sub(1).saturating_mul(10_000);
            let lasts_ms = self.demand.sale_ms.saturating_sub(begun_ms).min(10_000);
            let takes = step.saturating_mul(nth).saturating_mul(quota::REQUESTS_PER_CONCURRENCY);
            refused = refused.saturating_add(peak.saturating_sub(takes).saturating_mul(lasts_ms) / 1_000);
        }
        Growth { seconds: steps.saturating_sub(1).saturating_mul(10), refused }
    }

    /// Seconds until each environment of a sale that begins at once has its log stream.
    pub fn log_streams_seconds(&self) -> u64 {
        self.ingest.saturating_add(self.reserved()).div_ceil(quota::LOG_STREAMS_PER_SECOND)
    }

    /// What one item is asked for at the peak if one merchant brings it all.
    pub fn hot_items(&self) -> HotItems {
        // Each environment looks at the gate after so long, and leases of a busy merchant's rate last about a second.
        HotItems {
            gate_reads_per_second: self.ingest.saturating_mul(1_000).div_ceil(LOOK_MS),
            bucket_updates_per_second: self.ingest,
        }
    }

    /// Concurrency of all functions with what Lambda keeps unreserved.
    pub fn account_concurrency(&self) -> u64 {
        [self.reserved(), DEAD_LETTER.0, RECONCILE_ENVIRONMENTS, quota::UNRESERVED_CONCURRENCY]
            .into_iter()
            .fold(self.ingest, u64::saturating_add)
    }

    /// The quotas that an account with the defaults has to have raised, and to what.
    pub fn quotas_to_raise(&self) -> Vec<(Quota, u64)> {
        let needed = [
            (Quota::ApiRequests, u64::from(self.demand.peak_per_second.get())),
            (Quota::Concurrency, self.account_concurrency()),
            // A table is warmed up to its quota ("Understanding DynamoDB warm throughput").
            (Quota::TableWrites, self.table_warm_throughput().unwrap_or(0)),
            (Quota::IndexWrites, self.index_warm_throughput().unwrap_or(0)),
        ];
        needed.into_iter().filter(|(quota, needed)| *needed > quota.by_default()).collect()
    }
}
