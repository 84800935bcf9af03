//! What the sandbox reads and says, by the contract of `infra/provider-openapi.yaml`.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use payments::money::{Currency, Money};
use payments::payment::Kind;
use serde::Deserialize;
use serde_json::{Value, json};

use super::book::{Asked, Operation, Outcome};
use super::said::Said;

/// A whole answer.
pub(super) type Answer = Response<Full<Bytes>>;

/// A send's body. Unlike a real provider, which skips what it does not know, the sandbox refuses it: a misspelt member
/// should not go unnoticed.
#[derive(Hash, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    payment_id: String,
    kind: Kind,
    amount: u64,
    currency: String,
    merchant: String,
    order_id: String,
    payment_method: Option<String>,
    customer: Option<String>,
    description: Option<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    refund_of_payment_id: Option<String>,
}

/// Why a send's body is not taken.
pub(super) enum Refused {
    /// It is not one.
    Unreadable(String),
    /// It is one, with something in it that cannot be.
    Invalid { amount: u64, currency: String, code: &'static str },
}

/// Reads a send's body, whose payment has to be the key's.
pub(super) fn read(key: &str, bytes: &[u8]) -> Result<Asked, Refused> {
    let body: Body = serde_json::from_slice(bytes).map_err(|error| Refused::Unreadable(error.to_string()))?;
    if body.payment_id != key {
        return Err(Refused::Unreadable("payment_id must be the Idempotency-Key".to_owned()));
    }
    let invalid = |code| Refused::Invalid { amount: body.amount, currency: body.currency.clone(), code };
    let currency = Currency::new(&body.currency).map_err(|_| invalid("invalid_currency"))?;
    let money = Money::new(body.amount, currency).map_err(|_| invalid("invalid_amount"))?;
    if body.refund_of_payment_id.is_some() && body.kind != Kind::Refund {
        return Err(invalid("invalid_refund"));
    }
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    Ok(Asked { kind: body.kind, amount: money.amount(), currency: money.currency().code(), body_hash: hasher.finish() })
}

/// The name of an outcome, as in the answer's `status`.
pub(super) const fn name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Approved => "approved",
        Outcome::Accepted => "accepted",
        Outcome::Declined(_) => "declined",
    }
}

/// The status of the answer to a send of which this came.
const fn status(outcome: Outcome) -> StatusCode {
    match outcome {
        Outcome::Approved => StatusCode::OK,
        Outcome::Accepted => StatusCode::ACCEPTED,
        Outcome::Declined(_) => StatusCode::PAYMENT_REQUIRED,
    }
}

/// What is said, in the words of the open contract.
pub(super) fn worded(id: &str, operation: Operation, said: &Said) -> Answer {
    let as_told = |outcome| match operation {
        Operation::Send => status(outcome),
        Operation::Query => StatusCode::OK,
    };
    match said {
        Said::Told(asked, outcome) | Said::Stands(asked, outcome) => told(id, as_told(*outcome), asked, *outcome),
        Said::Altered(asked, outcome) => {
            let other = Asked { amount: asked.amount + 1, ..*asked };
            told(id, as_told(*outcome), &other, *outcome)
        }
        // Nothing is signed here; the settings refuse it.
        Said::WronglySigned(said) => worded(id, operation, said),
        Said::NotFound => not_found(id),
        Said::Busy => conflict(id, "a request with this key is still being processed"),
        Said::OtherBody => conflict(id, "this key was used with another body"),
        Said::RateLimited | Said::Locked => rate_limited(),
        Said::Unauthorized => error(StatusCode::UNAUTHORIZED, "the key is not known"),
        Said::Failed | Said::FailedAfter => error(StatusCode::INTERNAL_SERVER_ERROR, "failed"),
    }
}

/// What came of a payment.
fn told(id: &str, status: StatusCode, asked: &Asked, outcome: Outcome) -> Answer {
    json_answer(status, &told_body(id, asked, outcome))
}

/// The body that says so, of an answer or a callback.
pub(super) fn told_body(id: &str, asked: &Asked, outcome: Outcome) -> Value {
    let reference = format!("sbx_{}", id.trim_start_matches("pay_"));
    let mut body = json!({
        "status": name(outcome),
        "payment_id": id,
        "amount": asked.amount,
        "currency": asked.currency,
    });
    match outcome {
        Outcome::Approved | Outcome::Accepted => body["reference"] = reference.into(),
        Outcome::Declined(code) => body["code"] = code.into(),
    }
    body
}

/// A body that is one, with something in it that cannot be.
pub(super) fn invalid(id: &str, amount: u64, currency: &str, code: &str) -> Answer {
    let body = json!({
        "status": "declined",
        "payment_id": id,
        "amount": amount,
        "currency": currency,
        "code": code,
    });
    json_answer(StatusCode::UNPROCESSABLE_ENTITY, &body)
}

/// The key is in use, or was used for something else.
fn conflict(id: &str, message: &str) -> Answer {
    json_answer(StatusCode::CONFLICT, &json!({ "status": "conflict", "payment_id": id, "message": message }))
}

/// No such payment.
fn not_found(id: &str) -> Answer {
    json_answer(StatusCode::NOT_FOUND, &json!({ "status": "not_found", "payment_id": id }))
}

/// Over the rate.
fn rate_limited() -> Answer {
    let mut answer = error(StatusCode::TOO_MANY_REQUESTS, "over the rate; nothing was done");
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

/// Anything that has nothing to say about a payment.
pub(super) fn error(status: StatusCode, message: &str) -> Answer {
    json_answer(status, &json!({ "status": "error", "message": message }))
}

/// Lines of JSON.
pub(super) fn lines(text: Vec<u8>) -> Answer {
    answer(StatusCode::OK, HeaderValue::from_static("application/x-ndjson"), text.into())
}

fn json_answer(status: StatusCode, body: &Value) -> Answer {
    answer(status, HeaderValue::from_static("application/json"), body.to_string().into())
}

fn answer(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, content_type);
    answer
}
