//! What travels through the queue: enough to find the payment, nothing that decides.

use serde::{Deserialize, Serialize};

use crate::id::{MerchantId, PaymentId};
use crate::time::Timestamp;

/// The version that this code writes and understands.
pub const VERSION: u64 = 1;

/// How long after a sender wrote a message its own late delivery to the queue is still taken for that, in ms.
/// A message that arrived later than this was put there by a person.
pub const LATE_SEND_MS: u64 = 120_000;

/// A message for one payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// Always [`VERSION`].
    pub version: u64,
    /// Whose turn it is.
    pub payment_id: PaymentId,
    /// The payment's merchant; a message whose merchant is not the item's is not ours.
    pub merchant: MerchantId,
    /// When its sender wrote it.
    pub sent_at: Timestamp,
}

/// Why a queue's message is not one for us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotOurs {
    /// Not JSON, or not this shape.
    Foreign,
    /// Written by newer code than this.
    NewerVersion(u64),
}

#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

impl Message {
    /// A message for a payment, written now.
    pub fn new(payment_id: PaymentId, merchant: MerchantId, sent_at: Timestamp) -> Self {
        Self { version: VERSION, payment_id, merchant, sent_at }
    }

    /// Reads a message's body.
    pub fn parse(body: &str) -> Result<Self, NotOurs> {
        let Ok(Versioned { version }) = serde_json::from_str(body) else {
            return Err(NotOurs::Foreign);
        };
        if version > VERSION {
            return Err(NotOurs::NewerVersion(version));
        }
        match serde_json::from_str::<Self>(body) {
            Ok(message) if message.version == VERSION => Ok(message),
            Ok(_) | Err(_) => Err(NotOurs::Foreign),
        }
    }

    /// The message's body.
    pub fn to_body(&self) -> String {
        // Text, numbers and nothing else: this cannot fail; were it to, an empty body is refused by the queue.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether a person put this message back after its payment was parked.
    ///
    /// A move by StartMessageMoveTask gives the message a new SentTimestamp, a redrive by policy keeps the old one
    /// ("Using dead-letter queues in Amazon SQS"). A late send of our own is told apart by the time written inside.
    pub fn is_replay(&self, sent_timestamp: Timestamp, parked_at: Timestamp) -> bool {
        sent_timestamp > parked_at && sent_timestamp > self.sent_at.plus_ms(LATE_SEND_MS)
    }
}
