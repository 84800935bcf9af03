//! Alipay (支付宝), the open platform's gateway with public keys or certificates: `alipay.trade.pay` for codes and agreements,
//! `alipay.trade.query`, `alipay.trade.refund` and `alipay.trade.fastpay.refund.query`. The pages are those of
//! opendocs.alipay.com under the calls' names.
//!
//! - `PROVIDER_URL` is the gateway, `https://openapi.alipay.com/gateway.do`;
//! - `PROVIDER_KEY` is a JSON object of texts: `app_id`, `private_key`, `alipay_public_key`, and `notify_url` if it is to call
//!   back; `CALLBACK_KEY` is another: `app_id`, `seller_id`, `alipay_public_key`;
//! - in certificate mode `PROVIDER_KEY` has `app_cert_sn` and `alipay_root_cert_sn` too, and `alipay_public_key` is the key of
//!   Alipay's certificate. An answer's `alipay_cert_sn` is not looked at: what that key has signed is Alipay's whatever it is
//!   called, and what another one has signed is not believed, so that a renewed certificate means a new secret;
//! - our id is the order's number (`out_trade_no`, 64 letters, digits and `_`), a refund's id is `out_request_no` (64
//!   characters): both have room for our 36 as they are;
//! - `payment_method` is `auth_code:` with the code that a customer shows, or `agreement:` with an agreement's number.
//!
//! Its numbers. **Key window**: for ever; a number that was paid is answered `ACQ.TRADE_HAS_SUCCESS`, a refund's number that
//! was used moves nothing again (`fund_change` `N`). **Absence bound**: no page states one. A trade that nobody has paid ends
//! [`order::TIMEOUT_EXPRESS`] after it began, and a refund is to be asked about 10 s after it at the earliest
//! ("alipay.trade.fastpay.refund.query"), so that less than that proves nothing; what is believed beyond is to be agreed on.
//! **Rate and longest answer**: by agreement. **"Not found"**: `ACQ.TRADE_NOT_EXIST` about our number, signed; of a refund,
//! 10000 without `refund_status`, signed. Before the bound neither proves anything.
//!
//! Alipay leaves some refusals of its gateway unsigned. They are not believed: what they are about is unknown, and the breaker
//! opens when that is all that comes.

pub mod answer;
pub mod notice;
pub mod order;
pub mod rsa;
pub mod secret;
pub mod signed;
pub mod text;

use ::http::header::{ACCEPT, CONTENT_TYPE};
use ::http::{HeaderValue, Method};
use bytes::Bytes;
use payments::answer::{QueryAnswer, SendAnswer};
use payments::id::PaymentId;
use payments::payment::Order;
use payments::time::Timestamp;

use self::order::Said;
use self::secret::{Account, SecretError};
use crate::contract::{Numbers, Reply, Stated, Written};

/// The currency of everything here.
pub const CURRENCY: &str = "CNY";

/// What the documents state.
pub const NUMBERS: Numbers = Numbers {
    key_window: Stated::ForEver,
    absence_bound: Stated::Ask,
    longest_answer: Stated::Ask,
    rate_per_second: None,
    callback_tolerance: Stated::ForEver,
    settlement_file: "`alipay.data.dataservice.bill.downloadurl.query`, a zip of CSV in GBK",
    not_found_proves: "once the agreed bound is over, that the number was never used; the bound is above the 5 minutes after \
                       which an unpaid trade is closed",
};

/// The contract for one application.
#[derive(Debug)]
pub struct Alipay {
    account: Account,
    /// The gateway's path.
    path: String,
}

impl Alipay {
    /// The contract at the gateway's path, under what the secret holds.
    pub fn new(path: &str, secret: &str) -> Result<Self, SecretError> {
        Ok(Self { account: Account::parse(secret)?, path: path.to_owned() })
    }

    /// What is written to make a payment.
    pub fn send(&self, id: &PaymentId, order: &Order, now: Timestamp) -> Option<Written> {
        self.written(&order::send(id, order)?, now)
    }

    /// What is written to ask what became of one.
    pub fn query(&self, id: &PaymentId, order: &Order, now: Timestamp) -> Option<Written> {
        self.written(&order::query(id, order)?, now)
    }

    /// As Alipay's own libraries write it: what names and signs the request in the query, its content in a form.
    fn written(&self, said: &Said, now: Timestamp) -> Option<Written> {
        let timestamp = text::timestamp(now);
        let mut parameters = vec![
            ("app_id", self.account.app_id.as_str()),
            ("charset", "utf-8"),
            ("format", "JSON"),
            ("method", said.call.method()),
            ("sign_type", "RSA2"),
            ("timestamp", timestamp.as_str()),
            ("version", "1.0"),
        ];
        if let (answer::Call::Pay, Some(url)) = (said.call, self.account.notify_url.as_deref()) {
            parameters.push(("notify_url", url));
        }
        if let Some(certificates) = &self.account.certificates {
            parameters.push(("app_cert_sn", &certificates.app));
            parameters.push(("alipay_root_cert_sn", &certificates.root));
        }
        let content = [("biz_content", said.biz_content.as_str())];
        let sign = self.account.private_key.sign(&signed::content(parameters.iter().chain(&content).copied()))?;
        parameters.push(("sign", &sign));
        let encoded =
            |pairs: &[(&str, &str)]| form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        Some(Written {
            method: Method::POST,
            path: format!("{}?{}", self.path, encoded(&parameters)),
            headers: vec![
                (ACCEPT, HeaderValue::from_static("application/json")),
                (CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded;charset=utf-8")),
            ],
            body: Bytes::from(encoded(&content)),
        })
    }

    /// What the answer to a send means.
    pub fn send_answer(&self, id: &PaymentId, order: &Order, reply: &Reply) -> SendAnswer {
        let key = &self.account.alipay_public_key;
        match order::charge_of(order) {
            None => answer::paid(id, order.money, reply, key),
            Some(charge) => answer::refunded(charge, reply, key),
        }
    }

    /// What the answer to a query means.
    pub fn query_answer(&self, id: &PaymentId, order: &Order, reply: &Reply) -> QueryAnswer {
        let key = &self.account.alipay_public_key;
        match order::charge_of(order) {
            None => answer::queried(id, order.money, reply, key),
            Some(charge) => answer::refund_queried(id, charge, order.money, reply, key),
        }
    }
}
