//! Our own open contract, JSON over HTTP: `infra/provider-openapi.yaml` says it in full. A provider that can be put
//! behind it needs no contract of its own.
//!
//! - [`contract`] says what a body says and what an answer means;
//! - [`callback`] says whether a callback is the provider's, and what it says.
//!
//! Its numbers are each provider's own to say: the contract asks for a key window and an absence bound and fixes neither
//! (`infra/provider-openapi.yaml`).

pub mod callback;
pub mod contract;

use std::fmt;

use ::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use ::http::{HeaderValue, Method};
use bytes::Bytes;
use payments::answer::{QueryAnswer, SendAnswer};
use payments::id::PaymentId;
use payments::payment::Order;

use self::contract::Asked;
use crate::contract::{Numbers, Reply, Stated, Written};
use crate::http::SettingsError;

/// What the contract leaves to the provider.
pub const NUMBERS: Numbers = Numbers {
    key_window: Stated::Ask,
    absence_bound: Stated::Ask,
    longest_answer: Stated::Ask,
    rate_per_second: None,
    callback_tolerance: Stated::Ms(callback::CLOCKS_APART_MS_MAX),
    settlement_file: "the provider's own to say",
    not_found_proves: "that nothing was done and nothing will be: the provider says so by keeping the contract",
};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// The contract at one provider.
pub struct Open {
    /// What the `Authorization` header says; marked as sensitive.
    authorization: HeaderValue,
    /// The path that payments are posted to: the root's path and `/v1/payments`.
    payments_path: String,
}

impl fmt::Debug for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open").finish_non_exhaustive()
    }
}

impl Open {
    /// The contract under the path `root`, with `key` as the bearer token.
    pub fn new(root: &str, key: &str) -> Result<Self, SettingsError> {
        if key.is_empty() || !key.chars().all(|c| c.is_ascii_graphic()) {
            return Err(SettingsError::Key);
        }
        let mut authorization = HeaderValue::from_str(&format!("Bearer {key}")).map_err(|_| SettingsError::Key)?;
        authorization.set_sensitive(true);
        Ok(Self { authorization, payments_path: format!("{}/v1/payments", root.trim_end_matches('/')) })
    }

    /// What is written to make a payment.
    pub fn send(&self, id: &PaymentId, order: &Order) -> Option<Written> {
        // Neither can fail with what the core lets through.
        let body = contract::send_body(id, order).ok()?;
        let key = HeaderValue::from_str(id.as_str()).ok()?;
        let mut written = self.written(Method::POST, self.payments_path.clone(), body);
        written.headers.extend([(CONTENT_TYPE, JSON), (contract::IDEMPOTENCY_KEY, key)]);
        Some(written)
    }

    /// What is written to ask what became of one.
    pub fn query(&self, id: &PaymentId) -> Option<Written> {
        Some(self.written(Method::GET, format!("{}/{id}", self.payments_path), Bytes::new()))
    }

    fn written(&self, method: Method, path: String, body: Bytes) -> Written {
        let headers = vec![(AUTHORIZATION, self.authorization.clone()), (ACCEPT, JSON)];
        Written { method, path, headers, body }
    }

    /// What the answer to a send means.
    pub fn send_answer(id: &PaymentId, order: &Order, reply: &Reply) -> SendAnswer {
        contract::send_answer(&Asked { id, money: order.money }, reply.status, &reply.headers, &reply.body)
    }

    /// What the answer to a query means.
    pub fn query_answer(id: &PaymentId, order: &Order, reply: &Reply) -> QueryAnswer {
        contract::query_answer(&Asked { id, money: order.money }, reply.status, &reply.headers, &reply.body)
    }
}
