//! Which orders Stripe can make, how each is said, and how it is asked about.

use payments::answer::ProviderText;
use payments::id::PaymentId;
use payments::payment::{Kind, Order, RefundOf};
use payments::request::FieldError;
use ports::Trace;

use super::amount::{self, AmountError};
use super::{OURS, PAYMENT_ID, is_word};

/// The path of intents.
const INTENTS: &str = "/v1/payment_intents";
/// The path of refunds.
const REFUNDS: &str = "/v1/refunds";
/// How many of a list are asked for: as many as Stripe gives at once ("Pagination"). One of its objects has at most some
/// kilobytes, and an answer has to stay below [`crate::contract::BODY_MAX_BYTES`].
pub const LISTED_MAX: usize = 100;
/// How much earlier than our first request a list begins, in ms, for clocks that disagree. AWS takes no request that is signed more
/// than 15 minutes off ("Signature Version 4 request elements"), so that nothing is sent under a clock that is wrong by more.
pub const CLOCKS_APART_MS: u64 = 20 * 60 * 1_000;

/// Which object of Stripe's an order becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// A PaymentIntent.
    Intent,
    /// A Refund.
    Refund,
}

impl Object {
    /// An order's.
    pub const fn of(order: &Order) -> Self {
        match order.kind {
            Kind::Charge | Kind::Payout => Self::Intent,
            Kind::Refund => Self::Refund,
        }
    }

    /// Its name in the member `object`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Intent => "payment_intent",
            Self::Refund => "refund",
        }
    }

    /// Whether a text is an id of such an object.
    pub fn is_id(self, text: &str) -> bool {
        let prefixes: &[&str] = match self {
            Self::Intent => &["pi_"],
            Self::Refund => &["re_", "pyr_"],
        };
        prefixes.iter().filter_map(|prefix| text.strip_prefix(prefix)).any(is_word)
    }

    const fn path(self) -> &'static str {
        match self {
            Self::Intent => INTENTS,
            Self::Refund => REFUNDS,
        }
    }
}

/// Whether Stripe can make this order: the first field that it does not take, and why.
pub fn check(order: &Order) -> Result<(), FieldError> {
    let fault = |field: &str, reason: &str| Err(FieldError { field: field.to_owned(), reason: reason.to_owned() });
    match amount::of(order.money) {
        Ok(_) => {}
        Err(AmountError::Currency) => return fault("currency", "must be one that Stripe lists as supported"),
        Err(AmountError::NotWhole(reason)) => return fault("amount", reason),
        Err(AmountError::TooLarge) => {
            return fault("amount", "must be at most 99999999 as Stripe counts this currency");
        }
    }
    // Square brackets would name another parameter ("Metadata").
    if order.metadata.keys().any(|name| name.starts_with(OURS) || name.contains(['[', ']'])) {
        return fault("metadata", "must have no name that begins with sluice_ or holds a square bracket");
    }
    match (order.kind, &order.refund_of) {
        (Kind::Charge, _) if method(order).is_none() => fault(
            "payment_method",
            "must be the id of a saved payment method of Stripe's, which begins with pm_, card_ or src_",
        ),
        (Kind::Charge, _) if customer(order).is_none() => {
            fault("customer", "must be Stripe's customer that the payment method was saved for, which begins with cus_")
        }
        (Kind::Refund, Some(RefundOf::Charge { .. })) if order.payment_method.is_some() => {
            fault("payment_method", "must not be given: Stripe gives a refund back to whoever paid")
        }
        (Kind::Refund, Some(RefundOf::Charge { reference: Some(_), .. })) if charged(order).is_none() => fault(
            "original_order_id",
            "must be of a charge whose intent at Stripe is known; this one was settled by a person, who has to give it back",
        ),
        (Kind::Refund, Some(RefundOf::Unlinked) | None) => {
            fault("unlinked", "must not be true: Stripe gives back only a payment that was made there")
        }
        (Kind::Payout, _) => fault("kind", "must be charge or refund: payouts are not made at Stripe here"),
        (Kind::Charge, _) | (Kind::Refund, Some(RefundOf::Charge { .. })) => Ok(()),
    }
}

fn with_prefix<'a>(text: Option<&'a str>, prefixes: &[&str]) -> Option<&'a str> {
    text.filter(|text| prefixes.iter().filter_map(|prefix| text.strip_prefix(prefix)).any(is_word))
}

fn method(order: &Order) -> Option<&str> {
    with_prefix(order.payment_method.as_deref(), &["pm_", "card_", "src_"])
}

fn customer(order: &Order) -> Option<&str> {
    with_prefix(order.customer.as_deref(), &["cus_"])
}

/// The intent that a refund gives back.
pub fn charged(order: &Order) -> Option<&str> {
    match &order.refund_of {
        Some(RefundOf::Charge { reference, .. }) => {
            reference.as_ref().map(ProviderText::as_str).filter(|text| Object::Intent.is_id(text))
        }
        Some(RefundOf::Unlinked) | None => None,
    }
}

/// A request's path and its form.
pub struct Said {
    /// Under the root.
    pub path: &'static str,
    /// The form.
    pub form: String,
}

/// What makes this order; `None` for one that [`check`] refuses, and for a refund of a charge whose intent is not known. It says
/// the same for the same payment, for ever: other parameters under a known key are an error.
pub fn send(id: &PaymentId, order: &Order) -> Option<Said> {
    check(order).ok()?;
    let amount = amount::of(order.money).ok()?.to_string();
    let mut form = form_urlencoded::Serializer::new(String::new());
    let object = Object::of(order);
    form.append_pair("amount", &amount);
    match object {
        Object::Intent => {
            form.append_pair("currency", &amount::code(order.money))
                .append_pair("customer", customer(order)?)
                .append_pair("payment_method", method(order)?)
                // Whatever the account takes, but nothing that would send a customer elsewhere who is not there.
                .append_pair("automatic_payment_methods[enabled]", "true")
                .append_pair("automatic_payment_methods[allow_redirects]", "never")
                .append_pair("confirm", "true")
                .append_pair("off_session", "true");
            if let Some(text) = &order.description {
                form.append_pair("description", text);
            }
        }
        Object::Refund => {
            form.append_pair("payment_intent", charged(order)?);
        }
    }
    form.append_pair(&format!("metadata[{PAYMENT_ID}]"), id.as_str())
        .append_pair(&format!("metadata[{OURS}merchant]"), order.merchant.as_str())
        .append_pair(&format!("metadata[{OURS}order_id]"), order.order_id.as_str());
    for (name, value) in &order.metadata {
        form.append_pair(&format!("metadata[{name}]"), value);
    }
    Some(Said { path: object.path(), form: form.finish() })
}

/// How a payment is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// By the id that Stripe gave it.
    Known(Object),
    /// By the list in which it would stand.
    Listed(Object),
}

impl Asked {
    /// By what is known of it.
    pub fn of(order: &Order, trace: &Trace) -> Self {
        let object = Object::of(order);
        if known(object, trace).is_some() { Self::Known(object) } else { Self::Listed(object) }
    }

    /// The path and query; `None` where not even the list is known.
    pub fn path(self, order: &Order, trace: &Trace) -> Option<String> {
        let (object, of) = match self {
            Self::Known(object) => return Some(format!("{}/{}", object.path(), known(object, trace)?)),
            Self::Listed(object @ Object::Intent) => (object, ("customer", customer(order)?)),
            Self::Listed(object @ Object::Refund) => (object, ("payment_intent", charged(order)?)),
        };
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair(of.0, of.1);
        if let Some(at) = trace.first_sent_at {
            query.append_pair("created[gte]", &at.minus_ms(CLOCKS_APART_MS).seconds().to_string());
        }
        query.append_pair("limit", &LISTED_MAX.to_string());
        Some(format!("{}?{}", object.path(), query.finish()))
    }
}

fn known(object: Object, trace: &Trace) -> Option<&str> {
    trace.provider_text.as_ref().map(ProviderText::as_str).filter(|text| object.is_id(text))
}
