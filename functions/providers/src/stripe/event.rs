//! Stripe's events ("Receive Stripe events in your webhook endpoint"): `Stripe-Signature: t=<seconds>,v1=<hex>`, where `v1` is the
//! HMAC-SHA256 of `<seconds>.<body>` under the destination's signing secret. What is not answered 2xx comes again for three
//! days, so that what is not ours is answered 200 too.
//!
//! An event shows its object as it stood then, and events come in any order and more than once: what it says was true, and the
//! transition function has an answer for each.

use std::fmt;

use payments::answer::Found;
use payments::id::PaymentId;
use payments::payment::Payment;
use serde::Deserialize;
use serde_json::Value;

use super::answer::Made;
use super::secret;
use crate::callback::{NotTaken, Received};
use crate::open::callback::CallbackKeys;
use crate::secret::SecretError;

/// The header with the time and the signatures.
pub const SIGNATURE: &str = "stripe-signature";

/// What events are believed by: the signing secret in use and, while it is being changed, the one before.
#[derive(Clone)]
pub struct EventKeys(CallbackKeys);

impl fmt::Debug for EventKeys {
    /// Nothing of the keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EventKeys(not shown)")
    }
}

#[derive(Deserialize)]
struct Envelope {
    object: String,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Value,
}

/// What an event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Whose payment it is about.
    pub payment_id: PaymentId,
    /// What became of it.
    pub found: Found,
    made: Made,
}

impl EventKeys {
    /// Reads the secrets.
    pub fn new(current: &str, previous: Option<&str>) -> Result<Self, SecretError> {
        let current = secret::signing_secret(current)?;
        let previous = previous.map(secret::signing_secret).transpose()?;
        Ok(Self(CallbackKeys::new(&current, previous.as_deref())))
    }

    /// Reads an event, and believes nothing of it before its signature has been verified.
    pub fn read(&self, received: &Received<'_>) -> Result<Event, NotTaken> {
        self.0.verify(received.signature, received.body, received.at).map_err(NotTaken::Untrusted)?;
        let envelope: Envelope = serde_json::from_slice(received.body).map_err(|_| NotTaken::Unreadable)?;
        if envelope.object != "event" {
            return Err(NotTaken::Unreadable);
        }
        let object = envelope.data.object;
        let is_ours = object.get("metadata").and_then(|metadata| metadata.get(super::PAYMENT_ID)).is_some();
        let is_made = object
            .get("object")
            .and_then(Value::as_str)
            .is_some_and(|name| matches!(name, "payment_intent" | "refund"));
        // An account makes payments of others too, and tells of charges, customers and payouts.
        if !is_ours || !is_made {
            return Err(NotTaken::Foreign);
        }
        let made: Made = serde_json::from_value(object).map_err(|_| NotTaken::Unreadable)?;
        let payment_id = made.ours().and_then(|id| PaymentId::new(id.to_owned()).ok()).ok_or(NotTaken::Unreadable)?;
        let found = made.found().ok_or(NotTaken::Unreadable)?;
        Ok(Event { payment_id, found, made })
    }
}

impl Event {
    /// Whether it speaks of this payment, its amount and its currency. One that does not settles nothing.
    pub fn is_about(&self, payment: &Payment) -> bool {
        self.made.is_of(&payment.id, &payment.order)
    }
}
