//! What a request of the HTTP API asks for: its route, its caller's key, its body.

use std::borrow::Cow;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use data_encoding::BASE64;
use http::{HeaderMap, Method};
use payments::card::contains_card_number;
use payments::id::{OrderId, PaymentId};
use payments::merchant::ApiKeyHash;
use payments::payment::Kind;
use payments::request::{BODY_BYTES_MAX, FieldError, METADATA_NAME_MAX};
use providers::callback::BodyForm;

use crate::document::{Form, Problem};

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

impl Operation {
    /// For what reads a payment that may stand: what is known as long as it was not read.
    pub(crate) fn looks_at(&self) -> Option<Problem> {
        match self {
            Self::Get(id) | Self::History(id) => Some(Problem::NotRead(Some(id.clone()))),
            // Its id depends on who asks.
            Self::Find { .. } => Some(Problem::NotRead(None)),
            Self::Cancel(id) => Some(Problem::NotCanceled(id.clone())),
            Self::Create | Self::CalledBack { .. } => None,
        }
    }
}

/// A request. Who sends it is looked at before its route and its body are, so that both may be faulty here.
#[derive(Clone, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) operation: Result<Operation, Problem>,
    pub(crate) api_key: Option<ApiKeyHash>,
    pub(crate) idempotency_key: Option<&'a str>,
    headers: &'a HeaderMap,
    body: Result<Cow<'a, [u8]>, Problem>,
    content_type: Option<&'a str>,
    content_encoding: Option<&'a str>,
}

impl<'a> Call<'a> {
    pub(crate) fn of(request: &'a ApiGatewayV2httpRequest) -> Self {
        // Text that is not ASCII is no value of any of these; what is there and cannot be read is not taken for absent.
        let header = |name: &str| text_of(&request.headers, name);
        Self {
            operation: operation(request),
            api_key: header("authorization").and_then(bearer).and_then(ApiKeyHash::of),
            idempotency_key: header("idempotency-key"),
            headers: &request.headers,
            body: body(request),
            content_type: header("content-type"),
            content_encoding: header("content-encoding"),
        }
    }

    /// A header's text.
    pub(crate) fn header(&self, name: &str) -> Option<&'a str> {
        text_of(self.headers, name)
    }

    /// Whether the request has a body, readable or not.
    pub(crate) fn has_body(&self) -> bool {
        self.body.as_ref().map_or(true, |body| !body.is_empty())
    }

    /// The body, if it is said to be JSON as it is and is not too large.
    pub(crate) fn body(&self) -> Result<&[u8], Problem> {
        self.body_of(BodyForm::Json)
    }

    /// The body, if it is said to be of this form as it is and is not too large.
    pub(crate) fn body_of(&self, form: BodyForm) -> Result<&[u8], Problem> {
        let (expected, otherwise) = match form {
            BodyForm::Json => ("application/json", Form::OtherType),
            BodyForm::Form => ("application/x-www-form-urlencoded", Form::NotUrlEncoded),
        };
        // "identity" is no coding (RFC 9110, section 8.4.1), and some clients say it.
        if self.content_encoding.is_some_and(|coding| !coding.trim().eq_ignore_ascii_case("identity")) {
            return Err(Problem::UnsupportedMediaType(Form::Coded));
        }
        let content_type = self.content_type.unwrap_or_default();
        let (media_type, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
        if !media_type.trim().eq_ignore_ascii_case(expected) {
            return Err(Problem::UnsupportedMediaType(otherwise));
        }
        if parameters.split(';').any(is_another_charset) {
            return Err(Problem::UnsupportedMediaType(Form::OtherCharset));
        }
        let body = self.body.as_ref().map_err(Clone::clone)?;
        if body.len() > BODY_BYTES_MAX {
            return Err(Problem::TooLarge);
        }
        Ok(body)
    }
}

fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or(NOT_ASCII))
}

/// Stands for a header's value that is not ASCII: it is no key, no media type and no signature.
const NOT_ASCII: &str = "\u{fffd}";

/// Whether a parameter of a media type names a charset other than UTF-8, of which ASCII is a part.
fn is_another_charset(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return false };
    let value = value.trim().trim_matches('"');
    name.trim().eq_ignore_ascii_case("charset")
        && !["utf-8", "utf8", "us-ascii"].iter().any(|known| value.eq_ignore_ascii_case(known))
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

/// The route. An HTTP API decodes the raw path once before it is here; it is not decoded again.
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

/// Reads the query as it was sent. `queryStringParameters` joins the values of a name by commas ("Create AWS Lambda
/// proxy integrations for HTTP APIs"), so that a comma in an order id could not be told from a second value.
fn find(request: &ApiGatewayV2httpRequest) -> Result<Operation, Problem> {
    let query = request.raw_query_string.as_deref().unwrap_or_default();
    let (mut kind, mut order_id) = (None, None);
    let mut errors = Vec::new();
    let mut fault = |field: &str, reason: &str| {
        errors.push(FieldError { field: field.to_owned(), reason: reason.to_owned() });
    };
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let given = match name.as_ref() {
            "kind" => &mut kind,
            "order_id" => &mut order_id,
            _ if contains_card_number(&name) => {
                fault("query", "a parameter's name looks like a card number");
                continue;
            }
            _ => {
                fault(&shown(&name), "is not a parameter of a search; give kind and order_id");
                continue;
            }
        };
        match given {
            None => *given = Some(value),
            Some(_) => fault(&name, "is given twice in the query; give it once"),
        }
    }
    let kind = match kind {
        None => {
            fault("kind", "is required in the query");
            None
        }
        Some(text) => {
            let kind = Kind::parse(&text);
            if kind.is_none() {
                fault("kind", "must be charge, refund or payout");
            }
            kind
        }
    };
    let order_id = match order_id {
        None => {
            fault("order_id", "is required in the query");
            None
        }
        Some(text) if text.contains(' ') => {
            fault("order_id", "must hold no space; in a query a plus sign is written %2B");
            None
        }
        Some(text) => OrderId::new(text).map_err(|error| fault("order_id", &error.to_string())).ok(),
    };
    match (kind, order_id) {
        (Some(kind), Some(order_id)) if errors.is_empty() => Ok(Operation::Find { kind, order_id }),
        (_, _) => Err(Problem::Fields(errors)),
    }
}

/// A parameter's name as it can be repeated.
fn shown(name: &str) -> String {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(METADATA_NAME_MAX).collect();
    if shown.is_empty() { "query".to_owned() } else { shown }
}
