//! What a million payments and a month cost, from what each payment makes AWS do.

use super::price::{Dollars, Prices};
use super::size::CLAIM_LEAD_MS;
use super::{Demand, Plan};
use pacing::admission::{BUSY_PAYMENTS, LOOK_MS};
use payments::pass::Pass;

/// Write units of an ordinary payment: put 1 and 1 to enter the index, claim 1, settle 1 and 1 to leave it. Its item
/// stays under 1 KB, so that each write is one unit ("DynamoDB read and write operations").
pub const WRITE_UNITS_PER_PAYMENT: u64 = 5;
/// Messages that Lambda's poller receives or deletes with one request ("Amazon SQS batch actions").
const MESSAGES_PER_REQUEST: u64 = 10;
/// Memory of the functions in MB, as the template sets it.
pub const CONSUMER_MEMORY_MB: u64 = 1_024;
/// The same for ingest.
pub const INGEST_MEMORY_MB: u64 = 512;
/// An invocation of ingest: a write and a send, one after the other, of ten milliseconds each. Not measured on AWS.
pub(super) const INGEST_MS: u64 = 20;
/// Logs of one payment: a line when it comes, one when it is settled, and one for each of its three versions.
pub const LOG_BYTES_PER_PAYMENT: u64 = 1_200;
/// API Gateway's line for a request, in the template's format.
pub const ACCESS_LOG_BYTES: u64 = 150;
/// Lambda's own START and REPORT lines of one of the consumer's invocations ("Using Lambda advanced logging controls").
const INVOCATION_LOG_BYTES: u64 = 600;
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
/// A month of 30 days.
const MINUTES_PER_MONTH: u64 = 30 * MINUTES_PER_DAY;
/// Batches that Lambda forms at the same time while little comes: five pollers ("Configuring scaling behavior for SQS event
/// source mappings").
const POLLERS: u64 = 5;
/// Write units of a look: a lease of the merchant's rate, and the turn to measure and the figure, where it is this one's.
const LOOK_WRITE_UNITS: u64 = 3;
/// Read units of a look: the gate, and the figure.
const LOOK_READ_UNITS: u64 = 2;
/// SQS requests of a look: both lanes' depths.
const LOOK_QUEUE_REQUESTS: u64 = 2;
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
    /// SQS.
    Queue,
    /// What fair queues cost beside it.
    FairQueue,
    /// DynamoDB's writes.
    Writes,
    /// Looks at gate, lanes and the merchant's rate.
    Admission,
    /// Logs, taken in.
    Logs,
}

impl Item {
    /// All of them, in a payment's order.
    pub const ALL: [Self; 8] = [
        Self::Api,
        Self::Invocations,
        Self::Compute,
        Self::Queue,
        Self::FairQueue,
        Self::Writes,
        Self::Admission,
        Self::Logs,
    ];

    /// In words.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Api => "API Gateway, HTTP API",
            Self::Invocations => "Lambda, invocations",
            Self::Compute => "Lambda, compute (arm64)",
            Self::Queue => "SQS, requests",
            Self::FairQueue => "SQS, fair queues",
            Self::Writes => "DynamoDB, write units",
            Self::Admission => "looks at gate, lanes and rates",
            Self::Logs => "CloudWatch, logs",
        }
    }
}

/// How payments come, as far as it changes what one costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Traffic {
    /// A sale: out of a backlog batches are full.
    Sale,
    /// So many a second, steadily, and no backlog.
    PerSecond(u64),
    /// Each for itself: less than one a second.
    Single,
}

impl Traffic {
    /// The kinds of traffic that a bill is made for.
    pub const ALL: [Self; 4] = [Self::Sale, Self::PerSecond(200), Self::PerSecond(20), Self::Single];

    /// Payments of one of the consumer's batches: what comes within the window, over the pollers.
    pub fn batch(self, plan: &Plan) -> u64 {
        match self {
            Self::Sale => plan.batch,
            Self::PerSecond(rate) => {
                (rate.saturating_mul(plan.window_seconds.max(1)) / POLLERS).clamp(1, plan.batch.max(1))
            }
            Self::Single => 1,
        }
    }

    /// How long the consumer runs for a batch. In a sale what its lane has in hand over the pace; else until the batch's
    /// slowest call is answered, which is taken to lie the nearer to the slowest ordinary answer the larger the batch.
    fn invocation_ms(self, plan: &Plan) -> u64 {
        let Demand { latency_ms, tail_ms, .. } = plan.demand;
        match self {
            Self::Sale => plan.invocation_ms(),
            Self::PerSecond(_) | Self::Single => {
                let batch = self.batch(plan).max(1);
                let spread_ms = tail_ms.saturating_sub(latency_ms).saturating_mul(batch.saturating_sub(1)) / batch;
                CLAIM_LEAD_MS.saturating_add(latency_ms).saturating_add(spread_ms)
            }
        }
    }

    /// Payments for each of ingest's looks: what an environment takes between two of them.
    fn payments_per_look(self) -> u64 {
        match self {
            Self::Sale => BUSY_PAYMENTS,
            Self::PerSecond(rate) => rate.saturating_mul(LOOK_MS).div_ceil(1_000).clamp(1, BUSY_PAYMENTS),
            Self::Single => 1,
        }
    }
}

/// What so many payments cost while they are taken and sent, line by line.
pub fn running(plan: &Plan, prices: &Prices, traffic: Traffic, payments: u64) -> Vec<(Item, Dollars)> {
    Item::ALL.map(|item| (item, line(plan, prices, traffic, payments, item))).to_vec()
}

fn line(plan: &Plan, prices: &Prices, traffic: Traffic, payments: u64, item: Item) -> Dollars {
    let of_million = |price: Dollars, count: u64| price.times(count).divided_by(MILLION);
    let batch = traffic.batch(plan).max(1);
    let batches = payments.div_ceil(batch);
    // A send each; and of as many as one request takes, one receive and one delete.
    let taken_at_once = batch.min(MESSAGES_PER_REQUEST);
    let queue_requests = payments.saturating_add(payments.saturating_mul(2).div_ceil(taken_at_once));
    let looks = payments.div_ceil(traffic.payments_per_look());
    match item {
        Item::Api => of_million(prices.api_million, payments),
        Item::Invocations => of_million(prices.invocations_million, payments.saturating_add(batches)),
        Item::Compute => {
            let ingest = payments.saturating_mul(INGEST_MEMORY_MB).saturating_mul(INGEST_MS);
            let invocation_ms = traffic.invocation_ms(plan);
            let consumer = batches.saturating_mul(CONSUMER_MEMORY_MB).saturating_mul(invocation_ms);
            of_million(prices.gigabyte_seconds_million, ingest.saturating_add(consumer).div_ceil(1_024_000))
        }
        Item::Queue => of_million(prices.queue_million, queue_requests),
        Item::FairQueue => of_million(prices.fair_queue_million, queue_requests),
        Item::Writes => {
            // A batch reserves its slots in at most two halves.
            let reserved = batches.saturating_mul(batch.min(2));
            let units = payments.saturating_mul(WRITE_UNITS_PER_PAYMENT).saturating_add(reserved);
            of_million(prices.write_units_million, units)
        }
        Item::Admission => {
            of_million(prices.write_units_million, looks.saturating_mul(LOOK_WRITE_UNITS))
                + of_million(prices.read_units_million, looks.saturating_mul(LOOK_READ_UNITS))
                + of_million(prices.queue_million, looks.saturating_mul(LOOK_QUEUE_REQUESTS))
        }
        Item::Logs => {
            let own = payments.saturating_mul(LOG_BYTES_PER_PAYMENT + ACCESS_LOG_BYTES);
            let bytes = own.saturating_add(batches.saturating_mul(INVOCATION_LOG_BYTES));
            prices.logs_gigabyte.times(bytes).divided_by(GIGABYTE)
        }
    }
}

/// What it costs to keep so many payments for a month: their items, these recoverable to any point in time, and their logs.
pub fn stored(prices: &Prices, payments: u64) -> Dollars {
    let items =
        (prices.table_gigabyte_month + prices.recovery_gigabyte_month).times(payments.saturating_mul(ITEM_BYTES));
    let logs = payments.saturating_mul(LOG_BYTES_PER_PAYMENT + ACCESS_LOG_BYTES);
    (items + prices.logs_gigabyte_month.times(logs)).divided_by(GIGABYTE)
}

/// What it costs in all to forget so many payments: each is read in every pass through the table until it is old, and then
/// written once.
pub fn forgetting(prices: &Prices, payments: u64) -> Dollars {
    let passes = (RETENTION_DAYS * MINUTES_PER_DAY).div_ceil(u64::from(Pass::DEPLOYED.sweeps).max(1));
    let bytes = payments.saturating_mul(ITEM_BYTES).saturating_mul(passes);
    let reads = bytes.div_ceil(SCANNED_BYTES_PER_READ_UNIT);
    prices.read_units_million.times(reads).divided_by(MILLION)
        + prices.write_units_million.times(payments).divided_by(MILLION)
}

/// What twelve months' payments cost in a month once they are forgotten: to keep them, and to read them in passing.
pub fn kept(prices: &Prices, payments: u64) -> Dollars {
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
