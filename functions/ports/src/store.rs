//! The tables of payments and merchants.

use std::future::Future;

use payments::id::PaymentId;
use payments::idempotency::{Binding, Bound};
use payments::index::{OpenKey, Shard};
use payments::merchant::{ApiKeyHash, Merchant};
use payments::pass::Part;
use payments::payment::Payment;
use payments::time::Timestamp;
use payments::write::{SendClaim, Written};

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
