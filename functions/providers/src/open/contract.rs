//! The contract: what a request says and what an answer means. Pure; `infra/provider-openapi.yaml` is its other half.

use std::collections::BTreeMap;

use ::http::header::HeaderName;
use ::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use payments::answer::{Found, NotTaken, ProviderText, QueryAnswer, SendAnswer, Unclear};
use payments::id::PaymentId;
use payments::money::Money;
use payments::payment::{Order, RefundOf};
use serde::{Deserialize, Serialize};

use crate::contract::{Body, retry_after_ms};

/// The header that carries the payment's id, the same in every attempt.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What the answer has to be about.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The payment.
    pub id: &'a PaymentId,
    /// Its amount and currency.
    pub money: Money,
}

#[derive(Serialize)]
struct SendBody<'a> {
    payment_id: &'a str,
    kind: &'static str,
    amount: u64,
    currency: &'static str,
    merchant: &'a str,
    order_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_method: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_of_payment_id: Option<&'a str>,
}

/// The body of a send. It says the same for the same payment, for ever: a provider may refuse a known key with
/// another body.
pub fn send_body(id: &PaymentId, order: &Order) -> Result<Bytes, serde_json::Error> {
    let refund_of_payment_id = match &order.refund_of {
        Some(RefundOf::Charge { payment_id, .. }) => Some(payment_id.as_str()),
        Some(RefundOf::Unlinked) | None => None,
    };
    let body = SendBody {
        payment_id: id.as_str(),
        kind: order.kind.as_str(),
        amount: order.money.amount(),
        currency: order.money.currency().code(),
        merchant: order.merchant.as_str(),
        order_id: order.order_id.as_str(),
        payment_method: order.payment_method.as_deref(),
        customer: order.customer.as_deref(),
        description: order.description.as_deref(),
        metadata: &order.metadata,
        refund_of_payment_id,
    };
    serde_json::to_vec(&body).map(Bytes::from)
}

/// What a status says by itself, before the body is looked at.
#[derive(Clone, Copy)]
enum Says {
    /// 200.
    Ok,
    /// 202.
    Accepted,
    /// 402 for the payment; 400 and 422 for what the request says of it.
    Refused,
    /// 401, 403.
    CredentialsRefused,
    /// 404.
    NotFound,
    /// 409.
    Conflict,
    /// 429.
    RateLimited,
    /// Every 5xx.
    ServerError,
    /// Nothing that the contract knows.
    Foreign,
}

impl Says {
    fn of(status: StatusCode) -> Self {
        match status.as_u16() {
            200 => Self::Ok,
            202 => Self::Accepted,
            400 | 402 | 422 => Self::Refused,
            401 | 403 => Self::CredentialsRefused,
            404 => Self::NotFound,
            409 => Self::Conflict,
            429 => Self::RateLimited,
            // 503 too: an edge that sends it need not know whether the provider behind it has acted.
            500..=599 => Self::ServerError,
            _ => Self::Foreign,
        }
    }
}

/// What the answer to a send means.
pub fn send_answer(asked: &Asked<'_>, status: StatusCode, headers: &HeaderMap, body: &Body) -> SendAnswer {
    let told = match Says::of(status) {
        Says::Ok => told(asked, body, &[Status::Approved]),
        Says::Accepted => told(asked, body, &[Status::Accepted]),
        Says::Refused => told(asked, body, &[Status::Declined]),
        Says::CredentialsRefused => return SendAnswer::NotTaken(NotTaken::CredentialsRefused),
        Says::RateLimited => return SendAnswer::NotTaken(rate_limited(headers)),
        Says::Conflict => Err(Unclear::Conflict),
        Says::ServerError => Err(Unclear::ProviderError),
        // 404 as well: a wrong address says nothing about the payment.
        Says::NotFound | Says::Foreign => Err(Unclear::Unreadable),
    };
    match told {
        Ok(found) => SendAnswer::Found(found),
        Err(unclear) => SendAnswer::Unclear(unclear),
    }
}

/// What the answer to a query means.
pub fn query_answer(asked: &Asked<'_>, status: StatusCode, headers: &HeaderMap, body: &Body) -> QueryAnswer {
    let told = match Says::of(status) {
        Says::Ok => told(asked, body, &[Status::Approved, Status::Accepted, Status::Declined]),
        Says::NotFound => match says_not_found(asked, body) {
            Ok(()) => return QueryAnswer::NotFound,
            Err(unclear) => Err(unclear),
        },
        Says::CredentialsRefused => return QueryAnswer::NotTaken(NotTaken::CredentialsRefused),
        Says::RateLimited => return QueryAnswer::NotTaken(rate_limited(headers)),
        Says::Conflict => Err(Unclear::Conflict),
        Says::ServerError => Err(Unclear::ProviderError),
        // A query that is refused says nothing about the payment, whatever its body says.
        Says::Accepted | Says::Refused | Says::Foreign => Err(Unclear::Unreadable),
    };
    match told {
        Ok(found) => QueryAnswer::Found(found),
        Err(unclear) => QueryAnswer::Unclear(unclear),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    Approved,
    Accepted,
    Declined,
}

// Members that we do not know are skipped: the contract may grow.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Told {
    status: Status,
    pub(super) payment_id: String,
    amount: u64,
    currency: String,
    reference: Option<String>,
    code: Option<String>,
}

fn told(asked: &Asked<'_>, body: &Body, expected: &[Status]) -> Result<Found, Unclear> {
    let told: Told = parse(body)?;
    if !told.is_about(asked) || !expected.contains(&told.status) {
        return Err(Unclear::Unreadable);
    }
    told.found().ok_or(Unclear::Unreadable)
}

impl Told {
    /// Whether it speaks of this payment, amount and currency.
    pub(super) fn is_about(&self, asked: &Asked<'_>) -> bool {
        self.payment_id == asked.id.as_str()
            && self.amount == asked.money.amount()
            && self.currency == asked.money.currency().code()
    }

    /// What it says; `None` without the reference or the code that has to come with it.
    pub(super) fn found(&self) -> Option<Found> {
        let text = |text: &str| ProviderText::new(text);
        match (self.status, self.reference.as_deref(), self.code.as_deref()) {
            (Status::Approved, Some(reference), _) => Some(Found::Approved { reference: text(reference) }),
            (Status::Accepted, reference, _) => Some(Found::Accepted { reference: reference.map(text) }),
            (Status::Declined, _, Some(code)) => Some(Found::Declined { code: text(code) }),
            (Status::Approved, None, _) | (Status::Declined, _, None) => None,
        }
    }
}

#[derive(Deserialize)]
enum Missing {
    #[serde(rename = "not_found")]
    NotFound,
}

// Exactly this and nothing else: the 404 of a gateway or a mistyped URL must never prove that a charge is absent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SaysNotFound {
    #[serde(rename = "status")]
    _status: Missing,
    payment_id: String,
}

fn says_not_found(asked: &Asked<'_>, body: &Body) -> Result<(), Unclear> {
    let says: SaysNotFound = parse(body)?;
    if says.payment_id == asked.id.as_str() { Ok(()) } else { Err(Unclear::Unreadable) }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a Body) -> Result<T, Unclear> {
    match body {
        Body::Whole(bytes) => serde_json::from_slice(bytes).map_err(|_| Unclear::Unreadable),
        Body::Malformed => Err(Unclear::Unreadable),
        Body::Lost => Err(Unclear::ConnectionLost),
    }
}

fn rate_limited(headers: &HeaderMap) -> NotTaken {
    NotTaken::RateLimited { retry_after_ms: retry_after_ms(headers) }
}
