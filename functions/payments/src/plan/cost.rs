//! What a month costs, from what each payment makes AWS do.

use super::Plan;
use super::price::{Dollars, Prices};
use crate::pass::Pass;
use crate::payment::{OPEN_SHARDS, WAITING_SHARDS};

/// Write units of an ordinary payment: put 1 and 1 to enter the index, claim 1, settle 1 and 1 to leave it. Its item
/// stays under 1 KB, so that each write is one unit ("DynamoDB read and write operations").
pub const WRITE_UNITS_PER_PAYMENT: u64 = 5;
/// SQS requests for ten payments: ten sends, and one receive and one delete, since Lambda's poller takes and deletes ten
/// at a time ("Amazon SQS batch actions").
const QUEUE_REQUESTS_PER_TEN: u64 = 12;
/// Memory of the functions in MB, as the template sets it.
pub const CONSUMER_MEMORY_MB: u64 = 1_024;
/// The same for ingest.
pub const INGEST_MEMORY_MB: u64 = 512;
/// An invocation of ingest: a write and a send, one after the other, of ten milliseconds each. Not measured on AWS.
const INGEST_MS: u64 = 20;
/// Logs of one payment: a line when it comes, one when it is settled, and one for each of its three versions.
pub const LOG_BYTES_PER_PAYMENT: u64 = 1_200;
/// API Gateway's line for a request, in the template's format.
pub const ACCESS_LOG_BYTES: u64 = 150;
/// What DynamoDB adds to each item that it keeps ("DynamoDB item sizes and formats").
const ITEM_OVERHEAD_BYTES: u64 = 100;
/// An item at its largest within a write unit, with that.
const ITEM_BYTES: u64 = 1_024 + ITEM_OVERHEAD_BYTES;
/// What is kept of a payment for ever once its details are forgotten, as `tests/contract/size.rs` weighs it.
pub const FORGOTTEN_BYTES: u64 = 585;
/// How long details are kept, in days, as the template has it.
pub const RETENTION_DAYS: u64 = 400;
/// A read unit of a scan, which is eventually consistent: it rounds up a page and not an item ("DynamoDB read and write
/// operations").
const SCANNED_BYTES_PER_READ_UNIT: u64 = 8_192;
const MINUTES_PER_DAY: u64 = 1_440;
/// How long provisioned concurrency is on around a sale: it is set up, and billed by five minutes ("AWS Lambda Pricing").
const PROVISIONED_SECONDS: u64 = 900;
/// A month of 30 days, in minutes.
const MINUTES_PER_MONTH: u64 = 43_200;
/// Polls a minute of an idle mapping: five pollers, each long-polling for 20 s ("Configuring scaling behavior for SQS
/// event source mappings").
const IDLE_POLLS_PER_MINUTE: u64 = 15;
/// Mappings that poll.
const MAPPINGS: u64 = 3;
const MILLION: u64 = 1_000_000;
const GIGABYTE: u64 = 1_000_000_000;

/// What a line of the bill is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// API Gateway.
    Api,
    /// Invocations of ingest and consumer.
    Invocations,
    /// Their memory and time.
    Compute,
    /// Environments kept ready for a sale.
    Provisioned,
    /// SQS.
    Queue,
    /// What fair queues cost beside it.
    FairQueue,
    /// DynamoDB's writes.
    Writes,
    /// Logs.
    Logs,
    /// A month's payments, kept for a month.
    Storage,
    /// Their details, looked for until they are old, and forgotten.
    Forgetting,
    /// What is left of a year of such months, kept for ever: this much more in each month, year by year.
    Kept,
    /// What is there without a payment: polls, sweeps, a key and a secret.
    Standing,
}

impl Item {
    /// In words.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Api => "API Gateway, HTTP API",
            Self::Invocations => "Lambda, invocations",
            Self::Compute => "Lambda, compute (arm64)",
            Self::Provisioned => "Lambda, provisioned concurrency",
            Self::Queue => "SQS, requests",
            Self::FairQueue => "SQS, fair queues",
            Self::Writes => "DynamoDB, write units",
            Self::Logs => "CloudWatch, logs",
            Self::Storage => "DynamoDB, these payments kept, with recovery",
            Self::Forgetting => "DynamoDB, forgetting details after the retention",
            Self::Kept => "DynamoDB, kept for ever, for each year that has gone",
            Self::Standing => "polls, sweeps, key and secret",
        }
    }
}

/// A month's bill, line by line.
pub fn month(plan: &Plan, prices: &Prices) -> Vec<(Item, Dollars)> {
    let payments = plan.demand.payments_per_month;
    let of_million = |price: Dollars, count: u64| price.times(count).divided_by(MILLION);
    let of_gigabyte = |price: Dollars, bytes: u64| price.times(bytes).divided_by(GIGABYTE);
    let queue_requests = payments.saturating_mul(QUEUE_REQUESTS_PER_TEN).div_ceil(10);
    let batches = payments.div_ceil(plan.batch.max(1));
    // A batch reserves its slots in at most two halves.
    let writes = payments.saturating_mul(WRITE_UNITS_PER_PAYMENT).saturating_add(batches.saturating_mul(2));
    let ingest_mb_ms = payments.saturating_mul(INGEST_MEMORY_MB).saturating_mul(INGEST_MS);
    let consumer_mb_ms = batches.saturating_mul(CONSUMER_MEMORY_MB).saturating_mul(plan.invocation_ms());
    let provisioned_mb_s = plan.provisioned.saturating_mul(INGEST_MEMORY_MB).saturating_mul(PROVISIONED_SECONDS);
    let provisioned_mb_s = provisioned_mb_s.saturating_mul(plan.sales_per_month());
    let gigabyte_seconds = ingest_mb_ms.saturating_add(consumer_mb_ms).div_ceil(1_024_000);
    let item_bytes = payments.saturating_mul(ITEM_BYTES);
    vec![
        (Item::Api, of_million(prices.api_million, payments)),
        (Item::Invocations, of_million(prices.invocations_million, payments.saturating_add(batches))),
        (Item::Compute, of_million(prices.gigabyte_seconds_million, gigabyte_seconds)),
        (Item::Provisioned, of_million(prices.provisioned_gigabyte_seconds_million, provisioned_mb_s.div_ceil(1_024))),
        (Item::Queue, of_million(prices.queue_million, queue_requests)),
        (Item::FairQueue, of_million(prices.fair_queue_million, queue_requests)),
        (Item::Writes, of_million(prices.write_units_million, writes)),
        (
            Item::Logs,
            of_gigabyte(prices.logs_gigabyte, payments.saturating_mul(LOG_BYTES_PER_PAYMENT + ACCESS_LOG_BYTES)),
        ),
        (Item::Storage, of_gigabyte(prices.table_gigabyte_month + prices.recovery_gigabyte_month, item_bytes)),
        (Item::Forgetting, forgetting(payments, prices)),
        (Item::Kept, kept(payments, prices)),
        (Item::Standing, standing(prices)),
    ]
}

/// What it costs in all to forget so many payments: each is read in every pass through the table until it is old, and then
/// written once.
fn forgetting(payments: u64, prices: &Prices) -> Dollars {
    let passes = (RETENTION_DAYS * MINUTES_PER_DAY).div_ceil(u64::from(Pass::DEPLOYED.sweeps).max(1));
    let bytes = payments.saturating_mul(ITEM_BYTES).saturating_mul(passes);
    let reads = bytes.div_ceil(SCANNED_BYTES_PER_READ_UNIT);
    prices.read_units_million.times(reads).divided_by(MILLION)
        + prices.write_units_million.times(payments).divided_by(MILLION)
}

/// What twelve months' payments cost in a month once they are forgotten: to keep them, and to read them in passing.
fn kept(payments: u64, prices: &Prices) -> Dollars {
    let year = payments.saturating_mul(12);
    let stored = year.saturating_mul(FORGOTTEN_BYTES + ITEM_OVERHEAD_BYTES);
    let scanned = year.saturating_mul(FORGOTTEN_BYTES).saturating_mul(MINUTES_PER_MONTH);
    let reads = scanned.div_ceil(u64::from(Pass::DEPLOYED.sweeps).max(1)).div_ceil(SCANNED_BYTES_PER_READ_UNIT);
    (prices.table_gigabyte_month + prices.recovery_gigabyte_month).times(stored).divided_by(GIGABYTE)
        + prices.read_units_million.times(reads).divided_by(MILLION)
}

/// What so many requests cost whose write is refused in the end; DynamoDB bills no write that it throttles.
pub fn refused(count: u64, prices: &Prices) -> Dollars {
    let mb_ms = count.saturating_mul(INGEST_MEMORY_MB).saturating_mul(super::REFUSED_AFTER_MS);
    let compute = prices.gigabyte_seconds_million.times(mb_ms.div_ceil(1_024_000));
    let each = (prices.api_million + prices.invocations_million).times(count);
    (each + compute).divided_by(MILLION)
}

/// What is billed although nobody pays: idle polls, a sweep a minute over all shards of the index and its parts of the table
/// (a query or a scan that finds nothing is half a read unit), the key of the consumer's environment and the provider's secret.
fn standing(prices: &Prices) -> Dollars {
    let polls = MINUTES_PER_MONTH.saturating_mul(IDLE_POLLS_PER_MINUTE).saturating_mul(MAPPINGS);
    let shards = OPEN_SHARDS.saturating_add(WAITING_SHARDS);
    let looks = u64::from(shards.saturating_add(Pass::DEPLOYED.parts_a_sweep));
    let reads = MINUTES_PER_MONTH.saturating_mul(looks).div_ceil(2);
    prices.queue_million.times(polls).divided_by(MILLION)
        + prices.read_units_million.times(reads).divided_by(MILLION)
        + prices.invocations_million.times(MINUTES_PER_MONTH).divided_by(MILLION)
        + prices.key_month
        + prices.secret_month
}
