//! What is answered: a payment as its merchant sees it, or a problem document of RFC 9457.

mod history;
mod problem;

use std::collections::BTreeMap;

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_lambda_events::encodings::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use payments::id::PaymentId;
use payments::payment::{Payment, RefundOf, State};
use payments::time::Timestamp;
use providers::callback::Receipt;
use serde::Serialize;

pub(crate) use history::history;
pub(crate) use problem::{Form, Problem};

/// What a payment has ahead of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ahead {
    /// How long until it is sent, if that is known.
    pub(crate) wait_seconds: Option<u32>,
    /// Why nothing is sent now.
    pub(crate) reason: Option<&'static str>,
}

/// Marks an answer to a repeated request.
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Whether the request was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replayed {
    Yes,
    No,
}

#[derive(Serialize)]
struct PaymentDocument<'a> {
    id: &'a str,
    kind: &'static str,
    order_id: &'a str,
    amount: u64,
    currency: &'static str,
    state: &'static str,
    reason: &'static str,
    priority: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    estimated_wait_seconds: Option<u32>,
    created_at: String,
    changed_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_requested_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    original_order_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    metadata: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    late_success_at: Option<String>,
    /// From then on nothing is said of what was forgotten.
    #[serde(skip_serializing_if = "Option::is_none")]
    forgotten_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refundable_amount: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_code: Option<&'a str>,
    /// Whoever keeps it can have the history checked against it later.
    #[serde(skip_serializing_if = "Option::is_none")]
    history_head: Option<String>,
}

/// A payment as its merchant sees it.
pub(crate) fn payment(
    status: StatusCode,
    payment: &Payment,
    replayed: Replayed,
    ahead: Ahead,
) -> ApiGatewayV2httpResponse {
    let text = |at: Timestamp| at.to_string();
    let provider_text = payment.provider_text.as_ref().map(payments::answer::ProviderText::as_str);
    let declined = payment.state == State::Declined;
    let document = PaymentDocument {
        id: payment.id.as_str(),
        kind: payment.order.kind.as_str(),
        order_id: payment.order.order_id.as_str(),
        amount: payment.order.money.amount(),
        currency: payment.order.money.currency().code(),
        state: payment.state.as_str(),
        reason: ahead.reason.unwrap_or(payment.reason.as_str()),
        priority: payment.order.lane.as_str(),
        estimated_wait_seconds: ahead.wait_seconds,
        created_at: text(payment.created_at),
        changed_at: text(payment.changed_at),
        expires_at: payment.order.expires_at.map(text),
        cancel_requested_at: payment.cancel_requested_at.map(text),
        original_order_id: match &payment.order.refund_of {
            Some(RefundOf::Charge { order_id, .. }) => Some(order_id.as_str()),
            Some(RefundOf::Unlinked) | None => None,
        },
        customer: payment.order.customer.as_deref(),
        description: payment.order.description.as_deref(),
        metadata: &payment.order.metadata,
        late_success_at: payment.case.as_ref().map(|case| text(case.opened_at)),
        forgotten_at: payment.forgotten_at.map(text),
        refundable_amount: payment.refundable_amount(),
        provider_reference: provider_text.filter(|_| !declined),
        provider_code: provider_text.filter(|_| declined),
        history_head: payment.history_head().map(|head| head.to_string()),
    };
    let mut headers = headers("application/json");
    if let Ok(location) = HeaderValue::from_str(&format!("/v1/payments/{}", payment.id)) {
        headers.insert(LOCATION, location);
    }
    if replayed == Replayed::Yes {
        headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    respond(status, headers, &document)
}

/// The answer to a callback that was taken, also when it changed nothing.
pub(crate) fn received(receipt: Receipt, id: &PaymentId) -> ApiGatewayV2httpResponse {
    #[derive(Serialize)]
    struct Received<'a> {
        payment_id: &'a str,
    }
    match receipt {
        Receipt::Document => {
            respond(StatusCode::OK, headers("application/json"), &Received { payment_id: id.as_str() })
        }
        Receipt::Text(text) => respond_text(StatusCode::OK, headers("text/plain"), text),
    }
}

/// The answer to a callback that is about nothing of ours.
pub(crate) fn received_nothing() -> ApiGatewayV2httpResponse {
    #[derive(Serialize)]
    struct Received {
        payment_id: Option<&'static str>,
    }
    respond(StatusCode::OK, headers("application/json"), &Received { payment_id: None })
}

fn headers(content_type: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers
}

fn respond_text(status: StatusCode, headers: HeaderMap, text: &str) -> ApiGatewayV2httpResponse {
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = i64::from(status.as_u16());
    response.headers = headers;
    response.body = Some(Body::Text(text.to_owned()));
    response
}

fn respond<D: Serialize>(status: StatusCode, headers: HeaderMap, document: &D) -> ApiGatewayV2httpResponse {
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = i64::from(status.as_u16());
    response.headers = headers;
    // Texts and numbers only: writing them as JSON cannot fail.
    response.body = Some(Body::Text(serde_json::to_string(document).unwrap_or_default()));
    response
}
