//! The ports: all that the handlers need of the world. Two families implement them, AWS's and the simulator's, and
//! one contract suite runs against both.

use std::future::Future;

use crate::admission::{Backlog, Depth, Known};
use crate::answer::{QueryAnswer, SendAnswer};
use crate::gate::{GateAnswer, GateState, GateUpdate};
use crate::id::PaymentId;
use crate::idempotency::{Binding, Bound};
use crate::limit::{Take, Taken};
use crate::merchant::{ApiKeyHash, Merchant};
use crate::message::Message;
use crate::pass::Part;
use crate::payment::{CASE_SHARD, Lane, OPEN_SHARDS, Order, PARKED_SHARD, Payment, WAITING_SHARDS};
use crate::store::{SendClaim, Written};
use crate::time::Timestamp;

/// Why the table gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Refused before anything was written: throttled, or no connection was made.
    #[error("the table refused before writing: {0}")]
    Refused(String),
    /// Nobody knows whether it was written.
    #[error("the table's answer was lost: {0}")]
    Unresolved(String),
    /// The item is not one that this code can read.
    #[error("the item cannot be read: {0}")]
    Corrupt(String),
}

/// The table of payments. Every write is conditional and carries its own nonce.
pub trait Store: Sync {
    /// Writes a new payment if none stands under its id; for a linked refund, reserves its amount on the charge in
    /// the same transaction.
    fn put(&self, payment: &Payment) -> impl Future<Output = Result<Written, StoreError>> + Send;

    /// Claims a queued payment to be sent, without having read it.
    fn claim(&self, claim: &SendClaim) -> impl Future<Output = Result<Written, StoreError>> + Send;

    /// Writes `after` in place of `before`, if `before` still stands; when a linked refund ends without success,
    /// gives its amount back to the charge in the same transaction, and takes it again when the refund succeeds late.
    fn replace(&self, before: &Payment, after: &Payment) -> impl Future<Output = Result<Written, StoreError>> + Send;

    /// Reads a payment, strongly consistent.
    fn get(&self, id: &PaymentId) -> impl Future<Output = Result<Option<Payment>, StoreError>> + Send;

    /// Binds an idempotency key to a payment, unless it is bound to another one. Doing it again changes nothing but how
    /// long the key is kept.
    fn bind(&self, binding: &Binding) -> impl Future<Output = Result<Bound, StoreError>> + Send;
}

/// A place in the index of open payments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OpenKey {
    /// When the payment was accepted.
    pub created_at: Timestamp,
    /// Which payment.
    pub payment_id: PaymentId,
}

/// A part of the index of open payments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shard {
    /// Open payments, spread by their ids.
    Open(u32),
    /// Parked ones, spread likewise; `None` is where all of them stood before they were spread.
    Parked(Option<u32>),
    /// Ended ones with an open case, likewise.
    Case(Option<u32>),
}

impl Shard {
    /// Its key in the index.
    pub fn key(self) -> String {
        match self {
            Self::Open(shard) => shard.to_string(),
            Self::Parked(Some(shard)) => format!("{PARKED_SHARD}-{shard}"),
            Self::Parked(None) => PARKED_SHARD.to_owned(),
            Self::Case(Some(shard)) => format!("{CASE_SHARD}-{shard}"),
            Self::Case(None) => CASE_SHARD.to_owned(),
        }
    }

    /// Every shard of open payments.
    pub fn all_open() -> impl Iterator<Item = Self> {
        (0..OPEN_SHARDS).map(Self::Open)
    }

    /// Every shard of parked payments. infra/decisions/0023 says until when the last of them is read.
    pub fn all_parked() -> impl Iterator<Item = Self> {
        waiting().map(Self::Parked)
    }

    /// Every shard of payments with an open case, likewise.
    pub fn all_cases() -> impl Iterator<Item = Self> {
        waiting().map(Self::Case)
    }
}

fn waiting() -> impl Iterator<Item = Option<u32>> {
    (0..WAITING_SHARDS).map(Some).chain([None])
}

/// The index of open payments.
pub trait OpenPayments: Sync {
    /// A page of a shard's payments that were created before this, oldest first, at most `most` of them,
    /// beginning after a place.
    fn open(
        &self,
        shard: Shard,
        after: Option<&OpenKey>,
        created_before: Timestamp,
        most: u32,
    ) -> impl Future<Output = Result<Vec<OpenKey>, StoreError>> + Send;
}

/// Where a page of the table ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageEnd(pub String);

/// A page of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedPage {
    /// What was asked for in it; in place of an item that cannot be read, why.
    pub payments: Vec<Result<Payment, StoreError>>,
    /// Where the next page begins; none when there is no more.
    pub next: Option<PageEnd>,
}

/// The table of payments as a whole, which is gone through part by part.
pub trait EndedPayments: Sync {
    /// The payments in a page of a part, of `most` items at most, whose details may be forgotten by `now`. What is a moment
    /// old may be missing or out of date.
    fn to_forget(
        &self,
        part: Part,
        after: Option<&PageEnd>,
        now: Timestamp,
        most: u32,
    ) -> impl Future<Output = Result<EndedPage, StoreError>> + Send;
}

/// The table of merchants.
pub trait Merchants: Sync {
    /// The merchant whose API key has this hash.
    fn find(&self, key: &ApiKeyHash) -> impl Future<Output = Result<Option<Merchant>, StoreError>> + Send;
}

/// Why a queue gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the queue did not take it: {0}")]
pub struct QueueError(pub String);

/// Which queue a message was received from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// A lane's queue.
    Lane(Lane),
    /// The dead-letter queue.
    DeadLetter,
}

/// The queues.
pub trait Queue: Sync {
    /// Sends a message to a lane, to be seen `delay_seconds` from now (0 to 900).
    fn send(
        &self,
        lane: Lane,
        message: &Message,
        delay_seconds: u32,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// Which of our queues this ARN names, if any.
    fn source_of(&self, event_source_arn: &str) -> Option<Source>;

    /// Hides a received message for `seconds` from now: 0 to 43,200, less what has gone by since it was received.
    fn hide(
        &self,
        source: Source,
        receipt_handle: &str,
        seconds: u32,
    ) -> impl Future<Output = Result<(), QueueError>> + Send;
}

/// How full the lanes are.
pub trait Depths: Sync {
    /// Messages in a lane's queue, as far as the queue knows.
    fn depth(&self, lane: Lane) -> impl Future<Output = Result<Depth, QueueError>> + Send;
}

/// Why the gate gave no answer; nothing is sent then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the gate did not answer: {0}")]
pub struct GateError(pub String);

/// The table of gates.
pub trait GateStore: Sync {
    /// One conditional update.
    fn update(&self, update: &GateUpdate) -> impl Future<Output = Result<GateAnswer, GateError>> + Send;

    /// The gate as it stands, strongly consistent.
    fn read(&self, provider: &str) -> impl Future<Output = Result<Option<GateState>, GateError>> + Send;

    /// Writes the gate if there is none yet.
    fn create(&self, gate: &GateState) -> impl Future<Output = Result<(), GateError>> + Send;
}

/// Why nothing is known of a bucket or of the lanes. It stops no payment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("admission is decided without it: {0}")]
pub struct AdmissionError(pub String);

/// What decides whether a payment may come in, and what its merchant is told about the wait: the merchants' buckets,
/// the figure of the lanes, and the gate. An implementation answers quickly or not at all.
pub trait Admission: Sync {
    /// One conditional update of a merchant's bucket.
    fn take(&self, take: &Take) -> impl Future<Output = Result<Taken, AdmissionError>> + Send;

    /// The gate as it stands, and the lanes as somebody last measured them.
    fn look(&self) -> impl Future<Output = Result<(Option<GateState>, Option<Backlog>), AdmissionError>> + Send;

    /// Measures the lanes, adds what is known already, and writes the figure down for everybody, unless somebody else
    /// began to within [`crate::admission::BUSY_MS`].
    fn measure(
        &self,
        now: Timestamp,
        known: &Known,
    ) -> impl Future<Output = Result<Option<Backlog>, AdmissionError>> + Send;
}

/// No admission: every payment comes in, and nothing is said about the wait. It has no value, so that whoever has one
/// has an admission.
#[derive(Clone, Copy, Debug)]
pub enum NoAdmission {}

impl Admission for NoAdmission {
    async fn take(&self, _: &Take) -> Result<Taken, AdmissionError> {
        match *self {}
    }

    async fn look(&self) -> Result<(Option<GateState>, Option<Backlog>), AdmissionError> {
        match *self {}
    }

    async fn measure(&self, _: Timestamp, _: &Known) -> Result<Option<Backlog>, AdmissionError> {
        match *self {}
    }
}

/// Why no connection was made; no request was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no connection to the provider: {0}")]
pub struct ConnectError(pub String);

/// A payment provider. Connecting and calling are apart, so that the last look at the slot, the lease and
/// `expires_at` lies between them, right before the request is written.
pub trait Provider: Sync {
    /// An open connection that has taken no request yet.
    type Connection: Connection;

    /// Takes a pooled connection or opens one.
    fn connect(&self) -> impl Future<Output = Result<Self::Connection, ConnectError>> + Send;
}

/// One call to the provider. Dropping the future resets the connection: nothing is written afterwards.
pub trait Connection: Send {
    /// Sends the payment, with its id as the idempotency key, the same in every attempt.
    fn send(self, id: &PaymentId, order: &Order) -> impl Future<Output = SendAnswer> + Send;

    /// Asks what became of the payment.
    fn query(self, id: &PaymentId, order: &Order) -> impl Future<Output = QueryAnswer> + Send;
}

/// The clock.
pub trait Clock: Sync {
    /// Microseconds since the Unix epoch.
    fn now_us(&self) -> u64;

    /// The same in milliseconds.
    fn now(&self) -> Timestamp {
        Timestamp::from_us(self.now_us())
    }
}

/// Dice: evenly distributed bits, unique rather than secret.
pub trait Entropy: Sync {
    /// 128 of them.
    fn bits(&self) -> u128;
}
