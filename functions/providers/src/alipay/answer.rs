//! What an answer means. Codes are those of "公共错误码" (common codes) and of the pages of each call, "业务错误码" (business
//! codes), at opendocs.alipay.com. A code that is not listed here is unknown: never failed, never a reason to send again.

use payments::answer::{Found, NotTaken, ProviderText, QueryAnswer, SendAnswer, Unclear};
use payments::id::PaymentId;
use payments::money::Money;
use serde::Deserialize;

use super::rsa::VerifyingKey;
use super::{signed, text};
use crate::contract::{Body, Reply};

/// A call of Alipay's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `alipay.trade.pay`.
    Pay,
    /// `alipay.trade.query`.
    Query,
    /// `alipay.trade.refund`.
    Refund,
    /// `alipay.trade.fastpay.refund.query`.
    RefundQuery,
}

impl Call {
    /// The value of `method`.
    pub const fn method(self) -> &'static str {
        match self {
            Self::Pay => "alipay.trade.pay",
            Self::Query => "alipay.trade.query",
            Self::Refund => "alipay.trade.refund",
            Self::RefundQuery => "alipay.trade.fastpay.refund.query",
        }
    }

    /// The member of the answer that holds what is said.
    pub const fn response(self) -> &'static str {
        match self {
            Self::Pay => "alipay_trade_pay_response",
            Self::Query => "alipay_trade_query_response",
            Self::Refund => "alipay_trade_refund_response",
            Self::RefundQuery => "alipay_trade_fastpay_refund_query_response",
        }
    }
}

/// Sub codes under 40004 by which a payment was refused for good: Alipay asks for another buyer, another means or another
/// request ("alipay.trade.pay").
pub const PAY_REFUSED: [&str; 27] = [
    "ACQ.INVALID_PARAMETER",
    "ACQ.EXIST_FORBIDDEN_WORD",
    "ACQ.TOTAL_FEE_EXCEED",
    "ACQ.PAYMENT_AUTH_CODE_INVALID",
    "ACQ.BUYER_BALANCE_NOT_ENOUGH",
    "ACQ.BUYER_BANKCARD_BALANCE_NOT_ENOUGH",
    "ACQ.ERROR_BALANCE_PAYMENT_DISABLE",
    "ACQ.BUYER_SELLER_EQUAL",
    "ACQ.BUYER_ENABLE_STATUS_FORBID",
    "ACQ.PULL_MOBILE_CASHIER_FAIL",
    "ACQ.MOBILE_PAYMENT_SWITCH_OFF",
    "ACQ.PAYMENT_FAIL",
    "ACQ.BUYER_PAYMENT_AMOUNT_DAY_LIMIT_ERROR",
    "ACQ.BUYER_PAYMENT_AMOUNT_MONTH_LIMIT_ERROR",
    "ACQ.BEYOND_PAY_RESTRICTION",
    "ACQ.BEYOND_PER_RECEIPT_RESTRICTION",
    "ACQ.SELLER_BEEN_BLOCKED",
    "ACQ.ERROR_BUYER_CERTIFY_LEVEL_LIMIT",
    "ACQ.PAYMENT_REQUEST_HAS_RISK",
    "ACQ.NO_PAYMENT_INSTRUMENTS_AVAILABLE",
    "ACQ.USER_FACE_PAYMENT_SWITCH_OFF",
    "ACQ.PRODUCT_AMOUNT_LIMIT_ERROR",
    "ACQ.AGREEMENT_NOT_EXIST",
    "ACQ.AGREEMENT_INVALID",
    "ACQ.AGREEMENT_STATUS_NOT_NORMAL",
    "ACQ.MERCHANT_AGREEMENT_NOT_EXIST",
    "ACQ.MERCHANT_AGREEMENT_INVALID",
];

/// Those that speak of the order's number and not of this call: something stands there, and a query says what.
pub const PAY_STANDS: [&str; 4] =
    ["ACQ.TRADE_HAS_SUCCESS", "ACQ.TRADE_HAS_CLOSE", "ACQ.CONTEXT_INCONSISTENT", "ACQ.TRADE_BUYER_NOT_MATCH"];

/// Sub codes under 40004 by which a refund was refused ("alipay.trade.refund").
pub const REFUND_REFUSED: [&str; 10] = [
    "ACQ.INVALID_PARAMETER",
    "ACQ.SELLER_BALANCE_NOT_ENOUGH",
    "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL",
    "ACQ.REASON_TRADE_BEEN_FREEZEN",
    "ACQ.TRADE_NOT_EXIST",
    "ACQ.TRADE_HAS_FINISHED",
    "ACQ.TRADE_STATUS_ERROR",
    "ACQ.REASON_TRADE_REFUND_FEE_ERR",
    "ACQ.TRADE_NOT_ALLOW_REFUND",
    "ACQ.REFUND_FEE_ERROR",
];

/// As [`PAY_STANDS`], of a refund's number.
pub const REFUND_STANDS: [&str; 1] = ["ACQ.DISCORDANT_REPEAT_REQUEST"];

/// The query's word for what is not there.
pub const NOT_EXIST: &str = "ACQ.TRADE_NOT_EXIST";

/// Alipay cannot say what became of it: ask ("接口返回错误").
pub const SYSTEM_ERRORS: [&str; 3] = ["ACQ.SYSTEM_ERROR", "AQC.SYSTEM_ERROR", "aop.ACQ.SYSTEM_ERROR"];

/// Sub codes under 40004 about the account and not about the payment.
pub const ACCOUNT: [&str; 2] = ["ACQ.ACCESS_FORBIDDEN", "ACQ.PARTNER_ERROR"];

/// Sub codes under 40002 about how we sign, date and name ourselves, and not about the payment. The gateway refuses before
/// any business begins.
pub const OUR_SETTINGS: [&str; 9] = [
    "isv.invalid-signature",
    "isv.invalid-signature-type",
    "isv.invalid-app-id",
    "isv.invalid-timestamp",
    "isv.invalid-charset",
    "isv.invalid-method",
    "isv.forbidden-api",
    "app-cert-expired",
    "not-online-app",
];

// Members that we do not know are skipped, and those that are no texts make it unreadable.
#[derive(Deserialize)]
struct Response {
    code: String,
    sub_code: Option<String>,
    out_trade_no: Option<String>,
    out_request_no: Option<String>,
    trade_no: Option<String>,
    total_amount: Option<String>,
    trade_status: Option<String>,
    send_pay_date: Option<String>,
    fund_change: Option<String>,
    refund_amount: Option<String>,
    refund_status: Option<String>,
}

/// What the outer code says, whatever the call.
enum Outer<'a> {
    /// 10000.
    Done,
    /// 10003.
    Waiting,
    /// 40004, by its sub code.
    Business(&'a str),
    /// The gateway counts and refuses.
    Limited,
    /// The account or our settings are at fault.
    Account,
    /// Nobody knows.
    Unclear(Unclear),
}

impl Response {
    fn outer(&self) -> Outer<'_> {
        let sub_code = self.sub_code.as_deref().unwrap_or_default();
        match self.code.as_str() {
            "10000" => Outer::Done,
            "10003" => Outer::Waiting,
            "20000" => Outer::Unclear(Unclear::ProviderError),
            "40004" if SYSTEM_ERRORS.contains(&sub_code) => Outer::Unclear(Unclear::ProviderError),
            "40004" if ACCOUNT.contains(&sub_code) => Outer::Account,
            "40004" => Outer::Business(sub_code),
            "40005" => Outer::Limited,
            "20001" | "40001" | "40003" | "40006" => Outer::Account,
            "40002" if OUR_SETTINGS.contains(&sub_code) => Outer::Account,
            _ => Outer::Unclear(Unclear::Unreadable),
        }
    }

    fn is_of_trade(&self, id: &PaymentId) -> bool {
        self.out_trade_no.as_deref() == Some(id.as_str())
    }

    fn reference(&self) -> Option<ProviderText> {
        self.trade_no.as_deref().filter(|number| !number.is_empty()).map(ProviderText::new)
    }
}

/// Reads an answer, and believes nothing of it before its signature has been verified.
fn read(call: Call, reply: &Reply, key: &VerifyingKey) -> Result<Response, Unclear> {
    match reply.status.as_u16() {
        200 => {}
        500..=599 => return Err(Unclear::ProviderError),
        _ => return Err(Unclear::Unreadable),
    }
    let body = match &reply.body {
        Body::Whole(body) => body,
        Body::Malformed => return Err(Unclear::Unreadable),
        Body::Lost => return Err(Unclear::ConnectionLost),
    };
    let text = signed::verified(body, call.response(), key).ok_or(Unclear::Unreadable)?;
    serde_json::from_str(&text).map_err(|_| Unclear::Unreadable)
}

const fn limited() -> NotTaken {
    NotTaken::RateLimited { retry_after_ms: None }
}

/// What the answer to `alipay.trade.pay` means.
pub fn paid(id: &PaymentId, money: Money, reply: &Reply, key: &VerifyingKey) -> SendAnswer {
    let response = match read(Call::Pay, reply, key) {
        Ok(response) => response,
        Err(unclear) => return SendAnswer::Unclear(unclear),
    };
    let is_ours = response.is_of_trade(id);
    let found = match response.outer() {
        Outer::Done if is_ours && text::says(response.total_amount.as_deref(), money) => {
            response.reference().map(|reference| Found::Approved { reference })
        }
        Outer::Waiting if is_ours => Some(Found::Accepted { reference: response.reference() }),
        Outer::Business(code) if is_ours && PAY_REFUSED.contains(&code) => {
            Some(Found::Declined { code: ProviderText::new(code) })
        }
        Outer::Business(code) if PAY_STANDS.contains(&code) => return SendAnswer::Unclear(Unclear::Conflict),
        Outer::Limited => return SendAnswer::NotTaken(limited()),
        Outer::Account => return SendAnswer::NotTaken(NotTaken::CredentialsRefused),
        Outer::Unclear(unclear) => return SendAnswer::Unclear(unclear),
        Outer::Done | Outer::Waiting | Outer::Business(_) => None,
    };
    found.map_or(SendAnswer::Unclear(Unclear::Unreadable), SendAnswer::Found)
}

/// What the answer to `alipay.trade.refund` means. Its `refund_fee` is the sum of all refunds of the trade, so that only the
/// refund's own query says this refund's amount.
pub fn refunded(charge: &PaymentId, reply: &Reply, key: &VerifyingKey) -> SendAnswer {
    let response = match read(Call::Refund, reply, key) {
        Ok(response) => response,
        Err(unclear) => return SendAnswer::Unclear(unclear),
    };
    let is_ours = response.is_of_trade(charge);
    let found = match response.outer() {
        Outer::Done if is_ours => match response.fund_change.as_deref() {
            Some("Y") => response.reference().map(|reference| Found::Approved { reference }),
            // This request moved nothing: an earlier one under this number may have.
            Some(_) | None => return SendAnswer::Unclear(Unclear::Conflict),
        },
        Outer::Business(code) if is_ours && REFUND_REFUSED.contains(&code) => {
            Some(Found::Declined { code: ProviderText::new(code) })
        }
        Outer::Business(code) if REFUND_STANDS.contains(&code) => return SendAnswer::Unclear(Unclear::Conflict),
        Outer::Limited => return SendAnswer::NotTaken(limited()),
        Outer::Account => return SendAnswer::NotTaken(NotTaken::CredentialsRefused),
        Outer::Unclear(unclear) => return SendAnswer::Unclear(unclear),
        Outer::Done | Outer::Waiting | Outer::Business(_) => None,
    };
    found.map_or(SendAnswer::Unclear(Unclear::Unreadable), SendAnswer::Found)
}

/// What a trade's status says. A trade that was paid and then given back as a whole is closed too, and was paid.
pub(super) fn of_status(status: &str, was_paid: bool, reference: Option<ProviderText>) -> Option<Found> {
    match (status, was_paid) {
        ("TRADE_SUCCESS" | "TRADE_FINISHED", _) | ("TRADE_CLOSED", true) => {
            reference.map(|reference| Found::Approved { reference })
        }
        ("WAIT_BUYER_PAY", _) => Some(Found::Accepted { reference }),
        ("TRADE_CLOSED", false) => Some(Found::Declined { code: ProviderText::new(status) }),
        _ => None,
    }
}

/// What the answer to `alipay.trade.query` means.
pub fn queried(id: &PaymentId, money: Money, reply: &Reply, key: &VerifyingKey) -> QueryAnswer {
    let response = match read(Call::Query, reply, key) {
        Ok(response) => response,
        Err(unclear) => return QueryAnswer::Unclear(unclear),
    };
    let is_ours = response.is_of_trade(id);
    let found = match response.outer() {
        Outer::Done if is_ours && text::says(response.total_amount.as_deref(), money) => {
            let was_paid = response.send_pay_date.as_deref().is_some_and(|date| !date.is_empty());
            of_status(response.trade_status.as_deref().unwrap_or_default(), was_paid, response.reference())
        }
        Outer::Business(NOT_EXIST) if is_ours => return QueryAnswer::NotFound,
        Outer::Limited => return QueryAnswer::NotTaken(limited()),
        Outer::Account => return QueryAnswer::NotTaken(NotTaken::CredentialsRefused),
        Outer::Unclear(unclear) => return QueryAnswer::Unclear(unclear),
        Outer::Done | Outer::Waiting | Outer::Business(_) => None,
    };
    found.map_or(QueryAnswer::Unclear(Unclear::Unreadable), QueryAnswer::Found)
}

/// What the answer to `alipay.trade.fastpay.refund.query` means. 10000 without `refund_status` says that the refund was not
/// received or has failed (its page, "退款状态"); then none of the refund's own members may be there.
pub fn refund_queried(
    id: &PaymentId,
    charge: &PaymentId,
    money: Money,
    reply: &Reply,
    key: &VerifyingKey,
) -> QueryAnswer {
    let response = match read(Call::RefundQuery, reply, key) {
        Ok(response) => response,
        Err(unclear) => return QueryAnswer::Unclear(unclear),
    };
    let is_ours = response.is_of_trade(charge) && response.out_request_no.as_deref() == Some(id.as_str());
    let is = |told: Option<&str>, ours: &PaymentId| told.is_none_or(|number| number == ours.as_str());
    let speaks_of_nothing_else =
        is(response.out_request_no.as_deref(), id) && is(response.out_trade_no.as_deref(), charge);
    let found = match response.outer() {
        Outer::Done => match (response.refund_status.as_deref(), response.refund_amount.as_deref()) {
            (Some("REFUND_SUCCESS"), amount) if is_ours && text::says(amount, money) => {
                response.reference().map(|reference| Found::Approved { reference })
            }
            (None, None) if speaks_of_nothing_else => return QueryAnswer::NotFound,
            (Some(_), _) | (None, Some(_) | None) => None,
        },
        Outer::Limited => return QueryAnswer::NotTaken(limited()),
        Outer::Account => return QueryAnswer::NotTaken(NotTaken::CredentialsRefused),
        Outer::Unclear(unclear) => return QueryAnswer::Unclear(unclear),
        Outer::Waiting | Outer::Business(_) => None,
    };
    found.map_or(QueryAnswer::Unclear(Unclear::Unreadable), QueryAnswer::Found)
}
