//! What is billed in a month in which nobody pays. A test counts the template's resources against it.

use super::price::{Dollars, Prices};
use payments::pass::Pass;
use payments::payment::{OPEN_SHARDS, WAITING_SHARDS};

/// A month of 30 days, in minutes.
const MINUTES_PER_MONTH: u64 = 43_200;
const MILLION: u64 = 1_000_000;
const GIGABYTE: u64 = 1_000_000_000;

/// Metrics that alarms look at. An alarm with arithmetic is billed for each of its metrics ("Amazon CloudWatch Pricing").
pub const ALARM_METRICS: u64 = 51;
/// Metrics that are made of log lines. Each is billed for the hours in which it has a value: all of them is the most.
pub const CUSTOM_METRICS: u64 = 12;
/// KMS keys of the stack.
pub const KEYS: u64 = 2;
/// Secrets: the provider's key and the keys of histories. One or two more where the provider calls back.
pub const SECRETS: u64 = 2;
/// Mappings that poll a queue.
pub const MAPPINGS: u64 = 3;
/// Tables, each encrypted with the AWS managed key.
pub const TABLES: u64 = 4;
/// Functions, and so callers of a table.
pub const FUNCTIONS: u64 = 4;
/// Memory of reconcile in MB, as the template sets it.
pub const RECONCILE_MEMORY_MB: u64 = 256;
/// Polls a minute of an idle mapping: five pollers, each long-polling for 20 s ("Configuring scaling behavior for SQS
/// event source mappings").
const IDLE_POLLS_PER_MINUTE: u64 = 15;
/// A query of a shard in which nothing stands, with its way there and back, in ms. Not measured on AWS.
const QUERY_MS: u64 = 5;
/// SQS requests of a sweep: both lanes' depths.
const SWEEP_QUEUE_REQUESTS: u64 = 2;
/// Log lines of a sweep that finds nothing: four of ours and three of Lambda's.
const SWEEP_LOG_BYTES: u64 = 1_500;
/// DynamoDB asks KMS again for a table's key after five minutes, once for each caller ("DynamoDB encryption at rest: usage
/// notes").
const TABLE_KEY_MINUTES: u64 = 5;

/// Looks of a sweep: each shard of the index, and its parts of the table.
pub fn sweep_looks() -> u64 {
    let shards = OPEN_SHARDS.saturating_add(WAITING_SHARDS);
    u64::from(shards.saturating_add(Pass::DEPLOYED.parts_a_sweep))
}

/// A line of what stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// Alarms.
    Alarms,
    /// Metrics made of log lines.
    Metrics,
    /// KMS keys.
    Keys,
    /// Secrets.
    Secrets,
    /// Polls of queues in which nothing stands.
    Polls,
    /// The sweep's reads.
    SweepReads,
    /// The sweep's invocations, compute, requests and logs.
    Sweeps,
    /// KMS's requests for the tables.
    TableKeys,
}

impl Item {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Alarms,
        Self::Metrics,
        Self::Keys,
        Self::Secrets,
        Self::Polls,
        Self::SweepReads,
        Self::Sweeps,
        Self::TableKeys,
    ];

    /// In words, with the number of them.
    pub fn title(self) -> String {
        match self {
            Self::Alarms => format!("alarms, over {ALARM_METRICS} metrics"),
            Self::Metrics => format!("metrics from logs, {CUSTOM_METRICS} at the most"),
            Self::Keys => format!("KMS keys, {KEYS}"),
            Self::Secrets => format!("secrets, {SECRETS}"),
            Self::Polls => format!("polls of idle queues, by {MAPPINGS} mappings"),
            Self::SweepReads => format!("sweeps, {} reads a minute", sweep_looks()),
            Self::Sweeps => "sweeps, schedule, compute and logs".to_owned(),
            Self::TableKeys => format!("KMS, the keys of {TABLES} tables"),
        }
    }

    /// For a month.
    pub fn month(self, prices: &Prices) -> Dollars {
        let of_million = |price: Dollars, count: u64| price.times(count).divided_by(MILLION);
        match self {
            Self::Alarms => prices.alarm_metric_month.times(ALARM_METRICS),
            Self::Metrics => prices.custom_metric_month.times(CUSTOM_METRICS),
            Self::Keys => prices.key_month.times(KEYS),
            Self::Secrets => prices.secret_month.times(SECRETS),
            Self::Polls => of_million(prices.queue_million, MINUTES_PER_MONTH * IDLE_POLLS_PER_MINUTE * MAPPINGS),
            // A query or a scan that finds nothing is half a read unit.
            Self::SweepReads => of_million(prices.read_units_million, (MINUTES_PER_MONTH * sweep_looks()).div_ceil(2)),
            Self::Sweeps => {
                let mb_ms = MINUTES_PER_MONTH * sweep_looks() * QUERY_MS * RECONCILE_MEMORY_MB;
                of_million(prices.gigabyte_seconds_million, mb_ms.div_ceil(1_024_000))
                    + of_million(prices.invocations_million + prices.schedule_million, MINUTES_PER_MONTH)
                    + of_million(prices.queue_million, MINUTES_PER_MONTH * SWEEP_QUEUE_REQUESTS)
                    + prices.logs_gigabyte.times(MINUTES_PER_MONTH * SWEEP_LOG_BYTES).divided_by(GIGABYTE)
            }
            Self::TableKeys => {
                of_million(prices.key_requests_million, MINUTES_PER_MONTH / TABLE_KEY_MINUTES * TABLES * FUNCTIONS)
            }
        }
    }
}

/// All lines.
pub fn month(prices: &Prices) -> Vec<(Item, Dollars)> {
    Item::ALL.map(|item| (item, item.month(prices))).to_vec()
}
