//! Why a request is not answered with a payment, and in which words. Each says what is known, and no more: whoever reads
//! that nothing was accepted may sell the same thing elsewhere.

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use http::header::{ACCEPT, ACCEPT_ENCODING, ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, StatusCode};
use payments::id::PaymentId;
use payments::limit::Allowance;
use payments::payment::{Kind, Payment, State};
use payments::request::{BODY_BYTES_MAX, FieldError};
use providers::http::callback::Distrust;
use serde::Serialize;

use super::{headers, respond};
use crate::admission::Quota;

/// In which form a body is that is not taken (RFC 9110, section 15.5.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Its `Content-Type` is not JSON.
    OtherType,
    /// Its `Content-Type` names another charset than UTF-8.
    OtherCharset,
    /// It has a `Content-Encoding`.
    Coded,
    /// Its bytes are UTF-16 or UTF-32.
    WideUnicode,
    /// Its bytes are gzip's.
    Gzip,
}

/// Why a request is not answered with a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    NoSuchPath,
    MethodNotAllowed(&'static str),
    Unauthorized,
    NotFound,
    UnsupportedMediaType(Form),
    TooLarge,
    Fields(Vec<FieldError>),
    NotPermitted(FieldError),
    /// The order stands with another body.
    DifferentRequest {
        id: PaymentId,
        state: State,
        /// Where the two differ.
        errors: Vec<FieldError>,
    },
    /// The idempotency key was used before for another order.
    KeyOfAnother {
        /// That order's payment.
        id: PaymentId,
        /// Where it stands, if it was read.
        state: Option<State>,
    },
    ChargeRefused(FieldError),
    NotCancelable {
        id: PaymentId,
        kind: Kind,
        state: State,
    },
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
    /// The merchant brings payments, or looks them up, faster than it may.
    RateLimited(Quota),
    /// The payment's lane holds as much as it may.
    LaneFull {
        retry_after_seconds: u32,
    },
    /// The payment would still wait when it expires.
    TooLate {
        wait_seconds: u32,
        retry_after_seconds: u32,
    },
    /// Nobody knows whose the API key is.
    CallerNotRead,
    /// A payment that was asked about could not be read; its id, if that was given.
    NotRead(Option<PaymentId>),
    /// Surely this request wrote no payment; an earlier one may have.
    NotWritten(PaymentId),
    /// Nobody knows whether the payment was written, or whether it has a message.
    MayBeAccepted(PaymentId),
    /// Surely this request wrote no cancelation; an earlier one may have.
    NotCanceled(PaymentId),
    /// Nobody knows whether the cancelation was written.
    MayBeCanceled(PaymentId),
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
    /// The order stands, and said something else in these fields; values are not repeated.
    pub(crate) fn different(stands: Payment, fields: &[&str]) -> Self {
        let error = |field: &&str| FieldError {
            field: (*field).to_owned(),
            reason: "is not what the first request for this order said".to_owned(),
        };
        Self::DifferentRequest { id: stands.id, state: stands.state, errors: fields.iter().map(error).collect() }
    }

    /// The problem's name: the last part of its type.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::NoSuchPath => "no-such-path",
            Self::MethodNotAllowed(_) => "method-not-allowed",
            Self::Unauthorized => "unauthorized",
            Self::NotFound => "payment-not-found",
            Self::UnsupportedMediaType(_) => "unsupported-media-type",
            Self::TooLarge => "body-too-large",
            Self::Fields(_) => "invalid-request",
            Self::NotPermitted(_) => "not-permitted",
            Self::DifferentRequest { .. } => "different-request",
            Self::KeyOfAnother { .. } => "idempotency-key-reused",
            Self::ChargeRefused(_) => "charge-refused",
            Self::NotCancelable { .. } => "not-cancelable",
            Self::Untrusted(_) => "untrusted-callback",
            Self::UnreadableCallback => "unreadable-callback",
            Self::UnknownPayment(_) => "unknown-payment",
            Self::Contradicts(_) => "contradicting-callback",
            Self::CallbackNotTaken(_) => "callback-not-taken",
            Self::RateLimited(_) => "rate-limited",
            Self::LaneFull { .. } => "lane-full",
            Self::TooLate { .. } => "too-late",
            Self::CallerNotRead => "caller-not-read",
            Self::NotRead(_) => "not-read",
            Self::NotWritten(_) => "not-written",
            Self::MayBeAccepted(_) => "may-be-accepted",
            Self::NotCanceled(_) => "not-canceled",
            Self::MayBeCanceled(_) => "may-be-canceled",
        }
    }

    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::Fields(_) | Self::UnreadableCallback => StatusCode::BAD_REQUEST,
            Self::Unauthorized | Self::Untrusted(_) => StatusCode::UNAUTHORIZED,
            Self::NotPermitted(_) => StatusCode::FORBIDDEN,
            Self::NoSuchPath | Self::NotFound | Self::UnknownPayment(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::ChargeRefused(_) | Self::NotCancelable { .. } => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::DifferentRequest { .. } | Self::KeyOfAnother { .. } | Self::Contradicts(_) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::CallerNotRead
            | Self::NotRead(_)
            | Self::NotWritten(_)
            | Self::MayBeAccepted(_)
            | Self::NotCanceled(_)
            | Self::MayBeCanceled(_)
            | Self::CallbackNotTaken(_)
            | Self::LaneFull { .. }
            | Self::TooLate { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    const fn title(&self) -> &'static str {
        match self {
            Self::NoSuchPath => "There is nothing at this path",
            Self::MethodNotAllowed(_) => "This path does not take this method",
            Self::Unauthorized => "The API key is missing or unknown",
            Self::NotFound => "There is no such payment of yours",
            Self::UnsupportedMediaType(_) => "The body is in a form that is not taken",
            Self::TooLarge => "The body is too large",
            Self::Fields(_) => "The request has faults",
            Self::NotPermitted(_) => "This merchant may not do this",
            Self::DifferentRequest { .. } => "This order was requested before with another body",
            Self::KeyOfAnother { .. } => "This Idempotency-Key came before with another order",
            Self::ChargeRefused(_) => "The charge cannot bear this refund",
            Self::NotCancelable { .. } => "The payment cannot be canceled any more",
            Self::Untrusted(_) => "The callback's signature is not one of ours",
            Self::UnreadableCallback => "The callback does not follow the contract",
            Self::UnknownPayment(_) => "There is no such payment here",
            Self::Contradicts(_) => "The callback contradicts the payment",
            Self::CallbackNotTaken(_) => "The callback may not have been taken",
            Self::RateLimited(Quota { allowance: Allowance::Payments, .. }) => {
                "This merchant sends payments faster than it may"
            }
            Self::RateLimited(Quota { allowance: Allowance::Looks, .. }) => {
                "This merchant looks payments up faster than it may"
            }
            Self::LaneFull { .. } => "Too much is waiting in this lane",
            Self::TooLate { .. } => "The payment would expire before its turn",
            Self::CallerNotRead => "Whose the API key is could not be read",
            Self::NotRead(_) => "The payment could not be read",
            Self::NotWritten(_) => "This request wrote nothing",
            Self::MayBeAccepted(_) => "The payment may have been accepted",
            Self::NotCanceled(_) => "This request canceled nothing",
            Self::MayBeCanceled(_) => "The payment may have been canceled",
        }
    }

    fn detail(&self) -> String {
        let text = match self {
            Self::NoSuchPath => {
                "Payments are at /v1/payments, /v1/payments/{id}, /v1/payments/{id}/history and /v1/payments/{id}/cancel."
            }
            Self::MethodNotAllowed(allowed) => return format!("Use {allowed}."),
            Self::Unauthorized => "Send the header Authorization: Bearer <API key>.",
            Self::NotFound => "Check the id, or look the order up by kind and order_id.",
            Self::UnsupportedMediaType(form) => form.detail(),
            Self::TooLarge => return format!("Send at most {BODY_BYTES_MAX} bytes."),
            Self::Fields(errors) => return named(errors),
            Self::NotPermitted(error) | Self::ChargeRefused(error) => {
                return format!("{}: {}.", error.field, error.reason);
            }
            Self::DifferentRequest { state, errors, .. } => return different(*state, errors),
            Self::KeyOfAnother { state, .. } => return key_of_another(*state),
            Self::NotCancelable { kind, state, .. } => return not_cancelable(*kind, *state),
            Self::Untrusted(why) => match why {
                Distrust::Unsigned => "Send the header Sluice-Signature: t=<seconds>,v1=<hex>.",
                Distrust::Unreadable => "Sluice-Signature must be t=<seconds>,v1=<hex>.",
                Distrust::Forged => "No v1 is the HMAC-SHA256 of \"<seconds>.<body>\" under a key that is known here.",
                Distrust::OutOfTime => "It was signed more than five minutes from now: sign it anew at each attempt.",
            },
            Self::UnreadableCallback => {
                "Send what a query is answered with: status, payment_id, amount, currency, and the reference or code."
            }
            Self::UnknownPayment(_) => "Send it again later. If it stays unknown, people on both sides have to look.",
            Self::Contradicts(_) => {
                "Its amount or currency is not the payment's. Nothing was changed; people on both sides have to look."
            }
            Self::CallbackNotTaken(_) => "Send it again; a second one changes nothing.",
            Self::RateLimited(quota) => return too_fast(quota),
            Self::LaneFull { .. } => {
                "This request wrote nothing, and the order has no payment yet. Repeat the request after the time in \
                 Retry-After."
            }
            Self::TooLate { wait_seconds, .. } => {
                return format!(
                    "A payment that comes now waits about {wait_seconds} s, longer than until its expires_at. This request \
                     wrote nothing, and the order has no payment yet. Send it with a later expires_at, or with a new one \
                     after the time in Retry-After."
                );
            }
            Self::CallerNotRead => "This request neither read nor wrote a payment. Repeat it.",
            Self::NotRead(_) => {
                "Whether there is such a payment is not known. This request changed nothing; repeat it."
            }
            Self::NotWritten(_) => {
                "Whether an earlier request for the same order did is not known. Repeat the request; that cannot charge twice."
            }
            Self::MayBeAccepted(_) => {
                "Whether it was is not known. Repeat the request to learn which, or cancel the order: send the same body to \
                 /v1/payments/{id}/cancel. Neither can charge twice."
            }
            Self::NotCanceled(_) => {
                "Whether an earlier request did is not known; until a cancelation is confirmed the order may be charged. \
                 Repeat the request."
            }
            Self::MayBeCanceled(_) => {
                "Whether it was is not known; until a cancelation is confirmed the order may be charged. Repeat the request; \
                 a second cancelation changes nothing more."
            }
        };
        text.to_owned()
    }

    /// The payment that the problem is about.
    const fn payment_id(&self) -> Option<&PaymentId> {
        match self {
            Self::DifferentRequest { id, .. }
            | Self::KeyOfAnother { id, .. }
            | Self::NotCancelable { id, .. }
            | Self::UnknownPayment(id)
            | Self::Contradicts(id)
            | Self::CallbackNotTaken(id)
            | Self::NotWritten(id)
            | Self::MayBeAccepted(id)
            | Self::NotCanceled(id)
            | Self::MayBeCanceled(id) => Some(id),
            Self::NotRead(id) => id.as_ref(),
            Self::NoSuchPath
            | Self::MethodNotAllowed(_)
            | Self::Unauthorized
            | Self::NotFound
            | Self::UnsupportedMediaType(_)
            | Self::TooLarge
            | Self::Fields(_)
            | Self::NotPermitted(_)
            | Self::ChargeRefused(_)
            | Self::Untrusted(_)
            | Self::UnreadableCallback
            | Self::RateLimited(_)
            | Self::LaneFull { .. }
            | Self::TooLate { .. }
            | Self::CallerNotRead => None,
        }
    }

    /// Where that payment stands, if it was read.
    const fn state(&self) -> Option<State> {
        match self {
            Self::DifferentRequest { state, .. } | Self::NotCancelable { state, .. } => Some(*state),
            Self::KeyOfAnother { state, .. } => *state,
            _ => None,
        }
    }

    fn errors(&self) -> &[FieldError] {
        match self {
            Self::Fields(errors) | Self::DifferentRequest { errors, .. } => errors.as_slice(),
            Self::NotPermitted(error) | Self::ChargeRefused(error) => std::slice::from_ref(error),
            _ => &[],
        }
    }

    fn add_headers(&self, headers: &mut HeaderMap) {
        match self {
            Self::Unauthorized => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::Untrusted(_) => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Sluice-Signature"));
            }
            Self::MethodNotAllowed(allowed) => {
                headers.insert(ALLOW, HeaderValue::from_static(allowed));
            }
            // What would be taken instead (RFC 9110, sections 12.5.1 and 12.5.3).
            Self::UnsupportedMediaType(Form::Coded | Form::Gzip) => {
                headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            }
            Self::UnsupportedMediaType(Form::OtherType | Form::OtherCharset | Form::WideUnicode) => {
                headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
            }
            Self::RateLimited(quota) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(quota.seconds));
                quota.say(headers);
            }
            Self::LaneFull { retry_after_seconds } | Self::TooLate { retry_after_seconds, .. } => {
                headers.insert(RETRY_AFTER, HeaderValue::from(*retry_after_seconds));
            }
            _ if self.status() == StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
    }

    pub(crate) fn into_response(self) -> ApiGatewayV2httpResponse {
        let mut headers = headers("application/problem+json");
        self.add_headers(&mut headers);
        let document = ProblemDocument {
            r#type: format!("urn:sluice:problem:{}", self.name()),
            title: self.title(),
            status: self.status().as_u16(),
            detail: self.detail(),
            payment_id: self.payment_id().map(PaymentId::as_str),
            state: self.state().map(State::as_str),
            errors: self.errors(),
        };
        respond(self.status(), headers, &document)
    }
}

impl Form {
    const fn detail(self) -> &'static str {
        match self {
            Self::OtherType => "Send the header Content-Type: application/json, once.",
            Self::OtherCharset => {
                "JSON is sent in UTF-8 (RFC 8259, section 8.1): leave the charset out of Content-Type."
            }
            Self::Coded => "Send the body as it is, without a Content-Encoding.",
            Self::WideUnicode => "It is UTF-16 or UTF-32; JSON is sent in UTF-8 (RFC 8259, section 8.1).",
            Self::Gzip => "It is compressed with gzip; send it as it is.",
        }
    }
}

fn named(errors: &[FieldError]) -> String {
    let faults: Vec<String> = errors.iter().map(|error| format!("{} {}", error.field, error.reason)).collect();
    format!("{}.", faults.join("; "))
}

fn too_fast(quota: &Quota) -> String {
    let (what, consequence) = match quota.allowance {
        Allowance::Payments => ("payments", "This request wrote nothing and was not compared with earlier ones"),
        Allowance::Looks => ("looks and cancelations", "This request read and changed nothing"),
    };
    let Quota { burst, window_seconds, .. } = quota;
    format!("At most {burst} {what} in {window_seconds} s. {consequence}; repeat it after the time in Retry-After.")
}

/// It advises nothing under which the order could be charged once more.
fn different(state: State, errors: &[FieldError]) -> String {
    let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
    let what = if fields.is_empty() { String::new() } else { format!(" Not as it was: {}.", fields.join(", ")) };
    format!(
        "The first request's payment is {}, and payment_id names it; this request wrote nothing.{what} Send the first body \
         again to be told what became of it.",
        state.as_str()
    )
}

/// It does not advise another key: a client that makes up a new order id for each try would be charged twice by it.
fn key_of_another(state: Option<State>) -> String {
    let first = match state {
        Some(state) => format!("That order's payment is {}, and payment_id names it.", state.as_str()),
        None => "Whether that order has a payment is not known; payment_id is the one that it would have.".to_owned(),
    };
    format!("{first} This request wrote nothing. If both orders are one sale, follow that payment and send no other.")
}

fn not_cancelable(kind: Kind, state: State) -> String {
    match (state, kind) {
        (State::Succeeded, Kind::Charge) => "It has succeeded; a charge is given back with a refund.".to_owned(),
        (State::Succeeded, Kind::Refund | Kind::Payout) => "It has succeeded; the money has moved.".to_owned(),
        (State::Declined | State::Canceled | State::Expired, _) => {
            format!("It is {}, which is an end: nothing more is sent for it.", state.as_str())
        }
        (State::Parked, _) => {
            "It is parked: a request for it may have moved the money, and a person has to find out.".to_owned()
        }
        (State::Queued | State::Sending | State::Pending | State::Unknown, _) => {
            format!("It is {}.", state.as_str())
        }
    }
}
