//! What an answer means. Statuses are those of "Errors", codes those of "Error codes", and what of a failed request is kept under its
//! key is in "Advanced error handling". What is not listed here is unknown: never failed, never a reason to send again.

use std::collections::BTreeMap;

use ::http::HeaderName;
use payments::answer::{Found, NotTaken, ProviderText, QueryAnswer, SendAnswer, Unclear};
use payments::id::PaymentId;
use payments::payment::Order;
use serde::Deserialize;
use serde_json::Value;

use super::order::{Asked, Object, charged};
use super::{PAYMENT_ID, amount};
use crate::contract::{Body, Reply, retry_after_ms};

/// Says which limiter refused ("Rate limits"). `resource-specific` speaks of one object.
pub const LIMITED_REASON: HeaderName = HeaderName::from_static("stripe-rate-limited-reason");

/// Codes of 400 and 404 by which a charge was refused before anything was made of it: Stripe asks for another method, another
/// customer or another amount.
pub const CHARGE_REFUSED: [&str; 6] = [
    "amount_too_large",
    "amount_too_small",
    "invalid_charge_amount_no_decimal_compatible",
    "payment_intent_incompatible_payment_method",
    "payment_method_unactivated",
    "resource_missing",
];

/// The same of a refund.
pub const REFUND_REFUSED: [&str; 6] = [
    "amount_too_large",
    "amount_too_small",
    "charge_already_refunded",
    "charge_disputed",
    "refund_disputed_payment",
    "resource_missing",
];

/// Codes about our account and not about the payment.
pub const ACCOUNT: [&str; 7] = [
    "account_invalid",
    "api_key_expired",
    "livemode_mismatch",
    "platform_api_key_expired",
    "secret_key_required",
    "testmode_charges_only",
    "tls_version_unsupported",
];

/// An object that could not be accessed because something else does ("Rate limits", "Object lock timeouts"): a 429 about this one
/// object, and not about our rate. Whether anything was done before is not said.
pub const LOCK_TIMEOUT: &str = "lock_timeout";

/// An intent or a refund. Members that we do not know are skipped, and those of another type make it unreadable.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Made {
    id: String,
    object: String,
    amount: u64,
    currency: String,
    status: Option<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    // An intent's.
    amount_received: Option<u64>,
    last_payment_error: Option<Failure>,
    // A refund's.
    payment_intent: Option<String>,
    failure_reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Failure {
    code: Option<String>,
    decline_code: Option<String>,
}

impl Failure {
    fn text(&self) -> ProviderText {
        ProviderText::new(self.decline_code.as_deref().or(self.code.as_deref()).unwrap_or("payment_failed"))
    }
}

impl Made {
    /// Our id in it, if it has one.
    pub(super) fn ours(&self) -> Option<&str> {
        self.metadata.get(PAYMENT_ID).map(String::as_str)
    }

    /// What it is; `None` for an object that this contract does not make.
    pub(super) fn object(&self) -> Option<Object> {
        [Object::Intent, Object::Refund]
            .into_iter()
            .find(|object| object.name() == self.object && object.is_id(&self.id))
    }

    /// Whether it is this order's: ours by its id, and of its kind, amount, currency and charge.
    pub(super) fn is_of(&self, id: &PaymentId, order: &Order) -> bool {
        let object = Object::of(order);
        let is_of_charge = match object {
            Object::Intent => true,
            Object::Refund => self.payment_intent.as_deref() == charged(order),
        };
        self.ours() == Some(id.as_str())
            && self.object() == Some(object)
            && is_of_charge
            && amount::says(self.amount, &self.currency, order.money)
    }

    /// What it says.
    pub(super) fn found(&self) -> Option<Found> {
        let reference = || ProviderText::new(&self.id);
        let status = self.status.as_deref()?;
        match (self.object()?, status) {
            (Object::Intent, "succeeded") => {
                // Not less and not more than was asked for.
                let is_whole = self.amount_received.is_none_or(|received| received == self.amount);
                is_whole.then(|| Found::Approved { reference: reference() })
            }
            // It may yet succeed: by itself, or once the customer or a person does something.
            (Object::Intent, "processing" | "requires_action" | "requires_confirmation" | "requires_capture") => {
                Some(Found::Accepted { reference: Some(reference()) })
            }
            (Object::Intent, "requires_payment_method") => Some(match &self.last_payment_error {
                Some(failure) => Found::Declined { code: failure.text() },
                // Made, and not tried yet.
                None => Found::Accepted { reference: Some(reference()) },
            }),
            (Object::Intent | Object::Refund, "canceled") => {
                Some(Found::Declined { code: ProviderText::new("canceled") })
            }
            (Object::Refund, "succeeded") => Some(Found::Approved { reference: reference() }),
            (Object::Refund, "pending" | "requires_action") => Some(Found::Accepted { reference: Some(reference()) }),
            (Object::Refund, "failed") => {
                let code = self.failure_reason.as_deref().unwrap_or("failed");
                Some(Found::Declined { code: ProviderText::new(code) })
            }
            (Object::Intent | Object::Refund, _) => None,
        }
    }
}

#[derive(Deserialize)]
struct ErrorBody {
    error: ErrorObject,
}

#[derive(Deserialize)]
struct ErrorObject {
    #[serde(rename = "type")]
    kind: String,
    code: Option<String>,
    decline_code: Option<String>,
    payment_intent: Option<Made>,
}

fn whole(body: &Body) -> Result<&[u8], Unclear> {
    match body {
        Body::Whole(body) => Ok(body),
        Body::Malformed => Err(Unclear::Unreadable),
        Body::Lost => Err(Unclear::ConnectionLost),
    }
}

fn parse<'a, T: Deserialize<'a>>(body: &'a Body) -> Result<T, Unclear> {
    serde_json::from_slice(whole(body)?).map_err(|_| Unclear::Unreadable)
}

/// What an answer that is no 200 says, whatever was asked.
enum Refused {
    /// It speaks of the request, by this error.
    Request(Box<ErrorObject>),
    /// The request surely had no effect, and the payment is not why.
    NotTaken(NotTaken),
    /// Nobody knows.
    Unclear(Unclear),
}

fn refused(reply: &Reply) -> Refused {
    let error = parse::<ErrorBody>(&reply.body).map(|body| body.error);
    let code = error.as_ref().ok().and_then(|error| error.code.clone()).unwrap_or_default();
    match (reply.status.as_u16(), error) {
        (400..=499, _) if code == LOCK_TIMEOUT => Refused::Unclear(Unclear::Conflict),
        (400..=499, Ok(error)) if error.kind == "idempotency_error" => Refused::Unclear(Unclear::Conflict),
        (409, _) => Refused::Unclear(Unclear::Conflict),
        (429, _) => limited(reply, &code),
        // A dependency's failure ("Errors").
        (424 | 500..=599, _) => Refused::Unclear(Unclear::ProviderError),
        // Refused before the layer that keeps answers ("Advanced error handling"). What is not Stripe's says nothing.
        (401 | 403, Ok(_)) => Refused::NotTaken(NotTaken::CredentialsRefused),
        (400 | 402 | 404, Ok(_)) if ACCOUNT.contains(&code.as_str()) => Refused::NotTaken(NotTaken::CredentialsRefused),
        (400 | 402 | 404, Ok(error)) => Refused::Request(Box::new(error)),
        (_, Err(Unclear::ConnectionLost)) => Refused::Unclear(Unclear::ConnectionLost),
        _ => Refused::Unclear(Unclear::Unreadable),
    }
}

/// Limiters stand before the layer that keeps answers, so that nothing was done ("Advanced error handling").
fn limited(reply: &Reply, code: &str) -> Refused {
    let reason = reply.headers.get(LIMITED_REASON).map(|reason| reason.to_str().unwrap_or_default());
    match (code, reason) {
        (
            "" | "rate_limit",
            None | Some("global-rate" | "global-concurrency" | "endpoint-rate" | "endpoint-concurrency"),
        ) => Refused::NotTaken(NotTaken::RateLimited { retry_after_ms: retry_after_ms(&reply.headers) }),
        // About one object, or about something that no page names.
        _ => Refused::Unclear(Unclear::Conflict),
    }
}

/// What the answer to a send means.
pub fn sent(id: &PaymentId, order: &Order, reply: &Reply) -> SendAnswer {
    let found = if reply.status.as_u16() == 200 {
        parse::<Made>(&reply.body).and_then(|made| told(id, order, &made))
    } else {
        match refused(reply) {
            Refused::Request(error) => declined(id, order, &error),
            Refused::NotTaken(why) => return SendAnswer::NotTaken(why),
            Refused::Unclear(why) => Err(why),
        }
    };
    match found {
        Ok(found) => SendAnswer::Found(found),
        Err(why) => SendAnswer::Unclear(why),
    }
}

fn told(id: &PaymentId, order: &Order, made: &Made) -> Result<Found, Unclear> {
    if made.is_of(id, order) { made.found().ok_or(Unclear::Unreadable) } else { Err(Unclear::Unreadable) }
}

/// What an error makes of the order. Where an intent was made, that says it; where none was, the code has to be a listed one.
fn declined(id: &PaymentId, order: &Order, error: &ErrorObject) -> Result<Found, Unclear> {
    if let (Object::Intent, Some(made)) = (Object::of(order), &error.payment_intent) {
        return told(id, order, made).map(|found| {
            match (found, error.decline_code.as_deref().or(error.code.as_deref())) {
                (Found::Declined { .. }, Some(code)) => Found::Declined { code: ProviderText::new(code) },
                (found, _) => found,
            }
        });
    }
    let listed = match Object::of(order) {
        Object::Intent => &CHARGE_REFUSED,
        Object::Refund => &REFUND_REFUSED,
    };
    match (error.kind.as_str(), error.code.as_deref()) {
        ("invalid_request_error", Some(code)) if listed.contains(&code) => {
            Ok(Found::Declined { code: ProviderText::new(code) })
        }
        _ => Err(Unclear::Unreadable),
    }
}

/// What the answer to a query means.
pub fn queried(id: &PaymentId, order: &Order, asked: Asked, reply: &Reply) -> QueryAnswer {
    let answer = if reply.status.as_u16() == 200 {
        match asked {
            Asked::Known(_) => parse::<Made>(&reply.body).and_then(|made| told(id, order, &made)).map(Some),
            Asked::Listed(_) => listed(id, order, reply),
        }
    } else {
        match (refused(reply), asked) {
            // The object that Stripe gave us the id of: it has gone from there, or the account is another one.
            (Refused::Request(error), Asked::Known(_)) if reply.status.as_u16() == 404 && is_missing(&error) => {
                Ok(None)
            }
            // That a list cannot be given says nothing about what stands in it.
            (Refused::Request(_), Asked::Known(_) | Asked::Listed(_)) => Err(Unclear::Unreadable),
            (Refused::NotTaken(why), _) => return QueryAnswer::NotTaken(why),
            (Refused::Unclear(why), _) => Err(why),
        }
    };
    match answer {
        Ok(Some(found)) => QueryAnswer::Found(found),
        Ok(None) => QueryAnswer::NotFound,
        Err(why) => QueryAnswer::Unclear(why),
    }
}

fn is_missing(error: &ErrorObject) -> bool {
    error.kind == "invalid_request_error" && error.code.as_deref() == Some("resource_missing")
}

#[derive(Deserialize)]
struct List {
    object: String,
    has_more: bool,
    data: Vec<Value>,
}

/// What a list says: ours if it is there, `None` if it is surely not. Of several, the one that moved money counts.
fn listed(id: &PaymentId, order: &Order, reply: &Reply) -> Result<Option<Found>, Unclear> {
    let list: List = parse(&reply.body)?;
    let object = Object::of(order).name();
    let is_whole = list.data.iter().all(|one| one.get("object").and_then(Value::as_str) == Some(object));
    if list.object != "list" || !is_whole {
        return Err(Unclear::Unreadable);
    }
    let mut best: Option<Found> = None;
    for one in list.data {
        let is_ours = one.get("metadata").and_then(|metadata| metadata.get(PAYMENT_ID)).and_then(Value::as_str)
            == Some(id.as_str());
        if !is_ours {
            continue;
        }
        let made: Made = serde_json::from_value(one).map_err(|_| Unclear::Unreadable)?;
        let found = told(id, order, &made)?;
        best = Some(match (best, found) {
            (Some(approved @ Found::Approved { .. }), _) | (_, approved @ Found::Approved { .. }) => approved,
            (Some(accepted @ Found::Accepted { .. }), _) | (_, accepted @ Found::Accepted { .. }) => accepted,
            (_, declined @ Found::Declined { .. }) => declined,
        });
    }
    match (best, list.has_more) {
        (Some(found), _) => Ok(Some(found)),
        (None, false) => Ok(None),
        // It may stand behind the end of this page.
        (None, true) => Err(Unclear::Unreadable),
    }
}
