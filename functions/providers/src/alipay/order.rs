//! Which orders Alipay can make, and how each is said.

use std::borrow::Cow;

use payments::id::PaymentId;
use payments::payment::{Kind, Order, RefundOf};
use payments::request::FieldError;
use serde::Serialize;

use super::answer::Call;
use super::{CURRENCY, text};

/// Largest amount, in fen: a hundred million yuan ("alipay.trade.pay": `total_amount`).
const FEN_MAX: u64 = 10_000_000_000;
/// Characters of `subject` ("alipay.trade.pay").
const SUBJECT_MAX: usize = 256;
/// Longest agreement's number ("alipay.trade.pay": `agreement_no`, 64 characters).
const AGREEMENT_MAX: usize = 64;
/// How long a customer may take who has to confirm: then Alipay closes the trade, and it is never paid. So what waits ends by
/// itself, and neither `alipay.trade.cancel` nor `alipay.trade.close` has to be called, which could cross with the payment.
pub const TIMEOUT_EXPRESS: &str = "5m";

/// What `payment_method` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method<'a> {
    /// `auth_code:` and the digits of the code that the customer shows, good for a minute.
    AuthCode(&'a str),
    /// `agreement:` and the number of an agreement by which the customer may be charged.
    Agreement(&'a str),
}

impl<'a> Method<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        match text.split_once(':')? {
            // "付款码": 16 to 24 digits that begin with 25 to 30.
            ("auth_code", code) if is_digits(code) && (16..=24).contains(&code.len()) => {
                let start: u32 = code.get(..2)?.parse().ok()?;
                (25..=30).contains(&start).then_some(Self::AuthCode(code))
            }
            ("agreement", number) => {
                let is_number = !number.is_empty()
                    && number.len() <= AGREEMENT_MAX
                    && number.bytes().all(|byte| byte.is_ascii_alphanumeric());
                is_number.then_some(Self::Agreement(number))
            }
            _ => None,
        }
    }
}

/// Whether Alipay can make this order: the first field that it does not take, and why.
pub fn check(order: &Order) -> Result<(), FieldError> {
    let fault = |field: &str, reason: &str| Err(FieldError { field: field.to_owned(), reason: reason.to_owned() });
    if order.money.currency().code() != CURRENCY {
        return fault("currency", "must be CNY: this provider is Alipay, which is paid in yuan");
    }
    if order.money.amount() > FEN_MAX {
        return fault("amount", "must be at most 10000000000 fen: Alipay takes a hundred million yuan at once");
    }
    match (order.kind, &order.refund_of, order.payment_method.as_deref()) {
        (Kind::Charge, _, method) if method.and_then(Method::parse).is_none() => fault(
            "payment_method",
            "must be auth_code: and the 16 to 24 digits that the customer shows, or agreement: and an agreement's number",
        ),
        (Kind::Refund, Some(RefundOf::Charge { .. }), Some(_)) => {
            fault("payment_method", "must not be given: Alipay gives a refund back to whoever paid")
        }
        (Kind::Refund, Some(RefundOf::Unlinked) | None, _) => {
            fault("unlinked", "must not be true: Alipay gives back only a payment that was made there")
        }
        (Kind::Payout, _, _) => fault("kind", "must be charge or refund: payouts are not made at Alipay here"),
        (Kind::Charge, _, _) | (Kind::Refund, Some(RefundOf::Charge { .. }), None) => Ok(()),
    }
}

#[derive(Serialize)]
struct Agreement<'a> {
    agreement_no: &'a str,
}

#[derive(Serialize)]
struct Pay<'a> {
    out_trade_no: &'a str,
    total_amount: String,
    subject: String,
    product_code: &'static str,
    timeout_express: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scene: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agreement_params: Option<Agreement<'a>>,
}

#[derive(Serialize)]
struct Trade<'a> {
    out_trade_no: &'a str,
}

#[derive(Serialize)]
struct GivenBack<'a> {
    out_trade_no: &'a str,
    out_request_no: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_amount: Option<String>,
}

/// A call and its `biz_content`. It says the same for the same payment, for ever.
pub struct Said {
    /// The call.
    pub call: Call,
    /// JSON.
    pub biz_content: String,
}

/// What makes this order; `None` for one that [`check`] refuses.
pub fn send(id: &PaymentId, order: &Order) -> Option<Said> {
    check(order).ok()?;
    match charge_of(order) {
        None => {
            let pay = pay(id, order, Method::parse(order.payment_method.as_deref()?)?);
            said(Call::Pay, &pay)
        }
        Some(charge) => {
            let refund_amount = Some(text::yuan(order.money));
            said(Call::Refund, &GivenBack { out_trade_no: charge.as_str(), out_request_no: id.as_str(), refund_amount })
        }
    }
}

/// What asks about this order; `None` for one that [`check`] refuses.
pub fn query(id: &PaymentId, order: &Order) -> Option<Said> {
    check(order).ok()?;
    match charge_of(order) {
        None => said(Call::Query, &Trade { out_trade_no: id.as_str() }),
        Some(charge) => said(
            Call::RefundQuery,
            &GivenBack { out_trade_no: charge.as_str(), out_request_no: id.as_str(), refund_amount: None },
        ),
    }
}

/// The charge that an order gives back.
pub fn charge_of(order: &Order) -> Option<&PaymentId> {
    match &order.refund_of {
        Some(RefundOf::Charge { payment_id, .. }) => Some(payment_id),
        Some(RefundOf::Unlinked) | None => None,
    }
}

fn said(call: Call, content: &impl Serialize) -> Option<Said> {
    Some(Said { call, biz_content: serde_json::to_string(content).ok()? })
}

fn pay<'a>(id: &'a PaymentId, order: &Order, method: Method<'a>) -> Pay<'a> {
    let (product_code, scene, auth_code, agreement_params) = match method {
        Method::AuthCode(code) => ("FACE_TO_FACE_PAYMENT", Some("bar_code"), Some(code), None),
        Method::Agreement(agreement_no) => ("GENERAL_WITHHOLDING", None, None, Some(Agreement { agreement_no })),
    };
    Pay {
        out_trade_no: id.as_str(),
        total_amount: text::yuan(order.money),
        subject: subject(order),
        product_code,
        timeout_express: TIMEOUT_EXPRESS,
        scene,
        auth_code,
        agreement_params,
    }
}

/// What the customer reads: the description, or the order's number. It may not hold `/`, `=` and `&`.
fn subject(order: &Order) -> String {
    let text = order.description.as_deref().filter(|text| !text.trim().is_empty());
    let text = text.map_or_else(|| Cow::Owned(format!("Order {}", order.order_id)), Cow::Borrowed);
    text.chars().take(SUBJECT_MAX).map(|c| if matches!(c, '/' | '=' | '&') { ' ' } else { c }).collect()
}
