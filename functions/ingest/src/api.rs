//! What a request of the HTTP API asks for: its route, its caller's key, its body.

use std::borrow::Cow;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use data_encoding::BASE64;
use http::Method;
use payments::id::{OrderId, PaymentId};
use payments::merchant::ApiKeyHash;
use payments::payment::Kind;
use payments::request::{BODY_BYTES_MAX, FieldError};
use providers::http::callback::SIGNATURE;

use crate::document::Problem;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Create,
    Get(PaymentId),
    History(PaymentId),
    Find { kind: Kind, order_id: OrderId },
    Cancel(PaymentId),
    CalledBack { provider: String },
}

/// A request that has a route.
#[derive(Clone, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) operation: Operation,
    pub(crate) api_key: Option<ApiKeyHash>,
    pub(crate) idempotency_key: Option<&'a str>,
    pub(crate) signature: Option<&'a str>,
    pub(crate) body: Cow<'a, [u8]>,
    content_type: Option<&'a str>,
}

impl<'a> Call<'a> {
    pub(crate) fn of(request: &'a ApiGatewayV2httpRequest) -> Result<Self, Problem> {
        let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok());
        let body = body(request)?;
        Ok(Self {
            operation: operation(request)?,
            api_key: header("authorization").and_then(bearer).and_then(ApiKeyHash::of),
            idempotency_key: header("idempotency-key"),
            signature: header(SIGNATURE.as_str()),
            body,
            content_type: header("content-type"),
        })
    }

    /// Checks what has to hold before a body is read.
    pub(crate) fn check_body(&self) -> Result<(), Problem> {
        let media_type = self.content_type.and_then(|value| value.split(';').next()).map(str::trim);
        if !media_type.is_some_and(|value| value.eq_ignore_ascii_case("application/json")) {
            return Err(Problem::UnsupportedMediaType);
        }
        if self.body.len() > BODY_BYTES_MAX {
            return Err(Problem::TooLarge);
        }
        Ok(())
    }
}

/// The token of `Authorization: Bearer` (RFC 6750, section 2.1); the scheme's case does not matter (RFC 9110, 11.1).
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn body(request: &ApiGatewayV2httpRequest) -> Result<Cow<'_, [u8]>, Problem> {
    let text = request.body.as_deref().unwrap_or_default();
    if !request.is_base64_encoded {
        return Ok(Cow::Borrowed(text.as_bytes()));
    }
    // Four characters of base64 are three bytes: what is too long is not even decoded.
    if text.len() / 4 * 3 > BODY_BYTES_MAX.saturating_add(3) {
        return Err(Problem::TooLarge);
    }
    BASE64.decode(text.as_bytes()).map(Cow::Owned).map_err(|_| {
        Problem::Fields(vec![FieldError {
            field: "body".to_owned(),
            reason: "is not base64, although it is said to be".to_owned(),
        }])
    })
}

fn operation(request: &ApiGatewayV2httpRequest) -> Result<Operation, Problem> {
    let method = &request.request_context.http.method;
    let path = request.raw_path.as_deref().unwrap_or_default();
    let stage = request.request_context.stage.as_deref().unwrap_or("$default");
    // A named stage is part of the raw path ("Working with stages for HTTP APIs").
    let path = path.strip_prefix('/').unwrap_or(path);
    let path = path.strip_prefix(stage).and_then(|rest| rest.strip_prefix('/')).unwrap_or(path);
    let segments: Vec<&str> = path.split('/').collect();
    match segments.as_slice() {
        ["v1", "payments"] => match *method {
            Method::POST => Ok(Operation::Create),
            Method::GET => find(request),
            _ => Err(Problem::MethodNotAllowed("GET, POST")),
        },
        ["v1", "payments", id] => match *method {
            Method::GET => payment_id(id).map(Operation::Get),
            _ => Err(Problem::MethodNotAllowed("GET")),
        },
        ["v1", "payments", id, "history"] => match *method {
            Method::GET => payment_id(id).map(Operation::History),
            _ => Err(Problem::MethodNotAllowed("GET")),
        },
        ["v1", "payments", id, "cancel"] => match *method {
            Method::POST => payment_id(id).map(Operation::Cancel),
            _ => Err(Problem::MethodNotAllowed("POST")),
        },
        ["v1", "providers", name, "events"] => match *method {
            Method::POST => Ok(Operation::CalledBack { provider: (*name).to_owned() }),
            _ => Err(Problem::MethodNotAllowed("POST")),
        },
        _ => Err(Problem::NoSuchPath),
    }
}

/// What has not the form of an id is nobody's payment.
fn payment_id(text: &str) -> Result<PaymentId, Problem> {
    PaymentId::new(text).map_err(|_| Problem::NotFound)
}

fn find(request: &ApiGatewayV2httpRequest) -> Result<Operation, Problem> {
    let mut errors = Vec::new();
    let mut fault = |field: &str, reason: String| {
        errors.push(FieldError { field: field.to_owned(), reason });
    };
    let parameter = |name: &str| request.query_string_parameters.first(name);
    let kind = match parameter("kind") {
        None => {
            fault("kind", "is required in the query".to_owned());
            None
        }
        Some(text) => {
            let kind = Kind::parse(text);
            if kind.is_none() {
                fault("kind", "must be charge, refund or payout".to_owned());
            }
            kind
        }
    };
    let order_id = match parameter("order_id").map(OrderId::new) {
        None => {
            fault("order_id", "is required in the query".to_owned());
            None
        }
        Some(Ok(order_id)) => Some(order_id),
        Some(Err(error)) => {
            fault("order_id", error.to_string());
            None
        }
    };
    match (kind, order_id) {
        (Some(kind), Some(order_id)) => Ok(Operation::Find { kind, order_id }),
        (_, _) => Err(Problem::Fields(errors)),
    }
}
