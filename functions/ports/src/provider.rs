//! A payment provider, connecting and calling apart.

use std::future::Future;

use payments::answer::{ProviderText, QueryAnswer, SendAnswer};
use payments::id::PaymentId;
use payments::payment::{Order, Payment};
use payments::time::Timestamp;

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

/// What is known of a payment's way to the provider, by which one is found that does not know it by our id alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// When the first request that may have been written was claimed, by our clock; none if no such request is known of.
    pub first_sent_at: Option<Timestamp>,
    /// What the provider last called it, or said of it.
    pub provider_text: Option<ProviderText>,
}

impl Trace {
    /// A payment's.
    pub fn of(payment: &Payment) -> Self {
        Self { first_sent_at: payment.first_sent_at, provider_text: payment.provider_text.clone() }
    }
}

/// One call to the provider. Dropping the future resets the connection: nothing is written afterwards.
pub trait Connection: Send {
    /// Sends the payment, with its id as the idempotency key, the same in every attempt.
    fn send(self, id: &PaymentId, order: &Order) -> impl Future<Output = SendAnswer> + Send;

    /// Asks what became of the payment.
    fn query(self, id: &PaymentId, order: &Order, trace: &Trace) -> impl Future<Output = QueryAnswer> + Send;
}
