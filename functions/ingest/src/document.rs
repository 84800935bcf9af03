//! What is answered: a payment as its merchant sees it, or a problem document of RFC 9457.

mod history;

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use aws_lambda_events::encodings::Body;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use payments::id::PaymentId;
use payments::payment::{Payment, RefundOf, State};
use payments::request::{BODY_BYTES_MAX, FieldError};
use payments::time::Timestamp;
use providers::http::callback::Distrust;
use serde::Serialize;

pub(crate) use history::history;

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
    created_at: String,
    changed_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_requested_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    original_order_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    late_success_at: Option<String>,
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
pub(crate) fn payment(status: StatusCode, payment: &Payment, replayed: Replayed) -> ApiGatewayV2httpResponse {
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
        reason: payment.reason.as_str(),
        priority: payment.order.lane.as_str(),
        created_at: text(payment.created_at),
        changed_at: text(payment.changed_at),
        expires_at: payment.order.expires_at.map(text),
        cancel_requested_at: payment.cancel_requested_at.map(text),
        original_order_id: match &payment.order.refund_of {
            Some(RefundOf::Charge { order_id, .. }) => Some(order_id.as_str()),
            Some(RefundOf::Unlinked) | None => None,
        },
        late_success_at: payment.case.as_ref().map(|case| text(case.opened_at)),
        refundable_amount: payment.refundable.filter(|_| payment.has_moved_money()),
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
pub(crate) fn received(id: &PaymentId) -> ApiGatewayV2httpResponse {
    #[derive(Serialize)]
    struct Received<'a> {
        payment_id: &'a str,
    }
    respond(StatusCode::OK, headers("application/json"), &Received { payment_id: id.as_str() })
}

/// Why a request is not answered with a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    NoSuchPath,
    MethodNotAllowed(&'static str),
    Unauthorized,
    NotFound,
    UnsupportedMediaType,
    TooLarge,
    Fields(Vec<FieldError>),
    NotPermitted(FieldError),
    DifferentRequest(PaymentId),
    ChargeRefused(FieldError),
    NotCancelable(PaymentId, State),
    /// A callback that is not the provider's, or is too old.
    Untrusted(Distrust),
    /// A callback that does not follow the contract.
    UnreadableCallback,
    /// A callback about a payment that is not here.
    UnknownPayment(PaymentId),
    /// A callback that speaks of another amount or currency than the payment has.
    Contradicts(PaymentId),
    /// Nobody knows whether a callback was written down.
    CallbackNotTaken(PaymentId),
    /// Surely nothing was written.
    Unavailable,
    /// Nobody knows whether it was written.
    MayBeAccepted(PaymentId),
}

#[derive(Serialize)]
struct ProblemDocument<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [FieldError],
}

impl Problem {
    /// The problem's name: the last part of its type.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::NoSuchPath => "no-such-path",
            Self::MethodNotAllowed(_) => "method-not-allowed",
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "payment-not-found",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::TooLarge => "body-too-large",
            Self::Fields(_) => "invalid-request",
            Self::NotPermitted(_) => "not-permitted",
            Self::DifferentRequest(_) => "different-request",
            Self::ChargeRefused(_) => "charge-refused",
            Self::NotCancelable(..) => "not-cancelable",
            Self::Untrusted(_) => "untrusted-callback",
            Self::UnreadableCallback => "unreadable-callback",
            Self::UnknownPayment(_) => "unknown-payment",
            Self::Contradicts(_) => "contradicting-callback",
            Self::CallbackNotTaken(_) => "callback-not-taken",
            Self::Unavailable => "unavailable",
            Self::MayBeAccepted(_) => "may-be-accepted",
        }
    }

    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::Fields(_) | Self::UnreadableCallback => StatusCode::BAD_REQUEST,
            Self::Unauthorized | Self::Untrusted(_) => StatusCode::UNAUTHORIZED,
            Self::NotPermitted(_) => StatusCode::FORBIDDEN,
            Self::NoSuchPath | Self::NotFound | Self::UnknownPayment(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::ChargeRefused(_) | Self::NotCancelable(..) => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::DifferentRequest(_) | Self::Contradicts(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Unavailable | Self::MayBeAccepted(_) | Self::CallbackNotTaken(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    const fn title(&self) -> &'static str {
        match self {
            Self::NoSuchPath => "There is nothing at this path",
            Self::MethodNotAllowed(_) => "This path does not take this method",
            Self::Unauthorized => "The API key is missing or unknown",
            Self::NotFound => "There is no such payment of yours",
            Self::UnsupportedMediaType => "The body's content type is not application/json",
            Self::TooLarge => "The body is too large",
            Self::Fields(_) => "The request has faults",
            Self::NotPermitted(_) => "This merchant may not do this",
            Self::DifferentRequest(_) => "This order was requested before with another body",
            Self::ChargeRefused(_) => "The charge cannot bear this refund",
            Self::NotCancelable(..) => "The payment cannot be canceled any more",
            Self::Untrusted(_) => "The callback's signature is not one of ours",
            Self::UnreadableCallback => "The callback does not follow the contract",
            Self::UnknownPayment(_) => "There is no such payment here",
            Self::Contradicts(_) => "The callback contradicts the payment",
            Self::CallbackNotTaken(_) => "The callback may not have been taken",
            Self::Unavailable => "Nothing was accepted; try again",
            Self::MayBeAccepted(_) => "The payment may have been accepted",
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::NoSuchPath => {
                "Payments are at /v1/payments, /v1/payments/{id}, /v1/payments/{id}/history and /v1/payments/{id}/cancel.".to_owned()
            }
            Self::MethodNotAllowed(allowed) => format!("Use {allowed}."),
            Self::Unauthorized => "Send the header Authorization: Bearer <API key>.".to_owned(),
            Self::NotFound => "Check the id, or look the order up by kind and order_id.".to_owned(),
            Self::UnsupportedMediaType => "Send the header Content-Type: application/json.".to_owned(),
            Self::TooLarge => format!("Send at most {BODY_BYTES_MAX} bytes."),
            Self::Fields(errors) => {
                let faults: Vec<String> =
                    errors.iter().map(|error| format!("{} {}", error.field, error.reason)).collect();
                format!("{}.", faults.join("; "))
            }
            Self::NotPermitted(error) | Self::ChargeRefused(error) => {
                format!("{}: {}.", error.field, error.reason)
            }
            Self::DifferentRequest(_) => {
                "One order is one payment. Send the same body to see what became of it, or use a new order_id."
                    .to_owned()
            }
            Self::NotCancelable(_, state) => {
                format!("It is {}. Give a succeeded charge back with a refund.", state.as_str())
            }
            Self::Untrusted(why) => match why {
                Distrust::Unsigned => "Send the header Sluice-Signature: t=<seconds>,v1=<hex>.",
                Distrust::Unreadable => "Sluice-Signature must be t=<seconds>,v1=<hex>.",
                Distrust::Forged => "No v1 is the HMAC-SHA256 of \"<seconds>.<body>\" under a key that is known here.",
                Distrust::OutOfTime => "It was signed more than five minutes from now: sign it anew at each attempt.",
            }
            .to_owned(),
            Self::UnreadableCallback => {
                "Send what a query is answered with: status, payment_id, amount, currency, and the reference or code."
                    .to_owned()
            }
            Self::UnknownPayment(_) => {
                "Send it again later. If it stays unknown, people on both sides have to look.".to_owned()
            }
            Self::Contradicts(_) => {
                "Its amount or currency is not the payment's. Nothing was changed; people on both sides have to look."
                    .to_owned()
            }
            Self::CallbackNotTaken(_) => "Send it again; a second one changes nothing.".to_owned(),
            Self::Unavailable => "Nothing was written. Repeat the same request.".to_owned(),
            Self::MayBeAccepted(_) => "Repeat the same request to learn which, or cancel it: send the same body to \
                 /v1/payments/{id}/cancel. Neither can charge twice."
                .to_owned(),
        }
    }

    pub(crate) fn into_response(self) -> ApiGatewayV2httpResponse {
        let payment_id = match &self {
            Self::DifferentRequest(id)
            | Self::NotCancelable(id, _)
            | Self::UnknownPayment(id)
            | Self::Contradicts(id)
            | Self::CallbackNotTaken(id)
            | Self::MayBeAccepted(id) => Some(id.as_str()),
            _ => None,
        };
        let state = match &self {
            Self::NotCancelable(_, state) => Some(state.as_str()),
            _ => None,
        };
        let errors = match &self {
            Self::Fields(errors) => errors.as_slice(),
            Self::NotPermitted(error) | Self::ChargeRefused(error) => std::slice::from_ref(error),
            _ => &[],
        };
        let mut headers = headers("application/problem+json");
        match &self {
            Self::Unauthorized => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::Untrusted(_) => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Sluice-Signature"));
            }
            Self::MethodNotAllowed(allowed) => {
                headers.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            Self::Unavailable | Self::MayBeAccepted(_) | Self::CallbackNotTaken(_) => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        let document = ProblemDocument {
            r#type: format!("urn:sluice:problem:{}", self.name()),
            title: self.title(),
            status: self.status().as_u16(),
            detail: self.detail(),
            payment_id,
            state,
            errors,
        };
        respond(self.status(), headers, &document)
    }
}

fn headers(content_type: &'static str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers
}

fn respond<D: Serialize>(status: StatusCode, headers: HeaderMap, document: &D) -> ApiGatewayV2httpResponse {
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = i64::from(status.as_u16());
    response.headers = headers;
    // Texts and numbers only: writing them as JSON cannot fail.
    response.body = Some(Body::Text(serde_json::to_string(document).unwrap_or_default()));
    response
}
