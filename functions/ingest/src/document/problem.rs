//! Why a request is not answered with a payment, and in which words. Each says what is known, and no more: whoever reads
//! that nothing was accepted may sell the same thing elsewhere.

use std::borrow::Cow;

use aws_lambda_events::apigw::ApiGatewayV2httpResponse;
use http::header::{ACCEPT, ACCEPT_ENCODING, ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use pacing::bucket::Allowance;
use payments::id::PaymentId;
use payments::payment::{Kind, Payment, State};
use payments::request::{BODY_BYTES_MAX, FieldError};
use providers::callback::Distrust;
use serde::Serialize;

use super::{headers, respond};
use crate::admission::Quota;

/// In which form a body is that is not taken (RFC 9110, section 15.5.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Its `Content-Type` is not JSON.
    OtherType,
    /// Its `Content-Type` is not a form's.
    NotUrlEncoded,
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
        /// Where the two differ, as far as what was asked first is still known.
        errors: Vec<FieldError>,
        /// Whether the first request's details were forgotten.
        is_forgotten: bool,
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
    detail: &'a str,
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
        Self::DifferentRequest {
            is_forgotten: stands.is_forgotten(),
            id: stands.id,
            state: stands.state,
            errors: fields.iter().map(error).collect(),
        }
    }

    /// What is answered, all of it in one arm a problem.
    #[expect(clippy::too_many_lines, reason = "a table, one arm a problem")]
    pub(crate) fn says(&self) -> Says<'_> {
        match self {
            Self::NoSuchPath => Says::new(
                "no-such-path",
                StatusCode::NOT_FOUND,
                "There is nothing at this path",
                "Payments are at /v1/payments, /v1/payments/{id}, /v1/payments/{id}/history and /v1/payments/{id}/cancel.",
            ),
            Self::MethodNotAllowed(allowed) => Says::new(
                "method-not-allowed",
                StatusCode::METHOD_NOT_ALLOWED,
                "This path does not take this method",
                format!("Use {allowed}."),
            )
            .with(ALLOW, HeaderValue::from_static(allowed)),
            Self::Unauthorized => Says::new(
                "unauthorized",
                StatusCode::UNAUTHORIZED,
                "The API key is missing or unknown",
                "Send the header Authorization: Bearer <API key>.",
            )
            .with(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            Self::NotFound => Says::new(
                "payment-not-found",
                StatusCode::NOT_FOUND,
                "There is no such payment of yours",
                "Check the id, or look the order up by kind and order_id.",
            ),
            Self::UnsupportedMediaType(form) => form.says(),
            Self::TooLarge => Says::new(
                "body-too-large",
                StatusCode::PAYLOAD_TOO_LARGE,
                "The body is too large",
                format!("Send at most {BODY_BYTES_MAX} bytes."),
            ),
            Self::Fields(errors) => {
                Says::new("invalid-request", StatusCode::BAD_REQUEST, "The request has faults", named(errors)).naming(errors)
            }
            Self::NotPermitted(error) => Says::new(
                "not-permitted",
                StatusCode::FORBIDDEN,
                "This merchant may not do this",
                format!("{}: {}.", error.field, error.reason),
            )
            .naming(std::slice::from_ref(error)),
            Self::DifferentRequest { id, state, errors, is_forgotten } => Says::new(
                "different-request",
                StatusCode::UNPROCESSABLE_ENTITY,
                "This order was requested before with another body",
                different(*state, errors, *is_forgotten),
            )
            .about(id)
            .standing(Some(*state))
            .naming(errors),
            Self::KeyOfAnother { id, state } => Says::new(
                "idempotency-key-reused",
                StatusCode::UNPROCESSABLE_ENTITY,
                "This Idempotency-Key came before with another order",
                key_of_another(*state),
            )
            .about(id)
            .standing(*state),
            Self::ChargeRefused(error) => Says::new(
                "charge-refused",
                StatusCode::CONFLICT,
                "The charge cannot bear this refund",
                format!("{}: {}.", error.field, error.reason),
            )
            .naming(std::slice::from_ref(error)),
            Self::NotCancelable { id, kind, state } => Says::new(
                "not-cancelable",
                StatusCode::CONFLICT,
                "The payment cannot be canceled any more",
                not_cancelable(*kind, *state),
            )
            .about(id)
            .standing(Some(*state)),
            Self::Untrusted(why) => Says::new(
                "untrusted-callback",
                StatusCode::UNAUTHORIZED,
                "The callback's signature is not one of ours",
                untrusted(*why),
            )
            .with(WWW_AUTHENTICATE, HeaderValue::from_static("Sluice-Signature")),
            Self::UnreadableCallback => Says::new(
                "unreadable-callback",
                StatusCode::BAD_REQUEST,
                "The callback does not follow the contract",
                "Send what a query is answered with: status, payment_id, amount, currency, and the reference or code.",
            ),
            Self::UnknownPayment(id) => Says::new(
                "unknown-payment",
                StatusCode::NOT_FOUND,
                "There is no such payment here",
                "Send it again later. If it stays unknown, people on both sides have to look.",
            )
            .about(id),
            Self::Contradicts(id) => Says::new(
                "contradicting-callback",
                StatusCode::UNPROCESSABLE_ENTITY,
                "The callback contradicts the payment",
                "Its amount or currency is not the payment's. Nothing was changed; people on both sides have to look.",
            )
            .about(id),
            Self::CallbackNotTaken(id) => Says::unavailable(
                "callback-not-taken",
                "The callback may not have been taken",
                "Send it again; a second one changes nothing.",
            )
            .about(id),
            Self::RateLimited(quota) => Says::new(
                "rate-limited",
                StatusCode::TOO_MANY_REQUESTS,
                match quota.allowance {
                    Allowance::Payments => "This merchant sends payments faster than it may",
                    Allowance::Looks => "This merchant looks payments up faster than it may",
                },
                too_fast(quota),
            )
            .after(quota.seconds)
            .of(quota),
            Self::LaneFull { retry_after_seconds } => Says::unavailable(
                "lane-full",
                "Too much is waiting in this lane",
                "This request wrote nothing, and the order has no payment yet. Repeat the request after the time in \
                 Retry-After.",
            )
            .after(*retry_after_seconds),
            Self::TooLate { wait_seconds, retry_after_seconds } => Says::unavailable(
                "too-late",
                "The payment would expire before its turn",
                format!(
                    "A payment that comes now waits about {wait_seconds} s, longer than until its expires_at. This request \
                     wrote nothing, and the order has no payment yet. Send it with a later expires_at, or with a new one \
                     after the time in Retry-After."
                ),
            )
            .after(*retry_after_seconds),
            Self::CallerNotRead => Says::unavailable(
                "caller-not-read",
                "Whose the API key is could not be read",
                "This request neither read nor wrote a payment. Repeat it.",
            ),
            Self::NotRead(id) => Says {
                payment_id: id.as_ref(),
                ..Says::unavailable(
                    "not-read",
                    "The payment could not be read",
                    "Whether there is such a payment is not known. This request changed nothing; repeat it.",
                )
            },
            Self::NotWritten(id) => Says::unavailable(
                "not-written",
                "This request wrote nothing",
                "Whether an earlier request for the same order did is not known. Repeat the request; that cannot charge twice.",
            )
            .about(id),
            Self::MayBeAccepted(id) => Says::unavailable(
                "may-be-accepted",
                "The payment may have been accepted",
                "Whether it was is not known. Repeat the request to learn which, or cancel the order: send the same body to \
                 /v1/payments/{id}/cancel. Neither can charge twice.",
            )
            .about(id),
            Self::NotCanceled(id) => Says::unavailable(
                "not-canceled",
                "This request canceled nothing",
                "Whether an earlier request did is not known; until a cancelation is confirmed the order may be charged. \
                 Repeat the request.",
            )
            .about(id),
            Self::MayBeCanceled(id) => Says::unavailable(
                "may-be-canceled",
                "The payment may have been canceled",
                "Whether it was is not known; until a cancelation is confirmed the order may be charged. Repeat the request; \
                 a second cancelation changes nothing more.",
            )
            .about(id),
        }
    }
}

/// What a problem says, and with which headers.
pub(crate) struct Says<'a> {
    /// The last part of its type.
    pub(crate) name: &'static str,
    pub(crate) status: StatusCode,
    title: &'static str,
    detail: Cow<'static, str>,
    /// The payment that it is about.
    payment_id: Option<&'a PaymentId>,
    /// Where that payment stands, if it was read.
    state: Option<State>,
    errors: &'a [FieldError],
    /// A header of its own.
    header: Option<(HeaderName, HeaderValue)>,
    /// When to try again, in seconds.
    retry_after_seconds: Option<u32>,
    quota: Option<&'a Quota>,
}

impl<'a> Says<'a> {
    fn new(name: &'static str, status: StatusCode, title: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            name,
            status,
            title,
            detail: detail.into(),
            payment_id: None,
            state: None,
            errors: &[],
            header: None,
            retry_after_seconds: None,
            quota: None,
        }
    }

    /// A 503; it is worth trying again after a second.
    fn unavailable(name: &'static str, title: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(name, StatusCode::SERVICE_UNAVAILABLE, title, detail).after(1)
    }

    fn about(self, id: &'a PaymentId) -> Self {
        Self { payment_id: Some(id), ..self }
    }

    fn standing(self, state: Option<State>) -> Self {
        Self { state, ..self }
    }

    fn naming(self, errors: &'a [FieldError]) -> Self {
        Self { errors, ..self }
    }

    fn with(self, name: HeaderName, value: HeaderValue) -> Self {
        Self { header: Some((name, value)), ..self }
    }

    fn after(self, seconds: u32) -> Self {
        Self { retry_after_seconds: Some(seconds), ..self }
    }

    fn of(self, quota: &'a Quota) -> Self {
        Self { quota: Some(quota), ..self }
    }

    pub(crate) fn into_response(self) -> ApiGatewayV2httpResponse {
        let mut headers = headers("application/problem+json");
        headers.extend(self.header);
        headers.extend(self.retry_after_seconds.map(|seconds| (RETRY_AFTER, HeaderValue::from(seconds))));
        if let Some(quota) = self.quota {
            quota.say(&mut headers);
        }
        let document = ProblemDocument {
            r#type: format!("urn:sluice:problem:{}", self.name),
            title: self.title,
            status: self.status.as_u16(),
            detail: &self.detail,
            payment_id: self.payment_id.map(PaymentId::as_str),
            state: self.state.map(State::as_str),
            errors: self.errors,
        };
        respond(self.status, headers, &document)
    }
}

impl Form {
    /// With what would be taken instead (RFC 9110, sections 12.5.1 and 12.5.3).
    fn says(self) -> Says<'static> {
        let json = (ACCEPT, HeaderValue::from_static("application/json"));
        let plain = (ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let (detail, (name, value)) = match self {
            Self::OtherType => ("Send the header Content-Type: application/json, once.", json),
            Self::NotUrlEncoded => (
                "Send the header Content-Type: application/x-www-form-urlencoded, once.",
                (ACCEPT, HeaderValue::from_static("application/x-www-form-urlencoded")),
            ),
            Self::OtherCharset => {
                ("JSON is sent in UTF-8 (RFC 8259, section 8.1): leave the charset out of Content-Type.", json)
            }
            Self::WideUnicode => ("It is UTF-16 or UTF-32; JSON is sent in UTF-8 (RFC 8259, section 8.1).", json),
            Self::Coded => ("Send the body as it is, without a Content-Encoding.", plain),
            Self::Gzip => ("It is compressed with gzip; send it as it is.", plain),
        };
        Says::new(
            "unsupported-media-type",
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The body is in a form that is not taken",
            detail,
        )
        .with(name, value)
    }
}

const fn untrusted(why: Distrust) -> &'static str {
    match why {
        Distrust::Unsigned => "Send the header Sluice-Signature: t=<seconds>,v1=<hex>.",
        Distrust::Unreadable => "Sluice-Signature must be t=<seconds>,v1=<hex>.",
        Distrust::Forged => "No v1 is the HMAC-SHA256 of \"<seconds>.<body>\" under a key that is known here.",
        Distrust::OutOfTime => "It was signed more than five minutes from now: sign it anew at each attempt.",
        Distrust::NoticeUnsigned => "A notice has a sign, and its sign_type is RSA2.",
        Distrust::NoticeForged => "Its sign is not of these parameters under the key that is known here.",
        Distrust::OtherAccount => "It is about another app_id or seller_id than those that are known here.",
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
fn different(state: State, errors: &[FieldError], is_forgotten: bool) -> String {
    let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
    let what = match (fields.is_empty(), is_forgotten) {
        (false, _) => format!(" Not as it was: {}.", fields.join(", ")),
        (true, true) => " Which field differs cannot be said: the first request's details were forgotten.".to_owned(),
        (true, false) => String::new(),
    };
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
