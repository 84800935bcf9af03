//! What a contract is: what is written for an order, and what an answer means. Pure: time is an argument.

use ::http::header::{DATE, RETRY_AFTER};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use bytes::Bytes;
use payments::answer::{QueryAnswer, SendAnswer};
use payments::id::PaymentId;
use payments::payment::Order;
use payments::provider::ProviderKind;
use payments::request::FieldError;
use payments::time::Timestamp;
use ports::Trace;

use crate::alipay::Alipay;
use crate::http::SettingsError;
use crate::open::Open;
use crate::stripe::Stripe;

/// Largest answer that is read, in bytes. An honest one has some hundreds; a list of Stripe's has some kilobytes for each of its
/// objects.
pub const BODY_MAX_BYTES: usize = 512 * 1024;

/// An answer's body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// All of it.
    Whole(Bytes),
    /// Larger than [`BODY_MAX_BYTES`], or not framed as HTTP asks.
    Malformed,
    /// The connection broke before its end.
    Lost,
}

/// An answer as it came.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
}

/// A request as a contract writes it. The transport adds what names the connection and the sender.
#[derive(Clone, Debug)]
pub struct Written {
    /// The method.
    pub method: Method,
    /// The path, with the query if there is one.
    pub path: String,
    /// The header fields; those that hold a secret are marked as sensitive.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// The body.
    pub body: Bytes,
}

/// A provider's numbers as its documents state them; the module's documentation names the pages. What a deployment is told
/// (`KEY_WINDOW_MS`, `ABSENCE_BOUND_MS`) may be more careful and never less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// How long our id is known for one payment.
    pub key_window: Stated,
    /// How long after its request a payment may still appear.
    pub absence_bound: Stated,
    /// Longest time that an answer takes.
    pub longest_answer: Stated,
    /// Calls a second that are surely allowed; none where that has to be agreed on.
    pub rate_per_second: Option<u32>,
    /// How far a callback's signed time may be from ours.
    pub callback_tolerance: Stated,
    /// Where the provider says what it settled.
    pub settlement_file: &'static str,
    /// What "not found" proves once the absence bound is over.
    pub not_found_proves: &'static str,
}

/// What documents say of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stated {
    /// Without end.
    ForEver,
    /// This many milliseconds.
    Ms(u64),
    /// Nothing: it has to be agreed on with the provider.
    Ask,
}

/// The contract of one provider's account.
#[derive(Debug)]
pub enum Contract {
    /// Our own.
    Open(Open),
    /// Alipay's.
    Alipay(Alipay),
    /// Stripe's.
    Stripe(Stripe),
}

impl Contract {
    /// The contract of this kind at the path `root`, under what the provider's secret holds.
    pub fn new(kind: ProviderKind, root: &str, secret: &str) -> Result<Self, SettingsError> {
        match kind {
            ProviderKind::Open => Open::new(root, secret).map(Self::Open),
            ProviderKind::Alipay => Ok(Self::Alipay(Alipay::new(root, secret)?)),
            ProviderKind::Stripe => Ok(Self::Stripe(Stripe::new(root, secret)?)),
        }
    }

    /// What is written to make this payment; `None` if the contract cannot say it, which [`check`] refuses beforehand.
    pub fn send(&self, id: &PaymentId, order: &Order, now: Timestamp) -> Option<Written> {
        match self {
            Self::Open(open) => open.send(id, order),
            Self::Alipay(alipay) => alipay.send(id, order, now),
            Self::Stripe(stripe) => stripe.send(id, order),
        }
    }

    /// What the answer to that means.
    pub fn send_answer(&self, id: &PaymentId, order: &Order, reply: &Reply) -> SendAnswer {
        match self {
            Self::Open(_) => Open::send_answer(id, order, reply),
            Self::Alipay(alipay) => alipay.send_answer(id, order, reply),
            Self::Stripe(_) => Stripe::send_answer(id, order, reply),
        }
    }

    /// What is written to ask what became of this payment; `None` as of [`Contract::send`].
    pub fn query(&self, id: &PaymentId, order: &Order, trace: &Trace, now: Timestamp) -> Option<Written> {
        match self {
            Self::Open(open) => open.query(id),
            Self::Alipay(alipay) => alipay.query(id, order, now),
            Self::Stripe(stripe) => stripe.query(order, trace),
        }
    }

    /// What the answer to that means; `trace` is what it was asked with.
    pub fn query_answer(&self, id: &PaymentId, order: &Order, trace: &Trace, reply: &Reply) -> QueryAnswer {
        match self {
            Self::Open(_) => Open::query_answer(id, order, reply),
            Self::Alipay(alipay) => alipay.query_answer(id, order, reply),
            Self::Stripe(_) => Stripe::query_answer(id, order, trace, reply),
        }
    }
}

/// Whether an order can be made at a provider of this kind: the first field that it does not take, and why. Asked before
/// anything is written down.
pub fn check(kind: ProviderKind, order: &Order) -> Result<(), FieldError> {
    match kind {
        // Its payment_method is whatever merchant and provider have agreed on.
        ProviderKind::Open => Ok(()),
        ProviderKind::Alipay => crate::alipay::order::check(order),
        ProviderKind::Stripe => crate::stripe::order::check(order),
    }
}

/// Whether a refund is asked for by the provider's own number for its charge, which then has to stand in the order.
pub const fn refunds_by_reference(kind: ProviderKind) -> bool {
    match kind {
        ProviderKind::Open | ProviderKind::Alipay => false,
        ProviderKind::Stripe => true,
    }
}

/// RFC 9110, section 10.2.3: seconds, or a date. A date is measured from the answer's own `Date`, so that our clock
/// plays no part; what cannot be read counts as not said.
pub(crate) fn retry_after_ms(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(text.parse::<u64>().unwrap_or(u64::MAX).saturating_mul(1_000));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let from = httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()?;
    // Already over: no wait.
    let wait = until.duration_since(from).unwrap_or_default();
    Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
}

/// The numbers of a kind.
pub const fn numbers(kind: ProviderKind) -> Numbers {
    match kind {
        ProviderKind::Open => crate::open::NUMBERS,
        ProviderKind::Alipay => crate::alipay::NUMBERS,
        ProviderKind::Stripe => crate::stripe::NUMBERS,
    }
}
