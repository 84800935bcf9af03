//! What is answered, by "Errors" and "Error codes".

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use payments::payment::Kind;
use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::book::{Asked, Outcome};
use super::super::said::Said;
use super::objects::Object;

const LIMITED_REASON: HeaderName = HeaderName::from_static("stripe-rate-limited-reason");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Why a request's parameters are not taken.
pub(super) struct Refusal {
    status: u16,
    code: Option<&'static str>,
    param: String,
    message: String,
}

impl Refusal {
    pub(super) fn invalid(code: &'static str, param: &str, message: &str) -> Self {
        Self { status: 400, code: Some(code), param: param.to_owned(), message: format!("{message}: {param}") }
    }

    /// One that Stripe gives no code.
    pub(super) fn uncoded(param: &str, message: &str) -> Self {
        Self { status: 400, code: None, param: param.to_owned(), message: message.to_owned() }
    }

    /// What a path names is not there.
    pub(super) fn no_such(kind: Kind, id: &str) -> Self {
        let param = if kind == Kind::Refund { "refund" } else { "intent" };
        Self {
            status: 404,
            code: Some("resource_missing"),
            param: param.to_owned(),
            message: format!("No such {}: '{id}'", if kind == Kind::Refund { "refund" } else { "payment_intent" }),
        }
    }
}

pub(super) fn refusal(why: &Refusal) -> Answer {
    let mut error = json!({ "type": "invalid_request_error", "param": why.param, "message": why.message });
    if let Some(code) = why.code {
        error["code"] = code.into();
    }
    answer(&json!({ "status": why.status, "body": { "error": error } }), false)
}

/// The error of a declined card ("Decline codes").
pub(super) fn card_error(code: &'static str) -> Value {
    let (code, decline_code) = match code {
        "expired_card" => ("expired_card", None),
        "card_declined" => ("card_declined", Some("generic_decline")),
        "limit_exceeded" => ("card_declined", Some("card_velocity_exceeded")),
        other => ("card_declined", Some(other)),
    };
    let mut error = json!({ "type": "card_error", "code": code, "message": "Your card was declined." });
    if let Some(decline_code) = decline_code {
        error["decline_code"] = decline_code.into();
    }
    error
}

pub(super) fn ok(body: &Value) -> Answer {
    answer(&json!({ "status": 200, "body": body }), false)
}

/// A status and a body as an answer.
pub(super) fn answer(value: &Value, is_replay: bool) -> Answer {
    let status = value["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(500);
    let text = serde_json::to_string_pretty(&value["body"]).unwrap_or_default();
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if is_replay {
        answer.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    }
    if status == 429 && value["body"]["error"]["code"] == "rate_limit" {
        answer.headers_mut().insert(LIMITED_REASON, HeaderValue::from_static("global-rate"));
    }
    answer
}

pub(super) fn of_said(object: Option<&Object>, said: &Said) -> Answer {
    answer(&value(object, said), false)
}

/// What is said of what stands: the answer that a lost one would have been.
pub(super) fn text(object: Option<&Object>, found: Option<&(Asked, Outcome)>) -> Value {
    match found {
        Some((asked, outcome)) => value(object, &Said::Told(*asked, *outcome)),
        None => value(object, &Said::Failed),
    }
}

fn error(status: u16, kind: &str, code: Option<&str>, message: &str) -> Value {
    let mut error = json!({ "type": kind, "message": message });
    if let Some(code) = code {
        error["code"] = code.into();
    }
    json!({ "status": status, "body": { "error": error } })
}

/// A status and a body.
pub(super) fn value(object: Option<&Object>, said: &Said) -> Value {
    const INVALID: &str = "invalid_request_error";
    let told = |outcome: &Outcome, more: u64| match object {
        None => error(500, "api_error", None, "An unknown error occurred"),
        Some(object) => {
            let mut shown = object.clone();
            shown.amount += more;
            let shown = shown.shown(*outcome);
            match (object.kind, outcome) {
                (Kind::Charge | Kind::Payout, Outcome::Declined(code)) => {
                    let mut failure = card_error(code);
                    failure["payment_intent"] = shown;
                    json!({ "status": 402, "body": { "error": failure } })
                }
                _ => json!({ "status": 200, "body": shown }),
            }
        }
    };
    match said {
        Said::Told(_, outcome) | Said::Stands(_, outcome) => told(outcome, 0),
        Said::Altered(_, outcome) => told(outcome, 1),
        // Answers are not signed; it is an event that is.
        Said::WronglySigned(said) => value(object, said),
        Said::NotFound => error(404, INVALID, Some("resource_missing"), "No such object"),
        Said::Busy => {
            let why = "There is currently another in-progress request using this Idempotent Key";
            error(409, "idempotency_error", Some("idempotency_key_in_use"), why)
        }
        Said::OtherBody => {
            let why =
                "Keys for idempotent requests can only be used with the same parameters they were first used with";
            error(400, "idempotency_error", None, why)
        }
        Said::RateLimited => error(429, INVALID, Some("rate_limit"), "Too many requests hit the API too quickly"),
        Said::Locked => {
            let why = "This object cannot be accessed right now because another API request or Stripe process is \
                       currently accessing it";
            error(429, INVALID, Some("lock_timeout"), why)
        }
        Said::Unauthorized => error(401, INVALID, None, "Invalid API Key provided"),
        Said::Failed | Said::FailedAfter => error(500, "api_error", None, "An unknown error occurred"),
    }
}
