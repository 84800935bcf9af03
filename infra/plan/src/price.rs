//! What AWS asks, in one table. Prices change and differ by Region: the table says where and when it was read.

use std::fmt;
use std::ops::Add;

/// An amount in US dollars, kept in millionths of a millionth of one: AWS prices a second of Lambda's memory with ten
/// decimals, and no amount here is a fraction of that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Dollars(u128);

/// Parts of a dollar that [`Dollars`] counts.
const PARTS: u128 = 1_000_000_000_000;

impl Dollars {
    /// From parts.
    const fn from_parts(parts: u128) -> Self {
        Self(parts)
    }

    /// So many times as much.
    #[must_use]
    pub fn times(self, times: u64) -> Self {
        Self(self.0.saturating_mul(u128::from(times)))
    }

    /// A share of it, rounded up: nobody is billed less than a plan says.
    #[must_use]
    pub fn divided_by(self, parts: u64) -> Self {
        Self(self.0.div_ceil(u128::from(parts.max(1))))
    }

    /// In cents, rounded up.
    pub const fn cents(self) -> u128 {
        self.0.div_ceil(PARTS / 100)
    }
}

impl Add for Dollars {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::iter::Sum for Dollars {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), Add::add)
    }
}

impl fmt::Display for Dollars {
    /// Dollars and cents, rounded up.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cents = self.cents();
        f.pad(&format!("{}.{:02}", cents / 100, cents % 100))
    }
}

/// The prices that a deployment meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prices {
    /// Where they hold.
    pub region: &'static str,
    /// When they were read.
    pub read_on: &'static str,
    /// A million requests of an HTTP API of up to 512 KB.
    pub api_million: Dollars,
    /// A million invocations.
    pub invocations_million: Dollars,
    /// A million gigabyte-seconds on arm64.
    pub gigabyte_seconds_million: Dollars,
    /// A million requests of a standard queue.
    pub queue_million: Dollars,
    /// What a million of them cost beside that when their messages have a group ("fair queues").
    pub fair_queue_million: Dollars,
    /// A million write request units.
    pub write_units_million: Dollars,
    /// A million read request units.
    pub read_units_million: Dollars,
    /// A gigabyte of items for a month.
    pub table_gigabyte_month: Dollars,
    /// The same for point-in-time recovery.
    pub recovery_gigabyte_month: Dollars,
    /// A gigabyte of logs taken in.
    pub logs_gigabyte: Dollars,
    /// A gigabyte of logs kept for a month, before compression.
    pub logs_gigabyte_month: Dollars,
    /// A metric that an alarm looks at, for a month.
    pub alarm_metric_month: Dollars,
    /// A metric of our own, for a month.
    pub custom_metric_month: Dollars,
    /// A million invocations by the scheduler.
    pub schedule_million: Dollars,
    /// A million requests to KMS.
    pub key_requests_million: Dollars,
    /// A KMS key for a month.
    pub key_month: Dollars,
    /// A secret for a month.
    pub secret_month: Dollars,
}

/// US East (N. Virginia), first tiers, without the free tier, on demand.
///
/// From the pages "Amazon API Gateway pricing", "AWS Lambda Pricing", "Amazon SQS pricing", "Pricing for On-Demand
/// Capacity" (Amazon DynamoDB), "Amazon CloudWatch Pricing", "Amazon EventBridge pricing" (Scheduler), "AWS Key
/// Management Service pricing" and "AWS Secrets Manager pricing". Several of these pages fill in their figures by Region in the browser; these were read where others
/// quote them. What fair queues cost is the least certain: it is taken for every request of a message with a group.
pub const US_EAST_1: Prices = Prices {
    region: "us-east-1",
    read_on: "2026-11-25",
    api_million: Dollars::from_parts(PARTS),
    invocations_million: Dollars::from_parts(PARTS / 100 * 20),
    gigabyte_seconds_million: Dollars::from_parts(13_333_400_000_000),
    queue_million: Dollars::from_parts(PARTS / 100 * 40),
    fair_queue_million: Dollars::from_parts(PARTS / 100 * 10),
    write_units_million: Dollars::from_parts(PARTS / 1_000 * 625),
    read_units_million: Dollars::from_parts(PARTS / 1_000 * 125),
    table_gigabyte_month: Dollars::from_parts(PARTS / 100 * 25),
    recovery_gigabyte_month: Dollars::from_parts(PARTS / 100 * 20),
    logs_gigabyte: Dollars::from_parts(PARTS / 100 * 50),
    logs_gigabyte_month: Dollars::from_parts(PARTS / 100 * 3),
    alarm_metric_month: Dollars::from_parts(PARTS / 100 * 10),
    custom_metric_month: Dollars::from_parts(PARTS / 100 * 30),
    schedule_million: Dollars::from_parts(PARTS),
    key_requests_million: Dollars::from_parts(PARTS * 3),
    key_month: Dollars::from_parts(PARTS),
    secret_month: Dollars::from_parts(PARTS / 100 * 40),
};
